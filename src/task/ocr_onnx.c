/* task/ocr_onnx.c - kind onnx, task ocr: text detector, angle classifier and recogniser as PP-OCR has them.
 *
 * For:     text in photos, slanted and upside down, where Tesseract sees noise (docs/CARDS.md, "Text in pictures").
 * Touches: two or three models, a dictionary.  Thread: one; the sessions share one library.
 * Rule:    find lines (ocr_db.h), cut them out upright (ocr_crop.h), turn those that stand on their heads, read lines of the
 *          same width in one run (ocr_ctc.h), put them in reading order (ocr_order.h).  What the models say is not
 *          trusted: shapes are checked after each run.
 * Start:   run_ocr().
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "media/image.h"
#include "media/resize.h"
#include "task/ocr_crop.h"
#include "task/ocr_ctc.h"
#include "task/ocr_db.h"
#include "task/ocr_order.h"
#include "task/ocr_words.h"
#include "task/onnx_open.h"

enum { LINES_MAX = 1000, CLASSES_MAX = 100000, DICT_BYTES_MAX = 4 << 20, BATCH_MAX = 32, WIDTH_STEP = 32, ANGLE_H = 48, ANGLE_W = 192 };

struct ocr_onnx {
    struct onnx *o;
    struct onnx_session *detect, *angle, *read; /* angle may be NULL */
    const struct card *card;
    /* the card's */
    int max_side_px, min_side_px, height, width_min, width_max, batch;
    struct ocr_db_options db_options;
    float flip_above;
    double mean[3], std[3];
    bool has_space; /* the class behind the dictionary is a space */
    /* dictionary: class i is at dict[i - 1] */
    char *dict_text;
    char **dict;
    int n_dict, spaces[2], n_spaces; /* the classes that are spaces */
    /* kept from picture to picture */
    struct image picture;
    struct resizer resizer;
    struct ocr_db db;
    struct ocr_words words;
    bool read_is_batched, angle_is_batched;
};

struct line { /* lives in the run's arena */
    struct ocr_rect rect; /* in pixels of the picture, in reading direction */
    int width;            /* of its crop */
    int in_w;             /* of the recogniser's input */
    int twin;             /* another reading of the same place (turned); -1: none */
    struct ctc_char *chars;
    int n_chars, n_steps;
    float score;
};

/* ---- opening ---- */

static void close_ocr(void *self)
{
    struct ocr_onnx *p = self;
    onnx_session_close(p->detect);
    onnx_session_close(p->angle);
    onnx_session_close(p->read);
    onnx_close(p->o);
    free(p->dict_text);
    free(p->dict);
    image_fini(&p->picture);
    resizer_fini(&p->resizer);
    ocr_db_fini(&p->db);
    ocr_words_fini(&p->words);
    free(p);
}

/* One character a line; line i is class i + 1 (0 is the blank). */
static bool read_dictionary(struct ocr_onnx *p, const char *path, struct err *err)
{
    size_t n;
    p->dict_text = file_read(path, DICT_BYTES_MAX, &n, err);
    if (!p->dict_text)
        return false;
    if (!utf8_is_valid(p->dict_text, n))
        return err_set(err, ERR_INPUT, "%s: not valid UTF-8", path);
    int n_lines = 0;
    for (size_t i = 0; i < n; i++)
        n_lines += p->dict_text[i] == '\n';
    p->dict = calloc((size_t)n_lines + 2, sizeof(*p->dict));
    if (!p->dict)
        return err_set(err, ERR_NOMEM, "%s: no memory", path);
    for (char *at = p->dict_text; at < p->dict_text + n;) {
        char *end = strchr(at, '\n');
        p->dict[p->n_dict++] = at;
        if (strcmp(at, " ") == 0 || strncmp(at, " \n", 2) == 0)
            p->spaces[p->n_spaces < 1 ? p->n_spaces++ : 0] = p->n_dict;
        if (!end)
            break;
        *end = '\0';
        if (end > at && end[-1] == '\r')
            end[-1] = '\0';
        at = end + 1;
    }
    if (p->has_space) {
        static char one_space[] = " ";
        p->dict[p->n_dict++] = one_space;
        p->spaces[p->n_spaces++] = p->n_dict;
    }
    return p->n_dict < CLASSES_MAX || err_set(err, ERR_LIMIT, "%s: more than %d lines", path, CLASSES_MAX);
}

