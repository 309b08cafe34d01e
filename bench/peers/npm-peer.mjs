// bench/peers/npm-peer.mjs - one measurement of llama.cpp as node-llama-cpp brings it.
// usage: node npm-peer.mjs MODEL THREADS N_PP N_TG DEPTH...   prints one line of JSON:
//   {"release":"...","results":[{"test":"pp512","depth":0,"tps":..},{"test":"tg64","depth":0,"tps":..},..]}
// A depth of -1 leaves decode out; N_PP 0 leaves the prompt out.
import {getLlama} from "node-llama-cpp";

const [modelPath, threadsText, ppText, tgText, ...depthTexts] = process.argv.slice(2);
const threads = Number(threadsText), nPp = Number(ppText), nTg = Number(tgText);
const depths = depthTexts.map(Number).filter((d) => d >= 0);

const llama = await getLlama({gpu: false, build: "never", maxThreads: threads, skipDownload: true, logLevel: "error"});
const model = await llama.loadModel({modelPath, useMmap: true});
const contextSize = Math.max(nPp, ...depths, 0) + nTg + 16;
const context = await model.createContext({contextSize, batchSize: 2048, threads: {ideal: threads, min: threads}, sequences: 1});
const sequence = context.getSequence();

// Repeatable ids from the middle of the vocabulary: no control tokens.
const vocabSize = model.fileInfo.metadata?.tokenizer?.ggml?.tokens?.length ?? 32000;
let state = 12345;
const ids = (n) => Array.from({length: n}, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return 300 + (state >>> 8) % (vocabSize - 300);
});
const seconds = async (work) => {
    const start = process.hrtime.bigint();
    await work();
    return Number(process.hrtime.bigint() - start) / 1e9;
};

const results = [];
if (nPp > 0) {
    await sequence.evaluateWithoutGeneratingNewTokens(ids(16)); // pages touched, threads started
    await sequence.clearHistory();
    const took = await seconds(() => sequence.evaluateWithoutGeneratingNewTokens(ids(nPp)));
    results.push({test: `pp${nPp}`, depth: 0, tps: nPp / took});
    await sequence.clearHistory();
}
for (const depth of depths) {
    if (depth > 0)
        await sequence.evaluateWithoutGeneratingNewTokens(ids(depth));
    let n = 0, start = 0n, end = 0n;
    for await (const _ of sequence.evaluate(ids(1), {temperature: 0, yieldEogToken: true})) { // the clock runs from the first token out
        end = process.hrtime.bigint();
        if (n++ === 0)
            start = end;
        if (n > nTg)
            break;
    }
    results.push({test: `tg${nTg}`, depth, tps: (n - 1) / (Number(end - start) / 1e9)});
    await sequence.clearHistory();
}
console.log(JSON.stringify({release: llama.llamaCppRelease, results}));
process.exit(0);
