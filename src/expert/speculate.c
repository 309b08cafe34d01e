/* expert/speculate.c - see speculate.h; start at speculation_choose(). */
#include "expert/speculate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLAIN_RECENT = 8, /* passes for which one without guesses is worth comparing with; then there is another, where a guess would bring little */
    PLAIN_EVERY = 64, /* ... or anywhere */
};
static const double GAIN_MUCH = 1.3;
static const float STEP = 0.08f; /* of learning */

/* ---- what is known of a guess ---- */

enum { /* where each fact's weights begin */
    AT_LENGTH = 0,
    AT_KIND = AT_LENGTH + GUESS_LENGTHS, /* the last: a token behind another guessed one */
    AT_SORT = AT_KIND + LOOKUP_KINDS + 1,
    AT_SORT_BEFORE = AT_SORT + GUESS_SORTS,
    AT_EXACT = AT_SORT_BEFORE + GUESS_SORTS, /* the last token is the same; only the same word */
};

/* Before an answer has shown its own: fitted to 18 texts (docs/SPEED.md "What was tried"); others tell whether they are good. */
static const float prior[GUESS_WEIGHTS] = {
    [AT_LENGTH] = -0.94f, -0.67f, -1.47f, -1.18f, -0.48f, 0.29f, 0.71f, 0.95f, 1.27f, 2.11f,
    [AT_KIND] = 0.67f, -0.56f, -1.05f, -0.37f, -0.76f, 1.55f, -0.52f, 1.62f,
    [AT_SORT] = -0.30f, 0.12f, 0.56f, 0.20f,
    [AT_SORT_BEFORE] = -0.04f, 0.41f, -0.43f, 0.64f,
    [AT_EXACT] = 0, -0.99f,
};

bool speculate_parse(const char *what, const char *text, int *out, struct err *err)
{
    char *end;
    const long n = strtol(text, &end, 10);
    if (strcmp(text, "off") == 0 || strcmp(text, "false") == 0)
        *out = -1;
    else if (strcmp(text, "auto") == 0)
        *out = 0;
    else if (*text && *end == '\0' && n >= 1 && n <= GUESS_MAX)
        *out = (int)n;
    else
        return err_set(err, ERR_INPUT, "%s: '%.20s' is not off, auto or a number from 1 to %d", what, text, GUESS_MAX);
    return true;
}

struct guess *guess_new(const struct vocab *vocab, int n_max_tok, struct err *err)
{
    struct guess *g = calloc(1, sizeof(*g));
    if (g && (g->lookup = lookup_new(n_max_tok, err))) {
        g->vocab = vocab;
        memcpy(g->weight, prior, sizeof(prior));
        return g;
    }
    guess_free(g);
    return err_null(err, ERR_NOMEM, "no memory for an index of %d tokens", n_max_tok);
}

void guess_free(struct guess *g)
{
    if (g)
        lookup_free(g->lookup);
    free(g);
}

/* A token's spelling without the space before it. */
static struct gguf_str bare_text(const struct vocab *v, int32_t id)
{
    struct gguf_str t = vocab_text(v, id);
    static const char *const spaces[] = { " ", "\xc4\xa0", "\xe2\x96\x81" }; /* as it is, in GPT-2's bytes, in SentencePiece's */
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
        for (const size_t k = strlen(spaces[i]); t.len >= k && memcmp(t.data, spaces[i], k) == 0;) {
            t.data += k;
            t.len -= k;
        }
    return t;
}

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

/* The same number for " the", "the" and "The" (FNV-1a; that others have it, too, is unlikely and does no harm). */
static uint32_t word_of(const struct guess *g, int32_t id)
{
    const struct gguf_str t = g->vocab ? bare_text(g->vocab, id) : (struct gguf_str){ 0 };
    if (t.len == 0)
        return (uint32_t)id;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < t.len; i++)
        h = (h ^ (uint8_t)(is_upper(t.data[i]) ? t.data[i] - 'A' + 'a' : t.data[i])) * 16777619u;
    return h;
}

