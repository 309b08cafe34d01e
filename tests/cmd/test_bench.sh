#!/bin/sh
# tests/cmd/test_bench.sh BUILD - `tutti bench`: the score alone, wrong usage, what is printed, kept, and left when it is stopped.
# plain build only: it measures; what it calls is in tests/bench and tests/llm.
tutti=$1/tutti
model=models/tutti-tiny.gguf
. tests/tap.sh
unset XDG_CONFIG_HOME
export XDG_DATA_HOME="$tmp/data" HOME="$tmp"
run() { "$tutti" bench "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

run --score 3552.2600615555557 103.1011972222222 357.87756411111104
check "the score of a published run, the number alone" 0 '[ "$(cat out)" = 1007.73110282 ]' '[ ! -s err ]'
run --score 265.81043611111113 14.275531444444445 5575.0480646666665
check "the score of another" 0 '[ "$(cat out)" = 87.96405316 ]'
run --score 1 2
check "two figures are no score" 2 '[ ! -s out ]' '[ $(wc -l <err) -eq 1 ]'
run --score 1 0 3
check "nothing per second has no score" 2 '[ ! -s out ]'
run --score 1 2x 3
check "a figure is a number" 2 '[ ! -s out ]' 'grep -q 2x err'
run --localscore
check "nine tests need a model" 2 '[ $(wc -l <err) -eq 1 ]' 'grep -q MODEL err'
run "$model" --soak soon
check "a soak needs a time" 2 '[ $(wc -l <err) -eq 1 ]'
run "$model" another.gguf
check "one model at a time" 2 '[ ! -s out ]'
run "$model" --json --csv
check "one format at a time" 2 '[ ! -s out ]'
run /nonexistent.gguf --engine
check "a missing model is one line" 1 '[ $(wc -l <err) -eq 1 ]'
[ ! -e "$tmp/data" ]; rc=$?
check "none of these kept anything" 0

"$tutti" bench history >"$tmp/out" 2>"$tmp/err"; rc=$?
check "a history without runs says so" 0 'grep -q "nothing kept yet" out'
run "$model" --tests pp512,tg64,pp2x
check "a test is ppN or tgN" 2 '[ ! -s out ]' 'grep -q "pp2x.*ppN" err' '[ $(wc -l <err) -eq 1 ]'
run "$model" --tests tg16 --threads 0
check "threads are numbers above 0" 2 '[ ! -s out ]' 'grep -q "threads" err'
run "$model" --tests tg16 --quick
check "one list at a time" 2 '[ ! -s out ]'
run --tests tg16
check "tests need a model" 2 'grep -q MODEL err'
run "$model" --tests pp64,tg8,tg8@100,tg4*3 --threads 1,2 --rounds 2 --no-store --json
check "the tests that were asked for, on each number of threads" 0 'python3 - out <<"PY"
import json, sys
d = json.load(open(sys.argv[1]))
want = [("pp64", 0, 1), ("tg8", 0, 1), ("tg8", 100, 1), ("tg4", 0, 3)]
assert [(r["test"], r["depth"], r["batch"], r["threads"]) for r in d["results"]] == [w + (n,) for n in (1, 2) for w in want], d["results"]
for r in d["results"]:
    limit = d["limits"][{"read": "read_gbps", "int8": "int8_gops", "bf16": "bf16_gflops", "f32": "f32_gflops"}[r["limit"]]]
    assert limit > 0 and r["tps_min"] <= r["tps"] <= r["tps_max"] and r["bytes_per_token"] > 0 and r["ops_per_token"] > 0, r
    assert d["machine"]["threads"] == 2 and d["localscore"] is None
PY'
run "$model" --tests pp64,tg1,tg8,tg4*4 --rounds 1 --threads 1 --no-store --svg "$tmp/roof.svg"
check "the roofline is a picture of its own" 0 'grep -q "<svg" roof.svg' 'grep -q "tg4 x 4" roof.svg' 'grep -q "then int8" roof.svg'
run "$model" --tests pp512,tg64 --rounds 1 --threads 1 --json
check "json has what docs/json.md says" 0 'python3 - out <<"PY"
import json, sys
d = json.load(open(sys.argv[1]))
want = "machine time version interrupted model model_info limits memory_reads peaks results energy localscore comparison soak".split()
assert list(d) == want, list(d)
assert list(d["machine"]) == "cpu cpu_level cores threads memory_bytes".split(), d["machine"]
assert list(d["limits"]) == "read_gbps int8_gops bf16_gflops f32_gflops theoretical_gbps theoretical_from".split()
assert [r["test"] for r in d["results"]] == ["pp512", "tg64"]
for r in d["results"]:
    assert list(r) == "test threads depth batch tps tps_min tps_max share_of_limit limit bytes_per_token ops_per_token ttft_ms joules_per_token joules_kind".split(), r
    assert r["threads"] == 1 and r["tps"] > 0 and r["share_of_limit"] > 0
assert d["results"][0]["ttft_ms"] > 0 and d["results"][1]["ttft_ms"] is None
assert d["model_info"]["params"] > 0 and d["model_info"]["load_ms"] > 0 and d["interrupted"] is False
PY' '[ ! -s err ]'
case $(cd "$tmp" && find data -name tutti.db) in data/tutti/tutti.db) has_store=true ;; *) has_store=false ;; esac
run "$model" --quick --threads 1 --html "$tmp/page.html"
check "quick projects a score and says how sure it is" 0 'grep -q "^LocalScore [0-9]* +- [0-9]* % (projected" out' '[ $(awk "length > 80" out | wc -l) -eq 0 ]'
check "the page needs nothing from elsewhere" 0 'grep -q "</html>" page.html' '! grep -qE "(src|href)=|@import|<script" page.html' 'grep -q Roofline page.html'
if command -v xmllint >/dev/null; then
    xmllint --noout "$tmp/page.html" 2>"$tmp/err"; rc=$?
    check "the page is well-formed" 0
