/* base/behind.c - see behind.h. */
#include "base/behind.h"

#include <sys/resource.h>

#include "base/clock.h"
#include "base/thread.h"

enum { BEHIND_NICE = 10 };
static const uint64_t START_NS = 200u * 1000 * 1000;

void behind_others(void) { setpriority(PRIO_PROCESS, 0, BEHIND_NICE); /* of this thread alone (setpriority(2), "C library/kernel differences") */ }

void behind_init(struct behind *b)
{
    pthread_mutex_init(&b->lock, NULL);
    thread_cond_init(&b->over);
    b->is_over = false;
}

void behind_fini(struct behind *b)
{
    pthread_cond_destroy(&b->over);
    pthread_mutex_destroy(&b->lock);
}

void behind_over(struct behind *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    b->is_over = true;
    pthread_cond_broadcast(&b->over);
    pthread_mutex_unlock(&b->lock);
}

void behind_wait(struct behind *b)
{
    behind_others();
    if (!b)
        return;
    const uint64_t until_ns = clock_after_ns(START_NS);
    pthread_mutex_lock(&b->lock);
    while (!b->is_over && thread_wait(&b->over, &b->lock, until_ns))
        ;
    pthread_mutex_unlock(&b->lock);
}
