/* hw/root_walk.c - the way to a file of a machine; start reading at root_read_bytes(), the one way to a file's content.
 *
 * For:     root.c, root_open.c.
 * Touches: files below the root; the child of root_child.c on the live machine.
 */
#define _GNU_SOURCE /* O_PATH, syscall */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hw/root_internal.h"

enum { LINKS_MAX = 40 };


/* Reads what is a regular file at a path without links behind it (live: links as the kernel has them). */
static ssize_t read_at(int dir, const char *path, char *bytes, size_t size, bool may_follow)
{
    struct stat st;
    if (fstatat(dir, path, &st, may_follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    if (S_ISLNK(st.st_mode))
        return -ELOOP;
    if (!S_ISREG(st.st_mode)) /* looked at before it is opened: opening a device may already do something */
        return -EINVAL;
    const int fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | (may_follow ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return -errno;
    size_t n = 0;
    while (n < size) {
        const ssize_t got = read(fd, bytes + n, size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && n == 0) {
            const int e = errno;
            close(fd);
            return -e;
        }
        if (got <= 0)
            break;
        n += (size_t)got;
        if (!may_follow && (off_t)n >= st.st_size) /* a recorded file's size is true, sysfs says 4096 */
            break;
    }
    close(fd);
    return (ssize_t)n;
}

ssize_t root_read_live(const char *path, char *bytes, size_t size)
{
    char full[HW_PATH_BYTES_MAX + 2];
    full[0] = '/';
    strncpy(full + 1, path, sizeof(full) - 2);
    full[sizeof(full) - 1] = '\0';
    return read_at(AT_FDCWD, full, bytes, size, true);
}

/* What the kernel answers from its own memory; everything else may ask a driver. */
static bool is_quick(const char *path)
{
    static const char *const quick[] = {
        "proc/cpuinfo", "proc/meminfo", "proc/swaps", "proc/mounts", "proc/version", "proc/cmdline", "proc/self/", "proc/1/", "proc/sys/",
        "proc/device-tree/", "proc/net/", "proc/modules", "proc/bus/pci/devices", "sys/devices/system/node/", "sys/devices/system/cpu/",
        "sys/firmware/", "sys/class/dmi/", "sys/devices/virtual/dmi/", "sys/kernel/", "sys/fs/cgroup/", "sys/hypervisor/", "sys/module/",
        "etc/", "usr/lib/",
    };
    const size_t n = strlen(path), cur = sizeof("cur_freq") - 1;
    if (n >= cur && strcmp(path + n - cur, "cur_freq") == 0) /* asks the firmware */
        return false;
    for (size_t i = 0; i < sizeof(quick) / sizeof(quick[0]); i++)
        if (strncmp(path, quick[i], strlen(quick[i])) == 0)
            return true;
    return false;
}

int root_link_at(const struct hw_root *r, const char *path, char *text, size_t size)
{
    if (r->kind == ROOT_MEMORY) {
        const struct tree_entry *e = tree_find(&r->tree, path);
        if (!e || e->kind != TREE_LINK)
            return tree_has(&r->tree, path) ? 0 : -1;
        if (e->n >= size)
            return -1;
        memcpy(text, e->bytes, e->n + 1);
        return 1;
    }
    const ssize_t n = readlinkat(r->fd, path, text, size);
    if (n < 0)
        return errno == EINVAL ? 0 : -1;
    if ((size_t)n >= size)
        return -1;
    text[n] = '\0';
    return 1;
}

void root_keep(const struct hw_root *r, enum tree_kind kind, const char *path, const char *bytes, size_t n)
{
    struct err ignored;
    if (r->kept) /* a recording that is full or out of memory lacks something, no more */
        tree_add(r->kept, kind, path, bytes, n, &ignored);
}

bool root_resolve(const struct hw_root *r, const char *path, char out[static HW_PATH_BYTES_MAX], bool is_last_followed)
{
    char rest[HW_PATH_BYTES_MAX * 2], link[HW_PATH_BYTES_MAX];
    size_t n = 0;
    int n_links = 0;
    snprintf(rest, sizeof(rest), "%s", path);
    out[0] = '\0';
    for (char *at = rest;;) {
        at += strspn(at, "/");
        const size_t len = strcspn(at, "/");
        if (len == 0)
            return true;
        if (len == 1 && at[0] == '.') {
            at += len;
            continue;
        }
        if (len == 2 && at[0] == '.' && at[1] == '.') {
            char *slash = strrchr(out, '/');
            n = slash ? (size_t)(slash - out) : 0; /* the root's parent is the root */
            out[n] = '\0';
            at += len;
            continue;
        }
        const size_t before = n;
        if (n + len + 2 > HW_PATH_BYTES_MAX)
            return false;
        if (n > 0)
            out[n++] = '/';
        memcpy(out + n, at, len);
        n += len;
        out[n] = '\0';
        at += len;
        const bool is_last = at[strspn(at, "/")] == '\0';
        const int what = root_link_at(r, out, link, sizeof(link));
        if (what < 0)
            return false;
        if (what == 0)
            continue;
        root_keep(r, TREE_LINK, out, link, strlen(link));
        if (is_last && !is_last_followed)
            return true;
        char again[sizeof(rest)];
        if (++n_links > LINKS_MAX || snprintf(again, sizeof(again), "%s%s", link, at) >= (int)sizeof(again))
            return false;
        n = link[0] == '/' ? 0 : before;
        out[n] = '\0';
        memcpy(rest, again, sizeof(rest));
        at = rest;
    }
}

/* The folder at `path`, links followed inside the root: by the kernel where it can (openat2, Linux 5.6), else by us. */
static int open_folder(const struct hw_root *r, const char *path)
{
    char at[HW_PATH_BYTES_MAX];
#ifdef SYS_openat2
    struct { /* struct open_how of linux/openat2.h, which older headers lack */
        uint64_t flags, mode, resolve;
    } how = { O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0x10 /* RESOLVE_IN_ROOT */ | 0x02 /* RESOLVE_NO_MAGICLINKS */ };
    const long fd = syscall(SYS_openat2, r->fd, path, &how, sizeof(how));
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EAGAIN))
        return (int)fd;
#endif
    return root_resolve(r, path, at, true) ? openat(r->fd, at[0] ? at : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
}

/* The folder that a path's last component lies in; kept open for the next read. */
static int parent_of(const struct hw_root *r, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash - path) : 0;
    struct near_folder *f = r->near;
    *name = slash ? slash + 1 : path;
    if (strncmp(f->path, path, n) == 0 && f->path[n] == '\0')
        return f->fd;
    if (f->fd >= 0)
        close(f->fd);
    memcpy(f->path, path, n);
    f->path[n] = '\0';
    f->fd = open_folder(r, n ? f->path : ".");
    return f->fd;
}

static ssize_t read_in_folder(const struct hw_root *r, const char *path, char *bytes, size_t size)
{
    char at[HW_PATH_BYTES_MAX];
    const char *name;
    if (r->near && !r->kept) {
        const int fd = parent_of(r, path, &name);
        const ssize_t n = fd < 0 ? -ENOENT : read_at(fd, name, bytes, size, false);
        if (n != -ELOOP)
            return n;
    }
    return root_resolve(r, path, at, true) ? read_at(r->fd, at, bytes, size, false) : -ENOENT;
}

static ssize_t read_raw(const struct hw_root *r, const char *path, char *bytes, size_t size)
{
    char at[HW_PATH_BYTES_MAX];
    if (r->kind == ROOT_LIVE)
        return is_quick(path) ? root_read_live(path, bytes, size) : reader_read(r->reader, path, bytes, size < GUARDED_BYTES_MAX ? size : GUARDED_BYTES_MAX);
    if (r->kind == ROOT_FOLDER)
        return read_in_folder(r, path, bytes, size);
    if (!root_resolve(r, path, at, true))
        return -ENOENT;
    const struct tree_entry *e = tree_find(&r->tree, at);
    if (!e || e->kind != TREE_FILE)
        return -ENOENT;
    const size_t n = e->n < size ? e->n : size;
    memcpy(bytes, e->bytes, n);
    return (ssize_t)n;
}

ssize_t root_read_bytes(const struct hw_root *r, const char *path, char *bytes, size_t size)
{
    char at[HW_PATH_BYTES_MAX];
    if (!r->kept)
        return read_raw(r, path, bytes, size);
    const ssize_t n = read_raw(r, path, r->whole, KEPT_BYTES_MAX); /* all of it, however little the detector asks for */
    if (n >= 0 && root_resolve(r, path, at, true))
        root_keep(r, TREE_FILE, at, r->whole, (size_t)n);
    const size_t m = n < 0 ? 0 : (size_t)n < size ? (size_t)n : size;
    memcpy(bytes, r->whole, m);
    return n < 0 ? n : (ssize_t)m;
}

bool root_is_folder(const struct hw_root *r, const char *at)
{
    struct stat st;
    if (r->kind == ROOT_MEMORY) {
        const struct tree_entry *e = tree_find(&r->tree, at);
        return !e || e->kind == TREE_FOLDER; /* without an entry it is a folder that entries lie in */
    }
    return fstatat(r->fd, at, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}
