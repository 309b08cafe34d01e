/* proc/memory.c - see memory.h. */
#include "proc/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 4096, TREE_MAX = 256 };

/* A small file of /proc or /sys; false: not there. */
static bool read_text(const char *path, char text[static TEXT_BYTES])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t n = 0;
    ssize_t got;
    while (n < TEXT_BYTES - 1 && ((got = read(fd, text + n, TEXT_BYTES - 1 - n)) > 0 || (got < 0 && errno == EINTR)))
        n += got > 0 ? (size_t)got : 0;
    close(fd);
    text[n] = '\0';
    return n > 0;
}

/* "Key:   123 kB" in bytes; 0: no such line. */
static uint64_t kb_of(const char *text, const char *key)
{
    const size_t n = strlen(key);
    for (const char *at = text; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, key, n) == 0 && at[n] == ':')
            return strtoull(at + n + 1, NULL, 10) * 1024u;
    }
    return 0;
}

bool memory_of(pid_t pid, struct memory_use *out)
{
    char path[64], text[TEXT_BYTES];
    *out = (struct memory_use){ 0 };
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (!read_text(path, text) || !strstr(text, "\nVmRSS:")) /* a zombie has no Vm lines */
        return false;
    out->rss_bytes = kb_of(text, "VmRSS");
    out->own_bytes = kb_of(text, "RssAnon") + kb_of(text, "RssShmem") + kb_of(text, "VmSwap");
    out->n_processes = 1;
    return true;
}

/* Appends the children of pid to list. */
static int add_children(pid_t pid, pid_t *list, int n)
{
    char path[300], text[TEXT_BYTES];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", (int)pid, e->d_name);
        if (e->d_name[0] == '.' || !read_text(path, text))
            continue;
        char *at = text;
        for (long child; n < TREE_MAX && (child = strtol(at, &at, 10)) > 0;)
            list[n++] = (pid_t)child;
    }
    if (d)
        closedir(d);
    return n;
}

bool memory_of_tree(pid_t pid, struct memory_use *out)
{
    pid_t list[TREE_MAX] = { pid };
    int n = 1;
    *out = (struct memory_use){ 0 };
    for (int i = 0; i < n; i++) {
        struct memory_use one;
        if (!memory_of(list[i], &one))
            continue;
        out->rss_bytes += one.rss_bytes;
        out->own_bytes += one.own_bytes;
        out->n_processes++;
        n = add_children(list[i], list, n);
    }
    return out->n_processes > 0;
}

char process_state(pid_t pid)
{
    char path[64], text[TEXT_BYTES];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (!read_text(path, text))
        return 0;
    const char *end = strrchr(text, ')'); /* its name may hold anything */
    return end && end[1] == ' ' ? end[2] : 0;
}

/* ---- what is free ---- */

static bool read_number(const char *path, uint64_t *out)
{
    char text[TEXT_BYTES], *end;
    if (!read_text(path, text))
        return false;
    *out = strtoull(text, &end, 10);
    return end != text; /* "max" is no number */
}

/* The least that the limits along one chain of control groups leave.  dir: where it is mounted; group: "/a/b". */
static uint64_t cgroup_left(const char *dir, const char *group, const char *limit, const char *used, const char *stat_key)
{
    uint64_t least = UINT64_MAX;
    char at[512];
    snprintf(at, sizeof(at), "%.500s", group);
    for (;;) {
        char path[1200], text[TEXT_BYTES];
        uint64_t max, now, cache = 0;
        snprintf(path, sizeof(path), "%s%s/%s", dir, at, limit);
        const bool has_max = read_number(path, &max);
        snprintf(path, sizeof(path), "%s%s/%s", dir, at, used);
        if (has_max && read_number(path, &now)) {
            snprintf(path, sizeof(path), "%s%s/memory.stat", dir, at);
            const char *line = read_text(path, text) ? strstr(text, stat_key) : NULL;
            if (line)
                cache = strtoull(line + strlen(stat_key), NULL, 10); /* files read before: given back when wanted */
            now = now > cache ? now - cache : 0;
            const uint64_t left = max > now ? max - now : 0;
            least = left < least ? left : least;
        }
        char *slash = strrchr(at, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

uint64_t memory_available_bytes(const char *root)
{
    char path[600], dir[600], text[TEXT_BYTES];
    snprintf(path, sizeof(path), "%.500s/proc/meminfo", root);
    uint64_t least = read_text(path, text) ? kb_of(text, "MemAvailable") : 0;
    least = least ? least : UINT64_MAX;
    snprintf(path, sizeof(path), "%.500s/proc/self/cgroup", root);
    if (read_text(path, text)) {
        char *save = NULL;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
            uint64_t left = UINT64_MAX;
            char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;
            if (!group)
                continue;
            *group++ = '\0';
            if (strcmp(group, "/") == 0)
                group++; /* the root has no limit of its own in v2; in a container it is our own */
            if (names[1] == '\0') {
                snprintf(dir, sizeof(dir), "%.500s/sys/fs/cgroup", root);
                left = cgroup_left(dir, group, "memory.max", "memory.current", "\ninactive_file ");
            } else if (strcmp(names + 1, "memory") == 0) {
                snprintf(dir, sizeof(dir), "%.500s/sys/fs/cgroup/memory", root);
                left = cgroup_left(dir, group, "memory.limit_in_bytes", "memory.usage_in_bytes", "\ntotal_inactive_file ");
            }
            least = left < least ? left : least;
        }
    }
    return least == UINT64_MAX ? 0 : least;
}
