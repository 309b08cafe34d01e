/* tools/train/main.c - trains the bundled model, from the corpus folder to a GGUF file.
 *
 * For:     whoever repeats or betters models/tutti-tiny.gguf (docs/bundled-model.md has the recipe).
 * Touches: the corpus folder (reads), OUT/ (tokenizer.txt, checkpoint, log.tsv), stderr.
 * Rule:    a stopped training (Ctrl-C, SIGTERM, power) goes on where the last checkpoint was; the same
 *          options give the same weights for any number of threads on the same kind of CPU.
 * Parts:   options, a run (model, optimizer, data), the loop, and what can be asked of a checkpoint.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "bpe.h"
#include "data.h"
#include "export.h"
#include "hw/cpu.h"
#include "model.h"
#include "optim.h"
#include "overlap.h"

struct options {
    const char *corpus, *out, *export_path, *name, *type, *optimizer, *cpu;
    const char *prompt, *score, *overlap; /* --sample, --score, --overlap */
    bool eval, help;
    int64_t steps, again_steps, max_steps, eval_steps, warmup, seed, threads, rows, save_s, n_samples, tokens;
    int64_t vocab, dim, layers, heads, kv_heads, ffn, ctx;
    double lr, decay, temperature, top_p;
};

struct option {
    const char *name, *help;
    char kind; /* s text, i integer, f number, b switch */
    void *to;
};

#define OPTIONS(o)                                                                                                     \
    {                                                                                                                  \
        { "corpus", "DIR    folder with NN-*.txt[.xz] (see docs/bundled-model.md)", 's', &(o)->corpus },               \
        { "out", "DIR    tokenizer, checkpoint and log live here", 's', &(o)->out },                                   \
        { "steps", "N    length of the (first) cycle", 'i', &(o)->steps },                                            \
        { "again", "N    steps of a second cycle: half the rate, down again, its own mix", 'i', &(o)->again_steps }, \
        { "max-steps", "N    stop (and save) when this step is reached", 'i', &(o)->max_steps },                       \
        { "rows", "N    rows of ctx tokens in a step", 'i', &(o)->rows },                                              \
        { "lr", "X    highest learning rate", 'f', &(o)->lr },                                                         \
        { "warmup", "N    steps to reach it; then half a cosine down to 2 %", 'i', &(o)->warmup },                     \
        { "decay", "X    weight decay of the matrices", 'f', &(o)->decay },                                            \
        { "optimizer", "adamw|muon    what moves the matrices inside", 's', &(o)->optimizer },                         \
        { "vocab", "N    tokens", 'i', &(o)->vocab },                                                                  \
        { "dim", "N    width", 'i', &(o)->dim },                                                                       \
        { "layers", "N", 'i', &(o)->layers },                                                                          \
        { "heads", "N    query heads", 'i', &(o)->heads },                                                             \
        { "kv-heads", "N", 'i', &(o)->kv_heads },                                                                      \
        { "ffn", "N    width of the feed-forward", 'i', &(o)->ffn },                                                   \
        { "ctx", "N    tokens in a row", 'i', &(o)->ctx },                                                             \
        { "seed", "N", 'i', &(o)->seed },                                                                              \
        { "threads", "N", 'i', &(o)->threads },                                                                        \
        { "cpu", "LEVEL    as TUTTI_CPU: plain f32 without bf16 is avx512 or avx2", 's', &(o)->cpu },                  \
        { "save-every", "S    seconds between checkpoints", 'i', &(o)->save_s },                                       \
        { "eval-every", "N    steps between held-out losses", 'i', &(o)->eval_steps },                                 \
        { "export", "FILE    write the checkpoint as GGUF and stop", 's', &(o)->export_path },                         \
        { "name", "TEXT    general.name of the export", 's', &(o)->name },                                             \
        { "type", "TYPE    of the exported matrices: q8_0, f16, f32", 's', &(o)->type },                               \
        { "eval", "    print the checkpoint's held-out losses and stop", 'b', &(o)->eval },                            \
        { "sample", "PROMPT    let the checkpoint answer and stop ('@TEXT' continues a text)", 's', &(o)->prompt },    \
        { "score", "TEXT    print the checkpoint's loss on a text, token by token", 's', &(o)->score },                \
        { "overlap", "FILE    longest runs that samples (apart by lines ----) share with the corpus", 's', &(o)->overlap }, \
        { "n", "N    samples", 'i', &(o)->n_samples },                                                                 \
        { "tokens", "N    longest sample", 'i', &(o)->tokens },                                                        \
        { "temp", "X    temperature of samples; 0 takes the likeliest", 'f', &(o)->temperature },                      \
        { "top-p", "X", 'f', &(o)->top_p },                                                                            \
        { "help", "    this", 'b', &(o)->help },                                                                       \
    }

