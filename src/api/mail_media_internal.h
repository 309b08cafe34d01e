/* api/mail_media_internal.h - what events beyond text carry, as bytes of a mailbox's record: results, samples, tensors, parts, routes.
 *
 * For:     mailbox.c.
 * Touches: the buffer.  Thread: the expert's when written, the loop's when read.
 * Rule:    pointers are offsets from the record's begin until they are read, for the buffer moves while it grows; 0 is NULL.
 *          A buffer that failed is left as it is: the whole record is taken back.
 */
#ifndef TUTTI_API_MAIL_MEDIA_INTERNAL_H
#define TUTTI_API_MAIL_MEDIA_INTERNAL_H
#include "base/buf.h"
#include "expert/job.h"

/* Does the event carry any? */
static inline bool mail_media_is(const struct expert_event *ev) { return ev->result || ev->samples || ev->tensor || ev->part || ev->route; }
/* Appends it; the record begins at `begin`, and the event's copy, whose pointers become offsets, lies at `ev_at`. */
void mail_media_write(struct buf *b, size_t begin, size_t ev_at, const struct expert_event *ev);
/* Offsets become pointers into the record. */
void mail_media_read(char *record, struct expert_event *ev);
#endif
