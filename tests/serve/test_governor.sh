#!/bin/sh
# tests/serve/test_governor.sh BUILD - a machine gets hot under a running `tutti serve`: it steps down at once, says so and goes on
# answering; prints TAP.
tutti=${1:-build}/tutti
. tests/tap.sh
export XDG_CONFIG_HOME="$tmp" XDG_STATE_HOME="$tmp" no_proxy='*'
if ! [ -r models/tutti-tiny.gguf ] || ! command -v curl >/dev/null; then
    echo "# skipped: no curl or no bundled model"; echo "ok 1 - a hot machine # SKIP"; echo 1..1; exit 0
fi
sys=$tmp/sys
zone=$sys/sys/class/thermal/thermal_zone0
mkdir -p "$zone" "$sys/proc/device-tree"
printf 'Raspberry Pi 5 Model B Rev 1.0' >"$sys/proc/device-tree/model"
echo cpu-thermal >"$zone/type"
heat() { echo "$1" >"$zone/temp"; } # same length: whoever reads it gets one or the other
heat 45000
printf 'listen: 127.0.0.1:0\nexperts: [%s/models/tutti-tiny.gguf]\nkeep_decisions: false\ngovernor:\n  sensors: %s\n' "$PWD" "$sys" >"$tmp/tutti.yaml"
"$tutti" serve --config "$tmp/tutti.yaml" >"$tmp/out" 2>"$tmp/err" &
pid=$!
trap 'kill -9 $pid 2>/dev/null; rm -rf "$tmp"' EXIT
for i in $(seq 1200); do
    url=$(sed -n 's/^listening on //p' "$tmp/out")
    [ -n "$url" ] && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
done
ask() { curl -sS -i --max-time 60 -d '{"model":"auto","messages":[{"role":"user","content":"hello"}],"max_tokens":2}' "$url/v1/chat/completions"; }
# Every request makes the governor look when its last look is some seconds old.
until_metrics() { for i in $(seq 1200); do curl -sS --max-time 60 "$url/metrics" >"$tmp/metrics"; grep -q "$1" "$tmp/metrics" && return 0; ask >/dev/null; sleep 0.2; done; return 1; }
until_metrics '^tutti_temperature_celsius 45$'; rc=$?
ask >"$tmp/cool"
check "a cool machine serves fully" 0 'grep -q "^tutti_governor_step{class=\"llm\"} 0" metrics' 'grep -q "^HTTP/1.1 200" cool' '! grep -qi "^tutti-ladder" cool'
heat 86000
until_metrics '^tutti_governor_step{class="llm"} 3'; rc=$?
ask >"$tmp/hot"
check "a hot one steps down, counts it and says why" 0 'grep -q "^tutti_governor_transitions_total{class=\"all\",direction=\"down\",reason=\"heat\"} 1$" metrics' \
    'grep -q "governor: down at once to step 8 of 8: heat" err' 'grep -q "knob=\"threads\"} 0.25" metrics'
check "it goes on answering, and the answer says so" 0 'grep -q "^HTTP/1.1 200" hot' 'grep -qi "^tutti-ladder: llm 3/3: heat" hot'
curl -sS --max-time 60 "$url/v1/tutti/experts" >"$tmp/experts"; rc=$?
check "its state can be read" 0 'grep -q "\"machine\":{\"offline\":false,\"temperature_c\":86," experts' 'grep -q "\"cause\":\"heat\"" experts'
kill "$pid"; wait "$pid"; rc=$?
check "it ends as it should" 0
echo "1..$n"
