/* hw/root.c - see root.h; start reading at read_bytes(), the one way to a file's content. */
#define _GNU_SOURCE /* O_PATH, syscall */
#include "hw/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "hw/root_internal.h"

enum { LINKS_MAX = 40, DEADLINE_MS = 500, KEPT_BYTES_MAX = 1 << 20, ARCHIVE_BYTES_MAX = 256 << 20 };

struct hw_root {
    enum { ROOT_LIVE, ROOT_FOLDER, ROOT_MEMORY } kind;
    int fd;              /* the folder; -1 in memory */
    struct tree tree;    /* ROOT_MEMORY */
    struct child *child; /* ROOT_LIVE */
    struct tree *kept;   /* NULL: nothing is recorded */
    struct near_folder {  /* ROOT_FOLDER: detectors read many files of one folder in a row */
        char path[HW_PATH_BYTES_MAX];
        int fd;          /* -1: no such folder */
    } *near;             /* NULL: none yet */
};

/* --- one path at a time --------------------------------------------------------------------------- */

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

static ssize_t read_live(const char *path, char *bytes, size_t size)
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

/* 1: a link, its text in `text`; 0: something else; -1: nothing there. */
static int link_at(const struct hw_root *r, const char *path, char *text, size_t size)
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

static void keep(const struct hw_root *r, enum tree_kind kind, const char *path, const char *bytes, size_t n)
{
    struct err ignored;
    if (r->kept) /* a recording that is full or out of memory lacks something, no more */
        tree_add(r->kept, kind, path, bytes, n, &ignored);
}

/* Follows links inside the root, component by component: "..", an absolute link and a loop end inside it or not at all.
 * false: nothing there.  is_last_followed: also when the last component is a link. */
static bool resolve(const struct hw_root *r, const char *path, char out[static HW_PATH_BYTES_MAX], bool is_last_followed)
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
        const int what = link_at(r, out, link, sizeof(link));
        if (what < 0)
            return false;
        if (what == 0)
            continue;
        keep(r, TREE_LINK, out, link, strlen(link));
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
    return resolve(r, path, at, true) ? openat(r->fd, at[0] ? at : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
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
    return resolve(r, path, at, true) ? read_at(r->fd, at, bytes, size, false) : -ENOENT;
}

static ssize_t read_raw(const struct hw_root *r, const char *path, char *bytes, size_t size)
{
    char at[HW_PATH_BYTES_MAX];
    if (r->kind == ROOT_LIVE)
        return is_quick(path) ? read_live(path, bytes, size) : child_read(r->child, path, bytes, size < GUARDED_BYTES_MAX ? size : GUARDED_BYTES_MAX);
    if (r->kind == ROOT_FOLDER)
        return read_in_folder(r, path, bytes, size);
    if (!resolve(r, path, at, true))
        return -ENOENT;
    const struct tree_entry *e = tree_find(&r->tree, at);
    if (!e || e->kind != TREE_FILE)
        return -ENOENT;
    const size_t n = e->n < size ? e->n : size;
    memcpy(bytes, e->bytes, n);
    return (ssize_t)n;
}

static ssize_t read_bytes(const struct hw_root *r, const char *path, char *bytes, size_t size)
{
    char at[HW_PATH_BYTES_MAX];
    if (!r->kept)
        return read_raw(r, path, bytes, size);
    char *whole = malloc(KEPT_BYTES_MAX); /* a recording wants all of it, however little the detector asks for */
    if (!whole)
        return -ENOMEM;
    const ssize_t n = read_raw(r, path, whole, KEPT_BYTES_MAX);
    if (n >= 0 && resolve(r, path, at, true))
        keep(r, TREE_FILE, at, whole, (size_t)n);
    const size_t m = n < 0 ? 0 : (size_t)n < size ? (size_t)n : size;
    memcpy(bytes, whole, m);
    free(whole);
    return n < 0 ? n : (ssize_t)m;
}

/* --- what detectors call ---------------------------------------------------------------------------- */

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
    ssize_t n = size > 1 ? read_bytes(r, path, text, size - 1) : -EINVAL;
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
    const ssize_t n = bytes ? read_bytes(r, path, bytes, max_bytes) : -1;
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
    const bool is_link = resolve(r, path, at, false) && link_at(r, at, text, size) == 1;
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
    if (!is_path || !resolve(r, path, at, true))
        return false;
    keep(r, TREE_SEEN, at, "", 0);
    return snprintf(text, size, "%s", at) < (int)size;
}

