#!/bin/sh
# tests/cluster/test_trust.sh BUILD - `tutti cluster init|token|trust|revoke`, `tutti node join|renew` and `tutti serve` with certificates on both sides, as
# curl, openssl s_client and grpc-js meet it.  What is not installed is skipped; grpc-js: npm ci --prefix DIR with tests/serve/grpc's files, then
# TUTTI_GRPC_CLIENT=DIR.  Prints TAP.
build=${1:-build}
tutti=$build/tutti
. tests/tap.sh
pids=
trap 'for p in $pids; do kill -9 "$p" 2>/dev/null; done; rm -rf "$tmp"' EXIT
export no_proxy='*' XDG_STATE_HOME="$tmp/state" XDG_DATA_HOME="$tmp/data" XDG_CONFIG_HOME="$tmp/config"
skip() { n=$((n + 1)); echo "# skipped: $2"; echo "ok $n - $1 # SKIP"; }
: >"$tmp/out"; : >"$tmp/err"
run() { "$tutti" "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

# ---- commands ----
run cluster init --name head --dir "$tmp/head"
check 'a cluster begins, and says how to go on' 0 'grep -q "tutti node join https://head:8444 --token tutti1\." out' '[ ! -s err ]'
first=$(sed -n 's/.*--token //p' "$tmp/out")
run cluster init --name head --dir "$tmp/head"
check 'only once' 1 'grep -q "already" err' '[ $(wc -l <err) -eq 1 ]'
run cluster init
check 'the default is the folder of data, and the machine'"'"'s name' 0 '[ -r data/tutti/trust/node.pem ]' '[ "$(stat -c %a data/tutti/trust/node.pem data/tutti/trust/ca data/tutti/trust/ca/ca.key | tr "\n" " ")" = "600 700 600 " ]'
run cluster token --dir "$tmp/head" --uses 2 --valid 10m
check 'a token is one line' 0 'grep -Eq "^tutti1\.[0-9a-f]{8}\.[0-9a-f]{32}\.[0-9a-f]{64}$" out' '[ $(wc -l <out) -eq 1 ]'
token=$(cat "$tmp/out")
run cluster token --dir "$tmp/head" --list
check 'tokens are listed without their secrets' 0 '[ $(wc -l <out) -eq 2 ]' 'grep -q "2 uses left" out' '! grep -q tutti1 out'
run cluster token --dir "$tmp/head" --forget "$(echo "$first" | cut -d. -f2)"
check 'a token is taken back' 0
run cluster token --dir "$tmp/head" --valid 1week
check 'a length of time that is none is wrong usage' 2 'grep -q "1h" err'
run cluster revoke --dir "$tmp/head" nobody
check 'nobody cannot be revoked' 1 'grep -q "no node of this name" err'
run node join https://127.0.0.1:1 --dir "$tmp/x"
check 'without a token nobody joins' 2 'grep -q "token is wanted" err'
run node join https://127.0.0.1:1 --dir "$tmp/x" --token "${token}0"
check 'what is no token is said so' 1 'grep -q "this is no token" err' '[ $(wc -l <err) -eq 1 ]'
run cluster trust --dir "$tmp/nothing"
check 'a machine in no cluster is told how to join' 1 'grep -q "tutti node join" err'
run cluster trust --dir "$tmp/head" --json
check 'what there is, as JSON' 0 'grep -q "^{\"node\":\"head\",.*\"holds_authority\":true.*\"nodes\":\[{\"name\":\"head\",\"state\":\"valid\"" out'

model=models/tutti-tiny.gguf
if [ ! -r "$model" ]; then skip 'nodes speak to each other' 'no model'; echo "1..$n"; exit 0; fi

# ---- services ----
serve() { # serve NAME SEED: sets node, its port for nodes; its pid in pid
    cat >"$tmp/$1.yaml" <<EOF
listen: 127.0.0.1:0
experts: [$PWD/$model]
cluster:
  listen: 127.0.0.1:0
  trust: $tmp/$1
  nodes: [${2:+\"$2\"}]
EOF
    : >"$tmp/$1.said"
    "$tutti" serve --config "$tmp/$1.yaml" >"$tmp/$1.said" 2>"$tmp/$1.log" &
    pid=$!
    pids="$pids $pid"
    for _ in $(seq 2400); do
        node=$(sed -n 's/^node .* on //p' "$tmp/$1.said")
        [ -n "$node" ] && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    cat "$tmp/$1.log" >&2
    return 1
}
serve head ''; rc=$?; head=$node
cp "$tmp/head.log" "$tmp/err"
check 'a service opens its port for nodes' 0
printf 'listen: 127.0.0.1:0\nexperts: [%s]\ncluster:\n  listen: 0.0.0.0:0\n' "$PWD/$model" >"$tmp/open.yaml"
timeout 60 "$tutti" serve --config "$tmp/open.yaml" >"$tmp/out" 2>"$tmp/err"; rc=$?
check 'beyond loopback not without certificates' 1 'grep -q "tutti cluster init" err'
echo "$token" | "$tutti" node join "$head" --token-file - --name pi --dir "$tmp/pi" >"$tmp/out" 2>"$tmp/err"; rc=$?
check 'a machine joins' 0 'grep -q "this node is pi" out' 'grep -q "pi joined from 127.0.0.1" head.log'
run node join "$head" --token "$token" --name thief --dir "$tmp/thief"
check 'another one joins' 0
run node join "$head" --token "$token" --name third --dir "$tmp/third"
check 'a token that is used up joins nobody' 1 'grep -q "refused: the token is wrong, over, or used up" err' '[ ! -e third ]' 'grep -q "refused somebody who wants to join at 127.0.0.1.*used up" head.log'
run node renew --dir "$tmp/pi"
check 'a certificate is renewed by hand' 0 'grep -q "pi: a new certificate" out'
serve pi "$head"; rc=$?; pi=$node
check 'it serves, too' 0

if ! command -v openssl >/dev/null; then skip 'openssl' 'no openssl'; else
    s_client() { at=${1#https://}; shift; timeout 60 openssl s_client -connect "$at" -alpn h2 -CAfile "$tmp/head/ca.pem" -verify_return_error "$@" </dev/null >"$tmp/out" 2>"$tmp/err"; rc=$?; }
    s_client "$head" -tls1_3 -cert "$tmp/pi/node.pem" -key "$tmp/pi/node.pem" -verify_hostname head
    check 'openssl agrees: TLS 1.3, h2, the certificate is for its name' 0 'grep -q "ALPN protocol: h2" out' 'grep -q "TLSv1.3" out' 'grep -q "Verify return code: 0 (ok)" out' '! grep -q "Session-ID: [0-9A-F]" out'
    s_client "$head" -tls1_2
    check 'TLS 1.2 is refused' 1 'grep -qi "alert" err'
    s_client "$head" -tls1_3 -verify_hostname pi
    check 'a certificate for another name is seen' 1
    openssl verify -x509_strict -CAfile "$tmp/head/ca.pem" -purpose sslclient "$tmp/pi/node.pem" >"$tmp/out" 2>"$tmp/err"; rc=$?
    check 'and the certificates pass its strict rules' 0
fi

case $(curl --version 2>/dev/null) in *HTTP2*) has_curl=1 ;; *) has_curl= ;; esac
if [ -z "$has_curl" ]; then skip 'curl with certificates' 'no curl with HTTP/2'; else
    ask() { # ask URL NAME DIR|- PATH: status in $got, body in out; rc of curl
        who=$2 port=${1##*:}
        [ "$3" = - ] && set -- "$1" "$2" "$3" "$4" || set -- "$1" "$2" "$3" "$4" --cert "$3/node.pem" --key "$3/node.pem"
        path=$4; shift 4
        got=$(curl -s --http2 --max-time 60 --cacert "$tmp/head/ca.pem" --resolve "$who:$port:127.0.0.1" "$@" -D "$tmp/fields" -o "$tmp/out" -w '%{http_code}' "https://$who:$port$path" 2>"$tmp/err"); rc=$?
    }
    : >"$tmp/out"; ask "$head" head "$tmp/pi" /v1/models
    check 'a node is served without a key' 0 '[ "$got" = 200 ]' 'grep -q tutti-tiny out'
    : >"$tmp/out"; ask "$head" head - /v1/models; cp "$tmp/fields" "$tmp/fields1"
    check 'who has no certificate gets a bare no' 0 '[ "$got" = 403 ]' '[ ! -s out ]' '! grep -iqE "tutti|server:" fields'
    : >"$tmp/out"; ask "$head" head - /nothing
    check 'the same for what is not there' 0 '[ "$got" = 403 ]' '[ ! -s out ]' '[ "$(grep -vi ^date fields1)" = "$(grep -vi ^date fields)" ]'
    : >"$tmp/out"; ask "$pi" pi - /
    rc=0
    check 'and no handshake at all where nobody can join' 0 '[ "$got" = 000 ]'
    ask "$pi" pi "$tmp/thief" /v1/models
    check 'a node that will be revoked is served' 0 '[ "$got" = 200 ]'
    run cluster revoke --dir "$tmp/head" thief
    check 'it is revoked' 0 'grep -q "thief: 1 certificate taken back; list 1" out'
    for at in head pi; do
        eval "url=\$$at"
        for _ in $(seq 1200); do ask "$url" $at "$tmp/thief" /v1/models; [ "$got" = 000 ] && break; sleep 0.1; done
        rc=0
        check "$at refuses it, and says so" 0 '[ "$got" = 000 ]' "grep -q 'refused thief at 127.0.0.1.*certificate revoked' $at.log"
    done
    ask "$pi" pi "$tmp/head" /v1/models
    check 'the others are served as before' 0 '[ "$got" = 200 ]'
    run cluster trust --dir "$tmp/pi"
    check 'the list has reached the other node' 0 'grep -q "list 1" out'
fi

if [ -z "$TUTTI_GRPC_CLIENT" ] || ! command -v node >/dev/null || [ ! -d "$TUTTI_GRPC_CLIENT/node_modules/@grpc/grpc-js" ]; then
    skip 'grpc-js with certificates' 'no @grpc/grpc-js (npm ci --prefix DIR with tests/serve/grpc'"'"'s files, then TUTTI_GRPC_CLIENT=DIR)'
else
    cp tests/cluster/trust.mjs "$TUTTI_GRPC_CLIENT/trust.mjs"
    js() { CA=$tmp/head timeout 60 node "$TUTTI_GRPC_CLIENT/trust.mjs" "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
    js "$head" head "$tmp/pi"
    check 'grpc-js with a certificate: the node describes itself' 0 'grep -q "^node head$" out'
    js "$head" head -
    check 'grpc-js without: PERMISSION_DENIED' 0 'grep -q "^status 7$" out'
fi
for p in $pids; do kill -TERM "$p"; wait "$p"; done
pids=
if grep -qE "token.*[0-9a-f]{32}" "$tmp"/*.log; then rc=1; else rc=0; fi
check 'no log has a secret' 0
echo "1..$n"
