/* tests/cluster/test_fetch.c - a model file from a neighbour: whole, resumed, changed meanwhile, not shared, wrong, endless.
 * Who reads slowly: test_nodes.sh. */
#define _DEFAULT_SOURCE
#include "base/hex.h"
#include "nodes.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cluster/fetch.h"
#include "cluster/file_hash.h"

enum { N = 3 * 1000 * 1000 + 17 };

static void write_file(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n);
    if (f)
        fclose(f);
}

static char *make_model(const char *dir, const char *name, size_t n, char fill)
{
    char path[600], *bytes = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(fill + (char)(i * 2654435761u >> 13));
    mkdir(dir, 0700);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    write_file(path, bytes, n);
    return bytes;
}

static bool is_same(const char *dir, const char *name, const char *bytes, size_t n)
{
    char path[600];
    struct err err;
    size_t got;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    char *have = file_read(path, 64 << 20, &got, &err);
    const bool ok = have && got == n && memcmp(have, bytes, n) == 0;
    free(have);
    return ok;
}

static int count_files(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2; /* . and .. */
}

struct house {
    struct test_node node;
    char from[300], to[300], cache[300];
    char *bytes;
};

static void begin(struct house *h)
{
    snprintf(h->from, sizeof(h->from), "%s", test_tmp("from"));
    snprintf(h->to, sizeof(h->to), "%s", test_tmp("to"));
    snprintf(h->cache, sizeof(h->cache), "%s", test_tmp("cache"));
    setenv("XDG_CACHE_HOME", h->cache, 1);
    h->bytes = make_model(h->from, "m.gguf", N, 1);
    node_init(&h->node, "a");
    h->node.share_dir = h->from;
    node_start(&h->node);
}
static void finish(struct house *h)
{
    node_end(&h->node);
    free(h->bytes);
}

TEST(a_shared_file_arrives_whole_and_only_once)
{
    struct house h;
    struct err err = { 0 };
    begin(&h);
    struct fetch f = { .url = h.node.url, .name = "m.gguf", .dir = h.to };
    CHECK(fetch_model(&f, &err) && f.total_bytes == N && f.fetched_bytes == N && !f.was_here, "%s", err.text);
    CHECK(is_same(h.to, "m.gguf", h.bytes, N) && count_files(h.to) == 1);
    struct fetch again = { .url = h.node.url, .name = "m.gguf", .dir = h.to };
    CHECK(fetch_model(&again, &err) && again.was_here && again.fetched_bytes == 0, "%s", err.text);
    free(make_model(h.to, "m.gguf", 10, 0));
    struct fetch other = { .url = h.node.url, .name = "m.gguf", .dir = h.to };
    CHECK(!fetch_model(&other, &err) && strstr(err.text, "another file"), "%s", err.text);
    finish(&h);
}

TEST(what_an_earlier_time_left_is_gone_on_with_or_thrown_away)
{
    struct house h;
    struct err err = { 0 };
    unsigned char hash[FILE_HASH_BYTES];
    char hex[FILE_HASH_HEX], part[500];
    begin(&h);
    struct file_hash *md = file_hash_new(&err);
    REQUIRE(md && file_hash_add(md, h.bytes, N) && file_hash_end(md, hash));
    file_hash_free(md);
    hex_put(hex, hash, FILE_HASH_BYTES);
    mkdir(h.to, 0700);
    snprintf(part, sizeof(part), "%s/.m.gguf.%s.part", h.to, hex);
    write_file(part, h.bytes, N - 1000);
    struct fetch f = { .url = h.node.url, .name = "m.gguf", .dir = h.to };
    CHECK(fetch_model(&f, &err) && f.resumed_at == N - 1000 && f.fetched_bytes == 1000, "%s, %llu", err.text, (unsigned long long)f.fetched_bytes);
    CHECK(is_same(h.to, "m.gguf", h.bytes, N) && count_files(h.to) == 1);
    /* what was left is damaged: said, thrown away, and right the next time */
    char path[600];
    snprintf(path, sizeof(path), "%s/m.gguf", h.to);
    unlink(path);
    h.bytes[5] ^= 1;
    write_file(part, h.bytes, N - 1000);
    h.bytes[5] ^= 1;
    struct fetch bad = { .url = h.node.url, .name = "m.gguf", .dir = h.to };
    CHECK(!fetch_model(&bad, &err) && strstr(err.text, "checksum of what came is wrong") && count_files(h.to) == 0, "%s", err.text);
    /* the neighbour's file is another one now */
    write_file(part, h.bytes, N - 1000);
    char *other = make_model(h.from, "m.gguf", N / 2, 9);
    struct fetch afresh = { .url = h.node.url, .name = "m.gguf", .dir = h.to };
    CHECK(fetch_model(&afresh, &err) && afresh.fetched_bytes == N / 2 && is_same(h.to, "m.gguf", other, N / 2) && count_files(h.to) == 1, "%s", err.text);
    free(other);
    finish(&h);
}

