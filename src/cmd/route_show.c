/* cmd/route_show.c - see route_show.h. */
#include "cmd/route_show.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/out.h"
#include "expert/job.h"
#include "route/rules.h"

enum { FEW = 8, INTENTS_SHOWN = 3 };

static bool is_able(const struct route_verdict *v) { return v->rule == ROUTE_RULE_NONE || v->is_forgiven; }

static const struct {
    uint32_t bit;
    const char *word;
} media[] = { { MEDIUM_PICTURE, "picture" }, { MEDIUM_SOUND, "sound" }, { MEDIUM_VIDEO, "video" }, { MEDIUM_PDF, "pdf" }, { MEDIUM_UNKNOWN, "unknown" } },
  secrets[] = { { SECRET_KEY, "key" }, { SECRET_PASSWORD, "password" }, { SECRET_CARD, "card" }, { SECRET_IBAN, "iban" }, { SECRET_EMAIL, "email" },
                { SECRET_PHONE, "phone" }, { SECRET_ID, "id" } };
enum { N_MEDIA = sizeof(media) / sizeof(media[0]), N_SECRETS = sizeof(secrets) / sizeof(secrets[0]) };

/* Intents by falling probability. */
static int ranked(const struct intent_answer *in, enum intent order[INTENT_COUNT])
{
    for (int i = 0; i < INTENT_COUNT; i++) {
        int at = i;
        for (; at > 0 && in->p[order[at - 1]] < in->p[i]; at--)
            order[at] = order[at - 1];
        order[at] = (enum intent)i;
    }
    return INTENT_COUNT;
}

/* ---- for people ---- */

static const char *seconds(char text[24], float s)
{
    if (isnan(s))
        snprintf(text, 24, "-");
    else if (s < 1)
        snprintf(text, 24, "%.*f ms", s < .01f ? 1 : 0, (double)s * 1e3);
    else
        snprintf(text, 24, s < 100 ? "%.1f s" : "%.0f s", (double)s);
    return text;
}

static void show_request(const struct route_shown *s, bool explain)
{
    const struct route_request *rq = s->rq;
    const struct features *f = rq->features;
    struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b, "%s, %s: %" PRIu64 " tokens", expert_task_name(rq->task), route_goal_name(rq->goal), rq->prompt_tok);
    if (rq->gen_tok)
        buf_printf(&b, " and some %" PRIu64 " to come", rq->gen_tok);
    if (f) {
        for (int i = 0; i < N_MEDIA; i++)
            if (f->media & media[i].bit)
                buf_printf(&b, "; %s", media[i].word);
        if (f->n_words)
            buf_printf(&b, "; language %s", f->language.code[0] ? f->language.code : "unknown");
        if (explain) {
#define X(field, json, people) \
    if (f->field)              \
        buf_printf(&b, "; %d " people "%s", f->field, f->field > 1 ? "s" : "");
            FEATURE_COUNTS(X)
#undef X
        }
        if (f->code != CODE_NONE)
            buf_printf(&b, "; %.0f %% %s", (double)f->code_frac * 100, features_code_name(f->code));
#define X(field, json, people)       \
    if (f->field && sizeof(people) > 1) \
        buf_puts(&b, "; " people);
        FEATURE_FLAGS(X)
#undef X
        for (int i = 0; i < N_SECRETS; i++)
            if (f->secrets & secrets[i].bit)
                buf_printf(&b, "; holds a secret: %s", secrets[i].word);
    }
    if (rq->intent) {
        enum intent order[INTENT_COUNT];
        ranked(rq->intent, order);
        buf_puts(&b, "\nintent");
        for (int i = 0; i < (explain ? INTENT_COUNT : INTENTS_SHOWN); i++)
            buf_printf(&b, "%s %s %.0f %%", i ? "," : "", intent_name(order[i]), (double)rq->intent->p[order[i]] * 100);
        if (!s->d->is_difficult && rq->intent->difficulty > s->d->difficulty_cut)
            buf_puts(&b, "; too few words to tell how difficult");
        else
            buf_printf(&b, "; difficulty %.2f (%sdifficult: from %.2f)", (double)rq->intent->difficulty, s->d->is_difficult ? "" : "not ", (double)s->d->difficulty_cut);
        if (rq->intent->degrade_ok)
            buf_puts(&b, "; a small model will do");
    }
    if (s->d->early >= 0)
        buf_printf(&b, "\nearly exit \"%s\": %s", route_early_name(s->d->early), route_early_what(s->d->early));
    if (!isnan(s->decide_us))
        buf_printf(&b, "\ndecided in %.1f us among %d", s->decide_us, s->d->n);
    for (char *line = b.failed ? NULL : b.data, *end; line; line = end ? end + 1 : NULL) {
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        out_wrap(stdout, 0, OUT_WIDTH, line);
    }
    buf_fini(&b);
}

