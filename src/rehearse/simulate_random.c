/* rehearse/simulate_random.c - made-up fleets: to see whether a policy is good anywhere but where it was made.
 *
 * For:     `tutti route simulate --random SEED`, tests.
 * Rule:    the same seed gives the same text.
 */
#include <stdio.h>

#include "base/buf.h"
#include "rehearse/simulate_internal.h"

static double between(struct rng *r, double a, double b) { return a + (b - a) * rng_f64(r); }
static int pick(struct rng *r, int n) { return (int)(rng_f64(r) * n); }

/* Kinds of machines: how much memory, how fast (bytes of weights a second, times of prefill over decode), watts. */
static const struct kind {
    const char *word;
    double memory_gb, read_gb_s, prefill, idle_w, busy_w, c_per_w;
} kinds[] = {
    { "pi", 7, 10, 4, 3, 7, 5 },
    { "jetson", 7, 55, 12, 5, 10, 3.5 },
    { "minipc", 28, 60, 5, 11, 50, .95 },
    { "laptop", 8, 200, 30, 14, 85, .6 },
    { "tower", 24, 800, 40, 45, 320, .17 },
};
/* Models of text: billions of weights at 4.85 bits, MMLU (published, rounded). */
static const struct text { const char *name; double b, mmlu; } texts[] = {
    { "m1", 1.2, 49 }, { "m1.5", 1.5, 61 }, { "m3", 3.1, 65.5 }, { "m8", 8, 68 }, { "m7", 7.6, 74 }, { "m14", 14.8, 79.5 }, { "m32", 32.8, 82 },
};

