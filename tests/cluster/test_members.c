/* tests/cluster/test_members.c - the other nodes as this process sees them: who is up, who went, who came back, who lies. */
#define _DEFAULT_SOURCE
#include "nodes.h"

TEST(a_node_is_described_and_watched)
{
    struct test_node n;
    struct member m;
    struct candidate list[8];
    struct buf machine;
    node_init(&n, "jetson");
    n.fakes[1].state = EXPERT_COLD;
    node_start(&n);
    const char *urls[] = { n.url };
    struct cluster *c = see("here", 1, urls);
    REQUIRE(wait_state(c, "jetson", MEMBER_UP) >= 0);
    CHECK(member_of(c, "jetson", &m) && m.life == n.life && m.n_experts == 2 && strcmp(m.url, n.url) == 0);
    CHECK(m.rtt_s > 0 && m.age_s >= 0 && m.node.is_up && m.node.distance == EXPERT_LAN, "rtt %g age %g", m.rtt_s, m.age_s);
    REQUIRE(cluster_get_candidates(c, list, 8) == 2);
    CHECK(strcmp(list[0].expert, "jetson-0") == 0 && list[0].is_up && list[0].is_warm && !list[1].is_warm && list[0].privacy == EXPERT_LAN);
    CHECK(list[0].n_parallel >= 1 && list[0].decode_tok_s > 0);
    buf_init(&machine, 1000);
    CHECK(cluster_get_machine(c, "jetson", &machine) && strcmp(machine.data, "{\"cpu\":1}") == 0 && !cluster_get_machine(c, "nobody", &machine));
    buf_fini(&machine);
    cluster_free(c);
    node_end(&n);
}

TEST(a_change_of_state_is_told_before_the_second_is_over)
{
    struct test_node n;
    struct candidate list[8];
    node_init(&n, "a");
    n.fakes[0].state = EXPERT_COLD;
    node_start(&n);
    const char *urls[] = { n.url };
    struct cluster *c = see(NULL, 1, urls);
    REQUIRE(wait_state(c, "a", MEMBER_UP) >= 0);
    n.fakes[0].state = EXPERT_WARM;
    node_say(&n, 4); /* as a request's beginning does */
    const uint64_t since = clock_ns();
    int turns = 0;
    do
        usleep(1000);
    while (cluster_get_candidates(c, list, 8) == 2 && !list[0].is_warm && ++turns < 60000);
    CHECK(list[0].is_warm);
    printf("# warm was seen after %.0f ms\n", (double)(clock_ns() - since) / 1e6);
    node_say(&n, 3);
    CHECK(wait_state(c, "a", MEMBER_DRAINING) >= 0);
    CHECK(cluster_get_candidates(c, list, 8) == 2 && !list[0].is_up, "a node that goes gets no new work");
    cluster_free(c);
    node_end(&n);
}

TEST(a_killed_node_is_down_and_up_again_in_another_life)
{
    struct test_node n;
    struct member m;
    node_init(&n, "a");
    node_start(&n);
    const char *urls[] = { n.url };
    struct cluster *c = see("here", 1, urls);
    REQUIRE(wait_state(c, "a", MEMBER_UP) >= 0);
    const uint64_t life = n.life;
    node_end(&n);
    const double down_s = wait_state(c, "a", MEMBER_DOWN);
    CHECK(down_s >= 0 && member_of(c, "a", &m) && m.why[0]);
    node_start(&n);
    const double up_s = wait_state(c, "a", MEMBER_UP);
    CHECK(up_s >= 0 && member_of(c, "a", &m) && m.life == n.life && n.life != life);
    printf("# killed: down after %.2f s; back: up after %.2f s\n", down_s, up_s);
    cluster_free(c);
    node_end(&n);
}

TEST(a_node_that_hangs_is_down_by_its_silence_and_up_when_it_goes_on)
{
    struct test_node n;
    struct member m;
    node_init(&n, "a");
    node_start(&n);
    const char *urls[] = { n.url };
    struct cluster *c = see("here", 1, urls);
    REQUIRE(wait_state(c, "a", MEMBER_UP) >= 0);
    node_say(&n, 2);
    const double down_s = wait_state(c, "a", MEMBER_DOWN);
    CHECK(down_s >= 0 && member_of(c, "a", &m) && strstr(m.why, "silent"), "%s", m.why);
    node_say(&n, 0);
    const double up_s = wait_state(c, "a", MEMBER_UP);
    CHECK(up_s >= 0);
    printf("# hangs: down after %.2f s; goes on: up after %.2f s\n", down_s, up_s);
    cluster_free(c);
    node_end(&n);
}

