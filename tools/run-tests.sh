#!/bin/sh
# tools/run-tests.sh BUILD - runs every test program and script, prints what failed, and ends with
# 'N passed, N failed, N skipped'.  TEST_ONLY=regex picks programs, TEST_RUN=prefix runs them through
# a command (qemu).  Test scripts (tests/<room>/test_*.sh) print TAP too and get BUILD as argument.
build=${1:-build}
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
passed=0 failed=0 skipped=0
for t in $(find "$build/tests" -type f -name 'test_*' -perm -100 ! -name '*.o' ! -name '*.d' | LC_ALL=C sort) \
         $( [ -n "$TEST_NO_SCRIPTS" ] || find tests -name 'test_*.sh' | LC_ALL=C sort); do
    if [ -n "$TEST_ONLY" ] && ! echo "$t" | grep -qE "$TEST_ONLY"; then continue; fi
    case $t in
    *.sh) sh "$t" "$build" >"$out" 2>&1; rc=$? ;;
    *) $TEST_RUN "$t" >"$out" 2>&1; rc=$? ;;
    esac
    s=$(grep -c '^ok .*# SKIP' "$out"); o=$(grep -c '^ok ' "$out"); n=$(grep -c '^not ok ' "$out")
    if [ "$n" -eq 0 ] && { [ "$rc" -ne 0 ] || [ $((o + n)) -eq 0 ]; }; then
        n=1; echo "not ok - $t ended with status $rc"
    fi
    passed=$((passed + o - s)) failed=$((failed + n)) skipped=$((skipped + s))
    printf '%-44s %4d ok' "${t#"$build"/}" $((o - s))
    [ "$s" -gt 0 ] && printf ', %d skipped' "$s"
    [ "$n" -gt 0 ] && printf ', %d FAILED' "$n"
    echo
    if [ "$n" -gt 0 ]; then grep -vE '^ok |^1\.\.' "$out" | head -n 60 | cut -c1-400; fi
    [ "$s" -gt 0 ] && grep '^# skipped' "$out" | sort | uniq -c | head -n 3
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
