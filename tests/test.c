/* tests/test.c - runs the registered tests and prints TAP; see test.h. */
#include "test.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"

enum { TIME_LIMIT_S = 300, SLOW_TIME_LIMIT_S = 600 /* with TEST_QUICK: sanitizers, emulators */, SKIP_STATUS = 77, COMPLAINTS_MAX = 20 };

static struct test *first, **last = &first;
static struct rng rng;
static uint64_t seed;
static int n_complaints;
static char tmp_dir[64];

void test_register(struct test *t)
{
    *last = t;
    last = &t->next;
}

void test_fail(const char *file, int line, const char *cond, const char *fmt, ...)
{
    if (n_complaints++ >= COMPLAINTS_MAX)
        return;
    printf("# %s:%d: not so: %s;", file, line, cond);
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf(" (TEST_SEED=%llu)\n", (unsigned long long)seed);
    fflush(stdout);
}

void test_skip(const char *fmt, ...)
{
    printf("# skipped: ");
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
    _exit(n_complaints ? 1 : SKIP_STATUS);
}

const char *test_shared(const char *path)
{
    static char full[4][512];
    static int turn;
    char *out = full[turn++ % 4];
    const char *root = getenv("TUTTI_SHARED");
    snprintf(out, sizeof(full[0]), "%s/%s", root ? root : "../shared", path);
    if (access(out, R_OK) != 0)
        test_skip("no shared data (%s)", out);
    return out;
}

uint64_t test_rand_u64(void) { return rng_u64(&rng); }
float test_rand_f32(void) { return (float)(rng_f64(&rng) * 2.0 - 1.0); }

const char *test_tmp(const char *name)
{
    static char full[4][192];
    static int turn;
    char *out = full[turn++ % 4];
    if (!tmp_dir[0]) {
        snprintf(tmp_dir, sizeof(tmp_dir), "/tmp/tutti-test-XXXXXX");
        if (!mkdtemp(tmp_dir))
            test_skip("no scratch folder: %s", strerror(errno));
    }
    snprintf(out, sizeof(full[0]), "%s/%s", tmp_dir, name);
    return out;
}

static int run_here(const struct test *t)
{
    alarm(getenv("TEST_QUICK") ? SLOW_TIME_LIMIT_S : TIME_LIMIT_S);
    rng_seed(&rng, seed);
    n_complaints = 0;
    t->fn();
    alarm(0);
    if (tmp_dir[0]) {
        char cmd[96];
        snprintf(cmd, sizeof(cmd), "rm -rf '%s'", tmp_dir);
        if (system(cmd) != 0)
            printf("# cannot remove %s\n", tmp_dir);
        tmp_dir[0] = '\0';
    }
    return n_complaints ? 1 : 0;
}

static int run_apart(const struct test *t)
{
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        const int rc = run_here(t);
        fflush(stdout);
        exit(rc); /* exit, not _exit: leak checkers report there */
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 1;
    if (WIFSIGNALED(status)) {
        printf("# ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return 1;
    }
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    int n = 0, n_failed = 0;
    const char *text = getenv("TEST_SEED");
    seed = text ? strtoull(text, NULL, 10) : 20261121u;
    setvbuf(stdout, NULL, _IOLBF, 0);
    const bool bench = argc > 1 && strcmp(argv[1], "--bench") == 0;
    const char *word = argc > 1 + bench ? argv[1 + bench] : "";
    for (struct test *t = first; t; t = t->next) {
        if (t->is_bench != bench || !strstr(t->name, word))
            continue;
        const int rc = getenv("TEST_NO_FORK") ? run_here(t) : run_apart(t);
        n++;
        n_failed += rc != 0 && rc != SKIP_STATUS;
        printf("%s %d - %s%s\n", rc == 0 || rc == SKIP_STATUS ? "ok" : "not ok", n, t->name,
               rc == SKIP_STATUS ? " # SKIP" : "");
    }
    printf("1..%d\n", n);
    return n_failed ? 1 : 0;
}