static bool read_number(const struct card *c, const struct yaml_node *map, const char *key, double min, double max, float *out, struct err *err)
{
    double v = *out;
    if (!yaml_number(c->yaml, map, key, min, max, &v, err))
        return false;
    *out = (float)v;
    return true;
}
static bool read_int(const struct card *c, const struct yaml_node *map, const char *key, int min, int max, int *out, struct err *err)
{
    int64_t v = *out;
    if (!yaml_int(c->yaml, map, key, min, max, &v, err))
        return false;
    *out = (int)v;
    return true;
}

static bool read_card(struct ocr_onnx *p, const struct card *c, struct err *err)
{
    static const char *const keys[] = { "models", "dictionary", "detect", "angle", "recognize", ONNX_OPEN_KEYS, NULL };
    static const char *const detect_keys[] = { "max_side", "min_side", "threshold", "score", "unclip", "mean", "std", NULL };
    static const char *const angle_keys[] = { "flip_above", NULL };
    static const char *const read_keys[] = { "height", "width_min", "width_max", "batch", "space", NULL };
    const struct yaml_node *detect = NULL, *angle = NULL, *read = NULL;
    p->max_side_px = 960;
    p->min_side_px = 0;
    p->db_options = ocr_db_defaults;
    p->flip_above = 0.9f;
    p->height = 32;
    p->width_min = 320;
    p->width_max = 3200;
    p->batch = 8;
    p->has_space = true;
    memcpy(p->mean, (double[]) { 0.485, 0.456, 0.406 }, sizeof(p->mean));
    memcpy(p->std, (double[]) { 0.229, 0.224, 0.225 }, sizeof(p->std));
    const struct yaml *y = c->yaml;
    return card_check_keys(c, keys, err) && yaml_map(y, c->node, "detect", &detect, err) && yaml_map(y, c->node, "angle", &angle, err) &&
           yaml_map(y, c->node, "recognize", &read, err) && (!detect || yaml_check_keys(y, detect, detect_keys, NULL, err)) &&
           (!angle || yaml_check_keys(y, angle, angle_keys, NULL, err)) && (!read || yaml_check_keys(y, read, read_keys, NULL, err)) &&
           read_int(c, detect, "max_side", 32, 4096, &p->max_side_px, err) && read_int(c, detect, "min_side", 0, 4096, &p->min_side_px, err) &&
           read_number(c, detect, "threshold", 0, 1, &p->db_options.threshold, err) &&
           read_number(c, detect, "score", 0, 1, &p->db_options.min_score, err) &&
           read_number(c, detect, "unclip", 0, 4, &p->db_options.unclip, err) && yaml_numbers(y, detect, "mean", 3, p->mean, err) &&
           yaml_numbers(y, detect, "std", 3, p->std, err) && read_number(c, angle, "flip_above", 0, 1, &p->flip_above, err) &&
           read_int(c, read, "height", 8, 128, &p->height, err) && read_int(c, read, "width_min", 8, 4096, &p->width_min, err) &&
           read_int(c, read, "width_max", 64, 8192, &p->width_max, err) && read_int(c, read, "batch", 1, BATCH_MAX, &p->batch, err) &&
           yaml_bool(y, read, "space", &p->has_space, err);
}

/* A model of [N,3,H,W] floats in, one output; is_batched: N is free. */
static struct onnx_session *open_model(struct ocr_onnx *p, const struct task_env *env, const struct yaml_node *models, const char *key, bool *is_batched,
                                       struct err *err)
{
    char path[512];
    const struct yaml_node *node = yaml_get(models, key);
    if (!node) {
        card_fail(p->card, models, err, "models: %s is missing", key);
        return NULL;
    }
    if (!card_resolve(p->card, node, path, sizeof(path), err))
        return NULL;
    struct onnx_session *s = task_onnx_session(p->o, p->card, env, path, err);
    if (!s)
        return NULL;
    const struct tensor *in = onnx_input_info(s, 0);
    if (onnx_n_inputs(s) == 1 && onnx_n_outputs(s) >= 1 && in->type == TENSOR_F32 && in->n_dims == 4 && (in->dims[1] == 3 || in->dims[1] < 0) &&
        onnx_output_info(s, 0)->type == TENSOR_F32) {
        *is_batched = in->dims[0] < 0;
        return s;
    }
    onnx_session_close(s);
    card_fail(p->card, node, err, "models: %s: one input of [N,3,H,W] floats and an output of floats are wanted", key);
    return NULL;
}

