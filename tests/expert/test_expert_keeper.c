/* tests/expert/test_expert_keeper.c - who may load, who gives back, and that it all fits at every moment.
 *
 * The experts here are fakes: a thread each, memory that is only counted, given back late on purpose.
 * TEST_SWAPS=n sets how many requests the random test makes (default 400; the figure to reach is 2,000 swaps). */
#include "expert/keeper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "test.h"

enum { MB = 1000000 };

/* ---- one expert by hand ---- */

struct hand {
    struct keeper_seat *seat;
    struct keeper_client client;
    uint64_t seen;
    int n_asked_back, n_woken;
};
static void hand_back(void *ctx) { ((struct hand *)ctx)->n_asked_back++; }
static uint64_t hand_seen(void *ctx) { return ((struct hand *)ctx)->seen; }
static void hand_wake(void *ctx) { ((struct hand *)ctx)->n_woken++; }

static void join(struct keeper *k, struct hand *h, const char *id, const char *device)
{
    struct err err;
    *h = (struct hand){ .client = { .id = id, .device = device, .ctx = h, .give_back = hand_back, .observe = hand_seen, .wake = hand_wake } };
    h->seat = keeper_join(k, &h->client, &err);
    CHECK(h->seat);
}

static bool load(struct hand *h, uint64_t bytes)
{
    struct err err;
    int again;
    const bool ok = keeper_ask(h->seat, bytes, &again, &err) == KEEPER_GO;
    if (ok) {
        h->seen = bytes;
        keeper_loaded(h->seat, 1000000);
    }
    return ok;
}

static struct keeper *make(uint64_t cap, int patience_ms, int wait_max_ms)
{
    struct err err;
    struct keeper *k = keeper_new(&(struct keeper_options){ .cap_bytes = cap, .patience_ms = patience_ms, .wait_max_ms = wait_max_ms }, &err);
    CHECK(k);
    return k;
}

TEST(the_idle_that_was_used_longest_ago_makes_room_and_is_waited_for)
{
    struct keeper *k = make(100 * MB, 100000, 100000);
    struct hand a, b, c;
    struct err err;
    int again;
    join(k, &a, "a", NULL), join(k, &b, "b", NULL), join(k, &c, "c", NULL);
    CHECK(load(&a, 50 * MB) && load(&b, 40 * MB));
    keeper_end(a.seat), keeper_end(b.seat);
    CHECK(keeper_begin(a.seat));
    keeper_end(a.seat); /* b is older now */
    CHECK(!load(&c, 30 * MB) && b.n_asked_back == 1 && a.n_asked_back == 0);
    CHECK(!keeper_begin(b.seat)); /* it is leaving */
    keeper_gave(b.seat);          /* but its memory is still seen */
    CHECK(keeper_ask(c.seat, 30 * MB, &again, &err) == KEEPER_WAIT && again <= 10 && a.n_asked_back == 0);
    b.seen = 15 * MB; /* some of it */
    CHECK(keeper_ask(c.seat, 30 * MB, &again, &err) == KEEPER_GO);
    CHECK(keeper_ask(b.seat, 5 * MB, &again, &err) == KEEPER_WAIT); /* one load at a time */
    c.seen = 30 * MB;
    keeper_loaded(c.seat, 1);
    CHECK(b.n_woken > 0 && keeper_ask(b.seat, 1 * MB, &again, &err) == KEEPER_WAIT); /* its own old memory first */
    b.seen = 0;
    CHECK(keeper_ask(b.seat, 1 * MB, &again, &err) == KEEPER_WAIT && a.n_asked_back == 1); /* measured last time: 40 MB */
    struct keeper_figures f;
    keeper_get_figures(k, &f);
    CHECK(f.used_bytes == 80 * MB && f.evictions_total == 2 && f.n_waiting == 1, "%llu", (unsigned long long)f.used_bytes);
    keeper_leave(a.seat), keeper_leave(b.seat), keeper_leave(c.seat);
    keeper_free(k);
}

TEST(what_took_long_to_load_is_kept_longer_also_when_that_is_known_late)
{
    struct keeper *k = make(100 * MB, 100000, 100000);
    struct hand a, b, c;
    join(k, &a, "a", NULL), join(k, &b, "b", NULL), join(k, &c, "c", NULL);
    CHECK(load(&a, 50 * MB) && load(&b, 40 * MB));
    keeper_load_took(a.seat, UINT64_MAX / 8);
    keeper_end(a.seat), keeper_end(b.seat);
    CHECK(!load(&c, 30 * MB) && b.n_asked_back == 1 && a.n_asked_back == 0, "a was used longer ago, but took 70 years to load");
    keeper_leave(a.seat), keeper_leave(b.seat), keeper_leave(c.seat);
    keeper_free(k);
}

