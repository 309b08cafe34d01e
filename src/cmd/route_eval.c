/* cmd/route_eval.c - `tutti route eval`: how well a model tells intents and difficulty, and how fast. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "catalog/catalog.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/save_chart.h"
#include "route/features.h"
#include "route/fleet.h"
#include "route/intent.h"
#include "route/predict.h"
#include "route/train.h"

enum { N_BINS = 15, CURVE_POINTS = 101 };

struct tally {
    size_t n, n_right, n_near, n_measured, n_difficult;
    size_t confusion[INTENT_COUNT][INTENT_COUNT]; /* [stated][found] */
    double bin_p[N_BINS];
    size_t bin_right[N_BINS];
    float *score, *score_difficult; /* [set.n]; owned */
    int8_t *gain, *difficult;       /* [set.n]; owned */
    double *us;                     /* [set.n]; owned */
    double weak, strong;            /* share of questions answered */
};

/* Among whom is decided: the shipped fleet of 50. */
struct router {
    const struct intent_model *m;
    struct candidates world;
    const struct policy *policy;
};

/* All three stages. */
static void decide(const struct router *r, const struct train_line *l, struct intent_answer *a)
{
    static struct route_decision decision;
    struct route_request rq;
    struct features f;
    features_read(&(struct features_in){ .text = l->text, .n_bytes = l->n_bytes }, &f);
    intent_decide(r->m, &f, l->text, l->n_bytes, a);
    route_request_of(&rq, EXPERT_CHAT, ROUTE_BALANCED, NULL, &f, a, 0);
    policy_decide(r->policy, NULL, NULL, &rq, &r->world, NULL, &decision);
}

