/* proc/child.c - see child.h; start reading at child_start().
 *
 * Between vfork() and exec the child runs on our memory: begin() calls only what is async-signal-safe, writes nothing
 * that we read, and ends in exec or _exit().  What goes wrong there comes back through a pipe that exec closes.
 */
#define _GNU_SOURCE /* vfork, dup3, pipe2, SYS_ numbers */
#include "proc/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/sandbox.h"

enum {
    CLOSE_MAX = 4096,      /* where the kernel has no close_range (before 5.9) */
    LEFT_BEHIND_MS = 2000, /* after SIGKILL */
    PIPE_LOOK_MS = 100,    /* where there is no pidfd */
};

void child_keep_files(int first, int keep)
{
    if (keep < first)
        keep = first - 1;
#ifdef SYS_close_range
    if ((keep <= first || syscall(SYS_close_range, (unsigned)first, (unsigned)keep - 1, 0u) == 0) &&
        syscall(SYS_close_range, (unsigned)keep + 1, ~0u, 0u) == 0)
        return;
#endif
    for (int fd = first; fd < CLOSE_MAX; fd++)
        if (fd != keep)
            close(fd);
}

/* ---- finding ---- */

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool child_find(const char *name, char path[static CHILD_PATH_BYTES])
{
    if (!name[0])
        return false;
    if (strchr(name, '/')) {
        const int n = snprintf(path, CHILD_PATH_BYTES, "%s", name);
        return n < CHILD_PATH_BYTES && is_program(path);
    }
    const char *at = getenv("PATH");
    for (at = at ? at : "/usr/local/bin:/usr/bin:/bin"; *at;) {
        const size_t n = strcspn(at, ":");
        const int len = n == 0 ? snprintf(path, CHILD_PATH_BYTES, "./%s", name)
                               : snprintf(path, CHILD_PATH_BYTES, "%.*s/%s", n < CHILD_PATH_BYTES ? (int)n : 0, at, name);
        if (len < CHILD_PATH_BYTES && is_program(path))
            return true;
        at += n + (at[n] == ':');
    }
    return false;
}

/* ---- starting ---- */

struct birth { /* what the child needs between vfork() and exec */
    const struct child_spec *spec;
    const char *path;
    pid_t parent;
    int report;   /* write end: what failed */
    int lifeline; /* write end that it keeps open while it lives; -1: a pidfd tells */
    int fds[CHILD_FILES_MAX];
    int n_fds;
    sigset_t mask;
};

enum step { STEP_FILES, STEP_FOLDER, STEP_LIMITS, STEP_SANDBOX, STEP_EXEC };
static const char *const step_names[] = { "its files", "its folder", "its limits", "its sandbox", "exec" };

struct complaint {
    int step, error;
};

static _Noreturn void give_up(int report, enum step step)
{
    const struct complaint c = { (int)step, errno };
    if (write(report, &c, sizeof(c)) < 0)
        _exit(126);
    _exit(127);
}

static bool limit(int what, rlim_t value)
{
    struct rlimit r;
    if (getrlimit(what, &r) != 0)
        return false;
    if (r.rlim_max != RLIM_INFINITY && r.rlim_max < value)
        return true; /* ours is tighter */
    r.rlim_cur = r.rlim_max = value;
    return setrlimit(what, &r) == 0;
}

static bool set_limits(const struct child_limits *l)
{
    return limit(RLIMIT_CORE, 0) && (!l->memory_bytes || limit(RLIMIT_AS, l->memory_bytes)) &&
           (l->cpu_s <= 0 || limit(RLIMIT_CPU, (rlim_t)l->cpu_s)) && (l->files <= 0 || limit(RLIMIT_NOFILE, (rlim_t)l->files));
}

/* The descriptors take their places 0..n-1, then report and lifeline; the rest is closed.  In two steps, as a source may
 * lie where another one belongs. */
static bool place_files(struct birth *b)
{
    const int n = b->n_fds;
    int high[CHILD_FILES_MAX];
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return false;
    for (int i = 0; i < n; i++)
        if ((high[i] = fcntl(b->fds[i] >= 0 ? b->fds[i] : null, F_DUPFD_CLOEXEC, n + 2)) < 0)
            return false;
    const int report = fcntl(b->report, F_DUPFD_CLOEXEC, n + 2);
    const int lifeline = b->lifeline >= 0 ? fcntl(b->lifeline, F_DUPFD_CLOEXEC, n + 2) : -1;
    if (report < 0 || (b->lifeline >= 0 && lifeline < 0))
        return false;
    for (int i = 0; i < n; i++)
        if (dup2(high[i], i) < 0)
            return false;
    if (dup3(report, n, O_CLOEXEC) < 0)
        return false;
    b->report = n;
    if (lifeline >= 0 && dup2(lifeline, n + 1) < 0)
        return false;
    child_keep_files(n + 1, lifeline >= 0 ? n + 1 : -1);
    return true;
}

