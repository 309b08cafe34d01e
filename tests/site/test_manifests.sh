#!/bin/sh
# `tutti cluster manifests`: what it says and refuses; kubectl kustomize takes it; every object is
# valid by the schemas of kubernetes-models (TUTTI_NPM: a node_modules' parent that has it; /work/npm here).
tutti=$(cd "$1" && pwd)/tutti
. tests/tap.sh
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; echo "# skipped: $2"; }
run() { "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
digest=registry.lan:5000/tutti@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

run "$tutti" cluster manifests examples/homelab/inventory.yaml
check 'without --out: wrong usage' 2 'grep -q -- "--out DIR" err'
run "$tutti" cluster manifests examples/homelab/inventory.yaml --out ''
check 'a folder without a name is none: it would be /' 2 'grep -q -- "--out DIR" err'
for bad in 'tutti image' '=x' 'llama.cpp CUDA=' 'tutti@sha256:12'; do
    run "$tutti" cluster manifests examples/homelab/inventory.yaml --out "$tmp/bad" --image "$bad"
    check "--image '$bad' is refused" 2 'test ! -e bad'
done
run "$tutti" cluster manifests examples/homelab/inventory.yaml --out "$tmp/m" --image "$digest" --image "llama.cpp CUDA=r.lan/cuda:1"
check 'images: by digest without a word, by tag with one' 0 '! grep -q "tutti@sha256.*tag" err' 'grep -q "r.lan/cuda:1: a tag" err' "grep -q '$digest' m/nodes.yaml" '! grep -rq "image: \"tutti:" m'

run "$tutti" cluster manifests examples/homelab/inventory.yaml --out "$tmp/home"
cp -r "$tmp/home" "$tmp/first"
run "$tutti" cluster manifests examples/homelab/inventory.yaml --out "$tmp/home"
check 'and again: nothing changes' 0 'diff -r home first' '! grep -q removed out'
echo 'mine: true' >"$tmp/home/network.yaml"
run "$tutti" cluster manifests examples/homelab/inventory.yaml --out "$tmp/home"
check "somebody's file in the way is left alone" 1 'grep -q "network.yaml: this file is not ours" err' 'grep -q "^mine" home/network.yaml'

printf 'engine: list\nnodes:\n  - {name: a, machine: Raspberry Pi 5 8GB, address: 10.0.0.1}\n  - {name: b, machine: Raspberry Pi 5 8GB}\nexperts:\n  - {name: chat, task: chat, model: Qwen2.5 0.5B, ctx: 2048}\n' >"$tmp/list.yaml"
run "$tutti" cluster manifests "$tmp/list.yaml" --out "$tmp/list"
check 'a list: tutti.yaml and a unit for each node' 0 'test -f list/a/tutti.yaml' 'test -f list/b/tutti.service' 'grep -q "https://10.0.0.1:8444" list/b/tutti.yaml'
if command -v systemd-analyze >/dev/null; then
    sed -i "s|/usr/bin/tutti|$tutti|" "$tmp"/list/*/tutti.service
    run systemd-analyze verify --man=no "$tmp/list/a/tutti.service"
    check 'systemd finds nothing wrong with such a unit' "$rc" '! grep tutti.service err'
else
    skip 'systemd finds nothing wrong with such a unit' 'no systemd-analyze'
fi

# ---- Kubernetes' own tools
if command -v kubectl >/dev/null; then
    for d in m m/nfd m/monitoring; do
        run kubectl kustomize "$tmp/$d"
        cp "$tmp/out" "$tmp/built.yaml"
        check "kubectl kustomize $d" 0 'grep -q ^kind: built.yaml'
        [ "$d" = m ] && cp "$tmp/out" "$tmp/all.yaml"
    done
    want=$(cat "$tmp"/m/*.yaml | grep -c '^kind: ')
    rc=0; : >"$tmp/out"; : >"$tmp/err"
    check 'every object is in it' 0 "[ \$(grep -c '^kind: ' all.yaml) -eq $((want - 1)) ]"
else
    skip 'kubectl kustomize' 'no kubectl'
fi
npm=${TUTTI_NPM:-/work/npm}
if ! command -v kubectl >/dev/null || ! [ -d "$npm/node_modules/kubernetes-models" ] || ! [ "$(node -p "process.versions.node.split('.')[0] >= 20" 2>/dev/null)" = true ]; then
    skip 'every object is valid by kubernetes-models' 'no kubectl, no node 20 or no kubernetes-models'
else
    kubectl annotate --local -f "$tmp/all.yaml" tutti.local/test=1 -o json >"$tmp/objects.json" 2>"$tmp/err"
    cat >"$tmp/check.mjs" <<EOF
import { readFileSync, readdirSync } from "fs";
const models = "$npm/node_modules/kubernetes-models/";
const text = readFileSync("$tmp/objects.json", "utf8");
const list = JSON.parse("[" + text.trim().replace(/\n}\n{/g, "\n},{") + "]");
let bad = 0;
for (const o of list) {
    const api = o.apiVersion.includes("/") ? o.apiVersion : o.apiVersion;
    try {
        const at = api.includes("/") ? (readdirSync(models).includes(api.split("/")[0]) ? api : api.replace(/^[^/]*/, api.split("/")[0].split(".")[0])) : api;
        const m = await import(models + at + "/" + o.kind + ".js");
        new m[o.kind](o).validate();
    } catch (e) { bad++; console.log(o.kind + " " + o.metadata.name + ": " + e.message); }
}
console.log(list.length + " objects, " + bad + " bad");
process.exit(bad || list.length < 20 ? 1 : 0);
EOF
    run node "$tmp/check.mjs"
    check 'every object is valid by kubernetes-models' 0 'grep -q " 0 bad" out'
    # the checker can see: a wrong field, a missing one
    sed -i -e '0,/"replicas": 1/s//"replicas": "one"/' "$tmp/objects.json"
    run node "$tmp/check.mjs"
    check 'and a wrong one is not' 1 'grep -q replicas out'
fi
echo "1..$n"
