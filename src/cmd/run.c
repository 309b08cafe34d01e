/* cmd/run.c - `tutti run`: one answer, or a chat at the terminal; start reading at run().  Experts that are no language
 * models go to run_task.c.
 *
 * Threads: the answer is written by the expert's thread as it comes (on_event); this one waits at a pipe into which
 * on_event puts a byte at the end, and the signal handler one for ctrl-c.
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/utf8.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/expert_env.h"
#include "cmd/lineedit.h"
#include "cmd/run_task.h"
#include "expert/speculate.h"
#include "hw/cpu.h"

enum { PROMPT_MAX_BYTES = 64 << 20, ANSWER_MAX_BYTES = 64 << 20 };

/* A signal handler can reach nothing else. */
static int signal_fd = -1;

static void on_sigint(int sig)
{
    const int saved = errno;
    (void)sig;
    if (write(signal_fd, "c", 1) < 0) { /* full: somebody pressed it thousands of times */
    }
    errno = saved;
}

struct chat {
    struct expert *expert;
    bool raw, stats;
    int max_tokens;
    struct sampler_params sampling;
    const char *system;
    json_t *messages; /* what was said so far */
    int pipe[2];
    /* the answer at hand; written by the expert's thread, read after its end */
    struct buf answer;
    bool ended_with_line, write_failed, is_done;
    struct err err;
    struct expert_usage usage;
};

static void on_event(void *ctx, const struct expert_event *ev)
{
    struct chat *c = ctx;
    if (ev->kind == EXPERT_DELTA && ev->n_text > 0) {
        if (fwrite(ev->text, 1, ev->n_text, stdout) != ev->n_text || fflush(stdout) != 0)
            c->write_failed = true;
        c->ended_with_line = ev->text[ev->n_text - 1] == '\n';
        buf_append(&c->answer, ev->text, ev->n_text);
    }
    if (ev->kind != EXPERT_DONE && ev->kind != EXPERT_ERROR)
        return;
    c->is_done = ev->kind == EXPERT_DONE;
    c->usage = *ev->usage;
    if (ev->err)
        c->err = *ev->err;
    while (write(c->pipe[1], "e", 1) < 0 && errno == EINTR) {
    }
}

/* Ctrl-C cancels. */
static void wait_for_end(struct chat *c, struct job *j)
{
    for (char what = 0; what != 'e';)
        if (read(c->pipe[0], &what, 1) == 1 && what == 'c')
            job_cancel(j);
}

static void print_stats(const struct chat *c)
{
    const struct expert_usage *u = &c->usage;
    const double ttft = (double)(u->queue_ns + u->prefill_ns) / 1e9, decode = (double)u->decode_ns / 1e9;
    const bool colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
    fprintf(stderr, "%s[%d prompt tokens, %d of them cached; first token after %.3f s; %d tokens", colour ? "\x1b[2m" : "",
            u->n_prompt_tok, u->n_cached_tok, ttft, u->n_gen_tok);
    if (u->n_gen_tok > 1 && decode > 0)
        fprintf(stderr, ", %.1f tokens/s", (double)(u->n_gen_tok - 1) / decode);
    if (u->n_guessed_tok > 0)
        fprintf(stderr, "; %d guessed ahead, %d of them right", u->n_guessed_tok, u->n_guessed_right_tok);
    fprintf(stderr, "]%s\n", colour ? "\x1b[0m" : "");
}

/* ---- one answer ---- */

static struct job *make_job(struct chat *c, const char *prompt, size_t n, struct err *err)
{
    struct job *j = job_new(PROMPT_MAX_BYTES + 4096, err);
    if (!j)
        return NULL;
    j->on_event = on_event;
    j->ctx = c;
    j->max_tokens = c->max_tokens;
    j->sampling = c->sampling;
    if (!c->raw) {
        j->task = EXPERT_CHAT;
        j->vars = json_pack("{s:O}", "messages", c->messages);
        if (j->vars)
            return j;
        err_set(err, ERR_NOMEM, "no memory for the conversation");
    } else {
        struct job_input *in = arena_alloc(j->arena, 1, sizeof(*in), err);
        j->task = EXPERT_COMPLETE;
        j->inputs = in;
        j->n_inputs = 1;
        if (in && (in->text = arena_strndup(j->arena, prompt, n, err))) {
            in->n_text = n;
            in->special = true;
            return j;
        }
    }
    job_unref(j);
    return NULL;
}

