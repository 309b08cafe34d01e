/* cmd/save_chart.h - a chart as an SVG file of its own: `--svg FILE`.
 *
 * For:     `tutti bench`, the subcommands of `tutti route`.  Touches: that file.
 */
#ifndef TUTTI_CMD_SAVE_CHART_H
#define TUTTI_CMD_SAVE_CHART_H
#include "page/chart.h"

/* false with err: it cannot be drawn (chart_write()) or written. */
bool save_chart(const struct chart *c, const char *path, struct err *err);
#endif
