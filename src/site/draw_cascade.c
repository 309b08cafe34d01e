/* site/draw_cascade.c - a cascade's plan as boxes of a flowchart; see draw.h. */
#include "site/draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void add(char *out, size_t max, const char *between, const char *what)
{
    const size_t n = strlen(out);
    if (*what && n + 1 < max)
        snprintf(out + n, max - n, "%s%s", n ? between : "", what);
}

/* The file's name without folder and end, or the word itself. */
static void short_name(const char *word, char *out, size_t max)
{
    const char *slash = strrchr(word, '/');
    snprintf(out, max, "%s", slash ? slash + 1 : word);
    char *dot = strrchr(out, '.');
    if (dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".gguf") == 0 || strcmp(dot, ".onnx") == 0))
        *dot = '\0';
}

/* The expert of the plan that a stage means: by its name, else the first that does the same task; NULL. */
static const struct draw_want *find_want(const struct draw *d, const char *word, const char *short_word, const struct cascade_stage *s)
{
    for (int i = 0; i < d->n_wants; i++)
        if (strcmp(d->wants[i].name, word) == 0 || strcmp(d->wants[i].name, short_word) == 0)
            return &d->wants[i];
    const char *task = s->task == EXPERT_CHAT && s->sees ? expert_task_name(EXPERT_DESCRIBE) : expert_task_name(s->task);
    for (int i = 0; i < d->n_wants; i++)
        if (strcmp(d->wants[i].task, task) == 0)
            return &d->wants[i];
    return NULL;
}

static void put_where(struct draw *d, struct draw_flow_box *b, const struct draw_want *w, char *out, size_t max)
{
    int n = 0;
    b->cls = w->cls;
    for (int i = 0; i < d->n_experts && n < 8; i++)
        if (strcmp(d->experts[i].name, w->name) == 0) {
            const struct draw_expert *e = &d->experts[i];
            const struct draw_node *node = &d->nodes[e->node];
            char one[200];
            snprintf(one, sizeof(one), "%.63s%s%.100s", node->name, e->device >= 0 && e->device < node->n_devices ? ", " : "",
                     e->device >= 0 && e->device < node->n_devices ? node->devices[e->device].name : "");
            if (n++ == 0)
                add(out, max, "", "on ");
            add(out, max, n > 1 ? "; " : "", one);
        }
}

static void put_how(const struct cascade_stage *s, char *out, size_t max)
{
    char one[64];
    if (s->every > 1) {
        snprintf(one, sizeof(one), "every %dth", s->every);
        add(out, max, " \xc2\xb7 ", one);
    }
    if (s->rate > 0) {
        snprintf(one, sizeof(one), "at most %g/s", s->rate);
        add(out, max, " \xc2\xb7 ", one);
    }
    if (s->backoff_s > 0) {
        snprintf(one, sizeof(one), "then less often, up to every %g s", s->backoff_s);
        add(out, max, " \xc2\xb7 ", one);
    }
    if (s->parallel > 1) {
        snprintf(one, sizeof(one), "%d at a time", s->parallel);
        add(out, max, " \xc2\xb7 ", one);
    }
}

static void put_stage(struct draw *d, struct draw_flow_box *b, const struct cascade_stage *s, const struct inventory *inv)
{
    char experts[240] = "", how[200] = "", where[240] = "", name[128];
    const struct yaml_node *gate = yaml_get(s->map, "gate");
    b->kind = DRAW_STAGE, b->name = draw_copy(d, s->name), b->is_optional = s->is_optional;
    b->cls = route_class_of((unsigned)s->task);
    b->gate = gate && gate->text ? draw_copy(d, gate->text) : "";
    b->task = draw_copy(d, expert_task_name(s->task));
    const struct yaml_node *one = yaml_get(s->map, "expert"), *many = yaml_get(s->map, "experts");
    const struct yaml_node *from = one ? one : many;
    for (int i = 0; from && i < (from->kind == YAML_LIST ? from->n_items : 1); i++) {
        const struct yaml_node *e = from->kind == YAML_LIST ? &from->items[i] : from;
        if (e->kind == YAML_TEXT)
            short_name(e->text, name, sizeof(name));
        else
            snprintf(name, sizeof(name), "a card in place");
        add(experts, sizeof(experts), ", else ", name);
        const struct draw_want *w = e->kind == YAML_TEXT && i == 0 ? find_want(d, e->text, name, s) : NULL;
        if (!w)
            continue;
        if (strcmp(w->name, name) != 0)
            add(experts, sizeof(experts), " \xe2\x86\x92 ", w->name);
        put_where(d, b, w, where, sizeof(where));
        for (int k = 0; inv && k < inv->n_edges; k++)
            if (strcmp(inv->edges[k].to, w->name) == 0)
                b->per_hour = isfinite(b->per_hour) ? b->per_hour + inv->edges[k].per_hour : inv->edges[k].per_hour;
    }
    put_how(s, how, sizeof(how));
    b->experts = draw_copy(d, experts), b->how = draw_copy(d, how), b->where = draw_copy(d, where);
}