static bool parse_options(struct options *o, int argc, char **argv, struct err *err)
{
    const struct option list[] = OPTIONS(o);
    const size_t n = sizeof(list) / sizeof(list[0]);
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        while (k < n && (strncmp(argv[i], "--", 2) != 0 || strcmp(argv[i] + 2, list[k].name) != 0))
            k++;
        if (k == n)
            return err_set(err, ERR_INPUT, "%s: no such option (--help lists them)", argv[i]);
        if (list[k].kind == 'b') {
            *(bool *)list[k].to = true;
            continue;
        }
        if (++i == argc)
            return err_set(err, ERR_INPUT, "--%s: needs a value", list[k].name);
        char *end = argv[i];
        switch (list[k].kind) {
        case 's': *(const char **)list[k].to = argv[i]; break;
        case 'i':
            *(int64_t *)list[k].to = strtoll(argv[i], &end, 10);
            if (end == argv[i] || *end || *(int64_t *)list[k].to < 0 || *(int64_t *)list[k].to > 1000000000)
                return err_set(err, ERR_INPUT, "--%s: '%s' is no number from 0 to 1000000000", list[k].name, argv[i]);
            break;
        case 'f':
            *(double *)list[k].to = strtod(argv[i], &end);
            if (end == argv[i] || *end || !isfinite(*(double *)list[k].to))
                return err_set(err, ERR_INPUT, "--%s: '%s' is no number", list[k].name, argv[i]);
        }
    }
    return true;
}

static void print_help(struct options *o)
{
    const struct option list[] = OPTIONS(o);
    printf("train - a small language model from a folder of text, on the CPU\n\n"
           "  train --corpus DIR --out DIR [options]       learn; goes on from OUT/checkpoint when there is one\n"
           "  train --out DIR --export FILE                write it as GGUF\n"
           "  train --out DIR --sample 'Tell me a story.'  look at it\n\n");
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        printf("  --%s %s\n", list[i].name, list[i].help);
}

/* ---- a run ---- */

struct run {
    struct options *o;
    struct pool *pool;
    struct corpus *corpus;
    struct bpe *bpe;
    struct model *model;
    struct optim *optim;
    struct feed *feed;
    int64_t step;     /* next to do */
    double spent_s;   /* in the loop, over all sessions */
    uint16_t *token, *start;
    int32_t *target;
    char path[1100];
};

static volatile sig_atomic_t stop_asked;
static void on_signal(int sig)
{
    (void)sig;
    stop_asked = 1;
}

static const char *path_of(struct run *r, const char *name)
{
    snprintf(r->path, sizeof(r->path), "%s/%s", r->o->out, name);
    return r->path;
}

struct checkpoint_head { /* then parameters and both moments; read back on the machine that wrote it */
    char magic[8];
    struct shape shape;
    int32_t muon;
    int64_t step;
    double spent_s;
};
static const char magic[8] = "tutti-t1";

static bool save_checkpoint(struct run *r, struct err *err)
{
    char tmp[1200];
    const char *path = path_of(r, "checkpoint");
    snprintf(tmp, sizeof(tmp), "%s.new", path);
    FILE *f = fopen(tmp, "wb");
    if (!f)
        return err_set(err, ERR_IO, "%s: cannot write", tmp);
    struct checkpoint_head h;
    memset(&h, 0, sizeof(h));
    memcpy(h.magic, magic, 8);
    h.shape = *model_shape(r->model), h.step = r->step, h.spent_s = r->spent_s;
    h.muon = !strcmp(r->o->optimizer, "muon");
    const size_t n = model_layout(r->model)->n;
    bool ok = fwrite(&h, sizeof(h), 1, f) == 1 && fwrite(model_params(r->model), sizeof(float), n, f) == n &&
              fwrite(optim_moments(r->optim), sizeof(float), 2 * n, f) == 2 * n;
    ok &= fclose(f) == 0;
    return (ok && rename(tmp, path) == 0) || err_set(err, ERR_IO, "%s: cannot write", path);
}

