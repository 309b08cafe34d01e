#!/bin/sh
# tests/site/test_guide.sh BUILD - `tutti cluster guide`: text, page, JSON, one node.
tutti=$1/tutti
. tests/tap.sh
home=examples/homelab
guide() { "$tutti" cluster guide "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

guide $home/inventory.yaml --html "$tmp/guide.html"
check "--html writes a page and nothing else" 0 '[ ! -s out ]' '[ ! -s err ]' 'grep -q "</html>" guide.html' '! grep -E -q "src=|href=.http|@import|url\(" guide.html'
guide $home/inventory.yaml --json
check "--json is one line of JSON" 0 '[ $(wc -l <out) -eq 1 ]' 'head -c 20 out | grep -q "{\"name\":\"homelab\""' '! command -v python3 >/dev/null || python3 -m json.tool <out >/dev/null'
guide $home/inventory.yaml --node pi4
check "--node leaves the others out" 0 'grep -q "03e7" out' '! grep -q "JetPack 6.2 is" out' '! grep -q "Who starts the programs" out'
guide $home/inventory.yaml --node toaster
check "an unknown node is refused" 1 '[ "$(wc -l <err)" -eq 1 ]' 'grep -q "toaster" err'
printf 'engine: list\nnetwork: {subnet: 10.1.0.0/24, gateway: 10.1.0.1}\nnodes:\n  - {name: big, machine: "ryzen 9950x", memory: 64 GB, address: 10.1.0.5, head: true}\n  - {name: pi, machine: Raspberry Pi 5 8GB, address: 10.1.0.6}\n' >"$tmp/list.yaml"
guide "$tmp/list.yaml" --node pi
check "a list's guide copies what cluster manifests writes" 0 'grep -q "cluster manifests .*list.yaml --out nodes" out' 'grep -q "pi/tutti.service /etc/systemd/system/tutti.service" out' 'grep -q "xargs -r -n 1 tutti node fetch" out'
"$tutti" cluster manifests "$tmp/list.yaml" --out "$tmp/nodes" >"$tmp/out" 2>"$tmp/err"; rc=$?
sed -i '/^models:/d; /^keys:/d; s/^listen:.*/listen: 127.0.0.1:0/' "$tmp/nodes/pi/tutti.yaml" # what is not here
"$tutti" config check "$tmp/nodes/pi/tutti.yaml" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "which tutti reads" 0 'grep -q "name: pi" nodes/pi/tutti.yaml' 'grep -q "https://10.1.0.5:8444" nodes/pi/tutti.yaml'
guide "$tmp/none.yaml"
check "an inventory that is not there is refused" 1 '[ "$(wc -l <err)" -eq 1 ]'
guide
check "no inventory is wrong usage" 2 '[ "$(wc -l <err)" -eq 1 ]'
echo "1..$n"
