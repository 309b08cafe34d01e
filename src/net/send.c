/* net/send.c - see send.h. */
#include "net/send.h"

bool net_seal(struct tls *t, struct buf *out, struct buf *sealed)
{
    if (out->len > 0 && tls_is_ready(t)) {
        if (!tls_seal(t, out->data, out->len))
            return false;
        buf_clear(out);
    }
    return tls_take(t, sealed);
}

ssize_t net_send(uv_stream_t *s, struct buf *from, struct buf *flying, uv_write_t *w, uv_write_cb on_written)
{
    if (from->len == 0)
        return 0;
    uv_buf_t b = uv_buf_init(from->data, (unsigned)from->len);
    int n = uv_try_write(s, &b, 1);
    n = n == UV_EAGAIN ? 0 : n;
    if (n < 0)
        return n;
    if ((size_t)n == from->len) {
        buf_clear(from);
        return 0;
    }
    const struct buf swap = *flying; /* empty */
    *flying = *from;
    *from = swap;
    b = uv_buf_init(flying->data + n, (unsigned)(flying->len - (size_t)n));
    const int rc = uv_write(w, s, &b, 1, on_written);
    return rc < 0 ? rc : (ssize_t)b.len;
}
