/* expert/pack.h - requests and events of tasks as bytes in memory that two processes share.
 *
 * For:     expert_worker.c (the parent) and worker_main.c (the child).
 * Touches: memory.
 * Rule:    what is large (media, samples, tensors, masks) is written once by the sender and used in place by the receiver;
 *          what has structure (texts, counts, boxes) is the head.  The parent copies the head away before it looks at it,
 *          as the other side could change it meanwhile, and believes nothing: every count and length is checked, texts
 *          are valid UTF-8, numbers are finite.  Blocks that stay in place hold numbers of any value.
 */
#ifndef TUTTI_EXPERT_PACK_H
#define TUTTI_EXPERT_PACK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "task/task.h"

enum { PACK_ALIGN = 64, PACK_HEAD_MAX = 16 << 20 };

struct pack_size {
    size_t n_head;  /* bytes of structure, at the beginning */
    size_t n_whole; /* with the blocks */
};

struct pack_size pack_request_size(const struct task_request *rq);
struct pack_size pack_event_size(const struct task_event *ev);
/* to: n_whole bytes, aligned to PACK_ALIGN */
void pack_request(uint8_t *to, struct pack_size size, const struct task_request *rq);
void pack_event(uint8_t *to, struct pack_size size, const struct task_event *ev);

/* head: [n_head], whole: [n_whole] (its first n_head bytes are not looked at); both aligned to 8.  What comes out points
 * into the arena, head and whole.  false with err: ERR_INTERNAL (malformed), ERR_NOMEM, ERR_LIMIT. */
bool unpack_request(const uint8_t *head, const uint8_t *whole, struct pack_size size, struct arena *a, struct task_request *out, struct err *err);
bool unpack_event(const uint8_t *head, const uint8_t *whole, struct pack_size size, struct arena *a, struct task_event *out, struct err *err);
#endif
