/* bench/hop/main.c - what asking by way of a neighbour adds: the same request to a node directly and through a front door, in turn, and a bare
 * TCP echo of the same bytes as the link's own round trip; start at main().
 *
 * For:     bench/hop/run.sh, which starts the two nodes.
 * Touches: loopback; one connection to each, kept; a child that echoes.
 * Rule:    the three are asked one after the other, N times, so that whatever else this machine does meets all of them alike.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DIRECT, DOOR, LINK, WAYS, WARM_UP = 100, ANSWER_MAX = 1 << 20 };
static const char *const way_names[WAYS] = { "direct", "door", "link" };

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int dial(int port)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* A child that gives back what it reads; its port. */
static int start_echo(pid_t *child)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof(at);
    static char bytes[1 << 16];
    const int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (l < 0 || bind(l, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(l, 1) != 0 || getsockname(l, (struct sockaddr *)&at, &n) != 0)
        die("echo");
    if ((*child = fork()) == 0) {
        const int fd = accept(l, NULL, NULL);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        for (ssize_t k; (k = read(fd, bytes, sizeof(bytes))) > 0;)
            if (write(fd, bytes, (size_t)k) != k)
                break;
        _exit(0);
    }
    close(l);
    return ntohs(at.sin_port);
}

/* One request and all of its answer; *first: when `mark` was there. */
static double ask(int fd, const char *rq, size_t n_rq, const char *mark, const char *last, double *first)
{
    static char a[ANSWER_MAX + 1];
    const double begun = now_us();
    size_t got = 0;
    *first = 0;
    if (write(fd, rq, n_rq) != (ssize_t)n_rq)
        die("write");
    for (;;) {
        const ssize_t k = read(fd, a + got, ANSWER_MAX - got);
        if (k <= 0) {
            fprintf(stderr, "hop: the answer was cut: %.300s\n", a);
            exit(1);
        }
        got += (size_t)k;
        a[got] = '\0';
        if (!*first && strstr(a, mark))
            *first = now_us() - begun;
        if (*first && strstr(a, last))
            return now_us() - begun;
        if (strstr(a, "\"error\"")) {
            fprintf(stderr, "hop: %.600s\n", a);
            exit(1);
        }
    }
}

static double echo(int fd, const char *rq, size_t n_rq)
{
    char a[8192];
    const double begun = now_us();
    if (write(fd, rq, n_rq) != (ssize_t)n_rq)
        die("echo");
    for (size_t got = 0; got < n_rq;) {
        const ssize_t k = read(fd, a, sizeof(a));
        if (k <= 0)
            die("echo");
        got += (size_t)k;
    }
    return now_us() - begun;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void tell(const char *what, double *us[WAYS], int n)
{
    for (int w = 0; w < WAYS; w++)
        qsort(us[w], (size_t)n, sizeof(double), by_size);
    printf("%-12s", what);
    for (int w = 0; w < WAYS; w++)
        printf("  %s %.0f/%.0f/%.0f", way_names[w], us[w][n / 10], us[w][n / 2], us[w][n * 99 / 100]);
    printf("  added p50 %.0f, less the link %.0f us\n", us[DOOR][n / 2] - us[DIRECT][n / 2], us[DOOR][n / 2] - us[DIRECT][n / 2] - us[LINK][n / 2]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *path, *body, *mark, *last;
    } kinds[] = {
        { "embed", "/v1/embeddings", "{\"model\":\"%s\",\"input\":\"hello\"}", "\"embedding\"", "\"total_tokens\"" },
        { "chat", "/v1/chat/completions", "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"max_tokens\":4,\"stream\":true,\"temperature\":0}", "\"content\":\"", "[DONE]" },
    };
    if (argc != 6) {
        fprintf(stderr, "usage: hop PORT-OF-NODE PORT-OF-DOOR MODEL N KIND\n");
        return 2;
    }
    const int n = atoi(argv[4]);
    pid_t child;
    const int fd[WAYS] = { dial(atoi(argv[1])), dial(atoi(argv[2])), dial(start_echo(&child)) };
    double *first[WAYS], *end[WAYS];
    for (int w = 0; w < WAYS; w++) {
        first[w] = calloc((size_t)n, sizeof(double));
        end[w] = calloc((size_t)n, sizeof(double));
        if (!first[w] || !end[w])
            die("hop");
    }
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        char body[512], rq[2048];
        if (strcmp(argv[5], "all") != 0 && strcmp(argv[5], kinds[k].name) != 0)
            continue;
        snprintf(body, sizeof(body), kinds[k].body, argv[3]);
        const size_t n_rq = (size_t)snprintf(rq, sizeof(rq), "POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", kinds[k].path, strlen(body), body);
        for (int i = -WARM_UP; i < n; i++)
            for (int w = 0; w < WAYS; w++) {
                double f, e = w == LINK ? (f = echo(fd[w], rq, n_rq)) : ask(fd[w], rq, n_rq, kinds[k].mark, kinds[k].last, &f);
                if (i >= 0)
                    first[w][i] = f, end[w][i] = e;
            }
        char name[40];
        if (strcmp(kinds[k].name, "chat") == 0) {
            snprintf(name, sizeof(name), "%s, first", kinds[k].name);
            tell(name, first, n);
        }
        snprintf(name, sizeof(name), "%s, end", kinds[k].name);
        tell(name, end, n);
    }
    kill(child, SIGTERM);
    return 0;
}
