/* route/ladder.c - see ladder.h; start at ladders_new(). */
#include "route/ladder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *route_knob_name(enum route_knob k)
{
    static const char *const names[] = {
#define X(id, word, what) word,
        ROUTE_KNOBS(X)
#undef X
    };
    return k < ROUTE_KNOB_COUNT ? names[k] : "";
}

static const char *const causes[] = {
#define X(id, word, what, unit) word,
    GOVERNOR_CAUSES(X)
#undef X
};
const char *governor_cause_name(enum governor_cause c) { return c < GOVERNOR_CAUSE_COUNT ? causes[c] : ""; }

/* ---- reading ---- */

static bool fail(const struct catalog_row *r, struct err *err, const char *what)
{
    return err_set(err, ERR_INPUT, "%s.csv: row '%s': %s", catalog_name_of(catalog_table_of(r)), catalog_name(r), what);
}

/* The next word of a list with spaces; false: no more. */
static bool next_word(const char **at, char *word, size_t max)
{
    const char *s = *at + strspn(*at, " ");
    const size_t n = strcspn(s, " ");
    *at = s + n;
    snprintf(word, max, "%.*s", (int)n, s);
    return n > 0;
}

static bool read_rung(const struct catalog_row *row, struct ladder_rung *r, struct err *err)
{
    const char *cls = catalog_text(row, "class"), *where = catalog_text(row, "where");
    int c = 0;
    while (c < ROUTE_CLASS_COUNT && strcmp(route_class_name((enum route_class)c), cls) != 0)
        c++;
    const double step = catalog_number(row, "n_step");
    if (c == ROUTE_CLASS_COUNT)
        return fail(row, err, "no such class (llm, vision, stt, tts, embed)");
    if (!(step >= 0 && step < LADDER_STEPS_MAX) || step != floor(step))
        return fail(row, err, "n_step is a whole number from 0 to 7");
    if (strcmp(where, "local") != 0 && strcmp(where, "cpu") != 0 && strcmp(where, "elsewhere") != 0)
        return fail(row, err, "where is local, cpu or elsewhere");
    r->cls = (enum route_class)c;
    r->step = (int)step;
    r->is_elsewhere = where[0] == 'e';
    r->is_on_cpu = where[0] == 'c';
    r->params_min = (float)(catalog_number(row, "min_params_b") * 1e9);
    r->params_max = (float)(catalog_number(row, "max_params_b") * 1e9);
    r->bits_min = (float)catalog_number(row, "min_bpw");
    r->bits_max = (float)catalog_number(row, "max_bpw");
    r->input_min_px = (float)catalog_number(row, "min_input_px");
    r->input_max_px = (float)catalog_number(row, "max_input_px");
    if (snprintf(r->what, sizeof(r->what), "%s", catalog_text(row, "what")) >= (int)sizeof(r->what) ||
        snprintf(r->kinds, sizeof(r->kinds), "%s", catalog_text(row, "kinds")) >= (int)sizeof(r->kinds))
        return fail(row, err, "a text is too long");
    return true;
}

static int by_class_and_step(const void *a, const void *b)
{
    const struct ladder_rung *x = a, *y = b;
    return x->cls != y->cls ? (int)x->cls - (int)y->cls : x->step - y->step;
}

static bool read_rungs(struct ladders *l, const struct catalog_table *t, struct err *err)
{
    l->n_rungs = catalog_n_rows(t);
    l->rungs = calloc((size_t)l->n_rungs + 1, sizeof(*l->rungs));
    if (!l->rungs)
        return err_set(err, ERR_NOMEM, "ladders: out of memory");
    for (int i = 0; i < l->n_rungs; i++)
        if (!read_rung(catalog_row(t, i), &l->rungs[i], err))
            return false;
    qsort(l->rungs, (size_t)l->n_rungs, sizeof(*l->rungs), by_class_and_step);
    for (int i = 0; i < l->n_rungs; i++) {
        const struct ladder_rung *r = &l->rungs[i];
        if (r->step > l->n_steps[r->cls])
            return err_set(err, ERR_INPUT, "ladder.csv: class %s has no step %d", route_class_name(r->cls), l->n_steps[r->cls]);
        l->n_steps[r->cls] = r->step + 1;
    }
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
        if (l->n_steps[c] == 0)
            return err_set(err, ERR_INPUT, "ladder.csv: class %s has no steps", route_class_name((enum route_class)c));
    return true;
}

