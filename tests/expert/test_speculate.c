/* tests/expert/test_speculate.c - guessing ahead changes no answer: texts with and without, neighbours, stops, endings, chances. */
#include <math.h>

#include "base/file.h"
#include "collect.h"
#include "expert/speculate.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "llm/llm.h"
#include "hw/cpu.h"

static const char tiny[] = "models/tutti-tiny.gguf";

/* Texts that go on as they began: what is guessed is right for long stretches, and wrong at their ends. */
static const char *const repetitive[] = {
    "<|user|>Say it again: the red cat sat on the mat, the red cat sat on the mat, the red cat sat on the<|bot|>",
    "one two three four five six. one two three four five six. one two three four five",
    "The dog ran. The dog ran. The dog ran. The dog ran. The dog",
    "Once upon a time there was a little girl. Once upon a time there was a little boy. Once upon a time",
};
/* And one where little repeats. */
static const char plain[] = "Tom and his sister went to the river to look for a frog.";

static struct expert *open_with(const char *draft, int speculate, int n_threads, int n_seq)
{
    struct err err = { 0 };
    struct expert *e = expert_llm_open(tiny, &(struct expert_llm_options){ .draft = draft, .n_threads = n_threads, .n_seq_max = n_seq, .speculate = speculate }, &err);
    CHECK(e && expert_wait_ready(e, &err), "%s", err.text);
    return e;
}

static struct expert *open_tiny(int speculate, int n_threads, int n_seq) { return open_with(NULL, speculate, n_threads, n_seq); }

/* The bundled model with other bytes at some place, in a file of its own. */
static const char *write_changed(const char *name, const char *find, size_t n_find, size_t n_flip)
{
    struct err err = { 0 };
    size_t n = 0, at = 0;
    char *bytes = file_read(tiny, 8 << 20, &n, &err);
    const char *path = test_tmp(name);
    CHECK(bytes, "%s", err.text);
    if (find)
        while (at + n_find < n && memcmp(bytes + at, find, n_find) != 0)
            at++;
    else
        at = n - n_flip;
    for (size_t i = 0; i < n_flip; i++)
        bytes[at + i] ^= 1;
    CHECK(file_write(path, bytes, n, &err), "%s", err.text);
    free(bytes);
    return path;
}

static struct sampler_params drawn(uint64_t seed, bool with_penalties)
{
    struct sampler_params p = sampler_defaults();
    p.temperature = 0.7f;
    p.seed = seed;
    if (with_penalties) {
        p.repetition_penalty = 1.1f;
        p.frequency_penalty = 0.2f;
        p.presence_penalty = 0.1f;
        p.dry_multiplier = 0.5f;
    }
    return p;
}

/* Job number i of a fixed list: greedy and drawn, with penalties, stops, logprobs, several choices, at every length. */
static struct job *make_job(struct collect *c, int i)
{
    static const struct job_text stops[] = { { "sat on", 6 }, { "four", 4 }, { "boy", 3 }, { "ran. The", 8 } };
    struct job *j = collect_job(c, i % 5 == 4 ? plain : repetitive[i % 5]);
    if (i % 3 != 0)
        j->sampling = drawn((uint64_t)i, i % 3 == 2);
    j->max_tokens = 1 + i * 7 % 70;
    j->ignore_eos = i % 2;
    j->n_choices = i % 7 == 3 ? 2 : 1;
    j->n_logprobs = i % 4 == 1 ? 2 : -1;
    if (i % 6 == 2) {
        j->stops = stops;
        j->n_stops = 4;
    }
    return j;
}

