/* tests/route/test_router_members.c - experts of other nodes that come and go while jobs run, homes of conversations, a thousand nodes. */
#include "fakes.h"

#include <math.h>

#include "route/live.h"
#include "route/policy_settings.h"
#include "route/predict.h"
#include "route/router.h"

/* ---- an expert without threads: it answers at once, on the thread of whoever asks ---- */

struct quick {
    struct expert base;
    char id[64];
    enum expert_privacy privacy;
    int quality;
    atomic_int n_asked, n_running, state;
    atomic_bool is_dead; /* after that nobody may ask it */
};

static bool quick_submit(struct expert *e, struct job *j, struct err *err)
{
    struct quick *q = (struct quick *)e;
    struct expert_usage u = { .n_prompt_tok = 3, .n_gen_tok = 1 };
    CHECK(!q->is_dead, "%s was asked after it was withdrawn", q->id);
    if (q->state == EXPERT_DOWN)
        return err_set(err, ERR_BUSY, "%s is down", q->id);
    q->n_asked++;
    const struct expert_token t = { 1, -.1f, "word", 4, NULL, 0 };
    fake_emit(j, &(struct expert_event){ .kind = EXPERT_DELTA, .text = "word", .n_text = 4, .tokens = &t, .n_tokens = 1 });
    fake_emit(j, &(struct expert_event){ .kind = EXPERT_CHOICE_END, .reason = EXPERT_STOP });
    atomic_store(&j->priv.expert, NULL);
    fake_emit(j, &(struct expert_event){ .kind = EXPERT_DONE, .usage = &u });
    job_unref(j);
    return true;
}
static void quick_card(struct expert *e, struct expert_card *out)
{
    const struct quick *q = (const struct quick *)e;
    *out = (struct expert_card){ .tasks = EXPERT_CHAT, .privacy = q->privacy, .quality = q->quality, .n_ctx = 8192, .n_seq_max = 2, .knows_tools = true };
    snprintf(out->id, sizeof(out->id), "%s", q->id);
    snprintf(out->kind, sizeof(out->kind), "fake");
}
static void quick_metrics(struct expert *e, struct expert_metrics *out)
{
    struct quick *q = (struct quick *)e;
    *out = (struct expert_metrics){ .state = (enum expert_state)q->state, .n_running = q->n_running };
}
static void quick_wake(struct expert *e) { (void)e; }
static void quick_stop(struct expert *e, uint64_t drain_ns) { (void)e, (void)drain_ns; }
static bool quick_ready(struct expert *e, struct err *err) { return (void)e, (void)err, true; }
static void quick_free(struct expert *e) { free(e); }
static const struct expert_ops quick_ops = { .free = quick_free, .submit = quick_submit, .wake = quick_wake, .card = quick_card, .metrics = quick_metrics, .stop = quick_stop,
                                             .wait_ready = quick_ready };

static struct quick *quick_new(const char *id, enum expert_privacy privacy, int quality)
{
    struct quick *q = calloc(1, sizeof(*q));
    q->base.ops = &quick_ops;
    snprintf(q->id, sizeof(q->id), "%s", id);
    q->privacy = privacy;
    q->quality = quality;
    q->state = EXPERT_WARM;
    return q;
}

static struct route_node lan_node(const char *name)
{
    struct route_node n = { .distance = EXPERT_LAN, .is_up = true, .rtt_s = .0003f, .link_bytes_s = 1e8f, .idle_w = NAN, .usd_per_kwh = NAN, .temperature_c = NAN, .headroom_c = NAN,
                            .power_w = NAN, .battery_frac = NAN, .memory_free_bytes = NAN, .pressure_frac = NAN, .busy_frac = NAN };
    snprintf(n.name, sizeof(n.name), "%s", name);
    return n;
}

struct front {
    struct policy *policy;
    struct predictor *predictor;
    struct router *router;
};
static void front_open(struct front *f, struct expert *const *experts, int n)
{
    struct err err = { 0 };
    struct router_env env = { 0 };
    env.policy = f->policy = policy_new(&err);
    env.predictor = f->predictor = predictor_new(&err);
    f->router = router_new(&env, experts, n, &err);
    CHECK(f->router != NULL, "%s", err.text);
}
static void front_close(struct front *f)
{
    router_free(f->router);
    predictor_free(f->predictor);
    policy_free(f->policy);
}
static bool front_ask(struct front *f, enum wish_security security, const char *text, struct seen *s)
{
    struct err err = { 0 };
    seen_init(s);
    struct job *j = chat_job(s, text);
    j->wish.security = security;
    const bool ok = expert_submit(router_expert(f->router, ROUTE_BALANCED), j, &err);
    if (ok)
        seen_wait(s);
    else
        s->err = err;
    job_unref(j);
    return ok && s->err.code == ERR_NONE;
}

