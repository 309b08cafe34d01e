/* tests/expert/test_expert_llm.c - jobs on a real tiny model: texts, neighbours, cancel, memory, endings. */
#include <math.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "collect.h"

#define STORIES "models/llm/stories260K-f32.gguf"
#define BERT "golden/arch/bert-mean.gguf"

static const char *const prompts[] = { "Once upon a time", "Lily and Tom went to the park", "The dog", "One day, a boy",
                                       "She was", "In the garden there was a", "He said", "The sun" };

static void run(struct collect *c, struct expert *e)
{
    if (collect_submit(c, e))
        collect_wait(c);
}

/* The text of one prompt by itself on an expert of its own. */
static void run_alone(char *text, const char *prompt, struct sampler_params sampling, int n, bool ignore_eos)
{
    static struct collect c;
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_threads = 1, .n_seq_max = 1, .n_ctx = 512 });
    struct job *j = collect_job(&c, prompt);
    j->sampling = sampling;
    j->max_tokens = n;
    j->ignore_eos = ignore_eos;
    run(&c, e);
    strcpy(text, c.choice[0].text);
    collect_free(&c);
    expert_free(e);
}

static struct sampler_params warm(uint64_t seed)
{
    struct sampler_params p = sampler_defaults();
    p.temperature = 1.0f;
    p.seed = seed;
    return p;
}

static struct sampler_params greedy(void)
{
    struct sampler_params p = sampler_defaults();
    p.temperature = 0;
    return p;
}

/* EXPECTED.txt: "=== FILE", then "prompt: P", "n_predict: N", "<<<", text, ">>>". */
static void check_expected(const char *file, bool whole)
{
    struct err err = { 0 };
    size_t n = 0;
    char path[128], head[128];
    char *all = file_read(test_shared("models/llm/EXPECTED.txt"), 1 << 20, &n, &err);
    REQUIRE(all, "%s", err.text);
    snprintf(head, sizeof(head), "=== %s\n", file);
    snprintf(path, sizeof(path), "models/llm/%s", file);
    char *at = strstr(all, head);
    REQUIRE(at);
    at += strlen(head);
    char *end = strstr(at, "\n=== ");
    if (end)
        *end = '\0';
    struct expert *e = collect_open(path, (struct expert_llm_options){ .n_ctx = 512 });
    int n_checked = 0;
    while ((at = strstr(at, "prompt: "))) {
        static struct collect c;
        char prompt[100], got[COLLECT_TEXT];
        int n_predict = 0;
        sscanf(at, "prompt: %99[^\n]", prompt);
        sscanf(strstr(at, "n_predict: "), "n_predict: %d", &n_predict);
        char *text = strstr(at, "<<<\n") + 4, *stop = strstr(text, "\n>>>");
        *stop = '\0';
        struct job *j = collect_job(&c, prompt);
        j->max_tokens = n_predict;
        run(&c, e);
        snprintf(got, sizeof(got), " %s%.8000s", prompt, c.choice[0].text);
        for (size_t k = strlen(got); k > 0 && got[k - 1] == '\n'; k--)
            got[k - 1] = '\0';
        CHECK((whole ? strcmp(got, text) : strncmp(got, text, strlen(text))) == 0, "%s:\n%s\nis not\n%s", file, got, text);
        collect_free(&c);
        at = stop + 1;
        n_checked++;
    }
    CHECK(n_checked == 3);
    expert_free(e);
    free(all);
}

TEST(the_texts_of_llama_cpp_come_out_for_f32) { check_expected("stories260K-f32.gguf", true); }
/* One of its texts is six tokens shorter than its n_predict, though f16 and f32 draw the same ids: a beginning is enough. */
TEST(the_texts_of_llama_cpp_come_out_for_f16) { check_expected("stories260K-f16.gguf", false); }

TEST(neighbours_threads_and_batches_do_not_change_a_text)
{
    static struct collect c[8];
    char want[8][COLLECT_TEXT];
    for (int i = 0; i < 8; i++)
        run_alone(want[i], prompts[i], warm(100 + (uint64_t)i), 50, false);
    for (int k = 0; k < 3; k++) {
        struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_threads = 1 + k % 2, .n_seq_max = 3 + 2 * k,
                                                                              .n_batch_max = k == 1 ? 8 : 64, .n_ctx = 512 });
        for (int i = 0; i < 8; i++) {
            struct job *j = collect_job(&c[i], prompts[i]);
            j->sampling = warm(100 + (uint64_t)i);
            j->max_tokens = 50;
            collect_submit(&c[i], e);
        }
        for (int i = 0; i < 8; i++) {
            collect_wait(&c[i]);
            CHECK(strcmp(c[i].choice[0].text, want[i]) == 0, "%s:\n%s\nis not\n%s", prompts[i], c[i].choice[0].text, want[i]);
            collect_free(&c[i]);
        }
        expert_free(e);
    }
}

