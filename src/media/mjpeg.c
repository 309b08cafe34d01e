/* media/mjpeg.c - JPEG pictures out of a stream of bytes; see video.h.  Start at mjpeg_next().
 *
 *   SEEK --FF D8 FF--> SEGMENTS --start of scan--> SCAN --any marker but RST--> SEGMENTS --end of image--> a picture, SEEK
 *   SEGMENTS --no marker--> SEEK behind the false start
 *
 * Rule:    segments are passed by their lengths, so that a thumbnail inside one does not end the picture (ITU-T T.81, B.1.1).
 */
#include <stdint.h>
#include <string.h>

#include "media/video.h"

enum { SEEK, SEGMENTS, SCAN };

void mjpeg_init(struct mjpeg *m, size_t max_picture_bytes)
{
    *m = (struct mjpeg){ .max_picture_bytes = max_picture_bytes };
    buf_init(&m->bytes, 0);
}

void mjpeg_fini(struct mjpeg *m) { buf_fini(&m->bytes); }

bool mjpeg_put(struct mjpeg *m, const void *bytes, size_t n, struct err *err)
{
    struct buf *b = &m->bytes;
    const bool is_too_large = b->len - m->start > m->max_picture_bytes;
    if (is_too_large)
        m->start = m->at = b->len, m->state = SEEK;
    if (m->start > 0) {
        memmove(b->data, b->data + m->start, b->len - m->start);
        b->len -= m->start, m->at -= m->start, m->start = 0;
    }
    b->max_bytes = b->len + n; /* at most a picture and what comes now */
    buf_append(b, bytes, n);
    if (b->failed) {
        buf_clear(b);
        m->start = m->at = 0, m->state = SEEK;
        return err_set(err, ERR_NOMEM, "MJPEG: no memory");
    }
    return !is_too_large || err_set(err, ERR_LIMIT, "MJPEG: a picture of more than %zu bytes", m->max_picture_bytes);
}

/* To the next FF D8 FF from `at` on; false when it is not there yet. */
static bool seek(struct mjpeg *m)
{
    const uint8_t *p = (const uint8_t *)m->bytes.data;
    const size_t n = m->bytes.len;
    for (; m->at + 3 <= n; m->at++) {
        const uint8_t *ff = memchr(p + m->at, 0xFF, n - 2 - m->at);
        m->at = ff ? (size_t)(ff - p) : n - 2;
        if (ff && ff[1] == 0xD8 && ff[2] == 0xFF) {
            m->start = m->at, m->at += 2, m->state = SEGMENTS;
            return true;
        }
        if (!ff)
            break;
    }
    m->start = m->at; /* the last two bytes may be the beginning of one */
    return false;
}

/* Passes one marker; false: more bytes are needed.  *is_whole at the end of a picture. */
static bool pass_segment(struct mjpeg *m, bool *is_whole)
{
    const uint8_t *p = (const uint8_t *)m->bytes.data + m->at;
    const size_t left = m->bytes.len - m->at;
    if (left < 2)
        return false;
    const uint8_t marker = p[1];
    if (p[0] != 0xFF || marker == 0) {
        m->at = m->start + 2, m->state = SEEK; /* a false start */
        return true;
    }
    if (marker == 0xD8) {
        m->start = m->at; /* a picture that broke off, and a new one */
        m->at += 2;
    } else if (marker == 0xFF) {
        m->at++;
    } else if (marker == 0xD9) {
        m->at += 2, *is_whole = true;
    } else if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) {
        m->at += 2;
    } else {
        if (left < 4)
            return false;
        const size_t len = (size_t)(p[2] << 8 | p[3]);
        if (len < 2) {
            m->at = m->start + 2, m->state = SEEK;
            return true;
        }
        if (left < 2 + len)
            return false;
        m->at += 2 + len;
        m->state = marker == 0xDA ? SCAN : SEGMENTS;
    }
    return true;
}

static bool scan(struct mjpeg *m)
{
    const uint8_t *p = (const uint8_t *)m->bytes.data;
    const size_t n = m->bytes.len;
    while (m->at + 2 <= n) {
        const uint8_t *ff = memchr(p + m->at, 0xFF, n - 1 - m->at);
        if (!ff) {
            m->at = n - 1;
            return false;
        }
        m->at = (size_t)(ff - p);
        if (ff[1] == 0 || (ff[1] >= 0xD0 && ff[1] <= 0xD7)) {
            m->at += 2;
        } else if (ff[1] == 0xFF) {
            m->at++;
        } else {
            m->state = SEGMENTS;
            return true;
        }
    }
    return false;
}

bool mjpeg_next(struct mjpeg *m, const void **picture, size_t *n_bytes)
{
    bool goes_on = m->bytes.len > 0, is_whole = false;
    while (goes_on) {
        goes_on = m->state == SEEK ? seek(m) : m->state == SCAN ? scan(m) : pass_segment(m, &is_whole);
        if (is_whole) {
            *picture = m->bytes.data + m->start, *n_bytes = m->at - m->start;
            m->start = m->at, m->state = SEEK;
            return true;
        }
    }
    return false;
}
