/* llm/sample.c - the steps of sample.h, one function each; start at sampler_next(). */
#include "llm/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A token that is still in the race. */
struct cand {
    float logit;
    float p;   /* e^(logit - max), not normalised */
    float key; /* what the current selection orders by, larger first */
    int32_t id;
};

enum { HEAP_MAX = 256 /* a larger top-k is selected by partition */ };

struct sampler_scratch {
    int n_vocab, n_ctx;
    struct cand *cand; /* [n_vocab] */
    int *z;            /* [n_ctx] */
    uint32_t *mark;    /* [n_vocab], all zero between the steps that use it */
};

struct sampler_params sampler_defaults(void)
{
    return (struct sampler_params){
        .temperature = 0.8f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f, .typical_p = 1.0f,
        .repetition_penalty = 1.0f, .penalty_last_n = 64, .dry_base = 1.75f, .dry_allowed_length = 2, .dry_last_n = -1,
    };
}

static bool check_range(const char *name, double x, double min, double max, struct err *err)
{
    if (x >= min && x <= max) /* false for NaN */
        return true;
    return err_set(err, ERR_INPUT, "%s: %g is not between %g and %g", name, x, min, max);
}

bool sampler_check(const struct sampler_params *p, int n_vocab, struct err *err)
{
    if (!check_range("temperature", p->temperature, 0, 100, err) || !check_range("top_k", p->top_k, 0, 1e9, err) ||
        !check_range("top_p", p->top_p, 0, 1, err) || !check_range("min_p", p->min_p, 0, 1, err) ||
        !check_range("typical_p", p->typical_p, 0, 1, err) ||
        !check_range("repetition_penalty", p->repetition_penalty, 1e-3, 1e3, err) ||
        !check_range("frequency_penalty", p->frequency_penalty, -100, 100, err) ||
        !check_range("presence_penalty", p->presence_penalty, -100, 100, err) ||
        !check_range("penalty_last_n", p->penalty_last_n, -1, 1e9, err) ||
        !check_range("dry_multiplier", p->dry_multiplier, 0, 100, err) ||
        !check_range("dry_base", p->dry_base, 1, 100, err) ||
        !check_range("dry_allowed_length", p->dry_allowed_length, 1, 1e9, err) ||
        !check_range("dry_last_n", p->dry_last_n, -1, 1e9, err))
        return false;
    for (int i = 0; i < p->n_bias; i++) {
        if (p->bias[i].id < 0 || p->bias[i].id >= n_vocab)
            return err_set(err, ERR_INPUT, "logit_bias: token %d is not in the vocabulary of %d", p->bias[i].id, n_vocab);
        if (!check_range("logit_bias", p->bias[i].bias, -1e6, 1e6, err))
            return false;
    }
    return true;
}

void sampler_init(struct sampler *s, const struct sampler_params *p)
{
    s->p = *p;
    rng_seed(&s->rng, p->seed);
}

struct sampler_scratch *sampler_scratch_new(int n_vocab, int n_ctx, struct err *err)
{
    struct sampler_scratch *w = calloc(1, sizeof(*w));
    if (w) {
        w->n_vocab = n_vocab;
        w->n_ctx = n_ctx;
        w->cand = malloc((size_t)n_vocab * sizeof(*w->cand));
        w->z = malloc((size_t)n_ctx * sizeof(*w->z));
        w->mark = calloc((size_t)n_vocab, sizeof(*w->mark));
    }
    if (w && w->cand && w->z && w->mark)
        return w;
    sampler_scratch_free(w);
    return err_null(err, ERR_NOMEM, "sampler: no memory for a vocabulary of %d", n_vocab);
}

void sampler_scratch_free(struct sampler_scratch *w)
{
    if (!w)
        return;
    free(w->cand);
    free(w->z);
    free(w->mark);
    free(w);
}

/* ---- steps 1 to 4: change logits ---- */

static void add_bias(const struct sampler_params *p, float *logits, int n_vocab)
{
    for (int i = 0; i < p->n_bias; i++)
        if (p->bias[i].id >= 0 && p->bias[i].id < n_vocab) {
            if (p->bias[i].bias <= -100.0f)
                logits[p->bias[i].id] = -INFINITY;
            else
                logits[p->bias[i].id] += p->bias[i].bias;
        }
}

static bool is_known(const struct sampler_scratch *w, int32_t id) { return id >= 0 && id < w->n_vocab; }

