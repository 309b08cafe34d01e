/* link-relay/main.c - links between nodes as a small switch and a radio would make them, and as they are on a bad day; start at command().
 *
 * For:     docs/rig.md, tests/cluster/netns.sh.
 * Use:     link-relay a:b=127.1.1.2:7000,127.0.0.2:7000 ...     TCP: who connects to the first is a, who answers at the second is b
 *          link-relay a=veth-a b=veth-b ...                      Ethernet: a switch of these interfaces (root)
 * Rule:    commands come on stdin, a line each, and are answered by a line on stdout.  A way goes in one direction; `*` is everybody.
 *              delay A B MS | rate A B MBIT | hold A B | go A B | cut A B | show | quit
 *          Held bytes of a connection wait and go on later, as TCP would have it; held frames are lost.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "relay.h"

enum { POLLS_MAX = 2200, LINE_BYTES_MAX = 200 };

int node_number(struct relay *r, const char *name, size_t n)
{
    for (int i = 0; i < r->n_nodes; i++)
        if (strlen(r->names[i]) == n && memcmp(r->names[i], name, n) == 0)
            return i;
    if (r->n_nodes == NODES_MAX || n == 0 || n >= NAME_BYTES_MAX)
        return -1;
    memcpy(r->names[r->n_nodes], name, n);
    return r->n_nodes++;
}

/* -1: everybody, -2: nobody */
static int find(const struct relay *r, const char *name)
{
    for (int i = 0; i < r->n_nodes; i++)
        if (strcmp(r->names[i], name) == 0)
            return i;
    return strcmp(name, "*") == 0 ? -1 : -2;
}

static void show(const struct relay *r)
{
    printf("connections %d", tcp_count());
    for (int a = 0; a < r->n_nodes; a++)
        for (int b = 0; b < r->n_nodes; b++) {
            const struct way *w = &r->ways[a][b];
            if (w->bytes || w->lost || w->is_held)
                printf(" %s>%s:%llu%s", r->names[a], r->names[b], (unsigned long long)w->bytes, w->is_held ? "(held)" : "");
        }
    puts("");
}

/* false: the end */
static bool command(struct relay *r, const char *line)
{
    char what[16] = "", a[NAME_BYTES_MAX] = "", b[NAME_BYTES_MAX] = "";
    double value = 0;
    const int n = sscanf(line, "%15s %15s %15s %lf", what, a, b, &value);
    if (n < 1 || strcmp(what, "quit") == 0)
        return n < 1;
    if (strcmp(what, "show") == 0) {
        show(r);
        return true;
    }
    const int from = n >= 3 ? find(r, a) : -2, to = n >= 3 ? find(r, b) : -2;
    const bool is_delay = strcmp(what, "delay") == 0, is_rate = strcmp(what, "rate") == 0, is_hold = strcmp(what, "hold") == 0;
    const bool is_cut = strcmp(what, "cut") == 0, wants_value = is_delay || is_rate;
    if (from == -2 || to == -2 || (wants_value && (n < 4 || !(value >= 0 && value <= NEVER_MS))) || !(wants_value || is_hold || is_cut || strcmp(what, "go") == 0)) {
        puts("what? delay A B MS | rate A B MBIT | hold A B | go A B | cut A B | show | quit");
        return true;
    }
    for (int x = 0; x < r->n_nodes; x++)
        for (int y = 0; y < r->n_nodes; y++) {
            struct way *w = &r->ways[x][y];
            if ((from != -1 && from != x) || (to != -1 && to != y))
                continue;
            if (is_delay)
                w->delay_ns = (uint64_t)(value * 1e6);
            else if (is_rate)
                w->bits_s = value * 1e6, w->free_ns = 0;
            else if (!is_cut)
                w->is_held = is_hold;
        }
    if (is_cut)
        tcp_cut(from, to);
    puts("ok");
    return true;
}

/* false: the end */
static bool take_commands(struct relay *r)
{
    static char line[LINE_BYTES_MAX];
    static size_t n;
    char bytes[512];
    const ssize_t got = read(0, bytes, sizeof(bytes));
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
        return false;
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] != '\n') {
            line[n] = bytes[i];
            n += n + 1 < sizeof(line);
            continue;
        }
        line[n] = '\0';
        n = 0;
        if (!command(r, line))
            return false;
        fflush(stdout);
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct relay r;
    static struct pollfd fds[POLLS_MAX];
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        const char *eq = strchr(argv[i], '=');
        const bool ok = eq && (memchr(argv[i], ':', (size_t)(eq - argv[i])) ? tcp_add(&r, argv[i]) : frames_add(&r, argv[i]));
        if (!ok) {
            fprintf(stderr, "link-relay: %s: A:B=LISTEN,TARGET with IPv4 ADDRESS:PORT, or A=INTERFACE is wanted%s%s\n", argv[i], errno ? ": " : "", errno ? strerror(errno) : "");
            return 2;
        }
    }
    if (argc < 2) {
        fprintf(stderr, "usage: link-relay A:B=LISTEN,TARGET... | A=INTERFACE...\n");
        return 2;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        const uint64_t now = now_ns();
        const uint64_t a = tcp_pump(&r, now), b = frames_pump(&r, now), next = a < b ? a : b;
        fds[0] = (struct pollfd){ .fd = 0, .events = POLLIN };
        const int n_tcp = tcp_poll_fill(fds + 1, POLLS_MAX - 1 - NODES_MAX), n_frames = frames_poll_fill(fds + 1 + n_tcp, NODES_MAX);
        const uint64_t wait = next > now ? next - now : 0;
        const struct timespec t = { (time_t)(wait / 1000000000u), (long)(wait % 1000000000u) };
        if (ppoll(fds, (nfds_t)(1 + n_tcp + n_frames), next == UINT64_MAX ? NULL : &t, NULL) < 0)
            continue;
        frames_poll_done(&r, fds + 1 + n_tcp, n_frames);
        tcp_poll_done(&r, fds + 1, n_tcp);
        if (fds[0].revents && !take_commands(&r))
            return 0;
    }
}
