/* cmd/cluster_plan_page.c - a plan as one page: figures, memory of each node as bars, who lives where and why, what is missing. */
#include "cmd/cluster_plan_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "page/page.h"

enum { CELL = 240, COLS = 8, BARS = 40 };

static const char *seconds(char out[24], double s)
{
    snprintf(out, 24, s < .0995 ? "%.0f ms" : s < 9.95 ? "%.1f s" : "%.0f s", s < .0995 ? 1e3 * s : s);
    return out;
}

static void put_figures(struct page *page, const struct cluster_plan *p)
{
    char time[24], watts[24], usd[24], all[24];
    snprintf(watts, sizeof(watts), "%.0f W", p->watts);
    snprintf(usd, sizeof(usd), "$%.2f", p->usd_month);
    snprintf(all, sizeof(all), "%d", p->n);
    const struct page_figure f[] = { { "Replicas", all, p->n_misses ? "some are missing" : "all that are wanted" },
                                     { "A usual request", isnan(p->latency_s) ? "-" : seconds(time, p->latency_s), "waiting included" },
                                     { "All nodes", watts, "at this traffic" },
                                     { "A month", usd, "electricity" } };
    page_figures(page, f, sizeof(f) / sizeof(f[0]));
}

/* The fullest first, where there are more than fit. */
static void put_memory(struct page *page, const struct cluster_plan *p)
{
    static const char *const parts[] = { "used by experts", "free for experts" };
    struct chart_bar bars[BARS];
    char text[BARS][40];
    int n = 0;
    for (int i = 0; i < p->inv->n_nodes && n < BARS; i++) {
        const struct inv_node *node = &p->inv->nodes[i];
        if (p->inv->n_nodes > BARS && p->nodes[i].used_bytes == 0)
            continue;
        snprintf(text[n], sizeof(text[n]), "%.1f of %.1f GB", (double)p->nodes[i].used_bytes / 1e9, (double)node->free_bytes / 1e9);
        bars[n] = (struct chart_bar){ .label = node->name, .text = text[n], .part = { (double)p->nodes[i].used_bytes / 1e9, (double)p->nodes[i].free_bytes / 1e9 } };
        n++;
    }
    if (n > 0)
        page_bars(page, &(struct chart_bars){ .title = "Memory", .value = { .label = "GB" }, .parts = parts, .n_parts = 2, .bars = bars, .n_bars = n });
    if (n == BARS && p->inv->n_nodes > BARS)
        page_note(page, "The first %d of %d nodes with experts.", BARS, p->inv->n_nodes);
}

static bool put_experts(struct page *page, const struct cluster_plan *p, struct err *err)
{
    static const char *const heads[COLS] = { "node", "expert", "device", "precision", "GB", "a request", "load", "why" };
    char (*text)[CELL] = calloc((size_t)p->n * COLS + 1, CELL);
    const char **cells = calloc((size_t)p->n * COLS + 1, sizeof(*cells));
    const bool ok = text && cells;
    int row = 0;
    for (int i = 0; ok && i < p->inv->n_nodes; i++)
        for (int k = 0; k < p->n; k++) {
            const struct place *r = &p->list[k];
            const struct inv_want *w = &p->inv->wants[r->want];
            char(*cell)[CELL] = text + (size_t)row * COLS, time[24];
            if (r->node != i)
                continue;
            snprintf(cell[0], CELL, "%s", p->inv->nodes[i].name);
            snprintf(cell[1], CELL, "%s", w->name);
            snprintf(cell[2], CELL, "%s", p->inv->nodes[i].devices[r->device].name);
            snprintf(cell[3], CELL, "%s", w->n_quants ? w->model_of[r->quant].quant : "");
            snprintf(cell[4], CELL, "%.2f", (double)r->bytes / 1e9);
            snprintf(cell[5], CELL, "%s", seconds(time, r->item_s.mid));
            snprintf(cell[6], CELL, "%.1f %%", 100 * r->load);
            snprintf(cell[7], CELL, "%s", r->why);
            for (int c = 0; c < COLS; c++)
                cells[row * COLS + c] = cell[c];
            row++;
        }
    if (ok)
        page_table(page, heads, "llllrrrl", cells, row, COLS, -1);
    free(text);
    free(cells);
    return ok || err_set(err, ERR_NOMEM, "--html: out of memory");
}

bool cluster_plan_page(const struct cluster_plan *p, const char *path, struct err *err)
{
    char title[160];
    snprintf(title, sizeof(title), "The plan of %.100s", p->inv->name);
    struct page *page = page_new(title, p->is_exact ? "proven to be the best by its score" : "the best that was found in a bounded search", err);
    if (!page)
        return false;
    put_figures(page, p);
    page_section(page, "Nodes");
    put_memory(page, p);
    page_section(page, "Experts");
    bool ok = put_experts(page, p, err);
    if (p->n_misses > 0)
        page_section(page, "Not placed");
    for (int i = 0; i < p->n_misses; i++)
        page_text(page, "%s: %s. %s", p->inv->wants[p->misses[i].want].name, p->misses[i].why, p->misses[i].buy);
    page_note(page, "Speeds and memory are estimates, times are of a usual request; `tutti cluster plan`, docs/cluster.md.");
    ok = ok && page_save(page, path, err);
    page_free(page);
    return ok;
}
