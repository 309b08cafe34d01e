/* task/head_classify.c - one score for each class: [batch, classes], any number of trailing ones. */
#include <math.h>

#include "task/vision.h"

enum activation { SOFTMAX, SIGMOID, NONE };

struct state {
    int output;
    enum activation activation;
    int skip; /* leading classes that are no answer ("background") */
};

static bool open_classify(struct vision *v, void *state, const struct yaml_node *map, struct err *err)
{
    static const char *const activations[] = { "softmax", "sigmoid", "none", NULL };
    struct state *s = state;
    int activation = SOFTMAX;
    int64_t skip = 0;
    if (!vision_find_output(v, map, "output", 0, &s->output, err) || !yaml_choice(v->card->yaml, map, "activation", activations, &activation, err) ||
        !yaml_int(v->card->yaml, map, "skip", 0, 1000, &skip, err))
        return false;
    s->activation = (enum activation)activation;
    s->skip = (int)skip;
    v->threshold = s->activation == NONE ? -INFINITY : 0;
    return true;
}

static bool read_classify(struct vision *v, const void *state, int slot, const struct vision_frame *f, const struct task_request *rq,
                          struct arena *arena, struct task_result *r, struct err *err)
{
    enum { TOP = 5, TOP_MAX = 1000 };
    const struct state *s = state;
    struct vision_output o;
    (void)f;
    if (!vision_get(v, s->output, slot, &o, err))
        return false;
    if (o.n <= (size_t)s->skip || o.n > 1 << 24)
        return err_set(err, ERR_UNSUPPORTED, "classify: %zu scores", o.n);
    const float threshold = vision_threshold(v, rq);
    int n_top = vision_n_top(v, rq, TOP), n = 0;
    n_top = n_top < TOP_MAX ? n_top : TOP_MAX;
    float max = -INFINITY, sum = 0;
    for (size_t i = (size_t)s->skip; i < o.n; i++)
        max = o.x[i] > max ? o.x[i] : max;
    for (size_t i = 0; i < o.n && s->activation == SOFTMAX; i++)
        sum += expf(o.x[i] - max);
    int *best = arena_alloc(arena, (size_t)n_top + 1, sizeof *best, err);
    struct result_label *l = arena_alloc(arena, (size_t)n_top, sizeof *l, err);
    if (!best || !l)
        return false;
    for (size_t i = (size_t)s->skip; i < o.n; i++) { /* the n best so far, best first; a tie goes to the lower class */
        if (isnan(o.x[i]) || (n == n_top && !(o.x[i] > o.x[best[n - 1]])))
            continue;
        int at = n < n_top ? n++ : n - 1;
        for (; at > 0 && o.x[i] > o.x[best[at - 1]]; at--)
            best[at] = best[at - 1];
        best[at] = (int)i;
    }
    for (int k = 0; k < n; k++) {
        const float x = o.x[best[k]];
        const float score = s->activation == SOFTMAX ? expf(x - max) / sum : s->activation == SIGMOID ? 1 / (1 + expf(-x)) : x;
        if (score < threshold)
            break;
        const char *name = labels_get(&v->labels, best[k] - s->skip, arena, err);
        if (!name)
            return false;
        l[r->n_labels++] = (struct result_label){ name, score };
    }
    r->labels = l;
    return true;
}

static const char *const keys[] = { "output", "activation", "skip", NULL };
const struct vision_head vision_head_classify = {
    .name = "classify", .tasks = EXPERT_CLASSIFY, .keys = keys, .state_bytes = sizeof(struct state), .open = open_classify, .read = read_classify
};
