// tests/cluster/chaos.mjs BUILD FOLDER RIG - five real nodes, a client, and everything that goes wrong between them; prints TAP and figures.
// RIG: the name of namespaces that netns.sh made, or `loopback`.  CHAOS_SECONDS, CHAOS_RATE, CHAOS_SEED; CHAOS_JSON=FILE for each request.
// Start reading at the end.  What is counted and why: docs/rig.md.
import { spawn, execFileSync, execFile } from 'node:child_process';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import http from 'node:http';
import zlib from 'node:zlib';
import { createHash } from 'node:crypto';

const [build, tmp, rig] = process.argv.slice(2), N = 5, tutti = `${build}/tutti`, here = process.cwd();
const seconds = Number(process.env.CHAOS_SECONDS || 4), rate = Number(process.env.CHAOS_RATE || 12), isLong = seconds > 30;
const isNetns = rig !== 'loopback', key = 'chaos-key-0123456789abcdef', DEADLINE = isLong ? 12000 : 20000, SLACK = isLong ? 1000 : 5000, RETURN = 3000;
let port = 10000 + (process.pid * 7 + (Date.now() >> 4)) % 20000;
const sleep = ms => new Promise(done => setTimeout(done, ms)), now = () => performance.now(), read = f => { try { return fs.readFileSync(f, 'utf8'); } catch { return ''; } };
let state = Number(process.env.CHAOS_SEED || 7) >>> 0; // repeatable
const random = () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state / 2 ** 32; }, pick = list => list[Math.floor(random() * list.length)];

// ---- the rig: where everybody is, and the links ----
const own = i => isNetns ? `10.77.0.${i}` : `127.0.77.${i}`; // where it listens
const seen = (from, i) => isNetns ? own(i) : `127.77.${from === 'c' ? 100 : from}.${i}`; // where `from` finds it
const inside = (i, argv) => isNetns ? ['ip', 'netns', 'exec', `${rig}-${i}`, ...argv] : argv;
let relay, answers = [];
async function startRelay() {
    const links = [];
    if (isNetns) for (const i of [1, 2, 3, 4, 5, 'c']) links.push(`${i}=p${i}`);
    else for (const a of [1, 2, 3, 4, 5, 'c']) for (let b = 1; b <= N; b++) for (const p of a === 'c' ? [port + 1] : a === b ? [] : [port]) links.push(`${a}:${b}=${seen(a, b)}:${p},${own(b)}:${p}`);
    const argv = inside('sw', [`${build}/tools/link-relay`, ...links]);
    relay = spawn(argv[0], argv.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: relay.stdout });
    lines.on('line', l => answers.shift()?.(l));
    lines.on('close', () => { for (const a of answers) a(''); answers = []; });
    return await new Promise(done => answers.push(done)) === 'ready';
}
const link = async line => { const a = new Promise(done => answers.push(done)); relay.stdin.write(line + '\n'); const said = await a; if (said === '' || said.startsWith('what?')) throw new Error(`link-relay: ${line}: ${said}`); return said; };
// the seeds' switch: 1 Gbit/s, 0.2 to 0.5 ms; node 5 is the laptop by radio: 300 Mbit/s, 4 ms.  Half of it in each direction.
async function usual(i) {
    const others = [1, 2, 3, 4, 5, 'c'];
    for (const k of others) if (k !== i) {
        const radio = i === 5 || k === 5, ms = radio ? 2 : 0.1 + 0.15 * (((i === 'c' ? 6 : i) + (k === 'c' ? 6 : k)) % 5) / 4;
        for (const [a, b] of [[i, k], [k, i]]) { await link(`delay ${a} ${b} ${ms.toFixed(3)}`); await link(`rate ${a} ${b} ${radio ? 300 : 1000}`); await link(`go ${a} ${b}`); }
    }
}