static bool open_parts(struct ocr_onnx *p, const struct task_env *env, struct err *err)
{
    static const char *const model_keys[] = { "detect", "angle", "recognize", NULL };
    const struct yaml_node *models = NULL;
    char path[512];
    bool any;
    if (!read_card(p, p->card, err) || !yaml_map(p->card->yaml, p->card->node, "models", &models, err))
        return false;
    if (!models)
        return card_fail(p->card, NULL, err, "models: {detect: FILE, angle: FILE, recognize: FILE} is wanted");
    return yaml_check_keys(p->card->yaml, models, model_keys, NULL, err) && card_file(p->card, "dictionary", true, path, sizeof(path), err) &&
           read_dictionary(p, path, err) && (p->o = task_onnx_open(p->card, env, err)) &&
           (p->detect = open_model(p, env, models, "detect", &any, err)) &&
           (p->read = open_model(p, env, models, "recognize", &p->read_is_batched, err)) &&
           (!yaml_get(models, "angle") || (p->angle = open_model(p, env, models, "angle", &p->angle_is_batched, err)));
}

static bool open_ocr(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    struct ocr_onnx *p = calloc(1, sizeof(*p));
    if (!p)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    ocr_words_init(&p->words);
    p->card = card;
    if (!open_parts(p, env, err)) {
        close_ocr(p);
        return false;
    }
    *self = p;
    return true;
}

static void info_ocr(void *self, struct task_info *out)
{
    const struct ocr_onnx *p = self;
    out->tasks = EXPERT_OCR;
    snprintf(out->runs_on, sizeof(out->runs_on), "onnxruntime %.12s, %.16s", onnx_version(p->o), onnx_provider(p->read));
    snprintf(out->note, sizeof(out->note), "a dictionary of %d characters%s", p->n_dict, p->angle ? "" : "; no angle model: text upside down is not read");
}

/* ---- finding lines ---- */

static bool get_picture(struct ocr_onnx *p, const struct task_media *m, struct image *out, struct err *err)
{
    if (m->form == MEDIA_ENCODED) {
        if (!image_decode(m->bytes, m->n_bytes, 3, NULL, &p->picture, err))
            return false;
        *out = p->picture;
        return true;
    }
    if (m->form == MEDIA_RGB8) {
        *out = (struct image) { .px = (uint8_t *)(uintptr_t)m->bytes, .w = m->width_px, .h = m->height_px, .n_channels = 3,
                                .stride = (size_t)m->width_px * 3 };
        return true;
    }
    if (m->form != MEDIA_GREY8)
        return err_set(err, ERR_INPUT, "ocr: a picture is wanted");
    if (!image_resize_memory(&p->picture, m->width_px, m->height_px, 3, err))
        return false;
    const uint8_t *in = m->bytes;
    for (size_t i = 0; i < m->n_bytes; i++)
        memset(p->picture.px + 3 * i, in[i], 3);
    *out = p->picture;
    return true;
}

/* A side after scaling, to the nearest multiple of 32. */
static int rounded(double px)
{
    const int n = (int)(px / 32 + 0.5) * 32;
    return n < 32 ? 32 : n;
}

