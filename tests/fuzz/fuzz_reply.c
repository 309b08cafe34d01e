/* tests/fuzz/fuzz_reply.c - bytes of a server into the HTTP/1.1 response parser: nothing is read past, and how the
 * bytes are cut never changes what comes out.  First byte: the size of the pieces, and whether HEAD was asked. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "net/h1_parse.h"

static void describe(const uint8_t *bytes, size_t n, size_t piece, bool is_to_head, struct buf *out)
{
    const struct h1_limits limits = { 2048, 5000 };
    struct h1_parser p;
    struct http_head *h = calloc(1, sizeof(*h));
    bool is_over = h == NULL;
    h1_init_reply(&p, &limits);
    p.is_to_head = is_to_head;
    for (size_t from = 0; from < n && !is_over; from += piece) {
        size_t left = n - from < piece ? n - from : piece;
        char *copy = malloc(left);
        if (!copy)
            break;
        memcpy(copy, bytes + from, left);
        const char *at = copy;
        enum h1_event ev;
        while (!is_over && (ev = h1_next(&p, h, &at, &left)) != H1_MORE) {
            if (ev == H1_HEAD) {
                buf_printf(out, "[%d %lld", h->status, (long long)h->content_length);
                for (int i = 0; i < h->n_fields; i++)
                    buf_printf(out, "|%s=%s", h->fields[i].name, h->fields[i].value);
                buf_printf(out, "%d]", p.wants_close);
            } else if (ev == H1_DATA) {
                buf_append(out, p.data, p.n_data);
            } else if (ev == H1_END) {
                buf_puts(out, "<end>");
                h1_reset(&p);
                p.is_to_head = is_to_head;
            } else {
                buf_printf(out, "<%d>", p.status);
                is_over = true;
            }
        }
        free(copy);
    }
    if (!is_over)
        buf_printf(out, "{%d}", (int)h1_finish(&p));
    h1_fini(&p);
    free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole, cut;
    if (size < 2)
        return 0;
    buf_init(&whole, 1 << 20);
    buf_init(&cut, 1 << 20);
    describe(data + 1, size - 1, size - 1, data[0] & 128, &whole);
    describe(data + 1, size - 1, 1 + data[0] % 64u, data[0] & 128, &cut);
    if (whole.len != cut.len || (whole.len > 0 && memcmp(whole.data, cut.data, whole.len) != 0))
        abort();
    buf_fini(&whole);
    buf_fini(&cut);
    return 0;
}
