/* route/policy_yaml.c - see policy_yaml.h; start at policy_take_yaml(). */
#include "route/policy_yaml.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const goal_keys[] = {
#define X(id, word, help) word,
    ROUTE_GOALS(X)
#undef X
        NULL
};
static const char *const class_keys[] = {
#define X(id, word, tasks) word,
    ROUTE_CLASSES(X)
#undef X
        NULL
};
static const char *const quiet_keys[] = { "from", "to", "max_busy_w", "max_step", "node", NULL };
static const char *const map_keys[] = { "goals", "quiet", NULL };

/* The keys of a table as a NULL-terminated list. */
static void list_keys(const struct policy_key *table, int n, const char **out)
{
    for (int i = 0; i < n; i++)
        out[i] = table[i].key;
    out[n] = NULL;
}

static bool read_number(const struct yaml *y, const struct yaml_node *map, const struct policy_key *k, float *out, struct err *err)
{
    double v = (double)*out;
    if (!yaml_number(y, map, k->key, (double)k->min, (double)k->max, &v, err))
        return false;
    *out = fminf(k->max, fmaxf(k->min, (float)v));
    return true;
}

/* ---- goals ---- */

static bool read_goals(struct policy *p, const struct yaml *y, const struct yaml_node *goals, struct err *err)
{
    const char *keys[POLICY_WEIGHT_COUNT + 1];
    list_keys(policy_weight_keys, POLICY_WEIGHT_COUNT, keys);
    if (!yaml_check_keys(y, goals, goal_keys, NULL, err))
        return false;
    for (int g = 0; g < ROUTE_GOAL_COUNT; g++) {
        const struct yaml_node *map = NULL;
        if (!yaml_map(y, goals, goal_keys[g], &map, err) || !yaml_check_keys(y, map, keys, NULL, err))
            return false;
        for (int w = 0; w < POLICY_WEIGHT_COUNT; w++)
            if (!read_number(y, map, &policy_weight_keys[w], &p->weight[g][w], err))
                return false;
    }
    return true;
}

/* ---- quiet hours ---- */

static bool read_minute(const struct yaml *y, const struct yaml_node *map, const char *key, int *out, struct err *err)
{
    const char *text = NULL;
    if (!yaml_text(y, map, key, &text, err))
        return false;
    const size_t n = text ? strlen(text) : 0;
    int v[4], k = 0;
    for (size_t i = 0; i < n && k < 4; i++)
        if (text[i] >= '0' && text[i] <= '9')
            v[k++] = text[i] - '0';
    if (n != 5 || text[2] != ':' || k != 4 || v[0] * 10 + v[1] > 24 || v[2] > 5 || (v[0] * 10 + v[1] == 24 && v[2] + v[3] > 0))
        return yaml_fail(y, yaml_get(map, key) ? yaml_get(map, key) : map, err, "%s: a time of day is wanted (22:30)", key);
    *out = (v[0] * 10 + v[1]) * 60 + v[2] * 10 + v[3];
    return true;
}

static bool read_quiet(struct policy *p, const struct yaml *y, const struct yaml_node *map, struct err *err)
{
    const struct yaml_node *steps = NULL;
    const char *node = NULL;
    double max_busy_w = INFINITY;
    if (map->kind != YAML_MAP)
        return yaml_fail(y, map, err, "quiet: a map for each is wanted: from, to, max_busy_w or max_step");
    if (p->n_quiet == POLICY_QUIET_MAX)
        return yaml_fail(y, map, err, "quiet: at most %d are possible", POLICY_QUIET_MAX);
    struct policy_quiet *q = &p->quiet[p->n_quiet];
    memset(q, 0, sizeof(*q));
    if (!yaml_check_keys(y, map, quiet_keys, NULL, err) || !read_minute(y, map, "from", &q->from_minute, err) || !read_minute(y, map, "to", &q->to_minute, err) ||
        !yaml_number(y, map, "max_busy_w", 0, 1e5, &max_busy_w, err) || !yaml_map(y, map, "max_step", &steps, err) || !yaml_text(y, map, "node", &node, err) ||
        !yaml_check_keys(y, steps, class_keys, NULL, err))
        return false;
    if (isinf(max_busy_w) && !steps)
        return yaml_fail(y, map, err, "quiet: what is allowed is wanted: max_busy_w, or max_step");
    q->max_busy_w = (float)max_busy_w;
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++) {
        int64_t step = 0;
        if (!yaml_int(y, steps, class_keys[c], 0, 255, &step, err))
            return false;
        q->min_step[c] = (uint8_t)step;
    }
    if (node && strlen(node) >= sizeof(q->node))
        return yaml_fail(y, yaml_get(map, "node"), err, "node: a name of at most %zu bytes is wanted", sizeof(q->node) - 1);
    snprintf(q->node, sizeof(q->node), "%s", node ? node : "");
    p->n_quiet++;
    return true;
}

/* ---- the map ---- */

