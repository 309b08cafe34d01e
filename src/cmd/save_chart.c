/* cmd/save_chart.c - see save_chart.h. */
#include "cmd/save_chart.h"

#include "base/file.h"

enum { SVG_BYTES_MAX = 4 << 20 };

bool save_chart(const struct chart *c, const char *path, struct err *err)
{
    struct buf b;
    buf_init(&b, SVG_BYTES_MAX);
    const bool ok = chart_write(&b, c, CHART_FILE, err) && buf_ok(&b, path, err) && file_write(path, b.data, b.len, err);
    buf_fini(&b);
    return ok;
}