/* share: of the longest side, when less shall be looked at. */
static bool find_lines(struct ocr_onnx *p, const struct image *im, float share, struct ocr_rect *rects, int *n, struct err *err)
{
    const int longest = im->w > im->h ? im->w : im->h;
    const double most = share > 0 && share < 1 ? p->max_side_px * (double)share : p->max_side_px;
    const double scale = longest > most ? most / longest : longest < p->min_side_px ? (double)p->min_side_px / longest : 1;
    const int64_t dims[4] = { 1, 3, rounded(im->h * scale), rounded(im->w * scale) };
    if (!onnx_set_dims(p->detect, 0, dims, 4, err))
        return false;
    struct pixel_spec spec = { .w = (int)dims[3], .h = (int)dims[2], .fit = FIT_STRETCH, .filter = FILTER_BILINEAR, .order = ORDER_BGR,
                               .layout = LAYOUT_NCHW, .type = PIXEL_F32, .scale = 1.0f / 255 };
    for (int c = 0; c < 3; c++) {
        spec.mean[c] = (float)p->mean[c];
        spec.std[c] = (float)p->std[c];
    }
    if (!image_to_pixels(&p->resizer, im, &spec, onnx_input(p->detect, 0)->data, NULL, err) || !onnx_run(p->detect, err))
        return false;
    const struct tensor *map = onnx_output(p->detect, 0);
    if (map->n_dims < 2 || map->type != TENSOR_F32 || tensor_count(map->dims, map->n_dims) != dims[2] * dims[3])
        return err_set(err, ERR_INPUT, "detect: its output is no map of %lld x %lld", (long long)dims[3], (long long)dims[2]);
    if (!ocr_db_find(&p->db, map->data, spec.w, spec.h, &p->db_options, rects, LINES_MAX, n, err))
        return false;
    const float fx = (float)im->w / (float)spec.w, fy = (float)im->h / (float)spec.h;
    for (int i = 0; i < *n; i++) { /* from the map to the picture, whose scales may differ a little */
        struct ocr_rect *r = &rects[i];
        const float ux = r->ux * fx, uy = r->uy * fy, len = hypotf(ux, uy);
        r->cx *= fx;
        r->cy *= fy;
        r->half_w *= len;
        r->half_h *= fx * fy / len;
        r->ux = ux / len;
        r->uy = uy / len;
        if (r->uy == 0) { /* upright: stays within the picture */
            const float x0 = fmaxf(r->cx - r->half_w, 0), x1 = fminf(r->cx + r->half_w, (float)im->w);
            const float y0 = fmaxf(r->cy - r->half_h, 0), y1 = fminf(r->cy + r->half_h, (float)im->h);
            *r = (struct ocr_rect) { (x0 + x1) / 2, (y0 + y1) / 2, fmaxf((x1 - x0) / 2, 0.5f), fmaxf((y1 - y0) / 2, 0.5f), 1, 0, r->score };
        }
    }
    return true;
}

/* ---- which way is up ---- */

