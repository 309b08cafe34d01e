/* expert/server_child.c - the child of a server expert: on demand, watched, never left over; start at child_turn(). */
#define _GNU_SOURCE /* pipe2 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "expert/server_internal.h"
#include "proc/memory.h"

enum { BACKOFF_MS = 100, BACKOFF_MAX_MS = 30000, PROBE_MS = 10, PROBE_MAX_MS = 250, PROBE_HEAD_MS = 2000, WORDS_MAX = 512, MINUTE_MS = 60000,
       COMMAND_MAX = 128 << 10, DOWN_MS = 1000 };

static void set_state(struct expert_server *e, enum child_state s)
{
    e->child.state = s;
    server_soon(e);
}

/* ---- the keeper ---- */

static void on_give_back(void *ctx)
{
    struct expert_server *e = ctx;
    atomic_store(&e->must_give_back, true);
    net_wake_send(e->wake);
}

static uint64_t on_observe(void *ctx)
{
    const struct expert_server *e = ctx;
    struct memory_use use;
    const pid_t pid = atomic_load(&e->pid);
    return pid > 0 && memory_of_tree(pid, &use) ? use.rss_bytes : 0;
}

static void on_keeper_wake(void *ctx)
{
    struct expert_server *e = ctx;
    net_wake_send(e->wake);
}

bool child_join(struct expert_server *e, struct keeper *k, struct err *err)
{
    const struct keeper_client client = { .id = e->id, .ctx = e, .give_back = on_give_back, .observe = on_observe, .wake = on_keeper_wake };
    e->keeper_client = client;
    e->seat = keeper_join(k, &e->keeper_client, err);
    return e->seat != NULL;
}

void child_open(struct expert_server *e)
{
    e->child.child.fd = -1;
    e->child.output_fd = -1;
}

static void give_seat(struct expert_server *e)
{
    struct server_child *c = &e->child;
    if (c->has_begun)
        keeper_end(e->seat);
    if (c->holds_seat)
        keeper_gave(e->seat);
    c->has_begun = c->holds_seat = false;
    atomic_store(&e->must_give_back, false);
}

/* ---- what it prints ---- */

/* Its last line that speaks of an error, else its last line. */
static void last_line(const struct server_child *c, char *out, size_t max)
{
    char text[OUTPUT_RING + 1];
    const size_t n = c->n_output < OUTPUT_RING ? c->n_output : OUTPUT_RING;
    for (size_t i = 0; i < n; i++)
        text[i] = c->output[(c->n_output - n + i) % OUTPUT_RING];
    text[n] = '\0';
    const char *best = "";
    bool is_error = false;
    for (char *line = strtok(text, "\n\r"), *l; line; line = strtok(NULL, "\n\r")) {
        for (l = line; *l; l++)
            if ((unsigned char)*l < 0x20 || (unsigned char)*l >= 0x7f)
                *l = *l == '\t' ? ' ' : '?';
        line += strspn(line, " ");
        const bool says_error = strcasestr(line, "error") || strcasestr(line, "fail") || strcasestr(line, "cannot") || strcasestr(line, "unable");
        if (*line && (says_error || !is_error)) {
            best = line;
            is_error = says_error;
        }
    }
    snprintf(out, max, "%s", best);
}

static void on_output(void *ctx)
{
    struct expert_server *e = ctx;
    struct server_child *c = &e->child;
    char bytes[4096];
    const ssize_t n = read(c->output_fd, bytes, sizeof(bytes));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        net_watch_free(c->output_watch);
        c->output_watch = NULL;
        close(c->output_fd);
        c->output_fd = -1;
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        c->output[c->n_output++ % OUTPUT_RING] = bytes[i];
}

/* ---- its end ---- */

/* Everything that ran there waits again, or ends. */
static void drop_works(struct expert_server *e, const struct err *err)
{
    struct work *w;
    while ((w = e->running.first) != NULL)
        work_again(w, 0, err);
}

