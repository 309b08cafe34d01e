/* task/heard.h - what was heard so far: segments and words with times in the whole recording, growing.
 *
 * For:     the tasks that listen (voice activity, wake words, speech to text); they fill one in and emit it.
 * Touches: memory, bounded by HEARD_TEXT_MAX and HEARD_ITEMS_MAX.  Thread: its owner's.
 * Rule:    texts lie one after another in one buffer; items name them by offset, so that growing moves nothing that
 *          somebody holds.  heard_emit() makes the pointers of struct task_result out of them.
 */
#ifndef TUTTI_TASK_HEARD_H
#define TUTTI_TASK_HEARD_H
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "task/task.h"

enum { HEARD_TEXT_MAX = 16 << 20, HEARD_ITEMS_MAX = 1 << 20 };

struct heard_segment {
    double start_s, end_s;
    size_t text;       /* offset into texts; SIZE_MAX: none */
    const char *label; /* borrowed from the task, lives as long as it; NULL */
    float score, avg_logprob, no_speech_prob, compression_ratio, temperature;
};

struct heard_word {
    double start_s, end_s;
    size_t text;
    float score;
};

/* Begin with heard_init(), clear for each request. */
struct heard {
    struct buf texts; /* each ends with '\0' */
    struct heard_segment *segments;
    struct heard_word *words;
    float *scores; /* probabilities by frame */
    size_t n_segments, n_words, n_scores, cap_segments, cap_words, cap_scores;
    double score_step_s;
    char language[16];
};

void heard_init(struct heard *h);
void heard_fini(struct heard *h);
void heard_clear(struct heard *h);

/* s->text is set from the text (n bytes; NULL: none).  false with err: ERR_LIMIT, ERR_NOMEM. */
bool heard_add_segment(struct heard *h, const struct heard_segment *s, const char *text, size_t n, struct err *err);
bool heard_add_word(struct heard *h, const char *text, size_t n, double start_s, double end_s, float score, struct err *err);
bool heard_add_score(struct heard *h, float p, struct err *err);

const char *heard_text(const struct heard *h, size_t offset); /* "" for SIZE_MAX */

/* One TASK_RESULT with all of it from the given items on, and n_labels labels.  is_text: `text` is the segments' texts
 * joined by spaces. */
bool heard_emit(const struct heard *h, size_t first_segment, size_t first_word, double duration_s, const struct result_label *labels,
                int n_labels, bool is_text, const struct task_out *out, struct err *err);
#endif
