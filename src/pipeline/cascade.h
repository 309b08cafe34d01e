/* pipeline/cascade.h - a cascade: a stream that is looked at by experts of growing cost, each woken by a gate.
 *
 * For:     `tutti cascade`, voice.h (the voice loop); later nodes that take a stage over.
 * Callers: cmd/, serve/, pipeline/voice.c.
 * Touches: nothing: a plan is data.  cascade_run.h runs it; source.h and sink.h are its ends.
 * Rule:    constant once read.  What is misspelt, of the wrong type or out of range is FILE:LINE:COLUMN with the nearest name.
 *          A stage names experts, it does not hold them: who turns the name into an expert (on this machine or another)
 *          is the caller (struct cascade_world), and a piece's bytes go to an expert only when the stage's gate is open.
 *
 * The way of a piece (a frame, or some 100 ms of sound):
 *   source -> [stage: gate? rate? budget? -> queue -> expert -> result] ... -> event grouping -> [event stages] -> sinks
 * A piece enters a stage when all stages that it builds on (`after`; default: those that its gate names) gave a result.
 * For each stage  in = results + dropped[...]  holds exactly, whatever happens.
 */
#ifndef TUTTI_PIPELINE_CASCADE_H
#define TUTTI_PIPELINE_CASCADE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/yaml.h"
#include "expert/expert.h"
#include "pipeline/expr.h"

enum { CASCADE_STAGES_MAX = 16, CASCADE_EXPERTS_MAX = 8 /* of a stage */, CASCADE_SINKS_MAX = 8, CASCADE_NAME_MAX = 64, CASCADE_LABELS_MAX = 64 };

/* ---- who knows the experts: the seam to other nodes ---- */

struct cascade_ref { /* how a stage names an expert */
    const char *text;             /* "yolox.yaml" (relative to the cascade's file), "tiny.gguf", "auto", an id; "motion"; NULL: */
    const struct yaml_node *card; /* a card written in place */
    const struct yaml_node *at;   /* where it stands */
    bool sees;                    /* CHAT: it must understand pictures */
};

struct cascade; /* the plan */
struct cascade_world {
    void *ctx;
    /* What it can do (bits of enum expert_task; all: nobody knows now, the file must say `task`), its id; opens nothing.  false with err: there is no such expert. */
    bool (*look)(void *ctx, const struct cascade *c, const struct cascade_ref *ref, unsigned *tasks, char *id, size_t max, struct err *err);
    /* The expert, borrowed until close(). */
    struct expert *(*open)(void *ctx, const struct cascade *c, const struct cascade_ref *ref, struct err *err);
    void (*close)(void *ctx, struct expert *e);
    double (*watts)(void *ctx, const struct cascade_ref *ref); /* drawn above idle while it works, for estimates; NULL or NAN: not known */
    double (*joules)(void *meter); /* a meter of this machine, never going back; NULL: none.  What it counts while jobs run is theirs, in equal parts */
    void *meter;
};

/* ---- the plan ---- */

/* ORDER CASCADE_DROP: why a piece got no result */
#define CASCADE_DROPS(X) X(GATE, "gate") X(QUEUE, "queue") X(RATE, "rate") X(BUDGET, "budget") X(ERROR, "error") X(CANCELLED, "cancelled")
enum cascade_drop {
#define X(name, word) CASCADE_DROP_##name,
    CASCADE_DROPS(X)
#undef X
        CASCADE_DROP_COUNT
};
const char *cascade_drop_name(enum cascade_drop d);

/* What a full queue does. */
#define CASCADE_POLICIES(X) X(DROP_OLDEST, "drop-oldest") X(DROP_NEWEST, "drop-newest") X(BLOCK, "block") X(KEEP_BEST, "keep-best")
enum cascade_policy {
#define X(name, word) CASCADE_##name,
    CASCADE_POLICIES(X)
#undef X
        CASCADE_POLICY_COUNT
};
const char *cascade_policy_name(enum cascade_policy p);

