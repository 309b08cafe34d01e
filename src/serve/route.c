/* serve/route.c - see route.h. */
#include "serve/route.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "advise/device.h"
#include "base/behind.h"
#include "base/log.h"
#include "base/thread.h"
#include "route/bandit.h"
#include "route/journal.h"
#include "route/ladder.h"
#include "route/predict.h"

static const char name_predictor[] = "predictor", name_bandit[] = "bandit";
static const float KEEP_S = 60;
enum { FLUSH_MS = 1000 };

/* This machine's CPU: the engine's own speeds are predicted for it. */
static void know_device(struct serve_route *r, struct catalog *c, const struct hw_machine *machine)
{
    enum { DEVICES_MAX = 16 };
    struct err err = { 0 };
    struct hw_machine *own = machine ? NULL : hw_detect("", &err);
    const struct hw_machine *m = machine ? machine : own;
    struct device *d = c && m ? calloc(DEVICES_MAX, sizeof(*d)) : NULL;
    const int n = d ? devices_of_machine(d, DEVICES_MAX, c, m) : 0;
    if (n > 0) {
        r->device = d[n - 1].plan; /* the CPU is always the last */
        r->env.device = &r->device;
    } else {
        log_warn("auto: this machine is not known: %s", err.text);
    }
    free(d);
    hw_machine_free(own);
}

bool serve_route_init(struct serve_route *r, const struct serve_route_config *config, struct err *err)
{
    static const struct journal_options keeping = { .opens_later = true };
    struct err why = { 0 };
    *r = (struct serve_route){ .env = { .policy = config->policy }, .journal_path = config->journal_path, .behind = config->behind };
    if (!(r->predictor = predictor_new(err)) || !(r->bandit = bandit_new((uint64_t)time(NULL), BANDIT_EXPLORATION, err)))
        return false;
    r->env.predictor = r->predictor;
    r->env.bandit = r->bandit;
    struct catalog *own = config->catalog ? NULL : catalog_new(NULL, &why);
    struct catalog *c = config->catalog ? config->catalog : own;
    if (config->machine || config->is_node)
        know_device(r, c, config->machine);
    if (!c || !(r->ladders = ladders_new(c, &why)))
        log_warn("auto: no ladders: %s", why.text);
    r->env.ladders = r->ladders;
    catalog_free(own);
    if (config->journal_path && !(r->journal = journal_open(config->journal_path, &keeping, &why)) && why.code != ERR_UNSUPPORTED)
        log_warn("auto: decisions are not kept: %s", why.text);
    r->env.journal = r->journal;
    return true;
}

static char *read_kept(struct journal_reader *j, const char *name)
{
    struct err err;
    size_t n;
    return journal_kept(j, name, &n, &err);
}

static void remember(struct router *router, const char *journal_path)
{
    struct err err = { 0 };
    struct journal_reader *j = journal_reader_open(journal_path, &err);
    if (!j)
        return; /* none yet */
    char *predictor = read_kept(j, name_predictor), *bandit = read_kept(j, name_bandit);
    if (!router_take_learned(router, predictor, bandit, &err))
        log_warn("auto: what was learned before cannot be read: %s", err.text);
    free(predictor);
    free(bandit);
    journal_reader_close(j);
}

/* Called from the journal's thread, too. */
static void keep(void *ctx)
{
    struct serve_route *r = ctx;
    struct buf predictor, bandit;
    buf_init(&predictor, JOURNAL_STATE_BYTES_MAX);
    buf_init(&bandit, JOURNAL_STATE_BYTES_MAX);
    router_put_learned(r->router, &predictor, &bandit);
    if (!predictor.failed && predictor.len > 0)
        journal_keep(r->journal, name_predictor, predictor.data, predictor.len);
    if (!bandit.failed && bandit.len > 0)
        journal_keep(r->journal, name_bandit, bandit.data, bandit.len);
    buf_fini(&predictor);
    buf_fini(&bandit);
}

static void learn(struct serve_route *r)
{
    struct err err = { 0 };
    if (r->journal)
        remember(r->router, r->journal_path);
    if (!r->env.device) {
        struct catalog *c = catalog_new(NULL, &err);
        know_device(r, c, NULL);
        catalog_free(c);
    }
    router_know(r->router, r->env.device);
}

static void *learn_main(void *ctx)
{
    behind_wait(((struct serve_route *)ctx)->behind);
    learn(ctx);
    return NULL;
}

void serve_route_begin(struct serve_route *r, struct router *router)
{
    pthread_t learner;
    struct err err;
    if (!router)
        return;
    r->router = router;
    router_expect(router);
    if (thread_start(&learner, learn_main, r, "auto", &err))
        pthread_detach(learner); /* router_await() is its end */
    else
        learn(r);
    if (r->journal)
        journal_on_written(r->journal, KEEP_S, keep, r);
}

void serve_route_keep(struct serve_route *r)
{
    behind_over(r->behind);
    if (r->router)
        router_await(r->router); /* hw/root.h leaves what hangs behind, so this ends */
    if (!r->journal || !r->router)
        return;
    journal_on_written(r->journal, 0, NULL, NULL);
    keep(r);
    journal_flush(r->journal, FLUSH_MS);
}

void serve_route_fini(struct serve_route *r)
{
    journal_close(r->journal);
    ladders_free(r->ladders);
    bandit_free(r->bandit);
    predictor_free(r->predictor);
    memset(r, 0, sizeof(*r));
}
