/* tests/net/test_h1_parse.c - hostile and friendly requests as a table; http-parser is the second judge:
 * what ours accepts, it must accept too and read in the same way (the reverse does not hold: it is lax). */
#define _GNU_SOURCE /* memmem */
#include "net/h1_parse.h"
#include "test.h"

#include <http_parser.h>
#include <string.h>

/* What the parser saw in a row of requests, as text, so that it can be compared.  true when it ended
 * between two requests and nobody asked to close. */
static bool describe(const char *bytes, size_t n, size_t piece, bool with_fields, struct buf *out, int *status)
{
    bool has_closed = false;
    const struct h1_limits limits = { 4096, 10000 };
    struct h1_parser p;
    struct http_head *h = calloc(1, sizeof(*h));
    h1_init(&p, &limits);
    *status = 0;
    for (size_t from = 0; from < n && *status == 0; from += piece) {
        size_t left = n - from < piece ? n - from : piece;
        /* A copy of its own, so that reading past it is seen by the sanitizer. */
        char *copy = malloc(left);
        memcpy(copy, bytes + from, left);
        const char *at = copy;
        enum h1_event ev;
        while ((ev = h1_next(&p, h, &at, &left)) != H1_MORE && *status == 0) {
            switch (ev) {
            case H1_HEAD:
                has_closed = has_closed || p.wants_close;
                buf_printf(out, "[%s", http_verb_name(h->verb));
                if (with_fields)
                    buf_printf(out, " %s", h->path);
                for (int i = 0; i < h->n_fields && with_fields; i++)
                    buf_printf(out, "|%s=%s", h->fields[i].name, h->fields[i].value);
                buf_printf(out, "%s]", with_fields && p.wants_close ? "|close" : "");
                break;
            case H1_DATA: buf_append(out, p.data, p.n_data); break;
            case H1_END:
                buf_puts(out, "<end>");
                h1_reset(&p);
                break;
            case H1_FAIL:
                *status = p.status;
                CHECK(p.why && *p.why, "no reason");
                break;
            case H1_MORE: break;
            }
        }
        CHECK(*status != 0 || left == 0, "%zu bytes were left", left);
        free(copy);
    }
    const bool is_whole = *status == 0 && !h1_is_inside(&p) && !has_closed;
    h1_fini(&p);
    free(h);
    return is_whole;
}

