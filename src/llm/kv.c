/* llm/kv.c - see kv.h; start reading at kv_seq_reserve() and kv_seq_reuse(). */
#include "llm/kv.h"

#include <stdlib.h>
#include <string.h>

#include "base/bulk.h"
#include "base/checked.h"

enum { NONE = -1 };

static void give_free(struct kv *kv, int p)
{
    kv->free[p / 64] |= 1ull << p % 64;
    kv->n_free++;
}

bool kv_init(struct kv *kv, const struct kv_shape *s, struct err *err)
{
    *kv = (struct kv){ .type = s->type, .n_layer = s->n_layer, .n_head = s->n_head, .d_k = s->d_k, .d_v = s->d_v,
                       .n_seq = s->n_seq, .n_ctx = s->n_ctx, .idle_first = NONE, .idle_last = NONE };
    kv->k_bytes = attn_k_bytes(s->type, s->d_k);
    kv->v_bytes = attn_v_bytes(s->type, s->d_v);
    kv->layer_bytes = (size_t)s->n_head * (kv->k_bytes + kv->v_bytes);
    /* Each sequence may hold one page that is not full beside what n_tok asks for. */
    kv->n_pages = (s->n_tok + ATTN_PAGE - 1) / ATTN_PAGE + s->n_seq;
    int n_hash = 64;
    while (n_hash < kv->n_pages && n_hash < 1 << 24)
        n_hash *= 2;
    kv->hash_mask = n_hash - 1;
    const int pages_per_seq = (s->n_ctx + ATTN_PAGE - 1) / ATTN_PAGE;
    kv->page = calloc((size_t)kv->n_pages, sizeof(kv->page[0]));
    kv->free = calloc((size_t)kv->n_pages / 64 + 1, sizeof(kv->free[0]));
    kv->was_used = calloc((size_t)kv->n_pages, sizeof(kv->was_used[0]));
    kv->hash = malloc((size_t)n_hash * sizeof(kv->hash[0]));
    kv->seq = calloc((size_t)s->n_seq, sizeof(kv->seq[0]));
    if (!kv->page || !kv->free || !kv->was_used || !kv->hash || !kv->seq)
        goto out_of_memory;
    for (int i = 0; i < s->n_seq; i++) {
        kv->seq[i].pages = malloc((size_t)pages_per_seq * sizeof(int));
        kv->seq[i].ids = malloc((size_t)s->n_ctx * sizeof(int32_t));
        if (!kv->seq[i].pages || !kv->seq[i].ids)
            goto out_of_memory;
    }
    for (int i = 0; i < n_hash; i++)
        kv->hash[i] = NONE;
    for (int i = 0; i < kv->n_pages; i++) {
        kv->page[i].hash_next = NONE;
        give_free(kv, i);
    }
    size_t bytes;
    if (!checked_mul_size(kv->layer_bytes, (size_t)kv->n_pages, &bytes) || !checked_mul_size(bytes, (size_t)s->n_layer, &bytes) ||
        !(kv->data = bulk_reserve(bytes, KV_RUN * (size_t)s->n_layer * kv->layer_bytes)))
        goto out_of_memory;
    kv->data_bytes = bytes;
    return true;
out_of_memory:
    kv_fini(kv);
    return err_set(err, ERR_NOMEM, "out of memory for a cache of %d tokens", s->n_tok);
}

void kv_fini(struct kv *kv)
{
    bulk_free(kv->data, kv->data_bytes);
    for (int i = 0; kv->seq && i < kv->n_seq; i++) {
        free(kv->seq[i].pages);
        free(kv->seq[i].ids);
    }
    free(kv->seq);
    free(kv->page);
    free(kv->free);
    free(kv->was_used);
    free(kv->hash);
    *kv = (struct kv){ 0 };
}

/* ---- finding pages by content ---- */

