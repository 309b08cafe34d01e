/* expert/batch.c - what the next pass of an LLM expert evaluates, and how long passes take; start at batch_build().
 *
 * For:     schedule.c, on the engine thread.
 * Touches: the running answers' chunks and guesses, e->batch, e->sampled, what was measured of passes.
 *
 * One token of every answer, then prompts.  While answers stream, prompts get as many tokens as take about STALL_NS, so that a long
 * prompt cannot stop the streams; of that the oldest prompt gets a quarter for sure, the rest goes to the shortest, which finishes
 * soonest (and up to half more where that ends it).  Short prompts that wait together are read a few at a time, not all at once, so
 * that the first answers begin while the last prompts wait: lot_tok().  What is left of a batch without prompts: guesses of what the
 * answers will say next (speculate.h).
 */
#include "expert/llm_internal.h"

enum {
    CHUNK_MIN = 16, /* tokens of prompts in a batch with streams, at least */
    LOT = 5,        /* lot_tok() */
    PASS_TOK = 8,   /* before it was measured: so many tokens of a prompt take as long as reading the weights (135M to 1B: 6 to 10) */
};
static const uint64_t STALL_NS = 100u * 1000 * 1000;

int batch_guess_max(const struct expert_llm *e)
{
    const int n_more = e->opt.n_batch_max - e->opt.n_seq_max;
    return e->opt.speculate < 0 || !(e->tasks & EXPERT_COMPLETE) ? 0 : n_more < GUESS_MAX ? n_more : GUESS_MAX;
}

static int n_left(const struct gen *g) { return g->n_tokens - g->n_done - g->n_chunk; }

/* Of the running ones with a prompt to read: the oldest, or the one with the least left. */
static struct gen *pick_prompt(const struct expert_llm *e, bool oldest)
{
    struct gen *best = NULL;
    for (int i = 0; i < e->opt.n_seq_max; i++) {
        struct gen *g = e->running[i];
        if (!g || n_left(g) < 1 || job_is_held(g->work->job))
            continue;
        if (!best || (oldest || n_left(g) == n_left(best) ? g->work->ticket < best->work->ticket : n_left(g) < n_left(best)))
            best = g;
    }
    return best;
}

static int prompt_budget(const struct expert_llm *e, int n_streams)
{
    const int n_free = llm_ctx_n_batch_max(e->ctx) - n_streams;
    if (n_streams == 0)
        return n_free;
    const double fit = e->prefill_ns_per_tok > 0 ? (double)STALL_NS / e->prefill_ns_per_tok : 4 * CHUNK_MIN;
    const int n = fit > n_free ? n_free : (int)fit;
    return n > CHUNK_MIN ? n : n_free < CHUNK_MIN ? n_free : CHUNK_MIN;
}

static void take_chunk(struct gen *g, int n, int *budget)
{
    n = n < n_left(g) ? n : n_left(g);
    g->n_chunk += n;
    *budget -= n;
}

/* A batch of so many tokens of prompts is large enough: reading the weights takes some 1/LOT of its time.  Prompts that wait together are read in
 * such lots, so that the first answers begin while the last prompts wait. */
static int lot_tok(const struct expert_llm *e)
{
    const struct llm_info *info = llm_model_info(e->model);
    const double pass_tok = e->pass_ns > 0 && e->prefill_ns_per_tok > 0 ? e->pass_ns / e->prefill_ns_per_tok : PASS_TOK;
    const double all = info->bytes_per_tok > 0 ? (double)info->weight_bytes / (double)info->bytes_per_tok : 1; /* a token alone reads a few experts only */
    const double n = LOT * pass_tok * all;
    return n < llm_ctx_n_batch_max(e->ctx) ? (int)n : llm_ctx_n_batch_max(e->ctx);
}

