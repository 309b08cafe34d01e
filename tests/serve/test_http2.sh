#!/bin/sh
# tests/serve/test_http2.sh BUILD - `tutti serve` as curl, nghttp, h2load and grpc-js meet it: HTTP/2 in the clear and behind TLS,
# on the port of HTTP/1.1; certificates read again; gRPC.  What is not installed is skipped; grpc-js: npm ci --prefix DIR with
# tests/serve/grpc's files, then TUTTI_GRPC_CLIENT=DIR.  Prints TAP.
build=${1:-build}
tutti=$build/tutti
. tests/tap.sh
pid=
trap '[ -n "$pid" ] && kill -9 "$pid" 2>/dev/null; rm -rf "$tmp"' EXIT
export no_proxy='*' XDG_STATE_HOME="$tmp"
skip() { n=$((n + 1)); echo "# skipped: $2"; echo "ok $n - $1 # SKIP"; }
is() { # is NAME WANTED GOT
    if [ "$2" = "$3" ]; then ok "$1"; else echo "$3" >"$tmp/out"; echo "wanted: $2" >"$tmp/err"; not_ok "$1"; fi
}
model=models/tutti-tiny.gguf
if [ ! -r "$model" ] || ! command -v curl >/dev/null; then echo "# skipped: no model or no curl"; echo "ok 1 - HTTP/2 is served # SKIP"; echo 1..1; exit 0; fi
case $(curl --version) in *HTTP2*) ;; *) echo "# skipped: this curl has no HTTP/2"; echo "ok 1 - HTTP/2 is served # SKIP"; echo 1..1; exit 0 ;; esac

start() { # start OPTIONS...: sets url, pid; waits until it is healthy
    : >"$tmp/said"
    "$tutti" serve --listen 127.0.0.1:0 "$@" "$model" >"$tmp/said" 2>"$tmp/complaints" &
    pid=$!
    for i in $(seq 1200); do
        url=$(sed -n 's/^listening on //p' "$tmp/said")
        [ -n "$url" ] && [ "$(curl -sk -o /dev/null -w '%{http_code}' "$url/healthz")" = 200 ] && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    cat "$tmp/complaints" >&2
    return 1
}
stop() { kill -TERM "$pid"; wait "$pid"; pid=; }
get() { curl -s --max-time 60 -o /dev/null -w '%{http_code} %{http_version}' "$@"; }
grpc_js() { # grpc_js ARGUMENTS...: its TAP becomes ours
    node tests/serve/grpc/grpc.mjs "$@" >"$tmp/grpc" 2>&1
    while IFS= read -r line; do
        case $line in
        'ok '*) ok "${line#*- }" ;;
        'not ok '*) n=$((n + 1)); echo "not ok $n - ${line#*- }" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done <"$tmp/grpc"
    grep -q '^# .* client tests, 0 failed' "$tmp/grpc" || { n=$((n + 1)); echo "not ok $n - grpc-js gets to its end"; }
}
has_grpc() { [ -n "$TUTTI_GRPC_CLIENT" ] && command -v node >/dev/null && [ -d "$TUTTI_GRPC_CLIENT/node_modules/@grpc/grpc-js" ]; }

start || { echo "not ok 1 - it starts"; echo 1..1; exit 1; }
is "the port speaks HTTP/1.1" "200 1.1" "$(get "$url/v1/models")"
is "and HTTP/2 to who knows it" "200 2" "$(get --http2-prior-knowledge "$url/v1/models")"
ask='{"messages":[{"role":"user","content":"What color is the sky?"}],"max_tokens":8,"temperature":0,"stream":true}'
curl -sN --max-time 60 --http1.1 -d "$ask" "$url/v1/chat/completions" | sed -n 's/.*"content":"\([^"]*\)".*/\1/p' >"$tmp/one"
curl -sN --max-time 60 --http2-prior-knowledge -d "$ask" "$url/v1/chat/completions" | sed -n 's/.*"content":"\([^"]*\)".*/\1/p' >"$tmp/two"
[ -s "$tmp/one" ] && cmp -s "$tmp/one" "$tmp/two"; is "a stream of events is the same over both" 0 $?
is "a body that is too large is told so over HTTP/2" 413 "$(head -c 40000000 /dev/zero | curl -s --max-time 60 --http2-prior-knowledge --data-binary @- -o /dev/null -w '%{http_code}' "$url/v1/completions")"
if command -v h2load >/dev/null; then
    is "h2load: 2000 requests, 4 connections, 32 at a time each" "2000 succeeded, 0 failed, 0 errored, 0 timeout" \
        "$(h2load -n 2000 -c 4 -m 32 "$url/healthz" | sed -n 's/^requests:.*done, //p')"
