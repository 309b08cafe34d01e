/* route/train.c - learning intents; start at train_model(), the step is in learn_line().
 *
 * Each line is seen n_rounds times, every other time with small damage (letters swapped, lost, doubled or of the key beside,
 * words lost, marks lost), some of these with the middle of another text pasted before or behind, and every other time with two
 * of five rows hidden, so that no single word decides: all that serves sources that were not seen.  Now and then comes nonsense,
 * which is chat.  The model is the mean of n_runs runs.
 * AdaGrad: Duchi, Hazan, Singer 2011.  Temperature: Guo et al. 2017. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/train_internal.h"

enum { DAMAGE_TEXT_BYTES = 2048, FOLDS_MAX = 16, NEVER = -2 /* in no fold */, TRUST_WEIGHT = 6,
       PASTE_PERCENT = 15, PASTE_BELOW_BYTES = 300, PASTE_FROM_BYTES = 400, PASTE_BYTES_MAX = 900, NONSENSE_EVERY = 50 /* lines */, CALIBRATE_LINES_MIN = 50 };

const struct train_options train_default = { .seed = 1, .n_rounds = 10, .n_runs = 3, .n_folds = 5, .rate = .7, .l2 = 3e-4 };

/* Letters beside each on a keyboard. */
static const char *const beside[26] = { "qws", "vgn", "xdv", "sfe", "wrd", "dgr", "fht", "gjy", "uok", "hku", "jli", "kop", "nk",
                                        "bm", "ipl", "ol", "wa", "etf", "adw", "ryg", "yij", "cb", "qes", "zc", "tuh", "xas" };

/* The text as a hasty hand would have it; at most DAMAGE_TEXT_BYTES of it go in, twice that may come out.  Only ASCII letters
 * and marks are touched. */
static size_t damage(struct rng *r, const char *text, size_t n, char *out)
{
    size_t k = 0;
    n = n < DAMAGE_TEXT_BYTES ? n : DAMAGE_TEXT_BYTES;
    const uint32_t kind = train_below(r, 3); /* 0: letters, 1: words, 2: both */
    const bool lose_marks = train_below(r, 3) == 0, lose_capitals = train_below(r, 4) == 0;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        const bool is_small = c >= 'a' && c <= 'z', is_capital = c >= 'A' && c <= 'Z';
        const bool begins = (is_small || is_capital) && (i == 0 || text[i - 1] == ' ');
        if (kind != 0 && begins && train_below(r, 100) < 20) {
            while (i < n && text[i] != ' ')
                i++;
            continue;
        }
        if (kind != 1 && (is_small || is_capital) && !begins && train_below(r, 100) < 5) {
            switch (train_below(r, 4)) {
            case 0: continue;
            case 1:
                if (i + 1 < n && text[i + 1] >= 'a' && text[i + 1] <= 'z')
                    out[k++] = text[++i];
                break;
            case 2: out[k++] = c; break;
            default:
                if (is_small)
                    c = beside[c - 'a'][train_below(r, (uint32_t)strlen(beside[c - 'a']))];
            }
        }
        if (lose_marks && (c == '.' || c == '?' || c == '!' || c == ',' || c == '\''))
            continue;
        out[k++] = lose_capitals && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    return k;
}

/* n bytes of a request and, before or behind, the middle of one of the texts t->order[0..n_order): most requests that come with
 * a text are about that text, and its words say nothing about what is asked.  Returns the new length; PASTE_BYTES_MAX + 2 more
 * than n must fit. */
