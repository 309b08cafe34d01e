/* cmd/run_task.c - `tutti run` with a card that is no language model; start at run_task().
 *
 * Threads: events come on the expert's thread (on_event) and are printed by it; the main one waits at a pipe. */
#include "cmd/run_task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/run_out.h"
#include "cmd/run_stream.h"

enum { INPUT_MAX_BYTES = 512 << 20, TEXT_MAX_BYTES = 1 << 20, RESULT_MAX_BYTES = 256 << 20 };

struct turn { /* one job */
    struct run_task *run;
    struct run_out *sink;   /* NULL: no --out */
    const char *name;       /* of the input, when there are several */
    bool is_stream;
    double time_s;          /* of a stream: when this frame was */
    struct buf text;        /* what is printed at its end */
    bool has_text;          /* pieces of text were printed */
    int n_results;
    bool is_done;
    struct err err;
    uint64_t first_ns;
};

/* ---- events ---- */

static void put_result(struct turn *t, const struct task_result *res)
{
    /* of a stream only what there is something to say about */
    const bool is_empty_result = res->n_boxes == 0 && res->n_segments == 0 && !(res->text && res->text[0]) && res->n_vector == 0 &&
                                 (res->n_labels == 0 || t->run->task == EXPERT_MOTION);
    if (t->is_stream && is_empty_result && !t->run->options.wants_scores)
        return;
    if (!t->run->is_json) {
        if (t->is_stream)
            buf_printf(&t->text, "%.2f s\n", t->time_s);
        if (!(t->has_text && res->text)) /* it was printed as it came */
            task_result_put_text(&t->text, res);
        return;
    }
    if (t->name || t->is_stream) {
        buf_puts(&t->text, "{");
        if (t->name) {
            buf_puts(&t->text, "\"file\":");
            buf_put_json_text(&t->text, t->name);
            buf_putc(&t->text, ',');
        }
        if (t->is_stream)
            buf_printf(&t->text, "\"time\":%.3f,", t->time_s);
        const size_t at = t->text.len;
        task_result_put_json(&t->text, res);
        if (!t->text.failed) { /* one object of the two */
            const bool is_empty = t->text.data[at + 1] == '}';
            memmove(t->text.data + at - is_empty, t->text.data + at + 1, t->text.len - at);
            t->text.len -= 1u + is_empty;
        }
    } else {
        task_result_put_json(&t->text, res);
    }
    buf_putc(&t->text, '\n');
}

static void put_tensor(struct turn *t, const struct tensor *x)
{
    char shape[120];
    tensor_describe(x, shape, sizeof(shape));
    buf_printf(&t->text, "%s: %s\n", x->name, shape);
}

static void on_event(void *ctx, const struct expert_event *ev)
{
    struct turn *t = ctx;
    if (t->first_ns == 0 && (ev->kind == EXPERT_DELTA || ev->kind == EXPERT_RESULT || ev->kind == EXPERT_AUDIO))
        t->first_ns = clock_ns();
    if (ev->kind == EXPERT_DELTA && ev->n_text > 0 && !t->run->is_json) {
        fwrite(ev->text, 1, ev->n_text, stdout);
        fflush(stdout);
        t->has_text = true;
    } else if (ev->kind == EXPERT_RESULT) {
        t->n_results++;
        if (t->sink)
            run_out_result(t->sink, ev->result);
        put_result(t, ev->result);
    } else if (ev->kind == EXPERT_VECTOR) {
        const struct task_result res = { .vector = ev->vector, .n_vector = ev->n_vector };
        put_result(t, &res);
    } else if (ev->kind == EXPERT_TENSOR) {
        put_tensor(t, ev->tensor);
    } else if (ev->kind == EXPERT_AUDIO && t->sink) {
        run_out_audio(t->sink, ev->samples, ev->n_samples, ev->rate_hz);
    }
    if (ev->kind != EXPERT_DONE && ev->kind != EXPERT_ERROR)
        return;
    t->is_done = ev->kind == EXPERT_DONE;
    if (ev->err)
        t->err = *ev->err;
    while (write(t->run->end_fd, "e", 1) < 0 && errno == EINTR) {
    }
}

