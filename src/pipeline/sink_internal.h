/* pipeline/sink_internal.h - what the kinds of sinks share. */
#ifndef TUTTI_PIPELINE_SINK_INTERNAL_H
#define TUTTI_PIPELINE_SINK_INTERNAL_H
#include <pthread.h>
#include <stdatomic.h>

#include "media/image.h"
#include "pipeline/sink.h"

enum { SINK_LINE_MAX = 4 << 20, SINK_BOXES_MAX = 64, SINK_SECRET_MAX = 4096 };

struct record { /* an event, copied; counted */
    atomic_int refs;
    char *line;      /* JSON and '\n' */
    size_t n_line;
    /* pictures */
    char path[1024]; /* "": none */
    struct task_media media; /* its bytes are owned */
    struct { float x, y, w, h, score; char label[CASCADE_NAME_MAX]; } boxes[SINK_BOXES_MAX];
    int n_boxes;
    char caption[160];
};

struct sink;
struct sink_ops {
    bool (*open)(struct sink *s, struct err *err);                     /* checks the plan, opens files */
    /* On the sink's thread: may wait, but ends soon once is_closing.  false: try again later (err->code ERR_BUSY or ERR_IO), or
     * never (any other). */
    bool (*send)(struct sink *s, const struct record *r, struct err *err);
    void (*close)(struct sink *s);                                     /* also after a failed open */
};
extern const struct sink_ops sink_jsonl, sink_webhook, sink_mqtt, sink_pictures;

struct sink {
    const struct sink_ops *ops;
    const struct cascade *c;
    const struct cascade_sink_plan *plan;
    void *self;              /* the kind's own */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct record **queue;   /* lock; [plan->queue] */
    int n;
    bool is_busy;            /* lock: sends one */
    bool is_closing;         /* lock: no more */
    atomic_bool must_end;    /* what is queued is dropped */
    bool is_bad;             /* its last event failed; the thread's own: a line in the log for the first only */
    struct sink_figures f;   /* lock */
};

/* A file's first line, without its end.  false with err. */
bool sink_secret(const struct sink *s, const char *path, char out[SINK_SECRET_MAX], struct err *err);
/* Waits ms, or less when the sink must end (then false). */
bool sink_pause(struct sink *s, int ms);
/* A path relative to the cascade's file. */
bool sink_path(const struct sink *s, const char *path, char *out, size_t max, struct err *err);
#endif
