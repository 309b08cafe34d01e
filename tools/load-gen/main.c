/* load-gen/main.c - a small load generator with honest latencies; start at on_tick().
 *
 * For:     docs/rig.md; benches and tests of services that speak the OpenAI API.
 * Use:     load-gen --url http://127.0.0.1:8080/v1 --rate 20 --seconds 10 [--json]      (--help: the list)
 * Rule:    open loop: requests have intended start times (Poisson, or --even) that do not wait for answers, and every latency
 *          counts from the intended start, also when all --clients are busy and the request has to wait for one: a server that
 *          stops for a second is seen by every request that should have begun in that second (no coordinated omission).
 *          --rate 0 is a closed loop instead: each client asks again when it was answered.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "net/client.h"
#include "wire/events.h"
#include "wire/openai_client.h"

enum task { CHAT, COMPLETE, EMBED, GET };
static const char *const task_names[] = { "chat", "complete", "embed", "get" };

struct options {
    const char *url, *model, *prompt, *key_env;
    enum task task;
    double rate, seconds;
    int n_requests, n_clients, max_tokens, prompt_words, timeout_s;
    uint64_t seed;
    bool json, even, no_stream, echo;
};

struct list { /* of times in ms */
    float *v;
    size_t n, cap;
};

struct request {
    struct request *next; /* waiting */
    struct load *load;
    uint64_t intended_ns, first_ns, last_ns;
    int n_tok, status;
    bool is_done, has_failed, was_told, is_mixed; /* was_told: an error event came; is_mixed: --echo, not what was asked for */
    size_t n_echoed; /* bytes of the echo */
    struct http_call *call;
    struct events events;
    struct buf prompt, body, answer;
};

struct load {
    struct options o;
    struct net_loop *loop;
    struct net_timer *timer;
    struct http_client *client;
    struct rng rng;
    char path[256], key[520];
    struct request *waiting, *waiting_last;
    uint64_t begun_ns, next_ns, end_ns;
    int n_told, n_torn, n_mixed, n_short; /* --echo */
    int n_begun, n_running, n_waiting, n_ended, most_waiting, n_ends[HTTP_END_COUNT], n_bad_status, n_bad_answer;
    uint64_t n_tok;
    struct list e2e, ttft, itl, late;
};

static void keep(struct list *l, double ms)
{
    if (l->n == l->cap) {
        const size_t cap = l->cap ? l->cap * 2 : 1024;
        float *v = realloc(l->v, cap * sizeof(*v));
        if (!v)
            return;
        l->v = v, l->cap = cap;
    }
    l->v[l->n++] = (float)ms;
}

static double ms_between(uint64_t from, uint64_t to) { return to > from ? (double)(to - from) / 1e6 : 0; }

/* ---- one request ---- */

static void send_waiting(struct load *l);

/* Fake engines repeat the prompt's words: anything else came from another request, or from a second begin. */
static void check_echo(struct request *r, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++, r->n_echoed++) {
        const size_t at = r->n_echoed % (r->prompt.len + 1);
        r->is_mixed |= text[i] != (at == r->prompt.len ? ' ' : r->prompt.data[at]);
    }
}

static bool on_event(void *ctx, const char *data, size_t n)
{
    struct request *r = ctx;
    struct load *l = r->load;
    struct openai_answer a;
    struct openai_piece p;
    struct err err = { 0 };
    bool ok = openai_read_answer(&a, l->o.task == CHAT ? OPENAI_CHAT : OPENAI_COMPLETION, data, n, &err);
    for (int i = 0; ok && i < a.n_choices; i++) {
        ok = openai_answer_piece(&a, i, &p, &err);
        if (!ok || p.n_text + p.n_reasoning == 0)
            continue;
        const uint64_t now = clock_ns();
        if (l->o.echo)
            check_echo(r, p.text, p.n_text);
        if (r->n_tok++ == 0)
            keep(&l->ttft, ms_between(r->intended_ns, now)), r->first_ns = now;
        else
            keep(&l->itl, ms_between(r->last_ns, now));
        r->last_ns = now;
    }
    r->is_done |= ok && a.is_done;
    r->has_failed |= !ok;
    r->was_told |= !ok && n > 9 && memcmp(data, "{\"error\":", 9) == 0;
    openai_answer_fini(&a);
    return ok;
}

