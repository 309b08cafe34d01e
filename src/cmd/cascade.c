/* cmd/cascade.c - `tutti cascade run FILE`, `tutti cascade check FILE`. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/sense.h"
#include "cmd/cascade_ids.h"
#include "cmd/cascade_nodes.h"
#include "cmd/cascade_voice.h"
#include "cmd/catalog_open.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/out.h"
#include "pipeline/cascade_graph.h"
#include "pipeline/event_json.h"
#include "pipeline/sink.h"

enum { DRAIN_MS = 5000, JSON_BYTES_MAX = 1 << 20 };

struct session { /* what both subcommands open */
    struct cmd_expert_env env;
    struct cascade_known *known;
    struct cascade_ids ids;
    struct cascade_cards *cards;
    struct cascade_nodes *nodes;
    struct cascade_world world;
    struct cascade *c;
    struct sense *sense; /* a meter of energy; NULL: none */
};

static double meter(void *sense)
{
    sense_tick(sense);
    return sense_joules(sense);
}

static struct cluster *others(void *nodes)
{
    struct err err = { 0 };
    struct cluster *c = cascade_nodes_cluster(nodes, &err);
    if (!c && err.code != ERR_NONE)
        log_warn("%s", err.text);
    return c;
}

static bool session_open(struct session *s, const char *file, struct cmd_opt *opts, bool needs_machine, struct err *err)
{
    memset(s, 0, sizeof(*s));
    cmd_expert_env(&s->env, cmd_opt_find(opts, "models")->s);
    s->env.env.llm.is_lazy = true;
    if ((needs_machine && !cmd_expert_env_machine(&s->env, NULL, 0, err)) || !(s->known = cascade_known_new(cmd_opt_find(opts, "config")->s, &s->env.env, err)))
        return false;
    s->ids = cascade_known_ids(s->known);
    if (!(s->cards = cascade_cards_new(&s->env.env, &s->ids, err)))
        return false;
    const struct cascade_nodes_env env = { .base = cascade_cards_world(s->cards), .config = cascade_known_config, .ctx = s->known, .urls = cmd_opt_find(opts, "nodes")->s,
                                           .plan = cmd_opt_find(opts, "plan")->s, .opts = opts };
    if (!(s->nodes = cascade_nodes_new(&env, err)))
        return false;
    cascade_known_set_cluster(s->known, others, s->nodes);
    s->world = cascade_nodes_world(s->nodes);
    struct err none = { 0 };
    if (needs_machine && (s->sense = sense_open("", &none)) && sense_meter(s->sense))
        s->world.joules = meter, s->world.meter = s->sense;
    return (s->c = cascade_read(file, &s->world, err)) != NULL;
}

static void session_close(struct session *s)
{
    cascade_cards_free(s->cards);
    cascade_known_free(s->known);
    cascade_nodes_free(s->nodes);
    cascade_free(s->c);
    sense_close(s->sense);
    cmd_expert_env_fini(&s->env);
}

/* ---- what people see ---- */

struct view {
    const struct cascade *c;
    struct sinks *sinks;
    bool is_json, shows_progress;
    const char *out;            /* --out */
    struct cascade_voice talk;  /* .voice NULL: it does not talk */
};

static void on_event(void *ctx, const struct cascade_event *e)
{
    struct view *v = ctx;
    sinks_put(v->sinks, e);
    if (v->talk.voice)
        voice_on_event(v->talk.voice, e);
    if (v->is_json || v->talk.voice)
        return;
    if (v->shows_progress)
        fprintf(stderr, "\r%-78s\r", "");
    printf("%8.2f s  %6.1f s  %s\n", e->start_s, e->end_s - e->start_s, e->text);
    fflush(stdout);
}

static void on_event_start(void *ctx, const struct cascade_event *e)
{
    struct view *v = ctx;
    if (v->talk.voice)
        voice_on_event_start(v->talk.voice, e);
}