/* In the child. */
static _Noreturn void begin(struct birth b)
{
    struct sigaction dfl;
    memset(&dfl, 0, sizeof(dfl));
    dfl.sa_handler = SIG_DFL;
    for (int s = 1; s < NSIG; s++)
        sigaction(s, &dfl, NULL);
    sigprocmask(SIG_SETMASK, &b.mask, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != b.parent)
        _exit(127); /* it ended before we asked to be told */
    if (!place_files(&b))
        give_up(b.report, STEP_FILES);
    if (b.spec->folder && chdir(b.spec->folder) != 0)
        give_up(b.report, STEP_FOLDER);
    if (b.spec->limits.niceness != 0) {
        errno = 0;
        if (nice(b.spec->limits.niceness) == -1 && errno != 0 && errno != EPERM)
            give_up(b.report, STEP_LIMITS);
    }
    if (!set_limits(&b.spec->limits))
        give_up(b.report, STEP_LIMITS);
    if (b.spec->sandbox && (errno = sandbox_enter(b.spec->sandbox)) != 0)
        give_up(b.report, STEP_SANDBOX);
    execve(b.path, (char *const *)(size_t)b.spec->argv, b.spec->env ? (char *const *)(size_t)b.spec->env : environ);
    give_up(b.report, STEP_EXEC);
}

static pid_t give_birth(const struct birth *b)
{
    const pid_t pid = vfork();
    if (pid == 0)
        begin(*b);
    return pid;
}

static int pidfd_of(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0u); /* close-on-exec by itself */
#else
    (void)pid;
    return -1;
#endif
}

static bool has_pidfd(void)
{
    const int fd = pidfd_of(getpid());
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool child_start(struct child *c, const struct child_spec *spec, struct err *err)
{
    char path[CHILD_PATH_BYTES];
    const char *program = spec->program ? spec->program : spec->argv[0];
    *c = (struct child){ .fd = -1 };
    if (spec->n_fds > CHILD_FILES_MAX)
        return err_set(err, ERR_INTERNAL, "%s: %d descriptors for a child, at most %d are possible", program, spec->n_fds, CHILD_FILES_MAX);
    if (strcmp(program, CHILD_SELF) == 0)
        snprintf(path, sizeof(path), "%s", program);
    else if (!child_find(program, path))
        return err_set(err, ERR_NOT_FOUND, "%.160s: no such program%s", program, strchr(program, '/') ? "" : " on PATH");

    struct birth b = { .spec = spec, .path = path, .parent = getpid(), .lifeline = -1, .n_fds = spec->n_fds < 3 ? 3 : spec->n_fds };
    for (int i = 0; i < b.n_fds; i++)
        b.fds[i] = i < spec->n_fds ? spec->fds[i] : -1;
    int report[2], life[2] = { -1, -1 };
    if (pipe2(report, O_CLOEXEC) != 0)
        return err_set(err, ERR_IO, "%.160s: cannot make a pipe: %s", program, strerror(errno));
    c->is_pidfd = has_pidfd();
    if (!c->is_pidfd && pipe2(life, O_CLOEXEC) != 0) {
        err_set(err, ERR_IO, "%.160s: cannot make a pipe: %s", program, strerror(errno));
        close(report[0]), close(report[1]);
        return false;
    }
    b.report = report[1];
    b.lifeline = life[1];

    sigset_t all, ours;
    sigemptyset(&b.mask); /* the child blocks nothing */
    sigfillset(&all); /* no handler of ours may run in the child while it lives on our memory */
    pthread_sigmask(SIG_SETMASK, &all, &ours);
    const pid_t pid = give_birth(&b);
    const int error = errno;
    pthread_sigmask(SIG_SETMASK, &ours, NULL);

    close(report[1]);
    if (life[1] >= 0)
        close(life[1]);
    if (pid < 0) {
        close(report[0]);
        if (life[0] >= 0)
            close(life[0]);
        return err_set(err, error == ENOMEM ? ERR_NOMEM : ERR_IO, "%.160s: cannot start a process: %s", program, strerror(error));
    }
    setpgid(pid, pid); /* both sides: whoever is first */
    struct complaint why;
    ssize_t got;
    while ((got = read(report[0], &why, sizeof(why))) < 0 && errno == EINTR)
        ;
    close(report[0]);
    c->pid = pid;
    c->fd = c->is_pidfd ? pidfd_of(pid) : life[0];
    if (c->fd < 0 && got == 0) {
        err_set(err, ERR_IO, "%.160s: cannot watch the process: %s", program, strerror(errno));
        child_stop(c, 0, NULL);
        return false;
    }
    if (got == 0)
        return true;
    child_stop(c, 0, NULL);
    if (got != (ssize_t)sizeof(why) || why.step < 0 || why.step > STEP_EXEC)
        return err_set(err, ERR_IO, "%.160s: the process ended before it began", program);
    return err_set(err, why.error == ENOMEM ? ERR_NOMEM : ERR_IO, "%.160s: cannot start (%s): %s", program, step_names[why.step],
                   strerror(why.error));
}

/* ---- ending ---- */

void child_signal(const struct child *c, int sig)
{
    if (c->pid <= 0)
        return;
    if (kill(-c->pid, sig) != 0)
        kill(c->pid, sig); /* its group is not made yet */
}

static void forget(struct child *c)
{
    if (c->fd >= 0)
        close(c->fd);
    *c = (struct child){ .fd = -1 };
}

/* true: it has ended and is reaped. */
static bool reap(struct child *c, struct child_end *end)
{
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    int rc;
    while ((rc = waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT)) != 0 && errno == EINTR)
        ;
    if (rc == 0 && info.si_pid == 0)
        return false;
    kill(-c->pid, SIGKILL); /* what is left of its group; the number is ours until it is reaped */
    int status = 0;
    struct rusage use;
    memset(&use, 0, sizeof(use));
    pid_t got = -1;
    while (rc == 0 && (got = wait4(c->pid, &status, 0, &use)) < 0 && errno == EINTR)
        ;
    if (end) {
        *end = (struct child_end){ 0 }; /* SIGCHLD is ignored by our caller: nobody knows how it ended */
        if (got == c->pid) {
            end->by_signal = WIFSIGNALED(status);
            end->code = end->by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
            end->peak_rss_bytes = (uint64_t)use.ru_maxrss * 1024;
            end->cpu_ns = ((uint64_t)use.ru_utime.tv_sec + (uint64_t)use.ru_stime.tv_sec) * 1000000000u +
                          ((uint64_t)use.ru_utime.tv_usec + (uint64_t)use.ru_stime.tv_usec) * 1000u;
        }
    }
    forget(c);
    return true;
}