/* The able by rank, then, to explain, the others with the rule that excludes them. */
static bool show_candidates(const struct route_shown *s, int n, bool explain, struct err *err)
{
    struct out_table t;
    char text[24];
    out_table_init(&t, (const struct out_column[]){ { "", OUT_RIGHT }, { "expert", OUT_SHRINK }, { "node", OUT_SHRINK }, { "first", OUT_RIGHT }, { "total", OUT_RIGHT }, { "J", OUT_RIGHT },
                                                    { "USD", OUT_RIGHT }, { "good", OUT_RIGHT }, { "score", OUT_RIGHT } }, 9);
    const int n_more = explain ? s->d->n : 0;
    for (int k = 0; k < n + n_more; k++) {
        const int i = k < n ? s->d->order[k] : k - n;
        const struct candidate *c = &s->world->list[i];
        const struct route_verdict *v = &s->d->verdicts[i];
        if (k >= n && is_able(v))
            continue;
        out_row(&t);
        if (k == 0 && n)
            out_row_style(&t, OUT_BOLD);
        char rank[12] = "";
        if (k < n)
            snprintf(rank, sizeof(rank), "%d", k + 1);
        out_cell(&t, "%s", rank), out_cell(&t, "%s", c->expert), out_cell(&t, "%s", s->world->nodes[c->node].name);
        if (v->rule == ROUTE_RULE_TASK) { /* what it would take for something else tells nothing */
            out_cell(&t, "-"), out_cell(&t, "-"), out_cell(&t, "-"), out_cell(&t, "-"), out_cell(&t, "-"), out_cell(&t, "%s", route_rule_name(v->rule));
            continue;
        }
        out_cell(&t, "%s", seconds(text, v->guess.ttft_s)), out_cell(&t, "%s", seconds(text, v->guess.total_s));
        out_number(&t, (double)v->guess.joules);
        out_cell(&t, isnan(v->guess.usd) ? "-" : v->guess.usd < .0095f ? "%.1e" : "%.2f", (double)v->guess.usd);
        out_cell(&t, "%.0f %%", (double)v->guess.p_good * 100);
        if (k < n)
            out_cell(&t, "%.3f s", (double)v->score_us / 1e6);
        else
            out_cell(&t, "%s", route_rule_name(v->rule));
    }
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    return ok;
}

/* "first 9,123 + rest 760,231 = 769,354 us": exactly. */
static void show_terms(const struct route_shown *s, int i)
{
    const struct candidate *c = &s->world->list[i];
    const struct route_verdict *v = &s->d->verdicts[i];
    struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b, "%s on %s:", c->expert, s->world->nodes[c->node].name);
    bool some = false;
    for (int t = 0; t < ROUTE_TERM_COUNT; t++)
        if (v->term_us[t]) {
            buf_printf(&b, "%s %s %" PRId64, v->term_us[t] < 0 ? " -" : some ? " +" : "", route_term_name((enum route_term)t), v->term_us[t] < 0 ? -v->term_us[t] : v->term_us[t]);
            some = true;
        }
    buf_printf(&b, "%s = %" PRId64 " us", some ? "" : " 0", v->score_us);
    if (v->guess.is_measured)
        buf_puts(&b, " (by what was measured)");
    if (v->is_forgiven)
        buf_printf(&b, "; forgiven, for nobody else is left: %s", route_rule_why(v->rule));
    if (!b.failed)
        out_wrap(stdout, 2, OUT_WIDTH, b.data);
    buf_fini(&b);
}

