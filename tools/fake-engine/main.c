/* fake-engine/main.c - a server that behaves like a model server, as well or as badly as it is told.
 *
 * For:     tests of supervision, routing and memory without models; docs/rig.md.
 * Use:     fake-engine [--OPTION VALUE]...       (--help: the list)
 * Life:    start -> load (time, memory) -> serve -> SIGTERM: port closed, memory kept for --release-ms, exit 0.
 *          SIGUSR1: the port and all connections are gone, the process lives on.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake.h"
#include "net/loop.h"

static const struct {
    const char *name;
    size_t at;
    bool is_text;
    int usual;
    const char *text, *what;
} table[] = {
#define TEXT(name, field, usual, what) { name, offsetof(struct options, field), true, 0, usual, what }
#define NUMBER(name, field, usual, what) { name, offsetof(struct options, field), false, usual, NULL, what }
    TEXT("listen", listen, "127.0.0.1:0", "ADDR:PORT; 0: any, printed on stdout"),
    TEXT("model", model, "fake", "what it calls its model"),
    TEXT("api", api, "llama", "whose /metrics: llama, vllm"),
    TEXT("journal", journal, NULL, "file that gets a line for each start, first token and end of a request"),
    NUMBER("load-ms", load_ms, 0, "time from start to ready"),
    NUMBER("alloc-mb", alloc_mb, 0, "memory that is really touched when loaded"),
    NUMBER("release-ms", release_ms, 0, "after SIGTERM: how long it keeps the memory when its port is closed already"),
    NUMBER("late-port", late_port, 0, "1: listens only once loaded (vLLM); 0: says 503 until then (llama-server)"),
    NUMBER("ignore-term", ignore_term, 0, "1: SIGTERM does nothing"),
    NUMBER("tok-s", tok_s, 200, "tokens per second of a request"),
    NUMBER("prompt-tok-s", prompt_tok_s, 0, "tokens of prompt per second; 0: at once"),
    NUMBER("ttft-ms", ttft_ms, 0, "time before the first token, beside the prompt's"),
    NUMBER("n-tokens", n_tokens, 16, "length of an answer when the request names none"),
    NUMBER("slots", slots, 4, "requests at a time; the others wait"),
    NUMBER("dims", dims, 8, "length of an embedding"),
    NUMBER("stall-at", stall_at, -1, "falls silent before this token of a request (0: before the first)"),
    NUMBER("crash-at", crash_at, -1, "exits before this token"),
    NUMBER("cut-at", cut_at, -1, "closes the connection before this token"),
    NUMBER("garbage-at", garbage_at, -1, "sends broken JSON instead of this token and ends"),
    NUMBER("fault-on", fault_on, 0, "these faults strike the Nth request only; 0: each"),
    NUMBER("crash-code", crash_code, 3, "exit status of a crash"),
    NUMBER("crash-at-start", crash_at_start, 0, "1: exits instead of loading"),
    NUMBER("close-port-at", close_port_at, -1, "loses its port when the Nth request comes"),
};
enum { N_OPTIONS = sizeof(table) / sizeof(table[0]) };

static int usage(FILE *out)
{
    fprintf(out, "usage: fake-engine [--OPTION VALUE]...\n\nSpeaks the OpenAI, llama-server, vLLM, Ollama and Open Inference Protocol dialects\n"
                 "without a model: answers repeat the words of the question.\n\n");
    for (int i = 0; i < N_OPTIONS; i++)
        if (table[i].is_text)
            fprintf(out, "  --%-15s %s [%s]\n", table[i].name, table[i].what, table[i].text ? table[i].text : "none");
        else
            fprintf(out, "  --%-15s %s [%d]\n", table[i].name, table[i].what, table[i].usual);
    fprintf(out, "  --port N          the same as --listen 127.0.0.1:N\n");
    return out == stdout ? 0 : 2;
}

static bool read_options(struct options *o, int argc, char **argv)
{
    static char listen[32];
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
        if (strcmp(argv[a], "--port") == 0) {
            snprintf(listen, sizeof(listen), "127.0.0.1:%s", argv[a + 1]);
            o->listen = listen;
            continue;
        }
        while (i < N_OPTIONS && strcmp(table[i].name, argv[a] + 2) != 0)
            i++;
        if (i == N_OPTIONS)
            return false;
        char *at = (char *)o + table[i].at, *end;
        const int v = (int)strtol(argv[a + 1], &end, 10);
        if (table[i].is_text)
            memcpy(at, &argv[a + 1], sizeof(argv[a + 1]));
        else if (*end || end == argv[a + 1])
            return false;
        else
            memcpy(at, &v, sizeof(v));
    }
    return o->tok_s > 0 && o->slots > 0 && o->dims > 0 && o->n_tokens > 0;
}

static bool open_port(struct fake *f)
{
    struct err err = { 0 };
    struct net_addr at;
    f->server = http_server_new(f->loop, &(struct http_server_config){ .on_request = on_request, .ctx = f, .max_body_bytes = 256 << 20 }, &err);
    if (f->server && net_addr_parse(&at, f->opt.listen, &err) && http_server_listen(f->server, &at, &at, &err)) {
        printf("listening on http://%s\n", at.text);
        fflush(stdout);
        return true;
    }
    fprintf(stderr, "fake-engine: %s\n", err.text);
    return false;
}

static void on_close_port(void *ctx)
{
    struct fake *f = ctx;
    f->is_leaving = true; /* nobody's turn comes any more */
    http_server_free(f->server);
    f->server = NULL;
    f->is_leaving = false;
}

