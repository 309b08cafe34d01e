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
 * How much: each guessed token is of a kind (length of the match, or the draft's margin); the answer counts how often each kind
 *          was right.  Tokens are taken, likeliest first, as long as (tokens expected) / (time of a pass of so many) grows.
 *          The time of a pass is measured as it goes.  What does not pay is left out, and its count fades, so it is tried again.
 */
#ifndef TUTTI_EXPERT_SPECULATE_H
#define TUTTI_EXPERT_SPECULATE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
    GUESS_MAX = 15,       /* tokens guessed in one pass, all answers together: with one's own token a tile of 16 */
    GUESS_KINDS_LOOKUP = 10,
    GUESS_KINDS = GUESS_KINDS_LOOKUP + 6,
    GUESS_KIND_DRAFT = GUESS_KINDS, /* all guesses of the draft together */
    GUESS_ROWS_MAX = 64,  /* tokens of a pass whose time is kept */
};

#define GUESS_GAIN_LEAST 1.04 /* more tokens in the same time, or it is not worth the risk */

struct lookup;

struct guess { /* of one answer; made when it first runs */
    struct lookup *lookup;
    int n;                   /* tokens guessed in the batch at hand; they stand behind the answer's tokens */
    uint8_t kind[GUESS_MAX];
    float hits[GUESS_KINDS + 1], tries[GUESS_KINDS + 1];
};

struct speculation { /* of one expert */
    double pass_ns;                      /* of one token */
    double extra[GUESS_ROWS_MAX + 1];    /* of a pass of n: each further token costs this share of the first; 0: not known yet */
    int n_since_alone;                   /* passes since pass_ns was measured */
};

/* "off", "auto" or a number of tokens that are always guessed, into -1, 0, n; false with err naming `what`. */
bool speculate_parse(const char *what, const char *text, int *out, struct err *err);

struct guess *guess_new(int n_max_tok, struct err *err);
void guess_free(struct guess *g); /* NULL is fine */

/* Of the n guessed tokens the first n_right were drawn; when n_right < n, the next one was not. */
void guess_learn(struct guess *g, int n, int n_right);
/* How likely a token of this kind is right. */
double guess_chance(const struct guess *g, int kind);
double guess_chance_draft(const struct guess *g); /* the draft's guesses, whatever their margin */
void guess_forget_draft(struct guess *g);         /* it was not asked: in time it is again */
int guess_kind_lookup(int length);   /* tokens that were equal before it */
int guess_kind_draft(float margin);  /* logits between the draft's first and second choice */

/* A pass of n tokens, none of them of a prompt, took ns; prompt_ns: of one token of a long prompt, 0 when not known. */
void speculation_note(struct speculation *s, int n, double ns, double prompt_ns);
double speculation_cost(const struct speculation *s, int n, double prompt_ns); /* of a pass of n tokens, ns; 0: not known */

/* What could be guessed for one answer, and (n_take) what is. */
struct guess_offer {
    struct guess *guess;
    int n, n_take;
};
/* n_take of all offers together at most n_room; beside them n_base tokens are in the pass. */
void speculation_choose(struct speculation *s, struct guess_offer *o, int n_offers, int n_base, int n_room, double prompt_ns);
#endif
