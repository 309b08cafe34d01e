/* tests/expert/test_expert_residence.c - models of our own engine come when they are wanted and go when others need the memory. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "collect.h"
#include "expert/expert_llm.h"
#include "expert/keeper.h"
#include "test.h"

static const char model[] = "models/tutti-tiny.gguf";

static struct expert *open_lazy(const char *id, struct keeper *k)
{
    struct err err = { 0 };
    FILE *f = fopen(model, "rb");
    if (!f)
        test_skip("%s is not here", model);
    fclose(f);
    struct expert *e = expert_llm_open(model, &(struct expert_llm_options){ .id = id, .n_ctx = 128, .n_seq_max = 2, .n_threads = 1, .is_lazy = true, .keeper = k }, &err);
    CHECK(e, "%s", err.text);
    return e;
}

static void ask(struct expert *e, char text[256])
{
    struct collect c;
    struct job *j = collect_job(&c, "Once upon a time");
    j->max_tokens = 8;
    text[0] = '\0';
    if (collect_submit(&c, e)) {
        collect_wait(&c);
        CHECK(c.is_done, "%s", c.err.text);
        snprintf(text, 256, "%.255s", c.choice[0].text);
    }
    collect_free(&c);
}

static void wait_cold(struct expert *e)
{
    while (expert_get_state(e) != EXPERT_COLD)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
}

TEST(a_lazy_model_is_loaded_by_its_first_job_and_says_the_same_after_it_was_away)
{
    char first[256], again[256];
    struct err err;
    struct expert *e = open_lazy("a", NULL);
    CHECK(expert_get_state(e) == EXPERT_COLD);
    ask(e, first);
    CHECK(first[0] != '\0');
    for (int i = 0; i < 3; i++) {
        expert_unload(e);
        wait_cold(e);
        ask(e, again);
        CHECK(strcmp(first, again) == 0, "'%s' '%s'", first, again);
    }
    expert_unload(e);
    wait_cold(e);
    CHECK(expert_wait_ready(e, &err) && expert_get_state(e) == EXPERT_WARM);
    expert_free(e);
}

static _Atomic bool is_over;

static void *unload_often(void *arg)
{
    while (!is_over) {
        expert_unload(arg);
        nanosleep(&(struct timespec){ 0, 3000000 }, NULL);
    }
    return NULL;
}

TEST(unloading_at_any_moment_loses_no_job)
{
    enum { JOBS = 4 };
    struct expert *e = open_lazy("a", NULL);
    struct collect c[JOBS];
    pthread_t t;
    pthread_create(&t, NULL, unload_often, e);
    for (int round = 0; round < (getenv("TEST_QUICK") ? 4 : 12); round++) {
        for (int i = 0; i < JOBS; i++) {
            struct job *j = collect_job(&c[i], "Once upon a time");
            j->max_tokens = 4;
            collect_submit(&c[i], e);
            if (i == 3)
                job_cancel(j);
        }
        for (int i = 0; i < JOBS; i++) {
            collect_wait(&c[i]);
            CHECK(c[i].is_done || (i == 3 && c[i].err.code == ERR_CANCELLED), "%s", c[i].err.text);
            collect_free(&c[i]);
        }
    }
    is_over = true;
    pthread_join(t, NULL);
    expert_free(e);
}

TEST(two_models_take_turns_where_one_fits)
{
    struct err err;
    struct expert_card card;
    char text[256];
    struct expert *e = open_lazy("probe", NULL);
    CHECK(expert_wait_ready(e, &err), "%s", err.text);
    expert_get_card(e, &card);
    const uint64_t need = card.weight_bytes + card.kv_bytes > card.file_bytes * 9 / 8 ? card.weight_bytes + card.kv_bytes : card.file_bytes * 9 / 8;
    expert_free(e);
    struct keeper *k = keeper_new(&(struct keeper_options){ .cap_bytes = need + need / 2, .patience_ms = 5 }, &err);
    struct expert *a = open_lazy("a", k), *b = open_lazy("b", k);
    for (int i = 0; i < 6; i++)
        ask(i % 2 ? a : b, text);
    struct keeper_figures f;
    keeper_get_figures(k, &f);
    CHECK(f.loads_total == 6 && f.evictions_total + f.yields_total == 5, "%d %d", (int)f.loads_total, (int)(f.evictions_total + f.yields_total));
    struct collect c[8];
    for (int i = 0; i < 8; i++) { /* both want it at the same time */
        struct job *j = collect_job(&c[i], "Once upon a time");
        j->max_tokens = 3;
        collect_submit(&c[i], i % 2 ? a : b);
    }
    for (int i = 0; i < 8; i++) {
        collect_wait(&c[i]);
        CHECK(c[i].is_done, "%s", c[i].err.text);
        collect_free(&c[i]);
    }
    expert_free(a), expert_free(b);
    keeper_free(k);
    k = keeper_new(&(struct keeper_options){ .cap_bytes = 1000 }, &err);
    e = open_lazy("large", k);
    struct collect refused;
    collect_job(&refused, "Once");
    CHECK(expert_submit(e, refused.job, &err));
    collect_wait(&refused);
    CHECK(!refused.is_done && strstr(refused.err.text, "needs") && strstr(refused.err.text, "cap"), "%s", refused.err.text);
    collect_free(&refused);
    expert_free(e);
    keeper_free(k);
}
