/* route/train.c - learning; start at train_model(), the step is in learn_line().
 *
 * Each line is seen n_rounds times, every other time with small damage (letters swapped, lost or doubled, words lost), so that
 * what is typed in haste is known too.  AdaGrad: Duchi, Hazan, Singer 2011.  Temperature: Guo et al. 2017. */
#include "route/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "route/intent_internal.h"

enum { DAMAGE_TEXT_BYTES = 2048, FOLDS_MAX = 8, GROUPS_MAX = 512, NEVER = -2 /* in no fold */ };

const struct train_options train_default = { .seed = 1, .n_rounds = 8, .n_folds = 5, .rate = .5, .l2 = 1e-6 };

struct learner {
    const struct train_set *set;
    const struct train_options *o;
    float (*w)[MODEL_LANES]; /* [GRAMS_ROWS] */
    float (*g)[MODEL_LANES]; /* sums of squared slopes */
    float bias[MODEL_LANES], bias_g[MODEL_LANES];
    int *fold;        /* of each line */
    int *group;       /* of each line: sources that begin alike */
    char name[GROUPS_MAX][TRAIN_SOURCE_BYTES];
    size_t group_n[GROUPS_MAX];
    unsigned group_intents[GROUPS_MAX]; /* a set */
    int n_groups, n_folds, held; /* held: a group, -1: none */
    struct rng rng;
};

static uint32_t below(struct rng *r, uint32_t n) { return (uint32_t)(rng_u64(r) % n); }

/* The text as a hasty hand would have it; at most DAMAGE_TEXT_BYTES of it.  Only ASCII letters are touched. */
static size_t damage(struct rng *r, const char *text, size_t n, char *out)
{
    size_t k = 0;
    n = n < DAMAGE_TEXT_BYTES ? n : DAMAGE_TEXT_BYTES;
    const uint32_t kind = below(r, 3); /* 0: letters, 1: words, 2: both */
    const bool lose_signs = below(r, 3) == 0;
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool begins = letter && (i == 0 || text[i - 1] == ' ');
        if (kind != 0 && begins && below(r, 100) < 12) {
            while (i < n && text[i] != ' ')
                i++;
            continue;
        }
        if (kind != 1 && letter && !begins && below(r, 100) < 4) {
            const uint32_t how = below(r, 3);
            if (how == 0)
                continue;
            if (how == 1 && i + 1 < n && text[i + 1] >= 'a' && text[i + 1] <= 'z') {
                out[k++] = text[i + 1];
                i++;
            }
        }
        if (lose_signs && (c == '.' || c == '?' || c == '!' || c == ',' || c == '\''))
            continue;
        out[k++] = c;
    }
    return k;
}

static float lane_weight(const struct learner *t, int i, const double *of_intent)
{
    /* a source of 100 lines weighs a third of one of 1000; classes are evened out halfway */
    return (float)(pow((double)t->group_n[t->group[i]], -.3) * 5 * of_intent[t->set->line[i].intent]);
}

static void add_up(const struct learner *t, const uint16_t *rows, int n, float *z)
{
    const float norm = n ? 1 / sqrtf((float)n) : 0;
    float sum[MODEL_LANES] = { 0 };
    for (int i = 0; i < n; i++)
        for (int k = 0; k < MODEL_LANES; k++)
            sum[k] += t->w[rows[i]][k];
    for (int k = 0; k < MODEL_LANES; k++)
        z[k] = t->bias[k] + norm * sum[k];
}

/* As intent_logits() does it. */
static void logits_of(const struct learner *t, const struct train_line *l, float *z)
{
    uint16_t rows[GRAMS_MAX];
    float of_words[MODEL_LANES];
    int n_words;
    const int n = grams_hash(l->text, l->n_bytes, rows, &n_words);
    add_up(t, rows, n_words, of_words);
    add_up(t, rows, n, z);
    z[MODEL_DIFFICULTY] = of_words[MODEL_DIFFICULTY];
}