static bool read_head(struct run *r, struct checkpoint_head *h, FILE **file, struct err *err)
{
    const char *path = path_of(r, "checkpoint");
    *file = fopen(path, "rb");
    if (!*file)
        return false;
    if (fread(h, sizeof(*h), 1, *file) == 1 && !memcmp(h->magic, magic, 8))
        return shape_check(&h->shape, err);
    return err_set(err, ERR_INPUT, "%s: no checkpoint of this tool", path);
}

/* The model of the checkpoint when there is one, else a new one. */
static bool open_model(struct run *r, bool must_exist, int max_rows, struct err *err)
{
    struct options *o = r->o;
    struct checkpoint_head h;
    FILE *f = NULL;
    uint32_t use;
    const struct cpu_level *level;
    struct shape s = { (int)o->vocab, (int)o->dim, (int)o->layers, (int)o->heads, (int)o->kv_heads,
                       o->heads ? (int)(o->dim / o->heads) : 0, (int)o->ffn, (int)o->ctx, 10000.0f, 1e-5f };
    err_clear(err);
    const bool found = read_head(r, &h, &f, err);
    bool ok = found || (!f && !must_exist) || (!f && err_set(err, ERR_NOT_FOUND, "%s/checkpoint: not there", o->out));
    if (ok && found) {
        s = h.shape;
        if (!must_exist && h.muon != !strcmp(o->optimizer, "muon"))
            ok = err_set(err, ERR_INPUT, "%s/checkpoint: was made with the other --optimizer", o->out);
    }
    ok = ok && cpu_choose(o->cpu, cpu_flags(), &use, &level, err);
    ok = ok && (r->model = model_new(&s, r->pool, use, max_rows, err)) != NULL;
    ok = ok && (must_exist || (r->optim = optim_new(r->model, !strcmp(o->optimizer, "muon"), err)) != NULL);
    if (ok && found) {
        const size_t n = model_layout(r->model)->n;
        ok = (fread(model_params(r->model), sizeof(float), n, f) == n &&
              (!r->optim || fread(optim_moments(r->optim), sizeof(float), 2 * n, f) == 2 * n)) ||
             err_set(err, ERR_INPUT, "%s/checkpoint: is cut short", o->out);
        r->step = h.step, r->spent_s = h.spent_s;
    } else if (ok)
        model_init_weights(r->model, (uint64_t)o->seed);
    if (f)
        fclose(f);
    if (ok) {
        const size_t n = (size_t)max_rows * (size_t)s.ctx;
        r->token = malloc(n * sizeof(*r->token)), r->start = malloc(n * sizeof(*r->start)), r->target = malloc(n * sizeof(*r->target));
        ok = (r->token && r->start && r->target) || err_set(err, ERR_NOMEM, "train: out of memory");
    }
    return ok;
}

static bool open_text(struct run *r, struct err *err)
{
    if (!r->o->corpus)
        return err_set(err, ERR_INPUT, "--corpus: which folder?");
    fprintf(stderr, "train: reading %s\n", r->o->corpus);
    r->corpus = corpus_open(r->o->corpus, err);
    if (!r->corpus)
        return false;
    r->bpe = bpe_load(path_of(r, "tokenizer.txt"), err);
    if (!r->bpe && err->code == ERR_NOT_FOUND) {
        fprintf(stderr, "train: learning a vocabulary of %d\n", (int)r->o->vocab);
        r->bpe = corpus_learn_vocab(r->corpus, (int)r->o->vocab, err);
        if (r->bpe && !bpe_save(r->bpe, path_of(r, "tokenizer.txt"), err))
            return false;
    }
    return r->bpe && corpus_tokenize(r->corpus, r->bpe, err);
}

/* ---- losses on what was held out ---- */

