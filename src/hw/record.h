/* hw/record.h - a recording of this machine that can be given away: what detection reads, without who and where.
 *
 * For:     `tutti detect --record`.
 * Callers: cmd/detect.c.
 * Touches: what the detectors read.
 * Rule:    nothing that names a machine, a person or a place is in it: no serial numbers, UUIDs, WWNs, MAC and IP addresses, host
 *          and user names.  What is not known to be harmless (files named serial, uuid, ...) is left out.
 */
#ifndef TUTTI_HW_RECORD_H
#define TUTTI_HW_RECORD_H
#include "base/buf.h"
#include "hw/machine.h"

struct hw_names_to_hide {
    const char *word[8]; /* host name, user name, ...: replaced wherever they stand as a word; NULL and shorter than 3: ignored */
};

/* Detects on r (recording what it reads) and writes the tar archive; *out is also what was detected, owned by the caller. */
bool hw_record(struct hw_root *r, const struct hw_names_to_hide *hide, struct buf *tar, struct hw_machine **out, struct err *err);
/* One file's content scrubbed in place, its path too; false: leave it out.  The hw_scrub_fn of hw_record(); ctx is the names. */
bool hw_record_scrub(void *ctx, struct buf *path, bool is_link, struct buf *content);
#endif
