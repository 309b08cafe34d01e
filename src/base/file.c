/* base/file.c - see file.h. */
#define _DEFAULT_SOURCE /* madvise */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_map_open(struct file_map *m, const char *path, struct err *err)
{
    struct stat st;
    bool ok = false;
    *m = (struct file_map){ 0 };
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not make us wait */
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0) {
        err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
        goto out_close;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_INPUT, "%s: not a regular file", path);
        goto out_close;
    }
    m->size = (size_t)st.st_size;
    if (m->size > 0) {
        void *p = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            err_set(err, ERR_IO, "%s: cannot map %zu bytes: %s", path, m->size, strerror(errno));
            m->size = 0;
            goto out_close;
        }
        m->data = p;
    }
    ok = true;
out_close:
    close(fd);
    return ok;
}

void file_map_close(struct file_map *m)
{
    if (m->data)
        munmap((void *)(uintptr_t)m->data, m->size);
    *m = (struct file_map){ 0 };
}

void file_map_forget(const struct file_map *m, const void *from, size_t n_bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), base = (uintptr_t)m->data;
    uintptr_t a = ((uintptr_t)from + page - 1) / page * page, b = ((uintptr_t)from + n_bytes) / page * page;
    if (m->data && a >= base && b <= base + m->size && a < b)
        madvise((void *)a, b - a, MADV_DONTNEED);
}

char *file_read(const char *path, size_t max_bytes, size_t *n_bytes, struct err *err)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    size_t len = 0, cap = 4096;
    char *data = NULL;
    const int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_null(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
    data = malloc(cap);
    for (; data;) {
        const ssize_t got = read(fd, data + len, cap - len - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
            goto out_free;
        }
        if (got == 0)
            break;
        len += (size_t)got;
        if (len > max_bytes) {
            err_set(err, ERR_LIMIT, "%s: longer than %zu bytes", path, max_bytes);
            goto out_free;
        }
        if (cap - len < 2) {
            char *more = cap > SIZE_MAX / 2 ? NULL : realloc(data, cap *= 2);
            if (!more) {
                free(data);
                data = NULL;
                break;
            }
            data = more;
        }
    }
    if (!data) {
        err_set(err, ERR_NOMEM, "%s: out of memory", path);
        goto out_close;
    }
    data[len] = '\0';
    *n_bytes = len;
    goto out_close;
out_free:
    free(data);
    data = NULL;
out_close:
    if (!is_stdin)
        close(fd);
    return data;
}

bool file_write_fd(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        const ssize_t k = write(fd, at, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        at += k;
        n -= (size_t)k;
    }
    return true;
}

static bool write_over(int fd, const char *path, const void *bytes, size_t n, struct err *err)
{
    const bool is_written = fd >= 0 && file_write_fd(fd, bytes, n);
    if (!is_written)
        err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    return (fd < 0 || close(fd) == 0 || (is_written && err_set(err, ERR_IO, "%s: %s", path, strerror(errno)))) && is_written;
}

bool file_write(const char *path, const void *bytes, size_t n, struct err *err)
{
    static atomic_uint n_written; /* two threads write to two files */
    struct stat st;
    char temporary[PATH_MAX];
    if (strcmp(path, "-") == 0)
        return (fwrite(bytes, 1, n, stdout) == n && fflush(stdout) == 0) || err_set(err, ERR_IO, "standard output: %s", strerror(errno));
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) /* /dev/stdout, a pipe: not to be replaced */
        return write_over(open(path, O_WRONLY | O_CLOEXEC), path, bytes, n, err);
    const char *slash = strrchr(path, '/');
    const int dir = slash ? (int)(slash - path) + 1 : 0; /* readers of a folder pass over hidden files (Node Feature Discovery does) */
    if (snprintf(temporary, sizeof(temporary), "%.*s.%s.%ld.%u.tmp", dir, path, path + dir, (long)getpid(), atomic_fetch_add(&n_written, 1)) >= (int)sizeof(temporary))
        return err_set(err, ERR_INPUT, "%.60s...: the path is too long", path);
    unlink(temporary); /* of a process of our number that died: in a container everybody has the same */
    if (!write_over(open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666), path, bytes, n, err)) {
        unlink(temporary);
        return false;
    }
    if (rename(temporary, path) == 0)
        return true;
    err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    unlink(temporary);
    return false;
}

void file_make_folders(const char *path, unsigned mode)
{
    char p[PATH_MAX];
    snprintf(p, sizeof(p), "%s", path);
    for (char *slash = p[0] ? strchr(p + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(p, (mode_t)mode);
        *slash = '/';
    }
}