TEST(what_can_never_fit_or_not_now_is_refused_with_the_arithmetic)
{
    struct keeper *k = make(1024 * MB, 1, 1);
    struct hand x, y, z;
    struct err err;
    int again;
    join(k, &x, "x", NULL), join(k, &y, "y", NULL), join(k, &z, "z", NULL);
    CHECK(keeper_ask(z.seat, 2000 * MB, &again, &err) == KEEPER_NO && err.code == ERR_LIMIT);
    CHECK(strstr(err.text, "2000 MB") && strstr(err.text, "1024 MB"), "%s", err.text);
    CHECK(load(&x, 400 * MB) && load(&y, 200 * MB));
    keeper_pin(x.seat, true), keeper_pin(y.seat, true);
    enum keeper_answer answer;
    while ((answer = keeper_ask(z.seat, 812 * MB, &again, &err)) == KEEPER_WAIT)
        nanosleep(&(struct timespec){ 0, 500000 }, NULL);
    CHECK(answer == KEEPER_NO && err.code == ERR_BUSY && strstr(err.text, "812 MB") && strstr(err.text, "1024 MB - 600 MB") && strstr(err.text, "x 400 MB") &&
              strstr(err.text, "(in a session)"),
          "%s", err.text);
    keeper_leave(x.seat), keeper_leave(y.seat), keeper_leave(z.seat);
    keeper_free(k);
}

TEST(the_busy_are_asked_only_when_patience_is_over_and_the_queue_is_fair)
{
    struct keeper *k = make(100 * MB, 20, 100000);
    struct hand a, b, c;
    struct err err;
    int again;
    join(k, &a, "a", NULL), join(k, &b, "b", NULL), join(k, &c, "c", NULL);
    CHECK(load(&a, 80 * MB));
    CHECK(!load(&b, 50 * MB) && a.n_asked_back == 0);
    CHECK(!load(&c, 5 * MB)); /* it would fit, but b came first */
    while (a.n_asked_back == 0)
        CHECK(keeper_ask(b.seat, 50 * MB, &again, &err) == KEEPER_WAIT);
    a.seen = 0;
    keeper_end(a.seat);
    keeper_gave(a.seat);
    CHECK(keeper_ask(c.seat, 5 * MB, &again, &err) == KEEPER_WAIT);
    CHECK(load(&b, 50 * MB) && load(&c, 5 * MB));
    keeper_withdraw(a.seat);
    keeper_leave(a.seat), keeper_leave(b.seat), keeper_leave(c.seat);
    keeper_free(k);
}

static _Atomic uint64_t machine_left;
static uint64_t left_on_machine(void) { return machine_left; }

TEST(who_grew_beyond_the_cap_gives_back_when_it_is_idle)
{
    struct keeper *k = make(100 * MB, 100000, 100000);
    struct hand a, b;
    join(k, &a, "a", NULL), join(k, &b, "b", NULL);
    CHECK(load(&a, 40 * MB) && load(&b, 40 * MB));
    keeper_end(a.seat);
    b.seen = 200 * MB;
    for (int i = 0; i < 60000 && b.n_asked_back == 0 && keeper_begin(b.seat); i++) { /* it is looked at now and then only */
        keeper_end(b.seat);
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    }
    CHECK(b.n_asked_back == 1 && a.n_asked_back == 0 && keeper_cap_bytes(b.seat) == 100 * MB);
    keeper_gave(b.seat);
    b.seen = 0;
    CHECK(load(&b, 40 * MB) && b.n_asked_back == 1); /* as small as before: no refusal */
    keeper_leave(a.seat), keeper_leave(b.seat);
    keeper_free(k);
}

