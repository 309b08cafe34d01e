/* wire/multipart.c - see multipart.h; start reading at multipart_parse(). */
#include "wire/multipart.h"

#include <string.h>
#include <strings.h>

enum { HEADERS_MAX_BYTES = 4096 };

struct cursor {
    const char *begin, *at, *end;
};

static size_t offset(const struct cursor *c) { return (size_t)(c->at - c->begin); }

/* memmem() is no POSIX: looks for the first byte, then compares; the boundary's "\r\n--" makes false starts rare. */
static const char *find(const char *s, const char *end, const char *what, size_t n)
{
    while ((size_t)(end - s) >= n) {
        const char *hit = memchr(s, what[0], (size_t)(end - s) - n + 1);
        if (!hit)
            return NULL;
        if (memcmp(hit, what, n) == 0)
            return hit;
        s = hit + 1;
    }
    return NULL;
}

/* ---- the content type ---- */

bool multipart_is(const char *content_type)
{
    static const char form[] = "multipart/form-data";
    const size_t n = sizeof(form) - 1;
    return content_type && strncasecmp(content_type, form, n) == 0 && (content_type[n] == '\0' || strchr("; \t", content_type[n]));
}

bool multipart_boundary(const char *content_type, char out[MULTIPART_BOUNDARY_MAX + 1], struct err *err)
{
    static const char letters[] = "'()+_,-./:=? ";
    const char *at = content_type ? strchr(content_type, ';') : NULL;
    size_t n = 0;
    while (at) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, "boundary=", 9) == 0)
            break;
        at = strchr(at, ';');
    }
    if (!at)
        return err_set(err, ERR_INPUT, "content-type: a form needs boundary=...");
    at += 9;
    const bool is_quoted = *at == '"';
    if (is_quoted)
        at++;
    for (; *at && (is_quoted ? *at != '"' : !strchr("; \t", *at)); at++) {
        const bool is_alnum = (*at >= '0' && *at <= '9') || (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z');
        if (n == MULTIPART_BOUNDARY_MAX || (!is_alnum && !strchr(letters, *at)))
            return err_set(err, ERR_INPUT, "content-type: the boundary must be 1 to %d letters, digits or %s", MULTIPART_BOUNDARY_MAX, letters);
        out[n++] = *at;
    }
    out[n] = '\0';
    if (n == 0 || out[n - 1] == ' ' || (is_quoted && *at != '"'))
        return err_set(err, ERR_INPUT, "content-type: a form needs boundary=...");
    return true;
}

/* ---- headers of a part ---- */

/* name="..." with \" and \\ undone, and %22, which browsers write for a quote. */
static bool read_param(const char *s, const char *end, const char *name, char *out, size_t max, bool *found)
{
    const size_t n_name = strlen(name);
    *found = false;
    while (s < end) {
        const char *semi = memchr(s, ';', (size_t)(end - s));
        if (!semi)
            return true;
        s = semi + 1;
        while (s < end && (*s == ' ' || *s == '\t'))
            s++;
        const bool is_it = (size_t)(end - s) > n_name && strncasecmp(s, name, n_name) == 0 && s[n_name] == '=';
        while (s < end && *s != '=' && *s != ';')
            s++;
        if (s == end || *s != '=')
            continue;
        s++;
        const bool is_quoted = s < end && *s == '"';
        size_t n = 0;
        if (is_quoted)
            s++;
        for (; s < end && (is_quoted ? *s != '"' : *s != ';' && *s != ' '); s++) {
            char c = *s;
            if (is_quoted && c == '\\' && end - s > 1 && (s[1] == '"' || s[1] == '\\'))
                c = *++s;
            else if (is_quoted && c == '%' && end - s > 2 && s[1] == '2' && s[2] == '2')
                c = '"', s += 2;
            if (!is_it)
                continue;
            if (n + 1 >= max || c == '\0')
                return false;
            out[n++] = c;
        }
        if (is_quoted && s++ == end)
            return false;
        if (is_it) {
            out[n] = '\0';
            *found = true;
            return true;
        }
    }
    return true;
}

static bool read_disposition(struct multipart_part *p, const char *s, const char *end, size_t at, struct err *err)
{
    static const char form[] = "form-data";
    bool has_name, has_file;
    while (s < end && (*s == ' ' || *s == '\t'))
        s++;
    if ((size_t)(end - s) < sizeof(form) - 1 || strncasecmp(s, form, sizeof(form) - 1) != 0)
        return err_set(err, ERR_INPUT, "form: byte %zu: content-disposition: form-data is wanted", at);
    if (!read_param(s, end, "name", p->name, sizeof(p->name), &has_name) ||
        !read_param(s, end, "filename", p->filename, sizeof(p->filename), &has_file))
        return err_set(err, ERR_INPUT, "form: byte %zu: content-disposition: a name that is too long or has no closing quote", at);
    if (!has_name || !p->name[0])
        return err_set(err, ERR_INPUT, "form: byte %zu: content-disposition: the field's name is missing", at);
    if (has_file && !p->filename[0])
        memcpy(p->filename, "file", 5); /* a file all the same */
    return true;
}

