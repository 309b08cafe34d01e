// bench/peers/compare.mjs - tutti beside llama.cpp: the same file, the same threads, in turn; see README.md.
// Engines take turns within a round, so that what else the machine does falls on all of them; medians over rounds.
import {spawnSync} from "node:child_process";
import {appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync} from "node:fs";
import {basename, dirname, join} from "node:path";
import {fileURLToPath} from "node:url";
import os from "node:os";

const here = dirname(fileURLToPath(import.meta.url)), root = join(here, "..", "..");
const opt = {models: [], threads: [1, 2], rounds: 3, pp: 512, tg: 64, depths: [0, 2048], native: null, npm: true, out: join(root, "build", "peers"),
             tutti: join(root, "build", "tutti"), report: false};
const usage = `usage: run.sh [OPTIONS] [MODEL...]
  --threads 1,2       thread counts
  --rounds N          rounds; medians are shown (3)
  --depths 0,2048     decode at these depths
  --quick             one round, depth 0 alone
  --native FILE       also a native llama-bench
  --no-npm            without node-llama-cpp
  --out DIR           results.jsonl (appended), table.md, ratios.svg (build/peers)
  --report            only table and picture of what results.jsonl holds
Without MODEL: SmolLM2-135M, Qwen2.5-0.5B and Llama-3.2-1B shapes with random weights, as Q8_0, Q4_0, Q4_K_M, Q6_K.`;

const args = process.argv.slice(2);
for (let a; (a = args.shift()) !== undefined;) {
    if (a === "--threads") opt.threads = args.shift().split(",").map(Number);
    else if (a === "--rounds") opt.rounds = Number(args.shift());
    else if (a === "--depths") opt.depths = args.shift().split(",").map(Number);
    else if (a === "--quick") opt.rounds = 1, opt.depths = [0];
    else if (a === "--native") opt.native = args.shift();
    else if (a === "--no-npm") opt.npm = false;
    else if (a === "--out") opt.out = args.shift();
    else if (a === "--report") opt.report = true;
    else if (a.startsWith("-")) { console.log(usage); process.exit(a === "--help" ? 0 : 2); }
    else opt.models.push(a);
}

function run(command, argv, what) {
    const r = spawnSync(command, argv, {encoding: "utf8", maxBuffer: 1 << 26});
    if (r.status === 0)
        return r.stdout;
    console.error(`${what}: status ${r.status ?? r.error}: ${(r.stderr ?? "").trim().split("\n").slice(-3).join(" | ")}`);
    return null;
}

function defaultModels() {
    const dir = join(opt.out, "models"), gen = join(root, "build", "tools", "gen-model"), all = [];
    mkdirSync(dir, {recursive: true});
    for (const shape of ["smollm2-135m", "qwen2.5-0.5b", "llama-3.2-1b"])
        for (const type of ["q8_0", "q4_0", "q4_k_m", "q6_k"]) {
            const file = join(dir, `${shape}-${type}.gguf`);
            if (!existsSync(file) && run(gen, [shape, type, file], `gen-model ${shape} ${type}`) === null)
                process.exit(1);
            all.push(file);
        }
    return all;
}

// Each engine: (model, threads) -> {results: [{test, depth, tps}], limits?} or null.
const engines = {
    tutti(model, threads) {
        const results = [];
        let limits = null;
        for (const depth of opt.depths.length ? [Math.max(...opt.depths)] : [0]) {
            const text = run(opt.tutti, ["bench", "--engine", "--no-store", "--json", "--rounds", "1", "--threads", `${threads}`, "--depth", `${depth}`, model], "tutti bench");
            if (text === null)
                return null;
            const j = JSON.parse(text);
            limits = j.limits;
            results.push(...j.results);
        }
        return {results, limits};
    },
    npm(model, threads) {
        const text = run(process.execPath, [join(here, "npm-peer.mjs"), model, threads, opt.pp, opt.tg, ...opt.depths], "node-llama-cpp");
        return text && JSON.parse(text.trim().split("\n").pop());
    },
    native(model, threads) {
        const results = [];
        const one = (argv) => {
            const text = run(opt.native, ["-m", model, "-t", `${threads}`, "-r", "1", "-o", "json", ...argv], "llama-bench");
            for (const x of text ? JSON.parse(text) : [])
                results.push({test: x.n_gen > 0 ? `tg${x.n_gen}` : `pp${x.n_prompt}`, depth: x.n_depth, tps: x.avg_ts});
        };
        one(["-p", `${opt.pp}`, "-n", "0"]);
        for (const d of opt.depths)
            one(["-p", "0", "-n", `${opt.tg}`, "-d", `${d}`]);
        return results.length ? {results} : null;
    },
};