static bool eval_source(struct run *r, int k, int max_docs, double *nats, double *bits_per_byte, struct err *err)
{
    const size_t ctx = (size_t)model_shape(r->model)->ctx;
    const int rows = (int)r->o->rows;
    float *losses = malloc((size_t)rows * ctx * sizeof(*losses));
    double sum = 0.0;
    uint64_t n_targets = 0, n_bytes = 0;
    bool ok = losses || err_set(err, ERR_NOMEM, "train: out of memory"), more = true;
    for (int doc = 0; ok && more && doc < max_docs;) {
        int n = 0;
        while (n < rows && doc < max_docs &&
               (more = corpus_held_row(r->corpus, k, (int)ctx, doc, (struct row_buf){ r->token + (size_t)n * ctx, r->start + (size_t)n * ctx,
                                                                                     r->target + (size_t)n * ctx })))
            n++, doc++;
        if (n == 0)
            break;
        double loss;
        size_t nt;
        ok = model_loss(r->model, &(struct batch){ n, r->token, r->target, r->start }, false, &loss, &nt, losses, err);
        for (size_t i = 0; ok && i < (size_t)n * ctx; i++)
            if (r->target[i] >= 0) {
                size_t len;
                bpe_bytes(r->bpe, r->target[i], &len);
                sum += (double)losses[i], n_targets++, n_bytes += len;
            }
    }
    free(losses);
    *nats = n_targets ? sum / (double)n_targets : 0.0;
    *bits_per_byte = n_bytes ? sum / log(2.0) / (double)n_bytes : 0.0;
    return ok;
}

static bool eval_all(struct run *r, int max_docs, FILE *log, FILE *out, struct err *err)
{
    double all = 0.0, weight = 0.0;
    for (int k = 0; k < n_source_plans; k++) {
        double nats, bits;
        if (!eval_source(r, k, max_docs, &nats, &bits, err))
            return false;
        if (log)
            fprintf(log, "held\t%lld\t%s\t%.4f\t%.4f\n", (long long)r->step, source_plans[k].name, nats, bits);
        fprintf(out, "  held out, %-14s %.3f nats/token  %.3f bits/byte\n", source_plans[k].name, nats, bits);
        all += source_share(&source_plans[k], 1.0) * nats, weight += source_share(&source_plans[k], 1.0);
    }
    fprintf(out, "  held out, final mix      %.3f nats/token\n", all / weight);
    if (log)
        fprintf(log, "held\t%lld\tfinal mix\t%.4f\t\n", (long long)r->step, all / weight), fflush(log);
    return true;
}

/* ---- the loop ---- */

/* Up in a straight line, down in half a cosine; the second cycle likewise from half the height. */
static double rate_at(const struct options *o, int64_t step)
{
    const bool again = step >= o->steps;
    const int64_t at = again ? step - o->steps : step, n = again ? o->again_steps : o->steps;
    const double top = again ? o->lr / 2 : o->lr;
    if (at < o->warmup)
        return top * (double)(at + 1) / (double)o->warmup;
    const double p = (double)(at - o->warmup) / (double)(n > o->warmup ? n - o->warmup : 1);
    return top * (0.02 + 0.98 * 0.5 * (1.0 + cos(3.141592653589793 * (p < 1.0 ? p : 1.0))));
}

static int64_t last_step(const struct options *o)
{
    const int64_t all = o->steps + o->again_steps;
    return o->max_steps && o->max_steps < all ? o->max_steps : all;
}

static bool next_batch(struct run *r, struct err *err)
{
    const size_t ctx = (size_t)model_shape(r->model)->ctx;
    for (size_t i = 0; i < (size_t)r->o->rows; i++)
        if (!feed_row(r->feed, r->step < r->o->steps ? (double)r->step / (double)r->o->steps : 2.0,
                      (struct row_buf){ r->token + i * ctx, r->start + i * ctx, r->target + i * ctx }, err))
            return false;
    return true;
}

static void report_start(struct run *r)
{
    const struct shape *s = model_shape(r->model);
    fprintf(stderr, "train: %.2f M parameters: vocab %d, dim %d, %d layers, %d heads (%d kv), ffn %d, ctx %d; %s, %d threads\n",
            (double)model_layout(r->model)->n * 1e-6, s->vocab, s->dim, s->n_layers, s->n_heads, s->n_kv_heads, s->ffn, s->ctx,
            model_isa(r->model), pool_n_threads(r->pool));
    for (int k = 0; k < n_source_plans; k++) {
        uint64_t n, docs, held;
        corpus_count(r->corpus, k, &n, &docs, &held);
        fprintf(stderr, "train: %-14s %6llu documents (%llu held out), %.2f M tokens\n", source_plans[k].name, (unsigned long long)docs,
                (unsigned long long)held, (double)n * 1e-6);
    }
}