static void add(struct tally *t, const struct train_line *l, const struct intent_answer *a)
{
    if (l->intent >= 0) {
        const bool right = (int)a->best == l->intent;
        const int bin = (int)fminf(N_BINS - 1, a->p[a->best] * N_BINS);
        t->n_right += right;
        t->n_near += right || (int)a->second == l->intent;
        t->confusion[l->intent][a->best]++;
        t->bin_p[bin] += (double)a->p[a->best];
        t->bin_right[bin] += right;
        t->n++;
    }
    if (l->weak >= 0 && l->strong >= 0) {
        t->score[t->n_measured] = a->difficulty;
        t->gain[t->n_measured++] = (int8_t)(l->strong - l->weak);
        t->weak += l->weak, t->strong += l->strong;
    } else if (l->difficult >= 0) {
        t->score_difficult[t->n_difficult] = a->difficulty;
        t->difficult[t->n_difficult++] = l->difficult;
    }
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

static double macro_f1(const struct tally *t)
{
    double sum = 0;
    int n = 0;
    for (int k = 0; k < INTENT_COUNT; k++) {
        size_t stated = 0, found = 0;
        for (int i = 0; i < INTENT_COUNT; i++)
            stated += t->confusion[k][i], found += t->confusion[i][k];
        if (stated + found)
            n++, sum += 2.0 * (double)t->confusion[k][k] / (double)(stated + found);
    }
    return n ? sum / n : 0;
}

/* The chance that a difficult line scores higher than one that is not: 0.5 is random. */
static double auc(const struct tally *t)
{
    double above = 0, pairs = 0;
    for (size_t i = 0; i < t->n_difficult; i++)
        for (size_t j = 0; t->difficult[i] && j < t->n_difficult; j++)
            if (!t->difficult[j]) {
                pairs++;
                above += t->score_difficult[i] > t->score_difficult[j] ? 1 : t->score_difficult[i] == t->score_difficult[j] ? .5 : 0;
            }
    return pairs > 0 ? above / pairs : NAN;
}

struct ranked {
    float score;
    int gain;
};
static int compare_ranked(const void *a, const void *b)
{
    const float x = ((const struct ranked *)a)->score, y = ((const struct ranked *)b)->score;
    return x < y ? 1 : x > y ? -1 : 0;
}
/* Share of questions answered when the hardest i per cent go to the strong model. */
static bool curve_of(const struct tally *t, double quality[CURVE_POINTS], struct err *err)
{
    struct ranked *r = malloc(t->n_measured * sizeof(*r));
    if (!r)
        return err_set(err, ERR_NOMEM, "route eval: out of memory");
    for (size_t i = 0; i < t->n_measured; i++)
        r[i] = (struct ranked){ t->score[i], t->gain[i] };
    qsort(r, t->n_measured, sizeof(*r), compare_ranked);
    double right = t->weak;
    size_t at = 0;
    for (int i = 0; i < CURVE_POINTS; i++) {
        for (; at < t->n_measured * (size_t)i / (CURVE_POINTS - 1); at++)
            right += r[at].gain;
        quality[i] = right / (double)t->n_measured;
    }
    free(r);
    return true;
}

static bool draw(const double quality[CURVE_POINTS], const char *path, struct err *err)
{
    struct chart_point ours[CURVE_POINTS];
    const struct chart_point random[2] = { { .x = 0, .y = 100 * quality[0] }, { .x = 100, .y = 100 * quality[CURVE_POINTS - 1] } };
    for (int i = 0; i < CURVE_POINTS; i++)
        ours[i] = (struct chart_point){ .x = i, .y = 100 * quality[i] };
    const struct chart_series series[] = { { .name = "hardest first", .points = ours, .n = CURVE_POINTS, .has_line = true },
                                           { .name = "at random", .points = random, .n = 2, .has_line = true, .is_dashed = true } };
    const struct chart c = { .title = "Quality against the share sent to the strong model", .x = { .label = "sent to the strong model, %" },
                             .y = { .label = "answered, %" }, .series = series, .n_series = 2 };
    return save_chart(&c, path, err);
}

static void print(const struct tally *t, size_t n_lines, const double *quality, bool is_json)
{
    double ece = 0;
    for (int b = 0; b < N_BINS; b++)
        ece += t->n ? fabs(t->bin_p[b] - (double)t->bin_right[b]) / (double)t->n : 0;
    const double accuracy = t->n ? (double)t->n_right / (double)t->n : 0, top2 = t->n ? (double)t->n_near / (double)t->n : 0;
    const double p50 = t->us[n_lines / 2], p99 = t->us[n_lines * 99 / 100], apgr = quality ? train_apgr(t->score, t->gain, t->n_measured) : NAN;
    if (!is_json) {
        printf("%zu lines; a decision among 50 takes %.1f us (median), %.1f us (99 of 100)\n", n_lines, p50, p99);
        if (t->n)
            printf("intent: %.1f %% right, %.1f %% among two, macro F1 %.3f, calibration error %.1f %%\n", 100 * accuracy, 100 * top2, macro_f1(t), 100 * ece);
        for (int k = 0; t->n && k < INTENT_COUNT; k++) {
            size_t stated = 0;
            for (int i = 0; i < INTENT_COUNT; i++)
                stated += t->confusion[k][i];
            if (!stated)
                continue;
            printf("  %-10s %5zu lines, %5.1f %%", intent_name((enum intent)k), stated, 100.0 * (double)t->confusion[k][k] / (double)stated);
            for (int i = 0; i < INTENT_COUNT; i++)
                if (i != k && t->confusion[k][i] * 20 >= stated)
                    printf("  %s %zu", intent_name((enum intent)i), t->confusion[k][i]);
            printf("\n");
        }
        if (quality)
            printf("difficulty: APGR %.3f (random 0.5); weak %.1f %%, half to the strong %.1f %%, strong %.1f %%\n", apgr, 100 * quality[0], 100 * quality[50], 100 * quality[100]);
        if (!isnan(auc(t)))
            printf("difficulty: a difficult line scores above an easy one in %.1f %% of pairs\n", 100 * auc(t));
        return;
    }
    printf("{\"n\":%zu", n_lines);
    if (t->n) {
        printf(",\"accuracy\":%.4f,\"top2\":%.4f,\"macro_f1\":%.4f,\"ece\":%.4f", accuracy, top2, macro_f1(t), ece);
    }
    printf(",\"p50_us\":%.2f,\"p99_us\":%.2f", p50, p99);
    if (t->n) {
        printf(",\"confusion\":{");
        for (int k = 0, first = 1; k < INTENT_COUNT; k++) {
            int some = 0;
            for (int i = 0; i < INTENT_COUNT; i++) {
                if (!t->confusion[k][i])
                    continue;
                if (!some)
                    printf("%s\"%s\":{", first ? "" : ",", intent_name((enum intent)k));
                printf("%s\"%s\":%zu", some ? "," : "", intent_name((enum intent)i), t->confusion[k][i]);
                some = 1, first = 0;
            }
            if (some)
                printf("}");
        }
        printf("}");
    }
    if (quality) {
        if (isnan(apgr))
            printf(",\"apgr\":null,\"curve\":[");
        else
            printf(",\"apgr\":%.4f,\"curve\":[", apgr);
        for (int i = 0; i < CURVE_POINTS; i += 5)
            printf("%s{\"strong_frac\":%.2f,\"quality\":%.4f}", i ? "," : "", i / 100.0, quality[i]);
        printf("]");
    }
    printf("}\n");
}

static bool evaluate(const struct router *r, const struct train_set *set, struct tally *t, struct cmd_opt *opts, struct err *err)
{
    double quality[CURVE_POINTS];
    const char *svg = cmd_opt_find(opts, "svg")->s;
    t->score = malloc(set->n * sizeof(float)), t->score_difficult = malloc(set->n * sizeof(float));
    t->gain = malloc(set->n), t->difficult = malloc(set->n), t->us = malloc(set->n * sizeof(double));
    if (!t->score || !t->score_difficult || !t->gain || !t->difficult || !t->us)
        return err_set(err, ERR_NOMEM, "route eval: out of memory");
    for (size_t i = 0; i < set->n; i++) {
        struct intent_answer a;
        if (i == 0)
            decide(r, &set->line[i], &a); /* pages and caches are warm from the second decision on */
        const uint64_t begin_ns = clock_ns();
        decide(r, &set->line[i], &a);
        t->us[i] = (double)(clock_ns() - begin_ns) / 1e3;
        add(t, &set->line[i], &a);
    }
    qsort(t->us, set->n, sizeof(double), compare);
    if (t->n_measured && !curve_of(t, quality, err))
        return false;
    print(t, set->n, t->n_measured ? quality : NULL, cmd_opt_find(opts, "json")->given);
    if (svg && !t->n_measured)
        return err_set(err, ERR_INPUT, "--svg: no line has \"weak\" and \"strong\"");
    return !svg || draw(quality, svg, err);
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct train_set set = { 0 };
    static struct tally t;
    struct err err = { 0 };
    const char *path = cmd_opt_find(opts, "model")->s;
    struct intent_model *own = NULL;
    bool ok = true;
    for (int i = 0; ok && i < argc; i++)
        ok = train_set_add(&set, argv[i], &err);
    if (ok && !set.n)
        ok = err_set(&err, ERR_INPUT, "%s: no lines", argv[0]);
    if (ok && path)
        ok = (own = intent_model_open(path, &err)) != NULL;
    struct catalog *catalog = ok ? catalog_new(NULL, &err) : NULL; /* the shipped rows: figures that can be compared */
    struct fleet *fleet = catalog ? fleet_shipped(catalog, &err) : NULL;
    struct policy *policy = fleet ? policy_new(&err) : NULL;
    ok = policy != NULL && evaluate(&(struct router){ own ? own : intent_model_shipped(), fleet_world(fleet), policy }, &set, &t, opts, &err);
    policy_free(policy);
    fleet_free(fleet);
    catalog_free(catalog);
    free(t.score), free(t.score_difficult), free(t.gain), free(t.difficult), free(t.us);
    intent_model_free(own);
    train_set_fini(&set);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "json", .kind = OPT_FLAG, .help = "one JSON object" },
    { .name = "model", .kind = OPT_TEXT, .value = "MODEL", .help = "a file of `tutti route train`; the shipped one" },
    { .name = "svg", .kind = OPT_TEXT, .value = "FILE", .help = "draw quality against the share sent to the strong model" },
    { 0 },
};
const struct cmd cmd_route_eval = {
    .name = "route eval",
    .args = "FILE...",
    .min_args = 1,
    .max_args = 256,
    .help = "judge the router by labelled lines",
    .opts = opts,
    .run = run,
};
