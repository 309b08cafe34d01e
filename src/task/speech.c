/* task/speech.c - see speech.h; start at speech_put(). */
#include "task/speech.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/onnx.h"

struct speech {
    struct onnx_session *session; /* NULL: loudness */
    int rate_hz, n_frame, n_context;
    int in_input, in_state, in_sr, out_p, out_state;
};

static bool is_f32(const struct tensor *t, int64_t n)
{
    int64_t count = 1;
    for (int i = 0; i < t->n_dims; i++)
        count *= t->dims[i] > 0 && t->dims[i] < (1 << 20) ? t->dims[i] : 1;
    return t->type == TENSOR_F32 && t->n_dims > 0 && n % count == 0;
}

/* The parts that the file must have, by name. */
static bool wire_up(struct speech *s, struct err *err)
{
    s->in_input = onnx_find_input(s->session, "input");
    s->in_state = onnx_find_input(s->session, "state");
    s->in_sr = onnx_find_input(s->session, "sr");
    s->out_p = onnx_find_output(s->session, "output");
    s->out_state = onnx_find_output(s->session, "stateN");
    if (s->in_input < 0 || s->in_state < 0 || s->out_p < 0 || s->out_state < 0 ||
        !is_f32(onnx_input_info(s->session, s->in_input), s->n_context + s->n_frame) ||
        !is_f32(onnx_input_info(s->session, s->in_state), 2 * 128))
        return err_set(err, ERR_UNSUPPORTED,
                       "voice activity: this is no Silero model of version 5 for %d Hz (inputs `input`, `state`, outputs `output`, `stateN`)", s->rate_hz);
    if (s->in_sr >= 0 && (onnx_input_info(s->session, s->in_sr)->type != TENSOR_I64 || onnx_input_info(s->session, s->in_sr)->n_dims > 1))
        return err_set(err, ERR_UNSUPPORTED, "voice activity: the model's input `sr` is no whole number");
    /* a first run: wrong shapes show now, and the first frame of a stream is as fast as the others */
    struct speech_state zero = { 0 };
    const float silence[SPEECH_FRAME_MAX] = { 0 };
    float p;
    return speech_put(s, &zero, silence, &p, err);
}

/* The inputs' own memory, whatever was run in between; costs nothing when they have it already. */
static bool own_inputs(struct speech *s, struct err *err)
{
    const int64_t dims[2] = { 1, s->n_context + s->n_frame }, state[3] = { 2, 1, 128 }, one[1] = { 1 };
    if (!onnx_set_dims(s->session, s->in_input, dims, 2, err) || !onnx_set_dims(s->session, s->in_state, state, 3, err))
        return false;
    if (s->in_sr < 0)
        return true;
    if (!onnx_set_dims(s->session, s->in_sr, one, onnx_input_info(s->session, s->in_sr)->n_dims, err))
        return false;
    *(int64_t *)onnx_input(s->session, s->in_sr)->data = s->rate_hz;
    return true;
}

struct speech *speech_open(struct onnx_session *model, int rate_hz, struct err *err)
{
    struct speech *s = calloc(1, sizeof(*s));
    if (!s) {
        onnx_session_close(model);
        return err_null(err, ERR_NOMEM, "voice activity: no memory");
    }
    s->session = model;
    s->rate_hz = rate_hz;
    s->n_frame = rate_hz / 125 * 4; /* 32 ms */
    s->n_context = rate_hz / 250;   /* 4 ms */
    bool good = rate_hz == 16000 || (model && rate_hz == 8000);
    if (!good)
        err_set(err, ERR_UNSUPPORTED, "voice activity: %d Hz is not possible; 16000%s", rate_hz, model ? " or 8000" : "");
    if (good && (!model || wire_up(s, err)))
        return s;
    speech_close(s);
    return NULL;
}

void speech_close(struct speech *s)
{
    if (s)
        onnx_session_close(s->session);
    free(s);
}

int speech_rate_hz(const struct speech *s) { return s->rate_hz; }
int speech_frame(const struct speech *s) { return s->n_frame; }
struct onnx_session *speech_session(struct speech *s) { return s->session; }

bool speech_put(struct speech *s, struct speech_state *st, const float *x, float *p, struct err *err)
{
    if (!s->session) {
        *p = vad_energy_put(&st->energy, x);
        return true;
    }
    if (!own_inputs(s, err))
        return false;
    float *in = onnx_input(s->session, s->in_input)->data;
    memcpy(in, st->context, (size_t)s->n_context * sizeof(float));
    memcpy(in + s->n_context, x, (size_t)s->n_frame * sizeof(float));
    memcpy(st->context, x + s->n_frame - s->n_context, (size_t)s->n_context * sizeof(float));
    memcpy(onnx_input(s->session, s->in_state)->data, st->state, sizeof(st->state));
    if (!onnx_run(s->session, err))
        return false;
    const struct tensor *out = onnx_output(s->session, s->out_p), *state = onnx_output(s->session, s->out_state);
    if (out->type != TENSOR_F32 || out->n_bytes != sizeof(float) || state->type != TENSOR_F32 || state->n_bytes != sizeof(st->state))
        return err_set(err, ERR_UNSUPPORTED, "voice activity: the model's outputs have another shape than Silero's");
    memcpy(p, out->data, sizeof(float));
    memcpy(st->state, state->data, sizeof(st->state));
    if (!isfinite(*p)) /* NaN samples came in: what follows must not suffer */
        memset(st, 0, sizeof(*st)), *p = 0;
    return true;
}
