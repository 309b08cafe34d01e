/* cmd/route.c - `tutti route "text"`: what the router would do and why, without doing it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "cmd/catalog_open.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/route_show.h"
#include "cmd/route_world.h"
#include "expert/job.h"
#include "route/policy_yaml.h"
#include "route/predict.h"

enum { FILES_MAX = 16, TEXT_MAX_BYTES = 16 << 20, FILE_MAX_BYTES = 512 << 20 };
static const float MP3_BYTES_S = 16000; /* 128 kbit/s: what a recording is taken to be that does not say how long it is */

struct question {
    char *text, *files[FILES_MAX]; /* owned */
    size_t n_text, n_context;      /* n_context: of text files, which stand in front of the question */
    struct features_media media[FILES_MAX];
    int n_files, n_media;
    float sound_s;
    uint64_t n_bytes;
};

/* ---- reading ---- */

static uint32_t le32(const unsigned char *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

/* Seconds: of a WAV by its header, of others by their size. */
static float sound_of(const unsigned char *b, size_t n)
{
    if (n >= 44 && memcmp(b, "RIFF", 4) == 0 && memcmp(b + 8, "WAVE", 4) == 0 && le32(b + 28) > 0)
        return (float)(n - 44) / (float)le32(b + 28);
    return (float)n / MP3_BYTES_S;
}

static bool is_text(const char *b, size_t n)
{
    for (size_t i = 0; i < n && i < 4096; i++)
        if ((unsigned char)b[i] < 0x20 && !strchr("\t\n\r\f\033", b[i]))
            return false;
    return true;
}

static bool append_text(struct question *q, const char *s, size_t n, struct err *err)
{
    char *more = n <= TEXT_MAX_BYTES - q->n_text ? realloc(q->text, q->n_text + n + 1) : NULL;
    if (!more)
        return err_set(err, ERR_LIMIT, "the text: more than %d MiB", TEXT_MAX_BYTES >> 20);
    memcpy(more + q->n_text, s, n);
    q->text = more;
    q->text[q->n_text += n] = '\0';
    return true;
}

static bool add_file(struct question *q, const char *path, struct err *err)
{
    size_t n = 0;
    char *bytes = file_read(path, FILE_MAX_BYTES, &n, err);
    if (!bytes)
        return false;
    q->files[q->n_files++] = bytes;
    const enum feature_medium medium = features_sniff(bytes, n);
    if (medium == MEDIUM_UNKNOWN && is_text(bytes, n)) { /* a text file: context, its words are not the question */
        q->n_context += n;
        q->n_bytes += n;
        return true;
    }
    if (medium == MEDIUM_SOUND || medium == MEDIUM_VIDEO)
        q->sound_s += sound_of((const unsigned char *)bytes, n);
    q->media[q->n_media++] = (struct features_media){ bytes, n };
    q->n_bytes += n;
    return true;
}

static bool read_stdin(struct question *q, struct err *err)
{
    char part[65536];
    for (size_t n; (n = fread(part, 1, sizeof(part), stdin)) > 0;)
        if (!append_text(q, part, n, err))
            return false;
    return !ferror(stdin) || err_set(err, ERR_IO, "standard input: cannot be read");
}

static bool read_question(struct question *q, int argc, char **argv, struct cmd_opt *opts, struct err *err)
{
    const struct cmd_opt *files = cmd_opt_find(opts, "file");
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "-") == 0 ? !read_stdin(q, err) : !append_text(q, argv[i], strlen(argv[i]), err))
            return false;
    for (int i = 0; i < files->n; i++)
        if (!add_file(q, files->list[i], err))
            return false;
    if (!q->n_text && !q->n_files)
        return err_set(err, ERR_INPUT, "route: a text or --file FILE is wanted");
    q->n_bytes += q->n_text;
    return true;
}

static void question_fini(struct question *q)
{
    free(q->text);
    for (int i = 0; i < q->n_files; i++)
        free(q->files[i]);
}

/* ---- asking ---- */

static bool is_done_by_some(const struct candidates *world, enum expert_task t)
{
    for (int i = 0; i < world->n; i++)
        if (world->list[i].tasks & (unsigned)t)
            return true;
    return false;
}

/* As the endpoints would have it: words are a chat; sound alone is transcribed, a picture alone described, else searched for objects. */
static enum expert_task task_of(const struct question *q, uint32_t media, const struct candidates *world)
{
    if (!q->n_text && (media & MEDIUM_SOUND))
        return EXPERT_TRANSCRIBE;
    if (!q->n_text && (media & (MEDIUM_PICTURE | MEDIUM_VIDEO)))
        return is_done_by_some(world, EXPERT_DESCRIBE) ? EXPERT_DESCRIBE : EXPERT_DETECT;
    return EXPERT_CHAT;
}

static int minute_of_day(void)
{
    const time_t now = time(NULL);
    struct tm tm;
    return localtime_r(&now, &tm) ? tm.tm_hour * 60 + tm.tm_min : 0;
}

