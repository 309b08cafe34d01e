/* cmd/route_replay.c - `tutti route replay`: past decisions again, by another policy: what would have gone elsewhere, and what that would take.
 *
 * Rule:    nothing is inferred.  What was chosen then is told by what came of it where that is known; what would be chosen now by its
 *          prediction, stretched as the answer of then was (an answer that took twice what was predicted takes twice here too).
 *          Start at replay_one().
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/out.h"
#include "cmd/save_chart.h"
#include "route/bandit.h"
#include "route/journal.h"
#include "route/policy_yaml.h"
#include "route/predict.h"

enum { JSON_BYTES_MAX = 4 << 20, MOVES_MAX = 4096, MOVES_SHOWN = 15, CURVE_POINTS = 200, NAME_MAX_BYTES = ROUTE_NAME_MAX + 64 + 4 };

struct move { /* from one expert to another; "": nobody */
    char from[NAME_MAX_BYTES], to[NAME_MAX_BYTES];
    uint64_t n;
};

struct side { /* before, or after */
    float *total_s;  /* [n_latencies] */
    size_t n_latencies, room;
    double joules, usd, p_good; /* sums */
    uint64_t n_nobody, n_known; /* n_known: told by an outcome, not by a prediction */
};

struct replay {
    const struct policy *policy;
    struct predictor *predictor;
    struct bandit *bandit;
    struct route_decision again;
    struct side before, after;
    struct move *moves;  /* [MOVES_MAX] */
    int n_moves;
    uint64_t n, n_changed, n_joules, n_usd, n_both;
    int64_t first_s, last_s;
    bool is_out_of_memory;
};

/* ---- one decision ---- */

static void name_of(const struct journal_entry *e, int i, char out[static NAME_MAX_BYTES])
{
    if (i < 0)
        snprintf(out, NAME_MAX_BYTES, "nobody");
    else
        snprintf(out, NAME_MAX_BYTES, "%s on %s", e->world.list[i].expert, e->world.nodes[e->world.list[i].node].name);
}

static void add_move(struct replay *r, const struct journal_entry *e, int was, int is)
{
    char from[NAME_MAX_BYTES], to[NAME_MAX_BYTES];
    name_of(e, was, from), name_of(e, is, to);
    for (int i = 0; i < r->n_moves; i++)
        if (strcmp(r->moves[i].from, from) == 0 && strcmp(r->moves[i].to, to) == 0) {
            r->moves[i].n++;
            return;
        }
    if (r->n_moves == MOVES_MAX)
        return;
    struct move *m = &r->moves[r->n_moves++];
    memcpy(m->from, from, sizeof(from)), memcpy(m->to, to, sizeof(to));
    m->n = 1;
}

static bool add_latency(struct side *s, float total_s)
{
    if (s->n_latencies == s->room) {
        const size_t room = s->room ? s->room * 2 : 1024;
        float *more = realloc(s->total_s, room * sizeof(*more));
        if (!more)
            return false;
        s->total_s = more, s->room = room;
    }
    s->total_s[s->n_latencies++] = total_s;
    return true;
}

/* How far off a prediction was; 1 where that is not known. */
static float stretch(float seen, float predicted)
{
    const float f = seen / predicted;
    return f > 0 && f <= 1e6f ? fmaxf(1.f / 16, fminf(16, f)) : 1; /* NAN: 1 */
}

struct take { /* what a request takes */
    float total_s, joules, usd;
};
static struct take scaled(const struct route_guess *g, struct take f) { return (struct take){ g->total_s * f.total_s, g->joules * f.joules, g->usd * f.usd }; }

/* What came of the one that was chosen then; false: not known, or another one answered. */
static bool seen(const struct journal_entry *e, int was, struct take *out, struct take *stretched)
{
    const struct journal_outcome *o = journal_last(e);
    const int who = o ? journal_candidate_of(e, o->slot) : -1;
    *stretched = (struct take){ 1, 1, 1 };
    if (who < 0 || o->end != JOURNAL_DONE || isnan(o->total_s))
        return false;
    const struct route_guess *g = &e->decision.verdicts[who].guess;
    *stretched = (struct take){ stretch(o->total_s, g->total_s), stretch(o->joules, g->joules), stretch(o->usd, g->usd) };
    *out = (struct take){ o->total_s, isnan(o->joules) ? g->joules : o->joules, isnan(o->usd) ? g->usd : o->usd };
    return who == was;
}

