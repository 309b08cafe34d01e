// tests/serve/client/client.mjs URL - the OpenAI client against a running `tutti serve`; prints TAP.
// The packages lie where NODE_PATH says (ES modules do not read it, so they are resolved by hand).
import { createRequire } from 'node:module';
const require = createRequire((process.env.TUTTI_CLIENT || '.') + '/');
const OpenAI = require('openai').default || require('openai');

const url = process.argv[2];
const client = new OpenAI({ baseURL: url + '/v1', apiKey: 'none', maxRetries: 0 });
const model = (await client.models.list()).data[0].id;
const messages = [{ role: 'user', content: 'Tell me a story.' }];
let n = 0, failed = 0;

async function test(name, fn) {
    n++;
    try {
        await fn();
        console.log(`ok ${n} - openai client: ${name}`);
    } catch (e) {
        failed++;
        console.log(`# ${String(e && e.stack || e).split('\n').slice(0, 4).join('\n# ')}`);
        console.log(`not ok ${n} - openai client: ${name}`);
    }
}
function must(cond, text) { if (!cond) throw new Error(text); }

async function gauge(name) {
    const text = await (await fetch(url + '/metrics')).text();
    const line = text.split('\n').find(l => l.startsWith(name + '{'));
    return Number(line.slice(line.lastIndexOf(' ') + 1));
}