// ---- nodes ----
const cards = { // expert -> nodes that have it
    echo: [1, 2, 3, 4], 'only-2': [2], 'only-3': [3], 'only-5': [5], vec: [2, 4, 5], 'tutti-tiny': [1, 5],
    look: [2, 4], hear: [3, 5], say: [1, 4], // pictures and sounds, which travel as gRPC streams; behind fake engines
};
const hasLibrary = name => ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib', '/usr/local/lib'].some(d => { try { return fs.readdirSync(d).some(f => f.startsWith(name)); } catch { return false; } });
const real = {}; // the same by libraries in worker processes, in the long run, where they are installed
if (isLong && hasLibrary('libflite.so')) real.voice = 'task: speak\nkind: flite\nvoice: slt\nlanguages: en\n', cards.voice = [2, 5];
if (isLong && hasLibrary('libtesseract.so')) real.read = 'task: ocr\nkind: tesseract\nlanguage: eng\n', cards.read = [3, 4];
const nodes = []; // 1..N: { pid, child, faults: [[from, to]] }
const fake = `${build}/tools/fake-engine`;
function writeCards() {
    const tasks = { vec: 'embed', look: 'describe', hear: 'transcribe', say: 'speak' };
    for (const name of Object.keys(real)) fs.writeFileSync(`${tmp}/${name}.yaml`, `name: ${name}\n${real[name]}`);
    for (const name of ['echo', 'vec', 'only-2', 'only-3', 'only-5', 'look', 'hear', 'say'])
        fs.writeFileSync(`${tmp}/${name}.yaml`, `name: ${name}\ntask: ${tasks[name] || 'chat'}\nkind: server\n` +
            `command: [${fake}, --listen, "127.0.0.1:{port}", --model, ${name}, --tok-s, "150", --slots, "32"]\nserved_name: ${name}\nparallel: 32\nfirst_token: 5s\nstall: 5s\nstarts_per_minute: 1000\nstart_tries: 1000\n`);
    fs.writeFileSync(`${tmp}/keys`, key + '\n', { mode: 0o600 });
}
const fakeTime = ['/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1'].find(f => fs.existsSync(f));
function environment(i) {
    const d = i === N && isNetns ? `${tmp}/disk` : `${tmp}/n${i}`;
    const clock = i === 4 && isLong && fakeTime ? { LD_PRELOAD: fakeTime, FAKETIME_TIMESTAMP_FILE: `${tmp}/clock`, FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_CACHE_DURATION: '1', FAKETIME_NO_CACHE: '' } : {};
    if (clock.LD_PRELOAD) delete clock.FAKETIME_NO_CACHE;
    return { ...process.env, ...clock, XDG_STATE_HOME: `${d}/state`, XDG_CACHE_HOME: `${d}/cache`, XDG_DATA_HOME: `${tmp}/n${i}/data`, XDG_CONFIG_HOME: `${tmp}/n${i}/config`, no_proxy: '*' };
}
function configure(i) {
    const experts = Object.keys(cards).filter(c => cards[c].includes(i)).map(c => c === 'tutti-tiny' ? `${here}/models/tutti-tiny.gguf` : `${tmp}/${c}.yaml`);
    const others = [1, 2, 3, 4, 5].filter(k => k !== i).map(k => `"https://${seen(i, k)}:${port}"`);
    fs.writeFileSync(`${tmp}/n${i}.yaml`, `listen: ${own(i)}:${port + 1}\nexperts: [${experts.join(', ')}]\ncluster:\n  listen: ${own(i)}:${port}\n  trust: ${tmp}/n${i}/trust\n  nodes: [${others.join(', ')}]\n`);
}
async function start(i) {
    const argv = inside(i, [tutti, 'serve', '--config', `${tmp}/n${i}.yaml`, '--key-file', `${tmp}/keys`]), out = `${tmp}/n${i}.out`;
    fs.rmSync(out, { force: true });
    const child = spawn(argv[0], argv.slice(1), { env: environment(i), stdio: ['ignore', fs.openSync(out, 'w'), fs.openSync(`${tmp}/n${i}.err`, 'a')] });
    const n = nodes[i];
    n.child = child, n.pid = child.pid, n.hasEnded = false;
    child.on('exit', (code, signal) => { n.hasEnded = n.child === child || n.hasEnded; n.ended = `${code} ${signal}`; if (!n.mayEnd && n.child === child) bad(`node ${i} ended by itself: ${code} ${signal}`); });
    for (let k = 0; k < 1200 && !(/^listening on/m.test(read(out)) && /^node .* on /m.test(read(out))); k++) {
        if (n.hasEnded) throw new Error(`node ${i} does not start: ${read(`${tmp}/n${i}.err`).split('\n').slice(-4).join(' ')}`);
        await sleep(50);
    }
    n.bornAt = now();
}
const run = (argv, i) => execFileSync(argv[0], argv.slice(1), { env: environment(i), encoding: 'utf8' });

