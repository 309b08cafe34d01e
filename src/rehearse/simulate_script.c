/* rehearse/simulate_script.c - what happens to the world: scripts of events, recorded telemetry, recorded arrivals.
 *
 * For:     simulate_yaml.c.
 * Rule:    input like any other: bounded, every name and number checked, errors say file and line.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "rehearse/simulate_internal.h"

enum { FILE_BYTES_MAX = 256 << 20, RECORDS_MAX = 2000000, TELEMETRY_MAX = 200000 };

bool sim_path(const struct sim *s, const char *name, char path[static 1024], struct err *err)
{
    if (!s->folder[0])
        return err_set(err, ERR_INPUT, "simulate: %s: this description may name no files", name);
    const int n = name[0] == '/' ? snprintf(path, 1024, "%s", name) : snprintf(path, 1024, "%s/%s", s->folder, name);
    return (n > 0 && n < 1024) || err_set(err, ERR_LIMIT, "simulate: %s: the path is too long", name);
}

/* ---- events ---- */

static const struct {
    const char *word;
    bool needs_node, needs_expert, needs_to;
    double min, max;
} dos[] = {
    [SIM_DO_NODE_LOST] = { "node-lost", true, false, false, 0, 0 },
    [SIM_DO_EXPERT_LOST] = { "expert-lost", false, true, false, 0, 0 },
    [SIM_DO_HEAT] = { "heat", true, false, true, -50, 90 },
    [SIM_DO_UNPLUG] = { "unplug", true, false, false, 0, 0 },
    [SIM_DO_BATTERY] = { "battery", true, false, true, 0, 1 },
    [SIM_DO_MEMORY] = { "memory", true, false, true, 0, 1e15 },
    [SIM_DO_SLOW] = { "slow", true, false, true, .01, 1 },
    [SIM_DO_LINK] = { "link", true, false, true, .001, 1 },
    [SIM_DO_FLOOD] = { "flood", false, false, true, 0, 1000 },
    [SIM_DO_UPSTREAM] = { "upstream-gone", false, false, false, 0, 0 },
    [SIM_DO_TEMPERATURE] = { "temperature", true, false, true, -50, 150 },
};
_Static_assert(sizeof(dos) / sizeof(dos[0]) == SIM_DO_COUNT, "ORDER SIM_DO");

static int find_node(const struct sim *s, const char *name)
{
    for (int n = 0; n < s->world.n_nodes; n++)
        if (!strcmp(s->world.nodes[n].name, name))
            return n;
    return -1;
}
/* "expert@node", or "expert" where there is one of that name. */
static int find_expert(const struct sim *s, const char *name)
{
    const char *at = strrchr(name, '@');
    int found = -1;
    for (int c = 0; c < s->world.n; c++) {
        const char *expert = s->world.list[c].expert, *node = s->world.nodes[s->world.list[c].node].name;
        if (at && strlen(expert) == (size_t)(at - name) && !memcmp(expert, name, (size_t)(at - name)) && !strcmp(at + 1, node))
            return c;
        if (!strcmp(expert, name))
            found = found == -1 ? c : -2;
    }
    return found;
}

