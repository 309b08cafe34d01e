/* advise/system.c - a whole system and not only a card: supply, memory, board, case; start at recommend_system(). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "advise/recommend_internal.h"

/* What a PC without its cards draws: assumed (docs/recommend.md), not measured. */
static const double HOST_IDLE_W = 40, HOST_LOAD_W = 90;

static bool add(struct recommend_item *item, const char *kind, const struct catalog_row *r, int count)
{
    if (item->n_parts == RECOMMEND_PARTS_MAX)
        return false;
    struct recommend_part *p = &item->parts[item->n_parts++];
    *p = (struct recommend_part){ .kind = kind, .date = catalog_text(r, "date"), .source = catalog_source(r) };
    p->usd = count * catalog_number_or(r, "price_max_usd", catalog_number(r, "price_usd"));
    if (count > 1)
        snprintf(p->what, sizeof(p->what), "%d x %.60s", count, catalog_name(r));
    else
        snprintf(p->what, sizeof(p->what), "%.79s", catalog_name(r));
    return true;
}

/* The smallest supply of at least `watts`; NULL: none so large in the catalog. */
static const struct catalog_row *find_supply(const struct catalog_table *parts, double watts)
{
    const struct catalog_row *best = NULL;
    for (int i = 0; i < catalog_n_rows(parts); i++) {
        const struct catalog_row *r = catalog_row(parts, i);
        if (strcmp(catalog_text(r, "kind"), "supply") == 0 && catalog_number_or(r, "supply_w", 0) >= watts &&
            (!best || catalog_number(r, "supply_w") < catalog_number(best, "supply_w")))
            best = r;
    }
    return best;
}

/* Kits that together have mem_gb, the largest first. */
static bool add_memory(struct recommend_item *item, const struct catalog_table *parts, double mem_gb)
{
    while (mem_gb > 0) {
        const struct catalog_row *best = NULL;
        for (int i = 0; i < catalog_n_rows(parts); i++) {
            const struct catalog_row *r = catalog_row(parts, i);
            const double gb = strcmp(catalog_text(r, "kind"), "memory") == 0 ? catalog_number_or(r, "mem_gb", 0) : 0;
            /* the largest that does not overshoot, else the smallest there is */
            if (gb > 0 && (!best || (gb <= mem_gb && gb > catalog_number(best, "mem_gb")) ||
                           (catalog_number(best, "mem_gb") > mem_gb && gb < catalog_number(best, "mem_gb"))))
                best = r;
        }
        if (!best)
            return false;
        const double gb = catalog_number(best, "mem_gb");
        const int count = mem_gb >= gb ? (int)(mem_gb / gb) : 1;
        if (!add(item, "memory", best, count))
            return false;
        mem_gb -= count * gb;
    }
    return true;
}

bool recommend_system(struct recommend_item *item, struct rec_candidate *k, struct catalog *c, const struct recommend_ask *ask, struct err *err)
{
    item->n_parts = 0;
    k->host_usd = 0;
    if (k->is_machine || ask->dock) {
        /* On a dock the card's own peaks are all that its supply must bear. */
        k->supply_need_w = k->is_machine ? 0 : 4.0 / 3 * k->max_card_w * k->n;
        item->supply_w = k->supply_need_w;
        k->host_idle_w = k->host_load_w = ask->dock && !k->is_machine ? HOST_IDLE_W / 2 : 0; /* the mini PC before the dock */
        return true;
    }
    const struct catalog_table *parts = catalog_table(c, "part", err);
    if (!parts)
        return false;
    k->host_idle_w = HOST_IDLE_W, k->host_load_w = HOST_LOAD_W;
    /* The maker's word for one card, ours for several. */
    const double ours = rec_supply_w(k->max_card_w, k->n), makers = k->n == 1 ? catalog_number_or(item->hw.chip, "supply_w", 0) : 0;
    k->supply_need_w = item->supply_w = ours > 0 ? fmax(ours, makers) : NAN;
    item->host_mem_gb = rec_host_mem_gb(k->mem_bytes / 1e9);
    bool ok = true;
    if (isinf(ask->limits.supply_w)) {
        const struct catalog_row *supply = find_supply(parts, k->supply_need_w);
        ok = supply && add(item, "supply", supply, 1);
    }
    if (item->host_mem_gb > ask->owned_mem_gb)
        ok = ok && add_memory(item, parts, item->host_mem_gb - ask->owned_mem_gb);
    static const char *const base[] = { "cpu", "board", "case", "disk" };
    for (int b = 0; b < 4 && !ask->owns_pc; b++)
        for (int i = 0; i < catalog_n_rows(parts); i++)
            if (strcmp(catalog_text(catalog_row(parts, i), "kind"), base[b]) == 0) {
                ok = ok && add(item, base[b], catalog_row(parts, i), 1);
                break;
            }
    for (int i = 0; i < item->n_parts; i++)
        k->host_usd += item->parts[i].usd;
    if (!ok) /* no supply or memory of that size has a price: neither has the system */
        k->host_usd = NAN;
    return true;
}
