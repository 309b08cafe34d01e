/* pipeline/cascade_cards.c - see cascade_cards.h. */
#include "pipeline/cascade_cards.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { CARDS_MAX = CASCADE_STAGES_MAX * CASCADE_EXPERTS_MAX, PATH_BYTES = 1024 };

struct cascade_cards {
    const struct expert_env *env;
    const struct cascade_ids *ids;
    struct { /* opened, by what named them */
        char path[PATH_BYTES];
        const struct yaml_node *card;
        struct expert *e;
    } open[CARDS_MAX];
    int n;
};

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n > m && strcmp(s + n - m, end) == 0;
}

static bool is_file(const char *text) { return strchr(text, '/') || ends_with(text, ".yaml") || ends_with(text, ".yml") || ends_with(text, ".gguf"); }

static bool path_of(const struct cascade *c, const char *text, char path[PATH_BYTES], struct err *err)
{
    const char *home = strncmp(text, "~/", 2) == 0 ? getenv("HOME") : NULL;
    const int n = home ? snprintf(path, PATH_BYTES, "%s%s", home, text + 1) : text[0] == '/' ? snprintf(path, PATH_BYTES, "%s", text) : snprintf(path, PATH_BYTES, "%s/%s", c->dir, text);
    return n < PATH_BYTES || err_set(err, ERR_INPUT, "%.40s...: a path that is too long", text);
}

/* The card that a reference means, when it is no GGUF file and no id; NULL with err. */
static struct card *card_of(struct cascade_cards *k, const struct cascade *c, const struct cascade_ref *ref, struct err *err)
{
    static const char motion[] = "task: motion\nkind: motion\n";
    char path[PATH_BYTES];
    if (ref->card)
        return card_from_node(c->yaml, ref->card, c->dir, k->env->models_dir, err);
    if (strcmp(ref->text, "motion") == 0)
        return card_parse("motion", motion, sizeof(motion) - 1, c->dir, NULL, err);
    return path_of(c, ref->text, path, err) ? card_read(path, k->env->models_dir, err) : NULL;
}

static bool is_id(const struct cascade_ref *ref) { return ref->text && strcmp(ref->text, "motion") != 0 && !is_file(ref->text); }

static bool look(void *ctx, const struct cascade *c, const struct cascade_ref *ref, unsigned *tasks, char *id, size_t max, struct err *err)
{
    struct cascade_cards *k = ctx;
    if (is_id(ref)) {
        const char *near;
        snprintf(id, max, "%s", ref->text);
        if (k->ids && k->ids->look && k->ids->look(k->ids->ctx, ref->text, ref->sees, tasks))
            return true;
        near = k->ids && k->ids->near ? k->ids->near(k->ids->ctx, ref->text) : NULL;
        return err_set(err, ERR_NOT_FOUND, "'%s' is no expert of tutti.yaml%s%s%s; a card is a file (%s.yaml)", ref->text, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", ref->text);
    }
    if (ref->text && ends_with(ref->text, ".gguf")) {
        const char *slash = strrchr(ref->text, '/');
        snprintf(id, max, "%s", slash ? slash + 1 : ref->text);
        *tasks = EXPERT_CHAT;
        return true;
    }
    struct card *card = card_of(k, c, ref, err);
    if (!card)
        return false;
    snprintf(id, max, "%s", card->id);
    *tasks = card->task;
    card_free(card);
    return true;
}

bool cascade_cards_have(struct cascade_cards *cards, const struct cascade *c, int k, int i, struct err *err)
{
    const struct cascade_ref *ref = &c->stages[k].experts[i];
    char path[PATH_BYTES];
    if (is_id(ref))
        return true;
    if (ref->text && ends_with(ref->text, ".gguf"))
        return path_of(c, ref->text, path, err) && (access(path, R_OK) == 0 || err_set(err, ERR_NOT_FOUND, "%s: %s", path, strerror(errno)));
    struct card *card = card_of(cards, c, ref, err);
    if (!card)
        return false;
    const struct yaml_node *model = yaml_get(card->node, "model"), *kind = yaml_get(card->node, "kind");
    const bool is_file_here = model && model->text && !(kind && kind->text && strcmp(kind->text, "remote") == 0) && is_file(model->text);
    const bool good = !is_file_here || card_resolve(card, model, path, sizeof(path), err);
    card_free(card);
    return good;
}

static struct expert *open_one(struct cascade_cards *k, const struct cascade *c, const struct cascade_ref *ref, const char *path, struct err *err)
{
    if (ref->text && ends_with(ref->text, ".gguf"))
        return expert_open(path, k->env, err);
    struct card *card = card_of(k, c, ref, err);
    return card ? expert_open_card(card, k->env, err) : NULL;
}

static struct expert *open_ref(void *ctx, const struct cascade *c, const struct cascade_ref *ref, struct err *err)
{
    struct cascade_cards *k = ctx;
    char path[PATH_BYTES] = "";
    if (is_id(ref))
        return k->ids && k->ids->get ? k->ids->get(k->ids->ctx, ref->text, err) : err_null(err, ERR_NOT_FOUND, "'%s' is not known", ref->text);
    if (ref->text && !path_of(c, ref->text, path, err))
        return NULL;
    for (int i = 0; i < k->n; i++)
        if (ref->card ? k->open[i].card == ref->card : !k->open[i].card && strcmp(k->open[i].path, path) == 0)
            return k->open[i].e;
    if (k->n == CARDS_MAX)
        return err_null(err, ERR_LIMIT, "more than %d experts", CARDS_MAX);
    struct expert *e = open_one(k, c, ref, path, err);
    if (!e)
        return NULL;
    snprintf(k->open[k->n].path, PATH_BYTES, "%s", path);
    k->open[k->n].card = ref->card;
    k->open[k->n++].e = e;
    return e;
}

/* As the router assumes (route/live.c) of what works on this machine; servers elsewhere are not known. */
static double watts(void *ctx, const struct cascade_ref *ref)
{
    static const double CPU_BUSY_W = 20;
    const struct yaml_node *kind = yaml_get(ref->card, "kind");
    (void)ctx;
    if (is_id(ref) || (kind && kind->text && strcmp(kind->text, "remote") == 0))
        return NAN;
    return CPU_BUSY_W;
}

static void close_ref(void *ctx, struct expert *e)
{
    (void)ctx, (void)e; /* others may use it still: cascade_cards_free() ends them */
}

struct cascade_cards *cascade_cards_new(const struct expert_env *env, const struct cascade_ids *ids, struct err *err)
{
    struct cascade_cards *k = calloc(1, sizeof(*k));
    if (!k)
        return err_null(err, ERR_NOMEM, "no memory");
    k->env = env, k->ids = ids;
    return k;
}

void cascade_cards_free(struct cascade_cards *k)
{
    for (int i = 0; k && i < k->n; i++)
        expert_free(k->open[i].e);
    free(k);
}

struct cascade_world cascade_cards_world(struct cascade_cards *k)
{
    return (struct cascade_world){ .ctx = k, .look = look, .open = open_ref, .close = close_ref, .watts = watts };
}