/* Not from inside the server's own call. */
void close_port(struct fake *f)
{
    struct err err = { 0 };
    struct net_timer *t = net_timer_new(f->loop, on_close_port, f, &err);
    net_timer_start(t, 0, 0);
}

static void on_usr1(void *ctx)
{
    struct fake *f = ctx;
    on_close_port(f);
}

static void on_release(void *ctx)
{
    struct fake *f = ctx;
    net_loop_stop(f->loop);
}

static void on_term(void *ctx)
{
    struct fake *f = ctx;
    if (f->opt.ignore_term || f->is_leaving)
        return;
    on_close_port(f);
    f->is_leaving = true;
    net_timer_free(f->life);
    struct err err = { 0 };
    f->life = net_timer_new(f->loop, on_release, f, &err);
    net_timer_start(f->life, (uint64_t)f->opt.release_ms, 0);
}

static void on_loaded(void *ctx)
{
    struct fake *f = ctx;
    if (f->opt.alloc_mb > 0) {
        const size_t n = (size_t)f->opt.alloc_mb << 20;
        f->memory = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (f->memory == MAP_FAILED) {
            fprintf(stderr, "fake-engine: cannot allocate %d MB\n", f->opt.alloc_mb);
            _exit(1);
        }
        memset(f->memory, 1, n);
    }
    f->is_loaded = true;
    if (!f->server && !open_port(f))
        _exit(1);
}

int main(int argc, char **argv)
{
    struct fake f = { .journal_fd = -1 };
    struct err err = { 0 };
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (!read_options(&f.opt, argc, argv))
        return usage(stderr);
    if (f.opt.crash_at_start) {
        fprintf(stderr, "fake-engine: cannot load '%s': told to crash\n", f.opt.model);
        return f.opt.crash_code;
    }
    if (f.opt.journal && (f.journal_fd = open(f.opt.journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0) {
        fprintf(stderr, "fake-engine: %s: %s\n", f.opt.journal, strerror(errno));
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    f.loop = net_loop_new(&err);
    if (!f.loop || !net_loop_on_signal(f.loop, SIGTERM, on_term, &f, &err) || !net_loop_on_signal(f.loop, SIGINT, on_term, &f, &err) ||
        !net_loop_on_signal(f.loop, SIGUSR1, on_usr1, &f, &err) || !(f.life = net_timer_new(f.loop, on_loaded, &f, &err))) {
        fprintf(stderr, "fake-engine: %s\n", err.text);
        return 1;
    }
    if (!f.opt.late_port && !open_port(&f))
        return 1;
    net_timer_start(f.life, (uint64_t)f.opt.load_ms, 0);
    for (;;) {
        net_loop_run(f.loop);
        if (f.is_leaving)
            return 0;
    }
}
