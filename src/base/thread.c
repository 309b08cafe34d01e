/* base/thread.c - see thread.h. */
#include "base/thread.h"

#include <signal.h>
#include <string.h>
#include <time.h>

bool thread_start(pthread_t *t, void *(*fn)(void *), void *arg, const char *who, struct err *err)
{
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGCHLD);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* a thread begins with its maker's */
    const int rc = pthread_create(t, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc == 0 || err_set(err, ERR_NOMEM, "%s: cannot start a thread: %s", who, strerror(rc));
}

void thread_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* the clock of clock_ns() */
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

bool thread_wait(pthread_cond_t *c, pthread_mutex_t *lock, uint64_t until_ns)
{
    if (until_ns == UINT64_MAX)
        return pthread_cond_wait(c, lock) == 0;
    const struct timespec until = { (time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u) };
    return pthread_cond_timedwait(c, lock, &until) == 0;
}
