/* replay/main.c - what guessing ahead brings for one text: the same answer without and with guesses, in turn; start at main().
 *
 * For:     docs/SPEED.md, decision 19.
 * Use:     replay MODEL PROMPT.txt [ANSWER.txt] [--vocab FILE] [--draft FILE] [--threads N] [--rounds N] [--tokens N] [--temp T] [--speculate N]
 *          replay VOCAB PROMPT.txt ANSWER.txt --times 1,1.05,1.1,...
 * Rule:    with ANSWER the model is made to say just that (job.h, forced): every pass, draw and roll-back is done, but what comes
 *          out is given, so that a model of random weights shows the speed and the text shows which guesses are right.
 *          Ratios are medians (range); that of processor time, which other work on the machine troubles less (most so with
 *          one thread), also as the mean and the interval that has the true one in 95 of 100 cases.
 *          --vocab: tokenize with that file's vocabulary instead (of the same size).  Speeds are those after the first token.
 *          --times: no model runs (MODEL may be a vocabulary); passes of 1, 2, ... tokens take so long, and it is counted what
 *          the guesses of the text itself bring then: the same each time, whatever else the machine does.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/pool.h"
#include "expert/expert_llm.h"
#include "expert/speculate.h"
#include "token/token.h"

#include <pthread.h>

enum { ROUNDS_MAX = 512 };

struct run {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool is_over;
    struct err err;
    struct expert_usage usage;
    double cpu_s; /* processor time of the process behind the first token */
};

static double cpu_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_event(void *ctx, const struct expert_event *ev)
{
    struct run *r = ctx;
    if (ev->kind == EXPERT_DELTA && r->cpu_s == 0)
        r->cpu_s = cpu_now_s();
    if (ev->kind != EXPERT_DONE && ev->kind != EXPERT_ERROR)
        return;
    pthread_mutex_lock(&r->lock);
    r->usage = *ev->usage;
    r->cpu_s = cpu_now_s() - r->cpu_s;
    if (ev->err)
        r->err = *ev->err;
    r->is_over = true;
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->lock);
}

static int fail(const struct err *err)
{
    fprintf(stderr, "replay: %s\n", err->text);
    return 1;
}

static bool read_ids(const struct vocab *v, const char *path, struct token_list *out, struct err *err)
{
    size_t n;
    char *text = file_read(path, 16 << 20, &n, err);
    const bool ok = text && vocab_tokenize(v, text, n, TOKEN_PARSE_SPECIAL, out, err);
    free(text);
    return ok;
}

struct task {
    const struct token_list *prompt, *answer;
    int max_tokens, speculate;
    float temperature;
};

static bool run_once(struct expert *e, const struct task *t, struct expert_usage *usage, double *cpu_s, struct err *err)
{
    struct run r = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };
    struct job *j = job_new(1 << 16, err);
    struct job_input in = { .ids = t->prompt->ids, .n_ids = (int)t->prompt->len };
    if (!j)
        return false;
    j->inputs = &in;
    j->n_inputs = 1;
    j->max_tokens = t->answer->len ? (int)t->answer->len : t->max_tokens;
    j->forced = t->answer->ids;
    j->n_forced = (int)t->answer->len;
    j->ignore_eos = true;
    j->speculate = t->speculate;
    j->sampling.temperature = t->temperature;
    j->sampling.seed = 1;
    j->on_event = on_event;
    j->ctx = &r;
    bool ok = expert_submit(e, j, err);
    if (ok) {
        pthread_mutex_lock(&r.lock);
        while (!r.is_over)
            pthread_cond_wait(&r.cond, &r.lock);
        pthread_mutex_unlock(&r.lock);
        *usage = r.usage;
        *cpu_s = r.cpu_s;
        *err = r.err;
        ok = r.err.code == ERR_NONE;
    }
    job_unref(j);
    return ok;
}

/* Two prompts that are not the one to come: all weights are packed then, and the speed of prompts is known, as in a service that runs. */
static bool warm_up(struct expert *e, const struct task *t, struct err *err)
{
    struct expert_usage usage;
    double cpu_s;
    for (size_t i = 1; i <= 2 && t->prompt->len > 2; i++) {
        const struct token_list prompt = { .ids = t->prompt->ids + i, .len = t->prompt->len - i < 256 ? t->prompt->len - i : 256 }, none = { 0 };
        if (!run_once(e, &(struct task){ .prompt = &prompt, .answer = &none, .max_tokens = 4, .speculate = -1 }, &usage, &cpu_s, err))
            return false;
    }
    return true;
}

