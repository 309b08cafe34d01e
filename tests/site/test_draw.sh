#!/bin/sh
# tests/site/test_draw.sh BUILD - `tutti cluster draw` and GET /topology: files of every kind, keys, and
# (with node, npm's playwright-core and a Chromium) the page in a real browser: TUTTI_BROWSER=DIR, where `npm ci`-like of
# tests/site/browser's package was made; TUTTI_CHROMIUM, else `chromium` is looked for.  Prints TAP.
# plain build only: the time is the browser's; the drawing is in tests/site and tests/page.
build=${1:-build}
tutti=$build/tutti
. tests/tap.sh
pid= locked=
trap '[ -n "$pid" ] && kill -9 "$pid" 2>/dev/null; [ -n "$locked" ] && kill -9 "$locked" 2>/dev/null; rm -rf "$tmp"' EXIT
export no_proxy='*' XDG_STATE_HOME="$tmp" XDG_CONFIG_HOME="$tmp"
home=examples/homelab
skip() { n=$((n + 1)); echo "# skipped: $2"; echo "ok $n - $1 # SKIP"; }
draw() { "$tutti" cluster draw "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

for what in topology experts cascade; do
    draw $home/inventory.yaml --what $what --out "$tmp/$what.svg"
    check "$what.svg is written, with a line to embed it" 0 "grep -q '<img src=\"$what.svg\"' err"
    draw $home/inventory.yaml --what $what --narrow --out "$tmp/$what-narrow.svg"
    check "$what for phones is 390 wide" 0 "head -c 300 $what-narrow.svg | grep -q 'viewBox=\"0 0 390 '"
    for kind in dot mmd; do
        draw $home/inventory.yaml --what $what --out "$tmp/$what.$kind"
        check "$what.$kind is written" 0 "[ -s $what.$kind ]"
    done
done
draw $home/inventory.yaml --out "$tmp/topology.html" --quiet
check "the page has all three pictures and asks nobody" 0 '[ $(grep -c "<section data-what=" topology.html) -eq 3 ]' '! grep -E -q "src=|@import|url\(" topology.html'
draw $home/inventory.yaml --out "$tmp/saved.json"
draw "$tmp/saved.json" --out "$tmp/again.svg"
check "a saved .json is drawn the same again" 0 'cmp again.svg topology.svg'
draw tests/site/hostile.json --out "$tmp/hostile.html"
check "hostile names make a page" 0 '! grep -q "<img" hostile.html' '[ $(grep -o "<script" hostile.html | wc -l) -eq 2 ]'
for what in topology experts cascade; do draw tests/site/hostile.json --what $what --out "$tmp/hostile-$what.svg"; for kind in dot mmd; do draw tests/site/hostile.json --what $what --out "$tmp/hostile-$what.$kind"; done; done
rc=0
if command -v xmllint >/dev/null; then
    check "xmllint reads every SVG" 0 'xmllint --noout *.svg'
else skip "xmllint reads every SVG" "no xmllint"; fi
if command -v dot >/dev/null; then
    check "Graphviz draws every .dot" 0 'for f in *.dot; do dot -Tsvg "$f" >dot.svg && [ -s dot.svg ] || exit 1; done' '! dot -Tsvg topology.dot 2>&1 >/dev/null | grep -q .'
else skip "Graphviz draws every .dot" "no dot (graphviz)"; fi

draw
check "nothing to draw is wrong usage" 2 '[ "$(wc -l <err)" -eq 1 ]'
draw $home/inventory.yaml
check "no --out is wrong usage" 2 '[ "$(wc -l <err)" -eq 1 ]'
draw $home/inventory.yaml --out "$tmp/x.pdf"
check "an unknown ending is wrong usage" 2 'grep -q svg err'
draw $home/inventory.yaml --what houses --out "$tmp/x.svg"
check "an unknown picture is wrong usage" 2 'grep -q "topology, experts, cascade" err'
draw "$tmp/none.yaml" --out "$tmp/x.svg"
check "an inventory that is not there is refused" 1 '[ "$(wc -l <err)" -eq 1 ]' '[ ! -e x.svg ]'
echo '[]' >"$tmp/%s%n.json"
draw "$tmp/%s%n.json" --out "$tmp/x.svg"
check "a saved file that makes no sense is refused by its name" 1 'grep -qF "%s%n.json" err' '[ ! -e x.svg ]'
draw --live http://127.0.0.1:1 --out "$tmp/x.svg"
check "a node that is not there is refused" 1 '[ "$(wc -l <err)" -eq 1 ]' '[ ! -e x.svg ]'

# ---- live ----
model=models/tutti-tiny.gguf
url= key_url=
start() { # start NAME OPTIONS...: sets up, started; waits until it is healthy
    said=$tmp/$1.said; shift
    : >"$said"
    "$tutti" serve --listen 127.0.0.1:0 "$@" "$model" >"$said" 2>"$said.err" &
    started=$!
    for i in $(seq 1200); do
        up=$(sed -n 's/^listening on //p' "$said")
        [ -n "$up" ] && [ "$(curl -s -o /dev/null -w '%{http_code}' "$up/healthz")" = 200 ] && return 0
        kill -0 "$started" 2>/dev/null || break
        sleep 0.05
    done
    cat "$said.err" >&2
    return 1
}
if [ -r "$model" ] && command -v curl >/dev/null && start open; then
    url=$up pid=$started
    curl -s -D "$tmp/head" -o "$tmp/page.html" "$url/topology"; rc=$?
    check "GET /topology is a page with a policy" 0 'grep -qi "^content-security-policy: default-src .none.; script-src .sha256-" head' 'grep -q tutti-tiny page.html' '! grep -q unsafe head'
    if command -v openssl >/dev/null; then
        python=$(sed -n '/^<script>/,/^<\/script>/p' "$tmp/page.html" | sed '1s/^<script>//' | sed '$d' | openssl dgst -sha256 -binary | openssl base64)
        check "its script is the one of the policy" 0 "grep -qF \"sha256-$python\" head"
    fi
    curl -s -o "$tmp/t.json" "$url/topology.json"; rc=$?
    check "GET /topology.json says who is there" 0 'grep -q "\"live\":true" t.json' 'grep -q "\"name\":\"tutti-tiny\"" t.json'
    draw --live "$url" --what experts --out "$tmp/live.svg"
    check "--live draws it" 0 'grep -q tutti-tiny live.svg' 'grep -q "measured now" live.svg'
    echo "a-key-of-the-house" >"$tmp/keys"; chmod 600 "$tmp/keys"
    if start locked --key-file "$tmp/keys"; then
        key_url=$up locked=$started
        code=$(curl -s -o "$tmp/locked.html" -w '%{http_code}' "$key_url/topology"); rc=$code
        check "with keys a page without one is refused, and tells nothing" 401 '! grep -q tutti-tiny locked.html' 'grep -q "wants a key" locked.html'
        rc=$(curl -s -o /dev/null -w '%{http_code}' "$key_url/topology?part")
        check "so is its inside" 401
        rc=$(curl -s -o /dev/null -w '%{http_code}' "$key_url/topology.json")
        check "and its figures" 401
        rc=$(curl -s -o "$tmp/t.json" -w '%{http_code}' -H 'authorization: Bearer a-key-of-the-house' "$key_url/topology.json")
        check "with the key they are there" 200 'grep -q tutti-tiny t.json'
        draw --live "$key_url" --out "$tmp/x.svg"
        check "--live without the key is refused" 1 'grep -q "key" err'
        draw --live "$key_url" --key-file "$tmp/keys" --out "$tmp/x.svg"
        check "--live with it draws" 0 '[ -s x.svg ]'
    fi
else skip "GET /topology" "no model or no curl"; fi

# ---- in a browser ----
chromium=${TUTTI_CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}
if [ -n "$TUTTI_BROWSER" ] && [ -d "$TUTTI_BROWSER/node_modules/playwright-core" ] && [ -x "$chromium" ] && command -v node >/dev/null; then
    node tests/site/browser/page.mjs "$TUTTI_BROWSER" "$chromium" "$tmp/topology.html" "$tmp/hostile.html" ${url:+"$url"} ${key_url:+"$key_url" a-key-of-the-house} >"$tmp/browser" 2>&1
    rc=$?
    while IFS= read -r line; do
        case $line in
        'ok - '*) ok "${line#ok - }" ;;
        'not ok - '*) n=$((n + 1)); echo "not ok $n - ${line#not ok - }" ;;
        *) printf '# %s\n' "$line" ;;
        esac
    done <"$tmp/browser"
    check "the browser gets to its end" 0
else skip "the page in a real browser" "no playwright-core (TUTTI_BROWSER=DIR) or no Chromium"; fi
echo "1..$n"
