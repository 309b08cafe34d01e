/* tests/serve/test_node_files.c - the front door and the port for nodes share the process's limit of open files: strangers who fill one leave the other. */
#define _GNU_SOURCE /* memmem in service.h */
#include "service.h"

#include <sys/resource.h>
#include <sys/wait.h>

enum { FILES = 200, STRANGERS = 400 };

/* In a process of its own, whose files are its own: connects, says nothing, tells that it is done, and waits for its end. */
static void be_strangers(int port_from, int told)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int port = 0;
    if (read(port_from, &port, sizeof(port)) != (ssize_t)sizeof(port))
        _exit(1);
    at.sin_port = htons((uint16_t)port);
    for (int i = 0; i < STRANGERS; i++) {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (fd >= 0)
            connect(fd, (const struct sockaddr *)&at, sizeof(at));
    }
    if (write(told, "x", 1) != 1)
        _exit(1);
    (void)!read(port_from, &port, sizeof(port));
    _exit(0);
}

TEST(strangers_at_the_port_for_nodes_leave_the_front_door_its_files)
{
    int port_pipe[2], told[2];
    struct rlimit few = { FILES, FILES };
    struct serve_node node = { .name = "a", .life = 1, .listens = true };
    struct err err = { 0 };
    char x;
    CHECK(pipe(port_pipe) == 0 && pipe(told) == 0);
    const pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(port_pipe[1]);
        be_strangers(port_pipe[0], told[1]);
    }
    close(port_pipe[0]);
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    CHECK(net_addr_parse(&node.listen, "127.0.0.1:0", &err), "%s", err.text);
    struct service *v = start_with((struct serve_config){ .node = &node }, EXPERT_WARM);
    const int port = serve_node_addr(v->s)->port;
    CHECK(write(port_pipe[1], &port, sizeof(port)) == (ssize_t)sizeof(port));
    CHECK(read(told[0], &x, 1) == 1);
    for (int i = 0; i < 5; i++) {
        struct answer a = get(v, "/v1/models");
        CHECK(a.status == 200, "%d", a.status);
        answer_fini_(&a);
    }
    close(port_pipe[1]);
    waitpid(pid, NULL, 0);
    end(v);
}
