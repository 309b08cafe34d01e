/* cmd/recommend_page.c - the answer of `tutti recommend` as one page: speed against price, TCO bars, the checklist. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/advice.h"
#include "cmd/recommend_out.h"
#include "page/page.h"

enum { NAME = 128, POINTS_MAX = 60, BARS = 10, BYTES_MAX = 1 << 20 };

/* All that is within the limits; the first choices with their names. */
static void page_speed(struct page *p, const struct recommend *r)
{
    struct chart_point all[POINTS_MAX], first;
    char names[5][NAME];
    int n = 0;
    for (int k = 0; k < r->n_ok && n < POINTS_MAX; k++) {
        const int i = r->order[k];
        const struct rec_candidate *c = &r->candidates[i];
        if (!plan_is_known(c->tg_tps))
            continue;
        all[n] = (struct chart_point){ .x = r->verdicts[i].total_usd, .y = c->tg_tps.mid, .y_low = k < 5 ? c->tg_tps.low : 0, .y_high = k < 5 ? c->tg_tps.high : 0 };
        if (k < 5)
            all[n].label = recommend_name(r, i, names[k], NAME);
        all[n].is_marked = k == 0;
        n++;
    }
    if (!n)
        return;
    first = all[0];
    const struct chart_series s[] = { { .name = "within the limits", .points = all + 1, .n = n - 1, .has_dots = true },
                                      { .name = "the choice", .points = &first, .n = 1, .has_dots = true } };
    page_chart(p, &(struct chart){ .title = "Speed against price", .x = { .label = "USD for everything that must be bought" },
                                   .y = { .label = "tokens per second, predicted" }, .series = n > 1 ? s : s + 1, .n_series = n > 1 ? 2 : 1 });
    page_note(p, "Bars show the range in which the measured speed lies in at least 80 %% of cases.");
}

static void page_tco(struct page *p, const struct recommend *r)
{
    static const char *const parts[] = { "hardware", "power", "upkeep" };
    struct chart_bar bars[BARS];
    char names[BARS][NAME], usd[BARS][ADVICE_TEXT];
    int n = 0;
    for (int k = 0; k < r->n_ok && n < BARS; k++) {
        const int i = r->order[k];
        const struct rec_candidate *c = &r->candidates[i];
        const struct money_rig rig = { r->verdicts[i].total_usd, c->idle_w + c->host_idle_w, c->load_w + c->host_load_w };
        const struct money_tco t = money_tco(&rig, &r->limits.terms, &r->limits.use);
        if (isnan(t.total_usd))
            continue;
        bars[n] = (struct chart_bar){ .label = recommend_name(r, i, names[n], NAME), .text = advice_usd(usd[n], t.total_usd), .is_marked = k == 0,
                                      .part = { t.hardware_usd, t.power_usd + t.cooling_usd, t.maintenance_usd } };
        n++;
    }
    if (n)
        page_bars(p, &(struct chart_bars){ .title = "Total cost of ownership", .value = { .label = "USD" }, .parts = parts, .n_parts = 3, .bars = bars, .n_bars = n });
    page_note(p, "Over %g years, %.0f hours of work a year at $%.3g per kWh.", r->limits.terms.years, r->limits.use.busy_hours_year, r->limits.terms.usd_per_kwh);
}

static void page_lines(struct page *p, const char *heading, struct buf *b)
{
    if (b->len) {
        page_section(p, heading);
        for (char *s = b->data, *end; *s; s = end + 1) {
            end = strchr(s, '\n');
            *end = '\0';
            page_text(p, "%s", s);
        }
    }
    buf_clear(b);
}

