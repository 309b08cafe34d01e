/* site/guide_speeds.c - what `make bench-protocols` measured, from the catalog's table protocol (data/protocol.csv). */
#include <math.h>
#include <string.h>

#include "site/guide.h"

bool guide_read_speeds(struct guide *g, struct catalog *c, struct err *err)
{
    const struct catalog_table *t = catalog_table(c, "protocol", err);
    const int max = (int)(sizeof(g->speeds) / sizeof(g->speeds[0]));
    for (int i = 0; t && i < catalog_n_rows(t) && g->n_speeds < max; i++) {
        const struct catalog_row *r = catalog_row(t, i);
        struct guide_speed *s = &g->speeds[g->n_speeds];
        *s = (struct guide_speed){ catalog_text(r, "payload"), catalog_text(r, "protocol"), catalog_number(r, "p50_us"), NAN, catalog_number(r, "request_bytes") };
        if (!s->payload[0] || !s->protocol[0] || !(s->p50_us > 0) || !isfinite(s->request_bytes))
            continue;
        if (!g->n_speeds++ && !(g->speeds_where = guide_printf(g, err, "%s, %s", catalog_source(r), catalog_text(r, "date"))))
            return false;
    }
    for (int i = 0; i < g->n_speeds; i++) {
        double best = g->speeds[i].p50_us;
        for (int k = 0; k < g->n_speeds; k++)
            if (strcmp(g->speeds[k].payload, g->speeds[i].payload) == 0)
                best = fmin(best, g->speeds[k].p50_us);
        g->speeds[i].ratio = g->speeds[i].p50_us / best;
    }
    return t != NULL;
}