TEST(choices_share_a_prompt_and_are_those_of_their_own_seeds)
{
    static struct collect c;
    char want[COLLECT_TEXT];
    const char *prompt = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, "
                         "she saw a big, red ball. She wanted to play with it, but it was too high. ";
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_threads = 2, .n_seq_max = 3, .n_ctx = 512 });
    struct job *j = collect_job(&c, prompt);
    j->sampling = warm(7);
    j->n_choices = 4;
    j->max_tokens = 30;
    run(&c, e);
    struct expert_metrics m;
    expert_get_metrics(e, &m);
    for (int i = 0; i < 4; i++) {
        CHECK(c.choice[i].n_ends == 1);
        run_alone(want, prompt, warm(7 + (uint64_t)i), 30, false);
        CHECK(strcmp(c.choice[i].text, want) == 0, "choice %d:\n%s\nis not\n%s", i, c.choice[i].text, want);
    }
    CHECK(m.prompt_tok_total == (uint64_t)c.usage.n_prompt_tok, "the prompt counts once");
    CHECK(m.done_total[EXPERT_END_STOP] + m.done_total[EXPERT_END_LENGTH] == 4);
    collect_free(&c);
    expert_free(e);
}

TEST(a_stop_string_cuts_the_text_wherever_tokens_end)
{
    static struct collect c;
    char all[COLLECT_TEXT], want[COLLECT_TEXT];
    run_alone(all, prompts[0], greedy(), 60, false);
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512 });
    for (size_t at = 5; at + 9 < strlen(all); at += 11)
        for (size_t n = 1; n < 9; n += 3) {
            const struct job_text stop[2] = { { "not there", 9 }, { all + at, n } };
            char s[16];
            snprintf(s, sizeof(s), "%.*s", (int)n, all + at);
            snprintf(want, sizeof(want), "%.*s", (int)(strstr(all, s) - all), all);
            struct job *j = collect_job(&c, prompts[0]);
            j->stops = stop;
            j->n_stops = 2;
            j->n_logprobs = 0;
            run(&c, e);
            CHECK(strcmp(c.choice[0].text, want) == 0, "stop '%s': '%s' is not '%s'", s, c.choice[0].text, want);
            CHECK(c.choice[0].reason == EXPERT_STOP && strncmp(c.choice[0].stop, s, n) == 0);
            CHECK(c.choice[0].n_by_tokens >= c.choice[0].n);
            collect_free(&c);
        }
    expert_free(e);
}

TEST(text_that_only_looked_like_a_stop_comes_out_at_the_end)
{
    static struct collect c;
    char all[COLLECT_TEXT], stop[100];
    run_alone(all, prompts[0], greedy(), 40, false);
    snprintf(stop, sizeof(stop), "%s#", all + strlen(all) - 12);
    const struct job_text stops[] = { { stop, strlen(stop) } };
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512 });
    struct job *j = collect_job(&c, prompts[0]);
    j->stops = stops;
    j->n_stops = 1;
    j->max_tokens = 40;
    run(&c, e);
    CHECK(strcmp(c.choice[0].text, all) == 0 && c.choice[0].reason == EXPERT_LENGTH);
    collect_free(&c);
    expert_free(e);
}

TEST(logprobs_fit_their_tokens_and_the_tokens_their_text)
{
    static struct collect c;
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512, .n_threads = 2 });
    struct job *j = collect_job(&c, prompts[0]);
    j->n_logprobs = 5;
    j->max_tokens = 40;
    run(&c, e);
    CHECK(c.choice[0].n_ids == 40 && c.usage.n_gen_tok == 40 && c.choice[0].n_top_min == 5);
    CHECK(strcmp(c.choice[0].by_tokens, c.choice[0].text) == 0);
    for (int i = 0; i < 40; i++)
        CHECK(c.choice[0].logprob[i] == c.choice[0].top_logprob[i] && c.choice[0].logprob[i] <= 0 &&
              c.choice[0].logprob[i] > -5, "greedy: token %d has %g of %g", i, c.choice[0].logprob[i], c.choice[0].top_logprob[i]);
    collect_free(&c);
    j = collect_job(&c, prompts[0]); /* hot, with bytes of characters: text stays whole (collect_wait checks) */
    j->sampling = warm(3);
    j->sampling.temperature = 50;
    j->sampling.top_k = 0, j->sampling.top_p = 1, j->sampling.min_p = 0;
    j->n_logprobs = 20;
    j->ignore_eos = true;
    j->max_tokens = 300;
    run(&c, e);
    CHECK(c.choice[0].n_ids == 300 && c.choice[0].reason == EXPERT_LENGTH);
    for (int i = 0; i < 300; i++)
        CHECK(c.choice[0].logprob[i] <= c.choice[0].top_logprob[i]);
    collect_free(&c);
    expert_free(e);
}

