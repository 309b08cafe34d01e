#!/bin/sh
# tests/serve/test_decisions.sh BUILD - what a service keeps of its decisions: there at once, after kill -9, after a restart; never the
# prompt; a file that cannot be used is one warning.  Prints TAP.
build=${1:-build}
tutti=$build/tutti
. tests/tap.sh
if ! command -v curl >/dev/null || ! ls models/*.gguf >/dev/null 2>&1 || [ -n "$TEST_RUN" ]; then
    echo "# skipped: no curl or no bundled model"; echo "ok 1 - decisions # SKIP"; echo 1..1; exit 0
fi
export XDG_STATE_HOME="$tmp/state" no_proxy='*'
db=$tmp/state/tutti/route.db
if "$tutti" route why 2>&1 | grep -q STORE=0; then echo "# skipped: built without SQLite (STORE=0)"; echo "ok 1 - what is kept # SKIP"; echo 1..1; exit 0; fi
service=
trap '[ -n "$service" ] && kill -9 "$service" 2>/dev/null; rm -rf "$tmp"' EXIT
start() {
    : >"$tmp/serve"
    "$tutti" serve --listen 127.0.0.1:0 models/*.gguf >"$tmp/serve" 2>"$tmp/log" &
    service=$!
    for _ in $(seq 1200); do url=$(sed -n 's/^listening on //p' "$tmp/serve"); [ -n "$url" ] && return; sleep 0.05; done
}
ask() { # leaves the id of the decision in $id
    curl -sS -D "$tmp/head" -o "$tmp/out" -H 'content-type: application/json' --retry 5 --retry-connrefused \
        -d '{"model":"auto","max_tokens":8,"messages":[{"role":"user","content":"xylophonically zzyzxwords, my password: hunter2, please"}]}' "$url/v1/chat/completions" 2>"$tmp/err"; rc=$?
    id=$(tr -d '\r' <"$tmp/head" | sed -n 's/^tutti-route: //p')
}
why() { "$tutti" route why "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

start; ask; first=$id
check "auto answers, and says under which id" 0 '[ -n "'"$first"'" ]' 'grep -q "\"content\":\"" out'
for _ in $(seq 1200); do why "$first"; [ "$rc" = 0 ] && break; sleep 0.05; done # its writer is a thread of its own
check "the decision can be explained soon" 0 'grep -q "^'"$first"', " out' 'grep -q "score is made of" out' 'grep -q "holds a secret:" out'
for _ in $(seq 1200); do why "$first" --json; grep -q '"end":"done"' "$tmp/out" && break; sleep 0.05; done
check "and soon what came of it" 0 'grep -q "\"outcomes\":\[{\"expert\":\"tutti-tiny\",\"node\":\"local\",\"end\":\"done\"" out'
kill -9 "$service"; wait "$service" 2>/dev/null
why "$first" --json
check "a killed service loses none of it" 0 'grep -q "\"end\":\"done\"" out'
grep -alE 'xylophonically|zzyzx|hunter2' "$tmp"/state/tutti/* >"$tmp/out" 2>"$tmp/err"; rc=$?
check "nothing of the prompt is in any file of the state folder" 1 '[ ! -s out ]' '[ -s state/tutti/route.db ]'
start; ask
kill -TERM "$service"; wait "$service"; rc=$?
check "the next life goes on with the same file, and ends well" 0
why --json
check "both are there" 0 'grep -q "\"id\":\"'"$first"'\"" out' 'grep -q "\"id\":\"'"$id"'\"" out'
strings_of() { tr -c '[:print:]\t' '\n' <"$db"; }
strings_of | grep -q 'tutti-tiny	local	'; rc=$?
: >"$tmp/out"
check "what was learned is kept with them" 0
rm -f "$db"*; { echo "no database"; seq 500; } >"$db"; cp "$db" "$tmp/copy"
start; ask
kill -TERM "$service"; wait "$service"; service=
check "a file that is none of ours: one warning, auto answers, the file stays as it is" 0 'grep -q "\"content\":\"" out' '[ $(grep -c route.db log) -eq 1 ]' 'cmp copy "'"$db"'"'
echo "1..$n"
