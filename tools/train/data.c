/* tools/train/data.c - see data.h; start reading at feed_row(). */
#define _POSIX_C_SOURCE 200809L
#include "data.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/rng.h"

/* Stories grow towards the end of the training, old books shrink; the form of a chat is learned early and
 * then only kept.  In the second cycle the stories, few and told a dozen times by then, make room for the rest:
 * with more of them the loss on held-out ones went up again.  Files 06 to 08 are left out: too hard for a model of
 * this size, or contradicting themselves. */
const struct source_plan source_plans[] = {
    { "01", "short stories", SOURCE_STORY, 4, 1.0, { 0.22, 0.2508, 0.40 }, 0.12 },
    { "02", "primers", SOURCE_TEXT, 3, 1.0, { 0.10, 0.0956, 0.12 }, 0.14 },
    { "03", "animal tales", SOURCE_BOOK, 1, 1.0, { 0.12, 0.1090, 0.08 }, 0.16 },
    { "04", "bedtime tales", SOURCE_BOOK, 1, 1.0, { 0.16, 0.1446, 0.12 }, 0.22 },
    { "05", "family series", SOURCE_BOOK, 1, 1.0, { 0.16, 0.1468, 0.13 }, 0.21 },
    { "09", "dialogues", SOURCE_DIALOGUE, 1, 0.6, { 0.04, 0.0356, 0.03 }, 0.04 },
    { "10", "simple chat", SOURCE_CHAT, 1, 1.0, { 0.20, 0.2176, 0.12 }, 0.11 },
};
enum { N_SOURCES = sizeof(source_plans) / sizeof(source_plans[0]), HELD_OUT_ONE_IN = 40, TOPICS = 4 };
const int n_source_plans = N_SOURCES;

struct doc {
    size_t text, n_text;   /* in source.text */
    size_t token, n_token; /* in source.token */
    bool held;
    char topic[TOPICS][48]; /* SOURCE_STORY: what it is about, "a needle"; "" where there is none */
};
struct source {
    char *text; /* owned */
    size_t n_text;
    struct doc *doc;
    size_t n_docs;
    uint16_t *token; /* owned: specials in place, except for SOURCE_STORY (bare text) */
    uint8_t *learn;  /* is this token a target? */
    size_t n_tokens;
};
struct corpus {
    struct source source[N_SOURCES];
    struct bpe *bpe; /* borrowed */
};

double source_share(const struct source_plan *plan, double progress)
{
    const double *s = plan->share, knee = 0.22;
    if (progress > 1.0)
        return plan->share_again;
    return progress < knee ? s[0] + (s[1] - s[0]) * progress / knee : s[1] + (s[2] - s[1]) * (progress - knee) / (1.0 - knee);
}

static uint64_t hash_text(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
    return h ^ h >> 31;
}

/* ---- reading ---- */

static bool find_file(const char *dir, const char *prefix, char path[static 1024], struct err *err)
{
    DIR *d = opendir(dir);
    if (!d)
        return err_set(err, ERR_NOT_FOUND, "%s: no such folder", dir);
    bool found = false;
    for (struct dirent *e; !found && (e = readdir(d));) {
        const size_t n = strlen(e->d_name);
        found = !strncmp(e->d_name, prefix, strlen(prefix)) && e->d_name[strlen(prefix)] == '-' &&
                ((n > 4 && !strcmp(e->d_name + n - 4, ".txt")) || (n > 7 && !strcmp(e->d_name + n - 7, ".txt.xz")));
        if (found)
            snprintf(path, 1024, "%s/%s", dir, e->d_name);
    }
    closedir(d);
    return found || err_set(err, ERR_NOT_FOUND, "%s: no file %s-*.txt or %s-*.txt.xz", dir, prefix, prefix);
}