TEST(cancelling_ends_running_and_waiting_jobs_and_nobody_else)
{
    static struct collect c[4];
    char want[COLLECT_TEXT];
    run_alone(want, prompts[1], greedy(), 200, true);
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_seq_max = 2, .n_ctx = 512 });
    for (int i = 0; i < 4; i++) { /* two run, two wait */
        struct job *j = collect_job(&c[i], prompts[i]);
        j->ignore_eos = true;
        j->max_tokens = i == 1 ? 200 : 450;
        c[i].gate_at = i == 0 ? 5 : i == 2 ? 300 : 0; /* 300: the 200 tokens of c[1] are through by then */
        collect_submit(&c[i], e);
    }
    collect_wait_deltas(&c[0], 5);
    job_cancel(c[3].job);
    job_cancel(c[0].job);
    collect_open_gate(&c[0]);
    collect_wait(&c[3]);
    collect_wait(&c[0]);
    CHECK(!c[3].n_started && c[3].n_queued <= 1 && c[3].err.code == ERR_CANCELLED, "%s", c[3].err.text);
    CHECK(c[0].n_started && c[0].err.code == ERR_CANCELLED && c[0].usage.n_gen_tok < 450);
    collect_wait(&c[1]);
    CHECK(c[1].is_done && strcmp(c[1].choice[0].text, want) == 0);
    job_cancel(c[2].job);
    collect_open_gate(&c[2]);
    collect_wait(&c[2]);
    job_cancel(c[2].job); /* once more, after the end */
    expert_stop(e, 0);
    struct expert_metrics m;
    expert_get_metrics(e, &m);
    CHECK(m.n_running == 0 && m.n_waiting == 0 && m.done_total[EXPERT_END_CANCEL] == 3);
    for (int i = 0; i < 4; i++)
        collect_free(&c[i]);
    expert_free(e);
}

TEST(a_job_cancelled_before_it_is_submitted_ends_so)
{
    static struct collect c;
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512 });
    collect_job(&c, prompts[0]);
    job_cancel(c.job);
    run(&c, e);
    CHECK(c.err.code == ERR_CANCELLED && c.n_deltas == 0);
    collect_free(&c);
    expert_free(e);
}

TEST(a_prompt_beyond_the_context_is_refused_with_both_numbers)
{
    static struct collect c;
    char text[2000] = { 0 };
    for (int i = 0; i < 200; i++)
        strcat(text, "the dog ");
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 128 });
    collect_job(&c, text);
    run(&c, e);
    CHECK(c.err.code == ERR_INPUT && strstr(c.err.text, "context_length_exceeded") && strstr(c.err.text, "128"), "%s",
          c.err.text);
    CHECK(!c.n_started);
    collect_free(&c);
    collect_job(&c, prompts[0]); /* five tokens with BOS */
    c.job->max_tokens = 0;
    c.job->ignore_eos = true;
    run(&c, e);
    CHECK(c.is_done && c.choice[0].reason == EXPERT_LENGTH && c.usage.n_gen_tok == 123, "%d", c.usage.n_gen_tok);
    collect_free(&c);
    expert_free(e);
}