static void learn_line(struct learner *t, const uint16_t *rows, int n, int intent, float weight)
{
    float z[MODEL_LANES], slope[MODEL_LANES] = { 0 };
    const float norm = 1 / sqrtf((float)n), rate = (float)t->o->rate, l2 = (float)t->o->l2;
    add_up(t, rows, n, z);
    intent_softmax(z, slope);
    slope[intent] -= 1;
    for (int k = 0; k < MODEL_LANES; k++)
        slope[k] *= k < INTENT_COUNT ? weight : 0;
    for (int k = 0; k < INTENT_COUNT; k++) {
        t->bias_g[k] += slope[k] * slope[k];
        t->bias[k] -= .05f * rate * slope[k] / sqrtf(t->bias_g[k]);
    }
    for (int i = 0; i < n; i++) {
        float *w = t->w[rows[i]], *g = t->g[rows[i]];
        for (int k = 0; k < MODEL_LANES; k++) {
            const float d = slope[k] * norm + l2 * w[k];
            g[k] += d * d;
            w[k] -= rate * d / sqrtf(g[k]);
        }
    }
}

/* Learns the intents of all lines that are neither in fold `not_fold` (-1: none) nor held. */
static void learn(struct learner *t, int not_fold, int held, uint32_t *order)
{
    const struct train_set *set = t->set;
    uint16_t rows[GRAMS_MAX];
    char text[DAMAGE_TEXT_BYTES + 8];
    double of_intent[INTENT_COUNT] = { 0 }, total = 0;
    size_t n = 0;
    memset(t->w, 0, GRAMS_ROWS * sizeof(*t->w));
    memset(t->bias, 0, sizeof(t->bias));
    for (size_t i = 0; i < GRAMS_ROWS; i++)
        for (int k = 0; k < MODEL_LANES; k++)
            t->g[i][k] = 1e-2f;
    for (int k = 0; k < MODEL_LANES; k++)
        t->bias_g[k] = 1;
    rng_seed(&t->rng, t->o->seed);
    for (size_t i = 0; i < set->n; i++)
        if (set->line[i].intent >= 0 && t->fold[i] != not_fold && t->group[i] != held) {
            const double w = pow((double)t->group_n[t->group[i]], -.3);
            order[n++] = (uint32_t)i;
            of_intent[set->line[i].intent] += w;
            total += w;
        }
    for (int k = 0; k < INTENT_COUNT; k++)
        of_intent[k] = of_intent[k] > 0 ? sqrt(total / INTENT_COUNT / of_intent[k]) : 0;
    for (int round = 0; round < t->o->n_rounds; round++) {
        for (size_t i = n; i > 1; i--) {
            const size_t j = rng_u64(&t->rng) % i;
            const uint32_t swap = order[i - 1];
            order[i - 1] = order[j], order[j] = swap;
        }
        for (size_t q = 0; q < n; q++) {
            const struct train_line *l = &set->line[order[q]];
            const bool hurt = (rng_u64(&t->rng) & 1) != 0;
            const size_t len = hurt ? damage(&t->rng, l->text, l->n_bytes, text) : l->n_bytes;
            int n_words;
            const int n_rows = grams_hash(hurt ? text : l->text, len, rows, &n_words);
            if (n_rows)
                learn_line(t, rows, n_rows, l->intent, lane_weight(t, (int)order[q], of_intent));
        }
    }
}

/* Difficulty: one lane.  What is learned is whether the strong model helps (weak and strong), or the weak label "difficult",
 * with a bias for each source so that "this source is hard" is no lesson.  not_fold: of 5 by a hash of the text, -1: none. */
static uint32_t text_fold(const struct train_line *l)
{
    uint32_t h = 2166136261u;
    for (uint32_t i = 0; i < l->n_bytes; i++)
        h = (h ^ (unsigned char)l->text[i]) * 16777619u;
    return (h ^ h >> 15) % 5;
}
static bool is_measured(const struct train_line *l) { return l->weak >= 0 && l->strong >= 0; }