static void on_tick(void *ctx, const struct cascade_figures *f)
{
    struct view *v = ctx;
    char line[160];
    int n = snprintf(line, sizeof(line), "%.0f s, %llu %s", f->stream_s, (unsigned long long)f->pieces, v->c->is_sound ? "pieces" : "frames");
    for (int k = 0; k < f->n_stages && n > 0 && n < (int)sizeof(line) - 60; k++)
        n += snprintf(line + n, sizeof(line) - (size_t)n, ", %.20s %llu", v->c->stages[k].name, (unsigned long long)f->stages[k].results);
    snprintf(line + n, sizeof(line) - (size_t)n, ", events %llu", (unsigned long long)f->events);
    if (v->shows_progress)
        fprintf(stderr, "\r%-78.78s", line);
}

/* Reasons that dropped nothing have no column. */
static bool print_stages(const struct cascade *c, const struct cascade_figures *f, FILE *to, struct err *err)
{
    struct out_column columns[OUT_COLUMNS_MAX] = { { "stage", OUT_SHRINK }, { "expert", OUT_SHRINK }, { "in", OUT_RIGHT }, { "results", OUT_RIGHT } };
    struct out_table t;
    int n = 4;
    unsigned shown = 0;
    for (int d = 0; d < CASCADE_DROP_COUNT; d++)
        for (int k = 0; k < f->n_stages; k++)
            if (f->stages[k].dropped[d] && !(shown & 1u << d)) {
                shown |= 1u << d;
                columns[n++] = (struct out_column){ cascade_drop_name((enum cascade_drop)d), OUT_RIGHT };
            }
    columns[n++] = (struct out_column){ "ms each", OUT_RIGHT };
    columns[n++] = (struct out_column){ "joules", OUT_RIGHT };
    out_table_init(&t, columns, n);
    for (int k = 0; k < f->n_stages; k++) {
        const struct cascade_stage_figures *s = &f->stages[k];
        out_row(&t);
        out_cell(&t, "%s", c->stages[k].name);
        out_cell(&t, "%s", c->stages[k].n_experts ? c->stages[k].ids[s->expert] : "(not here)");
        out_cell(&t, "%llu", (unsigned long long)s->in);
        out_cell(&t, "%llu", (unsigned long long)s->results);
        for (int d = 0; d < CASCADE_DROP_COUNT; d++)
            if (shown & 1u << d)
                out_cell(&t, "%llu", (unsigned long long)s->dropped[d]);
        out_number(&t, s->results ? s->ms / (double)s->results : NAN);
        if (isfinite(s->joules) && s->results)
            out_cell(&t, "%s%.1f", s->is_measured ? "" : "~", s->joules);
        else
            out_cell(&t, "-");
    }
    const bool good = out_table_print(&t, to, OUT_WIDTH, err);
    out_table_fini(&t);
    return good;
}

static void print_joules(struct out_table *t, double joules, bool is_measured)
{
    if (isfinite(joules))
        out_cell(t, "%s%.1f", is_measured ? "" : "~", joules);
    else
        out_cell(t, "-");
}

/* What other machines did, and what went over the network for it. */
static bool print_edges(const struct cascade *c, const struct cascade_figures *f, FILE *to, struct err *err)
{
    const struct out_column columns[] = { { "stage", OUT_SHRINK }, { "node", OUT_SHRINK }, { "pieces", OUT_RIGHT }, { "failed", OUT_RIGHT }, { "kB out", OUT_RIGHT }, { "kB in", OUT_RIGHT },
                                          { "ms each", OUT_RIGHT }, { "of it there", OUT_RIGHT }, { "joules", OUT_RIGHT } };
    struct out_table t;
    int n = 0;
    out_table_init(&t, columns, sizeof(columns) / sizeof(columns[0]));
    for (int k = 0; k < f->n_stages; k++)
        for (int i = 0; i < f->stages[k].n_edges; i++, n++) {
            const struct cascade_edge *e = &f->stages[k].edges[i];
            out_row(&t);
            out_cell(&t, "%s", c->stages[k].name);
            out_cell(&t, "%s", e->node);
            out_cell(&t, "%llu", (unsigned long long)e->jobs);
            out_cell(&t, "%llu", (unsigned long long)e->failed);
            out_cell(&t, "%.1f", (double)e->bytes_out / 1e3);
            out_cell(&t, "%.1f", (double)e->bytes_in / 1e3);
            out_number(&t, e->jobs ? e->ms / (double)e->jobs : NAN);
            out_number(&t, e->jobs ? e->there_ms / (double)e->jobs : NAN);
            print_joules(&t, e->joules, e->is_measured);
        }
    if (n > 0)
        fprintf(to, "\n");
    const bool good = n == 0 || out_table_print(&t, to, OUT_WIDTH, err);
    out_table_fini(&t);
    return good;
}

