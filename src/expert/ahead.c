/* expert/ahead.c - what is guessed for the batch at hand: from the texts themselves, or by the draft model; start at ahead_guess().
 *
 * An answer is guessed for by its own text where the match is good, else by the draft model if there is one.  The draft goes on, a token
 * for each answer in a pass, while another token is worth the draft's pass and the model's.  Then speculation_choose() takes what pays.
 */
#include "expert/draft.h"
#include "expert/llm_internal.h"

static int n_most_of(const struct expert_llm *e, const struct gen *g) /* 0: as many as pay */
{
    return g->work->job->speculate ? g->work->job->speculate : e->opt.speculate;
}

static int look_up(const struct expert_llm *e, struct gen *g, int n_room)
{
    const int n_most = n_most_of(e, g), n_end = g->max_tokens - g->n_tokens - 1, k = n_most > 0 && n_most < n_room ? n_most : n_room;
    return guess_look_up(g->guess, g->tokens, g->n_tokens, g->tokens + g->n_tokens, k < n_end ? k : n_end);
}

/* Guesses of the draft for those of the n answers for which it is likelier to be right; their offers become these. */
static void ask_draft(struct expert_llm *e, struct gen **of, int n, int n_streams, int n_room)
{
    struct draft_text text[GUESS_MAX];
    int who[GUESS_MAX], n_texts = 0, n_in_pass = n_streams;
    double chance[GUESS_MAX], expected = n_streams, spent;
    bool is_told = false; /* how many: nobody asks what it costs */
    for (int i = 0; i < n && n_texts < GUESS_MAX; i++) {
        struct gen *g = of[i];
        const int n_most = n_most_of(e, g), n_left = g->max_tokens - g->n_tokens - 1, n_end = n_left < GUESS_MAX ? n_left : GUESS_MAX;
        if (e->offers[i].n > 0 && (double)g->guess->chance[0] >= guess_chance_draft(g->guess))
            continue;
        chance[n_texts] = 1;
        who[n_texts] = i;
        is_told |= n_most > 0;
        text[n_texts++] = (struct draft_text){ .seq = g->seq, .tokens = g->tokens, .n = g->n_tokens, .n_most = n_most > 0 && n_most < n_end ? n_most : n_end };
    }
    spent = speculation_cost(&e->speculation, n_in_pass, e->prefill_ns_per_tok);
    for (int level = 0; n_texts > 0 && level < GUESS_MAX; level++) {
        int n_more = 0;
        double gain = 0;
        for (int i = 0; i < n_texts; i++) {
            if (text[i].n_most <= level)
                continue;
            gain += chance[i] * guess_chance_draft(of[who[i]]->guess);
            n_more++;
        }
        const double price = draft_pass_ns(e->draft) + speculation_cost(&e->speculation, n_in_pass + n_more, e->prefill_ns_per_tok) -
                             speculation_cost(&e->speculation, n_in_pass, e->prefill_ns_per_tok);
        const bool pays = gain * spent > price * expected * GUESS_GAIN_LEAST;
        if (n_more == 0 || n_in_pass + n_more - n_streams > n_room || (!pays && !is_told)) {
            if (level == 0)
                for (int i = 0; i < n_texts; i++)
                    guess_forget_draft(of[who[i]]->guess);
            break;
        }
        if (level == 0)
            draft_follow(e->draft, text, n_texts);
        if (!draft_next(e->draft, text, n_texts))
            break;
        n_in_pass += n_more;
        expected += gain;
        spent += price;
        for (int i = 0; i < n_texts; i++) {
            if (text[i].n_guess <= level)
                continue;
            struct guess *g = of[who[i]]->guess;
            e->offers[who[i]].n = text[i].n_guess;
            guess_by_draft(g, level, text[i].margin);
            chance[i] *= (double)g->chance[level];
        }
    }
}

void ahead_guess(struct expert_llm *e, int n_streams, int n_room)
{
    struct gen *of[GUESS_ROWS_MAX];
    int n = 0, n_free = 0;
    if (n_room < 1 || n_streams + n_room > GUESS_ROWS_MAX || llm_ctx_kv_free_tok(e->ctx) < 2 * KV_PAGE_TOK * n_streams)
        return;
    for (int i = 0; i < e->opt.n_seq_max; i++) {
        struct gen *g = e->running[i];
        if (!g || g->n_chunk == 0 || !g->guess || g->max_tokens - g->n_tokens < 2)
            continue;
        of[n] = g;
        e->offers[n++] = (struct guess_offer){ .guess = g->guess, .n = look_up(e, g, n_room) };
    }
    if (e->draft && n > 0)
        ask_draft(e, of, n, n_streams, n_room);
    for (int i = 0; i < n; i++) { /* those that are told how many go first, whatever it costs */
        if (n_most_of(e, of[i]) > 0) {
            of[i]->n_guess = e->offers[i].n < n_room ? e->offers[i].n : n_room;
            n_room -= of[i]->n_guess;
            continue;
        }
        of[n_free] = of[i];
        e->offers[n_free++] = e->offers[i];
    }
    speculation_choose(&e->speculation, e->offers, n_free, n_streams, n_room, e->prefill_ns_per_tok);
    for (int i = 0; i < n_free; i++)
        of[i]->n_guess = e->offers[i].n_take;
}
