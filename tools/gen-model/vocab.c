/* gen-model/vocab.c - a made-up vocabulary of the real size: byte-level BPE over pronounceable ASCII words.
 *
 * Only printable ASCII, space, tab and newline are in it: whatever a model of random weights says is valid
 * text (random bytes break the servers of others).  Each token but the single characters is the merge of two
 * earlier ones, so the merge list is as long as in real files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"

enum { TYPE_NORMAL = 1, TYPE_CONTROL = 3, TYPE_UNUSED = 5, LETTERS_MAX = 12 };

/* GPT-2's alphabet writes these bytes as letters above U+0100. */
static const char *const white[] = { "\xc4\xa0" /* space */, "\xc4\x8a" /* newline */, "\xc4\x89" /* tab */ };

struct vocab {
    struct rng rng;
    struct gguf_str *tokens, *merges; /* [n_vocab]; their text in `text` */
    int32_t *types;
    int n_tokens, n_merges, n_vocab;
    int *pieces, n_pieces;   /* tokens that words are made of */
    int *starts, n_starts;   /* those of them that begin with a space */
    int *slots, n_slots;     /* hash set of tokens */
    char *text;
    size_t n_text;
};

static int *find_slot(struct vocab *v, const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
    int i = (int)(h % (uint64_t)v->n_slots);
    for (; v->slots[i]; i = (i + 1) % v->n_slots) {
        const struct gguf_str *t = &v->tokens[v->slots[i] - 1];
        if (t->len == n && memcmp(t->data, s, n) == 0)
            break;
    }
    return &v->slots[i];
}

static const char *keep(struct vocab *v, const char *s, size_t n)
{
    char *p = memcpy(v->text + v->n_text, s, n);
    v->n_text += n;
    return p;
}

static void add(struct vocab *v, const char *s, size_t n, int type)
{
    int *slot = find_slot(v, s, n);
    v->tokens[v->n_tokens] = (struct gguf_str){ keep(v, s, n), n };
    v->types[v->n_tokens++] = type;
    *slot = v->n_tokens;
}

static bool add_merge(struct vocab *v, int a, int b)
{
    char word[64];
    const struct gguf_str x = v->tokens[a], y = v->tokens[b];
    if (x.len + y.len > LETTERS_MAX + 2)
        return false;
    memcpy(word, x.data, x.len);
    memcpy(word + x.len, y.data, y.len);
    if (*find_slot(v, word, x.len + y.len))
        return false;
    add(v, word, x.len + y.len, TYPE_NORMAL);
    word[x.len] = ' ';
    memcpy(word + x.len + 1, y.data, y.len);
    v->merges[v->n_merges++] = (struct gguf_str){ keep(v, word, x.len + y.len + 1), x.len + y.len + 1 };
    if ((uint8_t)x.data[0] == 0xc4)
        v->starts[v->n_starts++] = v->n_tokens - 1;
    else
        v->pieces[v->n_pieces++] = v->n_tokens - 1;
    return true;
}

static void add_specials(struct vocab *v, const struct shape *s)
{
    char name[48];
    for (int i = 0; i < s->n_special; i++) {
        snprintf(name, sizeof(name), "<|reserved_special_token_%d|>", i);
        const char *text = s->special[i] ? s->special[i] : name;
        add(v, text, strlen(text), TYPE_CONTROL);
    }
}

static void make(struct vocab *v, const struct shape *s)
{
    static const char vowels[] = "aeiou", consonants[] = "tnsrlhdmcpbgkfvwyzjxq";
    const int n_normal_end = s->special_at > 0 ? s->special_at : s->n_vocab;
    if (s->special_at == 0)
        add_specials(v, s);
    for (char c = '!'; c <= '~'; c++)
        add(v, &c, 1, TYPE_NORMAL);
    for (int i = 0; i < 3; i++)
        add(v, white[i], 2, TYPE_NORMAL);
    const int first = s->special_at == 0 ? s->n_special : 0, space = first + '~' - '!' + 1;
    for (const char *c = consonants; *c; c++)
        for (const char *w = vowels; *w && v->n_tokens < n_normal_end; w++)
            add_merge(v, first + *c - '!', first + *w - '!');
    for (int i = 0, n = v->n_pieces; i < n && v->n_tokens < n_normal_end; i++)
        add_merge(v, space, v->pieces[i]);
    while (v->n_tokens < n_normal_end) { /* words grow by syllables; a quarter of the tries starts a word */
        const int b = v->pieces[rng_u64(&v->rng) % (uint64_t)v->n_pieces];
        const int a = rng_u64(&v->rng) % 4 ? v->starts[rng_u64(&v->rng) % (uint64_t)v->n_starts]
                                           : v->pieces[rng_u64(&v->rng) % (uint64_t)v->n_pieces];
        add_merge(v, a, b);
    }
    if (s->special_at > 0)
        add_specials(v, s);
    while (v->n_tokens < s->n_vocab) {
        char name[32];
        snprintf(name, sizeof(name), "[PAD%d]", v->n_tokens);
        add(v, name, strlen(name), TYPE_UNUSED);
    }
}

bool vocab_write(const struct shape *s, struct gguf_writer *w, struct err *err)
{
    const size_t n = (size_t)s->n_vocab;
    struct vocab v = { .n_vocab = s->n_vocab, .n_slots = s->n_vocab * 2 + 1 };
    bool ok = false;
    rng_seed(&v.rng, 1); /* one vocabulary for each size, whatever the weights' seed */
    v.tokens = calloc(n, sizeof(v.tokens[0]));
    v.merges = calloc(n, sizeof(v.merges[0]));
    v.types = calloc(n, sizeof(v.types[0]));
    v.pieces = calloc(n, sizeof(v.pieces[0]));
    v.starts = calloc(n, sizeof(v.starts[0]));
    v.slots = calloc((size_t)v.n_slots, sizeof(v.slots[0]));
    v.text = malloc(n * 64);
    if (v.tokens && v.merges && v.types && v.pieces && v.starts && v.slots && v.text) {
        make(&v, s);
        gguf_write_str(w, "tokenizer.ggml.model", "gpt2");
        gguf_write_str(w, "tokenizer.ggml.pre", s->pre);
        gguf_write_strs(w, "tokenizer.ggml.tokens", v.tokens, n);
        gguf_write_i32s(w, "tokenizer.ggml.token_type", v.types, n);
        gguf_write_strs(w, "tokenizer.ggml.merges", v.merges, (size_t)v.n_merges);
        ok = true;
    } else {
        err_set(err, ERR_NOMEM, "out of memory for the vocabulary");
    }
    free(v.tokens), free(v.merges), free(v.types), free(v.pieces), free(v.starts), free(v.slots), free(v.text);
    return ok;
}
