/* replay/main.c - what guessing ahead brings for one text: the same answer without and with guesses, side by side; start at main().
 *
 * For:     docs/SPEED.md, decision 19.
 * Use:     replay MODEL PROMPT.txt [ANSWER.txt] [--vocab FILE] [--draft FILE] [--threads N] [--rounds N] [--tokens N] [--temp T] [--speculate N]
 *          replay VOCAB PROMPT.txt ANSWER.txt --times 1,1.05,1.1,...
 * Rule:    with ANSWER the model is made to say just that (job.h, forced): every pass, draw and roll-back is done, but what comes
 *          out is given, so that a model of random weights shows the speed and the text shows which guesses are right.
 *          Two experts of the same file say the same answer and take turns of some passes, so that whatever else the machine does meets
 *          both: a ratio of times is good to a percent or two where one of whole answers one after the other is to ten.  Speeds are those after
 *          the first token.  Shown: the ratio of all rounds, and where 95 of 100 such means lie, by the rounds' spread.
 *          --vocab: tokenize with that file's vocabulary instead (of the same size).
 *          --times: no model runs (MODEL may be a vocabulary); passes of 1, 2, ... tokens take so long, and it is counted what
 *          the guesses of the text itself bring then: the same each time, whatever else the machine does.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/pool.h"
#include "expert/expert_llm.h"
#include "expert/speculate.h"
#include "token/token.h"

#include <pthread.h>

enum { ROUNDS_MAX = 512, TURN_NS = 60 * 1000 * 1000 };

struct table { /* of a round: who may work */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int whose, n_begun, n_over;
};
struct side { /* 0: without guesses, 1: with them */
    struct table *table;
    int k;
    bool has_begun;
    uint64_t since_ns, worked_ns; /* the turn at hand; all of them */
    struct expert_usage usage;
    struct err err;
};

static void on_event(void *ctx, const struct expert_event *ev)
{
    struct side *s = ctx;
    struct table *t = s->table;
    const bool is_over = ev->kind == EXPERT_DONE || ev->kind == EXPERT_ERROR;
    pthread_mutex_lock(&t->lock);
    const uint64_t now = clock_ns();
    if (is_over) {
        s->worked_ns += s->has_begun ? now - s->since_ns : 0;
        s->usage = *ev->usage;
        if (ev->err)
            s->err = *ev->err;
        t->n_over++;
        t->whose = !s->k;
    } else if (ev->kind == EXPERT_DELTA && (!s->has_begun || now - s->since_ns >= TURN_NS)) {
        if (s->has_begun) {
            s->worked_ns += now - s->since_ns;
            t->whose = !s->k;
        } else {
            s->has_begun = true;
            t->n_begun++;
        }
        pthread_cond_broadcast(&t->cond);
        while ((t->n_begun < 2 || t->whose != s->k) && t->n_over == 0) /* the engine's thread stands between two passes */
            pthread_cond_wait(&t->cond, &t->lock);
        s->since_ns = clock_ns();
    }
    pthread_cond_broadcast(&t->cond);
    pthread_mutex_unlock(&t->lock);
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
    int max_tokens, speculate; /* of the side with guesses */
    float temperature;
};

static bool submit(struct expert *e, const struct task *t, struct side *s, struct err *err)
{
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
    j->speculate = s->k ? t->speculate : -1;
    j->sampling.temperature = t->temperature;
    j->sampling.seed = 1;
    j->on_event = on_event;
    j->ctx = s;
    const bool ok = expert_submit(e, j, err);
    job_unref(j);
    return ok;
}

