#!/bin/sh
# tools/check-all.sh - everything that must hold before a commit lands; `make check` and ./check run it.
# Each part prints what it found, which tests took longest and how long it took itself; the last line is 'N passed, N failed, N skipped'
# over all parts.
#
# Tests wait a lot: what later parts want (builds, and the tests under emulation) is done meanwhile, niced, one thing after the other.
cd "$(dirname "$0")/.." || exit 1
dir=$(mktemp -d) || exit 1
ahead=
trap '[ -z "$ahead" ] || kill "$ahead" 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 130' HUP INT PIPE TERM # a shell that dies of a signal does not run its EXIT trap
passed=0 failed=0 skipped=0
jobs=$(nproc)
export TEST_JOBS="${TEST_JOBS:-$((jobs * 2))}"
. tools/test-extras.sh

part() { # part NAME COMMAND...: a part that prints a summary line is added up, another counts as one test
    name=$1; shift
    echo "== $name"
    start=$(date +%s)
    if "$@" >"$dir/log" 2>&1; then rc=0; else rc=$?; fi
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$dir/log" | tail -n 1)
    if [ -n "$line" ]; then
        set -- $line
        passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
        [ "$rc" -eq 0 ] || [ "$3" -gt 0 ] || failed=$((failed + 1))
        grep -vE '^  (CC|LD) ' "$dir/log" >"$dir/said"
        if [ "$rc" -eq 0 ]; then
            grep -E ' s +[0-9.]+ cpu ' "$dir/said" | sort -k2,2nr | head -n 5 | sed 's/^/   longest: /'
            grep -E 'skipped|passed|FAILED|^not ok|not so:|^# failed beside' "$dir/said"
        else
            grep FAILED "$dir/said"
            tail -n 120 "$dir/said"
        fi
    elif [ "$rc" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        tail -n 60 "$dir/log"
    fi
    echo "   $(( $(date +%s) - start )) s"
}

step() { # step NAME COMMAND...: of what is done ahead
    step=$1; shift
    nice "$@" >"$dir/$step.log" 2>&1
    echo $? >"$dir/$step.new" && mv "$dir/$step.new" "$dir/$step.rc"
}
do_ahead() {
    step clang make --no-print-directory -j"$jobs" BUILD=build/clang CC=clang-19 OPT=-O0 OPT_KERNELS=-O0 all
    step asan make --no-print-directory -j"$jobs" BUILD=build/asan OPT=-O1 SAN=address,undefined all tests tools
    step tsan make --no-print-directory -j"$jobs" BUILD=build/tsan OPT=-O1 SAN=thread build-threads
    step aarch64 tools/cross.sh
}
done_ahead() { # done_ahead NAME: what that step said, and its status
    while [ ! -e "$dir/$1.rc" ]; do sleep 0.5; done
    cat "$dir/$1.log"
    return "$(cat "$dir/$1.rc")"
}
with_build() { done_ahead "$1" && make --no-print-directory "$1"; } # make says again what is wrong, or finds all built

part 'build (gcc)' make --no-print-directory -j"$jobs" all tools tests
do_ahead &
ahead=$!
part 'rooms include downwards only' make --no-print-directory floors
part 'headers stand alone' make --no-print-directory headers
part 'unit tests' make --no-print-directory unit
part 'build with clang' done_ahead clang
part 'unit tests, address and undefined-behaviour sanitizers' with_build asan
part 'tests of threads, thread sanitizer' with_build tsan
part 'aarch64 under qemu' done_ahead aarch64
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
