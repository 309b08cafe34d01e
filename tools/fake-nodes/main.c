/* fake-nodes/main.c - many tutti nodes in one process: each with a port of its own, the real tutti.v1.Node and answers without a model.
 *
 * For:     tests and measurements of a front door with hundreds of nodes; docs/scale.md, docs/rig.md.
 * Use:     fake-nodes --nodes 1000 [--OPTION VALUE]...       (--help: the list)
 * Life:    opens all ports, prints one line with their range, serves until SIGTERM.  Lines on stdin are orders:
 *            kill A-B     ports and connections are gone          back A-B    they are there again, as nodes that were started anew
 *            hang A-B     says and answers nothing any more       heal A-B    as it should be
 *            refuse A-B   says how it is, refuses jobs (503)      cut A-B     breaks off its answers
 *            slow A-B N   N times as slow                         drain A-B   says that it goes
 *            report       a line of JSON on stdout                zero        counts from here
 *          Nodes are numbered from 0; "A" alone is one, "all" all.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "expert/expert.h"
#include "nodes.h"

enum { NODES_MAX = 16384, FILES_SPARE = 64, TICK_MS = 50, PORT_LEAST = 15000, PORT_MOST = 32000 /* above: the system's own */, PORT_TRIES = 50 };

static const struct {
    const char *name;
    size_t at;
    bool is_text;
    int usual;
    const char *text, *what;
} table[] = {
#define TEXT(name, field, usual, what) { name, offsetof(struct options, field), true, 0, usual, what }
#define NUMBER(name, field, usual, what) { name, offsetof(struct options, field), false, usual, NULL, what }
    NUMBER("nodes", nodes, 10, "how many"),
    TEXT("host", host, "127.0.0.1", "address on this machine"),
    NUMBER("port", port, 0, "of the first, the others follow; 0: anywhere that is free"),
    TEXT("prefix", prefix, "fake-", "of their names, before the number"),
    TEXT("model", model, "fake", "the expert that each has"),
    NUMBER("sorts", sorts, 1, "sorts of experts: node i has sort i % N, each a step better than the one before"),
    TEXT("tasks", tasks, "chat,complete", "what it can do"),
    NUMBER("quality", quality, 5, "1 to 10"),
    NUMBER("params-m", params_m, 1000, "millions of parameters"),
    NUMBER("slots", slots, 4, "jobs at a time; the others wait"),
    NUMBER("tok-s", tok_s, 50, "tokens per second of a job; 0: all at once"),
    NUMBER("prompt-tok-s", prompt_tok_s, 0, "tokens of prompt per second; 0: at once"),
    NUMBER("ttft-ms", ttft_ms, 0, "time before the first token, beside the prompt's"),
    NUMBER("tokens", tokens, 16, "length of an answer when the request names none"),
    NUMBER("item-ms", item_ms, 0, "time of everything that is no text"),
    NUMBER("seed", seed, 1, "of what is drawn by chance"),
};
enum { N_OPTIONS = sizeof(table) / sizeof(table[0]) };

static int usage(FILE *out)
{
    fprintf(out, "usage: fake-nodes [--OPTION VALUE]...\n\nMany tutti nodes in one process, without models; give their ports to `tutti serve --node http://127.0.0.1:A-B`.\n"
                 "Orders come as lines on stdin: kill, back, hang, refuse, cut, slow, drain, heal (A-B), report, zero.\n\n");
    for (int i = 0; i < N_OPTIONS; i++)
        if (table[i].is_text)
            fprintf(out, "  --%-13s %s [%s]\n", table[i].name, table[i].what, table[i].text);
        else
            fprintf(out, "  --%-13s %s [%d]\n", table[i].name, table[i].what, table[i].usual);
    return out == stdout ? 0 : 2;
}

static bool read_tasks(struct options *o)
{
    for (const char *at = o->tasks; *at;) {
        const size_t n = strcspn(at, ",");
        unsigned bit = 0;
        for (int i = 0; i < EXPERT_TASK_COUNT; i++) {
            const char *name = expert_task_name((enum expert_task)(1u << i));
            if (strlen(name) == n && memcmp(name, at, n) == 0)
                bit = 1u << i;
        }
        if (!bit)
            return false;
        o->task_bits |= bit;
        at += n + (at[n] == ',');
    }
    return o->task_bits != 0;
}

static bool read_options(struct options *o, int argc, char **argv)
{
    for (int i = 0; i < N_OPTIONS; i++) {
        char *at = (char *)o + table[i].at;
        if (table[i].is_text)
            memcpy(at, &table[i].text, sizeof(table[i].text));
        else
            memcpy(at, &table[i].usual, sizeof(table[i].usual));
    }
    for (int a = 1; a < argc; a += 2) {
        int i = 0;
        if (strncmp(argv[a], "--", 2) != 0 || a + 1 == argc)
            return false;
        while (i < N_OPTIONS && strcmp(table[i].name, argv[a] + 2) != 0)
            i++;
        if (i == N_OPTIONS)
            return false;
        char *at = (char *)o + table[i].at, *end;
        const long v = strtol(argv[a + 1], &end, 10);
        const int number = (int)v;
        if (table[i].is_text)
            memcpy(at, &argv[a + 1], sizeof(argv[a + 1]));
        else if (*end || end == argv[a + 1] || v < 0 || v > 1 << 24)
            return false;
        else
            memcpy(at, &number, sizeof(number));
    }
    return read_tasks(o) && o->nodes > 0 && o->nodes <= NODES_MAX && o->slots > 0 && o->tokens > 0 && o->sorts > 0 && o->port + o->nodes <= 65536 && strlen(o->prefix) < 40;
}

