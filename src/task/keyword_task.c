/* task/keyword_task.c - `task: keyword`: which of a few words a short sound is; MFCCs into a network of logits.
 *
 * Source:  ../shared/models/IO.md, audio/kws_matchboxnet_33.onnx; features as torchaudio.transforms.MFCC makes them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "task/listen.h"
#include "task/mel.h"
#include "task/onnx_open.h"
#include "task/vision.h"

struct keyword {
    const struct card *card;
    struct onnx *onnx;
    struct onnx_session *session;
    struct mel *mel;
    struct labels labels;
    int rate_hz, n_mel, n_coef, n_top;
    double max_s;
    float threshold;
    float *dct;    /* [n_coef][n_mel] */
    float *sound;  /* [max_s * rate_hz] */
    float *bands;  /* [frames][n_mel] */
    size_t n_sound_max, n_frames_max;
};

static void keyword_free(void *self)
{
    struct keyword *k = self;
    onnx_session_close(k->session);
    onnx_close(k->onnx);
    mel_free(k->mel);
    labels_fini(&k->labels);
    free(k->dct), free(k->sound), free(k->bands);
    free(k);
}

/* The card's map `mfcc`; the defaults are those of NVIDIA's MatchboxNet. */
static bool read_features(struct keyword *k, const struct card *card, struct err *err)
{
    static const char *const keys[] = { "rate", "fft", "window", "hop", "bands", "coefficients", "low", "high", NULL };
    const struct yaml_node *map = NULL;
    int64_t rate = 16000, fft = 512, window = 400, hop = 160, bands = 64, coef = 64;
    double low = 0, high = 0;
    struct yaml *y = card->yaml;
    if (!yaml_map(y, card->node, "mfcc", &map, err) || (map && !yaml_check_keys(y, map, keys, NULL, err)) ||
        !yaml_int(y, map, "rate", 4000, 48000, &rate, err) || !yaml_int(y, map, "fft", 32, 8192, &fft, err) ||
        !yaml_int(y, map, "window", 16, fft, &window, err) || !yaml_int(y, map, "hop", 16, 8192, &hop, err) ||
        !yaml_int(y, map, "bands", 1, MEL_BANDS_MAX, &bands, err) || !yaml_int(y, map, "coefficients", 1, bands, &coef, err) ||
        !yaml_number(y, map, "low", 0, 24000, &low, err) || !yaml_number(y, map, "high", 0, 24000, &high, err))
        return false;
    const struct mel_opts o = { MEL_HTK, (int)rate, (int)fft, (int)window, (int)hop, (int)bands, (float)low, (float)high };
    k->rate_hz = o.rate_hz, k->n_mel = o.n_mel, k->n_coef = (int)coef;
    if (!(k->mel = mel_new(&o, err)))
        return err_prefix(err, "%s", card->id);
    k->n_sound_max = (size_t)(k->max_s * k->rate_hz);
    k->n_frames_max = mel_frames(k->mel, k->n_sound_max);
    k->dct = calloc((size_t)k->n_coef * (size_t)k->n_mel, sizeof(float));
    k->sound = calloc(k->n_sound_max, sizeof(float));
    k->bands = calloc(k->n_frames_max * (size_t)k->n_mel, sizeof(float));
    if (!k->dct || !k->sound || !k->bands)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    mel_dct_matrix(k->n_mel, k->n_coef, k->dct);
    return true;
}

static bool open_model(struct keyword *k, const struct card *card, const struct task_env *env, struct err *err)
{
    char model[sizeof(card->model)];
    struct card one = *card; /* a millisecond's work */
    one.threads = card->threads ? card->threads : 1;
    if (!task_onnx_model(card, model, sizeof(model), err) || !(k->onnx = task_onnx_open(&one, env, err)) ||
        !(k->session = task_onnx_session(k->onnx, card, env, model, err)))
        return false;
    const struct tensor *in = onnx_input_info(k->session, 0);
    if (onnx_n_inputs(k->session) != 1 || in->type != TENSOR_F32 || in->n_dims != 3 || (in->dims[1] >= 0 && in->dims[1] != k->n_coef) ||
        in->dims[2] >= 0 || onnx_output_info(k->session, 0)->type != TENSOR_F32)
        return err_set(err, ERR_UNSUPPORTED, "%s: one input of floats [1, %d, any] and logits are wanted", model, k->n_coef);
    return true;
}

