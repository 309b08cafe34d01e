/* task/whisper_vocab.c - see whisper_vocab.h; start at whisper_vocab_parse(). */
#include "task/whisper_vocab.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"

enum { FILE_BYTES_MAX = 64 << 20, TOKEN_BYTES_MAX = 1024 };

/* GPT-2 writes each byte as a visible character: itself where Latin-1 has one, else U+0100 and up in order.  -1: none. */
static int byte_of(uint32_t cp)
{
    static const uint8_t gap[] = { 0, 33, 127, 161, 173, 174 }; /* [from, to) pairs of bytes that are moved up */
    if ((cp >= 33 && cp < 127) || (cp >= 161 && cp < 256 && cp != 173))
        return (int)cp;
    if (cp < 256)
        return -1;
    int left = (int)cp - 256;
    for (size_t i = 0; i < sizeof(gap); i += 2) {
        const int width = gap[i + 1] - gap[i];
        if (left < width)
            return gap[i] + left;
        left -= width;
    }
    return -1;
}

/* A token's spelling to its bytes; what is no such spelling (an added token) is taken as it is. */
static size_t bytes_of(const char *text, size_t n, char *out)
{
    size_t k = 0;
    for (size_t at = 0; at < n && k < TOKEN_BYTES_MAX;) {
        uint32_t cp;
        const size_t len = utf8_decode(text + at, n - at, &cp);
        const int b = len ? byte_of(cp) : -1;
        if (b < 0) {
            k = n < TOKEN_BYTES_MAX ? n : TOKEN_BYTES_MAX;
            memcpy(out, text, k);
            return k;
        }
        out[k++] = (char)b;
        at += len;
    }
    return k;
}

struct spelling {
    const char *text;
    size_t n;
    bool is_special;
};

static bool read_entry(struct spelling *s, int *n, json_int_t id, const char *text, size_t len, bool is_special)
{
    if (id < 0 || id >= WHISPER_VOCAB_MAX)
        return false;
    s[id] = (struct spelling){ text, len, is_special };
    if ((int)id >= *n)
        *n = (int)id + 1;
    return true;
}

static void read_map(struct spelling *s, int *n, json_t *map, bool is_special)
{
    const char *text;
    json_t *id;
    json_object_foreach(map, text, id)
        if (json_is_integer(id))
            read_entry(s, n, json_integer_value(id), text, strlen(text), is_special || (text[0] == '<' && text[1] == '|'));
}

static void read_added(struct spelling *s, int *n, json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *t = json_array_get(list, i), *content = json_object_get(t, "content");
        if (json_is_string(content) && json_is_integer(json_object_get(t, "id")))
            read_entry(s, n, json_integer_value(json_object_get(t, "id")), json_string_value(content), json_string_length(content),
                       json_string_value(content)[0] == '<');
    }
}

/* "<|en|>": two or three lower-case letters ("yue", "haw", "jw"). */
static bool is_language(const struct spelling *s)
{
    if (s->n < 6 || s->n > 7 || memcmp(s->text, "<|", 2) != 0 || memcmp(s->text + s->n - 2, "|>", 2) != 0)
        return false;
    for (size_t i = 2; i < s->n - 2; i++)
        if (s->text[i] < 'a' || s->text[i] > 'z')
            return false;
    return true;
}

static int find_spelling(const struct spelling *s, int n, const char *text)
{
    const size_t len = strlen(text);
    for (int i = 0; i < n; i++)
        if (s[i].n == len && memcmp(s[i].text, text, len) == 0)
            return i;
    return -1;
}

static bool keep_tokens(struct whisper_vocab *v, const struct spelling *s, struct err *err)
{
    char bytes[TOKEN_BYTES_MAX];
    struct buf all;
    v->offset = calloc((size_t)v->n + 1, sizeof(*v->offset));
    v->suppress = calloc((size_t)v->n, 1);
    if (!v->offset || !v->suppress)
        return err_set(err, ERR_NOMEM, "tokenizer: no memory for %d tokens", v->n);
    buf_init(&all, FILE_BYTES_MAX);
    buf_putc(&all, ' '); /* never empty */
    for (int i = 0; i < v->n; i++) {
        v->offset[i] = (uint32_t)all.len;
        if (s[i].text && !s[i].is_special)
            buf_append(&all, bytes, bytes_of(s[i].text, s[i].n, bytes));
    }
    v->offset[v->n] = (uint32_t)all.len;
    v->bytes = all.data; /* taken over */
    return buf_ok(&all, "tokenizer", err);
}

