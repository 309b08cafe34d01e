/* tests/wire/test_mdns.c - multicast DNS: our question, our answer, and what others may send. */
#include "test.h"

#include <string.h>

#include "wire/mdns.h"

TEST(a_question_is_for_us_and_an_answer_says_who_and_where)
{
    const struct mdns_node n = { .name = "pi-kitchen", .port = 8444, .is_tls = true };
    struct mdns_packet p;
    struct err err;
    struct buf b;
    buf_init(&b, MDNS_PACKET_MAX_BYTES);
    mdns_put_question(&b);
    CHECK(mdns_read(&p, b.data, b.len, &err) && p.asks_for_us && p.n_found == 0);
    buf_clear(&b);
    mdns_put_answer(&b, &n, (const unsigned char[]){ 192, 168, 1, 7 });
    REQUIRE(mdns_read(&p, b.data, b.len, &err) && !p.asks_for_us && p.n_found == 1);
    CHECK(strcmp(p.found[0].name, "pi-kitchen") == 0 && p.found[0].port == 8444 && p.found[0].is_tls);
    for (size_t i = 0; i < b.len; i++) /* cut anywhere */
        CHECK(!mdns_read(&p, b.data, i, &err) && p.n_found == 0, "%zu", i);
    for (size_t i = 0; i < b.len; i++) { /* changed anywhere: what it says may be wrong, never out of bounds */
        const char was = b.data[i];
        b.data[i] = (char)0xc0;
        mdns_read(&p, b.data, b.len, &err);
        b.data[i] = was;
    }
    buf_fini(&b);
}

TEST(names_that_are_none_and_pointers_that_turn_in_circles_are_passed_over)
{
    static const char circle[] = "\0\0\0\0\0\1\0\0\0\0\0\0\300\014\0\014\0\1";
    const struct mdns_node n = { .name = "UPPER", .port = 1 }, none = { .name = "a", .port = 0 };
    struct mdns_packet p;
    struct err err;
    struct buf b;
    CHECK(!mdns_read(&p, circle, sizeof(circle) - 1, &err));
    buf_init(&b, MDNS_PACKET_MAX_BYTES);
    mdns_put_answer(&b, &n, (const unsigned char[]){ 1, 2, 3, 4 });
    CHECK(mdns_read(&p, b.data, b.len, &err) && p.n_found == 1 && strcmp(p.found[0].name, "upper") == 0, "DNS knows no case");
    buf_clear(&b);
    mdns_put_answer(&b, &none, (const unsigned char[]){ 1, 2, 3, 4 });
    CHECK(mdns_read(&p, b.data, b.len, &err) && p.n_found == 0);
    buf_fini(&b);
}