static size_t paste(struct learner *t, size_t n_order, char *text, size_t n)
{
    const struct train_line *from = NULL;
    for (int tries = 0; tries < 200 && (!from || from->n_bytes < PASTE_FROM_BYTES); tries++)
        from = &t->set->line[t->order[train_below(&t->rng, (uint32_t)n_order)]];
    if (!from || from->n_bytes < PASTE_FROM_BYTES)
        return n;
    size_t at = from->n_bytes / 4, len = from->n_bytes / 2 < PASTE_BYTES_MAX ? from->n_bytes / 2 : PASTE_BYTES_MAX;
    while (len && ((unsigned char)from->text[at] & 0xc0) == 0x80) /* not within a character */
        at++, len--;
    const bool is_behind = train_below(&t->rng, 2) != 0;
    const char *gap = train_below(&t->rng, 2) ? "\n\n" : is_behind && train_below(&t->rng, 2) ? ": " : " ";
    const size_t n_gap = strlen(gap);
    if (is_behind) {
        memcpy(text + n, gap, n_gap);
        memcpy(text + n + n_gap, from->text + at, len);
    } else {
        memmove(text + len + n_gap, text, n);
        memcpy(text, from->text + at, len);
        memcpy(text + len, gap, n_gap);
    }
    return n + n_gap + len;
}

/* Words that nobody has: letters of t->order[0..n_order)'s texts in pieces of two or three, or any letters.  Returns the length,
 * at most 80. */
static size_t talk_nonsense(struct learner *t, size_t n_order, char *out)
{
    const int n_words = 1 + (int)train_below(&t->rng, 5);
    const bool any_letter = train_below(&t->rng, 3) == 0;
    size_t k = 0;
    for (int i = 0; i < n_words; i++) {
        const size_t end = k + 2 + train_below(&t->rng, 9);
        while (k < end) {
            const struct train_line *l = &t->set->line[t->order[train_below(&t->rng, (uint32_t)n_order)]];
            const size_t len = 2 + train_below(&t->rng, 2), at = l->n_bytes > len ? train_below(&t->rng, (uint32_t)(l->n_bytes - len)) : 0, before = k;
            for (size_t q = 0; q < len; q++) {
                const char c = any_letter || at + q >= l->n_bytes ? (char)('a' + train_below(&t->rng, 26)) : (char)(l->text[at + q] | 32);
                if (c >= 'a' && c <= 'z')
                    out[k++] = c;
            }
            if (k == before)
                out[k++] = (char)('a' + train_below(&t->rng, 26));
        }
        if (i + 1 < n_words)
            out[k++] = ' ';
    }
    return k;
}

static int rows_of(const struct grams *g, uint16_t *rows)
{
    memcpy(rows, g->words, (size_t)g->n_words * sizeof(*rows));
    memcpy(rows + g->n_words, g->letters, (size_t)g->n_letters * sizeof(*rows));
    return g->n_words + g->n_letters;
}

static void add_up(float (*w)[MODEL_LANES], const float *bias, const uint16_t *rows, int n, float *z)
{
    const float norm = n ? 1 / sqrtf((float)n) : 0;
    float sum[MODEL_LANES] = { 0 };
    for (int i = 0; i < n; i++)
        for (int k = 0; k < MODEL_LANES; k++)
            sum[k] += w[rows[i]][k];
    for (int k = 0; k < MODEL_LANES; k++)
        z[k] = bias[k] + norm * sum[k];
}

/* As intent_logits() does it. */
static void logits_of(const struct learner *t, const struct train_line *l, float *z)
{
    uint16_t rows[2 * GRAMS_MAX];
    struct grams g;
    grams_hash(l->text, l->n_bytes, NULL, &g);
    add_up(t->mean, t->mean_bias, rows, rows_of(&g, rows), z);
}

