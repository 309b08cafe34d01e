#!/bin/sh
# tools/examples.sh TUTTI DIR - everything in examples/homelab and examples/three-pis that is made from their inventories, into DIR/homelab
# and DIR/three-pis: `make homelab` writes it in place, tests/site/test_homelab.sh beside it and compares.  From the repository's root.
tutti=$1 to=$2
home=examples/homelab/inventory.yaml three=examples/three-pis/inventory.yaml
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
set -e
quiet() { "$@" >/dev/null 2>"$tmp/said" || { cat "$tmp/said" >&2; return 1; }; }
mkdir -p "$to/homelab" "$to/three-pis"

"$tutti" cluster plan $home --explain --fleet "$to/homelab/fleet.yaml" --html "$to/homelab/plan.html" >"$to/homelab/plan.txt"
"$tutti" cluster plan $home --json >"$to/homelab/plan.json"
quiet "$tutti" cluster manifests $home --out "$to/homelab/manifests"
"$tutti" cluster guide $home >"$to/homelab/guide.txt"
quiet "$tutti" cluster guide $home --html "$to/homelab/guide.html"
quiet "$tutti" cluster monitoring $home --out "$to/homelab/monitoring"
for what in topology experts cascade; do quiet "$tutti" cluster draw $home --quiet --what $what --out "$to/homelab/$what.svg"; done
for end in html dot mmd; do quiet "$tutti" cluster draw $home --quiet --out "$to/homelab/topology.$end"; done

# the same machines without Kubernetes: a tutti.yaml and a systemd unit for each
sed "s/^engine: k3s$/engine: list/; s#card: \.\./#card: $PWD/examples/#" $home >"$tmp/inventory.yaml"
quiet "$tutti" cluster manifests "$tmp/inventory.yaml" --out "$to/homelab/nodes"

"$tutti" cluster plan $three --explain >"$to/three-pis/plan.txt"
quiet "$tutti" cluster manifests $three --out "$to/three-pis/nodes"
quiet "$tutti" cluster draw $three --quiet --out "$to/three-pis/topology.svg"
