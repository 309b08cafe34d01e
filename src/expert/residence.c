/* expert/residence.c - when the model of an LLM expert is in memory: what the keeper (keeper.h) is asked and told, and how
 * everything that load() made goes away again.  Start reading at residence_ask(). */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "expert/llm_internal.h"

/* ---- what the keeper calls, with its lock held ---- */

static void give_back(void *ctx)
{
    struct expert_llm *e = ctx;
    pthread_mutex_lock(&e->lock);
    e->give_back = true;
    pthread_cond_signal(&e->front_wake);
    pthread_mutex_unlock(&e->lock);
}

static uint64_t observe(void *ctx) { return atomic_load(&((struct expert_llm *)ctx)->held_bytes); }

static void memory_changed(void *ctx)
{
    struct expert_llm *e = ctx;
    pthread_mutex_lock(&e->lock);
    pthread_cond_signal(&e->front_wake);
    pthread_mutex_unlock(&e->lock);
}

/* ---- what we call ---- */

bool residence_join(struct expert_llm *e, struct keeper *keeper, struct err *err)
{
    /* Weights once, in whatever form, and a cache that is not known before the file was read: an eighth of that.  The first
     * load tells the figures of the second. */
    e->need_bytes = gguf_file_bytes(e->gguf) + gguf_file_bytes(e->gguf) / 8;
    struct stat st;
    if (e->draft_path && stat(e->draft_path, &st) == 0 && st.st_size > 0)
        e->need_bytes += (uint64_t)st.st_size + (uint64_t)st.st_size / 8;
    if (!keeper)
        return true;
    e->seat = keeper_join(keeper, &(struct keeper_client){ .id = e->id, .ctx = e, .give_back = give_back, .observe = observe, .wake = memory_changed }, err);
    return e->seat != NULL;
}

enum residence residence_ask(struct expert_llm *e, struct err *err)
{
    while (e->seat) {
        int again_ms = 0;
        const enum keeper_answer a = keeper_ask(e->seat, e->need_bytes, &again_ms, err);
        if (a == KEEPER_GO)
            return RESIDENCE_GO;
        if (a == KEEPER_NO)
            return RESIDENCE_NO;
        const uint64_t until_ns = clock_after_ns((uint64_t)(again_ms > 0 ? again_ms : 100) * 1000000u);
        pthread_mutex_lock(&e->lock);
        if (!e->quit)
            thread_wait(&e->front_wake, &e->lock, until_ns);
        const bool is_wanted = !e->quit && (e->inbox.first || e->wants_warm);
        pthread_mutex_unlock(&e->lock);
        if (!is_wanted) {
            keeper_withdraw(e->seat);
            return RESIDENCE_QUIT;
        }
    }
    return RESIDENCE_GO;
}

void residence_loaded(struct expert_llm *e, uint64_t load_ns)
{
    pthread_mutex_lock(&e->lock);
    const uint64_t held = e->card.weight_bytes + e->card.kv_bytes;
    pthread_mutex_unlock(&e->lock);
    atomic_store(&e->held_bytes, held);
    e->need_bytes = held;
    e->has_begun = true; /* the keeper takes it so */
    if (e->seat)
        keeper_loaded(e->seat, load_ns);
}

/* What loading it again would cost is all of this, not the moment until it was ready (decision 20). */
static void on_packed(void *ctx)
{
    struct expert_llm *e = ctx;
    const uint64_t ns = clock_ns() - e->load_begun_ns;
    pthread_mutex_lock(&e->lock);
    e->m.load_ns = ns;
    pthread_mutex_unlock(&e->lock);
    if (e->seat)
        keeper_load_took(e->seat, ns);
    log_info("%s: packed after %.0f ms", e->id, (double)ns / 1e6);
}

void residence_watch_packing(struct expert_llm *e, uint64_t begun_ns)
{
    e->load_begun_ns = begun_ns;
    llm_model_on_packed(e->model, on_packed, e);
}

void residence_gave(struct expert_llm *e)
{
    atomic_store(&e->held_bytes, 0);
    e->has_begun = false;
    pthread_mutex_lock(&e->lock);
    e->give_back = false;
    pthread_mutex_unlock(&e->lock);
    if (e->seat)
        keeper_gave(e->seat);
}

void residence_unload(struct expert_llm *e)
{
    engine_fini(e);
    free(e->eog);
    free(e->dry_breakers);
    template_free(e->template);
    llm_model_free(e->model);
    pool_free(e->pool);
    vocab_free(e->vocab);
    e->eog = NULL;
    e->n_eog = 0;
    e->dry_breakers = NULL;
    e->template = NULL;
    e->is_plain_template = false;
    e->model = NULL;
    e->pool = NULL;
    e->vocab = NULL;
}
