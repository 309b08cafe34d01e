/* task/result.h - what an expert saw, read, heard: one form for all tasks beyond text.
 *
 * For:     task/ fills them in; expert/ carries them, api/ and cmd/ print them.
 * Touches: nothing.
 * Rule:    everything is borrowed: from the task until the event's callback returns.  Pictures are measured in pixels of
 *          the picture as it came (after its EXIF orientation), sound in seconds from its start.
 */
#ifndef TUTTI_TASK_RESULT_H
#define TUTTI_TASK_RESULT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct result_label {
    const char *label;
    float score; /* 0..1, or a model's own measure when its card says `raw` */
};

struct result_point {
    float x, y; /* px */
};
enum { RESULT_POINTS_MAX = 8 };

struct result_box {
    const char *label; /* NULL: the task says it ("face", "text") */
    const char *name;  /* of an enrolled person; NULL */
    float score, name_score;
    float x, y, w, h;  /* px; x, y: left top */
    int n_points;      /* landmarks, or the corners of a slanted box (clockwise from left top) */
    struct result_point points[RESULT_POINTS_MAX];
};

struct result_word { /* read: a box; heard: times */
    const char *text;
    float score;
    float x, y, w, h;       /* px; w 0: not read from a picture */
    double start_s, end_s;  /* end_s 0: not heard */
    int line;               /* of the text, from 0 */
};

struct result_segment {
    double start_s, end_s;
    const char *text;  /* NULL: only times (voice activity) */
    const char *label; /* "speech", a wake word; NULL */
    float score;       /* mean probability; 0: not known */
    float avg_logprob, no_speech_prob, compression_ratio, temperature; /* of Whisper-class models; 0 otherwise */
};

struct result_mask { /* segmentation: class numbers over the whole picture, or 0/1 over the pixels of one box */
    int w, h;
    const uint8_t *pixels; /* [h][w] */
    int box;               /* index of its box; -1: the whole picture */
};

/* What applies; the rest is NULL and 0. */
struct task_result {
    const struct result_label *labels;
    int n_labels;
    const struct result_box *boxes;
    int n_boxes;
    const char *text; /* all of it: lines joined by spaces; NULL: not a task of text */
    const struct result_word *words;
    int n_words;
    const struct result_segment *segments;
    int n_segments;
    const float *vector; /* an embedding */
    int n_vector;
    const float *scores; /* a score for each frame of sound or each region of a picture: VAD probabilities, motion */
    int n_scores;
    double score_step_s; /* sound: seconds from one score to the next */
    const struct result_mask *masks;
    int n_masks;
    const char *language; /* heard or read; NULL */
    double duration_s;    /* of the sound */
    int width_px, height_px; /* of the picture */
    const char *note;     /* something that people should know: "no face found is enrolled" */
};

/* As a JSON object: {"labels":[{"label","score"}], "boxes":[{"label","score","box":[x,y,w,h], "name","points"}], "text",
 * "words":[{"text","score","box" or "start","end"}], "segments":[{"start","end","text","label","score"}], "embedding":[..],
 * "scores":[..], ...}: whichever applies.  Appends without a line end. */
void task_result_put_json(struct buf *out, const struct task_result *r);
/* For people: one line for each label, box, segment; or the text.  Ends with a line end. */
void task_result_put_text(struct buf *out, const struct task_result *r);
#endif
