/* pipeline/cascade_yaml.c - a cascade's file becomes a plan; see cascade.h.  Start at cascade_parse().  docs/cascade.md says the keys. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pipeline/kept.h"

enum { PLAN_BYTES_MAX = 4 << 20, TOPIC_BYTES_MAX = 256 };
static const unsigned SESSIONS = EXPERT_MOTION | EXPERT_VAD | EXPERT_WAKE | EXPERT_KEYWORD;
static const unsigned HEARING = EXPERT_VAD | EXPERT_WAKE | EXPERT_KEYWORD | EXPERT_TRANSCRIBE;
static const unsigned SEEING = EXPERT_CLASSIFY | EXPERT_DETECT | EXPERT_FACES | EXPERT_SEGMENT | EXPERT_OCR | EXPERT_DESCRIBE | EXPERT_MOTION;

const char *cascade_drop_name(enum cascade_drop d)
{
    static const char *const names[] = {
#define X(name, word) word,
        CASCADE_DROPS(X)
#undef X
    };
    return names[d];
}

static const char *const policies[] = {
#define X(name, word) word,
    CASCADE_POLICIES(X)
#undef X
        NULL
};
const char *cascade_policy_name(enum cascade_policy p) { return policies[p]; }

struct reader {
    struct cascade *c;
    const struct yaml *y;
    const struct cascade_world *world;
    struct err *err;
};

/* ---- expressions ---- */

static bool read_expr(struct reader *r, const struct yaml_node *map, const char *key, const struct expr_names *names, enum expr_type type, const struct expr **out)
{
    const struct yaml_node *n = yaml_get(map, key);
    const char *text = NULL;
    if (!n || !yaml_text(r->y, map, key, &text, r->err))
        return !n;
    const struct expr *e = expr_compile(r->c->arena, text, strlen(text), names, yaml_name(r->y), n->line, n->column, r->err);
    if (!e)
        return false;
    const enum expr_type is = expr_get_type(e);
    if (is != type && !(type == EXPR_NUMBER && is == EXPR_SECONDS))
        return yaml_fail(r->y, n, r->err, "%s: %s is wanted, this is %s", key, expr_type_name(type), expr_type_name(is));
    *out = e;
    return true;
}

static bool read_words(struct reader *r, const struct yaml_node *map, const char *key, const struct expr_names *names, const struct expr_text **out)
{
    const struct yaml_node *n = yaml_get(map, key);
    const char *text = NULL;
    if (!n || !yaml_text(r->y, map, key, &text, r->err))
        return !n;
    *out = expr_text_compile(r->c->arena, text, strlen(text), names, yaml_name(r->y), n->line, n->column, r->err);
    return *out != NULL;
}

static bool read_seconds(struct reader *r, const struct yaml_node *map, const char *key, double *out_s)
{
    uint64_t ms = (uint64_t)(*out_s * 1000 + 0.5);
    if (!yaml_time(r->y, map, key, &ms, r->err))
        return false;
    if (yaml_get(map, key)) {
        if (ms > 7ull * 86400 * 1000 * 60)
            return yaml_fail(r->y, yaml_get(map, key), r->err, "%s: too long", key);
        *out_s = (double)ms / 1000;
    }
    return true;
}

static bool read_count(struct reader *r, const struct yaml_node *map, const char *key, int min, int max, int *out)
{
    int64_t v = *out;
    if (!yaml_int(r->y, map, key, min, max, &v, r->err))
        return false;
    *out = (int)v;
    return true;
}

/* Where a map of a list stands: its first key. */
static const struct yaml_node *spot(const struct yaml_node *map) { return map->kind == YAML_MAP && map->n_items > 0 ? &map->keys[0] : map; }

/* ---- stages ---- */