static int *chain_of(const struct kv *kv, uint64_t parent_serial, const int32_t *ids)
{
    uint64_t h = parent_serial * 0x9e3779b97f4a7c15u;
    for (int i = 0; i < ATTN_PAGE; i++) {
        h = (h ^ (uint32_t)ids[i]) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return &kv->hash[h & (uint64_t)kv->hash_mask];
}

static int find_page(const struct kv *kv, uint64_t parent_serial, const int32_t *ids)
{
    for (int i = *chain_of(kv, parent_serial, ids); i != NONE; i = kv->page[i].hash_next)
        if (kv->page[i].parent_serial == parent_serial && memcmp(kv->page[i].ids, ids, sizeof(kv->page[i].ids)) == 0)
            return i;
    return NONE;
}

static void forget_content(struct kv *kv, int p)
{
    if (kv->page[p].serial == 0)
        return;
    int *link = chain_of(kv, kv->page[p].parent_serial, kv->page[p].ids);
    while (*link != p)
        link = &kv->page[*link].hash_next;
    *link = kv->page[p].hash_next;
    kv->page[p].serial = 0;
}

/* ---- giving and taking pages ---- */

static void unlink_idle(struct kv *kv, int p)
{
    const int a = kv->page[p].idle_prev, b = kv->page[p].idle_next;
    *(a == NONE ? &kv->idle_first : &kv->page[a].idle_next) = b;
    *(b == NONE ? &kv->idle_last : &kv->page[b].idle_prev) = a;
    kv->n_idle--;
}

/* K and V of all heads of a page in a layer, as one: [n_head][k_bytes + v_bytes]. */
static void read_layer(const struct kv *kv, int layer, int page, uint8_t *out)
{
    for (int h = 0; h < kv->n_head; h++, out += kv->k_bytes + kv->v_bytes) {
        memcpy(out, kv_k(kv, layer, page, h), kv->k_bytes);
        memcpy(out + kv->k_bytes, kv_v(kv, layer, page, h), kv->v_bytes);
    }
}
static void write_layer(const struct kv *kv, int layer, int page, const uint8_t *in)
{
    for (int h = 0; h < kv->n_head; h++, in += kv->k_bytes + kv->v_bytes) {
        memcpy(kv_k(kv, layer, page, h), in, kv->k_bytes);
        memcpy(kv_v(kv, layer, page, h), in + kv->k_bytes, kv->v_bytes);
    }
}
static void clear_page(const struct kv *kv, int page)
{
    for (int l = 0; l < kv->n_layer; l++)
        for (int h = 0; h < kv->n_head; h++) {
            memset(kv_k(kv, l, page, h), 0, kv->k_bytes);
            memset(kv_v(kv, l, page, h), 0, kv->v_bytes);
        }
}
static void copy_page(const struct kv *kv, int from, int to)
{
    for (int l = 0; l < kv->n_layer; l++)
        for (int h = 0; h < kv->n_head; h++) {
            memcpy(kv_k(kv, l, to, h), kv_k(kv, l, from, h), kv->k_bytes);
            memcpy(kv_v(kv, l, to, h), kv_v(kv, l, from, h), kv->v_bytes);
        }
}

/* A free page for place i of a text behind page `before` (NONE: none): the next one; else the same place of the first block that is all free; else
 * the first one. */
static int find_free(const struct kv *kv, int i, int before)
{
    _Static_assert(64 % KV_BLOCK == 0 && KV_BLOCK == 4, "blocks lie in a word; the bits below");
    const int next = before + 1, n_words = kv->n_pages / 64 + 1;
    if (before != NONE && next < kv->n_pages && kv->free[next / 64] >> next % 64 & 1)
        return next;
    for (int w = 0; w < n_words; w++) {
        const uint64_t x = kv->free[w], whole = x & x >> 1 & x >> 2 & x >> 3 & 0x1111111111111111u;
        if (whole)
            return w * 64 + __builtin_ctzll(whole) + i % KV_BLOCK;
    }
    for (int w = 0;; w++)
        if (kv->free[w])
            return w * 64 + __builtin_ctzll(kv->free[w]);
}

/* A page for place i of a text behind page `before`. */
static int take_page(struct kv *kv, int i, int before)
{
    int p;
    if (kv->n_free > 0) {
        p = find_free(kv, i, before);
        kv->free[p / 64] &= ~(1ull << p % 64);
        kv->n_free--;
    } else if (kv->idle_first != NONE) {
        p = kv->idle_first;
        unlink_idle(kv, p);
        forget_content(kv, p);
    } else
        return NONE;
    if (kv->was_used[p])
        clear_page(kv, p);
    kv->was_used[p] = true;
    kv->page[p].refs = 1;
    return p;
}

static void hold_page(struct kv *kv, int p)
{
    if (kv->page[p].refs++ == 0)
        unlink_idle(kv, p);
}

static void drop_page(struct kv *kv, int p)
{
    if (--kv->page[p].refs > 0)
        return;
    if (kv->page[p].serial == 0) {
        give_free(kv, p);
        return;
    }
    kv->page[p].idle_prev = kv->idle_last;
    kv->page[p].idle_next = NONE;
    *(kv->idle_last == NONE ? &kv->idle_first : &kv->page[kv->idle_last].idle_next) = p;
    kv->idle_last = p;
    kv->n_idle++;
}

/* ---- sequences ---- */

static int n_pages_of(int n_pos) { return (n_pos + ATTN_PAGE - 1) / ATTN_PAGE; }

int kv_seq_new(struct kv *kv)
{
    for (int i = 0; i < kv->n_seq; i++)
        if (!kv->seq[i].in_use) {
            kv->seq[i].in_use = true;
            kv->seq[i].n_pos = 0;
            kv->seq[i].chain = 0;
            return i;
        }
    return NONE;
}

void kv_seq_free(struct kv *kv, int seq)
{
    struct kv_seq *s = &kv->seq[seq];
    for (int i = n_pages_of(s->n_pos) - 1; i >= 0; i--) /* the end of a text is forgotten before its start */
        drop_page(kv, s->pages[i]);
    s->n_pos = 0;
    s->in_use = false;
}

int kv_seq_reuse(struct kv *kv, int seq, const int32_t *ids, int n)
{
    struct kv_seq *s = &kv->seq[seq];
    uint64_t parent = 0;
    while (s->n_pos % ATTN_PAGE == 0 && s->n_pos + ATTN_PAGE < n && s->n_pos + ATTN_PAGE <= kv->n_ctx) {
        const int p = find_page(kv, parent, ids + s->n_pos);
        if (p == NONE)
            break;
        hold_page(kv, p);
        parent = kv->page[p].serial;
        s->pages[s->n_pos / ATTN_PAGE] = p;
        memcpy(s->ids + s->n_pos, ids + s->n_pos, sizeof(kv->page[p].ids));
        s->n_pos += ATTN_PAGE;
    }
    s->chain = parent;
    return s->n_pos;
}

bool kv_seq_reserve(struct kv *kv, int seq, int n_more)
{
    struct kv_seq *s = &kv->seq[seq];
    const int have = n_pages_of(s->n_pos), want = n_pages_of(s->n_pos + n_more);
    for (int i = have; i < want; i++) {
        const int p = take_page(kv, i, i > 0 ? s->pages[i - 1] : NONE);
        if (p == NONE) {
            while (--i >= have)
                drop_page(kv, s->pages[i]);
            return false;
        }
        s->pages[i] = p;
    }
    return true;
}

void kv_seq_unreserve(struct kv *kv, int seq, int n_more)
{
    struct kv_seq *s = &kv->seq[seq];
    for (int i = n_pages_of(s->n_pos + n_more) - 1; i >= n_pages_of(s->n_pos); i--)
        drop_page(kv, s->pages[i]);
}

void kv_seq_commit(struct kv *kv, int seq, const int32_t *ids, int n_more)
{
    struct kv_seq *s = &kv->seq[seq];
    const int first_full = s->n_pos / ATTN_PAGE;
    memcpy(s->ids + s->n_pos, ids, (size_t)n_more * sizeof(ids[0]));
    s->n_pos += n_more;
    uint64_t parent = s->chain;
    for (int i = first_full; i < s->n_pos / ATTN_PAGE; i++) {
        struct kv_page *p = &kv->page[s->pages[i]];
        const int32_t *content = s->ids + i * ATTN_PAGE;
        const int twin = find_page(kv, parent, content);
        if (twin != NONE) { /* findable already; what follows is equal too, so it may hang behind the twin */
            parent = kv->page[twin].serial;
            continue;
        }
        memcpy(p->ids, content, sizeof(p->ids));
        p->parent_serial = parent;
        p->serial = parent = ++kv->last_serial;
        int *chain = chain_of(kv, p->parent_serial, p->ids);
        p->hash_next = *chain;
        *chain = s->pages[i];
    }
    s->chain = parent;
}

int kv_seq_truncate(struct kv *kv, int seq, int n_keep)
{
    struct kv_seq *s = &kv->seq[seq];
    if (n_keep >= s->n_pos || n_keep < 0)
        return s->n_pos;
    const int keep = n_pages_of(n_keep), full = n_keep / ATTN_PAGE;
    const bool is_same = full == s->n_pos / ATTN_PAGE; /* as with most guesses that were wrong */
    uint64_t chain = is_same ? s->chain : 0;
    for (int i = 0; i < full && !is_same; i++) { /* pages that were twins have no serial: ask for their content */
        const int p = find_page(kv, chain, s->ids + i * ATTN_PAGE);
        if (p == NONE) { /* evicted since: what follows stays private */
            chain = ++kv->last_serial;
            break;
        }
        chain = kv->page[p].serial;
    }
    s->chain = chain;
    for (int i = n_pages_of(s->n_pos) - 1; i >= keep; i--)
        drop_page(kv, s->pages[i]);
    s->n_pos = n_keep;
    if (n_keep % ATTN_PAGE == 0)
        return n_keep;
    const int p = s->pages[keep - 1]; /* will be written again */
    if (kv->page[p].refs == 1) {
        forget_content(kv, p);
        return n_keep;
    }
    const int copy = take_page(kv, keep - 1, keep > 1 ? s->pages[keep - 2] : NONE);
    if (copy == NONE) {
        drop_page(kv, p);
        return s->n_pos = (keep - 1) * ATTN_PAGE;
    }
    copy_page(kv, p, copy);
    drop_page(kv, p);
    s->pages[keep - 1] = copy;
    return n_keep;
}

/* ---- pages that go elsewhere and come back ---- */

void kv_seq_get_page(const struct kv *kv, int seq, int page, void *out)
{
    for (int l = 0; l < kv->n_layer; l++)
        read_layer(kv, l, kv->seq[seq].pages[page], (uint8_t *)out + (size_t)l * kv->layer_bytes);
}

bool kv_seq_put_page(struct kv *kv, int seq, const int32_t ids[ATTN_PAGE], const void *in)
{
    const int page = kv->seq[seq].n_pos / ATTN_PAGE;
    if (!kv_seq_reserve(kv, seq, ATTN_PAGE))
        return false;
    for (int l = 0; l < kv->n_layer; l++)
        write_layer(kv, l, kv->seq[seq].pages[page], (const uint8_t *)in + (size_t)l * kv->layer_bytes);
    kv_seq_commit(kv, seq, ids, ATTN_PAGE);
    return true;
}

void kv_pages(const struct kv *kv, int layer, int seq, int head, int n, const uint8_t **k, const uint8_t **v)
{
    const int *page = kv->seq[seq].pages;
    for (int i = 0; i < n; i++) {
        if (i > 0 && page[i] == page[i - 1] + 1 && page[i] % KV_BLOCK != 0) {
            k[i] = k[i - 1] + kv->k_bytes;
            v[i] = v[i - 1] + kv->v_bytes;
        } else {
            k[i] = kv_k(kv, layer, page[i], head);
            v[i] = kv_v(kv, layer, page[i], head);
        }
    }
}
