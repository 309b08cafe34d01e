/* task/nms.h - from many overlapping boxes to the few that count.
 *
 * For:     the heads that detect.  Touches: nothing; memory is the caller's arena.
 * Rule:    bounded: at most NMS_CANDIDATES_MAX boxes are remembered (the best ones), at most NMS_COMPARED_MAX compared.
 */
#ifndef TUTTI_TASK_NMS_H
#define TUTTI_TASK_NMS_H
#include <stdbool.h>

#include "base/arena.h"

enum { NMS_CANDIDATES_MAX = 4096, NMS_COMPARED_MAX = 2048 };

struct nms_box {
    float x1, y1, x2, y2; /* any unit, x1 <= x2 */
    float score;
    int cls;
    int source; /* whatever the head wants to find again: a cell, an anchor */
};

struct nms {
    struct nms_box *boxes;
    int n;
    float floor; /* scores at or below it can be left out: nms_add() would drop them */
};

bool nms_init(struct nms *s, struct arena *arena, struct err *err);
/* Boxes with a number that is not finite, or without area, are dropped. */
void nms_add(struct nms *s, const struct nms_box *box);
/* Sorts, best first (ties: by source), and keeps at most n_max boxes none of which overlaps a better one of its class by more than
 * max_iou (intersection over union); any_class: of whatever class.  Returns how many: boxes[0..n). */
int nms_run(struct nms *s, float max_iou, bool any_class, int n_max);
#endif
