/* token/regex.c - pattern -> instructions -> automaton; start reading at regex_new().
 *
 * Parts: the parser writes a program for a Thompson machine (CHAR, SPLIT, JUMP, LOOK, END, MATCH);
 * classes of code points that no set of the pattern can tell apart are found; then the program is run on
 * all classes at once, a state of the automaton being the ordered list of program counters (as RE2 does;
 * Russ Cox, "Regular Expression Matching in the Wild", 2010).  Lookahead and $ are resolved when the next
 * character is known: a state holds its counters from before the empty steps, and the transition on class
 * c walks them with c in hand.  So "a match ends here" is a mark on the transition, not on the state.
 */
#include "token/regex.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "token/unicode.h"

enum {
    SETS_MAX = 64,   /* one bit each in a class signature */
    RANGES_MAX = 192, /* in one set: DeepSeek's list of letters has 136 */
    OPS_MAX = 4096,
    DEPTH_MAX = 8,   /* of groups */
    STATES_MAX = 4096,
    CLASSES_MAX = 250,
    MATCH_BIT = 0x8000,
};

struct range {
    uint32_t first, last;
};

struct set {
    struct range range[RANGES_MAX];
    int n_ranges;
    uint32_t categories; /* bits, see unicode.h */
    bool negated;
};

enum op_kind { OP_CHAR, OP_SPLIT, OP_JUMP, OP_LOOK, OP_END, OP_MATCH };

struct op {
    enum op_kind kind;
    int x, y;     /* CHAR, LOOK: the set is x; SPLIT: x before y; JUMP: x */
    bool negated; /* LOOK */
};

/* Everything that only compiling needs; one block of the heap. */
struct compiler {
    const char *pattern, *at;
    struct err *err;
    struct set set[SETS_MAX];
    int n_sets;
    struct op op[OPS_MAX];
    int n_ops;
    uint64_t signature[CLASSES_MAX]; /* which sets the class is in */
    int n_classes;                   /* without the end of the text */
    /* the automaton in the making */
    uint16_t *counters; /* [n_counters]: the lists of all states, one after the other */
    size_t n_counters, cap_counters;
    size_t *first; /* [n_states + 1] where the list of a state starts */
    uint16_t *next; /* [n_states][n_classes + 1] */
    size_t cap_states;
    int n_states;
    uint16_t seen[OPS_MAX]; /* round in which the closure was there */
    uint16_t queued[OPS_MAX];
    uint16_t round;
};

struct regex {
    uint16_t *next;      /* [n_states][n_classes + 1]; the last class is the end of the text; state 0 is dead */
    int n_states, n_classes;
    uint8_t ascii[128];  /* class of a code point below 128 */
    uint32_t *bound;     /* [n_bounds] where segments of code points start, ascending, bound[0] = 0 */
    int n_bounds;
    uint8_t (*by_category)[32]; /* [n_bounds] class of a code point of this segment and category */
};

/* ---- parser ---- */

static bool fail(struct compiler *c, const char *why)
{
    return err_set(c->err, ERR_UNSUPPORTED, "pattern '%.60s': byte %zu: %s", c->pattern, (size_t)(c->at - c->pattern), why);
}

static bool add_op(struct compiler *c, enum op_kind kind, int x, int y, bool negated)
{
    if (c->n_ops == OPS_MAX)
        return fail(c, "too long");
    c->op[c->n_ops++] = (struct op){ kind, x, y, negated };
    return true;
}

static bool add_range(struct compiler *c, struct set *s, uint32_t first, uint32_t last)
{
    if (s->n_ranges == RANGES_MAX || first > last)
        return fail(c, "bad range");
    s->range[s->n_ranges++] = (struct range){ first, last };
    return true;
}

static bool add_white(struct compiler *c, struct set *s) { return add_range(c, s, '\t', '\r') && add_range(c, s, ' ', ' '); }

