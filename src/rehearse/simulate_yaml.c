/* rehearse/simulate_yaml.c - the description of a rehearsal: a fleet file (fleet.h) with `truth` in nodes and experts and a map `simulate`.
 *
 * For:     sim_read(), sim_parse().
 * Rule:    input like any other: what is misspelt or impossible is an error with file, line and column.  docs/simulate.md lists the keys.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "catalog/catalog.h"
#include "route/policy_yaml.h"
#include "rehearse/simulate_internal.h"
#include "route/train.h"

/* Of corpus/difficulty/mmlu.jsonl: what the weak and the strong model answered. */
static const double weak_percent = 68.0, strong_percent = 80.3;
/* Room beside the weights: caches and buffers. */
static const double memory_factor = 1.15;

static bool spread(const struct sim_reader *r, const struct yaml_node *map, const char *key, double max, struct sim_spread *out)
{
    return yaml_number(r->y, map, key, 0, max, &out->median, r->err);
}

/* ---- truths ---- */

static bool read_node(const struct sim_reader *r, int n)
{
    static const char *const keys[] = { "ambient_c", "limit_c", "c_per_w", "heat", "throttled_speed", "memory", "battery_wh", "battery_frac", "on_battery",
                                        "loss", "flap_every", "flap_for", NULL };
    struct sim_node_truth *t = &r->s->nodes[n];
    const struct yaml_node *map = NULL;
    const bool is_ours = r->s->world.nodes[n].distance != EXPERT_CLOUD;
    uint64_t heat_ms = 300000, memory = 0, every_ms = 0, for_ms = 0;
    double wh = 0, limit = is_ours ? 95 : NAN;
    *t = (struct sim_node_truth){ .ambient_c = 22, .c_per_w = .5, .throttled_speed = .6, .battery_frac = 1 };
    const float free_bytes = r->s->world.nodes[n].memory_free_bytes;
    if (!yaml_map(r->y, r->s->fleet->node_yaml[n], "truth", &map, r->err))
        return false;
    if (map && (!yaml_check_keys(r->y, map, keys, NULL, r->err) || !yaml_number(r->y, map, "ambient_c", -50, 90, &t->ambient_c, r->err) ||
                !yaml_number(r->y, map, "limit_c", 20, 150, &limit, r->err) || !yaml_number(r->y, map, "c_per_w", 0, 100, &t->c_per_w, r->err) ||
                !yaml_time(r->y, map, "heat", &heat_ms, r->err) || !yaml_number(r->y, map, "throttled_speed", .05, 1, &t->throttled_speed, r->err) ||
                !yaml_bytes(r->y, map, "memory", &memory, r->err) || !yaml_number(r->y, map, "battery_wh", 0, 1e6, &wh, r->err) ||
                !yaml_number(r->y, map, "battery_frac", 0, 1, &t->battery_frac, r->err) || !yaml_bool(r->y, map, "on_battery", &t->on_battery, r->err) ||
                !yaml_number(r->y, map, "loss", 0, 1, &t->loss, r->err) || !yaml_time(r->y, map, "flap_every", &every_ms, r->err) ||
                !yaml_time(r->y, map, "flap_for", &for_ms, r->err)))
        return false;
    if (!heat_ms || (every_ms > 0) != (for_ms > 0))
        return yaml_fail(r->y, map, r->err, heat_ms ? "flap_every and flap_for come together" : "heat: a time above 0");
    if (t->on_battery && !(wh > 0))
        return yaml_fail(r->y, map, r->err, "on_battery needs battery_wh");
    t->limit_c = limit, t->heat_s = (double)heat_ms / 1e3;
    t->memory_bytes = memory ? (double)memory : free_bytes > 0 ? (double)free_bytes : INFINITY;
    t->battery_j = wh * 3600;
    t->flap_every_s = (double)every_ms / 1e3, t->flap_for_s = (double)for_ms / 1e3;
    return true;
}

/* "cpu" of a node: the same text is the same device. */
static bool find_device(const struct sim_reader *r, int c, const char *name)
{
    struct sim *s = r->s;
    struct sim_expert_truth *t = &s->experts[c];
    int before;
    if (snprintf(t->device_name, sizeof(t->device_name), "%s", name) >= (int)sizeof(t->device_name))
        return yaml_fail(r->y, s->fleet->expert_yaml[c], r->err, "device: a name of at most %zu bytes", sizeof(t->device_name) - 1);
    SIM_EXPERTS_OF(s, s->world.list[c].node, before) {
        if (before == c)
            break;
        if (!strcmp(s->experts[before].device_name, t->device_name))
            return t->device = s->experts[before].device, true;
    }
    t->device = s->n_devices++;
    return true;
}