static void print_sinks(struct sinks *s, FILE *to)
{
    struct sink_figures f[CASCADE_SINKS_MAX + 1];
    const int n = sinks_get(s, f, CASCADE_SINKS_MAX + 1);
    for (int i = 0; i < n; i++)
        if (strcmp(f[i].to, "-") != 0)
            fprintf(to, "%s %s: %llu sent, %llu dropped, %llu failed, %llu retries%s%s\n", sink_kind_name(f[i].kind), f[i].to, (unsigned long long)f[i].sent,
                    (unsigned long long)f[i].dropped, (unsigned long long)f[i].failed, (unsigned long long)f[i].retries, f[i].why[0] ? ": " : "", f[i].why);
}

static void print_summary(struct view *v, const struct cascade_figures *f, struct err *err)
{
    FILE *to = v->is_json || (v->out && strcmp(v->out, "-") == 0) ? stderr : stdout;
    struct buf b;
    if (v->shows_progress)
        fprintf(stderr, "\r%-78s\r", "");
    fprintf(to, "\n%llu %s in %.1f s (%.1f s of stream), %llu event%s%s; frames take %.1f MB\n\n", (unsigned long long)f->pieces, v->c->is_sound ? "pieces" : "frames", f->wall_s, f->stream_s,
            (unsigned long long)f->events, f->events == 1 ? "" : "s", f->events_dropped ? ", others were too short or not confirmed" : "", (double)f->pool_bytes / 1e6);
    print_stages(v->c, f, to, err);
    print_edges(v->c, f, to, err);
    print_sinks(v->sinks, to);
    if (!v->is_json)
        return;
    buf_init(&b, JSON_BYTES_MAX);
    figures_put_json(&b, v->c, f);
    if (buf_ok(&b, "the summary", err))
        printf("%s\n", b.data);
    buf_fini(&b);
}

/* ---- run ---- */

static struct cascade_run *running; /* a signal handler can reach nothing else */
static volatile sig_atomic_t was_signalled;
static void on_signal(int sig)
{
    (void)sig;
    was_signalled = 1;
    cascade_run_stop(running);
}

static bool run_it(struct session *s, const char *what, const struct source_options *o, struct view *v, struct err *err)
{
    const struct cascade_hooks hooks = { .ctx = v, .on_event = on_event, .on_event_start = on_event_start, .on_tick = on_tick };
    const struct sigaction act = { .sa_handler = on_signal };
    struct source *source = NULL;
    struct cascade_figures f;
    bool good = (v->sinks = sinks_open(s->c, v->is_json, err)) && (running = cascade_run_new(s->c, &s->world, &hooks, err)) && (source = source_open(what, o, err)) &&
                (!s->c->voice || cascade_voice_open(&v->talk, s->c, &s->world, v->out, source_is_live(source), v->is_json, err));
    if (good) {
        sigaction(SIGINT, &act, NULL);
        sigaction(SIGTERM, &act, NULL);
        good = cascade_run_go(running, source, err);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        struct err unheard = { 0 };
        if (!cascade_voice_close(&v->talk, was_signalled || !good, good ? err : &unheard))
            good = false;
        sinks_close(v->sinks, DRAIN_MS);
        cascade_run_get(running, &f);
        struct err ignored = { 0 };
        print_summary(v, &f, good ? err : &ignored);
        good = good && err->code == ERR_NONE;
    }
    source_close(source);
    cascade_run_free(running);
    sinks_free(v->sinks);
    return good;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct session s;
    struct err err = { 0 };
    struct view v = { .is_json = cmd_opt_find(opts, "json")->given, .shows_progress = isatty(STDERR_FILENO) };
    (void)argc;
    bool good = session_open(&s, argv[0], opts, true, &err);
    if (good) {
        const char *what = cmd_opt_find(opts, "source")->given ? cmd_opt_find(opts, "source")->s : s.c->source;
        const double fps = cmd_opt_find(opts, "fps")->given ? cmd_opt_find(opts, "fps")->f : s.c->fps;
        const struct source_options o = { .fps = fps, .max_w = s.c->max_w, .max_h = s.c->max_h, .is_sound = s.c->is_sound, .is_paced = cmd_opt_find(opts, "paced")->given,
                                          .is_live = cmd_opt_find(opts, "live")->given };
        v.c = s.c;
        v.out = cmd_opt_find(opts, "out")->s;
        if (v.out && !s.c->voice)
            good = err_set(&err, ERR_INPUT, "--out: %s has no `voice`, it says nothing", argv[0]);
        good = !good ? false : what ? run_it(&s, what, &o, &v, &err) : err_set(&err, ERR_INPUT, "%s: neither it nor --source says where the stream comes from", argv[0]);
    }
    session_close(&s);
    return good ? 0 : cmd_fail(&err);
}