else
    skip "h2load is content" "no h2load (nghttp2-client)"
fi
if command -v nghttp >/dev/null; then
    is "nghttp sees a page and no error" "0 1" "$(nghttp -nv "$url/v1/models" >"$tmp/ng" 2>&1; echo "$? $(grep -c ':status: 200' "$tmp/ng")")"
else
    skip "nghttp is content" "no nghttp (nghttp2-client)"
fi
if has_grpc; then grpc_js "${url#http://}" tutti-tiny proto; else skip "grpc-js" "no @grpc/grpc-js (npm ci --prefix DIR with tests/serve/grpc's files, then TUTTI_GRPC_CLIENT=DIR)"; fi
stop

if command -v openssl >/dev/null; then
    certificate() { # certificate SERIAL: overwrites both files
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$tmp/key.pem" -out "$tmp/cert.pem" -days 2 \
            -set_serial "$1" -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
    }
    certificate 1
    printf 'first-key-1\n' >"$tmp/keys"; chmod 600 "$tmp/keys"
    start --tls-cert "$tmp/cert.pem" --tls-key "$tmp/key.pem" --key-file "$tmp/keys"; is "it says https" https "${url%%:*}"
    cp "$tmp/cert.pem" "$tmp/old.pem"
    is "TLS brings HTTP/2 by ALPN" "200 2" "$(get --cacert "$tmp/old.pem" "$url/healthz")"
    is "or HTTP/1.1 to who wants that" "200 1.1" "$(get --http1.1 --cacert "$tmp/old.pem" "$url/healthz")"
    is "clear text is told to use https" 400 "$(curl -s -o /dev/null -w '%{http_code}' "http${url#https}/healthz")"
    if has_grpc; then grpc_js "localhost:${url##*:}" tutti-tiny proto "$tmp/old.pem" first-key-1; else skip "grpc-js over TLS" "no @grpc/grpc-js"; fi
    certificate 2
    kill -HUP "$pid"
    for i in $(seq 1200); do [ "$(get --cacert "$tmp/cert.pem" "$url/healthz")" = "200 2" ] && break; sleep 0.05; done
    is "SIGHUP reads a new certificate" "200 2" "$(get --cacert "$tmp/cert.pem" "$url/healthz")"
    echo nonsense >"$tmp/cert.pem"
    kill -HUP "$pid"
    for i in $(seq 1200); do grep -q 'the old certificate stays' "$tmp/complaints" && break; sleep 0.05; done
    is "one that cannot be read is said, and the old one stays" "1 200" "$(grep -c 'cert.pem.*the old certificate stays' "$tmp/complaints") $(curl -sk -o /dev/null -w '%{http_code}' "$url/healthz")"
    stop
    run() { timeout 60 "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
    run "$tutti" serve --listen 127.0.0.1:0 --tls-cert "$tmp/cert.pem" --tls-key "$tmp/key.pem" "$model"
    check "a certificate that is none is one line" 1 '[ "$(wc -l <err)" = 1 ]' 'grep -q "^tutti: .*cert.pem" err'
    run "$tutti" serve --listen 127.0.0.1:0 --tls-key "$tmp/key.pem" "$model"
    check "a key alone is one line" 1 '[ "$(wc -l <err)" = 1 ]' 'grep -qi "both" err'
else
    skip "TLS" "no openssl"
fi
echo "1..$n"
