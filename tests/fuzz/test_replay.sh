#!/bin/sh
# tests/fuzz/test_replay.sh BUILD - every fuzz target survives its committed corpus; prints TAP.
build=${1:-build}
n=0
for src in tests/fuzz/fuzz_*.c; do
    name=${src##*/fuzz_}; name=${name%.c}; n=$((n + 1))
    if said=$($TEST_RUN "$build/tests/fuzz/replay_$name" "tests/fuzz/corpus/$name" 2>&1); then
        echo "ok $n - the corpus of $name: $(echo "$said" | tail -n 1)"
    else
        echo "# $(echo "$said" | tail -n 3 | tr '\n' ' ')"
        echo "not ok $n - the corpus of $name"
    fi
done
echo "1..$n"
