/* tests/kernels/check.h - what the kernel tests share, in the manner of dav1d's checkasm: every variant
 * that this machine has, against the plain meaning, on random and adversarial data, with guarded margins.
 */
#ifndef TUTTI_TESTS_KERNELS_CHECK_H
#define TUTTI_TESTS_KERNELS_CHECK_H
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

enum { GUARD_BYTES = 256, GUARD = 0xc5 };

/* n bytes at `data` (64-byte aligned plus `shift`): behind them at most 63 guard bytes and then a page that may not
 * be touched (so reading too far is noticed too, in code that no sanitizer watches), before them guard bytes. */
struct guarded {
    uint8_t *mem, *data;
    size_t mem_n, n, after;
};

static inline void guarded_new(struct guarded *g, size_t n, size_t shift)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    g->n = n;
    g->mem_n = (n + GUARD_BYTES + 64 + page - 1) / page * page + page;
    g->mem = mmap(NULL, g->mem_n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g->mem == MAP_FAILED || mprotect(g->mem + g->mem_n - page, page, PROT_NONE) != 0)
        abort();
    uint8_t *end = g->mem + g->mem_n - page;
    g->after = (uintptr_t)(end - n - shift) % 64;
    g->data = end - n - g->after;
    memset(g->mem, GUARD, g->mem_n - page);
}
static inline bool guarded_intact(const struct guarded *g)
{
    bool ok = true;
    for (const uint8_t *p = g->data - GUARD_BYTES; p < g->data; p++)
        ok &= *p == GUARD;
    for (size_t i = 0; i < g->after; i++)
        ok &= g->data[g->n + i] == GUARD;
    return ok;
}
static inline void guarded_free(struct guarded *g)
{
    if (g->mem)
        munmap(g->mem, g->mem_n);
    g->mem = NULL;
}

static inline float check_gauss(void)
{
    float s = 0;
    for (int i = 0; i < 12; i++)
        s += test_rand_f32();
    return s / 2;
}
static inline int check_below(int n) { return (int)(test_rand_u64() % (uint64_t)n); }

static inline double check_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* not the wall: other work on the machine does not count */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
/* Best seconds of one call in about `budget_s`. */
#define CHECK_TIME(best, budget_s, call)                                                           \
    do {                                                                                           \
        double spent = 0;                                                                          \
        best = 1e30;                                                                               \
        for (int rep = 0; rep < 3 || (spent < (budget_s) && rep < 100000); rep++) {                \
            const double t0 = check_now_s();                                                       \
            call;                                                                                  \
            const double t1 = check_now_s() - t0;                                                  \
            spent += t1;                                                                           \
            best = t1 < best ? t1 : best;                                                          \
        }                                                                                          \
    } while (0)
#endif