static bool train(struct run *r, struct err *err)
{
    struct options *o = r->o;
    mkdir(o->out, 0777);
    if (!open_text(r, err))
        return false;
    o->vocab = (bpe_n_vocab(r->bpe) + 31) / 32 * 32;
    if (!open_model(r, false, (int)o->rows, err) ||
        !(r->feed = feed_new(r->corpus, model_shape(r->model)->ctx, (uint64_t)o->seed, err)))
        return false;
    report_start(r);
    const int64_t from = r->step, tokens_per_step = o->rows * model_shape(r->model)->ctx;
    for (r->step = 0; r->step < from; r->step++) /* the rows that were seen already */
        if (!next_batch(r, err))
            return false;
    FILE *log = fopen(path_of(r, "log.tsv"), "a");
    if (!log)
        return err_set(err, ERR_IO, "%s: cannot write", r->path);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    const double spent_before = r->spent_s;
    const uint64_t begun = clock_ns();
    uint64_t saved = begun, told = begun;
    double mean = 0.0, loss;
    int64_t n_mean = 0, told_step = r->step;
    bool ok = true;
    while (ok && !stop_asked && r->step < last_step(o)) {
        size_t n;
        const double lr = rate_at(o, r->step);
        ok = next_batch(r, err) &&
             model_loss(r->model, &(struct batch){ (int)o->rows, r->token, r->target, r->start }, true, &loss, &n, NULL, err);
        if (ok && !isfinite(loss))
            ok = err_set(err, ERR_INTERNAL, "step %lld: the loss is no number any more; try a lower --lr", (long long)r->step);
        if (!ok)
            break;
        const double norm = optim_clip(r->model, 1.0);
        ok = optim_step(r->optim, r->step, lr, o->decay, err);
        r->step++;
        mean += loss, n_mean++;
        const uint64_t now = clock_ns();
        r->spent_s = spent_before + (double)(now - begun) * 1e-9;
        if (r->step % 10 == 0) {
            fprintf(log, "step\t%lld\t%lld\t%.1f\t%.6f\t%.4f\t%.3f\n", (long long)r->step, (long long)(r->step * tokens_per_step),
                    r->spent_s, lr, mean / (double)n_mean, norm);
            fflush(log);
            mean = 0.0, n_mean = 0;
        }
        if (now - told > 10u * 1000000000u) {
            const double per_step = (double)(now - told) * 1e-9 / (double)(r->step - told_step);
            const double left_s = per_step * (double)(last_step(o) - r->step);
            fprintf(stderr, "train: step %lld of %lld, loss %.3f, %.0f tokens/s, %d min %02d s left\n", (long long)r->step,
                    (long long)last_step(o), loss, (double)tokens_per_step / per_step, (int)(left_s / 60), (int)left_s % 60);
            told = now, told_step = r->step;
        }
        if (ok && r->step % o->eval_steps == 0)
            ok = eval_all(r, 32, log, stderr, err);
        if (ok && now - saved > (uint64_t)o->save_s * 1000000000u) {
            ok = save_checkpoint(r, err);
            saved = clock_ns();
        }
    }
    ok = ok && save_checkpoint(r, err) && (stop_asked || eval_all(r, 1 << 30, log, stderr, err));
    fclose(log);
    if (ok)
        fprintf(stderr, "train: %s at step %lld of %lld after %.1f minutes; told", stop_asked ? "stopped" : "done", (long long)r->step,
                (long long)last_step(o), r->spent_s / 60);
    for (int k = 0; ok && k < n_source_plans; k++)
        fprintf(stderr, " %s %.2f M%s", source_plans[k].name, (double)feed_served(r->feed, k) * 1e-6, k + 1 < n_source_plans ? "," : " tokens\n");
    return ok;
}

/* ---- what can be asked of a checkpoint ---- */