/* ---- check ---- */

enum { WHY_MAX = 400 };

static bool print_plan(const struct session *s, struct err *err)
{
    const struct cascade *c = s->c;
    struct out_table t;
    out_table_init(&t, (const struct out_column[]){ { "stage", 0 }, { "task", 0 }, { "expert", OUT_SHRINK }, { "where", 0 }, { "after", OUT_SHRINK }, { "queue", OUT_RIGHT }, { "full", 0 }, { "rate", OUT_RIGHT } }, 8);
    for (int k = 0; k < c->n_stages; k++) {
        const struct cascade_stage *p = &c->stages[k];
        char after[200] = "", where[MEMBER_NAME_MAX] = "-", why[WHY_MAX];
        if (p->n_experts > 0)
            cascade_nodes_where(s->nodes, c, k, 0, where, sizeof(where), why, sizeof(why));
        for (int i = 0; i < k; i++)
            if (p->after & 1u << i)
                snprintf(after + strlen(after), sizeof(after) - strlen(after), "%s%.60s", after[0] ? ", " : "", c->stages[i].name);
        out_row(&t);
        out_cell(&t, "%s", p->name);
        out_cell(&t, "%s", expert_task_name(p->task));
        out_cell(&t, "%s%s%s", p->n_experts ? p->ids[0] : "(not here)", p->n_experts > 1 ? ", else " : "", p->n_experts > 1 ? p->ids[1] : "");
        out_cell(&t, "%s", where);
        out_cell(&t, "%s", after[0] ? after : p->each_event ? "event" : "source");
        out_cell(&t, "%d", p->queue);
        out_cell(&t, "%s", p->has_policy ? cascade_policy_name(p->policy) : "wait/oldest");
        if (p->rate > 0)
            out_cell(&t, "%.3g/s", p->rate);
        else
            out_cell(&t, "-");
    }
    const bool good = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    return good;
}

/* What a run would do without: said, and no mistake of the file. */
static void print_missing(const struct session *s)
{
    for (int k = 0; k < s->c->n_stages; k++) {
        const struct cascade_stage *p = &s->c->stages[k];
        if (p->n_experts == 0)
            printf("missing: %s: nobody who can is here; the stage is passed over\n", p->name);
        for (int i = 0; i < p->n_experts; i++) {
            struct err err = { 0 };
            char where[MEMBER_NAME_MAX], why[WHY_MAX];
            const bool is_there = cascade_nodes_where(s->nodes, s->c, k, i, where, sizeof(where), why, sizeof(why));
            if (!is_there)
                printf("missing: %s: %s on %s: %s\n", p->name, p->ids[i], where, why);
            else if (strcmp(where, "here") != 0 || why[0])
                printf("there: %s: %s on %s: %s\n", p->name, p->ids[i], where, why);
            if (is_there && strcmp(where, "here") == 0 && !cascade_cards_have(s->cards, s->c, k, i, &err))
                printf("missing: %s: %s\n", p->name, err.text);
        }
    }
}

