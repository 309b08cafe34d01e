/* tests/patience.h - waiting for another thread or process, in tests that must hold on a machine that has no time for them.
 *
 * For:    all tests.  What waits, waits for the event, for a minute at most; a test's own time limit (test.c) is above that.
 * Rule:   turns are counted, not the clock: who is stopped meanwhile (a paused container, a laptop's lid) has lost none of them. */
#ifndef TUTTI_TESTS_PATIENCE_H
#define TUTTI_TESTS_PATIENCE_H
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Until it is so; check afterwards whether it is. */
#define WAIT_UNTIL(is_so)                                             \
    do {                                                              \
        for (int turns_ = 0; turns_ < 60000 && !(is_so); turns_++)    \
            poll(NULL, 0, 1);                                         \
    } while (0)

/* recv() with a time limit (SO_RCVTIMEO) ends with EINTR when its process was stopped and goes on, whatever the handlers are (signal(7)). */
static inline ssize_t recv_on(int fd, void *bytes, size_t n)
{
    ssize_t k;
    do
        k = recv(fd, bytes, n, 0);
    while (k < 0 && errno == EINTR);
    return k;
}
static inline ssize_t send_on(int fd, const void *bytes, size_t n)
{
    ssize_t k;
    do
        k = send(fd, bytes, n, MSG_NOSIGNAL);
    while (k < 0 && errno == EINTR);
    return k;
}
#endif