static void on_head(void *ctx, const struct http_head *h)
{
    struct request *r = ctx;
    r->status = h->status;
}

static void on_data(void *ctx, const char *bytes, size_t n)
{
    struct request *r = ctx;
    if (r->status == 200 && r->load->o.task <= COMPLETE && !r->load->o.no_stream)
        events_put(&r->events, bytes, n, on_event, r);
    else
        buf_append(&r->answer, bytes, n);
}

static void finish(struct load *l)
{
    if (l->o.rate > 0 ? l->n_ended == l->n_begun && l->next_ns == 0 : l->n_running == 0)
        net_loop_stop(l->loop);
}

static void begin(struct load *l, uint64_t intended_ns);

/* What --echo found: an answer that is not the prompt's words; a whole one that is too short; one that ended without a word of why. */
static void count_echo(struct request *r, enum http_end how)
{
    struct load *l = r->load;
    const bool is_stream = !l->o.no_stream;
    if (how == HTTP_END_DONE && r->status == 200 && !is_stream)
        on_event(r, r->answer.data ? r->answer.data : "", r->answer.len);
    int n_words = r->n_echoed > 0;
    for (size_t i = 0; i < r->n_echoed; i++) {
        const size_t at = i % (r->prompt.len + 1);
        n_words += at == r->prompt.len || r->prompt.data[at] == ' ';
    }
    const bool is_whole = how == HTTP_END_DONE && r->status == 200 && !r->has_failed && (r->is_done || !is_stream);
    const bool was_told = r->was_told || (how == HTTP_END_DONE && r->status >= 400 && r->answer.len > 9 && memcmp(r->answer.data, "{\"error\":", 9) == 0);
    l->n_mixed += r->is_mixed;
    l->n_short += is_whole && n_words != l->o.max_tokens;
    l->n_told += !is_whole && was_told;
    l->n_torn += !is_whole && !was_told;
}

static void end_request(struct request *r, enum http_end how)
{
    struct load *l = r->load;
    const uint64_t now = clock_ns();
    l->n_ends[how]++;
    l->n_ended++;
    l->n_running--;
    if (l->o.echo)
        count_echo(r, how);
    if (how == HTTP_END_DONE && r->status != 200)
        l->n_bad_status++;
    else if (how == HTTP_END_DONE && l->o.task <= COMPLETE && !l->o.no_stream && (r->has_failed || !r->is_done))
        l->n_bad_answer++;
    else if (how == HTTP_END_DONE)
        keep(&l->e2e, ms_between(r->intended_ns, now));
    l->n_tok += (uint64_t)r->n_tok;
    if (now > l->end_ns)
        l->end_ns = now;
    events_fini(&r->events);
    buf_fini(&r->prompt);
    buf_fini(&r->body);
    buf_fini(&r->answer);
    free(r);
    if (l->o.rate <= 0 && l->n_begun < l->o.n_requests && ms_between(l->begun_ns, now) < l->o.seconds * 1000)
        begin(l, now);
    send_waiting(l);
    finish(l);
}

static void on_end(void *ctx, enum http_end how, const struct err *err)
{
    (void)err;
    end_request(ctx, how);
}

static void put_body(struct load *l, struct buf *prompt, struct buf *b)
{
    if (l->o.prompt)
        buf_puts(prompt, l->o.prompt);
    for (int i = 0; !l->o.prompt && i < l->o.prompt_words; i++)
        buf_printf(prompt, "%sword%d", i ? " " : "", (int)(rng_u64(&l->rng) % 1000));
    const char *field = l->o.task == CHAT ? "messages" : l->o.task == COMPLETE ? "prompt" : "input";
    buf_puts(b, "{\"model\":"), buf_put_json(b, l->o.model, strlen(l->o.model));
    buf_printf(b, ",\"%s\":%s", field, l->o.task == CHAT ? "[{\"role\":\"user\",\"content\":" : "");
    buf_put_json(b, prompt->data ? prompt->data : "", prompt->len);
    buf_puts(b, l->o.task == CHAT ? "}]" : "");
    if (l->o.task <= COMPLETE)
        buf_printf(b, ",\"max_tokens\":%d,\"stream\":%s", l->o.max_tokens, l->o.no_stream ? "false" : "true");
    buf_putc(b, '}');
}

