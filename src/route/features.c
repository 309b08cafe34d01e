/* route/features.c - the one pass over a request's text; start at features_read(). */
#include "route/features.h"

#include <string.h>
#include <strings.h>

#include "media/image.h"
#include "media/sound.h"
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

enum { IS_LETTER = 1, IS_DIGIT = 2, IS_MARK = 4 /* looked at one by one */ };
static const uint8_t kinds[256] = {
    ['\n'] = IS_MARK, ['.'] = IS_MARK, ['!'] = IS_MARK, ['?'] = IS_MARK, ['`'] = IS_MARK, ['@'] = IS_MARK, [':'] = IS_MARK, ['{'] = IS_MARK,
    ['['] = IS_MARK, ['+'] = IS_MARK, ['('] = IS_MARK, ['-'] = IS_MARK, ['0' ... '9'] = IS_DIGIT, ['A' ... 'Z'] = IS_LETTER, ['a' ... 'z'] = IS_LETTER,
    ['_'] = IS_LETTER, [0x80 ... 0xe2] = IS_LETTER, [0xe4 ... 0xee] = IS_LETTER, [0xf0 ... 0xff] = IS_LETTER, [0xe3] = IS_LETTER | IS_MARK, [0xef] = IS_LETTER | IS_MARK,
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
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
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

/* Only words that begin with one of these pairs are looked at: the rest are passed over at the price of one switch. */
static void begin_word(struct pass *p, size_t i)
{
    const char *s = p->s + i;
    const size_t n = p->n - i;
    if (n < 4)
        return;
#define PAIR(a, b) ((unsigned char)(a) << 8 | (unsigned char)(b))
    switch (PAIR(s[0] | 32, s[1] | 32)) {
    case PAIR('j', 's'): p->f->wants_json |= has_nocase(s, n, "json"); break;
    case PAIR('h', 't'): p->f->has_url |= has_nocase(s, n, "http://") || has_nocase(s, n, "https://"); break;
    case PAIR('w', 'w'): p->f->has_url |= has_nocase(s, n, "www."); break;
    case PAIR('s', 'c'): p->f->wants_json |= has_nocase(s, n, "schema"); break;
    case PAIR('s', 'k'): case PAIR('r', 'k'): case PAIR('g', 'h'): case PAIR('g', 'i'): case PAIR('g', 'l'): case PAIR('h', 'f'): case PAIR('a', 'k'):
    case PAIR('a', 's'): case PAIR('a', 'i'): case PAIR('x', 'o'): case PAIR('e', 'y'): case PAIR('p', 'a'): case PAIR('k', 'e'): case PAIR('c', 'o'):
    case PAIR('m', 'o'): case PAIR('w', 'a'): case PAIR('s', 'e'): case PAIR('a', 'p'): case PAIR('a', 'c'): case PAIR('p', 'i'):
        p->f->secrets |= secret_in_word(s, n);
        break;
    default: break;
    }
#undef PAIR
    if (s[2] >= '0' && s[2] <= '9')
        p->f->secrets |= secret_in_word(s, n); /* an account: two letters, two digits */
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
    case '.':
    case '!': f->n_sentences += n == 1 || s[1] == ' ' || s[1] == '\n'; break;
    case '?':
        if (n == 1 || s[1] == ' ' || s[1] == '\n' || s[1] == '"' || s[1] == '?')
            f->n_sentences += n == 1 || s[1] != '?', f->n_questions += n == 1 || s[1] != '?';
        break;
    case 0xe3: f->n_sentences += has(s, n, "\xe3\x80\x82"); break;
    case 0xef:
        if (has(s, n, "\xef\xbc\x9f"))
            f->n_sentences++, f->n_questions++;
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
    case '{':
    case '[': f->has_json |= n > 3 && ((s[1] == '"' || (s[1] == '\n' && memchr(s + 2, '"', n - 2 < 16 ? n - 2 : 16) != NULL)) || (s[0] == '[' && s[1] == '{')); break;
    case '+':
    case '(': f->secrets |= n > 8 ? secret_in_number(s, n) : 0; break;
    case '-':
        for (size_t k = 11; has(s, n, "-----BEGIN ") && k + 11 <= n && k < 40; k++)
            f->secrets |= memcmp(s + k, "PRIVATE KEY", 11) == 0 ? SECRET_KEY : 0;
        break;
    default: break;
    }
}

static void walk(struct pass *p, const char *text, size_t n_bytes)
{
    size_t line = 0, n_letters = 0, n_digits = 0, n_signs = 0, n_wide = 0, n_cjk = 0;
    unsigned before = 0;
    p->s = text, p->n = n_bytes;
    for (size_t i = 0; i < n_bytes; i++) {
        const unsigned char c = (unsigned char)text[i];
        const unsigned kind = kinds[c];
        if (kind & IS_LETTER) {
            if (c < 0x80)
                n_letters++;
            else if (c >= 0xe0)
                n_cjk++;
            else if (c >= 0xc0)
                n_wide++;
            if (!(before & (IS_LETTER | IS_DIGIT))) {
                p->f->n_words++;
                begin_word(p, i);
            }
        } else if (kind & IS_DIGIT) {
            n_digits++;
            if (!(before & (IS_LETTER | IS_DIGIT)) && n_bytes - i >= 11)
                p->f->secrets |= secret_in_number(text + i, n_bytes - i);
        } else {
            n_signs += c > ' ';
        }
        if (kind & IS_MARK)
            mark(p, i, &line);
        before = kind;
    }
    p->n_letters += n_letters, p->n_digits += n_digits, p->n_signs += n_signs, p->n_wide += n_wide, p->n_cjk += n_cjk;
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