static bool turn_lines(struct ocr_onnx *p, const struct image *im, struct line *lines, int n, const struct task_out *out, struct err *err)
{
    const int most = p->angle_is_batched ? p->batch : 1;
    for (int at = 0; at < n; at += most) {
        const int k = n - at < most ? n - at : most;
        const int64_t dims[4] = { k, 3, ANGLE_H, ANGLE_W };
        if (out->is_cancelled(out->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (!onnx_set_dims(p->angle, 0, dims, 4, err))
            return false;
        float *in = onnx_input(p->angle, 0)->data;
        for (int i = 0; i < k; i++)
            ocr_crop(im, &lines[at + i].rect, ANGLE_H, ocr_crop_width(&lines[at + i].rect, ANGLE_H, ANGLE_W), ANGLE_W, in + (size_t)i * 3 * ANGLE_H * ANGLE_W);
        if (!onnx_run(p->angle, err))
            return false;
        const struct tensor *t = onnx_output(p->angle, 0);
        if (t->type != TENSOR_F32 || t->n_dims != 2 || t->dims[0] != k || t->dims[1] != 2)
            return err_set(err, ERR_INPUT, "angle: its output is not [%d,2]", k);
        for (int i = 0; i < k; i++)
            if (((const float *)t->data)[2 * i + 1] > p->flip_above)
                lines[at + i].rect = ocr_rect_flip(lines[at + i].rect);
    }
    return true;
}

/* ---- reading ---- */

/* Lines of the same input width, at most `batch`: idx[0..k). */
static bool read_some(struct ocr_onnx *p, const struct image *im, struct line *lines, const int *idx, int k, const struct task_out *out, struct err *err)
{
    const int w = lines[idx[0]].in_w, h = p->height;
    const int64_t dims[4] = { k, 3, h, w };
    bool *is_ink = arena_alloc(out->arena, (size_t)w, sizeof(bool), err);
    if (!is_ink || !onnx_set_dims(p->read, 0, dims, 4, err))
        return false;
    float *in = onnx_input(p->read, 0)->data;
    const size_t n_in = (size_t)3 * (size_t)h * (size_t)w;
    for (int i = 0; i < k; i++)
        ocr_crop(im, &lines[idx[i]].rect, h, lines[idx[i]].width, w, in + (size_t)i * n_in);
    if (!onnx_run(p->read, err))
        return false;
    const struct tensor *t = onnx_output(p->read, 0);
    if (t->type != TENSOR_F32 || t->n_dims != 3 || t->dims[0] != k || t->dims[1] < 1 || t->dims[1] > w || t->dims[2] != p->n_dict + 1)
        return err_set(err, ERR_INPUT, "recognize: its output is not [%d,steps,%d]: does the dictionary belong to the model?", k, p->n_dict + 1);
    const int n_steps = (int)t->dims[1];
    const float *probs = t->data;
    for (int i = 0; i < k; i++) {
        struct line *l = &lines[idx[i]];
        l->chars = arena_alloc(out->arena, 2 * (size_t)n_steps, sizeof(*l->chars), err);
        if (!l->chars)
            return false;
        l->n_steps = n_steps;
        const float *of_line = probs + (size_t)i * (size_t)n_steps * (size_t)(p->n_dict + 1);
        l->n_chars = ctc_greedy(of_line, n_steps, p->n_dict + 1, 0, l->chars, &l->score);
        if (p->n_spaces) {
            ocr_crop_ink(in + (size_t)i * n_in, h, l->width, w, is_ink);
            memset(is_ink + l->width, 0, (size_t)(w - l->width) * sizeof(bool));
            l->n_chars = ctc_put_spaces(l->chars, l->n_chars, of_line, n_steps, p->n_dict + 1, p->spaces, p->n_spaces, is_ink, w, h);
        }
    }
    return true;
}

static bool read_lines(struct ocr_onnx *p, const struct image *im, struct line *lines, int n, const struct task_out *out, struct err *err)
{
    const int most = p->read_is_batched ? p->batch : 1;
    int *idx = arena_alloc(out->arena, (size_t)n, sizeof(int), err);
    if (!idx)
        return false;
    for (int i = 0; i < n; i++) {
        struct line *l = &lines[i];
        l->width = ocr_crop_width(&l->rect, p->height, p->width_max);
        l->in_w = l->width < p->width_min ? p->width_min : (l->width + WIDTH_STEP - 1) / WIDTH_STEP * WIDTH_STEP;
        int at = i; /* narrow ones first; few lines: insertion */
        for (; at > 0 && lines[idx[at - 1]].in_w > l->in_w; at--)
            idx[at] = idx[at - 1];
        idx[at] = i;
    }
    for (int at = 0, k; at < n; at += k) {
        for (k = 1; k < most && at + k < n && lines[idx[at + k]].in_w == lines[idx[at]].in_w; k++)
            ;
        if (out->is_cancelled(out->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (!read_some(p, im, lines, idx + at, k, out, err))
            return false;
    }
    return true;
}

/* ---- the answer ---- */

static bool put_line(struct ocr_onnx *p, const struct line *l, int row, struct buf *text, struct err *err)
{
    const float per_step = (float)l->in_w / (float)l->n_steps / (float)l->width; /* fraction of the line */
    size_t word_at = 0;
    int first = -1; /* char of the word */
    double sum = 0;
    buf_clear(text);
    for (int i = 0; i <= l->n_chars; i++) {
        const bool is_space = i == l->n_chars || strcmp(p->dict[l->chars[i].index - 1], " ") == 0;
        if (is_space && first >= 0) {
            struct result_word where = { .score = (float)(sum / (i - first)), .line = row };
            const float from = (float)l->chars[first].first * per_step, to = (float)(l->chars[i - 1].last + 1) * per_step;
            ocr_rect_box(&l->rect, fminf(from, 1), fminf(to, 1), &where.x, &where.y, &where.w, &where.h);
            if (!buf_ok(text, "text in a picture", err) || !ocr_words_add(&p->words, text->data + word_at, text->len - word_at, &where, err))
                return false;
            first = -1;
        }
        if (is_space)
            continue;
        if (first < 0) {
            buf_puts(text, text->len ? " " : "");
            word_at = text->len;
            first = i;
            sum = 0;
        }
        buf_puts(text, p->dict[l->chars[i].index - 1]);
        sum += (double)l->chars[i].p;
    }
    if (text->len == 0)
        return true;
    struct result_box box = { .score = l->score };
    ocr_rect_box(&l->rect, 0, 1, &box.x, &box.y, &box.w, &box.h);
    if (l->rect.uy != 0) { /* corners, clockwise from where reading begins */
        static const float at[4][2] = { { -1, -1 }, { 1, -1 }, { 1, 1 }, { -1, 1 } };
        const struct ocr_rect *r = &l->rect;
        box.n_points = 4;
        for (int i = 0; i < 4; i++) {
            const float u = at[i][0] * r->half_w, v = at[i][1] * r->half_h;
            box.points[i] = (struct result_point) { r->cx + u * r->ux - v * r->uy, r->cy + u * r->uy + v * r->ux };
        }
    }
    return ocr_words_add_line(&p->words, text->data, text->len, &box, err);
}

static bool put_lines(struct ocr_onnx *p, const struct image *im, const struct line *lines, int n, float threshold, const struct task_out *out, struct err *err)
{
    struct ocr_item *items = arena_alloc(out->arena, (size_t)n, sizeof(*items), err);
    int *order = arena_alloc(out->arena, (size_t)n * 3, sizeof(int), err);
    if (!items || !order)
        return false;
    int k = 0, *which = order + 2 * n;
    for (int i = 0; i < n; i++) {
        const struct line *l = &lines[i];
        if (l->n_chars == 0 || l->score < threshold || (l->twin >= 0 && (l->score < lines[l->twin].score || (l->score == lines[l->twin].score && l->twin < i))))
            continue;
        ocr_rect_box(&l->rect, 0, 1, &items[k].x, &items[k].y, &items[k].w, &items[k].h);
        which[k++] = i;
    }
    ocr_order(items, k, order, order + n);
    struct buf text;
    buf_init(&text, OCR_TEXT_BYTES_MAX);
    bool good = true;
    for (int i = 0; i < k && good; i++)
        good = put_line(p, &lines[which[order[i]]], items[order[i]].row, &text, err);
    buf_fini(&text);
    struct task_result r = { .width_px = im->w, .height_px = im->h };
    return good && ocr_words_result(&p->words, &r, err) && task_emit_result(out, &r, err);
}

static bool run_ocr(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct ocr_onnx *p = self;
    struct image im;
    int n_rects = 0, n = 0;
    struct ocr_rect *rects = arena_alloc(out->arena, LINES_MAX, sizeof(*rects), err);
    struct line *lines = rects ? arena_alloc(out->arena, LINES_MAX * 2, sizeof(*lines), err) : NULL;
    ocr_words_clear(&p->words);
    if (!lines || !get_picture(p, &rq->media[0], &im, err) || !find_lines(p, &im, rq->options.input_share, rects, &n_rects, err))
        return false;
    for (int i = 0; i < n_rects; i++) {
        lines[n++] = (struct line) { .rect = rects[i], .twin = -1 };
        if (rects[i].uy == 0 && rects[i].half_h >= 1.5f * rects[i].half_w) { /* tall: one letter, or a line that runs downwards? */
            lines[n - 1].twin = n;
            lines[n] = (struct line) { .rect = ocr_rect_turn(rects[i]), .twin = n - 1 };
            n++;
        }
    }
    return (!p->angle || turn_lines(p, &im, lines, n, out, err)) && read_lines(p, &im, lines, n, out, err) &&
           put_lines(p, &im, lines, n, rq->options.threshold, out, err);
}

const struct task_kind task_ocr_onnx = { "onnx", "ocr", open_ocr, close_ocr, info_ocr, run_ocr, NULL };
