#!/bin/sh
# tools/demo.sh TUTTI - the part of ./demo after the build: serve, ask, show, stop.
tutti=$1
out=$(mktemp -d) || exit 1
pid=
cleanup() {
    trap '' HUP INT PIPE TERM # a signal that arrives now must not keep the folder
    [ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    rm -rf "$out"
}
trap cleanup EXIT
trap 'exit 130' HUP INT PIPE TERM # a shell that dies of a signal does not run its EXIT trap
ask_url() { curl -sS --noproxy '*' "$@"; } # the service is on loopback: no proxy of the environment can reach it

: >"$out/serve"
"$tutti" serve --listen 127.0.0.1:0 >"$out/serve" 2>"$out/log" &
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
model=$(ask_url --retry 5 --retry-connrefused "$url/v1/models" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
[ -n "$model" ] || { cat "$out/log" >&2; echo "tutti: the service at $url does not say which model it has" >&2; exit 1; }
ask='Tell me a story about a rainy day.'
echo "the service listens on $url and has the model $model"
echo
echo "you:   $ask"
printf 'tutti: '
body=$(printf '{"model":"%s","stream":true,"stream_options":{"include_usage":true},"max_tokens":160,"temperature":0.7,"seed":7,"messages":[{"role":"user","content":"%s"}]}' "$model" "$ask")
asked=$(date +%s%N)
ask_url -N -H 'content-type: application/json' -d "$body" "$url/v1/chat/completions" 2>&1 |
    tools/show-stream.pl "$asked"
status=$?
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