static int pick_token(const float *logits, int n, double temperature, double top_p, struct rng *rng)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        best = logits[i] > logits[best] ? i : best;
    if (temperature <= 0.0)
        return best;
    /* The smallest set of tokens with top_p of the mass: by a threshold that halves until it is enough. */
    double sum = 0.0, floor_p = 1.0, mass = 0.0;
    for (int i = 0; i < n; i++)
        sum += exp((double)(logits[i] - logits[best]) / temperature);
    while (mass < top_p && floor_p > 1e-9) {
        floor_p *= 0.8, mass = 0.0;
        for (int i = 0; i < n; i++) {
            const double p = exp((double)(logits[i] - logits[best]) / temperature);
            mass += p >= floor_p ? p / sum : 0.0;
        }
    }
    double dice = rng_f64(rng) * mass;
    for (int i = 0; i < n; i++) {
        const double p = exp((double)(logits[i] - logits[best]) / temperature);
        if (p >= floor_p && (dice -= p / sum) <= 0.0)
            return i;
    }
    return best;
}

/* Plain and slow: the whole text again for each token.  tutti itself is the engine for people. */
static bool sample(struct run *r, struct err *err)
{
    struct options *o = r->o;
    r->bpe = bpe_load(path_of(r, "tokenizer.txt"), err);
    if (!r->bpe || !open_model(r, true, 1, err))
        return false;
    const int ctx = model_shape(r->model)->ctx, vocab = model_shape(r->model)->vocab;
    float *logits = malloc((size_t)vocab * sizeof(*logits));
    if (!logits)
        return err_set(err, ERR_NOMEM, "train: out of memory");
    bool ok = true;
    for (int64_t k = 0; ok && k < o->n_samples; k++) {
        struct rng rng;
        rng_seed(&rng, (uint64_t)(o->seed + k));
        const bool text = o->prompt[0] == '@';
        const char *prompt = o->prompt + text;
        int n = 0;
        r->token[n++] = TOK_DOC;
        if (!text)
            r->token[n++] = TOK_USER;
        const size_t room = (size_t)ctx / 2;
        size_t n_prompt = bpe_encode(r->bpe, prompt, strlen(prompt), r->token + n, room);
        n += (int)(n_prompt < room ? n_prompt : room);
        if (!text)
            r->token[n++] = TOK_END, r->token[n++] = TOK_BOT;
        else
            fputs(prompt, stdout);
        for (int64_t t = 0; ok && t < o->tokens && n < ctx; t++) {
            for (int i = n; i < ctx; i++)
                r->token[i] = TOK_END;
            for (int i = 0; i < ctx; i++)
                r->start[i] = 0, r->target[i] = -1;
            double loss;
            size_t nt, len;
            ok = model_loss(r->model, &(struct batch){ 1, r->token, r->target, r->start }, false, &loss, &nt, NULL, err);
            model_logits_at(r->model, (size_t)n - 1, logits);
            const int id = pick_token(logits, bpe_n_vocab(r->bpe), o->temperature, o->top_p, &rng);
            if (id < TOK_SPECIAL_COUNT)
                break;
            const char *bytes = bpe_bytes(r->bpe, id, &len);
            fwrite(bytes, 1, len, stdout);
            fflush(stdout);
            r->token[n++] = (uint16_t)id;
        }
        printf("\n%s", k + 1 < o->n_samples ? "----\n" : "");
    }
    free(logits);
    return ok;
}

/* To be held against other engines: id and loss of each token. */
static bool score(struct run *r, struct err *err)
{
    r->bpe = bpe_load(path_of(r, "tokenizer.txt"), err);
    if (!r->bpe || !open_model(r, true, 1, err))
        return false;
    const size_t ctx = (size_t)model_shape(r->model)->ctx;
    float *losses = malloc(ctx * sizeof(*losses));
    if (!losses)
        return err_set(err, ERR_NOMEM, "train: out of memory");
    r->token[0] = TOK_DOC;
    size_t n = 1 + bpe_encode(r->bpe, r->o->score, strlen(r->o->score), r->token + 1, ctx - 1), nt;
    n = n < ctx ? n : ctx;
    for (size_t i = 0; i < ctx; i++) {
        r->token[i] = i < n ? r->token[i] : TOK_END;
        r->start[i] = 0, r->target[i] = i + 1 < n ? r->token[i + 1] : -1;
    }
    double loss;
    const bool ok = model_loss(r->model, &(struct batch){ 1, r->token, r->target, r->start }, false, &loss, &nt, losses, err);
    for (size_t i = 0; ok && i + 1 < n; i++)
        printf("%d %.5f\n", r->target[i], (double)losses[i]);
    if (ok)
        printf("mean %.5f\n", loss);
    free(losses);
    return ok;
}