static bool ends_line(struct gguf_str t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.data[i] == '\n' || (i + 1 < t.len && memcmp(t.data + i, "\xc4\x8a", 2) == 0))
            return true;
    return t.len == 6 && memcmp(t.data, "<0x0A>", 6) == 0;
}

static int sort_of(const struct guess *g, int32_t id)
{
    enum { WORD_BEGINS, WORD_INSIDE, PUNCTUATION, LINE_END };
    if (!g->vocab)
        return WORD_BEGINS;
    const struct gguf_str all = vocab_text(g->vocab, id), bare = bare_text(g->vocab, id);
    const char c = bare.len ? bare.data[0] : 0;
    const bool is_letter = (c >= 'a' && c <= 'z') || is_upper(c) || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
    return ends_line(all) ? LINE_END : !is_letter ? PUNCTUATION : all.len > bare.len ? WORD_BEGINS : WORD_INSIDE;
}

static int length_class(int length)
{
    static const uint8_t to[] = { 1, 2, 3, 4, 5, 8, 12, 20, 40 };
    int k = 0;
    while (k < GUESS_LENGTHS - 1 && length >= to[k])
        k++;
    return k;
}

/* kind LOOKUP_KINDS: behind another guessed token. */
static struct guess_facts facts_of(const struct guess *g, int length, int kind, int32_t before, int32_t token, bool is_exact)
{
    return (struct guess_facts){ { (uint8_t)(AT_LENGTH + length_class(length)), (uint8_t)(AT_KIND + kind), (uint8_t)(AT_SORT + sort_of(g, token)),
                                   (uint8_t)(AT_SORT_BEFORE + sort_of(g, before)), (uint8_t)(AT_EXACT + !is_exact) } };
}

static float chance_of(const struct guess *g, const struct guess_facts *f)
{
    float sum = 0;
    for (int i = 0; i < GUESS_FACTS; i++)
        sum += g->weight[f->weight[i]];
    return 1 / (1 + expf(-(sum < -8 ? -8 : sum > 8 ? 8 : sum)));
}

static void learn(struct guess *g, const struct guess_facts *f, bool is_right)
{
    const float step = STEP * ((is_right ? 1.0f : 0.0f) - chance_of(g, f));
    for (int i = 0; i < GUESS_FACTS; i++)
        g->weight[f->weight[i]] += step;
}

/* ---- guesses of the text itself ---- */

/* From what was said since. */
static void learn_from(struct guess *g, const int32_t *tokens, int n)
{
    if (g->n_first == 0 || n <= g->n_at)
        return;
    for (int i = 0; i < g->n_first; i++)
        learn(g, &g->first_facts[i], tokens[g->n_at] == g->first[i]);
    for (int i = 1; i < g->n_said && g->n_at + i < n && tokens[g->n_at + i - 1] == g->said[i - 1]; i++)
        learn(g, &g->facts[i], tokens[g->n_at + i] == g->said[i]);
}

int guess_look_up(struct guess *g, const int32_t *tokens, int n, int32_t *out, int n_room)
{
    struct lookup_place place[LOOKUP_PLACES];
    learn_from(g, tokens, n);
    for (int i = lookup_n(g->lookup); i < n; i++)
        lookup_add(g->lookup, word_of(g, tokens[i]));
    g->n_at = n;
    g->n_said = 0;
    g->is_draft = false;
    g->n_first = lookup_find(g->lookup, tokens, place);
    int best = 0;
    float chance[LOOKUP_PLACES];
    for (int i = 0; i < g->n_first; i++) {
        const int at = place[i].at;
        g->first[i] = tokens[at + 1];
        g->first_facts[i] = facts_of(g, place[i].length, (int)place[i].kind, tokens[n - 1], tokens[at + 1], tokens[at] == tokens[n - 1]);
        chance[i] = chance_of(g, &g->first_facts[i]);
        if (chance[i] > chance[best])
            best = i;
    }
    if (g->n_first == 0 || n_room < 1)
        return 0;
    const struct lookup_place *p = &place[best];
    lookup_follow(g->lookup, p);
    g->n_said = n_room < GUESS_MAX ? n_room : GUESS_MAX;
    for (int i = 0; i < g->n_said; i++) { /* it goes on into what it guesses itself: "ababa" is followed by "babab" */
        out[i] = g->said[i] = p->at + 1 + i < n ? tokens[p->at + 1 + i] : g->said[p->at + 1 + i - n];
        g->facts[i] = i == 0 ? g->first_facts[best] : facts_of(g, p->length + i, LOOKUP_KINDS, out[i - 1], out[i], true);
        g->chance[i] = i == 0 ? chance[best] : chance_of(g, &g->facts[i]);
    }
    return g->n_said;
}