static void punish_repetition(const struct sampler_params *p, struct sampler_scratch *w, float *logits,
                              const int32_t *tokens, int n)
{
    if (p->repetition_penalty == 1.0f)
        return;
    const int first = p->penalty_last_n < 0 || p->penalty_last_n > n ? 0 : n - p->penalty_last_n;
    for (int i = first; i < n; i++) {
        const int32_t t = tokens[i];
        if (!is_known(w, t) || w->mark[t])
            continue;
        w->mark[t] = 1;
        logits[t] = logits[t] > 0 ? logits[t] / p->repetition_penalty : logits[t] * p->repetition_penalty;
    }
    for (int i = first; i < n; i++)
        if (is_known(w, tokens[i]))
            w->mark[tokens[i]] = 0;
}

static void punish_frequency(const struct sampler_params *p, struct sampler_scratch *w, float *logits,
                             const int32_t *answer, int n)
{
    if (p->frequency_penalty == 0.0f && p->presence_penalty == 0.0f)
        return;
    for (int i = 0; i < n; i++)
        if (is_known(w, answer[i]))
            w->mark[answer[i]]++;
    for (int i = 0; i < n; i++) {
        const int32_t t = answer[i];
        if (!is_known(w, t) || !w->mark[t])
            continue;
        logits[t] -= (float)w->mark[t] * p->frequency_penalty + p->presence_penalty;
        w->mark[t] = 0;
    }
}

static bool is_breaker(const struct sampler_params *p, const struct sampler_scratch *w, int32_t t)
{
    return !is_known(w, t) || (p->dry_breakers && p->dry_breakers[t >> 6] >> (t & 63) & 1);
}

/* With h the window of n tokens: m(i) = how many tokens that end at i equal those at the end of h.  Read
 * backwards that is the Z function of the reversed window (Gusfield, Algorithms on Strings, 1.3-1.4),
 * linear in n.  h[i + 1] is what would repeat the run once more. */
static void punish_runs(const struct sampler_params *p, struct sampler_scratch *w, float *logits,
                        const int32_t *tokens, int n_tokens)
{
    if (p->dry_multiplier <= 0.0f)
        return;
    int n = n_tokens < w->n_ctx ? n_tokens : w->n_ctx;
    if (p->dry_last_n >= 0 && p->dry_last_n < n)
        n = p->dry_last_n;
    const int32_t *end = tokens + n_tokens - 1; /* end[-k] is the reversed window */
    int run_max = 0;                            /* a run holds no breaker */
    while (run_max < n && !is_breaker(p, w, end[-run_max]))
        run_max++;
    if (run_max < p->dry_allowed_length)
        return;

    int *z = w->z, left = 0, right = 0; /* [left, right) equals a prefix */
    for (int k = 1; k < n; k++) {
        int len = k < right ? (z[k - left] < right - k ? z[k - left] : right - k) : 0;
        while (k + len < n && end[-len] == end[-(k + len)])
            len++;
        z[k] = len;
        if (k + len > right)
            left = k, right = k + len;
        if (len > run_max)
            len = run_max;
        const int32_t next = end[-(k - 1)];
        if (len >= p->dry_allowed_length && !is_breaker(p, w, next) && w->mark[next] < (uint32_t)len)
            w->mark[next] = (uint32_t)len;
    }
    for (int k = 1; k < n; k++) {
        const int32_t next = end[-(k - 1)];
        if (!is_known(w, next) || !w->mark[next])
            continue;
        const float over = (float)w->mark[next] - (float)p->dry_allowed_length;
        logits[next] -= fminf(p->dry_multiplier * powf(p->dry_base, over), 1e4f);
        w->mark[next] = 0;
    }
}

/* ---- choosing ---- */