/* ---- ports ---- */

static void on_request(void *ctx, struct http_stream *s, const struct http_head *head)
{
    if (!node_take(ctx, s, head))
        job_take(ctx, s, head);
}

static bool open_node(struct node *n, int port, struct err *err)
{
    const struct options *o = &n->all->o;
    const struct http_server_config k = { .on_request = on_request, .ctx = n, .max_connections = 64, .max_body_bytes = 64 << 20 };
    struct net_addr at;
    char text[100];
    snprintf(text, sizeof(text), "%s:%d", o->host, port);
    n->life = rng_u64(&n->all->rng) | 1;
    n->fault = FAULT_NONE;
    n->slow = 1;
    n->is_draining = false;
    if ((n->server = http_server_new(n->all->loop, &k, err)) && net_addr_parse(&at, text, err) && http_server_listen(n->server, &at, NULL, err))
        return true;
    http_server_free(n->server);
    n->server = NULL;
    return false;
}

static void close_node(struct node *n)
{
    struct http_server *v = n->server;
    n->server = NULL;
    http_server_free(v);
}

/* All of them, one port after the other; when somebody has one of those, from elsewhere on. */
static bool open_ports(struct nodes *all, struct err *err)
{
    struct options *o = &all->o;
    const bool is_free = o->port == 0;
    for (int tries = 0; tries < (is_free ? PORT_TRIES : 1); tries++) {
        int i = 0;
        if (is_free)
            o->port = PORT_LEAST + (o->nodes < PORT_MOST - PORT_LEAST ? (int)(rng_u64(&all->rng) % (uint64_t)(PORT_MOST - PORT_LEAST - o->nodes)) : 0);
        while (i < o->nodes && open_node(&all->list[i], o->port + i, err))
            i++;
        if (i == o->nodes)
            return true;
        while (i-- > 0)
            close_node(&all->list[i]);
    }
    return false;
}

/* ---- orders ---- */

static void put_report(struct nodes *all)
{
    unsigned long long jobs = 0, done = 0, refused = 0, most = 0, least = UINT64_MAX;
    int n_alive = 0, n_watched = 0, n_asked = 0, n_running = 0;
    for (int i = 0; i < all->o.nodes; i++) {
        const struct node *n = &all->list[i];
        jobs += n->n_jobs, done += n->n_done, refused += n->n_refused;
        n_asked += n->n_jobs > 0;
        n_running += n->n_running;
        if (!n->server)
            continue;
        n_alive++;
        n_watched += n->watchers != NULL;
        most = n->n_jobs > most ? n->n_jobs : most;
        least = n->n_jobs < least ? n->n_jobs : least;
    }
    printf("{\"nodes\":%d,\"alive\":%d,\"watched\":%d,\"asked\":%d,\"running\":%d,\"jobs\":%llu,\"done\":%llu,\"refused\":%llu,\"most\":%llu,\"least\":%llu,\"mean\":%.3f,\"described\":%llu,\"states\":%llu}\n",
           all->o.nodes, n_alive, n_watched, n_asked, n_running, jobs, done, refused, most, n_alive ? least : 0, n_alive ? (double)jobs / n_alive : 0, all->n_described, all->n_states);
    fflush(stdout);
}

static bool obey_one(struct node *n, const char *what, int by)
{
    struct err err = { 0 };
    if (strcmp(what, "kill") == 0) {
        close_node(n);
    } else if (strcmp(what, "back") == 0) {
        if (!n->server && !open_node(n, n->all->o.port + n->index, &err))
            fprintf(stderr, "fake-nodes: %s: %s\n", n->name, err.text);
    } else if (strcmp(what, "hang") == 0) {
        n->fault = FAULT_HANG;
    } else if (strcmp(what, "refuse") == 0) {
        n->fault = FAULT_REFUSE;
    } else if (strcmp(what, "cut") == 0) {
        n->fault = FAULT_CUT;
    } else if (strcmp(what, "heal") == 0) {
        n->fault = FAULT_NONE, n->slow = 1, n->is_draining = false, n->has_news = true;
    } else if (strcmp(what, "slow") == 0) {
        n->slow = by < 1 ? 1 : by;
    } else if (strcmp(what, "drain") == 0) {
        n->is_draining = n->has_news = true;
    } else if (strcmp(what, "zero") == 0) {
        n->n_jobs = n->n_done = n->n_refused = 0;
    } else {
        return false;
    }
    return true;
}

