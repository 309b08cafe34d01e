/* serve/keys.h - who may ask: keys from a file, compared in constant time.
 *
 * For:     serve/.  Touches: the key file.  Thread: the loop's.
 */
#ifndef TUTTI_SERVE_KEYS_H
#define TUTTI_SERVE_KEYS_H
#include <stdbool.h>

#include "base/err.h"
#include "net/http.h"

struct keys;
/* One key per line; empty lines and lines that begin with '#' are skipped.  NULL with err: no file, no key
 * in it, a key of under 8 characters. */
struct keys *keys_read(const char *path, struct err *err);
void keys_free(struct keys *k); /* NULL is fine */
/* `Authorization: Bearer KEY` or `x-api-key: KEY`. */
bool keys_allow(const struct keys *k, const struct http_head *head);
#endif
