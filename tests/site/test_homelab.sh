#!/bin/sh
# tests/site/test_homelab.sh BUILD - examples/homelab and examples/three-pis are what their inventories give, byte for byte, and their files agree:
# what one of them names (secrets, pods, ports, folders, nodes, experts) is there in the others.
# plain build only: kept examples against the program that made them; what it calls is in tests/site.
tutti=$1/tutti
. tests/tap.sh
home=$PWD/examples/homelab
: >"$tmp/out"
tools/examples.sh "$tutti" "$tmp/now" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "every file can be made" 0 '[ ! -s out ]' '[ ! -s err ]'
for example in homelab three-pis; do
    # a folder's hand-written files are in examples/ alone
    diff -r "examples/$example" "$tmp/now/$example" 2>&1 | grep -v -x -E "Only in examples/$example: (inventory.yaml|README.md|door.yaml)" >"$tmp/out"
    : >"$tmp/err"; rc=0
    check "examples/$example is what its inventory gives (else: make homelab)" 0 '[ ! -s out ]'
done
check "docs/img/homelab.svg is the example's picture" 0 "cmp now/homelab/topology.svg '$PWD/docs/img/homelab.svg'"

cd "$home" || exit 1
: >"$tmp/out"; : >"$tmp/err"
m=manifests
all() { # NAME LINES COMMAND: each line must satisfy the command (its word is $x)
    name=$1
    [ -n "$2" ] || { echo "$name: nothing to look at" >"$tmp/out"; not_ok "$name"; return; }
    for x in $2; do eval "$3" >/dev/null 2>&1 || { echo "$x" >"$tmp/out"; not_ok "$name"; return; }; done
    ok "$name"
}
nodes=$(sed -n 's/^  - name: \([a-z0-9-]*\) *#*.*/\1/p' inventory.yaml | sed -n '1,/laptop/p')
experts=$(sed -n '/^experts:/,/^edges:/s/^  - name: //p' inventory.yaml)
all "each secret that a pod wants is made by a step of the guide" "$(grep -rhoE 'secretName: [a-z-]+|credentials: \{name: [a-z-]+' $m | sed 's/.*: *//' | sort -u)" 'grep -q -- "-n tutti create secret generic $x --from-literal" guide.txt'
all "and has the entries that it is read by" "$(grep -rhoE '\{key: [a-z]+, path|credentials: \{name: tutti-keys, key: [a-z]+' $m | sed 's/, path//; s/.*: *//' | sort -u)" 'grep -q -- "--from-literal=$x=" guide.txt'
all "pods that the guide speaks to are there" "$(grep -oE 'exec [a-z-]+-0 ' guide.txt | sed 's/^exec //; s/-0 $//' | sort -u)" 'grep -A1 "^kind: StatefulSet" -r '$m' -h >/dev/null; grep -q "^  name: $x\$" '$m'/authority.yaml'
all "the guide makes the folder that models are read from" "$(grep -rhoE 'local: \{path: [^}]+' $m nodes | sed 's/.*: //' | sort -u) $(sed -n 's/^models: //p' nodes/*/tutti.yaml | sort -u)" 'grep -q "mkdir -p $x\$" guide.txt'
all "services that pods ask for are there" "$(grep -rhoE '[a-z-]+\.tutti\.svc' $m | sed 's/\..*//' | sort -u)" 'grep -q "^  name: $x\$" '$m'/services.yaml'
api=$(sed -n 's/.*name: api, containerPort: \([0-9]*\).*/\1/p' $m/nodes.yaml)
all "every node is scraped where it listens" "$nodes" 'grep -q "^listen: 0.0.0.0:'"$api"'\$" nodes/$x/tutti.yaml && grep -B1 "node: $x," monitoring/prometheus.yml | grep -q ":'"$api"'"'
all "Prometheus may reach the pods' port, from the namespace that the guide puts it in" "$api" 'grep -A12 "name: prometheus" '$m'/monitoring/podmonitor.yaml | grep -q "port: $x" && grep -q "kubernetes.io/metadata.name: monitoring" '$m'/monitoring/podmonitor.yaml && grep -q -- "--namespace monitoring" guide.txt'
all "the monitor finds pods by a label and a port that they have" "api" 'grep -q "selector: {matchLabels: {app.kubernetes.io/name: tutti}}" '$m'/monitoring/podmonitor.yaml && grep -q "port: $x\$" '$m'/monitoring/podmonitor.yaml && [ $(grep -c "name: api, containerPort" '$m'/experts.yaml) -eq $(grep -c "^kind: Deployment" '$m'/experts.yaml) ]'
all "dashboards ask for nodes by the label that both scrapes give" "node" 'grep -q "targetLabel: $x" '$m'/monitoring/podmonitor.yaml && grep -q "labels: {$x:" monitoring/prometheus.yml && grep -rq "$x=~" monitoring/grafana'
all "pods are bound to nodes of the inventory" "$(grep -rhoE 'kubernetes.io/hostname: [a-z0-9-]+' $m monitoring | sed 's/.*: //' | sort -u)" 'grep -q "name: $x " inventory.yaml || grep -q "name: $x\$" inventory.yaml'
all "every expert is in the plan, the fleet, a pod, a node's list and the picture" "$experts" 'grep -q "^  $x " plan.txt && grep -q "name: $x," fleet.yaml && grep -q "name: $x\$" '$m'/experts.yaml && grep -q "name: $x\$" nodes/*/tutti.yaml && grep -q "$x" experts.svg'
echo "1..$n"
