/* wire/data_url.h - `data:image/png;base64,...` (RFC 2397) and base64 (RFC 4648) as bytes.
 *
 * For:     pictures inside chat messages, bodies that carry media as text.
 * Callers: api/.  Touches: nothing.  Thread: any.
 * Rule:    strict: a letter that is none of base64's, or padding that is wrong, is an error with its place;
 *          blanks and line ends are allowed.  Nothing is written beyond what base64_max_bytes() says.
 */
#ifndef TUTTI_WIRE_DATA_URL_H
#define TUTTI_WIRE_DATA_URL_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { DATA_URL_TYPE_MAX = 96 };

/* An upper bound of what n letters decode to. */
size_t base64_max_bytes(size_t n);
/* out has room for base64_max_bytes(n).  Both alphabets ("+/" and "-_"); padding may be left out. */
bool base64_decode(const char *s, size_t n, void *out, size_t *n_out, struct err *err);

struct data_url {
    char type[DATA_URL_TYPE_MAX]; /* "image/png", lower case; "" when it says nothing */
    bool is_base64;
    const char *data; /* borrowed: what stands behind the comma */
    size_t n;
};
bool data_url_is(const char *s, size_t n);
bool data_url_read(struct data_url *u, const char *s, size_t n, struct err *err);
/* How much room data_url_decode() needs. */
size_t data_url_max_bytes(const struct data_url *u);
bool data_url_decode(const struct data_url *u, void *out, size_t *n_out, struct err *err);
#endif
