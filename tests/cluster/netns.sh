#!/bin/sh
# tests/cluster/netns.sh up|down|can NAME NODES DISK-FOLDER - a house of NODES machines and a client: network namespaces NAME-1 ... NAME-N and NAME-c, each with
# one veth whose far end is in NAME-sw, where build/tools/link-relay is the switch (docs/rig.md).  Addresses 10.77.0.1 ... N, the client has .100.
# The last node's state is on a disk of 3 MiB at DISK-FOLDER.  `can` says by its status whether this machine lets us.  `down` ends what is left
# in these namespaces; call it in a trap.
name=$2 nodes=${3:-5} disk=$4
all() { seq "$nodes"; echo c; }
down() {
    for i in $(all) sw; do
        for p in $(ip netns pids "$name-$i" 2>/dev/null); do kill -9 "$p" 2>/dev/null; done
        ip netns del "$name-$i" 2>/dev/null
    done
    [ -n "$disk" ] && mountpoint -q "$disk" 2>/dev/null && umount -l "$disk"
    return 0
}
up() {
    ip netns add "$name-sw" || return 1
    ip -n "$name-sw" link set lo up || return 1
    for i in $(all); do
        address=$([ "$i" = c ] && echo 100 || echo "$i")
        ip netns add "$name-$i" && ip -n "$name-$i" link set lo up &&
            ip link add eth0 netns "$name-$i" type veth peer name "p$i" netns "$name-sw" &&
            ip -n "$name-$i" addr add "10.77.0.$address/24" dev eth0 && ip -n "$name-$i" link set eth0 up && ip -n "$name-sw" link set "p$i" up || return 1
    done
    [ -z "$disk" ] || { mkdir -p "$disk" && mount -t tmpfs -o size=3m tutti-test "$disk"; }
}
case $1 in
up) up || { down; exit 1; } ;;
down) down ;;
can) # all of it, once
    [ "$(id -u)" = 0 ] && command -v ip >/dev/null && up >/dev/null 2>&1 && ip netns exec "$name-c" true 2>/dev/null
    rc=$?
    down >/dev/null 2>&1
    exit $rc ;;
*) echo "usage: netns.sh up|down|can NAME NODES [DISK-FOLDER]" >&2; exit 2 ;;
esac
