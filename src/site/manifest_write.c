/* site/manifest_write.c - the folder: nothing of others is touched, what an earlier run left is removed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "site/manifest.h"

enum { PATH_BYTES = 4096 + 512 };

static bool path_of(char *out, const char *dir, const char *name, struct err *err)
{
    return snprintf(out, PATH_BYTES, "%s/%s", dir, name) < PATH_BYTES || err_set(err, ERR_LIMIT, "--out: the name is too long");
}

enum who { NOBODYS, OURS, OTHERS };
/* By its first bytes; a link is never ours. */
static enum who whose(const char *path)
{
    char head[sizeof(MANIFEST_MARK)] = "";
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? NOBODYS : OTHERS;
    struct stat st;
    const bool is_ours = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && read(fd, head, sizeof(head) - 1) == sizeof(head) - 1 && strcmp(head, MANIFEST_MARK) == 0;
    close(fd);
    return is_ours ? OURS : OTHERS;
}

static bool write_one(const char *dir, const struct manifest_file *f, struct err *err)
{
    char path[PATH_BYTES];
    if (!path_of(path, dir, f->path, err))
        return false;
    file_make_folders(path, 0755);
    return file_write(path, f->text.data, f->text.len, err);
}

static bool is_new(const struct manifests *m, const char *path)
{
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->list[i].path, path) == 0)
            return true;
    return false;
}

/* Files of ours that are not written any more, here and one folder down; folders that are empty then. */
static void remove_stale(const struct manifests *m, const char *dir, const char *below, int *n_removed)
{
    char folder[PATH_BYTES], path[PATH_BYTES], name[200];
    if (snprintf(folder, sizeof(folder), "%s%s%s", dir, below[0] ? "/" : "", below) >= PATH_BYTES)
        return;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.' || (size_t)snprintf(name, sizeof(name), "%s%s%s", below, below[0] ? "/" : "", e->d_name) >= sizeof(name) ||
            snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_BYTES || lstat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && !below[0])
            remove_stale(m, dir, name, n_removed);
        else if (S_ISREG(st.st_mode) && !is_new(m, name) && whose(path) == OURS && unlink(path) == 0)
            ++*n_removed;
    }
    if (d)
        closedir(d);
    if (below[0])
        rmdir(folder); /* only when nothing is left in it */
}

bool manifests_write(const struct manifests *m, const char *dir, int *n_removed, struct err *err)
{
    char path[PATH_BYTES];
    *n_removed = 0;
    for (int i = 0; i < m->n; i++) {
        if (!path_of(path, dir, m->list[i].path, err))
            return false;
        if (whose(path) == OTHERS)
            return err_set(err, ERR_INPUT, "%s: this file is not ours and stays: choose another folder, or take it away", path);
    }
    for (int i = 0; i < m->n; i++)
        if (!write_one(dir, &m->list[i], err))
            return false;
    remove_stale(m, dir, "", n_removed);
    return true;
}
