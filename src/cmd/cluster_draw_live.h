/* cmd/cluster_draw_live.h - a running node's topology, asked for once over HTTP.
 *
 * For:     cluster_draw.c.  Touches: the network.
 */
#ifndef TUTTI_CMD_CLUSTER_DRAW_LIVE_H
#define TUTTI_CMD_CLUSTER_DRAW_LIVE_H
#include "site/draw.h"

/* url: "http://beelink:8080"; key_file: its first line is the node's key; NULL: none.  The caller owns the result; NULL with err. */
struct draw *cluster_draw_live(const char *url, const char *key_file, struct err *err);
#endif
