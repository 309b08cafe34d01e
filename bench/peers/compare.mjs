// bench/peers/compare.mjs - tutti beside llama.cpp and ik_llama.cpp: the same file, the same threads, in turn; see README.md.
// Engines take turns within a round, so that what else the machine does falls on all of them; medians over rounds.
import {appendFileSync, existsSync, mkdirSync} from "node:fs";
import {basename, dirname, join} from "node:path";
import {fileURLToPath} from "node:url";
import {spawnSync} from "node:child_process";
import os from "node:os";
import {llamaBench, npm, parseTests, tutti} from "./engines.mjs";
import {report} from "./report.mjs";

const here = dirname(fileURLToPath(import.meta.url)), root = join(here, "..", "..");
const opt = {models: [], threads: [1, 2], rounds: 3, tests: "pp512,tg64,tg64@2048", llama: null, ik: null, rtr: false, npm: true, before: null, through: [],
             out: join(root, "build", "peers"), tutti: join(root, "build", "tutti"), report: false};
const usage = `usage: run.sh [OPTIONS] [MODEL...]
  --tests LIST        pp512,tg64,tg64@2048 (behind 2048 tokens),tg32*4 (of 4 sequences: needs a llama-batched-bench)
  --threads 1,2       thread counts
  --rounds N          rounds; medians are shown (3)
  --quick             one round of pp512,tg64
  --llama-bench FILE  also a native llama-bench of llama.cpp (and the llama-batched-bench beside it)
  --ik FILE           also ik_llama.cpp's
  --ik-rtr            and that with run-time repacking (-rtr 1)
  --no-npm            without node-llama-cpp
  --before FILE       also an older tutti, as "tutti-before"
  --through COMMAND   start each measurement with this command in front ("nice -n -5")
  --out DIR           results.jsonl (appended), table.md, ratios.svg, index.html (build/peers)
  --report            only table, picture and page of what is there
Without MODEL: SmolLM2-135M, Qwen2.5-0.5B and Llama-3.2-1B shapes with random weights, as Q8_0, Q4_0, Q4_K_M, Q6_K.
The servers: run.sh --servers ... (run.sh --servers --help).`;

const wrong = (text) => { console.error(`compare.mjs: ${text}\n${usage}`); process.exit(2); };
const args = process.argv.slice(2);
for (let a; (a = args.shift()) !== undefined;) {
    const value = () => args.length ? args.shift() : wrong(`${a}: a value is wanted`);
    const count = (text) => /^[1-9]\d*$/.test(text) ? Number(text) : wrong(`${a}: '${text}' is no number`);
    if (a === "--threads") opt.threads = value().split(",").map(count);
    else if (a === "--rounds") opt.rounds = count(value());
    else if (a === "--tests") opt.tests = value();
    else if (a === "--quick") opt.rounds = 1, opt.tests = "pp512,tg64";
    else if (a === "--llama-bench") opt.llama = value();
    else if (a === "--ik") opt.ik = value();
    else if (a === "--ik-rtr") opt.rtr = true;
    else if (a === "--no-npm") opt.npm = false;
    else if (a === "--tutti") opt.tutti = value();
    else if (a === "--before") opt.before = value();
    else if (a === "--through") opt.through = value().split(" ");
    else if (a === "--out") opt.out = value();
    else if (a === "--report") opt.report = true;
    else if (a === "--help") { console.log(usage); process.exit(0); }
    else if (a.startsWith("-")) wrong(`${a}: no such option`);
    else opt.models.push(a);
}

function defaultModels() {
    const dir = join(opt.out, "models"), gen = join(root, "build", "tools", "gen-model"), all = [];
    mkdirSync(dir, {recursive: true});
    for (const shape of ["smollm2-135m", "qwen2.5-0.5b", "llama-3.2-1b"])
        for (const type of ["q8_0", "q4_0", "q4_k_m", "q6_k"]) {
            const file = join(dir, `${shape}-${type}.gguf`);
            if (!existsSync(file) && spawnSync(gen, [shape, type, file], {stdio: "inherit"}).status !== 0)
                process.exit(1);
            all.push(file);
        }
    return all;
}

function compare() {
    const tests = parseTests(opt.tests), through = opt.through;
    const engines = [tutti(opt.tutti, through), ...(opt.before ? [tutti(opt.before, through, "tutti-before")] : []), ...(opt.npm ? [npm(through)] : []),
                     ...(opt.llama ? [llamaBench(opt.llama, "llama.cpp", through)] : []), ...(opt.ik ? [llamaBench(opt.ik, "ik", through)] : []),
                     ...(opt.ik && opt.rtr ? [llamaBench(opt.ik, "ik-rtr", through, ["-rtr", "1"])] : [])];
    const models = opt.models.length ? opt.models : defaultModels();
    for (let round = 0; round < opt.rounds; round++)
        for (const model of models)
            for (const threads of opt.threads)
                for (const engine of round % 2 ? [...engines].reverse() : engines)
                    for (const x of engine.measure(model, threads, tests)) {
                        const row = {time: new Date().toISOString(), host: os.cpus()[0].model, engine: engine.name, model: basename(model, ".gguf"), threads, ...x};
                        appendFileSync(join(opt.out, "results.jsonl"), JSON.stringify(row) + "\n");
                        console.log(`${row.model} t=${threads} ${x.test}${x.batch > 1 ? ` x ${x.batch}` : ""}${x.depth ? ` @ ${x.depth}` : ""} ${engine.name}: ${x.tps.toFixed(1)}`);
                    }
}

mkdirSync(opt.out, {recursive: true});
try {
    if (!opt.report)
        compare();
    console.log(report(opt.out));
} catch (e) {
    console.error(`compare.mjs: ${e.message}`);
    process.exit(1);
}
