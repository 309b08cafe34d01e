/* route/journal_row.c - the bytes of a journal's row, written and read by the same functions.
 *
 * Rule:    a row is a chain of records, each with its length in front.  A record that ends early leaves the fields behind its
 *          end zero, one that is longer than we know is passed over: **new fields go to the end of their function**, and files
 *          of before and after are read alike.  Numbers of words (rules, terms, ...) are translated by row_words.  Numbers are
 *          little-endian, whole ones as varints (7 bits a byte, signed ones folded), floats as their four bytes: exact.
 * Start:   row_decision().
 */
#include "route/journal_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void row_begin_writing(struct row *r, void *bytes, size_t n_bytes)
{
    *r = (struct row){ .at = bytes, .end = (unsigned char *)bytes + n_bytes };
}
void row_begin_reading(struct row *r, const void *bytes, size_t n_bytes, const struct row_words *words)
{
    unsigned char *at = (unsigned char *)(uintptr_t)bytes; /* is_reading: nothing is written there */
    *r = (struct row){ .at = at, .end = at + n_bytes, .words = words, .is_reading = true };
}

/* ---- numbers ---- */

static size_t left(const struct row *r) { return (size_t)(r->end - r->at); }
/* true: n bytes can be read or written here.  Reading at the very end of a record: an old one, the field stays zero. */
static bool has(struct row *r, size_t n)
{
    if (r->failed || left(r) >= n)
        return !r->failed;
    r->failed = !(r->is_reading && left(r) == 0);
    return false;
}

static inline void bits(struct row *r, void *v, size_t n_bytes)
{
    if (r->is_reading)
        memset(v, 0, n_bytes);
    if (!has(r, n_bytes))
        return;
    if (r->is_reading)
        memcpy(v, r->at, n_bytes);
    else
        memcpy(r->at, v, n_bytes);
    r->at += n_bytes;
}
static void f32(struct row *r, float *v) { bits(r, v, sizeof(*v)); }
static void f64(struct row *r, double *v) { bits(r, v, sizeof(*v)); }

static uint64_t get_u64(struct row *r)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (!has(r, 1)) {
            r->failed = r->failed || shift > 0;
            return 0;
        }
        const unsigned char b = *r->at++;
        v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128)) {
            r->failed = r->failed || (shift == 63 && b > 1);
            return v;
        }
    }
    r->failed = true;
    return 0;
}
static void put_u64(struct row *r, uint64_t v)
{
    do {
        if (!has(r, 1))
            return;
        *r->at++ = (unsigned char)((v & 127) | (v > 127 ? 128 : 0));
        v >>= 7;
    } while (v);
}
static void u64(struct row *r, uint64_t *v)
{
    if (r->is_reading)
        *v = get_u64(r);
    else
        put_u64(r, *v);
}
static void i64(struct row *r, int64_t *v)
{
    uint64_t u = (uint64_t)*v << 1 ^ (uint64_t)(*v >> 63);
    u64(r, &u);
    if (r->is_reading)
        *v = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
}
/* Within min..max, else it is no row. */
static void ranged(struct row *r, int *v, int min, int max)
{
    int64_t wide = *v;
    i64(r, &wide);
    if (!r->is_reading)
        return;
    if (wide < min || wide > max) {
        r->failed = true;
        wide = min;
    }
    *v = (int)wide;
}
static void i32(struct row *r, int *v) { ranged(r, v, INT32_MIN, INT32_MAX); }
static void u32(struct row *r, uint32_t *v)
{
    uint64_t wide = *v;
    u64(r, &wide);
    if (!r->is_reading)
        return;
    r->failed = r->failed || wide > UINT32_MAX;
    *v = (uint32_t)wide;
}
static void u8(struct row *r, uint8_t *v)
{
    int wide = *v;
    ranged(r, &wide, 0, UINT8_MAX);
    if (r->is_reading)
        *v = (uint8_t)wide;
}
static void flag(struct row *r, bool *v)
{
    int wide = *v;
    ranged(r, &wide, 0, 1);
    if (r->is_reading)
        *v = wide != 0;
}
/* Several flags in one number, the first in bit 0. */
static void flags(struct row *r, bool *const *v, int n)
{
    uint32_t set = 0;
    for (int i = 0; i < n; i++)
        set |= (uint32_t)*v[i] << i;
    u32(r, &set);
    for (int i = 0; r->is_reading && i < n; i++)
        *v[i] = set >> i & 1;
}
#define FLAGS(r, ...) flags(r, (bool *const[]){ __VA_ARGS__ }, (int)(sizeof((bool *[]){ __VA_ARGS__ }) / sizeof(bool *)))