/* What was known of the machines in that moment; nothing of one of which nothing was. */
static void show_nodes(const struct route_shown *s)
{
    int n_shown = 0;
    for (int i = 0; i < s->world->n_nodes; i++) {
        const struct route_node *o = &s->world->nodes[i];
        struct buf b;
        buf_init(&b, 4096);
#define SAY(value, ...)                \
    if (isfinite((double)(value))) {   \
        buf_puts(&b, b.len ? ", " : ""); \
        buf_printf(&b, __VA_ARGS__);   \
    }
        if (!o->is_up)
            buf_puts(&b, "down");
        SAY(o->temperature_c, "%.0f C", (double)o->temperature_c)
        SAY(o->headroom_c, "%.0f C below its limit", (double)o->headroom_c)
        SAY(o->power_w, "%.1f W", (double)o->power_w)
        SAY(o->battery_frac, "battery %.0f %%%s", (double)o->battery_frac * 100, o->on_battery ? " and unplugged" : "")
        SAY(o->memory_free_bytes, "%.1f GB free", (double)o->memory_free_bytes / 1e9)
        SAY(o->pressure_frac, "%.0f %% of the time short of memory", (double)o->pressure_frac * 100)
        SAY(o->busy_frac, "CPU %.0f %% busy", (double)o->busy_frac * 100)
        SAY(o->is_throttled ? 0.f : (float)NAN, "throttled")
        for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
            SAY(o->step[c] ? 0.f : (float)NAN, "%s from step %d on", route_class_name((enum route_class)c), o->step[c])
#undef SAY
        if (b.len && !b.failed) {
            char line[4096 + 80];
            snprintf(line, sizeof(line), "%s: %s", o->name, b.data);
            if (!n_shown++)
                printf("\nthe machines\n");
            out_wrap(stdout, 2, OUT_WIDTH, line);
        }
        buf_fini(&b);
    }
}

/* Those that one rule excludes, on a line or two. */
static void show_excluded(const struct route_shown *s, enum route_rule r)
{
    struct buf b;
    int n = 0;
    buf_init(&b, 64 << 10);
    for (int i = 0; i < s->d->n; i++)
        if (s->d->verdicts[i].rule == r && !s->d->verdicts[i].is_forgiven)
            buf_printf(&b, "%s %s on %s", n++ ? "," : "", s->world->list[i].expert, s->world->nodes[s->world->list[i].node].name);
    if (n) {
        printf("%s: %s\n", route_rule_name(r), route_rule_why(r));
        if (!b.failed)
            out_wrap(stdout, 2, OUT_WIDTH, b.data + 1);
    }
    buf_fini(&b);
}

bool route_show_text(const struct route_shown *s, bool explain, struct err *err)
{
    const int n = explain || s->d->n_able <= FEW ? s->d->n_able : FEW;
    char why[400];
    policy_put_why(s->rq, s->world, s->d, why, sizeof(why));
    printf("%s", out_style(stdout, s->d->n_able ? OUT_BOLD : OUT_BAD));
    out_wrap(stdout, 0, OUT_WIDTH, why);
    printf("%s\n", out_style_end(stdout));
    show_request(s, explain);
    printf("\n");
    if ((n || explain) && !show_candidates(s, n, explain, err))
        return false;
    if (s->d->n_able > n)
        printf("and %d more: --explain\n", s->d->n_able - n);
    if (explain && n) {
        printf("\nwhat each score is made of, in microseconds of waiting\n");
        for (int k = 0; k < n; k++)
            show_terms(s, s->d->order[k]);
    }
    if (explain)
        show_nodes(s);
    if (s->fanout) {
        struct buf b;
        buf_init(&b, 64 << 10);
        fanout_put_plan(s->fanout, &b);
        printf("\nfanout, several experts as one, would ask at once\n%s", b.data ? b.data : "");
        buf_fini(&b);
    }
    int n_out = s->d->n - s->d->n_able;
    if (!n_out)
        return true;
    printf("\n");
    for (int r = 0; r < ROUTE_RULE_COUNT; r++) {
        int m = 0;
        for (int i = 0; i < s->d->n; i++)
            m += (int)s->d->verdicts[i].rule == r && !s->d->verdicts[i].is_forgiven;
        if (explain)
            show_excluded(s, (enum route_rule)r);
        else if (m)
            printf("%d ruled out: %s (%s)\n", m, route_rule_why((enum route_rule)r), route_rule_name((enum route_rule)r));
    }
    return true;
}

/* ---- for programs ---- */