TEST(an_expert_that_comes_later_is_asked_and_one_that_went_is_not)
{
    struct quick *here = quick_new("small", EXPERT_LOCAL, 2), *there = quick_new("big", EXPERT_LAN, 8);
    struct expert *const list[] = { &here->base };
    const struct route_node node = lan_node("jetson");
    const struct candidate hint = { .decode_tok_s = 100, .prefill_tok_s = 3000 };
    struct front f;
    struct seen s;
    struct err err = { 0 };
    front_open(&f, list, 1);
    CHECK(front_ask(&f, WISH_SECURITY_NONE, "What is the capital of France?", &s) && here->n_asked == 1, "%s", s.err.text);
    CHECK(router_add_on(f.router, &node, &there->base, &hint, &err), "%s", err.text);
    CHECK(front_ask(&f, WISH_SECURITY_NONE, "Prove that there are infinitely many primes, step by step, and explain each of them.", &s), "%s", s.err.text);
    CHECK((there->n_asked) == (1), "%d", (int)(there->n_asked));
    CHECK(strcmp(s.last_expert, "big") == 0, "%s", s.last_expert);

    struct route_node down = node; /* its node says nothing any more: nobody asks it */
    down.is_up = false;
    router_set_node(f.router, &down);
    CHECK(front_ask(&f, WISH_SECURITY_NONE, "Prove that there are infinitely many primes, step by step.", &s) && there->n_asked == 1, "%s", s.err.text);
    router_set_node(f.router, &node); /* it is back, and used at once */
    CHECK(front_ask(&f, WISH_SECURITY_NONE, "Prove that there are infinitely many primes, step by step, again.", &s) && there->n_asked == 2, "%s", s.err.text);

    CHECK(front_ask(&f, WISH_LOCAL, "Prove that there are infinitely many primes; this is private.", &s) && there->n_asked == 2, "%s", s.err.text);
    CHECK(front_ask(&f, WISH_LAN, "Prove that there are infinitely many primes; this stays in the house.", &s) && there->n_asked == 3, "%s", s.err.text);

    router_withdraw(f.router, &there->base);
    there->is_dead = true;
    CHECK(front_ask(&f, WISH_SECURITY_NONE, "Prove that there are infinitely many primes, step by step, once more.", &s), "%s", s.err.text);
    CHECK(strcmp(s.last_expert, "small") == 0, "%s", s.last_expert);
    router_withdraw(f.router, &there->base); /* twice is fine */
    struct buf b;
    buf_init(&b, 1 << 16);
    router_put_candidates(f.router, &b);
    CHECK(strstr(b.data, "jetson") == NULL, "%s", b.data);
    buf_fini(&b);
    front_close(&f);
    expert_free(&here->base);
    expert_free(&there->base);
}

TEST(what_was_learned_of_an_expert_is_there_when_it_comes_back)
{
    struct live l;
    struct err err = { 0 };
    bool is_another;
    struct quick *a = quick_new("a", EXPERT_LAN, 5), *b = quick_new("b", EXPERT_LAN, 5), *again = quick_new("a", EXPERT_LAN, 5);
    const struct route_node one = lan_node("one"), two = lan_node("two");
    CHECK(live_init(&l, NULL, &err), "%s", err.text);
    const int slot = live_add(&l, &a->base, &one, NULL, false, &is_another, &err);
    CHECK(slot == 0 && live_add(&l, &b->base, &two, NULL, false, &is_another, &err) == 1, "%d %s", slot, err.text);
    live_withdraw(&l, slot);
    live_look(&l);
    CHECK(live_find(&l, &a->base) < 0 && !l.world.list[slot].is_up && l.world.list[slot].tasks == 0, "it is still there");
    CHECK((live_add(&l, &again->base, &two, NULL, false, &is_another, &err)) == (2), "%d", (int)(live_add(&l, &again->base, &two, NULL, false, &is_another, &err))); /* the same name elsewhere is another one */
    live_withdraw(&l, 2);
    CHECK((live_add(&l, &again->base, &one, NULL, false, &is_another, &err)) == (slot), "%d", (int)(live_add(&l, &again->base, &one, NULL, false, &is_another, &err)));
    CHECK(!is_another, "its place is taken for somebody else's");
    live_look(&l);
    CHECK(l.world.list[slot].is_up && l.world.list[slot].tasks == EXPERT_CHAT && l.world.n_nodes == 3, "it did not come back");
    live_fini(&l);
    expert_free(&a->base), expert_free(&b->base), expert_free(&again->base);
}

