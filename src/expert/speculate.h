/* expert/speculate.h - several tokens of an answer in one pass: which guesses are worth it, and what became of them.
 *
 * For:     schedule.c (the engine thread).  Guesses come from the text itself (llm/lookup.h) or from a small model
 *          (draft.h); the pass then gives the model's own logits behind each guess, and the answer's sampler draws as it
 *          always does, until it draws something else than was guessed: that token stands, the rest is rolled back.
 * Touches: memory.  Thread: the engine thread's.
 * Rule:    a guess never changes an answer.  A guess is certain (a point), so drawing from the model's distribution and
 *          comparing is the rejection sampling of Leviathan et al. (arXiv 2211.17192, section 2.3) for such a draft, and since
 *          logits do not depend on the batch (llm.h) and the sampler draws once per token, the same seed gives the same text.
 *          Here it is only decided how much is guessed, so clocks and learning may enter.
 * How much: what is known of a guessed token (how much is equal before it, whether other places go on differently, what sort of
 *          token it is and follows) has weights, and their sum is its chance's logarithm of odds (logistic regression, one step of gradient
 *          descent for each token that is said, guessed in a pass or not: so learning costs no pass).  The draft's guesses are counted by its
 *          margin.  Tokens are taken, likeliest first, as long as (tokens expected) / (time of a pass of so many) grows.
 *          The time of a pass is a curve from the speed of prompts (reading for few tokens, computing for many), and what was measured of it.
 */
#ifndef TUTTI_EXPERT_SPECULATE_H
#define TUTTI_EXPERT_SPECULATE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "llm/lookup.h"
#include "token/token.h"

enum {
    GUESS_MAX = 15,       /* tokens guessed in one pass, all answers together: with one's own token a tile of 16 */
    GUESS_LENGTHS = 10,   /* classes of what is equal before a token */
    GUESS_SORTS = 4,      /* of tokens: a word's beginning, its inside, punctuation, a line's end */
    GUESS_FACTS = 5,      /* known of each token: a length, a kind of place, its sort, the sort before it, same word but not the same token */
    GUESS_WEIGHTS = GUESS_LENGTHS + LOOKUP_KINDS + 1 + 2 * GUESS_SORTS + 2,
    GUESS_KINDS_DRAFT = 6,
    GUESS_ROWS_MAX = 64,  /* tokens of a pass whose time is kept */
};

#define GUESS_GAIN_LEAST 1.03 /* more tokens in the same time, or it is not worth the risk */

struct guess_facts {
    uint8_t weight[GUESS_FACTS];
};

struct guess { /* of one answer; made when it first runs */
    struct lookup *lookup;
    const struct vocab *vocab;  /* borrowed; NULL: every token is a word of its own */
    float weight[GUESS_WEIGHTS];
    float hits[GUESS_KINDS_DRAFT + 1], tries[GUESS_KINDS_DRAFT + 1]; /* by the draft's margin, and all together */
    /* guessed for the batch at hand; the tokens stand behind the answer's */
    float chance[GUESS_MAX];    /* of each if those before it are right */
    uint8_t margin[GUESS_MAX];  /* class of the draft's */
    bool is_draft;
    /* what the text itself said at token n_at, to learn from when it is known what was said */
    int n_at, n_said, n_first;
    int32_t said[GUESS_MAX], first[LOOKUP_PLACES]; /* the likeliest place's tokens; the first one of each place */
    struct guess_facts facts[GUESS_MAX], first_facts[LOOKUP_PLACES];
};

struct speculation { /* of one expert */
    double pass_ns;                     /* of one token, by the passes without guesses */
    double log_slope;                   /* computing takes so much longer than the speed of prompts says */
    float more[GUESS_ROWS_MAX + 1];     /* what a pass of n takes beyond the curve, as a share */
    uint8_t n_seen[GUESS_ROWS_MAX + 1]; /* passes of n with guesses, as far as it matters; [0]: of three and more */
    int n_since_plain;                  /* passes since one without guesses */
};

/* "off", "auto" or a number of tokens that are always guessed, into -1, 0, n; false with err naming `what`. */
bool speculate_parse(const char *what, const char *text, int *out, struct err *err);

/* vocab is borrowed until guess_free(). */
struct guess *guess_new(const struct vocab *vocab, int n_max_tok, struct err *err);
void guess_free(struct guess *g); /* NULL is fine */

/* What the text itself says of its next tokens: learns from what became of the last guess, then puts up to n_room tokens into
 * out and their chances into g.  tokens[n] may only have grown since the last call; out may be tokens + n.  Returns how many. */
int guess_look_up(struct guess *g, const int32_t *tokens, int n, int32_t *out, int n_room);

/* The draft's guess number i, and how likely it is. */
void guess_by_draft(struct guess *g, int i, float margin);
double guess_chance_draft(const struct guess *g); /* its guesses, whatever their margin */
void guess_forget_draft(struct guess *g);         /* it was not asked: in time it is again */
/* Of the n guessed tokens the first n_right were drawn; when n_right < n, the next one was not. */
void guess_learn(struct guess *g, int n, int n_right);

/* A pass of n tokens, none of them of a prompt and n_guessed of them guessed, took ns; prompt_ns: of one token of a long prompt, 0 when not
 * known. */
void speculation_note(struct speculation *s, int n, int n_guessed, double ns, double prompt_ns);
double speculation_cost(const struct speculation *s, int n, double prompt_ns); /* of a pass of n tokens, ns; 0: not known */

/* What could be guessed for one answer, and (n_take) what is. */
struct guess_offer {
    const struct guess *guess;
    int n, n_take;
};
/* n_take of all offers together at most n_room; beside them n_base tokens are in the pass. */
void speculation_choose(struct speculation *s, struct guess_offer *o, int n_offers, int n_base, int n_room, double prompt_ns);
#endif
