// bench/peers/report.mjs - what results.jsonl holds as a table, a picture and a page: table.md, ratios.svg, index.html.
import {readFileSync, writeFileSync} from "node:fs";
import {join} from "node:path";

export const median = (v) => { const s = [...v].sort((a, b) => a - b), n = s.length; return n % 2 ? s[(n - 1) / 2] : (s[n / 2 - 1] + s[n / 2]) / 2; };
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const wordOf = (c) => c.test + (c.batch > 1 ? ` x ${c.batch}` : "") + (c.depth ? ` @ ${c.depth}` : "");

/// Rows of one (model, threads, test, depth, batch): medians of each engine, and ours over the fastest peer.
export function cellsOf(rows) {
    const cells = new Map();
    for (const r of rows) {
        const batch = r.batch ?? 1, key = [r.model, r.threads, r.test, r.depth, batch].join("|");
        const c = cells.get(key) ?? cells.set(key, {model: r.model, threads: r.threads, test: r.test, depth: r.depth, batch, tps: {}, shares: [], limit: null}).get(key);
        (c.tps[r.engine] ??= []).push(r.tps);
        if (r.share != null)
            c.shares.push(r.share), c.limit = r.limit ?? c.limit;
    }
    for (const c of cells.values()) {
        const peers = Object.keys(c.tps).filter((e) => !e.startsWith("tutti")).map((e) => [median(c.tps[e]), e]).sort((a, b) => b[0] - a[0]);
        c.ours = c.tps.tutti ? median(c.tps.tutti) : null;
        c.peer = peers[0]?.[1] ?? null;
        c.ratio = c.ours && peers.length ? c.ours / peers[0][0] : null;
        c.share = c.shares.length ? median(c.shares) : null;
    }
    return [...cells.values()].sort((a, b) => a.model.localeCompare(b.model) || a.threads - b.threads || a.test.slice(0, 2).localeCompare(b.test.slice(0, 2)) ||
                                              a.batch - b.batch || a.depth - b.depth || Number(a.test.slice(2)) - Number(b.test.slice(2)));
}

const figure = (v) => v === undefined ? "-" : v.length > 1 ? `${median(v).toFixed(1)} (${Math.min(...v).toFixed(1)}-${Math.max(...v).toFixed(1)})` : v[0].toFixed(1);

function tableOf(cells, engines) {
    const head = ["model", "threads", "test", ...engines, "of limit", "tutti / best peer"];
    return [head, ...cells.map((c) => [c.model, c.threads, wordOf(c), ...engines.map((e) => figure(c.tps[e])),
                                       c.share === null ? "-" : `${Math.round(100 * c.share)} %${c.limit ? ` ${c.limit}` : ""}`,
                                       c.ratio ? `${c.ratio.toFixed(2)} (${c.peer})` : "-"].map(String))];
}