static void send_waiting(struct load *l)
{
    static const struct http_call_fns fns = { on_head, on_data, on_end };
    while (l->waiting && l->n_running < l->o.n_clients) {
        struct request *r = l->waiting;
        struct err err = { 0 };
        l->waiting = r->next;
        l->n_waiting--;
        if (l->o.task != GET)
            put_body(l, &r->prompt, &r->body);
        const struct http_field fields[] = { { "content-type", "application/json" }, { "authorization", l->key } };
        const struct http_ask ask = { .verb = l->o.task == GET ? HTTP_VERB_GET : HTTP_VERB_POST, .path = l->path, .fields = fields,
                                      .n_fields = l->key[0] ? 2 : 1, .body = &(struct http_piece){ r->body.data, r->body.len },
                                      .n_body = l->o.task == GET ? 0 : 1, .may_repeat = true, .head_ms = (uint32_t)l->o.timeout_s * 1000,
                                      .idle_ms = (uint32_t)l->o.timeout_s * 1000, .max_body_bytes = 1u << 30 };
        l->n_running++;
        keep(&l->late, ms_between(r->intended_ns, clock_ns()));
        r->call = http_client_call(l->client, &ask, &fns, r, &err);
        if (!r->call) {
            fprintf(stderr, "load-gen: %s\n", err.text);
            end_request(r, HTTP_END_CONNECT);
        }
    }
}

static void begin(struct load *l, uint64_t intended_ns)
{
    struct request *r = calloc(1, sizeof(*r));
    if (!r)
        exit(1);
    r->load = l;
    r->intended_ns = intended_ns;
    events_init(&r->events, EVENTS_SSE, 16 << 20);
    buf_init(&r->prompt, 64 << 20);
    buf_init(&r->body, 64 << 20);
    buf_init(&r->answer, 64 << 20);
    if (l->waiting)
        l->waiting_last->next = r;
    else
        l->waiting = r;
    l->waiting_last = r;
    l->n_begun++;
    if (++l->n_waiting > l->most_waiting)
        l->most_waiting = l->n_waiting;
}

/* ---- when ---- */

static void on_tick(void *ctx)
{
    struct load *l = ctx;
    const uint64_t now = clock_ns();
    while (l->next_ns && l->next_ns <= now) {
        begin(l, l->next_ns);
        const double gap_s = (l->o.even ? 1 : -log(1 - rng_f64(&l->rng))) / l->o.rate;
        l->next_ns += (uint64_t)(gap_s * 1e9);
        if (l->n_begun >= l->o.n_requests || ms_between(l->begun_ns, l->next_ns) > l->o.seconds * 1000)
            l->next_ns = 0;
    }
    send_waiting(l);
    if (l->next_ns)
        net_timer_start(l->timer, (l->next_ns - now) / 1000000, 0); /* rounded down: early and again rather than late */
    finish(l);
}

/* ---- what came of it ---- */

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Nearest rank. */
static double at(const struct list *l, double q)
{
    const size_t i = (size_t)ceil(q * (double)l->n);
    return l->n ? (double)l->v[i > 0 ? i - 1 : 0] : 0;
}

static void print_list(const struct load *l, struct list *list, const char *name, const char *title)
{
    static const double qs[] = { 0.5, 0.9, 0.95, 0.99, 0.999, 1 };
    static const char *const names[] = { "p50", "p90", "p95", "p99", "p999", "max" };
    double sum = 0;
    if (list->n)
        qsort(list->v, list->n, sizeof(*list->v), by_size);
    for (size_t i = 0; i < list->n; i++)
        sum += (double)list->v[i];
    if (l->o.json) {
        printf(",\"%s\":{\"n\":%zu,\"mean\":%.4g", name, list->n, list->n ? sum / (double)list->n : 0);
        for (int i = 0; i < 6; i++)
            printf(",\"%s\":%.5g", names[i], at(list, qs[i]));
        printf("}");
        return;
    }
    printf("  %-24s", title);
    for (int i = 0; i < 6; i++)
        printf(" %s %-8.4g", names[i], at(list, qs[i]));
    printf("\n");
}

