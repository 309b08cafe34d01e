#!/bin/sh
# tools/demo.sh TUTTI DRAW - the part of ./demo after the build: serve, ask, draw, read, speak, hear, explain, ask another node, plan, stop.
# Every request names the model "auto": the router chooses who answers, and says why.
tutti=$1
draw=$2
out=$(mktemp -d) || exit 1
pid=
nodes=
cleanup() {
    trap '' HUP INT PIPE TERM # a signal that arrives now must not keep the folder
    for p in $pid $nodes; do kill "$p" 2>/dev/null; done
    for p in $pid $nodes; do wait "$p" 2>/dev/null; done
    rm -rf "$out"
}
trap cleanup EXIT
trap 'exit 130' HUP INT PIPE TERM # a shell that dies of a signal does not run its EXIT trap
ask_url() { curl -sS --noproxy '*' "$@"; } # the service is on loopback: no proxy of the environment can reach it

: >"$out/serve"
cards=examples/cards
XDG_STATE_HOME=$out/state; export XDG_STATE_HOME # its journal of decisions goes with the demo
"$tutti" serve --listen 127.0.0.1:0 models/*.gguf $cards/tesseract.yaml $cards/flite.yaml $cards/pocketsphinx.yaml >"$out/serve" 2>"$out/log" &
pid=$!
tries=0
until url=$(sed -n 's/^listening on //p' "$out/serve") && [ -n "$url" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$pid" 2>/dev/null; then
        cat "$out/log" >&2
        echo "tutti: the service did not start" >&2
        exit 1
    fi
    sleep 0.1
done
model=$(ask_url --retry 5 --retry-connrefused "$url/v1/models" | sed -n 's/^[^[]*\[{"id":"\([^"]*\)".*/\1/p') # the first
[ -n "$model" ] || { cat "$out/log" >&2; echo "tutti: the service at $url does not say which model it has" >&2; exit 1; }
ask='Tell me a story about a rainy day.'
echo "the service listens on $url; whoever asks for the model \"auto\" gets the right expert of"
echo "$model (text), tesseract (reads), flite (speaks), pocketsphinx (hears)"
echo
echo "you:   $ask"
printf 'tutti: '
field() { tr -d '\r' <"$out/head" | sed -n "s/^tutti-$1: //p" | head -n 1; } # of the last answer's headers
routed() { echo "       [auto: $(field why)]"; }
body=$(printf '{"model":"auto","stream":true,"stream_options":{"include_usage":true},"max_tokens":160,"temperature":0.7,"seed":7,"messages":[{"role":"user","content":"%s"}]}' "$ask")
asked=$(date +%s%N)
ask_url -N -D "$out/head" -H 'content-type: application/json' -d "$body" "$url/v1/chat/completions" 2>&1 |
    tools/show-stream.pl "$asked"
status=$?
routed
story=$(field route)

