#!/bin/sh
# tests/cmd/test_model_quantize.sh BUILD - `tutti model quantize` as people use it: refusals of one line, sizes, JSON, a file that runs; prints TAP.
tutti=$1/tutti
gen=$1/tools/gen-model
. tests/tap.sh
q() { "$tutti" model quantize "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
"$gen" tiny-llama f16 "$tmp/in.gguf" && "$gen" tiny-odd f16 "$tmp/odd.gguf"

q "$tmp/in.gguf" "$tmp/o.gguf" q4_k_m
check "a model is written, each tensor has its line" 0 '[ -s o.gguf ]' 'grep -qE "^token_embd.weight +f16 +q4_k" out' 'grep -qE "^output.weight +f16 +q6_k" out' \
    'grep -qE "^blk.0.attn_norm.weight +f32 +as it is" out' 'grep -qE "^q4_k_m: .* bits a weight, NMSE [0-9.e-]+, [0-9.]+ s$" out' '[ ! -e o.gguf.tmp ]' '! grep -qE "^.{81}" out'
"$tutti" model show "$tmp/o.gguf" --json >"$tmp/show"
q "$tmp/in.gguf" "$tmp/none.gguf" q4_k_m --dry-run --json
size=$(wc -c <"$tmp/o.gguf"); said=$(sed -n 's/.*"out_bytes":\([0-9]*\).*/\1/p' "$tmp/out")
check "--dry-run says the size to the byte and writes nothing" 0 '[ ! -e none.gguf ]' "[ $size = ${said:-0} ]" 'grep -q "\"is_dry_run\":true" out' 'grep -q "\"nmse\":null" out'
sum=$(grep -o '"bytes":[0-9]*' "$tmp/out" | awk -F: '{ n += $2 } END { print n }'); bytes=$(sed -n 's/.*"tensor_bytes":\([0-9]*\).*/\1/p' "$tmp/show")
check "and the bytes of its tensors" 0 "[ ${sum:-0} = ${bytes:-1} ]"
printf '\001\000\000\000\002\000\000\000\003\000\000\000' >"$tmp/ids"
"$tutti" model logits "$tmp/o.gguf" --tokens "$tmp/ids" --out "$tmp/logits" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "the engine runs it" 0 '[ "$(wc -c <logits)" = 6144 ]'
q "$tmp/in.gguf" "$tmp/two.gguf" q4_k_m --threads 2; q "$tmp/in.gguf" "$tmp/one.gguf" q4_k_m --threads 1
check "one and two threads write the same file" 0 'cmp -s one.gguf two.gguf' 'cmp -s one.gguf o.gguf'
TUTTI_CPU=ref "$tutti" model quantize "$tmp/in.gguf" "$tmp/ref.gguf" q4_k_m >"$tmp/out" 2>"$tmp/err"; rc=$?
check "and so does plain C" 0 'cmp -s ref.gguf o.gguf'

q "$tmp/in.gguf" "$tmp/o.gguf" q8_0
check "what exists is not replaced" 1 'grep -q "o.gguf: exists; --force replaces it" err' '[ $(wc -l <err) = 1 ]' 'cmp -s one.gguf o.gguf'
q "$tmp/in.gguf" "$tmp/o.gguf" q8_0 --force --json
check "--force replaces it" 0 '! cmp -s one.gguf o.gguf' 'grep -q "\"type\":\"q8_0\"" out' 'grep -q "\"name\":\"token_embd.weight\",\"from\":\"f16\",\"to\":\"q8_0\"" out'
q "$tmp/in.gguf" "$tmp/in.gguf" q8_0 --force
check "the same file is refused" 1 'grep -q "the same file" err' '[ $(wc -l <err) = 1 ]'
ln -s in.gguf "$tmp/link.gguf"
q "$tmp/in.gguf" "$tmp/link.gguf" q8_0 --force
check "by another name too" 1 'grep -q "the same file" err'
q "$tmp/in.gguf" /dev/null q8_0 --force
check "a device is no file" 1 'grep -q "/dev/null: not a regular file" err' '[ -c /dev/null ]'
q "$tmp/in.gguf" "$tmp/no/such/o.gguf" q8_0
check "a folder that is not there is one line" 1 '[ $(wc -l <err) = 1 ]' 'grep -q "No such file" err'
q "$tmp/in.gguf" "$tmp/x.gguf" q4_x
check "an unknown type is wrong usage" 2 'grep -q "no type of a model" err'
q "$tmp/o.gguf" "$tmp/x.gguf" q4_0
check "what is quantized is not quantized again" 1 'grep -q "is q8_0 already" err' '[ ! -e x.gguf ]'
q "$tmp/o.gguf" "$tmp/x.gguf" q4_0 --requantize
check "unless it is asked for" 0 '[ -s x.gguf ]'
q "$tmp/in.gguf" "$tmp/r.gguf" q4_0 --tensor 'blk.*.ffn_down.weight=q6_k' --output-type q8_0 --embedding-type f16
check "tensors by name" 0 'grep -qE "^blk.1.ffn_down.weight +f16 +q6_k" out' 'grep -qE "^output.weight +f16 +q8_0" out' 'grep -qE "^token_embd.weight +f16 +as it is" out'
q "$tmp/in.gguf" "$tmp/y.gguf" q4_0 --tensor 'nothing=q6_k'
check "a name that matches nothing" 1 'grep -q "matches no tensor" err' '[ ! -e y.gguf ]'
q "$tmp/in.gguf" "$tmp/y.gguf" q4_0 --tensor 'blk.*=iq1_s'
check "a format that is not written" 1 'grep -q "no number format that tutti writes" err' '[ ! -e y.gguf ]'
q "$tmp/odd.gguf" "$tmp/y.gguf" q4_k_m
check "shapes that do not fit are told" 0 'grep -q "q5_0 instead of q4_k for [0-9]* tensors: rows are no multiple of 256" err'
head -c 60000 "$tmp/in.gguf" >"$tmp/cut.gguf"
q "$tmp/cut.gguf" "$tmp/z.gguf" q4_0
check "a cut file is one line" 1 '[ $(wc -l <err) = 1 ]' 'grep -q "cut.gguf: tensor" err' '[ ! -e z.gguf ]'
(ulimit -f 100; q "$tmp/in.gguf" "$tmp/z.gguf" q8_0; exit $rc); rc=$?
check "a file that may not grow is one line" 1 '[ $(wc -l <err) = 1 ]' 'grep -q "File too large" err' '[ ! -e z.gguf ]' '[ ! -e z.gguf.tmp ]'
echo "1..$n"