static struct draw_flow_box *next_box(struct draw *d)
{
    struct draw_flow_box *b = &d->boxes[d->n_boxes++];
    *b = (struct draw_flow_box){ .name = "", .task = "", .gate = "", .how = "", .experts = "", .where = "", .per_hour = NAN };
    return b;
}

/* source, stages of pieces, the event, stages of events, sinks: 1 + 16 + 1 + 8 at most. */
bool draw_add_cascade(struct draw *d, const struct cascade *c, const struct inventory *inv, struct err *err)
{
    static const char *const sinks[CASCADE_SINK_COUNT] = { "JSON lines", "webhook", "MQTT", "pictures" };
    int box_of[CASCADE_STAGES_MAX];
    uint32_t inner = 0, last = 0; /* stages that nobody builds on */
    char text[240] = "";
    _Static_assert(1 + CASCADE_STAGES_MAX + 1 + CASCADE_SINKS_MAX <= DRAW_BOXES_MAX && DRAW_BOXES_MAX < 32, "a box has a bit");
    if (d->n_boxes > 0)
        return err_set(err, ERR_INPUT, "picture: it has a cascade already");
    d->cascade = draw_copy(d, c->name && *c->name ? c->name : "cascade");
    struct draw_flow_box *b = next_box(d);
    b->kind = DRAW_SOURCE;
    b->name = c->is_sound ? "microphone" : "camera";
    if (c->source)
        snprintf(text, sizeof(text), "%.160s", c->source);
    if (c->fps > 0) {
        char fps[40];
        snprintf(fps, sizeof(fps), "%g frames a second", c->fps);
        add(text, sizeof(text), " \xc2\xb7 ", fps);
    }
    b->how = draw_copy(d, text);
    for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < c->n_stages; k++) {
            const struct cascade_stage *s = &c->stages[k];
            if (s->each_event != (pass == 1))
                continue;
            box_of[k] = d->n_boxes;
            b = next_box(d);
            put_stage(d, b, s, inv);
            for (int p = 0; p < k; p++)
                if ((s->after | s->waits) & 1u << p)
                    b->after |= 1u << box_of[p];
            if (!b->after)
                b->after = pass ? last : 1;
            inner |= b->after;
        }
        if (pass == 0 && c->events.when) {
            const struct yaml_node *event = yaml_get(yaml_root(c->yaml), "event"), *when = yaml_get(event, "when");
            const uint32_t before = (1u << d->n_boxes) - 1;
            b = next_box(d);
            b->kind = DRAW_EVENT, b->name = "event";
            b->gate = when && when->text ? draw_copy(d, when->text) : "";
            snprintf(text, sizeof(text), "pieces closer than %g s are one event", c->events.join_s);
            b->how = draw_copy(d, text);
            b->after = before & ~inner;
            inner |= before;
            last = 1u << (d->n_boxes - 1);
        }
    }
    const uint32_t ends = ((1u << d->n_boxes) - 1) & ~inner;
    for (int k = 0; k < c->n_sinks; k++) {
        b = next_box(d);
        b->kind = DRAW_SINK;
        b->name = sinks[c->sinks[k].kind], b->how = draw_copy(d, c->sinks[k].to && strcmp(c->sinks[k].to, "-") == 0 ? "standard output" : c->sinks[k].to);
        b->after = ends;
    }
    return true;
}