/* ---- one job ---- */

static void free_bytes(void *p) { free(p); }

static bool submit_and_wait(struct turn *t, struct job *j, struct err *err)
{
    const uint64_t begin_ns = clock_ns();
    j->on_event = on_event;
    j->ctx = t;
    j->task = t->run->task;
    j->request.options = t->run->options;
    if (!expert_submit(t->run->expert, j, err))
        return false;
    for (char what = 0; what != 'e';)
        if (read(t->run->signal_fd, &what, 1) == 1 && what == 'c')
            job_cancel(j);
    if (t->has_text)
        putchar('\n');
    if (!t->is_done) {
        *err = t->err;
        return false;
    }
    if (t->run->with_stats)
        fprintf(stderr, "[first result after %.1f ms, all after %.1f ms]\n", (double)(t->first_ns ? t->first_ns - begin_ns : 0) / 1e6,
                (double)(clock_ns() - begin_ns) / 1e6);
    return true;
}

static bool run_texts(struct turn *t, int n, char **texts, struct err *err)
{
    struct job *j = job_new(TEXT_MAX_BYTES * 2, err);
    struct task_text *items = j ? arena_alloc(j->arena, (size_t)n, sizeof(*items), err) : NULL;
    struct job_input *inputs = items ? arena_alloc(j->arena, (size_t)n, sizeof(*inputs), err) : NULL; /* EMBED, whatever the kind */
    bool ok = inputs != NULL;
    for (int i = 0; ok && i < n; i++) {
        size_t len = strlen(texts[i]);
        char *from_stdin = NULL;
        if (strcmp(texts[i], "-") == 0) {
            from_stdin = file_read("-", TEXT_MAX_BYTES, &len, err);
            ok = from_stdin != NULL;
        }
        if (ok)
            items[i] = (struct task_text){ .text = arena_strndup(j->arena, from_stdin ? from_stdin : texts[i], len, err), .n = len };
        ok = ok && items[i].text;
        if (ok)
            inputs[i] = (struct job_input){ .text = items[i].text, .n_text = items[i].n };
        free(from_stdin);
    }
    if (ok) {
        if (t->run->task == EXPERT_EMBED)
            j->inputs = inputs, j->n_inputs = n;
        else
            j->request.texts = items, j->request.n_texts = n;
        ok = submit_and_wait(t, j, err);
    }
    job_unref(j);
    return ok;
}

static bool run_file(struct turn *t, const char *path, struct err *err)
{
    size_t n;
    char *bytes = file_read(path, INPUT_MAX_BYTES, &n, err);
    struct job *j = bytes ? job_new(1 << 16, err) : NULL;
    struct task_media *m = j ? arena_alloc(j->arena, 1, sizeof(*m), err) : NULL;
    if (!m) {
        free(bytes);
        job_unref(j);
        return false;
    }
    *m = (struct task_media){ .form = MEDIA_ENCODED, .bytes = bytes, .n_bytes = n };
    j->request.media = m;
    j->request.n_media = 1;
    j->on_free = free_bytes;
    j->free_ctx = bytes;
    if (t->sink && !run_out_picture(t->sink, bytes, n, err)) {
        job_unref(j);
        return false;
    }
    const bool ok = submit_and_wait(t, j, err);
    job_unref(j);
    return ok || err_prefix(err, "%s", strcmp(path, "-") == 0 ? "stdin" : path);
}

/* ---- streams ---- */

static bool print(struct turn *t, struct err *err)
{
    if (t->text.failed)
        return err_set(err, ERR_NOMEM, "the result is too large");
    const bool ok = t->text.len == 0 || (fwrite(t->text.data, 1, t->text.len, stdout) == t->text.len && fflush(stdout) == 0);
    buf_clear(&t->text);
    return ok || err_set(err, ERR_IO, "standard output: %s", strerror(errno));
}

