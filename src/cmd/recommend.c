/* cmd/recommend.c - `tutti recommend`: what to buy for a model, a place and a budget; asks when called bare. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/advice.h"
#include "cmd/commands.h"
#include "cmd/recommend_out.h"

static int index_of(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static const char *const places[REC_PLACE_COUNT] = {
#define X(id, name, what) name,
    REC_PLACES(X)
#undef X
};
static const char *const priorities[REC_PRIORITY_COUNT] = {
#define X(id, name, what) name,
    REC_PRIORITIES(X)
#undef X
};
static const char *const noises[REC_NOISE_COUNT] = { "any", "silent", "quiet", "moderate", "loud" };
static const char *const uses[] = { "inference", "training", "both" };

/* One of a list by name; false with err set: names the option and the list. */
static bool choose(const char *option, const char *const *names, int n, const char *name, int *out, struct err *err)
{
    *out = index_of(names, n, name);
    if (*out >= 0)
        return true;
    char all[128] = "";
    size_t len = 0;
    for (int i = 0; i < n && len < sizeof(all); i++)
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "", names[i]);
    return err_set(err, ERR_INPUT, "--%s %.40s: one of %s is wanted", option, name, all);
}

/* The seeds' five questions (001, section 18), and the one that they forgot. */
struct answers {
    char budget[32], use[16], place[16], size[16], priority[16], dock[64];
};
static const struct question {
    const char *text, *help, *preset;
    size_t at, size;
} questions[] = {
    { "Budget in USD (or 'none')", "everything that must be bought", "1500", offsetof(struct answers, budget), sizeof(((struct answers *)0)->budget) },
    { "Use", "inference, training, both", "inference", offsetof(struct answers, use), sizeof(((struct answers *)0)->use) },
    { "Place", "home, office, edge, mobile, datacentre", "home", offsetof(struct answers, place), sizeof(((struct answers *)0)->place) },
    { "Largest model, billions of weights", "3, 8, 14, 32, 70 ...", "8", offsetof(struct answers, size), sizeof(((struct answers *)0)->size) },
    { "Priority", "balanced, speed, cost, efficiency, quiet", "balanced", offsetof(struct answers, priority), sizeof(((struct answers *)0)->priority) },
    { "An eGPU dock that is there already", "a name as in `tutti catalog dock`, or 'none'", "none", offsetof(struct answers, dock), sizeof(((struct answers *)0)->dock) },
};

/* Asks on stderr, reads lines of stdin; an empty line or the end of input takes the preset. */
static void ask_questions(struct answers *a)
{
    bool is_over = false;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        const struct question *q = &questions[i];
        char line[256], *to = (char *)a + q->at;
        fprintf(stderr, "%s\n  (%s) [%s]: ", q->text, q->help, q->preset);
        is_over = is_over || !fgets(line, sizeof(line), stdin);
        char *s = is_over ? line + strlen(strcpy(line, "")) : line;
        while (*s == ' ' || *s == '\t')
            s++;
        s[strcspn(s, "\r\n")] = '\0';
        for (size_t n = strlen(s); n && s[n - 1] == ' '; n--)
            s[n - 1] = '\0';
        snprintf(to, q->size, "%s", *s ? s : q->preset);
        if (is_over)
            fputc('\n', stderr);
    }
    fputc('\n', stderr);
}

static bool read_number(const char *what, const char *text, double *out, struct err *err)
{
    char *end;
    *out = strtod(text[0] == '$' ? text + 1 : text, &end);
    if (*end == 'B' || *end == 'b')
        end++;
    return (*end == '\0' && end != text && isfinite(*out) && *out > 0) || err_set(err, ERR_INPUT, "%s: '%.30s' is no number above zero", what, text);
}

static bool set_uses(struct recommend_ask *ask, const char *use, const char *train, struct err *err)
{
    int u;
    if (!choose("use", uses, 3, use, &u, err))
        return false;
    ask->limits.wants_inference = u != 1;
    ask->limits.wants_training = u != 0;
    return plan_train_parse(train, &ask->train) || err_set(err, ERR_INPUT, "--train %.20s: one of full, lora, qlora is wanted", train);
}

