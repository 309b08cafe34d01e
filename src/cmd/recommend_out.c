/* cmd/recommend_out.c - the answer of `tutti recommend` as text and JSON. */
#include "cmd/recommend_out.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/advice.h"
#include "cmd/out.h"

enum { NAME = 128, BYTES_MAX = 1 << 20 };
static const double GB = 1e9;

/* Each line of the buffer as an item under a heading; an empty buffer is no heading. */
static void print_lines(const char *heading, struct buf *b)
{
    if (b->len) {
        printf("\n%s%s%s\n", out_style(stdout, OUT_BOLD), heading, out_style_end(stdout));
        for (char *s = b->data, *end; *s; s = end + 1) {
            end = strchr(s, '\n');
            *end = '\0';
            advice_item("  -", 4, s);
        }
    }
    buf_clear(b);
}

static void print_asked(const struct recommend *r, const struct recommend_ask *ask)
{
    static const char *const places[] = {
#define X(id, name, what) name,
        REC_PLACES(X)
#undef X
    };
    static const char *const priorities[] = {
#define X(id, name, what) name,
        REC_PRIORITIES(X)
#undef X
    };
    char usd[ADVICE_TEXT], text[400];
    const bool trains = ask->limits.wants_training;
    snprintf(text, sizeof(text), "for %s%s%s%s%s, %d tokens of context; %s, %s, %s%s; %.0f h of work a year at $%.3g per kWh", trains ? plan_train_people(ask->train) : "",
             trains ? " of " : "", r->model.name, trains && !ask->limits.wants_inference ? "" : " ", trains && !ask->limits.wants_inference ? "" : ask->quant, r->ctx_tok,
             places[ask->limits.place], priorities[ask->limits.priority], isinf(r->limits.budget_usd) ? "no budget" : "at most ",
             isinf(r->limits.budget_usd) ? "" : advice_usd(usd, r->limits.budget_usd), r->limits.use.busy_hours_year, r->limits.terms.usd_per_kwh);
    out_wrap(stdout, 0, OUT_WIDTH, text);
    if (r->dock_row)
        printf("on the %s: %.0f W, %.3g slot%s (catalog)\n", catalog_name(r->dock_row), r->limits.connector_w, r->limits.max_slots, r->limits.max_slots > 1 ? "s" : "");
}

static bool print_choices(const struct recommend *r, const int *list, int n, struct err *err)
{
    struct out_table t;
    char name[NAME], usd[ADVICE_TEXT];
    bool has_stale = false;
    out_table_init(&t, (const struct out_column[]){ { "#", OUT_RIGHT }, { "choice", OUT_SHRINK }, { "total", OUT_RIGHT }, { "GB", OUT_RIGHT }, { "full", OUT_RIGHT },
                                                    { "tok/s", OUT_RIGHT }, { "W", OUT_RIGHT }, { "tok/J", OUT_RIGHT }, { "cost", OUT_RIGHT } }, 9);
    for (int k = 0; k < n; k++) {
        const int i = list[k];
        const struct rec_candidate *c = &r->candidates[i];
        out_row(&t);
        if (k == 0)
            out_row_style(&t, OUT_GOOD);
        out_cell(&t, "%d", k + 1);
        out_cell(&t, "%s", recommend_name(r, i, name, sizeof(name)));
        out_cell(&t, "%s%s", advice_usd(usd, r->verdicts[i].total_usd), c->is_stale_price ? "*" : "");
        has_stale |= c->is_stale_price;
        out_cell(&t, "%.3g", c->mem_bytes / GB);
        out_cell(&t, "%.0f %%", 100 * r->verdicts[i].mem_frac);
        out_cell(&t, "%s", advice_range(usd, c->tg_tps));
        out_cell(&t, "%.0f", c->load_w + c->host_load_w);
        out_number(&t, r->verdicts[i].tok_per_joule);
        out_cell(&t, "%s", advice_usd(usd, r->verdicts[i].tco_usd));
    }
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    char text[360];
    snprintf(text, sizeof(text), "total: to be bought (catalog, high end); full: of the memory, tok/s (predicted); W: at work with its host (catalog, derived); cost: %g years with power (derived)%s",
             r->limits.terms.years, has_stale ? "; *: with a price of three or more years ago, ranked as if twice as dear: it may be sold used only" : "");
    out_wrap(stdout, 0, OUT_WIDTH, text);
    return ok;
}