static bool parse_property(struct compiler *c, struct set *s)
{
    static const struct {
        const char *name;
        uint32_t categories;
    } known[] = {
        { "{L}", UNICODE_L },  { "{M}", UNICODE_M },  { "{N}", UNICODE_N },  { "{P}", UNICODE_P }, { "{S}", UNICODE_S },
        { "{Lu}", 1 << 1 },    { "{Ll}", 1 << 2 },    { "{Lt}", 1 << 3 },    { "{Lm}", 1 << 4 },   { "{Lo}", 1 << 5 },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strncmp(c->at, known[i].name, strlen(known[i].name)) == 0) {
            c->at += strlen(known[i].name);
            s->categories |= known[i].categories;
            return true;
        }
    return fail(c, "unknown property");
}

/* One character, plain or escaped, that stands for itself. */
static bool parse_literal(struct compiler *c, uint32_t *cp)
{
    if (c->at[0] != '\\') {
        const size_t n = utf8_decode(c->at, strlen(c->at), cp);
        c->at += n;
        return n > 0 || fail(c, "not UTF-8");
    }
    const char e = c->at[1];
    if (e == 'x' && c->at[2] == '{') {
        char *end;
        *cp = (uint32_t)strtoul(c->at + 3, &end, 16);
        if (*end != '}')
            return fail(c, "\\x{HEX} is not closed");
        c->at = end + 1;
        return true;
    }
    if (e == 'n' || e == 'r' || e == 't')
        *cp = e == 'n' ? '\n' : e == 'r' ? '\r' : '\t';
    else if (e && strchr("\\[](){}^$.|?*+-/`", e))
        *cp = (uint32_t)e;
    else
        return fail(c, "unknown escape");
    c->at += 2;
    return true;
}

static bool parse_class(struct compiler *c, struct set *s)
{
    if (*c->at == '^')
        s->negated = true, c->at++;
    while (*c->at && *c->at != ']') {
        if (c->at[0] == '\\' && (c->at[1] == 'p' || c->at[1] == 's')) {
            c->at += 2;
            if (!(c->at[-1] == 'p' ? parse_property(c, s) : add_white(c, s)))
                return false;
            continue;
        }
        uint32_t first, last;
        if (!parse_literal(c, &first))
            return false;
        last = first;
        if (c->at[0] == '-' && c->at[1] && c->at[1] != ']') {
            c->at++;
            if (!parse_literal(c, &last))
                return false;
        }
        if (!add_range(c, s, first, last))
            return false;
    }
    if (!*c->at++)
        return c->at--, fail(c, "[ is not closed");
    return true;
}

/* A set of characters: class, property, escape or literal.  *index is its place in c->set. */
static bool parse_set(struct compiler *c, int *index)
{
    if (c->n_sets == SETS_MAX)
        return fail(c, "too many sets");
    struct set *s = &c->set[c->n_sets];
    memset(s, 0, sizeof(*s));
    bool ok;
    if (*c->at == '[') {
        c->at++;
        ok = parse_class(c, s);
    } else if (c->at[0] == '\\' && c->at[1] == 'p') {
        c->at += 2;
        ok = parse_property(c, s);
    } else if (c->at[0] == '\\' && (c->at[1] == 's' || c->at[1] == 'S')) {
        s->negated = c->at[1] == 'S';
        c->at += 2;
        ok = add_white(c, s);
    } else {
        uint32_t cp = 0;
        ok = parse_literal(c, &cp) && add_range(c, s, cp, cp);
    }
    *index = c->n_sets;
    for (int i = 0; ok && i < c->n_sets; i++) /* repeated atoms are parsed again: the same set serves */
        if (memcmp(&c->set[i], s, sizeof(*s)) == 0) {
            *index = i;
            return true;
        }
    c->n_sets++;
    return ok;
}

static bool parse_alternatives(struct compiler *c, int depth);