static void check_same(const struct collect *a, const struct collect *b, int i)
{
    CHECK(a->is_done && b->is_done, "job %d: %s%s", i, a->err.text, b->err.text);
    CHECK(a->usage.n_gen_tok == b->usage.n_gen_tok && a->usage.n_prompt_tok == b->usage.n_prompt_tok, "job %d: %d tokens, not %d", i, b->usage.n_gen_tok, a->usage.n_gen_tok);
    for (int k = 0; k < a->job->n_choices; k++) {
        CHECK(strcmp(a->choice[k].text, b->choice[k].text) == 0, "job %d:\n%s\nis not\n%s", i, b->choice[k].text, a->choice[k].text);
        CHECK(a->choice[k].reason == b->choice[k].reason && strcmp(a->choice[k].stop, b->choice[k].stop) == 0, "job %d", i);
        CHECK(a->choice[k].n_ids == b->choice[k].n_ids && memcmp(a->choice[k].ids, b->choice[k].ids, sizeof(a->choice[k].ids)) == 0, "job %d: ids", i);
        CHECK(memcmp(a->choice[k].logprob, b->choice[k].logprob, sizeof(a->choice[k].logprob)) == 0 &&
              memcmp(a->choice[k].top_logprob, b->choice[k].top_logprob, sizeof(a->choice[k].top_logprob)) == 0, "job %d: logprobs", i);
    }
}

enum { N_JOBS = 24 };

static void run_jobs(struct collect *c, struct expert *e, int n_at_once)
{
    for (int i = 0; i < N_JOBS; i += n_at_once) {
        for (int k = i; k < i + n_at_once && k < N_JOBS; k++) {
            make_job(&c[k], k);
            collect_submit(&c[k], e);
        }
        for (int k = i; k < i + n_at_once && k < N_JOBS; k++)
            collect_wait(&c[k]);
    }
}

TEST(answers_are_the_same_with_and_without_guesses)
{
    static struct collect want[N_JOBS], got[N_JOBS];
    static const struct { int speculate, n_threads, n_seq, n_at_once; } ways[] = { { 15, 1, 1, 1 }, { 3, 2, 4, 4 }, { 0, 1, 2, 2 }, { 15, 2, 8, 24 } };
    struct expert_metrics m;
    struct expert *e = open_tiny(-1, 1, 1);
    run_jobs(want, e, 1);
    expert_get_metrics(e, &m);
    CHECK(m.guessed_tok_total == 0);
    expert_free(e);
    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        int n_guessed = 0, n_right = 0;
        e = open_tiny(ways[w].speculate, ways[w].n_threads, ways[w].n_seq);
        run_jobs(got, e, ways[w].n_at_once);
        for (int i = 0; i < N_JOBS; i++) {
            check_same(&want[i], &got[i], i);
            n_guessed += got[i].usage.n_guessed_tok;
            n_right += got[i].usage.n_guessed_right_tok;
            collect_free(&got[i]);
        }
        expert_get_metrics(e, &m);
        CHECK(m.guessed_tok_total == (uint64_t)n_guessed && m.guessed_right_tok_total == (uint64_t)n_right);
        if (ways[w].speculate > 0)
            CHECK(n_right > 50 && n_guessed > n_right, "%d of %d right", n_right, n_guessed);
        expert_free(e);
    }
    for (int i = 0; i < N_JOBS; i++)
        collect_free(&want[i]);
}

TEST(a_job_may_ask_for_none_or_for_more)
{
    static struct collect c[2];
    struct expert *e = open_tiny(0, 1, 1);
    for (int i = 0; i < 2; i++) {
        struct job *j = collect_job(&c[i], repetitive[2]);
        j->speculate = i ? 4 : -1;
        collect_submit(&c[i], e);
        collect_wait(&c[i]);
        CHECK((c[i].usage.n_guessed_tok > 0) == (i == 1));
    }
    CHECK(strcmp(c[0].choice[0].text, c[1].choice[0].text) == 0);
    collect_free(&c[0]);
    collect_free(&c[1]);
    expert_free(e);
}

