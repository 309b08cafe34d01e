/* api/chat_media.c - pictures and sounds inside chat messages: are they what they should be, are they too large, and does the
 * model see and hear? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/openai_internal.h"
#include "media/image.h"
#include "media/sound.h"
#include "wire/data_url.h"

static bool check_picture(const struct exchange *x, const struct openai_image *image, struct openai_error *e)
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

/* What it is its content says; a WAV says at once how long it is, of the others it is seen while they are heard. */
static bool check_decoded_sound(const struct exchange *x, const struct openai_sound *sound, const void *bytes, size_t n, struct openai_error *e)
{
    struct err err = { 0 };
    const enum sound_kind kind = sound_sniff(bytes, n);
    if (kind == SOUND_UNKNOWN)
        return openai_fail(e, 400, "invalid_value", sound->param, "%s: this is no sound that is known here (WAV, FLAC, MP3, Ogg, Opus)", sound->param);
    if (kind != SOUND_WAV)
        return true;
    struct sound_reader *r = sound_reader_new(bytes, n, 0, NULL, &err);
    if (!r)
        return openai_fail(e, 400, "invalid_value", sound->param, "%s: %s", sound->param, err.text);
    const double duration_s = sound_reader_s(r), most = x->call.env->max_audio_s;
    sound_reader_free(r);
    return most <= 0 || duration_s <= most ||
           openai_fail(e, 413, "limit_exceeded", sound->param, "%s: %.1f s of sound; %.1f s are the limit", sound->param, duration_s, most);
}

static bool check_sound(const struct exchange *x, const struct openai_sound *sound, struct openai_error *e)
{
    struct data_url u = { .is_base64 = true, .data = sound->data, .n = sound->n };
    struct err err = { 0 };
    size_t n = 0;
    if (data_url_is(sound->data, sound->n) && !data_url_read(&u, sound->data, sound->n, &err))
        return openai_fail(e, 400, "invalid_value", sound->param, "%s: %s", sound->param, err.text);
    void *bytes = malloc(data_url_max_bytes(&u) + 1);
    if (!bytes)
        return openai_fail(e, 503, "overloaded", NULL, "out of memory");
    bool ok = data_url_decode(&u, bytes, &n, &err);
    if (!ok)
        openai_fail(e, 400, "invalid_value", sound->param, "%s: %s", sound->param, err.text);
    ok = ok && check_decoded_sound(x, sound, bytes, n, e);
    free(bytes);
    return ok;
}

bool chat_check_media(const struct exchange *x, const struct openai_request *r, struct openai_error *e)
{
    for (int i = 0; i < r->n_images; i++)
        if (!check_picture(x, &r->images[i], e))
            return false;
    for (int i = 0; i < r->n_sounds; i++)
        if (!check_sound(x, &r->sounds[i], e))
            return false;
    return true;
}

static bool perceives(const struct api_model *m, const struct openai_request *r)
{
    struct expert_card card;
    expert_get_card(m->expert, &card);
    return (card.tasks & EXPERT_CHAT) && (card.sees || r->n_images == 0) && (card.hears || r->n_sounds == 0);
}

bool chat_pick_perceiving(struct exchange *x, const struct openai_request *r, struct openai_error *e)
{
    struct api_env *env = x->call.env;
    char able[200] = "";
    size_t n = 0;
    if (r->n_images + r->n_sounds == 0 || perceives(x->model, r))
        return true;
    for (int i = 0; i < env->n_models + (env->n_autos > 0); i++) { /* "auto" last: it may have several answer as one */
        struct api_model *m = i < env->n_models ? &env->models[i] : &env->autos[0];
        if (!perceives(m, r))
            continue;
        if (!r->model[0]) { /* any: then one that can */
            x->model = m;
            return true;
        }
        if (n < sizeof(able))
            n += (size_t)snprintf(able + n, sizeof(able) - n, "%s%s", n ? ", " : "", m->id);
    }
    const char *param = r->n_images ? r->images[0].param : r->sounds[0].param;
    const char *lacks = r->n_images && r->n_sounds ? "does not both see pictures and hear sound"
                        : r->n_images              ? "reads text only, it sees no pictures"
                                                   : "hears no sound";
    const char *none = r->n_images ? "no expert here does (POST /v1/tutti/vision/... say what smaller ones can)"
                                   : "no expert here does (POST /v1/audio/transcriptions makes text of sound)";
    return openai_fail(e, 400, "unsupported_value", param, "%s: the model '%.100s' %s; %s%s", param, x->model->id, lacks,
                       n ? "those that do: " : none, able);
}
