/* cluster/trust_file.c - see trust_file.h. */
#include "cluster/trust_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cluster/trust.h"

bool trust_file_path(char *out, size_t max, const char *dir, const char *name, struct err *err)
{
    return snprintf(out, max, "%s/%s", dir, name) < (int)max || err_set(err, ERR_INPUT, "%.80s...: the path is too long", dir);
}

char *trust_file_read(const char *dir, const char *name, struct err *err)
{
    char path[TRUST_PATH_MAX];
    size_t n = 0;
    char *text = trust_file_path(path, sizeof(path), dir, name, err) ? file_read(path, TRUST_FILE_MAX_BYTES, &n, err) : NULL;
    if (text && strlen(text) != n) {
        free(text);
        return err_null(err, ERR_INPUT, "%s: there are bytes in it that are no text", path);
    }
    return text;
}

bool trust_file_sync_folder(const char *dir)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

bool trust_file_write(const char *dir, const char *name, const char *text, size_t n, mode_t mode, struct err *err)
{
    char path[TRUST_PATH_MAX], temp[TRUST_PATH_MAX];
    if (!trust_file_path(path, sizeof(path), dir, name, err))
        return false;
    if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= (int)sizeof(temp)) /* two at a time each have their own */
        return err_set(err, ERR_INPUT, "%.80s...: the path is too long", path);
    const int fd = mkstemp(temp); /* 0600 */
    if (fd < 0)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    bool ok = fchmod(fd, mode) == 0 && file_write_fd(fd, text, n) && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    ok = ok && rename(temp, path) == 0 && trust_file_sync_folder(dir);
    if (ok)
        return true;
    err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    unlink(temp);
    return false;
}

bool trust_file_folder(const char *dir, struct err *err)
{
    struct stat st;
    file_make_folders(dir, 0755);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "%s: %s", dir, strerror(errno));
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        return err_set(err, ERR_INPUT, "%s: that is no folder of ours", dir);
    return (st.st_mode & 07777) == 0700 || chmod(dir, 0700) == 0 || err_set(err, ERR_IO, "%s: %s", dir, strerror(errno));
}

bool trust_file_exists(const char *dir, const char *name)
{
    char path[TRUST_PATH_MAX];
    struct err err;
    return trust_file_path(path, sizeof(path), dir, name, &err) && access(path, F_OK) == 0;
}

uint64_t trust_file_mark(const char *dir, const char *name)
{
    char path[TRUST_PATH_MAX];
    struct err err;
    struct stat st;
    if (!trust_file_path(path, sizeof(path), dir, name, &err) || stat(path, &st) != 0)
        return 0;
    return ((uint64_t)st.st_ino * 1000003u) ^ ((uint64_t)st.st_mtim.tv_sec * 1000000007u) ^ (uint64_t)st.st_mtim.tv_nsec ^ ((uint64_t)st.st_size << 40) ^ 1;
}
