#!/bin/sh
# tests/cmd/test_route_eval.sh BUILD - `tutti route train` and `tutti route eval`: figures, pictures, clear errors.
tutti=$1/tutti
. tests/tap.sh
run() { "$tutti" route "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

printf '{"text":"turn off the lights","intent":"tool-use"}\n{"text":"transcribe this audio","intent":"stt","difficult":false}\n' >"$tmp/intents.jsonl"
printf '{"text":"what is 2 + 2","weak":true,"strong":true}\n{"text":"prove it for every ring","weak":false,"strong":true}\n' >"$tmp/outcomes.jsonl"
run eval "$tmp/intents.jsonl" --json
check "intents: one JSON object with all figures" 0 'grep -q "^{\"n\":2,\"accuracy\":1.0000,\"top2\":1.0000,\"macro_f1\":1.0000,\"ece\":.*\"p50_us\":.*\"p99_us\":.*\"confusion\":{\"tool-use\":{\"tool-use\":1},\"stt\":{\"stt\":1}}" out' '[ $(wc -l <out) -eq 1 ]'
run eval "$tmp/outcomes.jsonl" --json --svg "$tmp/curve.svg"
check "outcomes: APGR, the curve and its picture" 0 'grep -q "\"apgr\":" out' 'grep -q "\"curve\":\[{\"strong_frac\":0.00,\"quality\":0.5000}" out' 'grep -q "<svg" curve.svg'
run eval "$tmp/intents.jsonl" --svg "$tmp/no.svg"
check "no outcomes, no picture" 1 'grep -q "weak" err' '[ ! -e no.svg ]'
printf '{"text":"a","intent":"nothing"}\n' >"$tmp/bad.jsonl"
run eval "$tmp/bad.jsonl"
check "a wrong line is told with its place" 1 '[ ! -s out ]' 'grep -q "^tutti: .*bad.jsonl:1: intent .nothing. is not known" err'
run train "$tmp/intents.jsonl" --rounds 2 --out "$tmp/m.bin"
check "two lines train a model" 0 '[ -s m.bin ]'
run train "$tmp/intents.jsonl" --hold intents --out "$tmp/none.bin"
check "the only source cannot be held out" 1 'grep -q "nothing is left to learn from" err' '[ ! -e none.bin ]'
run train "$tmp/intents.jsonl" --calibrate mine --out "$tmp/none.bin"
check "a source to calibrate by that is none" 1 'grep -q "no line is of source .mine." err' '[ ! -e none.bin ]'
run train "$tmp/intents.jsonl" --out "$tmp/no/where.bin"
check "where nothing can be written, nothing is learned" 1 'grep -q "no/*: No such file\|no: No such file" err' '[ $(wc -l <err) -eq 1 ]'
run train "$tmp/intents.jsonl"
check "without --out it says so" 2 'grep -q -- "--out MODEL" err' '[ $(wc -l <err) -eq 1 ]'
run eval "$tmp/intents.jsonl" --model "$tmp/m.bin"
check "it can be judged" 0 'grep -q "100.0 % right" out'
run eval "$tmp/intents.jsonl" --model "$tmp/bad.jsonl"
check "what is no model is refused" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "tutti route train" err'
echo "1..$n"