static bool is_folder(const struct hw_root *r, const char *at)
{
    struct stat st;
    if (r->kind == ROOT_MEMORY) {
        const struct tree_entry *e = tree_find(&r->tree, at);
        return !e || e->kind == TREE_FOLDER; /* without an entry it is a folder that entries lie in */
    }
    return fstatat(r->fd, at, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

bool hw_exists(const struct hw_root *r, const char *fmt, ...)
{
    FORMAT(path, fmt);
    char at[HW_PATH_BYTES_MAX];
    if (!is_path || !resolve(r, path, at, true))
        return false;
    if (r->kept)
        keep(r, is_folder(r, at) ? TREE_FOLDER : TREE_SEEN, at, "", 0);
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
    char *copy = strdup(name);
    if (!copy)
        return false;
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
    if (!is_path || !resolve(r, path, at, true))
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
        keep(r, TREE_FOLDER, at, "", 0);
        for (int i = 0; i < names->n; i++) {
            char entry[HW_PATH_BYTES_MAX + HW_NAME_BYTES_MAX], link[HW_PATH_BYTES_MAX];
            if (snprintf(entry, sizeof(entry), "%s/%s", at, names->name[i]) >= HW_PATH_BYTES_MAX)
                continue;
            const bool is_link = link_at(r, entry, link, sizeof(link)) == 1;
            keep(r, is_link ? TREE_LINK : is_folder(r, entry) ? TREE_FOLDER : TREE_SEEN, entry, is_link ? link : "", is_link ? strlen(link) : 0);
        }
    }
    return names->n;
}

int hw_root_n_hung(const struct hw_root *r, char *path, size_t size)
{
    if (size > 0)
        path[0] = '\0';
    return r->child ? child_n_hung(r->child, path, size) : 0;
}

/* --- opening ------------------------------------------------------------------------------------------ */

static struct hw_root *root_new(struct err *err)
{
    struct hw_root *r = calloc(1, sizeof(*r));
    if (!r)
        return err_null(err, ERR_NOMEM, "out of memory");
    r->fd = -1;
    return r;
}

void hw_root_free(struct hw_root *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    if (r->near && r->near->fd >= 0)
        close(r->near->fd);
    free(r->near);
    child_free(r->child);
    tree_fini(&r->tree);
    if (r->kept)
        tree_fini(r->kept);
    free(r->kept);
    free(r);
}

bool hw_root_is_live(const struct hw_root *r) { return r->kind == ROOT_LIVE; }

struct hw_root *hw_root_open_reader(hw_reader_fn *reader, int deadline_ms, struct err *err)
{
    struct hw_root *r = root_new(err);
    if (!r)
        return NULL;
    r->kind = ROOT_LIVE;
    r->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    r->child = child_new(reader, deadline_ms);
    if (r->fd < 0 || !r->child) {
        err_set(err, ERR_IO, "/: cannot be opened");
        hw_root_free(r);
        return NULL;
    }
    return r;
}

static struct hw_root *from_memory(bool is_tar, const void *bytes, size_t n, struct err *err)
{
    struct hw_root *r = root_new(err);
    if (!r)
        return NULL;
    r->kind = ROOT_MEMORY;
    if (!(is_tar ? tree_untar(&r->tree, bytes, n, err) : tree_parse(&r->tree, bytes, n, err))) {
        hw_root_free(r);
        return NULL;
    }
    tree_sort(&r->tree);
    if (!tree_has(&r->tree, "proc") && !tree_has(&r->tree, "sys") && !tree_strip_top(&r->tree)) {
        err_set(err, ERR_INPUT, "holds neither proc nor sys: not a recorded machine");
        hw_root_free(r);
        return NULL;
    }
    return r;
}
struct hw_root *hw_root_parse(const char *text, size_t n, struct err *err) { return from_memory(false, text, n, err); }
struct hw_root *hw_root_untar(const void *tar, size_t n, struct err *err) { return from_memory(true, tar, n, err); }

static bool holds_machine(int fd)
{
    struct stat st;
    return (fstatat(fd, "proc", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) ||
           (fstatat(fd, "sys", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode));
}

static struct hw_root *remember_folders(struct hw_root *r)
{
    r->near = calloc(1, sizeof(*r->near)); /* without it reads are slower */
    if (r->near)
        r->near->fd = -1, r->near->path[0] = '/'; /* no path begins so */
    return r;
}

static struct hw_root *from_folder(int fd, const char *path, struct err *err)
{
    struct hw_root *r = root_new(err);
    if (!r) {
        close(fd);
        return NULL;
    }
    r->kind = ROOT_FOLDER;
    r->fd = fd;
    if (holds_machine(fd))
        return remember_folders(r);
    struct hw_names names;
    int inner = -1, n_inner = 0;
    hw_list(r, &names, ".");
    for (int i = 0; i < names.n && n_inner < 2; i++) {
        const int f = openat(fd, names.name[i], O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        if (f < 0)
            continue;
        if (holds_machine(f) && ++n_inner == 1)
            inner = f;
        else
            close(f);
    }
    hw_names_free(&names);
    if (n_inner == 1) {
        close(r->fd);
        r->fd = inner;
        return remember_folders(r);
    }
    if (inner >= 0)
        close(inner);
    hw_root_free(r);
    return err_null(err, ERR_INPUT, "%s: holds %s: not a recorded machine", path, n_inner ? "several machines, name one" : "neither proc nor sys");
}

struct hw_root *hw_root_open(const char *path, struct err *err)
{
    struct stat st;
    if (!path || path[0] == '\0' || strcmp(path, "/") == 0)
        return hw_root_open_reader(read_live, DEADLINE_MS, err);
    if (stat(path, &st) != 0)
        return err_null(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode)) {
        const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd >= 0 ? from_folder(fd, path, err) : err_null(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    size_t n = 0;
    char *bytes = S_ISREG(st.st_mode) ? file_read(path, ARCHIVE_BYTES_MAX, &n, err) : err_null(err, ERR_INPUT, "%s: neither a folder nor a file", path);
    if (!bytes)
        return NULL;
    const bool is_tar = n >= 512 && memcmp(bytes + 257, "ustar", 5) == 0;
    struct hw_root *r = from_memory(is_tar, bytes, n, err);
    if (!r)
        err_prefix(err, "%s", path);
    free(bytes);
    return r;
}

/* --- recording ---------------------------------------------------------------------------------------- */

void hw_root_keep(struct hw_root *r)
{
    if (!r->kept)
        r->kept = calloc(1, sizeof(*r->kept));
}

bool hw_root_tar(const struct hw_root *r, hw_scrub_fn *scrub, void *ctx, struct buf *out, struct err *err)
{
    if (!r->kept)
        return err_set(err, ERR_NOMEM, "recording: nothing was kept");
    tree_sort(r->kept);
    return tree_tar(r->kept, scrub, ctx, out, err);
}