/* Index of the largest, the first of equals; -1 when none is above minus infinity. */
static int find_max(const float *x, int n)
{
    enum { LANES = 8 }; /* independent chains: the compiler makes max instructions of them */
    float best[LANES], top = -INFINITY;
    for (int k = 0; k < LANES; k++)
        best[k] = -INFINITY;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            best[k] = x[i + k] > best[k] ? x[i + k] : best[k]; /* NaN: false */
    for (; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (int k = 0; k < LANES; k++)
        top = best[k] > top ? best[k] : top;
    if (top == -INFINITY)
        return -1;
    for (i = 0; x[i] != top; i++) {
    }
    return i;
}

static bool is_before(const struct cand *a, const struct cand *b)
{
    return a->key > b->key || (a->key == b->key && a->id < b->id); /* a total order: keys are no NaN */
}

static void swap(struct cand *a, struct cand *b)
{
    const struct cand t = *a;
    *a = *b;
    *b = t;
}

/* The k best logits into c, by a heap whose root is the worst of them; returns how many. */
static int select_heap(struct cand *c, int k, const float *logits, int n_vocab)
{
    int n = 0;
    float worst = -INFINITY;
    for (int i = 0; i < n_vocab; i++) {
        if (!(logits[i] > worst)) /* equal ones come later in the order: ids grow; NaN and -inf never enter */
            continue;
        const struct cand new = { .logit = logits[i], .key = logits[i], .id = i };
        int at;
        if (n < k) { /* up */
            at = n++;
            while (at > 0 && is_before(&c[(at - 1) / 2], &new)) {
                c[at] = c[(at - 1) / 2];
                at = (at - 1) / 2;
            }
        } else { /* the root leaves: down */
            at = 0;
            for (;;) {
                int child = 2 * at + 1;
                if (child >= n)
                    break;
                if (child + 1 < n && is_before(&c[child], &c[child + 1]))
                    child++;
                if (!is_before(&new, &c[child]))
                    break;
                c[at] = c[child];
                at = child;
            }
        }
        c[at] = new;
        if (n == k)
            worst = c[0].key;
    }
    return n;
}

static int gather_all(struct cand *c, const float *logits, int n_vocab)
{
    int n = 0;
    for (int i = 0; i < n_vocab; i++)
        if (logits[i] > -INFINITY)
            c[n++] = (struct cand){ .logit = logits[i], .key = logits[i], .id = i };
    return n;
}

/* Moves the fewest candidates that reach `mass` (of p), taken in the order of is_before(), to the front;
 * returns how many.  By count: the first max_n.  Quickselect (Hoare 1961) that adds up what it leaves
 * behind; expected time is linear. */
static int select_front(struct cand *c, int n, double mass, int max_n)
{
    int lo = 0, hi = n; /* [0, lo) is taken for certain, [hi, n) is out */
    while (hi - lo > 1) {
        const int mid = lo + (hi - lo) / 2;
        if (is_before(&c[mid], &c[lo])) /* median of three into c[mid] */
            swap(&c[mid], &c[lo]);
        if (is_before(&c[hi - 1], &c[mid]))
            swap(&c[hi - 1], &c[mid]);
        if (is_before(&c[mid], &c[lo]))
            swap(&c[mid], &c[lo]);
        const struct cand pivot = c[mid];
        swap(&c[mid], &c[hi - 1]);
        int end = lo;
        double sum = 0;
        for (int i = lo; i < hi - 1; i++)
            if (is_before(&c[i], &pivot)) {
                sum += c[i].p;
                swap(&c[i], &c[end++]);
            }
        swap(&c[end], &c[hi - 1]); /* [lo, end) before the pivot, which is at end */
        if ((end > lo && sum >= mass) || end >= max_n) {
            hi = end;
        } else if (sum + pivot.p >= mass || end + 1 >= max_n) {
            return end + 1;
        } else {
            mass -= sum + pivot.p;
            lo = end + 1;
        }
    }
    return hi;
}

static double weigh(struct cand *c, int n) /* p of each; returns the sum */
{
    float max = -INFINITY;
    double sum = 0;
    for (int i = 0; i < n; i++)
        max = c[i].logit > max ? c[i].logit : max;
    for (int i = 0; i < n; i++)
        sum += c[i].p = expf(c[i].logit - max);
    return sum;
}

static double sum_p(const struct cand *c, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += c[i].p;
    return sum;
}

/* H = -sum p log p = log(sum e) - sum (l - max) e / sum e; surprise of a token: log(sum e) - (l - max). */
static int select_typical(struct cand *c, int n, double sum, float typical_p)
{
    float max = -INFINITY;
    double mean = 0;
    for (int i = 0; i < n; i++)
        max = c[i].logit > max ? c[i].logit : max;
    for (int i = 0; i < n; i++)
        if (c[i].p > 0)
            mean += (double)(c[i].logit - max) * c[i].p;
    mean /= sum;
    for (int i = 0; i < n; i++)
        c[i].key = -(float)fabs((double)(c[i].logit - max) - mean);
    n = select_front(c, n, typical_p * sum, n);
    for (int i = 0; i < n; i++)
        c[i].key = c[i].logit;
    return n;
}

static int drop_unlikely(struct cand *c, int n, float min_p)
{
    float max = 0;
    int kept = 0;
    for (int i = 0; i < n; i++)
        max = c[i].p > max ? c[i].p : max;
    for (int i = 0; i < n; i++)
        if (c[i].p >= min_p * max)
            c[kept++] = c[i];
    return kept;
}

/* Step 9 over what is left; the order of c is a function of the logits alone, so the draw is too. */
static int32_t draw(struct rng *rng, struct cand *c, int n, float temperature)
{
    float max = -INFINITY;
    double sum = 0;
    for (int i = 0; i < n; i++)
        max = c[i].logit > max ? c[i].logit : max;
    for (int i = 0; i < n; i++)
        sum += c[i].p = expf((c[i].logit - max) / temperature);
    double u = rng_f64(rng) * sum;
    int last = 0; /* rounding may leave a crumb of u: it goes to the last one possible */
    for (int i = 0; i < n; i++) {
        if (c[i].p <= 0)
            continue;
        last = i;
        u -= c[i].p;
        if (u < 0)
            break;
    }
    return c[last].id;
}

/* The same over all tokens, without candidates: nothing was cut. */
static int32_t draw_any(struct rng *rng, float *x, int n, float max, float temperature)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        if (x[i] > -INFINITY) /* else NaN or nothing */
            sum += x[i] = expf((x[i] - max) / temperature);
        else
            x[i] = 0;
    double u = rng_f64(rng) * sum;
    int last = 0;
    for (int i = 0; i < n; i++) {
        if (x[i] <= 0)
            continue;
        last = i;
        u -= x[i];
        if (u < 0)
            break;
    }
    return last;
}

