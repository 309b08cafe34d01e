/* task/vad.c - see vad.h. */
#include "task/vad.h"

#include <math.h>

const struct vad_rules vad_rules_default = { 0.5f, 0.35f, 3, 8 };

static bool close_segment(struct vad_segments *v, const struct vad_rules *rules, int64_t at, int64_t *start, int64_t *end, float *score)
{
    v->is_speech = false;
    if (at - v->start < rules->n_min_frames)
        return false;
    *start = v->start, *end = at;
    *score = (float)(v->sum / (double)(v->n_frames - v->start));
    return true;
}

bool vad_put(struct vad_segments *v, const struct vad_rules *rules, float p, int64_t *start, int64_t *end, float *score)
{
    const int64_t i = v->n_frames++;
    if (!v->is_speech) {
        if (p >= rules->start)
            v->is_speech = true, v->start = i, v->n_quiet = 0, v->sum = p;
        return false;
    }
    v->sum += p;
    v->n_quiet = p < rules->end ? v->n_quiet + 1 : 0;
    if (v->n_quiet < rules->n_end_frames)
        return false;
    return close_segment(v, rules, v->n_frames - v->n_quiet, start, end, score);
}

bool vad_finish(struct vad_segments *v, const struct vad_rules *rules, int64_t *start, int64_t *end, float *score)
{
    return v->is_speech && close_segment(v, rules, v->n_frames, start, end, score);
}

float vad_energy_put(struct vad_energy *v, const float *x)
{
    /* y[i] = x[i] - x[i-1] + 0.93 y[i-1]: a high-pass with its corner near 200 Hz, against hum and wind. */
    double sum = 0;
    int n_cross = 0;
    for (int i = 0; i < VAD_ENERGY_FRAME; i++) {
        const float y = x[i] - v->last_x + 0.93f * v->last_y;
        n_cross += (y < 0) != (v->last_y < 0);
        v->last_x = x[i], v->last_y = y;
        sum += (double)y * y;
    }
    const float db = 10.0f * log10f((float)(sum / VAD_ENERGY_FRAME) + 1e-9f); /* silence to -90 dB */
    /* The floor: the quietest frame of the last VAD_ENERGY_BLOCKS blocks and of the one under way. */
    if (v->n_block == 0 || db < v->block_min_db)
        v->block_min_db = db;
    if (++v->n_block == VAD_ENERGY_BLOCK_FRAMES) {
        v->low_db[v->i_block] = v->block_min_db;
        v->i_block = (v->i_block + 1) % VAD_ENERGY_BLOCKS;
        v->n_low += v->n_low < VAD_ENERGY_BLOCKS;
        v->n_block = 0;
    }
    float floor_db = v->n_block ? v->block_min_db : 0;
    for (int i = 0; i < v->n_low; i++)
        if (v->low_db[i] < floor_db)
            floor_db = v->low_db[i];
    if (v->n_low < 4 && floor_db > -50) /* a recording may begin in the middle of a word: no floor before 2 s */
        floor_db = -50;
    floor_db = floor_db > -60 ? floor_db : -60; /* below that everything is quiet */
    /* Hiss crosses zero as often as every other sample; voice, with its fricatives, up to a third of them. */
    const float hiss_db = n_cross > VAD_ENERGY_FRAME * 2 / 5 ? 6.0f : 0.0f;
    return 1.0f / (1.0f + expf(-(db - floor_db - 9.0f - hiss_db) / 2.0f));
}
