/* tests/fuzz/fuzz_image.c - pictures from anywhere: a clean error, or pixels of the size that the head promised, below the limits;
 * what was decoded can be turned, resized and written again. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "media/image.h"
#include "media/resize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct image_limits limits = { .max_bytes = 1 << 20, .max_px = 300000 };
    static struct image im, small; /* their memory is used again */
    static struct resizer resizer;
    struct err err = { 0 };
    struct image_info info;
    const bool has_head = image_peek(data, size, &info, &err);
    for (int n_channels = 1; n_channels <= 3; n_channels += 2) {
        err_clear(&err);
        if (!image_decode(data, size, n_channels, &limits, &im, &err)) {
            if (!err.text[0] || err.code == ERR_NONE || err.code == ERR_INTERNAL)
                abort();
            continue;
        }
        if (!has_head || im.w != info.w || im.h != info.h || im.n_channels != n_channels || (uint64_t)im.w * (uint64_t)im.h > limits.max_px)
            abort();
        if (!image_resize(&resizer, &im, 33, 17, FILTER_AREA, &small, &err) || small.w != 33 || small.h != 17)
            abort();
        struct buf png;
        buf_init(&png, 1 << 22);
        if (im.w < 200 && im.h < 200 && !image_encode_png(&im, &png, &err))
            abort();
        buf_fini(&png);
    }
    return 0;
}
