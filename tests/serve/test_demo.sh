#!/bin/sh
# tests/serve/test_demo.sh BUILD - what ./demo does after its build: asks, shows, and leaves no service behind; prints TAP.
# plain build only: the demo as people see it; what it calls is in tests/serve.
tutti=${1:-build}/tutti draw=${1:-build}/tools/draw
n=0
dir=$(mktemp -d) || exit 1
export XDG_STATE_HOME="$dir/state"
trap 'rm -rf "$dir"' EXIT
check() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else sed "s/^/# /" "$dir/out" "$dir/err"; echo; echo "not ok $n - $2"; fi; }
if ! command -v curl >/dev/null || ! ls models/*.gguf >/dev/null 2>&1; then
    echo "# skipped: no curl or no bundled model"; echo "ok 1 - the demo # SKIP"; echo 1..1; exit 0
fi
TMPDIR=$dir; export TMPDIR # what the demo leaves behind would show up here
mkdir -p "$dir/data/tutti" && ln -s "$PWD/models" "$dir/data/tutti/models" # builds elsewhere than build/ look here
XDG_DATA_HOME=$dir/data; export XDG_DATA_HOME

http_proxy=http://127.0.0.1:9 all_proxy=http://127.0.0.1:9 tools/demo.sh "$tutti" "$draw" >"$dir/out" 2>"$dir/err" <&-; rc=$?
missing=$(grep 'apt-get install' "$dir/out") # where a library is not installed, reading and hearing say so and the demo fails
{ [ "$rc" = 0 ] || [ -n "$missing" ]; } && [ ! -s "$dir/err" ] && grep -q '^tutti: .' "$dir/out" && grep -q '^([0-9]* tokens, .* tokens/s)$' "$dir/out"
check $? "it shows an answer and its speed, whatever proxy the environment names and with stdin closed"
if [ -n "$missing" ]; then
    n=$((n + 1)); echo "ok $n - it reads what it draws and hears what it speaks # SKIP $missing"
else
    grep -q '^it reads the picture: Small computers can do great things\. (' "$dir/out" && grep -q '^it hears what it spoke: .* (.*PocketSphinx)$' "$dir/out" &&
        grep -q '^the words came through$' "$dir/out"
    check $? "it reads what it draws and hears what it speaks"
fi

n_routed=$(grep -c '^       \[auto: .* on local: ' "$dir/out")
[ "$n_routed" -ge 1 ] && grep -q '^       \[auto: tutti-tiny on local: ' "$dir/out" && { [ -n "$missing" ] || [ "$n_routed" = 4 ]; }
check $? "one endpoint: every step was routed by auto, and says why"
if "$tutti" route why --journal "$dir/none.db" 2>&1 | grep -q STORE=0; then
    n=$((n + 1)); echo "ok $n - a decision is explained # SKIP built without SQLite"
else
    grep -q '^why the story went there: tutti route why rt_' "$dir/out" && grep -q 'score is made of' "$dir/out" && grep -q 'what came of it$' "$dir/out"
    check $? "a decision is explained"
fi

grep -q '^you, at the door: .* answered by kitchen)$' "$dir/out" && grep -q '^  kitchen  *up ' "$dir/out" && grep -q '^    detector  *Coral' "$dir/out" && [ -s "${tutti%/*}/homelab.html" ]
check $? "another node answers, five machines are planned and drawn"

# The pipe's reader leaves at once; the marker in the name of the program is what we look for in /proc
# ([e]: grep does not find itself).
ln -s "$(cd "$(dirname "$tutti")" && pwd)/tutti" "$dir/demo-probe"
for end in pipe int; do
    if [ $end = pipe ]; then
        { sleep 0.1; tools/demo.sh "$dir/demo-probe" "$draw" 2>"$dir/err"; } | true
    else
        tools/demo.sh "$dir/demo-probe" "$draw" >"$dir/out" 2>"$dir/err" & pid=$!
        for i in $(seq 1200); do grep -q '^tutti: .' "$dir/out" && break; kill -0 $pid 2>/dev/null || break; sleep 0.05; done
        kill -TERM $pid; wait $pid
    fi
    for i in $(seq 1200); do
        left=$(grep -al "$dir/demo-prob[e]" /proc/[0-9]*/cmdline 2>/dev/null | wc -l)
        [ "$left" = 0 ] && break
        sleep 0.05
    done
    [ "$left" = 0 ] && [ -z "$(find "$dir" -mindepth 1 -maxdepth 1 -name 'tmp.*')" ]
    check $? "no service and no file stay when it is interrupted ($end)"
done
echo "1..$n"
