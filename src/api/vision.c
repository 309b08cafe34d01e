/* api/vision.c - a picture becomes the JSON of what one expert sees in it; start reading at vision_read(). */
#include <string.h>

#include "api/vision_internal.h"
#include "media/image.h"
#include "wire/put.h"

enum { RESULT_MAX_BYTES = 60 << 20 };

static bool check_picture(struct exchange *x, const struct form *f)
{
    const uint64_t most = x->call.env->max_image_px;
    struct image_info info;
    struct err err;
    if (!image_peek(f->file, f->n_file, &info, &err))
        return openai_fail(&x->error, 400, "invalid_value", "image", "image: %s", err.text);
    if (most && (uint64_t)info.w * (uint64_t)info.h > most)
        return openai_fail(&x->error, 413, "limit_exceeded", "image", "image: %d x %d pixels; %llu are the limit", info.w, info.h, (unsigned long long)most);
    return true;
}

bool vision_read(struct exchange *x, enum expert_task task, struct err *err)
{
    static const char *const names[] = { "image", "file", NULL };
    struct looking *l = (struct looking *)x;
    struct task_options o = { .wants_words = true };
    double threshold = 0, n_top = 0;
    x->task = task;
    x->text_name = "image";
    if (!form_read(&l->form, x->content_type, x->query, names, exchange_text(&x->body), x->body.len, x->job->arena, &x->error) ||
        !check_picture(x, &l->form) || !form_number(&l->form, "threshold", 0, 1, &threshold, &x->error) ||
        !form_number(&l->form, "top", 1, 1000, &n_top, &x->error) || !form_flag(&l->form, "words", &o.wants_words, &x->error) ||
        !form_flag(&l->form, "mask", &o.wants_mask, &x->error))
        return false;
    struct task_media *m = arena_alloc(x->job->arena, 1, sizeof(*m), err);
    if (!m)
        return false;
    *m = (struct task_media){ .form = MEDIA_ENCODED, .bytes = l->form.file, .n_bytes = l->form.n_file };
    o.threshold = (float)threshold;
    o.n_top = (int)n_top;
    o.language = form_get(&l->form, "language", NULL);
    o.prompt = form_get(&l->form, "prompt", NULL);
    x->job->request = (struct task_request){ .media = m, .n_media = 1, .options = o };
    x->model_id = form_get(&l->form, "model", NULL);
    if (!wish_read_text(&x->wish, form_get(&l->form, "tutti", NULL), &x->error))
        return false;
    exchange_give_body(x);
    return true;
}

bool api_vision_begin(struct exchange *x, struct err *err)
{
    struct looking *l = (struct looking *)x;
    (void)err;
    buf_init(&l->text, RESULT_MAX_BYTES);
    buf_init(&l->json, RESULT_MAX_BYTES);
    return true;
}

/* Masks as pictures: a grey PNG each, in base64. */
static void put_masks(struct buf *out, const struct task_result *r)
{
    struct err err;
    buf_puts(out, "\"masks\":[");
    for (int i = 0; i < r->n_masks; i++) {
        const struct result_mask *m = &r->masks[i];
        const struct image im = { .px = (uint8_t *)(uintptr_t)m->pixels, .w = m->w, .h = m->h, .n_channels = 1, .stride = (size_t)m->w };
        struct buf png;
        buf_init(&png, RESULT_MAX_BYTES);
        if (image_encode_png(&im, &png, &err)) {
            buf_printf(out, "%s{\"box\":%d,\"png\":\"", i ? "," : "", m->box);
            put_base64(out, png.data, png.len);
            buf_puts(out, "\"}");
        } else {
            out->failed = true;
        }
        buf_fini(&png);
    }
    buf_putc(out, ']');
}

static void put_result(struct buf *out, const struct task_result *r, bool wants_masks)
{
    buf_clear(out);
    task_result_put_json(out, r);
    if (!wants_masks || r->n_masks == 0 || out->failed)
        return;
    out->len--; /* the closing brace comes behind */
    if (out->len > 1)
        buf_putc(out, ',');
    put_masks(out, r);
    buf_putc(out, '}');
}

void api_vision_on_event(struct exchange *x, const struct expert_event *ev, uint64_t ns)
{
    struct looking *l = (struct looking *)x;
    (void)ns;
    if (ev->kind == EXPERT_DELTA) {
        buf_append(&l->text, ev->text, ev->n_text);
    } else if (ev->kind == EXPERT_RESULT) { /* of several the last one knows most */
        put_result(&l->json, ev->result, x->job->request.options.wants_mask);
    } else if (ev->kind == EXPERT_VECTOR) {
        put_result(&l->json, &(struct task_result){ .vector = ev->vector, .n_vector = ev->n_vector }, false);
    }
}

/* {"model": ..., and what the result has}; text that came in pieces is the result's text. */
void api_vision_on_done(struct exchange *x, const struct expert_usage *usage, uint64_t ns)
{
    struct looking *l = (struct looking *)x;
    (void)usage, (void)ns;
    x->model->stats.counter[API_IMAGES] += 1;
    x->model->stats.counter[API_MEDIA_BYTES] += (double)l->form.n_file;
    const char *name = x->routed.is_there ? x->routed.expert : x->model->id;
    buf_puts(&x->out, "{\"model\":");
    buf_put_json_text(&x->out, name);
    if (l->text.len > 0 && l->json.len == 0) {
        buf_puts(&x->out, ",\"text\":");
        buf_put_json(&x->out, l->text.data, l->text.len);
    }
    if (l->json.len > 2) { /* "{}" has nothing to add */
        buf_putc(&x->out, ',');
        buf_append(&x->out, l->json.data + 1, l->json.len - 2);
    }
    if (x->routed.is_there) {
        buf_puts(&x->out, ",\"tutti\":");
        routed_put(&x->out, &x->routed);
    }
    buf_puts(&x->out, "}\n");
    x->out.failed = x->out.failed || l->text.failed || l->json.failed;
    exchange_reply(x, "application/json");
}

void api_vision_fini(struct exchange *x)
{
    struct looking *l = (struct looking *)x;
    buf_fini(&l->text);
    buf_fini(&l->json);
    buf_fini(&l->labels);
    buf_fini(&l->boxes);
    buf_fini(&l->words);
    buf_fini(&l->said);
}

/* One line for each endpoint. */
#define ENDPOINTS(X)                                                                                                   \
    X(classify, CLASSIFY) X(detect, DETECT) X(faces, FACES) X(segment, SEGMENT) X(ocr, OCR) X(embed, EMBED_IMAGE)

#define X(name, task)                                                                                                  \
    static bool read_##name(struct exchange *x, struct err *err) { return vision_read(x, EXPERT_##task, err); }        \
    static void post_##name(const struct api_call *call, const struct http_head *head)                                 \
    {                                                                                                                  \
        static const struct exchange_ops ops = { "vision-", read_##name, api_vision_begin, api_vision_on_event, api_vision_on_done, NULL, api_vision_fini, NULL }; \
        exchange_begin(call, head, &ops, sizeof(struct looking));                                                      \
    }
ENDPOINTS(X)
#undef X

const struct api_route vision_routes[] = {
#define X(name, task) { "/v1/tutti/vision/" #name, 1 << HTTP_VERB_POST, post_##name },
    ENDPOINTS(X)
#undef X
    { "/v1/tutti/vision/describe", 1 << HTTP_VERB_POST, vision_post_describe },
};
const int vision_n_routes = sizeof(vision_routes) / sizeof(vision_routes[0]);
