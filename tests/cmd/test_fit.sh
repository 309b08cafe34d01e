#!/bin/sh
# tests/cmd/test_fit.sh BUILD - `tutti fit`: tables in, tables out, and how it refuses.
tutti=$1/tutti
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
XDG_CONFIG_HOME=$tmp/none; export XDG_CONFIG_HOME
n=0
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; sed 's/^/# /' "$tmp/out" "$tmp/err"; }
# check NAME WANTED-STATUS: the status is in $rc; every further argument is a command that must succeed
check() {
    name=$1 want=$2; shift 2
    good=true
    [ "$rc" -eq "$want" ] || good=false
    for c in "$@"; do (cd "$tmp" && eval "$c") || good=false; done
    if $good; then ok "$name"; else not_ok "$name"; fi
}
run() { "$tutti" fit "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

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
echo "1..$n"