static double rate_of(const struct expert_usage *u) { return (u->n_gen_tok - 1) / ((double)u->decode_ns / 1e9); }

static int by_size(const void *a, const void *b) { return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b; }

static int run_all(struct expert *e, struct task *t, int n_rounds, int speculate)
{
    struct err err = { 0 };
    struct expert_usage u[2];
    static double ratio[ROUNDS_MAX], cpu_ratio[ROUNDS_MAX], rate[2][ROUNDS_MAX];
    double cpu_s[2], sum = 0, squares = 0;
    if (!warm_up(e, t, &err))
        return fail(&err);
    for (int i = 0; i < n_rounds; i++) {
        for (int turn = 0; turn < 2; turn++) {
            const int k = (turn + i) % 2; /* who goes second is not always the same */
            t->speculate = k ? speculate : -1;
            if (!run_once(e, t, &u[k], &cpu_s[k], &err))
                return fail(&err);
            rate[k][i] = rate_of(&u[k]);
        }
        ratio[i] = rate[1][i] / rate[0][i];
        cpu_ratio[i] = cpu_s[0] / cpu_s[1];
        sum += log(cpu_ratio[i]);
        squares += log(cpu_ratio[i]) * log(cpu_ratio[i]);
    }
    qsort(ratio, (size_t)n_rounds, sizeof(*ratio), by_size);
    qsort(cpu_ratio, (size_t)n_rounds, sizeof(*cpu_ratio), by_size);
    const double mean = sum / n_rounds, spread = n_rounds > 1 ? sqrt(fmax(0, squares - sum * mean) / (n_rounds - 1) / n_rounds) : 0;
    for (int k = 0; k < 2; k++)
        qsort(rate[k], (size_t)n_rounds, sizeof(rate[k][0]), by_size);
    printf("%d prompt tokens, %d said: %.1f tokens/s without, %.1f with guesses; ratio %.2f (%.2f-%.2f); %d guessed, %d of them right\n", u[1].n_prompt_tok,
           u[1].n_gen_tok, rate[0][n_rounds / 2], rate[1][n_rounds / 2], ratio[n_rounds / 2], ratio[0], ratio[n_rounds - 1], u[1].n_guessed_tok, u[1].n_guessed_right_tok);
    printf("processor time: ratio %.3f, mean %.3f (%.3f-%.3f) of %d\n", cpu_ratio[n_rounds / 2], exp(mean), exp(mean - 1.96 * spread), exp(mean + 1.96 * spread), n_rounds);
    return 0;
}

/* Times of passes of 1 to 16 tokens; what is not given goes on as the last two do. */
static bool read_times(const char *text, double time[GUESS_MAX + 2])
{
    int n = 0;
    for (char *end; *text && n <= GUESS_MAX; text = *end == ',' ? end + 1 : end) {
        time[++n] = strtod(text, &end);
        if (end == text || !(time[n] > 0) || (*end && *end != ','))
            return false;
    }
    for (int k = n + 1; n >= 2 && k <= GUESS_MAX + 1; k++)
        time[k] = 2 * time[k - 1] - time[k - 2];
    return n >= 2;
}

