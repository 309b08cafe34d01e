/* net/h1_parse.c - see h1_parse.h; start reading at h1_next().
 *
 *   START -> HEAD -> (H1_HEAD) -> LENGTH | SIZE .. -> TRAILER | nothing -> DONE -> (H1_END) -> ENDED
 *
 * The head is collected whole (bounded) and then cut into texts; bodies are never copied.
 */
#include "net/h1_parse.h"

#include <string.h>
#include <strings.h>

enum {
    AT_START,      /* between requests; empty lines are forgiven here (RFC 9112, 2.2) */
    AT_START_LF,
    AT_HEAD,
    AT_LENGTH,     /* a body of n_left bytes */
    AT_SIZE,       /* hex digits of a chunk size */
    AT_EXT,        /* ;name=value behind it, skipped */
    AT_SIZE_LF,
    AT_CHUNK,      /* n_left bytes of a chunk */
    AT_UNTIL_CLOSE, /* the body of a response that ends with the connection */
    AT_CHUNK_CR,
    AT_CHUNK_LF,
    AT_TRAILER,    /* first byte of a trailer line, or of the empty line that ends it all */
    AT_TRAILER_NAME,
    AT_TRAILER_VALUE,
    AT_TRAILER_LF,
    AT_LAST_LF,
    AT_DONE,       /* H1_END is owed */
    AT_ENDED,
    AT_FAILED,
};
enum { EMPTY_LINES_MAX = 8, INTERIM_MAX = 8, ASIDE_MAX_BYTES = 16 << 10, TARGET_MAX_BYTES = 8 << 10 };

static const char *const verb_names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };
_Static_assert(sizeof(verb_names) / sizeof(verb_names[0]) == HTTP_VERB_COUNT, "ORDER HTTP_VERB");
const char *http_verb_name(enum http_verb v) { return v < HTTP_VERB_COUNT ? verb_names[v] : "?"; }

const char *http_head_get(const struct http_head *h, const char *name)
{
    for (int i = 0; i < h->n_fields; i++)
        if (strcmp(h->fields[i].name, name) == 0)
            return h->fields[i].value;
    return NULL;
}

static bool is_alnum(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
/* RFC 9110, 5.6.2. */
static bool is_token(unsigned char c) { return is_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c)); }
/* What may stand in a field's value: visible, space, tab, and bytes of other alphabets. */
static bool is_value(unsigned char c) { return (c >= 0x20 && c != 0x7f) || c == '\t'; }

static enum h1_event fail(struct h1_parser *p, int status, const char *why)
{
    p->state = AT_FAILED;
    p->status = status;
    p->why = why;
    p->wants_close = true;
    return H1_FAIL;
}

void h1_init(struct h1_parser *p, const struct h1_limits *limits)
{
    *p = (struct h1_parser){ .limits = *limits, .state = AT_START };
    buf_init(&p->head_bytes, limits->head_bytes);
}

void h1_init_reply(struct h1_parser *p, const struct h1_limits *limits)
{
    h1_init(p, limits);
    p->is_reply = true;
}

void h1_fini(struct h1_parser *p) { buf_fini(&p->head_bytes); }

void h1_reset(struct h1_parser *p)
{
    struct buf keep = p->head_bytes;
    if (keep.cap > 4096) /* one large request must not cost us for as long as the connection lives */
        buf_fini(&keep);
    keep.max_bytes = p->limits.head_bytes;
    buf_clear(&keep);
    *p = (struct h1_parser){ .limits = p->limits, .state = AT_START, .head_bytes = keep, .is_reply = p->is_reply };
}

bool h1_is_inside(const struct h1_parser *p) { return p->state != AT_START && p->state != AT_ENDED; }

/* ---- the head ---- */

