/* tests/fuzz/fuzz_mjpeg.c - streams of JPEG pictures: whatever the bytes and however they are cut, the same pictures come out, each
 * from a start to an end of image, and no more is held than a picture may have. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "media/video.h"

enum { PICTURE_MAX = 1 << 14, PICTURES_MAX = 4096 };

static int cut(const uint8_t *data, size_t size, size_t piece, size_t *lengths)
{
    struct mjpeg m;
    struct err err;
    int n = 0;
    mjpeg_init(&m, PICTURE_MAX);
    for (size_t at = 0; at < size; at += piece) {
        const void *p;
        size_t len;
        if (!mjpeg_put(&m, data + at, size - at < piece ? size - at : piece, &err) && err.code != ERR_LIMIT)
            abort();
        while (mjpeg_next(&m, &p, &len)) {
            const uint8_t *b = p;
            if (len < 4 || b[0] != 0xFF || b[1] != 0xD8 || b[len - 2] != 0xFF || b[len - 1] != 0xD9)
                abort();
            if (n < PICTURES_MAX)
                lengths[n++] = len;
        }
        if (m.bytes.len > PICTURE_MAX + 2 * piece + 16 && m.bytes.len - m.start > PICTURE_MAX + 2 * piece)
            abort();
    }
    mjpeg_fini(&m);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static size_t whole[PICTURES_MAX], pieces[PICTURES_MAX];
    if (size == 0 || size > PICTURE_MAX)
        return 0;
    const int n = cut(data, size, size, whole);
    for (size_t piece = 1; piece < 70; piece += 23)
        if (cut(data, size, piece, pieces) != n || memcmp(whole, pieces, (size_t)n * sizeof(size_t)) != 0)
            abort();
    return 0;
}
