/* task/head_embed.c - an image embedding: one vector, [batch, n], centred and normalised as the card says. */
#include <math.h>

#include "task/vision.h"

struct state {
    int output;
    bool centre; /* the mean of the vector's own values is taken off */
    bool normalise;
};

static bool open_embed(struct vision *v, void *state, const struct yaml_node *map, struct err *err)
{
    struct state *s = state;
    s->normalise = true;
    return vision_find_output(v, map, "output", 0, &s->output, err) && yaml_bool(v->card->yaml, map, "centre", &s->centre, err) &&
           yaml_bool(v->card->yaml, map, "normalise", &s->normalise, err);
}

static bool read_embed(struct vision *v, const void *state, int slot, const struct vision_frame *f, const struct task_request *rq, struct arena *arena,
                       struct task_result *r, struct err *err)
{
    const struct state *s = state;
    struct vision_output o;
    double mean = 0, norm = 0;
    (void)f, (void)rq;
    if (!vision_get(v, s->output, slot, &o, err))
        return false;
    if (o.n < 1 || o.n > 1 << 20)
        return err_set(err, ERR_UNSUPPORTED, "embed: a vector of %zu numbers", o.n);
    float *y = arena_alloc(arena, o.n, sizeof *y, err);
    if (!y)
        return false;
    for (size_t i = 0; i < o.n && s->centre; i++)
        mean += (double)o.x[i] / (double)o.n;
    for (size_t i = 0; i < o.n; i++) {
        y[i] = (float)((double)o.x[i] - mean);
        norm += (double)y[i] * (double)y[i];
    }
    if (!isfinite(norm))
        return err_set(err, ERR_INTERNAL, "embed: the model answers with numbers that are none");
    for (size_t i = 0; i < o.n && s->normalise && norm > 0; i++)
        y[i] = (float)((double)y[i] / sqrt(norm));
    r->vector = y;
    r->n_vector = (int)o.n;
    return true;
}

static const char *const keys[] = { "output", "centre", "normalise", NULL };
const struct vision_head vision_head_embed = {
    .name = "embed", .tasks = EXPERT_EMBED_IMAGE, .keys = keys, .state_bytes = sizeof(struct state), .open = open_embed, .read = read_embed
};