static bool set_from_questions(struct recommend_ask *ask, const struct answers *a, struct err *err)
{
    int place, priority;
    if (!choose("place", places, REC_PLACE_COUNT, a->place, &place, err) || !choose("priority", priorities, REC_PRIORITY_COUNT, a->priority, &priority, err) ||
        !set_uses(ask, a->use, "qlora", err) || !read_number("model size", a->size, &ask->size_b, err) ||
        (strcmp(a->budget, "none") != 0 && !read_number("budget", a->budget, &ask->limits.budget_usd, err)))
        return false;
    ask->limits.place = (enum rec_place)place;
    ask->limits.priority = (enum rec_priority)priority;
    ask->dock = strcmp(a->dock, "none") == 0 ? NULL : a->dock;
    return true;
}

static double or_else(double x, double otherwise) { return isnan(x) ? otherwise : x; }
static const char *or_text(const char *s, const char *otherwise) { return s ? s : otherwise; }

static bool set_from_options(struct recommend_ask *ask, struct cmd_opt *opts, struct err *err)
{
    int place, priority, noise;
    struct rec_request *l = &ask->limits;
    if (!choose("place", places, REC_PLACE_COUNT, or_text(advice_text(opts, "place"), "home"), &place, err) ||
        !choose("priority", priorities, REC_PRIORITY_COUNT, or_text(advice_text(opts, "priority"), "balanced"), &priority, err) ||
        !choose("noise", noises, REC_NOISE_COUNT, or_text(advice_text(opts, "noise"), "any"), &noise, err) ||
        !set_uses(ask, or_text(advice_text(opts, "use"), "inference"), or_text(advice_text(opts, "train"), "qlora"), err))
        return false;
    l->place = (enum rec_place)place, l->priority = (enum rec_priority)priority, l->max_noise = (enum rec_noise)noise;
    l->budget_usd = or_else(advice_number(opts, "budget"), INFINITY);
    l->min_tg_tps = or_else(advice_number(opts, "min-tps"), 0);
    l->max_power_w = or_else(advice_number(opts, "max-watts"), INFINITY);
    l->connector_w = or_else(advice_number(opts, "connector-watts"), INFINITY);
    l->supply_w = or_else(advice_number(opts, "own-supply"), INFINITY);
    l->max_slots = or_else(advice_number(opts, "slots"), 0);
    l->max_length_mm = or_else(advice_number(opts, "length"), 0);
    l->needs_ecc = cmd_opt_find(opts, "ecc")->given;
    l->needs_duty = cmd_opt_find(opts, "duty")->given;
    l->allows_used = !cmd_opt_find(opts, "new")->given;
    l->max_effort = (int)or_else(advice_number(opts, "effort"), 0);
    const struct cmd_opt *vendors = cmd_opt_find(opts, "class");
    for (int i = 0; i < vendors->n; i++) {
        enum plan_class cls;
        if (!plan_class_parse(vendors->list[i], &cls))
            return err_set(err, ERR_INPUT, "--class %.20s: one of nvidia, amd, intel-gpu, apple, jetson, soc is wanted", vendors->list[i]);
        l->cls_mask |= 1 << cls;
    }
    ask->model = advice_text(opts, "model");
    ask->size_b = advice_number(opts, "size");
    ask->use_case = advice_text(opts, "use-case");
    ask->quant = or_text(advice_text(opts, "quant"), "Q4_K_M");
    ask->ctx_tok = (int)or_else(advice_number(opts, "ctx"), 0);
    ask->os = or_text(advice_text(opts, "os"), "Linux");
    ask->dock = advice_text(opts, "dock");
    ask->owns_pc = cmd_opt_find(opts, "own-pc")->given;
    ask->owned_mem_gb = or_else(advice_number(opts, "own-memory"), 0);
    const struct cmd_opt *owned = cmd_opt_find(opts, "own"), *consider = cmd_opt_find(opts, "consider");
    for (int i = 0; i < owned->n; i++)
        ask->owned[ask->n_owned++] = owned->list[i];
    for (int i = 0; i < consider->n; i++)
        ask->consider[ask->n_consider++] = consider->list[i];
    return true;
}