static void print_all(struct load *l)
{
    const double s = ms_between(l->begun_ns, l->end_ns) / 1000;
    const int n_ok = (int)l->e2e.n, n_failed = l->n_ended - n_ok;
    if (l->o.json)
        printf("{\"requests\":%d,\"ok\":%d,\"failed\":%d,\"bad_status\":%d,\"bad_answer\":%d,\"connect\":%d,\"lost\":%d,\"late\":%d,"
               "\"seconds\":%.4f,\"rate_asked\":%g,\"rate\":%.4g,\"tokens\":%llu,\"tok_s\":%.5g,\"most_waiting\":%d",
               l->n_ended, n_ok, n_failed, l->n_bad_status, l->n_bad_answer, l->n_ends[HTTP_END_CONNECT], l->n_ends[HTTP_END_LOST],
               l->n_ends[HTTP_END_LATE], s, l->o.rate, s > 0 ? n_ok / s : 0, (unsigned long long)l->n_tok, s > 0 ? (double)l->n_tok / s : 0, l->most_waiting);
    else
        printf("%d requests in %.2f s: %d answered (%.4g/s), %d failed (status %d, answer %d, connect %d, lost %d, late %d); %.5g tokens/s; "
               "at most %d waited for a client\n",
               l->n_ended, s, n_ok, s > 0 ? n_ok / s : 0, n_failed, l->n_bad_status, l->n_bad_answer, l->n_ends[HTTP_END_CONNECT],
               l->n_ends[HTTP_END_LOST], l->n_ends[HTTP_END_LATE], s > 0 ? (double)l->n_tok / s : 0, l->most_waiting);
    if (l->o.echo)
        printf(l->o.json ? ",\"told\":%d,\"torn\":%d,\"mixed\":%d,\"short\":%d" : "  echo: %d failed and said so, %d without a word, %d mixed, %d too short\n", l->n_told,
               l->n_torn, l->n_mixed, l->n_short);
    print_list(l, &l->e2e, "e2e_ms", "whole answer, ms");
    print_list(l, &l->ttft, "ttft_ms", "first token, ms");
    print_list(l, &l->itl, "itl_ms", "between tokens, ms");
    print_list(l, &l->late, "late_ms", "begun after intended, ms");
    printf(l->o.json ? "}\n" : "");
}

/* ---- options ---- */

static int usage(FILE *out)
{
    fprintf(out, "usage: load-gen --url URL [--OPTION VALUE]...\n\n"
                 "  --url URL          of the API: http://127.0.0.1:8080/v1\n"
                 "  --task TASK        chat, complete, embed, get (the URL itself) [chat]\n"
                 "  --rate R           requests per second, open loop; 0: closed loop [10]\n"
                 "  --seconds S        how long requests begin [10]\n"
                 "  --requests N       and how many at most [1000000]\n"
                 "  --clients N        requests at a time at most; others wait and their clock runs [64]\n"
                 "  --model NAME       [default]\n"
                 "  --prompt TEXT      the same for all; otherwise --prompt-words N random words [16]\n"
                 "  --max-tokens N     [32]\n"
                 "  --timeout S        silence that ends a request [60]\n"
                 "  --key-env NAME     variable that holds the API key\n"
                 "  --seed N           of start times and words [1]\n"
                 "  --even             start times at even distances, not Poisson\n"
                 "  --no-stream        whole answers\n"
                 "  --echo             of fake engines: is every answer the words of its own prompt, whole or ended by an error?\n"
                 "  --json             for programs\n");
    return out == stdout ? 0 : 2;
}

