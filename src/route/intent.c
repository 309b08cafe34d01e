/* route/intent.c - the model at work: rows are added up, 16 lanes at a time; start at intent_decide(). */
#include "route/intent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "route/embed_internal.h"
#include "route/intent_internal.h"

/* `make route-model` writes it: docs/route-data.md. */
__asm__(".section .rodata\n.balign 64\n"
        ".global intent_shipped_model\n"
        "intent_shipped_model:\n.incbin \"data/route/intent.bin\"\n"
        ".previous\n");

static const char *const names[INTENT_COUNT] = {
#define X(id, word, ...) word,
    INTENTS(X)
#undef X
};
const char *intent_name(enum intent intent) { return (unsigned)intent < INTENT_COUNT ? names[intent] : "?"; }
bool intent_by_name(const char *name, enum intent *out)
{
    for (int i = 0; i < INTENT_COUNT; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum intent)i;
            return true;
        }
    return false;
}

const struct intent_model *intent_model_shipped(void) { return &intent_shipped_model; }

struct intent_model *intent_model_open(const char *path, struct err *err)
{
    size_t n_bytes = 0;
    struct intent_model *m = (struct intent_model *)(void *)file_read(path, sizeof(*m), &n_bytes, err);
    if (!m)
        return NULL;
    bool ok = n_bytes == sizeof(*m) && memcmp(m->head.magic, MODEL_MAGIC, 8) == 0 && m->head.grams_version == GRAMS_VERSION &&
              m->head.n_rows == GRAMS_ROWS && m->head.n_intents == INTENT_COUNT && m->head.n_knots == MODEL_KNOTS;
    for (int i = 0; ok && i < MODEL_LANES; i++)
        ok = isfinite(m->head.scale[i]) && isfinite(m->head.bias[i]);
    for (int i = 0; ok && i < MODEL_KNOTS; i++)
        ok = isfinite(m->head.knots[i]) && (i == 0 || m->head.knots[i] >= m->head.knots[i - 1]);
    if (ok)
        return m;
    err_set(err, ERR_INPUT, "%s: not an intent model of this version of tutti; train one with `tutti route train`", path);
    free(m);
    return NULL;
}
void intent_model_free(struct intent_model *m) { free(m); }

typedef int8_t bytes8 __attribute__((vector_size(8)));
typedef int16_t shorts8 __attribute__((vector_size(16)));

static void add_rows(const struct intent_model *m, const uint16_t *rows, int n_rows, int32_t sums[static MODEL_LANES])
{
    for (int at = 0; at < n_rows; at += 256) { /* 256 * 127 fits 16 bits */
        const int end = at + 256 < n_rows ? at + 256 : n_rows;
        shorts8 low = { 0 }, high = { 0 }; /* two of what any machine has a register for */
        for (int i = at; i < end; i++) {
            bytes8 row[2];
            memcpy(row, m->row[rows[i]], sizeof(row));
            low += __builtin_convertvector(row[0], shorts8);
            high += __builtin_convertvector(row[1], shorts8);
        }
        for (int k = 0; k < MODEL_LANES / 2; k++)
            sums[k] += low[k], sums[k + MODEL_LANES / 2] += high[k];
    }
}

static float norm_of(int n) { return n ? 1 / sqrtf((float)n) : 0; }

void intent_logits(const struct intent_model *m, const struct grams *g, float logits[static MODEL_LANES])
{
    int32_t of_intent[MODEL_LANES] = { 0 }, of_outcome[MODEL_LANES];
    add_rows(m, g->words, g->n_words, of_intent);
    memcpy(of_outcome, of_intent, sizeof(of_outcome));
    add_rows(m, g->letters, g->n_letters, of_intent);
    add_rows(m, g->pairs, g->n_pairs, of_outcome);
    const float norm = norm_of(g->n_words + g->n_letters), norm_outcome = norm_of(g->n_words + g->n_pairs);
    for (int k = 0; k < MODEL_LANES; k++)
        logits[k] = m->head.bias[k] + m->head.scale[k] * (k < MODEL_OUTCOME ? norm * (float)of_intent[k] : norm_outcome * (float)of_outcome[k]);
}

void intent_softmax(const float *logits, float *p, int n)
{
    float top = logits[0], sum = 0;
    for (int k = 1; k < n; k++)
        top = fmaxf(top, logits[k]);
    for (int k = 0; k < n; k++)
        sum += p[k] = expf(logits[k] - top);
    for (int k = 0; k < n; k++)
        p[k] /= sum;
}

float intent_gain(const float outcome_logits[static OUTCOME_COUNT])
{
    float p[OUTCOME_COUNT];
    intent_softmax(outcome_logits, p, OUTCOME_COUNT);
    return p[OUTCOME_STRONG] - p[OUTCOME_WEAK];
}

/* Where x lies among those of the training texts, 0..1. */
static float rank_of(const float *knots, float x)
{
    int i = 0;
    while (i < MODEL_KNOTS - 1 && x >= knots[i + 1])
        i++;
    if (i == MODEL_KNOTS - 1)
        return 1;
    const float width = knots[i + 1] - knots[i];
    const float part = width > 0 ? fminf(1, fmaxf(0, (x - knots[i]) / width)) : 0;
    return ((float)i + part) / (MODEL_KNOTS - 1);
}

static const float degrade_below[INTENT_COUNT] = {
#define X(id, word, degrade, ...) degrade,
    INTENTS(X)
#undef X
};

/* Where even the best is less likely than this, nothing fits: chat. */
static const float NOTHING_FITS_P = .25f;

/* What is attached weighs more than words: its intent gets MEDIUM_P, the others share the rest as they were. */
static void lean(float *p, enum intent to)
{
    static const float MEDIUM_P = .98f;
    const float rest = 1 - p[to];
    for (int k = 0; k < INTENT_COUNT; k++)
        p[k] = rest > 1e-6f ? p[k] * (1 - MEDIUM_P) / rest : (1 - MEDIUM_P) / (INTENT_COUNT - 1);
    p[to] = MEDIUM_P;
}

void intent_decide(const struct intent_model *m, const struct features *f, const char *text, size_t n_bytes, struct intent_answer *out)
{
    struct grams grams;
    float logits[MODEL_LANES];
    grams_hash(text, n_bytes, m->row, &grams);
    intent_logits(m, &grams, logits);
    intent_softmax(logits, out->p, INTENT_COUNT);
    out->difficulty = rank_of(m->head.knots, intent_gain(logits + MODEL_OUTCOME));
    if (f->media & MEDIUM_SOUND)
        lean(out->p, INTENT_STT);
    else if (f->media & (MEDIUM_PICTURE | MEDIUM_VIDEO))
        lean(out->p, INTENT_VISION);
    else if (!f->n_words && !f->has_digits)
        lean(out->p, INTENT_CHAT); /* nothing, or signs alone */
    out->best = INTENT_CHAT;
    for (int k = 0; k < INTENT_COUNT; k++)
        if (out->p[k] > out->p[out->best])
            out->best = (enum intent)k;
    if (out->p[out->best] < NOTHING_FITS_P)
        out->best = INTENT_CHAT;
    out->second = out->best == INTENT_CHAT ? INTENT_CODE : INTENT_CHAT;
    for (int k = 0; k < INTENT_COUNT; k++)
        if (k != (int)out->best && out->p[k] > out->p[out->second])
            out->second = (enum intent)k;
    out->degrade_ok = intent_may_degrade(out->best, out->difficulty);
}

bool intent_may_degrade(enum intent intent, float difficulty) { return difficulty <= degrade_below[intent]; }