static bool read_text(const char *path, char **text, size_t *n, struct err *err)
{
    const size_t len = strlen(path);
    const bool packed = len > 3 && !strcmp(path + len - 3, ".xz");
    char command[1100];
    if (packed && strchr(path, '\''))
        return err_set(err, ERR_INPUT, "%s: a quote in the path", path);
    snprintf(command, sizeof(command), "xz -dc '%s'", path);
    FILE *f = packed ? popen(command, "r") : fopen(path, "r");
    if (!f)
        return err_set(err, ERR_IO, "%s: cannot read", path);
    struct buf b;
    buf_init(&b, (size_t)1 << 30);
    static char chunk[1 << 16];
    for (size_t k; (k = fread(chunk, 1, sizeof(chunk), f)) > 0;)
        buf_append(&b, chunk, k);
    const int rc = packed ? pclose(f) : fclose(f);
    if (rc != 0 || b.len == 0 || b.failed) {
        buf_fini(&b);
        return err_set(err, ERR_IO, packed ? "%s: cannot unpack (is xz-utils installed?)" : "%s: cannot read", path);
    }
    *text = b.data, *n = b.len;
    return true;
}

static bool split_docs(struct source *s, double keep_frac, struct err *err)
{
    static const char mark[] = "<|doc|>\n";
    const size_t n_mark = sizeof(mark) - 1;
    size_t cap = 0;
    for (size_t at = 0; at < s->n_text;) {
        const char *end = strstr(s->text + at, mark);
        size_t to = end ? (size_t)(end - s->text) : s->n_text;
        const size_t next = end ? to + n_mark : s->n_text;
        while (to > at && (s->text[to - 1] == '\n' || s->text[to - 1] == ' '))
            to--;
        if (to > at) {
            if (s->n_docs == cap) {
                cap = cap ? cap * 2 : 1024;
                struct doc *d = realloc(s->doc, cap * sizeof(*d));
                if (!d)
                    return err_set(err, ERR_NOMEM, "corpus: out of memory");
                s->doc = d;
            }
            s->doc[s->n_docs++] = (struct doc){ .text = at, .n_text = to - at,
                                                .held = hash_text(s->text + at, to - at) % HELD_OUT_ONE_IN == 0 };
        }
        at = next;
    }
    s->n_docs = (size_t)((double)s->n_docs * keep_frac);
    return true;
}

/* ---- what is a story about? ---- */

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool is_one_of(const char *w, size_t n, const char *const *list)
{
    for (; *list; list++)
        if (strlen(*list) == n && !memcmp(*list, w, n))
            return true;
    return false;
}

static size_t count_word(const char *s, size_t n, const char *w, size_t n_w)
{
    size_t count = 0;
    for (size_t i = 0; i + n_w <= n; i++)
        if ((i == 0 || !is_letter(s[i - 1])) && (i + n_w == n || !is_letter(s[i + n_w])) && !memcmp(s + i, w, n_w))
            count++;
    return count;
}

static void add_topic(struct doc *d, const char *article, const char *words, size_t n)
{
    char topic[48];
    if (strlen(article) + 1 + n >= sizeof(topic))
        return;
    snprintf(topic, sizeof(topic), "%s %.*s", article, (int)n, words);
    for (int k = 0; k < TOPICS; k++) {
        if (!strcmp(d->topic[k], topic))
            return;
        if (!d->topic[k][0]) {
            memcpy(d->topic[k], topic, sizeof(topic));
            return;
        }
    }
}

/* "a", up to four words, then a sign or a word that no noun group goes over: the last of them is a noun.
 * It is a topic when the story begins with it or comes back to it; with its name when it has one. */