/* One that is always right (itself), one whose last layers are spoilt, and none of them changes a word. */
TEST(answers_are_the_same_with_a_draft_model)
{
    static struct collect want[N_JOBS], got[N_JOBS];
    const char *spoilt = write_changed("spoilt.gguf", NULL, 0, 1 << 20);
    static const struct { bool is_spoilt; int speculate, n_threads, n_seq, n_at_once; } ways[] = { { false, 5, 2, 1, 1 }, { true, 3, 1, 4, 6 }, { false, 0, 1, 2, 2 } };
    struct expert *e = open_tiny(-1, 1, 1);
    run_jobs(want, e, 1);
    expert_free(e);
    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        struct expert_metrics m;
        e = open_with(ways[w].is_spoilt ? spoilt : tiny, ways[w].speculate, ways[w].n_threads, ways[w].n_seq);
        run_jobs(got, e, ways[w].n_at_once);
        for (int i = 0; i < N_JOBS; i++) {
            check_same(&want[i], &got[i], i);
            collect_free(&got[i]);
        }
        expert_get_metrics(e, &m);
        if (ways[w].speculate > 0)
            CHECK(m.guessed_tok_total > 200 && m.guessed_tok_total > m.guessed_right_tok_total, "%d of %d right", (int)m.guessed_right_tok_total, (int)m.guessed_tok_total);
        if (ways[w].speculate > 0 && !ways[w].is_spoilt)
            CHECK(3 * m.guessed_right_tok_total > m.guessed_tok_total, "%d of %d right", (int)m.guessed_right_tok_total, (int)m.guessed_tok_total);
        expert_free(e);
    }
    for (int i = 0; i < N_JOBS; i++)
        collect_free(&want[i]);
}

TEST(a_draft_model_of_another_vocabulary_is_refused_with_a_line)
{
    static const struct { const char *file; const char *says; } cases[] = { { NULL, "another vocabulary: token 2 is '" }, { "/nowhere/x.gguf", "draft /nowhere/x.gguf: " } };
    const char *other = write_changed("other.gguf", "<|user|>", 8, 3);
    for (int i = 0; i < 2; i++) {
        struct err err = { 0 };
        struct expert *e = expert_llm_open(tiny, &(struct expert_llm_options){ .draft = cases[i].file ? cases[i].file : other, .n_threads = 1, .is_quiet = true }, &err);
        REQUIRE(e, "%s", err.text);
        CHECK(!expert_wait_ready(e, &err) && strstr(err.text, cases[i].says) && !strchr(err.text, '\n'), "%s", err.text);
        expert_free(e);
    }
}

TEST(how_much_to_guess_is_off_auto_or_a_number)
{
    static const struct { const char *text; int n; } good[] = { { "off", -1 }, { "auto", 0 }, { "1", 1 }, { "15", 15 } };
    static const char *const bad[] = { "", "0", "-1", "16", "on", "5x" };
    struct err err = { 0 };
    for (int i = 0, n; i < 4; i++)
        CHECK(speculate_parse("speculate", good[i].text, &n, &err) && n == good[i].n, "%s", good[i].text);
    for (int i = 0, n; i < 6; i++)
        CHECK(!speculate_parse("speculate", bad[i], &n, &err) && strncmp(err.text, "speculate: ", 11) == 0, "%s", bad[i]);
}

/* A machine on which a pass of n tokens takes 1 + (n - 1) x slope, give or take `noise` as a share: plain passes and larger ones in turn. */
static void note_times(struct speculation *s, double slope, double noise, int n_rounds)
{
    for (int i = 0; i < n_rounds; i++)
        for (int k = 0; k < 2; k++) {
            const int n = k ? 2 + i % 14 : 1;
            const double off = 1 + noise * ((double)(test_rand_u64() % 2001) / 1000 - 1);
            speculation_note(s, n, n - 1, 1e6 * (1 + (n - 1) * slope) * off, 0);
        }
}

