/* tests/task/try_task.h - opens a card from text, runs one request, keeps what came out. */
#ifndef TUTTI_TEST_TRY_TASK_H
#define TUTTI_TEST_TRY_TASK_H
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "task/task.h"
#include "test.h"

enum { TRY_VECTORS = 8, TRY_DIMS = 512 };

struct try_task {
    struct card *card;
    struct task *task;
    struct arena *arena;
    struct err err;
    /* of the last run */
    struct buf json, text;
    float *samples; /* all pieces joined */
    int n_samples, cap_samples, rate_hz, n_pieces, longest_piece, shortest_inner;
    float vectors[TRY_VECTORS][TRY_DIMS];
    int n_vectors, n_dims;
    uint64_t began_ns, first_ns; /* first audio */
    int stop_after;              /* pieces; 0: never */
};

static const char *try_ort_path; /* NULL: searched */

/* NULL models_dir: none.  false: t->err says why (a library that is not installed: ERR_UNSUPPORTED or ERR_NOT_FOUND). */
static inline bool try_open(struct try_task *t, const char *yaml, const char *models_dir)
{
    static struct task_env env;
    env = (struct task_env) { .n_threads = 1, .ort_path = try_ort_path };
    memset(t, 0, sizeof(*t));
    buf_init(&t->json, 16 << 20);
    buf_init(&t->text, 16 << 20);
    t->arena = arena_new(64 << 20, &t->err);
    t->card = t->arena ? card_parse("test.yaml", yaml, strlen(yaml), ".", models_dir, &t->err) : NULL;
    t->task = t->card ? task_open(t->card, &env, &t->err) : NULL;
    return t->task != NULL;
}

static inline void try_close(struct try_task *t)
{
    task_free(t->task);
    card_free(t->card);
    arena_free(t->arena);
    buf_fini(&t->json);
    buf_fini(&t->text);
    free(t->samples);
    memset(t, 0, sizeof(*t));
}

static inline bool try_emit(void *ctx, const struct task_event *ev)
{
    struct try_task *t = ctx;
    if (ev->kind == TASK_AUDIO) {
        if (t->n_pieces == 0)
            t->first_ns = clock_ns() - t->began_ns;
        if (t->n_samples + ev->n_samples > t->cap_samples) {
            t->cap_samples = 2 * (t->n_samples + ev->n_samples);
            t->samples = realloc(t->samples, (size_t)t->cap_samples * sizeof(float));
        }
        memcpy(t->samples + t->n_samples, ev->samples, (size_t)ev->n_samples * sizeof(float));
        t->n_samples += ev->n_samples;
        t->rate_hz = ev->rate_hz;
        t->longest_piece = ev->n_samples > t->longest_piece ? ev->n_samples : t->longest_piece;
        t->n_pieces++;
    } else if (ev->kind == TASK_RESULT && ev->result->vector) {
        t->n_dims = ev->result->n_vector;
        if (ev->input == t->n_vectors && t->n_vectors < TRY_VECTORS && t->n_dims <= TRY_DIMS)
            memcpy(t->vectors[t->n_vectors++], ev->result->vector, (size_t)t->n_dims * sizeof(float));
    } else if (ev->kind == TASK_RESULT) {
        task_result_put_json(&t->json, ev->result);
        buf_puts(&t->text, ev->result->text ? ev->result->text : "");
    }
    return t->stop_after == 0 || t->n_pieces < t->stop_after;
}
static inline bool try_never_cancelled(void *ctx)
{
    (void)ctx;
    return false;
}

static inline bool try_run(struct try_task *t, const struct task_request *rq)
{
    const struct task_out out = { .ctx = t, .emit = try_emit, .is_cancelled = try_never_cancelled, .arena = t->arena };
    buf_clear(&t->json);
    buf_clear(&t->text);
    t->n_samples = t->n_pieces = t->longest_piece = t->n_vectors = 0;
    err_clear(&t->err);
    t->began_ns = clock_ns();
    const bool good = task_run(t->task, rq, &out, &t->err);
    buf_append(&t->text, "", 0);
    return good;
}

static inline bool try_text(struct try_task *t, enum expert_task task, const char *text, struct task_options options)
{
    const struct task_text texts[1] = { { text, strlen(text) } };
    const struct task_request rq = { .task = task, .texts = texts, .n_texts = 1, .options = options };
    return try_run(t, &rq);
}

static inline bool try_file(struct try_task *t, enum expert_task task, const char *path)
{
    size_t n;
    char *bytes = file_read(path, 64 << 20, &n, &t->err);
    if (!bytes)
        return false;
    const struct task_media media = { .form = MEDIA_ENCODED, .bytes = bytes, .n_bytes = n };
    const struct task_request rq = { .task = task, .media = &media, .n_media = 1 };
    const bool good = try_run(t, &rq);
    free(bytes);
    return good;
}

/* Skips the test where a library, program or model is not installed. */
#define TRY_OPEN(t, yaml, models_dir)                                                              \
    do {                                                                                           \
        if (!try_open(t, yaml, models_dir)) {                                                      \
            if ((t)->err.code == ERR_UNSUPPORTED || (t)->err.code == ERR_NOT_FOUND)                \
                SKIP("%s", (t)->err.text);                                                         \
            REQUIRE((t)->task, "%s", (t)->err.text);                                               \
        }                                                                                          \
    } while (0)

/* Levenshtein distance over bytes: character errors. */
static inline int try_distance(const char *a, const char *b)
{
    const size_t n = strlen(b);
    int *row = calloc(n + 1, sizeof(int));
    for (size_t k = 0; k <= n; k++)
        row[k] = (int)k;
    for (size_t i = 0; a[i]; i++) {
        int diag = row[0];
        row[0] = (int)i + 1;
        for (size_t k = 0; k < n; k++) {
            const int up = row[k + 1], change = diag + (a[i] != b[k]);
            const int least = up < row[k] ? up + 1 : row[k] + 1;
            row[k + 1] = change < least ? change : least;
            diag = up;
        }
    }
    const int d = row[n];
    free(row);
    return d;
}
#endif