static void find_topics(const char *s, size_t n, struct doc *d)
{
    static const char *const after[] = { "and", "in", "on", "with", "to", "was", "that", "for", "who", "from", "under", "near",
                                         "at", "but", "so", "is", "had", "he", "she", "of", "by", "like", "as", "because", NULL };
    static const char *const dull[] = { "day", "time", "way", "lot", "bit", "girl", "boy", "few", "end", "while", "moment",
                                        "friend", "place", "name", "thing", "man", "idea", "town", "little", "big", "full",
                                        "they", "piece", "there", NULL };
    enum { OPENING = 160, WORDS_MAX = 4 };
    for (size_t i = 0; i + 3 < n; i++) {
        if ((i > 0 && is_letter(s[i - 1])) || (s[i] != 'a' && s[i] != 'A'))
            continue;
        size_t at = s[i + 1] == ' ' ? i + 2 : s[i + 1] == 'n' && s[i + 2] == ' ' ? i + 3 : 0;
        if (!at)
            continue;
        size_t first = at, noun = 0, noun_end = 0, name_end = 0;
        for (int words = 0; words <= WORDS_MAX && at < n; words++) {
            size_t end = at;
            while (end < n && is_letter(s[end]))
                end++;
            if (end == at || (s[at] >= 'A' && s[at] <= 'Z') || is_one_of(s + at, end - at, after))
                break;
            if ((end - at == 5 && !memcmp(s + at, "named", 5)) || (end - at == 6 && !memcmp(s + at, "called", 6))) {
                for (name_end = end + 1; name_end < n && is_letter(s[name_end]); name_end++)
                    ;
                break;
            }
            noun = words < WORDS_MAX ? at : 0, noun_end = end;
            if (end >= n || s[end] != ' ' || !noun) {
                noun = end < n && (s[end] == '-' || s[end] == '\'') ? 0 : noun;
                break;
            }
            at = end + 1;
        }
        if (!noun || noun_end - noun < 3)
            continue;
        const bool is_dull = is_one_of(s + noun, noun_end - noun, dull);
        if (name_end)
            add_topic(d, first == i + 3 ? "an" : "a", s + first, name_end - first);
        if (!is_dull && (i < OPENING || count_word(s, n, s + noun, noun_end - noun) >= 2))
            add_topic(d, strchr("aeiou", s[noun]) ? "an" : "a", s + noun, noun_end - noun);
    }
}

/* ---- text to tokens ---- */

struct out { /* tokens with room enough: a token for each byte and some specials */
    uint16_t *token;
    uint8_t *learn;
    size_t n, cap;
};

static void put(struct out *o, int id, bool learn)
{
    if (o->n < o->cap)
        o->token[o->n] = (uint16_t)id, o->learn[o->n++] = learn;
}

static void put_text(struct out *o, struct bpe *b, const char *s, size_t n, bool learn)
{
    const size_t k = bpe_encode(b, s, n, o->token + o->n, o->cap - o->n);
    memset(o->learn + o->n, learn, k);
    o->n += k;
}

/* Lines "User: ..." and "Bot: ..." (or A and B) with lines that go on.  The user's words are context. */
static void put_turns(struct out *o, struct bpe *b, const char *s, size_t n, const char *user, const char *bot)
{
    put(o, TOK_DOC, false);
    const char *const label[2] = { user, bot };
    for (size_t at = 0; at < n;) {
        int who = -1;
        for (int i = 0; i < 2; i++)
            if (n - at >= strlen(label[i]) && !memcmp(s + at, label[i], strlen(label[i])))
                who = i;
        size_t from = who >= 0 ? at + strlen(label[who]) : at, to = from;
        while (to < n) { /* to the line that begins with a label */
            if (s[to] == '\n' && ((n - to - 1 >= strlen(user) && !memcmp(s + to + 1, user, strlen(user))) ||
                                  (n - to - 1 >= strlen(bot) && !memcmp(s + to + 1, bot, strlen(bot)))))
                break;
            to++;
        }
        while (from < to && s[from] == ' ')
            from++;
        size_t end = to;
        while (end > from && (s[end - 1] == ' ' || s[end - 1] == '\n'))
            end--;
        put(o, who == 1 ? TOK_BOT : TOK_USER, false);
        put_text(o, b, s + from, end - from, who == 1);
        put(o, TOK_END, who == 1);
        at = to + 1;
    }
}

