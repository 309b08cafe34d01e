#!/bin/sh
# tests/bench/test_peers.sh BUILD - bench/peers: options, what a (fake) llama-bench of either kind and a (fake) server are asked and answer, table, picture, page.
# plain build only: nothing of ours runs but a script for node.
tutti=$1/tutti
. tests/tap.sh
if ! command -v node >/dev/null || ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 18 ? 1 : 0)'; then echo "1..0 # skipped: no node 18 or later"; exit 0; fi
here=$PWD peers=$PWD/bench/peers
run() { (cd "$tmp" && node "$peers/compare.mjs" "$@") >"$tmp/out" 2>"$tmp/err"; rc=$?; }

# A llama-bench of llama.cpp: depth is -d; one of ik: -gp; both answer what llama-bench -o json does, and keep what they were asked.
mkdir "$tmp/llama" "$tmp/ik"
cat >"$tmp/llama/llama-bench" <<'SH'
#!/bin/sh
case $1 in --help) echo "  -p, --n-prompt <n>"; echo "  -d, --n-depth <n>"; echo "  --no-warmup"; exit 0 ;; esac
echo "$*" >>"$(dirname "$0")/asked"
case "$*" in
*"-d 100"*) echo '[{"n_prompt":0,"n_gen":8,"n_depth":100,"avg_ts":10.0,"samples_ts":[10.0],"build_commit":"abc"}]' ;;
*) echo '[{"n_prompt":64,"n_gen":0,"n_depth":0,"avg_ts":150.0,"samples_ts":[100.0,200.0]},{"n_prompt":0,"n_gen":8,"n_depth":0,"avg_ts":20.0,"samples_ts":[20.0,20.0]}]' ;;
esac
SH
cat >"$tmp/llama/llama-batched-bench" <<'SH'
#!/bin/sh
echo "$*" >>"$(dirname "$0")/asked"
echo "|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |"
echo "|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|"
echo "|    32 |      4 |    2 |     72 |    0.100 |   640.00 |    0.200 |    40.00 |    0.300 |   240.00 |"
SH
cat >"$tmp/ik/llama-bench" <<'SH'
#!/bin/sh
case $1 in --help) echo "  -p, --n-prompt <n>"; echo "  -gp <pp,tg>"; echo "  -w, --warmup <0|1>"; exit 0 ;; esac
echo "$*" >>"$(dirname "$0")/asked"
case "$*" in
*-rtr*) echo broken >&2; exit 3 ;;
*"-gp 100,8"*) echo '[{"n_prompt":100,"n_gen":8,"avg_ts":12.5,"samples_ts":[12.5]}]' ;;
*) echo '[{"n_prompt":64,"n_gen":0,"avg_ts":300.0,"samples_ts":[300.0]},{"n_prompt":0,"n_gen":8,"avg_ts":15.0,"samples_ts":[15.0]}]' ;;
esac
SH
sed 's/^echo "|/echo >\&2 "|/; s/ 40.00/ 44.00/; s/^echo "$.*/case "$*" in *-rtr*) exit 3 ;; esac; &/' "$tmp/llama/llama-batched-bench" >"$tmp/ik/llama-batched-bench"
# A tutti that answers what bench --json does.
cat >"$tmp/tutti" <<'SH'
#!/bin/sh
echo "$*" >>"$(dirname "$0")/asked"
printf '{"limits":{"read_gbps":30,"int8_gops":900,"bf16_gflops":null,"f32_gflops":200},"model_info":{"peak_bytes":1,"load_ms":2},"results":['
printf '{"test":"pp64","depth":0,"batch":1,"tps":600,"share_of_limit":0.6,"limit":"int8"},{"test":"tg8","depth":0,"batch":1,"tps":30,"share_of_limit":0.9,"limit":"read"},'
printf '{"test":"tg8","depth":100,"batch":1,"tps":25,"share_of_limit":0.8,"limit":"read"},{"test":"tg4","depth":0,"batch":2,"tps":80,"share_of_limit":0.7,"limit":"read"}]}'
SH
chmod +x "$tmp"/llama/* "$tmp"/ik/* "$tmp/tutti"

run --help
check "help" 0 'grep -q -- "--llama-bench FILE" out'
run --nonsense
check "an option that is none" 2 'grep -q nonsense err'
run --tests pp512,xx1 --no-npm --tutti "$tmp/tutti" --out o m.gguf
check "a test that is none is named" 1 'grep -q "xx1.*is no test" err' '[ ! -s asked ]'
run --rounds x
check "a number that is none" 2 'grep -q "no number" err'
run --no-npm --llama-bench /bin/true --tutti "$tmp/tutti" --out o m.gguf
check "a program that is no llama-bench" 1 'grep -q "not a llama-bench" err'
run --report --out o
check "a report of nothing" 1 'grep -q "nothing was measured" err'
run --no-npm --rounds 2 --threads 2 --tests pp64,tg8,tg8@100,tg4*2 --tutti "$tmp/tutti" --llama-bench "$tmp/llama/llama-bench" --ik "$tmp/ik/llama-bench" --ik-rtr --out o "dir/a<b>.gguf"
check "engines take turns, backwards in odd rounds" 0 '[ "$(sed -n "s/.* \([a-z.-]*\): [0-9.]*$/\1/p" out | uniq | tr "\n" " ")" = "tutti llama.cpp ik llama.cpp tutti " ]' 'grep -q "ik-rtr: status 3: broken" err'
check "tutti is asked for the tests in one run" 0 'grep -qF -- "bench dir/a<b>.gguf --tests pp64,tg8,tg8@100,tg4*2 --rounds 1 --threads 2 --json --no-store" asked' '[ $(wc -l <asked) -eq 2 ]'
check "llama.cpp is asked with -d, without a warm-up, and batches of its batched bench" 0 'grep -q -- "-t 2 -r 2 -o json --no-warmup -p 64 -n 8" llama/asked' \
    'grep -q -- "-p 0 -n 8 -d 100" llama/asked' 'grep -q -- "-npp 32 -ntg 4 -npl 2" llama/asked'
check "ik is asked with -gp" 0 'grep -q -- "-r 1 -o json -w 0 -p 0 -n 0 -gp 100,8" ik/asked'
check "the table sets us beside the faster one" 0 'grep -qF "| 600.0 (600.0-600.0) | 300.0 (300.0-300.0) | 200.0 (200.0-200.0) | 60 % int8 | 2.00 (ik) |" o/table.md' \
    'grep -qF "| tg8 |" o/table.md && grep -F "| tg8 |" o/table.md | grep -qF "1.50 (llama.cpp)"' 'grep -F "tg8 @ 100" o/table.md | grep -qF "2.00 (ik)"' \
    'grep -F "tg4 x 2" o/table.md | grep -qF "1.82 (ik)"'
check "names are escaped in picture and page" 0 'grep -q "&#60;b&#62;" o/ratios.svg' '! grep -q "a<b>" o/ratios.svg o/index.html' '! grep -qE "(src|href)=|@import|<script" o/index.html'
if command -v xmllint >/dev/null; then xmllint --noout "$tmp/o/ratios.svg" 2>"$tmp/err"; rc=$?; check "the picture is well-formed" 0; fi
cp "$tmp/o/table.md" "$tmp/table.md"
run --report --out o
check "a report alone says the same" 0 'cmp -s table.md o/table.md' '[ $(wc -l <asked) -eq 2 ]'
if [ -r models/tutti-tiny.gguf ]; then
    case $tutti in /*) ;; *) tutti=$PWD/$tutti ;; esac
    run --no-npm --rounds 1 --threads 1 --tests pp32,tg4*2 --tutti "$tutti" --out real "$PWD/models/tutti-tiny.gguf"
    check "our own bench is understood" 0 'grep -q "tutti-tiny | 1 | pp32 |" real/table.md' 'grep -q "tg4 x 2" real/table.md'
fi
# The servers' part: a fake one that answers as llama-server does, and tutti itself.
cat >"$tmp/server.mjs" <<'JS'
import http from "node:http";
import {appendFileSync} from "node:fs";
const at = process.argv.findIndex((a) => a === "--port" || a === "--listen"), port = Number(process.argv[at + 1].split(":").pop());
http.createServer((req, res) => {
    if (req.url === "/health") { res.end("{}"); return; }
    let body = "";
    req.on("data", (d) => { body += d; });
    req.on("end", () => {
        const j = JSON.parse(body);
        appendFileSync(process.env.ASKED, `${j.prompt.length} ${j.max_tokens} ${j.ignore_eos}\n`);
        if (j.prompt.length === 13) { res.statusCode = 503; res.end('{"error":{"message":"full"}}'); return; }
        res.setHeader("content-type", "text/event-stream");
        for (let i = 0; i < 3; i++) res.write(`data: {"choices":[{"text":"a"}]}\n\n`);
        res.end(`data: {"choices":[],"usage":{"completion_tokens":5}}\n\ndata: [DONE]\n\n`);
    });
}).listen(port, "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
JS
printf '#!/bin/sh\nexec node "%s/server.mjs" "$@"\n' "$tmp" >"$tmp/llama-server"
printf '#!/bin/sh\necho no such model >&2\nexit 1\n' >"$tmp/bad-server"
chmod +x "$tmp/llama-server" "$tmp/bad-server"
export ASKED="$tmp/requests"
serve() { (cd "$tmp" && timeout 100 node "$peers/servers.mjs" "$@") >"$tmp/out" 2>"$tmp/err"; rc=$?; }
serve --rounds 1
check "servers need a model" 2 'grep -q "MODEL is wanted" err'
serve --tutti "$tmp/bad-server" --llama-server "$tmp/llama-server" --rounds 1 --waves 2 --clients 1,3 --prompts 7,13 --tokens 5 --out s m.gguf
check "each wave asks as often as there are clients, with prompts of ids and no end before the last token" 0 '[ $(grep -c "^7 5 true$" requests) -eq 8 ]' '[ $(grep -c "^16 " requests) -eq 1 ]'
check "a server that does not start and answers that are none are told" 0 'grep -q "tutti: not ready: no such model" err' 'grep -q "llama.cpp: 6 of 6 failed: HTTP 503" err'
check "tokens are those that the server counts" 0 'grep -q "\"engine\":\"llama.cpp\".*\"clients\":3,\"prompt\":7,.*\"n\":6,\"failed\":0,\"tokens\":30," s/servers.jsonl' \
    'grep -q "| m | 2 | 7 | 3 | .* | - | - |" s/table.md' '[ $(wc -l <s/servers.jsonl) -eq 2 ]'
serve --tutti "$tmp/llama-server" --rounds 1 --rate 200 --waves 5 --clients 2 --prompts 7 --tokens 5 --out open m.gguf
check "an open loop does not wait for answers" 0 'grep -q "\"rate\":200,\"n\":10,\"failed\":0" open/servers.jsonl'
if [ -r models/tutti-tiny.gguf ]; then
    serve --tutti "$tutti" --rounds 1 --waves 1 --clients 2 --prompts 9 --tokens 4 --threads 1 --vocab 400 --out live "$here/models/tutti-tiny.gguf"
    check "tutti serve is understood" 0 'grep -q "\"engine\":\"tutti\".*\"n\":2,\"failed\":0,\"tokens\":8," live/servers.jsonl'
fi
echo "1..$n"
