/* hw/tap.c - see tap.h. */
#define _GNU_SOURCE /* O_PATH */
#include "hw/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/root_internal.h"

static int open_at(int dir, const char *path, bool may_follow)
{
    struct stat st; /* looked at before it is opened: opening a device may already do something */
    if (fstatat(dir, path, &st, may_follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return -1;
    return openat(dir, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | (may_follow ? 0 : O_NOFOLLOW));
}

bool hw_tap_open(struct hw_tap *t, const struct hw_root *r, const char *fmt, ...)
{
    char at[HW_PATH_BYTES_MAX];
    va_list ap;
    *t = (struct hw_tap){ .fd = -1 };
    va_start(ap, fmt);
    const int n = vsnprintf(t->path, sizeof(t->path), fmt, ap);
    va_end(ap);
    if (n < 0 || n >= (int)sizeof(t->path))
        return false;
    if (r->kind == ROOT_MEMORY) {
        t->root = r;
        char text[2];
        if (root_read_bytes(r, t->path, text, sizeof(text)) >= 0)
            return true;
        t->root = NULL;
        return false;
    }
    if (r->kind == ROOT_LIVE) {
        snprintf(at, sizeof(at), "/%s", t->path);
        t->fd = open_at(AT_FDCWD, at, true);
    } else if (root_resolve(r, t->path, at, true)) {
        t->fd = open_at(r->fd, at, false);
    }
    return t->fd >= 0;
}

void hw_tap_close(struct hw_tap *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    t->root = NULL;
}

bool hw_tap_read(const struct hw_tap *t, char *text, size_t size)
{
    struct stat st;
    ssize_t n = -1;
    text[0] = '\0';
    if (t->root)
        n = root_read_bytes(t->root, t->path, text, size - 1);
    else if (t->fd >= 0 && fstat(t->fd, &st) == 0 && st.st_nlink > 0)
        do
            n = pread(t->fd, text, size - 1, 0);
        while (n < 0 && errno == EINTR);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' ' || text[n - 1] == '\0'))
        n--;
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

bool hw_tap_read_i64(const struct hw_tap *t, int64_t *value)
{
    char text[64], *end;
    if (!hw_tap_read(t, text, sizeof(text)))
        return false;
    errno = 0;
    const long long v = strncmp(text, "0x", 2) == 0 ? (long long)strtoull(text, &end, 16) : strtoll(text, &end, 10);
    if (end == text || errno != 0)
        return false;
    *value = v;
    return true;
}
