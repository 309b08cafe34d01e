/* llm/packing.h - the weights of a model brought into the kernels' order by threads of its own, layer after layer, while
 * the model is used already.
 *
 * For:     llm/ alone: load.c starts it, forward.c waits for the layer that comes next (decision 20).
 * Touches: threads, the model's mapping (read, then given back), one large block of memory.
 * Rule:    stages are packed in ascending order; what belongs to stage s may be read after packing_wait(p, s).  File and packed
 *          copy are never held at once: what was packed leaves our memory piece by piece.
 */
#ifndef TUTTI_LLM_PACKING_H
#define TUTTI_LLM_PACKING_H
#include "gguf/gguf.h"
#include "kernels/matmul/matmul.h"

struct pack_item { /* a matrix, or a stack of them */
    struct weight *w;
    const struct gguf_tensor *t;
    int n;                /* of the stack */
    int stage;            /* ascending in the list */
    size_t src_stride;
    size_t packed_bytes;  /* of one; by packing_start() */
    size_t packed_at;
};

struct packing;
/* Begins to pack all items whose layout asks for it and lets each w->data point to where its bytes will be.  The list is
 * borrowed until packing_free().  NULL with err. */
struct packing *packing_start(const struct gguf *g, struct pack_item *items, size_t n_items, int n_stages, int n_threads, struct err *err);
/* Stops at once; what was packed is gone.  NULL is fine. */
void packing_free(struct packing *p);
/* Until stages 0 .. stage are packed; whoever waits packs meanwhile, at its own priority.  Any thread. */
void packing_wait(struct packing *p, int stage);
bool packing_is_done(struct packing *p);
/* fn is called once, when all is packed: by whoever packed last (packing_free() waits for its own threads), or here when it is so already. */
void packing_on_all(struct packing *p, void (*fn)(void *ctx), void *ctx);
#endif
