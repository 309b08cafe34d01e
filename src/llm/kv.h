/* llm/kv.h - the K/V cache: pages of 32 positions, shared by sequences that begin alike.
 *
 * For:     llm/ alone.
 * Touches: memory (one large mapping; pages cost nothing until they are written).
 * Rule:    a page is free, held (refs > 0) or idle (refs == 0, full, findable by content, the least recently
 *          used one is taken when no page is free).  A full page never changes while it is findable.
 *          Bytes of positions not yet written are zeros, never garbage.
 */
#ifndef TUTTI_LLM_KV_H
#define TUTTI_LLM_KV_H
#include <stdint.h>

#include "base/err.h"
#include "kernels/attn/attn.h"

struct kv_page { /* all -1: none */
    int refs;
    int32_t ids[ATTN_PAGE];          /* the tokens, when it is full */
    uint64_t serial, parent_serial;  /* of this content and of the page before; 0: not findable */
    int hash_next;
    int idle_prev, idle_next;
};

struct kv_seq {
    bool in_use;
    int n_pos;
    uint64_t chain; /* serial of the content of the last full page, 0 at the start */
    int *pages;     /* [n_ctx / 32] */
    int32_t *ids;   /* [n_ctx] */
};

struct kv {
    enum attn_type type;
    int n_layer, n_head, d_k, d_v;   /* heads: of K/V */
    size_t k_bytes, v_bytes;         /* of one page and head */
    size_t layer_bytes;              /* of one page in one layer: n_head * (k + v) */
    int n_pages, n_free, n_idle;
    struct kv_page *page;
    int *free_list;                  /* a stack */
    int *hash;                       /* heads of chains */
    int hash_mask;
    int idle_first, idle_last;       /* least recently used first */
    uint64_t last_serial;
    uint8_t *data;                   /* [n_layer][n_pages][layer_bytes] */
    size_t data_bytes;
    bool *was_used;                  /* page has been written before: must be zeroed when taken again */
    int n_seq, n_ctx;
    struct kv_seq *seq;
};

struct kv_shape {
    enum attn_type type;
    int n_layer, n_head, d_k, d_v, n_seq, n_ctx, n_tok;
};
bool kv_init(struct kv *kv, const struct kv_shape *s, struct err *err);
void kv_fini(struct kv *kv); /* a zeroed one is fine */

int kv_seq_new(struct kv *kv);
void kv_seq_free(struct kv *kv, int seq);
int kv_seq_reuse(struct kv *kv, int seq, const int32_t *ids, int n);
int kv_seq_truncate(struct kv *kv, int seq, int n_keep); /* the new length: less when a page could not be copied */
/* Pages for n_more positions: false when there are not enough; then nothing changed. */
bool kv_seq_reserve(struct kv *kv, int seq, int n_more);
void kv_seq_unreserve(struct kv *kv, int seq, int n_more); /* takes back what was reserved and not committed */
/* The n_more positions were evaluated: full pages become findable. */
void kv_seq_commit(struct kv *kv, int seq, const int32_t *ids, int n_more);

/* ---- pages that go elsewhere and come back (expert/prefix_store.h) ---- */

/* How the bytes of a page are to be read: raise it when kernels want K or V in another order. */
enum { KV_LAYOUT = 1 };
static inline size_t kv_page_bytes(const struct kv *kv) { return (size_t)kv->n_layer * kv->layer_bytes; }
/* A full page of the sequence, all layers. */
void kv_seq_get_page(const struct kv *kv, int seq, int page, void *out);
/* Appends a page to a sequence that ends with a page: its tokens are evaluated.  false: no page is free. */
bool kv_seq_put_page(struct kv *kv, int seq, const int32_t ids[ATTN_PAGE], const void *in);

static inline uint8_t *kv_k(const struct kv *kv, int layer, int page, int head)
{
    return kv->data + ((size_t)layer * (size_t)kv->n_pages + (size_t)page) * kv->layer_bytes +
           (size_t)head * (kv->k_bytes + kv->v_bytes);
}
static inline uint8_t *kv_v(const struct kv *kv, int layer, int page, int head) { return kv_k(kv, layer, page, head) + kv->k_bytes; }
#endif