static bool replay_one(void *ctx, const struct journal_entry *e)
{
    struct replay *r = ctx;
    const struct route_decision *d = &e->decision;
    struct take before, after, stretched;
    uint64_t tried[ROUTE_CANDIDATES_MAX / 64];
    for (int i = 0; i < e->world.n; i++) {
        predictor_recall(r->predictor, e->world.list[i].slot, &d->verdicts[i].guess);
        bandit_recall(r->bandit, e->world.list[i].slot, d->verdicts[i].gain);
    }
    journal_tried(e, tried);
    policy_decide(r->policy, r->predictor, r->bandit, &e->request, &e->world, tried, &r->again);
    const int was = d->n_able ? d->order[0] : -1, is = r->again.n_able ? r->again.order[0] : -1;
    r->first_s = r->n ? r->first_s : e->time_s, r->last_s = e->time_s;
    r->n++;
    r->before.n_nobody += was < 0, r->after.n_nobody += is < 0;
    if (was != is) {
        r->n_changed++;
        add_move(r, e, was, is);
    }
    if (was < 0 || is < 0)
        return true;
    const bool is_known = seen(e, was, &before, &stretched);
    if (!is_known)
        before = scaled(&d->verdicts[was].guess, stretched);
    after = was == is ? before : scaled(&r->again.verdicts[is].guess, stretched);
    r->before.n_known += is_known, r->after.n_known += is_known && was == is;
    r->n_both++;
    r->before.p_good += (double)d->verdicts[was].guess.p_good, r->after.p_good += (double)r->again.verdicts[is].guess.p_good;
    if (!isnan(before.joules) && !isnan(after.joules))
        r->n_joules++, r->before.joules += (double)before.joules, r->after.joules += (double)after.joules;
    if (!isnan(before.usd) && !isnan(after.usd))
        r->n_usd++, r->before.usd += (double)before.usd, r->after.usd += (double)after.usd;
    r->is_out_of_memory = !add_latency(&r->before, before.total_s) || !add_latency(&r->after, after.total_s);
    return !r->is_out_of_memory;
}

/* ---- what it comes to ---- */

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}
static int compare_moves(const void *a, const void *b)
{
    const struct move *x = a, *y = b;
    const int from = strcmp(x->from, y->from);
    return x->n != y->n ? x->n < y->n ? 1 : -1 : from ? from : strcmp(x->to, y->to);
}
static double percentile(const struct side *s, int of_100) { return s->n_latencies ? (double)s->total_s[(s->n_latencies - 1) * (size_t)of_100 / 100] : (double)NAN; }

static const struct {
    const char *words, *field;
    int kind; /* of 100: a percentile of the latency */
} figures[] = { { "half are done within, s", "latency_p50_s", 50 }, { "95 of 100 are done within, s", "latency_p95_s", 95 }, { "energy, J", "joules", -1 },
                { "cost, USD", "usd", -2 },                         { "answers that will do, %", "p_good", -3 } };
enum { N_FIGURES = sizeof(figures) / sizeof(figures[0]) };

static double figure(const struct replay *r, const struct side *s, int i)
{
    switch (figures[i].kind) {
    case -1: return r->n_joules ? s->joules : (double)NAN;
    case -2: return r->n_usd ? s->usd : (double)NAN;
    case -3: return r->n_both ? s->p_good / (double)r->n_both : (double)NAN;
    default: return percentile(s, figures[i].kind);
    }
}

