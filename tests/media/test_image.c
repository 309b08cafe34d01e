/* tests/media/test_image.c - pictures come back as they were drawn, what is broken is said, limits hold before decoding. */
#include "media/image.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "drawn.h"
#include "media/resize.h"

/* A library that is not here skips the test with the line that users would see. */
#define NEED(ok, err)                                                                              \
    do {                                                                                           \
        const bool ok_ = (ok);                                                                     \
        if (!ok_ && (err).code == ERR_UNSUPPORTED)                                                 \
            SKIP("%s", (err).text);                                                                \
        REQUIRE(ok_, "%s", (err).text);                                                            \
    } while (0)

static void put_le(uint8_t *p, uint32_t v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* A BMP of w x h from RGB at bits 1, 4, 8 (palette entry i is (i, 255 - i, i / 2)), 16, 24, 32; returns its size. */
static size_t write_bmp(uint8_t *out, const struct image *im, int bits, bool is_top_first, bool has_masks)
{
    const size_t row = ((size_t)im->w * (size_t)bits + 31) / 32 * 4, entries = bits <= 8 ? (size_t)1 << bits : 0;
    const size_t px_at = 54 + (has_masks ? 12 : 0) + entries * 4, n = px_at + row * (size_t)im->h;
    memset(out, 0, n);
    memcpy(out, "BM", 2);
    put_le(out + 2, (uint32_t)n, 4), put_le(out + 10, (uint32_t)px_at, 4), put_le(out + 14, 40, 4);
    put_le(out + 18, (uint32_t)im->w, 4), put_le(out + 22, (uint32_t)(is_top_first ? -im->h : im->h), 4);
    put_le(out + 26, 1, 2), put_le(out + 28, (uint32_t)bits, 2), put_le(out + 30, has_masks ? 3 : 0, 4);
    if (has_masks)
        put_le(out + 54, bits == 16 ? 0xF800 : 0xFF, 4), put_le(out + 58, bits == 16 ? 0x07E0 : 0xFF00, 4), put_le(out + 62, bits == 16 ? 0x1F : 0xFF0000, 4);
    for (size_t i = 0; i < entries; i++)
        out[54 + 4 * i] = (uint8_t)(i / 2), out[55 + 4 * i] = (uint8_t)(255 - i), out[56 + 4 * i] = (uint8_t)i;
    for (int y = 0; y < im->h; y++) {
        uint8_t *d = out + px_at + row * (size_t)(is_top_first ? y : im->h - 1 - y);
        const uint8_t *s = im->px + (size_t)y * im->stride;
        for (int x = 0; x < im->w; x++, s += 3) {
            if (bits == 24)
                d[3 * x] = s[2], d[3 * x + 1] = s[1], d[3 * x + 2] = s[0];
            else if (bits == 32 && has_masks)
                d[4 * x] = s[0], d[4 * x + 1] = s[1], d[4 * x + 2] = s[2];
            else if (bits == 32)
                d[4 * x] = s[2], d[4 * x + 1] = s[1], d[4 * x + 2] = s[0];
            else if (bits == 16)
                put_le(d + 2 * x, has_masks ? (uint32_t)(s[0] >> 3 << 11 | s[1] >> 2 << 5 | s[2] >> 3) : (uint32_t)(s[0] >> 3 << 10 | s[1] >> 3 << 5 | s[2] >> 3), 2);
            else
                d[x * bits / 8] |= (uint8_t)((s[0] & ((1 << bits) - 1)) << (8 - bits - x * bits % 8));
        }
    }
    return n;
}

TEST(every_form_of_bmp_is_read)
{
    static const struct { int bits; bool is_top_first, has_masks; double most; } forms[] = {
        { 24, false, false, 0 }, { 24, true, false, 0 }, { 32, false, false, 0 }, { 32, true, true, 0 },
        { 16, false, false, 4.5 }, { 16, false, true, 4.0 },
    };
    struct image im = { 0 }, back = { 0 };
    struct err err = { 0 };
    draw_waves(&im, 37, 23, 3);
    uint8_t *bmp = malloc(1 << 16);
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        const size_t n = write_bmp(bmp, &im, forms[i].bits, forms[i].is_top_first, forms[i].has_masks);
        CHECK(image_sniff(bmp, n) == IMAGE_BMP);
        CHECK(image_decode(bmp, n, 3, NULL, &back, &err), "%zu: %s", i, err.text);
        CHECK(image_distance(&im, &back) <= forms[i].most, "%zu: %g", i, image_distance(&im, &back));
    }
    for (int bits = 1; bits <= 8; bits = bits == 1 ? 4 : bits + 4) {
        const size_t n = write_bmp(bmp, &im, bits, false, false);
        REQUIRE(image_decode(bmp, n, 3, NULL, &back, &err), "%d bits: %s", bits, err.text);
        for (int i = 0; i < im.w * im.h; i++) {
            const int k = im.px[3 * i] & ((1 << bits) - 1);
            REQUIRE(back.px[3 * i] == k && back.px[3 * i + 1] == 255 - k && back.px[3 * i + 2] == k / 2, "%d bits, pixel %d", bits, i);
        }
    }
    free(bmp), image_fini(&im), image_fini(&back);
}

