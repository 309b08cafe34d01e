#!/bin/sh
# tests/cmd/test_run.sh BUILD - `tutti run` without a terminal: what goes where, and how it ends.
tutti=$1/tutti
models=${TUTTI_SHARED:-../shared}/models/llm
model=$models/stories260K-f32.gguf
. tests/tap.sh
run() { "$tutti" run "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

run /nonexistent.gguf hello
check "a missing file is one line and status 1" 1 '[ ! -s out ]' '[ $(wc -l <err) -eq 1 ]' 'grep -q "^tutti: /nonexistent.gguf: " err'
"$tutti" --version >"$tmp/out" 2>"$tmp/err"; rc=$?
check "--version is the same as version" 0 'grep -q "^tutti [0-9]" out' '[ ! -s err ]'
"$tutti" model >"$tmp/out" 2>"$tmp/err"; rc=$?
check "half a command names its halves" 2 'grep -q "logits, quantize, render, show, tokenize" err' '[ $(wc -l <err) -eq 1 ]'
run </dev/null
check "no model is wrong usage" 2 '[ ! -s out ]'
if [ ! -f "$model" ]; then
    echo "# skipped: no shared data ($model)"; echo "ok $((n + 1)) - the rest # SKIP"; echo "1..$((n + 1))"; exit 0
fi
run "$model" --raw "Once upon a time" --temp 0 --max-tokens 22
check "only the answer goes to stdout" 0 'grep -q "^, there was a little girl named Lily. She loved to play" out' '[ ! -s err ]'
cp "$tmp/out" "$tmp/first"
printf 'Once upon a time' >"$tmp/in"
"$tutti" run "$model" --raw --temp 0 --max-tokens 22 <"$tmp/in" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "the prompt may come from stdin" 0 'cmp -s out first'
run "$model" --raw "Once upon a time" --temp 0 --max-tokens 22 --stats
check "numbers go to stderr" 0 'cmp -s out first' 'grep -q "tokens/s" err'
run "$model" --raw "The dog" --seed 5 --max-tokens 40 --threads 1; cp "$tmp/out" "$tmp/first"
run "$model" --raw "The dog" --seed 5 --max-tokens 40 --threads 2
check "the same seed says the same with one thread and two" 0 'cmp -s out first'
run "$model" "Hello" --temp 0 --max-tokens 5
check "a model without a template says so" 0 'grep -q "no chat template" err'
run "$model" --raw "$(cat "$models/ppl_text.txt")" --ctx 64
check "a prompt that is too long is refused with numbers" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "context of .* holds 64" err'
head -c 100000 "$model" >"$tmp/cut.gguf"
run "$tmp/cut.gguf" hello
check "a cut file is one line" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "ends at byte .* of 100000" err'
cp "$model" "$tmp/own.gguf"; cp "$model" "$tmp/kept.gguf"; printf '\1\0\0\0' >"$tmp/ids"
"$tutti" model logits "$tmp/own.gguf" --tokens "$tmp/ids" --out "$tmp/own.gguf" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "logits do not overwrite their model" 1 'cmp -s own.gguf kept.gguf' '[ $(wc -l <err) -eq 1 ]'
if [ -w /dev/full ]; then
    "$tutti" run "$model" --raw x --max-tokens 4 >/dev/full 2>"$tmp/err"; rc=$?
    check "a full disk is not success" 1 'grep -q "standard output" err'
fi
"$tutti" run "$model" --raw "The dog" --temp 0 --ctx 4096 >"$tmp/out" 2>"$tmp/err" & pid=$!
while [ ! -s "$tmp/out" ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
kill -INT $pid; wait $pid; rc=$?
check "ctrl-c stops the answer and keeps what was said" 1 '[ -s out ]' 'grep -q cancelled err'
echo "1..$n"
