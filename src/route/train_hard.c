/* route/train_hard.c - learning which questions need the strong model; start at train_learn_hard().
 *
 * Lines with the outcome of a weak and a strong model are of four classes (ORDER OUTCOME); one softmax over words and pairs
 * of words tells their chances, and P(only the strong one answers) - P(only the weak one) is what the strong one is expected
 * to win.  Ordering by that is the best that can be done for APGR, and four lanes tell it better than one (0.694 against
 * 0.676 with the same rows).  One outcome says little: what is learned is half the line's own, half its subject's mean.
 * The weak label "difficult" pulls a little, with a bias for each source so that "this source is hard" is no lesson. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "route/train_internal.h"

enum { TOPICS_MAX = 4096, HARD_ROUNDS = 12, HIDE = 77 /* of 256 rows */ };
static const float RATE = .05f, L2 = 1e-4f, OWN = .5f /* of a line's own outcome; the rest is its subject's */, PRIOR_LINES = 2, DIFFICULT_WEIGHT = .02f;

struct topics {
    uint32_t name[TOPICS_MAX];                /* 0: free */
    float n[TOPICS_MAX][OUTCOME_COUNT];
    float all[OUTCOME_COUNT], total;
};
/* What is learned, aside. */
struct hard {
    struct topics topics;
    float bias[GROUPS_MAX + 1][OUTCOME_COUNT], bias_g[GROUPS_MAX + 1][OUTCOME_COUNT]; /* the last: of measured lines */
};

uint32_t train_text_fold(const struct train_line *l)
{
    const uint32_t h = hash_fnv32(l->text, l->n_bytes);
    return (h ^ h >> 15) % HARD_FOLDS;
}

/* Its place; topics beyond the table's size share one. */
static int topic_at(struct topics *t, uint32_t name)
{
    uint32_t at = name % TOPICS_MAX;
    for (int tries = 0; tries < 64; tries++, at = (at + 1) % TOPICS_MAX)
        if (!t->name[at] || t->name[at] == name) {
            t->name[at] = name;
            return (int)at;
        }
    return (int)(name % TOPICS_MAX);
}

static enum outcome outcome_of(const struct train_line *l) { return (enum outcome)(l->weak * 2 + l->strong); }

static int rows_of(const struct train_line *l, uint16_t *rows)
{
    struct grams g;
    grams_hash(l->text, l->n_bytes, NULL, &g);
    memcpy(rows, g.words, (size_t)g.n_words * sizeof(*rows));
    memcpy(rows + g.n_words, g.pairs, (size_t)g.n_pairs * sizeof(*rows));
    return g.n_words + g.n_pairs;
}

static void add_up(float (*w)[MODEL_LANES], const float *bias, const uint16_t *rows, int n, float *z)
{
    const float norm = n ? 1 / sqrtf((float)n) : 0;
    float sum[OUTCOME_COUNT] = { 0 };
    for (int i = 0; i < n; i++)
        for (int k = 0; k < OUTCOME_COUNT; k++)
            sum[k] += w[rows[i]][MODEL_OUTCOME + k];
    for (int k = 0; k < OUTCOME_COUNT; k++)
        z[k] = bias[k] + norm * sum[k];
}

static void learn_line(struct learner *t, struct hard *h, size_t line, bool has_measured, float rate)
{
    const struct train_line *l = &t->set->line[line];
    const bool is_measured = train_is_measured(l);
    const int from = is_measured ? GROUPS_MAX : t->group[line];
    uint16_t rows[2 * GRAMS_MAX];
    float z[OUTCOME_COUNT], slope[OUTCOME_COUNT] = { 0 };
    const int n = train_hide(&t->rng, rows, rows_of(l, rows), HIDE);
    const float norm = n ? 1 / sqrtf((float)n) : 0;
    add_up(t->w, h->bias[from], rows, n, z);
    if (is_measured) {
        const int topic = topic_at(&h->topics, l->topic);
        float n_topic = 0;
        for (int k = 0; k < OUTCOME_COUNT; k++)
            n_topic += h->topics.n[topic][k];
        intent_softmax(z, slope, OUTCOME_COUNT);
        for (int k = 0; k < OUTCOME_COUNT; k++)
            slope[k] -= OWN * (k == (int)outcome_of(l)) + (1 - OWN) * (h->topics.n[topic][k] + PRIOR_LINES * h->topics.all[k] / h->topics.total) / (n_topic + PRIOR_LINES);
    } else {
        const float d = (1 / (1 + expf(z[OUTCOME_BOTH] - z[OUTCOME_STRONG])) - (float)l->difficult) * (has_measured ? DIFFICULT_WEIGHT : 1);
        slope[OUTCOME_STRONG] = d, slope[OUTCOME_BOTH] = -d;
    }
    for (int k = 0; k < OUTCOME_COUNT; k++) {
        h->bias_g[from][k] += slope[k] * slope[k];
        h->bias[from][k] -= .5f * slope[k] / sqrtf(h->bias_g[from][k]);
    }
    for (int i = 0; i < n; i++) {
        float *w = t->w[rows[i]] + MODEL_OUTCOME, *g = t->g[rows[i]] + MODEL_OUTCOME;
        for (int k = 0; k < OUTCOME_COUNT; k++) {
            const float d = slope[k] * norm + L2 * w[k];
            g[k] += d * d;
            w[k] -= rate * d / sqrtf(g[k]);
        }
    }
}

