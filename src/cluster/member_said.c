/* cluster/member_said.c - what a node says of itself becomes a member and its experts as candidates: see cluster_internal.h.
 *
 * Rule:    a node can say whatever it likes about itself; what is no sensible figure counts as not known, so that it neither crashes nor wins. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster_internal.h"

enum { N_CTX_MAX = 1 << 28, PARALLEL_MAX = 4096, QUEUE_MAX = 1 << 20 };
static const float SECONDS_MAX = 86400, TOK_S_MAX = 1e7f, WATTS_MAX = 1e6f, USD_MAX = 1e6f, BYTES_MAX = 1e18f;

/* 0, "not known", for what is none; at most `most`. */
static float sane(float v, float most) { return isfinite(v) && v > 0 ? fminf(v, most) : 0; }
/* NAN for what is none. */
static float within(float v, float least, float most) { return v >= least && v <= most ? v : (float)NAN; }

static void take_expert(struct member_expert *out, const struct node_pb_expert *e, int node)
{
    struct candidate *c = &out->c;
    memset(out, 0, sizeof(*out));
    snprintf(c->expert, sizeof(c->expert), "%s", e->id);
    snprintf(c->kind, sizeof(c->kind), "%s", e->kind);
    snprintf(out->runs_on, sizeof(out->runs_on), "%s", e->runs_on);
    c->node = node;
    c->slot = -1;
    c->tasks = e->tasks & ((1u << EXPERT_TASK_COUNT) - 1);
    c->cls = route_class_of(c->tasks);
    c->sees = e->sees, c->hears = e->hears, c->knows_tools = e->knows_tools;
    c->privacy = e->privacy < EXPERT_PRIVACY_COUNT && e->privacy > EXPERT_LAN ? (enum expert_privacy)e->privacy : e->privacy >= EXPERT_PRIVACY_COUNT ? EXPERT_CLOUD : EXPERT_LAN;
    c->quality = sane(e->quality, 10);
    c->n_ctx = e->n_ctx < N_CTX_MAX ? (int)e->n_ctx : N_CTX_MAX;
    c->is_accelerated = e->is_accelerated;
    c->params = isfinite(e->params) && e->params > 0 && e->params < 1e15 ? e->params : 0;
    c->bits = sane(e->bits, 64);
    c->input_px = e->input_px < 1 << 20 ? (int)e->input_px : 0;
    c->fixed_s = sane(e->fixed_s, SECONDS_MAX);
    c->prefill_tok_s = sane(e->prefill_tok_s, TOK_S_MAX);
    c->decode_tok_s = sane(e->decode_tok_s, TOK_S_MAX);
    c->item_s = sane(e->item_s, SECONDS_MAX);
    c->sound_s_s = sane(e->sound_s_s, SECONDS_MAX);
    c->load_s = sane(e->load_s, SECONDS_MAX);
    c->busy_w = within(e->busy_w, 0, WATTS_MAX);
    c->usd_per_mtok_in = sane(e->usd_per_mtok_in, USD_MAX);
    c->usd_per_mtok_out = sane(e->usd_per_mtok_out, USD_MAX);
    c->usd_per_item = sane(e->usd_per_item, USD_MAX);
    c->is_measured = e->is_measured;
    c->n_parallel = e->n_parallel < 1 ? 1 : e->n_parallel < PARALLEL_MAX ? (int)e->n_parallel : PARALLEL_MAX;
    c->wait_s = (float)NAN;
    out->memory_bytes = e->memory_bytes;
    out->state = EXPERT_COLD;
    size_t at = 0;
    for (int i = 0; i < e->n_languages && at + strlen(e->languages[i]) + 2 < sizeof(out->languages); i++)
        at += (size_t)snprintf(out->languages + at, sizeof(out->languages) - at, "%s%s", i ? "," : "", e->languages[i]);
}

static bool same_experts(const struct member_node *n, const struct node_pb_description *d)
{
    if (n->n_experts != d->n_experts || n->said.life != d->life)
        return false;
    for (int i = 0; i < d->n_experts; i++)
        if (strcmp(n->experts[i].c.expert, d->experts[i].id) != 0)
            return false;
    return true;
}

void member_forget(struct member_node *n)
{
    free(n->experts);
    free(n->machine_json);
    free(n->models);
    free(n->model_names);
    n->experts = NULL, n->machine_json = NULL, n->models = NULL, n->model_names = NULL;
    n->n_experts = n->n_models = n->said.n_experts = 0;
}