/* ---- guesses of the draft ---- */

static const double PRIOR_TRIES = 4, FADE = 0.96, FORGET = 0.995;
/* How often it is right before this answer has shown it: margins below 0.5, 1, 2, 4, 8 and more; all. */
static const float prior_draft[GUESS_KINDS_DRAFT + 1] = { 0.4f, 0.5f, 0.65f, 0.8f, 0.9f, 0.97f, 0.7f };

static double chance_draft(const struct guess *g, int kind)
{
    return ((double)g->hits[kind] + PRIOR_TRIES * (double)prior_draft[kind]) / ((double)g->tries[kind] + PRIOR_TRIES);
}

double guess_chance_draft(const struct guess *g) { return chance_draft(g, GUESS_KINDS_DRAFT); }

void guess_by_draft(struct guess *g, int i, float margin)
{
    int k = 0;
    for (float to = 0.5f; k < GUESS_KINDS_DRAFT - 1 && margin >= to; to *= 2)
        k++;
    g->is_draft = true;
    g->margin[i] = (uint8_t)k;
    g->chance[i] = (float)chance_draft(g, k);
}

static void count(struct guess *g, int kind, bool is_right)
{
    g->hits[kind] = (float)(g->hits[kind] * FADE + is_right);
    g->tries[kind] = (float)(g->tries[kind] * FADE + 1);
}

void guess_learn(struct guess *g, int n, int n_right)
{
    for (int i = 0; g->is_draft && i < n && i <= n_right; i++) {
        count(g, g->margin[i], i < n_right);
        count(g, GUESS_KINDS_DRAFT, i < n_right);
    }
}

void guess_forget_draft(struct guess *g)
{
    g->hits[GUESS_KINDS_DRAFT] = (float)(g->hits[GUESS_KINDS_DRAFT] * FORGET);
    g->tries[GUESS_KINDS_DRAFT] = (float)(g->tries[GUESS_KINDS_DRAFT] * FORGET);
}

/* ---- the time of a pass ---- */

/* A token of a prompt as a share of a pass of one token where no prompt was read yet; a token of a small batch computes so much longer. */
static const double PROMPT_SHARE = 0.15, SMALL_BATCH = 1.35;
static const double SPEED_RATE = 0.2, MORE_RATE = 0.05, MORE_MIN = -0.5, MORE_MAX = 3, SLOPE_MAX = 2;
static const float MORE_FADE = 0.999f;

static double clamp(double x, double min, double max) { return x < min ? min : x > max ? max : x; }

/* What n tokens of a small batch compute, as a share of a pass of one token. */
static double computing(const struct speculation *s, int n, double prompt_ns)
{
    const double share = prompt_ns > 0 && s->pass_ns > 0 ? clamp(prompt_ns / s->pass_ns, 0.02, 1) : PROMPT_SHARE;
    return SMALL_BATCH * share * exp(s->log_slope) * n;
}

/* Of a pass of n tokens; of one: 1.  The weights are read once and n tokens computed, side by side: it takes about the longer of both. */
static double shape(const struct speculation *s, int n, double prompt_ns)
{
    n = n > GUESS_ROWS_MAX ? GUESS_ROWS_MAX : n;
    const double one = computing(s, 1, prompt_ns), all = computing(s, n, prompt_ns);
    return cbrt((1 + all * all * all) / (1 + one * one * one)) * (1 + (double)s->more[n]);
}

double speculation_cost(const struct speculation *s, int n, double prompt_ns) { return s->pass_ns * shape(s, n, prompt_ns); }