struct answer {
    struct features features;
    struct intent_answer intent;
    struct route_request rq;
    struct route_decision decision;
};

static void decide(const struct question *q, enum expert_task task, enum route_goal goal, const struct expert_wish *wish, uint64_t max_tok, int minute,
                   const struct policy *p, const struct predictor *predictor, const struct candidates *world, struct answer *a)
{
    const struct features_in in = { .text = q->text, .n_bytes = q->n_text, .n_context_bytes = q->n_context, .media = q->media, .n_media = q->n_media };
    features_read(&in, &a->features);
    intent_decide(intent_model_shipped(), &a->features, q->text, q->n_text, &a->intent);
    route_request_of(&a->rq, task, goal, wish, &a->features, q->n_text ? &a->intent : NULL, max_tok);
    a->rq.n_items = (a->features.media & (MEDIUM_PICTURE | MEDIUM_VIDEO)) ? q->n_media : 0;
    a->rq.sound_s = task == EXPERT_SPEAK ? (float)q->n_text / 15 : q->sound_s; /* some 15 letters a second are spoken */
    a->rq.n_bytes = q->n_bytes;
    a->rq.minute_of_day = minute;
    policy_decide(p, predictor, NULL, &a->rq, world, NULL, &a->decision);
}

static bool parse_minute(const char *text, int *out, struct err *err)
{
    int h = 0, m = 0, n = 0;
    if (!text) {
        *out = minute_of_day();
        return true;
    }
    if (sscanf(text, "%2d:%2d%n", &h, &m, &n) != 2 || text[n] || h < 0 || h > 23 || m < 0 || m > 59)
        return err_set(err, ERR_INPUT, "--at %.20s: a time of day is wanted (22:30)", text);
    *out = h * 60 + m;
    return true;
}

/* Several experts as one: one more candidate for questions about pictures and sounds, and what it would do.  list has room for it. */
static bool add_fanout(const struct question *q, struct candidates *world, struct candidate list[ROUTE_CANDIDATES_MAX], struct fanout_plan *plan)
{
    enum fanout_medium media[FANOUT_MEDIA_MAX];
    struct candidate fanout;
    unsigned tasks = 0;
    int n = 0;
    for (int i = 0; i < q->n_media && n < FANOUT_MEDIA_MAX; i++) {
        const enum feature_medium m = features_sniff(q->media[i].bytes, q->media[i].n_bytes);
        if (m == MEDIUM_PICTURE || m == MEDIUM_SOUND)
            media[n++] = m == MEDIUM_PICTURE ? FANOUT_PICTURE : FANOUT_SOUND;
    }
    if (n == 0 || world->n >= ROUTE_CANDIDATES_MAX || !fanout_candidate(world, &fanout))
        return false;
    for (int i = 0; i < world->n; i++)
        tasks |= world->list[i].is_up ? world->list[i].tasks : 0;
    fanout_plan(media, n, q->text ? q->text : "", q->n_text, tasks, plan);
    memcpy(list, world->list, (size_t)world->n * sizeof(*list));
    list[world->n] = fanout;
    list[world->n].slot = world->n;
    world->list = list;
    world->n++;
    return plan->n_steps > 0;
}

static bool show(struct answer *a, const struct candidates *world, const struct fanout_plan *fanout, double decide_us, struct cmd_opt *opts, struct err *err)
{
    const struct route_shown s = { &a->rq, world, &a->decision, decide_us, fanout };
    if (!cmd_opt_find(opts, "json")->given)
        return route_show_text(&s, cmd_opt_find(opts, "explain")->given, err);
    struct buf b;
    buf_init(&b, 4 << 20);
    route_show_json(&s, &b);
    const bool ok = buf_ok(&b, "route", err);
    if (ok)
        fwrite(b.data, 1, b.len, stdout);
    buf_fini(&b);
    return ok;
}

