/* media/motion.h - what moves before a camera that stands still: a background model, no neural network.
 *
 * For:     task/motion_task.c.
 * Touches: its own memory.  Thread: its owner's.  Cost: 640 x 360 in less than 0.1 ms on one core (tests/media/test_motion.c --bench).
 * Rule:    the picture is cut into square cells; each keeps the mean and the usual deviation of its brightness.  A cell that differs
 *          by more than the threshold, and does not stand alone, moves.  The background follows slow changes (sun, clouds); a jump of
 *          everything (a lamp, the camera's exposure) is taken over without a word.  What stands still is still seen for
 *          `absorb_s`; after that it belongs to the background.  Times come from the caller, so any frame rate will do.
 *          Start reading at motion_frame().
 */
#ifndef TUTTI_MEDIA_MOTION_H
#define TUTTI_MEDIA_MOTION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct motion_config {   /* 0: the default in brackets */
    float threshold;     /* grey levels (of 255) that a cell's mean must differ (10) */
    float min_area_frac; /* of the picture, that a moving region must cover (0.002) */
    float learn_s;       /* at the start nothing moves for so long (1) */
    int learn_frames;    /* and for so many frames at least, the first included (1) */
    float follow_s;      /* time constant of the background (4) */
    float absorb_s;      /* what stands still for so long is background (60) */
};

enum { MOTION_BOXES_MAX = 32 };
struct motion_box {
    int x, y, w, h;  /* pixels of the frame */
    float score;     /* 0..1: how far beyond the threshold; 0.25 is just there, 1 four times and more */
};

struct motion_result {   /* boxes: largest first */
    float moving_frac;   /* of all cells */
    bool is_learning;    /* nothing can be said yet */
    bool is_new_scene;   /* everything changed at once: the model began anew */
    int n_boxes;
    struct motion_box boxes[MOTION_BOXES_MAX];
};

struct motion;
/* Frames of w x h, at least 32 x 32; config may be NULL.  The caller owns the result; NULL with err. */
struct motion *motion_new(int w, int h, const struct motion_config *config, struct err *err);
void motion_free(struct motion *m); /* NULL is fine */
/* The next frame: grey, rows stride bytes apart, at t_s seconds (an earlier time than the last counts as the same). */
void motion_frame(struct motion *m, const uint8_t *grey, size_t stride, double t_s, struct motion_result *out);
/* Of the last frame: how much of a rectangle (pixels) moves, 0..1. */
float motion_region(const struct motion *m, int x, int y, int w, int h);
#endif