/* With times as a machine would have them: none is taken that costs more than it brings. */
TEST(what_does_not_pay_is_not_guessed)
{
    struct err err = { 0 };
    struct guess *g = guess_new(NULL, 64, &err);
    struct speculation s = { 0 };
    struct guess_offer o = { .guess = g, .n = 8 };
    for (int i = 0; i < 8; i++)
        g->chance[i] = 0.9f;
    speculation_choose(&s, &o, 1, 1, 15, 0);
    CHECK(o.n_take == 0, "nothing is known of the time yet");
    note_times(&s, 0.02, 0, 1);
    speculation_choose(&s, &o, 1, 1, 15, 0);
    CHECK(o.n_take >= 2, "%d", o.n_take);
    note_times(&s, 1, 0, 400); /* it computes as slowly as it reads: a token more is a pass more */
    speculation_choose(&s, &o, 1, 1, 15, 0);
    CHECK(o.n_take == 0, "%d", o.n_take);
    note_times(&s, 0.01, 0, 400);
    speculation_choose(&s, &o, 1, 1, 15, 0);
    CHECK(o.n_take == 8, "%d", o.n_take);
    g->chance[0] = 0.2f;
    note_times(&s, 0.25, 0, 400);
    speculation_choose(&s, &o, 1, 1, 15, 0);
    CHECK(o.n_take == 0, "seldom right: %d", o.n_take);
    guess_free(g);
}

/* Each pass is off by up to a third: what is believed of their times is off by much less. */
TEST(a_restless_machine_does_not_change_what_a_pass_is_thought_to_take)
{
    static const double slopes[] = { 0.05, 0.15, 0.4 };
    for (int i = 0; i < 3; i++) {
        struct speculation s = { 0 };
        note_times(&s, slopes[i], 0.33, 3000);
        for (int n = 2; n <= 8; n *= 2) {
            const double ratio = speculation_cost(&s, n, 0) / speculation_cost(&s, 1, 0), want = 1 + (n - 1) * slopes[i];
            CHECK(ratio > 0.75 * want && ratio < 1.3 * want, "%d tokens at %.2f: %.2f, not %.2f", n, slopes[i], ratio, want);
        }
    }
}

/* Grown token by token, nothing taken: the chance of what is said next follows what is right, at no cost. */
TEST(chances_are_learned_from_guesses_that_were_not_taken)
{
    struct err err = { 0 };
    static int32_t t[1200 + GUESS_MAX];
    for (int is_copy = 0; is_copy < 2; is_copy++) {
        struct guess *g = guess_new(NULL, 1200, &err);
        float chance = 0.5f;
        for (int n = 0; n < 1200; n++) {
            /* pairs of two words that were there before; what follows them is the same, or always another one */
            t[n] = n % 3 < 2 ? 10 + n % 3 + 2 * (n / 3 % 20) : is_copy ? 100 + n / 3 % 20 : 1000 + n;
            if (n % 3 == 1 && n > 60 && guess_look_up(g, t, n + 1, t + n + 1, 1) > 0)
                chance = g->chance[0];
            else
                guess_look_up(g, t, n + 1, t + n + 1, 1);
        }
        CHECK(is_copy ? chance > 0.8f : chance < 0.1f, "%f", (double)chance);
        guess_free(g);
    }
}

TEST(words_are_found_whatever_capital_or_space_they_have)
{
    struct err err = { 0 };
    struct gguf *file = gguf_open(tiny, &err);
    struct vocab *v = file ? vocab_open(file, &err) : NULL;
    struct token_list l;
    token_list_init(&l, 100);
    static const char text[] = "We saw that the big red fox ran home. He said \"The big";
    REQUIRE(v && vocab_tokenize(v, text, sizeof(text) - 1, 0, &l, &err), "%s", err.text);
    int32_t out[2] = { -1, -1 };
    struct buf piece;
    buf_init(&piece, 100);
    struct guess *g = guess_new(v, 100, &err);
    REQUIRE(g && guess_look_up(g, l.ids, (int)l.len, out, 2) == 2);
    vocab_piece(v, out[0], &piece);
    CHECK(strcmp(piece.data, " red") == 0 && g->chance[0] > 0.2f, "'%s', %f", piece.data, (double)g->chance[0]);
    buf_fini(&piece);
    guess_free(g);
    token_list_fini(&l);
    vocab_free(v);
    gguf_close(file);
}