static void find_specials(struct whisper_vocab *v, const struct spelling *s)
{
    v->eot = find_spelling(s, v->n, "<|endoftext|>");
    v->sot = find_spelling(s, v->n, "<|startoftranscript|>");
    v->sot_prev = find_spelling(s, v->n, "<|startofprev|>");
    v->transcribe = find_spelling(s, v->n, "<|transcribe|>");
    v->translate = find_spelling(s, v->n, "<|translate|>");
    v->no_timestamps = find_spelling(s, v->n, "<|notimestamps|>");
    v->no_speech = find_spelling(s, v->n, "<|nospeech|>");
    if (v->no_speech < 0)
        v->no_speech = find_spelling(s, v->n, "<|nocaptions|>");
    v->timestamp_0 = find_spelling(s, v->n, "<|0.00|>");
    if (v->timestamp_0 < 0 && v->no_timestamps >= 0)
        v->timestamp_0 = v->no_timestamps + 1; /* older files do not list them */
    for (int i = 0; i < v->n && v->n_languages < WHISPER_LANGUAGES_MAX; i++)
        if (s[i].text && is_language(&s[i])) {
            v->languages[v->n_languages].id = i;
            snprintf(v->languages[v->n_languages++].code, sizeof(v->languages[0].code), "%.*s", (int)s[i].n - 4, s[i].text + 2);
        }
    v->is_multilingual = v->n_languages > 1 && v->transcribe >= 0;
}

static void suppress(struct whisper_vocab *v, int id, int how)
{
    if (id >= 0 && id < v->n)
        v->suppress[id] |= (uint8_t)how;
}

/* Signs that stand for no sound.  Source: openai/whisper, tokenizer.py, non_speech_tokens(). */
static void suppress_signs(struct whisper_vocab *v)
{
    static const char *const signs[] = {
        "\"", "#", "(", ")", "*", "+", "/", ":", ";", "<", "=", ">", "@", "[", "\\", "]", "^", "_", "`", "{", "|", "}", "~",
        "\xe3\x80\x8c", "\xe3\x80\x8d", "\xe3\x80\x8e", "\xe3\x80\x8f", "<<", ">>", "<<<", ">>>", "--", "---", "-(", "-[", "('", "(\"",
        "((", "))", "(((", ")))", "[[", "]]", "{{", "}}", "\xe2\x99\xaa\xe2\x99\xaa", "\xe2\x99\xaa\xe2\x99\xaa\xe2\x99\xaa",
        "\xe2\x99", /* the first token of notes and accidentals, U+2669 .. U+266F */
    };
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        char spaced[16];
        const int n = snprintf(spaced, sizeof(spaced), " %s", signs[i]);
        suppress(v, whisper_vocab_find(v, spaced, (size_t)n), WHISPER_NEVER);
        suppress(v, whisper_vocab_find(v, spaced + 1, (size_t)n - 1), WHISPER_NEVER);
    }
    suppress(v, whisper_vocab_find(v, " -", 2), WHISPER_NEVER);
    suppress(v, whisper_vocab_find(v, " '", 2), WHISPER_NEVER);
}

static void read_config(struct whisper_vocab *v, json_t *config)
{
    json_t *list = json_object_get(config, "suppress_tokens"), *first = json_object_get(config, "begin_suppress_tokens");
    json_t *multilingual = json_object_get(config, "is_multilingual"), *id = json_object_get(config, "no_timestamps_token_id");
    if (json_array_size(list) > 0)
        for (size_t i = 0; i < json_array_size(list); i++)
            suppress(v, (int)json_integer_value(json_array_get(list, i)), json_is_integer(json_array_get(list, i)) ? WHISPER_NEVER : 0);
    else
        suppress_signs(v);
    for (size_t i = 0; i < json_array_size(first); i++)
        suppress(v, (int)json_integer_value(json_array_get(first, i)), json_is_integer(json_array_get(first, i)) ? WHISPER_NOT_FIRST : 0);
    if (json_is_boolean(multilingual))
        v->is_multilingual = json_is_true(multilingual) && v->n_languages > 0;
    if (v->no_timestamps < 0 && json_is_integer(id) && json_integer_value(id) > 0 && json_integer_value(id) < v->n) {
        v->no_timestamps = (int)json_integer_value(id);
        v->timestamp_0 = v->timestamp_0 < 0 ? v->no_timestamps + 1 : v->timestamp_0;
    }
    /* whatever a file says: no token before the timestamps but text and the end */
    for (int i = v->eot + 1; i < v->n && (v->timestamp_0 < 0 || i < v->timestamp_0); i++)
        suppress(v, i, WHISPER_NEVER);
    suppress(v, v->eot, WHISPER_NOT_FIRST);
    suppress(v, whisper_vocab_find(v, " ", 1), WHISPER_NOT_FIRST);
    v->suppress[v->eot] &= (uint8_t)~WHISPER_NEVER; /* it must be able to end */
}