/* ---- under jobs ---- */

enum { CHURN_EXPERTS = 6, CHURN_CLIENTS = 3, CHURN_JOBS = 150 };
struct churn {
    struct front f;
    struct fake *fakes[CHURN_EXPERTS];
    atomic_bool quit;
    atomic_int n_finals, n_bad;
};

static void *churn_main(void *arg)
{
    struct churn *c = arg;
    struct err err;
    char name[16];
    for (unsigned i = 0; !c->quit; i++) {
        struct fake *f = c->fakes[1 + i % (CHURN_EXPERTS - 1)]; /* the first one stays */
        snprintf(name, sizeof(name), "node%u", i % (CHURN_EXPERTS - 1));
        struct route_node n = lan_node(name);
        if (i / (CHURN_EXPERTS - 1) % 2) {
            router_withdraw(c->f.router, &f->base);
        } else {
            n.is_up = i % 7 != 0;
            c->n_bad += !router_add_on(c->f.router, &n, &f->base, NULL, &err);
        }
        router_set_node(c->f.router, &n);
        fake_nap(200);
    }
    return NULL;
}

static void *churn_client(void *arg)
{
    struct churn *c = arg;
    struct seen s;
    for (int i = 0; i < CHURN_JOBS; i++) {
        c->n_bad += !front_ask(&c->f, WISH_SECURITY_NONE, i % 2 ? "What is the capital of France?" : "Write a poem about the sea, with many verses.", &s);
        c->n_finals += s.n_finals;
        c->n_bad += s.n_after;
    }
    return NULL;
}

TEST(every_job_has_one_end_while_experts_come_and_go)
{
    static const char *const ids[CHURN_EXPERTS] = { "stays", "a", "b", "c", "d", "e" }, *const plans[CHURN_EXPERTS] = { "w", "w", "e", "bw", "w", "mw" };
    static struct churn c;
    memset(&c, 0, sizeof(c));
    for (int i = 0; i < CHURN_EXPERTS; i++) {
        c.fakes[i] = fake_new(ids[i], i == 5 ? "w" : plans[i], 5);
        c.fakes[i]->privacy = i ? EXPERT_LAN : EXPERT_LOCAL;
    }
    struct expert *const first[] = { &c.fakes[0]->base };
    front_open(&c.f, first, 1);
    pthread_t churn, clients[CHURN_CLIENTS];
    pthread_create(&churn, NULL, churn_main, &c);
    for (int i = 0; i < CHURN_CLIENTS; i++)
        pthread_create(&clients[i], NULL, churn_client, &c);
    for (int i = 0; i < CHURN_CLIENTS; i++)
        pthread_join(clients[i], NULL);
    c.quit = true;
    pthread_join(churn, NULL);
    CHECK((c.n_finals) == (CHURN_CLIENTS * CHURN_JOBS), "%d", (int)(c.n_finals));
    CHECK((c.n_bad) == (0), "%d", (int)(c.n_bad));
    front_close(&c.f);
    for (int i = 0; i < CHURN_EXPERTS; i++)
        expert_free(&c.fakes[i]->base);
}

TEST(what_was_learned_of_an_expert_of_another_node_is_there_again_when_it_comes)
{
    static const char kept[] = "there\tthere\tdecode\t0.25\t0.125\t7\nthere\telsewhere\tttft\t0.5\t0.125\t3\n";
    struct quick *q[2] = { quick_new("here", EXPERT_LOCAL, 5), quick_new("there", EXPERT_LAN, 9) };
    struct expert *const first[] = { &q[0]->base };
    const struct route_node n = lan_node("there");
    struct front f;
    struct err err;
    struct buf text, unused;
    front_open(&f, first, 1);
    buf_init(&text, 1 << 16), buf_init(&unused, 1 << 16);
    CHECK(router_take_learned(f.router, kept, NULL, &err), "%s", err.text);
    CHECK(router_add_on(f.router, &n, &q[1]->base, NULL, &err), "%s", err.text);
    router_put_learned(f.router, &text, &unused);
    buf_putc(&text, '\0');
    CHECK(text.data && strcmp(text.data, "there\tthere\tdecode\t0.25\t0.125\t7\n") == 0, "%s", text.data);
    buf_fini(&text), buf_fini(&unused);
    front_close(&f);
    expert_free(&q[0]->base), expert_free(&q[1]->base);
}