/* A text of at most size - 1 bytes; what would upset a terminal becomes '?'. */
static void text(struct row *r, char *s, size_t size)
{
    uint64_t n = r->is_reading ? 0 : strnlen(s, size - 1);
    u64(r, &n);
    if (r->is_reading)
        s[0] = '\0';
    if (n >= size || (n && left(r) < n))
        r->failed = true;
    if (r->failed)
        return;
    if (r->is_reading)
        memcpy(s, r->at, n), s[n] = '\0';
    else
        memcpy(r->at, s, n);
    r->at += n;
    for (uint64_t i = 0; r->is_reading && i < n; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 127)
            s[i] = '?';
}

/* ---- words ---- */

#define NAME(id, word, ...) word,
static const char *const list_names[ROW_LIST_COUNT] = { "tasks", "classes", "goals", "intents", "rules", "terms" };
static const char *const tasks[] = { EXPERT_TASKS(NAME) }, *const classes[] = { ROUTE_CLASSES(NAME) }, *const goals[] = { ROUTE_GOALS(NAME) },
                         *const intents[] = { INTENTS(NAME) }, *const rules[] = { ROUTE_RULES(NAME) }, *const terms[] = { ROUTE_TERMS(NAME) };
#undef NAME
static const struct {
    const char *const *word;
    int n;
} lists[ROW_LIST_COUNT] = { { tasks, EXPERT_TASK_COUNT }, { classes, ROUTE_CLASS_COUNT }, { goals, ROUTE_GOAL_COUNT },
                            { intents, INTENT_COUNT },    { rules, ROUTE_RULE_COUNT },    { terms, ROUTE_TERM_COUNT } };
_Static_assert(EXPERT_TASK_COUNT <= 32 && (int)ROUTE_RULE_COUNT < ROW_WORDS_MAX && (int)ROUTE_TERM_COUNT < ROW_WORDS_MAX, "lists that fit");

void row_put_words(char out[static ROW_WORDS_BYTES_MAX])
{
    size_t at = 0;
    for (int l = 0; l < ROW_LIST_COUNT; l++) {
        at += (size_t)snprintf(out + at, ROW_WORDS_BYTES_MAX - at, "%s", list_names[l]);
        for (int i = 0; i < lists[l].n; i++)
            at += (size_t)snprintf(out + at, ROW_WORDS_BYTES_MAX - at, " %s", lists[l].word[i]);
        at += (size_t)snprintf(out + at, ROW_WORDS_BYTES_MAX - at, "\n");
    }
}

static int find_word(const char *const *list, int n, const char *word, size_t n_word)
{
    for (int i = 0; i < n; i++)
        if (strlen(list[i]) == n_word && memcmp(list[i], word, n_word) == 0)
            return i;
    return -1;
}

bool row_read_words(const char *s, struct row_words *out)
{
    memset(out, 0, sizeof(*out));
    while (*s) {
        const char *end = s + strcspn(s, "\n");
        size_t n = strcspn(s, " \n");
        const int l = find_word(list_names, ROW_LIST_COUNT, s, n);
        for (s += n; s < end; s += n) {
            s++;
            n = strcspn(s, " \n");
            if (l < 0)
                continue; /* a list that we do not know */
            if (out->n[l] == ROW_WORDS_MAX)
                return false;
            out->here[l][out->n[l]++] = (int8_t)find_word(lists[l].word, lists[l].n, s, n);
        }
        s = end + (*end == '\n');
    }
    return true;
}

static int n_words(const struct row *r, enum row_list l) { return r->words ? r->words->n[l] : lists[l].n; }
/* Our number for the writer's i; -1: we have no such word. */
static int here(const struct row *r, enum row_list l, int i) { return r->words ? r->words->here[l][i] : i; }

/* A number of a list; least: the smallest that is allowed (-1: "none"). */
static void word(struct row *r, enum row_list l, int *v, int least)
{
    ranged(r, v, least, n_words(r, l) - 1);
    if (!r->is_reading || r->failed || *v < 0)
        return;
    *v = here(r, l, *v);
    r->failed = *v < 0;
    *v = r->failed ? 0 : *v;
}
#define WORD(r, list, v, least)                                                                    \
    do {                                                                                           \
        int word_ = (int)(v);                                                                      \
        word(r, list, &word_, least);                                                              \
        if ((r)->is_reading)                                                                       \
            (v) = word_;                                                                           \
    } while (0)
