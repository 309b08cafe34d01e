/* pipeline/voice_plan.c - the map `voice` of a cascade's file. */
#include <stdio.h>
#include <string.h>

#include "pipeline/voice.h"

static const char SYSTEM[] = "You are a voice assistant. Answer in one or two short spoken sentences, without lists and without symbols.";

static bool add_ref(const struct cascade *c, const struct cascade_world *world, const struct yaml_node *n, enum expert_task task, struct cascade_ref *refs, int *n_refs, struct err *err)
{
    struct err why = { 0 };
    unsigned can = 0;
    char id[CASCADE_NAME_MAX];
    if (*n_refs == CASCADE_EXPERTS_MAX)
        return yaml_fail(c->yaml, n, err, "%s: more than %d experts", expert_task_name(task), CASCADE_EXPERTS_MAX);
    struct cascade_ref *ref = &refs[*n_refs];
    *ref = (struct cascade_ref){ .at = n };
    if (n->kind == YAML_MAP)
        ref->card = n;
    else if (!yaml_node_text(c->yaml, n, &ref->text, err))
        return false;
    if (!world->look(world->ctx, c, ref, &can, id, sizeof(id), &why)) {
        if (strstr(why.text, yaml_name(c->yaml))) {
            *err = why;
            return false;
        }
        return yaml_fail(c->yaml, n, err, "%s", why.text);
    }
    if (!(can & task))
        return yaml_fail(c->yaml, n, err, "%s: %s does not %s", expert_task_name(task), id, expert_task_name(task));
    (*n_refs)++;
    return true;
}

static bool read_refs(const struct cascade *c, const struct cascade_world *world, const char *key, enum expert_task task, struct cascade_ref *refs, int *n_refs, struct err *err)
{
    const struct yaml_node *n = yaml_get(c->voice, key);
    if (!n)
        return yaml_fail(c->yaml, c->voice, err, "voice: `%s` is missing: a card, a GGUF file, an id of tutti.yaml, or a list of them", key);
    for (int i = 0; i < (n->kind == YAML_LIST ? n->n_items : 1); i++)
        if (!add_ref(c, world, n->kind == YAML_LIST ? &n->items[i] : n, task, refs, n_refs, err))
            return false;
    return *n_refs > 0 || yaml_fail(c->yaml, n, err, "%s: the list is empty", key);
}

/* The stage that `hear` names, else the only one that makes text of speech. */
static bool read_hear(const struct cascade *c, int *out, struct err *err)
{
    const char *name = NULL;
    *out = -1;
    if (!yaml_text(c->yaml, c->voice, "hear", &name, err))
        return false;
    for (int i = 0; i < c->n_stages; i++)
        if (name ? strcmp(c->stages[i].name, name) == 0 : c->stages[i].task == EXPERT_TRANSCRIBE)
            *out = i;
    if (*out < 0)
        return yaml_fail(c->yaml, name ? yaml_get(c->voice, "hear") : c->voice, err, name ? "hear: there is no stage '%s'" : "voice: no stage transcribes%s", name ? name : "");
    return c->stages[*out].each_event || yaml_fail(c->yaml, c->stages[*out].at, err, "hear: the stage must say `each: event`");
}

static bool read_wake(const struct cascade *c, struct voice_plan *p, struct err *err)
{
    const struct yaml_node *n = yaml_get(c->voice, "wake");
    uint64_t awake_ms = 20000;
    if (!yaml_time(c->yaml, c->voice, "awake", &awake_ms, err))
        return false;
    p->awake_s = (double)awake_ms / 1000;
    for (int i = 0; n && i < (n->kind == YAML_LIST ? n->n_items : 1); i++) {
        if (p->n_wake == VOICE_WAKES_MAX)
            return yaml_fail(c->yaml, n, err, "wake: more than %d words", VOICE_WAKES_MAX);
        if (!yaml_node_text(c->yaml, n->kind == YAML_LIST ? &n->items[i] : n, &p->wake[p->n_wake], err))
            return false;
        if (!p->wake[p->n_wake][0])
            return yaml_fail(c->yaml, n, err, "wake: a word is wanted");
        p->n_wake++;
    }
    return true;
}

bool voice_plan_read(const struct cascade *c, const struct cascade_world *world, struct voice_plan *p, struct err *err)
{
    static const char *const keys[] = { "hear", "chat", "speak", "wake", "awake", "system", "max_tokens", "temperature", "history", "barge_in", "voice", "speed", NULL };
    int64_t max_tokens = 160, history = 6;
    double speed = 0;
    memset(p, 0, sizeof(*p));
    p->system = SYSTEM;
    p->temperature = 0.5;
    p->barge_in = true;
    if (!yaml_check_keys(c->yaml, c->voice, keys, NULL, err) || !read_hear(c, &p->hear, err) || !read_refs(c, world, "chat", EXPERT_CHAT, p->chat, &p->n_chat, err) ||
        !read_refs(c, world, "speak", EXPERT_SPEAK, p->speak, &p->n_speak, err) || !read_wake(c, p, err) || !yaml_text(c->yaml, c->voice, "system", &p->system, err) ||
        !yaml_int(c->yaml, c->voice, "max_tokens", 1, 4096, &max_tokens, err) || !yaml_number(c->yaml, c->voice, "temperature", 0, 2, &p->temperature, err) ||
        !yaml_int(c->yaml, c->voice, "history", 0, 100, &history, err) || !yaml_bool(c->yaml, c->voice, "barge_in", &p->barge_in, err) ||
        !yaml_text(c->yaml, c->voice, "voice", &p->options.voice, err) || !yaml_number(c->yaml, c->voice, "speed", 0.25, 4, &speed, err))
        return false;
    p->max_tokens = (int)max_tokens;
    p->history = (int)history;
    p->options.speed = (float)speed;
    return true;
}