# Beyond text: a sentence is drawn, the picture is read, what was read is spoken, what was spoken is heard. Each step takes what
# the one before gave; one that fails says why, and those behind it are left out.
sentence='Small computers can do great things.'
post() { # STEP FILE URL [CURL-OPTION...]: says the step, leaves the answer in FILE
    printf '%s ' "$1"; answer=$2; where=$url/v1/$3; shift 3
    began=$(date +%s%N)
    code=$(ask_url -D "$out/head" -o "$answer" -w '%{http_code}' "$@" "$where")
    ms=$((($(date +%s%N) - began) / 1000000))
    [ "$code" = 200 ] && return
    echo "$(sed -n 's/.*"message":"\([^"]*\)".*/\1/p' "$answer" 2>/dev/null | head -n 1) (status $code)"
    return 1
}
chosen() { field expert | sed 's/^tesseract$/Tesseract/; s/^pocketsphinx$/PocketSphinx/'; }
plain() { printf '%s' "$1" | tr 'A-Z\n' 'a-z ' | tr -cd 'a-z0-9 ' | sed 's/  */ /g; s/ *$//'; }
see_and_hear() {
    "$draw" "$sentence" >"$out/picture.png" || return 1
    echo
    echo "it draws a picture of the words: $sentence"
    post "it reads the picture:" "$out/read" "tutti/vision/ocr?model=auto" --data-binary "@$out/picture.png" || return 1
    read=$(sed -n 's/.*"text":"\([^"\\]*\)","words".*/\1/p' "$out/read")
    echo "$read ($ms ms, $(chosen))"
    routed
    post "it speaks what it read:" "$out/said.wav" audio/speech -H 'content-type: application/json' \
        -d "{\"model\":\"auto\",\"input\":\"$read\",\"response_format\":\"wav\"}" || return 1
    echo "$(($(wc -c <"$out/said.wav") / 32)) ms of sound ($ms ms, $(chosen))" # 16 kHz, 16 bits
    routed
    post "it hears what it spoke:" "$out/heard" "audio/transcriptions?model=auto&response_format=text" --data-binary "@$out/said.wav" || return 1
    heard=$(cat "$out/heard")
    echo "$heard ($ms ms, $(chosen))"
    routed
    if [ "$(plain "$heard")" = "$(plain "$sentence")" ]; then echo "the words came through"; else echo "the words did not come through unchanged"; fi
}
see_and_hear || status=1
if "$tutti" route why "$story" >"$out/why" 2>/dev/null; then
    echo
    echo "why the story went there: tutti route why $story"
    sed '1d; s/^/  /' "$out/why"
fi
# Two more nodes on loopback: one has the model, the other has none and is asked.
node() { # NAME OPTION...: starts it; its ports in $url and $port
    name=$1; shift
    : >"$out/$name"
    "$tutti" serve --listen 127.0.0.1:0 --node-name "$name" --node-listen 127.0.0.1:0 "$@" >"$out/$name" 2>"$out/$name.log" &
    nodes="$nodes $!"
    for _ in $(seq 600); do
        url=$(sed -n 's/^listening on //p' "$out/$name") port=$(sed -n "s/^node $name on //p" "$out/$name")
        [ -n "$url" ] && [ -n "$port" ] && return
        sleep 0.1
    done
    cat "$out/$name.log" >&2
    return 1
}
cluster() {
    echo
    echo "now as a cluster: a node \"kitchen\" has the model, a node \"door\" has none and is asked"
    node kitchen models/*.gguf && node door --node "$port" $cards/flite.yaml || return 1
    for _ in $(seq 100); do # until they know each other
        "$tutti" cluster status --url "$url" >"$out/status" 2>"$out/said" && grep -q '^kitchen  *up' "$out/status" && break
        sleep 0.1
    done
    post "you, at the door: $ask" "$out/told" chat/completions -H 'content-type: application/json' \
        -d '{"model":"auto","max_tokens":24,"messages":[{"role":"user","content":"'"$ask"'"}]}' || return 1
    echo "($ms ms, answered by $(field node))"
    sed -n 's/.*"content":"\([^"\\]*\).*/tutti: \1 .../p' "$out/told"
    echo
    routed
    "$tutti" cluster status --url "$url" | sed 's/^/  /'
    home=examples/homelab/inventory.yaml
    "$tutti" cluster plan "$home" >"$out/plan" && "$tutti" cluster draw "$home" --quiet --out "$picture" || return 1
    echo
    echo "five other machines, planned (tutti cluster plan $home):"
    sed 's/^/  /; /^ *$/q' "$out/plan"
    echo "drawn: $picture"
}
picture=${tutti%/*}/homelab.html
cluster || status=1
cat <<EOT

Try next:
  $tutti run models/$model.gguf                    chat in the terminal
  $tutti serve                                     the same service on 127.0.0.1:8080
  curl 127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \\
       -d '{"messages":[{"role":"user","content":"Hello!"}]}'
  $tutti run SOMETHING.gguf "Why is the sky blue?" any GGUF model of your own
  $tutti bench models/$model.gguf                  how fast, and beside what limit
EOT
exit $status
