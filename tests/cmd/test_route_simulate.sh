#!/bin/sh
# tests/cmd/test_route_simulate.sh BUILD - `tutti route simulate`: figures, JSON, pictures, recorded arrivals, clear errors.
tutti=$1/tutti
. tests/tap.sh
run() { "$tutti" route simulate "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
seeds=examples/fleets/seeds.yaml

run $seeds --requests 300
check "the seeds' cluster: five policies, who answered, 80 columns" 0 'grep -q "^tutti " out' 'grep -q "^round-" out' 'grep -q "^against always-big: " out' \
    'grep -q "^qwen2.5-14b@minipc " out' '[ $(wc -L <out) -le 80 ]' '[ ! -s err ]'
cp "$tmp/out" "$tmp/first"
run $seeds --requests 300
check "the same seed says the same" 0 'cmp -s out first'
run $seeds --requests 300 --seed 2 --compare tutti --compare fastest --json
check "one JSON object" 0 '[ $(wc -l <out) -eq 1 ]' 'grep -q "\"seed\":2,\"script\":null,\"policies\":\[{\"policy\":\"tutti\",\"n_in\":300,\"n_done\":" out' 'grep -q "{\"policy\":\"fastest\"" out' \
    'grep -q "\"work_joules\":[0-9.e+]*,\"idle_joules\":" out'
run $seeds --requests 200 --svg "$tmp/a.svg" --html "$tmp/a.html"
check "a picture and a page" 0 'grep -q "<svg" a.svg' 'grep -q "<table" a.html' 'grep -q "least-loaded" a.html'
run $seeds --requests 300 --scripts tests/rehearse/disasters.yaml --script worst-day
check "a disaster" 0 'grep -q "worst-day" out'
run $seeds --script nothing
check "a script that is not there" 1 'grep -q "there is no script" err' '[ $(wc -l <err) -eq 1 ]'
run --random 7 --print
check "a made-up fleet can be printed" 0 'grep -q "^simulate:" out'
cp "$tmp/out" "$tmp/made.yaml"
run "$tmp/made.yaml" --requests 200 --compare all
check "and read, by all policies" 0 'grep -q "^random " out' 'grep -q "^fastest " out'
run --random 7 --requests 200 --compare least-loaded
check "a rival alone" 0 'grep -q "who answered for least-loaded" out'
run
check "no file" 2 'grep -q "FILE or --random" err'
run $seeds --compare best
check "a policy that is not there" 2 'grep -q "is no policy" err'
printf 'difficult_share: 2\n' >"$tmp/policy.yaml"
run $seeds --policy "$tmp/policy.yaml"
check "a wrong policy is told with its place" 1 'grep -q "policy.yaml:1:" err'

sed '/^simulate:/,$d' "$tmp/made.yaml" >"$tmp/recorded.yaml"
cat >>"$tmp/recorded.yaml" <<'Y'
simulate:
  arrivals: {process: recorded, file: asked.jsonl}
  telemetry: sensors.jsonl
  workload:
    - {name: chat, task: chat, prompt_tok: 50, gen_tok: 50}
    - {name: camera, task: detect, items: 1}
Y
node=$(sed -n 's/.*{name: \([a-z]*-0\), distance.*/\1/p' "$tmp/made.yaml")
printf '{"at_s":1,"class":"chat","text":"What is the capital of France?","gen_tok":12}\n\n{"at_s":2.5,"class":"camera"}\n{"at_s":3,"class":"chat","prompt_tok":900}\n' >"$tmp/asked.jsonl"
printf '{"at_s":1,"node":"%s","temperature_c":70,"speed":0.5}\n' "$node" >"$tmp/sensors.jsonl"
run "$tmp/recorded.yaml" --compare tutti --json
check "recorded arrivals and telemetry" 0 'grep -q "\"n_in\":3,\"n_done\":3" out'
printf '{"at_s":1,"class":"chat"}\n{"at_s":0.5,"class":"chat"}\n' >"$tmp/asked.jsonl"
run "$tmp/recorded.yaml"
check "time does not go back" 1 'grep -q "asked.jsonl:2: at_s is missing or goes back" err'
printf '{"at_s":1,"class":"chat"}\n' >"$tmp/asked.jsonl"
printf '{"at_s":1,"node":"nowhere"}\n' >"$tmp/sensors.jsonl"
run "$tmp/recorded.yaml"
check "telemetry of a node that is not there" 1 'grep -q "sensors.jsonl:1: there is no node" err'
printf '{"text":"what is 2 + 2","weak":true,"strong":true}\n{"text":"prove it for every ring","weak":false,"strong":true}\n' >"$tmp/outcomes.jsonl"
run $seeds --requests 200 --questions "$tmp/outcomes.jsonl" --compare tutti
check "real questions" 0 'grep -q "^tutti " out'
run $seeds --requests 200 --questions "$tmp/asked.jsonl"
check "lines without outcomes" 1 '[ $(wc -l <err) -eq 1 ]'
echo "1..$n"
