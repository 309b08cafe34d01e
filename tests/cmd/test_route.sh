#!/bin/sh
# tests/cmd/test_route.sh BUILD - `tutti route`: a dry run for people and programs, by text and by files.
tutti=$1/tutti
. tests/tap.sh
run() { "$tutti" route "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
fleet=examples/fleets/fifty.yaml

run "What is the capital of France?" --fleet "$fleet"
check "a short question goes to a small model, in 80 columns" 0 'grep -q "^early exit .short" out' '[ ! -s err ]' '! grep -q ".\{81\}" out'
run "What is the capital of France?" --fleet "$fleet" --explain
check "all that was ruled out is named with its rule" 0 'grep -q "^task: cannot do that task" out' 'grep -q "^early: " out' '! grep -q ".\{81\}" out'
check "every candidate is a row with what it would take, and each intent has its probability" 0 'awk "/^ +expert/ { t = 1; next } t && !NF { exit } t { n++ } END { exit n != 50 }" out' 'grep -q "^ .* early\$" out' 'tr "\n" " " <out | grep -q "long-form [0-9]* %"'
cat >"$tmp/warm.yaml" <<'E2'
nodes:
  - {name: laptop, device: Ryzen 7 7840HS, temperature_c: 88, headroom_c: 7, battery: 0.15, on_battery: true}
experts:
  - {name: small, model: Qwen2.5 1.5B, quant: Q4_K_M, node: laptop}
E2
run "Hello" --fleet "$tmp/warm.yaml" --explain
check "heat and battery that were decided by are shown" 0 'grep -q "laptop: 88 C, 7 C below its limit, battery 15 % and unplugged" out'
run "Hello" --fleet "$tmp/warm.yaml" --json
check "and in JSON" 0 'grep -q "\"nodes\":\[{\"name\":\"laptop\",\"distance\":\"local\",\"up\":true" out' 'grep -q "\"headroom_c\":7," out' 'grep -q "\"power_w\":null" out'
run "My password: hunter2secret99, is it good?" --fleet "$fleet" --json
check "secrets stay in the house" 0 'grep -q "\"secrets\":\[\"password\"\]" out' 'grep -q "\"expert\":\"frontier\",\"node\":\"provider\",\"class\":\"llm\",\"able\":false,\"rule\":\"privacy\"" out'
run "Hello" --fleet "$fleet" --private --json
check "private stays on this machine" 0 'grep -q "\"early\":\"airgap\"" out' 'grep -q "\"chosen\":{\"expert\":\"[^\"]*\",\"node\":\"minipc\"}" out'
run "What is the capital of France?" --fleet "$fleet" --json
cat >"$tmp/sum.awk" <<'E2'
BEGIN { RS = "\"score_us\":" }
NR > 1 { score = $0 + 0; t = $0; sub(/^[^{]*\{/, "", t); sub(/}.*/, "", t); n = split(t, part, ","); sum = 0
         for (i = 1; i <= n; i++) { split(part[i], kv, ":"); sum += kv[2] }
         if (sum != score) bad++; k++ }
END { exit !(k > 10 && !bad) }
E2
check "in JSON the terms add up to each score" 0 'awk -f sum.awk out' '[ $(wc -l <out) -eq 1 ]'
printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\2\0\0\0' >"$tmp/p.txt"
run "What is on this picture?" --file "$tmp/p.txt" --fleet "$fleet" --json
check "a picture is told by its content, and those who do not see are out" 0 'grep -q "\"media\":\[\"picture\"\]" out' 'grep -q "\"early\":\"picture\"" out' 'grep -q "\"rule\":\"sight\"" out'
run "What does the sign say?" --file "$tmp/p.txt" --fleet "$fleet" --explain
check "what several experts as one would be asked is shown" 0 'grep -q "^fanout, several experts as one, would ask at once" out' 'grep -q "picture 1: ocr (asked: " out' 'grep -q "fanout on " out'
printf 'RIFF\0\0\0\0WAVEfmt \20\0\0\0\1\0\1\0\200\076\0\0\0\175\0\0\2\0\20\0data\0\0\0\0' >"$tmp/s"
run --file "$tmp/s" --fleet "$fleet" --json
check "sound without words is transcribed" 0 'grep -q "\"task\":\"transcribe\"" out' 'grep -q "\"chosen\":{\"expert\":\"whisper" out'
printf 'goals:\n  balanced: {wrnog: 3}\n' >"$tmp/p.yaml"
run hi --fleet "$fleet" --policy "$tmp/p.yaml"
check "a misspelt weight has its place and the nearest key" 1 "grep -q \"p.yaml:2:14: 'wrnog' is not known here; did you mean 'wrong'?\" err" '[ ! -s out ]'
printf 'quiet:\n  - {from: "22:00", to: "07:00", max_busy_w: 10}\n' >"$tmp/q.yaml"
run "Hello" --fleet "$fleet" --policy "$tmp/q.yaml" --at 23:30 --explain
check "quiet hours rule out what draws more" 0 'grep -q "^quiet: quiet hours" out'
run "Hello" --fleet "$fleet" --policy "$tmp/q.yaml" --at 12:00 --explain
check "and only then" 0 '! grep -q "^quiet: " out'
printf 'nodes: [{name: a}]\nexperts: [{name: x, node: a, task: detect}]\n' >"$tmp/f.yaml"
printf 'nodes: [{name: a}, {name: b}]\nexperts: [{name: x, node: a, task: detect}, {name: y, node: b, task: chat}]\n' >"$tmp/g.yaml"
run "Hello" --fleet "$tmp/f.yaml"
check "nobody can do it: status 1, and why" 1 'grep -q "^nobody can do it: cannot do that task" out'
run "My password: hunter2secret99, is it good?" --fleet "$tmp/g.yaml" --private
check "that nobody can do it is said by who came furthest through the rules" 1 'grep -q "^nobody can do it: what is asked must not leave" out'
run </dev/null
check "nothing to route is one line" 2 '[ $(wc -l <err) -eq 1 ]' '[ ! -s out ]'
run "Hello" --goal bets
check "a goal that is none" 2 'grep -q "balanced, fast, best, cheap or private" err'
run "Hello" --task juggle
check "a task that is none" 2 'grep -q "^tutti: --task juggle: chat, detect" err' '[ $(wc -l <err) -eq 1 ]'
run "Hello" --at 25:00
check "a time of day that is none" 2 'grep -q "^tutti: --at 25:00: a time of day" err' '[ $(wc -l <err) -eq 1 ]'
printf 'experts: [%s/models/tutti-tiny.gguf]\n' "$PWD" >"$tmp/t.yaml"
XDG_STATE_HOME="$tmp/none" run "Hello" --config "$tmp/t.yaml" --json
check "without a fleet: the experts of tutti.yaml" 0 'grep -q "\"chosen\":{\"expert\":\"tutti-tiny\",\"node\":\"local\"}" out'
printf 'experts: [%s/models/tutti-tiny.gguf]\nroute: {goals: {balanced: {wrnog: 1}}}\n' "$PWD" >"$tmp/t.yaml"
run "Hello" --config "$tmp/t.yaml"
check "a tutti.yaml with a wrong policy is refused with its place" 1 "grep -q \"t.yaml:2:28: 'wrnog' is not known here\" err"
printf 'What is 2 + 2?' | "$tutti" route - --fleet "$fleet" --json >"$tmp/out" 2>"$tmp/err"; rc=$?
check "the text may come from standard input" 0 'grep -q "\"text_bytes\":14" out'
printf '{"text":"what is the time","intent":"tool-use"}\n{"text":"write a C function","intent":"code"}\n' >"$tmp/l.jsonl"
(cd "$tmp" && XDG_CONFIG_HOME="$tmp/none" "$OLDPWD/$tutti" route eval l.jsonl --json >out 2>err); rc=$?
check "route eval decides among the shipped fifty wherever it runs" 0 'grep -q "\"p50_us\":" out'
echo "1..$n"
