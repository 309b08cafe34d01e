#!/bin/sh
# tests/site/test_monitoring.sh BUILD - what `tutti cluster monitoring` writes: up to date where it is kept, the same each time, and every
# query of every dashboard and alert is answered by two real nodes, asked by a real Prometheus where one is installed.  Prints TAP.
# plain build only: the time is Prometheus's and Python's; the nodes that it asks run under sanitizers in tests/cluster and tests/serve.
tutti=${1:-build}/tutti
case $tutti in /*) ;; *) tutti=$PWD/$tutti ;; esac
. tests/tap.sh
here=tests/site/monitoring
: >"$tmp/out"; : >"$tmp/err"
skip() { ok "$1 # SKIP $2"; }

# ---- kept files ----
"$tutti" cluster monitoring examples/homelab/inventory.yaml --out "$tmp/homelab" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "the homelab's files are written" 0 '[ ! -s err ]'
"$tutti" cluster monitoring --out "$tmp/any" >"$tmp/out" 2>"$tmp/err"; rc=$?
[ $rc -eq 0 ] && { diff -r deploy/monitoring "$tmp/any" >>"$tmp/out" || echo "make it again: tutti cluster monitoring --out deploy/monitoring" >>"$tmp/err"; }
check "deploy/monitoring is what every cluster has" 0 '[ ! -s out ]' '[ ! -s err ]'
"$tutti" cluster monitoring examples/homelab/inventory.yaml --out /dev/null/x >"$tmp/out" 2>"$tmp/err"; rc=$?
check "a folder that cannot be made is one line" 1 '[ "$(wc -l <err)" -eq 1 ]' 'grep -q "^tutti: /dev/null/x" err'
"$tutti" cluster monitoring examples/homelab/inventory.yaml >"$tmp/out" 2>"$tmp/err"; rc=$?
check "no folder is wrong usage" 2
"$tutti" cluster monitoring --out '' >"$tmp/out" 2>"$tmp/err"; rc=$?
check "a folder without a name is none: it would be /" 2
mkdir -p "$tmp/mine" && echo 'groups: [] # mine' >"$tmp/mine/rules.yaml"
"$tutti" cluster monitoring --out "$tmp/mine" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "somebody's file in the way is left alone, and nothing is written" 1 'grep -q "mine/rules.yaml: this file is not ours" err' 'grep -q mine mine/rules.yaml' '[ "$(ls mine)" = rules.yaml ]'

# ---- promtool ----
h=$tmp/homelab
if command -v promtool >/dev/null; then
    promtool check rules "$h/rules.yaml" >"$tmp/out" 2>"$tmp/err"; rc=$?
    check "promtool takes the rules" 0 'grep -q "SUCCESS" out'
    echo key >"$h/tutti.key"
    (cd "$h" && promtool check config prometheus.yml) >"$tmp/out" 2>"$tmp/err"; rc=$?
    check "promtool takes prometheus.yml" 0
else
    skip "promtool" "promtool is not installed (Debian: prometheus)"
fi
if ! command -v python3 >/dev/null; then
    echo "# skipped: no python3"; skip "dashboards" "no python3"; echo "1..$n"; exit 0
fi
if command -v promtool >/dev/null; then
    python3 $here/make_alerts.py "$h/rules.yaml" "$h/alerts.yaml" >"$tmp/out" 2>"$tmp/err"; rc=$?
    check "every alert has its case" 0
    (cd "$h" && promtool test rules alerts.yaml) >"$tmp/out" 2>"$tmp/err"; rc=$?
    check "every alert fires when it should and not when it should not" 0
fi
# the operator's object holds the same groups, two columns further in
sed -n '/^groups:/,$p' "$h/rules.yaml" | sed 1d | sed 's/^/  /' >"$tmp/plain"
sed -n '/^  groups:/,$p' "$h/prometheus-rule.yaml" | sed 1d >"$tmp/object"
diff "$tmp/plain" "$tmp/object" >"$tmp/out"; rc=$?
check "the PrometheusRule has the same alerts" 0
python3 $here/judge.py structure "$h"/grafana/dashboards/*.json >"$tmp/out" 2>"$tmp/err"; rc=$?
check "dashboards have the form that Grafana wants" 0

# ---- two real nodes ----
if ! [ -r models/tutti-tiny.gguf ] || ! command -v curl >/dev/null; then
    echo "# skipped: no curl or no bundled model"; skip "real nodes" "no curl or no bundled model"; echo "1..$n"; exit 0
fi
export XDG_CONFIG_HOME="$tmp" no_proxy='*'
pids=
trap 'kill -9 $pids 2>/dev/null; rm -rf "$tmp"' EXIT
put() { mkdir -p "$(dirname "$sys/$1")"; printf '%s\n' "$2" >"$sys/$1"; }
machine() { # NAME: a made-up machine
    sys=$tmp/$1
    put proc/meminfo 'MemTotal: 16000000 kB
MemAvailable: 9000000 kB'
    put proc/stat 'cpu  300 0 100 1000 10 0 0 0 0 0
cpu0 100 0 50 500 10 0 0 0 0 0
cpu1 200 0 50 500 0 0 0 0 0 0'
    for p in memory cpu; do put proc/pressure/$p 'some avg10=1.00 avg60=0.00 avg300=0.00 total=0'; done
}
machine beelink
put proc/cpuinfo 'processor	: 0
vendor_id	: GenuineIntel
flags		: lm sse2'
put sys/class/thermal/thermal_zone0/type x86_pkg_temp
put sys/class/thermal/thermal_zone0/temp 45000
put sys/class/thermal/thermal_zone0/trip_point_0_type passive
put sys/class/thermal/thermal_zone0/trip_point_0_temp 95000
put sys/class/powercap/intel-rapl:0/name package-0
put sys/class/powercap/intel-rapl:0/energy_uj 1000000
put sys/class/powercap/intel-rapl:0/max_energy_range_uj 262143328850
gpu=sys/class/hwmon/hwmon0
put $gpu/name amdgpu; put $gpu/temp1_input 50000; put $gpu/temp1_crit 100000; put $gpu/power1_average 20000000; put $gpu/power1_cap 100000000
put $gpu/device/gpu_busy_percent 30; put $gpu/device/mem_info_vram_total 8000000000; put $gpu/device/mem_info_vram_used 1000000000
machine pi5
put proc/cpuinfo 'processor	: 0
CPU implementer	: 0x41
CPU architecture: 8
CPU part	: 0xd0b'
put proc/device-tree/model 'Raspberry Pi 5 Model B Rev 1.0'
put sys/class/thermal/thermal_zone0/type cpu-thermal
put sys/class/thermal/thermal_zone0/temp 55000
put sys/class/power_supply/BAT0/type Battery; put sys/class/power_supply/BAT0/capacity 42; put sys/class/power_supply/BAT0/status Discharging; put sys/class/power_supply/BAT0/power_now 7500000
stick=sys/bus/usb/devices/2-1
put $stick/idVendor 1a6e; put $stick/idProduct 089a; put $stick/busnum 2; put $stick/devnum 4; put $stick/devpath 1
mkdir -p "$sys/dev/bus/usb/002"; : >"$sys/dev/bus/usb/002/004"
printf 'name: brain\ntask: chat\nkind: llm\nmodel: %s/models/tutti-tiny.gguf\n' "$PWD" >"$tmp/brain.yaml"
command -v openssl >/dev/null && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost -keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null
serve() { # NAME MORE: on any port; its address in $url
    mkdir -p "$tmp/state-$1"
    printf 'listen: 127.0.0.1:0\nmodels: %s\nexperts: [%s/brain.yaml, %s/models/tutti-tiny.gguf]\ngovernor: {sensors: %s/%s}\n%s\n' "$PWD/models" "$tmp" "$PWD" "$tmp" "$1" "$2" >"$tmp/$1.yaml"
    : >"$tmp/$1.out"
    XDG_STATE_HOME="$tmp/state-$1" "$tutti" serve --config "$tmp/$1.yaml" >"$tmp/$1.out" 2>"$tmp/$1.err" &
    pid=$!
    pids="$pids $pid"
    for i in $(seq 1200); do
        url=$(sed -n 's/^listening on //p' "$tmp/$1.out"); node=$(sed -n 's/^node [^ ]* on //p' "$tmp/$1.out")
        [ -n "$url" ] && [ -n "$node" ] && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
}
get() { curl -sSk --max-time 60 "$@"; }
ask() { for model in auto auto:fast tutti-tiny; do get -d '{"model":"'$model'","messages":[{"role":"user","content":"hello"}],"max_tokens":4}' "$1/v1/chat/completions" >>"$tmp/answers"; done; }
serve beelink 'cluster: {name: beelink, listen: "127.0.0.1:0"}'; a=$url
tls=; [ -s "$tmp/cert.pem" ] && tls="tls: {cert: $tmp/cert.pem, key: $tmp/key.pem}"
serve pi5 "$tls
cluster: {name: pi5, listen: \"127.0.0.1:0\", nodes: [\"$node\"]}"; b=$url
if [ -z "$a" ] || [ -z "$b" ]; then
    cat "$tmp"/*.err >"$tmp/err"; : >"$tmp/out"
    not_ok "two nodes start"; echo "1..$n"; exit 1
fi
for u in "$a" "$b"; do for i in $(seq 1200); do get "$u/healthz" | grep -q '"ok"' && break; sleep 0.1; done; ask "$u"; done
# a rate of watts takes two looks: until the meter of beelink has said something
for i in $(seq 1200); do
    get "$a/metrics" >"$tmp/metrics-a"; grep -q '^tutti_power_watts' "$tmp/metrics-a" && break
    ask "$a"; sleep 0.1
done
for i in $(seq 1200); do get "$b/metrics" >"$tmp/metrics-b"; grep -q '^tutti_member_age_seconds{member="beelink"}' "$tmp/metrics-b" && grep -q '^tutti_member_rtt_seconds{' "$tmp/metrics-b" && break; sleep 0.1; done
cat "$tmp/metrics-a" "$tmp/metrics-b" >"$tmp/metrics"
python3 $here/judge.py names "$tmp/metrics" $here/node_exporter.txt "$h/rules.yaml" "$h"/grafana/dashboards/*.json >"$tmp/out" 2>"$tmp/err"; rc=$?
[ -n "$tls" ] || { grep -v certificate "$tmp/out" >"$tmp/rest"; mv "$tmp/rest" "$tmp/out"; [ -s "$tmp/out" ] || rc=0; }
check "every name and label in dashboards and alerts is on the nodes' /metrics" 0

# ---- a real Prometheus ----
if [ -n "$TEST_QUICK" ]; then
    skip "queries" "takes 20 s; not with TEST_QUICK"; echo "1..$n"; exit 0
fi
if ! command -v prometheus >/dev/null; then
    skip "queries" "Prometheus is not installed (Debian: prometheus)"; echo "1..$n"; exit 0
fi
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
exporter=
p=$tmp/prometheus; mkdir -p "$p"
if command -v prometheus-node-exporter >/dev/null; then
    exporter=127.0.0.1:$(free_port)
    prometheus-node-exporter --web.listen-address="$exporter" >"$tmp/exporter.log" 2>&1 &
    pids="$pids $!"
fi
# the inventory's file with the addresses and the port of this test
cp "$h/rules.yaml" "$p/"
{
    printf 'global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yaml]\nscrape_configs:\n'
    for x in "beelink $a" "pi5 $b"; do
        set -- $x
        printf '  - {job_name: tutti-%s, scheme: %s, tls_config: {insecure_skip_verify: true}, static_configs: [{targets: ["%s"], labels: {node: %s, role: worker}}]}\n' "$1" "${2%%:*}" "${2#*://}" "$1"
    done
    [ -z "$exporter" ] || printf '  - {job_name: node, static_configs: [{targets: ["%s"], labels: {node: beelink, role: head}}]}\n' "$exporter"
} >"$p/prometheus.yml"
for try in 1 2 3; do # somebody else may have taken the port since
    port=$(free_port)
    prometheus --config.file="$p/prometheus.yml" --storage.tsdb.path="$p/data" --web.listen-address="127.0.0.1:$port" >"$tmp/prometheus.log" 2>&1 &
    pid=$!
    pids="$pids $pid"
    for i in $(seq 1200); do get "http://127.0.0.1:$port/-/ready" >"$tmp/ready" 2>/dev/null; grep -qi ready "$tmp/ready" && break 2; kill -0 $pid 2>/dev/null || break; sleep 0.1; done
done
query() { get -G --data-urlencode "query=$1" "http://127.0.0.1:$port/api/v1/query" 2>/dev/null; }
# it has seen each node often enough for a rate, and one answer between two looks
for i in $(seq 1200); do
    query 'count(count_over_time(tutti_requests[5m]) > 4)' >"$tmp/answer"
    grep -q '"2"\]' "$tmp/answer" && query 'count(rate(tutti_generation_tokens_total{model_name="tutti-tiny"}[5m]) > 0) == 2' | grep -q '"2"\]' && break
    ask "$a"; ask "$b"; sleep 0.5
done
query up >"$tmp/up"
python3 $here/judge.py live "http://127.0.0.1:$port" "$h/rules.yaml" "$h"/grafana/dashboards/*.json >"$tmp/out" 2>"$tmp/err"; rc=$?
check "every query is answered by a real Prometheus" 0
sed -n 's/^/# /p' "$tmp/out" | tail -n 1
get "http://127.0.0.1:$port/api/v1/rules" >"$tmp/out"; rc=$?
check "it evaluates every alert without error" 0 'grep -q "TuttiFirstWordLate" out' '! grep -q "\"health\":\"err\"" out'
echo "1..$n"
