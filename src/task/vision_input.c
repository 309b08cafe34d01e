/* task/vision_input.c - a picture becomes a model's input: what the card's `input` says, against what the model has. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtype/dtype.h"
#include "task/vision.h"

enum { SIDE_MAX = 8192, BATCH_MAX = 64, BATCH_DEFAULT = 16 };

/* ---- the card ---- */

static const char *const input_keys[] = { "name", "size", "multiple", "max_side", "fit", "short", "centre", "filter", "colour", "scale",
                                          "mean", "std", "fill", "layout", NULL };

/* A number, or "1/255". */
static bool read_scale(const struct card *card, const struct yaml_node *map, float *out, struct err *err)
{
    const struct yaml_node *node = yaml_get(map, "scale");
    double a = 0, b = 1;
    char rest;
    if (!node)
        return true;
    const int n = node->kind == YAML_TEXT ? sscanf(node->text, "%lf / %lf %c", &a, &b, &rest) : 0;
    if ((n != 1 && n != 2) || !(a / b > 0) || !isfinite(a / b) || (n == 1 && strchr(node->text, '/')))
        return card_fail(card, node, err, "scale: a number above 0, or a fraction such as 1/255");
    *out = (float)(a / b);
    return true;
}

static bool read_size(const struct card *card, const struct yaml_node *map, int64_t size[2], struct err *err)
{
    double d[2] = { 0, 0 };
    if (!yaml_numbers(card->yaml, map, "size", 2, d, err))
        return false;
    if (!yaml_get(map, "size"))
        return true;
    for (int i = 0; i < 2; i++) {
        if (!(d[i] >= 1 && d[i] <= SIDE_MAX) || d[i] != floor(d[i]))
            return card_fail(card, yaml_get(map, "size"), err, "size: [width, height] in pixels, at most %d", SIDE_MAX);
        size[i] = (int64_t)d[i];
    }
    return true;
}

static bool read_map(struct vision_input *in, const struct card *card, const struct yaml_node *map, int64_t size[2], int *layout, struct err *err)
{
    static const char *const fits[] = { "stretch", "letterbox", "cover", NULL };
    static const char *const filters[] = { "bilinear", "area", NULL };
    static const char *const colours[] = { "rgb", "bgr", "grey", NULL };
    static const char *const layouts[] = { "nchw", "nhwc", NULL };
    struct pixel_spec *p = &in->spec;
    const struct yaml *y = card->yaml;
    int fit = FIT_STRETCH, filter = FILTER_BILINEAR, colour = ORDER_RGB;
    int64_t multiple = 32, max_side = 1280, short_px = 0;
    double mean[3] = { 0, 0, 0 }, std[3] = { 1, 1, 1 }, fill = 0;
    if (map && !yaml_check_keys(y, map, input_keys, NULL, err))
        return false;
    if (!read_size(card, map, size, err) || !yaml_choice(y, map, "fit", fits, &fit, err) || !yaml_int(y, map, "short", 1, SIDE_MAX, &short_px, err) ||
        !yaml_bool(y, map, "centre", &p->is_centred, err) || !yaml_choice(y, map, "filter", filters, &filter, err) ||
        !yaml_choice(y, map, "colour", colours, &colour, err) || !read_scale(card, map, &p->scale, err) ||
        !yaml_choice(y, map, "layout", layouts, layout, err) || !yaml_int(y, map, "multiple", 1, 512, &multiple, err) ||
        !yaml_int(y, map, "max_side", 1, SIDE_MAX, &max_side, err) || !yaml_number(y, map, "fill", -1e6, 1e6, &fill, err))
        return false;
    const int n_channels = colour == ORDER_GREY ? 1 : 3;
    if (!yaml_numbers(y, map, "mean", n_channels, mean, err) || !yaml_numbers(y, map, "std", n_channels, std, err))
        return false;
    for (int c = 0; c < 3; c++) {
        if (std[c] == 0 || !isfinite((float)(mean[c] / std[c])))
            return card_fail(card, yaml_get(map, "std"), err, "std: numbers other than 0");
        p->mean[c] = (float)mean[c];
        p->std[c] = (float)std[c];
    }
    p->fit = (enum fit)fit;
    p->filter = (enum filter)filter;
    p->order = (enum pixel_order)colour;
    p->fill = (float)fill;
    p->short_px = (int)short_px;
    in->multiple = (int)multiple;
    in->max_side_px = (int)max_side;
    return true;
}

/* ---- the model ---- */

