/* cmd/cluster_plan_page.h - a plan as one self-contained HTML page (page/page.h). */
#ifndef TUTTI_CMD_CLUSTER_PLAN_PAGE_H
#define TUTTI_CMD_CLUSTER_PLAN_PAGE_H
#include "site/place.h"

/* Writes the file whole or not at all. */
bool cluster_plan_page(const struct cluster_plan *p, const char *path, struct err *err);
#endif