TEST(limits_bound_what_begins_and_leave_texts_as_they_are)
{
    static struct collect c[8];
    static char want[8][COLLECT_TEXT], text[4000];
    for (int i = 0; i < 8; i++)
        run_alone(want[i], prompts[i], warm((uint64_t)i), 40, true);
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_threads = 3, .n_seq_max = 4, .n_ctx = 2048 });
    /* one sequence at a time, one thread */
    expert_limit(e, &(struct expert_limits){ .threads = 0.25f, .batch = 0.25f, .context = 1, .input = 1 });
    for (int i = 0; i < 8; i++) {
        struct job *j = collect_job(&c[i], prompts[i]);
        j->sampling = warm((uint64_t)i);
        j->ignore_eos = true;
        j->max_tokens = 40;
        c[i].gate_at = i == 0 ? 3 : 0;
        collect_submit(&c[i], e);
    }
    collect_wait_deltas(&c[0], 3);
    for (int i = 1; i < 8; i++)
        CHECK(c[i].n_deltas == 0, "%d began beside the first", i);
    expert_limit(e, &(struct expert_limits){ .threads = 0.7f, .batch = 1, .context = 1, .input = 1 }); /* in the middle of them */
    collect_open_gate(&c[0]);
    for (int i = 0; i < 8; i++) {
        collect_wait(&c[i]);
        CHECK(strcmp(c[i].choice[0].text, want[i]) == 0, "%s:\n%s\nis not\n%s", prompts[i], c[i].choice[0].text, want[i]);
        collect_free(&c[i]);
        expert_limit(e, &(struct expert_limits){ .threads = i % 2 ? 1 : 0.1f, .batch = 1, .context = 1, .input = 1 });
    }
    /* the longest text */
    text[0] = '\0';
    for (int i = 0; i < 250; i++)
        strcat(text, "the dog ");
    expert_limit(e, &(struct expert_limits){ .threads = 1, .batch = 1, .context = 0.25f, .input = 1 });
    collect_job(&c[0], text);
    run(&c[0], e);
    CHECK(c[0].err.code == ERR_BUSY && strstr(c[0].err.text, "512"), "%s", c[0].err.text);
    collect_free(&c[0]);
    collect_job(&c[0], prompts[0]);
    c[0].job->max_tokens = 0;
    c[0].job->ignore_eos = true;
    run(&c[0], e);
    CHECK(c[0].is_done && c[0].choice[0].reason == EXPERT_LENGTH && c[0].usage.n_prompt_tok + c[0].usage.n_gen_tok == 512, "%d", c[0].usage.n_gen_tok);
    collect_free(&c[0]);
    expert_limit(e, &(struct expert_limits){ .threads = 1, .batch = 1, .context = 1, .input = 1 });
    collect_job(&c[0], text);
    run(&c[0], e);
    CHECK(c[0].is_done, "%s", c[0].err.text);
    collect_free(&c[0]);
    expert_free(e);
}

TEST(bad_ids_empty_prompts_and_parameters_are_errors)
{
    static struct collect c;
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 128 });
    const int32_t ids[] = { 1, 512 };
    struct job_input in = { .ids = ids, .n_ids = 2 };
    collect_job(&c, "");
    c.job->inputs = &in;
    run(&c, e);
    CHECK(c.err.code == ERR_INPUT && strstr(c.err.text, "512"), "%s", c.err.text);
    collect_free(&c);
    collect_job(&c, "");
    in.n_ids = 0;
    c.job->inputs = &in;
    run(&c, e);
    CHECK(c.err.code == ERR_INPUT && strstr(c.err.text, "empty"), "%s", c.err.text);
    collect_free(&c);
    collect_job(&c, "x");
    c.job->sampling.top_p = 3;
    run(&c, e);
    CHECK(c.err.code == ERR_INPUT && strstr(c.err.text, "top_p"), "%s", c.err.text);
    collect_free(&c);
    collect_job(&c, "x");
    c.job->n_choices = 0;
    CHECK(!expert_submit(e, c.job, &c.err) && c.err.code == ERR_INPUT);
    collect_free(&c);
    collect_job(&c, "");
    struct sampler_bias all[512];
    for (int i = 0; i < 512; i++)
        all[i] = (struct sampler_bias){ i, -100 };
    c.job->sampling.bias = all;
    c.job->sampling.n_bias = 512;
    run(&c, e);
    CHECK(c.err.code == ERR_INPUT && strstr(c.err.text, "banned"), "%s", c.err.text);
    collect_free(&c);
    expert_free(e);
}

TEST(when_pages_run_out_the_youngest_waits_and_no_text_changes)
{
    static struct collect c[4];
    static char want[4][COLLECT_TEXT];
    for (int i = 0; i < 4; i++)
        run_alone(want[i], prompts[i], warm((uint64_t)i), 200, true);
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_seq_max = 4, .n_ctx = 256, .n_kv_tok = 256 });
    for (int i = 0; i < 4; i++) {
        struct job *j = collect_job(&c[i], prompts[i]);
        j->sampling = warm((uint64_t)i);
        j->ignore_eos = true;
        j->max_tokens = 200;
        collect_submit(&c[i], e);
    }
    for (int i = 0; i < 4; i++) {
        collect_wait(&c[i]);
        CHECK(c[i].is_done && strcmp(c[i].choice[0].text, want[i]) == 0, "%d: %s\n%s\nis not\n%s", i, c[i].err.text,
              c[i].choice[0].text, want[i]);
        collect_free(&c[i]);
    }
    struct expert_metrics m;
    expert_get_metrics(e, &m);
    CHECK(m.preempted_total > 0);
    expert_free(e);
}

