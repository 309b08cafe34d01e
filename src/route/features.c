/* route/features.c - the one pass over a request's text; start at features_read(). */
#include "route/features.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "media/image.h"
#include "media/sound.h"
#include "route/scan_internal.h"
#include "route/secret.h"

enum feature_medium features_sniff(const void *bytes, size_t n_bytes)
{
    const unsigned char *s = bytes;
    if (image_sniff(bytes, n_bytes) != IMAGE_UNKNOWN)
        return MEDIUM_PICTURE;
    if (n_bytes >= 12 && memcmp(s, "RIFF", 4) == 0 && memcmp(s + 8, "AVI ", 4) == 0)
        return MEDIUM_VIDEO;
    if (n_bytes >= 12 && memcmp(s + 4, "ftyp", 4) == 0) { /* ISO/IEC 14496-12 */
        if (memcmp(s + 8, "M4A ", 4) == 0 || memcmp(s + 8, "M4B ", 4) == 0)
            return MEDIUM_SOUND;
        if (memcmp(s + 8, "heic", 4) == 0 || memcmp(s + 8, "heix", 4) == 0 || memcmp(s + 8, "mif1", 4) == 0 || memcmp(s + 8, "avif", 4) == 0)
            return MEDIUM_PICTURE;
        return MEDIUM_VIDEO;
    }
    if (n_bytes >= 4 && memcmp(s, "\x1a\x45\xdf\xa3", 4) == 0) /* Matroska, WebM */
        return MEDIUM_VIDEO;
    if (n_bytes >= 6 && (memcmp(s, "GIF87a", 6) == 0 || memcmp(s, "GIF89a", 6) == 0))
        return MEDIUM_PICTURE;
    if (n_bytes >= 4 && (memcmp(s, "II*\0", 4) == 0 || memcmp(s, "MM\0*", 4) == 0))
        return MEDIUM_PICTURE;
    if (n_bytes >= 5 && memcmp(s, "%PDF-", 5) == 0)
        return MEDIUM_PDF;
    if (n_bytes >= 6 && memcmp(s, "#!AMR\n", 6) == 0)
        return MEDIUM_SOUND;
    return sound_sniff(bytes, n_bytes) != SOUND_UNKNOWN ? MEDIUM_SOUND : MEDIUM_UNKNOWN;
}

/* ORDER FEATURE_CODE */
static const char *const code_names[CODE_COUNT] = { "none", "c", "python", "javascript", "java", "go", "rust", "shell", "sql", "html", "php", "ruby", "other" };
const char *features_code_name(enum feature_code code) { return (unsigned)code < CODE_COUNT ? code_names[code] : "none"; }

/* What a fence's tag means. */
static const struct {
    const char *tag;
    enum feature_code code;
} tags[] = {
    { "python", CODE_PYTHON }, { "py", CODE_PYTHON }, { "javascript", CODE_JS }, { "typescript", CODE_JS }, { "js", CODE_JS }, { "ts", CODE_JS },
    { "jsx", CODE_JS }, { "tsx", CODE_JS }, { "java", CODE_JAVA }, { "kotlin", CODE_JAVA }, { "cpp", CODE_C }, { "c++", CODE_C }, { "c", CODE_C }, { "h", CODE_C },
    { "go", CODE_GO }, { "golang", CODE_GO }, { "rust", CODE_RUST }, { "rs", CODE_RUST }, { "bash", CODE_SHELL }, { "sh", CODE_SHELL }, { "shell", CODE_SHELL },
    { "zsh", CODE_SHELL }, { "sql", CODE_SQL }, { "html", CODE_HTML }, { "xml", CODE_HTML }, { "php", CODE_PHP }, { "ruby", CODE_RUBY }, { "rb", CODE_RUBY },
};
/* How lines of code begin.  Only what prose does not begin with. */
static const struct {
    const char *start;
    enum feature_code code;
} starts[] = {
    { "#include", CODE_C }, { "#define", CODE_C }, { "#ifdef", CODE_C }, { "#ifndef", CODE_C }, { "#endif", CODE_C }, { "int main", CODE_C }, { "struct ", CODE_C },
    { "static ", CODE_C }, { "void ", CODE_C }, { "std::", CODE_C }, { "using namespace", CODE_C }, { "template<", CODE_C }, { "unsigned ", CODE_C },
    { "def ", CODE_PYTHON }, { "elif ", CODE_PYTHON }, { "import ", CODE_PYTHON }, { "print(", CODE_PYTHON },
    { "self.", CODE_PYTHON }, { "@property", CODE_PYTHON }, { "Traceback (most", CODE_PYTHON }, { "async def", CODE_PYTHON },
    { "function ", CODE_JS }, { "const ", CODE_JS }, { "var ", CODE_JS }, { "console.", CODE_JS }, { "export ", CODE_JS }, { "=> {", CODE_JS },
    { "public class", CODE_JAVA }, { "public static", CODE_JAVA }, { "import java", CODE_JAVA }, { "System.out", CODE_JAVA }, { "@Override", CODE_JAVA },
    { "func ", CODE_GO }, { "package ", CODE_GO }, { "fmt.", CODE_GO }, { "defer ", CODE_GO },
    { "fn ", CODE_RUST }, { "pub fn", CODE_RUST }, { "let mut", CODE_RUST }, { "impl ", CODE_RUST }, { "use std", CODE_RUST }, { "println!", CODE_RUST }, { "#[derive", CODE_RUST },
    { "#!/bin/", CODE_SHELL }, { "#!/usr/bin/env bash", CODE_SHELL }, { "sudo ", CODE_SHELL }, { "apt-get ", CODE_SHELL }, { "echo ", CODE_SHELL }, { "grep ", CODE_SHELL }, { "$ ", CODE_SHELL },
    { "SELECT ", CODE_SQL }, { "INSERT INTO", CODE_SQL }, { "CREATE TABLE", CODE_SQL }, { "UPDATE ", CODE_SQL }, { "DELETE FROM", CODE_SQL }, { "select * from", CODE_SQL },
    { "<html", CODE_HTML }, { "<!DOCTYPE", CODE_HTML }, { "<div", CODE_HTML }, { "<?xml", CODE_HTML }, { "<script", CODE_HTML }, { "</", CODE_HTML },
    { "<?php", CODE_PHP }, { "require ", CODE_RUBY }, { "puts ", CODE_RUBY },
};

