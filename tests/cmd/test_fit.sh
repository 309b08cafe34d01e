#!/bin/sh
# tests/cmd/test_fit.sh BUILD - `tutti fit`: tables in, tables out, and how it refuses.
tutti=$1/tutti
. tests/tap.sh
XDG_CONFIG_HOME=$tmp/none; export XDG_CONFIG_HOME
run() { "$tutti" fit "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

run --on "rtx 4090" --runtime "lama.cpp" 8b
check "a runtime that nobody knows is named" 2 'grep -q "runtime lama.cpp: not known" err' '[ ! -s out ]'
run --on "rtx 4090" --ctx "$(printf '\001\033[31m')" 8b
check "what is typed does not steer the terminal" 2 'grep -q "ctx ??.31m: a number" err' '[ "$(wc -l <err)" -eq 1 ]'
run --on "Snapdragon 8 Gen 1 (Galaxy S22)" 1b
check "a long name leaves the head within 80 columns" 0 '[ "$(awk "length > 80" out | wc -l)" -eq 0 ]' 'grep -q "^Snapdragon 8 Gen 1 (Galaxy S22):$" out'

head='hardware\tclass\tmem_gb\tmem_bw_gbps\tpeak_fp16_tflops\truntime\tmodel\tparams_b\tactive_b\tquant\tbpw\tctx_or_depth\tpp_tps\ttg_tps'
printf "$head"'\nGeForce RTX 4070 Ti\tnvidia\t12\t504.2\t160\tllama.cpp CUDA\tLlama 3.1 8B\t8.03\t8.03\tQ4_K_M\t4.9\td0 pp512 tg128\t1\t2\nno such thing\ttoaster\t\t\t\t\t\t\t\t\t\t\t\t\n' >"$tmp/in.tsv"
run --rows "$tmp/in.tsv"
check "--rows keeps all columns and adds six" 0 '[ "$(head -1 out | cut -f15-20 | tr "\t" " ")" = "pred_pp pred_tg pp_low pp_high tg_low tg_high" ]' \
    '[ "$(wc -l <out)" -eq 3 ]' '[ "$(cut -f1-14 out)" = "$(cat in.tsv)" ]' 'awk -F"\t" "NR==2 && !(\$16 > 40 && \$16 < 105 && \$19 < \$16 && \$16 < \$20 && \$17 < \$15 && \$15 < \$18) { exit 1 }" out' \
    'awk -F"\t" "NR==3 && (NF != 20 || \$16 != \"\") { exit 1 }" out' '[ ! -s err ]'
"$tutti" fit --rows - <"$tmp/in.tsv" >"$tmp/out2" 2>"$tmp/err"; rc=$?
check "the table may come from stdin" 0 'cmp -s out out2'
printf "$head"'\nGeForce RTX 4070 Ti\tnvidia\t12\n' >"$tmp/in.tsv"
run --rows "$tmp/in.tsv"
check "a ragged table is refused with its line" 1 'grep -q "^tutti: .*in.tsv: line 2: 3 cells, the header has 14" err' '[ "$(wc -l <err)" -eq 1 ]' '[ ! -s out ]'
run --rows /nonexistent.tsv
check "a missing table is one line" 1 '[ "$(wc -l <err)" -eq 1 ]' '[ ! -s out ]'
run --on "rtx 4090,ram=64" --on "epyc 9354,channels=8,mts=4800,ram=256"
check "tables fit 80 columns and mark one choice each" 0 '[ "$(awk "length > 80" out | wc -l)" -eq 0 ]' '[ "$(grep -c "^\* .* with " out)" -eq 2 ]' 'grep -q "^GeForce RTX 4090: NVIDIA GPU, 24 GB (catalog), 1008 GB/s (catalog)" out' \
    'grep -q "307 GB/s (given)" out' 'grep -q "Llama 3.3 70B .*split" out' 'grep -q "DeepSeek R1 .* no " out' 'grep -q "predictions" out' '[ ! -s err ]'
run --on "epyc 9354,channels=8,mts=4800" --explain 8b
check "--explain prints the steps" 0 'grep -q "8 channels x 8 bytes x 4.8 GT/s = 307.2 GB/s" out' 'grep -q "8 CCDs x 1 link x 32 bytes x 1.8 GHz = 460.8 GB/s" out' 'grep -q "FLOP/cycle" out' 'grep -q "K/V" out' '[ "$(awk "length > 80" out | wc -l)" -eq 0 ]'
run --on "rtx 3060 12gb" "llama 3.3 70b"
check "what does not fit is status 1" 1 'grep -q " no " out' '[ ! -s err ]'
run --on "rtx 3060 12gb" --users 8 --ctx 2048 8b "qwen3 4b:Q8_0"
check "users together" 0 'grep -q "all/s" out' 'grep -q "Q8_0" out' '[ "$(awk "length > 80" out | wc -l)" -eq 0 ]'
run --matrix edge
check "--matrix edge is the seed's table" 0 'grep -q "^Raspberry Pi 5 (8GB) .*---.*---.*---" out' 'grep -q "Coral (CPU alone)" out' '[ "$(grep -c -- "[0-9]-[0-9]" out)" -ge 9 ]' '[ "$(awk "length > 80" out | wc -l)" -eq 0 ]'
run --on "Mac mini M4 16GB" --on "Mac mini M4 16GB" --split "10 Gbit/s Ethernet" 8b 30b-a3b 70b
check "--split makes one of several" 0 'grep -q "link: 10 Gbit/s Ethernet" out' 'grep -q "^30b-a3b .*fits" out' 'grep -q "^70b .*no" out'
run --on "rtx 4090" --split "10 Gbit/s Ethernet" 8b
check "--split needs two" 2 '[ "$(wc -l <err)" -eq 1 ]'
run --on "rtx 4090,colour=red"
check "a wrong key is named" 1 "grep -q \"no key 'colour'\" err" '[ "$(wc -l <err)" -eq 1 ]' '[ ! -s out ]'
run --on "rtx 4090" "no such model"
check "a wrong model is one line" 1 '[ "$(wc -l <err)" -eq 1 ]' '[ ! -s out ]'
run --root tests/hw/machines/raspberry-pi-5.tree 1b 70b
check "a recorded machine" 0 'grep -q "^Raspberry Pi 5: .* 17.1 GB/s" out' 'grep -q "^\* *1b .*fits" out' 'grep -q "70b .* no " out' '[ ! -s err ]'
run 0.1b
check "this machine, whatever it is" 0 'grep -q "0.1b" out' '[ "$(awk "length > 80" out | wc -l)" -eq 0 ]'
run --matrix core
check "there is one matrix" 2 '[ "$(wc -l <err)" -eq 1 ]'
if command -v python3 >/dev/null; then
    run --on "rtx 4090,ram=64" --on "Ryzen 9 7950X" --users 2 --json 8b 70b
    check "json has what docs/json.md says" 0 'python3 - out <<"PY"
import json, sys
d = json.load(open(sys.argv[1]))
assert set(d) == {"n_ctx", "n_users", "devices"} and d["n_users"] == 2 and len(d["devices"]) == 2
for v in d["devices"]:
    assert set(v) == {"name", "class", "runtime", "n_devices", "memory_bytes", "usable_bytes", "bandwidth_gbps", "fp16_tflops", "fp32_tflops", "link_gbps", "from", "steps", "catalog_source", "corrected", "models"}, set(v)
    assert set(v["from"]) == {"memory", "bandwidth", "fp16", "fp32", "int8", "cores", "load_w", "idle_w", "price", "link"}
    for m in v["models"]:
        assert set(m) == {"model", "quant", "runtime", "params", "active_params", "weight_bytes", "kv_bytes", "compute_bytes", "runtime_bytes", "total_bytes", "is_exact", "fits", "layers_on_device", "layers", "pp_tps", "tg_tps", "ttft_ms", "users_tps", "load_disk_s", "load_link_s", "use_cases", "localscore_cases", "is_best", "why"} and len(m["localscore_cases"]) == 9, set(m)
        assert set(m["use_cases"]) == {"UC1", "UC2", "UC3", "UC4"}
        for r in ("pp_tps", "tg_tps", "ttft_ms"):
            assert m[r] is None or m[r]["low"] <= m[r]["mid"] <= m[r]["high"]
card, cpu = d["devices"]
assert card["models"][0]["fits"] == "fits" and card["models"][1]["fits"] == "split" and card["memory_bytes"] == 24000000000
assert cpu["memory_bytes"] is None and cpu["models"][0]["fits"] is None and cpu["from"]["memory"] is None
PY'
    run --matrix edge --json
    check "the matrix as json" 0 'python3 -c "import json; d = json.load(open(\"out\")); assert len(d[\"devices\"]) == 9 and all(len(v[\"models\"]) == 6 for v in d[\"devices\"])"'
    run --on "Mac mini M4 16GB" --on "Mac mini M4 16GB" --split "10 Gbit/s Ethernet" --json 8b
    check "the split as json" 0 'python3 -c "import json; d = json.load(open(\"out\")); assert set(d) == {\"link\", \"link_gbps\", \"latency_us\", \"models\"} and set(d[\"models\"][0]) == {\"model\", \"quant\", \"fits\", \"pp_tps\", \"tg_tps\", \"shares\"} and d[\"models\"][0][\"fits\"]"'
fi
echo "1..$n"
