/* cluster/fetch.h - a model file from a neighbour: resumed where a cut left it, checked, put into its place when it is whole.
 *
 * For:     `tutti node fetch`.
 * Callers: cmd/, tests.
 * Touches: the network; files of one folder: NAME, and .NAME.CHECKSUM.part while it is not whole.
 * Thread:  the caller's, which waits.
 * Rule:    nothing that is not whole and right ever has the file's name.  What a neighbour says is bounded: by the size that it said first, and that
 *          by the free space of the disk.  A cut is tried again as long as something comes; what is there stays for the next time.
 */
#ifndef TUTTI_CLUSTER_FETCH_H
#define TUTTI_CLUSTER_FETCH_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct trust;
struct fetch {
    const char *url;           /* of the neighbour's port for nodes */
    const struct trust *trust; /* NULL: in the clear, on loopback */
    const char *name, *dir;    /* of the file; the folder is made */
    uint32_t silent_ms;        /* zero means 60 s without a byte, then it is asked again */
    int n_tries;               /* zero means 5 without anything new */
    void (*on_progress)(void *ctx, uint64_t done_bytes, uint64_t total_bytes); /* NULL */
    void *ctx;
    /* what came of it */
    uint64_t total_bytes, resumed_at, fetched_bytes;
    bool was_here;             /* the same file was there already */
};
/* false with err: ERR_NOT_FOUND (the neighbour has none), ERR_LIMIT (no room), ERR_INPUT (no such name, the checksum is wrong, another file has the
 * name), ERR_IO (the neighbour is away). */
bool fetch_model(struct fetch *f, struct err *err);
#endif