static bool find_input(struct vision_input *in, const struct vision_net *net, const struct card *card, const struct yaml_node *map, struct err *err)
{
    const char *name = NULL;
    if (!yaml_text(card->yaml, map, "name", &name, err))
        return false;
    in->index = name ? vision_net_find(net, false, name) : 0;
    if (in->index < 0)
        return card_fail(card, yaml_get(map, "name"), err, "the model has no input '%s'; its first is '%s'", name, net->ops->input_info(net->self, 0)->name);
    if (net->ops->n_inputs(net->self) != 1)
        return card_fail(card, NULL, err, "the model has %d inputs, pictures are fed to models of one (or use task: infer)", net->ops->n_inputs(net->self));
    return true;
}

/* Layout, size, batch and type of the tensor. */
static bool take_shape(struct vision_input *in, const struct tensor *t, const struct card *card, const struct yaml_node *map, const int64_t size[2],
                       int layout, struct err *err)
{
    struct pixel_spec *p = &in->spec;
    const int64_t n_channels = p->order == ORDER_GREY ? 1 : 3;
    char shape[120];
    tensor_describe(t, shape, sizeof shape);
    if (t->n_dims != 4)
        return card_fail(card, map, err, "input %s is %s; pictures need four dimensions", t->name, shape);
    if (layout < 0)
        layout = t->dims[1] == n_channels || t->dims[3] != n_channels ? LAYOUT_NCHW : LAYOUT_NHWC;
    p->layout = (enum pixel_layout)layout;
    const int64_t *hw = layout == LAYOUT_NCHW ? &t->dims[2] : &t->dims[1];
    const int64_t channels = t->dims[layout == LAYOUT_NCHW ? 1 : 3];
    if (channels >= 0 && channels != n_channels)
        return card_fail(card, map, err, "input %s is %s; that layout and colour need %d channels", t->name, shape, (int)n_channels);
    int64_t wh[2];
    for (int i = 0; i < 2; i++) { /* width, height */
        const int64_t model = hw[1 - i];
        if (model >= 0 && size[i] > 0 && model != size[i])
            return card_fail(card, yaml_get(map, "size"), err, "size: the model's input is %s", shape);
        wh[i] = model >= 0 ? model : size[i];
        if (wh[i] > SIDE_MAX || (model >= 0 && model < 1))
            return card_fail(card, map, err, "input %s is %s; sides of 1 to %d are taken", t->name, shape, SIDE_MAX);
    }
    if ((wh[0] > 0) != (wh[1] > 0))
        return card_fail(card, map, err, "size: the model leaves a side free: [width, height] is wanted");
    p->w = (int)wh[0];
    p->h = (int)wh[1];
    if (p->fit == FIT_COVER && p->short_px == 0)
        p->short_px = p->w > p->h ? p->w : p->h;
    if (p->fit == FIT_COVER && (p->w == 0 || p->short_px < p->w || p->short_px < p->h))
        return card_fail(card, map, err, "short: the cut of %d x %d does not fit into a short side of %d", p->w, p->h, p->short_px);
    in->batch_is_free = t->dims[0] < 0;
    in->n_batch = in->batch_is_free ? (card->batch > 0 ? card->batch : BATCH_DEFAULT) : (int)(t->dims[0] < BATCH_MAX + 1 ? t->dims[0] : BATCH_MAX + 1);
    if (in->batch_is_free && in->n_batch > BATCH_MAX)
        in->n_batch = BATCH_MAX;
    if (in->batch_is_free && p->w == 0)
        in->n_batch = 1; /* each picture has a size of its own */
    if (in->n_batch < 1 || in->n_batch > BATCH_MAX)
        return card_fail(card, map, err, "input %s is %s; batches of 1 to %d are taken", t->name, shape, BATCH_MAX);
    in->is_f16 = t->type == TENSOR_F16;
    if (t->type == TENSOR_F32 || in->is_f16)
        p->type = PIXEL_F32;
    else if (t->type == TENSOR_U8)
        p->type = PIXEL_U8;
    else if (t->type == TENSOR_I8)
        p->type = PIXEL_I8;
    else
        return card_fail(card, map, err, "input %s is %s; pictures become FP32, FP16, UINT8 or INT8", t->name, shape);
    return true;
}

bool vision_input_open(struct vision_input *in, const struct vision_net *net, const struct card *card, const struct yaml_node *map, struct err *err)
{
    int64_t size[2] = { 0, 0 };
    int layout = -1;
    return read_map(in, card, map, size, &layout, err) && find_input(in, net, card, map, err) &&
           take_shape(in, net->ops->input_info(net->self, in->index), card, map, size, layout, err);
}

