/* bench/tests.c - see tests.h; start at bench_tests_parse(). */
#include "bench/tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MAX = 1 << 20 };

const char *bench_list_text(enum bench_list list)
{
    static const char *const text[] = {
        [BENCH_QUICK] = "pp128,tg16",
        [BENCH_ENGINE] = "pp512,tg64,tg64@2048",
        [BENCH_USUAL] = "pp128,pp512,pp2048,tg64,tg32@512,tg64@2048,tg16*2,tg16*4,tg16*8,tg16*16",
        [BENCH_FULL] = "pp128,pp512,pp2048,pp8192,tg64,tg64@512,tg64@2048,tg64@8192,tg128,tg64*2,tg64*4,tg64*8,tg64*16",
    };
    return text[list];
}

/* Digits at *p, 1 .. max (0 too when may_be_0). */
static bool read_number(const char **p, int max, bool may_be_0, int *out)
{
    const char *from = *p;
    long v = 0;
    for (; **p >= '0' && **p <= '9' && *p - from < 8; ++*p)
        v = 10 * v + (**p - '0');
    *out = (int)v;
    return *p > from && v <= max && (v > 0 || may_be_0);
}

static bool parse_one(const char **p, struct bench_test *t)
{
    *t = (struct bench_test){ .batch = 1 };
    if (strncmp(*p, "pp", 2) != 0 && strncmp(*p, "tg", 2) != 0)
        return false;
    t->is_decode = **p == 't';
    *p += 2;
    if (!read_number(p, TOKENS_MAX, false, &t->n_tok))
        return false;
    for (bool has_depth = false, has_batch = false; **p == '@' || **p == '*';) {
        const bool is_depth = *(*p)++ == '@';
        if (is_depth ? has_depth || !read_number(p, TOKENS_MAX, true, &t->depth) : has_batch || !read_number(p, BENCH_BATCH_MAX, false, &t->batch))
            return false;
        *(is_depth ? &has_depth : &has_batch) = true;
    }
    return **p == ',' || **p == '\0';
}

static int order(const void *a, const void *b)
{
    const struct bench_test *x = a, *y = b;
    const int by[] = { x->threads - y->threads, x->is_decode - y->is_decode, x->batch - y->batch, x->depth - y->depth, x->n_tok - y->n_tok };
    for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++)
        if (by[i] != 0)
            return by[i];
    return 0;
}

bool bench_tests_parse(const char *text, const int *threads, int n_threads, int n_ctx, struct bench_test out[static BENCH_TESTS_MAX], int *n, struct err *err)
{
    *n = 0;
    for (const char *p = text;; p++) {
        const char *word = p;
        struct bench_test t;
        if (!parse_one(&p, &t))
            return err_set(err, ERR_INPUT, "tests: '%.*s': ppN or tgN is wanted, @DEPTH and *BATCH (at most %d) behind it", (int)strcspn(word, ","), word, BENCH_BATCH_MAX);
        if (n_ctx > 0 && t.depth == 0 && t.n_tok > n_ctx)
            t.n_tok = n_ctx;
        for (int k = 0; k < n_threads && (n_ctx <= 0 || t.depth + t.n_tok <= n_ctx); k++) {
            t.threads = threads[k];
            bool is_twin = false;
            for (int i = 0; i < *n; i++)
                is_twin |= order(&out[i], &t) == 0;
            if (is_twin)
                continue;
            if (*n == BENCH_TESTS_MAX)
                return err_set(err, ERR_LIMIT, "tests: more than %d", BENCH_TESTS_MAX);
            snprintf(t.name, sizeof(t.name), "%s%d", t.is_decode ? "tg" : "pp", t.n_tok);
            out[(*n)++] = t;
        }
        if (*p == '\0')
            break;
    }
    qsort(out, (size_t)*n, sizeof(out[0]), order);
    return true;
}

/* Keeps out[] ascending, without twins. */
static bool add_threads(int k, int out[static BENCH_THREADS_MAX], int *n)
{
    int at = *n;
    for (int i = 0; i < *n; i++)
        if (out[i] == k)
            return true;
    if (*n == BENCH_THREADS_MAX)
        return false;
    for (; at > 0 && out[at - 1] > k; at--)
        out[at] = out[at - 1];
    out[at] = k;
    ++*n;
    return true;
}

bool bench_threads_parse(const char *text, int max, int out[static BENCH_THREADS_MAX], int *n, struct err *err)
{
    *n = 0;
    for (const char *p = text;; p++) {
        int from, to;
        bool ok = read_number(&p, max, false, &from);
        to = from;
        if (ok && *p == '-')
            p++, ok = read_number(&p, max, false, &to) && to >= from;
        if (!ok || (*p != ',' && *p != '\0'))
            return err_set(err, ERR_INPUT, "threads: '%s': numbers are wanted, 1 to %d: 2, or 1,2,4, or 1-4", text, max);
        for (int k = from; k <= to; k++)
            if (!add_threads(k, out, n))
                return err_set(err, ERR_INPUT, "threads: '%s': more than %d numbers", text, BENCH_THREADS_MAX);
        if (*p == '\0')
            return true;
    }
}

int bench_threads_all(int max, int out[static BENCH_THREADS_MAX])
{
    int n = 0;
    for (int k = 1; k < max && n < BENCH_THREADS_MAX - 1; k = k < 8 ? k + 1 : 2 * k)
        out[n++] = k;
    out[n++] = max;
    return n;
}
