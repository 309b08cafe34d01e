/* tests/fail_alloc.c - see fail_alloc.h; start reading at fail_alloc_each(). */
#define _GNU_SOURCE
#include "fail_alloc.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "test.h"

enum { SLOTS = 1 << 17 }; /* live pointers and mappings of one run, at most half of it */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
int __real_posix_memalign(void **out, size_t align, size_t n);
void __real_free(void *p);
void *__real_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t at);
int __real_munmap(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
int __wrap_posix_memalign(void **out, size_t align, size_t n);
void __wrap_free(void *p);
void *__wrap_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t at);
int __wrap_munmap(void *p, size_t n);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below: a loader may use threads */
static bool armed, from_there_on;
static long count, fail_at, n_failed; /* fail_at 0: count only */
static void *live[SLOTS], *const gone = &live;
static long n_live;

static size_t slot_of(const void *p) { return ((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15u >> 40 & (SLOTS - 1); }

/* True when this allocation is to fail. */
static bool fails(void)
{
    pthread_mutex_lock(&lock);
    bool fail = false;
    if (armed) {
        count++;
        fail = fail_at > 0 && (count == fail_at || (from_there_on && count > fail_at));
        n_failed += fail;
    }
    pthread_mutex_unlock(&lock);
    if (fail)
        errno = ENOMEM;
    return fail;
}

static void *remember(void *p)
{
    pthread_mutex_lock(&lock);
    if (armed && p) {
        if (++n_live > SLOTS / 2) {
            fprintf(stderr, "fail_alloc: more than %d live pointers\n", SLOTS / 2);
            _Exit(1);
        }
        size_t i = slot_of(p);
        while (live[i] && live[i] != gone)
            i = (i + 1) & (SLOTS - 1);
        live[i] = p;
    }
    pthread_mutex_unlock(&lock);
    return p;
}

/* What was made before the run, or inside a shared library, is not known and not counted. */
static void forget(const void *p)
{
    pthread_mutex_lock(&lock);
    for (size_t i = slot_of(p); p && armed && live[i]; i = (i + 1) & (SLOTS - 1))
        if (live[i] == p) {
            live[i] = gone;
            n_live--;
            break;
        }
    pthread_mutex_unlock(&lock);
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : remember(__real_malloc(n)); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : remember(__real_calloc(n, size)); }
void *__wrap_aligned_alloc(size_t align, size_t n) { return fails() ? NULL : remember(__real_aligned_alloc(align, n)); }

int __wrap_posix_memalign(void **out, size_t align, size_t n)
{
    if (fails())
        return ENOMEM;
    const int rc = __real_posix_memalign(out, align, n);
    if (rc == 0)
        remember(*out);
    return rc;
}

void *__wrap_realloc(void *p, size_t n)
{
    if (fails())
        return NULL;
    const uintptr_t old = (uintptr_t)p;
    void *q = __real_realloc(p, n);
    if (q) {
        forget((const void *)old);
        remember(q);
    }
    return q;
}

void __wrap_free(void *p)
{
    forget(p);
    __real_free(p);
}

void *__wrap_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t at)
{
    if (fails())
        return MAP_FAILED;
    void *p = __real_mmap(addr, n, prot, flags, fd, at);
    if (p != MAP_FAILED)
        remember(p);
    return p;
}

int __wrap_munmap(void *p, size_t n)
{
    forget(p);
    return __real_munmap(p, n);
}

static int count_files(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

/* One run; false when fn failed. */
static bool run_once(fail_alloc_fn *fn, void *arg, long n, bool all)
{
    struct err err = { 0 };
    const int files = count_files();
    memset(live, 0, sizeof(live));
    n_live = count = n_failed = 0;
    fail_at = n;
    from_there_on = all;
    armed = true;
    const bool ok = fn(arg, &err);
    armed = false;
    CHECK(n_live == 0, "%ld blocks or mappings are left when allocation %ld%s fails", n_live, n, all ? " and all behind it" : "");
    CHECK(count_files() == files, "open files are left when allocation %ld%s fails", n, all ? " and all behind it" : "");
    CHECK(ok || n_failed > 0, "fails although no allocation did: %s", err.text);
    CHECK(ok || (err.code != ERR_NONE && err.text[0] && !strchr(err.text, '\n')), "no line when allocation %ld fails", n);
    return ok;
}

long fail_alloc_each(fail_alloc_fn *fn, void *arg, long max_runs)
{
    long total = LONG_MAX; /* of work with threads and clocks the run that needed least: the others had what a loaded machine adds */
    for (int i = 0; i < 3; i++) {
        if (!run_once(fn, arg, 0, false))
            return 0;
        total = count < total ? count : total;
    }
    const long step = total > max_runs ? (total + max_runs - 1) / max_runs : 1;
    for (long n = 1; n <= total; n += step) {
        long most = 0;
        int tries = 0;
        do { /* nor does it make the last few of them every time */
            run_once(fn, arg, n, false);
            most = count > most ? count : most;
        } while (n_failed == 0 && ++tries < 3);
        if (n_failed == 0)
            total = most; /* it needs no more, now that the machine has time for it: we are through */
        run_once(fn, arg, n, true);
    }
    return total;
}
