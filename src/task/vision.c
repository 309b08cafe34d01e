/* task/vision.c - the kind `onnx` for pictures: classify, detect, faces, segment, embed-image; start reading at vision_run().
 *
 * A request's way: bytes -> pixels (media/) -> the session's bound input -> run -> a head reads the outputs in place -> result.
 * Several requests share a run when the model's first dimension allows it.
 */
#include "task/vision.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "task/faces.h"

/* ---- opening ---- */

static const struct vision_head *const heads[] = {
#define X(name) &vision_head_##name,
    VISION_HEADS(X)
#undef X
};
enum { N_HEADS = sizeof(heads) / sizeof(*heads) };

static const char *const card_keys[] = { ONNX_OPEN_KEYS, VISION_INPUT_KEY, "labels", "head", FACES_KEYS, NULL };
static const char *const head_keys[] = { "type", "threshold", "nms", "top", NULL };

static const struct vision_head *find_head(const struct card *card, const struct yaml_node *node, struct err *err)
{
    const struct yaml_node *name = node && node->kind == YAML_MAP ? yaml_get(node, "type") : node;
    const char *names[N_HEADS + 1] = { NULL }, *word = NULL;
    char list[160] = "";
    int n = 0;
    if (name && !yaml_node_text(card->yaml, name, &word, err))
        return NULL;
    for (int i = 0; i < N_HEADS; i++) {
        if (!(heads[i]->tasks & card->task))
            continue;
        if (word && strcmp(word, heads[i]->name) == 0)
            return heads[i];
        const size_t at = strlen(list);
        snprintf(list + at, sizeof list - at, "%s%s", n ? ", " : "", heads[i]->name);
        names[n++] = heads[i]->name;
    }
    for (int i = 0; i < N_HEADS && !word; i++) /* the only one, or the one called as the task */
        if ((heads[i]->tasks & card->task) && (n == 1 || strcmp(heads[i]->name, expert_task_name(card->task)) == 0))
            return heads[i];
    const char *near = word ? yaml_nearest(word, names) : NULL;
    if (near)
        card_fail(card, name, err, "head: '%s' cannot %s; did you mean '%s'?", word, expert_task_name(card->task), near);
    else
        card_fail(card, name, err, "head: one of %s is wanted to %s", list, expert_task_name(card->task));
    return NULL;
}

static bool open_head(struct vision *v, struct err *err)
{
    const struct card *card = v->card;
    const struct yaml_node *node = yaml_get(card->node, "head");
    double threshold = -1, nms = -1;
    int64_t top = 0;
    v->head = find_head(card, node, err);
    if (!v->head)
        return false;
    const struct yaml_node *map = node && node->kind == YAML_MAP ? node : NULL;
    if (map && (!yaml_check_keys(card->yaml, map, v->head->keys, head_keys, err) || !yaml_number(card->yaml, map, "threshold", 0, 1e9, &threshold, err) ||
                !yaml_number(card->yaml, map, "nms", 0, 1, &nms, err) || !yaml_int(card->yaml, map, "top", 1, 10000, &top, err)))
        return false;
    v->state = calloc(1, v->head->state_bytes ? v->head->state_bytes : 1);
    if (!v->state)
        return err_set(err, ERR_NOMEM, "%s: out of memory", card->id);
    if (!v->head->open(v, v->state, map, err)) /* sets defaults */
        return false;
    if (threshold >= 0)
        v->threshold = (float)threshold;
    if (nms >= 0)
        v->max_iou = (float)nms;
    if (top > 0)
        v->n_top = (int)top;
    if (v->head->is_single)
        v->in.n_batch = 1;
    return true;
}

static bool open_rest(struct vision *v, const struct card *card, struct err *err)
{
    enum { SCRATCH_BYTES_MAX = 1 << 30 };
    const struct yaml_node *input = NULL;
    return yaml_map(card->yaml, card->node, VISION_INPUT_KEY, &input, err) && (v->scratch = arena_new(SCRATCH_BYTES_MAX, err)) &&
           vision_input_open(&v->in, &v->net, card, input, err) && labels_read(&v->labels, card, err) && open_head(v, err);
}

bool vision_open(struct vision *v, const struct card *card, const struct task_env *env, struct onnx *o, struct err *err)
{
    char path[1024];
    struct stat st;
    *v = (struct vision){ .card = card, .o = o, .owns_o = !o };
    if (!card_check_keys(card, card_keys, err) || !task_onnx_model(card, path, sizeof path, err))
        return false;
    if (stat(path, &st) == 0)
        v->file_bytes = (uint64_t)st.st_size;
    if ((!v->o && !(v->o = task_onnx_open(card, env, err))) || !(v->s = task_onnx_session(v->o, card, env, path, err)))
        return false;
    v->net = vision_net_onnx(v->s);
    return open_rest(v, card, err);
}

