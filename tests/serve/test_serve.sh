#!/bin/sh
# tests/serve/test_serve.sh BUILD - `tutti serve` as its users meet it: the program, a real model, curl, and
# the OpenAI client where it is installed (npm ci --prefix DIR of tests/serve/client, TUTTI_CLIENT=DIR); prints TAP.
build=${1:-build}
export XDG_CONFIG_HOME=/nonexistent # no tutti.yaml of whoever runs this
export no_proxy='*' # curl shall not look for loopback behind a proxy
tutti=$build/tutti
n=0
dir=$(mktemp -d) || exit 1
export XDG_STATE_HOME="$dir/state"
pid=
cleanup() {
    [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); [ -n "$2" ] && printf '%s\n' "$2" | head -n 5 | cut -c1-300 | sed 's/^/# /'; echo "not ok $n - $1"; }
check() { if [ "$1" -eq 0 ]; then ok "$2"; else not_ok "$2" "$3"; fi; }
has() { case $1 in *"$2"*) return 0 ;; *) return 1 ;; esac; }

model=models/tutti-tiny.gguf
[ -r "$model" ] || model=${TUTTI_SHARED:-../shared}/models/llm/stories260K-q8_0.gguf
if [ ! -r "$model" ]; then echo "# skipped: no model"; echo "ok 1 - a real model is served # SKIP"; echo 1..1; exit 0; fi
command -v curl >/dev/null || { echo "# skipped: no curl"; echo "ok 1 - a real model is served # SKIP"; echo 1..1; exit 0; }

start() { # start OPTIONS...: sets url, pid
    : >"$dir/out"
    "$tutti" serve --listen 127.0.0.1:0 "$@" >"$dir/out" 2>"$dir/err" &
    pid=$!
    for i in $(seq 1200); do
        url=$(sed -n 's/^listening on //p' "$dir/out")
        [ -n "$url" ] && return 0
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}
ask() { path=$1; shift; curl -sS --max-time 60 "$@" "$url$path" 2>&1; }
chat() { ask /v1/chat/completions -d "$1"; }
value() { ask /metrics | sed -n "s/^$1{.*} //p" | head -n 1; }
user='"messages":[{"role":"user","content":"Tell me a story."}]'

start "$model"; check $? "the first line says where it listens" "$(cat "$dir/out" "$dir/err")"
for i in $(seq 1200); do [ "$(ask /healthz -o /dev/null -w '%{http_code}')" = 200 ] && break; sleep 0.05; done
h=$(ask /healthz); has "$h" '"status":"ok"'; check $? "it becomes healthy" "$h"

a=$(chat "{$user,\"max_tokens\":20,\"temperature\":0}"); b=$(chat "{$user,\"max_tokens\":20,\"temperature\":0}")
text() { printf '%s' "$1" | sed -n 's/.*"content":"\(.*\)","refusal".*/\1/p'; }
[ -n "$(text "$a")" ] && [ "$(text "$a")" = "$(text "$b")" ]; check $? "a greedy chat says the same twice" "$a $b"
s=$(chat "{$user,\"max_tokens\":20,\"temperature\":0,\"stream\":true,\"stream_options\":{\"include_usage\":true}}")
joined=$(printf '%s\n' "$s" | sed -n 's/.*"delta":{"content":"\(.*\)"},"logprobs".*/\1/p' | tr -d '\n')
[ "$joined" = "$(text "$a")" ] && has "$s" '"usage":{"prompt_tokens":' && [ "$(printf '%s\n' "$s" | grep -v '^$' | tail -n 1)" = 'data: [DONE]' ]
check $? "a stream says the same in pieces, then its usage, then [DONE]" "$joined / $a"

for i in 1 2 3 4 5 6 7 8; do
    chat "{$user,\"max_tokens\":100,\"seed\":$i,\"stream\":true}" >"$dir/s$i" &
    eval "job$i=\$!"
done
for i in 1 2 3 4 5 6 7 8; do eval "wait \$job$i"; done
[ "$(cat "$dir"/s? | grep -c 'data: \[DONE\]')" = 8 ]; check $? "eight streams at once all end well" "$(tail -n 3 "$dir/s1")"
rm -f "$dir"/s?