static void put_doc(struct out *o, struct bpe *b, enum source_kind kind, const char *s, size_t n)
{
    switch (kind) {
    case SOURCE_CHAT: put_turns(o, b, s, n, "User:", "Bot:"); break;
    case SOURCE_DIALOGUE: put_turns(o, b, s, n, "A:", "B:"); break;
    case SOURCE_STORY: put_text(o, b, s, n, true); break;
    case SOURCE_BOOK:
    case SOURCE_TEXT:
        put(o, TOK_DOC, false);
        put_text(o, b, s, n, true);
        put(o, TOK_END, true);
    }
}

bool corpus_tokenize(struct corpus *c, struct bpe *bpe, struct err *err)
{
    c->bpe = bpe;
    for (int k = 0; k < N_SOURCES; k++) {
        struct source *s = &c->source[k];
        const size_t cap = s->n_text + 4 * s->n_docs + 64;
        struct out o = { malloc(cap * sizeof(uint16_t)), malloc(cap), 0, cap };
        s->token = o.token, s->learn = o.learn;
        if (!o.token || !o.learn)
            return err_set(err, ERR_NOMEM, "corpus: out of memory");
        for (size_t i = 0; i < s->n_docs; i++) {
            struct doc *d = &s->doc[i];
            d->token = o.n;
            put_doc(&o, bpe, source_plans[k].kind, s->text + d->text, d->n_text);
            d->n_token = o.n - d->token;
            if (source_plans[k].kind == SOURCE_STORY)
                find_topics(s->text + d->text, d->n_text, d);
        }
        s->n_tokens = o.n;
    }
    return true;
}

struct bpe *corpus_learn_vocab(struct corpus *c, int n_vocab, struct err *err)
{
    struct bpe_counter *counter = bpe_counter_new(err);
    bool ok = counter != NULL;
    for (int k = 0; ok && k < N_SOURCES; k++)
        for (size_t i = 0; ok && i < c->source[k].n_docs; i++)
            if (!c->source[k].doc[i].held)
                ok = bpe_counter_add(counter, c->source[k].text + c->source[k].doc[i].text, c->source[k].doc[i].n_text,
                                     source_plans[k].vocab_times, err);
    struct bpe *b = ok ? bpe_learn(counter, n_vocab, err) : NULL;
    bpe_counter_free(counter);
    return b;
}

struct corpus *corpus_open(const char *dir, struct err *err)
{
    struct corpus *c = calloc(1, sizeof(*c));
    bool ok = c || err_set(err, ERR_NOMEM, "corpus: out of memory");
    for (int k = 0; ok && k < N_SOURCES; k++) {
        char path[1024];
        ok = find_file(dir, source_plans[k].prefix, path, err) &&
             read_text(path, &c->source[k].text, &c->source[k].n_text, err) &&
             split_docs(&c->source[k], source_plans[k].keep_frac, err);
    }
    if (ok)
        return c;
    corpus_close(c);
    return NULL;
}

void corpus_close(struct corpus *c)
{
    if (!c)
        return;
    for (int k = 0; k < N_SOURCES; k++) {
        free(c->source[k].text);
        free(c->source[k].doc);
        free(c->source[k].token);
        free(c->source[k].learn);
    }
    free(c);
}

void corpus_count(const struct corpus *c, int source, uint64_t *n_tokens, uint64_t *n_docs, uint64_t *n_held)
{
    const struct source *s = &c->source[source];
    *n_tokens = *n_docs = *n_held = 0;
    for (size_t i = 0; i < s->n_docs; i++)
        if (s->doc[i].held)
            ++*n_held;
        else
            ++*n_docs, *n_tokens += s->doc[i].n_token;
}

const char *corpus_text(const struct corpus *c, int source, size_t *n)
{
    *n = c->source[source].n_text;
    return c->source[source].text;
}

/* ---- the endless rows ---- */

struct stream { /* one source's documents in the shuffled order of an epoch */
    size_t *order, n;
    size_t next;
    uint64_t epoch;
    double credit; /* tokens that it should have had and has not */
    uint64_t served;
    struct out doc; /* what is being told: owned */
    size_t at;      /* how far */
};
struct feed {
    struct corpus *c; /* borrowed */
    size_t ctx;
    uint64_t seed;
    struct stream stream[N_SOURCES];
};

