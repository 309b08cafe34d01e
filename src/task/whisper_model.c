/* task/whisper_model.c - see whisper_model.h; start at whisper_decode(). */
#include "task/whisper_model.h"

#include <stdio.h>
#include <string.h>

static bool lacks(const char *label, const char *what, struct err *err)
{
    return err_set(err, ERR_UNSUPPORTED, "%s: is no decoder of a Whisper-class model: %s", label, what);
}

static bool starts(const char *s, const char *with, const char **rest)
{
    const size_t n = strlen(with);
    if (strncmp(s, with, n) != 0)
        return false;
    *rest = s + n;
    return true;
}

/* "present.0.decoder.key" for "past_key_values.0.decoder.key" */
static int find_present(const struct onnx_session *s, const char *rest)
{
    char name[128];
    snprintf(name, sizeof(name), "present.%s", rest);
    const int j = onnx_find_output(s, name);
    if (j >= 0)
        return j;
    snprintf(name, sizeof(name), "present_key_values.%s", rest);
    return onnx_find_output(s, name);
}

/* The inputs of the session that takes caches; `first` is the one that makes them. */
static bool wire_past(struct whisper_model *m, struct onnx_session *s, struct onnx_session *first, int *in_ids, int *in_states, struct err *err)
{
    *in_ids = *in_states = -1;
    for (int i = 0; i < onnx_n_inputs(s); i++) {
        const struct tensor *t = onnx_input_info(s, i);
        const char *rest;
        if (starts(t->name, "past_key_values.", &rest)) {
            struct whisper_past p = { i, find_present(s, rest), find_present(first, rest) };
            if (strstr(rest, "encoder"))
                p.out = -1;
            if (m->n_past == WHISPER_PAST_MAX || t->type != TENSOR_F32 || t->n_dims != 4 || p.first_out < 0 || (p.out < 0 && !strstr(rest, "encoder")))
                return lacks(t->name, "no `present` belongs to it, or it is no cache of floats", err);
            m->past[m->n_past++] = p;
        } else if (strcmp(t->name, "input_ids") == 0 || strcmp(t->name, "decoder_input_ids") == 0) {
            *in_ids = i;
        } else if (strcmp(t->name, "encoder_hidden_states") == 0) {
            *in_states = i;
        } else if (strcmp(t->name, "use_cache_branch") == 0 && t->type == TENSOR_BOOL) {
            m->in_cache = i;
        } else {
            return lacks(t->name, "this input is not known", err);
        }
    }
    const struct tensor *ids = *in_ids >= 0 ? onnx_input_info(s, *in_ids) : NULL;
    if (!ids || ids->n_dims != 2 || (ids->type != TENSOR_I64 && ids->type != TENSOR_I32))
        return lacks("input_ids", "whole numbers [1, n] are wanted", err);
    return true;
}

static bool is_logits(const struct onnx_session *s, int j)
{
    return j >= 0 && onnx_output_info(s, j)->type == TENSOR_F32 && onnx_output_info(s, j)->n_dims == 3;
}

static bool open_encoder(struct whisper_model *m, struct onnx *o, const struct card *card, const struct task_env *env, struct err *err)
{
    char path[sizeof(card->model)];
    if (!card_file(card, yaml_get(card->node, "encoder") ? "encoder" : "model", true, path, sizeof(path), err) ||
        !(m->encoder = task_onnx_session(o, card, env, path, err)))
        return false;
    const struct tensor *in = onnx_input_info(m->encoder, 0);
    if (onnx_n_inputs(m->encoder) != 1 || in->type != TENSOR_F32 || in->n_dims != 3 || onnx_output_info(m->encoder, 0)->type != TENSOR_F32)
        return err_set(err, ERR_UNSUPPORTED, "%s: is no encoder of a Whisper-class model: one input of floats [1, bands, frames] is wanted", path);
    int64_t n_mel = in->dims[1] > 0 ? in->dims[1] : 80;
    if (!yaml_int(card->yaml, card->node, "bands", 1, 256, &n_mel, err))
        return false;
    m->n_mel = (int)n_mel;
    m->n_frames = in->dims[2] > 0 && in->dims[2] <= 6000 ? (int)in->dims[2] : 3000;
    return onnx_set_dims(m->encoder, 0, (const int64_t[]){ 1, m->n_mel, m->n_frames }, 3, err);
}

bool whisper_model_open(struct whisper_model *m, struct onnx *o, const struct card *card, const struct task_env *env, struct err *err)
{
    char path[sizeof(card->model)];
    *m = (struct whisper_model){ .in_cache = -1 };
    if (!open_encoder(m, o, card, env, err) || !card_file(card, "decoder", true, path, sizeof(path), err) ||
        !(m->decoder = task_onnx_session(o, card, env, path, err)) || !wire_past(m, m->decoder, m->decoder, &m->in_ids, &m->in_states, err))
        return false;
    m->out_logits = onnx_find_output(m->decoder, "logits");
    if (!is_logits(m->decoder, m->out_logits) || m->in_states < 0)
        return lacks(path, "`logits` of floats and `encoder_hidden_states` are wanted", err);
    if (m->n_past > 0 && m->in_cache < 0)
        return lacks(path, "it takes caches but has no `use_cache_branch`; name it as `decoder_with_past` beside the one without", err);
    m->form = m->n_past > 0 ? WHISPER_MERGED : WHISPER_PLAIN;
    if (!card_file(card, "decoder_with_past", false, path, sizeof(path), err))
        return false;
    if (*path && m->form == WHISPER_MERGED)
        return card_fail(card, yaml_get(card->node, "decoder_with_past"), err, "decoder_with_past: the decoder is a merged one that needs no other");
    if (*path) {
        if (!(m->with_past = task_onnx_session(o, card, env, path, err)) ||
            !wire_past(m, m->with_past, m->decoder, &m->past_in_ids, &m->past_in_states, err))
            return false;
        m->past_out_logits = onnx_find_output(m->with_past, "logits");
        if (!is_logits(m->with_past, m->past_out_logits) || m->n_past == 0 || m->in_cache >= 0)
            return lacks(path, "`logits` and `past_key_values` are wanted", err);
        m->form = WHISPER_PAIR;
    }
    return true;
}

