// bench/peers/engines.mjs - one measurement of one engine: (model, threads, tests) -> [{test, depth, batch, tps, ...}].
// A test is {kind: "pp" | "tg", n, depth, batch}, written as `tutti bench --tests` has it: pp512, tg64@2048, tg32*4.
import {spawnSync} from "node:child_process";
import {existsSync} from "node:fs";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

export function parseTests(text) {
    return text.split(",").map((word) => {
        const m = /^(pp|tg)([1-9]\d*)((?:@\d+|\*[1-9]\d*)*)$/.exec(word), t = m && {kind: m[1], n: Number(m[2]), depth: 0, batch: 1};
        for (const [, sign, n] of m ? m[3].matchAll(/([@*])(\d+)/g) : [])
            t[sign === "@" ? "depth" : "batch"] = Number(n);
        if (!t)
            throw new Error(`'${word}' is no test: pp512, tg64@2048, tg32*4`);
        return t;
    });
}
export const nameOf = (t) => t.kind + t.n;
export const wordOf = (t) => nameOf(t) + (t.depth ? `@${t.depth}` : "") + (t.batch > 1 ? `*${t.batch}` : "");

/// through: words in front of each measured command ("nice -n -5", a script that stops other work).
function run(through, command, argv, what, hasTableInErr = false) {
    const words = [...through, command, ...argv], r = spawnSync(words[0], words.slice(1), {encoding: "utf8", maxBuffer: 1 << 26});
    if (r.status === 0)
        return hasTableInErr ? r.stdout + r.stderr : r.stdout;
    console.error(`${what}: status ${r.status ?? r.error}: ${(r.stderr ?? "").trim().split("\n").slice(-3).join(" | ")}`);
    return null;
}

export function tutti(file, through = [], name = "tutti", env = []) {
    return {name, measure(model, threads, tests) {
        const argv = ["bench", model, "--tests", tests.map(wordOf).join(","), "--rounds", "1", "--threads", `${threads}`, "--json", "--no-store"];
        const text = env.length ? run(through, "env", [...env, file, ...argv], name) : run(through, file, argv, name);
        const j = text && JSON.parse(text);
        return j ? j.results.map((r) => ({test: r.test, depth: r.depth, batch: r.batch, tps: r.tps, share: r.share_of_limit, limit: r.limit, limits: j.limits,
                                          peak_bytes: j.model_info?.peak_bytes ?? null, load_ms: j.model_info?.load_ms ?? null})) : [];
    }};
}

export function npm(through = []) {
    return {name: "npm", measure(model, threads, tests) {
        const pp = tests.find((t) => t.kind === "pp" && t.batch === 1 && t.depth === 0), tg = tests.filter((t) => t.kind === "tg" && t.batch === 1);
        const text = run(through, process.execPath, [join(here, "npm-peer.mjs"), model, `${threads}`, `${pp?.n ?? 0}`, `${tg[0]?.n ?? 0}`, ...tg.map((t) => `${t.depth}`)], "node-llama-cpp");
        return text ? JSON.parse(text.trim().split("\n").pop()).results.map((r) => ({...r, batch: 1})) : [];
    }};
}

/// A llama-bench of llama.cpp or of ik_llama.cpp (its --help says which: depth is -d here, -gp there), and the llama-batched-bench beside it.
/// Best of two passes without a warm-up: the first touches the pages.
export function llamaBench(file, name, through = [], extra = []) {
    const help = spawnSync(file, ["--help"], {encoding: "utf8"}), text = `${help.stdout ?? ""}${help.stderr ?? ""}`;
    if (!/--n-prompt/.test(text))
        throw new Error(`${file}: not a llama-bench`);
    const hasDepth = /--n-depth/.test(text), cold = /--no-warmup/.test(text) ? ["--no-warmup"] : /--warmup/.test(text) ? ["-w", "0"] : [];
    const batched = join(dirname(file), "llama-batched-bench");

    function passes(model, threads, argv, depth, repeat, out) {
        const found = run(through, file, ["-m", model, "-t", `${threads}`, "-r", `${repeat}`, "-o", "json", ...cold, ...extra, ...argv], name);
        for (const x of found ? JSON.parse(found) : []) {
            const n = depth && !hasDepth ? x.n_gen : x.n_gen || x.n_prompt;
            out.push({test: `${x.n_gen > 0 ? "tg" : "pp"}${n}`, depth, batch: 1, tps: Math.max(...(x.samples_ts?.length ? x.samples_ts : [x.avg_ts])), build: x.build_commit});
        }
    }
    function batches(model, threads, tests, out) {
        if (!existsSync(batched))
            return;
        const n = tests[0].n, found = run(through, batched, ["-m", model, "-t", `${threads}`, "-c", `${Math.max(...tests.map((t) => t.batch)) * (n + 40)}`, "-b", "2048", "-ub", "512",
                                                             "-npp", "32", "-ntg", `${n}`, "-npl", tests.map((t) => t.batch).join(","), ...extra], `${name} batched`, true);
        for (const line of (found ?? "").split("\n")) { // | PP | TG | B | N_KV | T_PP | S_PP | T_TG | S_TG | ...
            const cell = line.split("|").map((c) => Number(c.trim() || NaN));
            if (cell.length >= 10 && cell[2] === n && Number.isFinite(cell[8]))
                out.push({test: `tg${n}`, depth: 0, batch: cell[3], tps: cell[8]});
        }
    }
    return {name, measure(model, threads, tests) {
        const out = [], alone = tests.filter((t) => t.batch === 1);
        const flat = (kind) => alone.filter((t) => t.kind === kind && t.depth === 0).map((t) => `${t.n}`).join(",") || "0";
        if (alone.some((t) => t.depth === 0))
            passes(model, threads, ["-p", flat("pp"), "-n", flat("tg")], 0, 2, out);
        for (const t of alone.filter((k) => k.depth > 0 && k.kind === "tg"))
            passes(model, threads, hasDepth ? ["-p", "0", "-n", `${t.n}`, "-d", `${t.depth}`] : ["-p", "0", "-n", "0", "-gp", `${t.depth},${t.n}`], t.depth, 1, out);
        const wide = tests.filter((t) => t.batch > 1 && t.kind === "tg");
        if (wide.length)
            batches(model, threads, wide, out);
        return out;
    }};
}