static bool read_expert(const struct sim_reader *r, int c)
{
    static const char *const keys[] = { "mmlu", "accuracy", "speed", "load", "watts", "memory", "device", "gain", NULL };
    struct sim *s = r->s;
    struct sim_expert_truth *t = &s->experts[c];
    const struct candidate *k = &s->world.list[c];
    const struct yaml_node *map = NULL;
    const bool is_ours = s->world.nodes[k->node].distance != EXPERT_CLOUD;
    const char *device = is_ours ? "cpu" : k->expert;
    double mmlu = NAN;
    uint64_t bytes = is_ours && k->params > 0 && k->bits > 0 ? (uint64_t)(k->params * (double)k->bits / 8 * memory_factor) : 0;
    /* the tier's own scale: 6 is the weak model of the outcomes, 9 the strong one (quality.h) */
    *t = (struct sim_expert_truth){ .accuracy = .9, .speed = 1, .load = 1, .watts = 1, .gain = is_ours ? 1 : SIM_ACTIVE_MAX,
                                    .answers = fmax(-.6, fmin(1, ((k->quality > 0 ? (double)k->quality : 4) - 6) / 3)) };
    if (!yaml_map(r->y, s->fleet->expert_yaml[c], "truth", &map, r->err))
        return false;
    if (map && (!yaml_check_keys(r->y, map, keys, NULL, r->err) || !yaml_number(r->y, map, "mmlu", 0, 100, &mmlu, r->err) ||
                !yaml_number(r->y, map, "accuracy", 0, 1, &t->accuracy, r->err) || !yaml_number(r->y, map, "speed", .01, 100, &t->speed, r->err) ||
                !yaml_number(r->y, map, "load", 0, 100, &t->load, r->err) || !yaml_number(r->y, map, "watts", 0, 100, &t->watts, r->err) ||
                !yaml_bytes(r->y, map, "memory", &bytes, r->err) || !yaml_text(r->y, map, "device", &device, r->err) ||
                !yaml_number(r->y, map, "gain", 1, SIM_ACTIVE_MAX, &t->gain, r->err)))
        return false;
    if (!isnan(mmlu))
        t->answers = mmlu < weak_percent ? mmlu / weak_percent - 1 : fmin(1, (mmlu - weak_percent) / (strong_percent - weak_percent));
    t->bytes = (double)bytes;
    return find_device(r, c, device);
}

/* All that may work on a device at a time has a place in its list. */
static bool check_devices(const struct sim_reader *r)
{
    int *n = calloc((size_t)r->s->n_devices, sizeof(*n));
    bool ok = n ? true : err_set(r->err, ERR_NOMEM, "simulate: out of memory");
    for (int c = 0; ok && c < r->s->world.n; c++) {
        const int d = r->s->experts[c].device, k = r->s->world.list[c].n_parallel;
        n[d] += k > 1 ? k : 1;
        if (n[d] > SIM_ACTIVE_MAX)
            ok = yaml_fail(r->y, r->s->fleet->expert_yaml[c], r->err, "more than %d requests at a time on one device", SIM_ACTIVE_MAX);
    }
    free(n);
    return ok;
}

/* ---- workload ---- */

