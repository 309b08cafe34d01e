/* expert/supervisor_internal.h - what the parts of a worker expert share: expert_worker.c (door), supervisor.c (its thread: queue,
 * process, time), supervisor_batch.c (who runs together), worker_process.c (the process and what it says).
 *
 * A job's way:  submit -> inbox (under the lock) -> the supervisor's queue -> a slot of the batch at hand -> final event.
 * The process:  NONE -> WAITING (for memory: keeper.h) -> STARTING (opens its model) -> IDLE <-> RUNNING; any -> NONE when it ends.
 * Only the supervisor sends events, so they never overlap; it never holds the lock while it does, nor while it calls the keeper.
 */
#ifndef TUTTI_EXPERT_SUPERVISOR_INTERNAL_H
#define TUTTI_EXPERT_SUPERVISOR_INTERNAL_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "expert/expert_worker.h"
#include "expert/keeper.h"
#include "expert/pack.h"
#include "expert/worker_internal.h"
#include "proc/child.h"

struct request { /* a job inside */
    struct request *prev, *next;
    struct job *job; /* one reference */
    struct pack_size size;
    const struct task_text *texts; /* the request's; EMBED by job.inputs: made of them, in the job's arena */
    int n_texts;
    int n_vectors;    /* EMBED: that came, in order */
    int n_deaths;     /* processes that ended with it */
    bool alone;       /* has seen one: nobody shall die of it */
    bool was_queued, was_started, has_sent;
    struct expert_usage usage;
    uint64_t started_ns, first_ns;
};

struct request_list {
    struct request *first, *last;
    int n;
};

enum phase { PHASE_NONE, PHASE_WAITING, PHASE_STARTING, PHASE_IDLE, PHASE_RUNNING };

enum { SESSIONS_MAX = 64, LAST_WORDS_BYTES = 160 };

struct expert_worker {
    struct expert base; /* first */

    /* constant after opening */
    struct card *card;
    char *cache_dir, *data_dir, *ort_path; /* owned; NULL */
    char providers[64];    /* for ONNX models, by the machine */
    int n_threads;
    int n_batch_max; /* requests in one run, if the task can */
    bool is_quiet;
    uint64_t timeout_ns, keep_ns, batch_delay_ns, need_bytes, limit_bytes;
    int n_queue_max;
    struct keeper_seat *seat; /* NULL: no keeper */
    int wake_fd;              /* an eventfd: something changed under the lock */

    /* the supervisor's own */
    struct request_list queue;
    struct request *slot[WORKER_BATCH_MAX]; /* of the batch at hand; NULL: ended */
    bool is_done[WORKER_BATCH_MAX];
    uint32_t batch;                         /* its number */
    uint32_t n_slots, n_open_slots;         /* open: no DONE came yet */
    int n_jobs_in_slots;
    enum phase phase;
    struct child child;
    int socket_fd, words_fd;
    uint8_t *in, *out;
    uint64_t read_to, acked;                /* of the ring */
    size_t in_used;                         /* bytes of `in` that were touched */
    uint8_t *head;                          /* [head_cap] a copy of an event's head; owned */
    size_t head_cap;
    struct arena *arena;                    /* of one event */
    char last_words[LAST_WORDS_BYTES];      /* of its stderr */
    uint64_t began_ns;                      /* STARTING: the process; RUNNING: the batch */
    uint64_t until_ns;                      /* progress is due; 0: no such moment */
    uint64_t kill_ns;                       /* nobody wants the batch any more: ends by then; 0: not so */
    uint64_t look_ns;                       /* at the process */
    uint64_t idle_since_ns, load_ns, run_ns; /* run_ns: of one request, smoothed */
    uint64_t n_deaths, own_bytes;           /* publish() copies them */
    uint64_t rest_ns;                       /* no new batch before: expert_limit() has it work a share of the time */
    int n_failures;                         /* deaths and failed loads since it last answered */
    uint64_t retry_ns;                      /* not started again before */
    bool is_down;
    bool began;                             /* keeper_begin() */
    int keeper_again_ms;
    struct { uint64_t id, used_ns; } session[SESSIONS_MAX];
    int n_sessions;

    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* state, n_jobs, n_loads */
    struct request_list inbox;
    int n_open, n_jobs;
    bool stopping, quit, wants_warm, wants_unload, give_back;
    uint64_t drain_until_ns, down_until_ns;
    uint64_t n_loads;       /* attempts that ended */
    struct err down;        /* why the last attempt failed; ERR_NONE: it did not */
    struct expert_metrics m;
    struct expert_card facts;
    struct task_info info;  /* tasks 0: not known yet */

    _Atomic float time_share, batch_share, input_share; /* expert_limit(); each is looked at alone, before a batch */
    _Atomic int pid; /* for observers */
    bool has_thread;
    pthread_t thread;
};

/* supervisor.c */
void *supervisor_main(void *arg);
/* Ends a job with its final event; r is gone.  err NULL: done. */
void request_end(struct expert_worker *e, struct request *r, const struct err *err);
/* The same for a job that is being run: out of its slot, the process is told. */
void slot_end(struct expert_worker *e, uint32_t slot, const struct err *err);
void batch_end(struct expert_worker *e); /* all slots have answered */

/* supervisor_batch.c */
/* The batch that is run next, from the queue to the slots; a request whose stream is over ends at the door.  false: there is none. */
bool batch_fill(struct expert_worker *e, uint64_t now);
/* More may come that are worth waiting for; *until_ns: until then at the latest. */
bool batch_waits(const struct expert_worker *e, uint64_t now, uint64_t *until_ns);
/* Streams that were silent for too long; returns when to look again, 0: there are none. */
uint64_t batch_forget_sessions(struct expert_worker *e, uint64_t now);

/* worker_process.c */
bool process_start(struct expert_worker *e, struct err *err); /* spawned, OPEN sent */
void process_end(struct expert_worker *e, struct child_end *end); /* killed, reaped, its memory unmapped; fine when there is none */
bool process_run(struct expert_worker *e); /* e->slot[] to shared memory, RUN sent; false: it is gone */
void process_cancel(struct expert_worker *e, uint32_t slot);
/* Takes all that it has said.  false with err: it is gone, or talks nonsense. */
bool process_hear(struct expert_worker *e, struct err *err);
void process_hear_words(struct expert_worker *e);
void process_forget_pages(struct expert_worker *e); /* gives large buffers back */
uint64_t process_own_bytes(const struct expert_worker *e);
#endif