curl -sN -d "{$user,\"n\":128,\"ignore_eos\":true,\"stream\":true}" "$url/v1/chat/completions" >"$dir/cut" 2>&1 &
cut=$!
for i in $(seq 1200); do [ -s "$dir/cut" ] && break; sleep 0.05; done
kill -KILL "$cut"; wait "$cut"
rc=1
for i in $(seq 1200); do
    [ "$(value tutti_num_requests_running)" = 0 ] && [ "$(value tutti_num_requests_waiting)" = 0 ] && { rc=0; break; }
    sleep 0.05
done
[ -s "$dir/cut" ] && ! grep -q DONE "$dir/cut" || rc=1
check $rc "a client that hangs up stops its 128 answers" "$(value tutti_num_requests_running) running, $(wc -c <"$dir/cut") bytes came"

e=$(chat '{"messages":[{"role":"user","content":"'"$(yes word | head -n 9000 | tr '\n' ' ')"'"}]}')
has "$e" '"code":"context_length_exceeded"'; check $? "a prompt that is too long is refused with both numbers" "$e"
c=$(head -c 40000000 /dev/zero | curl -sS --max-time 60 -H 'Expect:' --data-binary @- "$url/v1/completions" -o "$dir/big" -w '%{http_code}' 2>"$dir/cerr")
[ "$c" = 413 ]; check $? "a body of 40 MB is refused with 413" "$c $(cat "$dir/cerr")"
e=$(ask /v1/embeddings -d '{"input":["a","b"]}'); has "$e" '"index":1'; check $? "embeddings come" "$e"
e=$(ask /v1/completions -H 'Transfer-Encoding: chunked' -d '{"prompt":"Once","max_tokens":3}'); has "$e" '"completion_tokens":3'
check $? "a chunked body is read" "$e"
e=$(ask /v1/chat/completions -d '{"messages":'); has "$e" '"code":"invalid_json"'; check $? "half a body is refused" "$e"

if [ -n "$TUTTI_CLIENT" ] && command -v node >/dev/null && [ -d "$TUTTI_CLIENT/node_modules/openai" ]; then
    node tests/serve/client/client.mjs "$url" >"$dir/client" 2>&1
    while IFS= read -r line; do
        case $line in
        'ok '*) ok "${line#*- }" ;;
        'not ok '*) not_ok "${line#*- }" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done <"$dir/client"
    grep -q '^# .* client tests, 0 failed' "$dir/client" || not_ok "the OpenAI client gets to its end" "$(cat "$dir/client")"
else
    echo "# skipped: the OpenAI client (npm ci --prefix DIR with tests/serve/client's files, then TUTTI_CLIENT=DIR)"
    n=$((n + 1)); echo "ok $n - the OpenAI client # SKIP"
fi

curl -sN -d "{$user,\"n\":4,\"ignore_eos\":true,\"stream\":true}" "$url/v1/chat/completions" >"$dir/last" 2>&1 &
last=$!
for i in $(seq 1200); do grep -q data: "$dir/last" 2>/dev/null && break; sleep 0.02; done
kill -TERM "$pid"; wait "$pid"; rc=$?; pid=
wait "$last"
[ "$rc" = 0 ] && grep -q 'data: \[DONE\]' "$dir/last"; check $? "SIGTERM lets the running answer finish, then exit 0" "status $rc; $(tail -c 200 "$dir/last")"

start "$model"
curl -sN -d "{$user,\"n\":128,\"ignore_eos\":true,\"stream\":true}" "$url/v1/chat/completions" >"$dir/long" 2>&1 & # a file of its own: the one before has its data
long=$!
for i in $(seq 1200); do grep -q data: "$dir/long" 2>/dev/null && break; sleep 0.02; done
kill -TERM "$pid"
for i in $(seq 1200); do case $(ask /health) in *"shutting down"*) break ;; esac; sleep 0.02; done
kill -0 "$pid" 2>/dev/null; waits=$?
kill -TERM "$pid"; t0=$(date +%s); wait "$pid"; rc=$?; pid=
wait "$long"
[ "$waits" = 0 ] && [ "$rc" = 0 ] && [ $(($(date +%s) - t0)) -le 60 ] && ! grep -q DONE "$dir/long"
check $? "a second SIGTERM does not wait" "status $rc, waited $waits; $(tail -c 200 "$dir/long")"