static void put_number(struct buf *b, const char *name, double v)
{
    buf_printf(b, isfinite(v) ? ",\"%s\":%.9g" : ",\"%s\":null", name, v);
}
static const char *flag(bool b) { return b ? "true" : "false"; }

static void put_set(struct buf *b, const char *name, uint32_t bits, int n, const char *(*word)(int))
{
    int some = 0;
    buf_printf(b, ",\"%s\":[", name);
    for (int i = 0; i < n; i++)
        if (bits >> i & 1) {
            buf_puts(b, some++ ? "," : "");
            buf_put_json_text(b, word(i));
        }
    buf_putc(b, ']');
}
static const char *medium_word(int i) { return media[i].word; }   /* the bits are in the table's order */
static const char *secret_word(int i) { return secrets[i].word; }

static void put_features(struct buf *b, const struct features *f)
{
    buf_printf(b, ",\"features\":{\"text_bytes\":%" PRIu64 ",\"read_bytes\":%" PRIu64 ",\"prompt_tok\":%" PRIu64 ",\"turn_tok\":%" PRIu64, f->n_text_bytes, f->n_read_bytes,
               f->prompt_tok, f->turn_tok);
#define X(field, json, people) buf_printf(b, ",\"" json "\":%d", f->field);
    FEATURE_COUNTS(X)
#undef X
    buf_puts(b, ",\"language\":");
    buf_put_json_text(b, f->language.code);
    buf_puts(b, ",\"code\":");
    if (f->code == CODE_NONE)
        buf_puts(b, "null");
    else
        buf_put_json_text(b, features_code_name(f->code));
    put_number(b, "code_frac", (double)f->code_frac);
    put_set(b, "media", f->media, N_MEDIA, medium_word);
    put_set(b, "secrets", f->secrets, N_SECRETS, secret_word);
#define X(field, json, people) buf_printf(b, ",\"" json "\":%s", flag(f->field));
    FEATURE_FLAGS(X)
#undef X
    buf_putc(b, '}');
}

static void put_intent(struct buf *b, const struct intent_answer *in)
{
    buf_printf(b, ",\"intent\":{\"best\":\"%s\",\"second\":\"%s\",\"difficulty\":%.6g,\"degrade_ok\":%s,\"p\":{", intent_name(in->best), intent_name(in->second),
               (double)in->difficulty, flag(in->degrade_ok));
    for (int i = 0; i < INTENT_COUNT; i++)
        buf_printf(b, "%s\"%s\":%.6g", i ? "," : "", intent_name((enum intent)i), (double)in->p[i]);
    buf_puts(b, "}}");
}

static void put_who(struct buf *b, const struct route_shown *s, const char *name, int i)
{
    buf_printf(b, ",\"%s\":", name);
    if (i < 0) {
        buf_puts(b, "null");
        return;
    }
    buf_puts(b, "{\"expert\":");
    buf_put_json_text(b, s->world->list[i].expert);
    buf_puts(b, ",\"node\":");
    buf_put_json_text(b, s->world->nodes[s->world->list[i].node].name);
    buf_putc(b, '}');
}

static void put_candidate(struct buf *b, const struct route_shown *s, int i, int rank)
{
    const struct candidate *c = &s->world->list[i];
    const struct route_verdict *v = &s->d->verdicts[i];
    const struct route_guess *g = &v->guess;
    buf_puts(b, "{\"expert\":");
    buf_put_json_text(b, c->expert);
    buf_puts(b, ",\"node\":");
    buf_put_json_text(b, s->world->nodes[c->node].name);
    buf_printf(b, ",\"class\":\"%s\",\"able\":%s,\"rule\":", route_class_name(c->cls), flag(is_able(v)));
    if (v->rule == ROUTE_RULE_NONE)
        buf_puts(b, "null");
    else
        buf_put_json_text(b, route_rule_name(v->rule));
    buf_printf(b, ",\"forgiven\":%s", flag(v->is_forgiven));
    put_number(b, "quality", (double)c->quality), put_number(b, "ttft_s", (double)g->ttft_s), put_number(b, "total_s", (double)g->total_s);
    put_number(b, "queue_s", (double)g->queue_s), put_number(b, "load_s", (double)g->load_s), put_number(b, "prefix_s", (double)g->prefix_s);
    put_number(b, "joules", (double)g->joules), put_number(b, "usd", (double)g->usd), put_number(b, "p_good", (double)g->p_good);
    buf_printf(b, ",\"measured\":%s", flag(g->is_measured));
    if (is_able(v)) {
        buf_printf(b, ",\"rank\":%d,\"score_us\":%" PRId64 ",\"terms_us\":{", rank, v->score_us);
        for (int t = 0; t < ROUTE_TERM_COUNT; t++)
            buf_printf(b, "%s\"%s\":%" PRId64, t ? "," : "", route_term_name((enum route_term)t), v->term_us[t]);
        buf_putc(b, '}');
    }
    buf_putc(b, '}');
}

