/* pipeline/cascade_cards.h - the experts of a cascade on this machine: card files, GGUF files, cards in place, `motion`, and ids that
 * somebody else knows.
 *
 * For:     cmd/, tests.  Callers: rooms above.
 * Touches: card files; opens experts (expert/open.h), each once however many stages name it.
 * Thread:  one at a time.
 */
#ifndef TUTTI_PIPELINE_CASCADE_CARDS_H
#define TUTTI_PIPELINE_CASCADE_CARDS_H
#include "expert/open.h"
#include "pipeline/cascade.h"

struct cascade_cards;
struct cascade_ids { /* of tutti.yaml, of the router; NULL functions: none */
    void *ctx;
    /* What it can do (bits); sees: chats must understand pictures.  false: there is no such id. */
    bool (*look)(void *ctx, const char *id, bool sees, unsigned *tasks);
    struct expert *(*get)(void *ctx, const char *id, struct err *err); /* stays the other's */
    const char *(*near)(void *ctx, const char *id);                    /* a known one that it may have meant; NULL */
};
/* The env outlives it, as do ids (NULL: none).  NULL with err. */
struct cascade_cards *cascade_cards_new(const struct expert_env *env, const struct cascade_ids *ids, struct err *err);
void cascade_cards_free(struct cascade_cards *k); /* after the run; NULL is fine */
struct cascade_world cascade_cards_world(struct cascade_cards *k);
/* The model's file of the i-th expert of stage k: false with err when it is not on this machine.  Opens nothing. */
bool cascade_cards_have(struct cascade_cards *cards, const struct cascade *c, int k, int i, struct err *err);
#endif