static bool read_class(const struct sim_reader *r, const struct yaml_node *map, struct sim_class *k)
{
    static const char *const keys[] = { "name", "share", "task", "intent", "prompt_tok", "gen_tok", "max_gen_tok", "context_tok", "spread", "items", "sound", "bytes",
                                        "turns", "goal", "security", "deadline", "first", "quality", "sees", "tools", "private", NULL };
    static const char *const security[] = { "none", "local", "lan", NULL };
    static const char *intents[INTENT_COUNT + 1], *goals[ROUTE_GOAL_COUNT + 1];
    const char *name = NULL, *task = NULL;
    int intent = INTENT_CHAT, goal = ROUTE_BALANCED, secure = 0;
    double wide = .6, deadline = 0, first = 0, quality = 0;
    uint64_t bytes = 0, deadline_ms = 0, first_ms = 0;
    int64_t items = 0, most = 0;
    for (int i = 0; i < INTENT_COUNT; i++)
        intents[i] = intent_name((enum intent)i);
    for (int i = 0; i < ROUTE_GOAL_COUNT; i++)
        goals[i] = route_goal_name((enum route_goal)i);
    *k = (struct sim_class){ .share = 1, .turns = 1 };
    if (map->kind != YAML_MAP)
        return yaml_fail(r->y, map, r->err, "a class of requests is a map: { name: ..., task: ..., share: ... }");
    if (!yaml_check_keys(r->y, map, keys, NULL, r->err) || !yaml_text(r->y, map, "name", &name, r->err) || !yaml_number(r->y, map, "share", 0, 1e6, &k->share, r->err) ||
        !yaml_text(r->y, map, "task", &task, r->err) || !yaml_choice(r->y, map, "intent", intents, &intent, r->err) || !spread(r, map, "prompt_tok", 1e6, &k->prompt_tok) ||
        !spread(r, map, "gen_tok", 1e6, &k->gen_tok) || !yaml_int(r->y, map, "max_gen_tok", 1, 1000000, &most, r->err) ||
        !yaml_number(r->y, map, "context_tok", 0, 1e6, &k->context_tok, r->err) || !yaml_number(r->y, map, "spread", 0, 3, &wide, r->err) ||
        !yaml_int(r->y, map, "items", 0, 1000, &items, r->err) || !spread(r, map, "sound", 86400, &k->sound_s) || !yaml_bytes(r->y, map, "bytes", &bytes, r->err) ||
        !yaml_number(r->y, map, "turns", 1, 1000, &k->turns, r->err) || !yaml_choice(r->y, map, "goal", goals, &goal, r->err) ||
        !yaml_choice(r->y, map, "security", security, &secure, r->err) || !yaml_time(r->y, map, "deadline", &deadline_ms, r->err) ||
        !yaml_time(r->y, map, "first", &first_ms, r->err) || !yaml_number(r->y, map, "quality", 0, 10, &quality, r->err) || !yaml_bool(r->y, map, "sees", &k->needs_sight, r->err) ||
        !yaml_bool(r->y, map, "tools", &k->needs_tools, r->err) || !yaml_bool(r->y, map, "private", &k->is_private, r->err))
        return false;
    if (!name || !task || strlen(name) >= sizeof(k->name))
        return yaml_fail(r->y, map, r->err, "a class needs a name (at most %zu bytes) and a task", sizeof(k->name) - 1);
    if (!expert_task_find(task, &k->task))
        return yaml_fail(r->y, yaml_get(map, "task"), r->err, "\"%s\" is no task", task);
    memcpy(k->name, name, strlen(name) + 1);
    deadline = (double)deadline_ms / 1e3, first = (double)first_ms / 1e3;
    k->is_text = (k->task & (EXPERT_CHAT | EXPERT_COMPLETE)) != 0;
    k->intent = (enum intent)intent, k->goal = (enum route_goal)goal;
    k->prompt_tok.sigma = k->gen_tok.sigma = k->sound_s.sigma = k->n_bytes.sigma = wide;
    k->n_bytes.median = (double)bytes;
    k->n_items = (int)items, k->max_gen_tok = (uint64_t)most;
    k->wish = (struct expert_wish){ .security = secure == 1 ? WISH_LOCAL : secure == 2 ? WISH_LAN : WISH_SECURITY_NONE, .deadline_s = (float)deadline, .ttft_s = (float)first, .quality = (float)quality };
    return true;
}

static bool read_workload(const struct sim_reader *r, const struct yaml_node *list)
{
    struct sim *s = r->s;
    double sum = 0, before = 0;
    if (!list || list->kind != YAML_LIST || !list->n_items || list->n_items > SIM_CLASSES_MAX)
        return yaml_fail(r->y, list, r->err, "simulate.workload: a list of 1 to %d classes of requests", SIM_CLASSES_MAX);
    for (int i = 0; i < list->n_items; i++) {
        if (!read_class(r, &list->items[i], &s->classes[s->n_classes++]))
            return false;
        sum += s->classes[i].share;
    }
    if (!(sum > 0))
        return yaml_fail(r->y, list, r->err, "the shares of the workload are all 0");
    for (int i = 0; i < s->n_classes; i++)
        s->classes[i].share = before += s->classes[i].share / sum;
    return true;
}