struct pass {
    struct features *f;
    const char *s;
    size_t n;
    int votes[CODE_COUNT];
    int n_code_lines, n_full_lines;
    size_t n_letters, n_digits, n_signs, n_wide, n_cjk; /* bytes; of characters of two bytes, of three and four */
    bool in_fence;
};

static bool has(const char *s, size_t n, const char *word)
{
    const size_t len = strlen(word);
    return n >= len && memcmp(s, word, len) == 0;
}
static bool has_nocase(const char *s, size_t n, const char *word)
{
    const size_t len = strlen(word);
    return n >= len && strncasecmp(s, word, len) == 0;
}

/* By a line's first byte: the low five bits of each second byte of starts[]. */
static uint32_t second_of_start[128];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void index_starts(void)
{
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        second_of_start[starts[i].start[0] & 127] |= 1u << (starts[i].start[1] & 31);
}

/* The line s[from..to): is it code, and whose? */
static void end_line(struct pass *p, size_t from, size_t to)
{
    while (from < to && (p->s[from] == ' ' || p->s[from] == '\t'))
        from++;
    while (to > from && (p->s[to - 1] == ' ' || p->s[to - 1] == '\r'))
        to--;
    if (from == to)
        return;
    p->n_full_lines++;
    const char *s = p->s + from;
    const size_t n = to - from;
    const char last = s[n - 1];
    int weight = 0;
    if (has(s, n, "```"))
        return;
    const bool may_start = n > 1 && (second_of_start[s[0] & 127] >> (s[1] & 31) & 1);
    for (size_t i = 0; may_start && i < sizeof(starts) / sizeof(starts[0]); i++)
        if (starts[i].start[0] == s[0] && has(s, n, starts[i].start)) {
            const bool is_word = starts[i].start[strlen(starts[i].start) - 1] == ' '; /* "import a", but "Import duties rose." is prose */
            if (is_word && (last == '.' || last == '?' || last == '!'))
                break;
            p->votes[starts[i].code] += 2;
            weight = 1;
            break;
        }
    if (!weight && (last == ';' || last == '{' || last == '}' || (last == ')' && memchr(s, '(', n) && memchr(s, '=', n)) ||
                    (last == ':' && n > 3 && (has(s, n, "if ") || has(s, n, "for ") || has(s, n, "while ") || has(s, n, "class ") || has(s, n, "else")))))
        weight = 1;
    if (weight && last == ':')
        p->votes[CODE_PYTHON]++;
    p->n_code_lines += weight || p->in_fence;
}

/* s[i] and s[i + 1] are dashes. */
static void dashes(struct pass *p, size_t i)
{
    const char *s = p->s + i;
    const size_t n = p->n - i;
    for (size_t k = 11; has(s, n, "-----BEGIN ") && k + 11 <= n && k < 40; k++)
        p->f->secrets |= memcmp(s + k, "PRIVATE KEY", 11) == 0 ? SECRET_KEY : 0;
}