/* How much sooner the answer would be there than with one token in each pass. */
static bool count_passes(const struct vocab *v, const struct token_list *prompt, const struct token_list *answer, const double *time, struct err *err)
{
    const int n_prompt = (int)prompt->len, n_all = n_prompt + (int)answer->len;
    int32_t *tokens = calloc((size_t)(n_all + GUESS_MAX), sizeof(*tokens));
    struct guess *g = guess_new(v, n_all, err);
    struct speculation s = { 0 };
    const double prompt_ns = 0.9e6 * (time[GUESS_MAX + 1] - time[GUESS_MAX]); /* of one token: a large batch is the better one */
    double sum = 0;
    int n_guessed = 0, n_right = 0, n_passes = 0, n = n_prompt + 1;
    if (!tokens || !g || answer->len < 2) {
        free(tokens);
        guess_free(g);
        return g ? err_set(err, ERR_INPUT, "an answer of two tokens at least") : false;
    }
    memcpy(tokens, prompt->ids, prompt->len * sizeof(*tokens));
    speculation_note(&s, 1, 0, time[1] * 1e6, prompt_ns);
    for (tokens[n_prompt] = answer->ids[0]; n < n_all; n_passes++) {
        const int n_left = n_all - n - 1, n_found = guess_look_up(g, tokens, n, tokens + n, n_left < GUESS_MAX ? n_left : GUESS_MAX);
        const int32_t *said = answer->ids + (n - n_prompt);
        struct guess_offer o = { .guess = g, .n = n_found };
        int k = 0;
        speculation_choose(&s, &o, 1, 1, GUESS_MAX, prompt_ns);
        while (k < o.n_take && tokens[n + k] == said[k])
            k++;
        memcpy(tokens + n, said, (size_t)(k + 1) * sizeof(*tokens));
        n += k + 1;
        n_guessed += o.n_take;
        n_right += k;
        sum += time[o.n_take + 1];
        speculation_note(&s, o.n_take + 1, o.n_take, time[o.n_take + 1] * 1e6, prompt_ns);
    }
    printf("%d prompt tokens, %d said in %d passes: ratio %.3f; %d guessed, %d of them right\n", n_prompt, n_all - n_prompt, n_passes,
           (n_all - n_prompt - 1) * time[1] / sum, n_guessed, n_right);
    free(tokens);
    guess_free(g);
    return true;
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    const char *path[3] = { NULL }, *vocab_path = NULL;
    struct expert_llm_options opt = { .n_seq_max = 1 };
    struct task t = { .max_tokens = 256 };
    int n_rounds = 3, n_paths = 0, speculate = 0;
    double time[GUESS_MAX + 2] = { 0 };
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : "";
        if (strncmp(argv[i], "--", 2) != 0 && n_paths < 3) {
            path[n_paths++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--vocab") == 0)
            vocab_path = next;
        else if (strcmp(argv[i], "--draft") == 0)
            opt.draft = next;
        else if (strcmp(argv[i], "--threads") == 0)
            opt.n_threads = atoi(next);
        else if (strcmp(argv[i], "--rounds") == 0)
            n_rounds = atoi(next);
        else if (strcmp(argv[i], "--tokens") == 0)
            t.max_tokens = atoi(next);
        else if (strcmp(argv[i], "--temp") == 0)
            t.temperature = (float)atof(next);
        else if (strcmp(argv[i], "--speculate") == 0)
            speculate = atoi(next);
        else if (strcmp(argv[i], "--times") != 0 || !read_times(next, time))
            n_paths = 0;
        i++;
    }
    if (n_paths < 2 || (time[1] > 0 && n_paths < 3) || n_rounds < 1 || n_rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: replay MODEL PROMPT.txt [ANSWER.txt] [--vocab FILE] [--draft FILE] [--threads N] [--rounds N] [--tokens N] [--temp T] [--speculate N]\n"
                        "       replay VOCAB PROMPT.txt ANSWER.txt --times 1,1.05,1.1,...\n");
        return 2;
    }
    struct token_list prompt, answer;
    token_list_init(&prompt, 1 << 20);
    token_list_init(&answer, 1 << 20);
    struct gguf *g = gguf_open(vocab_path ? vocab_path : path[0], &err);
    struct vocab *v = g ? vocab_open(g, &err) : NULL;
    int rc = 1;
    struct expert *e = NULL;
    const bool is_read = v && read_ids(v, path[1], &prompt, &err) && (!path[2] || read_ids(v, path[2], &answer, &err));
    if (is_read && time[1] > 0) {
        rc = !count_passes(v, &prompt, &answer, time, &err);
    } else if (is_read) {
        opt.n_ctx = (int)(prompt.len + (answer.len ? answer.len : (size_t)t.max_tokens) + 1);
        t.prompt = &prompt;
        t.answer = &answer;
        e = expert_llm_open(path[0], &opt, &err);
        if (e && expert_wait_ready(e, &err))
            rc = run_all(e, &t, n_rounds, speculate);
    }
    if (rc && err.code != ERR_NONE)
        fail(&err);
    expert_free(e);
    token_list_fini(&prompt);
    token_list_fini(&answer);
    vocab_free(v);
    gguf_close(g);
    return rc;
}