static bool read_arrivals(const struct sim_reader *r, const struct yaml_node *map)
{
    static const char *const keys[] = { "process", "per_s", "factor", "every", "for", "peak", "depth", "file", NULL };
    static const char *const words[] = { "poisson", "bursts", "diurnal", "recorded", NULL };
    struct sim *s = r->s;
    const char *file = NULL;
    int process = SIM_POISSON;
    uint64_t every_ms = 600000, for_ms = 60000, peak_ms = 20 * 3600000;
    char path[1024];
    s->per_s = 1, s->burst_factor = 8, s->depth = .8;
    if (!map)
        return true;
    if (!yaml_check_keys(r->y, map, keys, NULL, r->err) || !yaml_choice(r->y, map, "process", words, &process, r->err) ||
        !yaml_number(r->y, map, "per_s", 1e-6, 1e6, &s->per_s, r->err) || !yaml_number(r->y, map, "factor", 0, 1000, &s->burst_factor, r->err) ||
        !yaml_time(r->y, map, "every", &every_ms, r->err) || !yaml_time(r->y, map, "for", &for_ms, r->err) || !yaml_time(r->y, map, "peak", &peak_ms, r->err) ||
        !yaml_number(r->y, map, "depth", 0, 1, &s->depth, r->err) || !yaml_text(r->y, map, "file", &file, r->err))
        return false;
    if (!every_ms || (process == SIM_RECORDED) != !!file)
        return yaml_fail(r->y, map, r->err, every_ms ? "`file` and `process: recorded` come together" : "every: a time above 0");
    s->process = (enum sim_process)process;
    s->burst_every_s = (double)every_ms / 1e3, s->burst_for_s = (double)for_ms / 1e3, s->peak_s = (double)peak_ms / 1e3;
    return !file || (sim_path(s, file, path, r->err) && sim_read_records(s, path, r->err));
}

static bool read_simulate(const struct sim_reader *r, const struct yaml_node *map)
{
    static const char *const keys[] = { "requests", "patience", "notice", "caught", "start", "arrivals", "workload", "events", "scripts", "telemetry", NULL };
    struct sim *s = r->s;
    const struct yaml_node *arrivals = NULL, *workload = NULL, *events = NULL, *scripts = NULL;
    const char *telemetry = NULL;
    uint64_t patience_ms = 0, notice_ms = 1000, start_ms = 12 * 3600000;
    int64_t n = 10000;
    char path[1024];
    if (!map)
        return yaml_fail(r->y, NULL, r->err, "no `simulate`: a workload and arrivals (docs/simulate.md)");
    if (!yaml_check_keys(r->y, map, keys, NULL, r->err) || !yaml_int(r->y, map, "requests", 1, 1000000000, &n, r->err) ||
        !yaml_time(r->y, map, "patience", &patience_ms, r->err) || !yaml_time(r->y, map, "notice", &notice_ms, r->err) ||
        !yaml_number(r->y, map, "caught", 0, 1, &s->caught, r->err) || !yaml_time(r->y, map, "start", &start_ms, r->err) ||
        !yaml_map(r->y, map, "arrivals", &arrivals, r->err) || !yaml_list(r->y, map, "workload", &workload, r->err) ||
        !yaml_list(r->y, map, "events", &events, r->err) || !yaml_map(r->y, map, "scripts", &scripts, r->err) || !yaml_text(r->y, map, "telemetry", &telemetry, r->err))
        return false;
    s->n_requests = (uint64_t)n;
    s->patience_s = (double)patience_ms / 1e3, s->notice_s = (double)notice_ms / 1e3, s->start_s = (double)start_ms / 1e3;
    return read_workload(r, workload) && read_arrivals(r, arrivals) && (!events || sim_read_script(r, events, &s->script)) &&
           (!scripts || sim_read_scripts(r, scripts)) && (!telemetry || (sim_path(s, telemetry, path, r->err) && sim_read_telemetry(s, path, r->err)));
}

/* ---- the whole ---- */

static const char *const top_keys[] = { "simulate", "route", NULL }, *const truth_key[] = { "truth", NULL };
const struct fleet_keys sim_keys = { top_keys, truth_key, truth_key };

