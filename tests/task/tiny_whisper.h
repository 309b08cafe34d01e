/* tests/task/tiny_whisper.h - a Whisper-class model of random weights, as ONNX files of the three usual forms and in double.
 *
 * Encoder: tanh(mel^T We).  Decoder: embedding + position, one layer of causal self-attention and cross-attention (one head),
 * logits.  Two seconds of sound in a window, 8 mel bands, 141 tokens of which 101 are timestamps.
 */
#ifndef TUTTI_TESTS_TASK_TINY_WHISPER_H
#define TUTTI_TESTS_TASK_TINY_WHISPER_H
#include <math.h>

#include "../onnx/write.h"
#include "test.h"

enum { TW_MEL = 8, TW_FRAMES = 200, TW_D = 16, TW_IDS = 64, TW_T0 = 40, TW_VOCAB = TW_T0 + 101 };
enum { TW_EOT = 31, TW_SOT = 32, TW_EN = 33, TW_DE = 34, TW_TRANSLATE = 35, TW_TRANSCRIBE = 36, TW_PREV = 37, TW_NO_SPEECH = 38, TW_NO_TIMES = 39 };

struct tiny_whisper {
    float we[TW_MEL][TW_D], emb[TW_VOCAB][TW_D], pos[TW_IDS][TW_D], u[TW_D][TW_VOCAB];
    float w[6][TW_D][TW_D]; /* q, k, v, cross q, cross k, cross v */
    double states[TW_FRAMES][TW_D];
};

static inline void tiny_fill(float *x, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++)
        x[i] = scale * test_rand_f32();
}

static inline void tiny_init(struct tiny_whisper *m)
{
    tiny_fill(&m->we[0][0], TW_MEL * TW_D, 1);
    tiny_fill(&m->emb[0][0], TW_VOCAB * TW_D, 1);
    tiny_fill(&m->pos[0][0], TW_IDS * TW_D, 1);
    tiny_fill(&m->u[0][0], TW_D * TW_VOCAB, 1);
    tiny_fill(&m->w[0][0][0], 6 * TW_D * TW_D, 0.5f);
}

/* ---- in double ---- */

static inline void tiny_encode(struct tiny_whisper *m, const float *mel) /* [TW_MEL][TW_FRAMES] */
{
    for (int t = 0; t < TW_FRAMES; t++)
        for (int j = 0; j < TW_D; j++) {
            double s = 0;
            for (int b = 0; b < TW_MEL; b++)
                s += (double)mel[b * TW_FRAMES + t] * m->we[b][j];
            m->states[t][j] = tanh(s);
        }
}

static inline void tiny_times(const double *x, float w[TW_D][TW_D], double *out)
{
    for (int j = 0; j < TW_D; j++) {
        out[j] = 0;
        for (int i = 0; i < TW_D; i++)
            out[j] += x[i] * w[i][j];
    }
}

static inline void tiny_attend(const double *q, double (*k)[TW_D], double (*v)[TW_D], int n, double *h)
{
    static double p[TW_FRAMES + TW_IDS];
    double top = -1e300, sum = 0;
    for (int i = 0; i < n; i++) {
        p[i] = 0;
        for (int j = 0; j < TW_D; j++)
            p[i] += q[j] * k[i][j] / 4;
        top = p[i] > top ? p[i] : top;
    }
    for (int i = 0; i < n; i++)
        sum += p[i] = exp(p[i] - top);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < TW_D; j++)
            h[j] += p[i] / sum * v[i][j];
}

