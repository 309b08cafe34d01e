#!/bin/sh
# tests/cmd/test_cost.sh BUILD - `tutti cost`: what it prints, its JSON, its page, and how it ends.
tutti=$1/tutti
. tests/tap.sh
run() { XDG_CONFIG_HOME=$tmp HOME=$tmp "$tutti" cost "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
fits='! grep -qE "^.{81,}" out'

run
check "without --on it is wrong usage" 2 '[ ! -s out ]' '[ $(wc -l <err) -eq 1 ]'
run --on 'no such thing'
check "unknown hardware is one line" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "no such thing" err'
run --on 'rtx 4090' --hours 4 --kwh 0.12 --scenarios --against 'rtx 4070' --tps 100
check "the whole answer fits 80 columns" 0 "$fits" 'grep -q "^total " out' 'grep -q "break-even" out' 'grep -q "always on" out' '[ ! -s err ]'
check "prices have their date" 0 'grep -q "purchase.*20[0-9][0-9]" out' 'grep -q "^against" out' 'grep -q "launch price, 2023" out'
check "a dear card for inference alone earns its warning" 0 'grep -q "^warning .*inference alone" out'
run --on "rtx 4090" --hours 10 --kwh 0.15
check "power that weighs is said" 0 'grep -q "power is significant" out'
run --on 'rtx 4090' --hours 24 --kwh 0.15
check "renting for steady work earns its warning" 0 'grep -q "^warning .*steady" out'
run --on 'rtx 4090' --hours 24 --kwh 0.15 --training --pue 1.3 --usd 600
check "power that is a major cost is said" 0 'grep -q "major cost" out'
run --on 'rtx a4000'
check "no offer in the catalog is said" 0 'grep -q "no offer with this GPU" out' 'grep -q "derived, not measured" out' 'grep -q "assumed" out'
run --on 'a100 80gb pcie' --hours 24
check "an unknown price stays unknown" 0 'grep -q "price not known" out' 'grep -q "unknown" out'
run --on 'rtx 4090' --region germany
check "another currency is refused with the way out" 1 'grep -q -- "--kwh" err' '[ ! -s out ]'
run --on 'rtx 4090' --hours 30
check "a day has 24 hours" 2 '[ $(wc -l <err) -eq 1 ]'
run --on 'rtx 4090' --hours 24 --peak 3 --peak-hours 100 --kwh 0.12
check "peaks are rented, the base is owned" 0 'grep -q "hybrid" out' 'grep -q "own 1, rent 3" out'
run --on 'rtx 4090' --json --against 'rtx 4070' --requests-per-month 1e6 --requests-per-s 5
check "json has what docs/json.md says" 0 'python3 - out <<"PY"
import json, sys
d = json.load(open(sys.argv[1]))
want = "hardware count price watts electricity_usd_kwh terms use tco power_weight owned_usd_year owned_usd_hour cloud compute tokens requests against".split()
assert list(d) == want, list(d)
assert d["price"]["date"] and d["price"]["source"] and d["cloud"]["date"]
assert [t["years"] for t in d["tco"]] == [3, 5]
assert [s["name"] for s in d["cloud"]["scenarios"]][-1] == "always on"
assert d["tokens"]["tg_tps"] is None and d["requests"]["average_per_s"] > 0.38
assert d["against"]["verdict"] in ("unknown", "at_once", "worth", "late", "never")
PY'
run --on 'rtx a4000' --json
check "unknown is null" 0 'grep -q "\"cloud\":null" out' 'grep -q "\"against\":null" out'
run --on "rtx 4090" --html "$tmp/page.html"
check "a page is written beside the text" 0 'grep -q "</html>" page.html' 'grep -q "<svg" page.html' '! grep -qE "(src|href)=.https?:" page.html' 'grep -q purchase out'
run --on 'rtx 4090' --html -
check "the page can go to stdout alone" 0 'head -1 out | grep -qi "<!doctype html>"' '! grep -q "^purchase" out'
run --on 'rtx 4090' --html /nonexistent/x.html
check "a page that cannot be written is a failure" 1 '[ $(wc -l <err) -eq 1 ]'
mkdir -p "$tmp/tutti/catalog"
printf 'name,launch_price_usd,source,date\nGeForce RTX 4090,1234,my shop,2026-11\nMy card,55,me,2026\n' >"$tmp/tutti/catalog/gpu.csv"
run --on 'my card' --watts 50
check "a user's own row is used" 0 'grep -q "\$55" out'
echo "1..$n"