static bool parse_atom(struct compiler *c, int depth)
{
    int set;
    if (strncmp(c->at, "(?=", 3) == 0 || strncmp(c->at, "(?!", 3) == 0) {
        const bool negated = c->at[2] == '!';
        c->at += 3;
        if (!parse_set(c, &set))
            return false;
        if (*c->at != ')')
            return fail(c, "lookahead is for one character");
        c->at++;
        return add_op(c, OP_LOOK, set, 0, negated);
    }
    if (*c->at == '(') {
        if (depth == DEPTH_MAX)
            return fail(c, "too deep");
        c->at += strncmp(c->at, "(?:", 3) == 0 ? 3 : 1;
        if (!parse_alternatives(c, depth + 1))
            return false;
        if (*c->at != ')')
            return fail(c, "( is not closed");
        c->at++;
        return true;
    }
    if (*c->at == '$') {
        c->at++;
        return add_op(c, OP_END, 0, 0, false);
    }
    if (strchr("|)?*+{}", *c->at))
        return fail(c, "unexpected character");
    return parse_set(c, &set) && add_op(c, OP_CHAR, set, 0, false);
}

static bool parse_quantifier(struct compiler *c, int *min, int *max)
{
    char *end;
    *min = *max = 1;
    switch (*c->at) {
    case '?': *min = 0, c->at++; break;
    case '*': *min = 0, *max = -1, c->at++; break;
    case '+': *max = -1, c->at++; break;
    case '{':
        *min = *max = (int)strtol(c->at + 1, &end, 10);
        if (*end == ',')
            *max = (int)strtol(end + 1, &end, 10);
        if (*end != '}' || *min < 0 || *max < 1 || *max < *min || *max > 1000)
            return fail(c, "bad {n,m}");
        c->at = end + 1;
    }
    return true;
}

/* An atom and its quantifier.  The atom is written as often as it is needed, by parsing it again. */
static bool parse_piece(struct compiler *c, int depth)
{
    const char *start = c->at, *end;
    const int first_op = c->n_ops;
    int min, max;
    if (!parse_atom(c, depth))
        return false;
    if (!parse_quantifier(c, &min, &max))
        return false;
    end = c->at;
    c->n_ops = first_op;
#define ATOM() (c->at = start, parse_atom(c, depth))
    for (int i = 0; i < min; i++)
        if (!ATOM())
            return false;
    if (max < 0) { /* L1: SPLIT L2, L3; L2: atom; JUMP L1; L3: */
        const int split = c->n_ops;
        if (!add_op(c, OP_SPLIT, split + 1, 0, false) || !ATOM() || !add_op(c, OP_JUMP, split, 0, false))
            return false;
        c->op[split].y = c->n_ops;
    }
    int pending = -1; /* SPLITs whose way out is the end, chained through y */
    for (int i = min; i < max; i++) {
        const int split = c->n_ops;
        if (!add_op(c, OP_SPLIT, split + 1, pending, false) || !ATOM())
            return false;
        pending = split;
    }
#undef ATOM
    while (pending >= 0) {
        const int before = c->op[pending].y;
        c->op[pending].y = c->n_ops;
        pending = before;
    }
    c->at = end;
    return true;
}

static bool parse_alternatives(struct compiler *c, int depth)
{
    int pending = -1; /* JUMPs to the end, chained through y */
    for (;;) {
        /* Is there another alternative behind this one?  Only then a SPLIT: so parse, look, parse again. */
        const char *start = c->at;
        const int split = c->n_ops;
        for (int pass = 0; pass < 2; pass++) {
            c->at = start;
            c->n_ops = split;
            if (pass == 1 && !add_op(c, OP_SPLIT, split + 1, 0, false))
                return false;
            while (*c->at && *c->at != '|' && *c->at != ')')
                if (!parse_piece(c, depth))
                    return false;
            if (*c->at != '|')
                break;
        }
        if (*c->at != '|')
            break;
        c->at++;
        if (!add_op(c, OP_JUMP, 0, pending, false))
            return false;
        pending = c->n_ops - 1;
        c->op[split].y = c->n_ops;
    }
    while (pending >= 0) {
        const int before = c->op[pending].y;
        c->op[pending].x = c->n_ops;
        pending = before;
    }
    return true;
}

/* ---- classes ---- */