#define ENUM(r, v, count)                                                                          \
    do {                                                                                           \
        int enum_ = (int)(v);                                                                      \
        ranged(r, &enum_, 0, (count)-1);                                                           \
        if ((r)->is_reading)                                                                       \
            (v) = enum_;                                                                           \
    } while (0)

static void task_set(struct row *r, unsigned *v)
{
    uint32_t set = *v;
    u32(r, &set);
    if (!r->is_reading)
        return;
    *v = 0;
    for (int i = 0; i < 32; i++) {
        const int mine = set >> i & 1 && i < n_words(r, ROW_TASKS) ? here(r, ROW_TASKS, i) : -1;
        if (mine >= 0)
            *v |= 1u << mine; /* a task that we do not know cannot be asked for either */
    }
}

/* Where a number of the writer's list goes; what has no place here goes to *spare and must be zero. */
#define PLACE(r, list, array, i, spare) (here(r, list, i) >= 0 ? &(array)[here(r, list, i)] : &(spare))

/* ---- records ---- */

struct record {
    unsigned char *begin, *outer_end;
};
static struct record open_record(struct row *r)
{
    struct record rec = { .begin = r->at, .outer_end = r->end };
    if (left(r) < 2)
        r->failed = true;
    if (r->failed)
        return rec;
    const size_t n = (size_t)(r->at[0] | r->at[1] << 8);
    r->at += 2;
    if (!r->is_reading)
        return rec;
    if (n > left(r))
        r->failed = true;
    else
        r->end = r->at + n;
    return rec;
}
static void close_record(struct row *r, struct record rec)
{
    if (!r->failed && r->is_reading)
        r->at = r->end;
    else if (!r->failed) {
        const size_t n = (size_t)(r->at - rec.begin) - 2;
        r->failed = n > UINT16_MAX;
        rec.begin[0] = (unsigned char)n, rec.begin[1] = (unsigned char)(n >> 8);
    }
    r->end = rec.outer_end;
}

/* ---- the world's static part ---- */

static void node_facts(struct row *r, struct route_node *n)
{
    struct record rec = open_record(r);
    text(r, n->name, sizeof(n->name));
    ENUM(r, n->distance, EXPERT_PRIVACY_COUNT);
    f32(r, &n->link_bytes_s), f32(r, &n->idle_w), f32(r, &n->usd_per_kwh);
    close_record(r, rec);
}

static void candidate_facts(struct row *r, struct candidate *c, int n_nodes)
{
    struct record rec = open_record(r);
    text(r, c->expert, sizeof(c->expert));
    ranged(r, &c->node, 0, n_nodes - 1);
    i32(r, &c->slot);
    WORD(r, ROW_CLASSES, c->cls, 0);
    task_set(r, &c->tasks);
    FLAGS(r, &c->sees, &c->hears, &c->knows_tools, &c->is_measured, &c->is_accelerated);
    ENUM(r, c->privacy, EXPERT_PRIVACY_COUNT);
    f32(r, &c->quality), i32(r, &c->n_ctx);
    f64(r, &c->params), f32(r, &c->bits), i32(r, &c->input_px), u8(r, &c->step);
    f32(r, &c->fixed_s), f32(r, &c->prefill_tok_s), f32(r, &c->decode_tok_s), f32(r, &c->item_s), f32(r, &c->sound_s_s), f32(r, &c->load_s);
    f32(r, &c->busy_w), f32(r, &c->usd_per_mtok_in), f32(r, &c->usd_per_mtok_out), f32(r, &c->usd_per_item);
    text(r, c->kind, sizeof(c->kind));
    close_record(r, rec);
}

void row_world(struct row *r, struct candidates *w)
{
    ranged(r, &w->n_nodes, 0, ROUTE_NODES_MAX);
    ranged(r, &w->n, 0, w->n_nodes ? ROUTE_CANDIDATES_MAX : 0);
    if (r->failed)
        return;
    if (r->is_reading) {
        memset(w->nodes, 0, (size_t)w->n_nodes * sizeof(*w->nodes));
        memset(w->list, 0, (size_t)w->n * sizeof(*w->list));
    }
    for (int i = 0; !r->failed && i < w->n_nodes; i++)
        node_facts(r, &w->nodes[i]);
    for (int i = 0; !r->failed && i < w->n; i++)
        candidate_facts(r, &w->list[i], w->n_nodes);
}

