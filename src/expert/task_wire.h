/* expert/task_wire.h - requests and events of tasks as bytes between nodes: pack.h's form behind two lengths.
 *
 * For:     api/oip_stream.c (the node that works), cluster/peer_task.c (the one that asks).
 * Callers: api/, cluster/.
 * Touches: memory.  Thread: any.
 * Rule:    "u64 head, u64 whole (little-endian), pack": the form that a hostile worker process is already read in (pack.h: every count and
 *          length checked, texts valid UTF-8, numbers finite).  The form has a number, in its name: who does not know it says so.
 */
#ifndef TUTTI_EXPERT_TASK_WIRE_H
#define TUTTI_EXPERT_TASK_WIRE_H
#include "base/buf.h"
#include "expert/job.h"

#define TASK_WIRE_REQUEST "tutti_request_1" /* tensors of the Open Inference Protocol: UINT8 [n] */
#define TASK_WIRE_EVENT "tutti_event_1"
#define TASK_WIRE_USAGE "tutti_usage_1"     /* INT64 [6]: tokens of the prompt, cached, generated; ns of queue, prefill, decode */
enum { TASK_WIRE_USAGE_BYTES = 48 };

/* false with err: no memory, or more than out takes. */
bool task_wire_put_request(struct buf *out, const struct task_request *rq, struct err *err);
/* DELTA, RESULT, AUDIO, TENSOR, VECTOR; false without err: another one, which is not sent. */
bool task_wire_put_event(struct buf *out, const struct expert_event *ev, struct err *err);
void task_wire_put_usage(struct buf *out, const struct expert_usage *u);

/* bytes: aligned to 8; what comes out borrows them and the arena.  false with err: ERR_INPUT. */
bool task_wire_read_request(const void *bytes, size_t n, struct arena *a, struct task_request *out, struct err *err);
/* The same for an event of a job; fills kind and what belongs to it.  false with err: malformed, or no such job gives such an event. */
bool task_wire_read_event(const void *bytes, size_t n, const struct job *j, struct arena *a, struct expert_event *out, struct err *err);
/* What the other machine did not say stays as it is. */
bool task_wire_read_usage(const void *bytes, size_t n, struct expert_usage *out);
#endif