/* %41 -> A; false for bad escapes and for a zero byte. */
static bool decode_percent(char *s)
{
    char *out = s;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '%') {
            unsigned v = 0;
            for (int i = 1; i <= 2; i++) {
                const unsigned char d = (unsigned char)s[i];
                if (d >= '0' && d <= '9')
                    v = v * 16 + (d - '0');
                else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
                    v = v * 16 + ((d | 0x20) - 'a' + 10u);
                else
                    return false;
            }
            if (v == 0)
                return false;
            c = (unsigned char)v;
            s += 2;
        }
        *out++ = (char)c;
    }
    *out = '\0';
    return true;
}

static bool is_host(const char *s)
{
    for (; *s; s++)
        if (!is_alnum((unsigned char)*s) && !strchr("-._~%:[]!$&'()*+;=", *s))
            return false;
    return true;
}

/* "/path?query" in place; false for a bad escape. */
static bool split_path(struct http_head *h, char *target)
{
    char *mark = strchr(target, '?');
    h->query = "";
    if (mark) {
        *mark = '\0';
        h->query = mark + 1;
    }
    h->path = *target ? target : "/";
    return !*target || decode_percent(target);
}

static int find_verb(const char *name)
{
    int verb = 0;
    while (verb < HTTP_VERB_COUNT && strcmp(verb_names[verb], name) != 0)
        verb++;
    return verb;
}

static const char *target_complaint(const char *target)
{
    for (const char *c = target; *c; c++)
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f || *c == '#')
            return "the target has bytes that must be percent-encoded";
    return NULL;
}

int http_head_set(struct http_head *h, const char *method, char *target, const char *authority, const char **why)
{
    const int verb = find_verb(method);
    h->authority = authority;
    h->query = "";
    h->path = target;
    *why = "this method is not known here";
    if (verb == HTTP_VERB_COUNT)
        return 501;
    h->verb = (enum http_verb)verb;
    if ((*why = target_complaint(target)) != NULL)
        return 400;
    *why = "the target is too long";
    if (strlen(target) > TARGET_MAX_BYTES)
        return 414;
    *why = "the host has bytes that do not belong there";
    if (!is_host(authority))
        return 400;
    if (strcmp(target, "*") == 0 && verb == HTTP_VERB_OPTIONS)
        return 0;
    *why = "the target is no path, or has a bad percent escape";
    return target[0] == '/' && split_path(h, target) ? 0 : 400;
}

/* METHOD SP target SP HTTP/x.y, already ended by '\0'. */
static enum h1_event read_request_line(struct h1_parser *p, struct http_head *h, char *line)
{
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    for (const char *c = line; target && c < target; c++)
        if (!is_token((unsigned char)*c))
            return fail(p, 400, "the method has bytes that do not belong there");
    if (!version || target == line || version == target + 1 || strchr(version + 1, ' '))
        return fail(p, 400, "the first line is not 'METHOD TARGET HTTP/1.1'");
    *target++ = '\0';
    *version++ = '\0';

