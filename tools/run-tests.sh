#!/bin/sh
# tools/run-tests.sh BUILD - runs every test program and script, prints what failed, and ends with
# 'N passed, N failed, N skipped'.  TEST_ONLY=regex picks programs, TEST_RUN=prefix runs them through
# a command (qemu), TEST_JOBS=N runs N at a time.  Test scripts (tests/<room>/test_*.sh) print TAP too and get BUILD as argument.
# Of each it says how long it took and how much of that was computing.  TEST_SAN=what: BUILD was made with that sanitizer; a script with a line
# `# plain build only: WHY` at its head has its time from other programs, or shows what a sanitizer would not find a second time: it is skipped then.
# What failed in the crowd runs once more, alone, when all have ended, and that counts: other programs may be what a bound on time was broken by.
# It is said; a second try is never given to a crash, to a test that hung until its limit (signal 14), nor to what a sanitizer found.
build=${1:-build}
if [ "$2" = --one ]; then # --one FOLDER TEST: for xargs below; its report and its counts become files
    t=$4
    name=$3/$(echo "$t" | tr / +) start=$(date +%s%3N)
    why=
    case $t in *.sh) [ -z "$TEST_SAN" ] || why=$(sed -n '2,9s/^# plain build only: //p' "$t") ;; esac
    case $why$t in
    ?*' '*.sh) printf '# skipped: plain build only: %s\nok 1 - all of it # SKIP\n' "$why" >"$name.out"; rc=0 ;;
    *.sh) sh "$t" "$build" >"$name.out" 2>&1; rc=$? ;;
    *) $TEST_RUN "$t" >"$name.out" 2>&1; rc=$? ;;
    esac
    took=$(($(date +%s%3N) - start))
    times >"$name.times" # of this shell, then of its children
    cpu=$(awk 'NR == 2 { gsub(/[ms]/, " "); print $1 * 60 + $2 + $3 * 60 + $4 }' "$name.times")
    s=$(grep -c '^ok .*# SKIP' "$name.out"); o=$(grep -c '^ok ' "$name.out"); n=$(grep -c '^not ok ' "$name.out")
    if [ "$n" -eq 0 ] && { [ "$rc" -ne 0 ] || [ $((o + n)) -eq 0 ]; }; then
        n=1; echo "not ok - $t ended with status $rc"
    fi >"$name.end"
    {
        printf '%-44s %4d.%d s %6.1f cpu %4d ok' "${t#"$build"/}" $((took / 1000)) $((took / 100 % 10)) "$cpu" $((o - s))
        [ "$s" -gt 0 ] && printf ', %d skipped' "$s"
        [ "$n" -gt 0 ] && printf ', %d FAILED' "$n"
        echo
        cat "$name.end"
        if [ "$n" -gt 0 ]; then grep -vE '^ok |^1\.\.' "$name.out" | head -n 60 | cut -c1-400; fi
        [ "$s" -gt 0 ] && grep '^# skipped' "$name.out" | sort | uniq -c | head -n 3
    } >"$name.report"
    cat "$name.report"
    echo "$((o - s)) $n $s" >"$name.counts"
    exit 0
fi
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 130' HUP INT PIPE TERM # a shell that dies of a signal does not run its EXIT trap
{
    find "$build/tests" -type f -name 'test_*' -perm -100 ! -name '*.o' ! -name '*.d' | LC_ALL=C sort
    [ -n "$TEST_NO_SCRIPTS" ] || find tests -name 'test_*.sh' | LC_ALL=C sort
} | { if [ -n "$TEST_ONLY" ]; then grep -E "$TEST_ONLY"; else cat; fi; } >"$out/list"
[ -s "$out/list" ] && xargs -n 1 -P "${TEST_JOBS:-1}" "$0" "$build" --one "$out" <"$out/list"
again=
while read -r t; do
    n=$out/$(echo "$t" | tr / +)
    read -r p f s <"$n.counts" && [ "$f" -gt 0 ] && [ "${TEST_JOBS:-1}" -gt 1 ] || continue
    grep -qE 'Sanitizer|runtime error:|ended by signal (4|6|7|8|11|14) ' "$n.out" && continue
    echo "# once more, alone: $t"
    sh "$0" "$build" --one "$out" "$t" </dev/null
    again="$again ${t#"$build"/}"
done <"$out/list"
[ -z "$again" ] || echo "# failed beside others, and ran again alone:$again"
passed=0 failed=0 skipped=0
while read -r t; do # one that left no counts was killed with its shell
    read -r p f s <"$out/$(echo "$t" | tr / +).counts" || { p=0 f=1 s=0; echo "not ok - $t left no result"; }
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done <"$out/list"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