/* A ctrl-c that came when nothing was running. */
static void forget_signals(struct chat *c)
{
    struct pollfd p = { .fd = c->pipe[0], .events = POLLIN };
    char bytes[64];
    while (poll(&p, 1, 0) == 1 && read(c->pipe[0], bytes, sizeof(bytes)) > 0) {
    }
}

/* Prints the answer; false with err when there was none or only a part (cancelled: ERR_CANCELLED). */
static bool answer(struct chat *c, const char *prompt, size_t n, struct err *err)
{
    buf_clear(&c->answer);
    c->ended_with_line = false;
    err_clear(&c->err);
    forget_signals(c);
    struct job *j = make_job(c, prompt, n, err);
    if (!j)
        return false;
    if (!expert_submit(c->expert, j, err)) {
        job_unref(j);
        return false;
    }
    wait_for_end(c, j);
    job_unref(j);
    if (c->answer.len > 0 && !c->ended_with_line)
        putchar('\n');
    if (fflush(stdout) != 0 || c->write_failed)
        return err_set(err, ERR_IO, "standard output: %s", strerror(errno));
    if (c->stats && c->usage.n_gen_tok > 0)
        print_stats(c);
    if (!c->is_done)
        *err = c->err;
    return c->is_done;
}

static bool say(struct chat *c, const char *role, const char *text, size_t n, struct err *err)
{
    json_t *content = json_stringn(text, n);
    if (!content)
        return err_set(err, ERR_INPUT, "the prompt is not UTF-8 text");
    if (json_array_append_new(c->messages, json_pack("{s:s,s:o}", "role", role, "content", content)) != 0)
        return err_set(err, ERR_NOMEM, "no memory for the conversation");
    return true;
}

static bool begin(struct chat *c, struct err *err)
{
    json_array_clear(c->messages);
    return !c->system || say(c, "system", c->system, strlen(c->system), err);
}

static bool answer_once(struct chat *c, const char *prompt, size_t n, struct err *err)
{
    if (!c->raw && !(begin(c, err) && say(c, "user", prompt, n, err)))
        return false;
    return answer(c, prompt, n, err);
}

/* ---- chat at the terminal ---- */

static const char chat_help[] = "  /help    this\n"
                                "  /clear   forget what was said\n"
                                "  /exit    leave (or ctrl-d)\n"
                                "  ctrl-c   stop the answer; up and down find earlier lines\n";

enum turn { TURN_ON, TURN_END };

static enum turn take_turn(struct chat *c, struct lineedit *l, const char *line)
{
    struct err err = { 0 };
    const size_t n_before = json_array_size(c->messages);
    if (strspn(line, " \t\n") == strlen(line))
        return TURN_ON;
    lineedit_remember(l, line);
    if (strcmp(line, "/exit") == 0 || strcmp(line, "/quit") == 0 || strcmp(line, "/bye") == 0)
        return TURN_END;
    if (strcmp(line, "/help") == 0 || strcmp(line, "/?") == 0) {
        fputs(chat_help, stderr);
        return TURN_ON;
    }
    if (strcmp(line, "/clear") == 0) {
        if (!begin(c, &err))
            cmd_fail(&err);
        else
            fputs("forgotten\n", stderr);
        return TURN_ON;
    }
    if (line[0] == '/' && !c->raw && !strpbrk(line, " \n")) {
        fprintf(stderr, "%s is no command; /help lists them\n", line);
        return TURN_ON;
    }
    if (!c->raw && !say(c, "user", line, strlen(line), &err)) {
        cmd_fail(&err);
        return TURN_ON;
    }
    const bool ok = answer(c, line, strlen(line), &err);
    if (!ok && err.code != ERR_CANCELLED) {
        cmd_fail(&err);
        if (strstr(err.text, "context_length_exceeded"))
            fputs("/clear begins anew\n", stderr);
        if (err.code == ERR_IO)
            return TURN_END;
    }
    if (c->answer.len > 0 && !c->raw) /* what was said stays said, also when it was stopped */
        say(c, "assistant", c->answer.data, c->answer.len, &err);
    while (c->answer.len == 0 && json_array_size(c->messages) > n_before)
        json_array_remove(c->messages, json_array_size(c->messages) - 1);
    return TURN_ON;
}

