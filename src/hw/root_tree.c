/* hw/root_tree.c - a machine held in memory: sorted paths with contents, links and folders.
 *
 * For:     root.c (recordings in one file, tests, the fuzzer), record.c.
 * Touches: memory.
 * Rule:    TREE_ENTRIES_MAX and TREE_BYTES_MAX bound it, whatever a text or an archive claims.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/root_internal.h"

static bool is_inside(const char *path)
{
    for (const char *at = path;; at++) {
        const size_t n = strcspn(at, "/");
        if (n == 0 || (n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.'))
            return false;
        at += n;
        if (*at == '\0')
            return true;
    }
}

bool tree_add(struct tree *t, enum tree_kind kind, const char *path, const char *bytes, size_t n, struct err *err)
{
    while (strncmp(path, "./", 2) == 0 || path[0] == '/')
        path += path[0] == '/' ? 1 : 2;
    const size_t len = strlen(path);
    if (len >= HW_PATH_BYTES_MAX || !is_inside(path))
        return err_set(err, ERR_INPUT, "path '%.60s' is empty, too long or leaves the folder", path);
    if (t->n >= TREE_ENTRIES_MAX || n > TREE_BYTES_MAX || t->n_bytes > TREE_BYTES_MAX - n)
        return err_set(err, ERR_LIMIT, "more than %d entries or %d MiB", TREE_ENTRIES_MAX, TREE_BYTES_MAX >> 20);
    if (t->n == t->cap) {
        const uint32_t cap = t->cap ? 2 * t->cap : 256;
        struct tree_entry *more = realloc(t->entry, cap * sizeof(*more));
        if (!more)
            return err_set(err, ERR_NOMEM, "out of memory");
        t->entry = more, t->cap = cap;
    }
    struct tree_entry e = { .kind = kind, .n = n, .order = t->n, .path = malloc(len + 1), .bytes = malloc(n + 1) };
    if (!e.path || !e.bytes) {
        free(e.path);
        free(e.bytes);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    memcpy(e.path, path, len + 1);
    if (n > 0)
        memcpy(e.bytes, bytes, n);
    e.bytes[n] = '\0';
    t->entry[t->n++] = e;
    t->n_bytes += n + len;
    t->is_sorted = false;
    return true;
}

/* By path; among equals the one that counts comes last. */
static int compare(const void *a, const void *b)
{
    const struct tree_entry *x = a, *y = b;
    const int c = strcmp(x->path, y->path);
    if (c != 0)
        return c;
    const int kx = x->kind < TREE_LINK ? (int)x->kind : TREE_LINK, ky = y->kind < TREE_LINK ? (int)y->kind : TREE_LINK;
    return kx != ky ? kx - ky : x->order < y->order ? -1 : x->order > y->order;
}

void tree_sort(struct tree *t)
{
    if (t->is_sorted || t->n == 0)
        return;
    qsort(t->entry, t->n, sizeof(*t->entry), compare);
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        if (i + 1 < t->n && strcmp(t->entry[i].path, t->entry[i + 1].path) == 0) {
            free(t->entry[i].path);
            free(t->entry[i].bytes);
        } else {
            t->entry[n++] = t->entry[i];
        }
    }
    t->n = n;
    t->is_sorted = true;
}

/* The first entry whose path is not before `path` followed by `last` ('\0': nothing). */
static uint32_t lower_bound(const struct tree *t, const char *path, size_t len, char last)
{
    uint32_t lo = 0, hi = t->n;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        const char *at = t->entry[mid].path;
        int c = strncmp(at, path, len);
        if (c == 0)
            c = (unsigned char)at[len] - (unsigned char)last;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct tree_entry *tree_find(const struct tree *t, const char *path)
{
    const uint32_t i = lower_bound(t, path, strlen(path), '\0');
    return i < t->n && strcmp(t->entry[i].path, path) == 0 ? &t->entry[i] : NULL;
}

bool tree_has(const struct tree *t, const char *path)
{
    const size_t len = strlen(path);
    if (len == 0 || tree_find(t, path))
        return true;
    const uint32_t i = lower_bound(t, path, len, '/');
    return i < t->n && strncmp(t->entry[i].path, path, len) == 0 && t->entry[i].path[len] == '/';
}

bool tree_names(const struct tree *t, const char *path, struct hw_names *names)
{
    const size_t len = strlen(path), skip = len ? len + 1 : 0;
    char name[HW_PATH_BYTES_MAX];
    for (uint32_t i = len ? lower_bound(t, path, len, '/') : 0; i < t->n;) {
        const char *at = t->entry[i].path;
        if (len && (strncmp(at, path, len) != 0 || at[len] != '/'))
            break;
        const size_t n = strcspn(at + skip, "/");
        memcpy(name, at + skip, n);
        name[n] = '\0';
        bool is_known = false; /* "a", "a-b", "a/x": the name may come twice, but with its entry first */
        if (at[skip + n] == '/') {
            char own[HW_PATH_BYTES_MAX];
            memcpy(own, at, skip + n);
            own[skip + n] = '\0';
            is_known = tree_find(t, own) != NULL;
        }
        if (!is_known && !names_add(names, name))
            return false;
        /* over all that lies in it: '0' is the character behind '/' */
        i = at[skip + n] == '/' ? lower_bound(t, at, skip + n, '/' + 1) : i + 1;
    }
    return true;
}

void tree_fini(struct tree *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        free(t->entry[i].path);
        free(t->entry[i].bytes);
    }
    free(t->entry);
    *t = (struct tree){ 0 };
}

static bool has_below(const struct tree *t, const char *top, const char *name)
{
    char path[HW_NAME_BYTES_MAX + 8];
    strcpy(path, top);
    strcat(path, name);
    return tree_has(t, path);
}

bool tree_strip_top(struct tree *t)
{
    struct hw_names names = { 0 };
    char top[HW_NAME_BYTES_MAX] = "";
    int n_inner = 0;
    tree_names(t, "", &names);
    for (int i = 0; i < names.n; i++)
        if (has_below(t, names.name[i], "/proc") || has_below(t, names.name[i], "/sys")) {
            strcpy(top, names.name[i]); /* shorter than HW_NAME_BYTES_MAX: names_add() */
            n_inner++;
        }
    hw_names_free(&names);
    if (n_inner != 1)
        return false;
    const size_t len = strlen(top);
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        struct tree_entry *e = &t->entry[i];
        if (strncmp(e->path, top, len) == 0 && e->path[len] == '/') {
            memmove(e->path, e->path + len + 1, strlen(e->path + len + 1) + 1);
            t->entry[n++] = *e;
        } else {
            free(e->path);
            free(e->bytes);
        }
    }
    t->n = n; /* all had the same beginning: still sorted */
    return true;
}