static bool set_use(struct recommend_ask *ask, struct catalog *c, struct cmd_opt *opts, struct err *err)
{
    struct price kwh;
    const char *name;
    const double given = advice_number(opts, "kwh"), hours = or_else(advice_number(opts, "hours"), ask->limits.needs_duty || ask->limits.place == REC_DATACENTRE ? 24 : 4);
    if (isnan(given) && !price_kwh(c, NULL, "residential", &kwh, &name, err))
        return false;
    ask->limits.terms = (struct money_terms){ isnan(given) ? kwh.low_usd : given, or_else(advice_number(opts, "pue"), 1), or_else(advice_number(opts, "upkeep"), 0), 3 };
    ask->limits.use = (struct money_use){ hours * MONEY_DAYS_YEAR, hours * MONEY_DAYS_YEAR };
    return true;
}

static bool is_bare(const struct cmd_opt *opts)
{
    for (; opts->name; opts++)
        if (opts->given && strcmp(opts->name, "json") != 0 && strcmp(opts->name, "html") != 0 && strcmp(opts->name, "checklist") != 0 && strcmp(opts->name, "top") != 0 &&
            strcmp(opts->name, "catalog") != 0)
            return false;
    return true;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    (void)argc, (void)argv;
    struct err err = { 0 };
    struct advice v;
    struct answers answers;
    struct recommend_ask ask = { 0 };
    const char *html = advice_text(opts, "html");
    const struct recommend_asked asked = { &ask, (int)or_else(advice_number(opts, "top"), 8) };
    if (!set_from_options(&ask, opts, &err)) {
        cmd_fail(&err);
        return 2;
    }
    if (is_bare(opts)) {
        ask_questions(&answers);
        if (!set_from_questions(&ask, &answers, &err))
            return cmd_fail(&err);
    }
    if (!advice_open(&v, opts, &err))
        return cmd_fail(&err);
    int rc = 1;
    struct recommend *r = set_use(&ask, v.catalog, opts, &err) ? recommend_new(v.catalog, v.book, &ask, &err) : NULL;
    if (r && (!html || recommend_write_page(r, &asked, html, &err))) {
        const bool is_text = !html || strcmp(html, "-") != 0;
        bool ok = true;
        if (cmd_opt_find(opts, "json")->given)
            ok = recommend_print_json(r, &asked) == 0;
        else if (is_text && cmd_opt_find(opts, "checklist")->given)
            recommend_print_checklist(r, &ask);
        else if (is_text)
            ok = recommend_print(r, &asked, &err);
        rc = !ok || !r->n_ok; /* nothing within the limits: the answer is no */
    }
    if (err.code)
        cmd_fail(&err);
    recommend_free(r);
    advice_close(&v);
    return rc;
}

