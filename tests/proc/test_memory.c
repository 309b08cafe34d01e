/* tests/proc/test_memory.c - what processes hold, and what the machine and its control groups leave. */
#define _GNU_SOURCE
#include "proc/memory.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

enum { MB = 1 << 20 };

TEST(memory_of_a_process_and_its_children_is_seen_and_seen_to_go)
{
    struct memory_use before, with, tree;
    int ready[2], go[2];
    REQUIRE(memory_of(getpid(), &before) && pipe(ready) == 0 && pipe(go) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        char *p = malloc(32 * MB), c = 0;
        memset(p, 1, 32 * MB);
        if (write(ready[1], p, 1) != 1 || read(go[0], &c, 1) != 0)
            _exit(1);
        _exit(p[5] + c == 1 ? 0 : 1);
    }
    char c;
    CHECK(read(ready[0], &c, 1) == 1);
    REQUIRE(memory_of(pid, &with) && memory_of_tree(getpid(), &tree));
    CHECK(with.own_bytes >= 32 * MB && with.rss_bytes >= with.own_bytes, "%llu", (unsigned long long)with.own_bytes);
    CHECK(tree.n_processes == 2 && tree.own_bytes >= with.own_bytes, "%d", tree.n_processes);
    CHECK(process_state(pid) == 'S' || process_state(pid) == 'R');
    kill(pid, SIGSTOP);
    while (process_state(pid) != 'T')
        usleep(1000);
    kill(pid, SIGKILL);
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK(!memory_of(pid, &with) && process_state(pid) == 'Z');
    waitpid(pid, NULL, 0);
    CHECK(!memory_of(pid, &with) && process_state(pid) == 0);
}

static char root[192];

static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof(full), "%s/%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(full, 0700);
        *at = '/';
    }
    FILE *f = fopen(full, "w");
    REQUIRE(f);
    fputs(text, f);
    fclose(f);
}

TEST(available_memory_is_what_the_tightest_group_leaves)
{
    snprintf(root, sizeof(root), "%s", test_tmp("root"));
    REQUIRE(mkdir(root, 0700) == 0);
    CHECK(memory_available_bytes(root) == 0);
    put("proc/meminfo", "MemTotal:  8000000 kB\nMemFree: 1 kB\nMemAvailable:    4000 kB\n");
    CHECK(memory_available_bytes(root) == 4000 * 1024);
    put("proc/self/cgroup", "0::/a/b\n");
    put("sys/fs/cgroup/a/b/memory.max", "max\n");
    put("sys/fs/cgroup/a/b/memory.current", "3000000\n");
    CHECK(memory_available_bytes(root) == 4000 * 1024);
    put("sys/fs/cgroup/a/memory.max", "4000000\n");
    put("sys/fs/cgroup/a/memory.current", "3000000\n");
    CHECK(memory_available_bytes(root) == 1000000, "%llu", (unsigned long long)memory_available_bytes(root));
    put("sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 500000\n"); /* files read before are given back */
    CHECK(memory_available_bytes(root) == 1500000);
    put("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/box\n"); /* v1 */
    put("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "2000000\n");
    put("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "1500000\n");
    CHECK(memory_available_bytes(root) == 500000);
    CHECK(memory_available_bytes("") > 0);
}
