/* token/tokenize.c - the way of a text: special tokens are found first, what lies between goes to the
 * vocabulary's algorithm, BOS and EOS come around it.  Start reading at vocab_tokenize(). */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "token/token_internal.h"

/* ---- lists and scratch ---- */

void token_list_init(struct token_list *l, size_t max) { *l = (struct token_list){ .max = max }; }

void token_list_fini(struct token_list *l)
{
    struct token_scratch *s = l->scratch;
    if (s) {
        free(s->symbol), free(s->heap), free(s->span), free(s->limit), free(s->clean), free(s->word);
        free(s->hash), free(s->step), free(s);
    }
    free(l->ids);
    *l = (struct token_list){ 0 };
}

bool token_list_push(struct token_list *l, int32_t id, struct err *err)
{
    if (l->len == l->cap) {
        if (l->len >= l->max)
            return err_set(err, ERR_LIMIT, "the text has more than %zu tokens", l->max);
        size_t cap = l->cap ? 2 * l->cap : 64;
        if (cap > l->max)
            cap = l->max;
        int32_t *ids = realloc(l->ids, cap * sizeof(*ids));
        if (!ids)
            return err_set(err, ERR_NOMEM, "out of memory");
        l->ids = ids, l->cap = cap;
    }
    l->ids[l->len++] = id;
    return true;
}

bool scratch_reserve(void **array, size_t *cap, size_t n, size_t item_bytes, struct err *err)
{
    if (n <= *cap)
        return true;
    const size_t want = n + n / 2 + 64; /* n is at most some multiple of TOKEN_TEXT_MAX_BYTES: no overflow */
    void *p = realloc(*array, want * item_bytes);
    if (!p)
        return err_set(err, ERR_NOMEM, "out of memory");
    *array = p, *cap = want;
    return true;
}

bool clean_text(const struct tokenize *t, const char **text, size_t *n, bool escape_spaces)
{
    if (!escape_spaces && utf8_is_valid(*text, *n))
        return true;
    if (!SCRATCH(t->s, clean, 3 * *n, t->err))
        return false;
    char *out = t->s->clean;
    size_t len = 0;
    for (size_t i = 0; i < *n;) {
        uint32_t cp = 0;
        const size_t n_char = utf8_decode(*text + i, *n - i, &cp);
        const bool is_space = escape_spaces && n_char > 0 && cp == ' ';
        const size_t n_put = n_char == 0 || is_space ? 3 : n_char;
        memcpy(out + len, n_char == 0 ? "\xef\xbf\xbd" : is_space ? "\xe2\x96\x81" : *text + i, n_put);
        len += n_put;
        i += n_char ? n_char : 1;
    }
    *text = out, *n = len;
    return true;
}

bool emit_byte(const struct tokenize *t, unsigned char byte)
{
    const int32_t id = t->v->byte_token[byte] != TOKEN_NONE ? t->v->byte_token[byte] : t->v->role[VOCAB_UNK];
    return id == TOKEN_NONE || emit(t, id);
}

/* ---- the way of a text ---- */

static bool tokenize_plain(const struct tokenize *t, const char *text, size_t n, bool after_special)
{
    if (n == 0)
        return true;
    switch (t->v->kind) {
    case VOCAB_SPM: return spm_tokenize(t, text, n, t->v->space_prefix && after_special);
    case VOCAB_BPE: return bpe_tokenize(t, text, n);
    case VOCAB_WPM: return wpm_tokenize(t, text, n);
    case VOCAB_UGM: return ugm_tokenize(t, text, n);
    case VOCAB_KIND_COUNT: break;
    }
    return err_set(t->err, ERR_INTERNAL, "no such tokenizer");
}

static bool is_c_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool tokenize_all(const struct tokenize *t, const char *text, size_t n, unsigned flags)
{
    const struct vocab *v = t->v;
    size_t n_spans, at = 0;
    if (!special_find(t, flags & TOKEN_PARSE_SPECIAL ? &v->special : &v->user_defined, text, n, &n_spans))
        return false;
    for (size_t i = 0; i <= n_spans; i++) {
        /* The span that ended the last stretch, if any, and the one that ends this. */
        const struct span *before = i > 0 ? &t->s->span[i - 1] : NULL, *behind = i < n_spans ? &t->s->span[i] : NULL;
        size_t end = behind ? behind->at : n;
        while (before && has_attr(v, before->id, ATTR_STRIPS_RIGHT) && at < end && is_c_space(text[at]))
            at++;
        while (behind && behind->id == v->strips_left && end > at && is_c_space(text[end - 1]))
            end--;
        if (!tokenize_plain(t, text + at, end - at, true) || (behind && !emit(t, behind->id)))
            return false;
        at = behind ? behind->at + behind->n_bytes : n;
    }
    return true;
}

static bool emit_role(const struct tokenize *t, enum vocab_role role)
{
    return t->v->role[role] == TOKEN_NONE || emit(t, t->v->role[role]);
}

bool vocab_tokenize(const struct vocab *v, const char *text, size_t n, unsigned flags, struct token_list *out,
                    struct err *err)
{
    const size_t before = out->len;
    if (n > TOKEN_TEXT_MAX_BYTES)
        return err_set(err, ERR_LIMIT, "the text has %zu bytes, %d are the most", n, (int)TOKEN_TEXT_MAX_BYTES);
    if (!out->scratch && !(out->scratch = calloc(1, sizeof(*out->scratch))))
        return err_set(err, ERR_NOMEM, "out of memory");
    const struct tokenize t = { v, out, out->scratch, err };
    const bool add = flags & TOKEN_ADD_SPECIAL;
    const bool ok = (!add || !v->add_bos || emit_role(&t, VOCAB_BOS)) && tokenize_all(&t, text, n, flags) &&
                    (!add || !v->add_eos || emit_role(&t, v->kind == VOCAB_WPM ? VOCAB_SEP : VOCAB_EOS));
    if (!ok)
        out->len = before;
    return ok;
}