/* Behind ids[0 .. n). */
static inline void tiny_logits(struct tiny_whisper *m, const int64_t *ids, int n, double *logits)
{
    static double k[TW_IDS][TW_D], v[TW_IDS][TW_D], ck[TW_FRAMES][TW_D], cv[TW_FRAMES][TW_D];
    double h[TW_D], q[TW_D];
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < TW_D; j++)
            h[j] = (double)m->emb[ids[i]][j] + m->pos[i][j];
        tiny_times(h, m->w[1], k[i]);
        tiny_times(h, m->w[2], v[i]);
    }
    for (int t = 0; t < TW_FRAMES; t++)
        tiny_times(m->states[t], m->w[4], ck[t]), tiny_times(m->states[t], m->w[5], cv[t]);
    tiny_times(h, m->w[0], q);
    tiny_attend(q, k, v, n, h);
    tiny_times(h, m->w[3], q);
    tiny_attend(q, ck, cv, TW_FRAMES, h);
    for (int i = 0; i < TW_VOCAB; i++) {
        logits[i] = 0;
        for (int j = 0; j < TW_D; j++)
            logits[i] += h[j] * m->u[j][i];
    }
}

/* ---- as files ---- */

static inline void tiny_write_encoder(const struct tiny_whisper *m, const char *path)
{
    struct onnx_writer w;
    writer_begin(&w);
    writer_input(&w, "input_features", 1, (int64_t[]){ -1, TW_MEL, TW_FRAMES }, 3);
    writer_floats(&w, "we", (int64_t[]){ TW_MEL, TW_D }, 2, &m->we[0][0]);
    writer_node(&w, "Transpose", "input_features", "x");
    writer_attr_ints(&w, "perm", (int64_t[]){ 0, 2, 1 }, 3);
    writer_node(&w, "MatMul", "x we", "y");
    writer_node(&w, "Tanh", "y", "last_hidden_state");
    writer_output(&w, "last_hidden_state", 1, (int64_t[]){ -1, TW_FRAMES, TW_D }, 3);
    writer_save(&w, path);
}

enum tiny_form {
    TINY_FIRST,  /* decoder_model.onnx: gives caches */
    TINY_PLAIN,  /* without caches */
    TINY_PAST,   /* decoder_with_past_model.onnx */
    TINY_MERGED, /* decoder_model_merged.onnx; its caches of the encoder are nothing when use_cache_branch, as in the real ones */
};