/* ---- a decision ---- */

static void wish_fields(struct row *r, struct expert_wish *w)
{
    struct record rec = open_record(r);
    ENUM(r, w->security, WISH_LAN + 1);
    f32(r, &w->deadline_s), f32(r, &w->ttft_s), f32(r, &w->budget_usd), f32(r, &w->budget_joules), f32(r, &w->quality);
    flag(r, &w->no_degrade);
    close_record(r, rec);
}

static void feature_fields(struct row *r, struct features *f)
{
    struct record rec = open_record(r);
    u32(r, &f->media), u64(r, &f->n_text_bytes), u64(r, &f->n_read_bytes), u64(r, &f->prompt_tok), u64(r, &f->turn_tok);
#define X(field, ...) i32(r, &f->field);
    FEATURE_COUNTS(X)
#undef X
    ENUM(r, f->code, CODE_COUNT);
    f32(r, &f->code_frac);
#define X(field, ...) &f->field,
    flags(r, (bool *const[]){ FEATURE_FLAGS(X) }, FEATURE_FLAG_COUNT);
#undef X
    u32(r, &f->secrets);
    text(r, f->language.code, sizeof(f->language.code));
    f32(r, &f->language.confidence);
    close_record(r, rec);
}

static void intent_fields(struct row *r, struct intent_answer *a)
{
    struct record rec = open_record(r);
    float spare = 0;
    for (int i = 0; i < n_words(r, ROW_INTENTS); i++)
        f32(r, PLACE(r, ROW_INTENTS, a->p, i, spare));
    WORD(r, ROW_INTENTS, a->best, 0);
    WORD(r, ROW_INTENTS, a->second, 0);
    f32(r, &a->difficulty), flag(r, &a->degrade_ok);
    close_record(r, rec);
}

static void request_fields(struct row *r, struct route_request *q, const struct row_parts *p)
{
    struct record rec = open_record(r);
    int task = 0;
    bool has_wish = q->wish != NULL, has_features = q->features != NULL, has_intent = q->intent != NULL;
    while (!r->is_reading && task < EXPERT_TASK_COUNT - 1 && (unsigned)q->task >> task > 1)
        task++;
    word(r, ROW_TASKS, &task, 0);
    if (r->is_reading)
        q->task = (enum expert_task)(1u << task);
    WORD(r, ROW_GOALS, q->goal, 0);
    FLAGS(r, &has_wish, &has_features, &has_intent, &q->needs_sight, &q->needs_hearing, &q->needs_tools);
    u64(r, &q->prompt_tok), u64(r, &q->gen_tok), u64(r, &q->max_gen_tok);
    i32(r, &q->n_items), f32(r, &q->sound_s), u64(r, &q->n_bytes), u64(r, &q->session);
    ranged(r, &q->minute_of_day, 0, 24 * 60 - 1);
    close_record(r, rec);
    if (has_wish)
        wish_fields(r, p->wish);
    if (has_features)
        feature_fields(r, p->features);
    if (has_intent)
        intent_fields(r, p->intent);
    if (r->is_reading) {
        q->wish = has_wish ? p->wish : NULL;
        q->features = has_features ? p->features : NULL;
        q->intent = has_intent ? p->intent : NULL;
    }
}

static void node_now(struct row *r, struct route_node *n)
{
    struct record rec = open_record(r);
    uint8_t spare = 0;
    FLAGS(r, &n->is_up, &n->is_throttled, &n->on_battery);
    f32(r, &n->rtt_s), f32(r, &n->temperature_c), f32(r, &n->headroom_c), f32(r, &n->power_w), f32(r, &n->battery_frac);
    f32(r, &n->memory_free_bytes), f32(r, &n->pressure_frac), f32(r, &n->busy_frac);
    for (int i = 0; i < n_words(r, ROW_CLASSES); i++)
        u8(r, PLACE(r, ROW_CLASSES, n->step, i, spare));
    close_record(r, rec);
}

static void candidate_now(struct row *r, struct candidate *c)
{
    struct record rec = open_record(r);
    FLAGS(r, &c->is_up, &c->is_warm, &c->is_home);
    i32(r, &c->n_running), i32(r, &c->n_waiting), i32(r, &c->n_parallel);
    f32(r, &c->wait_s), u32(r, &c->prefix_tok);
    close_record(r, rec);
}