/* Pages for one answer and little more: guesses must not push anybody out, and an answer that is pushed out goes on as it was. */
TEST(a_full_cache_stops_guesses_first)
{
    static struct collect want[6], got[6];
    for (int round = 0; round < 2; round++) {
        struct err err = { 0 };
        struct expert *e = expert_llm_open(tiny, &(struct expert_llm_options){ .n_threads = 1, .n_seq_max = round ? 3 : 1, .n_ctx = 192, .n_kv_tok = 192,
                                                                                .speculate = round ? 15 : -1 }, &err);
        struct collect *c = round ? got : want;
        REQUIRE(e && expert_wait_ready(e, &err), "%s", err.text);
        for (int i = 0; i < 6; i++) {
            struct job *j = collect_job(&c[i], repetitive[i % 4]);
            j->max_tokens = 60 + 13 * i;
            j->ignore_eos = true;
            collect_submit(&c[i], e);
        }
        for (int i = 0; i < 6; i++)
            collect_wait(&c[i]);
        expert_free(e);
    }
    for (int i = 0; i < 6; i++) {
        check_same(&want[i], &got[i], i);
        collect_free(&want[i]);
        collect_free(&got[i]);
    }
}

/* Two answers share the pages of a prompt; one of them guesses across the end of a page and is wrong there. */
TEST(rolling_back_leaves_shared_pages_and_logits_as_they_were)
{
    struct err err = { 0 };
    struct kernels k;
    kernels_choose(&k, cpu_flags());
    struct gguf *g = gguf_open(tiny, &err);
    struct pool *pool = pool_new(2, &err);
    REQUIRE(g && pool, "%s", err.text);
    struct llm_model *m = llm_model_open(g, &k, pool, &err);
    REQUIRE(m, "%s", err.text);
    const int n_vocab = llm_model_info(m)->n_vocab;
    float *want = malloc((size_t)n_vocab * sizeof(*want));
    for (int q8 = 0; q8 < 2; q8++) {
        struct llm_ctx *c = llm_ctx_new(m, &(struct llm_ctx_options){ .n_ctx = 256, .n_seq_max = 2, .n_logits_max = 16, .kv_q8 = q8 }, &err);
        REQUIRE(c, "%s", err.text);
        struct llm_token tok[128];
        int32_t ids[128];
        for (int i = 0; i < 128; i++)
            ids[i] = 5 + i * 37 % 1900;
        for (int keep = 62; keep <= 67; keep++) { /* the answer is right up to there; a page ends at 64 */
            int seq[2];
            seq[0] = llm_seq_new(c);
            for (int i = 0; i < 68; i++)
                tok[i] = (struct llm_token){ .seq = seq[0], .pos = i, .id = ids[i], .want_logits = i == 67 };
            REQUIRE(llm_forward(c, tok, 68, &err), "%s", err.text);
            memcpy(want, llm_logits(c, 0), (size_t)n_vocab * sizeof(*want));
            seq[1] = llm_seq_new(c);
            CHECK(llm_seq_reuse(c, seq[1], ids, 61) == 32);
            for (int i = 32; i < 75; i++)
                tok[i] = (struct llm_token){ .seq = seq[1], .pos = i, .id = i < keep ? ids[i] : 7, .want_logits = i > 60 };
            REQUIRE(llm_forward(c, tok + 32, 43, &err), "%s", err.text);
            CHECK(llm_seq_truncate(c, seq[1], keep) == keep);
            for (int i = keep; i < 68; i++) {
                tok[0] = (struct llm_token){ .seq = seq[1], .pos = i, .id = ids[i], .want_logits = true };
                REQUIRE(llm_forward(c, tok, 1, &err), "%s", err.text);
            }
            CHECK(memcmp(want, llm_logits(c, 0), (size_t)n_vocab * sizeof(*want)) == 0, "kept %d, q8 %d", keep, q8);
            llm_seq_free(c, seq[1]);
            CHECK(llm_seq_truncate(c, seq[0], 67) == 67);
            tok[0] = (struct llm_token){ .seq = seq[0], .pos = 67, .id = ids[67], .want_logits = true };
            REQUIRE(llm_forward(c, tok, 1, &err), "%s", err.text);
            CHECK(memcmp(want, llm_logits(c, 0), (size_t)n_vocab * sizeof(*want)) == 0, "the other one, kept %d, q8 %d", keep, q8);
            llm_seq_free(c, seq[0]);
        }
        llm_ctx_free(c);
    }
    free(want);
    llm_model_free(m);
    pool_free(pool);
    gguf_close(g);
}

