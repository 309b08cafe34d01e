#!/bin/sh
# tests/cmd/test_route_why.sh BUILD - `tutti route why`: a past decision with its candidates, terms that add up, what came of it.
tutti=$1/tutti fake=$1/tools/fake-journal
. tests/tap.sh
export XDG_STATE_HOME="$tmp/state" TZ=UTC
run() { "$tutti" route why "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
if ! "$fake" "$tmp/state/tutti/route.db" 40 7 2>"$tmp/err"; then
    grep -q STORE=0 "$tmp/err" && { echo "# skipped: built without SQLite (STORE=0)"; echo "ok 1 - what is kept # SKIP"; echo 1..1; exit 0; }
fi
run
check "without an id: the last twenty, 80 columns" 0 '[ $(grep -c ^fake- out) -eq 20 ]' 'grep -q fake-000039 out' '! grep -qE "^.{81}" out'
run fake-000039
check "one decision: seen, candidates, terms, outcome" 0 'grep -q "^fake-000039, " out' 'grep -q "score is made of" out' 'grep -q "what came of it" out' \
    'grep -q "^predicted: " out' 'grep -q "cannot do that task" out' '! grep -qE "^.{81}" out'
"$tutti" route why fake-000039 | sed '1,/score is made of/d' | tr '\n' ' ' | sed 's/  */ /g; s/ us /&\n/g' | grep -o ': [a-z]* -*[0-9].* = -*[0-9]* us' >"$tmp/terms"
awk '{ sub(/^: /, ""); n = split($0, w, " "); sum = 0; sign = 1
       for (i = 1; i <= n && w[i] != "="; i++) { if (w[i] == "+") sign = 1; else if (w[i] == "-") sign = -1; else if (w[i] ~ /^-?[0-9]+$/) sum += sign * w[i] }
       if (sum != w[i + 1]) { print "not " sum ": " $0; bad = 1 } }
     END { exit bad || NR == 0 }' "$tmp/terms" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "printed terms add up to the printed score, exactly" 0
run fake-000039 --json
check "JSON: one object" 0 '[ $(wc -l <out) -eq 1 ]' 'grep -q "\"id\":\"fake-000039\",\"time\":" out' 'grep -q "\"decision\":{\"task\":\"chat\"" out' \
    'grep -q "\"outcomes\":\[{\"expert\":" out' 'grep -q "\"terms_us\":{\"first\":" out'
run --json
check "JSON of the last twenty" 0 'grep -q "^{\"decisions\":\[{\"id\":\"fake-000020\"" out' 'grep -q "\],\"unreadable\":0}$" out'
run fake-00003
check "the begin of more than one id is refused" 1 'grep -q "more than one decision begins so" err' '[ $(wc -l <err) -eq 1 ]'
run nothing
check "an unknown id is one line" 1 'grep -q "^tutti: nothing: no decision of that id is kept" err' '[ $(wc -l <err) -eq 1 ]'
run --journal "$tmp/none.db"
check "no journal yet is one line" 1 'grep -q "no decisions are kept yet" err' '[ $(wc -l <err) -eq 1 ]'
echo "this is no database at all, but a text of somebody; $(seq 200)" >"$tmp/text.db"
run --journal "$tmp/text.db"
check "what is no journal is refused" 1 '[ $(wc -l <err) -eq 1 ]' '[ ! -s out ]'
echo "1..$n"
