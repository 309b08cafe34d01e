/* route/intent.h - what a text asks for, how hard it is, and how sure that is: a linear model over hashed n-grams.
 *
 * For:     the router's stage 2 (policy.c), `tutti route`, `tutti route eval`.
 * Callers: route/, cmd/, api/.
 * Touches: intent_model_open() maps a file; the shipped model lies in the program.  intent_decide() allocates nothing.
 * Thread:  any; a model does not change.
 * Rule:    probabilities sum to 1 and are calibrated on sources that the weights did not see.  What fits nothing is chat.
 *          The model is told by its own bytes: a file that is cut or of another version is refused.
 */
#ifndef TUTTI_ROUTE_INTENT_H
#define TUTTI_ROUTE_INTENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "route/features.h"

/* All that is known of an intent: id, word, and
 *   degrade    up to which difficulty a smaller model does as well.  Ours, by what a small model gets wrong first: exact work (code,
 *              math, long texts) soon, short answers and speech late
 *   tok        of an answer: medians of what chat models write when nobody says how much
 *   scale, shift  how its questions compare with the multiple choice that quality.c was fitted to: need moves with d * scale + shift.
 *              Set by hand: no outcomes of ours say it better yet (the bandit learns)
 * ORDER INTENT: the columns of a model.  A new one: a line here, lines of it in data/route, `make route-model` (docs/adding.md). */
#define INTENTS(X) \
    X(CHAT, "chat", .6f, 160, 1, 0)                  /* talk, a question of general knowledge */ \
    X(CODE, "code", .2f, 400, .8f, .2f)              /* write, explain, mend program text */     \
    X(SUMMARIZE, "summarize", .7f, 150, .9f, 0)      /* make a text shorter */                   \
    X(CLASSIFY, "classify", .8f, 12, .9f, 0)         /* put a text into one of some classes */   \
    X(LONG_FORM, "long-form", .2f, 1200, .8f, .2f)   /* a long piece of writing */               \
    X(TOOL_USE, "tool-use", .5f, 60, 1, 0)           /* an action or live data */                \
    X(VISION, "vision", .5f, 120, .8f, .1f)          /* about a picture */                       \
    X(STT, "stt", .7f, 80, .8f, .1f)                 /* speech to text */                        \
    X(TTS, "tts", .9f, 80, .8f, .1f)                 /* text to speech */                        \
    X(EMBED, "embed", .3f, 80, .8f, .1f)             /* vectors, similarity, retrieval */        \
    X(MATH, "math", .2f, 300, 1, 0)                  /* calculate, solve, prove */

enum intent {
#define X(id, ...) INTENT_##id,
    INTENTS(X)
#undef X
        INTENT_COUNT
};
const char *intent_name(enum intent intent);               /* "long-form" */
bool intent_by_name(const char *name, enum intent *out);   /* false: there is none of that name */

struct intent_answer {
    float p[INTENT_COUNT]; /* sum 1 */
    enum intent best, second;
    float difficulty; /* 0..1, 0.5 is the median question of its training: the chance to need the strong model rises with it */
    bool degrade_ok;  /* a smaller model will do: intent_may_degrade(best, difficulty) */
};

/* What degrade_ok is. */
bool intent_may_degrade(enum intent intent, float difficulty);

struct intent_model;
/* The one in the program; never NULL. */
const struct intent_model *intent_model_shipped(void);
/* A file of `tutti route train`; NULL with err set. Owned by the caller. */
struct intent_model *intent_model_open(const char *path, struct err *err);
void intent_model_free(struct intent_model *m); /* NULL is fine; not for the shipped one */

/* text is what `f` was read from.  A medium that is attached decides over words: vision for a picture or a video, speech to
 * text for a sound. */
void intent_decide(const struct intent_model *m, const struct features *f, const char *text, size_t n_bytes, struct intent_answer *out);
#endif
