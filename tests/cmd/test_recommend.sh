#!/bin/sh
# tests/cmd/test_recommend.sh BUILD - `tutti recommend`: its questions, its answers, its JSON and page, and how it ends.
tutti=$1/tutti
. tests/tap.sh
run() { XDG_CONFIG_HOME=$tmp HOME=$tmp "$tutti" recommend "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; rc=$?; }
fits='! grep -qE "^.{81,}" out'

printf '2000\ninference\nhome\n14\ncost\nnone\n' >"$tmp/in"
XDG_CONFIG_HOME=$tmp HOME=$tmp "$tutti" recommend <"$tmp/in" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "called bare it asks, and answers what was answered" 0 "$fits" 'grep -q "Budget in USD" err' 'grep -q "Place" err' 'grep -q "14B" out' 'grep -q "cost, at most" out' 'grep -q "2,000" out'
XDG_CONFIG_HOME=$tmp HOME=$tmp "$tutti" recommend </dev/null >"$tmp/out" 2>"$tmp/err"; rc=$?
check "no answers take the presets" 0 'grep -q "8B" out' 'grep -q "at most .1,500" out'
printf 'much\n' | XDG_CONFIG_HOME=$tmp HOME=$tmp "$tutti" recommend >"$tmp/out" 2>"$tmp/err"; rc=$?
check "an answer that is no number is said" 1 'grep -q "^tutti: budget: .much" err' '[ ! -s out ]'
if python3 -c 'import pty' 2>/dev/null; then
    cat >"$tmp/terminal.py" <<'PY'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "recommend"])
os.write(fd, b"2000\n\n\n\n\n\n")
out = b""
while True:
    try:
        piece = os.read(fd, 65536)
    except OSError:
        break
    if not piece:
        break
    out += piece
sys.stdout.write(out.decode(errors="replace").replace("\r", ""))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
    XDG_CONFIG_HOME=$tmp HOME=$tmp python3 "$tmp/terminal.py" "$tutti" >"$tmp/out" 2>"$tmp/err"; rc=$?
    check "it asks at a terminal too" 0 'grep -q "An eGPU dock" out' 'grep -q "at most .2,000" out' 'grep -q "the whole system" out'
fi
run --dock 'beelink ex dock' --slots 1 --ecc --duty --size 14 --budget 1200
check "the seed's conversation ends at the RTX A4000" 0 "$fits" 'grep -q "^1  *RTX A4000" out' 'grep -q "140 W stay within the 375 W" out' 'grep -q "launch price is of 2021" out'
check "a price of years ago is marked" 0 'grep -qE "RTX A4000 +.1,000\*" out' 'grep -q "ranked as if twice as dear" out' 'grep -q "may be sold used only" out'
check "the answer has its parts" 0 'grep -q "what would change the answer" out' 'grep -q "when it gets too small" out' 'grep -q "rented instead" out' 'grep -q "predicted" out'
run --budget 1500 --size 14
check "a card comes with its whole system" 0 "$fits" 'grep -q "^Power supply" out' 'grep -q "^total" out' 'grep -q "catalog, 2026" out'
if [ -w /dev/full ]; then
    "$tutti" recommend --budget 2000 --json >/dev/full 2>"$tmp/err"; rc=$?; : >"$tmp/out"
    check "a full disk does not look like success, however long the answer" 1 '[ "$(wc -l <err)" -eq 1 ]'
fi
run --budget 60 --size 70
check "nothing within the limits: the answer is no" 1 'grep -q "nothing in the catalog" out' 'grep -q "with .[0-9]" out' '[ ! -s err ]'
run --budget 9000 --size 8 --consider 'rtx 4090' --consider 'dgx spark'
check "what is considered is judged, with its warning" 0 "$fits" 'grep -qE "RTX 4090.*: choice" out' 'grep -q "for inference alone" out'
run --size 70 --consider 'rtx 4090'
check "what does not fit is refused with the reason" 0 'grep -q "RTX 4090.*: " out'
run --size 32 --quant F16 --place datacentre --budget 200000
check "sixteen bits where four would do earn a warning" 0 'grep -q "F16: 4 bits a weight (Q4_K_M) need" out'
run --size 3 --place edge --budget 300
check "at the edge: boards" 0 'grep -qE "Jetson|Raspberry" out' '! grep -q "GeForce" out'
run --place moon
check "a place that is not known is wrong usage" 2 'grep -q "home, office, edge" err' '[ $(wc -l <err) -eq 1 ]'
run --model 'no such model' --budget 500
check "a model that is not known is one line" 1 '[ $(wc -l <err) -eq 1 ]'
run --budget 1500 --size 14 --checklist
check "the checklist of the seeds" 0 "$fits" '[ $(grep -c "^  \[" out) -eq 22 ]' 'grep -q "sign-off" out'
run --budget 1500 --size 14 --json --consider 'rtx 4090'
check "json has what docs/json.md says" 0 'python3 - out <<"PY"
import json, sys
d = json.load(open(sys.argv[1]))
assert list(d) == "model budget_usd dock candidates choices considered what_would_change_it upgrades cloud".split(), list(d)
c = d["choices"][0]
want = "hardware count used owned price total_usd tco_usd memory_bytes need_bytes memory_frac tg_tps pp_tps load_w card_w slots tokens_per_joule usd_per_mtok effort use_cases refused_for warnings reasons warning_texts parts".split()
assert list(c) == want, list(c)
assert all(x["total_usd"] <= 1500 and x["refused_for"] == [] and x["need_bytes"] <= x["memory_bytes"] for x in d["choices"])
assert d["considered"][0]["hardware"] == "GeForce RTX 4090" and "budget" in d["considered"][0]["refused_for"]
assert all(x["price"]["date"] for x in d["choices"]) and all(p["date"] and p["source"] for p in c["parts"])
assert len(d["cloud"]) == 2 and d["cloud"][0]["provider"] != d["cloud"][1]["provider"]
assert d["dock"] is None and len(c["warnings"]) <= len(c["warning_texts"])
PY'
run --budget 1500 --size 14 --html "$tmp/page.html"
check "a page with pictures and the checklist" 0 'grep -q "</html>" page.html' 'grep -q "<svg" page.html' 'grep -q "Speed against price" page.html' 'grep -q "Validation checklist" page.html' '! grep -qE "(src|href)=.https?:" page.html'
run --budget 60 --size 70 --html "$tmp/none.html"
check "no answer makes a page too" 1 'grep -q "Nothing in the catalog" none.html'
echo "1..$n"
