#!/bin/sh
# tests/serve/test_chaos.sh BUILD - experts behind "auto" are killed, hung and starved while many ask: every client gets a whole answer or
# a clear error, never a mixture; prints TAP.  CHAOS_SECONDS=60 CHAOS_RATE=40: longer and harder, with figures.
build=${1:-build}
tutti=$build/tutti fake=$PWD/$build/tools/fake-engine load=$build/tools/load-gen
. tests/tap.sh
[ "${build#/}" = "$build" ] || fake=$build/tools/fake-engine
if [ ! -x "$fake" ] || [ ! -x "$load" ] || ! command -v curl >/dev/null || [ -n "$TEST_RUN" ]; then
    echo "# skipped: no fake engines here (make tools)"; echo "ok 1 - chaos # SKIP"; echo 1..1; exit 0
fi
seconds=${CHAOS_SECONDS:-4} rate=${CHAOS_RATE:-12}
export XDG_STATE_HOME="$tmp/state"
for e in a b c; do # b is slower, so that who is chosen is no accident
    cat >"$tmp/$e.yaml" <<EOT
name: fake-$e
task: chat
kind: server
command: [$fake, --listen, "127.0.0.1:{port}", --model, fake-$e, --tok-s, "$([ $e = b ] && echo 60 || echo 120)", --slots, "8"]
served_name: fake-$e
parallel: 8
first_token: 5s
stall: 4s
starts_per_minute: 1000
start_tries: 1000
EOT
done
: >"$tmp/serve"
"$tutti" serve --listen 127.0.0.1:0 "$tmp/a.yaml" "$tmp/b.yaml" "$tmp/c.yaml" examples/cards/tesseract.yaml >"$tmp/serve" 2>"$tmp/log" &
service=$!
trap 'kill "$service" 2>/dev/null; wait "$service" 2>/dev/null; rm -rf "$tmp"' EXIT
for _ in $(seq 1200); do url=$(sed -n 's/^listening on //p' "$tmp/serve"); [ -n "$url" ] && break; sleep 0.05; done
engine() { # PID of fake-$1, a child of the service; empty while it is being started again
    for p in $(cat /proc/"$service"/task/*/children 2>/dev/null); do
        { tr '\0' ' ' <"/proc/$p/cmdline"; } 2>/dev/null | grep -q "fake-engine.* fake-$1 " && { echo "$p"; return; }
    done
}

ask() { "$load" --url "$url/v1" --model auto --echo --json --max-tokens 40 --seed "$1" --timeout 120 "$2" "$3" "$4" "$5" "$6" "$7" >"$tmp/$8" 2>"$tmp/err"; }
value() { sed "s/.*\"$1\":\([0-9.]*\).*/\1/" "$tmp/$2"; }
ask 1 --rate 0 --clients 6 --requests 24 warm; rc=$?
: >"$tmp/out"
check "before: every answer is whole" 0 '[ "$(sed "s/.*\"ok\":\([0-9]*\).*/\1/" warm)" = 24 ]' 'grep -q "\"mixed\":0,\"short\":0" warm'

ask 2 --rate "$rate" --seconds "$seconds" --clients 64 load &
asking=$!
n_faults=0 x=7
while kill -0 $asking 2>/dev/null; do
    x=$(((x * 1103515245 + 12345) % 2147483648)) # which, and what: repeatable
    victim=$(echo a b c | cut -d' ' -f$((x / 65536 % 3 + 1)))
    pid=$(engine "$victim")
    if [ -n "$pid" ]; then
        n_faults=$((n_faults + 1))
        case $((x / 7 % 3)) in
        0) kill -KILL "$pid" ;;                                                     # dies
        1) kill -STOP "$pid" ;;                                                     # hangs, until it is found out
        2) for _ in 1 2 3; do kill -STOP "$pid"; sleep 0.1; kill -CONT "$pid"; sleep 0.02; done ;; # starves
        esac 2>/dev/null
    fi
    sleep 0.4
done
wait $asking
cp "$tmp/load" "$tmp/out"; rc=0
check "while they die, hang and starve: no mixture, nothing cut short, nobody left without a word" 0 'grep -q "\"torn\":0,\"mixed\":0,\"short\":0" load' \
    'grep -q "\"connect\":0,\"lost\":0,\"late\":0" load'
ok_part=$(($(value ok load) * 100 / $(value requests load)))
rc=0
check "many are answered all the same" 0 '[ '$ok_part' -ge 5 ]'
echo "# $n_faults faults in $seconds s at $rate requests/s: $(value requests load) requests, $(value ok load) answered ($ok_part %), $(value told load) told of an error, $(value torn load) cut, $(value mixed load) mixed; median $(sed 's/.*"e2e_ms":{[^}]*"p50":\([0-9.]*\).*/\1/' "$tmp/load") ms"
for e in a b c; do pid=$(engine $e); [ -n "$pid" ] && kill -CONT "$pid"; done

