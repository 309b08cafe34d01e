# tests/tap.sh - what test scripts share: a folder of their own, TAP lines, a check of status, output and files.
# A script says `. tests/tap.sh` after `tutti=$1/tutti`; its run() leaves $tmp/out, $tmp/err and the status in $rc.
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; sed 's/^/# /' "$tmp/out" "$tmp/err" | head -n 40; }
# check NAME WANTED-STATUS COMMAND...: the status is in $rc; every command must succeed in $tmp
check() {
    name=$1 want=$2; shift 2
    good=true
    [ "$rc" -eq "$want" ] || good=false
    for c in "$@"; do (cd "$tmp" && eval "$c") || good=false; done
    if $good; then ok "$name"; else not_ok "$name"; fi
}