static bool print_system(const struct recommend *r, int i, struct err *err)
{
    const struct recommend_item *item = &r->items[i];
    struct out_table t;
    char name[NAME], usd[ADVICE_TEXT];
    out_table_init(&t, (const struct out_column[]){ { "the whole system", OUT_SHRINK }, { "at most", OUT_RIGHT }, { "price of", 0 } }, 3);
    out_row(&t);
    out_cell(&t, "%s", recommend_name(r, i, name, sizeof(name)));
    out_cell(&t, "%s", advice_usd(usd, r->candidates[i].card_usd_high));
    out_cell(&t, "%s, %s", price_kind_people(item->price.kind), item->price.date);
    for (int p = 0; p < item->n_parts; p++) {
        out_row(&t);
        out_cell(&t, "%s", item->parts[p].what);
        out_cell(&t, "%s", advice_usd(usd, item->parts[p].usd));
        out_cell(&t, "catalog, %s", item->parts[p].date);
    }
    out_row(&t);
    out_row_style(&t, OUT_BOLD);
    out_cell(&t, "total");
    out_cell(&t, "%s", advice_usd(usd, r->verdicts[i].total_usd));
    putchar('\n');
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    if (item->host_mem_gb > 0)
        printf("supply %.0f W, main memory %.0f GB: 1.5 to 2 times the cards' (derived)\n", item->supply_w, item->host_mem_gb);
    return ok;
}

static void print_offers(const struct recommend *r)
{
    if (!r->n_offers)
        return;
    printf("\n%srented instead%s\n", out_style(stdout, OUT_BOLD), out_style_end(stdout));
    for (int i = 0; i < r->n_offers; i++) {
        char usd[ADVICE_TEXT], year[ADVICE_TEXT], text[300];
        snprintf(text, sizeof(text), "%s: %s an hour, %s a year at this use (catalog, %s)", catalog_name(r->offers[i].row), advice_usd(usd, r->offers[i].usd_hour),
                 advice_usd(year, r->offers[i].usd_hour * r->limits.use.busy_hours_year), r->offers[i].date);
        advice_item("  -", 4, text);
    }
}

static bool print_considered(const struct recommend *r, const struct recommend_ask *ask, struct buf *b, struct err *err)
{
    bool ok = true;
    for (int k = 0; ok && k < r->n_considered; k++) {
        const int i = r->considered[k];
        char name[NAME], heading[NAME + 32];
        int place = 0;
        for (int n = 0; n < r->n_ok; n++)
            if (r->items[r->order[n]].hw.row == r->items[i].hw.row)
                place = n + 1;
        recommend_name(r, i, name, sizeof(name));
        if (r->verdicts[i].why) {
            snprintf(heading, sizeof(heading), "%s: no", name);
            recommend_put_refusals(b, r, i);
        } else {
            snprintf(heading, sizeof(heading), "%s: choice %d of %d", name, place, r->n_ok);
            recommend_put_reasons(b, r, ask, i);
        }
        print_lines(heading, b);
        recommend_put_warnings(b, r, ask, i);
        print_lines("warnings", b);
        ok = buf_ok(b, "recommend", err);
    }
    return ok;
}

bool recommend_print(const struct recommend *r, const struct recommend_asked *a, struct err *err)
{
    struct buf b;
    bool ok = true;
    buf_init(&b, BYTES_MAX);
    print_asked(r, a->ask);
    if (!r->n_ok) {
        printf("\n%snothing in the catalog does this within the limits%s\n", out_style(stdout, OUT_BAD), out_style_end(stdout));
    } else {
        putchar('\n');
        ok = print_choices(r, r->order, r->n_ok < a->shown ? r->n_ok : a->shown, err);
        recommend_put_reasons(&b, r, a->ask, r->order[0]);
        print_lines("why the first", &b);
        recommend_put_warnings(&b, r, a->ask, r->order[0]);
        print_lines("warnings", &b);
        ok = ok && print_system(r, r->order[0], err);
    }
    ok = ok && print_considered(r, a->ask, &b, err);
    recommend_put_changes(&b, r);
    print_lines("what would change the answer", &b);
    if (r->n_ok && r->limits.wants_inference) {
        recommend_put_upgrades(&b, r);
        print_lines("when it gets too small", &b);
    }
    print_offers(r);
    buf_fini(&b);
    return ok;
}

/* The lines of the buffer `from` as an array of strings. */
static void put_json_lines(struct buf *b, const char *key, struct buf *from)
{
    buf_printf(b, ",\"%s\":[", key);
    bool first = true;
    for (const char *s = from->len ? from->data : ""; *s; first = false) {
        const char *end = strchr(s, '\n');
        if (!first)
            buf_putc(b, ',');
        buf_put_json(b, s, (size_t)(end - s));
        s = end + 1;
    }
    buf_putc(b, ']');
    buf_clear(from);
}

static void put_json_bits(struct buf *b, const char *key, uint32_t bits, int n, bool is_why)
{
    bool first = true;
    buf_printf(b, ",\"%s\":[", key);
    for (int i = 0; i < n; i++)
        if (bits & 1u << i) {
            buf_printf(b, "%s\"%s\"", first ? "" : ",", is_why ? recommend_why_name((enum rec_why)i) : recommend_warn_name((enum rec_warn)i));
            first = false;
        }
    buf_putc(b, ']');
}

