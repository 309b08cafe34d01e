/* cmd/cascade_ids.h - the experts of tutti.yaml by their ids, for cascades that name them.
 *
 * `auto` and its kin are all of them behind the router (route/router.h).
 *
 * For:     cascade.c.  Touches: tutti.yaml, its cards; opens an expert when it is asked for.
 */
#ifndef TUTTI_CMD_CASCADE_IDS_H
#define TUTTI_CMD_CASCADE_IDS_H
#include "cmd/expert_env.h"
#include "pipeline/cascade_cards.h"

struct cascade_known; /* tutti.yaml, read when the first id is asked for */
/* path NULL: the default file.  The env outlives it.  NULL with err: out of memory. */
struct cascade_known *cascade_known_new(const char *path, const struct expert_env *env, struct err *err);
void cascade_known_free(struct cascade_known *k); /* NULL is fine */
struct cascade_ids cascade_known_ids(struct cascade_known *k);
#endif