    if (strncmp(version, "HTTP/", 5) != 0 || version[5] < '0' || version[5] > '9' || version[6] != '.' ||
        version[7] < '0' || version[7] > '9' || version[8])
        return fail(p, 400, "the first line does not end in a version of HTTP");
    if (strcmp(version + 5, "1.1") != 0 && strcmp(version + 5, "1.0") != 0)
        return fail(p, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    p->is_http10 = version[7] == '0';
    p->wants_close = p->is_http10;

    const int verb = find_verb(line);
    if (verb == HTTP_VERB_COUNT)
        return fail(p, 501, "this method is not known here");
    h->verb = (enum http_verb)verb;
    const char *complaint = target_complaint(target);
    if (complaint)
        return fail(p, 400, complaint);
    if (strlen(target) > TARGET_MAX_BYTES)
        return fail(p, 414, "the target is too long");
    h->authority = NULL;
    if (target[0] != '/') {
        if (strcmp(target, "*") == 0 && verb == HTTP_VERB_OPTIONS) {
            h->path = target;
            h->query = "";
            return H1_MORE;
        }
        const size_t n = strncasecmp(target, "http://", 7) == 0 ? 7 : strncasecmp(target, "https://", 8) == 0 ? 8 : 0;
        if (n == 0)
            return fail(p, 400, "the target is neither a path nor a URL");
        char *slash = target + n + strcspn(target + n, "/?");
        if (slash == target + n)
            return fail(p, 400, "the target's URL has no host");
        /* The authority moves to the left by one: there is room, and its end needs a '\0'. */
        memmove(target + n - 1, target + n, (size_t)(slash - target) - n);
        h->authority = target + n - 1;
        slash[-1] = '\0';
        if (!is_host(h->authority))
            return fail(p, 400, "the target's host has bytes that do not belong there");
        target = slash;
    }
    return split_path(h, target) ? H1_MORE : fail(p, 400, "the path has a bad percent escape");
}

/* HTTP/x.y SP status [SP reason], already ended by '\0'. */
static enum h1_event read_status_line(struct h1_parser *p, struct http_head *h, const char *line)
{
    if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
        return fail(p, 400, "the answer does not begin with a version of HTTP that is spoken here");
    const char *s = line + 9;
    for (int i = 0; i < 3; i++)
        if (s[i] < '0' || s[i] > '9')
            return fail(p, 400, "the answer's status is not a number of three digits");
    if ((s[3] != ' ' && s[3] != '\0') || s[0] < '1' || s[0] > '5')
        return fail(p, 400, "the answer's status is not a number from 100 to 599");
    p->is_http10 = line[7] == '0';
    p->wants_close = p->is_http10;
    h->verb = HTTP_VERB_GET;
    h->status = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
    h->path = h->query = h->authority = "";
    return H1_MORE;
}

static bool has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);
    while (*list) {
        list += strspn(list, ", \t");
        const size_t len = strcspn(list, ", \t");
        if (len == n && strncasecmp(list, word, n) == 0)
            return true;
        list += len;
    }
    return false;
}

/* Digits only; UINT64_MAX when it is no such number, UINT64_MAX - 1 when it is too large for us. */
static uint64_t read_length(const char *s)
{
    uint64_t v = 0;
    if (!*s)
        return UINT64_MAX;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return UINT64_MAX;
        v = v > UINT64_MAX / 100 ? UINT64_MAX / 100 + 1 : v * 10 + (uint64_t)(*s - '0');
    }
    return v > UINT64_MAX / 100 ? UINT64_MAX - 1 : v;
}

/* What the fields say about the way the message goes on. */
static enum h1_event read_framing(struct h1_parser *p, struct http_head *h)
{
    const char *host = NULL, *length = NULL, *coding = NULL, *expect = NULL;
    for (int i = 0; i < h->n_fields; i++) {
        const char *name = h->fields[i].name, *value = h->fields[i].value;
        const char **once = strcmp(name, "host") == 0               ? &host
                            : strcmp(name, "content-length") == 0   ? &length
                            : strcmp(name, "transfer-encoding") == 0 ? &coding
                            : strcmp(name, "expect") == 0            ? &expect
                                                                     : NULL;
        if (once && *once)
            return fail(p, 400, once == &host     ? "there is more than one Host"
                                : once == &length ? "there is more than one Content-Length"
                                : once == &coding ? "there is more than one Transfer-Encoding"
                                                  : "there is more than one Expect");
        if (once)
            *once = value;
        else if (strcmp(name, "connection") == 0) {
            if (has_word(value, "close"))
                p->wants_close = true;
            else if (p->is_http10 && has_word(value, "keep-alive"))
                p->wants_close = false;
        }
    }
    if (!host && !p->is_http10 && !p->is_reply)
        return fail(p, 400, "there is no Host");
    if (host && !p->is_reply && !is_host(host))
        return fail(p, 400, "the Host has bytes that do not belong there");
    if (!h->authority)
        h->authority = host ? host : "";
    if (coding) {
        if (length)
            return fail(p, 400, "Content-Length and Transfer-Encoding exclude each other");
        if (p->is_http10)
            return fail(p, 400, "HTTP/1.0 has no Transfer-Encoding");
        if (strcasecmp(coding, "chunked") != 0)
            return fail(p, has_word(coding, "chunked") ? 400 : 501, "the only Transfer-Encoding here is 'chunked'");
        p->is_chunked = true;
        h->content_length = -1;
    } else if (length) {
        const uint64_t v = read_length(length);
        if (v == UINT64_MAX)
            return fail(p, 400, "the Content-Length is not a number");
        if (v > p->limits.body_bytes && !p->is_to_head)
            return fail(p, 413, "the body is larger than is taken here");
        p->n_left = v;
        h->content_length = (int64_t)v;
    }
    if (p->is_reply)
        return H1_MORE;
    if (expect) {
        if (strcasecmp(expect, "100-continue") != 0)
            return fail(p, 417, "the only Expect here is '100-continue'");
        p->wants_continue = !p->is_http10 && h->content_length != 0;
    }
    return H1_MORE;
}

