/* task/faces.c - see faces.h; start reading at faces_look().
 *
 * Alignment: the similarity (turn, scale, shift) that brings the five landmarks nearest to those of an upright face in 112 x 112
 * pixels, in the sense of least squares (Umeyama 1991; the places are InsightFace's, python-package/insightface/utils/face_align.py).
 */
#include "task/faces.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "task/faces_store.h"

enum { POINTS = 5, FACES_IDENTIFIED_MAX = 64 };

struct faces {
    struct vision *v; /* finds the faces */
    struct onnx_session *s;
    struct vision_net net;
    struct vision_input in;
    struct image crop;
    float threshold;
    char store_path[1024]; /* "": nothing is kept */
    struct faces_store store;
    struct timespec store_time;
    off_t store_bytes;
    uint64_t file_bytes;
};

/* Right eye, left eye, nose, right and left corner of the mouth (the person's own sides), in pixels of 112 x 112, centres whole. */
static const float upright[POINTS][2] = { { 38.2946f, 51.6963f }, { 73.5318f, 51.5014f }, { 56.0252f, 71.7366f }, { 41.5493f, 92.3655f }, { 70.7299f, 92.2041f } };

/* ---- opening ---- */

bool faces_open(struct faces **out, struct vision *v, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { "model", "input", "threshold", NULL };
    const struct card *card = v->card;
    const struct yaml_node *map = NULL, *input = NULL;
    char path[1024];
    double threshold = 0.4;
    struct stat st;
    *out = NULL;
    if (!yaml_map(card->yaml, card->node, FACES_KEYS, &map, err))
        return false;
    if (!map)
        return true;
    const struct yaml_node *model = yaml_get(map, "model");
    if (card->task != EXPERT_FACES)
        return card_fail(card, map, err, "identify: belongs to task: faces");
    if (!yaml_check_keys(card->yaml, map, keys, NULL, err) || !yaml_map(card->yaml, map, "input", &input, err) ||
        !yaml_number(card->yaml, map, "threshold", -1, 1, &threshold, err))
        return false;
    if (!model)
        return card_fail(card, map, err, "identify: a model that makes embeddings of faces is wanted");
    if (!card_resolve(card, model, path, sizeof path, err))
        return false;
    struct faces *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(err, ERR_NOMEM, "%s: out of memory", card->id);
    *out = f;
    f->v = v;
    f->threshold = (float)threshold;
    if (stat(path, &st) == 0)
        f->file_bytes = (uint64_t)st.st_size;
    struct err none;
    if (!faces_store_path(env->data_dir, card->id, f->store_path, sizeof f->store_path, &none))
        f->store_path[0] = '\0';
    f->s = task_onnx_session(v->o, card, env, path, err);
    f->net = vision_net_onnx(f->s);
    if (f->s && vision_input_open(&f->in, &f->net, card, input, err)) {
        if (f->in.spec.w > 0)
            return true;
        card_fail(card, map, err, "identify: input: size: [width, height] is wanted, the model leaves it free");
    }
    faces_close(f);
    *out = NULL;
    return false;
}

void faces_close(struct faces *f)
{
    if (!f)
        return;
    vision_input_fini(&f->in);
    image_fini(&f->crop);
    onnx_session_close(f->s);
    faces_store_fini(&f->store);
    free(f);
}

uint64_t faces_file_bytes(const struct faces *f) { return f ? f->file_bytes : 0; }

/* ---- one face ---- */

/* The similarity that takes upright[] to the landmarks: x' = a x - b y + tx, y' = b x + a y + ty. */
static bool fit_points(const struct result_point *p, float m[4])
{
    double mx = 0, my = 0, ux = 0, uy = 0, xx = 0, xy = 0, uu = 0;
    for (int i = 0; i < POINTS; i++) {
        mx += (double)p[i].x / POINTS;
        my += (double)p[i].y / POINTS;
        ux += (double)upright[i][0] / POINTS;
        uy += (double)upright[i][1] / POINTS;
    }
    for (int i = 0; i < POINTS; i++) {
        const double x = (double)p[i].x - mx, y = (double)p[i].y - my, u = (double)upright[i][0] - ux, w = (double)upright[i][1] - uy;
        xx += u * x + w * y;
        xy += u * y - w * x;
        uu += u * u + w * w;
    }
    const double a = xx / uu, b = xy / uu;
    if (!(a * a + b * b > 1e-6) || !isfinite(a + b))
        return false;
    m[0] = (float)a;
    m[1] = (float)b;
    m[2] = (float)(mx - a * ux + b * uy);
    m[3] = (float)(my - b * ux - a * uy);
    return true;
}

