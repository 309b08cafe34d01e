/* template/run_internal.h - one rendering: its limits, its output, the calls that are going on.
 *
 * For:     template/ alone; made by template.c, used by all that evaluate.
 */
#ifndef TUTTI_TEMPLATE_RUN_INTERNAL_H
#define TUTTI_TEMPLATE_RUN_INTERNAL_H
#include "template/node_internal.h"

/* The slots of one call of a function; macros remember the one in which they were defined. */
struct act {
    struct act *outer;
    struct act *next_free;
    const struct fn *fn;
    struct val *slots; /* [fn->n_slots] */
};

struct macro {
    const struct macro_def *def;
    struct act *outer;
};

struct loop { /* the variable `loop` */
    struct val iterable;
    struct iter *it;
    struct val after, current, before; /* VAL_MISSING: none */
    struct val last_changed;
    int64_t index0, length; /* length -1: not known yet */
    int64_t depth0;
    const struct node *recurse; /* of a recursive loop */
    struct act *outer;
};

struct render {
    const struct template *t;
    struct arena *arena;
    struct err *err;
    struct buf *out;
    struct buf built;   /* texts under construction, one behind the other: tpl_build() */
    int n_captures;     /* > 0: output goes to `built` */
    uint64_t n_steps, max_steps;
    size_t max_memory_bytes;
    int depth;
    int line;
    const struct printing *printing; /* text.c */
    struct dict *vars;
    const struct tm *now; /* NULL: ask the clock */
    struct act *free_acts;
    struct val filter_input; /* the text that a filter or set block hands to its filter */
    struct str *chars[128]; /* texts of one ASCII character */
};

bool tpl_eval(struct render *r, struct act *a, const struct node *n, struct val *out);
/* Room for the arguments of most calls, on the caller's stack: what keeps arguments copies them. */
enum { ARGS_FEW = 4 };
struct args_room {
    struct val pos[ARGS_FEW];
    struct kwarg kw[ARGS_FEW];
};
bool tpl_eval_args(struct render *r, struct act *a, const struct call_args *ca, const struct val *caller,
                   struct args_room *room, struct args *out);
bool tpl_assign(struct render *r, struct act *a, const struct node *target, const struct val *v);

enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE, FLOW_FAIL };
enum flow tpl_exec(struct render *r, struct act *a, const struct nodes *body);
bool tpl_enter_frame(struct render *r, struct act *a, const struct frame_loads *loads);
struct act *tpl_act_new(struct render *r, const struct fn *fn, struct act *outer);
void tpl_act_done(struct render *r, struct act *a); /* reuses it if nothing can refer to it */
bool tpl_macro_call(struct render *r, const struct macro *m, const struct args *a, struct val *out);
bool tpl_loop_recurse(struct render *r, struct loop *l, const struct val *iterable, struct val *out);
bool tpl_loop_attr(struct render *r, struct loop *l, const struct str *name, bool *found, struct val *out);
bool tpl_loop_len(struct render *r, struct loop *l, int64_t *out);
int tpl_loop_next(struct render *r, struct loop *l, struct val *out);
#endif