static bool is_good_use(int argc, struct cmd_opt *opts, enum route_goal *goal, enum expert_task *task, int *minute, struct err *err)
{
    const char *goal_word = cmd_opt_find(opts, "goal")->s, *task_word = cmd_opt_find(opts, "task")->s;
    if (argc == 0 && cmd_opt_find(opts, "file")->n == 0)
        return err_set(err, ERR_INPUT, "route: a text or --file FILE is wanted");
    if (goal_word && !route_goal_by_name(goal_word, goal))
        return err_set(err, ERR_INPUT, "--goal %.40s: balanced, fast, best, cheap or private is wanted", goal_word);
    if (task_word && !expert_task_find(task_word, task))
        return err_set(err, ERR_INPUT, "--task %.40s: chat, detect, ocr, transcribe, speak, embed, ... is wanted", task_word);
    return parse_minute(cmd_opt_find(opts, "at")->s, minute, err);
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    static struct answer a;
    struct question q = { 0 };
    struct err err = { 0 };
    struct expert_wish wish = { 0 };
    enum route_goal goal = ROUTE_BALANCED;
    enum expert_task task = EXPERT_CHAT;
    struct policy *own = NULL;
    int minute = 0;
    const char *policy_path = cmd_opt_find(opts, "policy")->s;
    if (!is_good_use(argc, opts, &goal, &task, &minute, &err)) {
        cmd_fail(&err);
        return 2;
    }
    bool ok = read_question(&q, argc, argv, opts, &err);
    wish.security = cmd_opt_find(opts, "private")->given ? WISH_LOCAL : WISH_SECURITY_NONE;
    wish.deadline_s = (float)cmd_opt_find(opts, "deadline")->f;
    wish.ttft_s = (float)cmd_opt_find(opts, "first")->f;
    wish.budget_usd = (float)cmd_opt_find(opts, "budget")->f;
    wish.quality = (float)cmd_opt_find(opts, "quality")->f;
    struct route_world *world = ok ? route_world_open(opts, &err) : NULL;
    ok = world != NULL && (!policy_path || (own = policy_read(policy_path, &err)) != NULL);
    struct policy *preset = ok && !own && !route_world_policy(world) ? policy_new(&err) : NULL;
    const struct policy *p = own ? own : preset ? preset : world ? route_world_policy(world) : NULL;
    ok = ok && p != NULL;
    if (ok) {
        static struct candidate list[ROUTE_CANDIDATES_MAX];
        static struct fanout_plan plan;
        struct candidates all = route_world_of(world);
        uint32_t media = 0;
        double best_us = INFINITY;
        const uint64_t max_tok = (uint64_t)cmd_opt_find(opts, "max-tokens")->i;
        for (int i = 0; i < q.n_media; i++)
            media |= features_sniff(q.media[i].bytes, q.media[i].n_bytes);
        if (!cmd_opt_find(opts, "task")->s)
            task = task_of(&q, media, &all);
        const bool has_fanout = task == EXPERT_CHAT && add_fanout(&q, &all, list, &plan);
        for (int i = 0; i < 3; i++) { /* the first time pages are read in */
            const uint64_t begin_ns = clock_ns();
            decide(&q, task, goal, &wish, max_tok, minute, p, route_world_predictor(world), &all, &a);
            best_us = fmin(best_us, (double)(clock_ns() - begin_ns) / 1e3);
        }
        ok = show(&a, &all, has_fanout ? &plan : NULL, best_us, opts, &err);
    }
    const int rc = !ok ? cmd_fail(&err) : a.decision.n_able ? 0 : 1;
    policy_free(own);
    policy_free(preset);
    route_world_free(world);
    question_fini(&q);
    return rc;
}

static struct cmd_opt opts[] = {
    { .name = "file", .kind = OPT_LIST, .value = "FILE", .help = "attach it: picture, sound, text; told by its content; may be given again" },
    { .name = "fleet", .kind = OPT_TEXT, .value = "FILE", .help = "choose among the experts of a described fleet; \"fifty\" is the shipped one" },
    { .name = "config", .kind = OPT_TEXT, .value = "FILE", .help = "else: among those of this tutti.yaml (~/.config/tutti/tutti.yaml, else the bundled models), as if loaded" },
    { .name = "goal", .kind = OPT_TEXT, .value = "GOAL", .help = "balanced, fast, best, cheap, private" },
    { .name = "policy", .kind = OPT_TEXT, .value = "FILE", .help = "weights, thresholds, quiet hours: docs/routing.md" },
    { .name = "private", .kind = OPT_FLAG, .help = "it must not leave this machine" },
    { .name = "deadline", .kind = OPT_FLOAT, .value = "S", .min = 0, .max = 1e6, .help = "the whole answer within so many seconds" },
    { .name = "first", .kind = OPT_FLOAT, .value = "S", .min = 0, .max = 1e6, .help = "the first word within so many seconds, if possible" },
    { .name = "budget", .kind = OPT_FLOAT, .value = "USD", .min = 0, .max = 1e6, .help = "it may cost so much" },
    { .name = "quality", .kind = OPT_FLOAT, .value = "TIER", .min = 0, .max = 10, .help = "at least this tier answers, 0..10" },
    { .name = "max-tokens", .kind = OPT_INT, .value = "N", .min = 0, .max = 1e9, .help = "the answer's length at most" },
    { .name = "task", .kind = OPT_TEXT, .value = "TASK", .help = "chat, detect, transcribe, ...; by what is given" },
    { .name = "at", .kind = OPT_TEXT, .value = "HH:MM", .help = "as if it were so late: quiet hours; now" },
    { .name = "explain", .kind = OPT_FLAG, .help = "every candidate, the terms of its score, what ruled it out" },
    { .name = "json", .kind = OPT_FLAG, .help = "one JSON object" },
    CMD_OPT_CATALOG,
    { 0 },
};
const struct cmd cmd_route = {
    .name = "route",
    .args = "[TEXT]",
    .min_args = 0,
    .max_args = 1,
    .help = "who would answer, when, at what cost, and why",
    .more = "\nA dry run: the three stages decide, no model runs. TEXT - reads standard input.\n"
            "Exit status 1 when nobody can do it. docs/routing.md explains terms and rules.\n",
    .opts = opts,
    .run = run,
};