static void shuffle(struct stream *st, uint64_t seed)
{
    struct rng r;
    rng_seed(&r, seed);
    for (size_t i = st->n; i > 1; i--) {
        const size_t j = rng_u64(&r) % i, keep = st->order[i - 1];
        st->order[i - 1] = st->order[j], st->order[j] = keep;
    }
}

struct feed *feed_new(struct corpus *c, int ctx, uint64_t seed, struct err *err)
{
    struct feed *f = calloc(1, sizeof(*f));
    if (!f)
        return err_null(err, ERR_NOMEM, "corpus: out of memory");
    f->c = c, f->ctx = (size_t)ctx, f->seed = seed;
    for (int k = 0; k < N_SOURCES; k++) {
        struct source *s = &c->source[k];
        struct stream *st = &f->stream[k];
        size_t longest = 0;
        st->order = malloc((s->n_docs + 1) * sizeof(*st->order));
        for (size_t i = 0; st->order && i < s->n_docs; i++)
            if (!s->doc[i].held) {
                st->order[st->n++] = i;
                longest = s->doc[i].n_token > longest ? s->doc[i].n_token : longest;
            }
        st->doc.cap = longest + 256;
        st->doc.token = malloc(st->doc.cap * sizeof(uint16_t));
        st->doc.learn = malloc(st->doc.cap);
        if (!st->order || !st->doc.token || !st->doc.learn) {
            feed_free(f);
            return err_null(err, ERR_NOMEM, "corpus: out of memory");
        }
        shuffle(st, seed + (uint64_t)k * 1000003);
    }
    return f;
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    for (int k = 0; k < N_SOURCES; k++) {
        free(f->stream[k].order);
        free(f->stream[k].doc.token);
        free(f->stream[k].doc.learn);
    }
    free(f);
}

uint64_t feed_served(const struct feed *f, int source) { return f->stream[source].served; }

/* A story as such, or as the answer to someone who asked for it. */
static void tell_story(struct out *o, const struct corpus *c, const struct source *s, const struct doc *d, uint64_t dice)
{
    static const char *const ask[] = { "Tell me a story about %s.", "Tell me a story about %s", "tell me a story about %s",
                                       "Can you tell me a story about %s?", "Write a short story about %s.",
                                       "Please tell me a story about %s.", "I want to hear a story about %s.",
                                       "Make up a story about %s.", "Tell me a short story about %s." };
    static const char *const ask_any[] = { "Tell me a story.", "tell me a story", "Can you tell me a story?",
                                           "Tell me a short story, please.", "Please tell me a story." };
    put(o, TOK_DOC, false);
    if (dice % 4 != 0) {
        int n_topics = 0;
        while (n_topics < TOPICS && d->topic[n_topics][0])
            n_topics++;
        char text[128];
        if (n_topics > 0 && dice / 4 % 8 != 0)
            snprintf(text, sizeof(text), ask[dice / 32 % (sizeof(ask) / sizeof(ask[0]))], d->topic[dice / 1024 % (uint64_t)n_topics]);
        else
            snprintf(text, sizeof(text), "%s", ask_any[dice / 32 % (sizeof(ask_any) / sizeof(ask_any[0]))]);
        put(o, TOK_USER, false);
        put_text(o, c->bpe, text, strlen(text), false);
        put(o, TOK_END, false);
        put(o, TOK_BOT, false);
    }
    for (size_t i = 0; i < d->n_token; i++)
        put(o, s->token[d->token + i], true);
    put(o, TOK_END, true);
}

