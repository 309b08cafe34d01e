/* wire/form.h - a request that brings one file and a few fields, whichever way the client packs them.
 *
 * For:     /v1/audio/transcriptions, /v1/tutti/vision/...: a form (multipart/form-data), a JSON object with a data
 *          URL, or the file itself as the body, with its fields in the query.
 * Callers: api/.
 * Touches: memory.  Thread: any.
 * Rule:    the file points into the body where it can (a data URL is decoded into the arena); fields are copied into
 *          the arena and end with '\0'.  Nothing is guessed from the content type but how the body is packed.
 */
#ifndef TUTTI_WIRE_FORM_H
#define TUTTI_WIRE_FORM_H
#include "base/arena.h"
#include "wire/multipart.h"
#include "wire/openai.h"

enum { FORM_FIELDS_MAX = MULTIPART_PARTS_MAX };

struct form_field {
    const char *name, *value; /* '\0'-terminated, in the arena; no '\0' inside */
    size_t n;
};

struct form {
    int n_fields;
    struct form_field fields[FORM_FIELDS_MAX];
    const void *file; /* NULL: none came */
    size_t n_file;
    char type[MULTIPART_TYPE_MAX]; /* of the file, as the client says; "" */
};

/* names: what the file may be called, ended by NULL ({ "image", "file", NULL }).  content_type and query may be NULL.
 * false with e. */
bool form_read(struct form *f, const char *content_type, const char *query, const char *const *names, const char *body, size_t n,
               struct arena *a, struct openai_error *e);
/* NULL when it is not there; one that is empty counts as not there.  from: index to go on from; may be NULL. */
const char *form_get(const struct form *f, const char *name, int *from);
/* A field that is a number from min to max, or a flag ("true", "1", "on"); absent leaves *out.  false with e. */
bool form_number(const struct form *f, const char *name, double min, double max, double *out, struct openai_error *e);
bool form_flag(const struct form *f, const char *name, bool *out, struct openai_error *e);
#endif
