/* cluster/node_files.c - see node_files.h. */
#include "cluster/node_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "cluster/file_hash.h"

static bool is_model(const char *name)
{
    static const char *const endings[] = { ".gguf", ".onnx", ".safetensors", ".tflite", ".bin", ".hef", ".engine", ".blob", ".rknn", ".xml", ".param" };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++)
        if (strcmp(dot, endings[i]) == 0)
            return node_pb_is_file_name(name);
    return false;
}

/* ---- checksums that are kept: one file for each, "HEX BYTES MTIME_NS INODE" ---- */

static bool cache_path(const char *name, char *out, size_t max)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const int n = xdg && xdg[0] == '/' ? snprintf(out, max, "%s/tutti/sha256/%s", xdg, name) : home && home[0] ? snprintf(out, max, "%s/.cache/tutti/sha256/%s", home, name) : -1;
    return n > 0 && (size_t)n < max;
}

static void put_stamp(const struct stat *st, char *out, size_t max)
{
    snprintf(out, max, " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", (uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec,
             (uint64_t)st->st_ino);
}

static bool read_kept(const char *name, const struct stat *st, unsigned char out[NODE_PB_SHA256])
{
    char path[1024], line[256] = "", stamp[128];
    if (!cache_path(name, path, sizeof(path)))
        return false;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const ssize_t n = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;
    if (fd >= 0)
        close(fd);
    put_stamp(st, stamp, sizeof(stamp));
    return n > 2 * NODE_PB_SHA256 && strcmp(line + 2 * NODE_PB_SHA256, stamp) == 0 && hex_read(out, line, FILE_HASH_BYTES);
}

/* Whole or not at all; when it cannot be kept it is reckoned again. */
static void keep(const char *name, const struct stat *st, const unsigned char hash[NODE_PB_SHA256])
{
    char path[1024], line[256], stamp[128];
    struct err ignored;
    if (!cache_path(name, path, sizeof(path)))
        return;
    file_make_folders(path, 0700);
    hex_put(line, hash, FILE_HASH_BYTES);
    put_stamp(st, stamp, sizeof(stamp));
    const int n = snprintf(line + 2 * NODE_PB_SHA256, sizeof(line) - 2 * NODE_PB_SHA256, "%s", stamp) + 2 * NODE_PB_SHA256;
    file_write(path, line, (size_t)n, &ignored);
}

bool node_files_hash(const char *name, int fd, unsigned char out[NODE_PB_SHA256], const _Atomic bool *should_stop, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_set(err, ERR_IO, "%.100s: %s", name, strerror(errno));
    if (read_kept(name, &st, out))
        return true;
    struct file_hash *h = file_hash_new(err);
    bool ok = h && file_hash_add_file(h, fd, (uint64_t)st.st_size, should_stop, err);
    ok = ok && (file_hash_end(h, out) || err_set(err, ERR_INTERNAL, "SHA-256 failed"));
    file_hash_free(h);
    if (ok)
        keep(name, &st, out);
    return ok;
}

/* ---- files ---- */

int node_files_open(const char *dir, const char *name, uint64_t *n_bytes, struct err *err)
{
    struct stat st;
    const int at = dir && is_model(name) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    const int fd = at >= 0 ? openat(at, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1; /* a fifo would hold us up */
    if (at >= 0)
        close(at);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *n_bytes = (uint64_t)st.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    err_set(err, ERR_NOT_FOUND, "this node shares no model file '%.120s'", name);
    return -1;
}

static int by_name(const void *a, const void *b) { return strcmp(((const struct node_pb_model *)a)->name, ((const struct node_pb_model *)b)->name); }

int node_files_list(const char *dir, struct node_pb_model *out, int max, struct arena *a)
{
    DIR *d = dir ? opendir(dir) : NULL;
    struct err err;
    int n = 0;
    for (const struct dirent *e = d ? readdir(d) : NULL; e && n < max; e = readdir(d)) {
        struct stat st;
        if (!is_model(e->d_name) || fstatat(dirfd(d), e->d_name, &st, 0) != 0 || !S_ISREG(st.st_mode))
            continue;
        const char *name = arena_strndup(a, e->d_name, strlen(e->d_name), &err);
        if (!name)
            break;
        out[n] = (struct node_pb_model){ .name = name, .bytes = (uint64_t)st.st_size };
        out[n].has_sha256 = read_kept(name, &st, out[n].sha256);
        n++;
    }
    if (d)
        closedir(d);
    if (n > 0)
        qsort(out, (size_t)n, sizeof(*out), by_name);
    return n;
}

uint64_t node_files_edition(const char *dir)
{
    struct stat st;
    return dir && stat(dir, &st) == 0 ? (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec : 0;
}