struct cascade_stage {
    const char *name;
    const struct yaml_node *map, *at; /* what the file says; where */
    bool each_event;         /* once for each event, with its best frame or its sound; false: for each piece */
    enum expert_task task;
    struct cascade_ref experts[CASCADE_EXPERTS_MAX]; /* best first: the next one while one is down */
    char ids[CASCADE_EXPERTS_MAX][CASCADE_NAME_MAX];
    int n_experts;           /* 0: it is optional and nobody is here; it is passed over */
    bool is_optional;
    unsigned after;          /* bits of earlier stages that it builds on; 0: the source */
    unsigned waits;          /* bits of stages whose words its prompt uses: they are through before it begins, with a result or without */
    const struct expr *gate; /* NULL: always open */
    int queue;               /* places */
    enum cascade_policy policy;
    bool has_policy;         /* the file said so; else a file's pieces wait (block), a live source's make way */
    const struct expr *best; /* KEEP_BEST: the higher, the better */
    double rate;             /* most a second of stream; 0: any */
    double backoff_s;        /* while its gate stays open the pause doubles from 1/rate up to this; 0: no */
    double reset_s;          /* shut for so long: from 1/rate again */
    int every;               /* each nth piece only; 1 */
    double budget_ms, budget_joules; /* for a minute of stream; 0: any */
    int parallel;            /* jobs at a time */
    double timeout_s;        /* of one job; 0: the expert's */
    double watts;            /* while it works, said in the file; NAN */
    struct task_options options;
    const struct expr_text *prompt; /* CHAT: what is asked; SPEAK: what is said; others NULL */
    const char *system;      /* CHAT; NULL */
    int max_tokens;          /* CHAT */
    bool sees;               /* CHAT: the picture goes with the question */
};

struct cascade_events { /* how pieces become events */
    const struct expr *when;    /* this piece belongs to an event; NULL: no events */
    const struct expr *confirm; /* holds for one piece at least, or it was no event; NULL: when is enough */
    const struct expr *best;    /* which frame stands for it: the highest; NULL: the first */
    const char *labels[CASCADE_LABELS_MAX]; /* only these are counted as seen; none: all */
    int n_labels;
    double join_s;              /* pieces closer than this are one event */
    double min_s, max_s;        /* shorter is none; longer is cut and goes on as the next */
    double cooldown_s;          /* after an event: none for so long */
    double before_s;            /* sound kept from before its start */
    bool interrupts;            /* a new one cancels the event stages of those before it (barge-in) */
};

enum cascade_sink_kind { CASCADE_SINK_JSONL, CASCADE_SINK_WEBHOOK, CASCADE_SINK_MQTT, CASCADE_SINK_PICTURES, CASCADE_SINK_COUNT };
struct cascade_sink_plan {
    enum cascade_sink_kind kind;
    const struct yaml_node *at;
    const char *to;          /* file ("-": stdout), URL, folder */
    const char *topic;       /* MQTT */
    const char *user, *password_file, *ca_file, *token_file; /* NULL */
    int qos, version;        /* MQTT: 0, 1; 4 (3.1.1), 5 */
    int queue;               /* events that wait */
    int retries;             /* WEBHOOK, MQTT: for one event, with a growing pause */
    int max_files;           /* PICTURES: older ones are removed */
    double max_age_s;
};

struct cascade {
    struct arena *arena;
    struct yaml *yaml;
    const char *name, *dir, *source; /* source: NULL: --source says it */
    double fps;      /* 0: the source's own */
    int max_w, max_h; /* of frames; 0: media/video.h's */
    int frames;      /* in the pool; 0: as many as the queues can hold */
    bool is_sound;   /* by its stages */
    struct cascade_stage stages[CASCADE_STAGES_MAX];
    int n_stages;
    struct cascade_events events;
    struct cascade_sink_plan sinks[CASCADE_SINKS_MAX];
    int n_sinks;
    const struct yaml_node *voice; /* the map `voice`, for voice.h; NULL: nobody talks */
    struct expr_names names; /* of the last stage and of what comes after it */
};

/* The caller owns the result; NULL with err.  dir: what relative paths are relative to. */
struct cascade *cascade_read(const char *path, const struct cascade_world *world, struct err *err);
struct cascade *cascade_parse(const char *name, const char *text, size_t n, const char *dir, const struct cascade_world *world, struct err *err);
void cascade_free(struct cascade *c); /* NULL is fine */
#endif