static int chat(struct chat *c)
{
    struct err err = { 0 };
    struct expert_card card;
    const char *line;
    const int fd_out = isatty(STDERR_FILENO) ? STDERR_FILENO : STDIN_FILENO; /* a terminal is open both ways */
    struct lineedit *l = lineedit_new(&err);
    if (!l || !begin(c, &err)) {
        lineedit_free(l);
        return cmd_fail(&err);
    }
    expert_get_card(c->expert, &card);
    fprintf(stderr, "%s (%s, %s, context %d); /help lists the commands\n", card.name[0] ? card.name : card.id,
            card.architecture, card.quantization, card.n_ctx);
    for (bool was_interrupt = false;;) {
        const enum lineedit_result r = lineedit_read(l, STDIN_FILENO, fd_out, ">>> ", &line);
        if (r == LINEEDIT_EOF)
            break;
        if (r == LINEEDIT_INTERRUPT && line[0] == '\0' && !was_interrupt)
            fputs("ctrl-d or /exit leaves\n", stderr);
        was_interrupt = r == LINEEDIT_INTERRUPT;
        if (r == LINEEDIT_LINE && take_turn(c, l, line) == TURN_END)
            break;
    }
    lineedit_free(l);
    return 0;
}

/* ---- the command ---- */

static bool start_signals(struct chat *c, struct err *err)
{
    if (pipe(c->pipe) != 0)
        return err_set(err, ERR_IO, "pipe: %s", strerror(errno));
    fcntl(c->pipe[1], F_SETFL, O_NONBLOCK); /* a handler must not wait */
    signal_fd = c->pipe[1];
    const struct sigaction act = { .sa_handler = on_sigint };
    sigaction(SIGINT, &act, NULL);
    return true;
}

static bool open_expert(struct chat *c, const char *path, struct cmd_opt *opts, uint32_t cpu, struct cmd_expert_env *env, struct err *err)
{
    const struct cmd_opt *threads = cmd_opt_find(opts, "threads"), *ctx = cmd_opt_find(opts, "ctx");
    cmd_expert_env(env, cmd_opt_find(opts, "models")->s);
    env->env.n_threads = threads->given ? (int)threads->i : 0;
    env->env.is_quiet = true;
    const struct cmd_opt *speculate = cmd_opt_find(opts, "speculate");
    int n_guess = 0;
    if (speculate->given && !speculate_parse("--speculate", speculate->s, &n_guess, err))
        return false;
    env->env.llm = (struct expert_llm_options){ .speculate = n_guess, .draft = cmd_opt_find(opts, "draft")->s, .n_ctx = ctx->given ? (int)ctx->i : 0, .n_seq_max = 1, .cpu = cpu,
                                                .n_threads = env->env.n_threads, .is_quiet = true };
    const size_t n = strlen(path);
    if (n > 5 && strcmp(path + n - 5, ".yaml") == 0 && !cmd_expert_env_machine(env, cmd_opt_find(opts, "preset")->s, 0, err))
        return false;
    c->expert = expert_open(path, &env->env, err);
    return c->expert && expert_wait_ready(c->expert, err);
}

/* A card that is no language model: false when it is one. */
static bool is_task(const struct chat *c, enum expert_task *task)
{
    struct expert_card card;
    expert_get_card(c->expert, &card);
    if (strcmp(card.kind, "llm") == 0 || card.tasks & (EXPERT_CHAT | EXPERT_COMPLETE))
        return false;
    const unsigned tasks = card.tasks & ~(unsigned)EXPERT_INFER; /* beside another task: the raw door to the same model */
    *task = (enum expert_task)(tasks ? tasks & -tasks : card.tasks);
    return true;
}