static struct cmd_opt opts[] = {
    { .name = "budget", .kind = OPT_FLOAT, .value = "USD", .min = 1, .max = 1e9, .help = "for all that must be bought" },
    { .name = "use", .kind = OPT_TEXT, .value = "U", .help = "inference (default), training, both" },
    { .name = "train", .kind = OPT_TEXT, .value = "T", .help = "full, lora, qlora (default)" },
    { .name = "place", .kind = OPT_TEXT, .value = "P", .help = "home (default), office, edge, mobile, datacentre" },
    { .name = "model", .kind = OPT_TEXT, .value = "NAME", .help = "'llama 3.1 8b', or a GGUF file" },
    { .name = "size", .kind = OPT_FLOAT, .value = "B", .min = 0.01, .max = 5000, .help = "or its size, in billions of weights" },
    { .name = "use-case", .kind = OPT_TEXT, .value = "C", .help = "classify, chat, rag, code, reason, agents" },
    { .name = "quant", .kind = OPT_TEXT, .value = "Q", .help = "quantization (default Q4_K_M)" },
    { .name = "ctx", .kind = OPT_INT, .value = "N", .min = 1, .max = 1 << 24, .help = "tokens of context (default: of the use case)" },
    { .name = "priority", .kind = OPT_TEXT, .value = "P", .help = "balanced (default), speed, cost, efficiency, quiet" },
    { .name = "min-tps", .kind = OPT_FLOAT, .value = "N", .min = 0, .max = 1e6, .help = "at least so many tokens per second" },
    { .name = "hours", .kind = OPT_FLOAT, .value = "H", .min = 0, .max = 24, .help = "work a day (default 4; 24 with --duty)" },
    { .name = "kwh", .kind = OPT_FLOAT, .value = "USD", .min = 0, .max = 10, .help = "electricity, USD per kWh (default: catalog)" },
    { .name = "pue", .kind = OPT_FLOAT, .value = "X", .min = 1, .max = 5, .help = "power with cooling / power (default 1)" },
    { .name = "upkeep", .kind = OPT_FLOAT, .value = "USD", .min = 0, .max = 1e9, .help = "maintenance a year (default 0)" },
    { .name = "max-watts", .kind = OPT_FLOAT, .value = "W", .min = 1, .max = 1e6, .help = "of the machine at work" },
    { .name = "noise", .kind = OPT_TEXT, .value = "N", .help = "at most: silent, quiet, moderate, loud" },
    { .name = "dock", .kind = OPT_TEXT, .value = "NAME", .help = "eGPU dock that is there, with its computer" },
    { .name = "connector-watts", .kind = OPT_FLOAT, .value = "W", .min = 1, .max = 1e5, .help = "what its connector carries for long" },
    { .name = "slots", .kind = OPT_FLOAT, .value = "N", .min = 1, .max = 16, .help = "slots that a card may take" },
    { .name = "length", .kind = OPT_FLOAT, .value = "MM", .min = 1, .max = 1000, .help = "longest card" },
    { .name = "ecc", .kind = OPT_FLAG, .help = "ECC memory is a must" },
    { .name = "duty", .kind = OPT_FLAG, .help = "made for 24 hours a day" },
    { .name = "effort", .kind = OPT_INT, .value = "N", .min = 1, .max = 5, .help = "most work to set up: 1 none .. 5" },
    { .name = "os", .kind = OPT_TEXT, .value = "OS", .help = "Linux (default), Windows, macOS" },
    { .name = "class", .kind = OPT_LIST, .value = "C", .help = "only nvidia, amd, intel-gpu, apple, jetson, soc" },
    { .name = "new", .kind = OPT_FLAG, .help = "nothing used" },
    { .name = "own", .kind = OPT_LIST, .value = "NAME", .help = "hardware that is there already" },
    { .name = "own-pc", .kind = OPT_FLAG, .help = "board, CPU, case and disk are there" },
    { .name = "own-supply", .kind = OPT_FLOAT, .value = "W", .min = 1, .max = 1e5, .help = "its power supply" },
    { .name = "own-memory", .kind = OPT_FLOAT, .value = "GB", .min = 0, .max = 1e5, .help = "its main memory" },
    { .name = "consider", .kind = OPT_LIST, .value = "NAME", .help = "also judge this one" },
    { .name = "top", .kind = OPT_INT, .value = "N", .min = 1, .max = 100, .help = "choices that are shown (default 8)" },
    { .name = "checklist", .kind = OPT_FLAG, .help = "the validation checklist instead" },
    { .name = "catalog", .kind = OPT_TEXT, .value = "DIR", .help = "your own rows: DIR/gpu.csv, ... (see catalog)" },
    { .name = "json", .kind = OPT_FLAG, .help = "print JSON" },
    { .name = "html", .kind = OPT_TEXT, .value = "FILE", .help = "also write a page with pictures; - is stdout" },
    { 0 },
};
const struct cmd cmd_recommend = {
    .name = "recommend",
    .args = "",
    .help = "what to buy for a model, a place and a budget",
    .more = "\nWithout options it asks.  It ranks the catalog: never above the budget, never\n"
            "what does not hold the model; with a whole system, warnings, what would change\n"
            "the answer, the way up, and two offers of the cloud.  Works offline.\n"
            "  tutti recommend --budget 1500 --size 14 --place home\n"
            "  tutti recommend --dock 'beelink ex dock' --slots 1 --ecc --duty --size 14 --budget 1200\n"
            "The JSON is described in docs/json.md, the method in docs/recommend.md.\n"
            "Exit status 1: nothing within the limits.\n",
    .opts = opts,
    .run = run,
};
