/* base/dl.c - see dl.h. */
#include "base/dl.h"

#include <dlfcn.h>
#include <stddef.h>

static bool load(struct dl *d, struct err *err)
{
    void *lib = dlopen(d->soname[0] ? d->soname : NULL, RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return err_set(err, ERR_UNSUPPORTED, "%s: cannot be loaded, and %s needs it: %s", d->soname, d->need, d->get_it);
    for (const struct dl_symbol *s = d->symbols; s->name; s++) {
        void *found = dlsym(lib, s->name);
        if (!found) {
            dlclose(lib);
            return err_set(err, ERR_UNSUPPORTED, "%s: has no %s (too old?), and %s needs it: %s", d->soname, s->name, d->need, d->get_it);
        }
        *(void **)s->slot = found; /* POSIX: a function's address fits a void * */
    }
    return true;
}

bool dl_load(struct dl *d, struct err *err)
{
    if (atomic_load_explicit(&d->is_loaded, memory_order_acquire))
        return true;
    pthread_mutex_lock(&d->lock);
    const bool good = atomic_load_explicit(&d->is_loaded, memory_order_relaxed) || load(d, err);
    if (good)
        atomic_store_explicit(&d->is_loaded, true, memory_order_release);
    pthread_mutex_unlock(&d->lock);
    return good;
}