static json_t *load(const char *text, size_t n, const char *what, struct err *err)
{
    json_error_t e;
    json_t *j = json_loadb(text, n, 0, &e);
    if (!j)
        err_set(err, ERR_INPUT, "%s: line %d column %d: %s", what, e.line, e.column, e.text);
    return j;
}

bool whisper_vocab_parse(struct whisper_vocab *v, const char *tokenizer, size_t n_tokenizer, const char *added, size_t n_added,
                         const char *config, size_t n_config, struct err *err)
{
    json_t *t = load(tokenizer, n_tokenizer, "tokenizer", err), *a = NULL, *c = NULL;
    struct spelling *s = NULL;
    bool good = t && (!added || (a = load(added, n_added, "added tokens", err))) && (!config || (c = load(config, n_config, "generation config", err)));
    *v = (struct whisper_vocab){ 0 };
    if (good && !(s = calloc(WHISPER_VOCAB_MAX, sizeof(*s))))
        good = err_set(err, ERR_NOMEM, "tokenizer: no memory");
    if (good) {
        json_t *model = json_object_get(t, "model");
        if (model) {
            read_map(s, &v->n, json_object_get(model, "vocab"), false);
            read_added(s, &v->n, json_object_get(t, "added_tokens"));
        } else {
            read_map(s, &v->n, t, false);
        }
        read_map(s, &v->n, a, true);
        good = v->n > 0 || err_set(err, ERR_INPUT, "tokenizer: holds no vocabulary");
    }
    good = good && keep_tokens(v, s, err);
    if (good) {
        find_specials(v, s);
        if (v->eot < 0 || v->sot < 0 || v->timestamp_0 > v->n)
            good = err_set(err, ERR_INPUT, "tokenizer: has no <|startoftranscript|> and <|endoftext|>%s",
                           added ? "" : " (a vocab.json wants added_tokens.json as `added_tokens`)");
        else
            read_config(v, c);
    }
    free(s);
    json_decref(t), json_decref(a), json_decref(c);
    return good;
}

bool whisper_vocab_read(struct whisper_vocab *v, const char *tokenizer, const char *added, const char *config, struct err *err)
{
    const char *const paths[3] = { tokenizer, added, config };
    char *text[3] = { NULL };
    size_t n[3] = { 0 };
    bool good = true;
    *v = (struct whisper_vocab){ 0 };
    for (int i = 0; good && i < 3; i++)
        if (paths[i] && *paths[i])
            good = (text[i] = file_read(paths[i], FILE_BYTES_MAX, &n[i], err)) != NULL;
    good = good && (whisper_vocab_parse(v, text[0], n[0], text[1], n[1], text[2], n[2], err) || err_prefix(err, "%s", tokenizer));
    for (int i = 0; i < 3; i++)
        free(text[i]);
    return good;
}

void whisper_vocab_fini(struct whisper_vocab *v)
{
    free(v->offset), free(v->bytes), free(v->suppress);
    *v = (struct whisper_vocab){ 0 };
}

int whisper_vocab_find(const struct whisper_vocab *v, const char *bytes, size_t n)
{
    for (int i = 0; i < v->n; i++)
        if (v->offset[i + 1] - v->offset[i] == n && n > 0 && memcmp(v->bytes + v->offset[i], bytes, n) == 0)
            return i;
    return -1;
}

int whisper_vocab_language(const struct whisper_vocab *v, const char *code)
{
    for (int i = 0; i < v->n_languages; i++)
        if (strcmp(v->languages[i].code, code) == 0)
            return v->languages[i].id;
    return -1;
}

const char *whisper_vocab_code(const struct whisper_vocab *v, int id)
{
    for (int i = 0; i < v->n_languages; i++)
        if (v->languages[i].id == id)
            return v->languages[i].code;
    return NULL;
}

void whisper_vocab_put(const struct whisper_vocab *v, int id, struct buf *out)
{
    if (id >= 0 && id < v->n)
        buf_append(out, v->bytes + v->offset[id], v->offset[id + 1] - v->offset[id]);
}

int whisper_vocab_encode(const struct whisper_vocab *v, const char *text, size_t n, int64_t *ids, int n_max)
{
    int k = 0;
    for (size_t at = 0; at < n && k < n_max;) {
        int best = -1;
        size_t best_n = 0;
        for (int i = 0; i < v->n; i++) {
            const size_t len = v->offset[i + 1] - v->offset[i];
            if (len > best_n && len <= n - at && memcmp(v->bytes + v->offset[i], text + at, len) == 0)
                best = i, best_n = len;
        }
        if (best >= 0)
            ids[k++] = best;
        at += best_n ? best_n : 1; /* a byte that no token has is left out */
    }
    return k;
}