TEST(devices_are_apart_and_the_machines_own_memory_counts_too)
{
    struct err err;
    int again;
    struct keeper *k = keeper_new(&(struct keeper_options){ .cap_bytes = 1000 * MB, .wait_max_ms = 1, .patience_ms = 1, .available = left_on_machine }, &err);
    CHECK(keeper_add_device(k, "gpu0", 50 * MB, &err));
    struct hand a, g;
    join(k, &a, "a", NULL), join(k, &g, "g", "gpu0");
    machine_left = 30 * MB; /* others use it */
    CHECK(load(&g, 50 * MB));
    enum keeper_answer answer;
    while ((answer = keeper_ask(a.seat, 60 * MB, &again, &err)) == KEEPER_WAIT)
        nanosleep(&(struct timespec){ 0, 500000 }, NULL);
    CHECK(answer == KEEPER_NO && strstr(err.text, "30 MB left"), "%s", err.text);
    machine_left = 70 * MB;
    CHECK(load(&a, 60 * MB));
    keeper_leave(a.seat), keeper_leave(g.seat);
    keeper_free(k);
}

/* ---- many at once ---- */

enum { FAKES = 8, CAP = 1000 };
struct fake {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct keeper_client client;
    struct keeper_seat *seat;
    char id[8];
    uint64_t bytes, released_at_ns; /* held until then once it is unloaded; 0: loaded */
    bool is_loaded, give_back, woken, quit;
    int n_wanted, n_served, n_loads;
    uint64_t rng;
    struct city *city;
};
struct city { /* what is true, beside what the keeper believes */
    pthread_mutex_t lock;
    struct fake fake[FAKES];
    int n_loading, n_loading_max, n_failed;
    uint64_t used_max;
};

static uint64_t held(struct fake *f, uint64_t now) { return f->is_loaded || f->released_at_ns > now ? f->bytes : 0; }

