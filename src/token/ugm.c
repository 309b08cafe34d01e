/* token/ugm.c - SentencePiece unigram (T5, XLM-R): of all ways to cut the text into tokens the one with the
 * highest sum of scores, found by walking the text once (Viterbi).  Untested by vectors, as there are none;
 * compared once with llama.cpp (node-llama-cpp 3.22.1) on the vocabulary of nomic-bert-moe: 6000 random texts,
 * the same ids.
 *
 * Kudo, "Subword Regularization", ACL 2018, section 3; the normalizer's trie is the one of SentencePiece's
 * src/normalizer.cc (XOR-compressed double array: Kanda et al., 2017). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "token/token_internal.h"

enum {
    PREFIX_BYTES_MAX = 64, /* of the normalizer's trie */
};

/* ---- open ---- */

/* A prefix of some token?  A set of hashes, one bit each, tells nearly all that are none: so a walk over the
 * lengths of a token ends where no longer one can match.  Wrong answers cost time only. */
static uint32_t prefix_bit(const struct vocab *v, uint64_t hash)
{
    hash ^= hash >> 29;
    hash *= 0xbf58476d1ce4e5b9u;
    return (uint32_t)(hash >> 32) & v->prefix_mask;
}
static bool may_be_prefix(const struct vocab *v, uint64_t hash)
{
    const uint32_t bit = prefix_bit(v, hash);
    return v->prefix[bit / 64] >> bit % 64 & 1;
}

static bool is_candidate(const struct vocab *v, int32_t id) { return has_attr(v, id, ATTR_NORMAL | ATTR_USER_DEFINED | ATTR_UNUSED); }

static bool open_prefixes(struct vocab *v, struct err *err)
{
    uint32_t n_bits = 1024;
    while (n_bits < 32 * v->tokens.n) /* some 6 prefixes each: one bit in 5 is set */
        n_bits *= 2;
    v->prefix = calloc(n_bits / 64, sizeof(*v->prefix));
    if (!v->prefix)
        return err_set(err, ERR_NOMEM, "out of memory");
    v->prefix_mask = n_bits - 1;
    for (int32_t id = 0; id < vocab_size(v); id++) {
        const struct gguf_str s = strings_at(&v->tokens, (uint32_t)id);
        uint64_t hash = 0;
        for (size_t i = 0; is_candidate(v, id) && i < s.len && i < TRIED_BYTES_MAX; i++) {
            hash = hasher_add(&v->hasher, hash, (unsigned char)s.data[i]);
            if (i + 1 < s.len && ((unsigned char)s.data[i + 1] & 0xc0) == 0x80)
                continue; /* inside a character */
            const uint32_t bit = prefix_bit(v, hash);
            v->prefix[bit / 64] |= 1ull << bit % 64;
        }
    }
    return true;
}

bool ugm_open(struct vocab *v, const struct gguf *g, struct err *err)
{
    if (!open_prefixes(v, err))
        return false;
    float lowest = HUGE_VALF;
    for (int32_t id = 0; id < vocab_size(v); id++)
        if (has_attr(v, id, ATTR_NORMAL) && vocab_score(v, id) < lowest)
            lowest = vocab_score(v, id);
    v->unknown_score = lowest - 10.0f; /* kUnkPenalty of SentencePiece */
    const struct gguf_kv *kv = gguf_find(g, "tokenizer.ggml.precompiled_charsmap");
    if (!kv)
        return true;
    if (kv->type != GGUF_ARRAY || (kv->elem_type != GGUF_U8 && kv->elem_type != GGUF_I8))
        return err_set(err, ERR_INPUT, "key '%s' is no array of bytes", kv->key);
    const uint8_t *p = kv->data;
    const uint32_t n = kv->n_bytes >= 4 ? p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24 : 0;
    if (kv->n_bytes < 4 || n > kv->n_bytes - 4)
        return err_set(err, ERR_INPUT, "key '%s': its trie of %u bytes does not fit into %zu", kv->key, n, kv->n_bytes);
    v->charsmap = (struct charsmap){ p + 4, n / 4, (const char *)p + 4 + n, kv->n_bytes - 4 - n };
    return true;
}

/* ---- normalize ---- */

struct text { /* the normalized text in the making, in scratch->word */
    const struct tokenize *t;
    size_t len;
    bool has_prefix, in_word;
};