TEST(ppm_and_pgm_are_read_and_cut_ones_are_errors)
{
    struct err err = { 0 };
    struct image im = { 0 };
    static const char colour[] = "P6 # a comment 7\n2\t1\r\n15\nabc\x00\x0f\x05", grey[] = "P5\n1 2\n255\n\x07\xc8";
    CHECK(image_sniff(colour, sizeof(colour) - 1) == IMAGE_PNM);
    REQUIRE(image_decode(colour, sizeof(colour) - 1, 3, NULL, &im, &err), "%s", err.text);
    CHECK(im.w == 2 && im.h == 1 && im.px[0] == 255 && im.px[3] == 0 && im.px[4] == 255 && im.px[5] == 85, "%d %d %d", im.px[0], im.px[4], im.px[5]);
    REQUIRE(image_decode(grey, sizeof(grey) - 1, 3, NULL, &im, &err), "%s", err.text);
    CHECK(im.w == 1 && im.h == 2 && im.px[0] == 7 && im.px[2] == 7 && im.px[3] == 200);
    for (size_t cut = 0; cut < sizeof(colour) - 1; cut++) {
        char *exact = malloc(cut + !cut);
        memcpy(exact, colour, cut);
        CHECK(!image_decode(exact, cut, 3, NULL, &im, &err), "%zu bytes are enough", cut);
        free(exact);
    }
    static const char *const wrong[] = { "P6 0 1 255 abc", "P6 65501 1 255 abc", "P6 1 1 65535 abcdef", "P6 1 1 0 abc", "P6 -1 1 255 abc",
                                         "P6 1 99999999999999999999 255 a", "P6 1 1 255#", "P6 60000 60000 255 a" };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CHECK(!image_decode(wrong[i], strlen(wrong[i]), 3, NULL, &im, &err), "%s", wrong[i]);
    image_fini(&im);
}

TEST(a_cut_bmp_is_an_error_at_every_length)
{
    struct image im = { 0 }, back = { 0 };
    struct err err = { 0 };
    draw_waves(&im, 9, 7, 3);
    uint8_t bmp[4096];
    const size_t n = write_bmp(bmp, &im, 8, false, false);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1); /* so that a sanitizer sees the first byte too far */
        memcpy(exact, bmp, cut);
        CHECK(!image_decode(exact, cut, 3, NULL, &back, &err) && err.code == ERR_INPUT && err.text[0], "%zu bytes", cut);
        free(exact);
    }
    image_fini(&im), image_fini(&back);
}

TEST(what_we_write_as_png_comes_back_to_the_bit)
{
    static const int sizes[][2] = { { 1, 1 }, { 3, 2 }, { 64, 64 }, { 301, 199 } };
    struct image im = { 0 }, back = { 0 };
    struct err err = { 0 };
    struct buf b;
    buf_init(&b, 1 << 24);
    for (int channels = 1; channels <= 3; channels += 2)
        for (int i = 0; i < 5; i++) {
            if (i < 4)
                draw_waves(&im, sizes[i][0], sizes[i][1], channels);
            else { /* noise, which no match shortens, then white, which is one long match */
                REQUIRE(image_resize_memory(&im, 200, 150, channels, &err));
                for (size_t k = 0; k < im.stride * 150; k++)
                    im.px[k] = k < im.stride * 70 ? (uint8_t)test_rand_u64() : 255;
            }
            buf_clear(&b);
            REQUIRE(image_encode_png(&im, &b, &err), "%s", err.text);
            struct image_info info;
            REQUIRE(image_peek(b.data, b.len, &info, &err), "%s", err.text);
            CHECK(info.kind == IMAGE_PNG && info.w == im.w && info.h == im.h && info.orientation == 1);
            NEED(image_decode(b.data, b.len, channels, NULL, &back, &err), err);
            CHECK(channels == 3 ? is_same_image(&im, &back) : image_distance(&im, &back) < 0.6, "%d channels, size %d", channels, i);
        }
    buf_fini(&b), image_fini(&im), image_fini(&back);
}

