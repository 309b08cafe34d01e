/* tests/proc/test_sandbox.c - what a process in the sandbox can no longer do.  Every test is a process of its own. */
#define _GNU_SOURCE
#include "proc/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <pthread.h>
#include <unistd.h>

#include "proc/child.h"
#include "test.h"

static bool has_files(void) { return !strstr(sandbox_lacks(), "landlock"); }
static bool has_calls(void) { return !strstr(sandbox_lacks(), "seccomp"); }

static void enter(const struct sandbox_rules *rules)
{
    struct err err = { 0 };
    struct sandbox *s = sandbox_new(rules, &err);
    const int rc = s ? sandbox_enter(s) : -1;
    CHECK(s && rc == 0, "%s %s", err.text, strerror(rc));
    sandbox_free(s);
}

static bool can_open(const char *path, int flags)
{
    const int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void *nothing(void *arg) { return arg; }

TEST(files_outside_the_rules_can_neither_be_read_nor_written)
{
    char model[192], other[192], cache[192], path[256], fresh[256], link_path[256];
    snprintf(model, sizeof(model), "%s", test_tmp("model"));
    snprintf(other, sizeof(other), "%s", test_tmp("other"));
    snprintf(cache, sizeof(cache), "%s", test_tmp("cache"));
    REQUIRE(mkdir(cache, 0700) == 0 && can_open(model, O_WRONLY | O_CREAT) && can_open(other, O_WRONLY | O_CREAT));
    snprintf(path, sizeof(path), "%s/file", cache);
    snprintf(fresh, sizeof(fresh), "%s.new", model);
    snprintf(link_path, sizeof(link_path), "%s/link", cache);
    if (!has_files())
        test_skip("%s", sandbox_lacks());
    /* in a child: this process cleans up afterwards */
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        enter(&(struct sandbox_rules){ .read = (const char *[]){ model, "/no/such/path", NULL }, .write = (const char *[]){ cache, NULL } });
        int bad = 0;
        bad |= !can_open(model, O_RDONLY) << 0;
        bad |= can_open(model, O_WRONLY) << 1;
        bad |= can_open(other, O_RDONLY) << 2;
        bad |= can_open(fresh, O_WRONLY | O_CREAT) << 3;
        bad |= !can_open(path, O_RDWR | O_CREAT) << 4;
        bad |= (can_open("/etc/passwd", O_RDONLY) || can_open("/tmp", O_RDONLY | O_DIRECTORY)) << 5;
        bad |= (unlink(other) == 0) << 6;
        bad |= (rename(path, other) == 0) << 7;
        if (bad)
            printf("# bits %x\n", bad);
        fflush(stdout);
        /* a link out of the cache leads nowhere */
        const bool out = symlink(other, link_path) == 0 && can_open(link_path, O_RDONLY);
        _exit(bad || out || !can_open("/usr/lib", O_RDONLY | O_DIRECTORY) || !can_open("/dev/null", O_WRONLY) || !can_open("/proc/self/stat", O_RDONLY));
    }
    int status = 1;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "%d", status);
}

TEST(sockets_programs_and_other_processes_are_out_of_reach)
{
    if (!has_calls())
        test_skip("%s", sandbox_lacks());
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    const pid_t parent = getpid();
    fflush(stdout);
    const pid_t pid = fork(); /* leak checkers need ptrace at the end of this process */
    if (pid == 0) {
        enter(&(struct sandbox_rules){ 0 });
        struct rlimit r;
        pthread_t t;
        char c;
        int step = 0;
#define MUST(cond) (step++, (cond) ? (void)0 : (printf("# not so: %s\n", #cond), fflush(stdout), _exit(step)))
        MUST(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
        MUST(socket(AF_UNIX, SOCK_DGRAM, 0) < 0 && errno == EPERM);
        MUST(kill(parent, 0) < 0 && errno == EPERM);
        MUST(execl("/bin/true", "true", (char *)NULL) < 0 && errno == EPERM);
        MUST(unshare(CLONE_NEWUSER) < 0 && errno == EPERM);
        MUST(syscall(SYS_clone, (long)(CLONE_NEWUSER | SIGCHLD), 0L, 0L, 0L, 0L) < 0 && errno == EPERM);
        MUST(syscall(SYS_prlimit64, parent, RLIMIT_CORE, NULL, &r) < 0 && errno == EPERM);
        MUST(fork() < 0 && errno == EPERM); /* nothing that could outlive it */
        /* what it has goes on working: its socket, memory, threads */
        MUST(getrlimit(RLIMIT_CORE, &r) == 0);
        MUST(send(pair[0], "x", 1, 0) == 1 && recv(pair[1], &c, 1, 0) == 1);
        MUST(pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0);
        _exit(0);
    }
    int status = 1;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "%d", status);
}

TEST(a_failed_assertion_still_ends_it)
{
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        enter(&(struct sandbox_rules){ 0 });
        signal(SIGABRT, SIG_DFL);
        abort();
    }
    int status = 0;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%d", status);
}

TEST(a_program_starts_inside_and_only_reads_what_it_may)
{
    struct err err = { 0 };
    struct child_end end;
    struct sandbox *s = sandbox_new(&(struct sandbox_rules){ .may_exec = true }, &err);
    REQUIRE(s, "%s", err.text);
    struct child c;
    REQUIRE(child_start(&c, &(struct child_spec){ .argv = (const char *[]){ "cat", "/usr/bin/env", NULL }, .sandbox = s }, &err), "%s", err.text);
    CHECK(child_wait(&c, -1, &end) && !end.by_signal && end.code == 0, "%d", end.code);
    if (has_files()) {
        REQUIRE(child_start(&c, &(struct child_spec){ .argv = (const char *[]){ "cat", "/etc/passwd", NULL }, .sandbox = s }, &err), "%s", err.text);
        CHECK(child_wait(&c, -1, &end) && !end.by_signal && end.code == 1, "%d", end.code);
    }
    sandbox_free(s);
}