static bool keyword_open(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { ONNX_OPEN_KEYS, "labels", "mfcc", "max", "top", "threshold", NULL };
    struct keyword *k = calloc(1, sizeof(*k));
    if (!k)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    k->card = card;
    uint64_t max_ms = 4000;
    int64_t n_top = 5;
    double threshold = 0;
    bool good = card_check_keys(card, keys, err) && yaml_time(card->yaml, card->node, "max", &max_ms, err) &&
                yaml_int(card->yaml, card->node, "top", 1, 1000, &n_top, err) &&
                yaml_number(card->yaml, card->node, "threshold", 0, 1, &threshold, err);
    if (good && (max_ms < 100 || max_ms > 30000))
        good = card_fail(card, yaml_get(card->node, "max"), err, "max: from 0.1 to 30 s");
    k->max_s = (double)max_ms / 1000, k->n_top = (int)n_top, k->threshold = (float)threshold;
    if (!good || !labels_read(&k->labels, card, err) || !read_features(k, card, err) || !open_model(k, card, env, err)) {
        keyword_free(k);
        return false;
    }
    *self = k;
    return true;
}

static void keyword_info(void *self, struct task_info *out)
{
    const struct keyword *k = self;
    out->tasks = EXPERT_KEYWORD;
    task_onnx_info(k->onnx, k->session, k->card, out);
}

/* The best n_top of softmax(logits), highest first. */
static bool emit_labels(const struct keyword *k, const float *logits, int n, const struct task_request *rq, double duration_s,
                        const struct task_out *out, struct err *err)
{
    const int n_top = rq->options.n_top > 0 ? rq->options.n_top : k->n_top;
    const float threshold = rq->options.threshold > 0 ? rq->options.threshold : k->threshold;
    struct result_label *best = arena_alloc(out->arena, (size_t)n, sizeof(*best), err);
    bool *taken = best ? arena_alloc(out->arena, (size_t)n, sizeof(*taken), err) : NULL;
    int n_best = 0;
    double sum = 0;
    float top = -INFINITY;
    if (!taken)
        return false;
    for (int i = 0; i < n; i++)
        top = logits[i] > top ? logits[i] : top;
    for (int i = 0; i < n; i++)
        sum += exp((double)logits[i] - top);
    while (n_best < n && n_best < n_top) {
        int at = -1;
        for (int i = 0; i < n; i++)
            if (!taken[i] && (at < 0 || logits[i] > logits[at]))
                at = i;
        taken[at] = true;
        const float score = (float)(exp((double)logits[at] - top) / sum);
        if (!(score >= threshold)) /* NaN too */
            break;
        best[n_best].score = score;
        if (!(best[n_best++].label = labels_get(&k->labels, at, out->arena, err)))
            return false;
    }
    const struct task_result r = { .labels = best, .n_labels = n_best, .duration_s = duration_s };
    return task_emit_result(out, &r, err);
}

static bool keyword_run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct keyword *k = self;
    if (rq->task == EXPERT_INFER)
        return task_onnx_infer(k->session, rq, out, err);
    struct listen listen;
    size_t n = 0;
    float more;
    listen_init(&listen, k->rate_hz);
    size_t n_more = 0;
    bool good = rq->session == 0 || err_set(err, ERR_UNSUPPORTED, "keyword: a word of a live sound must be cut out first (task: vad)");
    good = good && listen_feed(&listen, rq, err) && listen_read(&listen, k->sound, k->n_sound_max, &n, err) &&
           (n < k->n_sound_max || listen_read(&listen, &more, 1, &n_more, err));
    listen_fini(&listen);
    if (!good)
        return false;
    if (n_more || n == 0)
        return err_set(err, ERR_INPUT, "keyword: one word is wanted, %s", n ? "this sound is longer than the card's `max`" : "this sound is empty");
    const size_t n_frames = mel_frames(k->mel, n);
    if (!onnx_set_dims(k->session, 0, (const int64_t[]){ 1, k->n_coef, (int64_t)n_frames }, 3, err))
        return false;
    mel_power(k->mel, k->sound, n, n, 0, n_frames, k->bands);
    mel_to_db(k->bands, n_frames * (size_t)k->n_mel, 80.0f);
    mel_to_mfcc(k->bands, n_frames, k->n_mel, k->n_coef, k->dct, onnx_input(k->session, 0)->data);
    if (!onnx_run(k->session, err))
        return false;
    const struct tensor *logits = onnx_output(k->session, 0);
    const int64_t n_classes = tensor_count(logits->dims, logits->n_dims);
    if (n_classes < 1 || n_classes > 1 << 20)
        return err_set(err, ERR_UNSUPPORTED, "keyword: the model's output is no list of classes");
    return emit_labels(k, logits->data, (int)n_classes, rq, (double)n / k->rate_hz, out, err);
}

const struct task_kind task_keyword_onnx = { "onnx", "keyword", keyword_open, keyword_free, keyword_info, keyword_run, NULL };
