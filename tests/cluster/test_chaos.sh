#!/bin/sh
# tests/cluster/test_chaos.sh BUILD - five real nodes with certificates are killed, stopped, parted, slowed and started again while a mixed traffic comes in at all
# of them: every request has exactly one outcome, nothing is lost that another node could answer, who returns is used again, nothing leaks.  In network
# namespaces where this machine lets us (root), else on loopback behind link-relay; CHAOS_RIG=loopback wants the latter.
# CHAOS_SECONDS=1800 CHAOS_RATE=20: long and harder (clock jumps, a full disk), with figures (docs/rig.md).  Prints TAP.
build=${1:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
. tests/tap.sh
why=
[ -x "$build/tools/fake-engine" ] && [ -x "$build/tools/link-relay" ] || why="no fake engines or links here (make tools)"
[ -r models/tutti-tiny.gguf ] || why="no bundled model"
[ "$(node -p "process.versions.node.split('.')[0] >= 18" 2>/dev/null)" = true ] || why="no node of 18 or newer"
[ -n "$TEST_QUICK" ] && [ -z "$CHAOS_SECONDS" ] && why="takes 25 s; not with TEST_QUICK"
[ "$(uname -s)" = Linux ] && [ -z "$TEST_RUN" ] || why="not on this machine"
if [ -n "$why" ]; then echo "# skipped: $why"; echo "ok 1 - chaos between nodes # SKIP"; echo 1..1; exit 0; fi
rig=loopback name=tutti$$
if [ "$CHAOS_RIG" != loopback ] && sh tests/cluster/netns.sh can "$name" 1 ''; then rig=$name; fi
driver=
clean() {
    [ -n "$driver" ] && kill "$driver" 2>/dev/null && wait "$driver"
    [ "$rig" = loopback ] || sh tests/cluster/netns.sh down "$rig" 5 "$tmp/disk"
    rm -rf "$tmp"
}
trap clean EXIT
trap 'exit 130' HUP INT PIPE TERM
inside=
if [ "$rig" != loopback ]; then
    sh tests/cluster/netns.sh up "$rig" 5 "$tmp/disk" || { rig=loopback; }
fi
[ "$rig" = loopback ] || inside="ip netns exec $rig-c"
$inside node tests/cluster/chaos.mjs "$build" "$tmp" "$rig" &
driver=$!
wait $driver
rc=$?
driver=
[ -z "$CHAOS_KEEP" ] || cp -r "$tmp" "$CHAOS_KEEP"
exit $rc