bool vision_open_net(struct vision *v, const struct card *card, const struct vision_net *net, const char *const *keys, struct err *err)
{
    *v = (struct vision){ .card = card, .net = *net };
    return card_check_keys(card, keys, err) && open_rest(v, card, err);
}

void vision_fini(struct vision *v)
{
    vision_input_fini(&v->in);
    labels_fini(&v->labels);
    free(v->state);
    onnx_session_close(v->s);
    if (v->owns_o)
        onnx_close(v->o);
    arena_free(v->scratch);
}

/* ---- for heads ---- */

bool vision_get(struct vision *v, int j, int slot, struct vision_output *out, struct err *err)
{
    const struct tensor *t = v->net.ops->output(v->net.self, j), *in = v->net.ops->input(v->net.self, v->in.index);
    const int64_t n_batch = in->dims[0];
    size_t n;
    if (!t || t->n_dims < 1 || t->dims[0] != n_batch || n_batch < 1)
        return err_set(err, ERR_UNSUPPORTED, "output %d has no batch of %d as its first dimension", j, (int)n_batch);
    const float *x = v->net.ops->floats(v->net.self, j, v->scratch, &n, err);
    if (!x)
        return false;
    out->n = n / (size_t)n_batch;
    out->x = x + (size_t)slot * out->n;
    out->dims = t->dims + 1;
    out->n_dims = t->n_dims - 1;
    return true;
}

bool vision_find_output(struct vision *v, const struct yaml_node *map, const char *key, int first, int *j, struct err *err)
{
    const char *name = NULL;
    if (!yaml_text(v->card->yaml, map, key, &name, err))
        return false;
    *j = name ? vision_net_find(&v->net, true, name) : first;
    if (name && *j < 0)
        return card_fail(v->card, yaml_get(map, key), err, "%s: the model has no output '%s'; its first is '%s'", key, name, v->net.ops->output_info(v->net.self, 0)->name);
    if (*j < 0 || *j >= v->net.ops->n_outputs(v->net.self))
        return card_fail(v->card, map, err, "%s: which output is wanted", key);
    return true;
}

float vision_threshold(const struct vision *v, const struct task_request *rq)
{
    return rq->options.threshold > 0 ? rq->options.threshold : v->threshold;
}

int vision_n_top(const struct vision *v, const struct task_request *rq, int otherwise)
{
    return rq->options.n_top > 0 ? rq->options.n_top : v->n_top > 0 ? v->n_top : otherwise;
}

static float clip(float x, float max) { return x < 0 ? 0 : x > max ? max : x; }

bool vision_emit_boxes(struct vision *v, struct nms *s, const struct vision_frame *f, const struct task_request *rq, bool has_labels, struct arena *arena,
                       struct task_result *r, struct err *err)
{
    enum { BOXES_MAX = 300 };
    const int top = vision_n_top(v, rq, BOXES_MAX);
    const int n = nms_run(s, v->max_iou, false, top < NMS_COMPARED_MAX ? top : NMS_COMPARED_MAX);
    struct result_box *b = arena_alloc(arena, (size_t)n, sizeof *b, err);
    if (!b)
        return false;
    r->n_boxes = 0;
    for (int i = 0; i < n; i++) {
        const float x1 = clip(vision_x(f, s->boxes[i].x1), (float)f->w_px), x2 = clip(vision_x(f, s->boxes[i].x2), (float)f->w_px);
        const float y1 = clip(vision_y(f, s->boxes[i].y1), (float)f->h_px), y2 = clip(vision_y(f, s->boxes[i].y2), (float)f->h_px);
        if (!(x2 > x1) || !(y2 > y1))
            continue; /* it lies in the fill */
        const int k = r->n_boxes++;
        s->boxes[k] = s->boxes[i];
        b[k] = (struct result_box){ .score = s->boxes[k].score, .x = x1, .y = y1, .w = x2 - x1, .h = y2 - y1 };
        b[k].label = has_labels ? labels_get(&v->labels, s->boxes[k].cls, arena, err) : "face";
        if (!b[k].label)
            return false;
    }
    r->boxes = b;
    return true;
}

/* ---- running ---- */

bool vision_look(struct vision *v, const struct image *picture, const struct task_request *rq, struct arena *arena, struct task_result *r, struct err *err)
{
    struct vision_frame f;
    arena_reset(v->scratch);
    r->width_px = picture->w;
    r->height_px = picture->h;
    return vision_input_shape(&v->in, &v->net, picture, 1, err) && vision_input_put(&v->in, &v->net, picture, 0, &f, err) && v->net.ops->run(v->net.self, err) &&
           v->head->read(v, v->state, 0, &f, rq, arena, r, err);
}

