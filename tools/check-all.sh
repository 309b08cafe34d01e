#!/bin/sh
# tools/check-all.sh - everything that must hold before a commit lands; `make check` and ./check run it.
# Each part prints what it found; the last line is 'N passed, N failed, N skipped' over all parts.
cd "$(dirname "$0")/.." || exit 1
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 130' HUP INT PIPE TERM # a shell that dies of a signal does not run its EXIT trap
passed=0 failed=0 skipped=0
jobs=$(nproc)
export TEST_JOBS="${TEST_JOBS:-$jobs}"
. tools/test-extras.sh

part() { # part NAME COMMAND...: a part that prints a summary line is added up, another counts as one test
    name=$1; shift
    echo "== $name"
    start=$(date +%s)
    if "$@" >"$log" 2>&1; then rc=0; else rc=$?; fi
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
    if [ -n "$line" ]; then
        set -- $line
        passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
        [ "$rc" -eq 0 ] || [ "$3" -gt 0 ] || failed=$((failed + 1))
        grep -vE '^  (CC|LD) ' "$log" | { [ "$rc" -eq 0 ] && grep -E 'skipped|passed' || { tee "$log.all" | grep -E 'FAILED' ; tail -n 120 "$log.all"; rm -f "$log.all"; }; }
    elif [ "$rc" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        tail -n 60 "$log"
    fi
    echo "   $(( $(date +%s) - start )) s"
}

part 'build (gcc)' make --no-print-directory -j"$jobs" all tools tests
part 'rooms include downwards only' make --no-print-directory floors
part 'headers stand alone' make --no-print-directory headers
# Tests wait a lot: what the next parts want is built meanwhile.
later=$(mktemp) || exit 1
ahead=
trap 'rm -f "$log" "$later"; [ -z "$ahead" ] || kill "$ahead" 2>/dev/null' EXIT
for_asan() {
    nice make --no-print-directory BUILD=build/clang CC=clang-19 all &&
        nice make --no-print-directory BUILD=build/asan OPT=-O1 SAN=address,undefined all tests tools
}
for_tsan_and_aarch64() {
    nice make --no-print-directory BUILD=build/tsan OPT=-O1 SAN=thread all tests && CROSS_BUILD_ONLY=1 nice tools/cross.sh
}
wait_ahead() { wait "$ahead" || { cat "$later"; return 1; }; }
for_asan >"$later" 2>&1 &
ahead=$!
part 'unit tests' make --no-print-directory unit
part 'build with clang' wait_ahead
for_tsan_and_aarch64 >"$later" 2>&1 &
ahead=$!
part 'unit tests, address and undefined-behaviour sanitizers' make --no-print-directory -j"$jobs" asan
wait "$ahead" || cat "$later" # said again by the part that needs it
ahead=
part 'tests of threads, thread sanitizer' make --no-print-directory -j"$jobs" tsan
part 'aarch64 under qemu' tools/cross.sh
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
