// tests/serve/client/chaos.mjs URL N - the OpenAI client asks `auto` while the engines behind it die; prints TAP.
// Fake engines repeat the prompt's words: every answer must be those words from the begin on, whole or ended by an error that the client throws.
import { createRequire } from 'node:module';
const require = createRequire((process.env.TUTTI_CLIENT || '.') + '/');
const OpenAI = require('openai').default || require('openai');

const client = new OpenAI({ baseURL: process.argv[2] + '/v1', apiKey: 'none', maxRetries: 0, timeout: 60000 });
const n = Number(process.argv[3] || 40), tokens = 40;
const seen = { whole: 0, told: 0, bad: [] };

async function ask(i) {
    const words = Array.from({ length: 12 }, (_, k) => `w${i}x${k}`);
    const want = Array.from({ length: tokens }, (_, k) => words[k % words.length]).join(' ');
    let text = '', reason = null, error = null, routed = null;
    try {
        const stream = await client.chat.completions.create({ model: 'auto', messages: [{ role: 'user', content: words.join(' ') }], max_tokens: tokens, stream: true });
        for await (const c of stream) {
            text += c.choices[0]?.delta.content || '';
            reason = c.choices[0]?.finish_reason || reason;
            routed = c.tutti || routed;
        }
    } catch (e) {
        error = e;
    }
    if (!want.startsWith(text))
        seen.bad.push(`mixed: ${text.slice(0, 100)}`);
    else if (error && !(error instanceof OpenAI.APIError))
        seen.bad.push(`no API error: ${error}`);
    else if (error)
        seen.told++;
    else if (text !== want || !reason)
        seen.bad.push(`ended without a word after ${text.length} of ${want.length}`);
    else if (!routed || !routed.expert)
        seen.bad.push('no tutti object says who answered');
    else
        seen.whole++;
}
let next = 0;
async function worker() { while (next < n) await ask(next++); }
await Promise.all(Array.from({ length: 8 }, worker));
console.log(`# openai client: ${seen.whole} whole, ${seen.told} errors thrown, ${seen.bad.length} bad`);
for (const b of seen.bad.slice(0, 5)) console.log(`# ${b}`);
console.log(seen.bad.length || !seen.whole ? 'not ok' : 'ok');
process.exit(seen.bad.length || !seen.whole ? 1 : 0);