// ---- asking ----
const problems = [], counts = {}, bad = text => { problems.push(text); };
const words = (id, k) => Array.from({ length: k }, (_, j) => `${id}w${j}`);
const agents = nodes.map(() => null);
function call(i, method, path, body, headers, deadline) { // resolves to { status, text, error, first, pieces }
    return new Promise(done => {
        const r = { status: 0, text: '', error: null, began: now(), gaps: 0, last: 0 };
        const finish = error => { clearTimeout(timer); r.error = r.error || error; r.ms = now() - r.began; done(r); };
        const q = http.request({ host: seen('c', i), port: port + 1, method, path, agent: agents[i] || (agents[i] = new http.Agent({ keepAlive: true, maxSockets: 200 })),
            headers: { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } : {}), ...headers } }, a => {
            r.status = a.statusCode, r.node = a.headers['tutti-node'], r.expert = a.headers['tutti-expert'], r.asked = 0;
            a.setEncoding(path === '/v1/audio/speech' ? 'latin1' : 'utf8');
            a.on('data', s => { const t = now(); if (!r.first) r.first = t - r.began; else if (t - r.last > r.gaps) r.gaps = t - r.last; r.last = t; r.text += s; });
            a.on('end', () => finish(a.complete ? null : 'cut'));
            a.on('error', e => finish(e.code || e.message));
            a.on('close', () => finish(a.complete ? null : 'cut'));
        });
        const timer = setTimeout(() => { r.error = 'silence'; q.destroy(); }, deadline + SLACK);
        q.on('error', e => finish(e.code || e.message));
        q.end(body);
    });
}
// What a request of this kind asks, and of an answer: whole, told, or what is wrong with it.
const known = {}; // answers that were given before anything went wrong
let nextId = 0;
const u32 = v => { const b = Buffer.alloc(4); b.writeUInt32BE(v >>> 0); return b; };
function png(w, h, pixel) { // grey
    const rows = Buffer.alloc((w + 1) * h), crc = b => { let c = ~0; for (const v of b) { c ^= v; for (let k = 0; k < 8; k++) c = c >>> 1 ^ (c & 1 ? 0xedb88320 : 0); } return ~c; };
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) rows[y * (w + 1) + 1 + x] = pixel(x, y);
    const chunk = (type, data) => { const b = Buffer.concat([Buffer.from(type), data]); return Buffer.concat([u32(data.length), b, u32(crc(b))]); };
    return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', Buffer.concat([u32(w), u32(h), Buffer.from([8, 0, 0, 0, 0])])), chunk('IDAT', zlib.deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]).toString('base64');
}
function wav(n) { // 16 kHz, mono, noise
    const b = Buffer.alloc(44 + 2 * n);
    b.write('RIFF', 0), b.writeUInt32LE(36 + 2 * n, 4), b.write('WAVEfmt ', 8), b.writeUInt32LE(16, 16), b.writeUInt16LE(1, 20), b.writeUInt16LE(1, 22), b.writeUInt32LE(16000, 24);
    b.writeUInt32LE(32000, 28), b.writeUInt16LE(2, 32), b.writeUInt16LE(16, 34), b.write('data', 36), b.writeUInt32LE(2 * n, 40);
    for (let i = 0; i < n; i++) b.writeInt16LE(Math.imul(i, 40503) % 20000, 44 + 2 * i);
    return b;
}
const letters = { T: '1f0404040404', U: '11111111110e', I: '0e040404040e', L: '01010101011f', O: '0e111111110e', H: '11111f111111' }; // 5 x 6, a byte a row
const sign = text => png(40 + 48 * text.length, 112, (x, y) => { const i = Math.floor((x - 20) / 48), px = Math.floor((x - 20 - 48 * i) / 8), py = Math.floor((y - 32) / 8); return i >= 0 && i < text.length && px < 5 && py >= 0 && py < 6 && parseInt(letters[text[i]].substr(2 * py, 2), 16) >> px & 1 ? 0 : 255; });
const pictures = [png(64, 48, (x, y) => x * 37 + y * 91 + x * y & 255), png(320, 240, (x, y) => Math.imul(x * 7919 + y * 104729, 2654435761) >>> 24)], signs = ['HTTU', 'TILL'].map(sign);
const sounds = [wav(4800), wav(16000)], texts = ['one two three', 'what a fine day it is'];
function make(kind) {
    const id = `r${nextId++}x`, q = { id, kind, deadline: DEADLINE };
    const chat = (model, text, max, stream) => JSON.stringify({ model, messages: [{ role: 'user', content: text }], max_tokens: max, temperature: 0, seed: 1, stream });
    if (kind === 'embed') {
        q.text = `${id} vector`, q.experts = ['vec'], q.path = '/v1/embeddings', q.body = JSON.stringify({ model: random() < 0.5 ? 'auto:embed' : 'vec', input: (q.known = `text ${nextId % 8}`) });
        q.body = JSON.stringify({ model: 'vec', input: q.known });
    } else if (kind === 'look' || kind === 'read') { // a picture to a node: ModelStreamInfer
        q.known = pick(['0', '1']), q.experts = [kind], q.path = `/v1/tutti/vision/${kind === 'look' ? 'describe' : 'ocr'}`;
        q.body = JSON.stringify({ model: kind, image: { url: `data:image/png;base64,${(kind === 'look' ? pictures : signs)[q.known]}` } });
    } else if (kind === 'hear') {
        q.known = pick(['0', '1']), q.experts = ['hear'], q.path = '/v1/audio/transcriptions', q.type = 'multipart/form-data; boundary=chaos';
        q.body = Buffer.concat([Buffer.from('--chaos\r\ncontent-disposition: form-data; name="model"\r\n\r\nhear\r\n--chaos\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n'), sounds[q.known], Buffer.from('\r\n--chaos--\r\n')]);
    } else if (kind === 'say' || kind === 'voice') { // a sound from a node
        q.known = pick(texts), q.isSound = true, q.experts = [kind], q.path = '/v1/audio/speech', q.body = JSON.stringify({ model: kind, input: q.known, response_format: 'wav' });
    } else if (kind === 'tiny') {
        q.experts = ['tutti-tiny'], q.path = '/v1/chat/completions', q.known = pick(['hello', 'tell me a joke', 'what is a computer', 'good night']), q.body = chat('tutti-tiny', q.known, 12, false);
    } else {
        const model = kind === 'auto' || kind === 'auto-stream' ? 'echo' : kind.replace('-stream', '');
        q.stream = kind.endsWith('stream'), q.tokens = q.stream ? 60 : 20, q.experts = [model], q.path = '/v1/chat/completions';
        const w = words(id, 6);
        q.want = Array.from({ length: q.tokens }, (_, k) => w[k % 6]).join(' ');
        q.body = chat(kind.startsWith('auto') ? 'auto' : model, w.join(' '), q.tokens, q.stream);
    }
    return q;
}
const isError = s => { try { return typeof JSON.parse(s).error.message === 'string'; } catch { return false; } };
const isOfTheModel = (expert, q) => q.kind.startsWith('auto') && expert === 'tutti-tiny'; // `auto` may choose it; its words are its own
function judge(q, r) {
    q.ms = r.ms, q.node = r.node, q.status = r.status;
    if (r.status === 0) return ['none', r.error];
    if (r.status !== 200) return r.error ? ['none', r.error] : isError(r.text) ? ['told', r.text.slice(0, 200)] : ['bad', `status ${r.status} without an error: ${r.text.slice(0, 100)}`];
    if (q.stream) {
        let text = '', why = null, reason = null, done = false;
        for (const line of r.text.split('\n')) {
            if (!line.startsWith('data: ')) continue;
            const data = line.slice(6);
            if (data === '[DONE]') { done = true; continue; }
            let j;
            try { j = JSON.parse(data); } catch { if (!r.error) return ['bad', `nonsense in a stream: ${data.slice(0, 80)}`]; continue; }
            if (j.error) why = j.error.message;
            text += j.choices?.[0]?.delta?.content || '';
            reason = j.choices?.[0]?.finish_reason || reason;
        }
        q.begun = text.length > 0;
        if (isOfTheModel(r.expert, q)) return r.error ? ['none', r.error] : why ? ['told', why] : done && reason ? ['whole', ''] : ['bad', 'ended without a word'];
        if (!q.want.startsWith(text)) return ['bad', `mixed: ${text.slice(0, 100)} (wanted ${q.want.slice(0, 60)})`];
        if (why) return ['told', why];
        if (r.error) return ['none', r.error];
        return done && reason && text === q.want ? ['whole', ''] : ['bad', `ended without a word after ${text.length} of ${q.want.length}`];
    }
    q.begun = q.isSound && r.text.length > 0;
    if (r.error) return [q.begun ? 'told' : 'none', r.error]; // half a sound is cut: that is its error
    let j;
    try { j = q.isSound ? { text: r.text.slice(0, 4) === 'RIFF' && `${r.text.length} bytes${q.kind === 'voice' ? '' : createHash('sha1').update(r.text).digest('hex')}` /* flite adds noise of its own */ } : JSON.parse(r.text); } catch { return ['bad', `no JSON: ${r.text.slice(0, 100)}`]; }
    const got = q.path === '/v1/embeddings' ? JSON.stringify(j.data?.[0]?.embedding) : /audio|vision/.test(q.path) ? j.text : j.choices?.[0]?.message?.content;
    if (q.known !== undefined) {
        if (!got) return ['bad', `no answer in it: ${r.text.slice(0, 100)}`];
        const k = `${q.kind} ${q.known}`;
        if (known[k] === undefined) known[k] = got;
        return got === known[k] ? ['whole', ''] : ['bad', `another answer: ${String(got).slice(0, 60)}, not ${String(known[k]).slice(0, 60)}`];
    }
    return got === q.want || (got && isOfTheModel(r.expert, q)) ? ['whole', ''] : ['bad', `mixed: ${String(got).slice(0, 100)} (wanted ${q.want.slice(0, 60)})`];
}