static void load_next_doc(struct feed *f, int k)
{
    struct stream *st = &f->stream[k];
    const struct source *s = &f->c->source[k];
    if (st->next == st->n) {
        st->epoch++, st->next = 0;
        shuffle(st, f->seed + (uint64_t)k * 1000003 + st->epoch * 7919);
    }
    const struct doc *d = &s->doc[st->order[st->next++]];
    struct rng r;
    rng_seed(&r, f->seed ^ (uint64_t)(d - s->doc) * 0x51ed2701 ^ st->epoch << 40);
    st->at = st->doc.n = 0;
    if (source_plans[k].kind == SOURCE_STORY)
        tell_story(&st->doc, f->c, s, d, rng_u64(&r) >> 8);
    else
        for (size_t i = 0; i < d->n_token; i++)
            put(&st->doc, s->token[d->token + i], s->learn[d->token + i]);
}

static void place(struct row_buf row, size_t at, const struct out *doc, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        row.token[at + i] = doc->token[from + i];
        row.start[at + i] = (uint16_t)at;
        row.target[at + i] = from + i + 1 < doc->n && doc->learn[from + i + 1] ? doc->token[from + i + 1] : -1;
    }
}

static void pad(struct row_buf row, size_t from, size_t ctx)
{
    for (size_t i = from; i < ctx; i++)
        row.token[i] = TOK_END, row.start[i] = (uint16_t)i, row.target[i] = -1;
}

/* Fills the row with documents of the sources that are owed most; a short one that does not fit any more
 * waits for the next row, and a piece of a book fills the gap. */
bool feed_row(struct feed *f, double progress, struct row_buf row, struct err *err)
{
    enum { PIECE_MIN = 32 };
    bool waits[N_SOURCES] = { false };
    double all = 0.0;
    for (int k = 0; k < N_SOURCES; k++)
        all += source_share(&source_plans[k], progress);
    for (int k = 0; k < N_SOURCES; k++)
        f->stream[k].credit += (double)f->ctx * source_share(&source_plans[k], progress) / all;
    size_t at = 0;
    while (f->ctx - at >= PIECE_MIN) {
        int best = -1;
        for (int k = 0; k < N_SOURCES; k++)
            if (!waits[k] && f->stream[k].n > 0 && (best < 0 || f->stream[k].credit > f->stream[best].credit))
                best = k;
        if (best < 0)
            break;
        struct stream *st = &f->stream[best];
        if (st->doc.n - st->at < PIECE_MIN && st->at > 0)
            st->at = st->doc.n; /* a tail that short says nothing */
        if (st->at == st->doc.n)
            load_next_doc(f, best);
        const size_t left = st->doc.n - st->at, room = f->ctx - at;
        if (left > room && left <= f->ctx && st->at == 0 && source_plans[best].kind != SOURCE_BOOK) {
            waits[best] = true;
            continue;
        }
        const size_t n = left < room ? left : room;
        place(row, at, &st->doc, st->at, n);
        at += n, st->at += n;
        st->served += n, st->credit -= (double)n;
    }
    pad(row, at, f->ctx);
    return at > 0 || err_set(err, ERR_INPUT, "corpus: no documents to learn from");
}

/* ---- held out ---- */

bool corpus_held_row(struct corpus *c, int source, int ctx, int i, struct row_buf row)
{
    const struct source *s = &c->source[source];
    const size_t n_ctx = (size_t)ctx;
    int number = 0;
    for (size_t k = 0; k < s->n_docs; k++) {
        const struct doc *d = &s->doc[k];
        if (!d->held || number++ != i)
            continue;
        /* One document in a row, its beginning; a story asked for as people would. */
        struct out o = { malloc((d->n_token + 256) * sizeof(uint16_t)), malloc(d->n_token + 256), 0, d->n_token + 256 };
        const bool ok = o.token && o.learn;
        if (ok) {
            if (source_plans[source].kind == SOURCE_STORY)
                tell_story(&o, c, s, d, 1);
            else
                for (size_t t = 0; t < d->n_token; t++)
                    put(&o, s->token[d->token + t], s->learn[d->token + t]);
            const size_t n = o.n < n_ctx ? o.n : n_ctx;
            place(row, 0, &o, 0, n);
            pad(row, n, n_ctx);
        }
        free(o.token);
        free(o.learn);
        return ok;
    }
    return false;
}