static bool read_name(struct reader *r, struct cascade_stage *s, const struct yaml_node *map)
{
    struct cascade *c = r->c;
    static const char *const reserved[] = { "event", "time", "hour", "weekday", "t", "and", "or", "not", "in", "contains", "true", "false", "source", NULL };
    if (!yaml_text(r->y, map, "name", &s->name, r->err))
        return false;
    if (!s->name)
        return yaml_fail(r->y, spot(map), r->err, "a stage needs a `name`");
    const struct yaml_node *at = yaml_get(map, "name");
    bool good = s->name[0] && (islower((unsigned char)s->name[0]) || s->name[0] == '_') && strlen(s->name) < CASCADE_NAME_MAX;
    for (const char *p = s->name; *p; p++)
        good = good && (islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_');
    if (!good)
        return yaml_fail(r->y, at, r->err, "name: small letters, digits and _ are wanted, beginning with a letter, at most %d", CASCADE_NAME_MAX - 1);
    for (int i = 0; reserved[i]; i++)
        if (strcmp(s->name, reserved[i]) == 0)
            return yaml_fail(r->y, at, r->err, "name: '%s' means something else in expressions", s->name);
    for (int i = 0; i < c->n_stages; i++)
        if (strcmp(c->stages[i].name, s->name) == 0)
            return yaml_fail(r->y, at, r->err, "name: there are two stages '%s'", s->name);
    return true;
}

static bool add_expert(struct reader *r, struct cascade_stage *s, const struct yaml_node *n, unsigned *tasks)
{
    if (s->n_experts == CASCADE_EXPERTS_MAX)
        return yaml_fail(r->y, n, r->err, "expert: more than %d", CASCADE_EXPERTS_MAX);
    struct cascade_ref *ref = &s->experts[s->n_experts];
    struct err why = { 0 };
    unsigned can = 0;
    *ref = (struct cascade_ref){ .at = n, .sees = s->sees };
    if (n->kind == YAML_MAP)
        ref->card = n;
    else if (!yaml_node_text(r->y, n, &ref->text, r->err))
        return false;
    if (!r->world->look(r->world->ctx, r->c, ref, &can, s->ids[s->n_experts], CASCADE_NAME_MAX, &why)) {
        if (s->is_optional && why.code == ERR_NOT_FOUND)
            return true; /* what is not here is left out */
        return strstr(why.text, yaml_name(r->y)) ? (*r->err = why, false) : yaml_fail(r->y, n, r->err, "expert: %s", why.text);
    }
    *tasks = s->n_experts == 0 ? can : *tasks & can;
    if (!*tasks)
        return yaml_fail(r->y, n, r->err, "expert: %s cannot stand in for %s: they do different things", s->ids[s->n_experts], s->ids[0]);
    s->n_experts++;
    return true;
}

static bool read_experts(struct reader *r, struct cascade_stage *s, const struct yaml_node *map)
{
    const struct yaml_node *n = yaml_get(map, "expert"), *task = yaml_get(map, "task");
    unsigned tasks = 0;
    bool good = true;
    if (!n)
        return yaml_fail(r->y, spot(map), r->err, "the stage '%s' needs an `expert`: a card (file.yaml), an id of tutti.yaml, or `motion`", s->name);
    if (!yaml_bool(r->y, map, "optional", &s->is_optional, r->err) || !yaml_bool(r->y, map, "sees", &s->sees, r->err))
        return false;
    if (n->kind == YAML_LIST && n->n_items == 0)
        return yaml_fail(r->y, n, r->err, "expert: the list is empty");
    for (int i = 0; good && i < (n->kind == YAML_LIST ? n->n_items : 1); i++)
        good = add_expert(r, s, n->kind == YAML_LIST ? &n->items[i] : n, &tasks);
    if (!good)
        return false;
    if (task) {
        const char *word = NULL;
        if (!yaml_text(r->y, map, "task", &word, r->err))
            return false;
        if (!expert_task_find(word, &s->task))
            return yaml_fail(r->y, task, r->err, "task: '%s' is none", word);
        if (!(tasks & s->task) && s->is_optional)
            s->n_experts = 0; /* nobody who can is here */
        if (s->n_experts > 0 && !(tasks & s->task))
            return yaml_fail(r->y, task, r->err, "task: %s does not %s", s->ids[0], word);
    } else if (tasks == (1u << EXPERT_TASK_COUNT) - 1) { /* of a machine that cannot be asked now */
        return yaml_fail(r->y, n, r->err, "expert: what %s does is not known now: say it, for instance `task: detect`", s->ids[0]);
    } else {
        for (unsigned t = 1; t < 1u << EXPERT_TASK_COUNT && !s->task; t <<= 1)
            if (tasks & t)
                s->task = (enum expert_task)t;
        if (s->task == 0) /* nobody is here to say */
            s->task = EXPERT_DESCRIBE;
    }
    if (s->task == EXPERT_INFER || s->task == EXPERT_EMBED || s->task == EXPERT_COMPLETE || s->task == EXPERT_EMBED_IMAGE)
        return yaml_fail(r->y, n, r->err, "expert: '%s' has no place in a cascade", expert_task_name(s->task));
    return true;
}

struct uses {
    unsigned stages;
};
static void add_use(void *ctx, const struct expr_name *name) { ((struct uses *)ctx)->stages |= kept_stages_of(name); }

/* Those among the bits that stand in the way of this stage's subjects. */
static unsigned own_kind(const struct cascade *c, const struct cascade_stage *s, unsigned bits, int k)
{
    for (int i = 0; i < k; i++)
        if (c->stages[i].n_experts == 0 || (s->each_event && !c->stages[i].each_event))
            bits &= ~(1u << i); /* never there, or there with the event's frame */
    return bits;
}

/* The stages that it builds on: said in `after`, else those that the gate names. */
static bool read_after(struct reader *r, struct cascade_stage *s, const struct yaml_node *map, int k)
{
    const struct cascade *c = r->c;
    const struct yaml_node *n = yaml_get(map, "after");
    struct uses u = { 0 };
    if (!n) {
        if (s->gate)
            expr_each_name(s->gate, add_use, &u);
        s->after = own_kind(c, s, u.stages, k);
        return true;
    }
    for (int i = 0; i < (n->kind == YAML_LIST ? n->n_items : 1); i++) {
        const struct yaml_node *item = n->kind == YAML_LIST ? &n->items[i] : n;
        const char *word = NULL, *names[CASCADE_STAGES_MAX + 2] = { "source" };
        if (!yaml_node_text(r->y, item, &word, r->err))
            return false;
        int at = -1;
        for (int j = 0; j < k; j++) {
            names[j + 1] = c->stages[j].name;
            if (strcmp(c->stages[j].name, word) == 0)
                at = j;
        }
        if (strcmp(word, "source") == 0)
            continue;
        if (at < 0) {
            const char *near = yaml_nearest(word, names);
            return yaml_fail(r->y, item, r->err, "after: '%s' is no earlier stage%s%s%s", word, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        if (c->stages[at].each_event && !s->each_event)
            return yaml_fail(r->y, item, r->err, "after: '%s' comes once for each event, later than this stage", word);
        if (c->stages[at].n_experts > 0 && (!s->each_event || c->stages[at].each_event))
            s->after |= 1u << at;
    }
    return true;
}

static bool read_limits(struct reader *r, struct cascade_stage *s, const struct yaml_node *map, const struct expr_names *names)
{
    static const char *const budget_keys[] = { "ms", "joules", NULL };
    const struct yaml_node *budget = NULL, *drop = yaml_get(map, "drop");
    const bool is_session = s->task & SESSIONS;
    int policy = s->each_event ? CASCADE_DROP_OLDEST : s->policy;
    s->queue = s->each_event ? 8 : is_session && s->task != EXPERT_MOTION ? 16 : 4;
    s->every = 1, s->parallel = 1, s->reset_s = 2, s->watts = NAN;
    if (!read_count(r, map, "queue", 1, 1024, &s->queue) || !yaml_choice(r->y, map, "drop", policies, &policy, r->err) ||
        !read_expr(r, map, "best", names, EXPR_NUMBER, &s->best) || !yaml_number(r->y, map, "rate", 0.0001, 100000, &s->rate, r->err) ||
        !read_seconds(r, map, "backoff", &s->backoff_s) || !read_seconds(r, map, "reset", &s->reset_s) || !read_count(r, map, "every", 1, 1000000, &s->every) ||
        !yaml_map(r->y, map, "budget", &budget, r->err) || !yaml_check_keys(r->y, budget, budget_keys, NULL, r->err) ||
        !yaml_number(r->y, budget, "ms", 0.001, 1e9, &s->budget_ms, r->err) || !yaml_number(r->y, budget, "joules", 0.001, 1e9, &s->budget_joules, r->err) ||
        !read_count(r, map, "parallel", 1, 16, &s->parallel) || !read_seconds(r, map, "timeout", &s->timeout_s) || !yaml_number(r->y, map, "watts", 0, 100000, &s->watts, r->err))
        return false;
    s->policy = (enum cascade_policy)policy;
    s->has_policy = drop != NULL;
    if (s->policy == CASCADE_KEEP_BEST && !s->best)
        return yaml_fail(r->y, drop, r->err, "drop: keep-best needs `best`: a number, the higher the better");
    if (s->best && s->policy != CASCADE_KEEP_BEST)
        return yaml_fail(r->y, yaml_get(map, "best"), r->err, "best: only `drop: keep-best` asks for it");
    if (s->backoff_s > 0 && s->rate == 0)
        return yaml_fail(r->y, yaml_get(map, "backoff"), r->err, "backoff: it begins at `rate`, which is not there");
    if (s->parallel > 1 && is_session)
        return yaml_fail(r->y, yaml_get(map, "parallel"), r->err, "parallel: %s needs one piece after the other", expert_task_name(s->task));
    return true;
}

static bool read_asking(struct reader *r, struct cascade_stage *s, const struct yaml_node *map, const struct expr_names *names)
{
    double threshold = 0, speed = 0;
    s->max_tokens = 200;
    if (!yaml_number(r->y, map, "threshold", 0, 1, &threshold, r->err) || !read_count(r, map, "top", 1, 1000, &s->options.n_top) ||
        !yaml_text(r->y, map, "language", &s->options.language, r->err) || !yaml_text(r->y, map, "voice", &s->options.voice, r->err) ||
        !yaml_number(r->y, map, "speed", 0.25, 4, &speed, r->err) || !read_words(r, map, s->task == EXPERT_SPEAK ? "say" : "prompt", names, &s->prompt) ||
        !yaml_text(r->y, map, "system", &s->system, r->err) || !read_count(r, map, "max_tokens", 1, 1 << 20, &s->max_tokens))
        return false;
    struct uses u = { 0 };
    if (s->prompt)
        expr_text_each_name(s->prompt, add_use, &u);
    s->waits = own_kind(r->c, s, u.stages, r->c->n_stages);
    s->options.threshold = (float)threshold, s->options.speed = (float)speed;
    s->options.wants_scores = s->task == EXPERT_MOTION || s->task == EXPERT_VAD;
    if (!s->prompt && (s->task == EXPERT_CHAT || s->task == EXPERT_SPEAK))
        return yaml_fail(r->y, spot(map), r->err, "the stage '%s' needs `%s`", s->name, s->task == EXPERT_SPEAK ? "say" : "prompt");
    if (s->sees && s->task != EXPERT_CHAT)
        return yaml_fail(r->y, yaml_get(map, "sees"), r->err, "sees: only `chat` has words and a picture; '%s' looks anyway", expert_task_name(s->task));
    return true;
}

static bool read_stage(struct reader *r, const struct yaml_node *map)
{
    static const char *const keys[] = { "name", "expert", "optional", "task", "each", "after", "gate", "queue", "drop", "best", "rate", "backoff", "reset", "every",
                                        "budget", "parallel", "timeout", "watts", "threshold", "top", "language", "voice", "speed", "prompt", "say", "system",
                                        "max_tokens", "sees", NULL };
    static const char *const each[] = { "piece", "frame", "event", NULL };
    struct cascade *c = r->c;
    const int k = c->n_stages;
    struct expr_names names;
    int every = 0;
    if (map->kind != YAML_MAP)
        return yaml_fail(r->y, spot(map), r->err, "a stage is a map: {name: ..., expert: ...}");
    if (k == CASCADE_STAGES_MAX)
        return yaml_fail(r->y, spot(map), r->err, "more than %d stages", CASCADE_STAGES_MAX);
    struct cascade_stage *s = &c->stages[k];
    s->map = map, s->at = spot(map);
    s->policy = CASCADE_DROP_OLDEST;
    if (!yaml_check_keys(r->y, map, keys, NULL, r->err) || !read_name(r, s, map) || !yaml_choice(r->y, map, "each", each, &every, r->err))
        return false;
    s->each_event = every == 2;
    if (!read_experts(r, s, map) || !kept_names(c, k, s->each_event, c->arena, &names, r->err) || !read_expr(r, map, "gate", &names, EXPR_BOOL, &s->gate) ||
        !read_after(r, s, map, k) || !read_limits(r, s, map, &names) || !read_asking(r, s, map, &names))
        return false;
    if (s->each_event && (s->task & SESSIONS))
        return yaml_fail(r->y, spot(map), r->err, "each: event: %s looks at a stream, not at one thing", expert_task_name(s->task));
    if (!s->each_event && (s->task == EXPERT_SPEAK || s->task == EXPERT_TRANSCRIBE))
        return yaml_fail(r->y, spot(map), r->err, "'%s' works on whole events: `each: event` is missing", expert_task_name(s->task));
    c->n_stages++;
    return true;
}

static bool read_stages(struct reader *r, const struct yaml_node *root)
{
    struct cascade *c = r->c;
    const struct yaml_node *list = NULL;
    unsigned tasks = 0;
    if (!yaml_list(r->y, root, "stages", &list, r->err))
        return false;
    if (!list || list->n_items == 0)
        return yaml_fail(r->y, list, r->err, "`stages`: a list of stages is wanted");
    for (int i = 0; i < list->n_items; i++)
        if (!read_stage(r, &list->items[i]))
            return false;
    for (int i = 0; i < c->n_stages; i++)
        tasks |= c->stages[i].task;
    if ((tasks & HEARING) && (tasks & SEEING))
        return yaml_fail(r->y, list, r->err, "stages that see and stages that hear: one stream is either");
    c->is_sound = tasks & HEARING;
    return true;
}

/* ---- events, sinks ---- */

static bool read_events(struct reader *r, const struct yaml_node *root)
{
    static const char *const keys[] = { "when", "confirm", "best", "join", "min", "max", "cooldown", "before", "interrupts", "labels", NULL };
    struct cascade *c = r->c;
    struct cascade_events *e = &c->events;
    const struct yaml_node *map = NULL;
    struct expr_names names;
    int n_piece = 0;
    bool has_event_stage = false;
    for (int i = 0; i < c->n_stages; i++) {
        has_event_stage |= c->stages[i].each_event;
        n_piece = c->stages[i].each_event ? n_piece : i + 1;
    }
    e->join_s = c->is_sound ? 0.7 : 2, e->max_s = c->is_sound ? 30 : 60;
    if (!yaml_map(r->y, root, "event", &map, r->err) || !yaml_check_keys(r->y, map, keys, NULL, r->err) || !kept_names(c, n_piece, false, c->arena, &names, r->err) ||
        !read_expr(r, map, "when", &names, EXPR_BOOL, &e->when) || !read_expr(r, map, "confirm", &names, EXPR_BOOL, &e->confirm) ||
        !read_expr(r, map, "best", &names, EXPR_NUMBER, &e->best) || !read_seconds(r, map, "join", &e->join_s) || !read_seconds(r, map, "min", &e->min_s) ||
        !read_seconds(r, map, "max", &e->max_s) || !read_seconds(r, map, "cooldown", &e->cooldown_s) || !read_seconds(r, map, "before", &e->before_s) ||
        !yaml_bool(r->y, map, "interrupts", &e->interrupts, r->err))
        return false;
    const struct yaml_node *labels = NULL;
    if (!yaml_list(r->y, map, "labels", &labels, r->err))
        return false;
    for (int i = 0; labels && i < labels->n_items; i++) {
        if (i == CASCADE_LABELS_MAX)
            return yaml_fail(r->y, labels, r->err, "labels: more than %d", CASCADE_LABELS_MAX);
        if (!yaml_node_text(r->y, &labels->items[i], &e->labels[e->n_labels++], r->err))
            return false;
    }
    if (map && !e->when)
        return yaml_fail(r->y, spot(map), r->err, "event: `when` says which pieces belong to one");
    if (!map && has_event_stage)
        return yaml_fail(r->y, yaml_get(root, "stages"), r->err, "a stage says `each: event`, but there is no `event`");
    if (e->max_s <= 0 || e->max_s > (c->is_sound ? 300 : 86400))
        return yaml_fail(r->y, yaml_get(map, "max"), r->err, "max: up to %s", c->is_sound ? "300 s of sound" : "a day");
    if (e->before_s > 10)
        return yaml_fail(r->y, yaml_get(map, "before"), r->err, "before: up to 10 s");
    return kept_names(c, c->n_stages, true, c->arena, &c->names, r->err);
}

static bool read_sink(struct reader *r, const struct yaml_node *map)
{
    static const struct { const char *key; enum cascade_sink_kind kind; const char *const keys[12]; } kinds[] = {
        { "jsonl", CASCADE_SINK_JSONL, { "jsonl", NULL } },
        { "webhook", CASCADE_SINK_WEBHOOK, { "webhook", "token_file", "ca_file", "queue", "retries", NULL } },
        { "mqtt", CASCADE_SINK_MQTT, { "mqtt", "topic", "qos", "version", "user", "password_file", "ca_file", "queue", "retries", NULL } },
        { "pictures", CASCADE_SINK_PICTURES, { "pictures", "keep", "age", "queue", NULL } },
    };
    static const int versions[] = { 4, 5 };
    static const char *const version_words[] = { "3.1.1", "5", NULL };
    struct cascade *c = r->c;
    if (c->n_sinks == CASCADE_SINKS_MAX)
        return yaml_fail(r->y, spot(map), r->err, "more than %d sinks", CASCADE_SINKS_MAX);
    struct cascade_sink_plan *s = &c->sinks[c->n_sinks];
    int kind = -1, version = 0;
    for (int i = 0; i < CASCADE_SINK_COUNT; i++)
        if (yaml_get(map, kinds[i].key))
            kind = i;
    if (kind < 0)
        return yaml_fail(r->y, spot(map), r->err, "a sink is one of jsonl, webhook, mqtt, pictures: {jsonl: events.jsonl}");
    *s = (struct cascade_sink_plan){ .kind = kinds[kind].kind, .at = spot(map), .queue = 64, .retries = 5, .max_files = 200, .max_age_s = 7 * 86400, .version = 4, .topic = "tutti/events" };
    if (!yaml_check_keys(r->y, map, kinds[kind].keys, NULL, r->err) || !yaml_text(r->y, map, kinds[kind].key, &s->to, r->err) ||
        !yaml_text(r->y, map, "topic", &s->topic, r->err) || !yaml_text(r->y, map, "user", &s->user, r->err) || !yaml_text(r->y, map, "password_file", &s->password_file, r->err) ||
        !yaml_text(r->y, map, "ca_file", &s->ca_file, r->err) || !yaml_text(r->y, map, "token_file", &s->token_file, r->err) || !read_count(r, map, "qos", 0, 1, &s->qos) ||
        !yaml_choice(r->y, map, "version", version_words, &version, r->err) || !read_count(r, map, "queue", 1, 10000, &s->queue) ||
        !read_count(r, map, "retries", 0, 100, &s->retries) || !read_count(r, map, "keep", 1, 1000000, &s->max_files) || !read_seconds(r, map, "age", &s->max_age_s))
        return false;
    s->version = versions[version];
    if (!s->to[0])
        return yaml_fail(r->y, spot(map), r->err, "%s: where to?", kinds[kind].key);
    if (strlen(s->topic) == 0 || strlen(s->topic) > TOPIC_BYTES_MAX || strpbrk(s->topic, "+#"))
        return yaml_fail(r->y, yaml_get(map, "topic"), r->err, "topic: a name without + and # is wanted, at most %d bytes", TOPIC_BYTES_MAX);
    c->n_sinks++;
    return true;
}

static bool read_sinks(struct reader *r, const struct yaml_node *root)
{
    const struct yaml_node *list = NULL;
    if (!yaml_list(r->y, root, "sinks", &list, r->err))
        return false;
    for (int i = 0; list && i < list->n_items; i++)
        if (list->items[i].kind != YAML_MAP ? !yaml_fail(r->y, &list->items[i], r->err, "a sink is a map: {jsonl: events.jsonl}") && true : !read_sink(r, &list->items[i]))
            return false;
    return true;
}

/* ---- all ---- */

static bool read_all(struct reader *r)
{
    static const char *const keys[] = { "name", "source", "fps", "size", "frames", "stages", "event", "sinks", "voice", NULL };
    struct cascade *c = r->c;
    const struct yaml_node *root = yaml_root(r->y);
    double size[2] = { 0, 0 };
    if (root->kind != YAML_MAP)
        return yaml_fail(r->y, root, r->err, "a cascade is a map with `stages`");
    if (!yaml_check_keys(r->y, root, keys, NULL, r->err) || !yaml_text(r->y, root, "name", &c->name, r->err) || !yaml_text(r->y, root, "source", &c->source, r->err) ||
        !yaml_number(r->y, root, "fps", 0.001, 1000, &c->fps, r->err) || !yaml_numbers(r->y, root, "size", 2, size, r->err) ||
        !read_count(r, root, "frames", 1, 4096, &c->frames) || !read_stages(r, root) || !read_events(r, root) || !read_sinks(r, root) ||
        !yaml_map(r->y, root, "voice", &c->voice, r->err))
        return false;
    if (size[0] < 0 || size[1] < 0 || size[0] > 16384 || size[1] > 16384)
        return yaml_fail(r->y, yaml_get(root, "size"), r->err, "size: [width, height] up to 16384");
    c->max_w = (int)size[0], c->max_h = (int)size[1];
    return true;
}

/* "front-door" of "/x/front-door.yaml". */
static const char *name_of(struct cascade *c, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    return arena_strndup(c->arena, base, dot && dot > base ? (size_t)(dot - base) : strlen(base), err);
}

static struct cascade *make(struct yaml *y, const char *dir, const struct cascade_world *world, struct err *err)
{
    struct arena *a = y ? arena_new(PLAN_BYTES_MAX, err) : NULL;
    struct cascade *c = a ? arena_alloc(a, 1, sizeof(*c), err) : NULL;
    if (!c) {
        arena_free(a);
        yaml_free(y);
        return NULL;
    }
    c->arena = a, c->yaml = y;
    struct reader r = { c, y, world, err };
    if ((c->name = name_of(c, yaml_name(y), err)) && (c->dir = arena_strndup(a, dir, strlen(dir), err)) && read_all(&r))
        return c;
    cascade_free(c);
    return NULL;
}

struct cascade *cascade_parse(const char *name, const char *text, size_t n, const char *dir, const struct cascade_world *world, struct err *err)
{
    return make(yaml_parse(name, text, n, err), dir, world, err);
}

struct cascade *cascade_read(const char *path, const struct cascade_world *world, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char dir[1024];
    if (slash && (size_t)(slash - path) >= sizeof(dir))
        return err_null(err, ERR_INPUT, "a path that is too long");
    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
    return make(yaml_read(path, err), dir, world, err);
}

void cascade_free(struct cascade *c)
{
    if (!c)
        return;
    struct arena *a = c->arena;
    yaml_free(c->yaml);
    arena_free(a);
}
