/* site/place_words.c - see place_words.h; start at place_explain(). */
#include "site/place_words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/hardware.h"
#include "advise/price.h"
#include "site/inventory_internal.h"
#include "site/place_internal.h"

static const char *seconds(char out[24], double s)
{
    snprintf(out, 24, s < .1 ? "%.0f ms" : s < 10 ? "%.1f s" : "%.0f s", s < .1 ? 1e3 * s : s);
    return out;
}

/* ---- why ---- */

struct rival { /* the node that would be fastest */
    int n_able;    /* nodes that could hold it if nothing else were there */
    int node;
    const struct opt *o;
    int second;    /* the next, on another node */
    double second_s;
};

static bool fits_alone(const struct place_field *f, int node, const struct opt *o)
{
    const uint64_t cap = f->device_cap[f->device_at[node] + o->device];
    return (!cap || o->bytes <= cap) && (o->owns || o->bytes <= f->inv->nodes[node].free_bytes);
}

static struct rival find_rival(const struct place_field *f, int want)
{
    struct rival r = { .node = -1, .second = -1, .second_s = INFINITY };
    double best = INFINITY;
    for (int i = 0; i < f->inv->n_nodes; i++) {
        const struct opts *o = field_opts(f, want, i);
        const struct opt *mine = NULL;
        for (int k = 0; k < o->n && field_allows(f, want, i); k++)
            if (fits_alone(f, i, &o->list[k]) && (!mine || o->list[k].work_s < mine->work_s))
                mine = &o->list[k];
        if (!mine)
            continue;
        r.n_able++;
        if (mine->work_s < best)
            r.second = r.node, r.second_s = best, r.node = i, r.o = mine, best = mine->work_s;
        else if (mine->work_s < r.second_s)
            r.second = i, r.second_s = mine->work_s;
    }
    return r;
}

static void say_why(struct place *p, const struct state *s, const struct rival *r)
{
    const struct place_field *f = s->f;
    const struct inventory *inv = f->inv;
    const struct inv_want *w = &inv->wants[p->want];
    char a[24], b[24], c[24];
    if (inv->nodes[p->node].may_leave && r->n_able > 1 && p->share >= 1) {
        snprintf(p->why, sizeof(p->why), "no machine that stays has room for it; this one may leave");
        return;
    }
    if (r->n_able == 1) {
        if (w->needs_accelerator)
            snprintf(p->why, sizeof(p->why), "the only node with %s", w->accelerator);
        else if (w->n_only == 1)
            snprintf(p->why, sizeof(p->why), "the inventory says so");
        else
            snprintf(p->why, sizeof(p->why), "the only node that can hold its %.1f GB and run it", (double)p->bytes / 1e9);
        return;
    }
    if (r->node == p->node) {
        const bool is_quick = p->item_s.mid <= r->o->work_s * 1.001;
        snprintf(p->why, sizeof(p->why), "%s: %s a request%s%s%s%s", is_quick ? "fastest" : "the fastest node", seconds(a, p->item_s.mid), r->second >= 0 ? "; next is " : "",
                 r->second >= 0 ? inv->nodes[r->second].name : "", r->second >= 0 ? " with " : "", r->second >= 0 ? seconds(b, r->second_s) : "");
        if (!is_quick) {
            const size_t n = strlen(p->why);
            snprintf(p->why + n, sizeof(p->why) - n, "; %s there would take %s", w->n_quants ? w->model_of[r->o->quant].quant : inv->nodes[r->node].devices[r->o->device].name,
                     seconds(b, r->o->work_s));
        }
        return;
    }
    const char *fast = inv->nodes[r->node].name;
    const struct dset *there = &s->device[f->device_at[r->node] + r->o->device], *here = &s->device[f->device_at[p->node] + p->device];
    const double wait_there = place_wait_s(there->rho, there->m2), wait_here = place_wait_s(here->rho, here->m2);
    const double mine_j = p->item_s.mid * (isnan(p->busy_w) ? f->busy_w_unknown : p->busy_w);
    if (!state_fits(s, p->want, r->node, r->o))
        snprintf(p->why, sizeof(p->why), "%s would take %s instead of %s, but what else is there leaves no room", fast, seconds(a, r->o->work_s), seconds(b, p->item_s.mid));
    else if (inv->nodes[r->node].may_leave && !inv->nodes[p->node].may_leave)
        snprintf(p->why, sizeof(p->why), "%s would take %s instead of %s, but may leave", fast, seconds(a, r->o->work_s), seconds(b, p->item_s.mid));
    else if (r->o->work_s + wait_there > p->item_s.mid + wait_here)
        snprintf(p->why, sizeof(p->why), "%s a request; %s would take %s, but it would wait %s there for others", seconds(b, p->item_s.mid), fast, seconds(a, r->o->work_s), seconds(c, wait_there));
    else if (mine_j < r->o->joules)
        snprintf(p->why, sizeof(p->why), "%.3g J a request; %s would take %s instead of %s, but %.3g J", mine_j, fast, seconds(a, r->o->work_s), seconds(b, p->item_s.mid), r->o->joules);
    else
        snprintf(p->why, sizeof(p->why), "%s a request; %s would take %s, but others would wait for it there", seconds(b, p->item_s.mid), fast, seconds(a, r->o->work_s));
}

