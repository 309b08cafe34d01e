/* hw/root_text.c - a machine in memory from a text that people can write (hw_root_parse()).
 *
 * For:     tests/hw/machines/NAME.tree, the fuzzer.
 * Touches: memory.
 * Rule:    a range in a path ("cpu{0-95}/topology/core_id") makes an entry for each number; in the content {} is that
 *          number and {/3*3+48} the number after integer steps from left to right (+ - * / %).
 */
#include <stdlib.h>
#include <string.h>

#include "hw/root_internal.h"

enum { RANGE_MAX = 4096, CONTENT_BYTES_MAX = 1 << 20 };

struct line {
    const char *at, *end; /* without the newline */
};

static bool next_line(const char **at, const char *end, struct line *l)
{
    if (*at >= end)
        return false;
    const char *nl = memchr(*at, '\n', (size_t)(end - *at));
    *l = (struct line){ *at, nl ? nl : end };
    *at = nl ? nl + 1 : end;
    return true;
}

static long number(const char **at, const char *end)
{
    long v = 0;
    while (*at < end && **at >= '0' && **at <= '9' && v < 100000000)
        v = v * 10 + (*(*at)++ - '0');
    return v;
}

/* "{/3*3+48}" at `at`: its end, and what it makes of i; NULL: not one of ours. */
static const char *reckon(const char *at, const char *end, long i, long *value)
{
    for (at++; at < end && *at != '}';) {
        const char op = *at++;
        if (!strchr("+-*/%", op) || at >= end || *at < '0' || *at > '9')
            return NULL;
        const long n = number(&at, end);
        if ((op == '/' || op == '%') && n == 0)
            return NULL;
        if (op == '*' && n != 0 && labs(i) > 1000000000 / n)
            return NULL;
        i = op == '+' ? i + n : op == '-' ? i - n : op == '*' ? i * n : op == '/' ? i / n : i % n;
    }
    *value = i;
    return at < end ? at + 1 : NULL;
}

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

static void put_content(struct buf *b, const char *at, const char *end, long i, bool has_range)
{
    long v;
    while (at < end) {
        const char *behind = *at == '{' && has_range ? reckon(at, end, i, &v) : NULL;
        if (behind) {
            buf_printf(b, "%ld", v);
            at = behind;
        } else if (*at == '\\' && end - at >= 2) {
            const char c = at[1];
            if (c == 'x' && end - at >= 4 && hex(at[2]) >= 0 && hex(at[3]) >= 0)
                buf_putc(b, (char)(hex(at[2]) << 4 | hex(at[3]))), at += 4;
            else
                buf_putc(b, c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? '\0' : c), at += 2;
        } else {
            buf_putc(b, *at++);
        }
    }
}

struct item {
    struct line path, content;
    enum tree_kind kind;
    bool is_literal; /* <<END: as it stands */
    bool has_newline;
};

static bool add(struct tree *t, const struct item *item, struct buf *b, struct err *err)
{
    char path[HW_PATH_BYTES_MAX];
    const size_t n = (size_t)(item->path.end - item->path.at);
    const char *open = memchr(item->path.at, '{', n), *at = open ? open + 1 : NULL;
    long from = 0, to = 0;
    size_t tail = 0;
    const char *behind = NULL;
    if (n >= sizeof(path) - 24)
        return err_set(err, ERR_INPUT, "a path of %zu bytes", n);
    if (open) {
        from = to = number(&at, item->path.end);
        if (at < item->path.end && *at == '-')
            at++, to = number(&at, item->path.end);
        if (at >= item->path.end || *at != '}' || to < from || to - from >= RANGE_MAX)
            return err_set(err, ERR_INPUT, "a range is {0-%d} at most", RANGE_MAX - 1);
        behind = at + 1;
        tail = (size_t)(item->path.end - behind);
    }
    for (long i = from; i <= to; i++) {
        struct buf p;
        buf_init(&p, sizeof(path));
        buf_append(&p, item->path.at, open ? (size_t)(open - item->path.at) : n);
        if (open) {
            buf_printf(&p, "%ld", i);
            buf_append(&p, behind, tail);
        }
        buf_clear(b);
        if (item->is_literal)
            buf_append(b, item->content.at, (size_t)(item->content.end - item->content.at));
        else
            put_content(b, item->content.at, item->content.end, i, open != NULL);
        if (item->has_newline)
            buf_putc(b, '\n');
        const bool ok = buf_ok(&p, "path", err) && p.len > 0 && !memchr(p.data, '\0', p.len) && buf_ok(b, "content", err) &&
                        tree_add(t, item->kind, p.data, b->data ? b->data : "", b->len, err);
        buf_fini(&p);
        if (!ok)
            return err->text[0] ? false : err_set(err, ERR_INPUT, "an empty path");
    }
    return true;
}

static const char *find(const struct line *l, const char *what)
{
    const size_t n = strlen(what);
    for (const char *at = l->at; (size_t)(l->end - at) >= n; at++)
        if (memcmp(at, what, n) == 0)
            return at;
    return NULL;
}

/* The lines up to `word` alone on one. */
static bool here_document(const char **at, const char *end, struct line word, struct line *content, struct err *err)
{
    struct line l;
    content->at = *at;
    while (next_line(at, end, &l))
        if (l.end - l.at == word.end - word.at && memcmp(l.at, word.at, (size_t)(l.end - l.at)) == 0) {
            content->end = l.at;
            return true;
        }
    return err_set(err, ERR_INPUT, "<<%.*s has no end", (int)(word.end - word.at < 32 ? word.end - word.at : 32), word.at);
}

bool tree_parse(struct tree *t, const char *text, size_t n, struct err *err)
{
    const char *at = text, *end = text + n;
    struct line l;
    struct buf b;
    bool ok = true;
    buf_init(&b, CONTENT_BYTES_MAX);
    err_clear(err);
    for (int line = 1; ok && next_line(&at, end, &l); line++) {
        if (l.at == l.end || *l.at == '#')
            continue;
        struct item item = { .path = l, .kind = TREE_FOLDER };
        const char *colon = find(&l, ": "), *raw = find(&l, ":= "), *arrow = find(&l, " -> ");
        const char *first = colon;
        if (raw && (!first || raw < first))
            first = raw;
        if (arrow && (!first || arrow < first))
            first = arrow;
        item.path.end = first ? first : l.end;
        if (!first && l.end[-1] == ':') /* an empty file */
            item.path.end = l.end - 1, item.kind = TREE_FILE, item.content = (struct line){ l.end, l.end };
        else if (!first && l.end[-1] == '/')
            item.path.end = l.end - 1, item.content = (struct line){ l.end, l.end };
        else if (!first)
            ok = err_set(err, ERR_INPUT, "neither 'path: content' nor 'path -> link' nor 'folder/'");
        else if (first == arrow)
            item.kind = TREE_LINK, item.content = (struct line){ first + 4, l.end };
        else {
            item.kind = TREE_FILE;
            item.content = (struct line){ first + (first == raw ? 3 : 2), l.end };
            item.has_newline = first != raw;
            if (first == colon && l.end - item.content.at > 2 && memcmp(item.content.at, "<<", 2) == 0) {
                const struct line word = { item.content.at + 2, l.end };
                const char *from = at;
                item.is_literal = true, item.has_newline = false;
                ok = here_document(&at, end, word, &item.content, err);
                for (const char *p = from; p < at; p++)
                    line += *p == '\n';
            }
        }
        ok = ok && add(t, &item, &b, err);
        if (!ok)
            err_prefix(err, "line %d", line);
    }
    buf_fini(&b);
    return ok;
}
