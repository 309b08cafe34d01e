/* task/phonemes.c - see phonemes.h. */
#include "task/phonemes.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

#include "task/espeak.h"

static bool is_white(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Appends text, decomposed; what does not fit is an error. */
static bool append(struct phonemes *p, const char *text, size_t n, bool lower, struct err *err)
{
    const utf8proc_ssize_t room = PHONEMES_MAX - p->n;
    const utf8proc_ssize_t k = utf8proc_decompose((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, p->cp + p->n, room,
                                                  UTF8PROC_DECOMPOSE | UTF8PROC_STABLE);
    if (k < 0)
        return err_set(err, ERR_INPUT, "text to speak: %s", utf8proc_errmsg(k));
    if (k > room)
        return err_set(err, ERR_LIMIT, "text to speak: a sentence of more than %d sounds", PHONEMES_MAX);
    for (utf8proc_ssize_t i = 0; lower && i < k; i++)
        p->cp[p->n + i] = utf8proc_tolower(p->cp[p->n + i]);
    p->n += (int)k;
    return true;
}

bool phonemes_by_letters(struct phonemes *p, const char *text, size_t n, struct err *err)
{
    while (n > 0 && is_white(text[n - 1]))
        n--;
    p->n = 0;
    return append(p, text, n, true, err);
}

/* All that the child says, at most max bytes. */
static bool read_answer(int fd, char *out, size_t max, size_t *n, phonemes_cancelled *is_cancelled, void *ctx, struct err *err)
{
    for (*n = 0;;) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        const int k = poll(&ready, 1, 50);
        if (is_cancelled(ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (k <= 0)
            continue;
        if (*n == max)
            return err_set(err, ERR_LIMIT, "espeak-ng: more than %zu bytes of phonemes for one clause", max);
        const ssize_t got = read(fd, out + *n, max - *n);
        if (got < 0 && errno != EINTR)
            return err_set(err, ERR_IO, "espeak-ng: %s", strerror(errno));
        if (got == 0)
            return true;
        *n += got > 0 ? (size_t)got : 0;
    }
}

/* "(fr)vwala(en)" -> "vwala", lines joined by blanks. */
static size_t clean(char *text, size_t n)
{
    size_t out = 0;
    bool is_flag = false;
    for (size_t i = 0; i < n; i++) {
        const char c = text[i] == '\n' ? ' ' : text[i];
        if (is_flag || c == '(') {
            is_flag = c != ')';
            continue;
        }
        if (c == ' ' && (out == 0 || text[out - 1] == ' '))
            continue;
        text[out++] = c;
    }
    while (out > 0 && text[out - 1] == ' ')
        out--;
    return out;
}

static bool speak_clause(struct phonemes *p, const char *text, size_t n, const char *voice, phonemes_cancelled *is_cancelled, void *ctx,
                         struct err *err)
{
    const char *const argv[] = { "espeak-ng", "-v", voice, "-q", "--ipa", "-b", "1", "--stdin", NULL };
    struct espeak_child c;
    char answer[16384];
    size_t n_answer;
    if (!espeak_start(&c, argv, text, n, err))
        return false;
    const bool good = read_answer(c.out_fd, answer, sizeof(answer), &n_answer, is_cancelled, ctx, err);
    return espeak_stop(&c, good, voice, err) && append(p, answer, clean(answer, n_answer), false, err);
}

bool phonemes_by_espeak(struct phonemes *p, const char *text, size_t n, const char *voice, phonemes_cancelled *is_cancelled, void *ctx,
                        struct err *err)
{
    p->n = 0;
    while (n > 0 && is_white(text[n - 1]))
        n--;
    while (n > 0) {
        size_t k = 0; /* the clause, its mark not included */
        while (k < n && !((text[k] == ',' || text[k] == ';' || text[k] == ':') && (k + 1 == n || is_white(text[k + 1]))))
            k++;
        char mark = k < n ? text[k] : '\0';
        size_t words = k;
        if (k == n && strchr(".!?", text[n - 1])) {
            mark = text[n - 1];
            while (words > 0 && strchr(".!?", text[words - 1]))
                words--;
        }
        if (words > 0 && !speak_clause(p, text, words, voice, is_cancelled, ctx, err))
            return false;
        const char end[2] = { mark, ' ' };
        if (p->n > 0 && mark && !append(p, end, k < n ? 2 : 1, false, err))
            return false;
        k += k < n;
        text += k;
        n -= k;
    }
    return true;
}
