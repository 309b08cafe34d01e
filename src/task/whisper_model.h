/* task/whisper_model.h - the two halves of a Whisper-class model: sound to states once, tokens to logits step by step.
 *
 * For:     task/whisper_task.c.
 * Touches: ONNX sessions.  Thread: one.
 * Forms:   of the usual exports (optimum, transformers.js), recognised by the names of inputs and outputs:
 *          plain    decoder: `input_ids`, `encoder_hidden_states` -> `logits`; everything is computed again for each token
 *          pair     the same, which also gives `present.*`, and a second file that takes them as `past_key_values.*`
 *          merged   one file with `past_key_values.*` and `use_cache_branch`
 * Rule:    keys and values go from run to run without a copy (onnx_link), but the merged form's of the encoder, once a window.
 */
#ifndef TUTTI_TASK_WHISPER_MODEL_H
#define TUTTI_TASK_WHISPER_MODEL_H
#include <stdbool.h>
#include <stdint.h>

#include "task/onnx_open.h"

enum whisper_form { WHISPER_PLAIN, WHISPER_PAIR, WHISPER_MERGED };
enum { WHISPER_PAST_MAX = 256, WHISPER_IDS_MAX = 4096 };

struct whisper_past { /* a key or value that goes from run to run */
    int in, out;      /* of the session that takes it: input, and output that renews it (-1: the encoder's, it stays) */
    int first_out;    /* of the decoder that begins */
};

struct whisper_model {
    struct onnx_session *encoder, *decoder, *with_past; /* with_past: WHISPER_PAIR */
    enum whisper_form form;
    int n_mel, n_frames; /* of the encoder's input: 80 or 128, 3000 */
    int n_vocab;         /* of the logits; known after the first run */
    int in_ids, in_states, in_cache, out_logits;       /* of decoder; -1: has none */
    int past_in_ids, past_in_states, past_out_logits;  /* of with_past */
    struct whisper_past past[WHISPER_PAST_MAX];
    int n_past;
    int n_said; /* ids that the caches hold */
};

/* Reads the card's `encoder` (or `model`), `decoder`, `decoder_with_past`. */
bool whisper_model_open(struct whisper_model *m, struct onnx *o, const struct card *card, const struct task_env *env, struct err *err);
void whisper_model_fini(struct whisper_model *m);

/* [n_mel][n_frames]: to be written before whisper_encode(). */
float *whisper_mel(struct whisper_model *m);
bool whisper_encode(struct whisper_model *m, struct err *err);
/* Logits behind ids[0 .. n_ids); those of the last call with one more at the end cost one step.  logits: [n_rows][n_vocab],
 * borrowed until the next call; n_rows is n_ids when the decoder began anew (row i: behind ids[0 .. i]), else 1. */
bool whisper_decode(struct whisper_model *m, const int64_t *ids, int n_ids, const float **logits, int *n_rows, struct err *err);
/* The next whisper_decode() begins anew. */
void whisper_restart(struct whisper_model *m);
#endif