TEST(png_of_a_plain_picture_is_small)
{
    struct image im = { 0 };
    struct err err = { 0 };
    struct buf b;
    buf_init(&b, 1 << 24);
    REQUIRE(image_resize_memory(&im, 800, 600, 3, &err));
    memset(im.px, 255, im.stride * 600);
    REQUIRE(image_encode_png(&im, &b, &err));
    CHECK(b.len < 30000, "%zu bytes", b.len);
    struct buf tight;
    buf_init(&tight, 1000);
    CHECK(!image_encode_png(&im, &tight, &err) && strstr(err.text, "PNG"), "%s", err.text);
    buf_fini(&b), buf_fini(&tight), image_fini(&im);
}

TEST(jpeg_comes_back_nearly_the_same_and_turned_as_exif_says)
{
    struct image im = { 0 }, back = { 0 }, turned = { 0 };
    struct err err = { 0 };
    struct buf b;
    buf_init(&b, 1 << 24);
    draw_waves(&im, 120, 80, 3);
    NEED(image_encode_jpeg(&im, 95, &b, &err), err);
    NEED(image_decode(b.data, b.len, 3, NULL, &back, &err), err);
    CHECK(image_distance(&im, &back) < 4, "%g", image_distance(&im, &back));
    for (int o = 1; o <= 8; o++)
        for (int is_le = 0; is_le < 2; is_le++) {
            uint8_t exif[36] = { 0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0 };
            uint8_t *t = exif + 10;
            memcpy(t, is_le ? "II*\0\10\0\0\0\1\0\x12\1\3\0\1\0\0\0" : "MM\0*\0\0\0\10\0\1\1\x12\0\3\0\0\0\1", 18);
            t[is_le ? 18 : 19] = (uint8_t)o;
            struct buf j;
            buf_init(&j, 1 << 24);
            buf_append(&j, b.data, 2);
            buf_append(&j, exif, sizeof(exif));
            buf_append(&j, b.data + 2, b.len - 2);
            struct image_info info;
            REQUIRE(image_peek(j.data, j.len, &info, &err), "%s", err.text);
            CHECK(info.orientation == o && info.w == (o >= 5 ? 80 : 120), "%d: %d", o, info.orientation);
            struct image plain = { 0 };
            REQUIRE(image_decode(b.data, b.len, 3, NULL, &plain, &err));
            REQUIRE(image_orient(&plain, o, &turned, &err));
            REQUIRE(image_decode(j.data, j.len, 3, NULL, &back, &err), "%s", err.text);
            CHECK(is_same_image(&turned, &back), "orientation %d", o);
            image_fini(&plain);
            buf_fini(&j);
        }
    for (size_t cut = 0; cut < b.len; cut += 3)
        CHECK(!image_decode(b.data, cut, 3, NULL, &back, &err) && err.code == ERR_INPUT && err.text[0], "%zu of %zu bytes", cut, b.len);
    buf_fini(&b), image_fini(&im), image_fini(&back), image_fini(&turned);
}

TEST(too_large_is_said_before_anything_is_decoded)
{
    struct image back = { 0 };
    struct err err = { 0 };
    uint8_t png[45] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    png[18] = 0x80, png[22] = 0x80, png[24] = 8, png[25] = 2; /* 32768 x 32768 */
    CHECK(!image_decode(png, sizeof(png), 3, NULL, &back, &err) && err.code == ERR_LIMIT, "%s", err.text);
    png[16] = 0x7F;
    CHECK(!image_decode(png, sizeof(png), 3, NULL, &back, &err) && err.code == ERR_INPUT, "%s", err.text);
    const struct image_limits tiny = { .max_bytes = 10, .max_px = 100 };
    CHECK(!image_decode(png, sizeof(png), 3, &tiny, &back, &err) && err.code == ERR_LIMIT, "%s", err.text);
    CHECK(!image_decode("hello, world, this is text", 26, 3, NULL, &back, &err) && err.code == ERR_INPUT, "%s", err.text);
    CHECK(back.cap_bytes == 0);
}

TEST(a_view_is_cut_to_the_picture)
{
    struct image im = { 0 };
    draw_waves(&im, 20, 10, 3);
    struct image v = image_view(&im, 5, 3, 100, 100);
    CHECK(v.w == 15 && v.h == 7 && v.px == im.px + 3 * im.stride + 15);
    v = image_view(&im, -4, -2, 10, 5);
    CHECK(v.w == 6 && v.h == 3 && v.px == im.px);
    CHECK(image_view(&im, 20, 0, 5, 5).w == 0 && image_view(&im, 3, 3, -1, 2).w == 0 && image_view(&im, INT32_MAX, 0, INT32_MAX, 1).w == 0);
    image_fini(&im);
}