# the OpenAI client, too: what it gets is an answer or an error that it throws
if [ -n "$TUTTI_CLIENT" ] && command -v node >/dev/null && [ -d "$TUTTI_CLIENT/node_modules/openai" ]; then
    node tests/serve/client/chaos.mjs "$url" 60 >"$tmp/client" 2>"$tmp/err" &
    asking=$!
    for victim in a b c a; do
        kill -0 $asking 2>/dev/null || break
        pid=$(engine $victim); [ -n "$pid" ] && kill -KILL "$pid"
        sleep 0.5
    done
    wait $asking; rc=$?
    cp "$tmp/client" "$tmp/out"
    check "the OpenAI client gets answers or throws errors, never a mixture" 0 'grep -qx ok client'
    grep '^# openai' "$tmp/client"
else
    n=$((n + 1)); echo "ok $n - the OpenAI client # SKIP no npm package openai (TUTTI_CLIENT=DIR)"
fi

# one who asks for an expert by name is not touched by what happens to another
"$load" --url "$url/v1" --model fake-b --echo --json --max-tokens 60 --rate 0 --clients 3 --requests 6 --timeout 120 >"$tmp/named" 2>"$tmp/err" &
asking=$!
pid=$(engine a); [ -n "$pid" ] && kill -KILL "$pid"
pid=$(engine c); [ -n "$pid" ] && kill -STOP "$pid"
wait $asking; rc=$?
cp "$tmp/named" "$tmp/out"
check "others are untouched" 0 'grep -q "\"requests\":6,\"ok\":6,\"failed\":0" named' 'grep -q "\"torn\":0,\"mixed\":0,\"short\":0" named'

ask 3 --rate 0 --clients 4 --requests 12 after; rc=$?
cp "$tmp/after" "$tmp/out"
check "afterwards: every answer is whole again" 0 'grep -q "\"torn\":0,\"mixed\":0,\"short\":0" after' '[ "$(sed "s/.*\"ok\":\([0-9]*\).*/\1/" after)" = 12 ]'
# a worker process of ours that reads pictures dies again and again: the text or an error, and the language models never notice
if "$build/tools/draw" "Small computers can do great things." >"$tmp/picture.png" 2>/dev/null &&
    curl -sS --noproxy '*' -o "$tmp/read0" --data-binary "@$tmp/picture.png" "$url/v1/tutti/vision/ocr?model=auto" && grep -q '"text":"Small computers can do great things\."' "$tmp/read0"; then
    : >"$tmp/stop"
    for i in $(seq 8); do
        curl -sS --noproxy '*' -o "$tmp/read$i" --data-binary "@$tmp/picture.png" "$url/v1/tutti/vision/ocr?model=auto" 2>>"$tmp/stop" || echo "read $i" >>"$tmp/stop"
    done &
    reading=$!
    ask 4 --rate 0 --clients 3 --requests 30 beside &
    asking=$!
    while kill -0 $reading 2>/dev/null; do
        for p in $(cat /proc/"$service"/task/*/children 2>/dev/null); do
            { tr '\0' ' ' <"/proc/$p/cmdline"; } 2>/dev/null | grep -q fake-engine || kill -KILL "$p" 2>/dev/null
        done
        sleep 0.3
    done
    wait $asking; rc=$?
    n_read=0 n_told=0
    for i in $(seq 8); do
        if grep -q '"text":"Small computers can do great things\.".*"tutti":{' "$tmp/read$i"; then n_read=$((n_read + 1)); elif grep -q '^{"error":{"message":' "$tmp/read$i"; then n_told=$((n_told + 1)); fi
    done
    cat "$tmp/beside" "$tmp/stop" "$tmp"/read[0-9]* >"$tmp/out"
    check "a worker that is killed while it reads: the text or an error; who asks others notices nothing" 0 "[ $((n_read + n_told)) -eq 8 ]" '[ ! -s stop ]' 'grep -q "\"requests\":30,\"ok\":30," beside'
    echo "# of 8 pictures $n_read were read, $n_told ended with an error"
else
    n=$((n + 1)); echo "ok $n - a worker that is killed while it reads # SKIP $(sed -n 's/.*"message":"\([^"]*\)".*/\1/p' "$tmp/read0" 2>/dev/null | head -n 1)"
fi
curl -sS --noproxy '*' "$url/health" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "the service is well" 0
echo "1..$n"