static bool read_event(const struct sim_reader *r, const struct yaml_node *n, struct sim_event *v)
{
    static const char *const keys[] = { "at", "for", "do", "node", "expert", "to", NULL };
    static const char *words[SIM_DO_COUNT + 1];
    const char *node = NULL, *expert = NULL;
    uint64_t at_ms = 0, for_ms = 0, bytes = 0;
    int what = -1;
    double to = NAN;
    for (int i = 0; i < SIM_DO_COUNT; i++)
        words[i] = dos[i].word;
    if (n->kind != YAML_MAP)
        return yaml_fail(r->y, n, r->err, "an event is a map: { at: 5m, do: node-lost, node: ..., for: 1m }");
    if (!yaml_check_keys(r->y, n, keys, NULL, r->err) || !yaml_time(r->y, n, "at", &at_ms, r->err) || !yaml_time(r->y, n, "for", &for_ms, r->err) ||
        !yaml_choice(r->y, n, "do", words, &what, r->err) || !yaml_text(r->y, n, "node", &node, r->err) || !yaml_text(r->y, n, "expert", &expert, r->err))
        return false;
    if (what < 0)
        return yaml_fail(r->y, n, r->err, "what happens? (do: ...)");
    if (what == SIM_DO_MEMORY) {
        if (!yaml_bytes(r->y, n, "to", &bytes, r->err))
            return false;
        to = yaml_get(n, "to") ? (double)bytes : NAN;
    } else if (!yaml_number(r->y, n, "to", dos[what].min, dos[what].max, &to, r->err))
        return false;
    if (dos[what].needs_to == isnan(to))
        return yaml_fail(r->y, n, r->err, dos[what].needs_to ? "%s needs `to`" : "%s has no `to`", dos[what].word);
    if (dos[what].needs_node != !!node || dos[what].needs_expert != !!expert)
        return yaml_fail(r->y, n, r->err, "%s needs %s", dos[what].word, dos[what].needs_node ? "`node` alone" : dos[what].needs_expert ? "`expert` alone" : "neither node nor expert");
    *v = (struct sim_event){ .at_s = (double)at_ms / 1e3, .for_s = yaml_get(n, "for") ? (double)for_ms / 1e3 : INFINITY, .what = (enum sim_do)what, .node = -1, .candidate = -1, .to = to };
    if (node && (v->node = find_node(r->s, node)) < 0)
        return yaml_fail(r->y, yaml_get(n, "node"), r->err, "there is no node \"%s\"", node);
    if (expert && (v->candidate = find_expert(r->s, expert)) < 0)
        return yaml_fail(r->y, yaml_get(n, "expert"), r->err, v->candidate == -1 ? "there is no expert \"%s\"" : "there are several \"%s\": say EXPERT@NODE", expert);
    if (what == SIM_DO_FLOOD && (v->for_s <= 0 || isinf(v->for_s)))
        return yaml_fail(r->y, n, r->err, "a flood ends: for: ...");
    if ((what == SIM_DO_UNPLUG || what == SIM_DO_BATTERY) && !(r->s->nodes[v->node].battery_j > 0))
        return yaml_fail(r->y, n, r->err, "%s has no battery (truth: { battery_wh: ... })", node);
    return true;
}

bool sim_read_script(const struct sim_reader *r, const struct yaml_node *list, struct sim_script *out)
{
    if (list->kind != YAML_LIST || list->n_items > SIM_EVENTS_MAX)
        return yaml_fail(r->y, list, r->err, "a list of at most %d events", SIM_EVENTS_MAX);
    if (!list->n_items)
        return true;
    if (!(out->events = calloc((size_t)list->n_items, sizeof(*out->events))))
        return err_set(r->err, ERR_NOMEM, "simulate: out of memory");
    for (int i = 0; i < list->n_items; i++)
        if (!read_event(r, &list->items[i], &out->events[out->n++]))
            return false;
    return true;
}

bool sim_read_scripts(const struct sim_reader *r, const struct yaml_node *map)
{
    struct sim *s = r->s;
    if (map->kind != YAML_MAP || map->n_items > SIM_SCRIPTS_MAX - s->n_scripts)
        return yaml_fail(r->y, map, r->err, "a map of at most %d scripts: NAME: [events]", SIM_SCRIPTS_MAX);
    struct sim_script *more = realloc(s->scripts, (size_t)(s->n_scripts + map->n_items + 1) * sizeof(*more));
    if (!more)
        return err_set(r->err, ERR_NOMEM, "simulate: out of memory");
    s->scripts = more;
    for (int i = 0; i < map->n_items; i++) {
        struct sim_script *one = &s->scripts[s->n_scripts];
        memset(one, 0, sizeof(*one));
        if (map->keys[i].n_text >= sizeof(one->name))
            return yaml_fail(r->y, &map->keys[i], r->err, "a name of at most %zu bytes", sizeof(one->name) - 1);
        memcpy(one->name, map->keys[i].text, map->keys[i].n_text);
        s->n_scripts++;
        if (!sim_read_script(r, &map->items[i], one))
            return false;
    }
    return true;
}

