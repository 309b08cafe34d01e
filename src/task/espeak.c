/* task/espeak.c - see espeak.h. */
#include "task/espeak.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool espeak_find(struct err *err)
{
    char path[CHILD_PATH_BYTES];
    return child_find("espeak-ng", path) || err_set(err, ERR_NOT_FOUND, "espeak-ng: there is no such program: apt-get install espeak-ng");
}

/* A socket for its stdin: writing to a child that is gone is an error there, not a signal. */
static bool send_all(int fd, const char *text, size_t n)
{
    while (n > 0) {
        const ssize_t k = send(fd, text, n, MSG_NOSIGNAL);
        if (k < 0 && errno != EINTR)
            return false;
        if (k > 0) {
            text += k;
            n -= (size_t)k;
        }
    }
    return true;
}

bool espeak_start(struct espeak_child *c, const char *const *argv, const char *text, size_t n, struct err *err)
{
    int in[2], out[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, in) != 0)
        return err_set(err, ERR_IO, "espeak-ng: socketpair: %s", strerror(errno));
    if (pipe(out) != 0) {
        close(in[0]);
        close(in[1]);
        return err_set(err, ERR_IO, "espeak-ng: pipe: %s", strerror(errno));
    }
    const int fds[] = { in[1], out[1], -1 };
    const struct child_spec spec = { .program = "espeak-ng", .argv = argv, .fds = fds, .n_fds = 3 };
    fcntl(in[0], F_SETFD, FD_CLOEXEC);
    fcntl(out[0], F_SETFD, FD_CLOEXEC);
    const bool good = child_start(&c->child, &spec, err);
    close(in[1]);
    close(out[1]);
    c->out_fd = out[0];
    if (good)
        (void)send_all(in[0], text, n); /* a child that died of it is found out when it is reaped */
    else
        close(out[0]);
    close(in[0]);
    return good;
}

bool espeak_stop(struct espeak_child *c, bool good, const char *voice, struct err *err)
{
    struct child_end end;
    char text[CHILD_END_BYTES];
    close(c->out_fd);
    if (!good) {
        child_stop(&c->child, 0, NULL);
        return false;
    }
    child_wait(&c->child, -1, &end);
    if (!end.by_signal && end.code == 0)
        return true;
    if (!end.by_signal)
        return err_set(err, ERR_INPUT, "voice: espeak-ng does not know '%s' (espeak-ng --voices lists them)", voice);
    return err_set(err, ERR_IO, "espeak-ng %s", child_end_text(&end, text));
}
