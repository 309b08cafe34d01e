/* api/chat_images.c - pictures inside chat messages: are they pictures, are they too large, and does the model see? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/openai_internal.h"
#include "media/image.h"
#include "wire/data_url.h"

static bool check_one(const struct exchange *x, const struct openai_image *image, struct openai_error *e)
{
    const struct api_env *env = x->call.env;
    struct data_url u;
    struct image_info info;
    struct err err;
    size_t n = 0;
    if (image->is_remote)
        return env->allows_remote_images ||
               openai_fail(e, 400, "unsupported_value", image->param,
                           "%s: addresses of pictures are not fetched here; send the picture itself (data:image/png;base64,...)", image->param);
    if (!data_url_read(&u, image->url, image->n, &err))
        return openai_fail(e, 400, "invalid_value", image->param, "%s: %s", image->param, err.text);
    void *bytes = malloc(data_url_max_bytes(&u) + 1);
    if (!bytes)
        return openai_fail(e, 503, "overloaded", NULL, "out of memory");
    const bool ok = data_url_decode(&u, bytes, &n, &err) && image_peek(bytes, n, &info, &err);
    free(bytes);
    if (!ok)
        return openai_fail(e, 400, "invalid_value", image->param, "%s: %s", image->param, err.text);
    if (env->max_image_px && (uint64_t)info.w * (uint64_t)info.h > env->max_image_px)
        return openai_fail(e, 413, "limit_exceeded", image->param, "%s: %d x %d pixels; %llu are the limit", image->param, info.w, info.h,
                           (unsigned long long)env->max_image_px);
    return true;
}

bool chat_check_images(const struct exchange *x, const struct openai_request *r, struct openai_error *e)
{
    for (int i = 0; i < r->n_images; i++)
        if (!check_one(x, &r->images[i], e))
            return false;
    return true;
}

static bool sees(const struct api_model *m)
{
    struct expert_card card;
    expert_get_card(m->expert, &card);
    return card.sees && (card.tasks & EXPERT_CHAT);
}

bool chat_pick_seeing(struct exchange *x, const struct openai_request *r, struct openai_error *e)
{
    struct api_env *env = x->call.env;
    char able[200] = "";
    size_t n = 0;
    if (r->n_images == 0 || sees(x->model))
        return true;
    for (int i = 0; i < env->n_models; i++) {
        if (!sees(&env->models[i]))
            continue;
        if (!r->model[0]) { /* any: then one that can */
            x->model = &env->models[i];
            return true;
        }
        if (n < sizeof(able))
            n += (size_t)snprintf(able + n, sizeof(able) - n, "%s%s", n ? ", " : "", env->models[i].id);
    }
    return openai_fail(e, 400, "unsupported_value", r->images[0].param, "%s: the model '%.100s' reads text only, it sees no pictures; %s%s", r->images[0].param,
                       x->model->id, n ? "those that do: " : "no expert here does (POST /v1/tutti/vision/... say what smaller ones can)", able);
}