static bool overlap(struct run *r, struct err *err)
{
    size_t n = 0;
    if (!r->o->corpus)
        return err_set(err, ERR_INPUT, "--corpus: which folder?");
    r->corpus = corpus_open(r->o->corpus, err);
    char *text = r->corpus ? file_read(r->o->overlap, 1 << 20, &n, err) : NULL;
    bool ok = text != NULL;
    for (char *at = text; ok && at;) { /* a line for each sample and source */
        char *end = strstr(at, "----\n");
        for (int k = 0; ok && k < n_source_plans; k++) {
            struct overlap *o = overlap_new(at, end ? (size_t)(end - at) : strlen(at), err);
            ok = o != NULL;
            if (ok) {
                size_t n_text, n_bytes, n_words;
                const char *t = corpus_text(r->corpus, k, &n_text);
                overlap_walk(o, t, n_text);
                const char *run = overlap_longest(o, &n_bytes, &n_words);
                printf("%zu words, %s: %.*s\n", n_words, source_plans[k].name, (int)n_bytes, run);
            }
            overlap_free(o);
        }
        at = end ? end + 5 : NULL;
    }
    free(text);
    return ok;
}

static bool export_it(struct run *r, struct err *err)
{
    enum dtype type;
    if (!dtype_from_name(r->o->type, &type))
        return err_set(err, ERR_INPUT, "--type: '%s' is no type", r->o->type);
    r->bpe = bpe_load(path_of(r, "tokenizer.txt"), err);
    return r->bpe && open_model(r, true, 1, err) && export_gguf(r->o->export_path, r->model, r->bpe, type, r->o->name, err);
}

static bool eval_it(struct run *r, struct err *err)
{
    return open_text(r, err) && open_model(r, true, (int)r->o->rows, err) && eval_all(r, 1 << 30, NULL, stdout, err);
}

int main(int argc, char **argv)
{
    struct options o = { .steps = 3000, .eval_steps = 250, .warmup = 100, .seed = 1, .threads = cpu_default_threads(), .rows = 16,
                         .save_s = 120, .n_samples = 1, .tokens = 300, .vocab = 3072, .dim = 192, .layers = 6, .heads = 6,
                         .kv_heads = 2, .ffn = 512, .ctx = 512, .lr = 3e-3, .decay = 0.1, .temperature = 0.7, .top_p = 0.95,
                         .optimizer = "adamw", .type = "q8_0", .name = "tutti-tiny" };
    struct run r = { .o = &o };
    struct err err;
    err_clear(&err);
    if (!parse_options(&o, argc, argv, &err)) {
        fprintf(stderr, "train: %s\n", err.text);
        return 2;
    }
    if (o.help || argc == 1) {
        print_help(&o);
        return o.help ? 0 : 2;
    }
    bool ok = (o.out || err_set(&err, ERR_INPUT, "--out: which folder?")) &&
              ((!strcmp(o.optimizer, "adamw") || !strcmp(o.optimizer, "muon")) ||
               err_set(&err, ERR_INPUT, "--optimizer: '%s' is neither adamw nor muon", o.optimizer)) &&
              ((o.rows > 0 && o.rows <= 1024 && o.steps > 0 && o.eval_steps > 0) ||
               err_set(&err, ERR_INPUT, "--rows, --steps and --eval-every must be above 0")) &&
              (r.pool = pool_new((int)o.threads, &err)) != NULL;
    ok = ok && (o.export_path ? export_it(&r, &err) : o.prompt ? sample(&r, &err) : o.overlap ? overlap(&r, &err) : o.score ? score(&r, &err) : o.eval ? eval_it(&r, &err) : train(&r, &err));
    feed_free(r.feed);
    optim_free(r.optim);
    model_free(r.model);
    bpe_free(r.bpe);
    corpus_close(r.corpus);
    pool_free(r.pool);
    free(r.token);
    free(r.start);
    free(r.target);
    if (!ok)
        fprintf(stderr, "train: %s\n", err.text);
    return ok ? 0 : 1;
}