#define R1 "HTTP/1.1\r\nHost: a\r\n"
static const struct {
    int status; /* 0: accepted */
    const char *bytes;
    const char *why;
} table[] = {
    { 0, "GET / " R1 "\r\n", "the plainest" },
    { 0, "GET /v1/models?x=1&y=%20 " R1 "Accept: */*\r\n\r\n", "query" },
    { 0, "GET /v1/models/a%2Fb%3Aq4 " R1 "\r\n", "escapes" },
    { 0, "\r\n\r\nGET / " R1 "\r\n", "empty lines in front" },
    { 0, "POST / " R1 "Content-Length: 5\r\n\r\nhello", "body" },
    { 0, "POST / " R1 "Content-Length: 0\r\n\r\n", "empty body" },
    { 0, "POST / " R1 "Content-Length: 0005\r\n\r\nhello", "zeros in front" },
    { 0, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "chunked" },
    { 0, "POST / " R1 "Transfer-Encoding: Chunked\r\n\r\n5;a=b;c=\"d\"\r\nhello\r\n00\r\nA: b\r\n\r\n", "extension, trailer" },
    { 0, "GET / HTTP/1.0\r\n\r\n", "1.0 needs no Host" },
    { 0, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n", "1.0 keep-alive" },
    { 0, "GET http://example.com:80/path?q " R1 "\r\n", "absolute form" },
    { 0, "GET http://example.com " R1 "\r\n", "absolute form without a path" },
    { 0, "OPTIONS * " R1 "\r\n", "asterisk form" },
    { 0, "GET / HTTP/1.1\r\nHost:\r\n\r\n", "an empty Host is allowed" },
    { 0, "GET / " R1 "X:\t padded \t\r\n\r\n", "padding goes" },
    { 0, "GET / " R1 "X: caf\xc3\xa9\r\n\r\n", "bytes over 127 in a value" },
    { 0, "GET /1 " R1 "\r\nGET /2 " R1 "\r\nPOST /3 " R1 "Content-Length: 2\r\n\r\nokGET /4 " R1 "\r\n", "pipelined" },
    { 0, "POST / " R1 "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "expect" },
    { 0, "GET / " R1 "Connection: close\r\n\r\n", "close" },
    { 0, "GET / " R1 "Connection: x, Close ,y\r\n\r\n", "close in a list" },
    { 0, "GET", "not complete" },

    { 400, "POST / " R1 "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "both lengths: smuggling" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "the other way round" },
    { 400, "POST / " R1 "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "twice the same" },
    { 400, "POST / " R1 "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "twice, different" },
    { 400, "POST / " R1 "Content-Length: +5\r\n\r\nhello", "sign" },
    { 400, "POST / " R1 "Content-Length: -5\r\n\r\nhello", "negative" },
    { 400, "POST / " R1 "Content-Length: 5, 5\r\n\r\nhello", "list" },
    { 400, "POST / " R1 "Content-Length: 5 5\r\n\r\nhello", "space inside" },
    { 400, "POST / " R1 "Content-Length: 0x5\r\n\r\nhello", "hex" },
    { 400, "POST / " R1 "Content-Length:\r\n\r\n", "empty length" },
    { 413, "POST / " R1 "Content-Length: 10001\r\n\r\n", "over the limit, said before the body" },
    { 413, "POST / " R1 "Content-Length: 99999999999999999999999999\r\n\r\n", "overflow" },
    { 413, "POST / " R1 "Content-Length: 18446744073709551617\r\n\r\n", "2^64 + 1" },
    { 501, "POST / " R1 "Transfer-Encoding: gzip\r\n\r\n", "unknown coding" },
    { 501, "POST / " R1 "Transfer-Encoding: identity\r\n\r\n", "identity is no coding any more" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "chunked is not last" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "twice" },
    { 501, "POST / " R1 "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "looks like it" },
    { 400, "POST / " R1 "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "space before the colon" },
    { 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "1.0 has no chunks" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", "0x in a size" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", "space behind a size" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n", "no size" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", "negative size" },
    { 413, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nabc", "size overflow" },
    { 413, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\n2711\r\nabc", "one byte over the limit" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n", "not CRLF behind a chunk" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", "bare LF behind a size" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\n3;ext\nabc\r\n0\r\n\r\n", "bare LF behind an extension" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n", "bad trailer" },
    { 400, "POST / " R1 "Transfer-Encoding: chunked\r\n\r\n0\r\n: x\r\n\r\n", "nameless trailer" },
    { 400, "GET / " R1 "A: b\n\r\n", "bare LF ends a field" },
    { 400, "GET / HTTP/1.1\nHost: a\r\n\r\n", "bare LF ends the first line" },
    { 400, "GET / " R1 "A: b\r\n\n", "bare LF ends the head" },
    { 400, "GET / " R1 "A: b\rc\r\n\r\n", "lone CR" },
    { 400, "GET / " R1 "A: b\r\n folded\r\n\r\n", "folded line" },
    { 400, "GET / " R1 "\tA: b\r\n\r\n", "tab in front" },
    { 400, "GET / " R1 ": b\r\n\r\n", "no name" },
    { 400, "GET / " R1 "A\r\n\r\n", "no colon" },
    { 400, "GET / " R1 "A b: c\r\n\r\n", "space in a name" },
    { 400, "GET / " R1 "A\xc3: c\r\n\r\n", "a name that is not ASCII" },
    { 400, "GET / " R1 "A: b\x01\r\n\r\n", "control byte" },
    { 400, "GET / " R1 "A: b\x7f\r\n\r\n", "DEL" },
    { 400, "GET / HTTP/1.1\r\n\r\n", "no Host" },
    { 400, "GET / " R1 "Host: b\r\n\r\n", "two Hosts" },
    { 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "space in Host" },
    { 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "path in Host" },
    { 400, "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", "list in Host" },
    { 400, "GET /\r\n", "HTTP/0.9" },
    { 400, "GET\r\n", "no target" },
    { 400, " GET / " R1 "\r\n", "space in front" },
    { 400, "GET  / " R1 "\r\n", "two spaces" },
    { 400, "GET /  " R1 "\r\n", "two spaces" },
    { 400, "GET / x " R1 "\r\n", "space in the target" },
    { 400, "GET /a\tb " R1 "\r\n", "tab in the target" },
    { 400, "GET /\xc3\xa9 " R1 "\r\n", "raw UTF-8 in the target" },
    { 400, "GET /%zz " R1 "\r\n", "bad escape" },
    { 400, "GET /%4 " R1 "\r\n", "half an escape" },
    { 400, "GET /%00 " R1 "\r\n", "zero byte in the path" },
    { 400, "GET /a#b " R1 "\r\n", "fragment" },
    { 400, "GET path " R1 "\r\n", "no slash" },
    { 400, "GET * " R1 "\r\n", "asterisk is for OPTIONS" },
    { 400, "GET http:///x " R1 "\r\n", "URL without a host" },
    { 400, "G\xc3T / " R1 "\r\n", "method not ASCII" },
    { 501, "BREW / " R1 "\r\n", "unknown method" },
    { 501, "get / " R1 "\r\n", "methods are upper case" },
    { 501, "CONNECT a:443 " R1 "\r\n", "no proxy here" },
    { 501, "TRACE / " R1 "\r\n", "no TRACE" },
    { 505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "1.2 does not exist" },
    { 505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "2.0 looks different" },
    { 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "the preface of HTTP/2" },
    { 505, "GET / HTTP/0.9\r\n\r\n", "0.9 has no version" },
    { 400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n", "two digits" },
    { 400, "GET / http/1.1\r\nHost: a\r\n\r\n", "lower case" },
    { 400, "GET / HTTP/11\r\nHost: a\r\n\r\n", "no dot" },
    { 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "a TLS hello" },
    { 400, "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", "only empty lines" },
    { 400, "\nGET / " R1 "\r\n", "bare LF in front" },
    { 417, "POST / " R1 "Expect: a-cake\r\nContent-Length: 1\r\n\r\nx", "unknown expectation" },
};

TEST(each_request_of_the_table_gets_its_status_however_it_is_cut)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct buf whole, cut;
        buf_init(&whole, 1 << 20);
        buf_init(&cut, 1 << 20);
        const size_t n = strlen(table[i].bytes);
        int status, status_cut;
        describe(table[i].bytes, n, n, true, &whole, &status);
        CHECK(status == table[i].status, "%s: got %d, want %d", table[i].why, status, table[i].status);
        for (size_t piece = 1; piece <= 7; piece += 2) {
            buf_clear(&cut);
            describe(table[i].bytes, n, piece, true, &cut, &status_cut);
            CHECK(status == status_cut && whole.len == cut.len && (whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0),
                  "%s: pieces of %zu give %d %s", table[i].why, piece, status_cut, cut.data ? cut.data : "");
        }
        buf_fini(&whole);
        buf_fini(&cut);
    }
}

static void check_reading(const char *bytes, const char *want)
{
    struct buf b;
    int status;
    buf_init(&b, 1 << 20);
    describe(bytes, strlen(bytes), 3, true, &b, &status);
    CHECK(status == 0 && b.data && strcmp(b.data, want) == 0, "status %d, got %s, want %s", status, b.data, want);
    buf_fini(&b);
}

TEST(heads_and_bodies_are_read_as_they_were_meant)
{
    check_reading("POST /a%20b?c=%41 " R1 "X-Y:  z \r\nTransfer-Encoding: chunked\r\n\r\n3;e\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n",
                  "[POST /a b|host=a|x-y=z|transfer-encoding=chunked]abcde<end>");
    check_reading("GET http://u:80/p " R1 "\r\n", "[GET /p|host=a]<end>");
    check_reading("GET http://u " R1 "\r\n", "[GET /|host=a]<end>");
    check_reading("GET / HTTP/1.0\r\n\r\n", "[GET /|close]<end>");
}

TEST(a_head_may_be_as_large_as_the_limit_and_no_larger)
{
    static const char first[] = "GET / " R1, last[] = "\r\n\r\n";
    for (int over = 0; over <= 1; over++) {
        struct buf b, out;
        int status;
        buf_init(&b, 1 << 20);
        buf_init(&out, 1 << 20);
        buf_puts(&b, first);
        buf_puts(&b, "X: ");
        while (b.len < 4096 - strlen(last) + (size_t)over)
            buf_putc(&b, 'x');
        buf_puts(&b, last);
        describe(b.data, b.len, 100, true, &out, &status);
        CHECK(status == (over ? 431 : 0), "%zu bytes give %d", b.len, status);
        buf_clear(&b);
        buf_puts(&b, "GET /");
        while (b.len < 5000)
            buf_putc(&b, 'x');
        describe(b.data, b.len, 100, true, &out, &status);
        CHECK(status == 414, "a long target gives %d", status);
        buf_clear(&b);
        buf_puts(&b, first);
        for (int i = 0; i < HTTP_FIELDS_MAX - 1 + over; i++)
            buf_puts(&b, "a: b\r\n");
        buf_puts(&b, "\r\n");
        describe(b.data, b.len, 100, true, &out, &status);
        CHECK(status == (over ? 431 : 0), "%d fields more give %d", over, status);
        buf_fini(&b);
        buf_fini(&out);
    }
}

/* ---- http-parser reads the same ---- */

static struct buf *judge_out;

static int judge_body(http_parser *p, const char *at, size_t n)
{
    (void)p;
    buf_append(judge_out, at, n);
    return 0;
}
static int judge_head(http_parser *p)
{
    buf_printf(judge_out, "[%s]", http_method_str((enum http_method)p->method));
    return 0;
}
static int judge_end(http_parser *p)
{
    (void)p;
    buf_puts(judge_out, "<end>");
    return 0;
}

static bool judge(const char *bytes, size_t n, struct buf *out)
{
    http_parser_settings settings;
    http_parser p;
    http_parser_settings_init(&settings);
    settings.on_body = judge_body;
    settings.on_headers_complete = judge_head;
    settings.on_message_complete = judge_end;
    http_parser_init(&p, HTTP_REQUEST);
    judge_out = out;
    const size_t used = http_parser_execute(&p, &settings, bytes, n);
    return HTTP_PARSER_ERRNO(&p) == HPE_OK && used == n;
}

TEST(what_ours_accepts_http_parser_accepts_too_and_frames_alike)
{
    static const char spice[] = "\r\n: ;,/%?#\t0123456789abcdefABCDEF\x01\x80GETHostchunked";
    enum { N_FRIENDLY = 22 };
    int n_accepted = 0;
    struct buf ours, theirs;
    buf_init(&ours, 1 << 16);
    buf_init(&theirs, 1 << 16);
    for (int round = 0; round < 100000; round++) {
        char bytes[512];
        const char *from = table[round % N_FRIENDLY].bytes;
        size_t n = strlen(from);
        memcpy(bytes, from, n);
        for (uint64_t k = test_rand_u64() % 4; k > 0; k--) {
            const size_t at = test_rand_u64() % n;
            const char c = spice[test_rand_u64() % (sizeof(spice) - 1)];
            switch (test_rand_u64() % 3) {
            case 0: bytes[at] = c; break;
            case 1:
                memmove(bytes + at, bytes + at + 1, n - at - 1);
                n -= n > 1;
                break;
            default:
                memmove(bytes + at + 1, bytes + at, n - at);
                bytes[at] = c;
                n++;
            }
        }
        int status;
        buf_clear(&ours);
        buf_clear(&theirs);
        if (!describe(bytes, n, n, false, &ours, &status) || ours.len == 0)
            continue;
        n_accepted++;
        if (memmem(bytes, n, "\t\r\n", 3)) /* it does not trim tabs, as RFC 9110, 5.5 asks */
            continue;
        CHECK(judge(bytes, n, &theirs), "http-parser refuses: %.*s", (int)n, bytes);
        CHECK(theirs.data && strcmp(ours.data, theirs.data) == 0, "ours %s, theirs %s, of %.*s", ours.data, theirs.data,
              (int)n, bytes);
    }
    CHECK(n_accepted > 10000, "only %d were accepted", n_accepted);
    buf_fini(&ours);
    buf_fini(&theirs);
}
