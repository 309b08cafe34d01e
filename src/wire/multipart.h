/* wire/multipart.h - a body of multipart/form-data (RFC 7578) as parts: which bytes belong to which field.
 *
 * For:     api/transcribe.c, api/vision.c: forms with a file in them.
 * Callers: api/.
 * Touches: memory that it is given.  Thread: any; nothing is kept.
 * Rule:    the body stays where it is, parts point into it.  Strict: a boundary that is missing, a part without
 *          a name, a header that makes no sense, or an end that is not there is an error with the byte where it
 *          is.  Time and memory are linear: at most MULTIPART_PARTS_MAX parts.
 */
#ifndef TUTTI_WIRE_MULTIPART_H
#define TUTTI_WIRE_MULTIPART_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { MULTIPART_PARTS_MAX = 64, MULTIPART_NAME_MAX = 64, MULTIPART_FILE_MAX = 256, MULTIPART_TYPE_MAX = 96, MULTIPART_BOUNDARY_MAX = 70 };

struct multipart_part {
    char name[MULTIPART_NAME_MAX];      /* of the field, unquoted */
    char filename[MULTIPART_FILE_MAX];  /* "" when it is no file */
    char type[MULTIPART_TYPE_MAX];      /* "image/png", lower case, without parameters; "" when it names none */
    const char *data;                   /* borrowed from the body */
    size_t n;
};

struct multipart {
    int n_parts;
    struct multipart_part parts[MULTIPART_PARTS_MAX];
};

/* Is this content-type a form, whatever its boundary? */
bool multipart_is(const char *content_type);
/* The boundary of a content-type; ERR_INPUT when it has none or a wrong one. */
bool multipart_boundary(const char *content_type, char out[MULTIPART_BOUNDARY_MAX + 1], struct err *err);
bool multipart_parse(struct multipart *m, const char *content_type, const char *body, size_t n, struct err *err);
#endif
