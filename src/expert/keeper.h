/* expert/keeper.h - memory by bytes: who may load, who gives back, who waits, who is told that it cannot fit.
 *
 * For:     experts that load and unload: expert_worker.c, expert_server.c, expert_llm; serve/ makes one for all of them.
 * Callers: expert/, serve/, cmd/.
 * Touches: /proc through what the experts say of themselves.  No thread of its own: who waits asks again.
 * Thread:  any.  The callbacks of a seat are called with the keeper's lock held, from other experts' threads: they must be
 *          quick, and an expert must not hold the lock that they take while it calls the keeper.
 * Rule:    what is charged is the larger of what was declared and what was seen.  A seat that gave back is charged with what
 *          is still seen of it until that is gone.  One load at a time for each device.  Who came first is served first, so
 *          nobody starves; work that runs is never thrown out, but whoever keeps others waiting longer than `patience_ms` is asked to
 *          unload when its running work is through.  Nobody waits while it holds memory, so there is no deadlock.  Who grew
 *          while it worked, so that all together are above the cap, is asked to unload when it is idle.
 *
 * A seat:  OUT --ask() says GO--> LOADING --loaded()--> IN (idle <-> busy: begin(), end())
 *          IN --give_back() was called--> LEAVING --gave()--> LATE --nothing is seen any more--> OUT
 *          LOADING, IN, LEAVING --gave() (a failed load, a crash)--> LATE
 */
#ifndef TUTTI_EXPERT_KEEPER_H
#define TUTTI_EXPERT_KEEPER_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct keeper_options { /* 0: the default */
    uint64_t cap_bytes;   /* of the machine's memory, for all experts; default: see keeper_default_cap() */
    int patience_ms;      /* after that the busy are asked to make room; default 1000 */
    int wait_max_ms;      /* after that the answer is no; default 30000 */
    int late_max_ms;      /* memory that is given back later than that is said in the log; default 10000 */
    uint64_t (*available)(void); /* what the machine has left at the moment; NULL: only the cap counts */
};

enum { KEEPER_DEVICES_MAX = 16 };

struct keeper;
/* The caller owns the result; it outlives all seats.  NULL with err. */
struct keeper *keeper_new(const struct keeper_options *opt, struct err *err);
void keeper_free(struct keeper *k); /* NULL is fine */
/* Memory of its own (a GPU's).  The machine's is "memory" and there from the start.  false with err. */
bool keeper_add_device(struct keeper *k, const char *name, uint64_t cap_bytes, struct err *err);
/* 80 % of what can be had now (MemAvailable, control groups); 0: not known, no cap. */
uint64_t keeper_default_cap(void);

struct keeper_client { /* borrowed until keeper_leave() */
    const char *id;
    const char *device; /* NULL: "memory"; an unknown one counts as that too */
    void *ctx;
    void (*give_back)(void *ctx);   /* unload as soon as nothing runs, then keeper_gave() */
    uint64_t (*observe)(void *ctx); /* bytes that are seen to be held now; NULL: what was declared is believed */
    void (*wake)(void *ctx);        /* something changed for one who waits: ask again; may be NULL */
};
struct keeper_seat;
struct keeper_seat *keeper_join(struct keeper *k, const struct keeper_client *client, struct err *err);
void keeper_leave(struct keeper_seat *s); /* in any state; afterwards no callback comes.  NULL is fine */

enum keeper_answer {
    KEEPER_GO,   /* load; then keeper_loaded() or, when it failed, keeper_gave() */
    KEEPER_WAIT, /* ask again when woken, or after *again_ms */
    KEEPER_NO,   /* err: the arithmetic.  It is out of the queue; asking again begins anew */
};
/* Wants to load.  bytes: what was declared; what was measured last time counts when that is more. */
enum keeper_answer keeper_ask(struct keeper_seat *s, uint64_t bytes, int *again_ms, struct err *err);
void keeper_withdraw(struct keeper_seat *s); /* does not want any more */
void keeper_loaded(struct keeper_seat *s, uint64_t load_ns);
/* Loading went on behind that and is over now: what it took in all.  The longer, the longer it is kept. */
void keeper_load_took(struct keeper_seat *s, uint64_t load_ns);
/* Work begins.  false: it must unload first (keeper_gave()) and ask again. */
bool keeper_begin(struct keeper_seat *s);
void keeper_end(struct keeper_seat *s); /* nothing runs or waits */
/* May it be asked to unload between two jobs?  Not while a session is open.  Default: yes. */
void keeper_pin(struct keeper_seat *s, bool is_pinned);
void keeper_gave(struct keeper_seat *s);
uint64_t keeper_cap_bytes(const struct keeper_seat *s); /* of its device; 0: none */

struct keeper_figures {
    uint64_t cap_bytes, used_bytes; /* of "memory" */
    int n_in, n_waiting;
    uint64_t loads_total, evictions_total, yields_total, refusals_total;
};
void keeper_get_figures(struct keeper *k, struct keeper_figures *out);
#endif
