/* task/vad.h - when somebody speaks: probabilities of frames become segments; and a detector that needs no model.
 *
 * For:     task/vad_task.c (the task itself), task/chunks.c (cutting long sound for speech to text).
 * Touches: nothing.  Thread: its owner's.
 * Rule:    pure state machines over frames: what comes out does not depend on how the sound was cut into requests.
 */
#ifndef TUTTI_TASK_VAD_H
#define TUTTI_TASK_VAD_H
#include <stdbool.h>
#include <stdint.h>

/* ---- frames to segments ---- */

struct vad_rules {
    float start;       /* speech begins at a frame with at least this probability */
    float end;         /* ... and ends after n_end_frames in a row below this (<= start) */
    int n_end_frames;
    int n_min_frames;  /* shorter speech is dropped */
};
/* ../shared/models/IO.md: 0.5, 0.35, 3 frames, 8 frames of 32 ms */
extern const struct vad_rules vad_rules_default;

struct vad_segments { /* zeroed: nothing heard yet */
    int64_t n_frames;  /* seen */
    int64_t start;     /* of the segment under way */
    int n_quiet;       /* frames in a row below `end` */
    bool is_speech;
    double sum; /* of the probabilities since start */
};

/* One frame.  true: a segment [*start, *end) of frames is complete; *score: its mean probability. */
bool vad_put(struct vad_segments *v, const struct vad_rules *rules, float p, int64_t *start, int64_t *end, float *score);
/* The sound is over: true when it ends inside speech that is long enough. */
bool vad_finish(struct vad_segments *v, const struct vad_rules *rules, int64_t *start, int64_t *end, float *score);

/* ---- without a model ---- */

enum {
    VAD_ENERGY_FRAME = 512,       /* samples at 16 kHz: 32 ms, as Silero's */
    VAD_ENERGY_BLOCK_FRAMES = 16, /* half a second */
    VAD_ENERGY_BLOCKS = 20,       /* the floor is that of the last 10 s */
};

/* Loudness above 200 Hz over a floor that follows the quietest frame of the last 10 s.  Good enough to cut long sound at
 * its pauses; a door, music or a fan that starts is speech to it. */
struct vad_energy { /* zeroed: fresh */
    float last_x, last_y; /* of the high-pass */
    float low_db[VAD_ENERGY_BLOCKS], block_min_db;
    int n_low, i_block, n_block;
};
/* Something like a probability, of VAD_ENERGY_FRAME samples at 16 kHz: 0.5 at 9 dB above the floor. */
float vad_energy_put(struct vad_energy *v, const float *x);
#endif