static bool set_has(const struct set *s, uint32_t cp, unsigned category)
{
    bool in = s->categories >> category & 1;
    for (int i = 0; i < s->n_ranges && !in; i++)
        in = cp >= s->range[i].first && cp <= s->range[i].last;
    return in != s->negated;
}

static int find_class(struct compiler *c, uint32_t cp, unsigned category)
{
    uint64_t signature = 0;
    for (int i = 0; i < c->n_sets; i++)
        signature |= (uint64_t)set_has(&c->set[i], cp, category) << i;
    for (int i = 0; i < c->n_classes; i++)
        if (c->signature[i] == signature)
            return i;
    if (c->n_classes == CLASSES_MAX)
        return -1;
    c->signature[c->n_classes] = signature;
    return c->n_classes++;
}

static int by_value(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static bool make_classes(struct compiler *c, struct regex *r)
{
    size_t n = 1, kept = 0;
    for (int i = 0; i < c->n_sets; i++)
        n += 2 * (size_t)c->set[i].n_ranges;
    r->bound = malloc(n * sizeof(*r->bound));
    r->by_category = malloc(n * sizeof(*r->by_category));
    if (!r->bound || !r->by_category)
        return err_set(c->err, ERR_NOMEM, "out of memory");
    n = 0;
    r->bound[n++] = 0;
    for (int i = 0; i < c->n_sets; i++)
        for (int k = 0; k < c->set[i].n_ranges; k++) {
            r->bound[n++] = c->set[i].range[k].first;
            r->bound[n++] = c->set[i].range[k].last + 1;
        }
    qsort(r->bound, n, sizeof(*r->bound), by_value);
    for (size_t i = 0; i < n; i++) /* what lies below 128 has its own table */
        if (i == 0 || (r->bound[i] != r->bound[kept - 1] && r->bound[i] > 128))
            r->bound[kept++] = r->bound[i];
    r->n_bounds = (int)kept;
    for (int i = 0; i < r->n_bounds; i++)
        for (unsigned category = 0; category < 32; category++) {
            const uint32_t cp = r->bound[i] < 128 ? 128 : r->bound[i];
            const int class = find_class(c, cp, category < 30 ? category : 0);
            if (class < 0)
                return fail(c, "too many classes");
            r->by_category[i][category] = (uint8_t)class;
        }
    for (uint32_t cp = 0; cp < 128; cp++) {
        const int class = find_class(c, cp, unicode_category(cp));
        if (class < 0)
            return fail(c, "too many classes");
        r->ascii[cp] = (uint8_t)class;
    }
    return true;
}

static inline unsigned class_of(const struct regex *r, uint32_t cp)
{
    if (unicode_is_space(cp))
        return r->ascii[0x0b];
    int low = 0, high = r->n_bounds; /* the last bound that is not above cp */
    while (high - low > 1) {
        const int mid = (low + high) / 2;
        if (r->bound[mid] <= cp)
            low = mid;
        else
            high = mid;
    }
    return r->by_category[low][unicode_category(cp)];
}

/* ---- automaton ---- */

static bool grow(struct compiler *c, void **p, size_t *cap, size_t need, size_t item)
{
    if (need <= *cap)
        return true;
    const size_t want = need * 2;
    void *q = realloc(*p, want * item);
    if (!q)
        return err_set(c->err, ERR_NOMEM, "out of memory");
    *p = q, *cap = want;
    return true;
}

/* The state whose list is the last of c->counters, from c->first[n_states] on: an old one or a new one. */
static int intern_state(struct compiler *c)
{
    const size_t from = c->first[c->n_states], n = c->n_counters - from;
    for (int i = 0; i < c->n_states; i++)
        if (c->first[i + 1] - c->first[i] == n &&
            memcmp(c->counters + c->first[i], c->counters + from, n * sizeof(*c->counters)) == 0) {
            c->n_counters = from;
            return i;
        }
    if (c->n_states + 1 >= STATES_MAX) {
        fail(c, "too many states");
        return -1;
    }
    const size_t width = (size_t)c->n_classes + 1, old = c->cap_states;
    const size_t need = (size_t)c->n_states + 2;
    size_t cap = old;
    if (!grow(c, (void **)&c->first, &cap, need, sizeof(*c->first)))
        return -1;
    cap = old;
    if (!grow(c, (void **)&c->next, &cap, need, width * sizeof(*c->next)))
        return -1;
    c->cap_states = cap;
    c->first[++c->n_states] = c->n_counters;
    return c->n_states - 1;
}

struct step {
    struct compiler *c;
    int class; /* n_classes: the end of the text */
    bool matched;
};

static bool is_in(const struct step *s, int set)
{
    return s->class < s->c->n_classes && (s->c->signature[s->class] >> set & 1);
}

/* Follows the empty steps from counter pc, in order of preference, and adds what reads the class. */
static bool follow(struct step *s, int pc)
{
    struct compiler *c = s->c;
    while (!s->matched && c->seen[pc] != c->round) {
        c->seen[pc] = c->round;
        const struct op *op = &c->op[pc];
        switch (op->kind) {
        case OP_MATCH: s->matched = true; return true;
        case OP_JUMP: pc = op->x; break;
        case OP_SPLIT:
            if (!follow(s, op->x))
                return false;
            pc = op->y;
            break;
        case OP_LOOK:
            if (is_in(s, op->x) == op->negated)
                return true;
            pc++;
            break;
        case OP_END:
            if (s->class < c->n_classes)
                return true;
            pc++;
            break;
        case OP_CHAR:
            if (!is_in(s, op->x) || c->queued[pc + 1] == c->round)
                return true;
            c->queued[pc + 1] = c->round;
            if (!grow(c, (void **)&c->counters, &c->cap_counters, c->n_counters + 1, sizeof(*c->counters)))
                return false;
            c->counters[c->n_counters++] = (uint16_t)(pc + 1);
            return true;
        }
    }
    return true;
}

static bool make_states(struct compiler *c)
{
    const size_t width = (size_t)c->n_classes + 1;
    size_t cap = 0;
    if (!grow(c, (void **)&c->first, &cap, 2, sizeof(*c->first)) ||
        !grow(c, (void **)&c->counters, &c->cap_counters, 8, sizeof(*c->counters)))
        return false;
    cap = 0;
    if (!grow(c, (void **)&c->next, &cap, 2, width * sizeof(*c->next)))
        return false;
    c->cap_states = cap;
    c->first[0] = 0;
    if (intern_state(c) != 0) /* the empty list: dead */
        return false;
    c->counters[c->n_counters++] = 0;
    if (intern_state(c) != 1) /* where a match begins */
        return false;
    for (int state = 0; state < c->n_states; state++)
        for (int class = 0; class <= c->n_classes; class++) {
            struct step s = { c, class, false };
            c->round++;
            if (c->round == 0) { /* it wrapped: forget the old marks */
                memset(c->seen, 0, sizeof(c->seen));
                memset(c->queued, 0, sizeof(c->queued));
                c->round = 1;
            }
            for (size_t i = c->first[state]; i < c->first[state + 1] && !s.matched; i++)
                if (!follow(&s, c->counters[i]))
                    return false;
            const int to = intern_state(c);
            if (to < 0)
                return false;
            c->next[(size_t)state * width + (size_t)class] = (uint16_t)(to | (s.matched ? MATCH_BIT : 0));
        }
    return true;
}

struct regex *regex_new(const char *pattern, struct err *err)
{
    struct regex *r = calloc(1, sizeof(*r));
    struct compiler *c = calloc(1, sizeof(*c));
    if (!r || !c) {
        free(r), free(c);
        return err_null(err, ERR_NOMEM, "out of memory");
    }
    c->pattern = c->at = pattern;
    c->err = err;
    bool ok = parse_alternatives(c, 0) && (!*c->at || fail(c, "unexpected )")) && add_op(c, OP_MATCH, 0, 0, false) &&
              make_classes(c, r) && make_states(c);
    if (ok) {
        r->next = c->next, c->next = NULL;
        r->n_states = c->n_states, r->n_classes = c->n_classes;
    }
    free(c->counters), free(c->first), free(c->next), free(c);
    if (!ok) {
        regex_free(r);
        return NULL;
    }
    return r;
}

void regex_free(struct regex *r)
{
    if (!r)
        return;
    free(r->next), free(r->bound), free(r->by_category), free(r);
}

size_t regex_match(const struct regex *r, const char *s, size_t n)
{
    const size_t width = (size_t)r->n_classes + 1;
    size_t best = 0, i = 0;
    unsigned state = 1;
    while (i < n) {
        const unsigned char byte = (unsigned char)s[i];
        uint32_t cp = 0;
        const size_t len = byte < 0x80 ? 1 : utf8_decode(s + i, n - i, &cp);
        const unsigned to = r->next[state * width + (byte < 0x80 ? r->ascii[byte] : class_of(r, cp))];
        if (to & MATCH_BIT)
            best = i;
        state = to & ~(unsigned)MATCH_BIT;
        if (state == 0)
            return best;
        i += len ? len : 1;
    }
    return r->next[state * width + (size_t)r->n_classes] & MATCH_BIT ? n : best;
}

/* Two attempts walk the same text: s began earlier, q later, anywhere inside what s reads without a match.
 * A circle of steps on which neither passes a match means that both may read far for nothing; so may a
 * third, and a fourth: quadratic time. */
struct pairs {
    const struct regex *r;
    size_t n, width;
    unsigned char *mark; /* [n][n] for s, q */
};
enum { PAIR_ENDS = 1, PAIR_REACHED = 2 };

/* Where s and q go on class k; false when s dies or passes a match. */
static bool step_pair(const struct pairs *p, size_t pair, size_t k, size_t *to, bool *q_matched)
{
    const unsigned s = p->r->next[pair / p->n * p->width + k], q = p->r->next[pair % p->n * p->width + k];
    const unsigned q_to = q & ~(unsigned)MATCH_BIT;
    *q_matched = q & MATCH_BIT;
    *to = s * p->n + (q_to ? q_to : 1); /* a dead attempt is followed by a new one */
    return s != 0 && !(s & MATCH_BIT);
}

/* Marks the pairs from which every walk without a match ends. */
static void mark_ends(struct pairs *p)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t pair = p->n; pair < p->n * p->n; pair++) {
            bool ends = true, matched;
            size_t to;
            for (size_t k = 0; k < p->width - 1 && ends && !(p->mark[pair] & PAIR_ENDS); k++)
                ends = !step_pair(p, pair, k, &to, &matched) || matched || p->mark[to] & PAIR_ENDS;
            changed |= ends && !(p->mark[pair] & PAIR_ENDS);
            p->mark[pair] |= ends ? PAIR_ENDS : 0;
        }
    }
}