// ---- what went wrong, when: [from, to] of each node; it is well again RETURN after the end ----
const wasWell = (i, from, to) => !nodes[i].faults.some(([a, b]) => a < to && b + RETURN > from - 200);
// a machine that stands still (a lid, a debugger, a neighbour's measurement) strikes everybody
let beat = now(), stood = 0;
setInterval(() => { const t = now(); if (t - beat > 1000) { stood += t - beat; for (const n of nodes) n?.faults.push([beat, t]); } beat = t; }, 100).unref();
const outcomes = { whole: 0, told: 0, door: 0 }, byKind = {}, lost = [], log = [], latency = { calm: [], moved: [] };
async function ask(kind, door) {
    const q = make(kind), from = now();
    const r = await call(door, 'POST', q.path, q.body, { 'tutti-deadline-ms': String(q.deadline), 'x-id': q.id, ...(q.type ? { 'content-type': q.type } : {}) }, q.deadline);
    const to = now(), [what, why] = judge(q, r);
    const doorWell = wasWell(door, from, to), reach = [...new Set(q.experts.flatMap(e => cards[e]))], able = reach.filter(n => wasWell(n, from, to));
    let outcome = what;
    if (what === 'none') { // nobody said a word: only when the front door itself was struck
        outcome = 'door';
        if (doorWell) bad(`${q.id} ${kind} at ${door}: no outcome: ${why} after ${r.ms.toFixed(0)} ms`);
    } else if (what === 'bad') {
        bad(`${q.id} ${kind} at ${door} by ${r.node}: ${why}`);
    }
    if (what === 'told' && doorWell && r.ms > q.deadline + SLACK / 2) bad(`${q.id} ${kind}: told after ${r.ms.toFixed(0)} ms of ${q.deadline}`);
    if (what === 'told' && doorWell && able.length > 0 && !q.begun) lost.push(`${q.id} ${kind} at ${door} after ${r.ms.toFixed(0)} ms, though ${able} could: ${why}`);
    if (what === 'whole') {
        const calm = doorWell && reach.every(n => wasWell(n, from, to));
        latency[calm ? 'calm' : 'moved'].push(r.ms);
        if (q.stream && calm) stalls.push(r.gaps);
        if (r.node && r.expert && cards[r.expert] && r.node !== 'local' && !cards[r.expert].includes(Number(r.node.slice(1)))) bad(`${q.id}: ${r.expert} answered on ${r.node}`);
    }
    outcomes[outcome] = (outcomes[outcome] || 0) + 1;
    (byKind[kind] ||= {})[outcome] = (byKind[kind][outcome] || 0) + 1;
    log.push({ id: q.id, kind, door, from: Math.round(from), ms: Math.round(r.ms), outcome, node: r.node, why });
    return outcome;
}
const stalls = [], kinds = ['auto', 'auto', 'auto-stream', 'auto-stream', 'echo', 'only-2', 'only-3-stream', 'only-5', 'embed', 'tiny', 'look', 'hear', 'say', ...Object.keys(real)];
let asking = 0, mayAsk = true;
async function traffic() {
    while (mayAsk) {
        await sleep(-Math.log(1 - random()) * 1000 / rate);
        if (!mayAsk) break;
        asking++;
        ask(pick(kinds), 1 + Math.floor(random() * N)).catch(e => bad(`the driver: ${e.stack}`)).finally(() => asking--);
    }
    for (let k = 0; asking > 0 && k < 4000; k++) await sleep(20);
    if (asking > 0) bad(`${asking} requests have no outcome`);
}
async function openaiTraffic() { // the OpenAI client, as people use it
    if (!process.env.TUTTI_CLIENT) return;
    let OpenAI;
    try { const r = createRequire(process.env.TUTTI_CLIENT + '/'); OpenAI = r('openai').default || r('openai'); } catch { return; }
    while (mayAsk) {
        const door = 1 + Math.floor(random() * N), id = `o${nextId++}x`, w = words(id, 5), want = Array.from({ length: 40 }, (_, k) => w[k % 5]).join(' '), from = now();
        const client = new OpenAI({ baseURL: `http://${seen('c', door)}:${port + 1}/v1`, apiKey: key, maxRetries: 0, timeout: DEADLINE + SLACK });
        let text = '', reason = null, error = null, expert = null;
        try {
            for await (const c of await client.chat.completions.create({ model: 'auto', messages: [{ role: 'user', content: w.join(' ') }], max_tokens: 40, stream: true })) {
                text += c.choices[0]?.delta.content || '', reason = c.choices[0]?.finish_reason || reason, expert = c.tutti?.expert || expert;
            }
        } catch (e) { error = e; }
        const to = now(), what = error ? (error instanceof OpenAI.APIError && !(error instanceof OpenAI.APIConnectionError) ? 'told' : 'door') : 'whole';
        const isEcho = expert === null ? /^(o\d+xw\d|$)/.test(text) : expert !== 'tutti-tiny';
        if (isEcho && !want.startsWith(text)) bad(`${id} OpenAI client: mixed: ${text.slice(0, 100)}`);
        else if (!error && ((isEcho && text !== want) || !reason)) bad(`${id} OpenAI client: ended without a word after ${text.length} of ${want.length}`);
        else if (what === 'door' && wasWell(door, from, to)) bad(`${id} OpenAI client at ${door}: ${error}`);
        else if (what === 'told' && !text && wasWell(door, from, to) && cards.echo.some(n => wasWell(n, from, to))) lost.push(`${id} OpenAI client at ${door}: ${error}`);
        outcomes[what]++;
        (byKind.openai ||= {})[what] = (byKind.openai[what] || 0) + 1;
        await sleep(300);
    }
}

