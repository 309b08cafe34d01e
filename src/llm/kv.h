/* llm/kv.h - the K/V cache: pages of 32 positions, shared by sequences that begin alike.
 *
 * For:     llm/ alone.
 * Touches: memory (one large mapping in huge pages; it costs nothing until it is written).
 * Rule:    a page is free, held (refs > 0) or idle (refs == 0, full, findable by content, the least recently
 *          used one is taken when no page is free).  A full page never changes while it is findable.
 *          Bytes of positions not yet written are zeros, never garbage.
 */
#ifndef TUTTI_LLM_KV_H
#define TUTTI_LLM_KV_H
#include <stdint.h>

#include "base/err.h"
#include "kernels/attn/attn.h"

/* Attention reads K of KV_BLOCK pages, then their V, then the next block of the same head, and memory is fast when that is one long ascending
 * stream: KV_RUN pages of a head lie beside each other in that order, and a text's pages are taken in order where they can.  All layers of
 * a run lie beside each other, so that a short text uses little of the memory. */
enum { KV_BLOCK = 4, KV_RUN = 4 * KV_BLOCK };

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
    uint64_t *free;                  /* [n_pages / 64] a bit for each page */
    int *hash;                       /* heads of chains */
    int hash_mask;
    int idle_first, idle_last;       /* least recently used first */
    uint64_t last_serial;
    uint8_t *data;                   /* [runs][n_layer][n_head][blocks] of K [KV_BLOCK][k_bytes], V [KV_BLOCK][v_bytes]; the last ones may be shorter */
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
enum { KV_LAYOUT = 2 };
static inline size_t kv_page_bytes(const struct kv *kv) { return (size_t)kv->n_layer * kv->layer_bytes; }
/* A full page of the sequence, all layers. */
void kv_seq_get_page(const struct kv *kv, int seq, int page, void *out);
/* Appends a page to a sequence that ends with a page: its tokens are evaluated.  false: no page is free. */
bool kv_seq_put_page(struct kv *kv, int seq, const int32_t ids[ATTN_PAGE], const void *in);

static inline int kv_at_most(int a, int b) { return a < b ? a : b; }
/* Block of a page and head; *n_block: its pages. */
static inline uint8_t *kv_block(const struct kv *kv, int layer, int page, int head, int *n_block)
{
    const int run = page / KV_RUN * KV_RUN, block = page % KV_RUN / KV_BLOCK * KV_BLOCK, n_run = kv_at_most(kv->n_pages - run, KV_RUN);
    *n_block = kv_at_most(n_run - block, KV_BLOCK);
    return kv->data + ((size_t)run * (size_t)(kv->n_layer * kv->n_head) + (size_t)(layer * kv->n_head + head) * (size_t)n_run + (size_t)block) * (kv->k_bytes + kv->v_bytes);
}
static inline uint8_t *kv_k(const struct kv *kv, int layer, int page, int head)
{
    int n;
    return kv_block(kv, layer, page, head, &n) + (size_t)(page % KV_BLOCK) * kv->k_bytes;
}
static inline uint8_t *kv_v(const struct kv *kv, int layer, int page, int head)
{
    int n;
    uint8_t *block = kv_block(kv, layer, page, head, &n);
    return block + (size_t)n * kv->k_bytes + (size_t)(page % KV_BLOCK) * kv->v_bytes;
}
/* K and V of the first n pages of a sequence. */
void kv_pages(const struct kv *kv, int layer, int seq, int head, int n, const uint8_t **k, const uint8_t **v);
#endif
