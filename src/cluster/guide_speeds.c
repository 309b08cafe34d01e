/* cluster/guide_speeds.c - what `make bench-protocols` measured, from the catalog's table protocol (data/protocol.csv). */
#include <math.h>
#include <string.h>

#include "cluster/guide.h"

bool guide_read_speeds(struct guide *g, struct catalog *c, struct err *err)
{
    bool is_there = false;
    for (int i = 0; c && i < catalog_n_tables(); i++)
        is_there |= strcmp(catalog_table_name(i), "protocol") == 0;
    const struct catalog_table *t = is_there ? catalog_table(c, "protocol", err) : NULL;
    for (int i = 0; t && i < catalog_n_rows(t) && g->n_speeds < (int)(sizeof(g->speeds) / sizeof(g->speeds[0])); i++) {
        const struct catalog_row *r = catalog_row(t, i);
        struct guide_speed *s = &g->speeds[g->n_speeds];
        *s = (struct guide_speed){ catalog_text(r, "payload"), catalog_text(r, "protocol"), catalog_number(r, "p50_us"), catalog_number(r, "ratio"), catalog_number(r, "request_bytes") };
        if (!s->payload[0] || !s->protocol[0] || !(s->p50_us > 0) || !isfinite(s->ratio) || !isfinite(s->request_bytes))
            continue;
        if (!g->n_speeds++ && !(g->speeds_where = guide_printf(g, err, "%s, %s", catalog_source(r), catalog_text(r, "date"))))
            return false;
    }
    return !is_there || t;
}
