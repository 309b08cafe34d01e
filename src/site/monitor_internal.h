/* site/monitor_internal.h - what monitor*.c share. */
#ifndef TUTTI_SITE_MONITOR_INTERNAL_H
#define TUTTI_SITE_MONITOR_INTERNAL_H
#include "site/monitor.h"

#define MONITOR_MADE_BY "# Made by `tutti cluster monitoring`: change the inventory and make it again.\n"
/* Which targets are ours: plain (`tutti`) and as the operator calls them (`NAMESPACE/tutti...`). */
#define MONITOR_TUTTI "job=~\"(.*/)?tutti.*\""
#define MONITOR_EXPORTER "job=~\"node|node-exporter\""
enum { MONITOR_ABSENT_MAX = 200, MONITOR_EXPORTER_PORT = 9100 };

/* A text in single quotes, as YAML has it. */
void monitor_put_text(struct buf *out, const char *s);
#endif