static void page_system(struct page *p, const struct recommend *r, int i)
{
    static const char *const heads[] = { "part", "at most", "price of" };
    const struct recommend_item *item = &r->items[i];
    char name[NAME], usd[RECOMMEND_PARTS_MAX + 2][ADVICE_TEXT], kind[ADVICE_TEXT];
    const char *cells[3 * (RECOMMEND_PARTS_MAX + 2)];
    int n = 0;
    snprintf(kind, sizeof(kind), "%s, %s", price_kind_people(item->price.kind), item->price.date);
    cells[0] = recommend_name(r, i, name, sizeof(name)), cells[1] = advice_usd(usd[0], r->candidates[i].card_usd_high), cells[2] = kind;
    for (n = 1; n <= item->n_parts; n++)
        cells[3 * n] = item->parts[n - 1].what, cells[3 * n + 1] = advice_usd(usd[n], item->parts[n - 1].usd), cells[3 * n + 2] = item->parts[n - 1].date;
    cells[3 * n] = "total", cells[3 * n + 1] = advice_usd(usd[n], r->verdicts[i].total_usd), cells[3 * n + 2] = "";
    page_table(p, heads, "lrl", cells, n + 1, 3, n);
}

static void page_checklist(struct page *p, const struct recommend *r, const struct recommend_ask *ask)
{
    static const char *const heads[] = { "", "check", "shown by" };
    struct checklist_line lines[CHECKLIST_MAX];
    const char *cells[3 * CHECKLIST_MAX];
    const int n = recommend_checklist(r, ask, lines);
    page_section(p, "Validation checklist");
    for (int i = 0; i < n; i++) {
        cells[3 * i] = lines[i].state == 'x' ? "\xe2\x9c\x93" : lines[i].state == '!' ? "!" : "\xe2\x98\x90";
        cells[3 * i + 1] = lines[i].what;
        cells[3 * i + 2] = lines[i].note;
    }
    page_table(p, heads, "lll", cells, n, 3, -1);
    page_note(p, "\xe2\x9c\x93 shown here, ! shown here to fail, \xe2\x98\x90 yours to do.");
}

bool recommend_write_page(const struct recommend *r, const struct recommend_asked *a, const char *path, struct err *err)
{
    char title[NAME + 32], name[NAME], usd[ADVICE_TEXT], tps[ADVICE_TEXT], mem[ADVICE_TEXT], sub[256];
    const int first = r->n_ok > 0 ? r->order[0] : -1;
    snprintf(title, sizeof(title), "%s%s", first >= 0 ? "Buy: " : "Nothing in the catalog does this", first >= 0 ? recommend_name(r, first, name, sizeof(name)) : "");
    snprintf(sub, sizeof(sub), "for %s %s, %d tokens of context; figures are catalog (with date) or predicted (a range), as said", r->model.name, r->model.quant, r->ctx_tok);
    struct page *p = page_new(title, sub, err);
    struct buf b;
    if (!p)
        return false;
    buf_init(&b, BYTES_MAX);
    if (first >= 0) {
        const struct rec_candidate *k = &r->candidates[first];
        snprintf(mem, sizeof(mem), "%.0f %%", 100 * r->verdicts[first].mem_frac);
        const struct page_figure f[] = { { "to be bought", advice_usd(usd, r->verdicts[first].total_usd), "high end of the prices" },
                                         { "tokens a second", advice_range(tps, k->tg_tps), "predicted" },
                                         { "memory full", mem, "predicted" } };
        page_figures(p, f, 3);
        page_speed(p, r);
        recommend_put_reasons(&b, r, a->ask, first);
        page_lines(p, "Why", &b);
        recommend_put_warnings(&b, r, a->ask, first);
        page_lines(p, "Warnings", &b);
        page_section(p, "The whole system");
        page_system(p, r, first);
        page_section(p, "What it costs");
        page_tco(p, r);
    }
    recommend_put_changes(&b, r);
    page_lines(p, "What would change the answer", &b);
    if (first >= 0 && r->limits.wants_inference) {
        recommend_put_upgrades(&b, r);
        page_lines(p, "When it gets too small", &b);
    }
    if (r->n_offers) {
        page_section(p, "Rented instead");
        for (int i = 0; i < r->n_offers; i++)
            page_text(p, "%s: %s an hour (%s)", catalog_name(r->offers[i].row), advice_usd(usd, r->offers[i].usd_hour), r->offers[i].date);
    }
    page_checklist(p, r, a->ask);
    const bool ok = buf_ok(&b, "page", err) && page_save(p, path, err);
    buf_fini(&b);
    page_free(p);
    return ok;
}