static void mark(struct pass *p, size_t i, size_t *line)
{
    const char *s = p->s + i;
    const size_t n = p->n - i;
    struct features *f = p->f;
    switch ((unsigned char)s[0]) {
    case '\n':
        end_line(p, *line, i);
        f->n_lines++;
        *line = i + 1;
        break;
    case '`':
        if (has(s, n, "```") && (i == 0 || p->s[i - 1] != '`')) {
            f->n_fences++;
            p->in_fence = !p->in_fence;
            size_t len = 3;
            while (len < n && len < 20 && s[len] > ' ')
                len++;
            for (size_t t = 0; p->in_fence && t < sizeof(tags) / sizeof(tags[0]); t++)
                if (strlen(tags[t].tag) == len - 3 && strncasecmp(tags[t].tag, s + 3, len - 3) == 0)
                    p->votes[tags[t].code] += 8;
            p->votes[CODE_OTHER] += p->in_fence;
        }
        break;
    case '@': f->secrets |= secret_in_address(p->s, p->n, i); break;
    case ':':
        f->has_url |= n > 3 && s[1] == '/' && s[2] == '/' && ((i >= 4 && has_nocase(s - 4, 4, "http")) || (i >= 5 && has_nocase(s - 5, 5, "https")));
        f->secrets |= secret_before_value(p->s, p->n, i);
        break;
    case '=': f->secrets |= secret_before_value(p->s, p->n, i); break;
    case '{':
    case '[': f->has_json |= n > 3 && ((s[1] == '"' || (s[1] == '\n' && memchr(s + 2, '"', n - 2 < 16 ? n - 2 : 16) != NULL)) || (s[0] == '[' && s[1] == '{')); break;
    case '+':
    case '(': f->secrets |= n > 8 ? secret_in_number(s, n) : 0; break;
    default: break;
    }
}

/* Of a block that is not ASCII alone: lengths of characters by their first bytes, and the full stops of Chinese and Japanese. */
static void high_block(struct pass *p, size_t at, uint64_t high)
{
    for (; high; high &= high - 1) {
        const size_t i = at + (size_t)__builtin_ctzll(high);
        const unsigned char c = (unsigned char)p->s[i];
        p->n_cjk += c >= 0xe0;
        p->n_wide += c >= 0xc0 && c < 0xe0;
        if (c != 0xe3 && c != 0xef)
            continue;
        const bool asks = has(p->s + i, p->n - i, "\xef\xbc\x9f");
        p->f->n_questions += asks;
        p->f->n_sentences += asks || has(p->s + i, p->n - i, "\xe3\x80\x82");
    }
}

/* The block of 64 bytes at s + at; what lies behind n is a space. */
static void scan_at(const uint8_t *s, size_t n, size_t at, struct scan_masks *m)
{
    uint8_t last[64];
    if (at + 64 <= n) {
        scan_block(s + at, m);
        return;
    }
    memset(last, ' ', sizeof(last));
    memcpy(last, s + at, at < n ? n - at : 0);
    scan_block(last, m);
}