await test('models are listed and found', async () => {
    must((await client.models.retrieve(model)).id === model, 'another model');
    try {
        await client.models.retrieve('nobody');
        must(false, 'a model that does not exist was found');
    } catch (e) {
        must(e instanceof OpenAI.NotFoundError && e.code === 'model_not_found', String(e));
    }
});
await test('a chat in one piece', async () => {
    const r = await client.chat.completions.create({ model, messages, max_tokens: 20, seed: 1, n: 2, logprobs: true, top_logprobs: 3 });
    must(r.choices.length === 2 && r.choices[0].message.content.length > 0, JSON.stringify(r));
    must(r.usage.completion_tokens > 0 && r.usage.total_tokens === r.usage.prompt_tokens + r.usage.completion_tokens, 'usage');
    must(r.choices[0].logprobs.content[0].top_logprobs.length === 3, 'logprobs');
    must(['stop', 'length'].includes(r.choices[0].finish_reason), r.choices[0].finish_reason);
    const again = await client.chat.completions.create({ model, messages, max_tokens: 20, seed: 1, n: 2 });
    must(again.choices[1].message.content === r.choices[1].message.content, 'the same seed gives another text');
});
await test('a stream with usage', async () => {
    const stream = await client.chat.completions.create({ model, messages, max_tokens: 20, temperature: 0, stream: true, stream_options: { include_usage: true } });
    let text = '', role, reason, usage;
    for await (const c of stream) {
        role = role || c.choices[0]?.delta.role;
        text += c.choices[0]?.delta.content || '';
        reason = c.choices[0]?.finish_reason || reason;
        usage = c.usage || usage;
    }
    const whole = await client.chat.completions.create({ model, messages, max_tokens: 20, temperature: 0 });
    must(role === 'assistant' && reason && usage.completion_tokens > 0, `${role} ${reason}`);
    must(text === whole.choices[0].message.content, `'${text}' streamed, '${whole.choices[0].message.content}' in one piece`);
});
await test('the stream helper', async () => {
    const s = client.chat.completions.stream({ model, messages, max_tokens: 10 });
    const done = await s.finalChatCompletion();
    must(done.choices[0].message.content.length > 0, 'empty');
});
await test('completions', async () => {
    const r = await client.completions.create({ model, prompt: ['Once upon', 'The end'], max_tokens: 5, echo: true });
    must(r.choices.length === 2 && r.choices[1].text.startsWith('The end'), JSON.stringify(r));
    let text = '';
    for await (const c of await client.completions.create({ model, prompt: 'Once', stream: true }))
        text += c.choices[0].text;
    must(text.length > 0, 'empty stream');
});
await test('embeddings', async () => {
    const r = await client.embeddings.create({ model, input: ['a dog', 'a cat'] }); // asks for base64 and decodes it
    const v = Array.from(r.data[0].embedding);
    must(r.data.length === 2 && Math.abs(v.reduce((s, x) => s + x * x, 0) - 1) < 1e-4, 'not of length 1');
    const f = await client.embeddings.create({ model, input: 'a dog', encoding_format: 'float' });
    must(f.data[0].embedding.every((x, i) => Math.abs(x - v[i]) < 1e-5), 'base64 and float differ');
});
await test('errors have their classes', async () => {
    const long = [{ role: 'user', content: 'word '.repeat(20000) }];
    for (const [params, type, code] of [
        [{ model: 'nobody', messages }, OpenAI.NotFoundError, 'model_not_found'],
        [{ model, messages: long }, OpenAI.BadRequestError, 'context_length_exceeded'],
        [{ model, messages: long, stream: true }, OpenAI.BadRequestError, 'context_length_exceeded'],
        [{ model, messages, temperature: 7 }, OpenAI.BadRequestError, 'invalid_value'],
        [{ model, messages, response_format: { type: 'json_object' } }, OpenAI.BadRequestError, 'unsupported_value'],
    ]) {
        try {
            const answer = await client.chat.completions.create(params);
            if (params.stream) /* a slow machine begins the stream before it knows: then the error is in it */
                for await (const _ of answer)
                    ;
        } catch (e) {
            must((e instanceof type && e.requestID || params.stream) && e.code === code, `${code}: ${e}`);
            continue;
        }
        must(false, `${code}: no error`);
    }
});
await test('auto: chosen, streamed, refused', async () => {
    must((await client.models.list()).data.some(m => m.id === 'auto:private'), 'auto:private is not listed');
    const { data, response } = await client.chat.completions.create({ model: 'auto', messages, max_tokens: 20, temperature: 0, tutti: { security_level: 'private' } }).withResponse();
    must(data.model === model && data.tutti.expert === model && response.headers.get('tutti-expert') === model && data.choices[0].message.content.length > 0, JSON.stringify(data));
    let text = '', said;
    for await (const c of await client.chat.completions.create({ model: 'auto:fast', messages, max_tokens: 20, temperature: 0, stream: true }, { headers: { 'tutti-deadline-ms': '60000' } })) {
        text += c.choices[0].delta.content || '';
        said = c.tutti || said;
    }
    must(text === data.choices[0].message.content && said.expert === model && said.route.startsWith('rt_'), `'${text}' streamed`);
    try {
        await client.chat.completions.create({ model: 'auto', messages, tutti: { security: 'private' } });
        must(false, 'a wish that nobody knows was passed over');
    } catch (e) {
        must(e instanceof OpenAI.BadRequestError && e.param === 'tutti.security', String(e));
    }
    try {
        await client.chat.completions.create({ model: 'auto', messages: [{ role: 'user', content: 'word '.repeat(20000) }], stream: true });
        must(false, 'a prompt that is too long was taken');
    } catch (e) {
        must(e instanceof OpenAI.BadRequestError && e.code === 'context_length_exceeded', String(e));
    }
});
await test('an abort stops the work', async () => {
    const abort = new AbortController();
    const stream = await client.chat.completions.create({ model, messages, n: 64, stream: true, ignore_eos: true }, { signal: abort.signal });
    try {
        for await (const c of stream) {
            abort.abort();
            break;
        }
    } catch (e) { /* an abort may throw */ }
    const t0 = Date.now();
    while (await gauge('tutti_num_requests_running') + await gauge('tutti_num_requests_waiting') > 0)
        must(Date.now() - t0 < 60000, 'still running after a minute');
});
await test('eight streams at once', async () => {
    const texts = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
        let text = '';
        for await (const c of await client.chat.completions.create({ model, messages, max_tokens: 60, seed: i % 2, stream: true }))
            text += c.choices[0].delta.content || '';
        return text;
    }));
    must(texts.every(t => t.length > 0) && texts[0] === texts[2] && texts[1] === texts[7], 'the same seed gives another text beside others');
});
console.log(`# ${n} client tests, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