static void learn_difficulty(struct learner *t, int not_fold, uint32_t *order)
{
    enum { LANE = MODEL_DIFFICULTY };
    const struct train_set *set = t->set;
    uint16_t rows[GRAMS_MAX];
    static float source_bias[GROUPS_MAX], source_g[GROUPS_MAX];
    size_t n = 0, n_measured = 0;
    for (size_t i = 0; i < GRAMS_ROWS; i++)
        t->w[i][LANE] = 0, t->g[i][LANE] = 1e-2f;
    memset(source_bias, 0, sizeof(source_bias));
    t->bias[LANE] = 0;
    for (int i = 0; i < GROUPS_MAX; i++)
        source_g[i] = 1;
    rng_seed(&t->rng, t->o->seed);
    for (size_t i = 0; i < set->n; i++) {
        const struct train_line *l = &set->line[i];
        if (is_measured(l) ? (int)text_fold(l) != not_fold : l->difficult >= 0)
            order[n++] = (uint32_t)i, n_measured += is_measured(l);
    }
    for (int round = 0; round < t->o->n_rounds; round++) {
        for (size_t i = n; i > 1; i--) {
            const size_t j = rng_u64(&t->rng) % i;
            const uint32_t swap = order[i - 1];
            order[i - 1] = order[j], order[j] = swap;
        }
        for (size_t q = 0; q < n; q++) {
            const struct train_line *l = &set->line[order[q]];
            int n_rows;
            grams_hash(l->text, l->n_bytes, rows, &n_rows); /* words alone */
            const int from = t->group[order[q]];
            const float norm = n_rows ? 1 / sqrtf((float)n_rows) : 0;
            const float want = is_measured(l) ? .5f + .5f * (float)(l->strong - l->weak) : (float)l->difficult;
            float z = source_bias[from];
            for (int i = 0; i < n_rows; i++)
                z += norm * t->w[rows[i]][LANE];
            const float slope = (1 / (1 + expf(-z)) - want) * (is_measured(l) || !n_measured ? 1 : .02f);
            source_g[from] += slope * slope;
            source_bias[from] -= .5f * slope / sqrtf(source_g[from]);
            for (int i = 0; i < n_rows; i++) {
                float *w = &t->w[rows[i]][LANE], *g = &t->g[rows[i]][LANE];
                const float d = slope * norm + 1e-4f * *w;
                *g += d * d;
                *w -= .02f * d / sqrtf(*g);
            }
        }
    }
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

/* What held-out lines scored: kept as logits so that the temperature can be found afterwards. */
struct seen {
    float z[INTENT_COUNT];
    float weight;
    int8_t intent;
    bool is_held;
};

static void judge(const struct seen *s, size_t n, bool held, double temperature, double *accuracy, double *top2, double *ece, double *loss)
{
    double right = 0, near = 0, total = 0, sum_p[15] = { 0 }, sum_right[15] = { 0 };
    *loss = 0;
    for (size_t i = 0; i < n; i++) {
        float z[INTENT_COUNT], p[INTENT_COUNT];
        int best = 0, above = 0;
        if (s[i].is_held != held)
            continue;
        for (int k = 0; k < INTENT_COUNT; k++)
            z[k] = s[i].z[k] / (float)temperature;
        intent_softmax(z, p);
        for (int k = 0; k < INTENT_COUNT; k++) {
            best = p[k] > p[best] ? k : best;
            above += p[k] > p[s[i].intent];
        }
        const int bin = (int)fminf(14, p[best] * 15);
        sum_p[bin] += (double)(p[best] * s[i].weight);
        sum_right[bin] += above == 0 ? (double)s[i].weight : 0;
        right += above == 0 ? (double)s[i].weight : 0, near += above <= 1 ? (double)s[i].weight : 0;
        total += (double)s[i].weight;
        *loss -= (double)(s[i].weight * logf(p[s[i].intent] + 1e-9f));
    }
    total = total > 0 ? total : 1;
    *accuracy = right / total, *top2 = near / total, *ece = 0;
    for (int b = 0; b < 15; b++)
        *ece += fabs(sum_p[b] - sum_right[b]) / total;
}

/* A source of few intents says how well those are told, but nothing about confidence. */
static bool is_mixed(const struct learner *t, int group) { return __builtin_popcount(t->group_intents[group]) * 3 >= INTENT_COUNT * 2; }

/* Sources that begin alike are one.  Each mixed one is a fold of its own, the others are always learned from; where there are
 * not two of them, all sources are spread over n_folds. */
static bool find_groups(struct learner *t, struct err *err)
{
    size_t load[FOLDS_MAX] = { 0 };
    int fold_of[GROUPS_MAX];
    for (size_t i = 0; i < t->set->n; i++) {
        char name[TRAIN_SOURCE_BYTES];
        int g = 0;
        memcpy(name, t->set->line[i].source, sizeof(name));
        name[strcspn(name, "-+.")] = '\0';
        while (g < t->n_groups && strcmp(t->name[g], name) != 0)
            g++;
        if (g == GROUPS_MAX)
            return err_set(err, ERR_LIMIT, "more than %d sources", GROUPS_MAX);
        if (g == t->n_groups) {
            memcpy(t->name[g], name, sizeof(name));
            t->n_groups++;
        }
        t->group[i] = g;
        t->group_n[g]++;
        t->group_intents[g] |= t->set->line[i].intent >= 0 ? 1u << t->set->line[i].intent : 0;
    }
    for (int g = 0; g < t->n_groups; g++) {
        t->held = t->o->hold && strcmp(t->name[g], t->o->hold) == 0 ? g : t->held;
        fold_of[g] = NEVER;
        bool is_fold = t->o->n_calibrate == 0 && is_mixed(t, g);
        for (int i = 0; i < t->o->n_calibrate; i++)
            is_fold |= strcmp(t->name[g], t->o->calibrate[i]) == 0;
        if (is_fold && t->n_folds < FOLDS_MAX)
            fold_of[g] = t->n_folds++;
    }
    if (t->o->hold && t->held < 0)
        return err_set(err, ERR_INPUT, "--hold: no line is of source '%s'", t->o->hold);
    if (!t->o->n_calibrate && t->n_folds - (t->held >= 0 && fold_of[t->held] != NEVER) < 2) {
        t->n_folds = t->o->n_folds;
        for (int g = 0; g < t->n_groups; g++)
            fold_of[g] = NEVER;
        for (int done = 0; done < t->n_groups; done++) { /* the largest that is left goes to the emptiest fold */
            int big = -1, f = 0;
            for (int g = 0; g < t->n_groups; g++)
                if (fold_of[g] == NEVER && (big < 0 || t->group_n[g] > t->group_n[big]))
                    big = g;
            for (int k = 1; k < t->n_folds; k++)
                f = load[k] < load[f] ? k : f;
            fold_of[big] = f;
            load[f] += t->group_n[big];
        }
    }
    for (size_t i = 0; i < t->set->n; i++)
        t->fold[i] = fold_of[t->group[i]];
    return true;
}

static void collect(const struct learner *t, int fold, int held, struct seen *seen, size_t *n)
{
    float z[MODEL_LANES];
    for (size_t i = 0; i < t->set->n; i++) {
        const struct train_line *l = &t->set->line[i];
        if (l->intent < 0 || (held >= 0 && fold < 0 ? t->group[i] != held : t->fold[i] != fold || t->group[i] == held))
            continue;
        logits_of(t, l, z);
        struct seen *s = &seen[(*n)++];
        memcpy(s->z, z, sizeof(s->z));
        s->intent = l->intent;
        s->is_held = held >= 0 && fold < 0;
        s->weight = s->is_held ? 1 : 1 / (float)t->group_n[t->group[i]]; /* each source counts alike */
    }
}

static bool write_model(const struct learner *t, double temperature, float *sorted, size_t n_sorted, const char *path, struct err *err)
{
    struct intent_model *m = calloc(1, sizeof(*m));
    char new_path[4096];
    if (!m)
        return err_set(err, ERR_NOMEM, "%s: out of memory", path);
    memcpy(m->head.magic, MODEL_MAGIC, 8);
    m->head.grams_version = GRAMS_VERSION, m->head.n_rows = GRAMS_ROWS, m->head.n_intents = INTENT_COUNT, m->head.n_knots = MODEL_KNOTS;
    for (int k = 0; k <= MODEL_DIFFICULTY; k++) {
        float top = 1e-9f;
        for (int i = 0; i < GRAMS_ROWS; i++)
            top = fmaxf(top, fabsf(t->w[i][k]));
        top = fminf(top, 6); /* a few rows saturate; the rest keeps its precision */
        for (int i = 0; i < GRAMS_ROWS; i++)
            m->row[i][k] = (int8_t)lrintf(fminf(127, fmaxf(-127, t->w[i][k] / top * 127)));
        const float cool = k < INTENT_COUNT ? (float)temperature : 1;
        m->head.scale[k] = top / 127 / cool;
        m->head.bias[k] = t->bias[k] / cool;
    }
    qsort(sorted, n_sorted, sizeof(*sorted), compare_scores); /* falling */
    for (int i = 0; i < MODEL_KNOTS; i++)
        m->head.knots[i] = n_sorted ? sorted[(n_sorted - 1) * (size_t)(MODEL_KNOTS - 1 - i) / (MODEL_KNOTS - 1)] : (float)i;
    snprintf(new_path, sizeof(new_path), "%s.new", path);
    FILE *f = fopen(new_path, "wb");
    bool ok = f && fwrite(m, 1, sizeof(*m), f) == sizeof(*m);
    ok = f && fclose(f) == 0 && ok && rename(new_path, path) == 0;
    free(m);
    return ok || err_set(err, ERR_IO, "%s: cannot be written", path);
}

/* Does the fold hold nothing but this group? */
static bool fold_is_of(const struct learner *t, int fold, int group)
{
    for (size_t i = 0; i < t->set->n; i++)
        if (t->fold[i] == fold && t->group[i] != group)
            return false;
    return true;
}

static bool run(struct learner *t, uint32_t *order, struct seen *seen, float *score, const char *path, struct train_figures *out,
                void (*say)(const char *), struct err *err)
{
    const struct train_set *set = t->set;
    float z[MODEL_LANES];
    char text[160];
    size_t n_seen = 0, n_score = 0;
    const int held = t->held;
    double loss, least = INFINITY;
    for (int f = 0; f < t->n_folds; f++) {
        const size_t before = n_seen;
        if (held >= 0 && fold_is_of(t, f, held))
            continue;
        learn(t, f, held, order);
        collect(t, f, held, seen, &n_seen);
        double a, b, c;
        judge(seen + before, n_seen - before, false, 1, &a, &b, &c, &loss);
        if (say)
            snprintf(text, sizeof(text), "fold %d of %d: %zu lines of sources not seen, %.1f %% right, %.1f %% among two", f + 1, t->n_folds, n_seen - before, 100 * a, 100 * b), say(text);
    }
    out->temperature = 1;
    for (double x = .3; n_seen && x < 4; x *= 1.04) {
        double a, b, c;
        judge(seen, n_seen, false, x, &a, &b, &c, &loss);
        if (loss < least)
            least = loss, out->temperature = x;
    }
    judge(seen, n_seen, false, out->temperature, &out->fold_accuracy, &out->fold_top2, &out->fold_ece, &loss);
    /* difficulty, judged by folds of texts */
    int8_t *gain = malloc(set->n + 1);
    if (!gain)
        return err_set(err, ERR_NOMEM, "training: out of memory");
    out->fold_apgr = NAN;
    for (int f = 0; out->n_difficulty && f < 5; f++) {
        learn_difficulty(t, f, order);
        for (size_t i = 0; i < set->n; i++)
            if (is_measured(&set->line[i]) && (int)text_fold(&set->line[i]) == f) {
                logits_of(t, &set->line[i], z);
                score[n_score] = z[MODEL_DIFFICULTY];
                gain[n_score++] = (int8_t)(set->line[i].strong - set->line[i].weak);
            }
    }
    out->fold_apgr = n_score ? train_apgr(score, gain, n_score) : NAN;
    free(gain);
    learn(t, -1, held, order);
    learn_difficulty(t, -1, order);
    const size_t held_from = n_seen;
    if (held >= 0)
        collect(t, -1, held, seen, &n_seen);
    judge(seen + held_from, n_seen - held_from, true, out->temperature, &out->held_accuracy, &out->held_top2, &out->held_ece, &loss);
    out->n_held = n_seen - held_from;
    n_score = 0;
    for (size_t i = 0; i < set->n; i++) {
        logits_of(t, &set->line[i], z);
        score[n_score++] = z[MODEL_DIFFICULTY];
    }
    return write_model(t, out->temperature, score, n_score, path, err);
}

bool train_model(const struct train_set *set, const struct train_options *options, const char *path, struct train_figures *figures,
                 void (*say)(const char *text), struct err *err)
{
    *figures = (struct train_figures){ .n_lines = set->n };
    for (size_t i = 0; i < set->n; i++) {
        figures->n_intent += set->line[i].intent >= 0;
        figures->n_difficulty += is_measured(&set->line[i]) || set->line[i].difficult >= 0;
    }
    if (!figures->n_intent)
        return err_set(err, ERR_INPUT, "no line has an intent: nothing to learn");
    struct learner *t = calloc(1, sizeof(*t));
    uint32_t *order = malloc(set->n * sizeof(*order));
    struct seen *seen = malloc(2 * set->n * sizeof(*seen));
    float *score = malloc(set->n * sizeof(*score));
    bool ok = t && order && seen && score;
    if (ok) {
        *t = (struct learner){ .set = set, .o = options, .held = -1 };
        t->w = malloc(GRAMS_ROWS * sizeof(*t->w)), t->g = malloc(GRAMS_ROWS * sizeof(*t->g));
        t->fold = malloc(set->n * sizeof(*t->fold)), t->group = malloc(set->n * sizeof(*t->group));
        ok = t->w && t->g && t->fold && t->group;
    }
    ok = ok ? find_groups(t, err) && run(t, order, seen, score, path, figures, say, err) : err_set(err, ERR_NOMEM, "training: out of memory");
    if (t)
        free(t->w), free(t->g), free(t->fold), free(t->group);
    free(t), free(order), free(seen), free(score);
    return ok;
}