static uint32_t unit(const struct charsmap *m, uint32_t i)
{
    if (i >= m->n_units)
        return 0;
    const uint8_t *p = m->trie + 4 * (size_t)i;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t unit_base(uint32_t u) { return (u >> 10) << ((u & 1u << 9) >> 6); }

/* The replacement of the longest prefix that has one; 0: none. */
static size_t find_replacement(const struct charsmap *m, const char *s, size_t n, const char **put, size_t *n_put)
{
    size_t best = 0;
    uint32_t value = 0, at = unit_base(unit(m, 0));
    for (size_t i = 0; m->n_units > 0 && i < n && i < PREFIX_BYTES_MAX && s[i]; i++) {
        const unsigned char c = (unsigned char)s[i];
        at ^= c;
        const uint32_t u = unit(m, at);
        if ((u & (1u << 31 | 0xff)) != c)
            break;
        at ^= unit_base(u);
        if (u >> 8 & 1)
            best = i + 1, value = unit(m, at) & 0x7fffffffu;
    }
    if (best == 0 || value >= m->n_bytes)
        return 0;
    *put = m->replacement + value;
    const char *end = memchr(*put, 0, m->n_bytes - value);
    if (!end)
        return 0;
    *n_put = (size_t)(end - *put);
    return best;
}

static bool put_bytes(struct text *x, const char *s, size_t n)
{
    if (x->len + n > (size_t)TOKEN_TEXT_MAX_BYTES * 2)
        return err_set(x->t->err, ERR_LIMIT, "the normalized text is too long");
    if (!SCRATCH(x->t->s, word, x->len + n, x->t->err))
        return false;
    memcpy(x->t->s->word + x->len, s, n);
    x->len += n;
    return true;
}

static bool put_space(struct text *x) { return put_bytes(x, "\xe2\x96\x81", 3); }

static bool put_normalized(struct text *x, const char *s, size_t n)
{
    const struct vocab *v = x->t->v;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == ' ') {
            x->in_word = false;
            if (!v->merge_spaces && !put_space(x))
                return false;
            continue;
        }
        if (!x->in_word) {
            x->in_word = true;
            if (((v->space_prefix && !x->has_prefix) || v->merge_spaces) && !put_space(x))
                return false;
            x->has_prefix = true;
        }
        if (!put_bytes(x, s + i, 1))
            return false;
    }
    return true;
}

static bool normalize(struct text *x, const char *s, size_t n)
{
    const struct vocab *v = x->t->v;
    for (size_t i = 0, taken; i < n; i += taken) {
        const char *put = s + i;
        size_t n_put = 0;
        int32_t id;
        uint32_t cp;
        if ((taken = n_put = special_longest(&v->user_defined, v, s + i, n - i, &id)) == 0 &&
            (taken = find_replacement(&v->charsmap, s + i, n - i, &put, &n_put)) == 0 &&
            (taken = n_put = utf8_decode(s + i, n - i, &cp)) == 0)
            put = "\xef\xbf\xbd", n_put = 3, taken = 1;
        if (!put_normalized(x, put, n_put))
            return false;
    }
    return true;
}

/* ---- tokenize ---- */

/* A better way to step[to]? */
static void offer(struct step *step, size_t from, size_t to, int32_t id, double score)
{
    const double sum = step[from].score + score;
    if (sum > step[to].score)
        step[to] = (struct step){ sum, (uint32_t)from, id };
}

static bool find_best_path(const struct tokenize *t, size_t n)
{
    struct token_scratch *s = t->s;
    const struct vocab *v = t->v;
    if (!SCRATCH(s, step, n + 1, t->err) || !SCRATCH(s, hash, n + 1, t->err))
        return false;
    const size_t longest = v->tokens.longest < TRIED_BYTES_MAX ? v->tokens.longest : TRIED_BYTES_MAX;
    s->hash[0] = 0;
    for (size_t i = 0; i < n; i++)
        s->hash[i + 1] = hasher_add(&v->hasher, s->hash[i], (unsigned char)s->word[i]);
    for (size_t i = 0; i <= n; i++)
        s->step[i] = (struct step){ i ? -HUGE_VAL : 0.0, 0, v->role[VOCAB_UNK] };
    for (size_t i = 0, n_char; i < n; i += n_char) {
        uint32_t cp;
        if ((n_char = utf8_decode(s->word + i, n - i, &cp)) == 0)
            n_char = 1;
        bool is_token = false; /* the character alone */
        for (size_t len = n_char; i + len <= n && len <= longest;) {
            const uint64_t hash = s->hash[i + len] - s->hash[i] * v->hasher.power[len];
            if (!may_be_prefix(v, hash))
                break;
            const int32_t id = strings_find(&v->tokens, hash, s->word + i, len);
            if (id >= 0 && is_candidate(v, id)) {
                is_token |= len == n_char;
                offer(s->step, i, i + len, id, has_attr(v, id, ATTR_USER_DEFINED) ? 0.0 : (double)vocab_score(v, id));
            }
            const size_t next = i + len < n ? utf8_decode(s->word + i + len, n - i - len, &cp) : 0;
            len += next ? next : 1;
        }
        if (!is_token)
            offer(s->step, i, i + n_char, v->role[VOCAB_UNK], (double)v->unknown_score);
    }
    return true;
}

bool ugm_tokenize(const struct tokenize *t, const char *text, size_t n)
{
    struct text x = { .t = t };
    if (!clean_text(t, &text, &n, false) || !normalize(&x, text, n))
        return false;
    if (x.len == 0)
        return true;
    if (!find_best_path(t, x.len))
        return false;
    /* From the end to the start, then turned round; neighbours without a token share one UNK. */
    const size_t first = t->out->len;
    const int32_t unk = t->v->role[VOCAB_UNK];
    bool after_unk = false;
    for (size_t at = x.len; at > 0; at = t->s->step[at].from) {
        const int32_t id = t->s->step[at].id;
        if (id != TOKEN_NONE && !(after_unk && id == unk) && !emit(t, id))
            return false;
        after_unk = id == unk;
    }
    for (size_t a = first, b = t->out->len; a + 1 < b; a++) {
        const int32_t id = t->out->ids[--b];
        t->out->ids[b] = t->out->ids[a];
        t->out->ids[a] = id;
    }
    return true;
}