static void wait_until(struct table *t, const int *count, int n)
{
    pthread_mutex_lock(&t->lock);
    while (*count < n && t->n_over < n)
        pthread_cond_wait(&t->cond, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

/* One answer of each expert that is given; their prompts are read one after the other. */
static bool run_round(struct expert *const e[2], const struct task *t, int first, struct side side[2], struct err *err)
{
    struct table table = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER, .whose = first };
    for (int k = 0; k < 2; k++) {
        side[k] = (struct side){ .table = &table, .k = k };
        if (!submit(e[k], t, &side[k], err)) { /* the other ends, too: it waits for nobody */
            pthread_mutex_lock(&table.lock);
            table.n_over++;
            pthread_cond_broadcast(&table.cond);
            pthread_mutex_unlock(&table.lock);
            wait_until(&table, &table.n_over, k + 1);
            return false;
        }
        wait_until(&table, &table.n_begun, k + 1);
    }
    wait_until(&table, &table.n_over, 2);
    for (int k = 0; k < 2; k++)
        if (side[k].err.code != ERR_NONE) {
            *err = side[k].err;
            return false;
        }
    return true;
}

static double rate_of(const struct side *s) { return (s->usage.n_gen_tok - 1) / ((double)s->worked_ns / 1e9); }

static int run_all(struct expert *const e[2], const struct task *t, int n_rounds)
{
    struct err err = { 0 };
    struct side s[2];
    double sum = 0, squares = 0, least = INFINITY, most = 0, rate[2] = { 0 };
    /* Two prompts that are not the one to come: all weights are packed then, and the speed of prompts is known, as in a service that runs. */
    for (size_t i = 1; i <= 2 && t->prompt->len > 2; i++) {
        const struct token_list prompt = { .ids = t->prompt->ids + i, .len = t->prompt->len - i < 256 ? t->prompt->len - i : 256 }, none = { 0 };
        if (!run_round(e, &(struct task){ .prompt = &prompt, .answer = &none, .max_tokens = 4, .speculate = -1 }, 0, s, &err))
            return fail(&err);
    }
    for (int i = 0; i < n_rounds; i++) {
        if (!run_round(e, t, i % 2, s, &err))
            return fail(&err);
        for (int k = 0; k < 2; k++)
            rate[k] += rate_of(&s[k]) / n_rounds;
        const double ratio = rate_of(&s[1]) / rate_of(&s[0]);
        sum += log(ratio);
        squares += log(ratio) * log(ratio);
        least = fmin(least, ratio);
        most = fmax(most, ratio);
        fprintf(stderr, "replay: round %d of %d: %.3f\n", i + 1, n_rounds, ratio);
    }
    const double mean = sum / n_rounds, spread = n_rounds > 1 ? sqrt(fmax(0, squares - sum * mean) / (n_rounds - 1) / n_rounds) : 0;
    printf("%d prompt tokens, %d said: %.1f tokens/s without, %.1f with guesses; %d guessed, %d of them right\n", s[1].usage.n_prompt_tok, s[1].usage.n_gen_tok, rate[0],
           rate[1], s[1].usage.n_guessed_tok, s[1].usage.n_guessed_right_tok);
    printf("ratio %.3f (%.3f-%.3f), %d rounds of %.3f-%.3f\n", exp(mean), exp(mean - 1.96 * spread), exp(mean + 1.96 * spread), n_rounds, least, most);
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
    int n_rounds = 3, n_paths = 0;
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
            t.speculate = atoi(next);
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
    struct expert *e[2] = { NULL, NULL };
    const bool is_read = v && read_ids(v, path[1], &prompt, &err) && (!path[2] || read_ids(v, path[2], &answer, &err));
    if (is_read && time[1] > 0) {
        rc = !count_passes(v, &prompt, &answer, time, &err);
    } else if (is_read) {
        opt.n_ctx = (int)(prompt.len + (answer.len ? answer.len : (size_t)t.max_tokens) + 1);
        t.prompt = &prompt;
        t.answer = &answer;
        const struct expert_llm_options plain = { .n_seq_max = 1, .n_ctx = opt.n_ctx, .n_threads = opt.n_threads };
        bool ok = true;
        for (int k = 0; k < 2 && ok; k++)
            ok = (e[k] = expert_llm_open(path[0], k ? &opt : &plain, &err)) && expert_wait_ready(e[k], &err);
        if (ok)
            rc = run_all(e, &t, n_rounds);
    }
    if (rc && err.code != ERR_NONE)
        fail(&err);
    expert_free(e[0]);
    expert_free(e[1]);
    token_list_fini(&prompt);
    token_list_fini(&answer);
    vocab_free(v);
    gguf_close(g);
    return rc;
}
