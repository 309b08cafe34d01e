/* serve/bundled.c - see bundled.h. */
#include "serve/bundled.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void bundled_fini(struct bundled *b)
{
    for (int i = 0; i < b->n; i++)
        free(b->path[i]);
    *b = (struct bundled){ 0 };
}

/* Parts 2 .. N of a split model are found by its first part. */
static bool is_later_part(const char *name, size_t n)
{
    unsigned part, of;
    return n > 20 && sscanf(name + n - 20, "-%5u-of-%5u.gguf", &part, &of) == 2 && part > 1;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

bool bundled_find_in(struct bundled *b, const char *folder)
{
    DIR *d = opendir(folder);
    *b = (struct bundled){ 0 };
    if (!d)
        return false;
    for (const struct dirent *f; (f = readdir(d)) != NULL && b->n < BUNDLED_MAX;) {
        const size_t n = strlen(f->d_name);
        if (n <= 5 || strcmp(f->d_name + n - 5, ".gguf") != 0 || f->d_name[0] == '.' || is_later_part(f->d_name, n))
            continue;
        const size_t max = strlen(folder) + n + 2;
        char *path = malloc(max);
        if (!path)
            break;
        snprintf(path, max, "%s/%s", folder, f->d_name);
        b->path[b->n++] = path;
    }
    closedir(d);
    qsort(b->path, (size_t)b->n, sizeof(b->path[0]), by_text);
    return b->n > 0;
}

bool bundled_find(struct bundled *b, struct err *err)
{
    static const char *const beside[] = { "../models", "../share/tutti/models" };
    char exe[PATH_MAX], folder[PATH_MAX + 64];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n > 0) {
        exe[n] = '\0';
        char *slash = strrchr(exe, '/');
        if (slash)
            *slash = '\0';
        for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
            snprintf(folder, sizeof(folder), "%s/%s", exe, beside[i]);
            if (bundled_find_in(b, folder))
                return true;
        }
    }
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data && data[0] == '/') /* relative values are to be ignored */
        snprintf(folder, sizeof(folder), "%.*s/tutti/models", PATH_MAX, data);
    else
        snprintf(folder, sizeof(folder), "%.*s/.local/share/tutti/models", PATH_MAX, home ? home : "");
    if (bundled_find_in(b, folder))
        return true;
    return err_set(err, ERR_NOT_FOUND, "no model was named, and none lies in the usual places (the last one: %s)", folder);
}