/* The files' names in one piece of memory behind the list. */
static bool take_models(struct member_node *n, const struct node_pb_description *d)
{
    size_t n_bytes = 1;
    for (int i = 0; i < d->n_models; i++)
        n_bytes += strlen(d->models[i].name) + 1;
    struct node_pb_model *list = calloc((size_t)d->n_models + 1, sizeof(*list));
    char *names = malloc(n_bytes), *at = names;
    if (!list || !names) {
        free(list);
        free(names);
        return false;
    }
    for (int i = 0; i < d->n_models; i++) {
        const size_t len = strlen(d->models[i].name) + 1;
        list[i] = d->models[i];
        list[i].name = memcpy(at, d->models[i].name, len);
        at += len;
    }
    free(n->models);
    free(n->model_names);
    n->models = list;
    n->model_names = names;
    n->n_models = d->n_models;
    return true;
}

bool member_take_description(struct member_node *n, const struct node_pb_description *d, bool *is_other, struct err *err)
{
    const bool is_same = n->experts && same_experts(n, d);
    struct member_expert *list = is_same ? n->experts : calloc((size_t)d->n_experts + 1, sizeof(*list));
    char *machine = strdup(d->machine_json);
    if (!list || !machine || !take_models(n, d)) {
        if (!is_same)
            free(list);
        free(machine);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (int i = 0; i < d->n_experts; i++) {
        const struct member_expert was = list[i];
        take_expert(&list[i], &d->experts[i], n->index);
        if (!is_same)
            continue;
        list[i].state = was.state; /* how it is now is not said here */
        list[i].c.is_up = was.c.is_up, list[i].c.is_warm = was.c.is_warm;
        list[i].c.n_running = was.c.n_running, list[i].c.n_waiting = was.c.n_waiting, list[i].c.wait_s = was.c.wait_s;
    }
    if (!is_same)
        free(n->experts);
    free(n->machine_json);
    n->experts = list;
    n->machine_json = machine;
    n->n_experts = n->said.n_experts = d->n_experts;
    n->said.life = d->life;
    n->edition = d->edition;
    n->revocations = d->revocations;
    snprintf(n->said.name, sizeof(n->said.name), "%s", d->name);
    snprintf(n->said.version, sizeof(n->said.version), "%s", d->version);
    snprintf(n->device, sizeof(n->device), "%s", d->device_name);
    snprintf(n->device_cls, sizeof(n->device_cls), "%s", d->device_cls);
    snprintf(n->said.node.name, sizeof(n->said.node.name), "%s", d->name);
    *is_other = !is_same;
    return true;
}

void member_take_state(struct member_node *n, const struct node_pb_state *s)
{
    struct route_node *node = &n->said.node;
    n->revocations = s->revocations;
    node->is_throttled = s->is_throttled;
    node->temperature_c = within(s->temperature_c, -100, 250);
    node->headroom_c = within(s->headroom_c, -250, 250);
    node->power_w = within(s->power_w, 0, WATTS_MAX);
    node->battery_frac = within(s->battery_frac, 0, 1);
    node->on_battery = s->on_battery;
    node->memory_free_bytes = within(s->memory_free_bytes, 0, BYTES_MAX);
    node->pressure_frac = within(s->pressure_frac, 0, 1);
    node->busy_frac = within(s->busy_frac, 0, 1);
    node->idle_w = within(s->idle_w, 0, WATTS_MAX);
    for (int i = 0; i < ROUTE_CLASS_COUNT; i++)
        node->step[i] = i < s->n_steps ? s->steps[i] : 0;
    for (int i = 0; i < n->n_experts && i < s->n_experts; i++) {
        const struct node_pb_expert_state *e = &s->experts[i];
        struct member_expert *x = &n->experts[i];
        struct candidate *c = &x->c;
        x->state = e->state < EXPERT_STATE_COUNT ? (enum expert_state)e->state : EXPERT_DOWN;
        c->is_up = x->state != EXPERT_DOWN && !s->is_draining;
        c->is_warm = x->state == EXPERT_WARM || x->state == EXPERT_BUSY;
        c->n_running = e->n_running < QUEUE_MAX ? (int)e->n_running : QUEUE_MAX;
        c->n_waiting = e->n_waiting < QUEUE_MAX ? (int)e->n_waiting : QUEUE_MAX;
        c->wait_s = within(e->wait_s, 0, SECONDS_MAX);
        const struct { float v, most; float *to; } measured[] = { { e->prefill_tok_s, TOK_S_MAX, &c->prefill_tok_s }, { e->decode_tok_s, TOK_S_MAX, &c->decode_tok_s },
                                                                  { e->item_s, SECONDS_MAX, &c->item_s }, { e->sound_s_s, SECONDS_MAX, &c->sound_s_s } };
        for (size_t k = 0; k < sizeof(measured) / sizeof(measured[0]); k++)
            if (sane(measured[k].v, measured[k].most) > 0) {
                *measured[k].to = sane(measured[k].v, measured[k].most);
                c->is_measured = true;
            }
    }
}
