/* hw/gpu_watch.c - see gpu_watch.h; start at gpu_watch_read().  The other side is gpu_watch_main() in gpu_nvml.c. */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "hw/gpu_watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/child.h"

enum { WAIT_MS = 100, KEEP_S = 3, FIRST_S = 20, NEXT_S = 5, REST_S = 60, PAUSE_S = 10, PAUSE_MAX_S = 600, END_MS = 100 };
#define S(n) ((uint64_t)(n) * 1000000000u)

struct gpu_watch {
    struct gpu_watch_spec spec;
    struct child child, dying; /* dying: killed, but not gone */
    int fd;                    /* our end of the socket; -1 */
    bool is_asked, has_answered, is_sick;
    uint32_t question;
    uint64_t asked_ns;         /* the last question */
    uint64_t retry_ns;
    int pause_s;
    uint64_t known_ns;         /* when it was asked what `known` answers; 0: nothing known */
    struct gpu_watch_answer known;
};

struct gpu_watch *gpu_watch_new(const struct gpu_watch_spec *spec, struct err *err)
{
    struct gpu_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return err_null(err, ERR_NOMEM, "telemetry: out of memory");
    *w = (struct gpu_watch){ .spec = *spec, .child.fd = -1, .dying.fd = -1, .fd = -1 };
    if (!w->spec.program)
        w->spec.program = CHILD_SELF;
    if (!w->spec.library)
        w->spec.library = "libnvidia-ml.so.1";
    if (!w->spec.wait_ms)
        w->spec.wait_ms = WAIT_MS;
    return w;
}

/* Kills it without waiting: a process inside a wedged driver may take minutes to go, or for ever. */
static void drop(struct gpu_watch *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    child_signal(&w->child, SIGKILL);
    w->dying = w->child;
    w->child = (struct child){ .fd = -1 };
    w->is_asked = w->has_answered = false;
    w->known_ns = 0;
}

static void give_up(struct gpu_watch *w, uint64_t now, const char *why)
{
    drop(w);
    w->pause_s = w->pause_s == 0 ? PAUSE_S : 2 * w->pause_s < PAUSE_MAX_S ? 2 * w->pause_s : PAUSE_MAX_S;
    w->retry_ns = now + S(w->pause_s);
    if (!w->is_sick)
        log_warn("telemetry: NVIDIA's library %s: its cards are not known; tried again, the first time in %d s", why, w->pause_s);
    w->is_sick = true;
}

static bool start(struct gpu_watch *w, uint64_t now)
{
    struct err err;
    int ends[2];
    if (w->dying.pid > 0 && !child_wait(&w->dying, 0, NULL))
        return false;
    if (now < w->retry_ns)
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        give_up(w, now, "cannot be asked (no socket)");
        return false;
    }
    const struct child_spec spec = { .program = w->spec.program, .argv = (const char *[]){ "tutti", "gpu-watch", w->spec.library, NULL }, .fds = &ends[1], .n_fds = 1 };
    const bool ok = child_start(&w->child, &spec, &err);
    close(ends[1]);
    w->fd = ends[0];
    if (!ok)
        give_up(w, now, err.text);
    return ok;
}

static void ask(struct gpu_watch *w, uint64_t now)
{
    w->question++;
    w->asked_ns = now;
    w->is_asked = send(w->fd, &w->question, sizeof(w->question), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(w->question);
    if (!w->is_asked)
        give_up(w, now, "ended");
}

/* The answer to what was asked, if it comes in time. */
static void take(struct gpu_watch *w, uint64_t now, int wait_ms)
{
    struct gpu_watch_answer a;
    struct pollfd p = { w->fd, POLLIN, 0 };
    const uint64_t end_ns = clock_ns() + (uint64_t)wait_ms * 1000000u;
    int left_ms = wait_ms, ready;
    while ((ready = poll(&p, 1, left_ms)) < 0 && errno == EINTR) {
        const uint64_t t = clock_ns();
        left_ms = t < end_ns ? (int)((end_ns - t) / 1000000u) : 0;
    }
    if (ready <= 0)
        return;
    const ssize_t got = recv(w->fd, &a, sizeof(a), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got != (ssize_t)sizeof(a) || a.question != w->question || a.n < 0 || a.n > GPU_WATCH_MAX) {
        give_up(w, now, w->has_answered ? "crashed" : "is missing or does not start");
        return;
    }
    w->is_asked = false;
    w->has_answered = true;
    w->known = a;
    w->known_ns = w->asked_ns;
    w->pause_s = 0;
    if (w->is_sick)
        log_warn("telemetry: NVIDIA's library answers again");
    w->is_sick = false;
}

int gpu_watch_read(struct gpu_watch *w, uint64_t now, struct gpu_now gpus[GPU_WATCH_MAX])
{
    if (w->child.pid <= 0 && !start(w, now))
        return -1;
    if (w->is_asked)
        take(w, now, 0); /* what came since */
    if (w->child.pid > 0 && !w->is_asked)
        ask(w, now);
    if (w->is_asked)
        take(w, now, w->spec.wait_ms);
    if (w->is_asked && now - w->asked_ns >= (w->has_answered ? S(NEXT_S) : S(FIRST_S)))
        give_up(w, now, "does not answer");
    if (w->known_ns == 0 || now - w->known_ns > S(KEEP_S))
        return -1;
    memcpy(gpus, w->known.gpus, (size_t)w->known.n * sizeof(gpus[0]));
    return w->known.n;
}

void gpu_watch_rest(struct gpu_watch *w, uint64_t now)
{
    if (w->child.pid > 0 && now - w->asked_ns >= S(REST_S))
        drop(w);
    if (w->dying.pid > 0)
        child_wait(&w->dying, 0, NULL);
}

int gpu_watch_pid(const struct gpu_watch *w) { return w->child.pid; }

void gpu_watch_free(struct gpu_watch *w)
{
    if (!w)
        return;
    if (w->child.pid > 0)
        drop(w);
    if (w->dying.pid > 0 && !child_wait(&w->dying, END_MS, NULL) && w->dying.fd >= 0)
        close(w->dying.fd); /* left behind */
    free(w);
}