TEST(names_that_are_not_shared_get_nothing)
{
    static const char *const names[] = { "../from/m.gguf", "/etc/passwd", "nobody.gguf", "notes.txt", ".m.gguf", "", "sub/m.gguf", "fifo.gguf" };
    struct house h;
    begin(&h);
    char path[400];
    free(make_model(h.from, "notes.txt", 10, 0));
    free(make_model(h.from, ".m.gguf", 10, 0));
    snprintf(path, sizeof(path), "%s/fifo.gguf", h.from);
    mkfifo(path, 0600);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct err err = { 0 };
        struct fetch f = { .url = h.node.url, .name = names[i], .dir = h.to, .n_tries = 1 };
        CHECK(!fetch_model(&f, &err) && err.text[0] && count_files(h.to) <= 0, "'%s': %s", names[i], err.text);
    }
    finish(&h);
}

/* ---- a node that is cut, or lies ---- */

struct sender {
    struct grpc_call *call;
    struct test_node *node;
};
static atomic_int n_asked;

static void say(struct sender *s, uint64_t total, uint64_t offset, bool is_first, const char *bytes, size_t n, const unsigned char *hash)
{
    struct node_pb_piece p = { .total_bytes = total, .offset = offset, .has_sha256 = is_first, .data = bytes, .n = n };
    struct buf b;
    if (hash)
        memcpy(p.sha256, hash, sizeof(p.sha256));
    buf_init(&b, 1 << 20);
    node_pb_put_piece(&b, &p);
    grpc_send(s->call, b.data, b.len);
    buf_fini(&b);
}

static const unsigned char zeros_hash[32]; /* of nothing that there is */
static char zeros[200000];

static void endless_end(void *ctx)
{
    struct sender *s = ctx;
    say(s, 250000, 0, true, NULL, 0, zeros_hash);
    say(s, 0, 0, false, zeros, sizeof(zeros), NULL);
    say(s, 0, sizeof(zeros), false, zeros, sizeof(zeros), NULL);
}
static void wrong_end(void *ctx)
{
    struct sender *s = ctx;
    say(s, 1000, 0, true, NULL, 0, zeros_hash);
    say(s, 0, 0, false, zeros, 1000, NULL);
    grpc_finish(s->call, GRPC_OK, NULL);
}
static void huge_end(void *ctx) { say(ctx, UINT64_MAX, 0, true, NULL, 0, zeros_hash); }
static void nameless_end(void *ctx) { say(ctx, 10, 0, false, zeros, 10, NULL); }
static void close_sender(void *ctx) { free(ctx); }
#define SENDER(name)                                                                                \
    static void name(void *n, struct http_stream *s, const struct http_head *head)                  \
    {                                                                                               \
        static const struct grpc_fns fns = { .on_end = name##_end, .on_close = close_sender };      \
        struct sender *x = calloc(1, sizeof(*x));                                                   \
        n_asked++;                                                                                  \
        x->node = n;                                                                                \
        x->call = grpc_accept(x->node->loop, s, head, 1000, false, &fns, x);                        \
    }
SENDER(endless) SENDER(wrong) SENDER(huge) SENDER(nameless)

TEST(a_neighbour_that_lies_leaves_no_file)
{
    static const struct { void (*handler)(void *, struct http_stream *, const struct http_head *); const char *why; } cases[] = {
        { endless, "not asked for" }, { wrong, "checksum of what came is wrong" }, { huge, "MB left" }, { nameless, "which file it sends" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct test_node n;
        struct err err = { 0 };
        char path[400], name[8], dir[300];
        snprintf(name, sizeof(name), "to%zu", i);
        snprintf(dir, sizeof(dir), "%s", test_tmp(name));
        node_init(&n, "liar");
        n.handler = cases[i].handler;
        node_start(&n);
        struct fetch f = { .url = n.url, .name = "m.gguf", .dir = dir, .n_tries = 1 };
        snprintf(path, sizeof(path), "%s/m.gguf", f.dir);
        CHECK(!fetch_model(&f, &err) && strstr(err.text, cases[i].why), "%zu: %s", i, err.text);
        CHECK(access(path, F_OK) != 0);
        node_end(&n);
    }
}

TEST(a_neighbour_that_goes_is_tried_again_and_what_came_stays)
{
    struct house h;
    struct err err = { 0 };
    begin(&h);
    const struct net_addr at = h.node.at;
    node_end(&h.node);
    struct fetch f = { .url = h.node.url, .name = "m.gguf", .dir = h.to, .n_tries = 2 };
    CHECK(!fetch_model(&f, &err) && err.code == ERR_IO, "%s", err.text);
    h.node.at = at;
    node_start(&h.node);
    f = (struct fetch){ .url = h.node.url, .name = "m.gguf", .dir = h.to };
    CHECK(fetch_model(&f, &err) && is_same(h.to, "m.gguf", h.bytes, N), "%s", err.text);
    finish(&h);
}
