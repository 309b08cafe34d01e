/* cmd/cascade_ids.h - the experts of tutti.yaml by their ids, for cascades that name them.
 *
 * `auto` and its kin are all of them behind the router (route/router.h).
 *
 * For:     cascade.c.  Touches: tutti.yaml, its cards; opens an expert when it is asked for.
 */
#ifndef TUTTI_CMD_CASCADE_IDS_H
#define TUTTI_CMD_CASCADE_IDS_H
#include "cluster/cluster.h"
#include "cmd/expert_env.h"
#include "pipeline/cascade_cards.h"
#include "serve/config.h"

struct cascade_known; /* tutti.yaml, read when the first id is asked for */
/* path NULL: the default file.  The env outlives it.  NULL with err: out of memory. */
struct cascade_known *cascade_known_new(const char *path, const struct expert_env *env, struct err *err);
void cascade_known_free(struct cascade_known *k); /* NULL is fine */
struct cascade_ids cascade_known_ids(struct cascade_known *k);
/* tutti.yaml; NULL: it could not be read (said already).  ctx: the cascade_known. */
const struct config *cascade_known_config(void *ctx);
/* `auto` goes to other nodes, too; cluster() is called when somebody asks for it, and outlives k's experts but not k. */
void cascade_known_set_cluster(struct cascade_known *k, struct cluster *(*cluster)(void *ctx), void *ctx);
#endif
