#!/bin/sh
# tests/cmd/test_doctor.sh BUILD - `tutti doctor` on recorded machines: text, --json, --edge, status.
tutti=$1/tutti
. tests/tap.sh
doctor() { "$tutti" doctor "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

# a Raspberry Pi 5 that runs K3s, swaps to its card and has a weak supply
pi=$tmp/pi
mkdir -p "$pi/proc/device-tree" "$pi/sys/fs/cgroup" "$pi/etc/rancher/k3s" "$pi/sys/class/hwmon/hwmon1" "$pi/sys/block/mmcblk0/device" "$pi/sys/class/block"
printf 'Raspberry Pi 5 Model B Rev 1.0\0' >"$pi/proc/device-tree/model"
printf 'raspberrypi,5-model-b\0brcm,bcm2712\0' >"$pi/proc/device-tree/compatible"
echo 'cpuset cpu io pids' >"$pi/sys/fs/cgroup/cgroup.controllers"
echo rpi_volt >"$pi/sys/class/hwmon/hwmon1/name"; echo 1 >"$pi/sys/class/hwmon/hwmon1/in0_lcrit_alarm"
echo 62333952 >"$pi/sys/block/mmcblk0/size"; echo SD >"$pi/sys/block/mmcblk0/device/type"; ln -s ../../block/mmcblk0 "$pi/sys/class/block/mmcblk0"
printf 'Filename\tType\tSize\tUsed\tPriority\n/dev/mmcblk0p2 partition 1048572 0 -2\n' >"$pi/proc/swaps"
printf '/dev/mmcblk0 / ext4 rw 0 0\n' >"$pi/proc/mounts"
# a machine with nothing wrong
fine=$tmp/fine
mkdir -p "$fine/sys/kernel/mm/transparent_hugepage" "$fine/proc"
echo 'always [madvise] never' >"$fine/sys/kernel/mm/transparent_hugepage/enabled"

doctor --root "$pi" --models /home
check "what is bad comes first and gives status 1" 1 'head -1 out | grep -q "^bad "' 'grep -q "^bad  undervoltage (certain)" out' 'grep -q "^bad  pi-cgroup-memory" out' \
    'grep -q "^bad  swap-on-sd" out' 'grep -q "models-on-slow-disk" out' 'grep -q "cgroup_memory=1" out' '[ ! -s err ]' 'grep -q "Nothing was changed" out'
check "nothing is wider than 80 columns" 1 'awk "length > 80 { bad = 1 } END { exit bad }" out'
doctor --root "$fine"
check "a machine without findings gives status 0" 0 'grep -q "^0 of [0-9]* rules found something" out'
doctor --root "$pi" --edge --models /home
check "--edge ticks the checklist" 1 'grep -q "^\[ \] warm-start" out' 'grep -q "^\[>\] steady-batches" out' '[ $(grep -c "^\[.\] [a-z0-9-]*: " out) -eq 7 ]' 'awk "length > 80 { bad = 1 } END { exit bad }" out'
if command -v python3 >/dev/null 2>&1; then
    cat >"$tmp/shape.py" <<'P'
import json, sys
d = json.load(open("out"))
assert set(d) == {"rules", "findings", "edge"} and d["rules"] >= 50, d.keys()
for f in d["findings"]:
    assert set(f) == {"id", "severity", "what", "why", "fix", "confidence"}, f
    assert f["severity"] in ("bad", "warning", "info") and f["confidence"] in ("certain", "likely", "possible")
    assert all(isinstance(f[k], str) and f[k] for k in ("id", "what", "why")) and (f["fix"] is None or f["fix"])
if sys.argv[1] == "edge":
    assert len(d["edge"]) == 7
    for e in d["edge"]:
        assert set(e) == {"id", "want", "tick", "found", "how"} and e["tick"] in ("yes", "no", "unknown", "at start"), e
else:
    assert d["edge"] is None
assert [f["id"] for f in d["findings"]][: int(sys.argv[2])] == sys.argv[3:], [f["id"] for f in d["findings"]]
P
    doctor --root "$pi" --json
    check "--json has the documented shape" 1 'python3 shape.py plain 3 undervoltage pi-cgroup-memory swap-on-sd'
    doctor --root "$fine" --json --edge
    check "--json --edge too" 0 'python3 shape.py edge 0'
else
    ok "--json # SKIP no python3"
fi
doctor --root "$tmp/none"
check "a root that is not there is one line" 1 '[ ! -s out ]' '[ $(wc -l <err) -eq 1 ]' 'grep -q "^tutti: " err'
doctor --models "$tmp/none"
check "a model folder that is not there is one line" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "no such folder" err'
doctor
case $rc in 0 | 1) good=0 ;; *) good=1 ;; esac
rc=$good
check "this machine, without root" 0 'grep -q "rules found something" out' '[ ! -s err ]'
echo "1..$n"
