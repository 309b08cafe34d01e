/* base/err.h - one error: a code for programs, one line of text for people.
 *
 * For:     every function that can fail; `struct err *` is its last argument, never NULL.
 * Callers: all rooms.
 * Touches: nothing.
 * Rule:    the text is WHAT: WHY with byte, line or column; the caller may put its own WHAT in
 *          front with err_prefix().  One list of codes gives exit status and HTTP status.
 */
#ifndef TUTTI_BASE_ERR_H
#define TUTTI_BASE_ERR_H
#include <stdbool.h>
#include <stddef.h>

/* name, HTTP status.  ORDER ERR */
#define ERR_CODES(X)                                                                               \
    X(NONE, 200)        /* no error */                                                             \
    X(INPUT, 400)       /* what came from outside is wrong: a file, a request, an argument */      \
    X(AUTH, 401)        /* no key or a wrong one */                                                \
    X(NOT_FOUND, 404)   /* no such model, file, path */                                            \
    X(LIMIT, 413)       /* a limit that we set was reached */                                      \
    X(UNSUPPORTED, 501) /* valid, but we cannot do it */                                           \
    X(BUSY, 503)        /* later, perhaps */                                                       \
    X(NOMEM, 503)       /* an allocation failed */                                                 \
    X(IO, 500)          /* the operating system said no */                                         \
    X(CANCELLED, 499)   /* nobody wants the answer any more */                                     \
    X(INTERNAL, 500)    /* our own mistake */

enum err_code {
#define X(name, http) ERR_##name,
    ERR_CODES(X)
#undef X
        ERR_COUNT
};

struct err {
    enum err_code code;
    char text[256];
};

#if defined(__GNUC__)
#define ERR_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define ERR_PRINTF(a, b)
#endif

/* Fills err and returns false, so that `return err_set(...)` reads well. */
bool err_set(struct err *err, enum err_code code, const char *fmt, ...) ERR_PRINTF(3, 4);
/* The same for functions that return a pointer. */
void *err_null(struct err *err, enum err_code code, const char *fmt, ...) ERR_PRINTF(3, 4);
/* Puts "what: " before the text that is there already; keeps the code.  Returns false. */
bool err_prefix(struct err *err, const char *fmt, ...) ERR_PRINTF(2, 3);
void err_clear(struct err *err);
int err_http_status(enum err_code code);
const char *err_name(enum err_code code);
#endif
