/* serve/registry.h - the experts of a service: what tutti.yaml lists becomes opened experts.
 *
 * For:     cmd/serve.c, cmd/config.c.
 * Touches: the cards' files, heads of model files.  No weights, no processes: experts are cold until they are asked.
 * Rule:    an entry is a card file, a GGUF file, a folder of both, a card inside tutti.yaml, or `card: FILE` with changes.
 *          What is named must open; of a folder, what does not open is said in a line and left out.  No two have one name.
 */
#ifndef TUTTI_SERVE_REGISTRY_H
#define TUTTI_SERVE_REGISTRY_H
#include "expert/open.h"
#include "serve/config.h"

struct registry {
    struct expert *experts[CONFIG_EXPERTS_MAX];
    int n_experts;
    int n_left_out;
    struct yaml *docs[CONFIG_EXPERTS_MAX]; /* of cards with changes: their nodes stand in both documents */
    int n_docs;
};

/* The config and the env must outlive the registry.  false with err; registry_fini() is needed in both cases. */
bool registry_open(struct registry *r, struct config *c, const struct expert_env *env, struct err *err);
/* The same without loading a model of our own engine, which begins when it is opened: for `tutti config check`.
 * Appends a line for each expert to out. */
bool registry_check(struct config *c, const struct expert_env *env, struct buf *out, struct err *err);
/* The experts that `warm` names; out has room for all.  false with err: one is none of them. */
bool registry_warm(const struct registry *r, const struct config *c, struct expert *out[CONFIG_EXPERTS_MAX], int *n, struct err *err);
void registry_fini(struct registry *r); /* frees the experts; a zeroed one is fine */
/* Is there an expert that is no GGUF file?  Folders count as such. */
bool registry_has_cards(const struct config *c);
/* What the config says to the experts; llm options of the command line are in the config by then. */
void registry_env(const struct config *c, struct expert_env *env);
#endif
