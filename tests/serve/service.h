/* tests/serve/service.h - the service in this process with fake experts, and a client over real sockets.
 * Include it first in a file that defines _GNU_SOURCE (memmem). */
#ifndef SERVICE_H
#define SERVICE_H
#include "serve/serve.h"
#include "test.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "fake_expert.h"
#include "patience.h"

struct service {
    struct serve *s;
    struct fake *fake[8];
    int n_fakes;
    pthread_t thread;
    atomic_bool is_over;
    bool ok;
};

static inline struct fake *fake_new(const char *id, enum expert_state state)
{
    struct fake *f = calloc(1, sizeof(*f));
    f->base.ops = &fake_ops;
    f->state = state;
    snprintf(f->id, sizeof(f->id), "%s", id);
    return f;
}

static inline void *run_service(void *arg)
{
    struct service *v = arg;
    v->ok = serve_run(v->s);
    v->is_over = true;
    return NULL;
}

static inline struct service *start_fakes(struct serve_config config, struct fake *const *fakes, int n)
{
    static struct expert *experts[8];
    struct service *v = calloc(1, sizeof(*v));
    struct err err = { 0 };
    for (int i = 0; i < n; i++)
        v->fake[i] = fakes[i], experts[i] = &fakes[i]->base;
    v->n_fakes = n;
    config.experts = experts;
    config.n_experts = n;
    if (!net_addr_parse(&config.listen, "127.0.0.1:0", &err) || !(v->s = serve_new(&config, &err))) {
        CHECK(false, "%s", err.text);
        exit(1);
    }
    pthread_create(&v->thread, NULL, run_service, v);
    return v;
}

static inline struct service *start_with(struct serve_config config, enum expert_state state)
{
    struct fake *const fakes[] = { fake_new("one", state), fake_new("two", state) };
    return start_fakes(config, fakes, 2);
}

static inline struct service *start(void) { return start_with((struct serve_config){ 0 }, EXPERT_WARM); }

static inline void end(struct service *v)
{
    if (!v->is_over) {
        serve_stop(v->s);
        usleep(30000);
        if (!v->is_over)
            serve_stop(v->s); /* the second one does not wait for clients */
    }
    pthread_join(v->thread, NULL);
    serve_free(v->s);
    for (int i = 0; i < v->n_fakes; i++)
        expert_free(&v->fake[i]->base);
    free(v);
}

/* ---- a client ---- */

static inline int dial(const struct service *v)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct timeval limit = { 60, 0 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (const struct sockaddr *)&serve_addr(v->s)->sa, sizeof(struct sockaddr_in)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline void send_bytes(int fd, const char *verb, const char *path, const char *fields, const void *body, size_t n_body)
{
    struct buf b;
    buf_init(&b, 64 << 20);
    buf_printf(&b, "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s", verb, path, fields);
    if (body)
        buf_printf(&b, "Content-Length: %zu\r\n", n_body);
    buf_puts(&b, "\r\n");
    if (body)
        buf_append(&b, body, n_body);
    for (size_t at = 0; at < b.len;) {
        const ssize_t n = send_on(fd, b.data + at, b.len - at);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    buf_fini(&b);
}

static inline void send_request(int fd, const char *verb, const char *path, const char *fields, const char *body)
{
    send_bytes(fd, verb, path, fields, body, body ? strlen(body) : 0);
}

struct answer {
    int status;
    struct buf head, body; /* the body without its chunks */
};

static inline void answer_fini_(struct answer *a)
{
    buf_fini(&a->head);
    buf_fini(&a->body);
}

static inline void put_dechunked(struct buf *out, const char *s, size_t n)
{
    const char *end = s + n;
    while (s < end) {
        const size_t size = strtoul(s, NULL, 16);
        const char *data = memmem(s, (size_t)(end - s), "\r\n", 2);
        if (!data || size == 0 || (size_t)(end - data - 2) < size)
            return;
        buf_append(out, data + 2, size);
        s = data + 2 + size + 2;
    }
}

static inline struct answer hear(int fd)
{
    struct answer a = { 0 };
    struct buf raw;
    char piece[65536];
    buf_init(&raw, 256 << 20);
    buf_init(&a.head, 1 << 20);
    buf_init(&a.body, 256 << 20);
    for (ssize_t n; (n = recv_on(fd, piece, sizeof(piece))) > 0;)
        buf_append(&raw, piece, (size_t)n);
    const char *split = raw.len ? strstr(raw.data, "\r\n\r\n") : NULL;
    if (split) {
        buf_append(&a.head, raw.data, (size_t)(split - raw.data) + 2);
        const char *body = split + 4;
        const size_t n = raw.len - (size_t)(body - raw.data);
        if (strstr(a.head.data, "transfer-encoding: chunked"))
            put_dechunked(&a.body, body, n);
        else
            buf_append(&a.body, body, n);
        sscanf(a.head.data, "HTTP/1.1 %d", &a.status);
    }
    buf_puts(&a.head, "");
    buf_puts(&a.body, "");
    buf_fini(&raw);
    close(fd);
    return a;
}

static inline struct answer ask_with(const struct service *v, const char *verb, const char *path, const char *fields, const char *body)
{
    const int fd = dial(v);
    send_request(fd, verb, path, fields, body);
    return hear(fd);
}

static inline struct answer post(const struct service *v, const char *path, const char *body) { return ask_with(v, "POST", path, "", body); }
static inline struct answer get(const struct service *v, const char *path) { return ask_with(v, "GET", path, "", NULL); }

static inline const char *chat(const char *prompt, const char *more)
{
    static _Thread_local char text[4][1024];
    static _Thread_local int turn;
    char *out = text[turn++ % 4];
    snprintf(out, sizeof(text[0]), "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]%s}", prompt, more);
    return out;
}

static inline json_t *json_of(const struct answer *a)
{
    json_t *t = json_loads(a->body.data, 0, NULL);
    CHECK(t, "not JSON: %.300s", a->body.data);
    return t;
}

/* A string or number inside: at(t, "choices.0.message.content"). */
static inline const json_t *at(const json_t *t, const char *path)
{
    char word[64];
    while (t && *path) {
        const size_t n = strcspn(path, ".");
        snprintf(word, sizeof(word), "%.*s", (int)n, path);
        t = json_is_array(t) ? json_array_get(t, (size_t)atoi(word)) : json_object_get(t, word);
        path += n + (path[n] == '.');
    }
    return t;
}
static inline const char *text_at(const json_t *t, const char *path)
{
    const char *s = json_string_value(at(t, path));
    return s ? s : "";
}
static inline int int_at(const json_t *t, const char *path) { return (int)json_integer_value(at(t, path)); }

static inline bool wait_until(atomic_int *what, int want)
{
    WAIT_UNTIL(*what == want);
    return *what == want;
}

static inline double metric(const struct service *v, const char *name)
{
    struct answer a = get(v, "/metrics");
    const char *p = strstr(a.body.data, name);
    const double value = p ? strtod(p + strlen(name), NULL) : NAN;
    answer_fini_(&a);
    return value;
}

static inline void check_error(struct answer a, int status, const char *code, const char *what)
{
    json_t *t = json_of(&a);
    CHECK(a.status == status, "%s: status %d, want %d: %s", what, a.status, status, a.body.data);
    CHECK(strcmp(text_at(t, "error.code"), code) == 0, "%s: code '%s', want '%s'", what, text_at(t, "error.code"), code);
    CHECK(*text_at(t, "error.message"), "%s: no message", what);
    json_decref(t);
    answer_fini_(&a);
}
#endif