static void obey(struct nodes *all, const char *line)
{
    char what[16] = "", who[32] = "all";
    int by = 2, first, last, n;
    bool ok = true;
    if (sscanf(line, "%15s %31s %d", what, who, &by) < 1)
        return;
    if (strcmp(what, "report") == 0) {
        put_report(all);
        return;
    }
    if (strcmp(who, "all") == 0)
        first = 0, last = all->o.nodes - 1;
    else if (sscanf(who, "%d-%d%n", &first, &last, &n) != 2 || who[n])
        ok = sscanf(who, "%d%n", &first, &n) == 1 && !who[n], last = first;
    ok = ok && first >= 0 && last < all->o.nodes && by < 1 << 16;
    for (int i = first; ok && i <= last; i++)
        ok = obey_one(&all->list[i], what, by);
    if (!ok)
        fprintf(stderr, "fake-nodes: what is '%s'?\n", line);
    else
        printf("ok %s\n", line), fflush(stdout);
}

struct orders {
    struct nodes *all;
    struct net_watch *watch;
    struct net_timer *later; /* orders close servers: not from inside a watch */
    char line[256];
    size_t n;
    bool is_over;
};

static void on_later(void *ctx)
{
    struct orders *o = ctx;
    for (char *end; (end = memchr(o->line, '\n', o->n)) != NULL;) {
        const size_t n = (size_t)(end - o->line) + 1;
        char line[sizeof(o->line)];
        memcpy(line, o->line, n);
        line[n - 1] = '\0';
        memmove(o->line, o->line + n, o->n -= n);
        obey(o->all, line);
    }
    if (o->n == sizeof(o->line))
        o->n = 0;
}

static void on_stdin(void *ctx)
{
    struct orders *o = ctx;
    const ssize_t n = read(STDIN_FILENO, o->line + o->n, sizeof(o->line) - o->n);
    if (n > 0)
        o->n += (size_t)n;
    else if (n == 0 || errno != EINTR)
        net_watch_free(o->watch), o->watch = NULL, o->is_over = true; /* it goes on without orders */
    net_timer_start(o->later, 0, 0);
}

/* ---- life ---- */

static void on_tick(void *ctx) { nodes_tick(ctx); }

static void on_term(void *ctx)
{
    struct nodes *all = ctx;
    all->is_leaving = true;
    net_loop_stop(all->loop);
}

/* A port and its connections are files. */
static bool allow_files(int wanted)
{
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
        return true;
    if (lim.rlim_cur < (rlim_t)wanted) {
        lim.rlim_cur = lim.rlim_max < (rlim_t)wanted ? lim.rlim_max : (rlim_t)wanted;
        setrlimit(RLIMIT_NOFILE, &lim);
    }
    if (lim.rlim_cur >= (rlim_t)wanted)
        return true;
    fprintf(stderr, "fake-nodes: %d open files are wanted, %llu are allowed (`ulimit -n`): fewer --nodes\n", wanted, (unsigned long long)lim.rlim_max);
    return false;
}

int main(int argc, char **argv)
{
    static struct nodes all;
    struct orders orders = { .all = &all };
    struct err err = { 0 };
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (!read_options(&all.o, argc, argv))
        return usage(stderr);
    signal(SIGPIPE, SIG_IGN);
    if (!allow_files(2 * all.o.nodes + FILES_SPARE))
        return 1;
    rng_seed(&all.rng, (uint64_t)all.o.seed ^ (all.o.port ? 0 : clock_ns() ^ (uint64_t)getpid()));
    buf_init(&all.message, 64 << 20);
    all.list = calloc((size_t)all.o.nodes, sizeof(*all.list));
    for (int i = 0; all.list && i < all.o.nodes; i++) {
        struct node *n = &all.list[i];
        n->all = &all;
        n->index = i;
        n->temperature_c = 40;
        snprintf(n->name, sizeof(n->name), "%s%d", all.o.prefix, i);
    }
    if (!all.list || !(all.arena = arena_new(64 << 20, &err)) || !(all.loop = net_loop_new(&err)) || !net_loop_on_signal(all.loop, SIGTERM, on_term, &all, &err) ||
        !net_loop_on_signal(all.loop, SIGINT, on_term, &all, &err) || !open_ports(&all, &err) || !(all.tick = net_timer_new(all.loop, on_tick, &all, &err)) ||
        !(orders.later = net_timer_new(all.loop, on_later, &orders, &err))) {
        fprintf(stderr, "fake-nodes: %s\n", err.text[0] ? err.text : "out of memory");
        return 1;
    }
    orders.watch = net_watch_new(all.loop, STDIN_FILENO, on_stdin, &orders, &err); /* NULL: a file, /dev/null: no orders */
    printf("listening on http://%s:%d-%d\n", all.o.host, all.o.port, all.o.port + all.o.nodes - 1);
    fflush(stdout);
    net_timer_start(all.tick, TICK_MS, TICK_MS);
    net_loop_run(all.loop);
    put_report(&all);
    for (int i = 0; i < all.o.nodes; i++)
        close_node(&all.list[i]);
    return 0;
}