static bool read_knob(struct ladders *l, const struct catalog_row *row, int knob, struct err *err)
{
    const char *at = catalog_text(row, "path");
    char word[32];
    l->n_depths[knob] = 0;
    while (next_word(&at, word, sizeof(word))) {
        char *end;
        const float v = strtof(word, &end);
        const int n = l->n_depths[knob];
        if (*end || !(v > 0 && v <= 1) || n == KNOB_DEPTHS_MAX || (n == 0 ? v != 1 : v >= l->share[knob][n - 1]))
            return fail(row, err, "path is shares that fall from 1, six at most");
        l->share[knob][l->n_depths[knob]++] = v;
    }
    return l->n_depths[knob] > 0 || fail(row, err, "path is empty");
}

static bool read_rule(struct governor_rule *r, const struct catalog_row *row, struct err *err)
{
    const char *at = catalog_text(row, "path");
    char word[32];
    r->is_there = true;
    r->down = (float)catalog_number(row, "down");
    r->up = (float)catalog_number(row, "up");
    r->urgent = (float)catalog_number_or(row, "urgent", -INFINITY);
    r->calm = (float)catalog_number_or(row, "calm", INFINITY);
    r->more = (float)catalog_number_or(row, "more", 0);
    r->ahead_s = (float)catalog_number_or(row, "ahead_s", 0);
    r->hold_s = (float)catalog_number_or(row, "hold_s", 0);
    r->n_path = 0;
    if (!(r->up >= r->down) || !(r->urgent <= r->down) || !(r->calm >= r->up))
        return fail(row, err, "urgent <= down <= up <= calm is needed");
    if (!(r->more >= 0) || !(r->ahead_s >= 0 && r->ahead_s <= 300) || !(r->hold_s >= 0 && r->hold_s <= 3600))
        return fail(row, err, "more, ahead_s (at most 300) and hold_s (at most 3600) are not below 0");
    while (next_word(&at, word, sizeof(word))) {
        int k = 0;
        while (k < ROUTE_KNOB_COUNT && strcmp(route_knob_name((enum route_knob)k), word) != 0)
            k++;
        if (k == ROUTE_KNOB_COUNT || r->n_path == LADDER_PATH_MAX)
            return fail(row, err, "path is words of threads, batch, context, resolution, tier; 24 at most");
        r->path[r->n_path++] = (uint8_t)k;
    }
    return r->n_path > 0 || fail(row, err, "path is empty");
}

static bool read_rules(struct ladders *l, const struct catalog_table *t, struct err *err)
{
    for (int i = 0; i < catalog_n_rows(t); i++) {
        const struct catalog_row *row = catalog_row(t, i);
        const char *name = catalog_name(row);
        const bool is_cause = strcmp(catalog_text(row, "what"), "cause") == 0;
        int k = 0;
        if (is_cause) {
            while (k < GOVERNOR_CAUSE_COUNT && strcmp(causes[k], name) != 0)
                k++;
            if (k == GOVERNOR_CAUSE_COUNT)
                return fail(row, err, "no such cause");
            if (!read_rule(&l->rules[k], row, err))
                return false;
        } else {
            while (k < ROUTE_KNOB_TIER && strcmp(route_knob_name((enum route_knob)k), name) != 0)
                k++;
            if (k == ROUTE_KNOB_TIER || strcmp(catalog_text(row, "what"), "knob") != 0)
                return fail(row, err, "neither a cause nor a knob (threads, batch, context, resolution)");
            if (!read_knob(l, row, k, err))
                return false;
        }
    }
    l->n_depths[ROUTE_KNOB_TIER] = LADDER_STEPS_MAX;
    for (int c = 0; c < GOVERNOR_CAUSE_COUNT; c++)
        for (int k = 0, n; k < ROUTE_KNOB_COUNT; k++) {
            n = 0;
            for (int i = 0; i < l->rules[c].n_path; i++)
                n += l->rules[c].path[i] == k;
            if (n > 0 && n >= l->n_depths[k])
                return err_set(err, ERR_INPUT, "governor.csv: row '%s' turns %s %d times: there is no such depth", causes[c],
                               route_knob_name((enum route_knob)k), n);
        }
    return true;
}

