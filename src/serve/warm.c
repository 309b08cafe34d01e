/* serve/warm.c - see warm.h. */
#include "serve/warm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/thread.h"

struct warmer {
    struct expert *const *experts;
    int n;
    pthread_t thread;
    atomic_bool is_done, is_over;
};

static void *load_all(void *ctx)
{
    struct warmer *w = ctx;
    struct err why; /* whoever went down has said it */
    for (int i = 0; i < w->n && !w->is_over; i++)
        expert_wait_ready(w->experts[i], &why);
    w->is_done = true;
    return NULL;
}

struct warmer *warmer_new(struct expert *const *experts, int n, struct err *err)
{
    struct warmer *w = calloc(1, sizeof(*w));
    if (!w)
        return err_null(err, ERR_NOMEM, "serve: out of memory");
    w->experts = experts;
    w->n = n;
    if (thread_start(&w->thread, load_all, w, "serve", err))
        return w;
    free(w);
    return NULL;
}

bool warmer_is_done(const struct warmer *w) { return !w || w->is_done; }

void warmer_free(struct warmer *w)
{
    if (!w)
        return;
    w->is_over = true;
    pthread_join(w->thread, NULL);
    free(w);
}