TEST(a_known_prefix_is_taken_from_the_cache_and_gives_the_same_text)
{
    static struct collect c;
    char prompt[COLLECT_TEXT], first[COLLECT_TEXT], want[COLLECT_TEXT];
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512, .n_seq_max = 2 });
    collect_job(&c, prompts[0]);
    c.job->max_tokens = 100;
    run(&c, e);
    strcpy(first, c.choice[0].text);
    CHECK(c.usage.n_cached_tok == 0);
    collect_free(&c);
    snprintf(prompt, sizeof(prompt), "%s%.4000s", prompts[0], first); /* the next request of a conversation */
    collect_job(&c, prompt);
    run(&c, e);
    CHECK(c.usage.n_cached_tok >= 64 && c.usage.n_cached_tok % 32 == 0, "%d cached of %d", c.usage.n_cached_tok, c.usage.n_prompt_tok);
    run_alone(want, prompt, greedy(), 60, false);
    CHECK(strcmp(c.choice[0].text, want) == 0, "%s\nis not\n%s", c.choice[0].text, want);
    struct expert_metrics m;
    expert_get_metrics(e, &m);
    CHECK(m.prefix_hits_tok == (uint64_t)c.usage.n_cached_tok);
    collect_free(&c);
    expert_free(e);
}

TEST(several_inputs_in_one_job_are_answered_each)
{
    static struct collect c;
    char want[COLLECT_TEXT];
    struct job_input in[3] = { 0 };
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512, .n_seq_max = 2 });
    struct job *j = collect_job(&c, "");
    for (int i = 0; i < 3; i++)
        in[i].text = prompts[i], in[i].n_text = strlen(prompts[i]);
    j->inputs = in;
    j->n_inputs = 3;
    j->n_choices = 2;
    j->sampling = warm(5);
    run(&c, e);
    for (int i = 0; i < 6; i++) {
        run_alone(want, prompts[i / 2], warm(5 + (uint64_t)(i % 2)), 60, false);
        CHECK(c.choice[i].n_ends == 1 && strcmp(c.choice[i].text, want) == 0, "%d: %s\nis not\n%s", i, c.choice[i].text, want);
    }
    collect_free(&c);
    expert_free(e);
}

TEST(a_held_job_says_nothing_and_stops_nobody)
{
    static struct collect c[3];
    char want[COLLECT_TEXT];
    run_alone(want, prompts[0], greedy(), 400, true);
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512, .n_seq_max = 1 });
    for (int i = 0; i < 3; i++) {
        collect_job(&c[i], prompts[i]);
        c[i].job->ignore_eos = true;
        c[i].job->max_tokens = i ? 50 : 400;
    }
    collect_submit(&c[0], e);
    collect_wait_deltas(&c[0], 3);
    job_hold(c[0].job, true);
    collect_submit(&c[1], e); /* there is one sequence only: it must be given up */
    collect_submit(&c[2], e);
    collect_wait(&c[1]);
    collect_wait(&c[2]);
    CHECK(!c[0].n_final || c[0].usage.n_gen_tok == 400); /* so fast a machine that it was through */
    job_hold(c[0].job, false);
    collect_wait(&c[0]);
    CHECK(c[0].is_done && strcmp(c[0].choice[0].text, want) == 0, "%s\nis not\n%s", c[0].choice[0].text, want);
    for (int i = 0; i < 3; i++)
        collect_free(&c[i]);
    expert_free(e);
}

TEST(the_queue_is_bounded_and_a_deadline_ends_who_waits)
{
    static struct collect c[4];
    struct err err = { 0 };
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512, .n_seq_max = 1, .n_queue_max = 2 });
    for (int i = 0; i < 4; i++) {
        collect_job(&c[i], prompts[i]);
        c[i].job->ignore_eos = true;
        c[i].job->max_tokens = 500;
    }
    job_hold(c[0].job, true); /* both wait */
    job_hold(c[1].job, true);
    collect_submit(&c[0], e);
    collect_submit(&c[1], e);
    CHECK(!expert_submit(e, c[2].job, &err) && err.code == ERR_BUSY, "%s", err.text);
    job_cancel(c[1].job);
    collect_wait(&c[1]);
    job_hold(c[3].job, true);
    c[3].job->deadline_ns = clock_ns() + 100 * 1000 * 1000;
    collect_submit(&c[3], e);
    collect_wait(&c[3]);
    CHECK(c[3].err.code == ERR_BUSY && strstr(c[3].err.text, "deadline"), "%s", c[3].err.text);
    collect_submit(&c[2], e);
    job_cancel(c[0].job);
    collect_wait(&c[0]);
    collect_wait(&c[2]);
    CHECK(c[2].is_done);
    for (int i = 0; i < 4; i++)
        collect_free(&c[i]);
    expert_free(e);
}