static uint64_t fake_seen(void *ctx)
{
    struct fake *f = ctx;
    pthread_mutex_lock(&f->city->lock);
    const uint64_t n = held(f, clock_ns()) * MB;
    pthread_mutex_unlock(&f->city->lock);
    return n;
}
static void fake_back(void *ctx)
{
    struct fake *f = ctx;
    pthread_mutex_lock(&f->lock);
    f->give_back = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
}
static void fake_wake(void *ctx)
{
    struct fake *f = ctx;
    pthread_mutex_lock(&f->lock);
    f->woken = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

static uint64_t next(struct fake *f, uint64_t n) { return (f->rng = f->rng * 6364136223846793005u + 1442695040888963407u, f->rng >> 33) % n; }
static void pass(uint64_t ns) { nanosleep(&(struct timespec){ 0, (long)ns }, NULL); }

static void fake_unload(struct fake *f)
{
    pthread_mutex_lock(&f->city->lock);
    f->is_loaded = false;
    f->released_at_ns = clock_ns() + next(f, 3000000);
    pthread_mutex_unlock(&f->city->lock);
    f->give_back = false;
    pthread_mutex_unlock(&f->lock);
    keeper_gave(f->seat);
    pthread_mutex_lock(&f->lock);
}

/* With the lock: until it is loaded, or false. */
static bool fake_load(struct fake *f)
{
    struct err err;
    int again = 0;
    for (;;) {
        f->woken = false;
        pthread_mutex_unlock(&f->lock);
        const enum keeper_answer a = keeper_ask(f->seat, f->bytes * MB, &again, &err);
        pthread_mutex_lock(&f->lock);
        if (a == KEEPER_NO) {
            printf("# %s\n", err.text);
            return false;
        }
        if (a == KEEPER_GO)
            break;
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += again * 1000000L;
        t.tv_sec += t.tv_nsec / 1000000000;
        t.tv_nsec %= 1000000000;
        if (!f->woken)
            pthread_cond_timedwait(&f->wake, &f->lock, &t);
    }
    pthread_mutex_lock(&f->city->lock);
    CHECK(!f->is_loaded && f->released_at_ns <= clock_ns()); /* never twice */
    f->is_loaded = true;
    if (++f->city->n_loading > f->city->n_loading_max)
        f->city->n_loading_max = f->city->n_loading;
    uint64_t used = 0;
    for (int i = 0; i < FAKES; i++)
        used += held(&f->city->fake[i], clock_ns());
    if (used > f->city->used_max)
        f->city->used_max = used;
    pthread_mutex_unlock(&f->city->lock);
    pass(next(f, 300000));
    pthread_mutex_lock(&f->city->lock);
    f->city->n_loading--;
    pthread_mutex_unlock(&f->city->lock);
    f->n_loads++;
    pthread_mutex_unlock(&f->lock);
    keeper_loaded(f->seat, 1000000);
    pthread_mutex_lock(&f->lock);
    return true;
}

static bool keeper_call(struct fake *f, bool begin)
{
    pthread_mutex_unlock(&f->lock);
    const bool ok = begin ? keeper_begin(f->seat) : (keeper_end(f->seat), true);
    pthread_mutex_lock(&f->lock);
    return ok;
}

static void *fake_main(void *arg)
{
    struct fake *f = arg;
    bool is_busy = false;
    pthread_mutex_lock(&f->lock);
    while (!f->quit || f->n_wanted > f->n_served) {
        if (f->is_loaded && (f->give_back || (f->n_wanted > f->n_served && !is_busy && !(is_busy = keeper_call(f, true))))) {
            fake_unload(f);
            is_busy = false;
        } else if (f->n_wanted > f->n_served) {
            if (!f->is_loaded) {
                if (fake_load(f)) {
                    is_busy = true;
                    continue;
                }
                f->city->n_failed++;
            } else {
                pass(next(f, 200000)); /* the work */
            }
            f->n_served++;
        } else if (is_busy) {
            is_busy = false;
            keeper_call(f, false);
        } else {
            pthread_cond_wait(&f->wake, &f->lock);
        }
    }
    if (f->is_loaded)
        fake_unload(f);
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static void run_city(int n_requests)
{
    static struct city city;
    struct err err;
    uint64_t rng = test_rand_u64();
    struct keeper *k = keeper_new(&(struct keeper_options){ .cap_bytes = (uint64_t)CAP * MB, .patience_ms = 3, .wait_max_ms = 600000 }, &err);
    pthread_mutex_init(&city.lock, NULL);
    for (int i = 0; i < FAKES; i++) {
        struct fake *f = &city.fake[i];
        f->city = &city;
        f->rng = rng + (uint64_t)i;
        snprintf(f->id, sizeof(f->id), "f%d", i);
        f->bytes = (uint64_t)(150 + i * 70); /* up to 640 of 1000: two or three at a time */
        f->client = (struct keeper_client){ .id = f->id, .ctx = f, .give_back = fake_back, .observe = fake_seen, .wake = fake_wake };
        pthread_mutex_init(&f->lock, NULL);
        pthread_cond_init(&f->wake, NULL);
        f->seat = keeper_join(k, &f->client, &err);
    }
    for (int i = 0; i < FAKES; i++)
        pthread_create(&city.fake[i].thread, NULL, fake_main, &city.fake[i]);
    for (int i = 0; i < n_requests; i++) {
        struct fake *f = &city.fake[test_rand_u64() % FAKES];
        pthread_mutex_lock(&f->lock);
        f->n_wanted += 1 + (int)(test_rand_u64() % 3);
        pthread_cond_signal(&f->wake);
        pthread_mutex_unlock(&f->lock);
        if (i % 4 == 0)
            pass(test_rand_u64() % 2000000);
    }
    int n_loads = 0, n_wanted = 0, n_served = 0;
    for (int i = 0; i < FAKES; i++) {
        struct fake *f = &city.fake[i];
        pthread_mutex_lock(&f->lock);
        f->quit = true;
        pthread_cond_signal(&f->wake);
        pthread_mutex_unlock(&f->lock);
    }
    for (int i = 0; i < FAKES; i++)
        pthread_join(city.fake[i].thread, NULL);
    for (int i = 0; i < FAKES; i++) {
        keeper_leave(city.fake[i].seat);
        n_loads += city.fake[i].n_loads;
        n_wanted += city.fake[i].n_wanted;
        n_served += city.fake[i].n_served;
    }
    CHECK(n_wanted == n_served && city.n_failed == 0, "%d %d %d", n_wanted, n_served, city.n_failed);
    CHECK(city.n_loading_max == 1, "%d", city.n_loading_max);
    CHECK(city.used_max <= CAP, "%llu", (unsigned long long)city.used_max);
    struct keeper_figures fig;
    keeper_get_figures(k, &fig);
    printf("# %d requests, %d loads, %llu evictions, %llu yields, at most %llu of %d MB held\n", n_served, n_loads,
           (unsigned long long)fig.evictions_total, (unsigned long long)fig.yields_total, (unsigned long long)city.used_max, CAP);
    keeper_free(k);
}

TEST(random_swaps_fail_nobody_load_nothing_twice_and_never_pass_the_cap)
{
    const char *n = getenv("TEST_SWAPS");
    run_city(n ? atoi(n) : getenv("TEST_QUICK") ? 100 : 400);
}