static bool print_figures(const struct replay *r, struct err *err)
{
    struct out_table t;
    char text[32];
    out_table_init(&t, (const struct out_column[]){ { "", OUT_LEFT }, { "as it was", OUT_RIGHT }, { "estimate", OUT_RIGHT }, { "change", OUT_RIGHT } }, 4);
    for (int i = 0; i < N_FIGURES; i++) {
        const double unit = figures[i].kind == -3 ? 100 : 1, a = unit * figure(r, &r->before, i), b = unit * figure(r, &r->after, i);
        out_row(&t);
        out_cell(&t, "%s", figures[i].words);
        out_cell(&t, "%s", out_format_number(text, a)), out_cell(&t, "%s", out_format_number(text, b));
        if (figures[i].kind == -3 && isfinite(b - a))
            out_cell(&t, "%+.1f", b - a);
        else
            out_cell(&t, isfinite(b / a) ? "%+.0f %%" : "-", 100 * (b / a - 1));
    }
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    return ok;
}

static bool print_moves(const struct replay *r, struct err *err)
{
    struct out_table t;
    out_table_init(&t, (const struct out_column[]){ { "requests", OUT_RIGHT }, { "went to", OUT_SHRINK }, { "would go to", OUT_SHRINK } }, 3);
    for (int i = 0; i < r->n_moves && i < MOVES_SHOWN; i++) {
        out_row(&t);
        out_cell(&t, "%llu", (unsigned long long)r->moves[i].n), out_cell(&t, "%s", r->moves[i].from), out_cell(&t, "%s", r->moves[i].to);
    }
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    if (r->n_moves > MOVES_SHOWN)
        printf("and %d more pairs: --json\n", r->n_moves - MOVES_SHOWN);
    return ok;
}

static bool print_text(const struct replay *r, const char *policy, uint64_t n_unreadable, double took_s, struct err *err)
{
    char from[32] = "?", to[32] = "?", line[400];
    struct tm tm;
    const time_t first = (time_t)r->first_s, last = (time_t)r->last_s;
    if (n_unreadable)
        printf("%llu decisions cannot be read and are left out\n", (unsigned long long)n_unreadable);
    if (!r->n) {
        printf("no decisions are kept of that time\n");
        return true;
    }
    if (localtime_r(&first, &tm))
        strftime(from, sizeof(from), "%Y-%m-%d %H:%M", &tm);
    if (localtime_r(&last, &tm))
        strftime(to, sizeof(to), "%Y-%m-%d %H:%M", &tm);
    snprintf(line, sizeof(line), "%llu decisions from %s to %s, again by %.200s", (unsigned long long)r->n, from, to, policy ? policy : "the default policy");
    out_wrap(stdout, 0, OUT_WIDTH, line);
    printf("%llu (%.0f %%) would go elsewhere\n\n", (unsigned long long)r->n_changed, 100 * (double)r->n_changed / (double)r->n);
    if (!print_figures(r, err))
        return false;
    printf("\n");
    snprintf(line, sizeof(line), "What was: %llu of %llu by what came of them, the others predicted.  What would be is an estimate: predictions, stretched as the answers of then were.",
             (unsigned long long)r->before.n_known, (unsigned long long)r->n_both);
    out_wrap(stdout, 0, OUT_WIDTH, line);
    if (r->before.n_nobody || r->after.n_nobody)
        printf("Nobody could: %llu then, %llu now.\n", (unsigned long long)r->before.n_nobody, (unsigned long long)r->after.n_nobody);
    if (r->n_joules < r->n_both || r->n_usd < r->n_both)
        printf("Energy is known of %llu, cost of %llu of %llu (on both sides).\n", (unsigned long long)r->n_joules, (unsigned long long)r->n_usd, (unsigned long long)r->n_both);
    if (r->n_moves) {
        printf("\n");
        if (!print_moves(r, err))
            return false;
    }
    printf("\n%.0f decisions a second\n", (double)r->n / fmax(took_s, 1e-6));
    return true;
}

static void put_number(struct buf *b, const char *name, double v) { buf_printf(b, isfinite(v) ? ",\"%s\":%.9g" : ",\"%s\":null", name, v); }

