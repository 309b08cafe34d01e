/* pipeline/cascade_run.h - a cascade at work: pieces in, results through the stages, events out; every piece accounted for.
 *
 * For:     `tutti cascade run`, voice.c.
 * Callers: cmd/, pipeline/.
 * Touches: experts (through struct cascade_world), the source (on a thread of its own), sinks (threads of their own).
 * Thread:  cascade_run_go() is the engine: all gates, queues, events and hooks live on its caller's thread.  Experts' threads
 *          copy a result into the piece's own memory and ring a bell.
 * Rule:    memory is constant: pieces are pooled and what experts say is cut to fixed limits.  A live source never waits (a
 *          piece without a place is dropped by the first stage's policy and counted), a file does.  Rates and times are those of
 *          the stream, so a file gives the same result at any speed.
 */
#ifndef TUTTI_PIPELINE_CASCADE_RUN_H
#define TUTTI_PIPELINE_CASCADE_RUN_H
#include "pipeline/cascade.h"
#include "pipeline/source.h"

enum { CASCADE_EDGES_MAX = 8, CASCADE_PLACE_MAX = 64 };
struct cascade_edge {        /* from here to another machine, for one stage */
    char node[CASCADE_PLACE_MAX];
    uint64_t jobs, failed;   /* that ended there; of those without a result: each is given to the next expert, or its piece is an `error` */
    uint64_t bytes_out, bytes_in; /* of requests and answers */
    double ms, there_ms;     /* submitted to done, and what of it the work there took, together */
    double joules;           /* there; NAN: not known */
    bool is_measured;
};

struct cascade_stage_figures { /* in == results + sum of dropped, when it stands still */
    uint64_t in, results, dropped[CASCADE_DROP_COUNT];
    uint64_t waiting, running; /* now: in == results + dropped + waiting + running */
    uint64_t fallbacks, returns; /* to a lower expert, back to a better one */
    int expert;                /* of the list: who answers now */
    double ms;                 /* of its jobs, submitted to done, together */
    double joules;             /* NAN: not known */
    bool is_measured;          /* joules: by a meter */
    struct cascade_edge edges[CASCADE_EDGES_MAX]; /* of pieces that other machines looked at; a ninth one is counted with the eighth */
    int n_edges;
    int edge;                  /* of the last result; -1: this machine */
};

struct cascade_figures {
    int n_stages;
    struct cascade_stage_figures stages[CASCADE_STAGES_MAX];
    uint64_t pieces;       /* that the source gave */
    uint64_t events, events_dropped; /* too short, not confirmed, in a cooldown */
    double stream_s, wall_s;
    uint64_t pool_bytes;   /* what all pieces hold now; grows to the largest frame and no further */
};

struct cascade_result { /* of one stage for one piece or event; all borrowed */
    const struct task_result *seen; /* NULL: none */
    const char *text;               /* CHAT, TRANSCRIBE, OCR, DESCRIBE: what was said; "" */
    const char *expert;             /* id of who answered; "" */
    float score;                    /* as `STAGE.score` in expressions */
    float ms;
};

struct cascade_event { /* borrowed for the call */
    uint64_t id;              /* from 1 */
    double start_s, end_s;    /* of the stream */
    int64_t start_unix_ms;    /* by the clock */
    int n_pieces;             /* that belong to it */
    bool is_over, is_cut;     /* is_cut: longer than max; the next one goes on */
    const char *labels[16];   /* what was seen, most often first */
    const char *names[8];     /* who */
    int n_labels, n_names;
    int count;                /* most boxes of those labels at a time */
    double best_s;            /* of the frame that stands for it */
    const struct task_media *best;  /* NULL: sound */
    const float *sound;       /* [n_sound] NULL: pictures */
    int n_sound, rate_hz;
    int n_stages;
    struct cascade_result results[CASCADE_STAGES_MAX]; /* of the best frame, and of event stages */
    const char *text;         /* the description */
    const char *text_by;      /* id of the expert that wrote it; "words": none did */
};

struct cascade_hooks { /* each may be NULL; on the engine's thread, must not block */
    void *ctx;
    void (*on_result)(void *ctx, int stage, double t_s, const struct cascade_result *r); /* stages of pieces */
    void (*on_event_start)(void *ctx, const struct cascade_event *e);
    void (*on_event)(void *ctx, const struct cascade_event *e); /* over and through its stages */
    void (*on_text)(void *ctx, uint64_t event, int stage, const char *text, size_t n); /* event stages, as it comes; an expert's thread */
    void (*on_audio)(void *ctx, uint64_t event, int stage, const float *samples, int n, int rate_hz); /* SPEAK; an expert's thread */
    void (*on_tick)(void *ctx, const struct cascade_figures *f); /* once a second or so */
};

struct cascade_run;
/* Opens the experts that come first (others when needed).  The plan, world and source outlive it.  NULL with err. */
struct cascade_run *cascade_run_new(const struct cascade *c, const struct cascade_world *world, const struct cascade_hooks *hooks, struct err *err);
/* Until the source ends or cascade_run_stop(); then what waits is worked off (a file) or dropped as cancelled (stopped, live), events
 * are closed, sinks drained.  false with err: the source broke, or no expert of a stage could be had at all. */
bool cascade_run_go(struct cascade_run *r, struct source *source, struct err *err);
void cascade_run_stop(struct cascade_run *r);                              /* any thread, also a signal's handler */
void cascade_run_get(struct cascade_run *r, struct cascade_figures *out);  /* any thread */
void cascade_run_free(struct cascade_run *r);                              /* NULL is fine */
#endif
