/* tests/expert/test_pace.c - speed against history: when it is said, when not, and what a file keeps. */
#include "expert/pace.h"
#include "test.h"

#include <string.h>

static int add(struct pace *p, int n_running, double tok_s, int n, int *n_slow, int *n_normal)
{
    for (int i = 0; i < n; i++) {
        const enum pace_verdict v = pace_add(p, n_running, tok_s * (1 + 0.05 * (i % 3 - 1)));
        *n_slow += v == PACE_SLOW, *n_normal += v == PACE_NORMAL;
    }
    return *n_slow;
}

TEST(slow_is_said_once_and_normal_again_too)
{
    struct pace p = { 0 };
    int n_slow = 0, n_normal = 0;
    CHECK(add(&p, 1, 100, 30, &n_slow, &n_normal) == 0, "steady");
    CHECK(add(&p, 1, 80, 10, &n_slow, &n_normal) == 0, "a little slower is not slow");
    CHECK(add(&p, 1, 20, 2, &n_slow, &n_normal) == 0, "one or two answers are an accident");
    CHECK(add(&p, 1, 20, 200, &n_slow, &n_normal) == 1 && p.is_slow && p.usual > 90, "%d times, usual %g", n_slow, p.usual);
    add(&p, 1, 100, 10, &n_slow, &n_normal);
    CHECK(n_slow == 1 && n_normal == 1 && !p.is_slow, "%d %d", n_slow, n_normal);
}

TEST(a_full_house_is_compared_with_full_houses)
{
    struct pace p = { 0 };
    int n_slow = 0, n_normal = 0;
    add(&p, 1, 100, 30, &n_slow, &n_normal);
    add(&p, 8, 20, 30, &n_slow, &n_normal);
    CHECK(n_slow == 0, "eight at a time are slower each");
    add(&p, 9, 5, 10, &n_slow, &n_normal);
    CHECK(n_slow == 1, "but not that slow");
}

TEST(a_history_outlives_the_process_and_a_broken_file_is_none)
{
    struct pace p = { 0 }, back;
    struct err err = { 0 };
    int n_slow = 0, n_normal = 0;
    const char *path = test_tmp("speed.txt");
    CHECK(pace_read(&back, path, &err) && back.loads[0].n_past == 0, "none yet: %s", err.text);
    add(&p, 1, 100, 200, &n_slow, &n_normal);
    REQUIRE(pace_write(&p, path, &err), "%s", err.text);
    REQUIRE(pace_read(&back, path, &err), "%s", err.text);
    CHECK(back.loads[0].n_past == PACE_KEPT, "%d", back.loads[0].n_past);
    CHECK(add(&back, 1, 30, PACE_RECENT, &n_slow, &n_normal) == 1, "a restarted service knows what was usual");
    FILE *f = fopen(path, "w");
    fputs("0 100\n7 nonsense\n", f);
    fclose(f);
    CHECK(!pace_read(&back, path, &err) && back.loads[0].n_past == 0, "broken");
}