/* One run over n lines of t->order: leaves lanes of t->w and biases. */
static void learn_once(struct learner *t, struct hard *h, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < GRAMS_ROWS; i++)
        for (int k = 0; k < OUTCOME_COUNT; k++)
            t->w[i][MODEL_OUTCOME + k] = 0, t->g[i][MODEL_OUTCOME + k] = 1e-2f;
    memset(h->bias, 0, sizeof(h->bias));
    for (int i = 0; i <= GROUPS_MAX; i++)
        for (int k = 0; k < OUTCOME_COUNT; k++)
            h->bias_g[i][k] = 1;
    rng_seed(&t->rng, seed);
    for (int round = 0; round < HARD_ROUNDS; round++) {
        train_shuffle(&t->rng, t->order, n);
        for (size_t q = 0; q < n; q++)
            learn_line(t, h, t->order[q], h->topics.total > 0, RATE * (1 - .8f * (float)round / HARD_ROUNDS));
    }
}

bool train_learn_hard(struct learner *t, int not_fold, struct err *err)
{
    struct hard *h = calloc(1, sizeof(*h));
    size_t n = 0;
    if (!h)
        return err_set(err, ERR_NOMEM, "training: out of memory");
    for (size_t i = 0; i < t->set->n; i++) {
        const struct train_line *l = &t->set->line[i];
        const bool is_measured = train_is_measured(l);
        if (not_fold >= 0 && (int)train_text_fold(l) == not_fold)
            continue;
        if (is_measured) {
            h->topics.n[topic_at(&h->topics, l->topic)][outcome_of(l)]++;
            h->topics.all[outcome_of(l)]++, h->topics.total++;
        }
        if (is_measured || l->difficult >= 0)
            t->order[n++] = (uint32_t)i;
    }
    for (size_t i = 0; i < GRAMS_ROWS; i++)
        memset(t->mean[i] + MODEL_OUTCOME, 0, OUTCOME_COUNT * sizeof(float));
    memset(t->mean_bias + MODEL_OUTCOME, 0, OUTCOME_COUNT * sizeof(float));
    for (int run = 0; run < t->o->n_runs; run++) {
        learn_once(t, h, n, t->o->seed + (uint64_t)run);
        const float share = 1 / (float)t->o->n_runs;
        for (int k = 0; k < OUTCOME_COUNT; k++) {
            for (size_t i = 0; i < GRAMS_ROWS; i++)
                t->mean[i][MODEL_OUTCOME + k] += share * t->w[i][MODEL_OUTCOME + k];
            t->mean_bias[MODEL_OUTCOME + k] += share * h->bias[GROUPS_MAX][k];
        }
    }
    free(h);
    return true;
}

float train_gain(const struct learner *t, const struct train_line *l)
{
    uint16_t rows[2 * GRAMS_MAX];
    float z[OUTCOME_COUNT];
    const int n = rows_of(l, rows);
    add_up(t->mean, t->mean_bias + MODEL_OUTCOME, rows, n, z);
    return intent_gain(z);
}

static int compare_scores(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

double train_apgr(const float *score, const int8_t *gain, size_t n)
{
    struct pair {
        float score;
        int gain;
    } *p = malloc(n * sizeof(*p) + 1);
    double area = 0, all = 0, so_far = 0;
    if (!p)
        return NAN;
    for (size_t i = 0; i < n; i++)
        p[i] = (struct pair){ score[i], gain[i] }, all += gain[i];
    qsort(p, n, sizeof(*p), compare_scores);
    for (size_t i = 0; i < n; i++) {
        area += (so_far + so_far + p[i].gain) / 2;
        so_far += p[i].gain;
    }
    free(p);
    return all > 0 ? area / (double)n / all : NAN;
}
