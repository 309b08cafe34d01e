/* pipeline/kept.h - what a stage's expert said of one piece, copied out of its event and cut to fixed limits; its names for expr.h.
 *
 * For:     cascade_run.c, cascade_yaml.c.  Callers: pipeline/.
 * Touches: memory.  Thread: one at a time: the expert's until the job is over, then the engine's.
 * Rule:    the memory stays with its piece and is used again; more than KEPT_* of anything is left out.
 */
#ifndef TUTTI_PIPELINE_KEPT_H
#define TUTTI_PIPELINE_KEPT_H
#include "pipeline/cascade_run.h"

enum { KEPT_BOXES_MAX = 256, KEPT_LABELS_MAX = 64, KEPT_WORDS_MAX = 256, KEPT_SEGMENTS_MAX = 64, KEPT_TEXT_MAX = 16384, KEPT_BYTES_MAX = 1 << 20 };

struct kept_box {
    const struct result_box *box;
    float x, y, w, h, area; /* fractions of the picture */
};

struct kept { /* begin with { 0 } */
    struct arena *arena;
    struct buf said;     /* text of a language model, piece by piece */
    int n_pieces;        /* of text that came since the last result: that result has them again */
    bool has;            /* a result is there */
    enum expert_task task;
    struct task_result r; /* in the arena */
    struct kept_box *boxes;
    float score;         /* MOTION: the share of the picture that moves; VAD: the highest; else the highest of what was found */
    const char *label;   /* of the highest; "" */
    char expert[CASCADE_NAME_MAX];
    float ms;
};

void kept_clear(struct kept *k); /* keeps the memory */
void kept_fini(struct kept *k);
bool kept_take(struct kept *k, enum expert_task task, const struct task_result *r, struct err *err);
bool kept_say(struct kept *k, enum expert_task task, const char *text, size_t n, struct err *err);
const char *kept_text(const struct kept *k); /* "" */
void kept_get_result(const struct kept *k, struct cascade_result *out);

/* ---- names ---- */

struct kept_tally;
struct kept_event { /* what `event.*` means */
    uint64_t id;
    double duration_s, start_clock_s;
    int n_pieces, count;
    const struct kept_tally *labels, *names;
    int n_labels, n_names;
    const char *text;
};
struct kept_tally { /* a label that an event had */
    char text[CASCADE_NAME_MAX];
    int n_pieces; /* that had it */
    int n_most;   /* at a time */
    float score;  /* best */
};

struct kept_world { /* ctx for expr_world */
    const struct kept *const *stages; /* [n] NULL: gave nothing */
    int n_stages;
    double t_s;
    int64_t unix_ms;
    const struct kept_event *event; /* NULL: none */
};
void kept_get(void *world, int id, struct expr_value *out); /* for struct expr_world */

/* The names after the first n stages (of the plan so far), with those of an event or without.  In the arena; false with err. */
bool kept_names(const struct cascade *c, int n_stages, bool with_event, struct arena *a, struct expr_names *out, struct err *err);
/* The stage that a name belongs to, as a bit; 0: none. */
unsigned kept_stages_of(const struct expr_name *name);
#endif
