/* template/node_internal.h - the parsed template: a tree that rendering only reads.
 *
 * For:     lex.c and parse*.c (make it), scope.c (names become slots), eval.c and exec.c (walk it).
 * Rule:    all nodes live in the template's arena.  A name belongs to a function (the template itself,
 *          a macro, the body of a call block, a recursive loop); each function has an array of slots.
 */
#ifndef TUTTI_TEMPLATE_NODE_INTERNAL_H
#define TUTTI_TEMPLATE_NODE_INTERNAL_H
#include "template/value_internal.h"

enum node_kind {
    /* expressions */
    NODE_CONST, NODE_NAME, NODE_TUPLE, NODE_LIST, NODE_DICT, NODE_NEG, NODE_POS, NODE_NOT, NODE_BINARY, NODE_AND,
    NODE_OR, NODE_CONCAT, NODE_COMPARE, NODE_GETATTR, NODE_GETITEM, NODE_SLICE, NODE_CALL, NODE_FILTER,
    NODE_TEST, NODE_COND,
    /* statements */
    NODE_OUTPUT, NODE_FOR, NODE_IF, NODE_SET, NODE_SET_BLOCK, NODE_MACRO, NODE_CALL_BLOCK, NODE_FILTER_BLOCK,
    NODE_WITH, NODE_BREAK, NODE_CONTINUE,
    NODE_KIND_COUNT
};

/* Operators of a comparison chain; the first four are enum cmp_op. */
enum { NODE_CMP_EQ = 4, NODE_CMP_NE, NODE_CMP_IN, NODE_CMP_NOT_IN };

struct nodes {
    struct node **v;
    size_t n;
};

struct call_args {
    struct nodes pos;
    const struct str **kw_names; /* [kw.n] */
    struct nodes kw;
    struct node *star, *star2; /* *x and **x, or NULL */
};

/* How a name gets its first value when its frame is entered. */
enum load { LOAD_PARAM, LOAD_RESOLVE, LOAD_ALIAS, LOAD_UNDEF };
struct slot_load {
    enum load load;
    uint32_t slot;
    const struct str *name;            /* LOAD_RESOLVE: the variable */
    uint32_t from_hops, from_slot;     /* LOAD_ALIAS: the outer one */
};
struct frame_loads {
    struct slot_load *v;
    size_t n;
};

/* What becomes a Python function in jinja2: has slots of its own. */
struct fn {
    uint32_t n_slots;
    uint32_t depth;    /* of nested functions; the template's is 0 */
    bool captured;     /* something inside may refer to the slots after the call */
};

struct macro_def {
    const struct str *name; /* NULL: the body of a call block */
    struct nodes params;    /* NODE_NAME */
    struct nodes defaults;  /* of the last defaults.n params */
    struct nodes body;
    struct fn *fn;
    struct frame_loads loads;
    bool wants_caller, wants_kwargs, wants_varargs;
    bool explicit_caller;   /* a parameter is named so */
    uint32_t caller_slot, kwargs_slot, varargs_slot;
};

struct node {
    enum node_kind kind;
    uint16_t height; /* of the tree below: bounds recursion */
    int line;
    union {
        struct val value; /* NODE_CONST */
        struct {
            const struct str *id; /* interned: equal names are the same pointer */
            uint32_t hops, slot;
            bool store;
        } name;
        struct nodes items; /* TUPLE, LIST, CONCAT; DICT: key, value, key, value; OUTPUT */
        struct {
            enum bin_op op;
            struct node *a, *b;
        } bin; /* BINARY, AND, OR; NEG, POS, NOT use a */
        struct {
            struct nodes items; /* n + 1 operands */
            uint8_t *ops;       /* [n] enum cmp_op or NODE_CMP_ */
        } cmp;
        struct {
            struct node *obj;
            const struct str *name; /* GETATTR */
            struct node *part[3];   /* GETITEM: [0]; SLICE: start, stop, step, each may be NULL */
        } get;
        struct {
            struct node *obj; /* the callee; a filter's or test's operand, NULL in a filter block */
            const struct str *name;
            const struct callable *fn; /* of a filter or test; NULL: fails when reached */
            struct call_args *args;
        } call;
        struct {
            struct node *test, *then, *otherwise; /* otherwise may be NULL */
        } cond;
        struct {
            struct node *target, *iter, *test; /* test may be NULL */
            struct node *test_target;          /* the target once more, in the test's frame */
            struct nodes body, otherwise;
            struct frame_loads body_loads, else_loads, test_loads;
            struct fn *fn;          /* recursive: a function of its own; else NULL */
            bool recursive, extended; /* extended: the body uses `loop` */
            uint32_t loop_slot;
        } loop;
        struct {
            struct node **tests; /* [n]: if, elif, elif; the bodies beside them */
            struct nodes *bodies;
            size_t n;
            struct nodes otherwise;
        } branch;
        struct {
            struct node *target; /* a name or a tuple of them; NULL: attribute of a namespace */
            struct node *ns;     /* the namespace's name */
            const struct str *attr;
            struct node *value;  /* SET */
            struct node *filter; /* SET_BLOCK: may be NULL */
            struct nodes body;
            struct frame_loads loads;
        } set;
        struct {
            struct macro_def *def;
            struct node *target; /* MACRO: the name it is stored in */
            struct node *call;   /* CALL_BLOCK; NULL: print the body (generation) */
        } macro;
        struct {
            struct nodes targets, values; /* WITH */
            struct node *filter;          /* FILTER_BLOCK */
            struct nodes body;
            struct frame_loads loads;
        } scope; /* WITH, FILTER_BLOCK */
    };
};

