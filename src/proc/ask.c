/* proc/ask.c - see ask.h; start reading at ask_call(). */
#define _GNU_SOURCE /* pipe2 */
#include "proc/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/child.h"

enum { STUCK_MS = 100 }; /* after SIGKILL: stuck in the kernel, nobody can end it, so it stays behind */

static int left_ms(uint64_t end_ns)
{
    const uint64_t now = clock_ns();
    return now >= end_ns ? 0 : (int)((end_ns - now) / 1000000 + 1);
}

/* Reads until the other side closes: true.  false: late, or more than fits. */
static bool read_answer(int fd, uint64_t end_ns, char *answer, size_t size, size_t *n_bytes, bool *is_late)
{
    *n_bytes = 0;
    for (;;) {
        struct pollfd p = { fd, POLLIN, 0 };
        const int ready = poll(&p, 1, left_ms(end_ns));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0) {
            *is_late = true;
            return false;
        }
        char more[512];
        const bool is_full = *n_bytes == size;
        const ssize_t got = is_full ? read(fd, more, sizeof(more)) : read(fd, answer + *n_bytes, size - *n_bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        if (is_full)
            return false;
        *n_bytes += (size_t)got;
    }
}

/* What it says until the deadline, and its end. */
static enum ask_end hear(struct child *c, int fd, uint64_t end_ns, void *answer, size_t size, size_t *n_bytes)
{
    bool is_late = false;
    struct child_end end = { 0 };
    const bool is_whole = read_answer(fd, end_ns, answer, size, n_bytes, &is_late);
    const bool has_ended = is_whole && child_wait(c, left_ms(end_ns), &end);
    if (!has_ended) {
        child_signal(c, SIGKILL);
        if (!child_wait(c, STUCK_MS, NULL) && c->fd >= 0)
            close(c->fd);
    }
    if (is_late || (!has_ended && is_whole))
        return ASK_LATE;
    return is_whole && !end.by_signal && end.code == 0 ? ASK_DONE : ASK_FAILED;
}

enum ask_end ask_call(ask_fn *fn, void *ctx, int deadline_ms, void *answer, size_t size, size_t *n_bytes)
{
    int ends[2];
    const uint64_t end_ns = clock_ns() + (uint64_t)deadline_ms * 1000000;
    *n_bytes = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return ASK_FAILED;
    struct child c = { .pid = fork(), .fd = -1 };
    if (c.pid == 0) {
        setpgid(0, 0);
        signal(SIGPIPE, SIG_DFL);
        child_keep_files(3, ends[1]);
        _exit(fn(ends[1], ctx));
    }
    close(ends[1]);
    enum ask_end end = ASK_FAILED;
    if (c.pid > 0) {
        setpgid(c.pid, c.pid); /* both sides: whoever is first */
        end = hear(&c, ends[0], end_ns, answer, size, n_bytes);
    }
    close(ends[0]);
    return end;
}

enum ask_end ask_program(const char *const argv[], int deadline_ms, char *text, size_t size, size_t *n_bytes)
{
    int ends[2];
    struct err err;
    struct child c;
    const uint64_t end_ns = clock_ns() + (uint64_t)deadline_ms * 1000000;
    enum ask_end end = ASK_FAILED;
    *n_bytes = 0;
    if (pipe2(ends, O_CLOEXEC) == 0) {
        const bool ok = child_start(&c, &(struct child_spec){ .argv = argv, .fds = (int[]){ -1, ends[1], -1 }, .n_fds = 3 }, &err);
        close(ends[1]);
        if (ok)
            end = hear(&c, ends[0], end_ns, text, size - 1, n_bytes);
        close(ends[0]);
    }
    text[*n_bytes] = '\0';
    return end;
}