TEST(who_withdraws_waits_for_those_who_are_asking)
{
    struct quick *q[2] = { quick_new("here", EXPERT_LOCAL, 5), quick_new("there", EXPERT_LAN, 9) };
    struct expert *const first[] = { &q[0]->base };
    const struct route_node n = lan_node("there");
    struct front f;
    struct err err;
    struct seen s;
    front_open(&f, first, 1);
    for (int i = 0; i < 50; i++) { /* quick_submit() checks that it is never asked when it is dead */
        struct quick *one = quick_new("there", EXPERT_LAN, 9);
        CHECK(router_add_on(f.router, &n, &one->base, NULL, &err), "%s", err.text);
        CHECK(front_ask(&f, WISH_SECURITY_NONE, "Explain the theory of relativity in depth, with all equations.", &s), "%s", s.err.text);
        router_withdraw(f.router, &one->base);
        one->is_dead = true;
        CHECK(front_ask(&f, WISH_SECURITY_NONE, "Explain the theory of relativity in depth, with all equations.", &s), "%s", s.err.text);
        expert_free(&one->base);
    }
    front_close(&f);
    expert_free(&q[0]->base);
    expert_free(&q[1]->base);
}

/* ---- homes ---- */

enum { HOMES = 8, TALKS = 4000 };

/* The name of the home as that front door sees it; self: which of the nodes it is. */
static const char *home_of(struct live *l, uint64_t session, const char *self)
{
    live_look(l);
    live_find_homes(l, session, EXPERT_CHAT);
    const char *home = "nobody";
    int n = 0;
    for (int i = 0; i < l->world.n; i++)
        if (l->world.list[i].is_home) {
            home = l->world.list[i].node ? l->world.nodes[l->world.list[i].node].name : self;
            n++;
        }
    return n == 1 ? home : n ? "several" : "nobody";
}

TEST(a_conversation_has_the_same_home_from_every_front_door_and_few_move_when_a_node_goes)
{
    static char names[HOMES][16];
    struct quick *experts[HOMES];
    struct live doors[3];
    struct err err = { 0 };
    bool is_another;
    for (int k = 0; k < HOMES; k++) {
        snprintf(names[k], sizeof(names[k]), "node-%d", k);
        experts[k] = quick_new("qwen", k ? EXPERT_LAN : EXPERT_LOCAL, 5);
    }
    for (int d = 0; d < 3; d++) { /* door d is node d: that one is its own, the others come in another order each */
        CHECK(live_init(&doors[d], NULL, &err), "%s", err.text);
        live_set_self(&doors[d], names[d]);
        for (int k = 0; k < HOMES; k++) {
            const int at = (d * 3 + k * 5) % HOMES;
            const struct route_node n = lan_node(names[at]);
            experts[at]->privacy = at == d ? EXPERT_LOCAL : EXPERT_LAN;
            CHECK(live_add(&doors[d], &experts[at]->base, at == d ? NULL : &n, NULL, false, &is_another, &err) >= 0, "%s", err.text);
        }
        for (int k = 0; k < HOMES; k++)
            experts[k]->privacy = EXPERT_LAN;
    }
    int count[HOMES] = { 0 }, n_moved = 0, n_theirs = 0;
    for (int t = 0; t < TALKS; t++) {
        const uint64_t session = (uint64_t)t * 0x9e3779b97f4a7c15u + 12345;
        const char *home = home_of(&doors[0], session, names[0]);
        CHECK(strcmp(home, home_of(&doors[1], session, names[1])) == 0 && strcmp(home, home_of(&doors[2], session, names[2])) == 0, "talk %d: homes differ", t);
        for (int k = 0; k < HOMES; k++)
            count[k] += strcmp(home, names[k]) == 0;
    }
    for (int k = 0; k < HOMES; k++) /* binomial: mean 500, deviation 21 */
        CHECK(count[k] > 380 && count[k] < 620, "%s is home to %d of %d", names[k], count[k], TALKS);
    for (int t = 0; t < TALKS; t++) {
        const uint64_t session = (uint64_t)t * 0x9e3779b97f4a7c15u + 12345;
        char before[16];
        snprintf(before, sizeof(before), "%s", home_of(&doors[0], session, names[0]));
        experts[5]->state = EXPERT_DOWN;
        const char *after = home_of(&doors[0], session, names[0]);
        n_theirs += strcmp(before, names[5]) == 0;
        n_moved += strcmp(before, after) != 0;
        CHECK(strcmp(after, names[5]) != 0, "a home that is down");
        experts[5]->state = EXPERT_WARM;
    }
    CHECK((n_moved) == (n_theirs), "%d", (int)(n_moved)); /* theirs alone */
    experts[3]->state = EXPERT_COLD; /* who would have to load it first is nobody's home while others are warm */
    for (int t = 0; t < 200; t++)
        CHECK(strcmp(home_of(&doors[0], (uint64_t)t + 1, names[0]), names[3]) != 0, "a cold home");
    for (int d = 0; d < 3; d++)
        live_fini(&doors[d]);
    for (int k = 0; k < HOMES; k++)
        expert_free(&experts[k]->base);
}

