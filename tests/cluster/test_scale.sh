#!/bin/sh
# tests/cluster/test_scale.sh BUILD - one real `tutti serve` in front of many nodes (tools/fake-nodes) over real gRPC and HTTP/2 on loopback: all are
# known, equal ones share the work, a third dies at once, hangs, refuses, comes back.  60 nodes here; SCALE_NODES=1000 (`make scale`) is the
# measured one of docs/scale.md and prints its figures as comments.  Times are bounded tenfold.  Prints TAP.
build=${1:-build}
tutti=$build/tutti nodes=${SCALE_NODES:-60}
. tests/tap.sh
export XDG_CONFIG_HOME="$tmp" XDG_STATE_HOME="$tmp" XDG_CACHE_HOME="$tmp" XDG_DATA_HOME="$tmp" no_proxy='*'
if ! [ -x "$build/tools/fake-nodes" ] || ! [ -x "$build/tools/load-gen" ] || ! command -v curl >/dev/null || ! command -v mkfifo >/dev/null; then
    echo "# skipped: no fake-nodes, load-gen or curl"; echo "ok 1 - many nodes # SKIP"; echo 1..1; exit 0
fi
files=$(ulimit -Hn)
if [ "$files" != unlimited ] && [ "$files" -lt $((2 * nodes + 200)) ]; then
    echo "# skipped: $files open files, some $((2 * nodes + 200)) are wanted"; echo "ok 1 - many nodes # SKIP"; echo 1..1; exit 0