static bool read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){ .model = "default", .rate = 10, .seconds = 10, .n_requests = 1000000, .n_clients = 64, .max_tokens = 32,
                           .prompt_words = 16, .timeout_s = 60, .seed = 1 };
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--json") == 0)
            o->json = true;
        else if (strcmp(name, "--even") == 0)
            o->even = true;
        else if (strcmp(name, "--echo") == 0)
            o->echo = true;
        else if (strcmp(name, "--no-stream") == 0)
            o->no_stream = true;
        else if (++i == argc)
            return false;
        else if (strcmp(name, "--url") == 0)
            o->url = argv[i];
        else if (strcmp(name, "--model") == 0)
            o->model = argv[i];
        else if (strcmp(name, "--prompt") == 0)
            o->prompt = argv[i];
        else if (strcmp(name, "--key-env") == 0)
            o->key_env = argv[i];
        else if (strcmp(name, "--task") == 0) {
            int t = 0;
            while (t < 4 && strcmp(task_names[t], argv[i]) != 0)
                t++;
            if (t == 4)
                return false;
            o->task = (enum task)t;
        } else {
            char *end;
            const double v = strtod(argv[i], &end);
            if (*end || end == argv[i] || !(v >= 0 && v <= 1e9))
                return false;
            if (strcmp(name, "--rate") == 0)
                o->rate = v;
            else if (strcmp(name, "--seconds") == 0)
                o->seconds = v;
            else if (strcmp(name, "--requests") == 0)
                o->n_requests = (int)v;
            else if (strcmp(name, "--clients") == 0)
                o->n_clients = (int)v;
            else if (strcmp(name, "--prompt-words") == 0)
                o->prompt_words = (int)v;
            else if (strcmp(name, "--max-tokens") == 0)
                o->max_tokens = (int)v;
            else if (strcmp(name, "--timeout") == 0)
                o->timeout_s = (int)v;
            else if (strcmp(name, "--seed") == 0)
                o->seed = (uint64_t)v;
            else
                return false;
        }
    }
    return o->url && o->n_clients > 0 && o->n_requests > 0;
}

int main(int argc, char **argv)
{
    struct load l = { 0 };
    struct http_target t;
    struct err err = { 0 };
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (!read_options(&l.o, argc, argv))
        return usage(stderr);
    static const char *const paths[] = { "/chat/completions", "/completions", "/embeddings" };
    const char *path = l.o.task == GET ? "/" : paths[l.o.task];
    const char *key = l.o.key_env ? getenv(l.o.key_env) : NULL;
    if (l.o.key_env && (!key || strlen(key) > 500)) {
        fprintf(stderr, "load-gen: the environment has no %s\n", l.o.key_env);
        return 1;
    }
    if (key)
        snprintf(l.key, sizeof(l.key), "Bearer %s", key);
    signal(SIGPIPE, SIG_IGN);
    rng_seed(&l.rng, l.o.seed);
    const struct http_client_config config = { .max_connections = l.o.n_clients, .max_idle = l.o.n_clients };
    if (!http_target_parse(&t, l.o.url, &err) || !(l.loop = net_loop_new(&err)) || !(l.timer = net_timer_new(l.loop, on_tick, &l, &err)))
        goto fail;
    if (l.o.task == GET && t.prefix[0]) { /* the URL's own path */
        snprintf(l.path, sizeof(l.path), "%s", t.prefix);
        t.prefix[0] = '\0';
    } else {
        snprintf(l.path, sizeof(l.path), "%s", path);
    }
    if (!(l.client = http_client_new(l.loop, &t, &config, &err)))
        goto fail;
    l.begun_ns = clock_ns();
    if (l.o.rate > 0) {
        l.next_ns = l.begun_ns;
        net_timer_start(l.timer, 0, 0);
    } else {
        for (int i = 0; i < l.o.n_clients && l.n_begun < l.o.n_requests; i++)
            begin(&l, l.begun_ns);
        send_waiting(&l);
    }
    net_loop_run(l.loop);
    print_all(&l);
    http_client_free(l.client);
    net_timer_free(l.timer);
    net_loop_free(l.loop);
    free(l.e2e.v), free(l.ttft.v), free(l.itl.v), free(l.late.v);
    return l.n_ended > (int)l.e2e.n;
fail:
    fprintf(stderr, "load-gen: %s\n", err.text);
    return 1;
}