TEST(among_nodes_alike_the_home_is_asked)
{
    struct quick *q[4];
    struct front f;
    struct err err;
    struct seen s;
    char name[16], text[64];
    const struct candidate hint = { .decode_tok_s = 30, .prefill_tok_s = 500 };
    front_open(&f, NULL, 0);
    for (int k = 0; k < 4; k++) {
        q[k] = quick_new("qwen", EXPERT_LAN, 5);
        snprintf(name, sizeof(name), "n%d", k);
        const struct route_node n = lan_node(name);
        CHECK(router_add_on(f.router, &n, &q[k]->base, &hint, &err), "%s", err.text);
    }
    int n_used = 0;
    for (int t = 0; t < 40; t++) {
        int before[4], at = -1;
        for (int k = 0; k < 4; k++)
            before[k] = q[k]->n_asked;
        snprintf(text, sizeof(text), "Tell me something about the number %d, please.", t);
        CHECK(front_ask(&f, WISH_SECURITY_NONE, text, &s), "%s", s.err.text);
        for (int k = 0; k < 4; k++)
            if (q[k]->n_asked != before[k])
                at = k;
        for (int r = 0; r < 2; r++)
            CHECK(front_ask(&f, WISH_SECURITY_NONE, text, &s), "%s", s.err.text);
        CHECK(at >= 0 && q[at]->n_asked == before[at] + 3, "talk %d went to several", t);
    }
    for (int k = 0; k < 4; k++)
        n_used += q[k]->n_asked > 0;
    CHECK((n_used) == (4), "%d", (int)(n_used));
    front_close(&f);
    for (int k = 0; k < 4; k++)
        expert_free(&q[k]->base);
}

/* ---- a thousand ---- */

enum { MANY = 1000, STRONG_EVERY = 100 };

