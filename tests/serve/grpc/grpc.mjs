// tests/serve/grpc/grpc.mjs HOST:PORT MODEL PROTO_DIR [CA_FILE [KEY]] - @grpc/grpc-js against a running `tutti serve`; prints TAP.
// The packages lie in $TUTTI_GRPC_CLIENT/node_modules.  The service blocks that our .proto files leave out are appended here.
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
const require = createRequire((process.env.TUTTI_GRPC_CLIENT || '.') + '/');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, model, protos, ca, key] = process.argv.slice(2);
const dir = mkdtempSync(join(tmpdir(), 'tutti-grpc-'));
function load(name, service) {
    const file = join(dir, name);
    writeFileSync(file, readFileSync(join(protos, name), 'utf8') + service);
    return grpc.loadPackageDefinition(loader.loadSync(file, { keepCase: true, longs: Number, enums: String, defaults: true }));
}
const Oip = load('oip.proto', `service GRPCInferenceService {
    rpc ServerLive(ServerLiveRequest) returns (ServerLiveResponse) {}
    rpc ServerReady(ServerReadyRequest) returns (ServerReadyResponse) {}
    rpc ModelReady(ModelReadyRequest) returns (ModelReadyResponse) {}
    rpc ServerMetadata(ServerMetadataRequest) returns (ServerMetadataResponse) {}
    rpc ModelMetadata(ModelMetadataRequest) returns (ModelMetadataResponse) {}
    rpc ModelInfer(ModelInferRequest) returns (ModelInferResponse) {}
    rpc Nothing(ServerLiveRequest) returns (ServerLiveResponse) {}
}`).inference.GRPCInferenceService;
const Health = load('health.proto', `service Health {
    rpc Check(HealthCheckRequest) returns (HealthCheckResponse) {}
    rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse) {}
}`).grpc.health.v1.Health;

const credentials = ca ? grpc.credentials.createSsl(readFileSync(ca)) : grpc.credentials.createInsecure();
const oip = new Oip(address, credentials), health = new Health(address, credentials);
const meta = new grpc.Metadata();
if (key) meta.set('authorization', 'Bearer ' + key);
let n = 0, failed = 0;

async function test(name, fn) {
    n++;
    try {
        await fn();
        console.log(`ok ${n} - grpc-js${ca ? ' over TLS' : ''}: ${name}`);
    } catch (e) {
        failed++;
        console.log(`# ${String(e && e.stack || e).split('\n').slice(0, 4).join('\n# ')}`);
        console.log(`not ok ${n} - grpc-js${ca ? ' over TLS' : ''}: ${name}`);
    }
}
function must(cond, text) { if (!cond) throw new Error(text); }
function call(client, method, request, options = {}) {
    return new Promise((done, fail) => client[method](request, meta, options, (e, answer) => e ? fail(e) : done(answer)));
}
async function code(promise) {
    try { await promise; return 0; } catch (e) { return e.code; }
}
function bytes(text) {
    const b = Buffer.from(text), head = Buffer.alloc(4);
    head.writeUInt32LE(b.length);
    return Buffer.concat([head, b]);
}
const text = (t, more = {}) => ({ model_name: model, id: '7', inputs: [{ name: 'text_input', datatype: 'BYTES', shape: [1], contents: { bytes_contents: [Buffer.from(t)] } }],
                                  parameters: { max_tokens: { int64_param: 8 }, temperature: { double_param: 0 } }, ...more });

await test('the server is live, ready and says what it is', async () => {
    must((await call(oip, 'ServerLive', {})).live, 'not live');
    must((await call(oip, 'ServerReady', {})).ready, 'not ready');
    must((await call(oip, 'ServerMetadata', {})).name === 'tutti', 'no name');
});
await test('the model is ready and says its tensors', async () => {
    must((await call(oip, 'ModelReady', { name: model })).ready, 'not ready');
    const m = await call(oip, 'ModelMetadata', { name: model });
    must(m.inputs[0].name === 'text_input' && m.outputs[0].datatype === 'BYTES' && m.inputs[0].shape[0] === -1, JSON.stringify(m));
});
await test('text goes in and comes out, typed and raw alike', async () => {
    const a = await call(oip, 'ModelInfer', text('Once upon'));
    const said = a.outputs[0].contents.bytes_contents[0].toString();
    must(a.id === '7' && a.model_name === model && said.length > 0, JSON.stringify(a));
    const b = await call(oip, 'ModelInfer', { ...text('Once upon'), inputs: [{ name: 'text_input', datatype: 'BYTES', shape: [1] }], raw_input_contents: [bytes('Once upon')] });
    must(b.raw_output_contents[0].equals(bytes(said)), JSON.stringify(b));
});
await test('fifty at once all come back', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => call(oip, 'ServerLive', {})));
    must(all.every(a => a.live), 'one did not');
});
await test('errors have their codes', async () => {
    must(await code(call(oip, 'ModelInfer', text('x', { model_name: 'nobody' }))) === grpc.status.NOT_FOUND, 'unknown model');
    must(await code(call(oip, 'ModelInfer', text('x', { inputs: [] }))) === grpc.status.INVALID_ARGUMENT, 'no inputs');
    must(await code(call(oip, 'Nothing', {})) === grpc.status.UNIMPLEMENTED, 'unknown method');
});
await test('a deadline ends the call', async () => {
    const t0 = Date.now();
    const c = await code(call(oip, 'ModelInfer', text('Once', { parameters: { max_tokens: { int64_param: 100000 } } }), { deadline: Date.now() + 5 }));
    must(c === grpc.status.DEADLINE_EXCEEDED || c === 0, `code ${c}`); /* a tiny model may be done before */
    must(Date.now() - t0 < 20000, 'it took too long');
});
await test('health is told and watched', async () => {
    must((await call(health, 'Check', {})).status === 'SERVING', 'not serving');
    must(await code(call(health, 'Check', { service: 'nobody' })) === grpc.status.NOT_FOUND, 'an unknown service');
    await new Promise((done, fail) => {
        const watch = health.watch({ service: model }, meta);
        watch.on('data', m => { watch.cancel(); m.status === 'SERVING' ? done() : fail(new Error(m.status)); });
        watch.on('error', e => { if (e.code !== grpc.status.CANCELLED) fail(e); });
    });
});
if (key)
    await test('without a key only health is told', async () => {
        meta.remove('authorization');
        must(await code(call(oip, 'ServerLive', {})) === grpc.status.UNAUTHENTICATED, 'no key was asked for');
        must((await call(health, 'Check', {})).status === 'SERVING', 'health wants a key');
    });
oip.close();
health.close();
console.log(`# ${n} client tests, ${failed} failed`);