struct sim *sim_parse(const char *name, const char *text, size_t n, const char *folder, struct err *err)
{
    struct sim *s = calloc(1, sizeof(*s));
    struct catalog *catalog = catalog_new(NULL, err);
    bool ok = s && catalog && (s->fleet = fleet_parse(name, text, n, catalog, &sim_keys, err)) && (s->policy = policy_new(err));
    if (!s)
        err_set(err, ERR_NOMEM, "simulate: out of memory");
    if (ok && folder && snprintf(s->folder, sizeof(s->folder), "%s", folder) >= (int)sizeof(s->folder))
        ok = err_set(err, ERR_LIMIT, "%s: the path is too long", folder);
    if (ok) {
        const struct sim_reader r = { s, s->fleet->yaml, err };
        const struct yaml_node *root = yaml_root(s->fleet->yaml), *map = NULL, *route = NULL;
        s->world = fleet_world(s->fleet);
        s->is_large = s->world.n > ROUTE_CANDIDATES_MAX || s->world.n_nodes > ROUTE_NODES_MAX;
        s->nodes = calloc((size_t)s->world.n_nodes, sizeof(*s->nodes)), s->experts = calloc((size_t)s->world.n, sizeof(*s->experts));
        if (!s->nodes || !s->experts)
            ok = err_set(err, ERR_NOMEM, "simulate: out of memory");
        for (int i = 0; ok && i < s->world.n_nodes; i++)
            ok = read_node(&r, i);
        for (int i = 0; ok && i < s->world.n; i++)
            ok = read_expert(&r, i);
        ok = ok && check_devices(&r) && yaml_map(r.y, root, "simulate", &map, err) && read_simulate(&r, map) && yaml_map(r.y, root, "route", &route, err) &&
             (!route || policy_take_yaml(s->policy, r.y, route, err));
    }
    catalog_free(catalog);
    if (ok)
        return s;
    sim_free(s);
    return NULL;
}

struct sim *sim_read(const char *path, struct err *err)
{
    size_t n;
    char folder[512] = ".";
    char *text = file_read(path, YAML_MAX_BYTES, &n, err);
    const char *slash = strrchr(path, '/');
    if (slash && (size_t)(slash - path) < sizeof(folder)) {
        memcpy(folder, path, (size_t)(slash - path));
        folder[slash - path] = '\0';
    }
    struct sim *s = text ? sim_parse(path, text, n, folder[0] ? folder : "/", err) : NULL;
    free(text);
    return s;
}

void sim_free(struct sim *s)
{
    if (!s)
        return;
    fleet_free(s->fleet);
    free(s->nodes), free(s->experts);
    policy_free(s->policy);
    free(s->script.events);
    for (int i = 0; i < s->n_scripts; i++)
        free(s->scripts[i].events);
    free(s->scripts);
    free(s->records);
    free(s->questions);
    free(s);
}

bool sim_add_scripts(struct sim *s, const char *path, struct err *err)
{
    static const char *const keys[] = { "scripts", NULL };
    struct yaml *y = yaml_read(path, err);
    const struct yaml_node *map = NULL;
    const struct sim_reader r = { s, y, err };
    const bool ok = y && yaml_check_keys(y, yaml_root(y), keys, NULL, err) && yaml_map(y, yaml_root(y), "scripts", &map, err) && (!map || sim_read_scripts(&r, map));
    yaml_free(y);
    return ok;
}

bool sim_set_questions(struct sim *s, const char *path, const char *model, struct err *err)
{
    struct train_set set = { 0 };
    struct intent_model *own = model ? intent_model_open(model, err) : NULL;
    bool ok = (!model || own) && train_set_add(&set, path, err);
    struct sim_record *all = ok && set.n ? calloc(set.n, sizeof(*all)) : NULL;
    size_t n = 0;
    if (ok && !all)
        ok = err_set(err, ERR_INPUT, "%s: no lines, or out of memory", path);
    for (size_t i = 0; ok && i < set.n; i++) {
        const struct train_line *l = &set.line[i];
        if (l->weak < 0 || l->strong < 0)
            continue;
        struct sim_record *q = &all[n++];
        q->weak = l->weak, q->strong = l->strong, q->has_intent = true;
        features_read(&(struct features_in){ .text = l->text, .n_bytes = l->n_bytes }, &q->features);
        intent_decide(own ? own : intent_model_shipped(), &q->features, l->text, l->n_bytes, &q->intent);
    }
    if (ok && !n)
        ok = err_set(err, ERR_INPUT, "%s: no line has \"weak\" and \"strong\"", path);
    if (ok) {
        free(s->questions);
        s->questions = all, s->n_questions = n;
        all = NULL;
    }
    free(all);
    train_set_fini(&set);
    intent_model_free(own);
    return ok;
}

bool sim_set_policy(struct sim *s, const char *path, struct err *err)
{
    struct policy *p = policy_read(path, err);
    if (!p)
        return false;
    policy_free(s->policy);
    s->policy = p;
    return true;
}
struct policy *sim_policy(struct sim *s) { return s->policy; }

const struct candidates *sim_world(const struct sim *s) { return &s->world; }
int sim_n_classes(const struct sim *s) { return s->n_classes; }
const char *sim_class_name(const struct sim *s, int i) { return s->classes[i].name; }
int sim_n_scripts(const struct sim *s) { return s->n_scripts; }
const char *sim_script_name(const struct sim *s, int i) { return s->scripts[i].name; }