fi
third=$((nodes * 3 / 10)) clients=64
[ "$nodes" -lt 200 ] && clients=16
[ -n "$SCALE_NODES" ] && seconds=8 || seconds=2
front='' fake='' load=''
trap 'kill -9 $front $fake $load 2>/dev/null; rm -rf "$tmp"' EXIT
mkfifo "$tmp/orders"; : >"$tmp/nodes.out"; : >"$tmp/front.out"
"$build/tools/fake-nodes" --nodes "$nodes" --tok-s 100 --slots 4 <"$tmp/orders" >"$tmp/nodes.out" 2>"$tmp/nodes.err" &
fake=$!
exec 3>"$tmp/orders"
# until_is COMMAND: at most a minute
until_is() { for i in $(seq 1200); do eval "$1" && return 0; sleep 0.05; done; return 1; }
# order WORDS: is done when this returns;  report: its line in $tmp/report
order() { seen=$(grep -c "^ok $*\$" "$tmp/nodes.out"); echo "$*" >&3; until_is "[ \$(grep -c '^ok $*\$' '$tmp/nodes.out') -gt $seen ]"; }
report() { seen=$(grep -c '^{' "$tmp/nodes.out"); echo report >&3; until_is "[ \$(grep -c '^{' '$tmp/nodes.out') -gt $seen ]"; tail -n 1 "$tmp/nodes.out" >"$tmp/report"; }
field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$tmp/report"; }
metrics() { curl -sS --max-time 60 "$url/metrics" >"$tmp/metrics" 2>"$tmp/err"; }
members() { metrics && sed -n "s/^tutti_members{state=\"$1\"} //p" "$tmp/metrics"; }
now_ms() { date +%s%3N; }
# load MORE...: closed loop, answer in $tmp/load
load() { "$build/tools/load-gen" --url "$url/v1" --model auto --rate 0 --clients $clients --max-tokens 8 --json "$@" >"$tmp/load" 2>"$tmp/err"; }
answered() { ! grep -q '"ok":0,' "$tmp/load" && grep -q '"failed":0,' "$tmp/load"; }
until_is "grep -q '^listening on' '$tmp/nodes.out'"; rc=$?
where=$(sed -n 's/^listening on //p' "$tmp/nodes.out")
cp "$tmp/nodes.out" "$tmp/out"; cp "$tmp/nodes.err" "$tmp/err"
check "$nodes nodes listen" 0
begun=$(now_ms)
"$tutti" serve --verbose --listen 127.0.0.1:0 --node-name front --node "$where" examples/cards/motion.yaml >"$tmp/front.out" 2>"$tmp/front.err" &
front=$!
until_is "grep -q '^listening on' '$tmp/front.out' || ! kill -0 $front 2>/dev/null"
url=$(sed -n 's/^listening on //p' "$tmp/front.out")
until_is '[ "$(members up)" = "$nodes" ]'; rc=$?
cp "$tmp/front.err" "$tmp/err"
check "a range of ports is a list of nodes, and all of them are known" 0
echo "# all known after $(($(now_ms) - begun)) ms (start of the front door and a look each 50 ms included)"
until_is 'curl -sS --max-time 60 "$url/v1/tutti/experts" >"$tmp/experts" 2>"$tmp/err"; [ "$(grep -o "\"node\":\"fake-" "$tmp/experts" | sort | uniq -c | awk "{print \$1}")" = "$nodes" ]'; rc=$?
check "the experts of all are candidates of auto" 0
load --requests $((nodes * 5)); rc=$?
report
check "many clients are answered, all of them" 0 'grep -q "\"failed\":0," load' 'grep -q "\"refused\":0," report'
echo "# $(sed 's/.*\("rate":[0-9.]*\).*/\1/' "$tmp/load") requests/s; of $(field alive) nodes $(field asked) were asked; most $(field most), mean $(field mean)"
# 4 slots of 100 tokens/s, 8 tokens each: 50 requests a second; when so few come that two nodes could do it all, two may
can_do=$(sed 's/.*"rate":\([0-9.]*\).*/\1/' "$tmp/load" | awk -v n="$((nodes * 5))" '{ print int($1 > 0 ? 50 * n / $1 : 0) }')
[ "$can_do" -gt $((nodes * 5 / 2)) ] || can_do=$((nodes * 5 / 2))
check "no node of equals gets more than it can do while others are idle" 0 '[ "$(sed -n "s/.*\"most\":\([0-9]*\).*/\1/p" report)" -le $can_do ]'
# a third dies while 64 clients wait for whole answers
load --seconds $seconds --no-stream & load=$!
until_is 'report; [ "$(field running)" -gt 0 ]'
begun=$(now_ms); order kill "0-$((third - 1))"
until_is '[ "$(members down)" = "$third" ]'; rc=$?
echo "# $third of $nodes are known to be dead after $(($(now_ms) - begun)) ms"
wait $load || rc=$?
load=
check "when three of ten die at once no request is lost that another can answer" 0 'grep -q "\"failed\":0," load' '! grep -q "\"ok\":0," load'
load --requests $((clients * 4)); rc=$?
check "who is dead is not asked" 0 'grep -q "\"failed\":0," load'
order back "0-$((third - 1))"; begun=$(now_ms)
until_is '[ "$(members up)" = "$nodes" ]'; rc=$?
echo "# all are used again after $(($(now_ms) - begun)) ms"
check "who returns is used again" 0
# others hang (and say so by their silence), refuse, break off
order hang "0-$((third - 1))"; order refuse "$third-$((2 * third - 1))"
until_is '[ "$(members down)" = "$third" ]'; rc=$?
check "who stands still is down by its silence" 0
load --requests $((clients * 4)) --no-stream; rc=$?
check "who refuses is passed over" 0 'grep -q "\"failed\":0," load'
order heal all
until_is '[ "$(members up)" = "$nodes" ]'; rc=$?
check "who goes on is used again" 0
metrics; rc=$?
check "/metrics stays small, whatever the number of nodes" 0 '[ "$(wc -c <metrics)" -lt 1000000 ]' 'grep -q "^tutti_route_decision_seconds_count" metrics'
cp "$tmp/front.err" "$tmp/err"
check "the log does not say a line for each of very many" 0 '[ "$(grep -c "is down" front.err)" -lt 300 ]'
if [ -n "$SCALE_NODES" ] && [ -r "/proc/$front/stat" ]; then
    ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
    a=$(ticks $front) b=$(ticks $fake); sleep 10
    echo "# idle, 10 s: front door $(( ($(ticks $front) - a) / 10 )) % of a core, nodes $(( ($(ticks $fake) - b) / 10 )) %; $(grep VmRSS /proc/$front/status | tr -s '\t ' ' ')"
    grep "^tutti_route_decision_seconds" "$tmp/metrics" | sed 's/^/# /'
    echo "# /metrics $(wc -c <"$tmp/metrics") bytes"
fi
if [ -x "$build/tools/fake-engine" ]; then
    "$build/tools/fake-engine" --model pool >"$tmp/engine.out" 2>&1 & load=$!
    until_is "grep -q '^listening on' '$tmp/engine.out'"
    rc=0 : >"$tmp/out"
    for c in vllm kserve triton; do
        sed "s|^url: http://[^/]*|url: $(sed -n 's/^listening on //p' "$tmp/engine.out")|; s|^model: .*|model: pool|" "examples/cards/$c.yaml" >"$tmp/$c.yaml"
        "$tutti" expert check "$tmp/$c.yaml" >>"$tmp/out" 2>"$tmp/err" || rc=1
    done
    kill -9 $load; load=''
    check "the cards of pools of other engines are in order" 0
fi
exec 3>&-
kill $front; wait $front; rc=$?
cp "$tmp/front.err" "$tmp/err"; tail -n 5 "$tmp/front.err" >"$tmp/out"
check "the front door ends as it should" 0
kill $fake; wait $fake; rc=$?
check "and so do the nodes" 0
echo "1..$n"