static int check(int argc, char **argv, struct cmd_opt *opts)
{
    struct session s;
    struct err err = { 0 };
    struct buf b;
    const char *svg = cmd_opt_find(opts, "svg")->s;
    (void)argc;
    buf_init(&b, JSON_BYTES_MAX);
    bool good = session_open(&s, argv[0], opts, false, &err);
    struct voice_plan plan;
    good = good && sinks_check(s.c, &err) && (!s.c->voice || voice_plan_read(s.c, &s.world, &plan, &err));
    if (good && svg) {
        cascade_graph_svg(&b, s.c);
        good = buf_ok(&b, "the picture", &err) && file_write(svg, b.data, b.len, &err);
    }
    if (good && cmd_opt_find(opts, "json")->given) {
        buf_clear(&b);
        cascade_graph_json(&b, s.c);
        good = buf_ok(&b, "the plan", &err);
        if (good)
            printf("%s\n", b.data);
    } else if (good && (good = print_plan(&s, &err))) {
        printf("%s: %d stage%s, %s, %d sink%s: good\n", argv[0], s.c->n_stages, s.c->n_stages == 1 ? "" : "s", s.c->events.when ? "events" : "no events", s.c->n_sinks,
               s.c->n_sinks == 1 ? "" : "s");
        print_missing(&s);
    }
    buf_fini(&b);
    session_close(&s);
    return good ? 0 : cmd_fail(&err);
}

static struct cmd_opt run_opts[] = {
    { .name = "source", .kind = OPT_TEXT, .value = "WHAT", .help = "a video, a folder of pictures, a sound, rtsp://..., /dev/videoN, mic, - (stdin); default: the file's `source`" },
    { .name = "fps", .kind = OPT_FLOAT, .value = "N", .min = 0.001, .max = 1000, .help = "frames a second (10 of a video, 2 of JPEG pictures one after another, 1 of a folder)" },
    { .name = "live", .kind = OPT_FLAG, .help = "what comes from stdin is live: times by the clock, what is too much is dropped" },
    { .name = "paced", .kind = OPT_FLAG, .help = "a file at the speed of life, as if it were live" },
    { .name = "out", .kind = OPT_TEXT, .value = "FILE.wav", .help = "where a voice speaks: a WAV file, - (stdout), speaker[:DEVICE] (what it is for live sources)" },
    { .name = "json", .kind = OPT_FLAG, .help = "events as JSON lines, the accounting as the last line (docs/cascade.md)" },
    { .name = "config", .kind = OPT_TEXT, .value = "FILE", .help = "tutti.yaml whose experts can be named by id" },
    { .name = "models", .kind = OPT_TEXT, .value = "DIR", .help = "where cards look for their files first (TUTTI_MODELS)" },
    { .name = "nodes", .kind = OPT_TEXT, .value = "URL,...", .help = "other nodes, whose experts can be named (detector@jetson); default: those of tutti.yaml" },
    { .name = "plan", .kind = OPT_TEXT, .value = "INVENTORY", .help = "experts that this inventory wants are where `tutti cluster plan` puts them" },
    CMD_OPT_CATALOG,
    { 0 },
};
static struct cmd_opt check_opts[] = {
    { .name = "svg", .kind = OPT_TEXT, .value = "FILE", .help = "draw it" },
    { .name = "json", .kind = OPT_FLAG, .help = "the plan as JSON" },
    { .name = "config", .kind = OPT_TEXT, .value = "FILE", .help = "tutti.yaml whose experts can be named by id" },
    { .name = "models", .kind = OPT_TEXT, .value = "DIR", .help = "where cards look for their files first (TUTTI_MODELS)" },
    { .name = "nodes", .kind = OPT_TEXT, .value = "URL,...", .help = "other nodes, whose experts can be named (detector@jetson); default: those of tutti.yaml" },
    { .name = "plan", .kind = OPT_TEXT, .value = "INVENTORY", .help = "experts that this inventory wants are where `tutti cluster plan` puts them" },
    CMD_OPT_CATALOG,
    { 0 },
};

const struct cmd cmd_cascade_run = {
    .name = "cascade run",
    .args = "FILE",
    .min_args = 1,
    .max_args = 1,
    .help = "look at a stream with experts of growing cost, gate by gate",
    .more = "\nFILE says the stages, their gates, what an event is and where events go\n"
            "(docs/cascade.md; examples/cascades/). Ctrl-C works off what runs and prints the\n"
            "accounting: for each stage, in = results + drops by reason. A second one cancels.\n",
    .opts = run_opts,
    .run = run,
};
const struct cmd cmd_cascade_check = {
    .name = "cascade check",
    .args = "FILE",
    .min_args = 1,
    .max_args = 1,
    .help = "what is wrong with a cascade's file; starts nothing",
    .opts = check_opts,
    .run = check,
};