static void verdict_fields(struct row *r, struct route_verdict *v)
{
    struct record rec = open_record(r);
    struct route_guess *g = &v->guess;
    int64_t spare = 0;
    bool is_able = v->rule == ROUTE_RULE_NONE || v->is_forgiven, has_factors = false;
    for (int i = 0; i < ROUTE_FACTORS; i++)
        has_factors = has_factors || g->factor[i] != 1;
    WORD(r, ROW_RULES, v->rule, -1);
    FLAGS(r, &v->is_forgiven, &g->is_measured, &is_able, &has_factors);
    f32(r, &g->ttft_s), f32(r, &g->total_s), f32(r, &g->queue_s), f32(r, &g->load_s), f32(r, &g->prefix_s), f32(r, &g->busy_s);
    f32(r, &g->joules), f32(r, &g->usd), f32(r, &g->p_good);
    for (int i = 0; i < ROUTE_FACTORS; i++)
        if (has_factors)
            f32(r, &g->factor[i]);
        else if (r->is_reading)
            g->factor[i] = 1;
    if (is_able) { /* who was excluded has no terms */
        f32(r, &v->gain), i64(r, &v->score_us);
        for (int i = 0; i < n_words(r, ROW_TERMS); i++)
            i64(r, PLACE(r, ROW_TERMS, v->term_us, i, spare));
    }
    if (r->is_reading && spare != 0)
        r->failed = true; /* its terms would not add up */
    close_record(r, rec);
}

static void decision_fields(struct row *r, struct route_decision *d, int n)
{
    struct record rec = open_record(r);
    ranged(r, &d->n_able, 0, n);
    for (int i = 0; !r->failed && i < d->n_able; i++) {
        int c = d->order[i];
        ranged(r, &c, 0, n - 1);
        if (r->is_reading)
            d->order[i] = (uint16_t)c;
    }
    i32(r, &d->early), f32(r, &d->difficulty_cut);
    FLAGS(r, &d->is_difficult, &d->is_small_first);
    ranged(r, &d->promotion, -1, n - 1);
    close_record(r, rec);
}

void row_decision(struct row *r, const struct row_parts *p)
{
    struct route_decision *d = p->decision;
    const struct candidates *w = p->world;
    request_fields(r, p->request, p);
    for (int i = 0; !r->failed && i < w->n_nodes; i++)
        node_now(r, &w->nodes[i]);
    for (int i = 0; !r->failed && i < w->n; i++)
        candidate_now(r, &w->list[i]);
    if (r->is_reading)
        d->n = w->n;
    decision_fields(r, d, w->n);
    for (int i = 0; !r->failed && i < w->n; i++)
        verdict_fields(r, &d->verdicts[i]);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0xbf58476d1ce4e5b9u;
    return h ^ h >> 29;
}

/* Four lanes of eight bytes: multiply and fold (the mixing step of base/rng.h); not for what an enemy chooses. */
uint64_t row_hash(const void *bytes, size_t n_bytes)
{
    const unsigned char *p = bytes;
    uint64_t h[4] = { 0x9e3779b97f4a7c15u ^ n_bytes, 1, 2, 3 }, v[4];
    for (; n_bytes >= sizeof(v); p += sizeof(v), n_bytes -= sizeof(v)) {
        memcpy(v, p, sizeof(v));
        for (int i = 0; i < 4; i++)
            h[i] = mix(h[i], v[i]);
    }
    memset(v, 0, sizeof(v));
    memcpy(v, p, n_bytes);
    for (int i = 0; i < 4; i++)
        h[0] = mix(h[0], mix(h[i], v[i]));
    return h[0] ^ h[0] >> 31;
}

/* Raw bytes of what row_world() writes, up to the first field that changes in place: what lies behind a name's end or between
 * fields may make two worlds of one, never one of two. */
uint64_t row_glance(const struct candidates *w)
{
    uint64_t h = (uint64_t)w->n_nodes << 32 | (uint32_t)w->n;
    for (int i = 0; i < w->n_nodes; i++) {
        const struct route_node *n = &w->nodes[i];
        const float facts[] = { (float)n->distance, n->link_bytes_s, n->idle_w, n->usd_per_kwh };
        h = mix(mix(h, row_hash(n->name, sizeof(n->name))), row_hash(facts, sizeof(facts)));
    }
    for (int i = 0; i < w->n; i++)
        h = mix(h, row_hash(&w->list[i], offsetof(struct candidate, is_up)));
    return h;
}