static void learn_line(struct learner *t, const uint16_t *rows, int n, int intent, float weight, float rate)
{
    float z[MODEL_LANES], slope[MODEL_LANES] = { 0 };
    const float norm = 1 / sqrtf((float)n), l2 = (float)t->o->l2;
    add_up(t->w, t->bias, rows, n, z);
    intent_softmax(z, slope, INTENT_COUNT);
    slope[intent] -= 1;
    for (int k = 0; k < INTENT_COUNT; k++) {
        slope[k] *= weight;
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

/* One run over n lines of t->order: leaves t->w and t->bias. */
static void learn_once(struct learner *t, size_t n, uint64_t seed, const float weight_of[GROUPS_MAX][INTENT_COUNT])
{
    char text[2 * DAMAGE_TEXT_BYTES];
    uint16_t rows[2 * GRAMS_MAX];
    struct grams g;
    memset(t->w, 0, GRAMS_ROWS * sizeof(*t->w));
    memset(t->bias, 0, sizeof(t->bias));
    for (size_t i = 0; i < GRAMS_ROWS; i++)
        for (int k = 0; k < MODEL_LANES; k++)
            t->g[i][k] = 1e-2f;
    for (int k = 0; k < MODEL_LANES; k++)
        t->bias_g[k] = 1;
    rng_seed(&t->rng, seed);
    for (int round = 0; round < t->o->n_rounds; round++) {
        const float rate = (float)t->o->rate * (round + 1 == t->o->n_rounds ? .4f : 1);
        train_shuffle(&t->rng, t->order, n);
        for (size_t q = 0; q < n; q++) {
            const struct train_line *l = &t->set->line[t->order[q]];
            const uint64_t chance = rng_u64(&t->rng);
            if (chance & 1) {
                size_t n_text = damage(&t->rng, l->text, l->n_bytes, text);
                if (l->n_bytes < PASTE_BELOW_BYTES && n_text && train_below(&t->rng, 100) < PASTE_PERCENT)
                    n_text = paste(t, n, text, n_text);
                grams_hash(text, n_text, NULL, &g);
            } else {
                grams_hash(l->text, l->n_bytes, NULL, &g);
            }
            int n_rows = rows_of(&g, rows);
            if (chance & 2)
                n_rows = train_hide(&t->rng, rows, n_rows, 102 /* two of five */);
            if (n_rows)
                learn_line(t, rows, n_rows, l->intent, weight_of[t->group[t->order[q]]][l->intent], rate);
            if ((chance >> 8) % NONSENSE_EVERY == 0) { /* what fits nothing is chat */
                grams_hash(text, talk_nonsense(t, n, text), NULL, &g);
                learn_line(t, rows, rows_of(&g, rows), INTENT_CHAT, 1, rate);
            }
        }
    }
}

/* Learns the intents of all lines that are neither in fold `not_fold` (-1: none) nor held.  Intents weigh alike whatever their
 * number of lines; a line of a trusted source weighs TRUST_WEIGHT times another. */
static void learn(struct learner *t, int not_fold, int held)
{
    static float weight_of[GROUPS_MAX][INTENT_COUNT];
    double of_intent[INTENT_COUNT] = { 0 }, sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < t->set->n; i++)
        if (t->set->line[i].intent >= 0 && t->fold[i] != not_fold && t->group[i] != held) {
            const double w = t->is_trusted[t->group[i]] ? TRUST_WEIGHT : 1;
            t->order[n++] = (uint32_t)i;
            of_intent[t->set->line[i].intent] += w;
        }
    for (int k = 0; k < INTENT_COUNT; k++)
        sum += of_intent[k] > 0;
    for (int group = 0; group < t->n_groups; group++)
        for (int k = 0; k < INTENT_COUNT; k++) /* so that their mean over lines is 1 */
            weight_of[group][k] = of_intent[k] > 0 ? (float)((t->is_trusted[group] ? TRUST_WEIGHT : 1) * (double)n / sum / of_intent[k]) : 0;
    for (size_t i = 0; i < GRAMS_ROWS; i++)
        memset(t->mean[i], 0, INTENT_COUNT * sizeof(float));
    memset(t->mean_bias, 0, INTENT_COUNT * sizeof(float));
    for (int run = 0; run < t->o->n_runs; run++) {
        learn_once(t, n, t->o->seed + (uint64_t)run, (const float(*)[INTENT_COUNT])weight_of);
        const float share = 1 / (float)t->o->n_runs;
        for (size_t i = 0; i < GRAMS_ROWS; i++)
            for (int k = 0; k < INTENT_COUNT; k++)
                t->mean[i][k] += share * t->w[i][k];
        for (int k = 0; k < INTENT_COUNT; k++)
            t->mean_bias[k] += share * t->bias[k];
    }
}

static int compare_scores(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return x < y ? 1 : x > y ? -1 : 0;
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
        intent_softmax(z, p, INTENT_COUNT);
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
 * not two of them, all sources are spread over n_folds.  Of one source lines are held out, as there is nothing better. */
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
            is_fold |= t->is_trusted[g] |= strcmp(t->name[g], t->o->calibrate[i]) == 0;
        if (is_fold && t->n_folds < FOLDS_MAX)
            fold_of[g] = t->n_folds++;
    }
    for (int i = 0; i < t->o->n_calibrate; i++) {
        bool is_there = false;
        for (int g = 0; g < t->n_groups; g++)
            is_there |= strcmp(t->name[g], t->o->calibrate[i]) == 0;
        if (!is_there)
            return err_set(err, ERR_INPUT, "--calibrate: no line is of source '%s'", t->o->calibrate[i]);
    }
    if (t->o->hold && t->held < 0)
        return err_set(err, ERR_INPUT, "--hold: no line is of source '%s'", t->o->hold);
    if (t->o->hold && t->n_groups == 1)
        return err_set(err, ERR_INPUT, "--hold: all lines are of source '%s': nothing is left to learn from", t->o->hold);
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
        t->fold[i] = t->n_groups > 1 ? fold_of[t->group[i]] : (int)train_text_fold(&t->set->line[i]);
    t->n_folds = t->n_groups > 1 ? t->n_folds : HARD_FOLDS;
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
    for (int k = 0; k < MODEL_OUTCOME + OUTCOME_COUNT; k++) {
        float top = 1e-9f;
        for (int i = 0; i < GRAMS_ROWS; i++)
            top = fmaxf(top, fabsf(t->mean[i][k]));
        top = fminf(top, 6); /* a few rows saturate; the rest keeps its precision */
        for (int i = 0; i < GRAMS_ROWS; i++)
            m->row[i][k] = (int8_t)lrintf(fminf(127, fmaxf(-127, t->mean[i][k] / top * 127)));
        const float cool = k < INTENT_COUNT ? (float)temperature : 1;
        m->head.scale[k] = top / 127 / cool;
        m->head.bias[k] = t->mean_bias[k] / cool;
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

static const char *name_of_fold(const struct learner *t, int fold)
{
    for (size_t i = 0; i < t->set->n; i++)
        if (t->fold[i] == fold)
            return t->name[t->group[i]];
    return "";
}

/* The temperature at which lines [0, from) and [to, n) lose least; 1 where they are too few to say. */
static double find_temperature(const struct seen *s, size_t from, size_t to, size_t n)
{
    double best = 1, least = INFINITY, a, b, c, before, behind;
    for (double x = .3; n >= to - from + CALIBRATE_LINES_MIN && x < 4; x *= 1.04) {
        judge(s, from, false, x, &a, &b, &c, &before);
        judge(s + to, n - to, false, x, &a, &b, &c, &behind);
        if (before + behind < least)
            least = before + behind, best = x;
    }
    return best;
}

static bool run(struct learner *t, struct seen *seen, float *score, const char *path, struct train_figures *out, void (*say)(const char *), struct err *err)
{
    const struct train_set *set = t->set;
    char text[200];
    size_t n_seen = 0, n_score = 0, end_of[FOLDS_MAX] = { 0 };
    const int held = t->held;
    double loss, a, b, c;
    for (int f = 0; f < t->n_folds; f++) {
        if (held < 0 || !fold_is_of(t, f, held)) {
            learn(t, f, held);
            collect(t, f, held, seen, &n_seen);
        }
        end_of[f] = n_seen;
    }
    for (int f = 0; say && f < t->n_folds; f++) {
        const size_t from = f ? end_of[f - 1] : 0, n = end_of[f] - from;
        judge(seen + from, n, false, find_temperature(seen, from, end_of[f], n_seen), &a, &b, &c, &loss);
        snprintf(text, sizeof(text), "fold %d of %d (%s): %zu lines, %s: %.1f %% right, %.1f %% among two, calibration error %.1f %%", f + 1, t->n_folds,
                 name_of_fold(t, f), n,
                 t->n_groups > 1 ? "none of their sources seen" : "others of their source seen, which flatters", 100 * a, 100 * b, 100 * c);
        if (n)
            say(text);
    }
    out->temperature = find_temperature(seen, 0, 0, n_seen);
    judge(seen, n_seen, false, out->temperature, &out->fold_accuracy, &out->fold_top2, &out->fold_ece, &loss);
    int8_t *gain = malloc(set->n + 1);
    if (!gain)
        return err_set(err, ERR_NOMEM, "training: out of memory");
    for (int f = 0; out->n_difficulty && f < HARD_FOLDS; f++) { /* difficulty, judged by folds of texts */
        if (!train_learn_hard(t, f, err)) {
            free(gain);
            return false;
        }
        for (size_t i = 0; i < set->n; i++)
            if (train_is_measured(&set->line[i]) && (int)train_text_fold(&set->line[i]) == f) {
                score[n_score] = train_gain(t, &set->line[i]);
                gain[n_score++] = (int8_t)(set->line[i].strong - set->line[i].weak);
            }
    }
    out->fold_apgr = n_score ? train_apgr(score, gain, n_score) : NAN;
    free(gain);
    if (!train_learn_hard(t, -1, err))
        return false;
    learn(t, -1, held);
    const size_t held_from = n_seen;
    if (held >= 0)
        collect(t, -1, held, seen, &n_seen);
    judge(seen + held_from, n_seen - held_from, true, out->temperature, &out->held_accuracy, &out->held_top2, &out->held_ece, &loss);
    out->n_held = n_seen - held_from;
    for (size_t i = 0; i < set->n; i++)
        score[i] = train_gain(t, &set->line[i]);
    return write_model(t, out->temperature, score, set->n, path, err);
}

bool train_model(const struct train_set *set, const struct train_options *options, const char *path, struct train_figures *figures,
                 void (*say)(const char *text), struct err *err)
{
    *figures = (struct train_figures){ .n_lines = set->n };
    for (size_t i = 0; i < set->n; i++) {
        figures->n_intent += set->line[i].intent >= 0;
        figures->n_difficulty += train_is_measured(&set->line[i]) || set->line[i].difficult >= 0;
    }
    if (!figures->n_intent)
        return err_set(err, ERR_INPUT, "no line has an intent: nothing to learn");
    struct learner *t = calloc(1, sizeof(*t));
    struct seen *seen = malloc(2 * set->n * sizeof(*seen));
    float *score = malloc(set->n * sizeof(*score));
    bool ok = t && seen && score;
    if (ok) {
        *t = (struct learner){ .set = set, .o = options, .held = -1 };
        t->w = malloc(GRAMS_ROWS * sizeof(*t->w)), t->g = malloc(GRAMS_ROWS * sizeof(*t->g)), t->mean = calloc(GRAMS_ROWS, sizeof(*t->mean));
        t->fold = malloc(set->n * sizeof(*t->fold)), t->group = malloc(set->n * sizeof(*t->group)), t->order = malloc(set->n * sizeof(*t->order));
        ok = t->w && t->g && t->mean && t->fold && t->group && t->order;
    }
    ok = ok ? find_groups(t, err) && run(t, seen, score, path, figures, say, err) : err_set(err, ERR_NOMEM, "training: out of memory");
    if (t)
        free(t->w), free(t->g), free(t->mean), free(t->fold), free(t->group), free(t->order);
    free(t), free(seen), free(score);
    return ok;
}
