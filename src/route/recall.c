/* route/recall.c - see recall.h. */
#include "route/recall.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "route/affinity.h"

struct entry {
    struct recall_key key;
    char *text; /* owned; NULL: free */
    size_t n;
    double at_s;
};

struct recall {
    pthread_mutex_t lock;
    double keep_s;
    int n;
    struct entry at[];
};

void recall_add_raw(struct recall_key *k, const void *bytes, size_t n)
{
    k->a = affinity_hash(k->a + 0x9e3779b97f4a7c15u, bytes, n);
    k->b = affinity_hash(k->b ^ 0x2545f4914f6cdd1du, bytes, n);
}

/* Piece by piece through a small buffer, so that no length is too long. */
void recall_add_text(struct recall_key *k, const char *text, size_t n)
{
    char piece[256];
    size_t len = 0;
    bool was_blank = true;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        const bool is_blank = (unsigned char)c <= ' ';
        if (is_blank && was_blank)
            continue;
        was_blank = is_blank;
        piece[len++] = is_blank ? ' ' : c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        if (len == sizeof(piece)) {
            recall_add_raw(k, piece, len);
            len = 0;
        }
    }
    while (len > 0 && piece[len - 1] == ' ')
        len--;
    recall_add_raw(k, piece, len);
}

struct recall *recall_new(int n, double keep_s, struct err *err)
{
    struct recall *r = calloc(1, sizeof(*r) + (size_t)n * sizeof(r->at[0]));
    if (!r)
        return err_null(err, ERR_NOMEM, "the router: out of memory");
    pthread_mutex_init(&r->lock, NULL);
    r->keep_s = keep_s;
    r->n = n;
    return r;
}

void recall_free(struct recall *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->n; i++)
        free(r->at[i].text);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static bool is_same(const struct recall_key *a, const struct recall_key *b) { return a->a == b->a && a->b == b->b; }

void recall_put(struct recall *r, const struct recall_key *k, const char *text, size_t n, double now_s)
{
    char *copy = n > 0 && n <= RECALL_ANSWER_BYTES ? malloc(n) : NULL;
    if (!copy)
        return;
    memcpy(copy, text, n);
    pthread_mutex_lock(&r->lock);
    struct entry *to = &r->at[0];
    for (int i = 0; i < r->n; i++) {
        struct entry *e = &r->at[i];
        if (e->text && is_same(&e->key, k)) {
            to = e;
            break;
        }
        if (to->text && (!e->text || e->at_s < to->at_s))
            to = e;
    }
    free(to->text);
    *to = (struct entry){ *k, copy, n, now_s };
    pthread_mutex_unlock(&r->lock);
}

bool recall_get(struct recall *r, const struct recall_key *k, double now_s, struct buf *out, double *age_s)
{
    bool found = false;
    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < r->n && !found; i++) {
        const struct entry *e = &r->at[i];
        if (!e->text || !is_same(&e->key, k) || now_s - e->at_s > r->keep_s)
            continue;
        buf_append(out, e->text, e->n);
        *age_s = now_s - e->at_s;
        found = !out->failed;
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}