/* ---- JSON lines ---- */

struct lines {
    const char *path, *at;
    char *text; /* owned */
    int line;
};

static bool lines_open(struct lines *l, const char *path, struct err *err)
{
    size_t n;
    *l = (struct lines){ .path = path, .text = file_read(path, FILE_BYTES_MAX, &n, err) };
    l->at = l->text;
    return l->text != NULL;
}
/* The next object, owned by the caller; NULL at the end, or with err->code set. */
static json_t *lines_next(struct lines *l, struct err *err)
{
    for (;;) {
        json_error_t why;
        while (*l->at == '\n' || *l->at == '\r' || *l->at == ' ')
            l->line += *l->at++ == '\n';
        if (!*l->at)
            return NULL;
        const char *end = strchr(l->at, '\n');
        const size_t n = end ? (size_t)(end - l->at) : strlen(l->at);
        json_t *j = json_loadb(l->at, n, JSON_REJECT_DUPLICATES, &why);
        l->at += n;
        if (!json_is_object(j)) {
            json_decref(j);
            return err_null(err, ERR_INPUT, "%s:%d: no JSON object", l->path, l->line + 1);
        }
        return j;
    }
}
static bool number(const json_t *j, const char *key, double min, double max, double *out, const struct lines *l, struct err *err)
{
    const json_t *v = json_object_get(j, key);
    if (!v)
        return true;
    if (!json_is_number(v) || !(json_number_value(v) >= min && json_number_value(v) <= max))
        return err_set(err, ERR_INPUT, "%s:%d: %s is no number of %g..%g", l->path, l->line + 1, key, min, max);
    *out = json_number_value(v);
    return true;
}

static bool add_event(struct sim *s, const struct sim_event *v, int *cap, struct err *err)
{
    if (s->script.n >= TELEMETRY_MAX)
        return err_set(err, ERR_LIMIT, "simulate: more than %d events", TELEMETRY_MAX);
    if (s->script.n >= *cap) {
        const int more = s->script.n * 2 + 256;
        struct sim_event *grown = realloc(s->script.events, (size_t)more * sizeof(*grown));
        if (!grown)
            return err_set(err, ERR_NOMEM, "simulate: out of memory");
        s->script.events = grown, *cap = more;
    }
    s->script.events[s->script.n++] = *v;
    return true;
}

/* What a node had: {"at_s":12, "node":"pi", "temperature_c":71.2, "battery_frac":.8, "speed":.9}, each but the first two where known. */
static bool telemetry_line(struct sim *s, const json_t *j, const struct lines *l, int *cap, struct err *err)
{
    double at_s = NAN, c = NAN, battery = NAN, speed = NAN, ambient = NAN;
    const char *name = json_string_value(json_object_get(j, "node"));
    const int node = name ? find_node(s, name) : -1;
    if (node < 0)
        return err_set(err, ERR_INPUT, "%s:%d: there is no node \"%s\"", l->path, l->line + 1, name ? name : "");
    if (!number(j, "at_s", 0, 1e9, &at_s, l, err) || !number(j, "temperature_c", -50, 150, &c, l, err) || !number(j, "battery_frac", 0, 1, &battery, l, err) ||
        !number(j, "speed", .01, 1, &speed, l, err) || !number(j, "ambient_c", -50, 90, &ambient, l, err))
        return false;
    if (isnan(at_s))
        return err_set(err, ERR_INPUT, "%s:%d: at_s is missing", l->path, l->line + 1);
    struct sim_event v = { .at_s = at_s, .for_s = INFINITY, .node = node, .candidate = -1 };
    bool ok = true;
    if (!isnan(c))
        v.what = SIM_DO_TEMPERATURE, v.to = c, ok = add_event(s, &v, cap, err);
    if (ok && !isnan(ambient))
        v.what = SIM_DO_HEAT, v.to = ambient, ok = add_event(s, &v, cap, err);
    if (ok && !isnan(speed))
        v.what = SIM_DO_SLOW, v.to = speed, ok = add_event(s, &v, cap, err);
    if (ok && !isnan(battery) && s->nodes[node].battery_j > 0)
        v.what = SIM_DO_BATTERY, v.to = battery, ok = add_event(s, &v, cap, err);
    return ok;
}

