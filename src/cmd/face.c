/* cmd/face.c - `tutti face add|list|remove`: who is known by sight.
 *
 * The embedding is made by the expert of the card, in its own process; this one only keeps it (task/faces_store.h).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/expert_env.h"
#include "task/faces_store.h"

enum { PICTURE_BYTES_MAX = 64 << 20 };

/* Where the faces of the card at `card` are kept; its name too. */
static bool find_store(const char *card, const struct cmd_expert_env *env, char *path, size_t max, struct err *err)
{
    struct card *c = card_read(card, env->env.models_dir, err);
    if (!c)
        return false;
    const bool good = (c->task == EXPERT_FACES && yaml_get(c->node, "identify")) ||
                      card_fail(c, NULL, err, "faces are told apart by a card of task: faces with an `identify` (docs/CARDS.md)");
    const bool found = good && faces_store_path(env->env.data_dir, c->id, path, max, err);
    card_free(c);
    return found;
}

/* ---- add ---- */

struct wait { /* for the one job */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_over;
    struct err err;
    float *vector; /* owned */
    int n;
};

static void on_event(void *ctx, const struct expert_event *ev)
{
    struct wait *w = ctx;
    const float *v = ev->kind == EXPERT_RESULT ? ev->result->vector : ev->kind == EXPERT_VECTOR ? ev->vector : NULL;
    const int n = ev->kind == EXPERT_RESULT ? ev->result->n_vector : ev->n_vector;
    if (v && n > 0 && n <= FACE_VALUES_MAX && !w->vector && (w->vector = malloc((size_t)n * sizeof *v))) {
        memcpy(w->vector, v, (size_t)n * sizeof *v);
        w->n = n;
    }
    if (ev->kind != EXPERT_DONE && ev->kind != EXPERT_ERROR)
        return;
    pthread_mutex_lock(&w->lock);
    if (ev->kind == EXPERT_ERROR)
        w->err = *ev->err;
    w->is_over = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void free_bytes(void *p) { free(p); }

/* A job that looks at the picture; takes its bytes over. */
static struct job *make_job(char *bytes, size_t n, struct wait *w, struct err *err)
{
    struct job *j = job_new(1 << 16, err);
    struct task_media *m = j ? arena_alloc(j->arena, 1, sizeof *m, err) : NULL;
    if (!m) {
        free(bytes);
        job_unref(j);
        return NULL;
    }
    *m = (struct task_media){ .form = MEDIA_ENCODED, .bytes = bytes, .n_bytes = n };
    j->task = EXPERT_EMBED_IMAGE;
    j->request.media = m;
    j->request.n_media = 1;
    j->on_free = free_bytes;
    j->free_ctx = bytes;
    j->on_event = on_event;
    j->ctx = w;
    return j;
}

static bool look(struct expert *e, const char *file, struct wait *w, struct err *err)
{
    size_t n;
    char *bytes = file_read(file, PICTURE_BYTES_MAX, &n, err);
    struct job *j = bytes ? make_job(bytes, n, w, err) : NULL;
    if (!j)
        return false;
    const bool accepted = expert_submit(e, j, err);
    job_unref(j);
    if (!accepted)
        return false;
    pthread_mutex_lock(&w->lock);
    while (!w->is_over)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    if (w->err.code) {
        *err = w->err;
        return err_prefix(err, "%s", file);
    }
    return w->vector || err_set(err, ERR_INTERNAL, "%s: the expert gave no embedding", file);
}

static int run_add(int argc, char **argv, struct cmd_opt *opts)
{
    struct cmd_expert_env env;
    struct err err = { 0 };
    struct wait w = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    char path[1024];
    const char *card = cmd_opt_find(opts, "expert")->s;
    (void)argc;
    cmd_expert_env(&env, cmd_opt_find(opts, "models")->s);
    bool good = card || err_set(&err, ERR_INPUT, "--expert CARD.yaml: which expert looks at it is wanted");
    good = good && faces_store_check_name(argv[0], &err) && find_store(card, &env, path, sizeof path, &err);
    struct expert *e = good ? expert_open(card, &env.env, &err) : NULL;
    good = e && expert_wait_ready(e, &err) && look(e, argv[1], &w, &err) && faces_store_add(path, argv[0], w.vector, w.n, &err);
    expert_free(e);
    free(w.vector);
    if (!good)
        return cmd_fail(&err);
    printf("%s is known now\n", argv[0]);
    return 0;
}

/* ---- list, remove ---- */

static int by_name(const void *a, const void *b) { return strcmp(((const struct face *)a)->name, ((const struct face *)b)->name); }

static int run_list(int argc, char **argv, struct cmd_opt *opts)
{
    struct cmd_expert_env env;
    struct err err = { 0 };
    struct faces_store s = { 0 };
    char path[1024];
    (void)argc, (void)opts;
    cmd_expert_env(&env, NULL);
    if (!find_store(argv[0], &env, path, sizeof path, &err) || !faces_store_load(&s, path, &err))
        return cmd_fail(&err);
    if (s.n > 0)
        qsort(s.faces, (size_t)s.n, sizeof *s.faces, by_name);
    for (int i = 0, k; i < s.n; i = k) {
        for (k = i + 1; k < s.n && strcmp(s.faces[k].name, s.faces[i].name) == 0;)
            k++;
        printf("%s (%d picture%s)\n", s.faces[i].name, k - i, k - i == 1 ? "" : "s");
    }
    faces_store_fini(&s);
    return 0;
}

static int run_remove(int argc, char **argv, struct cmd_opt *opts)
{
    struct cmd_expert_env env;
    struct err err = { 0 };
    char path[1024];
    int n = 0;
    const char *card = cmd_opt_find(opts, "expert")->s;
    (void)argc;
    cmd_expert_env(&env, NULL);
    bool good = card || err_set(&err, ERR_INPUT, "--expert CARD.yaml: whose faces these are is wanted");
    good = good && find_store(card, &env, path, sizeof path, &err) && faces_store_remove(path, argv[0], &n, &err);
    if (good && n == 0)
        good = err_set(&err, ERR_NOT_FOUND, "%s: nobody of that name is enrolled", argv[0]);
    if (!good)
        return cmd_fail(&err);
    printf("%s is forgotten (%d picture%s)\n", argv[0], n, n == 1 ? "" : "s");
    return 0;
}

static struct cmd_opt add_opts[] = {
    { .name = "expert", .kind = OPT_TEXT, .value = "CARD", .help = "a card of task: faces that identifies" },
    { .name = "models", .kind = OPT_TEXT, .value = "DIR", .help = "where the card's model files lie (TUTTI_MODELS)" },
    { 0 },
};
static struct cmd_opt remove_opts[] = {
    { .name = "expert", .kind = OPT_TEXT, .value = "CARD", .help = "a card of task: faces that identifies" },
    { 0 },
};
static struct cmd_opt no_opts[] = { { 0 } };

const struct cmd cmd_face_add = {
    .name = "face add",
    .args = "NAME FILE",
    .min_args = 2,
    .max_args = 2,
    .help = "remember the largest face in a picture under a name",
    .more = "\nSeveral pictures of one person make it surer. Only numbers are kept, in ~/.local/share/tutti/faces/.\n",
    .opts = add_opts,
    .run = run_add,
};
const struct cmd cmd_face_list = {
    .name = "face list",
    .args = "CARD",
    .min_args = 1,
    .max_args = 1,
    .help = "who is known to a card's expert",
    .opts = no_opts,
    .run = run_list,
};
const struct cmd cmd_face_remove = {
    .name = "face remove",
    .args = "NAME",
    .min_args = 1,
    .max_args = 1,
    .help = "forget a person",
    .opts = remove_opts,
    .run = run_remove,
};