/* Marks the pairs that a new attempt q comes to while s reads on without a match. */
static void mark_reached(struct pairs *p)
{
    for (size_t s = 1; s < p->n; s++)
        p->mark[s * p->n + 1] |= PAIR_REACHED;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t pair = p->n; pair < p->n * p->n; pair++)
            for (size_t k = 0; k < p->width - 1 && p->mark[pair] & PAIR_REACHED; k++) {
                bool matched;
                size_t to;
                if (!step_pair(p, pair, k, &to, &matched) || p->mark[to] & PAIR_REACHED)
                    continue;
                p->mark[to] |= PAIR_REACHED;
                changed = true;
            }
    }
}

int regex_is_linear(const struct regex *r)
{
    struct pairs p = { r, (size_t)r->n_states, (size_t)r->n_classes + 1, NULL };
    p.mark = calloc(p.n * p.n, 1);
    if (!p.mark)
        return -1;
    mark_ends(&p);
    mark_reached(&p);
    int linear = 1;
    for (size_t pair = p.n; pair < p.n * p.n; pair++)
        if ((p.mark[pair] & (PAIR_ENDS | PAIR_REACHED)) == PAIR_REACHED)
            linear = 0;
    free(p.mark);
    return linear;
}

int regex_n_states(const struct regex *r) { return r->n_states; }
int regex_n_classes(const struct regex *r) { return r->n_classes; }
