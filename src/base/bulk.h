/* base/bulk.h - large blocks of memory that are read in long pieces, in huge pages where the system has them.
 *
 * For:     packed weights (llm/load.c), the cache of keys and values (llm/kv.c), the memory probe (bench/probe.c).
 * Touches: address space (mmap, madvise, mbind).
 * Rule:    never more resident than what was asked for: only whole huge pages inside the block become such.
 *          4 KiB pages cost a sixth of the read bandwidth in a virtual machine (docs/SPEED.md).
 */
#ifndef TUTTI_BASE_BULK_H
#define TUTTI_BASE_BULK_H
#include <stddef.h>
#include <stdint.h>

/* Zeroed, on a multiple of 64 bytes (2 MiB when it is that large); NULL: out of memory, or n_bytes is 0. */
void *bulk_new(size_t n_bytes);
/* The same, of which perhaps little will be written: the system promises no memory for it, and the first small_bytes are in pages of usual size. */
void *bulk_reserve(size_t n_bytes, size_t small_bytes);
/* Spreads its pages over these memory nodes (a bit each) in turn, before they are touched: every thread reads all of the block over time, so
 * all sockets' memory shall serve it.  Less than two nodes: nothing to do; refused by the system: as it was. */
void bulk_spread(void *p, size_t n_bytes, uint64_t nodes);
void bulk_free(void *p, size_t n_bytes); /* the same n_bytes; NULL is fine */
#endif