struct ladders *ladders_new(struct catalog *c, struct err *err)
{
    const struct catalog_table *rungs = catalog_table(c, "ladder", err);
    const struct catalog_table *rules = rungs ? catalog_table(c, "governor", err) : NULL;
    struct ladders *l = rules ? calloc(1, sizeof(*l)) : NULL;
    if (rules && !l)
        return err_null(err, ERR_NOMEM, "ladders: out of memory");
    if (l && read_rungs(l, rungs, err) && read_rules(l, rules, err))
        return l;
    ladders_free(l);
    return NULL;
}

void ladders_free(struct ladders *l)
{
    if (l)
        free(l->rungs);
    free(l);
}

/* ---- placing ---- */

static float bits_of(const char *precision)
{
    static const struct {
        const char *word;
        float bits;
    } words[] = { { "fp32", 32 }, { "f32", 32 }, { "float32", 32 }, { "fp16", 16 }, { "f16", 16 }, { "bf16", 16 }, { "float16", 16 }, { "mixed", 12 },
                  { "int8", 8 },  { "uint8", 8 }, { "int4", 4 } };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, precision) == 0)
            return words[i].bits;
    return 0;
}

/* The longer side of what looks like a picture: [n, channels, h, w] or [n, h, w, channels]. */
static int input_px_of(const struct task_info *info)
{
    const struct tensor *t = info->n_inputs > 0 ? &info->inputs[0].shape : NULL;
    if (!t || t->n_dims != 4)
        return 0;
    const int64_t *at = t->dims[1] == 1 || t->dims[1] == 3 ? &t->dims[2] : &t->dims[1];
    const int64_t px = at[0] > at[1] ? at[0] : at[1];
    return px > 0 && px < 65536 ? (int)px : 0;
}

void ladder_facts(const struct expert_card *card, const struct task_info *info, struct candidate *c)
{
    snprintf(c->kind, sizeof(c->kind), "%s", card->kind);
    const float bits = bits_of(card->quantization);
    if (card->n_params > 0)
        c->params = (double)card->n_params;
    if (card->n_params > 0 && card->weight_bytes > 0)
        c->bits = (float)((double)card->weight_bytes * 8 / (double)card->n_params);
    else if (bits > 0)
        c->bits = bits;
    if (card->n_params == 0 && bits > 0 && card->file_bytes > 0) /* a network's file is its weights */
        c->params = (double)card->file_bytes * 8 / (double)bits;
    const char *runs_on = card->runs_on[0] ? card->runs_on : info ? info->runs_on : "";
    c->is_accelerated = strcmp(card->kind, "edgetpu") == 0 || strstr(runs_on, "CUDA") || strstr(runs_on, "TensorRT") || strstr(runs_on, "GPU") || strstr(runs_on, "NPU") ||
                        strstr(runs_on, "edgetpu");
    const int px = info ? input_px_of(info) : 0;
    if (px > 0 && c->cls == ROUTE_CLASS_VISION)
        c->input_px = px;
}

static bool is_within(double v, float min, float max)
{
    if (isnan(min) && isnan(max))
        return true;
    return v > 0 && !(v < (double)min) && !(v > (double)max); /* what is not known fits no bound */
}

static bool has_word(const char *list, const char *word)
{
    char w[32];
    while (next_word(&list, w, sizeof(w)))
        if (strcmp(w, word) == 0)
            return true;
    return false;
}

static bool fits(const struct ladder_rung *r, const struct candidate *c, bool is_elsewhere)
{
    return r->cls == c->cls && r->is_elsewhere == is_elsewhere && !(r->is_on_cpu && c->is_accelerated) && is_within(c->params, r->params_min, r->params_max) &&
           is_within(c->bits, r->bits_min, r->bits_max) && is_within(c->input_px, r->input_min_px, r->input_max_px) &&
           (!r->kinds[0] || has_word(r->kinds, c->kind));
}

void ladder_place(const struct ladders *l, const struct route_node *node, struct candidate *c)
{
    const bool is_elsewhere = c->privacy > node->distance; /* a server that the node hands it on to */
    c->step = 0;
    for (int i = 0; i < l->n_rungs; i++)
        if (fits(&l->rungs[i], c, is_elsewhere))
            c->step = (uint8_t)l->rungs[i].step;
}

const char *ladder_step_what(const struct ladders *l, enum route_class cls, int step)
{
    for (int i = 0; i < l->n_rungs; i++)
        if (l->rungs[i].cls == cls && l->rungs[i].step == step)
            return l->rungs[i].what;
    return "";
}