TEST(stopping_drains_or_aborts_and_takes_nothing_more)
{
    static struct collect c[3];
    struct err err = { 0 };
    for (int drain = 0; drain < 2; drain++) {
        struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512, .n_seq_max = 1 });
        for (int i = 0; i < 3; i++) {
            collect_job(&c[i], prompts[i]);
            c[i].job->ignore_eos = true;
            c[i].job->max_tokens = 100;
            if (!drain)
                job_hold(c[i].job, true);
        }
        collect_submit(&c[0], e);
        collect_submit(&c[1], e);
        expert_stop(e, drain ? UINT64_MAX : 0);
        CHECK(!expert_submit(e, c[2].job, &err) && err.code == ERR_BUSY);
        for (int i = 0; i < 2; i++) {
            collect_wait(&c[i]);
            CHECK(c[i].is_done == (drain == 1) && (drain || c[i].err.code == ERR_BUSY), "%s", c[i].err.text);
        }
        expert_free(e);
        for (int i = 0; i < 3; i++)
            collect_free(&c[i]);
    }
}

TEST(freeing_a_busy_expert_ends_its_jobs)
{
    static struct collect c;
    struct err err = { 0 };
    struct expert *e = expert_llm_open(test_shared(STORIES), NULL, &err); /* perhaps still loading */
    REQUIRE(e, "%s", err.text);
    collect_job(&c, prompts[0]);
    collect_submit(&c, e);
    expert_free(e);
    CHECK(c.n_final == 1);
    collect_free(&c);
}

TEST(embeddings_come_one_vector_for_each_input)
{
    static struct collect c;
    struct job_input in[3] = { 0 };
    const int32_t ids[] = { 1, 403, 407, 261, 378 };
    float first[2048];
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512, .n_threads = 2 });
    struct expert_card card;
    expert_get_card(e, &card);
    struct job *j = collect_job(&c, "");
    j->task = EXPERT_EMBED;
    in[0].text = "The dog", in[0].n_text = 7;
    in[1].text = "Once upon a time", in[1].n_text = 16;
    in[2].ids = ids, in[2].n_ids = 5;
    j->inputs = in;
    j->n_inputs = 2;
    run(&c, e);
    CHECK(c.is_done && c.n_vectors == 2 && c.n_vector == card.n_embd && c.usage.n_prompt_tok == 4 + 5, "%s", c.err.text);
    memcpy(first, c.vector, sizeof(first));
    collect_free(&c);
    j = collect_job(&c, "");
    j->task = EXPERT_EMBED;
    j->inputs = in + 2; /* the same as ids */
    run(&c, e);
    CHECK(c.n_vectors == 1 && memcmp(first, c.vector, (size_t)c.n_vector * sizeof(float)) == 0);
    collect_free(&c);
    expert_free(e);
}

TEST(an_encoder_embeds_and_refuses_to_chat)
{
    static struct collect c;
    struct err err = { 0 };
    size_t n = 0, n_ref = 0;
    struct expert *e = collect_open(BERT, (struct expert_llm_options){ .n_threads = 2 });
    struct job *j = collect_job(&c, "x");
    CHECK(!expert_submit(e, j, &err) && err.code == ERR_UNSUPPORTED, "%s", err.text);
    collect_free(&c);
    char *tok = file_read(test_shared("golden/arch/bert-mean.tok"), 1 << 20, &n, &err);
    char *ref = file_read(test_shared("golden/arch/bert-mean.ref"), 1 << 20, &n_ref, &err);
    REQUIRE(tok && ref, "%s", err.text);
    struct job_input in = { .ids = (int32_t *)tok, .n_ids = (int)n / 4 };
    j = collect_job(&c, "");
    j->task = EXPERT_EMBED;
    j->inputs = &in;
    run(&c, e);
    REQUIRE(c.n_vectors == 1 && (size_t)c.n_vector * 4 == n_ref, "%s", c.err.text);
    double diff = 0, sum = 0;
    for (int i = 0; i < c.n_vector; i++) {
        const float r = ((float *)ref)[i];
        diff += (double)(c.vector[i] - r) * (c.vector[i] - r), sum += (double)r * r;
    }
    CHECK(diff / sum < 2.231e-8, "nmse %g", diff / sum);
    collect_free(&c);
    free(tok), free(ref);
    expert_free(e);
}

