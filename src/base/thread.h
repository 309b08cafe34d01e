/* base/thread.h - threads that take no signals, and waits that end by clock_ns().
 *
 * For:     whatever has a thread of its own.
 * Callers: any room.
 * Touches: threads, the clock.
 * Rule:    signals belong to the thread that main() runs on.  A thread made here blocks all but two: SIGBUS is a fault of its own and blocked
 *          would kill without a word; SIGCHLD, which nobody handles, is forgotten at once unless the thread that forked blocks it: then
 *          it would interrupt another one.
 */
#ifndef TUTTI_BASE_THREAD_H
#define TUTTI_BASE_THREAD_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* who: for the error's text.  false with err: there is no thread. */
bool thread_start(pthread_t *t, void *(*fn)(void *), void *arg, const char *who, struct err *err);

/* One that thread_wait() can wait for.  Ends with pthread_cond_destroy(). */
void thread_cond_init(pthread_cond_t *c);
/* As pthread_cond_wait(), until that moment of clock_ns() at the latest; UINT64_MAX: however long it takes.  false: the time is over. */
bool thread_wait(pthread_cond_t *c, pthread_mutex_t *lock, uint64_t until_ns);
#endif
