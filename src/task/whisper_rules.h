/* task/whisper_rules.h - which token may come next, which one is taken, how good the text is: Whisper's rules, pure.
 *
 * For:     task/whisper_task.c.
 * Touches: nothing.  Thread: any.
 * Source:  openai/whisper: decoding.py (SuppressBlank, SuppressTokens, ApplyTimestampRules, GreedyDecoder), transcribe.py
 *          (fallback, segments); Radford et al. 2022, section 4.5.
 */
#ifndef TUTTI_TASK_WHISPER_RULES_H
#define TUTTI_TASK_WHISPER_RULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "task/whisper_vocab.h"

/* Sets what may not come to -INFINITY.  tokens: what was said in this window so far.  max_initial: the highest timestamp
 * that may come first, in steps of 20 ms.  Tokens from n_vocab of the model on that v does not know are barred. */
void whisper_bar(const struct whisper_vocab *v, float *logits, int n_logits, const int64_t *tokens, int n_tokens, bool timestamps, int max_initial);
/* The best (temperature 0) or one drawn by softmax(logits / temperature) with numbers of r; *logprob: its log-probability at
 * temperature 1 among what is not barred.  -1: nothing is left. */
int whisper_choose(const float *logits, int n_logits, float temperature, struct rng *r, float *logprob);
/* Bytes of text / bytes of its compressed form: text that repeats itself is above 2.4.  An estimate of what zlib does:
 * greedy matches in 32 kB, fixed codes. */
float whisper_compression_ratio(const char *text, size_t n);

struct whisper_segment { /* of one window */
    int first, n;        /* tokens, timestamps included */
    double start_s, end_s;
};
/* Cuts the tokens of a window of window_s into segments by pairs of timestamps; n_max of them at most.  *seek_s: where the
 * next window begins. */
int whisper_cut(const struct whisper_vocab *v, const int64_t *tokens, int n_tokens, double window_s, struct whisper_segment *out, int n_max, double *seek_s);
#endif
