/* task/task.h - what one expert does with one request, beyond text from our own engine: see, read, hear, speak, embed.
 *
 * For:     expert_worker.c, which runs tasks in worker processes; tests, which call them directly.
 * Callers: expert/; implemented by one file for each kind in task/, listed in kinds.c.
 * Touches: what the kind touches: its model files, its library.  Thread: one, that of its process.
 * Rule:    synchronous, one request (or batch) at a time, no queue, no clock, no network; everything hostile or slow about
 *          a library is dealt with by the process around it.  What a task emits is borrowed for the call.
 * Start:   kinds.c (which there are), card.h (how options are read), result.h (what comes out).
 */
#ifndef TUTTI_TASK_TASK_H
#define TUTTI_TASK_TASK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/tensor.h"
#include "task/card.h"
#include "task/result.h"

/* ---- what comes in ---- */

enum media_form {
    MEDIA_ENCODED, /* a file's bytes: JPEG, WAV, ...; recognised by content */
    MEDIA_RGB8,    /* pixels [height][width][3] */
    MEDIA_GREY8,   /* pixels [height][width] */
    MEDIA_F32,     /* sound, mono, [n_bytes / 4] samples of -1..1 at rate_hz */
    MEDIA_FORM_COUNT
};

struct task_media {
    enum media_form form;
    const void *bytes;
    size_t n_bytes;
    int width_px, height_px, rate_hz; /* of raw forms */
};

struct task_text {
    const char *text; /* UTF-8 */
    size_t n;
};

struct task_options { /* of one request; zero and NULL: the card's, else the task's default */
    float threshold;      /* lowest score that counts */
    int n_top;            /* most labels */
    const char *language; /* "en" */
    const char *voice;
    float speed;          /* SPEAK: 1 is normal */
    float temperature;    /* TRANSCRIBE: where it begins */
    const char *prompt;   /* TRANSCRIBE: words to expect */
    bool wants_words;     /* word times or boxes */
    bool wants_mask;      /* SEGMENT */
    bool wants_scores;    /* VAD, MOTION: a score for each frame or region */
    float input_share;    /* pictures, where the model takes any size: this share of the longest side; 0: all of it.  expert_limit() sets it */
};

enum { TASK_MEDIA_MAX = 16, TASK_TEXTS_MAX = 2048, TASK_TENSORS_MAX = 64 };

struct task_request {
    enum expert_task task;
    const struct task_media *media;
    int n_media;
    const struct task_text *texts; /* SPEAK: one; EMBED: one vector event for each, in order */
    int n_texts;
    const struct tensor *tensors;  /* INFER: inputs, by name */
    int n_tensors;
    const char *const *outputs;    /* INFER: those wanted; n 0: all */
    int n_outputs;
    struct task_options options;
    /* A stream in pieces (live sound, frames of a camera): requests with the same number go on where the last one ended.
     * 0: complete in itself. */
    uint64_t session;
    bool session_start, session_end;
    double time_s; /* of a session: when this was, since its start, where that is known; 0: it follows the last one */
};

/* ---- what goes out ---- */

enum task_event_kind {
    TASK_TEXT,   /* a piece of text that will not change */
    TASK_AUDIO,  /* samples: a piece of 50..100 ms */
    TASK_TENSOR, /* one output of INFER */
    TASK_RESULT, /* the result; TRANSCRIBE of long sound may send several, each with new segments */
    TASK_EVENT_COUNT
};

struct task_event {
    enum task_event_kind kind;
    int input;           /* EMBED: which text; otherwise 0 */
    const char *text;
    size_t n_text;
    const float *samples; /* mono, -1..1 */
    int n_samples, rate_hz;
    const struct tensor *tensor;
    const struct task_result *result;
};

