/* task/speak_onnx.c - kind onnx, task speak: voices in the manner of Piper (one model), or an acoustic model and a vocoder.
 *
 * For:     text to speech that sounds like a person (docs/CARDS.md, "Voices in ONNX").
 * Touches: one or two models, the voice's JSON file, espeak-ng as a child for phonemes.  Thread: one.
 * Rule:    a sentence at a time, so that the first is heard while the next is made; what the acoustic model computed is handed
 *          to the vocoder in place (onnx_link).  Inputs are found by name; their shapes are the models' own affair, checked by
 *          the library; the output is taken as samples whatever its rank.
 * Start:   run_voice().
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/espeak.h"
#include "task/onnx_open.h"
#include "task/phonemes.h"
#include "task/sentences.h"
#include "task/speak.h"
#include "task/voice.h"

enum { FIRST_SENTENCE_BYTES = 120 };

struct speak_onnx {
    struct onnx *o;
    struct onnx_session *model, *vocoder; /* vocoder may be NULL */
    const struct card *card;
    struct voice voice;
    int in_ids, in_lengths, in_scales, in_speaker; /* inputs of model; -1: it has none */
    int link_to;             /* input of the vocoder */
    bool is_linked, may_normalise;
    int64_t speaker;
    double noise, length, noise_w, pause_s;
    struct phonemes phonemes;
    int64_t ids[VOICE_IDS_MAX];
    struct speak_out out;
};

static void close_voice(void *self)
{
    struct speak_onnx *v = self;
    onnx_session_close(v->vocoder); /* before the one whose output it reads */
    onnx_session_close(v->model);
    onnx_close(v->o);
    voice_fini(&v->voice);
    free(v);
}

static struct onnx_session *open_model(struct speak_onnx *v, const struct task_env *env, const struct yaml_node *models, const char *key, struct err *err)
{
    char path[512];
    const struct yaml_node *node = yaml_get(models, key);
    if (!node) {
        card_fail(v->card, models, err, "models: %s is missing", key);
        return NULL;
    }
    return card_resolve(v->card, node, path, sizeof(path), err) ? task_onnx_session(v->o, v->card, env, path, err) : NULL;
}

/* The input that the card's map `inputs` names under key, else `otherwise`; -1: the model has none. */
static bool find_input(struct speak_onnx *v, const struct yaml_node *map, const char *key, const char *otherwise, enum tensor_type type, int *out,
                       struct err *err)
{
    const char *name = otherwise;
    if (!yaml_text(v->card->yaml, map, key, &name, err))
        return false;
    *out = onnx_find_input(v->model, name);
    if (*out < 0 && yaml_get(map, key))
        return card_fail(v->card, yaml_get(map, key), err, "inputs: the model has no input '%s'", name);
    if (*out >= 0 && onnx_input_info(v->model, *out)->type != type)
        return card_fail(v->card, map, err, "inputs: '%s' is no %s", name, tensor_type_name(type));
    return true;
}

static bool read_number(struct speak_onnx *v, const char *key, double max, double *out, struct err *err)
{
    return yaml_number(v->card->yaml, v->card->node, key, 0, max, out, err);
}

/* The voice's JSON: `config`, else the model's file with .json behind. */
static bool read_config(struct speak_onnx *v, const char *model_path, struct err *err)
{
    char path[1024];
    if (!card_file(v->card, "config", false, path, sizeof(path), err))
        return false;
    if (!path[0])
        snprintf(path, sizeof(path), "%s.json", model_path);
    return voice_read(&v->voice, path, err);
}

