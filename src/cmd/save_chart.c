/* cmd/save_chart.c - see save_chart.h. */
#include "cmd/save_chart.h"

#include <stdio.h>

enum { SVG_BYTES_MAX = 4 << 20 };

bool save_chart(const struct chart *c, const char *path, struct err *err)
{
    struct buf b;
    buf_init(&b, SVG_BYTES_MAX);
    bool ok = chart_write(&b, c, CHART_FILE, err) && buf_ok(&b, path, err);
    FILE *f = ok ? fopen(path, "wb") : NULL;
    if (ok && (!f || fwrite(b.data, 1, b.len, f) != b.len))
        ok = err_set(err, ERR_IO, "%s: cannot be written", path);
    if (f && fclose(f) != 0 && ok)
        ok = err_set(err, ERR_IO, "%s: cannot be written", path);
    buf_fini(&b);
    return ok;
}
