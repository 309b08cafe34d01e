/* tests/base/test_thread.c - whose signals they are, and when a wait ends. */
#include <signal.h>

#include "base/clock.h"
#include "base/thread.h"
#include "test.h"

static void *look(void *mask) { return pthread_sigmask(SIG_SETMASK, NULL, mask), NULL; }

TEST(a_thread_takes_no_signal_but_its_own_faults_and_childrens_ends)
{
    struct err err = { 0 };
    sigset_t of_thread, before, after;
    pthread_t t;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    REQUIRE(thread_start(&t, look, &of_thread, "a test", &err), "%s", err.text);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    pthread_join(t, NULL);
    for (int sig = 1; sig < 32; sig++) {
        if (sig != SIGKILL && sig != SIGSTOP)
            CHECK(sigismember(&of_thread, sig) == (sig != SIGBUS && sig != SIGCHLD), "signal %d", sig);
        CHECK(sigismember(&after, sig) == sigismember(&before, sig), "signal %d", sig);
    }
}

TEST(a_wait_ends_at_its_moment_of_clock_ns)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    thread_cond_init(&cond);
    pthread_mutex_lock(&lock);
    const uint64_t until_ns = clock_after_ns(20 * 1000 * 1000);
    while (thread_wait(&cond, &lock, until_ns)) /* it may wake without a reason */
        ;
    CHECK(clock_ns() >= until_ns);
    CHECK(!thread_wait(&cond, &lock, until_ns), "what is over ends at once");
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&cond);
}

struct bell {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool rang;
};

static void *ring(void *arg)
{
    struct bell *b = arg;
    pthread_mutex_lock(&b->lock);
    b->rang = true;
    pthread_cond_signal(&b->cond);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

TEST(a_wait_without_end_is_ended_by_a_signal_of_its_condition)
{
    struct err err = { 0 };
    struct bell b = { .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t t;
    thread_cond_init(&b.cond);
    pthread_mutex_lock(&b.lock);
    REQUIRE(thread_start(&t, ring, &b, "a test", &err), "%s", err.text);
    while (!b.rang)
        CHECK(thread_wait(&b.cond, &b.lock, clock_after_ns(UINT64_MAX)));
    pthread_mutex_unlock(&b.lock);
    pthread_join(t, NULL);
    pthread_cond_destroy(&b.cond);
}

TEST(a_moment_beyond_all_is_never)
{
    const uint64_t now = clock_ns();
    CHECK(clock_after_ns(0) >= now);
    CHECK(clock_after_ns(UINT64_MAX) == UINT64_MAX);
    CHECK(clock_after_ns(UINT64_MAX - now + 1) == UINT64_MAX);
}