static void put_json_choice(struct buf *b, const struct recommend *r, const struct recommend_ask *ask, int i)
{
    const struct rec_candidate *k = &r->candidates[i];
    const struct rec_verdict *v = &r->verdicts[i];
    struct buf lines;
    buf_init(&lines, BYTES_MAX);
    buf_putc(b, '{');
    advice_json_text(b, "hardware", k->name);
    advice_json_number(b, "count", k->n);
    buf_printf(b, ",\"used\":%s,\"owned\":%s", k->is_used ? "true" : "false", r->items[i].is_owned ? "true" : "false");
    advice_json_price(b, "price", &r->items[i].price);
    advice_json_number(b, "total_usd", v->total_usd);
    advice_json_number(b, "tco_usd", v->tco_usd);
    advice_json_number(b, "memory_bytes", k->mem_bytes);
    advice_json_number(b, "need_bytes", k->need_bytes);
    advice_json_number(b, "memory_frac", v->mem_frac);
    advice_json_range(b, "tg_tps", k->tg_tps);
    advice_json_range(b, "pp_tps", k->pp_tps);
    advice_json_number(b, "load_w", k->load_w + k->host_load_w);
    advice_json_number(b, "card_w", k->is_machine ? (double)NAN : k->max_card_w);
    advice_json_number(b, "slots", k->slots > 0 ? k->slots : (double)NAN);
    advice_json_number(b, "tokens_per_joule", v->tok_per_joule);
    advice_json_number(b, "usd_per_mtok", v->usd_per_mtok);
    advice_json_number(b, "effort", k->effort > 0 ? k->effort : (double)NAN);
    buf_puts(b, ",\"use_cases\":{");
    for (int u = 0; u < PLAN_USE_CASES; u++)
        advice_json_text(b, plan_use_cases[u].name, plan_viability_name(r->items[i].use[u]));
    buf_putc(b, '}');
    put_json_bits(b, "refused_for", v->why, REC_WHY_COUNT, true);
    put_json_bits(b, "warnings", v->warn, REC_WARN_COUNT, false);
    recommend_put_reasons(&lines, r, ask, i);
    put_json_lines(b, "reasons", &lines);
    recommend_put_warnings(&lines, r, ask, i);
    put_json_lines(b, "warning_texts", &lines);
    buf_puts(b, ",\"parts\":[");
    for (int p = 0; p < r->items[i].n_parts; p++) {
        buf_puts(b, p ? ",{" : "{");
        advice_json_text(b, "kind", r->items[i].parts[p].kind);
        advice_json_text(b, "what", r->items[i].parts[p].what);
        advice_json_number(b, "usd", r->items[i].parts[p].usd);
        advice_json_text(b, "date", r->items[i].parts[p].date);
        advice_json_text(b, "source", r->items[i].parts[p].source);
        buf_putc(b, '}');
    }
    buf_puts(b, "]}");
    buf_fini(&lines);
}

int recommend_print_json(const struct recommend *r, const struct recommend_asked *a)
{
    struct buf b, lines;
    buf_init(&b, 4 << 20);
    buf_init(&lines, BYTES_MAX);
    buf_puts(&b, "{\"model\":{");
    advice_json_text(&b, "name", r->model.name);
    advice_json_text(&b, "quant", r->model.quant);
    advice_json_number(&b, "params", r->model.params);
    advice_json_number(&b, "context", r->ctx_tok);
    buf_putc(&b, '}');
    advice_json_number(&b, "budget_usd", r->limits.budget_usd);
    advice_json_text(&b, "dock", r->dock_row ? catalog_name(r->dock_row) : NULL);
    advice_json_number(&b, "candidates", r->n);
    buf_puts(&b, ",\"choices\":[");
    for (int i = 0; i < r->n_ok && i < a->shown; i++) {
        buf_puts(&b, i ? "," : "");
        put_json_choice(&b, r, a->ask, r->order[i]);
    }
    buf_puts(&b, "],\"considered\":[");
    for (int i = 0; i < r->n_considered; i++) {
        buf_puts(&b, i ? "," : "");
        put_json_choice(&b, r, a->ask, r->considered[i]);
    }
    buf_putc(&b, ']');
    recommend_put_changes(&lines, r);
    put_json_lines(&b, "what_would_change_it", &lines);
    recommend_put_upgrades(&lines, r);
    put_json_lines(&b, "upgrades", &lines);
    buf_puts(&b, ",\"cloud\":[");
    for (int i = 0; i < r->n_offers; i++) {
        buf_puts(&b, i ? ",{" : "{");
        advice_json_text(&b, "name", catalog_name(r->offers[i].row));
        advice_json_text(&b, "provider", r->offers[i].provider);
        advice_json_number(&b, "usd_hour", r->offers[i].usd_hour);
        advice_json_text(&b, "date", r->offers[i].date);
        advice_json_text(&b, "source", r->offers[i].source);
        buf_putc(&b, '}');
    }
    buf_puts(&b, "]}");
    buf_fini(&lines);
    return advice_print_json(&b);
}
