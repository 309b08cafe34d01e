/* pipeline/run_internal.h - what the files of a running cascade share: cascade_run.c (life, source), run_stage.c (gates, queues),
 * run_job.c (experts), run_event.c (grouping).
 *
 * Subjects: a piece or an event goes through stages:
 *   (enters) --gate shut, rate, budget, every--> dropped        --queue--> waits --free place--> runs --> result | error
 * Threads: the engine's owns all but: work[].{final,freed,err,...} and the subject's kept of a stage that runs (the expert's, until
 * `freed` is seen under the lock), inbox and free list (lock).
 */
#ifndef TUTTI_PIPELINE_RUN_INTERNAL_H
#define TUTTI_PIPELINE_RUN_INTERNAL_H
#include <pthread.h>
#include <stdatomic.h>

#include "pipeline/kept.h"

enum { RUN_LABELS_MAX = 16, RUN_NAMES_MAX = 8, RUN_PIECE_BYTES_MAX = 256 << 20, RUN_SOUND_HZ = 16000 };

struct subject {
    bool is_event;
    unsigned done, got; /* stages: dropped or over; gave a result */
    double t_s;         /* of the stream */
    int64_t unix_ms;
    struct kept kept[CASCADE_STAGES_MAX];
};

struct piece {
    struct subject s; /* first */
    struct piece *next; /* free list, inbox, pieces under way */
    int refs;
    bool is_hit;
    double rank;      /* for the event's best */
    struct task_media media;
    uint8_t *bytes;   /* owned */
    size_t cap;
};

enum event_state { EVENT_FREE, EVENT_OPEN, EVENT_STAGES };
struct event {
    struct subject s; /* first */
    enum event_state state;
    uint64_t id;
    double start_s, last_s;
    int64_t start_unix_ms;
    int n_pieces;
    bool is_confirmed, is_cut, is_told;
    struct piece *best; /* holds a reference; NULL: sound */
    double best_rank;
    struct kept_tally labels[RUN_LABELS_MAX], names[RUN_NAMES_MAX];
    int n_labels, n_names;
    struct kept_event view;
    float *sound;
    int n_sound, cap_sound, rate_hz;
    char words[512];
};

struct work { /* a job under way */
    struct cascade_run *run;
    struct subject *subject; /* NULL: free */
    struct job *job;         /* the engine's reference; NULL after it was dropped */
    int stage, expert;
    uint64_t submitted_ns, end_ns;
    bool final, freed;       /* lock */
    bool has_result, is_measured, is_again;
    float joules;
    double metered_j;     /* its part of what the meter counted */
    const char *node;     /* who did it, when that is another machine: it lives as long as the expert */
    uint64_t bytes_out, bytes_in, there_ns;
    float there_w;
    struct err err;
};

struct place { /* of a queue */
    struct subject *s;
    double rank;
};

enum { WORK_MAX = 16 };
struct expert_seat {
    struct expert *e;     /* NULL: not opened */
    uint64_t retry_ns;    /* down until then; 0: up */
    uint64_t pause_ns;    /* the next one */
    bool has_session;     /* of this stage's stream */
    bool is_gone;         /* it said itself that it is down: asked again as soon as it says otherwise */
};

struct stage_run {
    const struct cascade_stage *plan;
    enum cascade_policy policy; /* decided by the source when the file said nothing */
    struct expert_seat seats[CASCADE_EXPERTS_MAX];
    int now;              /* the seat that answered last */
    struct place *queue;
    int n_queue, cap_queue;
    struct work work[WORK_MAX];
    int n_running;
    struct expr_state gate_state;
    double next_s, interval_s, last_open_s; /* rate */
    double seen_s;        /* the newest that came in */
    double level_ms, level_joules, level_s; /* budget: what is left, when it was looked at */
    uint64_t n_seen;      /* for `every` */
    bool has_said;        /* why a piece of its own fault gave nothing */
    struct cascade_stage_figures f;
};

struct cascade_run {
    const struct cascade *c;
    const struct cascade_world *world;
    struct cascade_hooks hooks;
    struct source *source;
    bool is_live;
    struct stage_run stages[CASCADE_STAGES_MAX];
    unsigned piece_stages, event_stages; /* bits of those that are there */

    uint64_t session;      /* drawn: experts of other machines have streams of other runs, too */
    int bell;              /* eventfd */
    atomic_int n_stops;
    atomic_bool cancels_events;

    pthread_mutex_t lock;
    pthread_cond_t has_free; /* for the source's thread */
    struct piece *pieces;    /* [n_pieces] */
    int n_pieces;
    struct piece *free;      /* lock */
    struct piece *inbox, *inbox_last; /* lock: what the source gave */
    uint64_t n_lost;         /* lock: no piece was free */
    bool source_over;        /* lock */
    struct err source_err;
    atomic_size_t pool_bytes;

    /* the engine's */
    struct piece *under_way, *under_way_last; /* in order of time, until all stages are through */
    struct piece *hits;           /* that wait for older ones; in order of time */
    bool is_stopping, is_draining;
    double now_s;            /* the newest piece */
    int64_t begin_unix_ms;
    uint64_t begin_ns;
    struct event *events;    /* [n_events] */
    int n_events;
    struct event *open;
    uint64_t n_ids;
    double quiet_until_s;    /* cooldown */
    struct expr_state when_state;
    float *before;           /* ring of sound before an event */
    int n_before, cap_before, before_rate_hz;

    pthread_mutex_t figures_lock;
    struct cascade_figures figures; /* published */
    uint64_t n_events_over, n_events_dropped, n_given;
    double end_s;
    double meter_j;           /* when it was read last; NAN: never, or there is none */
};

/* run_stage.c */
void run_enter(struct cascade_run *r, struct subject *s);             /* all stages that it may enter now */
void run_finish(struct cascade_run *r, struct subject *s, int stage, bool has_result, enum cascade_drop why);
void run_pump(struct cascade_run *r);                                 /* starts what may start */
void run_cancel_queues(struct cascade_run *r, bool events_only);
void run_world(struct cascade_run *r, const struct subject *s, struct kept_world *w, const struct kept *views[CASCADE_STAGES_MAX]);

/* run_job.c */
bool run_open_first(struct cascade_run *r, int stage, struct err *err);
bool run_start(struct cascade_run *r, int stage, struct subject *s);  /* false: nobody can, the subject is finished */
void run_reap(struct cascade_run *r);                                 /* jobs that are over */
void run_cancel_jobs(struct cascade_run *r, bool events_only);
void run_close_experts(struct cascade_run *r);
void run_ring(struct cascade_run *r);

/* run_event.c */
void run_piece_over(struct cascade_run *r, struct piece *p);          /* through all stages; takes the reference */
bool run_events_on(struct cascade_run *r, bool is_end);               /* what is known by now; true: something happened */
void run_event_over(struct cascade_run *r, struct event *e);          /* through its stages */

/* cascade_run.c */
void run_piece_unref(struct cascade_run *r, struct piece *p);
#endif
