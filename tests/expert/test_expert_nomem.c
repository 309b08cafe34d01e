/* tests/expert/test_expert_nomem.c - opening a model and answering with it while memory is short. */
#include "collect.h"
#include "fail_alloc.h"

/* Two choices with stops and log-probabilities, so that all of an answer's memory is asked for. */
static int n_tokens = 5;

static bool open_and_answer(void *path, struct err *err)
{
    static const struct job_text stops[] = { { "never said", 10 } };
    static struct collect c;
    bool ok = false;
    struct job *j = NULL;
    memset(&c, 0, sizeof(c));
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.cond, NULL);
    struct expert *e = expert_llm_open(path, &(struct expert_llm_options){ .n_ctx = 128, .n_threads = 2, .n_seq_max = 2, .is_quiet = true }, err);
    if (!e || !expert_wait_ready(e, err) || !(j = job_new(1 << 16, err)))
        goto out;
    struct job_input *in = arena_alloc(j->arena, 1, sizeof(*in), err);
    if (!in)
        goto out;
    *in = (struct job_input){ .text = "Once upon a time", .n_text = 16 };
    j->inputs = in;
    j->n_inputs = 1;
    j->n_choices = 2;
    j->max_tokens = n_tokens;
    j->n_logprobs = 2;
    j->stops = stops;
    j->n_stops = 1;
    j->sampling.dry_multiplier = 0.8f;
    j->on_event = collect_event;
    j->ctx = &c;
    if (!expert_submit(e, j, err))
        goto out;
    collect_wait(&c);
    ok = c.is_done;
    *err = c.err;
    CHECK(!ok || (c.choice[0].n_ids == n_tokens && c.choice[1].n_ids == n_tokens));
out:
    job_unref(j);
    expert_free(e);
    return ok;
}

TEST(opening_and_answering_survive_every_failing_allocation)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s", test_shared("models/llm/stories260K-q8_0.gguf"));
    const long n = fail_alloc_each(open_and_answer, path, 150);
    CHECK(n > 40, "%ld", n);
}

TEST(a_longer_answer_allocates_no_more)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s", test_shared("models/llm/stories260K-q8_0.gguf"));
    n_tokens = 20;
    const long few = fail_alloc_each(open_and_answer, path, 1);
    n_tokens = 100;
    const long many = fail_alloc_each(open_and_answer, path, 1);
    CHECK(few == many, "20 tokens: %ld allocations, 100 tokens: %ld", few, many);
}