/* The fourth token of many answers to one prompt, against the frequencies without guesses: chi-square over the likeliest tokens.
 * Seeds are fixed, and differ between the two, so this is not the equality above; the bound is passed once in 10^6. */
TEST(drawn_tokens_follow_their_chances)
{
    enum { N = 500, BINS = 12 };
    static struct collect c;
    int32_t id[2][N];
    for (int with = 0; with < 2; with++) {
        struct expert *e = open_tiny(with ? 4 : -1, 1, 1);
        int n_guessed = 0, n_right = 0;
        for (int i = 0; i < N; i++) {
            struct job *j = collect_job(&c, repetitive[2]);
            j->sampling = drawn((uint64_t)(i + with * N) * 7919, true);
            j->max_tokens = 8;
            j->ignore_eos = true;
            j->n_logprobs = 0; /* ids are wanted */
            collect_submit(&c, e);
            collect_wait(&c);
            REQUIRE(c.choice[0].n_ids == 8, "%d", c.choice[0].n_ids);
            id[with][i] = c.choice[0].ids[3];
            n_guessed += c.usage.n_guessed_tok;
            n_right += c.usage.n_guessed_right_tok;
            collect_free(&c);
        }
        CHECK(with ? n_right > 50 && n_guessed - n_right > 50 : n_guessed == 0, "%d of %d right", n_right, n_guessed);
        expert_free(e);
    }
    double chi2 = 0, df = 0, rest[2] = { 0, 0 };
    for (int32_t t = 0; t < 2048; t++) {
        int n[2] = { 0, 0 };
        for (int with = 0; with < 2; with++)
            for (int i = 0; i < N; i++)
                n[with] += id[with][i] == t;
        if (n[0] + n[1] >= 10) {
            chi2 += (double)(n[0] - n[1]) * (n[0] - n[1]) / (n[0] + n[1]);
            df++;
        } else {
            rest[0] += n[0];
            rest[1] += n[1];
        }
    }
    if (rest[0] + rest[1] > 0)
        chi2 += (rest[0] - rest[1]) * (rest[0] - rest[1]) / (rest[0] + rest[1]);
    printf("# chi-square %.1f with %.0f degrees\n", chi2, df);
    /* Wilson and Hilferty's normal approximation, 4.75 sigma */
    const double limit = df * pow(1 - 2 / (9 * df) + 4.75 * sqrt(2 / (9 * df)), 3);
    CHECK(df >= 4 && chi2 < limit, "chi-square %.1f with %.0f degrees, at most %.1f", chi2, df, limit);
}

TEST(a_text_that_repeats_itself_goes_on_into_its_own_guess)
{
    struct err err = { 0 };
    static const int32_t t[] = { 5, 1, 2, 1, 2, 1 };
    int32_t out[7];
    struct guess *g = guess_new(NULL, 16, &err);
    CHECK(guess_look_up(g, t, 6, out, 7) == 7);
    for (int i = 0; i < 7; i++)
        CHECK(out[i] == (i % 2 ? 1 : 2), "%d: %d", i, out[i]);
    guess_free(g);
}
