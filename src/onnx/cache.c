/* onnx/cache.c - optimised models, kept below the cache folder: DIR/onnx/PATHHASH-CONTENTHASH-VERSION-CPU.onnx.
 *
 * The name holds all that the result depends on: what the model's file contains, the library's version, the instructions
 * of this CPU (the optimiser lays weights out for them).  The hash of the model's path makes files of older contents findable.
 */
#define _XOPEN_SOURCE 700 /* realpath */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "hw/cpu.h"
#include "onnx/onnx_internal.h"

static bool make_folder(const char *path) { return mkdir(path, 0700) == 0 || errno == EEXIST; }

void onnx_cache_path(const struct onnx *o, const char *path, const char *hash, const char *cache_dir, char out[ONNX_PATH_MAX])
{
    char full[PATH_MAX], dir[ONNX_PATH_MAX];
    out[0] = '\0';
    if (!cache_dir || !cache_dir[0] || !realpath(path, full))
        return;
    const int n = snprintf(dir, sizeof dir, "%s/onnx", cache_dir);
    if (n < 0 || n >= (int)sizeof dir || !make_folder(cache_dir) || !make_folder(dir) || access(dir, W_OK | X_OK) != 0)
        return;
    const int m = snprintf(out, ONNX_PATH_MAX, "%s/%016" PRIx64 "-%s-%s-%" PRIx32 ".onnx", dir, hash_fnv64(full, strlen(full)), hash, o->version, cpu_flags());
    if (m < 0 || m >= ONNX_PATH_MAX - 16) /* room for the name while it is written */
        out[0] = '\0';
}

bool onnx_cache_is_fresh(const char *cached, const char *path)
{
    struct stat c, m;
    if (stat(cached, &c) != 0 || stat(path, &m) != 0 || !S_ISREG(c.st_mode) || c.st_size == 0 || c.st_uid != geteuid())
        return false;
    return c.st_mtim.tv_sec > m.st_mtim.tv_sec || (c.st_mtim.tv_sec == m.st_mtim.tv_sec && c.st_mtim.tv_nsec >= m.st_mtim.tv_nsec);
}

bool onnx_cache_keep(const char *finished, const char *cached, struct err *err)
{
    enum { PATH_HASH = 16 + 1 }; /* hex digits and "-" */
    char dir[ONNX_PATH_MAX];
    const char *name = strrchr(cached, '/') + 1; /* made by onnx_cache_path() */
    if (rename(finished, cached) != 0)
        return err_set(err, ERR_IO, "%s: %s", cached, strerror(errno));
    snprintf(dir, sizeof dir, "%.*s", (int)(name - cached), cached);
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d)))
        if (strncmp(e->d_name, name, PATH_HASH) == 0 && strcmp(e->d_name, name) != 0 && strlen(e->d_name) > 5 &&
            strcmp(e->d_name + strlen(e->d_name) - 5, ".onnx") == 0) /* not what another process is writing */
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    return true;
}
