/* task/nms.c - greedy suppression of overlapping boxes; start reading at nms_run(). */
#include "task/nms.h"

#include <math.h>
#include <stdlib.h>

bool nms_init(struct nms *s, struct arena *arena, struct err *err)
{
    s->n = 0;
    s->floor = -INFINITY;
    s->boxes = arena_alloc(arena, NMS_CANDIDATES_MAX, sizeof *s->boxes, err);
    return s->boxes != NULL;
}

static int by_score(const void *a, const void *b)
{
    const struct nms_box *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->source > y->source) - (x->source < y->source);
}

void nms_add(struct nms *s, const struct nms_box *box)
{
    if (!(box->score > s->floor) || !isfinite(box->score) || !isfinite(box->x1 + box->y1 + box->x2 + box->y2) || !(box->x2 > box->x1) ||
        !(box->y2 > box->y1))
        return;
    if (s->n == NMS_CANDIDATES_MAX) { /* the better half stays */
        qsort(s->boxes, (size_t)s->n, sizeof *s->boxes, by_score);
        s->n /= 2;
        s->floor = s->boxes[s->n - 1].score;
        if (!(box->score > s->floor))
            return;
    }
    s->boxes[s->n++] = *box;
}

static float area(const struct nms_box *b) { return (b->x2 - b->x1) * (b->y2 - b->y1); }

static bool overlaps(const struct nms_box *a, const struct nms_box *b, float max_iou)
{
    const float w = fminf(a->x2, b->x2) - fmaxf(a->x1, b->x1), h = fminf(a->y2, b->y2) - fmaxf(a->y1, b->y1);
    if (w <= 0 || h <= 0)
        return false;
    return w * h > max_iou * (area(a) + area(b) - w * h);
}

int nms_run(struct nms *s, float max_iou, bool any_class, int n_max)
{
    int kept = 0;
    qsort(s->boxes, (size_t)s->n, sizeof *s->boxes, by_score);
    for (int i = 0; i < s->n && i < NMS_COMPARED_MAX && kept < n_max; i++) {
        const struct nms_box box = s->boxes[i];
        bool is_free = true;
        for (int k = 0; k < kept && is_free; k++)
            is_free = (!any_class && s->boxes[k].cls != box.cls) || !overlaps(&s->boxes[k], &box, max_iou);
        if (is_free)
            s->boxes[kept++] = box; /* kept <= i: the better ones lie in front */
    }
    return s->n = kept;
}