if command -v perl >/dev/null; then # a socket from systemd, which perl plays
    : >"$dir/out"
    NOTIFY_SOCKET= perl -MPOSIX -MSocket -e '$^F = 20; socket(my $s, AF_INET, SOCK_STREAM, 0) or die; bind($s, sockaddr_in(0, INADDR_LOOPBACK)) or die;
        listen($s, 5) or die; POSIX::dup2(fileno($s), 3); $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 1; exec @ARGV' \
        "$tutti" serve --listen 127.0.0.1:1 "$model" >"$dir/out" 2>"$dir/err" &
    pid=$!
    for i in $(seq 1200); do url=$(sed -n 's/^listening on //p' "$dir/out"); [ -n "$url" ] && break; sleep 0.05; done
    e=$(ask /v1/models); has "$e" '"object":"list"'; check $? "a socket from systemd is used" "$e $(cat "$dir/err")"
    kill -TERM "$pid"; wait "$pid"; pid=
fi

refused() { # refused WHAT STATUS WORDS OPTIONS...: one line on stderr, nothing on stdout, at once
    what=$1 want=$2 words=$3; shift 3
    timeout 60 "$tutti" serve "$@" >"$dir/out" 2>"$dir/err"; rc=$?
    [ "$rc" = "$want" ] && [ "$(wc -l <"$dir/err")" = 1 ] && [ ! -s "$dir/out" ] && grep -q "^tutti: .*$words" "$dir/err"
    check $? "$what" "status $rc; $(cat "$dir/err" "$dir/out")"
}
head -c 1000 "$model" >"$dir/cut.gguf"
printf 'first-key-1\n' >"$dir/keys"; chmod 600 "$dir/keys"
refused "beyond loopback it wants a key file" 1 'key file' --listen 0.0.0.0:0 "$model"
refused "a cut model is one line" 1 'cut.gguf' --listen 127.0.0.1:0 "$dir/cut.gguf"
refused "a model that is not there is one line" 1 'nothing.gguf' --listen 127.0.0.1:0 "$dir/nothing.gguf"
refused "two models of one name are one line" 1 'two models' --listen 127.0.0.1:0 "$model" "$model"
refused "an address that is none is one line" 1 'ADDR:PORT' --listen nonsense "$model"
refused "a key file that is not there is one line" 1 'key file' --key-file "$dir/nokeys" "$model"
refused "wrong usage is status 2" 2 'unknown option' --frobnicate
start --key-file "$dir/keys" "$model"
[ "$(ask /v1/models -o /dev/null -w '%{http_code}')" = 401 ] && [ "$(ask /v1/models -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer first-key-1')" = 200 ]
check $? "keys are asked for"
printf 'other-key-2\n' >"$dir/keys"; kill -HUP "$pid"
for i in $(seq 1200); do c=$(ask /v1/models -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer other-key-2'); [ "$c" = 200 ] && break; sleep 0.05; done
[ "$c" = 200 ]; check $? "SIGHUP reads them again"
timeout 60 "$tutti" serve --listen "${url#http://}" "$model" >"$dir/out2" 2>"$dir/err2"; rc=$?
[ "$rc" = 1 ] && grep -q 'address already in use' "$dir/err2"; check $? "a port that is taken is one line" "$(cat "$dir/err2")"
e=$(ask /v1/embeddings -H 'Authorization: Bearer other-key-2' -d '{"input":"'"$(yes word | head -n 9000 | tr '\n' ' ')"'"}')
has "$e" '"param":"input","code":"context_length_exceeded"'; check $? "an input that is too long is called input" "$e"
kill -INT "$pid"; wait "$pid"; rc=$?; pid=
check $rc "SIGINT ends it with status 0" "status $rc"
cp "$model" "$dir/lost.gguf"; start "$dir/lost.gguf"
for i in $(seq 1200); do [ "$(ask /healthz -o /dev/null -w '%{http_code}')" = 200 ] && break; sleep 0.05; done
: >"$dir/lost.gguf"; turns=40; chat "{$user,\"max_tokens\":3}" >"$dir/last" 2>&1 || turns=1200 # who breaks off an answer is about to end
for i in $(seq $turns); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
if kill -0 "$pid" 2>/dev/null; then kill -TERM "$pid"; wait "$pid"; rc=$?; want=0; else wait "$pid"; rc=$?; want=1; fi
pid= # what a kernel keeps in memory of its own may be all that was asked for: then it goes on
[ "$rc" = "$want" ] && [ "$(wc -l <"$dir/err")" -le 1 ]; check $? "a model emptied while served ends it with a line, if at all" "status $rc; $(cat "$dir/err")"
echo "1..$n"