static bool open_parts(struct speak_onnx *v, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { "models", "config", "inputs", "speaker", "noise", "length", "noise_w", "pause", "normalise", ONNX_OPEN_KEYS, NULL };
    static const char *const model_keys[] = { "acoustic", "vocoder", NULL };
    static const char *const input_keys[] = { "ids", "lengths", "scales", "speaker", NULL };
    const struct card *c = v->card;
    const struct yaml_node *models = NULL, *inputs = NULL;
    const char *speaker = NULL;
    char path[512] = "";
    if (!card_check_keys(c, keys, err) || !yaml_map(c->yaml, c->node, "models", &models, err) || !yaml_map(c->yaml, c->node, "inputs", &inputs, err) ||
        (models && !yaml_check_keys(c->yaml, models, model_keys, NULL, err)) || (inputs && !yaml_check_keys(c->yaml, inputs, input_keys, NULL, err)) ||
        !yaml_text(c->yaml, c->node, "speaker", &speaker, err))
        return false;
    if (models ? !card_resolve(c, yaml_get(models, "acoustic") ? yaml_get(models, "acoustic") : models, path, sizeof(path), err)
               : !task_onnx_model(c, path, sizeof(path), err))
        return false;
    if (!read_config(v, path, err))
        return false;
    v->noise = v->voice.noise;
    v->length = v->voice.length;
    v->noise_w = v->voice.noise_w;
    v->may_normalise = true;
    v->pause_s = 0.2;
    if (!read_number(v, "noise", 10, &v->noise, err) || !read_number(v, "length", 10, &v->length, err) || !read_number(v, "noise_w", 10, &v->noise_w, err) ||
        !read_number(v, "pause", 5, &v->pause_s, err) || !yaml_bool(c->yaml, c->node, "normalise", &v->may_normalise, err))
        return false;
    if (speaker && (v->speaker = voice_find_speaker(&v->voice, speaker)) < 0)
        return card_fail(c, yaml_get(c->node, "speaker"), err, "speaker: '%.40s' is none of the voice's %d", speaker, v->voice.n_speakers);
    if (!v->voice.by_letters && !espeak_find(err))
        return false;
    if (!(v->o = task_onnx_open(c, env, err)) || !(v->model = task_onnx_session(v->o, c, env, path, err)) ||
        (models && !(v->vocoder = open_model(v, env, models, "vocoder", err))))
        return false;
    if (!find_input(v, inputs, "ids", "input", TENSOR_I64, &v->in_ids, err) || !find_input(v, inputs, "lengths", "input_lengths", TENSOR_I64, &v->in_lengths, err) ||
        !find_input(v, inputs, "scales", "scales", TENSOR_F32, &v->in_scales, err) || !find_input(v, inputs, "speaker", "sid", TENSOR_I64, &v->in_speaker, err))
        return false;
    const int n_named = (v->in_ids >= 0) + (v->in_lengths >= 0) + (v->in_scales >= 0) + (v->in_speaker >= 0);
    if (v->in_ids < 0 || n_named != onnx_n_inputs(v->model))
        return card_fail(c, inputs, err, "inputs: %d of the model's %d are known (ids, lengths, scales, speaker); name them", n_named, onnx_n_inputs(v->model));
    if (v->vocoder && onnx_n_inputs(v->vocoder) != 1)
        return card_fail(c, models, err, "models: a vocoder with one input is wanted, this one has %d", onnx_n_inputs(v->vocoder));
    const struct onnx_session *last = v->vocoder ? v->vocoder : v->model;
    if (onnx_n_outputs(last) < 1 || onnx_output_info(last, 0)->type != TENSOR_F32)
        return card_fail(c, models, err, "model: its first output is no FP32 sound");
    return true;
}

static bool open_voice(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    struct speak_onnx *v = calloc(1, sizeof(*v));
    if (!v)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    v->card = card;
    if (!open_parts(v, env, err)) {
        close_voice(v);
        return false;
    }
    *self = v;
    return true;
}

static void info_voice(void *self, struct task_info *out)
{
    const struct speak_onnx *v = self;
    out->tasks = EXPERT_SPEAK;
    out->rate_hz = v->voice.rate_hz;
    snprintf(out->runs_on, sizeof(out->runs_on), "onnxruntime %.12s, %.16s%s", onnx_version(v->o), onnx_provider(v->model), v->vocoder ? ", two stages" : "");
}

/* ---- one sentence ---- */

static bool fill_inputs(struct speak_onnx *v, int n_ids, int64_t speaker, double length, struct err *err)
{
    const int64_t ids_dims[2] = { 1, n_ids }, one[1] = { 1 }, three[1] = { 3 };
    if (!onnx_set_dims(v->model, v->in_ids, ids_dims, 2, err))
        return false;
    memcpy(onnx_input(v->model, v->in_ids)->data, v->ids, (size_t)n_ids * sizeof(int64_t));
    if (v->in_lengths >= 0) {
        if (!onnx_set_dims(v->model, v->in_lengths, one, 1, err))
            return false;
        *(int64_t *)onnx_input(v->model, v->in_lengths)->data = n_ids;
    }
    if (v->in_scales >= 0) {
        if (!onnx_set_dims(v->model, v->in_scales, three, 1, err))
            return false;
        float *scales = onnx_input(v->model, v->in_scales)->data;
        scales[0] = (float)v->noise;
        scales[1] = (float)length;
        scales[2] = (float)v->noise_w;
    }
    if (v->in_speaker >= 0) {
        if (!onnx_set_dims(v->model, v->in_speaker, one, 1, err))
            return false;
        *(int64_t *)onnx_input(v->model, v->in_speaker)->data = speaker;
    }
    return true;
}

