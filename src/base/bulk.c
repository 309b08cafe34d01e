/* base/bulk.c - see bulk.h. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE, madvise, syscall */
#include "base/bulk.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"

enum { HUGE_BYTES = 2 << 20, PAGE_BYTES_MAX = 64 << 10 };

static size_t mapped_bytes(size_t n_bytes)
{
    return (n_bytes + PAGE_BYTES_MAX - 1) / PAGE_BYTES_MAX * PAGE_BYTES_MAX;
}

static void *map(size_t n_bytes, size_t small_bytes, int flags)
{
    size_t all;
    if (n_bytes == 0 || !checked_add_size(n_bytes, HUGE_BYTES + PAGE_BYTES_MAX, &all))
        return NULL;
    const size_t n = mapped_bytes(n_bytes);
    all = n + HUGE_BYTES; /* room to begin on a huge page; what stands over goes back at once */
    uint8_t *mem = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (mem == MAP_FAILED)
        return NULL;
    const size_t head = (HUGE_BYTES - (uintptr_t)mem % HUGE_BYTES) % HUGE_BYTES;
    if (head > 0)
        munmap(mem, head);
    if (head < HUGE_BYTES)
        munmap(mem + head + n, HUGE_BYTES - head);
#ifdef MADV_HUGEPAGE
    const size_t from = (small_bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
    if (from < n)
        (void)madvise(mem + head + from, n - from, MADV_HUGEPAGE); /* refused: ordinary pages */
#endif
    return mem + head;
}

void *bulk_new(size_t n_bytes) { return map(n_bytes, 0, 0); }
void *bulk_reserve(size_t n_bytes, size_t small_bytes) { return map(n_bytes, small_bytes, MAP_NORESERVE); }

void bulk_spread(void *p, size_t n_bytes, uint64_t nodes)
{
    enum { MPOL_INTERLEAVE_NR = 3 }; /* Linux uapi/linux/mempolicy.h */
    const unsigned long mask[64 / sizeof(unsigned long) / 8] = { (unsigned long)nodes };
    if (p && (nodes & (nodes - 1)) != 0)
        (void)syscall(SYS_mbind, p, mapped_bytes(n_bytes), MPOL_INTERLEAVE_NR, mask, 65ul, 0u); /* 65: the kernel takes one off */
}

void bulk_free(void *p, size_t n_bytes)
{
    if (p)
        munmap(p, mapped_bytes(n_bytes));
}