enum { /* so that neither parsing nor rendering can run out of stack */
    NEST_MAX = 120,   /* parentheses, blocks and the like inside each other */
    HEIGHT_MAX = 400, /* of an expression: a + b + c + ... */
    DEPTH_MAX = 1200, /* of evaluation: expressions, macros and loops together */
    NAMES_MAX = 1000  /* in one scope */
};

struct template {
    struct arena *arena;
    struct nodes body;
    struct fn fn; /* the template as a function */
    struct frame_loads loads;
    const struct str **reads; /* names that come from the variables */
    size_t n_reads;
    const struct str *id_loop, *id_caller, *id_kwargs, *id_varargs; /* interned */
};

/* -- lex.c ------------------------------------------------------------------------------------------ */

enum tok { /* ORDER TOK: tok_names[] in lex.c */
    TOK_EOF, TOK_DATA, TOK_VAR_BEGIN, TOK_VAR_END, TOK_BLOCK_BEGIN, TOK_BLOCK_END, TOK_NAME, TOK_STRING, TOK_INT,
    TOK_FLOAT, TOK_ADD, TOK_SUB, TOK_MUL, TOK_DIV, TOK_FLOORDIV, TOK_MOD, TOK_POW, TOK_TILDE, TOK_LPAREN,
    TOK_RPAREN, TOK_LBRACKET, TOK_RBRACKET, TOK_LBRACE, TOK_RBRACE, TOK_EQ, TOK_NE, TOK_GT, TOK_GE, TOK_LT, TOK_LE,
    TOK_ASSIGN, TOK_DOT, TOK_COLON, TOK_PIPE, TOK_COMMA, TOK_SEMICOLON, TOK_COUNT
};
struct token {
    enum tok kind;
    int line;
    struct str *s; /* DATA, STRING; NAME: interned */
    int64_t i;
    double f;
};
/* The whole text as tokens, ended by TOK_EOF; they live in `scratch`, their texts in t->arena. */
struct token *tpl_lex(struct template *t, const char *text, size_t n, struct arena *scratch, size_t *n_tokens,
                      struct err *err);
const char *tpl_tok_name(enum tok kind);
struct str *tpl_const_str(struct arena *keep, const char *data, size_t len, struct err *err);

/* -- parse.c, parse_expr.c --------------------------------------------------------------------------- */

struct parser {
    const struct token *tok;
    size_t i, n;
    struct arena *keep;
    struct err *err;
    int nest;      /* how deep we are */
    int n_for;     /* for loops around us */
    int n_loop;    /* those that break and continue can leave */
};
bool tpl_parse(struct template *t, const struct token *tok, size_t n_tok, struct err *err);

/* What both files of the parser use. */
bool parser_fail(struct parser *p, int line, const char *fmt, ...) ERR_PRINTF(3, 4);
struct node *parser_node(struct parser *p, enum node_kind kind, int line);
bool parser_push(struct parser *p, struct nodes *list, size_t *cap, struct node *n);
static inline const struct token *parser_now(const struct parser *p) { return &p->tok[p->i]; }
static inline bool parser_at(const struct parser *p, enum tok kind) { return p->tok[p->i].kind == kind; }
bool parser_at_name(const struct parser *p, const char *name);
bool parser_skip_name(struct parser *p, const char *name);
const struct token *parser_expect(struct parser *p, enum tok kind);
bool parser_raise(struct parser *p, struct node *n, const struct node *child); /* height */
struct node *parser_expression(struct parser *p, bool with_cond);
struct node *parser_primary(struct parser *p);
/* end_name: "in", "recursive" or NULL, what else ends the tuple. */
struct node *parser_tuple(struct parser *p, bool simplified, bool with_cond, const char *end_name, bool explicit_paren);
struct node *parser_filters(struct parser *p, struct node *obj, bool start_inline);

/* -- scope.c ------------------------------------------------------------------------------------------ */

/* Gives every name its slot; unknown filters and tests are errors here, as in jinja2. */
bool tpl_scope(struct template *t, struct arena *scratch, struct err *err);
#endif
