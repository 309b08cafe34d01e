#!/bin/sh
# bench/hop/run.sh [TUTTI...] - what one hop adds: a node with the bundled model and a front door that has none, both on loopback; each request goes to the
# node directly, through the door, and as an echo of the same bytes over bare TCP, in turn (p10/p50/p99 in us).  Several binaries are measured in turn.
# N=1000 requests of each, ROUNDS=3, KIND=embed|chat|all, MODEL=tutti-tiny (auto: the door chooses); PIN=1: the node on core 0, door and client on core 1, as if
# each had a machine of its own (else they take the cores from the model while it reckons).  Touches: ports 18080 to 18445 of loopback, a folder in /tmp.
at_node= at_door= threads=
[ -z "$PIN" ] || { at_node='taskset -c 0' at_door='taskset -c 1' threads='--threads 1'; }
n=${N:-1000} rounds=${ROUNDS:-3} kind=${KIND:-all} model=${MODEL:-tutti-tiny}
[ $# -gt 0 ] || set -- build/tutti
tmp=$(mktemp -d) || exit 1
pids=
trap 'for p in $pids; do kill "$p" 2>/dev/null; done; wait; rm -rf "$tmp"' EXIT
trap 'exit 130' HUP INT PIPE TERM
${CC:-cc} -O2 -o "$tmp/hop" bench/hop/main.c || exit 1
port=${PORT:-18080}
for tutti in "$@"; do
    XDG_STATE_HOME=$tmp/node XDG_CACHE_HOME=$tmp/cache XDG_CONFIG_HOME=$tmp $at_node "$tutti" serve $threads --listen 127.0.0.1:$((port + 1)) --node-listen 127.0.0.1:$((port + 365)) --node-name node models/tutti-tiny.gguf > "$tmp/node.log" 2>&1 &
    pids="$pids $!"
    XDG_STATE_HOME=$tmp/door$port XDG_CACHE_HOME=$tmp/cache XDG_CONFIG_HOME=$tmp $at_door "$tutti" serve --listen 127.0.0.1:$port --node-name door --node http://127.0.0.1:$((port + 365)) examples/cards/motion.yaml > "$tmp/door$port.log" 2>&1 &
    pids="$pids $!"
    i=0
    until curl -s "http://127.0.0.1:$port/v1/models" | grep -q tutti-tiny; do
        i=$((i + 1)); [ $i -lt 100 ] || { cat "$tmp"/*.log; exit 1; }
        sleep 0.1
    done
    port=$((port + 10))
done
for r in $(seq "$rounds"); do
    port=${PORT:-18080}
    for tutti in "$@"; do
        [ $# -eq 1 ] || echo "# $tutti"
        $at_door "$tmp/hop" $((port + 1)) $port "$model" "$n" "$kind" || exit 1
        port=$((port + 10))
    done
done
