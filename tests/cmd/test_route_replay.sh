#!/bin/sh
# tests/cmd/test_route_replay.sh BUILD - `tutti route replay`: the same policy changes nothing, another one shows what would.
tutti=$1/tutti fake=$1/tools/fake-journal
. tests/tap.sh
export TZ=UTC
run() { "$tutti" route replay --journal "$tmp/route.db" "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
if ! "$fake" "$tmp/route.db" 300 7 2>"$tmp/err"; then
    grep -q STORE=0 "$tmp/err" && { echo "# skipped: built without SQLite (STORE=0)"; echo "ok 1 - what is kept # SKIP"; echo 1..1; exit 0; }
fi
printf 'goals:\n  balanced: {joule: 0.1, wrong: 10}\n' >"$tmp/thrifty.yaml"
run --json
check "by the same policy nothing goes elsewhere" 0 'grep -q "\"n\":300,\"unreadable\":0," out' 'grep -q "\"changed\":0," out' '[ $(wc -l <out) -eq 1 ]'
run --policy "$tmp/thrifty.yaml" --json
check "by another one some do, and less is drawn" 0 '! grep -q "\"changed\":0," out' 'grep -q "\"after\":{\"is_estimate\":true" out' 'grep -q "\"moves\":\[{\"from\":\".* on .*\",\"to\":\".* on " out'
run --policy "$tmp/thrifty.yaml" --svg "$tmp/r.svg"
check "for people: figures, a table from where to where, a picture; 80 columns" 0 'grep -q "would go elsewhere" out' 'grep -q "^energy, J" out' 'grep -q "would go to" out' \
    'grep -q estimate out' 'grep -q "<svg" r.svg' '! grep -qE "^.{81}" out'
run --since 1h --json
check "since an hour ago: sixty of one a minute" 0 'grep -qE "\"n\":(59|60|61)," out'
run --since 2h --until 1h --json
check "and before that hour" 0 'grep -qE "\"n\":(59|60|61)," out'
run --since 2001-02-03 --until 2001-02-04
check "a time without decisions" 0 'grep -q "no decisions are kept of that time" out'
run --since yesterday
check "a moment that is none" 2 'grep -q "^tutti: --since yesterday: neither" err' '[ $(wc -l <err) -eq 1 ]'
printf 'goals:\n  balanced: {jule: 0.1}\n' >"$tmp/bad.yaml"
run --policy "$tmp/bad.yaml"
check "a misspelt weight is told with its place" 1 'grep -q "bad.yaml" err' 'grep -q "joule" err' '[ $(wc -l <err) -eq 1 ]'
run --policy "$tmp/none.yaml"
check "a policy that is not there" 1 'grep -q "none.yaml" err' '[ $(wc -l <err) -eq 1 ]'
echo "1..$n"
