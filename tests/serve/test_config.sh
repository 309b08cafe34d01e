#!/bin/sh
# tests/serve/test_config.sh BUILD - tutti.yaml as its users meet it: check, show, serve; prints TAP.
tutti=${1:-build}/tutti
. tests/tap.sh
export XDG_CONFIG_HOME="$tmp" XDG_STATE_HOME="$tmp" no_proxy='*'
unset TUTTI_MODELS
root=$PWD
run() { "$tutti" "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

run config check examples/tutti.yaml
check "the annotated example is right" 0 'grep -q "^ok  storyteller  *chat, llm" out' 'grep -q "is right" out' '[ ! -s err ]'
run config show examples/tutti.yaml
check "show says each value and where it is from" 0 'grep -q "tutti.yaml:" out' 'grep -q "^  body: 33554432  # tutti.yaml:" out' 'grep -q "^# keys:  # default" out'
cp "$tmp/out" "$tmp/shown.yaml"; run config show "$tmp/shown.yaml"
check "what show prints can be read again" 0 'grep -q "body: 33554432  # shown.yaml:" out'
# every setting that there is stands in the example, if only as a comment
sed -n 's/^ *\(# \)\{0,1\}\([a-z_]*\):.*/\2/p' "$tmp/shown.yaml" | sort -u >"$tmp/keys"
missing=
for k in $(cat "$tmp/keys"); do grep -qE "^ *(# )?( )*$k:" examples/tutti.yaml || missing="$missing $k"; done
echo "$missing" >"$tmp/out"; rc=$([ -z "$missing" ] && echo 0 || echo 1)
check "the example names every setting" 0
run config check; check "no file is said" 1 'grep -q "^tutti: no tutti.yaml" err'
printf 'limits:\n  quue: 3\n' >"$tmp/bad.yaml"; run config check "$tmp/bad.yaml"
check "a misspelt key has line, column and what was meant" 1 "grep -q \"bad.yaml:2:3: 'quue' is not known here; did you mean 'queue'\" err"
printf 'experts:\n  - name: a\n    task: chat\n    kind: llm\n    modle: x\n' >"$tmp/bad.yaml"; run config check "$tmp/bad.yaml"
check "a card inside has them too" 1 'grep -q "bad.yaml:" err'
printf 'name: old\ntask: chat\nkind: llm\nmodel: %s/models/tutti-tiny.gguf\n' "$root" >"$tmp/card.yaml"
printf 'experts:\n  - card: card.yaml\n    name: new\n    ctx: 64\n  - card.yaml\n' >"$tmp/good.yaml"; run config check "$tmp/good.yaml"
check "a card with changes is another expert" 0 'grep -q "^ok  new " out' 'grep -q "^ok  old " out'
printf 'experts: [card.yaml]\naliases: {a: odl}\n' >"$tmp/bad.yaml"; run config check "$tmp/bad.yaml"
check "an alias for nobody is found, and who was meant" 1 "grep -q \"bad.yaml:2:14: aliases: there is no expert 'odl'; did you mean 'old'\" err"
printf 'keys: nokeys\n' >"$tmp/bad.yaml"; run config check "$tmp/bad.yaml"
check "a file that is not there is found" 1 'grep -q "bad.yaml:1:7: .*/nokeys: No such file" err' '[ "$(wc -l <err)" = 1 ]'
run config --help; check "half a command has help" 0 'grep -q "config check" out' 'grep -q "config show" out' '! grep -q serve out'
mkdir "$tmp/cards"; cp "$tmp/card.yaml" "$tmp/cards/a.yaml"; echo 'name: [' >"$tmp/cards/b.yaml"; echo text >"$tmp/cards/readme.txt"
printf 'experts: [cards]\n' >"$tmp/good.yaml"; run config check "$tmp/good.yaml"
check "of a folder, what is broken is said and left out" 0 'grep -q "^ok  old " out' 'grep -q "b.yaml: left out" err' '[ "$(wc -l <err)" = 1 ]'

if [ -r models/tutti-tiny.gguf ] && command -v curl >/dev/null; then
    start() {
        : >"$tmp/out"
        "$tutti" serve "$@" >"$tmp/out" 2>"$tmp/err" &
        pid=$!
        for i in $(seq 1200); do
            url=$(sed -n 's/^listening on //p' "$tmp/out")
            [ -n "$url" ] && return 0
            kill -0 "$pid" 2>/dev/null || return 1
            sleep 0.05
        done
        return 1
    }
    # without the governor: on a machine under pressure it would say so on stderr
    mkdir "$tmp/tutti"; sed -e 's/8080/0/; s/body: 32 MiB/body: 2000/; s/enabled: true/enabled: false/' -e "s|\.\./models|$root/models|; s|cards/|$root/examples/cards/|" examples/tutti.yaml >"$tmp/tutti/tutti.yaml"
    start; rc=$?
    check "the default file is served" 0
    trap 'kill -9 $pid 2>/dev/null; rm -rf "$tmp"' EXIT
    curl -sS --max-time 60 "$url/v1/models" >"$tmp/models" 2>&1
    curl -sS --max-time 60 -d '{"model":"gpt-4o-mini","prompt":"a","max_tokens":1}' "$url/v1/completions" >"$tmp/alias" 2>&1
    head -c 3000 /dev/zero | curl -sS --max-time 60 -H Expect: --data-binary @- "$url/v1/completions" >"$tmp/large" 2>&1
    rc=0
    check "its experts, aliases and limits hold" 0 'grep -q "\"id\":\"storyteller\"" models' 'grep -q "\"model\":\"tutti-tiny\"" alias' 'grep -q limit_exceeded large'
    kill -TERM $pid; wait $pid; rc=$?
    check "and it ends well" 0 '[ ! -s err ]'
    run serve --config examples/nothing.yaml; check "a config that is not there is one line" 1 '[ "$(wc -l <err)" = 1 ]' 'grep -q "nothing.yaml" err'
    printf 'listen: 127.0.0.1:0\naliases: {a: b}\n' >"$tmp/alias.yaml"; run serve --config "$tmp/alias.yaml" models/tutti-tiny.gguf
    check "an alias for nobody is one line" 1 '[ "$(wc -l <err)" = 1 ]' "grep -q \"alias a: there is no expert 'b'\" err"
else
    echo "# skipped: no model or no curl"; n=$((n + 1)); echo "ok $n - a config is served # SKIP"
fi
echo "1..$n"