static bool print_json(const struct replay *r, const char *policy, uint64_t n_unreadable, double took_s, struct err *err)
{
    struct buf b;
    const struct side *sides[] = { &r->before, &r->after };
    buf_init(&b, JSON_BYTES_MAX);
    buf_puts(&b, "{\"policy\":");
    if (policy)
        buf_put_json_text(&b, policy);
    else
        buf_puts(&b, "null");
    buf_printf(&b, ",\"n\":%llu,\"unreadable\":%llu,\"first\":%lld,\"last\":%lld,\"changed\":%llu", (unsigned long long)r->n, (unsigned long long)n_unreadable,
               (long long)r->first_s, (long long)r->last_s, (unsigned long long)r->n_changed);
    put_number(&b, "changed_frac", r->n ? (double)r->n_changed / (double)r->n : (double)NAN);
    for (int k = 0; k < 2; k++) {
        buf_printf(&b, ",\"%s\":{\"is_estimate\":%s,\"known\":%llu,\"nobody\":%llu", k ? "after" : "before", k || sides[k]->n_known < r->n_both ? "true" : "false",
                   (unsigned long long)sides[k]->n_known, (unsigned long long)sides[k]->n_nobody);
        for (int i = 0; i < N_FIGURES; i++)
            put_number(&b, figures[i].field, figure(r, sides[k], i));
        buf_putc(&b, '}');
    }
    buf_printf(&b, ",\"n_joules\":%llu,\"n_usd\":%llu", (unsigned long long)r->n_joules, (unsigned long long)r->n_usd);
    put_number(&b, "decisions_per_s", (double)r->n / fmax(took_s, 1e-6));
    buf_puts(&b, ",\"moves\":[");
    for (int i = 0; i < r->n_moves; i++) {
        buf_puts(&b, i ? ",{\"from\":" : "{\"from\":");
        buf_put_json_text(&b, r->moves[i].from), buf_puts(&b, ",\"to\":"), buf_put_json_text(&b, r->moves[i].to);
        buf_printf(&b, ",\"n\":%llu}", (unsigned long long)r->moves[i].n);
    }
    buf_puts(&b, "]}");
    const bool ok = buf_ok(&b, "route replay", err);
    if (ok)
        printf("%s\n", b.data);
    buf_fini(&b);
    return ok;
}

/* Share of requests that are done within x seconds, then and now. */
static bool draw(const struct replay *r, const char *path, struct err *err)
{
    struct chart_point points[2][CURVE_POINTS];
    const struct side *sides[] = { &r->before, &r->after };
    memset(points, 0, sizeof(points));
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < CURVE_POINTS; i++) {
            points[k][i].x = sides[k]->n_latencies ? (double)sides[k]->total_s[(sides[k]->n_latencies - 1) * (size_t)i / (CURVE_POINTS - 1)] : (double)NAN;
            points[k][i].y = 100.0 * i / (CURVE_POINTS - 1);
        }
    const struct chart_series series[] = { { .name = "as it was", .points = points[0], .n = CURVE_POINTS, .has_line = true },
                                           { .name = "by the other policy (estimate)", .points = points[1], .n = CURVE_POINTS, .has_line = true, .is_dashed = true } };
    const struct chart c = { .title = "Requests done within a time", .x = { .label = "seconds", .is_log = true }, .y = { .label = "done, %" }, .series = series, .n_series = 2 };
    return save_chart(&c, path, err);
}

/* ---- the command ---- */

/* "7d", "12h", "90m", "30s": so long ago; "2026-11-20": local midnight.  false with err. */
static bool read_moment(const char *option, const char *text, int64_t now_s, int64_t *out, struct err *err)
{
    static const struct {
        char unit;
        int64_t s;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 7 * 86400 } };
    struct tm tm = { .tm_isdst = -1 };
    char *end, rest;
    const double n = strtod(text, &end);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (end != text && end[0] == units[i].unit && !end[1] && n >= 0 && n < 1e6) {
            *out = now_s - (int64_t)(n * (double)units[i].s);
            return true;
        }
    if (sscanf(text, "%4d-%2d-%2d%c", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &rest) == 3 && tm.tm_mon >= 1 && tm.tm_mon <= 12 && tm.tm_mday >= 1 && tm.tm_mday <= 31) {
        tm.tm_year -= 1900, tm.tm_mon -= 1;
        *out = (int64_t)mktime(&tm);
        return true;
    }
    return err_set(err, ERR_INPUT, "%s %.40s: neither a time ago (7d, 12h, 90m) nor a day (2026-11-20)", option, text);
}

