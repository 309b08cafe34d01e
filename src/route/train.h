/* route/train.h - the intent model learned from lines of text: multinomial logistic regression, AdaGrad, by seed.
 *
 * For:     `tutti route train` and `tutti route eval`, tests.
 * Callers: cmd/.
 * Touches: reads the files it is given, writes one.  Memory: some 100 bytes a line and the text.  Thread: one.
 * Rule:    the same files in the same order, options and seed give the same model.  Sources, never lines, are held out: the
 *          calibration and the figures of train_model() come from folds whose sources the weights did not see.
 */
#ifndef TUTTI_ROUTE_TRAIN_H
#define TUTTI_ROUTE_TRAIN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "route/intent.h"

enum { TRAIN_LINES_MAX = 2000000, TRAIN_TEXT_BYTES_MAX = 1 << 20, TRAIN_SOURCE_BYTES = 32 };

struct train_line {
    char *text; /* owned */
    uint32_t n_bytes;
    int8_t intent;    /* enum intent, -1: not stated */
    int8_t difficult; /* 0, 1, -1: not stated */
    int8_t weak, strong; /* did the model answer: 0, 1, -1: not stated */
    uint32_t topic;      /* a hash of the key "subject", 0: none */
    char source[TRAIN_SOURCE_BYTES]; /* the key "source", else the file's name without folder and ending */
};
struct train_set { /* begin with { 0 } */
    struct train_line *line; /* owned */
    size_t n, cap;
};

/* Appends a file: JSON lines {"text", "intent", "difficult", "weak", "strong", "subject", "source"}, or lines "intent<TAB>text" where a
 * first character other than '{' says so; '#' begins a remark there, and [[a|b|c]] in a text is each of its choices in turn,
 * several of them in steps (train_expand()).  "-" reads stdin.  false with err set. */
bool train_set_add(struct train_set *set, const char *path, struct err *err);
/* The same from memory: bytes[n_bytes] must be writable too, and the bytes are spoilt; path is for errors and the source's name. */
bool train_set_add_bytes(struct train_set *set, char *bytes, size_t n_bytes, const char *path, struct err *err);
void train_set_fini(struct train_set *set);
/* Appends the text with its [[a|b]] replaced by choice number `round` of each, the second group one step on for each full
 * turn of the first; returns how many rounds show each choice at least once (1: no groups); out may be NULL. */
int train_expand(const char *text, int round, char *out, size_t n_bytes);

struct train_options {
    uint64_t seed;
    int n_rounds; /* over all lines */
    int n_runs;   /* with seeds seed, seed + 1, ...; the model is their mean */
    int n_folds;  /* of sources, at most 16; where two sources have two thirds of the intents, each such one is a fold */
    double rate, l2;
    const char *const *calibrate; /* sources that are like what will be asked: they weigh more, and each is a fold that sets the
                                   * temperature; n_calibrate 0: none weighs more, folds are as n_folds says */
    int n_calibrate;
    const char *hold; /* a source (up to its first '-', '+' or '.') that is left out and judged at the end; NULL: none */
};
extern const struct train_options train_default;

struct train_figures {
    size_t n_lines, n_intent, n_difficulty;
    double fold_accuracy, fold_top2, fold_ece; /* over lines of folds whose sources were held out; each source counts alike */
    double temperature;
    double fold_apgr;  /* of lines with weak and strong, 5 folds by text; NAN: none */
    size_t n_held;     /* lines of `hold` */
    double held_accuracy, held_top2, held_ece;
};

/* Learns and writes the model to `path` (whole or not at all).  say: progress, may be NULL.  false with err set. */
bool train_model(const struct train_set *set, const struct train_options *options, const char *path, struct train_figures *figures,
                 void (*say)(const char *text), struct err *err);

/* Mean share of the gap closed, over shares 0..1 sent to the strong model in order of falling score (RouteLLM, arXiv
 * 2406.18665): random 0.5.  gain: strong - weak of each.  NAN when the models do not differ. */
double train_apgr(const float *score, const int8_t *gain, size_t n);
#endif
