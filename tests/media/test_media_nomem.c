/* tests/media/test_media_nomem.c - pictures, sound and motion survive every failing allocation of ours. */
#include <string.h>

#include "fail_alloc.h"
#include "media/draw.h"
#include "media/image.h"
#include "media/motion.h"
#include "media/resize.h"
#include "media/sound.h"
#include "media/video.h"
#include "test.h"

static bool pictures(void *arg, struct err *err)
{
    (void)arg;
    struct image page = { 0 }, turned = { 0 }, small = { 0 }, grey = { 0 }, crop = { 0 };
    struct resizer r = { 0 };
    struct buf png;
    static float tensor[3 * 64 * 64];
    const struct pixel_spec spec = { .w = 64, .h = 64, .fit = FIT_LETTERBOX, .filter = FILTER_AREA };
    const float quad[4][2] = { { 1, 1 }, { 30, 2 }, { 31, 20 }, { 2, 19 } };
    buf_init(&png, 1 << 20);
    const bool good = draw_page("Some words.", 20, 300, &page, err) && image_rotate(&page, 1, &turned, err) && image_to_grey(&page, &grey, err) &&
                      image_resize(&r, &page, 40, 30, FILTER_BILINEAR, &small, err) && image_to_pixels(&r, &page, &spec, tensor, NULL, err) &&
                      image_crop_quad(&page, quad, 30, 20, &crop, err) && image_encode_png(&small, &png, err);
    image_fini(&page), image_fini(&turned), image_fini(&small), image_fini(&grey), image_fini(&crop);
    resizer_fini(&r);
    buf_fini(&png);
    return good;
}

static bool bitmap(void *arg, struct err *err)
{
    static const unsigned char bmp[] = { 'B', 'M', 0, 0, 0, 0, 0, 0, 0, 0, 26, 0, 0, 0, 12, 0, 0, 0, 1, 0, 2, 0, 1, 0, 24, 0, 1, 2, 3, 0, 4, 5, 6, 0 };
    (void)arg;
    struct image im = { 0 };
    const bool good = image_decode(bmp, sizeof(bmp), 3, NULL, &im, err) && (im.px[0] == 6 && im.px[5] == 1);
    image_fini(&im);
    return good;
}

static bool sounds(void *arg, struct err *err)
{
    (void)arg;
    static float tone[5000];
    struct buf wav;
    struct sound s = { 0 };
    buf_init(&wav, 1 << 20);
    const bool good = sound_encode(SOUND_WAV, tone, 5000, 16000, &wav, err) && sound_decode(wav.data, wav.len, 0, NULL, &s, err) && s.n == 5000;
    sound_fini(&s);
    buf_fini(&wav);
    return good;
}

static bool moving(void *arg, struct err *err)
{
    (void)arg;
    static uint8_t px[64 * 48];
    struct motion_result r;
    struct motion *m = motion_new(64, 48, NULL, err);
    for (int k = 0; m && k < 30; k++) {
        memset(px, k < 20 ? 90 : 110, 64 * 20);
        motion_frame(m, px, 64, k / 10.0, &r);
    }
    motion_free(m);
    return m != NULL;
}

static bool stream(void *arg, struct err *err)
{
    (void)arg;
    static const uint8_t jpeg[] = { 0xFF, 0xD8, 0xFF, 0xDA, 0, 2, 1, 2, 3, 0xFF, 0xD9 };
    struct video *v = video_open_bytes(jpeg, sizeof(jpeg), NULL, err);
    struct video_frame f;
    const bool good = v && video_next(v, &f, err) && f.n_bytes == sizeof(jpeg);
    video_close(v);
    return good;
}

TEST(pictures_survive_every_failing_allocation) { CHECK(fail_alloc_each(pictures, NULL, 200) > 5); }
TEST(a_bitmap_survives_every_failing_allocation) { CHECK(fail_alloc_each(bitmap, NULL, 200) >= 1); }
TEST(sound_survives_every_failing_allocation) { CHECK(fail_alloc_each(sounds, NULL, 200) > 3); }
TEST(motion_survives_every_failing_allocation) { CHECK(fail_alloc_each(moving, NULL, 200) >= 2); }
TEST(a_stream_of_pictures_survives_every_failing_allocation) { CHECK(fail_alloc_each(stream, NULL, 200) >= 2); }
