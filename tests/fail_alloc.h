/* tests/fail_alloc.h - makes the nth allocation fail, for each n: nothing may crash and nothing may leak.
 *
 * For:     loaders.  Put such tests into tests/<room>/test_<module>_nomem.c: the Makefile links files of that
 *          name with this helper and wraps malloc, calloc, realloc, free, aligned_alloc, posix_memalign,
 *          mmap and munmap (calls inside shared libraries, libc included, are not seen).
 * Use:     static bool load(void *path, struct err *err)
 *          {
 *              struct gguf *g = gguf_open(path, err);
 *              gguf_close(g);
 *              return g != NULL;
 *          }
 *          TEST(opening_survives_every_failing_allocation) { fail_alloc_each(load, path, 1000); }
 */
#ifndef TUTTI_FAIL_ALLOC_H
#define TUTTI_FAIL_ALLOC_H
#include <stdbool.h>

#include "base/err.h"

/* Does the work once and frees all that it made; false with err when it could not. */
typedef bool fail_alloc_fn(void *arg, struct err *err);

/* Runs fn with its nth allocation failing, once that one alone and once all from there on, for n = 1, 2, ... until
 * it gets through.  CHECKs that no run leaves memory, mappings or open files behind, and that a failing run says
 * so in one line.  fn may succeed in spite of a failure (it did without a cache, say).  When it makes more
 * than max_runs allocations, that many of them, evenly spread, are tried.  Returns how many it makes. */
long fail_alloc_each(fail_alloc_fn *fn, void *arg, long max_runs);
#endif