void whisper_model_fini(struct whisper_model *m)
{
    onnx_session_close(m->with_past); /* reads what the others computed: goes first */
    onnx_session_close(m->decoder);
    onnx_session_close(m->encoder);
    *m = (struct whisper_model){ 0 };
}

float *whisper_mel(struct whisper_model *m) { return onnx_input(m->encoder, 0)->data; }

bool whisper_encode(struct whisper_model *m, struct err *err)
{
    whisper_restart(m);
    return onnx_run(m->encoder, err) && onnx_link(m->decoder, m->in_states, m->encoder, 0, err) &&
           (m->form != WHISPER_PAIR || m->past_in_states < 0 || onnx_link(m->with_past, m->past_in_states, m->encoder, 0, err));
}

void whisper_restart(struct whisper_model *m) { m->n_said = 0; }

static bool put_ids(struct onnx_session *s, int in, const int64_t *ids, int n, struct err *err)
{
    if (!onnx_set_dims(s, in, (const int64_t[]){ 1, n }, 2, err))
        return false;
    const struct tensor *t = onnx_input(s, in);
    for (int i = 0; i < n; i++)
        if (t->type == TENSOR_I64)
            ((int64_t *)t->data)[i] = ids[i];
        else
            ((int32_t *)t->data)[i] = (int32_t)ids[i];
    return true;
}

/* The merged form's first run: caches of length 0. */
static bool empty_past(struct whisper_model *m, struct err *err)
{
    if (!onnx_set_dims(m->decoder, m->in_cache, (const int64_t[]){ 1 }, 1, err))
        return false;
    *(bool *)onnx_input(m->decoder, m->in_cache)->data = false;
    for (int i = 0; i < m->n_past; i++) {
        const struct tensor *t = onnx_input_info(m->decoder, m->past[i].in);
        const int64_t dims[4] = { 1, t->dims[1] > 0 ? t->dims[1] : 1, 0, t->dims[3] > 0 ? t->dims[3] : 1 };
        if (!onnx_set_dims(m->decoder, m->past[i].in, dims, 4, err))
            return false;
    }
    return true;
}

/* After the first run: its caches are the next run's.  Those of the encoder are made by the first run only. */
static bool take_past(struct whisper_model *m, struct err *err)
{
    struct onnx_session *to = m->form == WHISPER_PAIR ? m->with_past : m->decoder;
    for (int i = 0; i < m->n_past; i++) {
        const struct whisper_past *p = &m->past[i];
        if (m->form == WHISPER_MERGED && p->out < 0) {
            const struct tensor *t = onnx_output(m->decoder, p->first_out);
            if (t->type != TENSOR_F32 || t->n_dims != 4 || !onnx_set_dims(to, p->in, t->dims, 4, err))
                return lacks(t->name, "this cache is no block of floats", err);
            memcpy(onnx_input(to, p->in)->data, t->data, t->n_bytes);
        } else if (!onnx_link(to, p->in, m->decoder, p->first_out, err)) {
            return false;
        }
    }
    if (m->form == WHISPER_MERGED)
        *(bool *)onnx_input(m->decoder, m->in_cache)->data = true;
    return true;
}

/* After the first step: the taker renews its own. */
static bool keep_past(struct whisper_model *m, struct err *err)
{
    for (int i = 0; m->form == WHISPER_PAIR && i < m->n_past; i++)
        if (m->past[i].out >= 0 && !onnx_link(m->with_past, m->past[i].in, m->with_past, m->past[i].out, err))
            return false;
    return true;
}

static bool read_logits(struct whisper_model *m, struct onnx_session *s, int out, const float **logits, int *n_rows, struct err *err)
{
    const struct tensor *t = onnx_output(s, out);
    if (t->type != TENSOR_F32 || t->n_dims != 3 || t->dims[0] != 1 || t->dims[1] < 1 || t->dims[1] > WHISPER_IDS_MAX || t->dims[2] < 2 || t->dims[2] > 1 << 20 ||
        (m->n_vocab && m->n_vocab != t->dims[2]))
        return lacks(t->name, "its shape is not [1, n, tokens]", err);
    m->n_vocab = (int)t->dims[2];
    *logits = t->data, *n_rows = (int)t->dims[1];
    return true;
}

bool whisper_decode(struct whisper_model *m, const int64_t *ids, int n_ids, const float **logits, int *n_rows, struct err *err)
{
    const bool is_step = m->form != WHISPER_PLAIN && m->n_said > 0 && n_ids == m->n_said + 1;
    const bool is_second = is_step && m->form == WHISPER_PAIR;
    struct onnx_session *s = is_second ? m->with_past : m->decoder;
    if (!put_ids(s, is_second ? m->past_in_ids : m->in_ids, is_step ? ids + n_ids - 1 : ids, is_step ? 1 : n_ids, err) ||
        (!is_step && m->form == WHISPER_MERGED && !empty_past(m, err)) || !onnx_run(s, err) ||
        !(is_step ? keep_past(m, err) : m->form == WHISPER_PLAIN || take_past(m, err)))
        return false;
    m->n_said = n_ids;
    return read_logits(m, s, is_second ? m->past_out_logits : m->out_logits, logits, n_rows, err);
}