static bool cut_out(struct faces *f, const struct image *picture, const struct result_box *b, struct err *err)
{
    const int w = f->in.spec.w, h = f->in.spec.h;
    float m[4], quad[4][2];
    static const float corners[4][2] = { { 0, 0 }, { 112, 0 }, { 112, 112 }, { 0, 112 } };
    if (b->n_points >= POINTS && fit_points(b->points, m)) {
        for (int i = 0; i < 4; i++) { /* centres lie at +0.5 for image_crop_quad(), at whole numbers for the template */
            const float x = corners[i][0] - 0.5f, y = corners[i][1] - 0.5f;
            quad[i][0] = m[0] * x - m[1] * y + m[2] + 0.5f;
            quad[i][1] = m[1] * x + m[0] * y + m[3] + 0.5f;
        }
    } else { /* no landmarks: a square around the box */
        const float side = 1.2f * fmaxf(b->w, b->h) / 2, cx = b->x + b->w / 2, cy = b->y + b->h / 2;
        for (int i = 0; i < 4; i++) {
            quad[i][0] = cx + (corners[i][0] > 0 ? side : -side);
            quad[i][1] = cy + (corners[i][1] > 0 ? side : -side);
        }
    }
    return image_crop_quad(picture, quad, w, h, &f->crop, err);
}

/* The embedding in the session's output. */
static const float *embed(struct faces *f, const struct image *picture, const struct result_box *b, struct arena *arena, size_t *n, struct err *err)
{
    struct vision_frame frame;
    if (!cut_out(f, picture, b, err) || !vision_input_shape(&f->in, &f->net, &f->crop, 1, err) || !vision_input_put(&f->in, &f->net, &f->crop, 0, &frame, err) ||
        !onnx_run(f->s, err))
        return NULL;
    const float *x = task_onnx_floats(f->s, 0, arena, n, err);
    if (!x)
        return NULL;
    *n /= (size_t)onnx_input(f->s, f->in.index)->dims[0];
    if (*n < 1 || *n > FACE_VALUES_MAX)
        return err_null(err, ERR_UNSUPPORTED, "identify: embeddings of %zu numbers", *n);
    return x;
}

/* ---- who is enrolled ---- */

static bool look_at_store(struct faces *f, struct err *err)
{
    struct stat st;
    if (!f->store_path[0])
        return true;
    if (stat(f->store_path, &st) != 0) {
        faces_store_fini(&f->store);
        f->store_bytes = 0;
        return true;
    }
    if (st.st_size == f->store_bytes && st.st_mtim.tv_sec == f->store_time.tv_sec && st.st_mtim.tv_nsec == f->store_time.tv_nsec)
        return true;
    faces_store_fini(&f->store);
    if (!faces_store_load(&f->store, f->store_path, err))
        return false;
    f->store_bytes = st.st_size;
    f->store_time = st.st_mtim;
    return true;
}

static bool give_embedding(struct faces *f, const struct image *picture, struct arena *arena, struct task_result *r, struct err *err)
{
    const struct result_box *largest = NULL;
    size_t n;
    for (int i = 0; i < r->n_boxes; i++)
        if (!largest || r->boxes[i].w * r->boxes[i].h > largest->w * largest->h)
            largest = &r->boxes[i];
    if (!largest)
        return err_set(err, ERR_INPUT, "no face was found in the picture");
    const float *x = embed(f, picture, largest, arena, &n, err);
    float *y = x ? arena_alloc(arena, n, sizeof *y, err) : NULL;
    if (!y)
        return false;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    for (size_t i = 0; i < n; i++)
        y[i] = sum > 0 ? (float)((double)x[i] / sqrt(sum)) : 0;
    r->vector = y;
    r->n_vector = (int)n;
    return true;
}

bool faces_look(struct faces *f, const struct image *picture, const struct task_request *rq, struct arena *arena, struct task_result *r, struct err *err)
{
    bool is_somebody = false;
    if (!vision_look(f->v, picture, rq, arena, r, err))
        return false;
    if (rq->task == EXPERT_EMBED_IMAGE)
        return give_embedding(f, picture, arena, r, err);
    if (!look_at_store(f, err))
        return false;
    struct result_box *boxes = (struct result_box *)r->boxes; /* in our arena */
    for (int i = 0; i < r->n_boxes && i < FACES_IDENTIFIED_MAX && f->store.n > 0; i++) {
        size_t n;
        const float *x = embed(f, picture, &boxes[i], arena, &n, err);
        if (!x)
            return false;
        const struct face *who = faces_store_nearest(&f->store, x, (int)n, &boxes[i].name_score);
        if (!who && f->store.n_values != (int)n)
            return err_set(err, ERR_INPUT, "%s: holds faces of another model; remove them", f->store_path);
        if (who && boxes[i].name_score >= f->threshold) {
            boxes[i].name = who->name;
            is_somebody = true;
        } else
            boxes[i].name_score = 0;
    }
    if (f->store.n == 0)
        r->note = "nobody is enrolled yet: tutti face add NAME FILE";
    else if (r->n_boxes > 0 && !is_somebody)
        r->note = "no face found is enrolled";
    return true;
}