void sim_random(uint64_t seed, struct buf *out)
{
    struct rng r;
    enum { NODES_MAX = 8, TEXTS = sizeof(texts) / sizeof(texts[0]) };
    int kind[NODES_MAX] = { 0 };
    double text_s = 0, eyes_s = 1 / .04, ears_s = 1 / .6; /* answers a second that all together could give */
    rng_seed(&r, seed * 0x9e3779b97f4a7c15u + 77);
    for (int i = 0; i < 4; i++)
        rng_u64(&r);
    const int n = 2 + pick(&r, NODES_MAX - 1);
    buf_printf(out, "nodes:\n");
    for (int i = 0; i < n; i++) {
        const struct kind *k = &kinds[kind[i] = i == 0 ? 2 + pick(&r, 3) : pick(&r, 5)];
        buf_printf(out, "  - {name: %s-%d, distance: %s, idle_w: %.1f, busy_w: %.1f, memory_free: %.0f GB, rtt: %.0fms, truth: {c_per_w: %.2f, ambient_c: %.0f, limit_c: %.0f}}\n",
                   k->word, i, i ? "lan" : "local", k->idle_w * between(&r, .8, 1.2), k->busy_w * between(&r, .8, 1.2), k->memory_gb, i ? between(&r, 1, 6) : 0,
                   k->c_per_w * between(&r, .8, 1.1), between(&r, 18, 30), between(&r, 85, 100));
    }
    buf_printf(out, "experts:\n");
    for (int i = 0; i < n; i++) {
        const struct kind *k = &kinds[kind[i]];
        double left_gb = k->memory_gb - .5, best_s = 0;
        const int most = 1 + pick(&r, 3);
        for (int m = 0, begin = pick(&r, TEXTS); m < TEXTS && most > 0; m++) {
            const struct text *t = &texts[(begin + m) % TEXTS];
            const double gb = t->b * 4.85 / 8 * 1.15, error = exp(between(&r, -.35, .35));
            if (gb > left_gb || rng_f64(&r) < .4)
                continue;
            const double decode = k->read_gb_s * .7 / (t->b * 4.85 / 8), prefill = decode * k->prefill;
            if (decode < 3) /* nobody would wait for it */
                continue;
            const int parallel = kind[i] >= 3 ? 1 + pick(&r, 4) : 1 + pick(&r, 2);
            left_gb -= gb;
            buf_printf(out, "  - {name: %s, node: %s-%d, task: chat, params_b: %.1f, bits: 4.85, quality: %.1f, ctx: 8192, tools: true, decode_tok_s: %.2f, prefill_tok_s: %.1f, load: %.1fs, "
                            "parallel: %d, truth: {mmlu: %.1f, speed: %.2f, watts: %.2f, gain: %.1f, device: %s}}\n",
                       t->name, k->word, i, t->b, fmax(1, 6 + (t->mmlu - 68) / 4.1), decode, prefill, .5 + t->b * .6, parallel, t->mmlu + between(&r, -2, 2), error,
                       exp(between(&r, -.2, .2)), 1 + (parallel - 1) * between(&r, .3, .7), kind[i] == 0 || kind[i] == 2 ? "cpu" : "gpu");
            best_s = fmax(best_s, error / (170 / decode + 250 / prefill));
        }
        text_s += best_s;
        if (rng_f64(&r) < .6) {
            const double item_s = (2000 / k->read_gb_s * between(&r, .7, 1.4) + 5) / 1e3;
            eyes_s += 1 / item_s;
            buf_printf(out, "  - {name: eyes-%d, node: %s-%d, task: detect, quality: %d, item: %.0fms, load: 1s, truth: {accuracy: %.2f, speed: %.2f, device: %s}}\n", i, k->word, i,
                       4 + pick(&r, 3), 1e3 * item_s, between(&r, .84, .92), exp(between(&r, -.3, .3)), kind[i] == 0 || kind[i] == 2 ? "cpu" : "gpu");
        }
        if (rng_f64(&r) < .5) {
            const double sound_s = 4 / k->read_gb_s * between(&r, .7, 1.4);
            ears_s += 1 / (6 * sound_s);
            buf_printf(out, "  - {name: ears-%d, node: %s-%d, task: transcribe, quality: 5, sound_s_s: %.3f, load: 1s, truth: {accuracy: %.2f, speed: %.2f, device: %s}}\n", i, k->word, i,
                       sound_s, between(&r, .88, .94), exp(between(&r, -.3, .3)), kind[i] == 0 || kind[i] == 2 ? "cpu" : "gpu");
        }
    }
    /* the first one can do everything */
    const struct kind *k = &kinds[kind[0]];
    buf_printf(out, "  - {name: eyes, node: %s-0, task: detect, quality: 5, item: 40ms, load: 1s, truth: {accuracy: 0.88}}\n", k->word);
    buf_printf(out, "  - {name: ears, node: %s-0, task: transcribe, quality: 5, sound_s_s: 0.1, load: 1s, truth: {accuracy: 0.91}}\n", k->word);
    if (!(text_s > 0)) {
        buf_printf(out, "  - {name: m3, node: %s-0, task: chat, params_b: 3.1, bits: 4.85, quality: 5.4, ctx: 8192, tools: true, decode_tok_s: %.2f, prefill_tok_s: 200, load: 2s, truth: {mmlu: 65.5}}\n",
                   k->word, k->read_gb_s * .7 / 1.9);
        text_s = 1 / (170 / (k->read_gb_s * .7 / 1.9) + 250. / 200);
    }
    static const char *const processes[] = { "poisson", "bursts", "diurnal" };
    static const char *const classes[] = {
        "name: chat, task: chat, intent: chat, prompt_tok: 60, gen_tok: 150, max_gen_tok: 800, turns: 3",
        "name: code, task: chat, intent: code, prompt_tok: 200, gen_tok: 350, max_gen_tok: 1200",
        "name: summarize, task: chat, intent: summarize, prompt_tok: 900, gen_tok: 120, max_gen_tok: 400",
        "name: tools, task: chat, intent: tool-use, prompt_tok: 30, context_tok: 300, gen_tok: 50, max_gen_tok: 200, tools: true",
        "name: camera, task: detect, items: 1, bytes: 200 kB",
        "name: speech, task: transcribe, sound: 6, bytes: 190 kB",
    };
    enum { CLASSES = sizeof(classes) / sizeof(classes[0]), TEXT_CLASSES = 4 };
    const double share[CLASSES] = { between(&r, 30, 50), between(&r, 2, 8), between(&r, 3, 10), between(&r, 5, 15), between(&r, 10, 30), between(&r, 5, 15) };
    double sum = 0, text = 0;
    for (int i = 0; i < CLASSES; i++)
        sum += share[i], text += i < TEXT_CLASSES ? share[i] : 0;
    /* a tenth to a half of what the scarcest kind of expert can give */
    const double most = fmin(text_s / (text / sum), fmin(eyes_s / (share[4] / sum), ears_s / (share[5] / sum)));
    buf_printf(out, "simulate:\n  requests: 10000\n  arrivals: {process: %s, per_s: %.5f, factor: 3, every: 10m, for: 1m}\n  workload:\n", processes[pick(&r, 3)], most * between(&r, .1, .5));
    for (int i = 0; i < CLASSES; i++)
        buf_printf(out, "    - {%s, share: %.0f}\n", classes[i], share[i]);
}
