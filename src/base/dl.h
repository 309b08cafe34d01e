/* base/dl.h - libraries that are loaded when something first needs them.
 *
 * For:     media/ (JPEG, PNG, sound), and every expert whose library not everybody has.
 * Touches: dlopen, dlsym.  Thread: any; the first one loads, the others wait for it.
 * Rule:    no header of the library is needed to build: its functions are declared by whoever calls them.  A library
 *          that is not there is one line that says what needs it and how to get it; the next call tries again.
 *          What was loaded stays for the life of the process.
 */
#ifndef TUTTI_BASE_DL_H
#define TUTTI_BASE_DL_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"

struct dl_symbol {
    const char *name;
    void *slot; /* address of the function pointer (or pointer to data) to fill; borrowed */
};

/* Lives in static memory; begin it with DL_INIT. */
struct dl {
    const char *soname;             /* "libspng.so.0", a path, or "": the program itself (tests that play a library) */
    const char *need;               /* who wants it: "PNG pictures" */
    const char *get_it;             /* how: "apt-get install libspng0" */
    const struct dl_symbol *symbols; /* ends with a NULL name */
    pthread_mutex_t lock;
    atomic_bool is_loaded;
};
#define DL_INIT(soname_, need_, get_it_, symbols_)                                                                       \
    { .soname = (soname_), .need = (need_), .get_it = (get_it_), .symbols = (symbols_),                                  \
      .lock = PTHREAD_MUTEX_INITIALIZER }

/* true when every symbol of d is there (cheap after the first time).  Else ERR_UNSUPPORTED:
 * "libspng.so.0: PNG pictures need this library: apt-get install libspng0". */
bool dl_load(struct dl *d, struct err *err);
#endif
