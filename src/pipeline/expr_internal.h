/* pipeline/expr_internal.h - the tokens that expr_lex.c cuts, the tree that expr.c makes of them and expr_eval.c walks. */
#ifndef TUTTI_PIPELINE_EXPR_INTERNAL_H
#define TUTTI_PIPELINE_EXPR_INTERNAL_H
#include "pipeline/expr.h"

enum node_kind {
    NODE_CONST,                                  /* value */
    NODE_NAME,                                   /* name->id */
    NODE_FIELD,                                  /* field of the item of scope `level` */
    NODE_OR, NODE_AND, NODE_NOT,                 /* a, b */
    NODE_EQ, NODE_NE, NODE_LT, NODE_LE, NODE_GT, NODE_GE, /* a, b of one type */
    NODE_IN,                                     /* a among the chain of b, b->next, ... */
    NODE_CONTAINS,
    NODE_ADD, NODE_SUB, NODE_MUL, NODE_DIV, NODE_NEG,
    NODE_ANY, NODE_ALL, NODE_COUNT, NODE_MAX_OF, NODE_MIN_OF, NODE_SUM, /* a: the list, b: the body (count: may be NULL) */
    NODE_MAX, NODE_MIN, NODE_ABS, NODE_LENGTH,
    NODE_BETWEEN,                                /* a, b, c */
    NODE_SINCE,                                  /* a; slot */
};

enum { SCOPES_MAX = 4 };

struct node {
    enum node_kind kind;
    enum expr_type type;
    const struct node *a, *b, *c, *next;
    struct expr_value value;
    const struct expr_name *name;
    const struct expr_field *field; /* also: NODE_NAME of a list that is asked for its items */
    int level, slot;
};

struct expr {
    const struct node *root;
    const struct node *since[EXPR_SINCE_MAX]; /* the NODE_SINCE nodes */
    int n_since;
    const struct expr_name *used[64]; /* names, each once; more are not told */
    int n_used;
};
/* ---- while it is read ---- */

enum token { T_END, T_NAME, T_NUMBER, T_TEXT, T_SIGN /* one or two signs, in .sign */ };
enum { NAME_BYTES_MAX = 64 };

struct parse {
    const char *text, *at, *end; /* at: behind the current token */
    const char *file;
    int line, column;
    const struct expr_names *names;
    const struct expr_field *scopes[SCOPES_MAX];
    int n_scopes, n_nodes, depth;
    bool in_since;
    struct arena *arena;
    struct err *err;
    struct expr *out;
    /* the current token */
    enum token token;
    const char *begin;
    char name[NAME_BYTES_MAX], sign[3];
    double number;
    enum expr_type number_type;
    const char *word; /* T_TEXT, in the arena */
};

/* "FILE:LINE:COLUMN: ..." of the byte at `at`; NULL. */
void *expr_fail_at(struct parse *p, const char *at, const char *fmt, ...) ERR_PRINTF(3, 4);
bool expr_next(struct parse *p); /* the next token; false with err */
#endif