TEST(two_ways_to_a_node_are_one_member_and_ourselves_is_none)
{
    struct test_node a, b, me;
    char other[128];
    node_init(&a, "a"), node_init(&b, "b"), node_init(&me, "me");
    node_start(&a), node_start(&b), node_start(&me);
    snprintf(other, sizeof(other), "http://localhost:%d", a.at.port);
    const char *urls[] = { a.url, other, b.url, me.url };
    struct cluster_config k = { .self = "me", .self_life = me.life, .n_seeds = 4 };
    struct err err = { 0 };
    memcpy(k.seeds, urls, sizeof(urls));
    struct cluster *c = cluster_new(&k, &err);
    REQUIRE(c, "%s", err.text);
    CHECK(wait_state(c, "a", MEMBER_UP) >= 0 && wait_state(c, "b", MEMBER_UP) >= 0);
    cluster_wait(c, 60000);
    for (int i = 0; i < 20000 && cluster_n_members(c) != 2; i++)
        usleep(1000);
    CHECK(cluster_n_members(c) == 2, "%d", cluster_n_members(c));
    cluster_free(c);
    node_end(&a), node_end(&b), node_end(&me);
}

TEST(another_node_of_a_name_that_is_taken_is_refused_with_both_places)
{
    struct test_node a, b;
    struct member m;
    node_init(&a, "a"), node_init(&b, "a");
    node_start(&a), node_start(&b);
    const char *first[] = { a.url, b.url };
    struct cluster *c = see("a-front", 2, first);
    struct member list[4];
    int n_up = 0, n_refused = 0;
    for (int turn = 0; turn < 30000 && (n_up == 0 || n_refused == 0); turn++) {
        const int n = cluster_get_members(c, list, 4);
        n_up = n_refused = 0;
        for (int i = 0; i < n; i++) {
            n_up += list[i].state == MEMBER_UP;
            n_refused += list[i].state == MEMBER_REFUSED;
            if (list[i].state == MEMBER_REFUSED)
                m = list[i];
        }
        usleep(1000);
    }
    CHECK(n_up == 1 && n_refused == 1, "%d up, %d refused", n_up, n_refused);
    if (n_refused)
        CHECK(strstr(m.why, "name of another one"), "%s", m.why);
    cluster_free(c);
    node_end(&a), node_end(&b);
}