/* Which responses have a body, and how it ends: RFC 9112, 6.3. */
static enum h1_event begin_reply(struct h1_parser *p, struct http_head *h, bool has_length)
{
    if (h->status < 200) {
        if (h->status == 101)
            return fail(p, 400, "the answer switches to a protocol that nobody asked for");
        if (++p->n_interim > INTERIM_MAX)
            return fail(p, 400, "there are too many interim answers");
        const struct h1_parser old = *p;
        h1_reset(p);
        p->is_to_head = old.is_to_head;
        p->n_interim = old.n_interim;
        return H1_MORE;
    }
    if (p->is_to_head || h->status == 204 || h->status == 304) {
        p->n_left = 0;
        h->content_length = 0;
        p->state = AT_DONE;
    } else if (!p->is_chunked && !has_length) {
        p->wants_close = true;
        h->content_length = -1;
        p->state = AT_UNTIL_CLOSE;
    }
    return H1_HEAD;
}

/* All of the head is here, ending in an empty line: cut it up in place. */
static enum h1_event read_head(struct h1_parser *p, struct http_head *h)
{
    char *at = p->head_bytes.data;
    h->n_fields = 0;
    h->content_length = 0;
    char *end = strchr(at, '\r'); /* collect_head() has seen that CR and LF come in pairs, and no zeros */
    *end = '\0';
    h->status = 0;
    if ((p->is_reply ? read_status_line(p, h, at) : read_request_line(p, h, at)) == H1_FAIL)
        return H1_FAIL;
    for (at = end + 2; *at != '\r'; at = end + 2) {
        end = strchr(at, '\r');
        *end = '\0';
        if (h->n_fields == HTTP_FIELDS_MAX)
            return fail(p, 431, "there are too many header fields");
        struct http_field *f = &h->fields[h->n_fields++];
        char *c = at;
        for (; is_token((unsigned char)*c); c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c | 0x20);
        if (c == at || *c != ':')
            return fail(p, 400, *at == ' ' || *at == '\t' ? "a header line begins with a space (folding is long gone)"
                                : *c == ' '               ? "there is a space before the colon of a header field"
                                                          : "a header line is not 'name: value'");
        *c++ = '\0';
        f->name = at;
        c += strspn(c, " \t");
        for (char *tail = end; tail > c && (tail[-1] == ' ' || tail[-1] == '\t');)
            *--tail = '\0';
        f->value = c;
    }
    if (read_framing(p, h) == H1_FAIL)
        return H1_FAIL;
    p->state = p->is_chunked ? AT_SIZE : p->n_left > 0 ? AT_LENGTH : AT_DONE;
    return p->is_reply ? begin_reply(p, h, http_head_get(h, "content-length") != NULL) : H1_HEAD;
}