struct task_out {
    void *ctx;
    /* false: nobody wants more; run() returns with ERR_CANCELLED */
    bool (*emit)(void *ctx, const struct task_event *ev);
    bool (*is_cancelled)(void *ctx); /* cheap: to be asked between steps of long work */
    struct arena *arena;             /* for whatever the run needs until it returns; empty again for the next */
};
/* emit with err: ERR_CANCELLED. */
bool task_emit(const struct task_out *out, const struct task_event *ev, struct err *err);
bool task_emit_result(const struct task_out *out, const struct task_result *r, struct err *err);
bool task_emit_text(const struct task_out *out, const char *text, size_t n, struct err *err);
bool task_emit_audio(const struct task_out *out, const float *samples, int n_samples, int rate_hz, struct err *err);

/* ---- a kind ---- */

struct task_env { /* where a task lives; borrowed until free */
    const char *cache_dir; /* may be written to; NULL: nothing is kept */
    const char *data_dir;  /* the user's own: enrolled faces; NULL: none */
    const char *ort_path;  /* ONNX Runtime's library; NULL: searched */
    const char *providers; /* "tensorrt,cuda,cpu": what ONNX Runtime should try where the card does not say; NULL: the CPU */
    int n_threads;         /* most; 1: none beside the caller's */
};

enum { TASK_IO_MAX = 32, TASK_NAME_MAX = 96 };
struct task_io {
    char name[TASK_NAME_MAX];
    struct tensor shape; /* name points to name[]; no data */
};
struct task_info { /* after open: what the world may know */
    unsigned tasks;         /* bits of enum expert_task; INFER when raw tensors go in */
    uint64_t memory_bytes;  /* accounted; 0: not known */
    int n_batch_max;        /* requests that one run_batch() can take; 1: none */
    int rate_hz;            /* SPEAK: of what comes out */
    int n_inputs, n_outputs; /* INFER */
    struct task_io inputs[TASK_IO_MAX], outputs[TASK_IO_MAX];
    char runs_on[64];       /* "onnxruntime 1.27.0, CPU, int8" */
    char note[160];         /* "" or something that people should know */
};

struct task_kind { /* one constant for each pair of kind and task; every function but run_batch is there */
    const char *kind;  /* the card's `kind`: "onnx" */
    const char *task;  /* the card's `task`: "detect"; NULL: whatever the card says (open() checks) */
    bool (*open)(void **self, const struct card *card, const struct task_env *env, struct err *err);
    void (*free)(void *self);
    void (*info)(void *self, struct task_info *out); /* out is zeroed */
    /* true: everything was emitted.  false with err; what was emitted before stays. */
    bool (*run)(void *self, const struct task_request *rq, const struct task_out *out, struct err *err);
    /* Several requests at once, outs and errs one each; errs[i].code ERR_NONE: done.  NULL: run() one after the other. */
    void (*run_batch)(void *self, const struct task_request *const *rqs, const struct task_out *const *outs, struct err *errs, int n);
};

extern const struct task_kind *const task_kinds[]; /* kinds.c */
extern const int task_n_kinds;

enum task_needs { /* of its sandbox, beyond reading its files and computing */
    TASK_NEEDS_PROGRAMS = 1 << 0, /* starts programs of the system, in the same sandbox */
    TASK_NEEDS_DEVICES = 1 << 1,  /* below /dev: accelerators, cameras */
};
unsigned task_kind_needs(const struct task_kind *k); /* kinds.c; bits */

struct task; /* an opened card */
/* Finds the kind and opens it.  The card and env are borrowed until task_free().  NULL with err: ERR_INPUT (the card),
 * ERR_NOT_FOUND (a file, a library: says how to get it), ERR_UNSUPPORTED. */
struct task *task_open(const struct card *card, const struct task_env *env, struct err *err);
/* The same in two steps; NULL with err. */
const struct task_kind *task_find_kind(const struct card *card, struct err *err);
struct task *task_open_kind(const struct task_kind *kind, const struct card *card, const struct task_env *env, struct err *err);
void task_free(struct task *t); /* NULL is fine */
const struct task_info *task_get_info(const struct task *t);
/* Checks what can be said of a request without the model, then runs it. */
bool task_run(struct task *t, const struct task_request *rq, const struct task_out *out, struct err *err);
void task_run_batch(struct task *t, const struct task_request *const *rqs, const struct task_out *const *outs, struct err *errs, int n);
#endif
