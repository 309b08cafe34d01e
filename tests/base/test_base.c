/* tests/base/test_base.c - the ground floor: errors, arena, buffers, UTF-8. */
#include <string.h>

#include "base/arena.h"
#include "base/bulk.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "test.h"

TEST(an_error_gets_its_place_put_in_front_and_stays_one_line)
{
    struct err err = { 0 };
    CHECK(!err_set(&err, ERR_INPUT, "byte %d: bad\nname", 7));
    err_prefix(&err, "%s", "model.gguf");
    CHECK(strcmp(err.text, "model.gguf: byte 7: bad?name") == 0, "%s", err.text);
    CHECK(err.code == ERR_INPUT && err_http_status(err.code) == 400);
}

TEST(an_arena_stops_at_its_limit_and_can_be_used_again)
{
    struct err err = { 0 };
    struct arena *a = arena_new(100000, &err);
    REQUIRE(a);
    for (int round = 0; round < 3; round++) {
        char *p = arena_alloc(a, 50000, 1, &err), *q = arena_alloc(a, 7, 5, &err);
        CHECK(p && q);
        if (p && q)
            memset(p, 1, 50000), memset(q, 2, 35);
        CHECK(!arena_alloc(a, 60000, 1, &err) && err.code == ERR_LIMIT);
        CHECK(!arena_alloc(a, SIZE_MAX / 2, 3, &err) && err.code == ERR_LIMIT);
        arena_reset(a);
    }
    CHECK(strcmp(arena_strndup(a, "hello", 4, &err), "hell") == 0);
    arena_free(a);
    arena_free(NULL);
}

TEST(a_bulk_is_zero_aligned_and_ours_to_the_last_byte)
{
    static const size_t sizes[] = { 1, 4096, 100000, 2 << 20, (4 << 20) + 1, (6 << 20) - 4096 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *p = bulk_new(sizes[i]);
        REQUIRE(p);
        size_t sum = 0;
        for (size_t k = 0; k < sizes[i]; k++)
            sum += p[k];
        CHECK(sum == 0 && (uintptr_t)p % 64 == 0);
        memset(p, 1, sizes[i]);
        bulk_free(p, sizes[i]);
    }
    CHECK(!bulk_new(0) && !bulk_new(SIZE_MAX) && !bulk_new(SIZE_MAX / 2));
    bulk_free(NULL, 1);
}

TEST(a_buffer_never_grows_past_its_maximum_and_remembers_that_it_failed)
{
    struct err err = { 0 };
    struct buf b;
    buf_init(&b, 10);
    buf_puts(&b, "12345");
    buf_printf(&b, "%d", 67890);
    CHECK(buf_ok(&b, "x", &err) && b.len == 10 && strcmp(b.data, "1234567890") == 0);
    buf_putc(&b, '!');
    buf_puts(&b, "");
    CHECK(!buf_ok(&b, "x", &err) && err.code == ERR_LIMIT && b.len == 10);
    buf_clear(&b);
    buf_puts(&b, "again");
    CHECK(buf_ok(&b, "x", &err) && strcmp(b.data, "again") == 0);
    buf_fini(&b);
}

TEST(json_strings_are_escaped_and_bad_utf8_is_replaced)
{
    struct buf b;
    buf_init(&b, 1000);
    buf_put_json(&b, "a\"\\\n\x01\xc3\xa9\xff z", 10);
    CHECK(strcmp(b.data, "\"a\\\"\\\\\\n\\u0001\xc3\xa9\xef\xbf\xbd z\"") == 0, "%s", b.data);
    buf_fini(&b);
}

TEST(utf8_is_strict_and_round_trips_every_code_point)
{
    uint32_t cp;
    for (uint32_t c = 0; c < 0x110000; c++) {
        char s[4];
        const size_t n = utf8_encode(c, s);
        const bool is_surrogate = c >= 0xd800 && c < 0xe000;
        CHECK(is_surrogate ? n == 0 : n > 0 && utf8_decode(s, n, &cp) == n && cp == c, "U+%04X", c);
        for (size_t cut = 1; cut < n; cut++)
            CHECK(utf8_incomplete_tail(s, cut) == cut, "U+%04X cut at %zu", c, cut);
        CHECK(utf8_incomplete_tail(s, n) == 0);
    }
    static const char *const bad[] = { "\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                       "\xff", "\x80", "\xe2\x28\xa1" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(utf8_decode(bad[i], strlen(bad[i]), &cp) == 0, "case %zu", i);
}

TEST(a_hash_is_fnv_1a_as_published)
{
    CHECK(hash_fnv32("", 0) == 0x811c9dc5u && hash_fnv32("a", 1) == 0xe40c292cu && hash_fnv32("foobar", 6) == 0xbf9cf968u);
    CHECK(hash_fnv64("", 0) == 0xcbf29ce484222325u && hash_fnv64("a", 1) == 0xaf63dc4c8601ec8cu && hash_fnv64("foobar", 6) == 0x85944171f73967e8u);
}
