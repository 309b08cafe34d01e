#!/bin/sh
# tests/site/test_plan.sh BUILD - `tutti cluster plan`: the seeds' cluster, its rehearsal, what does not fit, hostile files.
tutti=$1/tutti
case $tutti in /*) ;; *) tutti=$PWD/$tutti ;; esac
. tests/tap.sh
export HOME="$tmp" XDG_CONFIG_HOME="$tmp"
home=$PWD/examples/homelab/inventory.yaml
run() { "$tutti" "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

run cluster plan "$home" --explain --fleet "$tmp/fleet.yaml"
check "all of the seeds' experts have a place" 0 '[ ! -s err ]' 'grep -q "proven to be the best" out' 'grep -q "the only node with google.com/coral" out' '[ -s fleet.yaml ]'
cp "$tmp/out" "$tmp/first"
run cluster plan "$home" --html "$tmp/plan.html"
check "as a page, too" 0 '[ ! -s err ]' 'grep -q "</html>" plan.html' 'grep -q "14.6 of 26.4 GB" plan.html' 'grep -q "the only node with google.com/coral" plan.html' '! grep -E -q "<script|src=|href=.http" plan.html'
run cluster plan "$home" --explain
check "the same again" 0 'cmp -s out first'
run route simulate "$tmp/fleet.yaml" --requests 300 --compare tutti
check "the plan can be rehearsed" 0 'grep -q "detector@pi5" out'
printf 'nodes:\n  - {name: a, machine: Raspberry Pi 4 4GB}\nexperts:\n  - {name: x, task: chat, model: Qwen2.5 14B}\n' >"$tmp/small.yaml"
run cluster plan "$tmp/small.yaml"
check "what does not fit is status 1 and says what would hold it" 1 '[ ! -s err ]' 'grep -q "not placed: x" out' 'tr "\n" " " <out | grep -q "would hold it"'
run cluster plan "$tmp/none.yaml"
check "a file that is not there is one line" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q none.yaml err'
awk 'BEGIN { print "nodes:"; for (i = 0; i < 60000; i++) printf "  - {name: n%d, count: 10000, machine: Raspberry Pi 5 8GB}\n", i }' >"$tmp/huge.yaml"
run cluster plan "$tmp/huge.yaml"
check "a hostile file is one line" 1 '[ ! -s out ]' '[ $(wc -l <err) -eq 1 ]' 'grep -q "at most 10000" err'
awk 'BEGIN { for (i = 0; i < 5000000; i++) printf "[" }' >"$tmp/deep.yaml"
run cluster plan "$tmp/deep.yaml"
check "one of brackets too" 1 '[ ! -s out ]' '[ $(wc -l <err) -eq 1 ]'
run cluster plan
check "wrong usage" 2 '[ $(wc -l <err) -eq 1 ]'
echo "1..$n"
