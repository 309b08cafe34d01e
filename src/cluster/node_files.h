/* cluster/node_files.h - the model files that this node shares: their names, their checksums, their bytes.
 *
 * For:     node_service.c (Describe), node_fetch.c (Fetch).
 * Callers: cluster/.
 * Touches: one folder, which it only reads; $XDG_CACHE_HOME/tutti/sha256 (~/.cache/tutti/sha256), where checksums are kept.
 * Thread:  node_files_hash() any (it may take long); the rest the loop's.
 * Rule:    a file is known by the name that it has in that folder, never by a path: what is hidden, lies in a folder below, is no regular file or
 *          has no ending of a model is not there.
 */
#ifndef TUTTI_CLUSTER_NODE_FILES_H
#define TUTTI_CLUSTER_NODE_FILES_H
#include "base/arena.h"
#include "wire/node_pb.h"

/* Files of the folder, in the arena, by name; those whose checksum is kept have it.  dir NULL: none.  Returns how many. */
int node_files_list(const char *dir, struct node_pb_model *out, int max, struct arena *a);
/* A descriptor of the file with that name; -1 with err: it is none of these. */
int node_files_open(const char *dir, const char *name, uint64_t *n_bytes, struct err *err);
/* Its checksum: kept, or reckoned and kept. */
bool node_files_hash(const char *name, int fd, unsigned char out[NODE_PB_SHA256], const _Atomic bool *should_stop, struct err *err);
/* Another number when a file came, went or changed its name. */
uint64_t node_files_edition(const char *dir);
#endif