/* Passes without guesses tell how fast the machine is; those with guesses, soon after one, what is special to so many tokens. */
void speculation_note(struct speculation *s, int n, int n_guessed, double ns, double prompt_ns)
{
    if (n < 1 || n > GUESS_ROWS_MAX)
        return;
    s->n_since_plain = n_guessed == 0 ? 0 : s->n_since_plain + 1;
    if (s->pass_ns <= 0) {
        s->pass_ns = ns / shape(s, n, prompt_ns);
        return;
    }
    const double off = clamp(ns / speculation_cost(s, n, prompt_ns), 0.5, 2) - 1; /* else somebody had the core */
    if (n_guessed == 0)
        s->pass_ns *= 1 + SPEED_RATE * off;
    for (int i = 2; i <= GUESS_ROWS_MAX; i++)
        if (s->more[i] > 0 && n_guessed == 0)
            s->more[i] *= MORE_FADE; /* in time it is tried again */
    if (n_guessed == 0 || s->n_since_plain > PLAIN_RECENT)
        return;
    const double all = computing(s, n, prompt_ns), rate = fmax(MORE_RATE, 1.0 / (2 + s->n_seen[n])), slope_rate = fmax(MORE_RATE, 1.0 / (2 + s->n_seen[0]));
    s->n_seen[n] = (uint8_t)(s->n_seen[n] + (s->n_seen[n] < UINT8_MAX));
    s->n_seen[0] = (uint8_t)(s->n_seen[0] + (n > 2 && s->n_seen[0] < UINT8_MAX));
    s->log_slope = clamp(s->log_slope + slope_rate * off * all * all * all / (1 + all * all * all), -SLOPE_MAX, SLOPE_MAX);
    for (int i = n > 3 ? n - 2 : 2; i <= n + 2 && i <= GUESS_ROWS_MAX; i++) { /* its neighbours are like it */
        const double to = (1 + (double)s->more[i]) * (1 + off) - 1;
        s->more[i] = (float)clamp((double)s->more[i] + rate / (1 + 2 * (i < n ? n - i : i - n)) * (to - (double)s->more[i]), MORE_MIN, MORE_MAX);
    }
}

/* ---- how much to guess ---- */

static bool take_next(struct guess_offer *o, int n_offers, double *chance, double *gain)
{
    int best = -1;
    double best_p = 0;
    for (int i = 0; i < n_offers; i++) {
        if (o[i].n_take == o[i].n)
            continue;
        const double p = chance[i] * (double)o[i].guess->chance[o[i].n_take];
        if (p > best_p) {
            best_p = p;
            best = i;
        }
    }
    if (best < 0)
        return false;
    o[best].n_take++;
    chance[best] = *gain = best_p;
    return true;
}

/* Takes n tokens, the likeliest first; returns how many there were. */
static int take(struct guess_offer *o, int n_offers, int n, double *gains)
{
    double chance[GUESS_ROWS_MAX];
    int k = 0;
    for (int i = 0; i < n_offers; i++) {
        o[i].n_take = 0;
        chance[i] = 1;
    }
    while (k < n && take_next(o, n_offers, chance, &gains[k]))
        k++;
    return k;
}

void speculation_choose(struct speculation *s, struct guess_offer *o, int n_offers, int n_base, int n_room, double prompt_ns)
{
    double gains[GUESS_MAX];
    n_offers = n_offers < GUESS_ROWS_MAX ? n_offers : GUESS_ROWS_MAX;
    const int n_all = take(o, n_offers, n_room < GUESS_MAX ? n_room : GUESS_MAX, gains);
    const double base = speculation_cost(s, n_base, prompt_ns);
    double sum = n_base, best = base > 0 ? GUESS_GAIN_LEAST * sum / base : 0;
    int n_best = 0;
    for (int k = 1; k <= n_all && base > 0; k++) {
        sum += gains[k - 1];
        const double rate = sum / speculation_cost(s, n_base + k, prompt_ns);
        if (rate > best) {
            best = rate;
            n_best = k;
        }
    }
    if (s->n_since_plain >= (best * base < GAIN_MUCH * n_base ? PLAIN_RECENT : PLAIN_EVERY))
        n_best = 0;
    take(o, n_offers, n_best, gains);
}