/* The telemetry that was decided by. */
static void put_node(struct buf *b, const struct route_node *o)
{
    static const char *const distances[] = { [EXPERT_LOCAL] = "local", [EXPERT_LAN] = "lan", [EXPERT_CLOUD] = "cloud" };
    buf_puts(b, "{\"name\":");
    buf_put_json_text(b, o->name);
    buf_printf(b, ",\"distance\":\"%s\",\"up\":%s,\"throttled\":%s,\"on_battery\":%s", distances[o->distance], flag(o->is_up), flag(o->is_throttled), flag(o->on_battery));
    put_number(b, "rtt_s", (double)o->rtt_s), put_number(b, "temperature_c", (double)o->temperature_c), put_number(b, "headroom_c", (double)o->headroom_c);
    put_number(b, "power_w", (double)o->power_w), put_number(b, "battery_frac", (double)o->battery_frac);
    put_number(b, "memory_free_bytes", (double)o->memory_free_bytes), put_number(b, "pressure_frac", (double)o->pressure_frac), put_number(b, "busy_frac", (double)o->busy_frac);
    buf_puts(b, ",\"steps\":{");
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
        buf_printf(b, "%s\"%s\":%d", c ? "," : "", route_class_name((enum route_class)c), o->step[c]);
    buf_puts(b, "}}");
}

void route_show_json(const struct route_shown *s, struct buf *b)
{
    const struct route_decision *d = s->d;
    char why[400];
    int n = 0;
    policy_put_why(s->rq, s->world, d, why, sizeof(why));
    buf_printf(b, "{\"task\":\"%s\",\"goal\":\"%s\"", expert_task_name(s->rq->task), route_goal_name(s->rq->goal));
    buf_printf(b, ",\"prompt_tok\":%" PRIu64 ",\"gen_tok\":%" PRIu64 ",\"items\":%d", s->rq->prompt_tok, s->rq->gen_tok, s->rq->n_items);
    put_number(b, "sound_s", (double)s->rq->sound_s);
    if (s->rq->features)
        put_features(b, s->rq->features);
    if (s->rq->intent)
        put_intent(b, s->rq->intent);
    buf_puts(b, ",\"early\":");
    if (d->early >= 0)
        buf_put_json_text(b, route_early_name(d->early));
    else
        buf_puts(b, "null");
    buf_printf(b, ",\"difficult\":%s", flag(d->is_difficult));
    put_number(b, "difficulty_cut", (double)d->difficulty_cut);
    put_who(b, s, "chosen", d->n_able ? d->order[0] : -1);
    buf_printf(b, ",\"small_first\":%s", flag(d->is_small_first));
    put_who(b, s, "promotion", d->promotion);
    buf_puts(b, ",\"why\":");
    buf_put_json_text(b, why);
    put_number(b, "decide_us", s->decide_us);
    if (s->fanout) {
        buf_puts(b, ",\"fanout\":");
        fanout_put_plan_json(s->fanout, b);
    }
    buf_puts(b, ",\"candidates\":[");
    for (int k = 0; k < d->n_able; k++) {
        buf_puts(b, n++ ? "," : "");
        put_candidate(b, s, d->order[k], k + 1);
    }
    for (int i = 0; i < d->n; i++)
        if (!is_able(&d->verdicts[i])) {
            buf_puts(b, n++ ? "," : "");
            put_candidate(b, s, i, 0);
        }
    buf_puts(b, "],\"nodes\":[");
    for (int i = 0; i < s->world->n_nodes; i++)
        buf_puts(b, i ? "," : ""), put_node(b, &s->world->nodes[i]);
    buf_puts(b, "]}\n");
}