const file = join(opt.out, "results.jsonl");
mkdirSync(opt.out, {recursive: true});
if (!opt.report) {
    const names = ["tutti", ...(opt.npm ? ["npm"] : []), ...(opt.native ? ["native"] : [])];
    const models = opt.models.length ? opt.models : defaultModels();
    for (let round = 0; round < opt.rounds; round++)
        for (const model of models)
            for (const threads of opt.threads)
                for (const engine of round % 2 ? [...names].reverse() : names) {
                    const r = engines[engine](model, threads);
                    for (const x of r?.results ?? []) {
                        if (x.test.startsWith("tg") && !opt.depths.includes(x.depth))
                            continue;
                        const row = {time: new Date().toISOString(), host: os.cpus()[0].model, engine, model: basename(model, ".gguf"), threads,
                                     test: x.test, depth: x.depth, tps: x.tps, share: x.share_of_limit ?? null, read_gbps: r.limits?.read_gbps ?? null};
                        appendFileSync(file, JSON.stringify(row) + "\n");
                        console.log(`${row.model} t=${threads} ${row.test}@${row.depth} ${engine}: ${row.tps.toFixed(1)}`);
                    }
                }
}

// ---- the table and the picture ----
const median = (v) => { const s = [...v].sort((a, b) => a - b), n = s.length; return n % 2 ? s[(n - 1) / 2] : (s[n / 2 - 1] + s[n / 2]) / 2; };
const rows = readFileSync(file, "utf8").trim().split("\n").map((l) => JSON.parse(l));
const cells = new Map();
for (const r of rows) {
    const key = `${r.model}|${r.threads}|${r.test}|${r.depth}`;
    const c = cells.get(key) ?? cells.set(key, {model: r.model, threads: r.threads, test: r.test, depth: r.depth, tps: {}, share: []}).get(key);
    (c.tps[r.engine] ??= []).push(r.tps);
    if (r.share !== null)
        c.share.push(r.share);
}
const show = (v) => v === undefined ? "-" : median(v).toFixed(1);
const lines = [`Median tokens/s on ${rows[0].host}; ${new Date().toISOString().slice(0, 10)}; made by bench/peers/run.sh. share: of what memory or arithmetic of the same moment allow.`, "",
               "| model | threads | test | tutti | share | npm | native | tutti / faster peer |", "|--|--|--|--|--|--|--|--|"];
const bars = [];
for (const c of cells.values()) {
    const ours = c.tps.tutti && median(c.tps.tutti), peer = Math.max(...["npm", "native"].map((e) => c.tps[e] ? median(c.tps[e]) : 0));
    const ratio = ours && peer ? ours / peer : null, test = c.depth ? `${c.test} @ ${c.depth}` : c.test;
    lines.push(`| ${c.model} | ${c.threads} | ${test} | ${show(c.tps.tutti)} | ${c.share.length ? `${Math.round(100 * median(c.share))} %` : "-"} | ${show(c.tps.npm)} | ${show(c.tps.native)} | ${ratio ? ratio.toFixed(2) : "-"} |`);
    if (ratio)
        bars.push({...c, test, ratio});
}
writeFileSync(join(opt.out, "table.md"), lines.join("\n") + "\n");

const tests = [...new Set(bars.map((b) => b.test))], labels = [...new Set(bars.map((b) => `${b.model} t=${b.threads}`))];
const colour = ["#1b6ca8", "#e07a1f", "#3c9d5d", "#8b5fbf"], left = 190, width = 760, high = 11, gap = 8, most = Math.max(2, ...bars.map((b) => b.ratio));
const x = (v) => left + v / most * (width - left - 50);
let y = 44, svg = "";
for (const label of labels) {
    const mine = bars.filter((b) => `${b.model} t=${b.threads}` === label);
    svg += `<text x="${left - 8}" y="${y + mine.length * high / 2 + 4}" text-anchor="end">${label}</text>\n`;
    for (const b of mine) {
        svg += `<rect x="${left}" y="${y}" width="${(x(b.ratio) - left).toFixed(1)}" height="${high - 2}" fill="${colour[tests.indexOf(b.test) % 4]}"/>` +
               `<text x="${x(b.ratio) + 4}" y="${y + high - 3}" font-size="9">${b.ratio.toFixed(2)}</text>\n`;
        y += high;
    }
    y += gap;
}
const legend = tests.map((t, i) => `<rect x="${left + i * 120}" y="12" width="10" height="10" fill="${colour[i % 4]}"/><text x="${left + 14 + i * 120}" y="21">${t}</text>`).join("\n");
writeFileSync(join(opt.out, "ratios.svg"),
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y + 10}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
${legend}
<line x1="${x(1)}" y1="34" x2="${x(1)}" y2="${y}" stroke="#888" stroke-dasharray="3 3"/><text x="${x(1)}" y="33" text-anchor="middle" font-size="9">the faster peer</text>
${svg}</svg>
`);
console.log(lines.join("\n"));
