/* hw/root_child.c - reads attributes of live devices in a process that can be left behind.
 *
 * For:     root.c, on the live machine.
 * Touches: one forked child, a socket pair, files.
 * Rule:    a read that a driver never answers cannot be interrupted, not even by SIGKILL; a thread in it
 *          would keep our process from ending.  So it happens in a grandchild that nobody waits for, with none of
 *          our descriptors (a pipe that we print to must see its end).  The child calls nothing but
 *          async-signal-safe functions: we may have threads.
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "hw/root_internal.h"
#include "proc/child.h"

enum {
    HUNG_MAX = 8,          /* children that we leave behind before no attribute is read any more */
    PATIENCE_MS = 1000,    /* waited in vain in sum; after that a deadline is the least */
    DEADLINE_LEAST_MS = 50,
};

struct request {
    size_t size;
    char path[HW_PATH_BYTES_MAX];
};
struct reply {
    ssize_t n; /* or -errno */
    char bytes[GUARDED_BYTES_MAX];
};

struct reader {
    hw_reader_fn *fn;
    int deadline_ms, waited_ms, n_hung, fd; /* fd -1: no child */
    char hung_path[HW_PATH_BYTES_MAX];
    struct reply reply;
};

struct reader *reader_new(hw_reader_fn *fn, int deadline_ms)
{
    struct reader *c = calloc(1, sizeof(*c));
    if (c)
        c->fn = fn, c->deadline_ms = deadline_ms, c->fd = -1;
    return c;
}

void reader_free(struct reader *c)
{
    if (c && c->fd >= 0)
        close(c->fd); /* the child sees the end and goes */
    free(c);
}

_Noreturn static void serve(hw_reader_fn *fn, int fd)
{
    static struct request q; /* not on a small stack */
    static struct reply a;
    child_keep_files(0, fd);
    for (;;) {
        const ssize_t got = recv(fd, &q, sizeof(q), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != (ssize_t)sizeof(q))
            _exit(0);
        a.n = fn(q.path, a.bytes, q.size < sizeof(a.bytes) ? q.size : sizeof(a.bytes));
        const size_t n = offsetof(struct reply, bytes) + (a.n > 0 ? (size_t)a.n : 0);
        if (send(fd, &a, n, MSG_NOSIGNAL) != (ssize_t)n)
            _exit(0);
    }
}

static bool start(struct reader *c)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    const pid_t pid = fork();
    if (pid == 0) { /* twice, so that it is init's child and never our zombie */
        const pid_t grandchild = fork();
        if (grandchild == 0)
            serve(c->fn, pair[1]);
        _exit(grandchild > 0 ? 0 : 1);
    }
    close(pair[1]);
    int status = 1;
    pid_t ended = pid;
    while (pid > 0 && (ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        ;
    if (ended < 0 && pid > 0 && errno == ECHILD)
        status = 0; /* SIGCHLD is ignored by our caller: the kernel has reaped it; a read will tell */
    if (pid < 0 || status != 0) {
        close(pair[0]);
        return false;
    }
    c->fd = pair[0];
    return true;
}

static int deadline_of(const struct reader *c)
{
    return c->waited_ms < PATIENCE_MS || c->deadline_ms < DEADLINE_LEAST_MS ? c->deadline_ms : DEADLINE_LEAST_MS;
}

ssize_t reader_read(struct reader *c, const char *path, char *bytes, size_t size)
{
    static const struct request empty;
    struct request q = empty;
    if (c->n_hung >= HUNG_MAX)
        return -ETIMEDOUT;
    if (c->fd < 0 && !start(c))
        return -EAGAIN;
    q.size = size;
    strncpy(q.path, path, sizeof(q.path) - 1);
    if (send(c->fd, &q, sizeof(q), MSG_NOSIGNAL) != (ssize_t)sizeof(q))
        goto gone;
    const uint64_t limit_ns = (uint64_t)deadline_of(c) * 1000000u, began = clock_ns();
    for (;;) {
        struct pollfd p = { .fd = c->fd, .events = POLLIN };
        const uint64_t passed = clock_ns() - began;
        const int rc = poll(&p, 1, passed < limit_ns ? (int)((limit_ns - passed + 999999u) / 1000000u) : 0);
        if (rc > 0)
            break;
        if ((rc < 0 && errno == EINTR) || (rc == 0 && passed < limit_ns))
            continue;
        c->waited_ms += deadline_of(c);
        c->n_hung++;
        strncpy(c->hung_path, path, sizeof(c->hung_path) - 1);
        close(c->fd); /* left behind: when the driver answers one day, it finds the end of the socket and goes */
        c->fd = -1;
        return -ETIMEDOUT;
    }
    const ssize_t got = recv(c->fd, &c->reply, sizeof(c->reply), 0);
    if (got < (ssize_t)offsetof(struct reply, bytes))
        goto gone;
    if (c->reply.n <= 0)
        return c->reply.n;
    const size_t n = (size_t)got - offsetof(struct reply, bytes);
    if (n > size)
        goto gone;
    memcpy(bytes, c->reply.bytes, n);
    return (ssize_t)n;
gone: /* killed from outside, perhaps by the driver's fault: as good as unreadable, the next read starts anew */
    close(c->fd);
    c->fd = -1;
    return -EIO;
}

int reader_n_hung(const struct reader *c, char *path, size_t size)
{
    if (size > 0) {
        strncpy(path, c->hung_path, size - 1);
        path[size - 1] = '\0';
    }
    return c->n_hung;
}
