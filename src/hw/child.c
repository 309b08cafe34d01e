/* hw/child.c - see child.h; start reading at child_call(). */
#define _GNU_SOURCE /* close_range's number */
#include "hw/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { FILES_MAX = 4096 }; /* where the kernel has no close_range (before 5.9) */

void child_keep_files(int first, int keep)
{
    if (keep < first)
        keep = first - 1;
#ifdef SYS_close_range
    if ((keep <= first || syscall(SYS_close_range, (unsigned)first, (unsigned)keep - 1, 0u) == 0) &&
        syscall(SYS_close_range, (unsigned)keep + 1, ~0u, 0u) == 0)
        return;
#endif
    for (int fd = first; fd < FILES_MAX; fd++)
        if (fd != keep)
            close(fd);
}

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

/* true: it ended, with *status.  Waits until the deadline, then kills and gives it a moment. */
static bool reap(pid_t pid, uint64_t end_ns, bool kill_now, int *status)
{
    bool is_killed = false;
    uint64_t give_up_ns = 0;
    for (;;) {
        const pid_t got = waitpid(pid, status, WNOHANG);
        if (got == pid)
            return !is_killed;
        if (got < 0 && errno != EINTR)
            return false;
        if (!is_killed && (kill_now || left_ms(end_ns) == 0)) {
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
            is_killed = true;
            give_up_ns = clock_ns() + 100000000;
        }
        if (is_killed && clock_ns() > give_up_ns)
            return false; /* stuck in the kernel: nobody can end it, so it stays behind */
        nanosleep(&(struct timespec){ 0, 500000 }, NULL);
    }
}

enum child_end child_call(child_fn *fn, void *ctx, int deadline_ms, void *answer, size_t size, size_t *n_bytes)
{
    int ends[2];
    bool is_late = false;
    const uint64_t end_ns = clock_ns() + (uint64_t)deadline_ms * 1000000;
    *n_bytes = 0;
    if (pipe(ends) != 0)
        return CHILD_FAILED;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    const pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        signal(SIGPIPE, SIG_DFL);
        child_keep_files(3, ends[1]);
        _exit(fn(ends[1], ctx));
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return CHILD_FAILED;
    }
    setpgid(pid, pid); /* both sides: whoever is first */
    const bool is_whole = read_answer(ends[0], end_ns, answer, size, n_bytes, &is_late);
    close(ends[0]);
    int status = 0;
    const bool has_ended = reap(pid, end_ns, !is_whole, &status);
    if (is_late || (!has_ended && is_whole))
        return CHILD_LATE;
    return is_whole && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CHILD_DONE : CHILD_FAILED;
}

static int run_program(int fd, void *ctx)
{
    char *const *argv = ctx;
    const int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 2) < 0 || dup2(fd, 1) < 0)
        return 126;
    if (null > 2)
        close(null);
    execvp(argv[0], argv);
    return 127;
}

enum child_end child_run(char *const argv[], int deadline_ms, char *text, size_t size, size_t *n_bytes)
{
    const enum child_end end = child_call(run_program, (void *)(size_t)argv, deadline_ms, text, size - 1, n_bytes);
    text[*n_bytes] = '\0';
    return end;
}
