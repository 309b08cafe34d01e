#!/bin/sh
# tools/fuzz.sh [NAME...] - searches for inputs that break tests/fuzz/fuzz_<name>.c (all of them, or those named),
# FUZZ_SECONDS (60) each, under the address and undefined-behaviour sanitizers.  What it finds worth keeping
# collects in build/fuzz/corpus/<name>; FUZZ_MERGE=1 instead adds the small ones of those that reach new code to the
# committed tests/fuzz/corpus/<name>.  A crash leaves its input in build/fuzz/crash-<name>-* and ends with status 1.
cd "$(dirname "$0")/.." || exit 2
cc=${FUZZ_CC:-clang-19}
seconds=${FUZZ_SECONDS:-60}
build=build/fuzz
command -v "$cc" >/dev/null || { echo "tutti: make fuzz needs $cc; tools/deps.sh --tests installs it" >&2; exit 1; }
# No fuzzer's main in the library: fuzzer-no-link gives its objects the coverage counters only.
make --no-print-directory CC="$cc" BUILD=$build OPT=-O1 SAN=fuzzer-no-link,address,undefined $build/libtutti.a || exit 1
if [ $# -eq 0 ]; then
    for src in tests/fuzz/fuzz_*.c; do name=${src##*/fuzz_}; set -- "$@" "${name%.c}"; done
fi
bad=0
for name in "$@"; do
    bin=$build/fuzz_$name new=$build/corpus/$name seeds=tests/fuzz/corpus/$name
    mkdir -p "$new" "$seeds"
    make --no-print-directory CC="$cc" BUILD=$build OPT=-O1 SAN=fuzzer-no-link,address,undefined $build/tests/fuzz/fuzz_$name.o || exit 1
    $cc -fsanitize=fuzzer,address,undefined -o "$bin" "$build/tests/fuzz/fuzz_$name.o" $build/libtutti.a \
        $(make --no-print-directory print-libs) || exit 1
    dict=tests/fuzz/$name.dict
    [ -f "$dict" ] && dict="-dict=$dict" || dict=
    if [ -n "$FUZZ_MERGE" ]; then
        "$bin" -set_cover_merge=1 -max_len=2048 "$seeds" "$new" 2>&1 | tail -n 1
        continue
    fi
    echo "fuzz $name: $seconds s"
    if ! "$bin" $dict -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$build/crash-$name-" "$new" "$seeds" >$build/$name.log 2>&1; then
        bad=1
        grep -E 'ERROR|SUMMARY|runtime error|Test unit' "$build/$name.log" | head -n 8
        echo "fuzz $name: FAILED, see $build/$name.log"
    else
        grep -E 'number_of_executed_units|average_exec_per_sec|new_units_added' "$build/$name.log" | sed 's/^stat::/  /'
    fi
done
exit $bad