bool policy_take_yaml(struct policy *p, const struct yaml *y, const struct yaml_node *map, struct err *err)
{
    const char *keys[POLICY_SETTING_COUNT + 1];
    const struct yaml_node *goals = NULL, *quiet = NULL;
    list_keys(policy_setting_keys, POLICY_SETTING_COUNT, keys);
    if (map->kind == YAML_TEXT && map->n_text == 0)
        return true; /* "route:" with nothing below */
    if (map->kind != YAML_MAP)
        return yaml_fail(y, map, err, "a policy is a map: goals, quiet, difficult_share, ...");
    if (!yaml_check_keys(y, map, keys, map_keys, err) || !yaml_map(y, map, "goals", &goals, err) || !yaml_list(y, map, "quiet", &quiet, err))
        return false;
    for (int i = 0; i < POLICY_SETTING_COUNT; i++)
        if (!read_number(y, map, &policy_setting_keys[i], &p->setting[i], err))
            return false;
    if (goals && !read_goals(p, y, goals, err))
        return false;
    if (quiet)
        p->n_quiet = 0;
    for (int i = 0; quiet && i < quiet->n_items; i++)
        if (!read_quiet(p, y, &quiet->items[i], err))
            return false;
    if (yaml_get(map, "difficult_share") && p->setting[POLICY_QUALITY_TARGET] > 0 && yaml_get(map, "quality_target"))
        return yaml_fail(y, yaml_get(map, "difficult_share"), err, "difficult_share: either this or quality_target can be said");
    if (yaml_get(map, "difficult_share"))
        p->setting[POLICY_QUALITY_TARGET] = 0;
    policy_settle(p);
    return true;
}

static struct policy *make(struct yaml *y, struct err *err)
{
    struct policy *p = y ? policy_new(err) : NULL;
    const struct yaml_node *root = y ? yaml_root(y) : NULL, *route = yaml_get(root, "route");
    if (p && !policy_take_yaml(p, y, route ? route : root, err)) {
        policy_free(p);
        p = NULL;
    }
    yaml_free(y);
    return p;
}
struct policy *policy_read(const char *path, struct err *err) { return make(yaml_read(path, err), err); }
struct policy *policy_parse(const char *name, const char *text, size_t n, struct err *err) { return make(yaml_parse(name, text, n, err), err); }

/* ---- writing ---- */

static void put_goals(const struct policy *p, const struct policy *preset, struct buf *out)
{
    bool some = false;
    for (int g = 0; g < ROUTE_GOAL_COUNT; g++) {
        int n = 0;
        for (int w = 0; w < POLICY_WEIGHT_COUNT; w++) {
            if (preset && preset->weight[g][w] == p->weight[g][w])
                continue;
            if (!n++)
                buf_printf(out, "%s  %s: {", some ? "" : "goals:\n", goal_keys[g]);
            buf_printf(out, "%s%s: %.9g", n > 1 ? ", " : "", policy_weight_keys[w].key, (double)p->weight[g][w]);
            some = true;
        }
        buf_puts(out, n ? "}\n" : "");
    }
}

static void put_quiet(const struct policy *p, struct buf *out)
{
    buf_puts(out, p->n_quiet ? "quiet:\n" : "");
    for (int i = 0; i < p->n_quiet; i++) {
        const struct policy_quiet *q = &p->quiet[i];
        int n = 0;
        buf_printf(out, "  - {from: \"%02d:%02d\", to: \"%02d:%02d\"", q->from_minute / 60, q->from_minute % 60, q->to_minute / 60, q->to_minute % 60);
        if (isfinite(q->max_busy_w))
            buf_printf(out, ", max_busy_w: %.9g", (double)q->max_busy_w);
        for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
            if (q->min_step[c] || (isinf(q->max_busy_w) && c == ROUTE_CLASS_COUNT - 1 && !n))
                buf_printf(out, "%s%s: %d", n++ ? ", " : ", max_step: {", class_keys[c], q->min_step[c]);
        buf_puts(out, n ? "}" : "");
        if (q->node[0]) {
            buf_puts(out, ", node: ");
            buf_put_json_text(out, q->node);
        }
        buf_puts(out, "}\n");
    }
}

void policy_put_yaml(const struct policy *p, bool is_all, struct buf *out)
{
    struct err ignored = { 0 };
    struct policy *preset = is_all ? NULL : policy_new(&ignored);
    for (int i = 0; i < POLICY_SETTING_COUNT; i++)
        if (preset ? p->setting[i] != preset->setting[i] : !(i == POLICY_DIFFICULT_SHARE && p->setting[POLICY_QUALITY_TARGET] > 0) && !(i == POLICY_QUALITY_TARGET && !(p->setting[i] > 0)))
            buf_printf(out, "%s: %.9g\n", policy_setting_keys[i].key, (double)p->setting[i]);
    put_goals(p, preset, out);
    put_quiet(p, out);
    policy_free(preset);
}