bool child_wait(struct child *c, int ms, struct child_end *end)
{
    if (c->pid <= 0) {
        if (end)
            *end = (struct child_end){ 0 };
        return true;
    }
    const uint64_t began = clock_ns();
    for (;;) {
        if (reap(c, end))
            return true;
        const uint64_t passed_ms = (clock_ns() - began) / 1000000u;
        if (ms >= 0 && passed_ms >= (uint64_t)ms)
            return false;
        int wait_ms = ms < 0 ? -1 : (int)((uint64_t)ms - passed_ms);
        if (!c->is_pidfd && (wait_ms < 0 || wait_ms > PIPE_LOOK_MS))
            wait_ms = PIPE_LOOK_MS; /* a child of its own may hold the pipe when it is long dead */
        struct pollfd p = { c->fd, POLLIN, 0 };
        if (c->fd >= 0 && poll(&p, 1, wait_ms) > 0 && !c->is_pidfd)
            poll(NULL, 0, 1); /* its end of the pipe closes a moment before it can be reaped, or it closed it itself */
        else if (c->fd < 0)
            poll(NULL, 0, 1);
    }
}

void child_stop(struct child *c, int grace_ms, struct child_end *end)
{
    if (grace_ms > 0 && c->pid > 0) {
        child_signal(c, SIGTERM);
        child_signal(c, SIGCONT); /* one that was stopped hears nothing */
        if (child_wait(c, grace_ms, end))
            return;
    }
    child_signal(c, SIGKILL);
    if (child_wait(c, LEFT_BEHIND_MS, end))
        return;
    if (end)
        *end = (struct child_end){ .is_left_behind = true };
    forget(c);
}

const char *child_end_text(const struct child_end *end, char text[static CHILD_END_BYTES])
{
    if (end->is_left_behind)
        snprintf(text, CHILD_END_BYTES, "does not end, not even by SIGKILL");
    else if (end->by_signal)
        snprintf(text, CHILD_END_BYTES, "was killed by signal %d (%.40s)", end->code, strsignal(end->code));
    else
        snprintf(text, CHILD_END_BYTES, "ended with status %d", end->code);
    return text;
}
