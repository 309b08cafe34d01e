/* tests/base/test_pool.c - the team of threads: nobody overtakes, nothing is done twice. */
#include <stdatomic.h>

#include "base/pool.h"
#include "test.h"

enum { STEPS = 300, PIECES = 40 };
static _Atomic int done[STEPS][PIECES];
static _Atomic int wrong;

static void walk(struct pool *p, int ith, void *ctx)
{
    (void)ith, (void)ctx;
    for (int s = 0; s < STEPS; s++) {
        for (int64_t i; (i = pool_take(p)) < PIECES;)
            atomic_fetch_add(&done[s][i], 1);
        pool_barrier(p);
        for (int i = 0; i < PIECES; i++)
            if (atomic_load(&done[s][i]) != 1)
                atomic_fetch_add(&wrong, 1);
    }
}

TEST(every_piece_is_done_once_before_anyone_passes_the_barrier)
{
    for (int n = 1; n <= 5; n++) {
        struct err err = { 0 };
        struct pool *p = pool_new(n, &err);
        REQUIRE(p, "%s", err.text);
        for (int round = 0; round < 5; round++) {
            for (int s = 0; s < STEPS; s++)
                for (int i = 0; i < PIECES; i++)
                    atomic_store(&done[s][i], 0);
            pool_run(p, walk, NULL);
        }
        CHECK(atomic_load(&wrong) == 0, "%d threads: %d wrong", n, atomic_load(&wrong));
        pool_free(p);
    }
}

static _Atomic int walkers;
static void count(struct pool *p, int ith, void *ctx)
{
    (void)p, (void)ctx;
    atomic_fetch_add(&walkers, 1 << (4 * ith));
}

TEST(some_of_the_threads_can_be_sent_to_sleep_and_called_back)
{
    static const int many[] = { 3, 1, 4, 2, 2, 1, 4, 4, 3, 9, -1, 4 };
    struct err err = { 0 };
    struct pool *p = pool_new(4, &err);
    REQUIRE(p, "%s", err.text);
    for (int round = 0; round < 60; round++)
        for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
            const int n = many[i] < 1 ? 1 : many[i] > 4 ? 4 : many[i];
            pool_use(p, many[i]);
            for (int k = 0; k < (round + (int)i) % 3; k++) { /* also none between two changes */
                atomic_store(&walkers, 0);
                pool_run(p, count, NULL);
                CHECK(atomic_load(&walkers) == (0x1111 & ((1 << (4 * n)) - 1)), "%d: %x", n, (unsigned)atomic_load(&walkers));
            }
        }
    pool_use(p, 2);
    for (int s = 0; s < STEPS; s++)
        for (int i = 0; i < PIECES; i++)
            atomic_store(&done[s][i], 0);
    pool_run(p, walk, NULL);
    CHECK(atomic_load(&wrong) == 0 && pool_n_threads(p) == 4);
    pool_free(p); /* with two asleep */
}

TEST(threads_called_back_at_once_walk_the_next_run_and_no_other)
{
    enum { TURNS = 4000 };
    struct err err = { 0 };
    struct pool *p = pool_new(4, &err);
    REQUIRE(p, "%s", err.text);
    int n_wrong = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        pool_use(p, 1 + turn % 3); /* who goes to sleep may still be on the way there when it is called back */
        pool_use(p, 4);
        atomic_store(&walkers, 0);
        pool_run(p, count, NULL);
        n_wrong += atomic_load(&walkers) != 0x1111;
    }
    CHECK(n_wrong == 0, "%d of %d runs with others than the four", n_wrong, TURNS);
    pool_free(p);
}

TEST(a_senseless_number_of_threads_is_refused)
{
    struct err err = { 0 };
    CHECK(!pool_new(0, &err) && err.code == ERR_INPUT);
    CHECK(!pool_new(1 << 20, &err) && err.code == ERR_INPUT);
    pool_free(NULL);
}
