/* hw/root.c - see root.h: what detectors call. */
#define _GNU_SOURCE /* O_DIRECTORY */
#include "hw/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/root_internal.h"

static bool format(char path[static HW_PATH_BYTES_MAX], const char *fmt, va_list ap)
{
    const int n = vsnprintf(path, HW_PATH_BYTES_MAX, fmt, ap);
    return n > 0 && n < HW_PATH_BYTES_MAX;
}
#define FORMAT(path, fmt)                                                                          \
    char path[HW_PATH_BYTES_MAX];                                                                  \
    va_list ap;                                                                                    \
    va_start(ap, fmt);                                                                             \
    const bool is_path = format(path, fmt, ap);                                                    \
    va_end(ap)

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; }

static bool read_text(const struct hw_root *r, char *text, size_t size, const char *path)
{
    ssize_t n = size > 1 ? root_read_bytes(r, path, text, size - 1) : -EINVAL;
    while (n > 0 && is_blank(text[n - 1])) /* a device tree's strings end with '\0' */
        n--;
    if (n >= 0 && memchr(text, '\0', (size_t)n))
        n = -EINVAL;
    if (size > 0)
        text[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

bool hw_read(const struct hw_root *r, char *text, size_t size, const char *fmt, ...)
{
    FORMAT(path, fmt);
    if (size > 0)
        text[0] = '\0';
    return is_path && read_text(r, text, size, path);
}

bool hw_read_i64(const struct hw_root *r, int64_t *value, const char *fmt, ...)
{
    char text[64], *end;
    FORMAT(path, fmt);
    if (!is_path || !read_text(r, text, sizeof(text), path))
        return false;
    const char *at = text + strspn(text, " \t");
    const bool is_hex = strncmp(at, "0x", 2) == 0 || strncmp(at, "0X", 2) == 0;
    errno = 0;
    const long long v = is_hex ? (long long)strtoull(at, &end, 16) : strtoll(at, &end, 10);
    if (end == at || errno != 0)
        return false;
    *value = v;
    return true;
}

char *hw_read_all(const struct hw_root *r, size_t max_bytes, size_t *n_bytes, const char *fmt, ...)
{
    FORMAT(path, fmt);
    char *bytes = is_path ? malloc(max_bytes + 1) : NULL;
    const ssize_t n = bytes ? root_read_bytes(r, path, bytes, max_bytes) : -1;
    if (n < 0) {
        free(bytes);
        return NULL;
    }
    bytes[n] = '\0';
    if (n_bytes)
        *n_bytes = (size_t)n;
    char *fit = realloc(bytes, (size_t)n + 1);
    return fit ? fit : bytes;
}

static bool link_text(const struct hw_root *r, char *text, size_t size, const char *path)
{
    char at[HW_PATH_BYTES_MAX];
    if (size == 0)
        return false;
    const bool is_link = root_resolve(r, path, at, false) && root_link_at(r, at, text, size) == 1;
    if (!is_link)
        text[0] = '\0';
    return is_link;
}

bool hw_link(const struct hw_root *r, char *text, size_t size, const char *fmt, ...)
{
    FORMAT(path, fmt);
    return is_path && link_text(r, text, size, path);
}

bool hw_link_name(const struct hw_root *r, char *text, size_t size, const char *fmt, ...)
{
    FORMAT(path, fmt);
    char link[HW_PATH_BYTES_MAX];
    if (size > 0)
        text[0] = '\0';
    if (!is_path || !link_text(r, link, sizeof(link), path))
        return false;
    const char *slash = strrchr(link, '/'), *name = slash ? slash + 1 : link;
    return snprintf(text, size, "%s", name) < (int)size && name[0];
}

bool hw_resolve(const struct hw_root *r, char *text, size_t size, const char *fmt, ...)
{
    FORMAT(path, fmt);
    char at[HW_PATH_BYTES_MAX];
    if (size > 0)
        text[0] = '\0';
    if (!is_path || !root_resolve(r, path, at, true))
        return false;
    root_keep(r, TREE_SEEN, at, "", 0);
    return snprintf(text, size, "%s", at) < (int)size;
}

bool hw_exists(const struct hw_root *r, const char *fmt, ...)
{
    FORMAT(path, fmt);
    char at[HW_PATH_BYTES_MAX];
    if (!is_path || !root_resolve(r, path, at, true))
        return false;
    if (r->kept)
        root_keep(r, root_is_folder(r, at) ? TREE_FOLDER : TREE_SEEN, at, "", 0);
    return true;
}

bool names_add(struct hw_names *names, const char *name)
{
    if (names->n >= HW_NAMES_MAX || strlen(name) >= HW_NAME_BYTES_MAX)
        return false;
    if ((names->n & (names->n - 1)) == 0) { /* grows at powers of two */
        char **more = realloc(names->name, sizeof(*more) * (names->n ? 2 * (size_t)names->n : 1));
        if (!more)
            return false;
        names->name = more;
    }
    const size_t n = strlen(name) + 1;
    char *copy = malloc(n);
    if (!copy)
        return false;
    memcpy(copy, name, n);
    names->name[names->n++] = copy;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    for (;; x++, y++) {
        if (*x >= '0' && *x <= '9' && *y >= '0' && *y <= '9') {
            x += strspn(x, "0"), y += strspn(y, "0");
            const size_t n = strspn(x, "0123456789"), m = strspn(y, "0123456789");
            const int c = n != m ? (n < m ? -1 : 1) : strncmp(x, y, n);
            if (c != 0)
                return c;
            x += n, y += m;
        }
        if (*x != *y || *x == '\0')
            return (unsigned char)*x - (unsigned char)*y;
    }
}

void names_sort(struct hw_names *names)
{
    if (names->n > 1)
        qsort(names->name, (size_t)names->n, sizeof(*names->name), compare_names);
}

void hw_names_free(struct hw_names *names)
{
    for (int i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
    *names = (struct hw_names){ 0 };
}

int hw_list(const struct hw_root *r, struct hw_names *names, const char *fmt, ...)
{
    FORMAT(path, fmt);
    char at[HW_PATH_BYTES_MAX];
    *names = (struct hw_names){ 0 };
    if (!is_path || !root_resolve(r, path, at, true))
        return 0;
    if (r->kind == ROOT_MEMORY) {
        tree_names(&r->tree, at, names);
    } else {
        const int fd = openat(r->fd, at[0] ? at : ".", O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
        if (fd >= 0 && !d)
            close(fd);
        for (const struct dirent *e; d && (e = readdir(d));)
            if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && !names_add(names, e->d_name))
                break;
        if (d)
            closedir(d);
    }
    names_sort(names);
    if (r->kept) {
        root_keep(r, TREE_FOLDER, at, "", 0);
        for (int i = 0; i < names->n; i++) {
            char entry[HW_PATH_BYTES_MAX + HW_NAME_BYTES_MAX], link[HW_PATH_BYTES_MAX];
            if (snprintf(entry, sizeof(entry), "%s/%s", at, names->name[i]) >= HW_PATH_BYTES_MAX)
                continue;
            const bool is_link = root_link_at(r, entry, link, sizeof(link)) == 1;
            root_keep(r, is_link ? TREE_LINK : root_is_folder(r, entry) ? TREE_FOLDER : TREE_SEEN, entry, is_link ? link : "", is_link ? strlen(link) : 0);
        }
    }
    return names->n;
}

int hw_root_n_hung(const struct hw_root *r, char *path, size_t size)
{
    if (size > 0)
        path[0] = '\0';
    return r->reader ? reader_n_hung(r->reader, path, size) : 0;
}
