/* tests/proc/test_child.c - children start with what they are given, their end is seen, nothing of them is left. */
#define _GNU_SOURCE
#include "proc/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/clock.h"
#include "proc/ask.h"
#include "test.h"

static struct child start(const char *script, const int *fds, int n_fds, struct child_limits limits)
{
    struct child c;
    struct err err = { 0 };
    const char *const argv[] = { "sh", "-c", script, NULL };
    const bool ok = child_start(&c, &(struct child_spec){ .argv = argv, .fds = fds, .n_fds = n_fds, .limits = limits }, &err);
    CHECK(ok, "%s", err.text);
    return c;
}

static size_t read_all(int fd, char *text, size_t size)
{
    size_t n = 0;
    for (ssize_t got; n + 1 < size && (got = read(fd, text + n, size - 1 - n)) > 0;)
        n += (size_t)got;
    text[n] = '\0';
    return n;
}

TEST(a_child_ends_with_its_status_and_its_signal)
{
    struct child_end end;
    char text[CHILD_END_BYTES];
    struct child c = start("exit 3", NULL, 0, (struct child_limits){ 0 });
    CHECK(child_wait(&c, -1, &end) && !end.by_signal && end.code == 3);
    CHECK(strcmp(child_end_text(&end, text), "ended with status 3") == 0, "%s", text);
    CHECK(c.pid == 0 && c.fd == -1);
    CHECK(child_wait(&c, 0, NULL)); /* once more is fine */
    c = start("kill -SEGV $$", NULL, 0, (struct child_limits){ 0 });
    CHECK(child_wait(&c, -1, &end) && end.by_signal && end.code == SIGSEGV);
    CHECK(strstr(child_end_text(&end, text), "signal 11"), "%s", text);
}

TEST(a_childs_end_is_seen_by_polling_its_descriptor)
{
    int hold[2];
    REQUIRE(pipe2(hold, O_CLOEXEC) == 0);
    struct child c = start("read x", (int[]){ hold[0] }, 1, (struct child_limits){ 0 });
    close(hold[0]);
    struct pollfd p = { c.fd, POLLIN, 0 };
    CHECK(poll(&p, 1, 0) == 0);
    CHECK(!child_wait(&c, 0, NULL));
    close(hold[1]); /* its stdin ends */
    CHECK(poll(&p, 1, 60000) == 1);
    CHECK(child_wait(&c, 60000, NULL));
}

TEST(descriptors_are_those_given_in_that_order_and_no_others)
{
    int a[2], b[2], leak[2];
    REQUIRE(pipe2(a, O_CLOEXEC) == 0 && pipe2(b, O_CLOEXEC) == 0 && pipe(leak) == 0);
    /* crosswise, so that one lies where another belongs */
    const int fds[] = { -1, b[1], -1, a[1] };
    struct child c = start("echo to-a >&3; ls /proc/self/fd | tr '\\n' ' '; [ -t 2 ] || echo err >&2", fds, 4, (struct child_limits){ 0 });
    close(a[1]), close(b[1]);
    char text[256];
    read_all(a[0], text, sizeof(text));
    CHECK(strcmp(text, "to-a\n") == 0, "%s", text);
    read_all(b[0], text, sizeof(text));
    /* 0..3, ls's own folder, and where there is no pidfd the lifeline */
    CHECK(strncmp(text, "0 1 2 3 4 ", 10) == 0 && strlen(text) <= 12, "%s", text);
    CHECK(child_wait(&c, -1, NULL));
}

TEST(environment_folder_and_limits_are_as_asked)
{
    int out[2];
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    struct child c;
    struct err err = { 0 };
    const char *const argv[] = { "/bin/sh", "-c", "echo $PWD $WORD $HOME; ulimit -c; ulimit -n; ulimit -v", NULL };
    const char *const env[] = { "WORD=hello", "PATH=/bin", NULL };
    const struct child_spec spec = { .argv = argv, .env = env, .folder = "/", .fds = (int[]){ -1, out[1] }, .n_fds = 2,
                                     .limits = { .files = 33, .memory_bytes = 3u << 30, .niceness = 1 } };
    struct rlimit as;
    getrlimit(RLIMIT_AS, &as);
    REQUIRE(child_start(&c, &spec, &err), "%s", err.text);
    close(out[1]);
    char text[256];
    read_all(out[0], text, sizeof(text));
    CHECK(strncmp(text, "/ hello\n0\n33\n", 13) == 0, "%s", text);
    CHECK(as.rlim_cur != RLIM_INFINITY || strstr(text, "3145728"), "%s", text);
    CHECK(child_wait(&c, -1, NULL));
}

TEST(what_cannot_start_is_an_error_and_leaves_no_process)
{
    struct child c;
    struct err err = { 0 };
    CHECK(!child_start(&c, &(struct child_spec){ .argv = (const char *[]){ "no-such-program-here", NULL } }, &err) && err.code == ERR_NOT_FOUND);
    CHECK(strstr(err.text, "no-such-program-here"), "%s", err.text);
    CHECK(!child_start(&c, &(struct child_spec){ .argv = (const char *[]){ "sh", NULL }, .folder = "/no/such/folder" }, &err));
    CHECK(strstr(err.text, "its folder"), "%s", err.text);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    char path[CHILD_PATH_BYTES];
    CHECK(child_find("sh", path) && path[0] == '/' && !child_find("", path) && !child_find("/", path));
}