/* Takes bytes up to the end of the head; H1_HEAD when it is whole. */
static enum h1_event collect_head(struct h1_parser *p, struct http_head *h, const char **at, size_t *n)
{
    while (*n > 0) {
        const char *nl = memchr(*at, '\n', *n);
        size_t take = nl ? (size_t)(nl - *at) + 1 : *n;
        const size_t from = p->head_bytes.len, room = p->limits.head_bytes - from;
        const bool is_over = take > room;
        if (is_over)
            take = room; /* what fits is looked at first: the same is wrong with it however it was cut */
        buf_append(&p->head_bytes, *at, take);
        if (p->head_bytes.failed)
            return fail(p, 503, "out of memory");
        *at += take;
        *n -= take;
        const char *s = p->head_bytes.data;
        const size_t len = p->head_bytes.len;
        for (size_t i = from; i < len; i++)
            if (!is_value((unsigned char)s[i]) && !(s[i] == '\r' && i + 1 == len) &&
                !((s[i] == '\r' && s[i + 1] == '\n') || (s[i] == '\n' && i > 0 && s[i - 1] == '\r')))
                return fail(p, 400, s[i] == '\n' ? "a line ends without a carriage return"
                                                 : "the header has a control byte");
        if (take > 0 && from > 0 && s[from - 1] == '\r' && s[from] != '\n')
            return fail(p, 400, "the header has a control byte");
        if (is_over)
            return p->line_at == 0 ? fail(p, 414, "the first line is too long") : fail(p, 431, "the header is too large");
        if (!nl)
            continue;
        const bool is_empty = len - p->line_at == 2;
        if (p->line_at == 0 && !(p->is_reply ? strncmp(s, "HTTP/", 5) == 0 : strstr(s, " HTTP/") != NULL)) /* HTTP/0.9 and chatter: there may be no empty line to wait for */
            return fail(p, 400, p->is_reply ? "the answer does not begin with a version of HTTP"
                                            : "the first line does not end in a version of HTTP");
        p->line_at = len;
        if (is_empty)
            return read_head(p, h);
    }
    return H1_MORE;
}

/* ---- the body ---- */

static enum h1_event give_data(struct h1_parser *p, const char **at, size_t *n)
{
    p->data = *at;
    p->n_data = *n < p->n_left ? *n : (size_t)p->n_left;
    *at += p->n_data;
    *n -= p->n_data;
    p->n_left -= p->n_data;
    p->n_body += p->n_data;
    return H1_DATA;
}

static enum h1_event size_digit(struct h1_parser *p, unsigned char c)
{
    const int v = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
    if (v >= 0) {
        if (++p->n_hex > 15)
            return fail(p, 413, "a chunk is larger than is taken here");
        p->n_left = p->n_left * 16 + (uint64_t)v;
        if (p->n_left > p->limits.body_bytes - p->n_body)
            return fail(p, 413, "the body is larger than is taken here");
        return H1_MORE;
    }
    if (p->n_hex == 0 || (c != '\r' && c != ';'))
        return fail(p, 400, "a chunk size is not a hexadecimal number");
    p->state = c == ';' ? AT_EXT : AT_SIZE_LF;
    return H1_MORE;
}