TEST(one_router_drives_a_thousand_nodes)
{
    static struct quick *q[MANY][2];
    struct front f;
    struct err err;
    struct seen s;
    char name[32];
    const struct candidate hint = { .decode_tok_s = 30, .prefill_tok_s = 500, .busy_w = 10 };
    front_open(&f, NULL, 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "node-%04d", i);
        const struct route_node n = lan_node(name);
        q[i][0] = quick_new("small", EXPERT_LAN, 3);
        q[i][1] = i % STRONG_EVERY == 7 ? quick_new("strong", EXPERT_LAN, 9) : NULL;
        q[i][0]->n_running = i == 777 ? 0 : 5; /* one of them has time */
        for (int k = 0; k < 2 && q[i][k]; k++)
            CHECK(router_add_on(f.router, &n, &q[i][k]->base, &hint, &err), "%s", err.text);
    }
    CHECK(front_ask(&f, WISH_SECURITY_NONE, "Hi there!", &s), "%s", s.err.text);
    CHECK((q[777][0]->n_asked) == (1), "%d", (int)(q[777][0]->n_asked));
    for (int i = 7; i < MANY; i += STRONG_EVERY)
        q[i][1]->n_running = i == 507 ? 0 : 5;
    CHECK(front_ask(&f, WISH_SECURITY_NONE, "Derive the Navier-Stokes equations from first principles and prove the conditions under which they have smooth solutions; then write a C++ solver.", &s), "%s", s.err.text);
    CHECK((q[507][1]->n_asked) == (1), "%d", (int)(q[507][1]->n_asked));

    for (int i = 0; i < MANY; i++) /* most go, one after the other fails */
        if (i % STRONG_EVERY != 7)
            router_withdraw(f.router, &q[i][0]->base);
    for (int i = 7; i < MANY; i += STRONG_EVERY) {
        q[i][0]->state = EXPERT_DOWN;
        q[i][1]->state = i == 907 ? EXPERT_WARM : EXPERT_DOWN;
    }
    CHECK(front_ask(&f, WISH_SECURITY_NONE, "Who is left?", &s), "%s", s.err.text);
    CHECK((q[907][1]->n_asked) == (1), "%d", (int)(q[907][1]->n_asked));
    q[907][1]->state = EXPERT_DOWN;
    CHECK(!front_ask(&f, WISH_SECURITY_NONE, "Who is left now?", &s) && s.err.code == ERR_BUSY, "%s", s.err.text);
    struct router_figures figures;
    router_get_figures(f.router, &figures);
    CHECK(figures.refused == 1 && figures.n_jobs == 0, "%llu", (unsigned long long)figures.refused);
    front_close(&f);
    for (int i = 0; i < MANY; i++)
        for (int k = 0; k < 2 && q[i][k]; k++)
            expert_free(&q[i][k]->base);
}

/* Who is named is asked, on whichever node has it; nobody else is, also when it cannot. */
TEST(who_is_named_is_asked_wherever_it_is_and_nobody_else)
{
    enum { MANY_NAMED = 300 };
    static struct quick *q[MANY_NAMED];
    struct err err = { 0 };
    struct seen s;
    struct front f;
    front_open(&f, NULL, 0);
    for (int i = 0; i < MANY_NAMED; i++) { /* more than a decision looks at; two have the one that is wanted, which is the weakest */
        char name[32];
        const bool is_it = i == 150 || i == 250;
        snprintf(name, sizeof(name), "n%d", i);
        const struct route_node n = lan_node(name);
        q[i] = quick_new(is_it ? "small" : "big", EXPERT_LAN, is_it ? 1 : 8);
        struct candidate hint = { .tasks = EXPERT_CHAT, .privacy = EXPERT_LAN, .n_ctx = 8192, .n_parallel = 2, .quality = is_it ? 1 : 8, .is_up = true, .is_warm = true };
        snprintf(hint.expert, sizeof(hint.expert), "%s", q[i]->id);
        CHECK(router_add_on(f.router, &n, &q[i]->base, &hint, &err), "%s", err.text);
    }
    CHECK(router_knows(f.router, "small") && router_knows(f.router, "big") && !router_knows(f.router, "smal"), "names");
    for (int k = 0; k < 4; k++) {
        if (k > 0)
            q[k == 1 ? (q[150]->n_asked ? 150 : 250) : 150]->state = EXPERT_DOWN;
        if (k > 1)
            q[250]->state = EXPERT_DOWN;
        seen_init(&s);
        struct job *j = chat_job(&s, "Prove the theorem of Fermat");
        snprintf(j->wish.only, sizeof(j->wish.only), "small");
        const bool ok = expert_submit(router_expert(f.router, ROUTE_BEST), j, &err);
        if (ok)
            seen_wait(&s);
        job_unref(j);
        if (k < 2)
            CHECK(ok && s.err.code == ERR_NONE, "%d: %s %s", k, err.text, s.err.text);
        else
            CHECK((ok ? s.err.code : err.code) == ERR_BUSY && strstr(ok ? s.err.text : err.text, "small is down"), "%d: %s %s", k, err.text, s.err.text);
        CHECK(q[150]->n_asked + q[250]->n_asked == (k < 2 ? k + 1 : 2), "%d", k);
    }
    router_withdraw(f.router, &q[150]->base);
    router_withdraw(f.router, &q[250]->base);
    CHECK(!router_knows(f.router, "small"), "it is gone");
    front_close(&f);
    for (int i = 0; i < MANY_NAMED; i++) {
        CHECK(q[i]->n_asked == 0 || i == 150 || i == 250, "%d", i);
        expert_free(&q[i]->base);
    }
}
