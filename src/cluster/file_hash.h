/* cluster/file_hash.h - SHA-256 of what goes over the wire or lies in a file.
 *
 * For:     node_files.c (checksums of shared models), fetch.c.
 * Callers: cluster/.
 * Touches: OpenSSL; the file.  Thread: any, one at a time for each.
 */
#ifndef TUTTI_CLUSTER_FILE_HASH_H
#define TUTTI_CLUSTER_FILE_HASH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { FILE_HASH_BYTES = 32, FILE_HASH_HEX = 65 };
struct file_hash;
struct file_hash *file_hash_new(struct err *err); /* the caller owns the result; NULL with err */
void file_hash_free(struct file_hash *h);          /* NULL is fine */
bool file_hash_add(struct file_hash *h, const void *bytes, size_t n);
bool file_hash_end(struct file_hash *h, unsigned char out[FILE_HASH_BYTES]);
/* The first n bytes of a file, from its beginning; *should_stop (may be NULL) is looked at now and then.  false with err. */
bool file_hash_add_file(struct file_hash *h, int fd, uint64_t n, const _Atomic bool *should_stop, struct err *err);
#endif