TEST(stopping_asks_first_then_kills_and_takes_the_group_along)
{
    int out[2];
    char text[64];
    struct child_end end;
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    struct child c = start("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done", (int[]){ -1, out[1] }, 2, (struct child_limits){ 0 });
    CHECK(read(out[0], text, 6) == 6);
    child_stop(&c, 60000, &end);
    CHECK(!end.by_signal && end.code == 7);
    /* one that does not hear, with a grandchild that holds the pipe */
    c = start("trap '' TERM; sleep 1000 & echo ready; wait; while :; do sleep 1000; done", (int[]){ -1, out[1] }, 2, (struct child_limits){ 0 });
    close(out[1]);
    CHECK(read(out[0], text, 6) == 6);
    child_stop(&c, 20, &end);
    CHECK(end.by_signal && end.code == SIGKILL);
    CHECK(read(out[0], text, 1) == 0); /* nobody holds it any more */
    child_stop(&c, 0, NULL);           /* fine */
}

TEST(one_that_is_stopped_is_ended_too)
{
    struct child_end end;
    struct child c = start("sleep 1000", NULL, 0, (struct child_limits){ 0 });
    child_signal(&c, SIGSTOP);
    child_stop(&c, 0, &end);
    CHECK(end.by_signal && end.code == SIGKILL);
}

TEST(a_hundred_children_leave_no_descriptor_behind)
{
    const int before = dup(0);
    close(before);
    for (int i = 0; i < 100; i++) {
        struct child c = start("exit 0", NULL, 0, (struct child_limits){ 0 });
        if (i % 2)
            child_stop(&c, 0, NULL);
        else
            CHECK(child_wait(&c, -1, NULL));
    }
    const int after = dup(0);
    close(after);
    CHECK(before == after, "%d %d", before, after);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

TEST(a_child_dies_with_its_parent)
{
    int ready[2], held[2];
    char text[64];
    REQUIRE(pipe2(ready, O_CLOEXEC) == 0 && pipe2(held, O_CLOEXEC) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        start("echo ready; exec sleep 1000", (int[]){ -1, ready[1], held[1] }, 3, (struct child_limits){ 0 });
        _exit(read(ready[0], text, 6) == 6 ? 0 : 1);
    }
    close(held[1]);
    read_all(held[0], text, sizeof(text)); /* to its end: the child holds the other side */
    int status = 1;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

TEST(where_the_kernel_has_no_pidfd_a_pipe_tells_the_end)
{
    /* pidfd_open answers ENOSYS, as before Linux 5.3 */
    struct sock_filter code[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 434, 0, 1),
                                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
    const struct sock_fprog program = { 4, code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        test_skip("no seccomp");
    struct child_end end;
    struct child c = start("exit 5", NULL, 0, (struct child_limits){ 0 });
    CHECK(!c.is_pidfd && c.fd >= 0);
    struct pollfd p = { c.fd, POLLIN, 0 };
    CHECK(poll(&p, 1, 60000) == 1);
    CHECK(child_wait(&c, -1, &end) && end.code == 5);
    c = start("sleep 1000", NULL, 0, (struct child_limits){ 0 });
    CHECK(!child_wait(&c, 0, NULL));
    kill(c.pid, SIGKILL);
    CHECK(child_wait(&c, 60000, &end) && end.by_signal && end.code == SIGKILL);
    c = start("trap '' TERM; while :; do sleep 1000; done", NULL, 0, (struct child_limits){ 0 });
    child_stop(&c, 10, &end);
    CHECK(end.by_signal && c.fd == -1);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static int hang(int fd, void *ctx)
{
    (void)ctx;
    if (write(fd, "x", 1) == 1)
        pause();
    return 0;
}

static int answer(int fd, void *ctx) { return write(fd, ctx, 5) == 5 ? 0 : 1; }

TEST(asking_has_a_deadline)
{
    char text[64];
    size_t n;
    CHECK(ask_call(answer, "hello", 20000, text, sizeof(text), &n) == ASK_DONE && n == 5 && memcmp(text, "hello", 5) == 0);
    CHECK(ask_call(hang, NULL, 50, text, sizeof(text), &n) == ASK_LATE);
    CHECK(ask_program((const char *[]){ "echo", "word", NULL }, 20000, text, sizeof(text), &n) == ASK_DONE && strcmp(text, "word\n") == 0);
    CHECK(ask_program((const char *[]){ "false", NULL }, 20000, text, sizeof(text), &n) == ASK_FAILED);
    CHECK(ask_program((const char *[]){ "no-such-program-here", NULL }, 20000, text, sizeof(text), &n) == ASK_FAILED && text[0] == '\0');
    CHECK(ask_program((const char *[]){ "sleep", "1000", NULL }, 50, text, sizeof(text), &n) == ASK_LATE);
    CHECK(ask_program((const char *[]){ "seq", "1000", NULL }, 20000, text, sizeof(text), &n) == ASK_FAILED); /* more than fits */
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

BENCH(starting)
{
    const int n = 200;
    const uint64_t t0 = clock_ns();
    for (int i = 0; i < n; i++) {
        struct child c;
        struct err err;
        REQUIRE(child_start(&c, &(struct child_spec){ .argv = (const char *[]){ "/bin/true", NULL } }, &err));
        child_wait(&c, -1, NULL);
    }
    printf("# start and end of /bin/true: %.0f us\n", (double)(clock_ns() - t0) / 1e3 / n);
}
