/* tests/llm/test_kv.c - where pages of the cache lie: apart from each other, and a text's pages in order. */
#include "llm/kv.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

static struct kv make(int n_tok, int n_seq)
{
    struct kv kv;
    struct err err = { 0 };
    const struct kv_shape s = { .type = ATTN_I16, .n_layer = 3, .n_head = 2, .d_k = 8, .d_v = 20, .n_seq = n_seq, .n_ctx = n_tok, .n_tok = n_tok };
    CHECK(kv_init(&kv, &s, &err), "%s", err.text);
    return kv;
}

TEST(every_part_of_every_page_is_its_own)
{
    for (int n_pages = 2; n_pages < 40; n_pages++) { /* runs and blocks that are whole, and those that are not */
        struct kv kv = make((n_pages - 1) * ATTN_PAGE, 1);
        CHECK(kv.n_pages == n_pages && kv.data_bytes == (size_t)n_pages * kv_page_bytes(&kv));
        uint8_t *seen = calloc(kv.data_bytes, 1);
        size_t clashes = 0;
        for (int l = 0; l < kv.n_layer; l++)
            for (int p = 0; p < n_pages; p++)
                for (int h = 0; h < kv.n_head; h++)
                    for (int part = 0; part < 2; part++) {
                        const uint8_t *at = part ? kv_v(&kv, l, p, h) : kv_k(&kv, l, p, h);
                        const size_t from = (size_t)(at - kv.data), n = part ? kv.v_bytes : kv.k_bytes;
                        CHECK(at >= kv.data && from + n <= kv.data_bytes, "%d pages, page %d: beyond the end", n_pages, p);
                        for (size_t i = from; i < from + n && i < kv.data_bytes; i++)
                            clashes += seen[i]++;
                    }
        CHECK(clashes == 0, "%d pages: %zu bytes belong to two", n_pages, clashes);
        free(seen);
        kv_fini(&kv);
    }
}

/* The sequence at pages' places, as attention sees it. */
static void check_pointers(const struct kv *kv, int seq, int n)
{
    const uint8_t *k[64], *v[64];
    kv_pages(kv, 1, seq, 1, n, k, v);
    for (int i = 0; i < n; i++) {
        const int p = kv->seq[seq].pages[i];
        CHECK(k[i] == kv_k(kv, 1, p, 1) && v[i] == kv_v(kv, 1, p, 1), "page %d", i);
    }
}

static void grow(struct kv *kv, int seq, int n_more, int32_t id)
{
    int32_t ids[64 * ATTN_PAGE];
    for (int i = 0; i < n_more; i++)
        ids[i] = id + i % 5;
    CHECK(kv_seq_reserve(kv, seq, n_more));
    kv_seq_commit(kv, seq, ids, n_more);
}

TEST(texts_that_grow_side_by_side_keep_their_blocks)
{
    struct kv kv = make(40 * ATTN_PAGE, 3);
    const int a = kv_seq_new(&kv), b = kv_seq_new(&kv);
    grow(&kv, a, 2 * ATTN_PAGE, 10);
    grow(&kv, b, ATTN_PAGE, 20);
    for (int i = 0; i < 9; i++)
        grow(&kv, a, ATTN_PAGE, 10), grow(&kv, b, ATTN_PAGE, 20);
    for (int i = 0; i < 10; i++) {
        const int *pa = kv.seq[a].pages, *pb = kv.seq[b].pages;
        CHECK(pa[i] % KV_BLOCK == i % KV_BLOCK && pb[i] % KV_BLOCK == i % KV_BLOCK, "page %d lies at %d and %d", i, pa[i], pb[i]);
        CHECK(i % KV_BLOCK == 0 || (pa[i] == pa[i - 1] + 1 && pb[i] == pb[i - 1] + 1));
    }
    check_pointers(&kv, a, 11);
    check_pointers(&kv, b, 10);
    /* with no block left whatever is free is taken: all 43 pages */
    const int c = kv_seq_new(&kv);
    grow(&kv, c, (43 - 21) * ATTN_PAGE, 30);
    CHECK(kv.n_free == 0 && !kv_seq_reserve(&kv, a, ATTN_PAGE));
    check_pointers(&kv, c, 43 - 21);
    for (int i = 0; i < 3; i++)
        kv_seq_free(&kv, i);
    CHECK(kv.n_free + kv.n_idle == kv.n_pages);
    kv_fini(&kv);
}

TEST(pages_come_back_as_they_went)
{
    struct kv kv = make(8 * ATTN_PAGE, 2);
    const int a = kv_seq_new(&kv), b = kv_seq_new(&kv);
    int32_t ids[ATTN_PAGE];
    for (int i = 0; i < ATTN_PAGE; i++)
        ids[i] = i;
    uint8_t *in = malloc(kv_page_bytes(&kv)), *out = malloc(kv_page_bytes(&kv));
    for (size_t i = 0; i < kv_page_bytes(&kv); i++)
        in[i] = (uint8_t)(i * 131 >> 3);
    CHECK(kv_seq_put_page(&kv, a, ids, in) && kv_seq_put_page(&kv, b, ids, in));
    kv_seq_get_page(&kv, a, 0, out);
    CHECK(memcmp(in, out, kv_page_bytes(&kv)) == 0);
    /* cut inside a page that another text has taken over, too: a copy of its own */
    kv_seq_free(&kv, b);
    const int c = kv_seq_new(&kv);
    int32_t longer[ATTN_PAGE + 1] = { 0 };
    memcpy(longer, ids, sizeof(ids));
    CHECK(kv_seq_reuse(&kv, c, longer, ATTN_PAGE + 1) == ATTN_PAGE);
    CHECK(kv_seq_truncate(&kv, c, 5) == 5 && kv.seq[c].pages[0] != kv.seq[a].pages[0]);
    kv_seq_get_page(&kv, c, 0, out);
    CHECK(memcmp(in, out, kv_page_bytes(&kv)) == 0);
    free(in), free(out);
    kv_fini(&kv);
}
