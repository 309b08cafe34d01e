/* plan/train.c - memory of training; start reading at plan_train_memory(). */
#include "plan/train.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name, *people;
} KIND[PLAN_TRAIN_COUNT] = {
#define X(id, name, people) { name, people },
    PLAN_TRAIN_KINDS(X)
#undef X
};
const char *plan_train_people(enum plan_train_kind k) { return KIND[k].people; }
bool plan_train_parse(const char *name, enum plan_train_kind *out)
{
    for (int i = 0; i < PLAN_TRAIN_COUNT; i++)
        if (strcmp(KIND[i].name, name) == 0) {
            *out = (enum plan_train_kind)i;
            return true;
        }
    return false;
}

static uint64_t bytes(double b) { return b > 0 && b < 1e18 ? (uint64_t)b : 0; }

struct plan_train plan_train_memory(const struct plan_model *m, enum plan_train_kind kind, int rank, int seq, int batch)
{
    struct plan_train t = { 0 };
    if (!(m->params > 0) || rank < 1 || seq < 1 || batch < 1)
        return t;
    double width = m->n_embd, layers = m->n_layer;
    if (!(width > 0) || !(layers > 0)) {
        /* weights = 12 * layers * width^2, layers = width / 128 (Llama 7B: 4096 and 32) */
        width = cbrt(m->params * 128 / 12);
        layers = width / 128;
    }
    switch (kind) {
    case PLAN_TRAIN_FULL:
        t.weights_bytes = bytes(2 * m->params);
        t.state_bytes = bytes(14 * m->params);
        break;
    case PLAN_TRAIN_LORA: t.weights_bytes = bytes(2 * m->params); break;
    case PLAN_TRAIN_QLORA: t.weights_bytes = bytes((4 + 0.127) / 8 * m->params); break;
    case PLAN_TRAIN_COUNT: return t;
    }
    if (kind != PLAN_TRAIN_FULL) {
        /* Seven linear layers, four of width x width and three of width x 8/3 width: rank * (in + out) each. */
        const double adapter = layers * rank * width * (4 * 2 + 3 * (1 + 8.0 / 3));
        t.adapter_bytes = bytes(16 * adapter);
    }
    t.activations_bytes = bytes((2 * layers + 34) * (double)seq * batch * width);
    t.overhead_bytes = 1000000000;
    t.total_bytes = t.weights_bytes + t.state_bytes + t.adapter_bytes + t.activations_bytes + t.overhead_bytes;
    return t;
}