TEST(a_model_that_does_not_load_is_down_and_says_why)
{
    static struct collect c;
    struct err err = { 0 };
    CHECK(!expert_llm_open("/nonexistent.gguf", NULL, &err) && err.text[0]);
    struct expert *e = expert_llm_open(test_shared("vocab/ggml-vocab-llama-spm.gguf"), NULL, &err);
    if (!e)
        SKIP("no vocabulary file: %s", err.text);
    collect_job(&c, "x");
    const bool ok = expert_submit(e, c.job, &err);
    if (ok) {
        collect_wait(&c);
        CHECK(c.err.code == ERR_BUSY && strstr(c.err.text, "is down"), "%s", c.err.text);
    } else {
        CHECK(err.code == ERR_BUSY, "%s", err.text);
    }
    CHECK(!expert_wait_ready(e, &err) && expert_get_state(e) == EXPERT_DOWN);
    CHECK(!expert_submit(e, c.job, &err) && err.code == ERR_BUSY);
    collect_free(&c);
    expert_free(e);
}

TEST(an_idle_expert_uses_no_cpu)
{
    static struct collect c;
    struct timespec a, b;
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512, .n_threads = 2 });
    collect_job(&c, prompts[0]);
    run(&c, e);
    collect_free(&c);
    double ms = 1e9;
    for (int i = 0; i < 20 && ms >= 5; i++) { /* its threads may still have something to end */
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        nanosleep(&(struct timespec){ 0, 300 * 1000 * 1000 }, NULL);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
    }
    CHECK(ms < 5, "%g ms in 300 ms", ms);
    expert_free(e);
}

TEST(a_chat_is_its_rendered_template_with_one_bos)
{
    static struct collect c;
    char want[COLLECT_TEXT];
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512, .chat_template =
        "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %} time{% endif %}{{ extra }}" });
    struct expert_card card;
    expert_get_card(e, &card);
    CHECK(card.has_chat_template && !card.knows_tools && (card.tasks & EXPERT_CHAT));
    struct job *j = collect_job(&c, "Once upon a time, there");
    run(&c, e);
    strcpy(want, c.choice[0].text);
    const int n_prompt = c.usage.n_prompt_tok;
    collect_free(&c);
    j = collect_job(&c, "");
    j->task = EXPERT_CHAT;
    j->vars = json_pack("{s:[{s:s,s:s},{s:s,s:s}],s:s}", "messages", "role", "system", "content", "Once ", "role", "user",
                        "content", "upon a", "extra", ", there");
    run(&c, e);
    CHECK(c.is_done && c.usage.n_prompt_tok == n_prompt && want[0] == ' ' && strcmp(c.choice[0].text, want + 1) == 0, "%s: %d, '%s'", c.err.text,
          c.usage.n_prompt_tok, c.choice[0].text);
    CHECK(json_object_size(j->vars) == 2, "the caller's variables are as they were");
    collect_free(&c);
    expert_free(e);
}

TEST(what_a_template_raises_is_the_jobs_error)
{
    static struct collect c;
    struct err err = { 0 };
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .chat_template = "{{ raise_exception('roles must alternate') }}" });
    struct job *j = collect_job(&c, "");
    j->task = EXPERT_CHAT;
    j->vars = json_pack("{s:[]}", "messages");
    run(&c, e);
    CHECK(c.err.code == ERR_INPUT && strstr(c.err.text, "roles must alternate"), "%s", c.err.text);
    collect_free(&c);
    j = collect_job(&c, "");
    j->task = EXPERT_CHAT;
    CHECK(!expert_submit(e, j, &err) && err.code == ERR_INPUT);
    collect_free(&c);
    expert_free(e);
    e = expert_llm_open(test_shared(STORIES), &(struct expert_llm_options){ .chat_template = "{% if %}", .is_quiet = true }, &err);
    REQUIRE(e);
    CHECK(!expert_wait_ready(e, &err) && strstr(err.text, "template"), "%s", err.text);
    expert_free(e);
}