/* One byte of what stands between the chunks and behind them. */
static enum h1_event between_chunks(struct h1_parser *p, unsigned char c)
{
    switch (p->state) {
    case AT_SIZE: return size_digit(p, c);
    case AT_EXT:
        if (c == '\r')
            p->state = AT_SIZE_LF;
        else if (!is_value(c))
            return fail(p, 400, "a chunk extension has a control byte");
        break;
    case AT_SIZE_LF:
        if (c != '\n')
            return fail(p, 400, "a chunk size does not end in CR LF");
        p->state = p->n_left > 0 ? AT_CHUNK : AT_TRAILER;
        p->n_hex = 0;
        return H1_MORE;
    case AT_CHUNK_CR:
    case AT_CHUNK_LF:
        if (c != (p->state == AT_CHUNK_CR ? '\r' : '\n'))
            return fail(p, 400, "a chunk does not end in CR LF");
        p->state = p->state == AT_CHUNK_CR ? AT_CHUNK_LF : AT_SIZE;
        return H1_MORE;
    case AT_TRAILER:
        if (c == '\r') {
            p->state = AT_LAST_LF;
            return H1_MORE;
        }
        /* fall through */
    case AT_TRAILER_NAME:
        if (c == ':' && p->state == AT_TRAILER_NAME)
            p->state = AT_TRAILER_VALUE;
        else if (is_token(c))
            p->state = AT_TRAILER_NAME;
        else
            return fail(p, 400, "a trailer line is not 'name: value'");
        break;
    case AT_TRAILER_VALUE:
        if (c == '\r')
            p->state = AT_TRAILER_LF;
        else if (!is_value(c))
            return fail(p, 400, "a trailer has a control byte");
        break;
    case AT_TRAILER_LF:
    case AT_LAST_LF:
        if (c != '\n')
            return fail(p, 400, "a trailer line does not end in CR LF");
        p->state = p->state == AT_TRAILER_LF ? AT_TRAILER : AT_DONE;
        return H1_MORE;
    default: break;
    }
    return ++p->n_aside > ASIDE_MAX_BYTES ? fail(p, 431, "chunk extensions and trailers are too large") : H1_MORE;
}

enum h1_event h1_next(struct h1_parser *p, struct http_head *head, const char **at, size_t *n)
{
    for (;;) {
        switch (p->state) {
        case AT_FAILED: return H1_FAIL;
        case AT_ENDED: return H1_MORE; /* h1_reset() goes on */
        case AT_DONE:
            p->state = AT_ENDED;
            return H1_END;
        default: break;
        }
        if (*n == 0)
            return H1_MORE;
        const unsigned char c = (unsigned char)**at;
        switch (p->state) {
        case AT_START:
        case AT_START_LF:
            if (c == (p->state == AT_START ? '\r' : '\n')) {
                if (p->state == AT_START && ++p->n_aside > EMPTY_LINES_MAX)
                    return fail(p, 400, "there are empty lines where a request should be");
                p->state = p->state == AT_START ? AT_START_LF : AT_START;
                ++*at, --*n;
                continue;
            }
            if (p->state == AT_START_LF || !is_token(c)) /* TLS, SSH, binary noise: no need to wait for more */
                return fail(p, 400, "this is not HTTP");
            p->n_aside = 0;
            p->state = AT_HEAD;
            continue;
        case AT_HEAD: {
            const enum h1_event ev = collect_head(p, head, at, n);
            if (ev != H1_MORE)
                return ev;
            continue;
        }
        case AT_LENGTH:
            if (p->n_left <= *n)
                p->state = AT_DONE;
            return give_data(p, at, n);
        case AT_UNTIL_CLOSE:
            p->n_left = p->limits.body_bytes - p->n_body;
            if (p->n_left == 0)
                return fail(p, 413, "the body is larger than is taken here");
            return give_data(p, at, n);
        case AT_CHUNK:
            if (p->n_left <= *n)
                p->state = AT_CHUNK_CR;
            return give_data(p, at, n);
        default:
            ++*at, --*n;
            if (between_chunks(p, c) == H1_FAIL)
                return H1_FAIL;
        }
    }
}

enum h1_event h1_finish(struct h1_parser *p)
{
    if (p->state == AT_UNTIL_CLOSE || p->state == AT_DONE) {
        p->state = AT_ENDED;
        return H1_END;
    }
    if (p->state == AT_FAILED)
        return H1_FAIL;
    return h1_is_inside(p) ? fail(p, 400, "the connection ended in the middle of a message") : H1_MORE;
}
