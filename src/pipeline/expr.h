/* pipeline/expr.h - a small safe language for conditions: `any(objects.boxes, label == "person" and score > 0.5)`.
 *
 * For:     gates, rates of best frames and texts of cascades (cascade.h); whoever wants a condition in a YAML file.
 * Callers: pipeline/.
 * Touches: memory when compiling; evaluation allocates nothing.  Thread: a program is constant; its state is the caller's.
 * Rule:    compiled and type-checked once; an error says line and column and the nearest name.  Evaluation visits at most
 *          EXPR_STEPS_MAX nodes and cannot fail in another way: numbers that are not known are NAN, and a comparison
 *          with NAN is false.
 *
 * The language (docs/cascade.md says it for people):
 *   or, and, not, == != < <= > >= in contains, + - * /, ( ), names, "text", numbers, true, false
 *   80 % is 0.8      250 ms, 10 s, 5 min, 2 h  durations       22:30  a time of day       ["a", "b"], [1, 2]  after `in`
 *   any(list, cond) all(list, cond) count(list [, cond]) max(list, number) min(list, number) sum(list, number)
 *   max(a, b) min(a, b) abs(a) length(text)  between(x, from, to): also over midnight
 *   since(cond): the time since cond was true last, in this stage (now: 0 s; never: infinite)
 * Inside any() and its like a bare name is a field of the list's item first.
 */
#ifndef TUTTI_PIPELINE_EXPR_H
#define TUTTI_PIPELINE_EXPR_H
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum expr_type { EXPR_BOOL, EXPR_NUMBER, EXPR_SECONDS /* a duration */, EXPR_CLOCK /* seconds since midnight */, EXPR_TEXT, EXPR_LIST, EXPR_TYPE_COUNT };
const char *expr_type_name(enum expr_type t); /* "a number", "a duration", ... */

enum { EXPR_DEPTH_MAX = 24, EXPR_NODES_MAX = 512, EXPR_SINCE_MAX = 8, EXPR_STEPS_MAX = 200000, EXPR_BYTES_MAX = 8192 };

struct expr_list { /* items[i] begins at items + i * stride */
    const void *items;
    int n;
    size_t stride;
};

struct expr_value { /* which one: the type says */
    bool b;
    double x;         /* NUMBER, SECONDS, CLOCK; NAN: not known */
    const char *text; /* TEXT: never NULL, "" */
    struct expr_list list;
};

struct expr_field { /* of a list's items */
    const char *name;
    enum expr_type type;                                  /* no list */
    void (*get)(const void *item, struct expr_value *out); /* out is zeroed */
};

struct expr_name { /* what may be named */
    const char *object; /* "motion" of `motion.score`; NULL: a bare name */
    const char *name;
    enum expr_type type;
    const struct expr_field *fields; /* LIST: ended by a NULL name */
    int id;                          /* for get() */
};

struct expr_names {
    const struct expr_name *names;
    int n;
    const char *near; /* a bare name that is not there is looked for in this object ("objects"); NULL */
};

struct expr_world { /* at evaluation */
    void *ctx;
    void (*get)(void *ctx, int id, struct expr_value *out); /* out is zeroed: absent is false, 0, "", no items */
    double now_s;                                           /* for since(): never goes back */
};

struct expr_state { /* for since(); begin with expr_state_init() */
    double last_s[EXPR_SINCE_MAX];
};
void expr_state_init(struct expr_state *s);

struct expr; /* constant once compiled */
/* All memory is the arena's.  The text stands at file:line:column (columns in bytes).  NULL with err "FILE:LINE:COLUMN: ...". */
struct expr *expr_compile(struct arena *a, const char *text, size_t n, const struct expr_names *names, const char *file, int line, int column,
                          struct err *err);
enum expr_type expr_get_type(const struct expr *e);
/* The objects that it names: calls fn for each of its names (once for each place). */
void expr_each_name(const struct expr *e, void (*fn)(void *ctx, const struct expr_name *name), void *ctx);

/* state NULL: since() is infinite unless its condition holds now.  false: more than EXPR_STEPS_MAX steps; out is zeroed. */
bool expr_eval(const struct expr *e, const struct expr_world *w, struct expr_state *state, struct expr_value *out);
/* The same for a condition or a number: false, NAN when it has too many steps. */
bool expr_true(const struct expr *e, const struct expr_world *w, struct expr_state *state);
double expr_number(const struct expr *e, const struct expr_world *w, struct expr_state *state);

/* ---- a text with expressions in braces: "{count(objects.boxes)} at {time}" ---- */
struct expr_text;
struct expr_text *expr_text_compile(struct arena *a, const char *text, size_t n, const struct expr_names *names, const char *file, int line, int column,
                                    struct err *err);
void expr_text_each_name(const struct expr_text *t, void (*fn)(void *ctx, const struct expr_name *name), void *ctx);
void expr_text_put(const struct expr_text *t, const struct expr_world *w, struct buf *out);
#endif