TEST(interactive_jobs_go_before_batch_jobs)
{
    static struct collect c[3];
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512, .n_seq_max = 1 });
    for (int i = 0; i < 3; i++) {
        collect_job(&c[i], prompts[i]);
        c[i].job->ignore_eos = true;
        c[i].job->max_tokens = 40;
        c[i].job->priority = i == 1 ? JOB_BATCH : JOB_INTERACTIVE;
    }
    c[0].is_slow = true; /* the one sequence stays taken until both others wait, however slow the machine is */
    c[0].job->max_tokens = 400;
    collect_submit(&c[0], e);
    collect_wait_deltas(&c[0], 1);
    collect_submit(&c[1], e);
    collect_submit(&c[2], e);
    collect_wait_queued(&c[1]);
    collect_wait_queued(&c[2]);
    job_cancel(c[0].job); /* soon: after 10 s a batch job counts as interactive */
    collect_open_gate(&c[0]);
    for (int i = 0; i < 3; i++)
        collect_wait(&c[i]);
    CHECK(c[2].usage.queue_ns < c[1].usage.queue_ns);
    CHECK(c[1].n_queued == 1 && c[2].n_queued == 1 && c[0].n_queued == 0);
    for (int i = 0; i < 3; i++)
        collect_free(&c[i]);
    expert_free(e);
}

TEST(bias_dry_and_breakers_reach_the_sampler)
{
    static struct collect c;
    char plain[COLLECT_TEXT];
    const struct sampler_bias bias = { 0 };
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 512 });
    const struct job_text breakers[] = { { "zzz", 3 } };
    run_alone(plain, prompts[1], greedy(), 150, true); /* goes round in circles */
    struct job *j = collect_job(&c, prompts[1]);
    j->sampling.dry_multiplier = 5;
    j->dry_breakers = breakers;
    j->n_dry_breakers = 1;
    j->sampling.bias = &bias;
    j->sampling.n_bias = 1;
    j->ignore_eos = true;
    j->max_tokens = 150;
    run(&c, e);
    int n_plain = 0, n_dry = 0;
    for (const char *p = plain; (p = strstr(p, "wanted to play with the")); p++)
        n_plain++;
    for (const char *p = c.choice[0].text; (p = strstr(p, "wanted to play with the")); p++)
        n_dry++;
    CHECK(n_plain >= 2 && n_dry < 2, "%d, %d times: %s", n_plain, n_dry, c.choice[0].text);
    collect_free(&c);
    expert_free(e);
}

TEST(a_crowd_with_cancels_holds_and_deadlines_gets_one_ending_each)
{
    enum { CROWD = 120 };
    struct collect *c = calloc(CROWD, sizeof(*c));
    REQUIRE(c);
    struct expert *e = collect_open(STORIES, (struct expert_llm_options){ .n_ctx = 256, .n_seq_max = 4, .n_kv_tok = 384,
                                                                          .n_threads = 2, .n_batch_max = 32 });
    for (int i = 0; i < CROWD; i++) {
        struct job *j = collect_job(&c[i], prompts[test_rand_u64() % 8]);
        j->n_choices = 1 + (int)(test_rand_u64() % 3);
        j->max_tokens = 1 + (int)(test_rand_u64() % 60);
        j->priority = test_rand_u64() % 2 ? JOB_BATCH : JOB_INTERACTIVE;
        if (test_rand_u64() % 4 == 0)
            j->deadline_ns = clock_ns() + test_rand_u64() % 200000000;
        if (test_rand_u64() % 5 == 0)
            j->task = EXPERT_EMBED;
        if (test_rand_u64() % 4 == 0)
            job_hold(j, true);
        collect_submit(&c[i], e);
        struct collect *other = &c[test_rand_u64() % (uint64_t)(i + 1)];
        if (test_rand_u64() % 3 == 0)
            job_cancel(other->job);
        else
            job_hold(other->job, test_rand_u64() % 3 == 0);
        if (i % 10 == 0)
            nanosleep(&(struct timespec){ 0, (long)(test_rand_u64() % 5000000) }, NULL);
    }
    for (int i = 0; i < CROWD; i++)
        job_hold(c[i].job, false);
    int n_done = 0;
    for (int i = 0; i < CROWD; i++) {
        collect_wait(&c[i]);
        n_done += c[i].is_done;
        CHECK(c[i].is_done || c[i].err.code == ERR_CANCELLED || c[i].err.code == ERR_BUSY, "%s", c[i].err.text);
    }
    CHECK(n_done > CROWD / 4, "%d", n_done);
    struct expert_metrics m;
    expert_get_metrics(e, &m);
    CHECK(m.n_running == 0 && m.n_waiting == 0 && m.kv_used_frac == 0, "%d, %d, %g", m.n_running, m.n_waiting, m.kv_used_frac);
    for (int i = 0; i < CROWD; i++)
        collect_free(&c[i]);
    free(c);
    expert_free(e);
}
