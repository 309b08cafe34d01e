/* net/h2_internal.h - header fields of HTTP/2: what both sides collect as a struct http_head, one field at a time, and what they send. */
#ifndef TUTTI_NET_H2_INTERNAL_H
#define TUTTI_NET_H2_INTERNAL_H
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "net/http.h"

/* name\0value\0 behind what is there.  The buffer may still move: the head gets offsets for now.  false: there are too many. */
static inline bool h2_add_field(struct http_head *head, struct buf *b, const void *name, size_t n_name, const void *value, size_t n_value)
{
    const size_t at = b->len;
    if (head->n_fields == HTTP_FIELDS_MAX)
        return false;
    buf_append(b, name, n_name);
    buf_putc(b, '\0');
    buf_append(b, value, n_value);
    buf_putc(b, '\0');
    head->fields[head->n_fields].name = (const char *)(uintptr_t)at;
    head->fields[head->n_fields++].value = (const char *)(uintptr_t)(at + n_name + 1);
    return true;
}

/* All are there: offsets become texts. */
static inline void h2_settle_fields(struct http_head *head, const struct buf *b)
{
    for (int i = 0; i < head->n_fields; i++) {
        head->fields[i].name = b->data + (uintptr_t)head->fields[i].name;
        head->fields[i].value = b->data + (uintptr_t)head->fields[i].value;
    }
}

/* One to send; the texts are borrowed until nghttp2 has taken them. */
static inline void h2_put_field(nghttp2_nv *nv, const char *name, const char *value)
{
    *nv = (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE };
}
#endif
