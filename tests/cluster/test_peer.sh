#!/bin/sh
# tests/cluster/test_peer.sh BUILD - three real `tutti serve` on loopback: a front door without a model of its own, two nodes with one; nodes are
# killed and stood still.  Prints TAP.
tutti=${1:-build}/tutti
. tests/tap.sh
export XDG_CONFIG_HOME="$tmp" XDG_STATE_HOME="$tmp" XDG_CACHE_HOME="$tmp" XDG_DATA_HOME="$tmp" no_proxy='*'
if ! [ -r models/tutti-tiny.gguf ] || ! command -v curl >/dev/null; then
    echo "# skipped: no curl or no bundled model"; echo "ok 1 - nodes # SKIP"; echo 1..1; exit 0
fi
trap 'kill -CONT $two 2>/dev/null; kill -9 $one $two $front 2>/dev/null; rm -rf "$tmp"' EXIT
# start NAME EXPERT MORE...: the process in $pid, where it listens for clients and nodes in $url and $node
start() {
    name=$1 expert=$2; shift 2
    : >"$tmp/$name.out"
    "$tutti" serve --verbose --listen 127.0.0.1:0 --node-listen 127.0.0.1:0 --node-name "$name" "$@" "$expert" >"$tmp/$name.out" 2>"$tmp/$name.err" &
    pid=$!
    url= node=
    for i in $(seq 1200); do
        url=$(sed -n 's/^listening on //p' "$tmp/$name.out") node=$(sed -n 's/^node .* on //p' "$tmp/$name.out")
        [ -n "$url" ] && [ -n "$node" ] && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
}
start one models/tutti-tiny.gguf; one=$pid one_node=$node
start two models/tutti-tiny.gguf; two=$pid two_node=$node
start front examples/cards/motion.yaml --node "$one_node" --node "$two_node"; front=$pid front_url=$url
[ -n "$url" ]; rc=$?
cp "$tmp/front.err" "$tmp/err"; cp "$tmp/front.out" "$tmp/out"
check "three nodes start" 0
# ask MORE...: a chat of four tokens by auto; headers and answer in $tmp/answer
ask() { curl -sS -i --max-time 120 -d '{"model":"auto","messages":[{"role":"user","content":"hello"}],"max_tokens":4}' "$@" "$front_url/v1/chat/completions" >"$tmp/answer" 2>"$tmp/err"; }
# until COMMAND...: at most a minute
until_is() { for i in $(seq 1200); do eval "$1" && return 0; sleep 0.1; done; return 1; }
candidates() { curl -sS --max-time 60 "$front_url/v1/tutti/experts" >"$tmp/experts"; }
until_is 'candidates && grep -q "\"node\":\"one\"" "$tmp/experts" && grep -q "\"node\":\"two\"" "$tmp/experts"'; rc=$?
check "experts of other nodes are candidates of auto" 0
until_is 'ask; grep -q "^HTTP/1.1 200" "$tmp/answer"'; rc=$?
check "another node answers, and the answer says which" 0 'grep -qiE "^tutti-node: (one|two)" answer' 'grep -q "\"completion_tokens\":4" answer'
curl -sS -i --max-time 120 -d '{"messages":[{"role":"user","content":"hello"}],"max_tokens":4}' "$front_url/v1/chat/completions" >"$tmp/answer" 2>"$tmp/err"; rc=$?
check "who names no model is answered by a node that has one" 0 'grep -q "^HTTP/1.1 200" answer' 'grep -qiE "^tutti-node: (one|two)" answer'
ask -H 'tutti-security-level: private'; rc=$?
check "what is private is given to no other node" 0 '! grep -q "^HTTP/1.1 200" answer'
ask -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'; rc=$?
cat "$tmp/one.err" "$tmp/two.err" >"$tmp/nodes.err"
check "a trace goes along, with a span of each hop's own" 0 'grep -q "trace 00-4bf92f3577b34da6a3ce929d0e0e4736-" nodes.err' 'grep -q "trace 00-4bf92f3577b34da6a3ce929d0e0e4736-" front.err' \
    '[ "$(cat front.err nodes.err | grep -o "4736-[0-9a-f]*" | sort -u | wc -l)" -eq 2 ]'
curl -sSN --max-time 120 -d '{"model":"auto","messages":[{"role":"user","content":"tell me a story"}],"max_tokens":200,"stream":true}' "$front_url/v1/chat/completions" >"$tmp/stream" 2>"$tmp/err"; rc=$?
check "a stream comes through" 0 'grep -q "^data: \[DONE\]" stream' '[ "$(grep -c "^data: {" stream)" -gt 20 ]'
kill -9 $one; wait $one 2>/dev/null
lost=0
for i in 1 2 3 4 5 6 7 8; do ask; grep -q "^HTTP/1.1 200" "$tmp/answer" || lost=$((lost + 1)); done
rc=$lost
check "a node that dies loses no request that another can answer" 0 'grep -qi "^tutti-node: two" answer'
kill -STOP $two
ask -H 'tutti-deadline-ms: 1000'; rc=$?
check "when the last one stands still, the deadline is kept and the error is clean" 0 'grep -qE "^HTTP/1.1 (503|504)" answer' 'grep -q "\"error\"" answer'
kill -CONT $two
until_is 'ask; grep -q "^HTTP/1.1 200" "$tmp/answer"'; rc=$?
check "a node that goes on is used again" 0 'grep -qi "^tutti-node: two" answer'
kill $front; wait $front; rc=$?
check "the front door ends as it should" 0
echo "1..$n"