/* Tokens of prompts into the batch, as far as the budget goes; true: there are some. */
static bool take_prompts(struct expert_llm *e, int n_streams)
{
    struct gen *oldest = pick_prompt(e, true), *last = oldest;
    const int n_budget = prompt_budget(e, n_streams);
    int budget = n_budget, room = llm_ctx_n_batch_max(e->ctx) - n_streams - n_budget;
    if (!oldest)
        return false;
    take_chunk(oldest, (budget + 3) / 4, &budget);
    const int lot = lot_tok(e);
    int n_whole = n_left(oldest) == 0 ? oldest->n_chunk : 0; /* tokens of prompts that end in this batch */
    for (struct gen *g; budget > 0 && n_whole < lot && (g = pick_prompt(e, false)); last = g) {
        take_chunk(g, budget, &budget);
        n_whole += n_left(g) == 0 ? g->n_chunk : 0;
    }
    if (n_left(last) > 0 && n_left(last) <= n_budget / 2 && n_left(last) <= room && budget == 0) /* its first token comes a whole pass sooner */
        take_chunk(last, room, &room);
    const int n_third = n_whole / 3 > CHUNK_MIN ? n_whole / 3 : CHUNK_MIN;
    if (n_left(oldest) > 0 && n_whole >= lot && oldest->n_chunk > n_third) /* a quarter of the batch as it is */
        oldest->n_chunk = n_third;
    return true;
}

int batch_build(struct expert_llm *e, bool may_guess)
{
    int n_streams = 0, n = 0;
    for (int i = 0; i < e->opt.n_seq_max; i++) {
        struct gen *g = e->running[i];
        if (!g)
            continue;
        g->n_chunk = g->n_guess = 0;
        g->row = -1;
        if (g->n_tokens - g->n_done == 1 && !job_is_held(g->work->job)) {
            g->n_chunk = 1;
            n_streams++;
        }
    }
    e->has_prompts = take_prompts(e, n_streams);
    if (may_guess && !e->has_prompts && n_streams > 0)
        ahead_guess(e, n_streams, batch_guess_max(e) < llm_ctx_n_batch_max(e->ctx) - n_streams ? batch_guess_max(e) : llm_ctx_n_batch_max(e->ctx) - n_streams);

    e->n_sampled = e->n_rows = 0;
    for (int i = 0; i < e->opt.n_seq_max; i++) {
        struct gen *g = e->running[i];
        if (!g || g->n_chunk == 0)
            continue;
        const bool is_last = n_left(g) == 0;
        for (int k = 0; k < g->n_chunk + g->n_guess; k++)
            e->batch[n++] = (struct llm_token){ .seq = g->seq, .pos = g->n_done + k, .id = g->tokens[g->n_done + k], .want_logits = is_last && k >= g->n_chunk - 1 };
        if (is_last) {
            g->row = e->n_rows;
            e->n_rows += 1 + g->n_guess;
            e->sampled[e->n_sampled++] = g;
        }
    }
    return n;
}

/* A pass of n tokens, none of a prompt: what it took beyond computing them. */
static void note_pass(struct expert_llm *e, int n, double ns)
{
    const double fixed = ns - n * e->prefill_ns_per_tok;
    if (e->prefill_ns_per_tok > 0 && fixed > 0)
        e->pass_ns += e->pass_ns > 0 ? 0.1 * (fixed - e->pass_ns) : fixed;
}

void batch_note(struct expert_llm *e, int n, double forward_ns, double ns)
{
    if (n - e->n_sampled >= CHUNK_MIN) {
        const double per_tok = forward_ns / n, rate = per_tok < e->prefill_ns_per_tok ? 0.7 : 0.3; /* slow is whoever has not the cores alone: that is soon over */
        e->prefill_ns_per_tok += e->prefill_ns_per_tok > 0 ? rate * (per_tok - e->prefill_ns_per_tok) : per_tok;
    }
    if (e->has_prompts)
        return;
    note_pass(e, n, ns);
    speculation_note(&e->speculation, n, e->n_rows - e->n_sampled, ns, e->prefill_ns_per_tok);
}
