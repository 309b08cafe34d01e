#!/bin/sh
# tests/cmd/test_catalog.sh BUILD - `tutti catalog`: tables, filters, the chooser, the user's rows, JSON.
tutti=$1/tutti
. tests/tap.sh
XDG_CONFIG_HOME=$tmp/none; export XDG_CONFIG_HOME
run() { "$tutti" catalog "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
fits='! LC_ALL=C.UTF-8 grep -q "^.\{81\}" out'

run
check "without a table it lists the tables" 0 'grep -q "^gpu  *[0-9]" out' 'grep -q "^runtime " out' "$fits"
run toasters
check "a table that does not exist is one line that names those that do" 1 '[ ! -s out ]' '[ $(wc -l <err) -eq 1 ]' 'grep -q "there are accelerator" err'
for t in $("$tutti" catalog | awk 'NR > 1 { print $1 }'); do
    run "$t"
    check "table $t fits 80 columns and has no empty title" 0 "$fits" '[ $(wc -l <out) -gt 5 ]'
done
run gpu "rtx4090"
check "one row is shown whole, with source and date" 0 'grep -q "^name  *GeForce RTX 4090$" out' 'grep -q "^mem_gb  *24$" out' 'grep -q "^source" out' 'grep -q "^date  *20" out' "$fits"
run gpu nvidia 'mem_gb>=16' 'tdp_w<=140' n_slots=1 kind=workstation
check "conditions on columns: single-slot workstation cards of 16 GB and at most 140 W" 0 'grep -q "^RTX A4000 " out' 'grep -q "RTX 4000 Ada" out' '[ $(wc -l <out) -eq 4 ]'
run gpu geforce --sort -mem_bw_gbps
check "sorted downwards" 0 'sed -n 2p out | grep -q "RTX 5090"'
run gpu --sort speed
check "a column that does not exist" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "no column" err'
run gpu --columns name,price
check "--columns names those that exist" 1 'grep -q "no column .price.; there are name alias" err' '[ $(wc -l <err) -eq 1 ]'
run gpu "rtx 4909"
check "a typo gets a hint" 1 'grep -q "near: GeForce RTX 4090" err' '[ ! -s out ]'
run model llama 'params_b<2' --json
check "json of rows" 0 'grep -q "^{\"table\":\"model\",\"rows\":\[{\"name\":\"" out' 'grep -q "\"params_b\":1.236,\"active_b\":null" out' 'grep -q "\"is_user_row\":false}" out' '[ $(wc -l <out) -eq 1 ]'
run --json
check "json of tables" 0 'grep -q "^{\"tables\":\[{\"name\":\"accelerator\",\"rows\":[0-9]*,\"help\":\"" out'

run runtime --for "rtx 3060 12gb" --task llm --model "my model.gguf" --command
check "the launch line alone: env, command, quoted name" 0 'grep -q "^llama-server -m .my model.gguf. -ngl 99 " out' '[ $(grep -vc "^# once: " out) -eq 1 ]'
run runtime --for "raspberry pi 5"
check "the chooser's page" 0 'sed -n 1p out | grep -q "^Raspberry Pi 5, llm$"' 'grep -q "^  threads   4$" out' 'grep -q "^  precision " out' 'grep -q "^  batch " out' 'grep -q "^  buffers " out' 'grep -q "^  source " out' "$fits"
run runtime --for "h100 sxm" --json
check "json of the chooser" 0 'grep -q "^{\"name\":\"H100 SXM 80GB\",\"hardware\":{\"name\":\"H100 SXM 80GB\"" out' 'grep -q "\"task\":\"llm\",\"choices\":\[{\"row\":{\"name\":" out' 'grep -q "\"launch\":\"trtllm-serve MODEL " out' 'grep -q "\"prepare\":null" out'
run runtime --for here --task stt --command
check "for this machine, whatever it is" 0 'grep -q "^whisper-server -m MODEL " out'
run runtime --for "coral usb" --task llm
check "nothing is made up where nothing runs" 1 '[ ! -s out ]' 'grep -q "no runtime known" err'
run runtime --for "m2 ultra 76" --task vision --command
check "a runtime without a launch line says so" 1 'grep -q "inside a program" err'
run runtime --for "rtx 4090" --task cooking
check "an unknown task is wrong usage" 2 'grep -q "llm, vision, stt, tts" err'
run gpu --for "rtx 4090"
check "--for goes with runtime" 2
run runtime --command
check "--command goes with --for" 2

mkdir -p "$tmp/own" "$tmp/xdg/tutti/catalog"
printf 'name,launch_price_usd,mem_gb,source,date\nGeForce RTX 4090,1111,,my shop,2026-11-20\nMy Card,,12,me,2026\n' >"$tmp/own/gpu.csv"
cp "$tmp/own/gpu.csv" "$tmp/xdg/tutti/catalog/gpu.csv"
run gpu "my card" --catalog "$tmp/own"
check "--catalog adds a row" 0 'grep -q "^mem_gb  *12$" out' 'grep -q "your own file" out'
XDG_CONFIG_HOME=$tmp/xdg "$tutti" catalog gpu rtx4090 >"$tmp/out" 2>"$tmp/err"; rc=$?
check "a row of the user's configuration overrides ours, its empty cells do not" 0 'grep -q "^mem_gb  *24$" out' 'grep -q "^launch_price_usd  *1111$" out' 'grep -q "my shop" out' 'grep -q "^mem_bw_gbps  *1008$" out'
printf 'name,mem_gb,source,date\nX,many,me,2026\n' >"$tmp/own/gpu.csv"
run gpu --catalog "$tmp/own"
check "a wrong row is one line with its place" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "own/gpu.csv: line 2, column 3: a number is wanted" err' '[ ! -s out ]'
run cpu 9755 --catalog "$tmp/own"
check "other tables do not mind" 0 'grep -q "EPYC 9755" out'
mkdir "$tmp/odd"; : >"$tmp/odd/gpus.csv"; : >"$tmp/odd/notes.txt"
run --catalog "$tmp/odd"
check "a file of no table is not passed over in silence" 1 'grep -q "no table .gpus.csv.; there are accelerator" err' '[ $(wc -l <err) -eq 1 ]'
run gpu --catalog "$tmp/nowhere"
check "--catalog wants a folder that is there" 1 'grep -q "no such folder" err'
echo "1..$n"