// ---- faults ----
const faults = {}, returns = [], returnBy = {};
let nUnmeasured = 0;
const others = i => [1, 2, 3, 4, 5, 'c'].filter(k => k !== i);
// Reachable again: when is it used?  Asked at a front door that is well, for an expert of its own.
async function measureReturn(i, kind, at) {
    const door = [1, 2, 3, 4, 5].find(k => k !== i && wasWell(k, at, now())) || [1, 2, 3].find(k => k !== i);
    let seenUp = null;
    while (now() - at < 60000) {
        const r = await call(door, 'GET', '/v1/tutti/cluster', null, {}, 3000);
        if (r.status === 200) try { if (JSON.parse(r.text).members.some(m => m.name === `n${i}` && m.state === 'up')) { seenUp = now() - at; break; } } catch (e) { bad(`/v1/tutti/cluster: ${e.message}`); break; }
        await sleep(40);
    }
    if (seenUp === null) { if (wasWell(door, at, now())) bad(`${kind} of n${i}: not up at n${door} after a minute`); return; }
    if (cards[`only-${i}`]) {
        for (;;) {
            const q = make(`only-${i}`), r = await call(door, 'POST', q.path, q.body, { 'tutti-deadline-ms': '3000' }, 3000);
            if (judge(q, r)[0] === 'whole') { seenUp = now() - at; break; }
            if (now() - at > 60000) { if (wasWell(door, at, now())) bad(`${kind} of n${i}: not used by n${door} after a minute: ${r.status} ${r.text.slice(0, 200)}`); break; }
            await sleep(40);
        }
    }
    if (!wasWell(door, at, now())) { nUnmeasured++; return; } // the door was struck meanwhile: that says nothing of who came back
    returns.push(seenUp);
    (returnBy[kind] ||= []).push(seenUp);
    if (seenUp > (isLong ? RETURN : 10 * RETURN)) bad(`${kind} of n${i}: used again after ${(seenUp / 1000).toFixed(2)} s`);
}
async function strike(kind, i, ms) {
    const span = [now(), Infinity], n = nodes[i];
    n.faults.push(span);
    n.isStruck = true;
    faults[kind] = (faults[kind] || 0) + 1;
    try {
        if (kind === 'kill') {
            n.mayEnd = true;
            process.kill(n.pid, 'SIGKILL');
            await sleep(ms);
            await start(i);
            n.mayEnd = false;
        } else if (kind === 'restart') { // as systemd does it: running answers end first
            n.mayEnd = true;
            process.kill(n.pid, 'SIGTERM');
            for (let k = 0; !n.hasEnded && k < 600; k++) await sleep(50);
            if (!n.hasEnded) { bad(`n${i} does not end within 30 s of SIGTERM`); process.kill(n.pid, 'SIGKILL'); await sleep(200); }
            else if (n.ended !== '0 null') bad(`n${i} ended with ${n.ended} after SIGTERM`);
            await start(i);
            n.mayEnd = false;
        } else if (kind === 'pause') {
            process.kill(n.pid, 'SIGSTOP');
            await sleep(ms);
            process.kill(n.pid, 'SIGCONT');
        } else if (kind === 'partition') {
            for (const k of others(i)) { await link(`hold ${i} ${k}`); await link(`hold ${k} ${i}`); }
            await sleep(ms);
            await usual(i);
        } else if (kind === 'cable' && isNetns) {
            execFileSync('ip', ['-n', `${rig}-${i}`, 'link', 'set', 'eth0', 'down']);
            await sleep(ms);
            execFileSync('ip', ['-n', `${rig}-${i}`, 'link', 'set', 'eth0', 'up']);
        } else if (kind === 'cable') {
            await link(`cut ${i} *`);
        } else if (kind === 'one-way') { // it hears, and nobody hears it; or the other way round
            for (const k of others(i)) await link(random() < 0.5 ? `hold ${i} ${k}` : `hold ${k} ${i}`);
            await sleep(ms);
            await usual(i);
        } else if (kind === 'slow') {
            for (const k of others(i)) for (const [a, b] of [[i, k], [k, i]]) { await link(`delay ${a} ${b} 150`); await link(`rate ${a} ${b} 1`); }
            await sleep(ms);
            await usual(i);
        } else if (kind === 'tbf') {
            execFileSync('ip', ['netns', 'exec', `${rig}-${i}`, 'tc', 'qdisc', 'replace', 'dev', 'eth0', 'root', 'tbf', 'rate', '512kbit', 'burst', '16kb', 'latency', '400ms']);
            await sleep(ms);
            execFileSync('ip', ['netns', 'exec', `${rig}-${i}`, 'tc', 'qdisc', 'del', 'dev', 'eth0', 'root']);
        } else if (kind === 'disk') {
            try { fs.writeFileSync(`${tmp}/disk/full`, Buffer.alloc(4 << 20)); } catch { /* that is the point */ }
            await sleep(ms);
            fs.rmSync(`${tmp}/disk/full`, { force: true });
        } else if (kind === 'clock') {
            fs.writeFileSync(`${tmp}/clock`, (random() < 0.5 ? '+' : '-') + '86400\n');
            await sleep(ms);
            fs.writeFileSync(`${tmp}/clock`, '+0\n');
            await sleep(1100); // libfaketime looks once a second
        }
    } finally {
        span[1] = kind === 'kill' || kind === 'restart' ? nodes[i].bornAt : now();
    }
    await measureReturn(i, kind, span[1]);
    n.isStruck = false;
}
async function chaos(until) {
    if (!isLong) { // each of them once, some together; node 1 is always well
        const then = (first, next) => first.then(() => now() < until + 2000 && next());
        const all = [then(strike('kill', 2, 200), () => strike('one-way', 2, 700)), then(strike('slow', 5, 1200), () => strike('restart', 5, 0)), strike('pause', 3, 2800), sleep(600).then(() => strike('partition', 4, 2800))];
        await Promise.all(all);
        return;
    }
    const list = ['kill', 'restart', 'pause', 'partition', 'cable', 'one-way', 'slow', ...(isNetns ? ['tbf', 'disk'] : []), ...(fakeTime ? ['clock'] : [])], running = new Set();
    while (now() < until) {
        const kind = pick(list), free = [2, 3, 4, 5].filter(i => !nodes[i].isStruck), i = kind === 'disk' ? 5 : kind === 'clock' ? 4 : random() < 0.1 && !nodes[1].isStruck && !/kill|restart/.test(kind) ? 1 : pick(free.length ? free : [2]);
        if (running.size < 2 && !nodes[i].isStruck) {
            const s = strike(kind, i, kind === 'clock' || kind === 'disk' ? 8000 + random() * 10000 : 200 + random() * 6000).catch(e => bad(`${kind} of n${i}: ${e.stack}`)).finally(() => running.delete(s));
            running.add(s);
        }
        await sleep(500 + random() * 2500);
    }
    await Promise.all(running);
}