static int run_expert_task(struct chat *c, const struct cmd_expert_env *env, enum expert_task task, int n_args, char **args, struct cmd_opt *opts)
{
    struct run_task r = {
        .expert = c->expert,
        .task = task,
        .options = {
            .threshold = (float)cmd_opt_find(opts, "threshold")->f,
            .n_top = (int)cmd_opt_find(opts, "top")->i,
            .language = cmd_opt_find(opts, "language")->s,
            .voice = cmd_opt_find(opts, "voice")->s,
            .speed = (float)cmd_opt_find(opts, "speed")->f,
            .temperature = cmd_opt_find(opts, "temp")->given ? (float)cmd_opt_find(opts, "temp")->f : 0,
            .wants_words = cmd_opt_find(opts, "json")->given || cmd_opt_find(opts, "words")->given,
            .wants_scores = cmd_opt_find(opts, "scores")->given,
            .wants_mask = cmd_opt_find(opts, "out")->s != NULL,
        },
        .is_json = cmd_opt_find(opts, "json")->given,
        .with_stats = c->stats,
        .fps = cmd_opt_find(opts, "fps")->f,
        .out = cmd_opt_find(opts, "out")->s,
        .signal_fd = c->pipe[0],
        .end_fd = c->pipe[1],
    };
    expert_get_card(c->expert, &r.card);
    if (c->stats)
        cmd_expert_env_put_preset(env, task, stderr);
    return run_task(&r, n_args, args);
}

static void warn_without_template(const struct chat *c, const char *path)
{
    struct expert_card card;
    expert_get_card(c->expert, &card);
    if (!c->raw && (card.tasks & EXPERT_CHAT) && !card.has_chat_template)
        fprintf(stderr, "tutti: %s: no chat template, or none that works; a plain one is used (--raw continues the text as it is)\n", path);
}

static int run_all(struct chat *c, const char *prompt, struct err *err)
{
    size_t n = prompt ? strlen(prompt) : 0;
    char *from_stdin = NULL;
    if (!prompt && isatty(STDIN_FILENO))
        return chat(c);
    if (!prompt) {
        from_stdin = file_read("-", PROMPT_MAX_BYTES, &n, err);
        if (!from_stdin)
            return cmd_fail(err);
        while (!c->raw && n > 0 && (from_stdin[n - 1] == '\n' || from_stdin[n - 1] == '\r'))
            n--; /* what echo put behind it */
    }
    const bool ok = answer_once(c, from_stdin ? from_stdin : prompt, n, err);
    free(from_stdin);
    return ok ? 0 : cmd_fail(err);
}