static bool replay(const char *journal, const struct journal_query *q, const struct cmd_opt *policy, const char *svg, bool is_json, struct err *err)
{
    uint64_t n_unreadable = 0;
    struct replay *r = calloc(1, sizeof(*r));
    struct policy *p = policy->s ? policy_read(policy->s, err) : policy_new(err);
    struct journal_reader *reader = p ? journal_reader_open(journal, err) : NULL;
    bool ok = reader != NULL;
    if (ok && (!r || !(r->predictor = predictor_new(err)) || !(r->bandit = bandit_new(0, 0, err)) || !(r->moves = calloc(MOVES_MAX, sizeof(*r->moves)))))
        ok = err_set(err, ERR_NOMEM, "route replay: out of memory");
    if (ok) {
        const uint64_t begin_ns = clock_ns();
        r->policy = p;
        ok = journal_each(reader, q, replay_one, r, &n_unreadable, err);
        const double took_s = (double)(clock_ns() - begin_ns) / 1e9;
        if (ok && r->is_out_of_memory)
            ok = err_set(err, ERR_NOMEM, "route replay: out of memory");
        if (ok && r->n_both) {
            qsort(r->before.total_s, r->before.n_latencies, sizeof(float), compare_floats);
            qsort(r->after.total_s, r->after.n_latencies, sizeof(float), compare_floats);
        }
        if (ok)
            qsort(r->moves, (size_t)r->n_moves, sizeof(*r->moves), compare_moves);
        ok = ok && (is_json ? print_json(r, policy->s, n_unreadable, took_s, err) : print_text(r, policy->s, n_unreadable, took_s, err));
        if (ok && svg)
            ok = r->n_both ? draw(r, svg, err) : err_set(err, ERR_INPUT, "--svg: no decisions to draw");
    }
    journal_reader_close(reader);
    policy_free(p);
    if (r) {
        predictor_free(r->predictor);
        bandit_free(r->bandit);
        free(r->before.total_s), free(r->after.total_s), free(r->moves);
    }
    free(r);
    return ok;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct err err = { 0 };
    struct journal_query q = { 0 };
    char path[1024];
    const char *journal = cmd_opt_find(opts, "journal")->s, *until = cmd_opt_find(opts, "until")->s, *since = cmd_opt_find(opts, "since")->s;
    const int64_t now_s = (int64_t)time(NULL);
    (void)argc, (void)argv;
    if (!read_moment("--since", since ? since : "7d", now_s, &q.since_s, &err) || (until && !read_moment("--until", until, now_s, &q.until_s, &err))) {
        cmd_fail(&err);
        return 2;
    }
    if (!journal && !journal_path(getenv("XDG_STATE_HOME"), getenv("HOME"), path, sizeof(path))) {
        err_set(&err, ERR_INPUT, "route replay: neither XDG_STATE_HOME nor HOME is set, and no --journal is given");
        return cmd_fail(&err);
    }
    const bool ok = replay(journal ? journal : path, &q, cmd_opt_find(opts, "policy"), cmd_opt_find(opts, "svg")->s, cmd_opt_find(opts, "json")->given, &err);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "policy", .kind = OPT_TEXT, .value = "FILE", .help = "decide by this one (docs/routing.md); the default policy" },
    { .name = "since", .kind = OPT_TEXT, .value = "WHEN", .help = "from 7d, 12h, 90m ago or from a day (2026-11-20); 7d" },
    { .name = "until", .kind = OPT_TEXT, .value = "WHEN", .help = "up to then; now" },
    { .name = "journal", .kind = OPT_TEXT, .value = "FILE", .help = "the journal; $XDG_STATE_HOME/tutti/route.db or ~/.local/state/tutti/route.db" },
    { .name = "json", .kind = OPT_FLAG, .help = "one JSON object" },
    { .name = "svg", .kind = OPT_TEXT, .value = "FILE", .help = "draw how many requests are done within a time, then and now" },
    { 0 },
};
const struct cmd cmd_route_replay = {
    .name = "route replay",
    .args = "",
    .help = "past decisions again, by another policy",
    .more = "Runs no model: what would change in latency, energy, money and quality is\nestimated from predictions and from what came of the decisions then.\n",
    .opts = opts,
    .run = run,
};