// ---- what they hold ----
function holds(i) {
    const pid = nodes[i].pid, status = read(`/proc/${pid}/status`), value = k => Number((status.match(new RegExp(`^${k}:\\s*(\\d+)`, 'm')) || [])[1] || 0);
    let fds = 0;
    try { fds = fs.readdirSync(`/proc/${pid}/fd`).length; } catch { /* it is gone */ }
    return { pid, rss: value('VmRSS') / 1024, threads: value('Threads'), fds };
}
const quantile = (list, q) => list.length ? [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(q * list.length))] : NaN;
let nTests = 0;
const tell = (ok, name, more = []) => { console.log(`${ok ? 'ok' : 'not ok'} ${++nTests} - ${name}`); for (const m of more.slice(0, 12)) console.log(`# ${m}`); };
const kill = () => { for (const n of nodes) if (n?.pid) for (const s of ['SIGCONT', 'SIGKILL']) try { process.kill(n.pid, s); } catch { /* gone */ } relay?.kill('SIGKILL'); };
process.on('exit', kill);
for (const s of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(s, () => process.exit(130));

const stage = what => { if (process.env.CHAOS_TIMES) console.log(`# ${(now() / 1000).toFixed(2)} s: ${what}`); };
async function main() {
    for (let i = 1; i <= N; i++) nodes[i] = { faults: [] };
    for (let k = 0; !(await startRelay()) && k < 5; k++) port += 111; // somebody has it
    for (const i of [1, 2, 3, 4, 5, 'c']) await usual(i);
    writeCards();
    fs.writeFileSync(`${tmp}/clock`, '+0\n');
    for (let i = 1; i <= N; i++) { fs.mkdirSync(`${tmp}/n${i}`, { recursive: true }); configure(i); }
    // trust, as people make it
    run(inside(1, [tutti, 'cluster', 'init', '--name', 'n1', '--dir', `${tmp}/n1/trust`]), 1);
    await start(1);
    const token = run([tutti, 'cluster', 'token', '--dir', `${tmp}/n1/trust`, '--uses', '4', '--valid', '1h'], 1).trim();
    await Promise.all([2, 3, 4, 5].map(i => new Promise((done, fail) => {
        const argv = inside(i, [tutti, 'node', 'join', `https://${seen(i, 1)}:${port}`, '--token', token, '--name', `n${i}`, '--dir', `${tmp}/n${i}/trust`]);
        execFile(argv[0], argv.slice(1), { env: environment(i) }, (e, out, err) => e ? fail(new Error(err)) : done());
    })));
    await Promise.all([2, 3, 4, 5].map(start));
    const all = async () => { for (let i = 1; i <= N; i++) { const r = await call(i, 'GET', '/v1/tutti/cluster', null, {}, 5000); if (r.status !== 200 || JSON.parse(r.text).members.filter(m => m.state === 'up').length < N - 1) return false; } return true; };
    const meet = async ms => { for (const t = now(); now() - t < ms; await sleep(50)) if (await all()) return true; return false; };
    stage('started');
    tell(await meet(60000), 'five nodes with certificates meet');
    stage('met');
    // what is right: everything is asked at every front door
    const askAll = () => Promise.all([1, 2, 3, 4, 5].flatMap(i => [...new Set(kinds)].map(k => ask(k, i))));
    await askAll();
    for (let k = 0; k < 8; k += 4) await Promise.all([0, 1, 2, 3].flatMap(d => [ask('embed', 1 + (k + d) % N), ask('tiny', 1 + (k + d) % N)]));
    tell(problems.length === 0 && lost.length === 0 && outcomes.told === 0 && outcomes.door === 0, 'every node answers everything, by its own or its neighbours\' experts', [...problems, ...lost, ...log.filter(l => l.outcome !== 'whole').map(l => JSON.stringify(l))]);
    problems.length = lost.length = 0;
    if (isLong) { const calm = now(); const t = traffic(); await sleep(15000); mayAsk = false; await t; mayAsk = true; void calm; }
    stage('asked');
    const before = [0, 1, 2, 3, 4, 5].map(i => i ? holds(i) : null), begin = now();
    const busy = [traffic(), openaiTraffic()];
    await chaos(begin + seconds * 1000);
    while (now() < begin + seconds * 1000) await sleep(100);
    mayAsk = false;
    await Promise.all(busy);
    stage('chaos over');
    const during = { ...outcomes }, total = Object.values(during).reduce((a, b) => a + b, 0);
    tell(problems.length === 0, 'every request has one outcome: its own whole answer or a clear error in time; who returns is used again', problems);
    // beside the rest of ./check a machine may stand still for longer than a node may be silent
    tell(lost.length <= (isLong ? 0 : 3 + total / 30), 'nothing is lost that another node could answer', lost);
    let well, isWhole;
    for (let before = -1, round = 0; round < 3 && !isWhole && stood !== before; round++) {
        before = stood;
        well = await meet(30000);
        for (let i = 1; i <= N; i++) nodes[i].faults.length = 0;
        const whole = outcomes.whole, n = problems.length + lost.length;
        if (well) await askAll();
        isWhole = well && outcomes.whole - whole === N * new Set(kinds).size && problems.length + lost.length === n;
    }
    tell(isWhole, 'afterwards everybody answers everything again', log.slice(-80).filter(l => l.outcome !== 'whole').map(l => JSON.stringify(l)));
    stage('asked again');
    // nothing is kept
    for (const a of agents) a?.destroy();
    await sleep(isLong ? 8000 : 700);
    const after = [0, 1, 2, 3, 4, 5].map(i => i ? holds(i) : null), leaks = [];
    for (let i = 1; i <= N; i++) {
        if (after[i].fds > before[i].fds + 24) leaks.push(`n${i}: ${before[i].fds} descriptors before, ${after[i].fds} after`);
        if (after[i].threads > before[i].threads + 8) leaks.push(`n${i}: ${before[i].threads} threads before, ${after[i].threads} after`);
        if (after[i].rss > before[i].rss + 48) leaks.push(`n${i}: ${before[i].rss.toFixed(0)} MiB before, ${after[i].rss.toFixed(0)} after`);
    }
    tell(leaks.length === 0, 'nothing leaks: memory, descriptors, threads', leaks);
    for (let i = 1; i <= N; i++) console.log(`# n${i}: ${before[i].rss.toFixed(1)} MiB, ${before[i].fds} descriptors, ${before[i].threads} threads before; ${after[i].rss.toFixed(1)}, ${after[i].fds}, ${after[i].threads} after${before[i].pid === after[i].pid ? '' : ' (another process)'}`);
    stage('looked');
    // one whose certificate is taken back is cut off, and the others go on
    run(inside(1, [tutti, 'cluster', 'revoke', '--dir', `${tmp}/n1/trust`, 'n5']), 1);
    let isOut = false;
    for (const t = now(); now() - t < 30000 && !isOut; await sleep(100)) {
        const r = await Promise.all([1, 2, 3, 4].map(i => call(i, 'GET', '/v1/tutti/cluster', null, {}, 5000)));
        isOut = r.every(x => x.status === 200 && JSON.parse(x.text).members.every(m => m.name !== 'n5' || m.state !== 'up'));
    }
    const o = await Promise.all([ask('auto', 1), ask('auto-stream', 2), ask('echo', 3), ask('embed', 4)]), gone = make('only-5'), r = await call(1, 'POST', gone.path, gone.body, { 'tutti-deadline-ms': '5000' }, 5000);
    tell(isOut && o.every(x => x === 'whole') && judge(gone, r)[0] === 'told', 'a node that is revoked is cut off; the others answer, and what only it had is a clear error', [JSON.stringify([isOut, o, r.status, r.text.slice(0, 200)])]);
    stage('revoked');
    // journals survive
    const journals = [];
    for (let i = 1; i <= N; i++) {
        nodes[i].mayEnd = true;
        process.kill(nodes[i].pid, 'SIGTERM');
        for (let k = 0; !nodes[i].hasEnded && k < 600; k++) await sleep(20);
        if (nodes[i].ended !== '0 null') journals.push(`n${i} ended with ${nodes[i].ended}`);
    }
    for (let i = 1; i <= N; i++) try { run([tutti, 'route', 'why'], i); } catch (e) { journals.push(`n${i}: ${String(e.stderr || e.message).split('\n')[0]}`); }
    tell(journals.length === 0, 'they end as they should, and their journals can be read', journals);
    stage('ended');
    console.log(`1..${nTests}`);
    console.log(`# ${total} requests in ${seconds} s by ${isNetns ? 'network namespaces' : 'loopback and link-relay'}: ${Object.entries(during).map(([k, v]) => `${v} ${k}`).join(', ')}; lost though another could: ${lost.length}${stood ? `; this machine stood still for ${(stood / 1000).toFixed(1)} s` : ''}`);
    console.log(`# by kind: ${Object.entries(byKind).map(([k, v]) => `${k} ${Object.entries(v).map(([a, b]) => `${b} ${a}`).join(' ')}`).join('; ')}`);
    console.log(`# faults: ${Object.entries(faults).map(([k, v]) => `${v} ${k}`).join(', ')}`);
    console.log(`# used again after (${returns.length} times, ${nUnmeasured} not measured: the door that looked was struck): p50 ${(quantile(returns, 0.5) / 1000).toFixed(2)} s, most ${(quantile(returns, 1) / 1000).toFixed(2)} s; ${Object.entries(returnBy).map(([k, v]) => `${k} ${(quantile(v, 0.5) / 1000).toFixed(2)}/${(quantile(v, 1) / 1000).toFixed(2)}`).join(', ')}`);
    console.log(`# whole answers: calm p50 ${quantile(latency.calm, 0.5).toFixed(0)} ms p99 ${quantile(latency.calm, 0.99).toFixed(0)}; beside faults p50 ${quantile(latency.moved, 0.5).toFixed(0)} p99 ${quantile(latency.moved, 0.99).toFixed(0)} most ${quantile(latency.moved, 1).toFixed(0)}; longest silence in a stream, calm: p50 ${quantile(stalls, 0.5).toFixed(0)} ms, p99 ${quantile(stalls, 0.99).toFixed(0)}, most ${quantile(stalls, 1).toFixed(0)}`);
    if (process.env.CHAOS_JSON) fs.writeFileSync(process.env.CHAOS_JSON, log.map(l => JSON.stringify(l)).join('\n') + '\n');
}
main().then(() => process.exit(0)).catch(e => { console.log(`not ok ${++nTests} - the driver: ${e.stack}`); process.exit(1); });
