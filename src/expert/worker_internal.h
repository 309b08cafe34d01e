/* expert/worker_internal.h - what the two sides of a worker process share: messages and the layout of shared memory.
 *
 * Between them are a SOCK_SEQPACKET pair (descriptor 3 of the child: one message in one piece, or none) and two memfds of fixed,
 * sealed size whose pages exist once they are touched: `in` (4: the parent writes, the child maps it read-only) and `out` (5: the child
 * writes).  One batch at a time: the parent packs its requests into `in` and sends RUN; the child answers each with
 * EVENTs and one DONE.  `out` is a ring that begins anew with each batch: the child goes round, the parent says with ACK how far it has read.
 *
 *   parent:  OPEN            RUN                    ACK?              CANCEL is a word in `in`        RUN ...   (closes)
 *   child:          READY          EVENT EVENT DONE   EVENT DONE
 *               or  FAILED, and ends
 */
#ifndef TUTTI_EXPERT_WORKER_INTERNAL_H
#define TUTTI_EXPERT_WORKER_INTERNAL_H
#include <stdatomic.h>
#include <stdint.h>

#include "task/task.h"

enum { WORKER_FD_SOCKET = 3, WORKER_FD_IN, WORKER_FD_OUT, WORKER_FDS };

enum { WORKER_BATCH_MAX = 256 };
#define WORKER_IN_BYTES ((size_t)512 << 20)
#define WORKER_OUT_BYTES ((size_t)256 << 20)
#define WORKER_EVENT_MAX (WORKER_OUT_BYTES / 4)

enum worker_msg_kind {
    WORKER_OPEN,   /* parent: at, n_whole: struct worker_open and texts in `in` */
    WORKER_RUN,    /* parent: slot: how many requests, said by control.request[]; n: the number of the batch */
    WORKER_ACK,    /* parent: at: all of `out` before this (counted without end) is read */
    WORKER_READY,  /* child: at: struct task_info in `out` */
    WORKER_FAILED, /* child: code, text */
    WORKER_EVENT,  /* child: slot, n: of the batch, at (counted without end), n_head, n_whole */
    WORKER_DONE,   /* child: slot, n, code, text */
};

struct worker_msg {
    uint32_t kind, slot, code, n;
    uint64_t at, n_head, n_whole;
    char text[256]; /* of an error; ends with '\0'; other messages leave it out */
};
#define WORKER_MSG_SHORT offsetof(struct worker_msg, text)

struct worker_control { /* the beginning of `in` */
    _Atomic uint32_t is_cancelled[WORKER_BATCH_MAX];
    struct { uint64_t at, n_head, n_whole; } request[WORKER_BATCH_MAX];
};
enum { WORKER_DATA_AT = 16384 };
_Static_assert(sizeof(struct worker_control) <= WORKER_DATA_AT, "the control page fits");

enum worker_text { WORKER_CARD_NAME, WORKER_CARD, WORKER_DIR, WORKER_MODELS, WORKER_CACHE, WORKER_DATA, WORKER_ORT, WORKER_PROVIDERS, WORKER_TEXTS };
struct worker_open { /* at WORKER_DATA_AT, the texts behind it; n 0: NULL */
    uint64_t memory_bytes; /* it may map that much more; 0: no bound */
    int32_t n_threads;
    uint32_t n_text[WORKER_TEXTS]; /* each with its '\0' */
};
#endif
