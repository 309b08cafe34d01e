/* base/pool.c - see pool.h; start reading at pool_barrier().
 *
 * Waiting is always the same: on a 32-bit number that changes (`phase` of a barrier, `round` of
 * runs), first spinning, then in the kernel (futex, Linux).  `sleepers` tells the one who changes
 * the number whether somebody must be woken; both are sequentially consistent, so either the waker
 * sees the sleeper or the sleeper sees the change.
 *
 * pool_use() sends threads to sleep on a third number, `crew`, and waits until each is where it shall be: parked, or back with the
 * number of the round that it waits for.  So nothing of that is under way while a run is, and no run while that is.
 */
#define _DEFAULT_SOURCE /* syscall */
#include "base/pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

enum { SPIN_NS = 20 * 1000, LINE = 64, N_THREADS_MAX = 1024 };

struct signal_word {
    _Alignas(LINE) _Atomic uint32_t value;
    _Atomic uint32_t sleepers;
};

struct pool {
    struct signal_word phase, round, crew;
    _Alignas(LINE) _Atomic int arrived; /* at the barrier */
    _Alignas(LINE) _Atomic int64_t taken;
    _Alignas(LINE) int n_threads;
    _Atomic int n_used;   /* of them walk; changed by pool_use() alone */
    _Atomic int n_parked; /* of them sleep on `crew` */
    pool_fn *fn; /* written before `round` changes, read after */
    void *ctx;
    _Atomic bool stop;
    int n_started;
    pthread_t thread[];
};

struct start {
    struct pool *pool;
    int ith;
};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void wait_for_change(struct signal_word *w, uint32_t old)
{
    const uint64_t start = clock_ns();
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load_explicit(&w->value, memory_order_acquire) != old)
                return;
            relax();
        }
    } while (clock_ns() - start < SPIN_NS);
    atomic_fetch_add(&w->sleepers, 1);
    while (atomic_load(&w->value) == old)
        syscall(SYS_futex, &w->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
    atomic_fetch_sub(&w->sleepers, 1);
}

static void change(struct signal_word *w)
{
    atomic_fetch_add(&w->value, 1);
    if (atomic_load(&w->sleepers) > 0)
        syscall(SYS_futex, &w->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void pool_barrier(struct pool *p)
{
    const uint32_t phase = atomic_load_explicit(&p->phase.value, memory_order_relaxed);
    const int n = atomic_load_explicit(&p->n_used, memory_order_relaxed); /* before we count as arrived: afterwards it may change */
    if (atomic_fetch_add_explicit(&p->arrived, 1, memory_order_acq_rel) + 1 < n) {
        wait_for_change(&p->phase, phase);
        return;
    }
    atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&p->taken, 0, memory_order_relaxed);
    if (n > 1)
        change(&p->phase);
}

int64_t pool_take(struct pool *p) { return atomic_fetch_add_explicit(&p->taken, 1, memory_order_relaxed); }

/* Sleeps until it is one of those that walk; *round: the one after which it is wanted again.  false: the pool ends. */
static bool park(struct pool *p, int ith, uint32_t *round)
{
    uint32_t crew = atomic_load(&p->crew.value);
    atomic_fetch_add(&p->n_parked, 1);
    while (ith >= atomic_load(&p->n_used) && !atomic_load(&p->stop)) {
        wait_for_change(&p->crew, crew);
        crew = atomic_load(&p->crew.value);
    }
    *round = atomic_load(&p->round.value); /* stands still until pool_use() has counted us out */
    atomic_fetch_sub(&p->n_parked, 1);
    return !atomic_load(&p->stop);
}

static void *work(void *arg)
{
    struct pool *p = ((struct start *)arg)->pool;
    const int ith = ((struct start *)arg)->ith;
    free(arg);
    for (uint32_t round = 0;;) {
        wait_for_change(&p->round, round++);
        if (atomic_load(&p->stop))
            return NULL;
        if (ith < atomic_load(&p->n_used)) {
            p->fn(p, ith, p->ctx);
            pool_barrier(p);
        } else if (!park(p, ith, &round)) {
            return NULL;
        }
    }
}

void pool_run(struct pool *p, pool_fn *fn, void *ctx)
{
    p->fn = fn;
    p->ctx = ctx;
    if (atomic_load_explicit(&p->n_used, memory_order_relaxed) > 1)
        change(&p->round);
    fn(p, 0, ctx);
    pool_barrier(p);
}

static void do_nothing(struct pool *p, int ith, void *ctx) { (void)p, (void)ith, (void)ctx; }

void pool_use(struct pool *p, int n)
{
    n = n < 1 ? 1 : n > p->n_threads ? p->n_threads : n;
    const int was = atomic_load(&p->n_used);
    if (n == was)
        return;
    atomic_store(&p->n_used, n);
    if (n < was) { /* a round in which those that walk no more find out */
        p->fn = do_nothing;
        change(&p->round);
        pool_barrier(p);
    } else {
        change(&p->crew);
    }
    while (atomic_load(&p->n_parked) != p->n_threads - n)
        sched_yield(); /* microseconds, and rarely */
}

struct pool *pool_new(int n_threads, struct err *err)
{
    if (n_threads < 1 || n_threads > N_THREADS_MAX)
        return err_null(err, ERR_INPUT, "threads: %d is not between 1 and %d", n_threads, N_THREADS_MAX);
    struct pool *p = NULL;
    if (posix_memalign((void **)&p, LINE, sizeof(*p) + (size_t)n_threads * sizeof(pthread_t)) != 0)
        return err_null(err, ERR_NOMEM, "threads: out of memory");
    memset(p, 0, sizeof(*p));
    p->n_threads = n_threads;
    atomic_store(&p->n_used, n_threads);
    for (int i = 1; i < n_threads; i++) {
        struct start *s = malloc(sizeof(*s));
        if (!s)
            err_set(err, ERR_NOMEM, "threads: out of memory");
        if (!s || (*s = (struct start){ p, i }, !thread_start(&p->thread[i], work, s, "threads", err))) {
            free(s);
            pool_free(p);
            return NULL;
        }
        p->n_started++;
    }
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    atomic_store(&p->stop, true);
    change(&p->round);
    change(&p->crew);
    for (int i = 1; i <= p->n_started; i++)
        pthread_join(p->thread[i], NULL);
    free(p);
}

int pool_n_threads(const struct pool *p) { return p->n_threads; }
