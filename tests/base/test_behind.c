/* tests/base/test_behind.c - who waits for a start goes on when it is over, and does not wait for ever. */
#include "test.h"

#include "base/behind.h"
#include "base/clock.h"
#include "base/thread.h"

struct waiter {
    struct behind *start;
    uint64_t went_on_ns;
};

static void *go_on(void *ctx)
{
    struct waiter *w = ctx;
    behind_wait(w->start);
    w->went_on_ns = clock_ns();
    return NULL;
}

static uint64_t wait_behind(struct behind *start, bool shall_end)
{
    struct waiter w = { .start = start };
    pthread_t t; /* a thread of its own: it stays nice */
    struct err err;
    const uint64_t begun_ns = clock_ns();
    if (!thread_start(&t, go_on, &w, "test", &err))
        return 0;
    if (shall_end)
        behind_over(start);
    pthread_join(t, NULL);
    return w.went_on_ns - begun_ns;
}

TEST(who_waits_for_a_start_goes_on_when_it_is_over_or_takes_too_long)
{
    struct behind start;
    behind_init(&start);
    CHECK(wait_behind(&start, false) >= 100u * 1000 * 1000, "nobody said that it is over");
    CHECK(wait_behind(&start, true) > 0);
    CHECK(start.is_over && wait_behind(&start, false) > 0, "it stays over");
    CHECK(wait_behind(NULL, false) > 0);
    behind_over(NULL);
    behind_fini(&start);
}