/// Bars of ratios, a group for each model and number of threads; the line at 1 is the best peer.
export function svgOf(cells) {
    const bars = cells.filter((c) => c.ratio), tests = [...new Set(bars.map(wordOf))], groups = [...new Set(bars.map((b) => `${b.model}, ${b.threads} t`))];
    const left = 190, width = 760, high = 12, most = Math.max(2, ...bars.map((b) => b.ratio)), x = (v) => left + v / most * (width - left - 50);
    const perRow = 5, top = 22 + 18 * Math.ceil(tests.length / perRow);
    let y = top + 16, body = "";
    for (const group of groups) {
        const mine = bars.filter((b) => `${b.model}, ${b.threads} t` === group);
        body += `<text x="${left - 8}" y="${y + mine.length * high / 2 + 4}" text-anchor="end">${escape(group)}</text>\n`;
        for (const b of mine) {
            const label = `${group}, ${wordOf(b)}: ${b.ratio.toFixed(2)} x ${b.peer}`;
            body += `<rect class="c${tests.indexOf(wordOf(b)) % 8}" x="${left}" y="${y}" width="${Math.max(1, x(b.ratio) - left).toFixed(1)}" height="${high - 2}"><title>${escape(label)}</title></rect>` +
                    `<text class="n" x="${(x(b.ratio) + 4).toFixed(1)}" y="${y + high - 3}">${b.ratio.toFixed(2)}</text>\n`;
            y += high;
        }
        y += 8;
    }
    const legend = tests.map((t, i) => `<rect class="c${i % 8}" x="${left - 60 + i % perRow * 125}" y="${12 + 18 * Math.floor(i / perRow)}" width="10" height="10"/>` +
                                       `<text x="${left - 46 + i % perRow * 125}" y="${21 + 18 * Math.floor(i / perRow)}">${escape(t)}</text>`).join("\n");
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 10}" width="${width}" height="${y + 10}" role="img" aria-label="tokens per second of tutti over the best peer's">
<style>svg{font:11px system-ui,sans-serif;background:#fff;--t:#222;--l:#888}.n{font-size:9px}text{fill:var(--t)}line{stroke:var(--l);stroke-dasharray:3 3}
.c0{fill:#1b6ca8}.c1{fill:#e07a1f}.c2{fill:#3c9d5d}.c3{fill:#8b5fbf}.c4{fill:#c0392b}.c5{fill:#7a8b99}.c6{fill:#b58900}.c7{fill:#2aa198}
@media(prefers-color-scheme:dark){svg{background:#16181b;--t:#e4e6e8;--l:#99a}.c0{fill:#5aa9e6}.c3{fill:#b08fe0}.c4{fill:#e8786b}.c5{fill:#a9b7c3}}</style>
${legend}
<line x1="${x(1)}" y1="${top + 8}" x2="${x(1)}" y2="${y}"/><text class="n" x="${x(1)}" y="${top + 5}" text-anchor="middle">the best peer</text>
${body}</svg>
`;
}

function serverTable(rows) {
    const cells = new Map();
    for (const r of rows) {
        const key = [r.model, r.threads, r.clients, r.prompt].join("|"), c = cells.get(key) ?? cells.set(key, {...r, by: {}}).get(key);
        (c.by[r.engine] ??= []).push(r);
    }
    const list = [...cells.values()].sort((a, b) => a.model.localeCompare(b.model) || a.threads - b.threads || a.prompt - b.prompt || a.clients - b.clients);
    const engines = [...new Set(rows.map((r) => r.engine))].sort((a, b) => (b === "tutti") - (a === "tutti") || a.localeCompare(b));
    const m = (c, e, f) => c.by[e] ? median(c.by[e].map((r) => r[f])) : null, peers = (c) => engines.filter((e) => e !== "tutti" && c.by[e]);
    const head = ["model", "threads", "prompt", "clients", ...engines.map((e) => `${e}: tokens/s, TTFT p50 (p95), ITL p50 ms`), "tokens/s / best peer", "TTFT / best peer"];
    return [head, ...list.map((c) => {
        const best = (f, better) => peers(c).length ? better(...peers(c).map((e) => m(c, e, f))) : null, t = best("tps", Math.max), w = best("ttft_p50_ms", Math.min);
        return [c.model, c.threads, c.prompt, c.clients, ...engines.map((e) => c.by[e] ? `${m(c, e, "tps").toFixed(1)}, ${m(c, e, "ttft_p50_ms").toFixed(0)} (${m(c, e, "ttft_p95_ms").toFixed(0)}), ` +
                `${m(c, e, "itl_p50_ms").toFixed(1)}` : "-"), t && c.by.tutti ? (m(c, "tutti", "tps") / t).toFixed(2) : "-", w && c.by.tutti ? (m(c, "tutti", "ttft_p50_ms") / w).toFixed(2) : "-"].map(String);
    })];
}

const markdown = (t) => [t[0], t[0].map(() => "--"), ...t.slice(1)].map((r) => `| ${r.join(" | ")} |`).join("\n");
const html = (t) => `<div class="wide"><table><thead><tr>${t[0].map((c) => `<th>${escape(c)}</th>`).join("")}</tr></thead><tbody>\n` +
                    t.slice(1).map((r) => `<tr>${r.map((c) => `<td>${escape(c)}</td>`).join("")}</tr>`).join("\n") + "</tbody></table></div>";

const readLines = (file) => { try { return readFileSync(file, "utf8").split("\n").filter(Boolean).map((l) => JSON.parse(l)); } catch { return []; } };

/// Makes table.md, ratios.svg and index.html in `dir` from its results.jsonl and servers.jsonl; returns the markdown.
export function report(dir) {
    const rows = readLines(join(dir, "results.jsonl")), served = readLines(join(dir, "servers.jsonl"));
    const first = rows[0] ?? served[0];
    if (!first)
        throw new Error(`${dir}: nothing was measured yet`);
    const cells = cellsOf(rows), engines = [...new Set(rows.map((r) => r.engine))].sort((a, b) => b.startsWith("tutti") - a.startsWith("tutti") || a.localeCompare(b));
    const intro = `Medians of tokens/s (lowest-highest) on ${first.host}, ${first.time.slice(0, 10)}, measured in turn by bench/peers/run.sh. of limit: of what memory or arithmetic, ` +
                  "whichever binds, allowed right before and after.";
    const parts = [intro], page = [`<p>${escape(intro)}</p>`];
    if (cells.length) {
        const t = tableOf(cells, engines), svg = svgOf(cells);
        writeFileSync(join(dir, "ratios.svg"), svg);
        parts.push(markdown(t)), page.push(`<h2>Engines</h2>`, svg, html(t));
    }
    if (served.length) {
        const t = serverTable(served), note = "Servers: streaming clients, each request timed from the moment at which it was meant to start; TTFT: the first token's text; ITL: between two.";
        parts.push(note, markdown(t)), page.push("<h2>Servers</h2>", `<p>${escape(note)}</p>`, html(t));
    }
    const text = parts.join("\n\n") + "\n";
    writeFileSync(join(dir, "table.md"), text);
    writeFileSync(join(dir, "index.html"), `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>tutti beside its peers</title>
<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.25em .7em;border-bottom:1px solid #8884;text-align:right;white-space:nowrap}td:first-child,th:first-child{text-align:left}.wide{overflow-x:auto}svg{max-width:100%;height:auto}</style></head>
<body><h1>tutti beside its peers</h1>
${page.join("\n")}
</body></html>
`);
    return text;
}
