#!/bin/sh
# tests/site/test_rebalance.sh BUILD - `tutti cluster rebalance` against a running node: what it proposes, what --apply writes, what it refuses.
tutti=$(cd "$1" && pwd)/tutti
. tests/tap.sh
export XDG_CONFIG_HOME="$tmp" XDG_STATE_HOME="$tmp" XDG_CACHE_HOME="$tmp" XDG_DATA_HOME="$tmp" no_proxy='*'
unset TUTTI_MODELS
if [ ! -r models/tutti-tiny.gguf ]; then
    echo "1..0 # SKIP no models/tutti-tiny.gguf"
    exit 0
fi
trap 'kill $pid 2>/dev/null; rm -rf "$tmp"' EXIT
: >"$tmp/a.out"
"$tutti" serve --listen 127.0.0.1:0 --node-name a --node-listen 127.0.0.1:0 models/tutti-tiny.gguf >"$tmp/a.out" 2>"$tmp/a.err" &
pid=$!
for _ in $(seq 1200); do
    url=$(sed -n 's/^listening on //p' "$tmp/a.out")
    [ -n "$url" ] && break
    sleep 0.05
done
run() { "$tutti" cluster rebalance "$@" --url "$url" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
head='name: h\nengine: list\nnodes:\n  - {name: a, machine: Raspberry Pi 5 8GB, address: 10.0.0.1}\n  - {name: b, machine: Raspberry Pi 5 8GB, address: 10.0.0.2}\n'
tiny='experts:\n  - {name: tutti-tiny, task: chat, model: Qwen2.5 0.5B, quants: [Q8_0], ctx: 2048}\n'
printf "$head$tiny" >"$tmp/same.yaml"
run "$tmp/same.yaml"
check "what runs as it should stays" 0 'grep -q "^1 replicas run on 1 of 2 nodes" out' 'grep -q "^nothing to change" out' '[ ! -s err ]'
printf "$head$tiny  - {name: chat, task: chat, model: Qwen2.5 1.5B, quants: [Q8_0], ctx: 2048}\n" >"$tmp/more.yaml"
run "$tmp/more.yaml"
check "what is missing is needed, with its cost; the status is no" 1 'grep -q "^add  *chat  *-  *a  *Q8_0  *needed  *1.6.* GB  *download" out'
run "$tmp/more.yaml" --json
check "--json" 1 'grep -q "\"change\":\"add\",\"expert\":\"chat\",\"from\":null,\"to\":\"a\"" out' '[ $(wc -l <out) -eq 1 ]'
mkdir "$tmp/etc"; echo mine >"$tmp/etc/tutti.yaml"
run "$tmp/more.yaml" --apply --dir "$tmp/etc"
check "--apply writes this node's files, keeps the old, says what is left to do" 0 'grep -q "name: chat" etc/tutti.yaml' 'grep -q "name: tutti-tiny" etc/tutti.yaml' 'grep -q mine etc/tutti.yaml.old' 'grep -q "get Qwen2.5-1.5B-Q8_0.gguf" out' 'grep -q "systemctl restart tutti" out' '! grep -q "^on b" out'
run "$tmp/more.yaml" --apply --dir "$tmp/none"
check "a folder that is not there is one line" 1 '[ $(wc -l <err) -eq 1 ]'
run examples/homelab/inventory.yaml --apply
check "with Kubernetes it says where the answer is" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "cluster manifests" err'
run examples/homelab/inventory.yaml
check "no node of the inventory is one line" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "no node of homelab answers" err'
run "$tmp/more.yaml" --threshold -3
check "wrong usage" 2 '[ $(wc -l <err) -eq 1 ]'
echo "1..$n"
