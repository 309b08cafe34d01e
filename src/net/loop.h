/* net/loop.h - one thread that waits for everything: sockets, timers, signals, words from other threads.
 *
 * For:     serve/ runs one; api/ hangs timers and wakes on it; net/ its sockets; cluster/ the other nodes.
 * Callers: api/, serve/, net/.
 * Touches: libuv, which nobody outside net/ sees.  Thread: all calls on the thread that runs the loop,
 *          except net_wake_send().
 * Rule:    callbacks run one after the other and must not wait for anything.  A freed timer or wake never
 *          calls back again.  A loop on which nothing happens uses no CPU.
 */
#ifndef TUTTI_NET_LOOP_H
#define TUTTI_NET_LOOP_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct net_loop;

struct net_loop *net_loop_new(struct err *err);
/* Closes what is still open on it.  NULL is fine. */
void net_loop_free(struct net_loop *l);
/* Until net_loop_stop(). */
void net_loop_run(struct net_loop *l);
void net_loop_stop(struct net_loop *l);
/* One round: waits until something happened.  For the end of life, when somebody must be waited for. */
void net_loop_step(struct net_loop *l);
void net_loop_poll(struct net_loop *l); /* the same without waiting */
uint64_t net_loop_now_ms(const struct net_loop *l); /* of this round; starts anywhere, never goes back */

typedef void net_fn(void *ctx);

struct net_timer;
struct net_timer *net_timer_new(struct net_loop *l, net_fn *fn, void *ctx, struct err *err);
void net_timer_free(struct net_timer *t); /* NULL is fine */
void net_timer_start(struct net_timer *t, uint64_t after_ms, uint64_t repeat_ms /* 0: once */);
void net_timer_stop(struct net_timer *t);

/* Another thread's way in: sends merge, so fn must look for all there is to do. */
struct net_wake;
struct net_wake *net_wake_new(struct net_loop *l, net_fn *fn, void *ctx, struct err *err);
void net_wake_free(struct net_wake *w); /* nobody may send any more; NULL is fine */
void net_wake_send(struct net_wake *w); /* any thread, never blocks */

/* Calls fn while fd is readable (or at its end); the fd stays the caller's and must outlive the watch. */
struct net_watch;
struct net_watch *net_watch_new(struct net_loop *l, int fd, net_fn *fn, void *ctx, struct err *err);
void net_watch_free(struct net_watch *w); /* NULL is fine */

/* Runs work on another thread, then done on the loop's.  false with err: neither will run. */
bool net_loop_work(struct net_loop *l, net_fn *work, net_fn *done, void *ctx, struct err *err);

/* Calls fn when the process gets this signal, until the loop is freed. */
bool net_loop_on_signal(struct net_loop *l, int signum, net_fn *fn, void *ctx, struct err *err);
void net_loop_forget_signals(struct net_loop *l); /* nobody is called for one any more */
#endif
