#!/bin/sh
# tests/cluster/test_nodes.sh BUILD - two `tutti serve` as nodes on loopback, seen by `tutti cluster status`, a client of @grpc/grpc-js and `tutti node fetch`.
# The gRPC part needs node and the packages of tests/serve/grpc (TUTTI_GRPC_CLIENT).
tutti=$1/tutti
. tests/tap.sh
export XDG_CONFIG_HOME="$tmp" XDG_STATE_HOME="$tmp" XDG_CACHE_HOME="$tmp/cache" XDG_DATA_HOME="$tmp" no_proxy='*'
unset TUTTI_MODELS
: >"$tmp/out"; : >"$tmp/err"
if [ ! -r models/tutti-tiny.gguf ]; then
    echo "1..0 # SKIP no models/tutti-tiny.gguf"
    exit 0
fi
trap 'kill $pids 2>/dev/null; rm -rf "$tmp"' EXIT
start() { # NAME OPTIONS...: its ports in $url and $node
    name=$1; shift
    : >"$tmp/$name.out"
    "$tutti" serve --listen 127.0.0.1:0 --node-name "$name" --node-listen 127.0.0.1:0 "$@" models/tutti-tiny.gguf >"$tmp/$name.out" 2>"$tmp/$name.err" &
    pid=$!
    pids="$pids $pid"
    for _ in $(seq 1200); do
        url=$(sed -n 's/^listening on //p' "$tmp/$name.out") node=$(sed -n "s/^node $name on //p" "$tmp/$name.out")
        [ -n "$url" ] && [ -n "$node" ] && return 0
        sleep 0.05
    done
    return 1
}
mkdir -p "$tmp/share" "$tmp/models"
dd if=/dev/urandom of="$tmp/share/big.gguf" bs=65536 count=480 2>/dev/null
printf 'cluster:\n  share: %s\n' "$tmp/share" >"$tmp/a.yaml"
start a --config "$tmp/a.yaml" || { cat "$tmp/a.err"; }
a=$url a_node=$node a_pid=$pid
start b --node "$a_node" || { cat "$tmp/b.err"; }
b=$url
wait_for() { # PATTERN: until b's view has it
    for _ in $(seq 1200); do
        "$tutti" cluster status --url "$b" >"$tmp/out" 2>"$tmp/err"; rc=$?
        grep -q "$1" "$tmp/out" && return
        sleep 0.1
    done
}
wait_for '^a  *up'
check "a node's table has itself and the others" 0 'grep -q "^a  *up" out' 'grep -q "^b \* *up" out' '[ ! -s err ]'
"$tutti" cluster status --node "$a_node" --json >"$tmp/out" 2>"$tmp/err"; rc=$?
check "without a service it looks for itself" 0 'grep -q "\"name\":\"a\",\"url\":\"http://127.0.0.1:[0-9]*\",\"state\":\"up\"" out' 'grep -q "\"id\":\"tutti-tiny\"" out' 'grep -q "\"models\":\[{\"name\":\"big.gguf\",\"bytes\":31457280}\]" out'
"$tutti" cluster status --url http://127.0.0.1:1 >"$tmp/out" 2>"$tmp/err"; rc=$?
check "nobody there is one line" 1 'grep -q "^tutti: http://127.0.0.1:1: " err' '[ $(wc -l <err) -eq 1 ]'
"$tutti" cluster status --node dns://name.invalid:8444 >"$tmp/out" 2>"$tmp/err"; rc=$?
check "a name behind which nobody is found: no" 1 'grep -q "^nobody was found there$" out'
"$tutti" node fetch big.gguf --from "$a_node" --models "$tmp/models" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "a model comes from a neighbour" 0 'cmp -s share/big.gguf models/big.gguf' 'grep -q "big.gguf: 31.5 MB from" out'
"$tutti" node fetch big.gguf --from "$a_node" --models "$tmp/models" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "once" 0 'grep -q "is here already" out'
"$tutti" node fetch ../a.yaml --from "$a_node" --models "$tmp/models" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "a path is no name" 1 'grep -q "no name of a model file" err' '[ $(wc -l <err) -eq 1 ]'
"$tutti" node fetch none.gguf --from "$a_node" --models "$tmp/models" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "what is not shared is one line" 1 'grep -q "shares no model file" err' '[ $(wc -l <err) -eq 1 ]'
"$tutti" serve --listen 127.0.0.1:0 --node-listen 0.0.0.0:0 models/tutti-tiny.gguf >"$tmp/out" 2>"$tmp/err"; rc=$?
check "beyond loopback without certificates is one line" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -qi "loopback" err'
"$tutti" serve --listen 127.0.0.1:0 --node-name 'A B' --node-listen 127.0.0.1:0 models/tutti-tiny.gguf >"$tmp/out" 2>"$tmp/err"; rc=$?
check "a name that is none is one line" 1 'grep -q "A B" err' '[ $(wc -l <err) -eq 1 ]'

if [ -z "$TUTTI_GRPC_CLIENT" ] || ! command -v node >/dev/null; then
    echo "# skipped: no @grpc/grpc-js (npm ci --prefix DIR with tests/serve/grpc's files, then TUTTI_GRPC_CLIENT=DIR)"
    n=$((n + 1)); echo "ok $n - a client of grpc-js # SKIP"
else
    { cat proto/node.proto; printf 'service Node {\n rpc Describe(DescribeRequest) returns (Description);\n rpc Watch(WatchRequest) returns (stream State);\n rpc Fetch(FetchRequest) returns (stream FetchPiece);\n}\n'; } >"$tmp/node.proto"
    cp tests/cluster/node_client.mjs "$TUTTI_GRPC_CLIENT/node_client.mjs"
    node "$TUTTI_GRPC_CLIENT/node_client.mjs" "${a_node#http://}" "$tmp/node.proto" "$tmp/share/big.gguf" "$a" >"$tmp/out" 2>"$tmp/err"; rc=$?
    check "Describe, Watch and Fetch with a client of grpc-js" 0 'grep -q "^described a tutti-tiny" out' 'grep -q "^watched 3 " out' 'grep -q "^resumed same" out' 'grep -q "^paused held" out' 'grep -q "^refused 9" out'
fi
kill -TERM "$a_pid"
wait_for '^a  *down'
check "who went is down, and why is said; the exit status is no" 1 'grep -q "^a: " out'
echo "1..$n"
