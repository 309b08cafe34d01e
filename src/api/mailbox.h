/* api/mailbox.h - events of experts cross from their threads to the loop's.
 *
 * For:     api/: a box in every request, one mailbox for all.
 * Callers: api/; mail_post() from any thread.
 * Touches: one mutex, one wake of the loop.
 * Rule:    what an event points to is copied at once; memory is reused, so that a token costs no malloc
 *          once a stream runs.  Events of one box arrive in order and the final one always arrives, even
 *          when memory is out.  After its delivery the box is not touched any more: it may be gone.
 */
#ifndef TUTTI_API_MAILBOX_H
#define TUTTI_API_MAILBOX_H
#include "base/buf.h"
#include "base/err.h"
#include "expert/job.h"
#include "net/loop.h"

struct mailbox;
struct mailbox *mailbox_new(struct net_loop *l, struct err *err);
void mailbox_free(struct mailbox *m); /* no box may be in use; NULL is fine */
void mailbox_drain(struct mailbox *m); /* delivers all there is; the wake does it by itself */

/* ns: the clock_ns() at which the expert spoke.  All pointers of ev are borrowed for the call. */
typedef void mail_fn(void *ctx, const struct expert_event *ev, uint64_t ns);

struct mail_box { /* private, but embedded */
    struct mailbox *mailbox;
    struct mail_box *next;
    mail_fn *fn;
    void *ctx;
    struct buf in, out;   /* in: under the lock; out: the loop's */
    bool is_listed, has_failed, has_final;
    struct expert_event final;
    struct expert_usage usage;
    struct err err;
    struct expert_route route; /* of the final event, with its texts */
    char route_texts[5][224];
    uint64_t final_ns;
};
void mail_box_init(struct mail_box *b, struct mailbox *m, mail_fn *fn, void *ctx);
void mail_box_fini(struct mail_box *b); /* after the final event, or when there will be none */

/* The on_event of jobs; ctx is the box. */
void mail_post(void *box, const struct expert_event *ev);
#endif