static void close_talk(struct expert_server *e)
{
    struct server_child *c = &e->child;
    http_call_cancel(c->probe);
    c->probe = NULL;
    http_call_cancel(e->hello); /* asked again of the next */
    e->hello = NULL;
    buf_fini(&e->hello_body);
    http_client_free(e->client);
    e->client = NULL;
}

static void close_output(struct expert_server *e)
{
    struct server_child *c = &e->child;
    if (c->output_fd < 0)
        return;
    for (int i = 0; i < 64 && c->output_fd >= 0; i++) { /* its last words */
        const size_t before = c->n_output;
        on_output(e);
        if (c->n_output == before)
            break;
    }
    net_watch_free(c->output_watch);
    c->output_watch = NULL;
    if (c->output_fd >= 0)
        close(c->output_fd);
    c->output_fd = -1;
}

static void back_off(struct expert_server *e)
{
    struct server_child *c = &e->child;
    uint64_t ms = 0;
    c->n_failed++;
    if (c->n_failed > 1)
        ms = c->n_failed > 10 ? BACKOFF_MAX_MS : (uint64_t)BACKOFF_MS << (c->n_failed - 2);
    c->again_ms = server_now_ms(e) + (ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

/* Nobody waits for what does not come: all that wait are told why. */
static void go_down(struct expert_server *e, const struct err *err)
{
    struct server_child *c = &e->child;
    struct work *w;
    pthread_mutex_lock(&e->lock);
    const bool is_told = e->n_ready_waiters > 0; /* whoever waits for it says so */
    pthread_mutex_unlock(&e->lock);
    if (!is_told && !e->is_quiet)
        log_error("%s", err->text);
    if (c->again_ms < server_now_ms(e) + DOWN_MS)
        c->again_ms = server_now_ms(e) + DOWN_MS;
    pthread_mutex_lock(&e->lock);
    e->is_down = true;
    e->down = *err;
    e->m.state = EXPERT_DOWN; /* before anybody hears of it */
    snprintf(e->m.why, sizeof(e->m.why), "%s", err->text);
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    while ((w = e->waiting.first) != NULL)
        work_end(w, err);
}

static void on_death(struct expert_server *e, const struct child_end *end)
{
    struct server_child *c = &e->child;
    char how[CHILD_END_BYTES], said[120];
    const enum child_state was = c->state;
    struct err err = { 0 };
    close_output(e);
    atomic_store(&e->pid, 0);
    pthread_mutex_lock(&e->lock);
    e->f.pid = 0;
    pthread_mutex_unlock(&e->lock);
    said[0] = '\0';
    if (!end->by_signal) /* who is killed has not said why */
        last_line(c, said, sizeof(said));
    child_end_text(end, how);
    set_state(e, SERVER_NONE);
    if (was != SERVER_STOPPING) {
        err_set(&err, ERR_IO, "%s: %s %s%s%s", e->id, c->what, how, said[0] ? "; its last words: " : "", said);
        pthread_mutex_lock(&e->lock);
        e->f.deaths_total++;
        e->f.last_death_ns = clock_ns();
        pthread_mutex_unlock(&e->lock);
        back_off(e);
        c->n_unready += was == SERVER_STARTING;
        drop_works(e, &err);
    }
    close_talk(e);
    give_seat(e);
    if (was == SERVER_STOPPING)
        return;
    if (c->n_unready >= e->cfg.n_start_tries) {
        c->n_unready = 0;
        go_down(e, &err);
    } else {
        log_warn("%s", err.text);
    }
}

static void on_end_fd(void *ctx);

bool child_is_gone(struct expert_server *e)
{
    struct server_child *c = &e->child;
    struct child_end end;
    struct err err = { 0 };
    struct pollfd p = { .fd = c->child.fd, .events = POLLIN };
    if (c->child.pid <= 0)
        return true;
    if (poll(&p, 1, 0) <= 0)
        return false;
    net_watch_free(c->end_watch); /* the wait closes what it watches */
    c->end_watch = NULL;
    if (child_wait(&c->child, 100, &end)) { /* without pidfds its end is seen a moment before it can be reaped */
        on_death(e, &end);
        return true;
    }
    c->end_watch = net_watch_new(e->loop, c->child.fd, on_end_fd, e, &err);
    return false;
}

static void on_end_fd(void *ctx) { child_is_gone(ctx); }

static void stop(struct expert_server *e, int sig)
{
    struct server_child *c = &e->child;
    close_talk(e);
    child_signal(&c->child, sig);
    if (sig == SIGTERM)
        child_signal(&c->child, SIGCONT);
    c->kill_by_ms = server_now_ms(e) + (sig == SIGTERM ? e->cfg.grace_ms : 5000);
    set_state(e, SERVER_STOPPING);
}

void child_fail(struct expert_server *e, const char *why)
{
    struct server_child *c = &e->child;
    struct err err = { 0 };
    if (c->state != SERVER_READY && c->state != SERVER_STARTING)
        return;
    err_set(&err, ERR_IO, "%s: %s: %s", e->id, c->what, why);
    log_warn("%s; it is started again", err.text);
    c->n_unready += c->state == SERVER_STARTING;
    drop_works(e, &err); /* before the client and its calls are gone */
    stop(e, SIGKILL);
    back_off(e);
    if (c->n_unready >= e->cfg.n_start_tries) {
        c->n_unready = 0;
        go_down(e, &err);
    }
}

void child_answered(struct expert_server *e) { e->child.n_failed = 0; }

/* ---- its start ---- */

static int free_port(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(in);
    int port = 0;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (bind(fd, (struct sockaddr *)&in, n) == 0 && getsockname(fd, (struct sockaddr *)&in, &n) == 0)
        port = ntohs(in.sin_port);
    close(fd);
    return port;
}

/* {model} {port} {ctx} {parallel} {threads} */
static bool put_word(const struct expert_server *e, int port, const char *word, struct buf *out, struct err *err)
{
    const struct server_config *k = &e->cfg;
    for (const char *c = word; *c;) {
        if (strncmp(c, "{model}", 7) == 0)
            buf_puts(out, k->model_path), c += 7;
        else if (strncmp(c, "{port}", 6) == 0)
            buf_printf(out, "%d", port), c += 6;
        else if (strncmp(c, "{ctx}", 5) == 0)
            buf_printf(out, "%d", k->n_ctx ? k->n_ctx : 4096), c += 5;
        else if (strncmp(c, "{parallel}", 10) == 0)
            buf_printf(out, "%d", k->n_parallel), c += 10;
        else
            buf_putc(out, *c++);
    }
    buf_putc(out, '\0');
    return buf_ok(out, "a command", err);
}

/* The words of the command line with everything filled in; n: their bytes. */
static bool make_command(struct expert_server *e, int port, struct buf *out, struct err *err)
{
    const struct buf *cmd = &e->cfg.command;
    if (cmd->len > 0) {
        for (size_t at = 0; at < cmd->len; at += strlen(cmd->data + at) + 1)
            if (!put_word(e, port, cmd->data + at, out, err))
                return false;
        return true;
    }
    struct buf line;
    char runs_on[sizeof(e->cfg.runs_on)] = "";
    buf_init(&line, COMMAND_MAX);
    const bool ok = server_choose_runtime(e, port, &line, runs_on, sizeof(runs_on), err) && server_split(line.data, out, err);
    buf_fini(&line);
    if (!ok)
        return false;
    pthread_mutex_lock(&e->lock);
    const bool is_news = strcmp(e->card.runs_on, runs_on) != 0;
    snprintf(e->card.runs_on, sizeof(e->card.runs_on), "%s", runs_on);
    pthread_mutex_unlock(&e->lock);
    if (is_news)
        log_info("%s: runs on %s", e->id, runs_on);
    return true;
}

static bool is_assignment(const char *word)
{
    const size_t n = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return n > 0 && word[n] == '=' && (word[0] < '0' || word[0] > '9');
}

static bool launch(struct expert_server *e, struct err *err)
{
    struct server_child *c = &e->child;
    const char *argv[WORDS_MAX + 1], **env = NULL;
    struct buf words;
    int pipe_fds[2] = { -1, -1 }, n_words = 0, n_env = 0;
    bool ok = false;
    char url[64];
    struct http_target target;
    const int port = free_port();
    buf_init(&words, COMMAND_MAX);
    if (port == 0) {
        err_set(err, ERR_IO, "no free port: %s", strerror(errno));
        goto done;
    }
    if (!make_command(e, port, &words, err))
        goto done;
    size_t n_ours = 0, at = 0;
    while (environ && environ[n_ours])
        n_ours++;
    env = calloc(n_ours + WORDS_MAX + 1, sizeof(*env));
    if (!env) {
        err_set(err, ERR_NOMEM, "out of memory");
        goto done;
    }
    for (size_t k = 0; k < e->cfg.environ.len && n_env < WORDS_MAX / 2; k += strlen(e->cfg.environ.data + k) + 1)
        env[n_env++] = e->cfg.environ.data + k;
    for (; at < words.len && is_assignment(words.data + at) && n_env < WORDS_MAX; at += strlen(words.data + at) + 1)
        env[n_env++] = words.data + at;
    for (size_t k = 0; k < n_ours; k++) { /* the first of a name wins: what is new goes in front */
        bool is_new = true;
        const size_t n = strcspn(environ[k], "=");
        for (int i = 0; i < n_env && is_new; i++)
            is_new = strncmp(env[i], environ[k], n + 1) != 0;
        if (is_new)
            env[n_env++] = environ[k];
    }
    for (; at < words.len && n_words < WORDS_MAX; at += strlen(words.data + at) + 1)
        argv[n_words++] = words.data + at;
    argv[n_words] = NULL;
    if (n_words == 0) {
        err_set(err, ERR_INPUT, "the command has no program");
        goto done;
    }
    const char *slash = strrchr(argv[0], '/');
    snprintf(c->what, sizeof(c->what), "%.60s", slash ? slash + 1 : argv[0]);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        err_set(err, ERR_IO, "pipe: %s", strerror(errno));
        goto done;
    }
    fcntl(pipe_fds[1], F_SETFL, 0); /* the child's end waits as usual */
    const int fds[] = { -1, pipe_fds[1], pipe_fds[1] };
    if (!http_target_parse(&target, url, err) || !(e->client = http_client_new(e->loop, &target, &(struct http_client_config){ .max_connections = e->cfg.n_parallel + 4, .max_idle = e->cfg.n_parallel + 1, .keep_ms = 4000, .connect_ms = 2000 }, err)))
        goto done;
    ok = child_start(&c->child, &(struct child_spec){ .argv = argv, .env = env, .fds = fds, .n_fds = 3 }, err);
    if (!ok)
        goto done;
    c->output_fd = pipe_fds[0];
    pipe_fds[0] = -1;
    c->n_output = 0;
    atomic_store(&e->pid, c->child.pid);
    c->output_watch = net_watch_new(e->loop, c->output_fd, on_output, e, err);
    c->end_watch = net_watch_new(e->loop, c->child.fd, on_end_fd, e, err);
    if (!c->output_watch || !c->end_watch) { /* unwatched it must not live */
        child_stop(&c->child, 0, NULL);
        ok = false;
    }
done:
    if (!ok) {
        http_client_free(e->client);
        e->client = NULL;
    }
    for (int i = 0; i < 2; i++)
        if (pipe_fds[i] >= 0)
            close(pipe_fds[i]);
    buf_fini(&words);
    free(env);
    return ok;
}

static void start(struct expert_server *e)
{
    struct server_child *c = &e->child;
    struct err err = { 0 };
    const uint64_t now = server_now_ms(e);
    const double rate = (double)e->cfg.n_starts_per_min / MINUTE_MS;
    c->n_starts_left += (double)(now - c->refilled_ms) * rate;
    c->refilled_ms = now;
    if (c->n_starts_left > e->cfg.n_starts_per_min)
        c->n_starts_left = e->cfg.n_starts_per_min;
    if (c->n_starts_left < 1) {
        c->again_ms = now + (uint64_t)((1 - c->n_starts_left) / rate) + 1;
        err_set(&err, ERR_BUSY, "%s: was started %d times within a minute; the next try is in %.0f s", e->id, e->cfg.n_starts_per_min,
                (double)(c->again_ms - now) / 1000);
        give_seat(e);
        set_state(e, SERVER_NONE);
        go_down(e, &err);
        return;
    }
    c->n_starts_left -= 1;
    if (!launch(e, &err)) {
        err_prefix(&err, "%s", e->id);
        give_seat(e);
        back_off(e);
        set_state(e, SERVER_NONE);
        go_down(e, &err); /* a program that is not there does not come by waiting */
        return;
    }
    log_info("%s: %s starts as process %d", e->id, c->what, (int)c->child.pid);
    pthread_mutex_lock(&e->lock);
    e->f.starts_total++;
    e->f.pid = c->child.pid;
    pthread_mutex_unlock(&e->lock);
    c->began_ms = now;
    c->began_ns = clock_ns();
    c->probe_ms = now + PROBE_MS;
    c->probe_every_ms = PROBE_MS;
    set_state(e, SERVER_STARTING);
}

/* ---- is it ready? ---- */

static void on_probe_head(void *ctx, const struct http_head *h)
{
    struct expert_server *e = ctx;
    if (h->status >= 200 && h->status < 300 && e->child.state == SERVER_STARTING)
        e->child.is_healthy = true; /* told by on_probe_end() */
}

static void on_probe_end(void *ctx, enum http_end how, const struct err *err)
{
    struct expert_server *e = ctx;
    struct server_child *c = &e->child;
    (void)err;
    c->probe = NULL;
    if (c->state != SERVER_STARTING)
        return;
    if (c->is_healthy && how == HTTP_END_DONE) {
        const uint64_t ns = clock_ns() - c->began_ns;
        c->n_unready = 0;
        c->idle_since_ms = server_now_ms(e);
        if (e->seat)
            keeper_loaded(e->seat, ns);
        pthread_mutex_lock(&e->lock);
        e->m.load_ns = ns;
        pthread_mutex_unlock(&e->lock);
        log_info("%s: ready after %.0f ms", e->id, (double)ns / 1e6);
        set_state(e, SERVER_READY);
        return;
    }
    c->probe_every_ms = c->probe_every_ms * 3 / 2 + 1;
    if (c->probe_every_ms > PROBE_MAX_MS)
        c->probe_every_ms = PROBE_MAX_MS;
    c->probe_ms = server_now_ms(e) + c->probe_every_ms;
    server_soon(e);
}

static void probe(struct expert_server *e)
{
    static const struct http_call_fns fns = { on_probe_head, NULL, on_probe_end };
    struct server_child *c = &e->child;
    struct err err = { 0 };
    const struct http_ask ask = { .verb = HTTP_VERB_GET, .path = e->cfg.health, .may_repeat = true, .head_ms = PROBE_HEAD_MS, .idle_ms = PROBE_HEAD_MS };
    c->is_healthy = false;
    c->probe = http_client_call(e->client, &ask, &fns, e, &err);
    if (!c->probe)
        c->probe_ms = server_now_ms(e) + PROBE_MAX_MS;
}

/* ---- a turn ---- */

static void ask_keeper(struct expert_server *e)
{
    struct server_child *c = &e->child;
    struct err err = { 0 };
    int again_ms = 0;
    if (!e->seat) {
        start(e);
        return;
    }
    switch (keeper_ask(e->seat, e->cfg.memory_bytes, &again_ms, &err)) {
    case KEEPER_GO:
        c->holds_seat = true;
        start(e);
        break;
    case KEEPER_WAIT:
        c->ask_again_ms = server_now_ms(e) + (uint64_t)(again_ms > 0 ? again_ms : 1);
        if (c->state != SERVER_ASKING)
            set_state(e, SERVER_ASKING);
        break;
    case KEEPER_NO:
        set_state(e, SERVER_NONE);
        err_prefix(&err, "%s", e->id);
        go_down(e, &err);
        break;
    }
}

static void turn_ready(struct expert_server *e, bool is_wanted)
{
    struct server_child *c = &e->child;
    const bool has_work = e->waiting.n + e->running.n > 0;
    if (e->seat && has_work && !c->has_begun) {
        c->has_begun = keeper_begin(e->seat);
        if (!c->has_begun) {
            stop(e, SIGTERM);
            return;
        }
    }
    if (e->running.n == 0 && atomic_load(&e->must_give_back)) {
        stop(e, SIGTERM);
        return;
    }
    if (has_work || is_wanted) {
        c->idle_since_ms = server_now_ms(e);
        return;
    }
    if (c->has_begun)
        keeper_end(e->seat);
    c->has_begun = false;
    if (e->cfg.keep_ms != UINT64_MAX && server_now_ms(e) >= c->idle_since_ms + e->cfg.keep_ms) {
        log_info("%s: idle for %.0f s, %s is stopped", e->id, (double)e->cfg.keep_ms / 1000, c->what);
        stop(e, SIGTERM);
    }
}

void child_turn(struct expert_server *e, bool is_wanted)
{
    struct server_child *c = &e->child;
    const uint64_t now = server_now_ms(e);
    switch (c->state) {
    case SERVER_NONE:
        if (now < c->again_ms)
            break;
        pthread_mutex_lock(&e->lock);
        e->is_down = false;
        pthread_mutex_unlock(&e->lock);
        if (is_wanted)
            ask_keeper(e);
        break;
    case SERVER_ASKING:
        if (!is_wanted) {
            keeper_withdraw(e->seat);
            set_state(e, SERVER_NONE);
        } else {
            ask_keeper(e);
        }
        break;
    case SERVER_STARTING:
        if (now >= c->began_ms + e->cfg.ready_ms)
            child_fail(e, "it was not ready in time");
        else if (!c->probe && now >= c->probe_ms)
            probe(e);
        break;
    case SERVER_READY: turn_ready(e, is_wanted); break;
    case SERVER_STOPPING:
        if (now >= c->kill_by_ms + 5000) { /* stuck in the kernel: left behind */
            struct child_end end;
            net_watch_free(c->end_watch);
            c->end_watch = NULL;
            child_stop(&c->child, 0, &end);
            on_death(e, &end);
        } else if (now >= c->kill_by_ms) {
            child_signal(&c->child, SIGKILL);
        }
        break;
    }
}

bool child_takes(const struct expert_server *e)
{
    const struct server_child *c = &e->child;
    return c->state == SERVER_READY && (!e->seat || c->has_begun) && !atomic_load(&e->must_give_back);
}

uint64_t child_next_ms(const struct expert_server *e)
{
    const struct server_child *c = &e->child;
    const uint64_t now = server_now_ms(e);
    switch (c->state) {
    case SERVER_NONE: return c->again_ms > now ? c->again_ms : 0;
    case SERVER_ASKING: return c->ask_again_ms;
    case SERVER_STARTING: {
        const uint64_t by = c->began_ms + e->cfg.ready_ms;
        return !c->probe && c->probe_ms < by ? c->probe_ms : by;
    }
    case SERVER_READY: return e->cfg.keep_ms == UINT64_MAX || e->running.n + e->waiting.n > 0 ? 0 : c->idle_since_ms + e->cfg.keep_ms;
    case SERVER_STOPPING: return now < c->kill_by_ms ? c->kill_by_ms : c->kill_by_ms + 5000;
    }
    return 0;
}

void child_close(struct expert_server *e)
{
    struct server_child *c = &e->child;
    close_talk(e);
    net_watch_free(c->end_watch);
    c->end_watch = NULL;
    if (c->child.pid > 0)
        child_stop(&c->child, (int)e->cfg.grace_ms, NULL);
    atomic_store(&e->pid, 0);
    close_output(e);
    give_seat(e);
}