static bool compute(struct speak_onnx *v, struct err *err)
{
    if (!onnx_run(v->model, err))
        return false;
    if (!v->vocoder)
        return true;
    if (!v->is_linked && !onnx_link(v->vocoder, 0, v->model, 0, err))
        return false;
    v->is_linked = true;
    return onnx_run(v->vocoder, err);
}

static bool send(struct speak_onnx *v, const struct task_out *out, struct err *err)
{
    const struct tensor *t = onnx_output(v->vocoder ? v->vocoder : v->model, 0);
    const int64_t n = t->type == TENSOR_F32 ? tensor_count(t->dims, t->n_dims) : -1;
    const float *samples = t->data;
    float most = 0.01f; /* Piper's: what is quieter is meant to be */
    if (n < 0)
        return err_set(err, ERR_INPUT, "voice: its output is no FP32 sound");
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(samples[i]))
            return err_set(err, ERR_INPUT, "voice: sample %lld of a sentence is no number", (long long)i);
        most = fabsf(samples[i]) > most ? fabsf(samples[i]) : most;
    }
    const float scale = v->may_normalise || most > 1 ? 1 / most : 1;
    for (int64_t at = 0; at < n;) {
        float some[1024];
        const int k = n - at < 1024 ? (int)(n - at) : 1024;
        for (int i = 0; i < k; i++)
            some[i] = samples[at + i] * scale;
        if (out->is_cancelled(out->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (!speak_put(&v->out, some, (size_t)k, err))
            return false;
        at += k;
    }
    return true;
}

static bool send_pause(struct speak_onnx *v, struct err *err)
{
    static const float silence[512];
    for (int64_t n = (int64_t)(v->pause_s * v->voice.rate_hz); n > 0; n -= 512)
        if (!speak_put(&v->out, silence, n < 512 ? (size_t)n : 512, err))
            return false;
    return true;
}

static bool run_voice(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct speak_onnx *v = self;
    int64_t speaker = v->speaker;
    double speed;
    if (!speak_check_text(rq, err) || !speak_speed(rq, 1, &speed, err))
        return false;
    if (rq->options.voice && (speaker = voice_find_speaker(&v->voice, rq->options.voice)) < 0)
        return err_set(err, ERR_INPUT, "voice: '%.40s' is none of this model's %d speakers", rq->options.voice, v->voice.n_speakers);
    if (!speak_begin(&v->out, out, v->voice.rate_hz, err))
        return false;
    const char *text = rq->texts[0].text;
    bool is_first = true;
    for (size_t n = rq->texts[0].n, k; n > 0; text += k, n -= k) {
        k = sentence_next(text, n, is_first ? FIRST_SENTENCE_BYTES : SPEAK_SENTENCE_BYTES);
        if (out->is_cancelled(out->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (v->voice.by_letters ? !phonemes_by_letters(&v->phonemes, text, k, err)
                                : !phonemes_by_espeak(&v->phonemes, text, k, v->voice.espeak_voice, out->is_cancelled, out->ctx, err))
            return false;
        const int n_ids = voice_ids(&v->voice, &v->phonemes, v->ids);
        if (n_ids == 0)
            continue; /* a sentence of marks alone */
        if ((!is_first && !send_pause(v, err)) || !fill_inputs(v, n_ids, speaker, v->length / speed, err) || !compute(v, err) || !send(v, out, err))
            return false;
        is_first = false;
    }
    if (is_first)
        return err_set(err, ERR_INPUT, "text to speak: this voice knows none of its sounds");
    return speak_end(&v->out, err);
}

const struct task_kind task_speak_onnx = { "onnx", "speak", open_voice, close_voice, info_voice, run_voice, NULL };