struct vision_task {
    struct vision v;
    struct faces *faces; /* NULL: nobody is told apart */
};

static bool run_one(struct vision_task *t, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct task_result r = { 0 };
    struct image picture;
    if (rq->task == EXPERT_INFER)
        return task_onnx_infer(t->v.s, rq, out, err);
    if (!vision_picture(&t->v.in, rq, &picture, err))
        return false;
    if (t->faces ? !faces_look(t->faces, &picture, rq, out->arena, &r, err) : !vision_look(&t->v, &picture, rq, out->arena, &r, err))
        return false;
    return task_emit_result(out, &r, err);
}

static bool vision_run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err) { return run_one(self, rq, out, err); }

/* Up to n_batch pictures in one run.  A picture that cannot be decoded fails alone. */
static void run_together(struct vision *v, const struct task_request *const *rqs, const struct task_out *const *outs, struct err *errs, int n)
{
    enum { MAX = 64 };
    struct vision_frame frames[MAX];
    int slots[MAX], n_slots = 0;
    struct err err = { 0 };
    bool good = vision_input_shape(&v->in, &v->net, NULL, n, &err);
    for (int i = 0; i < n && good; i++) {
        struct image picture;
        err_clear(&errs[i]);
        if (vision_picture(&v->in, rqs[i], &picture, &errs[i]) && vision_input_put(&v->in, &v->net, &picture, n_slots, &frames[n_slots], &errs[i]))
            slots[n_slots++] = i;
    }
    if (good && n_slots == 0)
        return;
    /* fewer than were expected: the last ones are computed for nobody */
    arena_reset(v->scratch);
    good = good && v->net.ops->run(v->net.self, &err);
    for (int i = 0; i < n && !good; i++)
        if (!errs[i].code)
            errs[i] = err;
    for (int k = 0; k < n_slots && good; k++) {
        const int i = slots[k];
        struct task_result r = { .width_px = frames[k].w_px, .height_px = frames[k].h_px };
        if (v->head->read(v, v->state, k, &frames[k], rqs[i], outs[i]->arena, &r, &errs[i]))
            task_emit_result(outs[i], &r, &errs[i]);
    }
}

static void vision_run_batch(void *self, const struct task_request *const *rqs, const struct task_out *const *outs, struct err *errs, int n)
{
    struct vision_task *t = self;
    for (int i = 0; i < n;) {
        int k = i;
        while (!t->faces && t->v.in.n_batch > 1 && k < n && k - i < t->v.in.n_batch && rqs[k]->task != EXPERT_INFER)
            k++;
        if (k - i > 1) {
            run_together(&t->v, rqs + i, outs + i, errs + i, k - i);
            i = k;
        } else {
            err_clear(&errs[i]);
            run_one(t, rqs[i], outs[i], &errs[i]);
            i++;
        }
    }
}

/* ---- the kinds ---- */

static void vision_free(void *self)
{
    struct vision_task *t = self;
    if (!t)
        return;
    faces_close(t->faces);
    vision_fini(&t->v);
    free(t);
}

static bool vision_task_open(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    struct vision_task *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERR_NOMEM, "%s: out of memory", card->id);
    if (vision_open(&t->v, card, env, NULL, err) && faces_open(&t->faces, &t->v, env, err)) {
        *self = t;
        return true;
    }
    vision_free(t);
    return false;
}

static void vision_info(void *self, struct task_info *out)
{
    struct vision_task *t = self;
    out->tasks = t->v.card->task | (t->faces ? EXPERT_EMBED_IMAGE : 0);
    out->n_batch_max = t->faces ? 1 : t->v.in.n_batch;
    /* weights once as they are, once as kernels want them, and what a run needs: measured to be about that with small models */
    out->memory_bytes = t->v.card->memory_bytes ? t->v.card->memory_bytes : 2 * (t->v.file_bytes + faces_file_bytes(t->faces)) + 40000000;
    task_onnx_info(t->v.o, t->v.s, t->v.card, out);
}

#define KIND(name, word)                                                                           \
    const struct task_kind name = { .kind = "onnx", .task = word, .open = vision_task_open, .free = vision_free, .info = vision_info, .run = vision_run, .run_batch = vision_run_batch };
KIND(task_onnx_classify, "classify")
KIND(task_onnx_detect, "detect")
KIND(task_onnx_embed_image, "embed-image")
KIND(task_onnx_faces, "faces")
KIND(task_onnx_segment, "segment")