fi
run "$model" --tests pp512,tg64 --rounds 1 --threads 1 --csv --no-store
check "csv begins with its columns" 0 'head -1 out | grep -q "^section,test,threads,depth,batch,streams,bytes,value,unit,min,max,share_of_limit,kind$"' 'grep -q "^results,tg64,1,0,1," out'
if $has_store; then
    "$tutti" bench history --json >"$tmp/out" 2>"$tmp/err"; rc=$?
    check "history shows the runs that were kept and their drift" 0 'python3 - out <<"PY"
import json, sys
d = json.load(open(sys.argv[1]))
assert list(d) == ["runs", "drift"] and len(d["runs"]) == 2, d
for r in d["runs"]:
    assert list(r) == "id time version machine cpu_level threads model results".split(), r
    for k in r["results"]:
        assert list(k) == "test depth batch value unit share_of_limit kind".split(), k
assert [k["test"] for k in d["runs"][0]["results"] if k["test"][:2] in ("pp", "tg")] == ["pp512", "tg64"]
read = [k for k in d["drift"] if k["test"] == "read"]
assert len(read) == 1 and read[0]["n_before"] == 1 and read[0]["change_frac"] is not None, read
assert list(read[0]) == "machine model test threads depth batch n_before median last unit change_frac share_change_frac".split(), read
PY'
    "$tutti" bench history >"$tmp/out" 2>"$tmp/err"; rc=$?
    check "history fits the terminal" 0 'grep -q tutti-tiny out' '[ $(awk "length > 80" out | wc -l) -eq 0 ]'
    echo "not a database, but long enough to look like one: 0123456789012345678901234567890123456789012345678901234567890" >"$tmp/data/tutti/tutti.db"
    run "$model" --tests pp512,tg64 --rounds 1 --threads 1
    check "a damaged store is a warning, never a failure" 0 'grep -q "^tutti: warning: this run is not kept: .*tutti.db" err' '[ $(wc -l <err) -eq 1 ]' 'grep -q tg64 out'
    "$tutti" bench history >"$tmp/out" 2>"$tmp/err"; rc=$?
    check "a damaged history is one line" 1 '[ $(wc -l <err) -eq 1 ]' '[ ! -s out ]'
    export XDG_DATA_HOME=/dev/null/data
    run "$model" --tests pp512,tg64 --rounds 1 --threads 1
    check "a store that cannot be written is a warning" 0 'grep -q "^tutti: warning: " err'
    export XDG_DATA_HOME="$tmp/data"
fi
run "$model" --tests pp512,tg64 --rounds 1 --threads 1 --no-store
check "--no-store asks nothing of the store" 0 '[ ! -s err ]'
# stopped: wait until tutti (no longer the shell that became it) catches the signal: SigCgt of proc(5)
"$tutti" bench "$model" --soak 1h --threads 1 --json --no-store >"$tmp/out" 2>"$tmp/err" & pid=$!
tries=0
while [ $((tries += 1)) -lt 1200 ] && kill -0 $pid 2>/dev/null && ! awk '/^Name/ { is_it = $2 == "tutti" } /^SigCgt/ { exit is_it && index("2367abef", substr($2, length($2), 1)) ? 0 : 1 }' /proc/$pid/status 2>/dev/null; do sleep 0.05; done
kill -INT $pid; wait $pid; rc=$?
check "ctrl-c prints what was measured" 1 'python3 -c "import json; d = json.load(open(\"out\")); assert d[\"interrupted\"] is True and d[\"limits\"][\"read_gbps\"] > 0 and d[\"soak\"]"' \
    'grep -q "stopped" err' '[ $(wc -l <err) -eq 1 ]'
run "$model" --soak 1s --threads 1 --no-store
check "a soak prints its curve" 0 'grep -q "tg tokens/s" out'
echo "1..$n"