/* ---- what is missing ---- */

/* The least that the want needs anywhere that it could run; 0: nowhere. */
static uint64_t least_bytes(const struct inv_want *w)
{
    if (!w->n_quants)
        return w->bytes;
    const struct inv_device plain = { .of = { .plan = { .cls = PLAN_CPU, .runtime = "tutti CPU", .cores = 8 } } };
    return place_need(w, w->n_quants - 1, &plain).total;
}

static void say_miss(struct place_miss *m, const struct state *s)
{
    const struct place_field *f = s->f;
    const struct inventory *inv = f->inv;
    const struct inv_want *w = &inv->wants[m->want];
    int n_able = 0, roomy = -1, n_sticks = 0;
    uint64_t most = 0;
    char ctx[40] = "";
    for (int i = 0; i < inv->n_nodes; i++) {
        const uint64_t left = inv->nodes[i].free_bytes - s->node[i].warm - s->node[i].cold;
        const struct opts *o = field_opts(f, m->want, i);
        bool able = false;
        for (int k = 0; k < o->n && field_allows(f, m->want, i); k++)
            able |= fits_alone(f, i, &o->list[k]);
        n_able += able;
        for (int d = 0; d < inv->nodes[i].n_devices; d++)
            n_sticks += w->accelerator[0] && !strcmp(inv->nodes[i].devices[d].resource, w->accelerator);
        if (left > most || roomy < 0)
            most = left, roomy = i;
    }
    if (w->n_quants)
        snprintf(ctx, sizeof(ctx), " at %d tokens", w->n_ctx);
    const double least = (double)least_bytes(w) / 1e9;
    if (w->needs_accelerator && n_sticks == 0)
        snprintf(m->why, sizeof(m->why), "needs %s; no node has one", w->accelerator);
    else if (w->needs_accelerator)
        snprintf(m->why, sizeof(m->why), "needs %s; %d there, taken by others or on nodes that do not hold its %.2g GB", w->accelerator, n_sticks, least);
    else if (n_able == 0 && w->n_quants && (double)most > least * 1e9)
        snprintf(m->why, sizeof(m->why), "needs %.2f GB%s: there is room on %s, but no node where it may be has a known memory bandwidth (machine: NAME,bw=GB/s)", least, ctx, inv->nodes[roomy].name);
    else if (n_able == 0)
        snprintf(m->why, sizeof(m->why), "needs %.2f GB%s%s; no node can hold that; the most that is free is %.2f GB on %s", least, w->n_quants ? " in its smallest precision" : "", ctx,
                 (double)most / 1e9, inv->nodes[roomy].name);
    else if (n_able < w->n_min)
        snprintf(m->why, sizeof(m->why), "%d replicas on nodes of their own are wanted; %d node%s can hold %.2f GB%s", w->n_min, n_able, n_able == 1 ? "" : "s", least, ctx);
    else
        snprintf(m->why, sizeof(m->why), "needs %.2f GB%s; the most that is free beside the others is %.2f GB on %s", least, ctx, (double)most / 1e9, inv->nodes[roomy].name);
}

struct offer {
    char name[112], date[12];
    double usd, tok_s; /* tok_s: 0 not known */
    uint64_t need, room;
};

static void consider(struct offer *best, const char *name, double gb, double usd, const char *date, uint64_t need, uint64_t room, double tok_s)
{
    if (!(usd > 0) || need > room || (best->usd > 0 && usd >= best->usd))
        return;
    if (gb > 0)
        snprintf(best->name, sizeof(best->name), "%.96s %.0fGB", name, gb);
    else
        snprintf(best->name, sizeof(best->name), "%.100s", name);
    snprintf(best->date, sizeof(best->date), "%.11s", date);
    best->usd = usd, best->need = need, best->room = room, best->tok_s = tok_s;
}

