/* fake-journal/main.c - a journal of decisions that nobody asked for: the shipped policy over the shipped fleet, outcomes near what was predicted.
 *
 * For:     tests and pictures of `tutti route why` and `tutti route replay` without a model.
 * Use:     fake-journal FILE N [SEED]: N decisions, one a minute, the last one now; ids "fake-000000", ...; the seed makes them repeatable.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "catalog/catalog.h"
#include "route/fleet.h"
#include "route/journal.h"
#include "route/predict.h"

static const char *const texts[] = {
    "hello, how are you today?",
    "Write a function in C that reverses a linked list, and explain each step.",
    "Prove that the square root of two is irrational, then generalise it to every prime.",
    "Summarize the following article in three sentences: ...",
    "Is this review positive or negative? I waited an hour and the soup was cold.",
    "My password: hunter2 and my IBAN is DE89370400440532013000, write to the bank",
    "Turn off the lights in the kitchen.",
    "Schreibe einen langen Aufsatz \xc3\xbc" "ber die Geschichte der Stadt Wien.",
};
enum { N_TEXTS = sizeof(texts) / sizeof(texts[0]) };

static float near(struct rng *r, float v) { return v * (float)(.7 + .6 * rng_f64(r)); }

/* What the moment is like: queues, caches, heat. */
static void stir(struct fleet *f, struct rng *r)
{
    for (int i = 0; i < f->n; i++) {
        f->list[i].n_running = (int)(rng_u64(r) % 3) / 2;
        f->list[i].is_up = rng_u64(r) % 16 != 0;
        f->list[i].prefix_tok = rng_u64(r) % 5 ? 0 : 64;
    }
    for (int i = 0; i < f->n_nodes; i++)
        f->nodes[i].headroom_c = (float)(5 + 40 * rng_f64(r));
}

static void decide(struct journal *j, struct fleet *f, const struct policy *p, struct rng *r, int number, int64_t time_s)
{
    static struct route_decision d;
    struct features features;
    struct intent_answer intent;
    struct route_request rq;
    char id[JOURNAL_ID_MAX];
    const char *text = texts[rng_u64(r) % N_TEXTS];
    const struct candidates world = fleet_world(f);
    features_read(&(struct features_in){ .text = text, .n_bytes = strlen(text) }, &features);
    intent_decide(intent_model_shipped(), &features, text, strlen(text), &intent);
    route_request_of(&rq, EXPERT_CHAT, rng_u64(r) % 4 ? ROUTE_BALANCED : (enum route_goal)(rng_u64(r) % ROUTE_GOAL_COUNT), NULL, &features, &intent, 0);
    rq.minute_of_day = (int)(time_s / 60 % 1440);
    stir(f, r);
    policy_decide(p, NULL, NULL, &rq, &world, NULL, &d);
    snprintf(id, sizeof(id), "fake-%06d", number);
    journal_decided(j, id, time_s, &rq, &world, &d);
    if (!d.n_able)
        return;
    int who = d.order[0], n_asked = 1;
    if (d.n_able > 1 && rng_u64(r) % 8 == 0) { /* the first one fails or does not do */
        const struct journal_outcome o = { .end = JOURNAL_FAILED, .code = ERR_BUSY, .slot = world.list[who].slot, .n_asked = n_asked++, .ttft_s = NAN,
                                           .total_s = .2f, .joules = NAN, .usd = NAN };
        journal_ended(j, id, &o);
        who = d.order[1];
    }
    const struct route_guess *g = &d.verdicts[who].guess;
    const float factor = near(r, 1);
    const struct journal_outcome o = { .end = JOURNAL_DONE, .slot = world.list[who].slot, .n_asked = n_asked, .is_last = true, .ttft_s = g->ttft_s * factor,
                                       .total_s = g->total_s * factor, .n_prompt_tok = (int)rq.prompt_tok, .n_gen_tok = (int)rq.gen_tok,
                                       .joules = near(r, g->joules), .usd = g->usd };
    journal_ended(j, id, &o);
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    struct rng r;
    const long n = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    if (n < 1 || n > 1000000) {
        fprintf(stderr, "usage: fake-journal FILE N [SEED]\n");
        return 2;
    }
    rng_seed(&r, argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    struct catalog *c = catalog_new(NULL, &err);
    struct fleet *f = c ? fleet_shipped(c, &err) : NULL;
    struct policy *p = f ? policy_new(&err) : NULL;
    struct journal *j = p ? journal_open(argv[1], &(struct journal_options){ .keep_s = INT64_MAX / 4, .keep_rows = 2000000, .keep_bytes = 8u << 30, .queue_bytes = (size_t)64 << 20 }, &err)
                          : NULL;
    const int64_t now = (int64_t)time(NULL);
    for (long i = 0; j && i < n; i++) {
        decide(j, f, p, &r, (int)i, now - 60 * (n - 1 - i));
        struct journal_figures fig;
        do /* what is made here shall be there */
            journal_get_figures(j, &fig);
        while (i % 1000 == 999 && fig.written_total + fig.dropped_total < (uint64_t)i);
    }
    journal_close(j);
    policy_free(p);
    fleet_free(f);
    catalog_free(c);
    if (!j) {
        fprintf(stderr, "fake-journal: %s\n", err.text);
        return 1;
    }
    return 0;
}