TEST(photos_of_all_kinds_are_read)
{
    static const struct { const char *file; enum image_kind kind; } photos[] = {
        { "models/media/photo/cat_tabby.jpg", IMAGE_JPEG }, { "models/media/photo/cat_chelsea.png", IMAGE_PNG }, { "models/media/text/bill.png", IMAGE_PNG },
    };
    struct image im = { 0 }, grey = { 0 }, own = { 0 };
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof(photos) / sizeof(*photos); i++) {
        size_t n;
        char *bytes = file_read(test_shared(photos[i].file), 1 << 26, &n, &err);
        REQUIRE(bytes, "%s", err.text);
        CHECK(image_sniff(bytes, n) == photos[i].kind);
        NEED(image_decode(bytes, n, 3, NULL, &im, &err), err);
        REQUIRE(image_decode(bytes, n, 1, NULL, &grey, &err), "%s", err.text);
        REQUIRE(image_to_grey(&im, &own, &err));
        CHECK(image_distance(&grey, &own) < 1, "%s: %g", photos[i].file, image_distance(&grey, &own));
        free(bytes);
    }
    /* the same cat as PPM and as PNG */
    size_t n;
    char *ppm = file_read(test_shared("models/media/photo/cat_chelsea.ppm"), 1 << 26, &n, &err);
    REQUIRE(ppm, "%s", err.text);
    char *png = file_read(test_shared("models/media/photo/cat_chelsea.png"), 1 << 26, &n, &err);
    REQUIRE(png && image_decode(png, n, 3, NULL, &im, &err), "%s", err.text);
    int w, h, skip = 0;
    REQUIRE(sscanf(ppm, "P6 %d %d 255%n", &w, &h, &skip) == 2 && skip > 0);
    if (w == im.w && h == im.h)
        CHECK(memcmp(ppm + skip + 1, im.px, (size_t)w * (size_t)h * 3) == 0);
    free(ppm), free(png);
    image_fini(&im), image_fini(&grey), image_fini(&own);
}

/* The corpus of the fuzzer has a small picture in each form, made by ffmpeg: colour bars and a gradient. */
TEST(pictures_that_others_wrote_are_read)
{
    static const struct { const char *file; enum image_kind kind; int w, h; } files[] = {
        { "jpg", IMAGE_JPEG, 8, 8 },          { "png", IMAGE_PNG, 16, 12 },          { "png_alpha", IMAGE_PNG, 12, 9 }, { "png_palette", IMAGE_PNG, 12, 9 },
        { "webp", IMAGE_WEBP, 16, 16 },       { "webp_lossless", IMAGE_WEBP, 16, 16 }, { "bmp", IMAGE_BMP, 9, 7 },      { "bmp_palette", IMAGE_BMP, 16, 8 },
    };
    struct image im[sizeof(files) / sizeof(*files)] = { 0 };
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        char path[64];
        size_t n;
        snprintf(path, sizeof(path), "tests/fuzz/corpus/image/%s", files[i].file);
        char *bytes = file_read(path, 1 << 20, &n, &err);
        REQUIRE(bytes, "%s", err.text);
        CHECK(image_sniff(bytes, n) == files[i].kind, "%s", path);
        NEED(image_decode(bytes, n, 3, NULL, &im[i], &err), err);
        CHECK(im[i].w == files[i].w && im[i].h == files[i].h, "%s: %d x %d", path, im[i].w, im[i].h);
        free(bytes);
    }
    CHECK(image_distance(&im[4], &im[5]) < 15, "both WebP show the same: %g", image_distance(&im[4], &im[5]));
    CHECK(image_distance(&im[2], &im[3]) < 15, "both PNG show the same: %g", image_distance(&im[2], &im[3]));
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        image_fini(&im[i]);
}

BENCH(decode)
{
    struct image im = { 0 };
    struct err err = { 0 };
    static const char *files[] = { "models/media/photo/dog_bicycle_truck.jpg", "models/media/photo/cat_chelsea.png" };
    for (int i = 0; i < 2; i++) {
        size_t n;
        char *bytes = file_read(test_shared(files[i]), 1 << 26, &n, &err);
        REQUIRE(bytes, "%s", err.text);
        for (int ch = 3; ch >= 1; ch -= 2) {
            double best = 1e9;
            for (int k = 0; k < 30; k++) {
                const double t = (double)clock_ns() * 1e-6;
                NEED(image_decode(bytes, n, ch, NULL, &im, &err), err);
                best = fmin(best, (double)clock_ns() * 1e-6 - t);
            }
            printf("# decode %s %d x %d, %d channels: %.2f ms\n", files[i], im.w, im.h, ch, best);
        }
        free(bytes);
    }
    image_fini(&im);
}