int32_t sampler_next(struct sampler *s, struct sampler_scratch *w, float *logits, const int32_t *tokens, int n_tokens,
                     int n_prompt)
{
    const struct sampler_params *p = &s->p;
    add_bias(p, logits, w->n_vocab);
    punish_repetition(p, w, logits, tokens, n_tokens);
    punish_frequency(p, w, logits, tokens + n_prompt, n_tokens - n_prompt);
    punish_runs(p, w, logits, tokens, n_tokens);

    const int best = find_max(logits, w->n_vocab);
    if (best < 0 || p->temperature <= 0 || p->top_k == 1 || logits[best] == INFINITY)
        return best;
    const bool cut_k = p->top_k > 0 && p->top_k < w->n_vocab, cut_p = p->top_p < 1 || p->typical_p < 1;
    if (!cut_k && !cut_p && p->min_p <= 0)
        return draw_any(&s->rng, logits, w->n_vocab, logits[best], p->temperature);

    struct cand *c = w->cand;
    int n;
    if (cut_k && p->top_k <= HEAP_MAX) {
        n = select_heap(c, p->top_k, logits, w->n_vocab);
    } else {
        n = gather_all(c, logits, w->n_vocab);
        if (cut_k)
            n = select_front(c, n, INFINITY, p->top_k);
    }
    double sum = weigh(c, n);
    if (p->typical_p < 1) {
        n = select_typical(c, n, sum, p->typical_p);
        sum = sum_p(c, n);
    }
    if (p->top_p < 1)
        n = select_front(c, n, p->top_p * sum, n);
    if (p->min_p > 0)
        n = drop_unlikely(c, n, p->min_p);
    return draw(&s->rng, c, n, p->temperature);
}

/* ---- log-probabilities ---- */

double logits_log_sum(const float *logits, int n_vocab)
{
    const int best = find_max(logits, n_vocab);
    if (best < 0 || logits[best] == INFINITY)
        return best < 0 ? -(double)INFINITY : (double)INFINITY;
    double sum = 0;
    for (int i = 0; i < n_vocab; i++)
        if (logits[i] > -INFINITY)
            sum += expf(logits[i] - logits[best]);
    return (double)logits[best] + log(sum);
}

int logits_top(const float *logits, int n_vocab, double log_sum, struct token_logprob *out, int n)
{
    int have = 0;
    for (int i = 0; i < n_vocab && n > 0; i++) {
        const float x = logits[i] > -INFINITY ? logits[i] : -INFINITY; /* NaN ranks last */
        if (have == n && !(x > out[n - 1].logprob))
            continue;
        int at = have < n ? have++ : n - 1;
        while (at > 0 && x > out[at - 1].logprob) {
            out[at] = out[at - 1];
            at--;
        }
        out[at] = (struct token_logprob){ .id = i, .logprob = x };
    }
    for (int i = 0; i < have; i++)
        out[i].logprob = (float)(out[i].logprob - log_sum);
    return have;
}