TEST(addresses_that_are_none_or_beyond_this_machine_in_the_clear_are_refused)
{
    static const struct { const char *url, *why; } cases[] = {
        { "http://192.0.2.1:8444", "in the clear only on this machine" }, { "ftp://x", "" }, { "http://127.0.0.1:8444/x", "https://HOST:PORT" },
        { "unix:/tmp/x", "https://HOST:PORT" }, { "dns://", "" }, { "dns://a:1/b", "dns://NAME:PORT" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cluster_config k = { .n_seeds = 1, .seeds = { cases[i].url } };
        struct err err = { 0 };
        struct cluster *c = cluster_new(&k, &err);
        CHECK(!c && strstr(err.text, cases[i].why), "%s: %s", cases[i].url, err.text);
        cluster_free(c);
    }
}

TEST(a_name_with_addresses_is_looked_up)
{
    struct test_node n;
    char url[128];
    node_init(&n, "a");
    node_start(&n);
    snprintf(url, sizeof(url), "dns://localhost:%d", n.at.port);
    const char *urls[] = { url };
    struct cluster *c = see("here", 1, urls);
    CHECK(wait_state(c, "a", MEMBER_UP) >= 0);
    cluster_free(c);
    node_end(&n);
}

/* ---- nodes that lie ---- */

struct liar { /* a stream of one */
    struct grpc_call *call;
    struct test_node *node;
    struct net_timer *again;
    bool is_watch;
};

static void put_plain(struct buf *b, const struct test_node *n, int n_experts, const char *id)
{
    struct node_pb_expert *e = calloc((size_t)n_experts + 1, sizeof(*e));
    for (int i = 0; i < n_experts; i++)
        e[i] = (struct node_pb_expert){ .id = id, .decode_tok_s = NAN, .prefill_tok_s = -INFINITY, .quality = INFINITY, .load_s = -1,
                                        .busy_w = NAN, .usd_per_item = 1e30f, .params = -NAN, .n_ctx = 0xffffffffu, .n_parallel = 0xffffffffu, .tasks = 0xffffffffu, .privacy = 77 };
    const struct node_pb_description d = { .name = n->name, .version = "9", .life = 5, .experts = e, .n_experts = n_experts };
    node_pb_put_description(b, &d);
    free(e);
}

static void close_liar(void *ctx)
{
    struct liar *l = ctx;
    net_timer_free(l->again);
    free(l);
}

#define LIAR(name)                                                                                  \
    static void name(void *n, struct http_stream *s, const struct http_head *head)                  \
    {                                                                                               \
        static const struct grpc_fns fns = { .on_end = name##_end, .on_close = close_liar };        \
        lie(n, s, head, &fns);                                                                      \
    }
static void lie(struct test_node *n, struct http_stream *s, const struct http_head *head, const struct grpc_fns *fns)
{
    struct liar *l = calloc(1, sizeof(*l));
    l->node = n;
    l->is_watch = strstr(head->path, "Watch") != NULL;
    l->call = grpc_accept(n->loop, s, head, 1000, false, fns, l);
}

static void describe_plainly(void *ctx, int n_experts, const char *id)
{
    struct liar *l = ctx;
    struct buf b;
    buf_init(&b, 64 << 20);
    put_plain(&b, l->node, n_experts, id);
    grpc_send(l->call, b.data, b.len);
    grpc_finish(l->call, GRPC_OK, NULL);
    buf_fini(&b);
}

static void million_end(void *ctx) { describe_plainly(ctx, 100000, "x"); }
LIAR(million)
static void control_end(void *ctx) { describe_plainly(ctx, 1, "a\033[2J\n"); }
LIAR(control)
static void path_end(void *ctx)
{
    struct liar *l = ctx;
    snprintf(l->node->name, sizeof(l->node->name), "../etc");
    describe_plainly(ctx, 1, "x");
}
LIAR(path)

static void rubbish_end(void *ctx)
{
    struct liar *l = ctx;
    grpc_send(l->call, "\377\377\377\377", 4);
    grpc_finish(l->call, GRPC_OK, "\033]0;x\007");
}
LIAR(rubbish)

static void say_state(struct liar *l, float nonsense)
{
    struct node_pb_expert_state e = { .state = 99, .n_running = 0xffffffffu, .wait_s = nonsense, .decode_tok_s = nonsense };
    const struct node_pb_state st = { .life = 5, .temperature_c = nonsense, .memory_free_bytes = nonsense, .busy_frac = nonsense, .experts = &e, .n_experts = 1 };
    struct buf b;
    buf_init(&b, 10000);
    node_pb_put_state(&b, &st);
    grpc_send(l->call, b.data, b.len);
    buf_fini(&b);
}
static void shout(void *ctx)
{
    for (int i = 0; i < 500 && !grpc_is_full(((struct liar *)ctx)->call); i++)
        say_state(ctx, 0);
}
static void shouting_end(void *ctx)
{
    struct liar *l = ctx;
    struct err err;
    if (!l->is_watch) {
        describe_plainly(l, 1, "x");
        return;
    }
    l->again = net_timer_new(l->node->loop, shout, l, &err);
    net_timer_start(l->again, 0, 10);
}
LIAR(shouting)

static void mute_end(void *ctx)
{
    struct liar *l = ctx;
    if (!l->is_watch)
        describe_plainly(l, 1, "x");
}
LIAR(mute)

static void odd_end(void *ctx)
{
    struct liar *l = ctx;
    if (l->is_watch)
        say_state(l, -INFINITY);
    else
        describe_plainly(l, 1, "x");
}
LIAR(odd)

TEST(what_lies_is_refused_or_down_and_says_why)
{
    static const struct { const char *what; void (*handler)(void *, struct http_stream *, const struct http_head *); enum member_state state; const char *why; } cases[] = {
        { "100000 experts", million, MEMBER_REFUSED, "" }, { "control characters", control, MEMBER_REFUSED, "control characters" }, { "a path as a name", path, MEMBER_REFUSED, "name is none" },
        { "no protobuf", rubbish, MEMBER_REFUSED, "no Description" }, { "10000 States a second", shouting, MEMBER_REFUSED, "50 times a second" }, { "a Watch that says nothing", mute, MEMBER_DOWN, "silent" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct test_node n;
        struct member m = { .why = "" };
        node_init(&n, "liar");
        n.handler = cases[i].handler;
        node_start(&n);
        const char *urls[] = { n.url };
        struct cluster *c = see("here", 1, urls);
        CHECK(wait_state(c, n.url, cases[i].state) >= 0, "%s", cases[i].what);
        CHECK(member_of(c, n.url, &m) && strstr(m.why, cases[i].why), "%s: %s", cases[i].what, m.why);
        for (const char *p = m.why; *p; p++)
            CHECK((unsigned char)*p >= ' ' && *p != 127, "%s", cases[i].what);
        cluster_free(c);
        node_end(&n);
    }
}

TEST(figures_that_are_none_count_as_not_known)
{
    struct test_node n;
    struct candidate x;
    struct member m;
    node_init(&n, "odd");
    n.handler = odd;
    node_start(&n);
    const char *urls[] = { n.url };
    struct cluster *c = see("here", 1, urls);
    REQUIRE(wait_state(c, "odd", MEMBER_UP) >= 0);
    REQUIRE(cluster_get_candidates(c, &x, 1) == 1 && member_of(c, "odd", &m));
    CHECK(x.decode_tok_s == 0 && x.prefill_tok_s == 0 && x.quality == 0 && x.load_s == 0 && isnan(x.busy_w) && x.params == 0 && isnan(x.wait_s));
    CHECK(x.n_parallel > 0 && x.n_parallel < 10000 && x.n_running >= 0 && x.n_ctx > 0 && !x.is_up && x.privacy == EXPERT_CLOUD);
    CHECK(x.usd_per_item > 0 && isfinite(x.usd_per_item));
    CHECK(isnan(m.node.temperature_c) && isnan(m.node.memory_free_bytes) && isnan(m.node.busy_frac));
    cluster_free(c);
    node_end(&n);
}