static void read_type(struct multipart_part *p, const char *s, const char *end)
{
    size_t n = 0;
    while (s < end && (*s == ' ' || *s == '\t'))
        s++;
    for (; s < end && *s > ' ' && *s != ';' && n + 1 < sizeof(p->type); s++)
        p->type[n++] = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
    p->type[n] = '\0';
}

static bool is_header(const char *s, const char *colon, const char *name)
{
    return (size_t)(colon - s) == strlen(name) && strncasecmp(s, name, strlen(name)) == 0;
}

static bool read_headers(struct cursor *c, struct multipart_part *p, struct err *err)
{
    const size_t begin = offset(c);
    bool has_disposition = false;
    for (;;) {
        const char *line = c->at, *eol = find(line, c->end, "\r\n", 2);
        if (!eol || offset(c) - begin + (size_t)(eol - line) > HEADERS_MAX_BYTES)
            return err_set(err, ERR_INPUT, "form: byte %zu: the head of a part does not end", begin);
        c->at = eol + 2;
        if (eol == line)
            break;
        const char *colon = memchr(line, ':', (size_t)(eol - line));
        if (!colon || colon == line || memchr(line, '\0', (size_t)(eol - line)))
            return err_set(err, ERR_INPUT, "form: byte %zu: a line of a part's head that is no NAME: VALUE", (size_t)(line - c->begin));
        if (is_header(line, colon, "content-disposition")) {
            if (has_disposition)
                return err_set(err, ERR_INPUT, "form: byte %zu: content-disposition: given twice", (size_t)(line - c->begin));
            has_disposition = true;
            if (!read_disposition(p, colon + 1, eol, (size_t)(line - c->begin), err))
                return false;
        } else if (is_header(line, colon, "content-type")) {
            read_type(p, colon + 1, eol);
        } else if (is_header(line, colon, "content-transfer-encoding")) {
            const char *v = colon + 1 + strspn(colon + 1, " \t");
            const size_t n = (size_t)(eol - v);
            if (!(n == 6 && strncasecmp(v, "binary", n) == 0) && !(n == 4 && (strncasecmp(v, "8bit", n) == 0 || strncasecmp(v, "7bit", n) == 0)))
                return err_set(err, ERR_INPUT, "form: byte %zu: content-transfer-encoding: only binary is possible", (size_t)(line - c->begin));
        }
    }
    return has_disposition || err_set(err, ERR_INPUT, "form: byte %zu: a part without content-disposition", begin);
}

/* ---- the body ---- */

/* Behind a boundary: "--" ends the form, else blanks and a line end. */
static bool read_boundary_end(struct cursor *c, bool *is_last, struct err *err)
{
    *is_last = c->end - c->at >= 2 && c->at[0] == '-' && c->at[1] == '-';
    if (*is_last)
        return true;
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
    if (c->end - c->at < 2 || c->at[0] != '\r' || c->at[1] != '\n')
        return err_set(err, ERR_INPUT, "form: byte %zu: a line end is wanted behind the boundary", offset(c));
    c->at += 2;
    return true;
}

bool multipart_parse(struct multipart *m, const char *content_type, const char *body, size_t n, struct err *err)
{
    char mark[4 + MULTIPART_BOUNDARY_MAX + 1] = "\r\n--";
    struct cursor c = { body, body, body + n };
    bool is_last;
    m->n_parts = 0;
    if (!multipart_boundary(content_type, mark + 4, err))
        return false;
    const size_t n_mark = strlen(mark);
    /* The first boundary may stand at the very begin, without its line end. */
    if (n >= n_mark - 2 && memcmp(body, mark + 2, n_mark - 2) == 0)
        c.at = body + n_mark - 2;
    else if ((c.at = find(body, c.end, mark, n_mark)) != NULL)
        c.at += n_mark;
    else
        return err_set(err, ERR_INPUT, "form: the boundary of the content-type is not in the body");
    for (;;) {
        if (!read_boundary_end(&c, &is_last, err))
            return false;
        if (is_last)
            return true;
        if (m->n_parts == MULTIPART_PARTS_MAX)
            return err_set(err, ERR_LIMIT, "form: more than %d fields", MULTIPART_PARTS_MAX);
        struct multipart_part *p = &m->parts[m->n_parts];
        p->name[0] = p->filename[0] = p->type[0] = '\0';
        if (!read_headers(&c, p, err))
            return false;
        /* The line end before the boundary may be the one that ended the head: an empty part. */
        const char *stop = find(c.at - 2, c.end, mark, n_mark);
        if (!stop)
            return err_set(err, ERR_INPUT, "form: field '%s': the body ends in its middle", p->name);
        p->data = c.at;
        p->n = stop > c.at ? (size_t)(stop - c.at) : 0;
        m->n_parts++;
        c.at = stop + n_mark;
    }
}
