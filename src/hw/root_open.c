/* hw/root_open.c - which machine: the live one, a folder, an archive, a text; and the archive that a recording becomes.
 *
 * For:     callers of hw/root.h.
 * Touches: the folder or file that is named.
 */
#define _GNU_SOURCE /* O_PATH */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "hw/root_internal.h"

enum { DEADLINE_MS = 500, ARCHIVE_BYTES_MAX = 256 << 20 };

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
    reader_free(r->reader);
    tree_fini(&r->tree);
    if (r->kept)
        tree_fini(r->kept);
    free(r->kept);
    free(r->whole);
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
    r->reader = reader_new(reader, deadline_ms);
    if (r->fd < 0 || !r->reader) {
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
        return hw_root_open_reader(root_read_live, DEADLINE_MS, err);
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

void hw_root_keep(struct hw_root *r)
{
    r->whole = r->whole ? r->whole : malloc(KEPT_BYTES_MAX);
    r->kept = r->kept || !r->whole ? r->kept : calloc(1, sizeof(*r->kept)); /* hw_root_tar() tells when there is none */
}

bool hw_root_tar(const struct hw_root *r, hw_scrub_fn *scrub, void *ctx, struct buf *out, struct err *err)
{
    if (!r->kept)
        return err_set(err, ERR_NOMEM, "recording: nothing was kept");
    tree_sort(r->kept);
    return tree_tar(r->kept, scrub, ctx, out, err);
}