void vision_input_fini(struct vision_input *in)
{
    resizer_fini(&in->resizer);
    image_fini(&in->decoded);
    free(in->scratch);
}

/* ---- a picture ---- */

bool vision_picture(struct vision_input *in, const struct task_request *rq, struct image *out, struct err *err)
{
    const struct task_media *m = rq->media;
    in->share = rq->options.input_share > 0 && rq->options.input_share < 1 ? rq->options.input_share : 1;
    if (rq->n_media != 1)
        return err_set(err, ERR_INPUT, "one picture at a time, %d came", rq->n_media);
    switch (m->form) {
    case MEDIA_ENCODED:
        if (!image_decode(m->bytes, m->n_bytes, 3, NULL, &in->decoded, err))
            return false;
        *out = in->decoded;
        out->cap_bytes = 0; /* a view */
        return true;
    case MEDIA_RGB8:
    case MEDIA_GREY8: { /* sizes were checked by task_run() */
        const int n_channels = m->form == MEDIA_RGB8 ? 3 : 1;
        *out = (struct image){ .px = (uint8_t *)m->bytes, .w = m->width_px, .h = m->height_px, .n_channels = n_channels, .stride = (size_t)m->width_px * (size_t)n_channels };
        return true;
    }
    default:
        return err_set(err, ERR_INPUT, "a picture is wanted, a sound came");
    }
}

/* The input's sides when the picture decides: scaled to at most max_side_px, rounded up to the multiple. */
static void choose_sides(const struct vision_input *in, const struct image *im, struct pixel_spec *p)
{
    const int longest = im->w > im->h ? im->w : im->h, m = in->multiple;
    const double most = fmax(in->max_side_px * (double)in->share, fmin(2 * m, in->max_side_px));
    const double r = longest > most ? most / longest : 1;
    p->w = ((int)fmax(1, floor(im->w * r)) + m - 1) / m * m;
    p->h = ((int)fmax(1, floor(im->h * r)) + m - 1) / m * m;
    p->fit = FIT_LETTERBOX;
}

bool vision_input_shape(struct vision_input *in, const struct vision_net *net, const struct image *first, int n, struct err *err)
{
    struct pixel_spec p = in->spec;
    if (p.w == 0)
        choose_sides(in, first, &p);
    const int64_t c = p.order == ORDER_GREY ? 1 : 3, b = in->batch_is_free ? n : in->n_batch;
    const int64_t nchw[] = { b, c, p.h, p.w }, nhwc[] = { b, p.h, p.w, c };
    return net->ops->set_dims(net->self, in->index, p.layout == LAYOUT_NCHW ? nchw : nhwc, 4, err);
}

static bool put_f16(struct vision_input *in, const struct image *picture, const struct pixel_spec *p, void *out, struct pixel_map *map, struct err *err)
{
    const size_t n_bytes = pixel_spec_bytes(p), n = n_bytes / sizeof(float);
    if (n_bytes > in->scratch_bytes) {
        float *bigger = realloc(in->scratch, n_bytes);
        if (!bigger)
            return err_set(err, ERR_NOMEM, "a picture of %d x %d: out of memory", p->w, p->h);
        in->scratch = bigger;
        in->scratch_bytes = n_bytes;
    }
    if (!image_to_pixels(&in->resizer, picture, p, in->scratch, map, err))
        return false;
    uint16_t *h = out;
    for (size_t i = 0; i < n; i++)
        h[i] = dtype_f32_to_f16(in->scratch[i]);
    return true;
}

bool vision_input_put(struct vision_input *in, const struct vision_net *net, const struct image *picture, int slot, struct vision_frame *f, struct err *err)
{
    const struct tensor *t = net->ops->input(net->self, in->index);
    struct pixel_spec p = in->spec;
    if (p.w == 0)
        choose_sides(in, picture, &p);
    const size_t each = t->n_bytes / (size_t)t->dims[0]; /* vision_input_shape() made it of these sides */
    uint8_t *to = (uint8_t *)t->data + (size_t)slot * each;
    *f = (struct vision_frame){ .in_w = p.w, .in_h = p.h, .w_px = picture->w, .h_px = picture->h };
    if (in->is_f16)
        return put_f16(in, picture, &p, to, &f->map, err);
    return image_to_pixels(&in->resizer, picture, &p, to, &f->map, err);
}