/* What only experts of other tasks read. */
static bool check_chat_options(struct cmd_opt *opts, struct err *err)
{
    static const char *const names[] = { "json", "out", "threshold", "top", "language", "voice", "speed", "words", "scores", "fps" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (cmd_opt_find(opts, names[i])->given)
            return err_set(err, ERR_INPUT, "--%s says nothing to a language model", names[i]);
    return true;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct chat c = { .pipe = { -1, -1 } };
    struct err err = { 0 };
    struct cmd_expert_env env = { .machine = NULL };
    enum expert_task task;
    uint32_t cpu;
    const struct cpu_level *level;
    const struct cmd_opt *temp = cmd_opt_find(opts, "temp"), *seed = cmd_opt_find(opts, "seed"),
                         *max = cmd_opt_find(opts, "max-tokens");
    const char *prompt = argc > 1 ? argv[1] : NULL;
    int rc = 1;
    if (!cmd_cpu(&cpu, &level))
        return 1;
    c.raw = cmd_opt_find(opts, "raw")->given;
    c.stats = cmd_opt_find(opts, "stats")->given || (!prompt && isatty(STDIN_FILENO));
    c.system = cmd_opt_find(opts, "system")->s;
    c.max_tokens = max->given ? (int)max->i : 0;
    c.sampling = sampler_defaults();
    if (temp->given)
        c.sampling.temperature = (float)temp->f;
    c.sampling.seed = seed->given ? (uint64_t)seed->i : (uint64_t)time(NULL) * 1000003u ^ clock_ns();
    buf_init(&c.answer, ANSWER_MAX_BYTES);
    c.messages = json_array();
    if (!c.messages)
        err_set(&err, ERR_NOMEM, "no memory");
    else if (open_expert(&c, argv[0], opts, cpu, &env, &err) && start_signals(&c, &err)) { /* until here ctrl-c ends the program */
        if (is_task(&c, &task)) {
            c.stats = cmd_opt_find(opts, "stats")->given;
            rc = run_expert_task(&c, &env, task, argc - 1, argv + 1, opts);
            goto out;
        }
        if (argc > 2)
            err_set(&err, ERR_INPUT, "one prompt is wanted: put it in quotes");
        else if (check_chat_options(opts, &err)) {
            warn_without_template(&c, argv[0]);
            rc = run_all(&c, prompt, &err);
            goto out;
        }
    }
    cmd_fail(&err);
out:
    expert_free(c.expert);
    cmd_expert_env_fini(&env);
    signal(SIGINT, SIG_DFL);
    if (c.pipe[0] >= 0) {
        close(c.pipe[0]);
        close(c.pipe[1]);
    }
    json_decref(c.messages);
    buf_fini(&c.answer);
    return rc;
}

static struct cmd_opt opts[] = {
    { .name = "max-tokens", .kind = OPT_INT, .value = "N", .min = 1, .max = 1 << 24, .help = "end the answer after N tokens" },
    { .name = "temp", .kind = OPT_FLOAT, .value = "T", .min = 0, .max = 100, .help = "temperature; 0 always takes the likeliest (0.8)" },
    { .name = "seed", .kind = OPT_INT, .value = "S", .min = 0, .max = 9e18, .help = "the same seed gives the same answer" },
    { .name = "threads", .kind = OPT_INT, .value = "N", .min = 1, .max = 1024, .help = "default: one per core" },
    { .name = "ctx", .kind = OPT_INT, .value = "N", .min = 2, .max = 1 << 24, .help = "context in tokens (at most 4096)" },
    { .name = "speculate", .kind = OPT_TEXT, .value = "HOW", .help = "tokens guessed ahead: auto, off or a number" },
    { .name = "draft", .kind = OPT_TEXT, .value = "FILE", .help = "a smaller model of the same vocabulary that guesses" },
    { .name = "system", .kind = OPT_TEXT, .value = "TEXT", .help = "what the model is told first" },
    { .name = "raw", .kind = OPT_FLAG, .help = "no chat template: go on with the text" },
    { .name = "models", .kind = OPT_TEXT, .value = "DIR", .help = "where a card's model files lie (TUTTI_MODELS)" },
    { .name = "preset", .kind = OPT_TEXT, .value = "NAME", .help = "cards: as that device would be set up; none" },
    { .name = "json", .kind = OPT_FLAG, .help = "cards: the result as JSON, one line for each file" },
    { .name = "out", .kind = OPT_TEXT, .value = "FILE", .help = "cards: where the speech or the marked picture goes" },
    { .name = "threshold", .kind = OPT_FLOAT, .value = "P", .min = 0, .max = 1, .help = "cards: lowest score that counts" },
    { .name = "top", .kind = OPT_INT, .value = "N", .min = 1, .max = 100000, .help = "cards: most labels" },
    { .name = "language", .kind = OPT_TEXT, .value = "L", .help = "cards: of what is read, heard or spoken (en)" },
    { .name = "voice", .kind = OPT_TEXT, .value = "NAME", .help = "cards: who speaks" },
    { .name = "speed", .kind = OPT_FLOAT, .value = "F", .min = 0.25, .max = 4, .help = "cards: of speech; 1 is normal" },
    { .name = "words", .kind = OPT_FLAG, .help = "cards: times or boxes of single words" },
    { .name = "scores", .kind = OPT_FLAG, .help = "cards: a score for each frame or region" },
    { .name = "fps", .kind = OPT_FLOAT, .value = "N", .min = 0.01, .max = 240, .help = "cards: frames a second of a video (10) or camera" },
    { .name = "stats", .kind = OPT_FLAG, .help = "tokens and times on stderr" },
    { 0 },
};
const struct cmd cmd_run = {
    .name = "run",
    .args = "MODEL [PROMPT] | CARD FILE...",
    .min_args = 1,
    .max_args = 1024,
    .help = "answer a prompt, chat; see, read, hear, speak",
    .more = "\nOnly the answer goes to stdout.  Without PROMPT it is read from stdin, or a\n"
            "chat begins when that is a terminal.\n"
            "CARD is a YAML file that describes an expert (docs/CARDS.md): each FILE is a\n"
            "picture or a sound; experts that speak or embed take a text instead.\n"
            "Experts that see also take a video, /dev/videoN or rtsp://..., those that\n"
            "listen for something take mic or mic:DEVICE; --out speaker speaks aloud.\n",
    .opts = opts,
    .run = run,
};
