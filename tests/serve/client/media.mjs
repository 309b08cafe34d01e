// tests/serve/client/media.mjs URL EAR MOUTH SEER BLIND - the OpenAI client: sound, embeddings, pictures; against the fake experts of
// test_media.c or against real ones (test_media.sh); prints TAP.  FAKE=1: the experts say what fake_expert.h makes them say.
import { createRequire } from 'node:module';
const require = createRequire((process.env.TUTTI_CLIENT || '.') + '/');
const OpenAI = require('openai').default || require('openai');
const { toFile } = require('openai');
const [, , url, ear, mouth, seer, blind] = process.argv;
const fake = process.env.FAKE === '1';
const client = new OpenAI({ baseURL: url + '/v1', apiKey: 'none', maxRetries: 0 });
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
async function refused(type, code, fn) {
    try {
        await fn();
    } catch (e) {
        must(e instanceof type && e.code === code, `${code} is wanted: ${e}`);
        return e;
    }
    must(false, `${code}: no error`);
}

let wav;
const say = fake ? 'words 10 0' : 'hello world';
if (mouth) {
    await test('speech is a WAV file', async () => {
        const r = await client.audio.speech.create({ model: mouth, voice: 'alloy', input: say, response_format: 'wav' });
        wav = Buffer.from(await r.arrayBuffer());
        must(r.headers.get('content-type') === 'audio/wav' && wav.subarray(0, 4).toString() === 'RIFF' && wav.length > 10000, `${wav.length} bytes`);
    });
    await test('speech streams', async () => {
        const r = await client.audio.speech.create({ model: mouth, voice: 'alloy', input: say, response_format: 'pcm' });
        let bytes = 0, pieces = 0;
        for await (const p of r.body)
            bytes += p.length, pieces++;
        must(pieces >= 1 && bytes % 2 === 0 && bytes > 10000, `${bytes} bytes in ${pieces} pieces`);
    });
    await test('mp3 is refused with what is possible', async () => {
        const e = await refused(OpenAI.BadRequestError, 'unsupported_value', () => client.audio.speech.create({ model: mouth, voice: 'alloy', input: say, response_format: 'mp3' }));
        must(/wav, flac, opus, pcm/.test(e.message), e.message);
    });
}
if (ear) {
    const file = async () => toFile(wav || Buffer.from('RIFF'), 'a.wav', { type: 'audio/wav' });
    const prompt = fake ? { prompt: 'words 2 0' } : {};
    await test('a transcript', async () => {
        const r = await client.audio.transcriptions.create({ model: ear, file: await file(), ...prompt });
        must(typeof r.text === 'string' && (!fake || r.text === 'w0 <x> w1 <x>'), JSON.stringify(r));
    });
    await test('a transcript with the times of words', async () => {
        const r = await client.audio.transcriptions.create({ model: ear, file: await file(), response_format: 'verbose_json', timestamp_granularities: ['word', 'segment'], ...prompt });
        must(r.duration > 0 && Array.isArray(r.words) && Array.isArray(r.segments), JSON.stringify(r));
        must(r.words.every(w => typeof w.word === 'string' && w.end >= w.start) && r.segments.every(s => typeof s.text === 'string' && typeof s.avg_logprob === 'number'), JSON.stringify(r));
        must(!fake || (r.words.length === 4 && r.segments.length === 2), JSON.stringify(r));
    });
    await test('subtitles', async () => {
        const vtt = await client.audio.transcriptions.create({ model: ear, file: await file(), response_format: 'vtt', ...prompt });
        must(String(vtt).startsWith('WEBVTT'), String(vtt));
        const srt = await client.audio.transcriptions.create({ model: ear, file: await file(), response_format: 'srt', ...prompt });
        must(typeof srt === 'string' && (!fake || srt.startsWith('1\n00:00:00,000 --> 00:00:01,000\n')), String(srt));
    });
    await test('auto says who heard it', async () => {
        const more = { ...prompt, tutti: JSON.stringify({ deadline_ms: 60000, security_level: 'private' }) };
        for (const response_format of ['json', 'verbose_json']) {
            const r = await client.audio.transcriptions.create({ model: 'auto', file: await file(), response_format, ...more }, { headers: { 'tutti-degrade': 'true' } });
            must(typeof r.text === 'string' && r.tutti.expert === ear && /^rt_/.test(r.tutti.route), JSON.stringify(r));
        }
        let done;
        for await (const ev of await client.audio.transcriptions.create({ model: 'auto', file: await file(), stream: true, ...more }))
            done = ev;
        must(done.type === 'transcript.text.done' && done.tutti.expert === ear, JSON.stringify(done));
        const { response } = await client.audio.transcriptions.create({ model: 'auto:fast', file: await file(), response_format: 'text', ...prompt }).withResponse();
        must(response.headers.get('tutti-expert') === ear, 'no header');
        await refused(OpenAI.NotFoundError, 'model_not_found', async () => client.audio.transcriptions.create({ model: 'auto:nonsense', file: await file() }));
    });
    await test('a transcript streams', async () => {
        let text = '', done;
        for await (const ev of await client.audio.transcriptions.create({ model: ear, file: await file(), stream: true, ...prompt })) {
            if (ev.type === 'transcript.text.delta')
                text += ev.delta;
            else if (ev.type === 'transcript.text.done')
                done = ev.text;
        }
        must(done !== undefined && done === text, `'${text}', then '${done}'`);
    });
    await test('translations are refused', async () => {
        await refused(OpenAI.BadRequestError, 'unsupported_value', async () => client.audio.translations.create({ model: ear, file: await file() }));
    });
}
const png = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
const chat = (model, image) => client.chat.completions.create({ model, max_tokens: 5, messages: [{ role: 'user', content: [{ type: 'text', text: say }, { type: 'image_url', image_url: { url: image } }] }] });
if (seer)
    await test('a picture inside a message', async () => {
        const r = await chat(seer, png);
        must(r.choices[0].message.content.length > 0, JSON.stringify(r));
    });
if (blind)
    await test('a model that sees nothing says so', async () => {
        const e = await refused(OpenAI.BadRequestError, 'unsupported_value', () => chat(blind, png));
        must(/reads text only/.test(e.message) && e.param === 'messages[0].content[1]', e.message);
    });
await test('models say what they can', async () => {
    const all = (await client.models.list()).data;
    must(all.every(m => Array.isArray(m.tasks)) && (!ear || all.find(m => m.id === ear).tasks.includes('transcribe')), JSON.stringify(all));
});
console.log(`# ${n} client tests, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