bool sim_read_telemetry(struct sim *s, const char *path, struct err *err)
{
    struct lines l;
    struct err why = { 0 };
    int cap = s->script.n;
    if (!lines_open(&l, path, err))
        return false;
    bool ok = true;
    for (json_t *j; ok && (j = lines_next(&l, &why)); json_decref(j))
        ok = telemetry_line(s, j, &l, &cap, &why);
    free(l.text);
    if (why.code)
        *err = why;
    return !why.code;
}

/* {"at_s":3.2, "class":"chat", "text":"...", "prompt_tok":80, "gen_tok":120, "weak":true, "strong":true}, each where known. */
static bool record_line(const struct sim *s, const json_t *j, const struct lines *l, double before_s, struct sim_record *out, struct err *err)
{
    double at_s = NAN, prompt = 0, gen = 0;
    const char *cls = json_string_value(json_object_get(j, "class")), *text = json_string_value(json_object_get(j, "text"));
    const json_t *weak = json_object_get(j, "weak"), *strong = json_object_get(j, "strong");
    if (!number(j, "at_s", 0, 1e9, &at_s, l, err) || !number(j, "prompt_tok", 0, 1e7, &prompt, l, err) || !number(j, "gen_tok", 0, 1e6, &gen, l, err))
        return false;
    if (!(at_s >= before_s))
        return err_set(err, ERR_INPUT, "%s:%d: at_s is missing or goes back", l->path, l->line + 1);
    *out = (struct sim_record){ .at_s = at_s, .cls = -1, .prompt_tok = (float)prompt, .gen_tok = (float)gen, .weak = weak ? json_is_true(weak) : -1, .strong = strong ? json_is_true(strong) : -1 };
    for (int i = 0; cls && i < s->n_classes; i++)
        if (!strcmp(s->classes[i].name, cls))
            out->cls = i;
    if (cls && out->cls < 0)
        return err_set(err, ERR_INPUT, "%s:%d: the workload has no class \"%s\"", l->path, l->line + 1, cls);
    if (text) {
        const size_t n = json_string_length(json_object_get(j, "text"));
        features_read(&(struct features_in){ .text = text, .n_bytes = n }, &out->features);
        intent_decide(intent_model_shipped(), &out->features, text, n, &out->intent);
        out->has_intent = true;
    }
    return true;
}

bool sim_read_records(struct sim *s, const char *path, struct err *err)
{
    struct lines l;
    struct err why = { 0 };
    size_t cap = 0;
    if (!lines_open(&l, path, err))
        return false;
    bool ok = true;
    for (json_t *j; ok && (j = lines_next(&l, &why)); json_decref(j)) {
        if (s->n_records == cap) {
            const size_t more = cap ? 2 * cap : 1024;
            struct sim_record *grown = more <= RECORDS_MAX ? realloc(s->records, more * sizeof(*grown)) : NULL;
            if (!(ok = grown != NULL)) {
                err_set(&why, ERR_LIMIT, "%s: more than %d lines, or out of memory", path, RECORDS_MAX);
                json_decref(j);
                break;
            }
            s->records = grown, cap = more;
        }
        ok = record_line(s, j, &l, s->n_records ? s->records[s->n_records - 1].at_s : 0, &s->records[s->n_records], &why);
        s->n_records += ok;
    }
    free(l.text);
    if (!why.code && !s->n_records)
        err_set(&why, ERR_INPUT, "%s: no lines", path);
    if (why.code)
        *err = why;
    return !why.code;
}