/* Boards and machines that are whole: what they cost, what they hold. */
static void consider_row(struct offer *best, const struct inventory *inv, struct catalog *c, const struct price_book *book, const struct catalog_row *row, const struct inv_want *w)
{
    struct inv_device d = { 0 };
    struct err ignored = { 0 };
    const struct price price = price_of(book, row, false), launch = price_launch(row);
    if (!device_of_row(&d.of, c, row, &ignored) || !(price.low_usd > 0) || !(d.of.plan.bw_gbps > 0))
        return;
    const char *options = catalog_text(row, "mem_options");
    const double low_gb = catalog_number_or(row, "mem_min_gb", 0), high_gb = catalog_number_or(row, "mem_gb", 0);
    char copy[64];
    snprintf(copy, sizeof(copy), "%.60s", options[0] ? options : "0");
    int n = 1, k = 0;
    for (const char *at = copy; *at; at++)
        n += *at == ';';
    for (char *save = NULL, *o = strtok_r(copy, ";", &save); o; o = strtok_r(NULL, ";", &save), k++) {
        const double gb = strtod(o, NULL);
        struct plan_range tok_s = plan_unknown(), ttft_s, item_s;
        if (gb > 0)
            d.of.plan.mem_bytes = (uint64_t)(gb * 1e9);
        const uint64_t need = w->n_quants ? place_need(w, w->n_quants - 1, &d).total : w->bytes;
        const uint64_t usable = plan_usable_bytes(&d.of.plan), agent = inv->engine == INV_K3S ? 275000000 : 0;
        /* of a row with sizes the first and the last price are known: what lies between costs at most the last */
        const double usd = n > 1 ? (k == 0 ? launch.low_usd : launch.high_usd) : low_gb < high_gb ? launch.high_usd : price_mid(&price);
        if (w->n_quants)
            place_speed(w, w->n_quants - 1, &d, &tok_s, &ttft_s, &item_s);
        consider(best, catalog_name(row), n > 1 || low_gb < high_gb ? (gb > 0 ? gb : high_gb) : 0, usd, n > 1 || low_gb < high_gb ? launch.date : price.date, need,
                 usable > agent ? usable - agent : 0, plan_is_known(tok_s) ? tok_s.mid : 0);
    }
}

static const char *article(const char *name) { return strchr("AEIOU", name[0]) ? "an" : "a"; }

static void say_buy(struct place_miss *m, const struct inventory *inv, struct catalog *c, const struct price_book *book)
{
    static const char *const tables[] = { "soc", "machine" };
    const struct inv_want *w = &inv->wants[m->want];
    struct offer best = { .usd = 0 };
    struct err ignored = { 0 };
    if (w->needs_accelerator) {
        const struct catalog_table *t = catalog_table(c, "accelerator", &ignored);
        for (int usb = 1; usb >= 0 && !(best.usd > 0); usb--) /* any machine has USB */
            for (int i = 0; t && i < catalog_n_rows(t); i++) {
                const struct catalog_row *row = catalog_row(t, i);
                const struct price p = price_of(book, row, false);
                if (!strcmp(inv_resource_of_stick(catalog_name(row)), w->accelerator) && (strncmp(catalog_text(row, "bus"), "USB", 3) == 0) == usb)
                    consider(&best, catalog_name(row), 0, price_mid(&p), p.date, 0, 1, 0);
            }
        if (best.usd > 0)
            snprintf(m->buy, sizeof(m->buy), "%s %s (USD %.0f, %s) would run it%s", article(best.name), best.name, best.usd, best.date[0] ? best.date : "no date", m->n_missing > 1 ? "; one for each replica" : "");
    } else {
        for (size_t k = 0; k < sizeof(tables) / sizeof(tables[0]); k++) {
            const struct catalog_table *t = catalog_table(c, tables[k], &ignored);
            for (int i = 0; t && i < catalog_n_rows(t); i++)
                consider_row(&best, inv, c, book, catalog_row(t, i), w);
        }
        char tps[48] = "";
        if (best.tok_s > 0)
            snprintf(tps, sizeof(tps), ", %.2g tok/s", best.tok_s);
        if (best.usd > 0)
            snprintf(m->buy, sizeof(m->buy), "%s %s (USD %.0f, %s) would hold it: %.2f GB of %.2f GB usable%s%s", article(best.name), best.name, best.usd, best.date[0] ? best.date : "no date",
                     (double)best.need / 1e9, (double)best.room / 1e9, tps, m->n_missing > 1 ? "; one for each replica" : "");
    }
    m->usd = best.usd > 0 ? best.usd * m->n_missing : (double)NAN;
}

void place_explain(struct cluster_plan *p, const struct state *s, struct catalog *c)
{
    const struct inventory *inv = p->inv;
    struct err ignored = { 0 };
    struct rival rival = { 0 };
    struct price_book *book = NULL;
    for (int i = 0, of = -1; i < p->n; i++) {
        if (p->list[i].want != of)
            rival = find_rival(s->f, of = p->list[i].want);
        say_why(&p->list[i], s, &rival);
    }
    for (int w = 0; w < inv->n_wants; w++) {
        const int n = s->f->wants[w].n_min - s->want[w].n;
        if (n <= 0)
            continue;
        struct place_miss *m = &p->misses[p->n_misses++];
        *m = (struct place_miss){ .want = w, .n_missing = n, .usd = (double)NAN };
        say_miss(m, s);
        if (c && !book)
            book = price_book_new(c, &ignored);
        if (book)
            say_buy(m, inv, c, book);
    }
    price_book_free(book);
}