static void walk(struct pass *p, const char *text, size_t n_bytes)
{
    const uint8_t *s = (const uint8_t *)text;
    struct scan_masks m, next;
    struct features *f = p->f;
    size_t line = 0;
    /* the top bits of the block before */
    uint64_t was_word = 0, was_key = 0, was_dash = 0, was_stop = 0, was_ask = 0;
    p->s = text, p->n = n_bytes;
    scan_at(s, n_bytes, 0, &next);
    for (size_t at = 0; at <= n_bytes; at += 64) {
        m = next;
        scan_at(s, n_bytes, at + 64 <= n_bytes ? at + 64 : n_bytes, &next);
#define AHEAD(mask, k) (m.mask >> (k) | next.mask << (64 - (k)))
        const uint64_t word = m.letter | m.digit, begin = ~(word << 1 | was_word);
        p->n_letters += scan_count(m.letter & ~m.high);
        p->n_signs += scan_count(m.seen & ~word);
        f->n_words += (int)scan_count(m.letter & begin);
        f->n_sentences += (int)scan_count((m.stop << 1 | was_stop) & m.gap);
        if (m.ask | was_ask) {
            const int n = (int)scan_count((m.ask << 1 | was_ask) & (m.gap | m.quote));
            f->n_questions += n, f->n_sentences += n;
        }
        if (m.high)
            high_block(p, at, m.high);
        for (uint64_t bits = m.j & begin; bits; bits &= bits - 1) {
            const size_t i = at + (size_t)__builtin_ctzll(bits);
            f->wants_json |= has_nocase(text + i, n_bytes - i, "json");
        }
        for (uint64_t bits = m.w & AHEAD(w, 1) & AHEAD(w, 2) & begin; bits; bits &= bits - 1) {
            const size_t i = at + (size_t)__builtin_ctzll(bits);
            f->has_url |= has_nocase(text + i, n_bytes - i, "www.");
        }
        /* keys are at least 15 letters, digits, _ and - in a row */
        const uint64_t key = word | m.dash, key_next = next.letter | next.digit | next.dash;
        uint64_t run = key, run_next = key_next;
        for (int k = 1; k <= 4; k *= 2) {
            run &= run >> k | run_next << (64 - k);
            run_next &= run_next >> k;
        }
        run &= run >> 7 | run_next << 57;
        /* accounts: two letters, two digits */
        const uint64_t account = m.letter & AHEAD(letter, 1) & AHEAD(digit, 2) & AHEAD(digit, 3) & begin;
        for (uint64_t bits = (run & ~(key << 1 | was_key)) | account; bits; bits &= bits - 1) {
            const size_t i = at + (size_t)__builtin_ctzll(bits);
            f->secrets |= secret_in_word(text + i, n_bytes - i);
        }
        if (m.digit) {
            p->n_digits += scan_count(m.digit);
            for (uint64_t bits = m.digit & begin & AHEAD(digit, 1) & AHEAD(digit, 2) & (AHEAD(digit, 3) | AHEAD(dash, 3)); bits; bits &= bits - 1) {
                const size_t i = at + (size_t)__builtin_ctzll(bits);
                if (n_bytes - i >= 11)
                    f->secrets |= secret_in_number(text + i, n_bytes - i);
            }
        }
        for (uint64_t bits = m.mark; bits; bits &= bits - 1)
            mark(p, at + (size_t)__builtin_ctzll(bits), &line);
        for (uint64_t bits = m.dash & (m.dash << 1 | was_dash); bits; bits &= bits - 1)
            dashes(p, at + (size_t)__builtin_ctzll(bits) - 1);
        was_word = word >> 63, was_key = key >> 63, was_dash = m.dash >> 63, was_stop = m.stop >> 63, was_ask = m.ask >> 63;
#undef AHEAD
    }
    if (line < n_bytes) {
        end_line(p, line, n_bytes);
        p->f->n_lines++;
    }
}

/* Bytes for a token: 4.4 of Latin letters with their spaces, 2 digits, 1.3 signs, 2.2 letters of two bytes, 1.25 of more:
 * rough figures of our own; 30 % off either way is usual. */
static double count_tokens(const struct pass *p)
{
    return (double)p->n_letters / 4.4 + (double)p->n_digits / 2 + (double)p->n_signs / 1.3 + (double)p->n_wide / 2.2 + (double)p->n_cjk / 1.25;
}

void features_read(const struct features_in *in, struct features *out)
{
    struct pass p = { .f = out };
    pthread_once(&once, index_starts);
    memset(out, 0, sizeof(*out));
    out->n_text_bytes = in->n_bytes;
    out->has_tools = in->has_tools;
    out->wants_json = in->wants_json;
    for (int i = 0; i < in->n_media; i++)
        out->media |= features_sniff(in->media[i].bytes, in->media[i].n_bytes);
    if (in->n_bytes > FEATURES_HEAD_BYTES + FEATURES_TAIL_BYTES) {
        walk(&p, in->text, FEATURES_HEAD_BYTES);
        walk(&p, in->text + in->n_bytes - FEATURES_TAIL_BYTES, FEATURES_TAIL_BYTES);
        out->n_read_bytes = FEATURES_HEAD_BYTES + FEATURES_TAIL_BYTES;
    } else if (in->n_bytes) {
        walk(&p, in->text, in->n_bytes);
        out->n_read_bytes = in->n_bytes;
    }
    const double tokens = count_tokens(&p);
    out->turn_tok = out->n_read_bytes ? (uint64_t)(tokens * (double)in->n_bytes / (double)out->n_read_bytes + 1) : 0;
    out->prompt_tok = out->turn_tok + (uint64_t)in->n_context_bytes / 4;
    out->has_digits = p.n_digits > 0;
    out->code_frac = p.n_full_lines ? (float)p.n_code_lines / (float)p.n_full_lines : 0;
    if (p.n_code_lines || out->n_fences) {
        out->code = CODE_OTHER;
        for (int i = CODE_NONE + 1, best = 0; i < CODE_OTHER; i++)
            if (p.votes[i] > best)
                best = p.votes[i], out->code = (enum feature_code)i;
    }
    out->is_private = (out->secrets & (SECRET_KEY | SECRET_PASSWORD | SECRET_CARD | SECRET_IBAN | SECRET_ID)) != 0;
    language_guess(in->text, in->n_bytes, &out->language);
}
