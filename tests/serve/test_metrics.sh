#!/bin/sh
# tests/serve/test_metrics.sh BUILD - GET /metrics of a running `tutti serve` on a made-up machine: what is there, in which form, and
# that scraping wakes no model.  promtool judges the form where it is installed.  Prints TAP.
tutti=${1:-build}/tutti
. tests/tap.sh
export XDG_CONFIG_HOME="$tmp" XDG_STATE_HOME="$tmp" no_proxy='*'
if ! [ -r models/tutti-tiny.gguf ] || ! command -v curl >/dev/null || ! command -v openssl >/dev/null; then
    echo "# skipped: no curl, openssl or bundled model"; echo "ok 1 - metrics # SKIP"; echo 1..1; exit 0
fi
sys=$tmp/sys
put() { mkdir -p "$sys/$(dirname "$1")"; printf '%s\n' "$2" >"$sys/$1"; }
put sys/class/thermal/thermal_zone0/type cpu-thermal
put sys/class/thermal/thermal_zone0/temp 45000
put sys/class/thermal/thermal_zone1/type gpu-thermal
put sys/class/thermal/thermal_zone1/temp 51000
put sys/class/power_supply/BAT0/type Battery
put sys/class/power_supply/BAT0/capacity 42
put sys/class/power_supply/BAT0/status Discharging
put sys/class/power_supply/BAT0/power_now 7500000
put sys/devices/platform/gpu.0/load 125
put proc/meminfo 'MemTotal: 8000000 kB
MemAvailable: 6000000 kB'
put proc/stat 'cpu  300 0 100 1000 10 0 0 0 0 0
cpu0 100 0 50 500 10 0 0 0 0 0
cpu1 200 0 50 500 0 0 0 0 0 0
intr 1'
stick=sys/bus/usb/devices/2-1 # a Coral stick in its first identity
put $stick/idVendor 1a6e; put $stick/idProduct 089a; put $stick/busnum 2; put $stick/devnum 4; put $stick/devpath 1
mkdir -p "$sys/dev/bus/usb/002"; : >"$sys/dev/bus/usb/002/004"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost -keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null
cat >"$tmp/tutti.yaml" <<EOF
listen: 127.0.0.1:0
models: $tmp
experts: [$PWD/models/tutti-tiny.gguf]
keep_decisions: false
tls: {cert: $tmp/cert.pem, key: $tmp/key.pem}
governor: {sensors: $sys}
EOF
"$tutti" serve --config "$tmp/tutti.yaml" >"$tmp/out" 2>"$tmp/err" &
pid=$!
trap 'kill -9 $pid 2>/dev/null; rm -rf "$tmp"' EXIT
for i in $(seq 1200); do
    url=$(sed -n 's/^listening on //p' "$tmp/out")
    [ -n "$url" ] && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
done
get() { curl -sSk --max-time 60 "$@"; }
for i in $(seq 1200); do get "$url/healthz" | grep -q '"ok"' && break; sleep 0.1; done
get -d '{"model":"auto","messages":[{"role":"user","content":"hello"}],"max_tokens":2}' "$url/v1/chat/completions" >"$tmp/answer"
get -D "$tmp/head" "$url/metrics" >"$tmp/metrics"; rc=$?
has() { grep -qF -- "$1" "$tmp/metrics" || { echo "missing: $1" >>"$tmp/out"; return 1; }; }
check "the machine, its sensors, its battery" 0 'has "tutti_sensor_temperature_celsius{sensor=\"cpu-thermal\"} 45"' 'has "tutti_on_battery 1"' 'has "tutti_battery_power_watts 7.5"' \
    'grep -q "^tutti_battery_ratio 0.4" metrics' 'has "tutti_memory_bytes 8.192e+09"' 'has "tutti_cpu_seconds_total{core=\"all\",mode=\"idle\"} 10"' 'has "tutti_throttled{reason=\"heat\"} 0"' \
    'grep -q "^tutti_models_disk_available_bytes [1-9]" metrics' 'grep -q "^tutti_machine_info{arch=\"" metrics' 'grep -q "^tutti_certificate_expiry_timestamp_seconds 1[0-9]\{9\}$" metrics'
check "accelerators, each by its name" 0 'has "tutti_accelerator_up{accelerator=\"jetson0\",resource=\"gpu\"} 1"' 'has "tutti_accelerator_utilization_ratio{accelerator=\"jetson0\"} 0.125"' \
    'has "tutti_accelerator_temperature_celsius{accelerator=\"jetson0\"} 51"' 'grep -q "^tutti_accelerator_up{accelerator=\"[^\"]*\",resource=\"google.com/coral\"} 1" metrics'
check "what was asked, who was chosen, what it cost" 0 'has "tutti_route_decisions_total{expert=\"tutti-tiny\",expert_node=\"local\",goal=\"balanced\"} 1"' \
    'grep -q "^tutti_time_to_first_token_seconds_count{model_name=\"auto\"} 1" metrics' 'has "tutti_ready 1"'
# every sample belongs to a family with HELP and TYPE, families are in one piece, no sample comes twice, counters are called _total
cat >"$tmp/judge.awk" <<'EOF'
/^# HELP / { if (help[$3]++) bad("twice HELP", $3); next }
/^# TYPE / { if (type[$3]) bad("twice TYPE", $3); type[$3] = $4; now = $3; if ($4 == "counter" && $3 !~ /_total$/) bad("counter without _total", $3); next }
{
    series = $0; sub(/ [^ ]*$/, "", series); if (seen[series]++) bad("twice", series)
    name = series; sub(/\{.*/, "", name); family = name
    if (type[now] == "histogram") sub(/_(bucket|sum|count)$/, "", family)
    if (family != now || !help[family]) bad("not in its family", name)
    if ($NF !~ /^([-+]?[0-9.]+(e[-+]?[0-9]+)?|NaN|[-+]?Inf)$/) bad("no number", $0)
}
function bad(why, what) { print why ": " what; wrong = 1 }
END { exit wrong }
EOF
awk -f "$tmp/judge.awk" "$tmp/metrics" >>"$tmp/out"; rc=$?
check "every sample has its family, help and type" 0 'grep -qi "^content-type: text/plain; version=0.0.4; charset=utf-8" head'
if command -v promtool >/dev/null; then
    promtool check metrics <"$tmp/metrics" >>"$tmp/out" 2>&1; rc=$?
    check "promtool finds nothing wrong" 0
else
    ok "promtool finds nothing wrong # SKIP not installed"
fi
rm -r "$sys/$stick" "$sys/dev/bus/usb/002"
for i in $(seq 1200); do get "$url/metrics" >"$tmp/metrics"; grep -q '^tutti_accelerator_up{[^}]*google.com/coral"} 0' "$tmp/metrics" && break; sleep 0.1; done
rc=0
check "a stick that was pulled out is still listed, as gone" 0 'grep -q "^tutti_accelerator_up{[^}]*google.com/coral\"} 0" metrics'
kill "$pid"; wait "$pid"; rc=$?
check "it ends as it should" 0
echo "1..$n"