static inline void tiny_write_decoder(const struct tiny_whisper *m, enum tiny_form form, int ids_type, const char *path)
{
    static const char *const names[] = { "wq", "wk", "wv", "wcq", "wck", "wcv" };
    static float mask[TW_IDS][TW_IDS];
    const bool takes = form == TINY_PAST || form == TINY_MERGED;
    struct onnx_writer w;
    writer_begin(&w);
    for (int i = 0; i < TW_IDS; i++)
        for (int j = 0; j < TW_IDS; j++)
            mask[i][j] = j > i ? -1e9f : 0;
    writer_input(&w, "input_ids", ids_type, (int64_t[]){ -1, -1 }, 2);
    if (form != TINY_PAST)
        writer_input(&w, "encoder_hidden_states", 1, (int64_t[]){ -1, -1, TW_D }, 3);
    if (takes) {
        writer_input(&w, "past_key_values.0.decoder.key", 1, (int64_t[]){ -1, 1, -1, TW_D }, 4);
        writer_input(&w, "past_key_values.0.decoder.value", 1, (int64_t[]){ -1, 1, -1, TW_D }, 4);
        writer_input(&w, "past_key_values.0.encoder.key", 1, (int64_t[]){ -1, 1, -1, TW_D }, 4);
        writer_input(&w, "past_key_values.0.encoder.value", 1, (int64_t[]){ -1, 1, -1, TW_D }, 4);
    }
    if (form == TINY_MERGED)
        writer_input(&w, "use_cache_branch", 9, (int64_t[]){ 1 }, 1);
    writer_floats(&w, "emb", (int64_t[]){ TW_VOCAB, TW_D }, 2, &m->emb[0][0]);
    writer_floats(&w, "pos", (int64_t[]){ TW_IDS, TW_D }, 2, &m->pos[0][0]);
    writer_floats(&w, "u", (int64_t[]){ TW_D, TW_VOCAB }, 2, &m->u[0][0]);
    writer_floats(&w, "mask", (int64_t[]){ TW_IDS, TW_IDS }, 2, &mask[0][0]);
    for (int i = 0; i < 6; i++)
        writer_floats(&w, names[i], (int64_t[]){ TW_D, TW_D }, 2, &m->w[i][0][0]);
    writer_floats(&w, "four", (int64_t[]){ 1 }, 1, (float[]){ 4 });
    writer_ints(&w, "i0", (int64_t[]){ 1 }, 1, (int64_t[]){ 0 });
    writer_ints(&w, "i1", (int64_t[]){ 1 }, 1, (int64_t[]){ 1 });
    writer_ints(&w, "i2", (int64_t[]){ 1 }, 1, (int64_t[]){ 2 });
    writer_ints(&w, "axes01", (int64_t[]){ 2 }, 1, (int64_t[]){ 0, 1 });
    /* how many were said before, how many come now */
    writer_node(&w, "Shape", "input_ids", "ids_shape");
    writer_node(&w, "Gather", "ids_shape i1", "n_new");
    if (takes) {
        writer_node(&w, "Shape", "past_key_values.0.decoder.key", "past_shape");
        writer_node(&w, "Gather", "past_shape i2", "n_past");
    } else {
        writer_node(&w, "Identity", "i0", "n_past");
    }
    writer_node(&w, "Add", "n_past n_new", "n_all");
    writer_node(&w, "Gather", "emb input_ids", "e");
    writer_node(&w, "Slice", "pos n_past n_all i0", "p");
    writer_node(&w, "Add", "e p", "h0");
    writer_node(&w, "MatMul", "h0 wq", "q3");
    writer_node(&w, "Unsqueeze", "q3 i1", "q");
    writer_node(&w, "MatMul", "h0 wk", "k3");
    writer_node(&w, "Unsqueeze", "k3 i1", "k4");
    writer_node(&w, "MatMul", "h0 wv", "v3");
    writer_node(&w, "Unsqueeze", "v3 i1", "v4");
    writer_node(&w, takes ? "Concat" : "Identity", takes ? "past_key_values.0.decoder.key k4" : "k4", "present.0.decoder.key");
    if (takes)
        writer_attr_int(&w, "axis", 2);
    writer_node(&w, takes ? "Concat" : "Identity", takes ? "past_key_values.0.decoder.value v4" : "v4", "present.0.decoder.value");
    if (takes)
        writer_attr_int(&w, "axis", 2);
    writer_node(&w, "Transpose", "present.0.decoder.key", "kt");
    writer_attr_ints(&w, "perm", (int64_t[]){ 0, 1, 3, 2 }, 4);
    writer_node(&w, "MatMul", "q kt", "s0");
    writer_node(&w, "Div", "s0 four", "s1");
    writer_node(&w, "Concat", "n_past i0", "mask_from");
    writer_attr_int(&w, "axis", 0);
    writer_node(&w, "Concat", "n_all n_all", "mask_to");
    writer_attr_int(&w, "axis", 0);
    writer_node(&w, "Slice", "mask mask_from mask_to axes01", "mask_now");
    writer_node(&w, "Add", "s1 mask_now", "s2");
    writer_node(&w, "Softmax", "s2", "s3");
    writer_attr_int(&w, "axis", -1);
    writer_node(&w, "MatMul", "s3 present.0.decoder.value", "a4");
    writer_node(&w, "Squeeze", "a4 i1", "a");
    writer_node(&w, "Add", "h0 a", "h1");
    const char *ck = "past_key_values.0.encoder.key", *cv = "past_key_values.0.encoder.value";
    if (form != TINY_PAST) {
        writer_node(&w, "MatMul", "encoder_hidden_states wck", "ck3");
        writer_node(&w, "Unsqueeze", "ck3 i1", "ck4");
        writer_node(&w, "MatMul", "encoder_hidden_states wcv", "cv3");
        writer_node(&w, "Unsqueeze", "cv3 i1", "cv4");
        ck = "ck4", cv = "cv4";
    }
    if (form == TINY_MERGED) { /* the caches when there are some, else what was just computed */
        writer_ints(&w, "n_states", (int64_t[]){ 1 }, 1, (int64_t[]){ TW_FRAMES });
        writer_node(&w, "Concat", "past_key_values.0.encoder.key ck4", "ck5");
        writer_attr_int(&w, "axis", 2);
        writer_node(&w, "Slice", "ck5 i0 n_states i2", "ck6");
        writer_node(&w, "Concat", "past_key_values.0.encoder.value cv4", "cv5");
        writer_attr_int(&w, "axis", 2);
        writer_node(&w, "Slice", "cv5 i0 n_states i2", "cv6");
        writer_node(&w, "Not", "use_cache_branch", "is_first");
        writer_node(&w, "Cast", "is_first", "is_first_f");
        writer_attr_int(&w, "to", 1);
        writer_node(&w, "Mul", "ck4 is_first_f", "present.0.encoder.key");
        writer_node(&w, "Mul", "cv4 is_first_f", "present.0.encoder.value");
        ck = "ck6", cv = "cv6";
    } else if (form == TINY_FIRST) {
        writer_node(&w, "Identity", "ck4", "present.0.encoder.key");
        writer_node(&w, "Identity", "cv4", "present.0.encoder.value");
    }
    char inputs[128];
    writer_node(&w, "MatMul", "h1 wcq", "cq3");
    writer_node(&w, "Unsqueeze", "cq3 i1", "cq");
    writer_node(&w, "Transpose", ck, "ckt");
    writer_attr_ints(&w, "perm", (int64_t[]){ 0, 1, 3, 2 }, 4);
    writer_node(&w, "MatMul", "cq ckt", "c0");
    writer_node(&w, "Div", "c0 four", "c1");
    writer_node(&w, "Softmax", "c1", "c2");
    writer_attr_int(&w, "axis", -1);
    snprintf(inputs, sizeof inputs, "c2 %s", cv);
    writer_node(&w, "MatMul", inputs, "b4");
    writer_node(&w, "Squeeze", "b4 i1", "b");
    writer_node(&w, "Add", "h1 b", "h2");
    writer_node(&w, "MatMul", "h2 u", "logits");
    writer_output(&w, "logits", 1, (int64_t[]){ -1, -1, TW_VOCAB }, 3);
    if (form != TINY_PLAIN) {
        writer_output(&w, "present.0.decoder.key", 1, (int64_t[]){ -1, 1, -1, TW_D }, 4);
        writer_output(&w, "present.0.decoder.value", 1, (int64_t[]){ -1, 1, -1, TW_D }, 4);
    }
    if (form == TINY_FIRST || form == TINY_MERGED) {
        writer_output(&w, "present.0.encoder.key", 1, (int64_t[]){ -1, 1, -1, TW_D }, 4);
        writer_output(&w, "present.0.encoder.value", 1, (int64_t[]){ -1, 1, -1, TW_D }, 4);
    }
    writer_save(&w, path);
}

/* Letters, " ", " the", ".", the two bytes of an e with acute, then the special ones. */
static inline const char *tiny_tokenizer(void)
{
    static char text[8192];
    static const char *const special[] = { "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>" };
    size_t n = (size_t)snprintf(text, sizeof text, "{\"version\":\"1.0\",\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int i = 0; i < 26; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "\"%c\":%d,", 'a' + i, i);
    n += (size_t)snprintf(text + n, sizeof text - n, "\"\xc4\xa0\":26,\"\xc4\xa0the\":27,\".\":28,\"\xc3\x83\":29,\"\xc2\xa9\":30},\"merges\":[]},\"added_tokens\":[");
    for (int i = 0; i < 9; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "{\"id\":%d,\"content\":\"%s\",\"special\":true},", TW_EOT + i, special[i]);
    for (int i = 0; i <= 100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "{\"id\":%d,\"content\":\"<|%.2f|>\",\"special\":false}%s", TW_T0 + i, i * 0.02, i < 100 ? "," : "]}");
    return text;
}
#endif
