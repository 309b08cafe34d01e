/* tests/base/test_list.c - elements come in and leave from anywhere, and both ways through say the same. */
#include "base/list.h"
#include "base/rng.h"
#include "test.h"

enum { N = 12 };
struct item {
    struct item *prev, *next;
    int number;
    bool is_in;
};

TEST(a_list_is_last_come_first_and_loses_any_of_its_elements)
{
    struct item items[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } }, *first = NULL;
    for (int i = 0; i < 3; i++)
        LIST_LINK(first, &items[i]);
    CHECK(first == &items[2] && first->next == &items[1] && items[1].next == &items[0] && !items[0].next);
    LIST_UNLINK(first, &items[1]);
    CHECK(first == &items[2] && first->next == &items[0] && items[0].prev == first);
    LIST_UNLINK(first, &items[2]);
    CHECK(first == &items[0] && !first->prev && !first->next);
    LIST_UNLINK(first, &items[0]);
    CHECK(!first);
}

TEST(a_queue_keeps_its_order_whoever_comes_and_goes)
{
    struct item items[N] = { 0 };
    struct {
        struct item *first, *last;
        int n;
    } q = { 0 };
    struct rng rng = { 0 };
    rng_seed(&rng, 7);
    for (int i = 0; i < N; i++)
        items[i].number = i;
    for (int turn = 0; turn < 2000; turn++) {
        struct item *x = &items[rng_u64(&rng) % N], *behind = q.first;
        if (x->is_in) {
            QUEUE_REMOVE(&q, x);
            CHECK(!x->prev && !x->next);
        } else {
            while (behind && behind->number < x->number)
                behind = behind->next;
            QUEUE_INSERT(&q, x, behind);
        }
        x->is_in = !x->is_in;
        int n = 0;
        for (const struct item *i = q.first; i; i = i->next, n++)
            CHECK(i->is_in && (i->prev ? i->prev->number < i->number && i->prev->next == i : q.first == i) && (i->next || q.last == i));
        REQUIRE(n == q.n && (n > 0 || !q.last), "turn %d: %d of %d", turn, n, q.n);
    }
}
