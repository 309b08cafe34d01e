#!/bin/sh
# `tutti device-plugin` against a kubelet written with @grpc/grpc-js: register, the list as sticks come and go, allocate, a restart.
# Needs node and the packages of tests/serve/grpc (TUTTI_GRPC_CLIENT).
tutti=$1/tutti
. tests/tap.sh
here=$PWD
root=$tmp/m dir=$tmp/k
plug() { # PORT VENDOR PRODUCT BUS NUMBER
    at=$root/sys/bus/usb/devices/$1
    mkdir -p "$at" "$root/dev/bus/usb/$4" && echo "$2" >"$at/idVendor" && echo "$3" >"$at/idProduct" && echo "${4#00}" >"$at/busnum" && echo "${5#00}" >"$at/devnum" &&
        : >"$root/dev/bus/usb/$4/$5"
}
unplug() { rm -rf "$root/sys/bus/usb/devices/$1" "$root/dev/bus/usb/$2/$3"; }
mkdir -p "$dir" "$root/dev/bus/usb/001" "$root/sys"
: >"$tmp/out"; : >"$tmp/err"

plug 1-2 1a6e 089a 001 004
"$tutti" device-plugin --list --root "$root" >"$tmp/out" 2>"$tmp/err"; rc=$?
check 'the list names a stick, its place and its state' 0 'grep -q "^google.com/coral *usb-1-2$" out' 'grep -q "not booted, /dev/bus/usb/001/004" out'
"$tutti" device-plugin --list --json --root "$root" >"$tmp/out" 2>"$tmp/err"; rc=$?
check '--json is one array' 0 'grep -q "^\[{\"resource\":\"google.com/coral\",\"id\":\"usb-1-2\".*\"numa_node\":null}\]$" out'
printf -- '- {name: coral, path: /dev/x}\n' >"$tmp/rules.yaml"
"$tutti" device-plugin --list --rules "$tmp/rules.yaml" >"$tmp/out" 2>"$tmp/err"; rc=$?
check 'a rule without a domain is one line with its place' 1 'grep -q "rules.yaml:1:.*no resource name" err' '[ $(wc -l <err) -eq 1 ]'

if [ -z "$TUTTI_GRPC_CLIENT" ] || ! command -v node >/dev/null; then
    echo "# skipped: no @grpc/grpc-js (npm ci --prefix DIR with tests/serve/grpc's files, then TUTTI_GRPC_CLIENT=DIR)"
    echo "ok $((n + 1)) - a kubelet of grpc-js # SKIP"
    echo "1..$((n + 1))"
    exit 0
fi
said() { # PATTERN [N]: waits until the kubelet has said so many lines that match
    for _ in $(seq 1200); do
        [ "$(grep -c "$1" "$tmp/said")" -ge "${2:-1}" ] && return
        sleep 0.05
    done
    return 1
}
mkfifo "$tmp/tell"
cp tests/cluster/kubelet/kubelet.mjs "$TUTTI_GRPC_CLIENT/kubelet.mjs"
node "$TUTTI_GRPC_CLIENT/kubelet.mjs" "$dir" "$here/proto/deviceplugin.proto" <"$tmp/tell" >"$tmp/said" 2>"$tmp/err" &
kubelet=$!
exec 3>"$tmp/tell"
said '^ready' || { cat "$tmp/err"; }
"$tutti" device-plugin --root "$root" --kubelet-dir "$dir" --nodes-dir "$tmp/nodes" >"$tmp/out" 2>>"$tmp/err" &
plugin=$!
trap 'kill $kubelet $plugin 2>/dev/null; rm -rf "$tmp"' EXIT
rc=0
said '^registered google.com/coral tutti-google.com_coral.sock' && said '^options google.com/coral true' && said '^list google.com/coral usb-1-2=Healthy' || rc=1
check 'it registers, and its list is watched' 0
echo 'allocate google.com/coral usb-1-2' >&3
said '^allocated /dev/bus/usb/001/004:rwm TUTTI_DEVICES=/dev/bus/usb/001/004$' || rc=1
check 'a device is allocated with its node and its variable' 0
unplug 1-2 001 004
said '^list google.com/coral usb-1-2=Unhealthy' || rc=1
plug 1-2 18d1 9302 001 005
said '^list google.com/coral usb-1-2=Healthy' 2 || rc=1
check 'a stick that boots is unhealthy for a moment and the same device afterwards' 0
echo restart >&3
said '^registered google.com/coral' 2 || rc=1
check 'a kubelet that starts again is told again' 0
kill "$plugin"; wait "$plugin"; rc=$?
check 'it ends cleanly and takes its socket away' 0 '[ ! -e k/tutti-google.com_coral.sock ]'
echo "1..$n"