static bool run_frame(void *ctx, const struct task_media *m, double t_s, bool is_first, struct err *err)
{
    struct turn *t = ctx;
    struct job *j = job_new(1 << 16, err);
    struct task_media *media = j ? arena_alloc(j->arena, 1, sizeof(*media), err) : NULL;
    bool ok = media != NULL;
    if (ok) {
        *media = *m; /* its bytes live until the job's end, which we wait for */
        j->request.media = media;
        j->request.n_media = 1;
        if (m->form == MEDIA_F32 || t->run->task == EXPERT_MOTION)
            j->request.session = 1, j->request.session_start = is_first;
        t->time_s = t_s;
        ok = submit_and_wait(t, j, err) && print(t, err);
    }
    job_unref(j);
    return ok;
}

/* ---- all of them ---- */

static bool run_turn(struct run_task *r, const char *name, int n, char **args, struct err *err)
{
    struct turn t = { .run = r, .name = name };
    const bool is_text = r->task == EXPERT_SPEAK || r->task == EXPERT_EMBED;
    bool ok = true;
    buf_init(&t.text, RESULT_MAX_BYTES);
    if (r->task == EXPERT_SPEAK && !r->out)
        ok = err_set(err, ERR_INPUT, "%s speaks: --out FILE.wav says where to, or --out - for stdout", r->card.id);
    if (ok && r->out)
        ok = (t.sink = run_out_new(r->out, r->task, err)) != NULL;
    t.is_stream = !is_text && run_stream_is(args[0], r->task, r->fps);
    if (ok && t.is_stream && t.sink)
        ok = err_set(err, ERR_INPUT, "--out: one picture is wanted, %s is a stream", args[0]);
    if (ok && t.is_stream)
        ok = run_stream(args[0], r->fps, run_frame, &t, err) || (strstr(err->text, args[0]) ? false : err_prefix(err, "%s", args[0]));
    else if (ok)
        ok = is_text ? run_texts(&t, n, args, err) : run_file(&t, args[0], err);
    if (t.sink && !run_out_end(t.sink, ok, err))
        ok = false;
    ok = ok && print(&t, err);
    buf_fini(&t.text);
    return ok;
}

int run_task(struct run_task *r, int n_args, char **args)
{
    static char from_stdin[] = "-";
    char *fallback[] = { from_stdin };
    struct err err = { 0 };
    bool ok = true;
    if (r->task == EXPERT_INFER) {
        err_set(&err, ERR_UNSUPPORTED, "%s takes tensors, no files: `tutti serve CARD`, then POST /v2/models/%s/infer", r->card.id, r->card.id);
        return cmd_fail(&err);
    }
    if (n_args == 0) {
        if (isatty(STDIN_FILENO)) {
            err_set(&err, ERR_INPUT, "%s: a %s is wanted", r->card.id, r->task == EXPERT_SPEAK || r->task == EXPERT_EMBED ? "text" : "file");
            return cmd_fail(&err);
        }
        args = fallback;
        n_args = 1;
    }
    if (r->task == EXPERT_SPEAK && n_args > 1) {
        err_set(&err, ERR_INPUT, "one text is wanted: put it in quotes");
        return cmd_fail(&err);
    }
    if (r->out && n_args > 1) {
        err_set(&err, ERR_INPUT, "--out takes one file, these are %d", n_args);
        return cmd_fail(&err);
    }
    if (r->task == EXPERT_SPEAK || r->task == EXPERT_EMBED)
        return run_turn(r, NULL, n_args, args, &err) ? 0 : cmd_fail(&err);
    for (int i = 0; i < n_args; i++) {
        if (!r->is_json && n_args > 1)
            printf("%s:\n", args[i]);
        if (!run_turn(r, n_args > 1 ? args[i] : NULL, 1, &args[i], &err)) {
            ok = false;
            cmd_fail(&err);
            if (err.code == ERR_CANCELLED || err.code == ERR_IO)
                break;
        }
    }
    return ok ? 0 : 1;
}
