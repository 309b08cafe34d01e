/* tests/pipeline/test_sinks.c - where events go: files, a web server, a broker, a folder of pictures; nothing of it may hold the
 * cascade up, and every event is accounted for. */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/image.h"
#include "pipeline/sink.h"
#include "plan.h"
#include "wire/mqtt.h"

/* ---- a server in a thread, for one connection after the other ---- */

struct server {
    int fd, port;
    pthread_t thread;
    void (*serve)(struct server *s, int fd);
    atomic_bool is_ending;
    int statuses[8];          /* HTTP: answers in turn; the last one stays */
    atomic_int n_asked, n_connects, n_again;
    char got[8192], head[4096];
    int version, drop_after;  /* MQTT: closes without an answer after so many publishes; -1: never */
    int connack;
    pthread_mutex_t lock;
};

static bool wait_readable(struct server *s, int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (!atomic_load(&s->is_ending))
        if (poll(&p, 1, 20) > 0)
            return true;
    return false;
}

static void *server_main(void *arg)
{
    struct server *s = arg;
    while (wait_readable(s, s->fd)) {
        const int fd = accept(s->fd, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&s->n_connects, 1);
        s->serve(s, fd);
        close(fd);
    }
    return NULL;
}

static void server_start(struct server *s, void (*serve)(struct server *s, int fd))
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(a);
    s->serve = serve;
    pthread_mutex_init(&s->lock, NULL);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(s->fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s->fd, 8) == 0 && getsockname(s->fd, (struct sockaddr *)&a, &n) == 0);
    s->port = ntohs(a.sin_port);
    pthread_create(&s->thread, NULL, server_main, s);
}
static void server_end(struct server *s)
{
    atomic_store(&s->is_ending, true);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static void serve_http(struct server *s, int fd)
{
    char bytes[8192];
    size_t n = 0;
    while (wait_readable(s, fd)) {
        const ssize_t k = read(fd, bytes + n, sizeof(bytes) - 1 - n);
        if (k <= 0)
            return;
        n += (size_t)k;
        bytes[n] = '\0';
        char *body = strstr(bytes, "\r\n\r\n"), *length = strstr(bytes, "content-length: ");
        if (!body || !length || strlen(body + 4) < (size_t)atoi(length + 16))
            continue;
        const int turn = atomic_fetch_add(&s->n_asked, 1);
        int status = 0;
        for (int i = 0; i <= turn && i < 8 && s->statuses[i]; i++)
            status = s->statuses[i];
        pthread_mutex_lock(&s->lock);
        snprintf(s->got, sizeof(s->got), "%s", body + 4);
        snprintf(s->head, sizeof(s->head), "%.*s", (int)(body - bytes), bytes);
        pthread_mutex_unlock(&s->lock);
        char answer[100];
        const int m = snprintf(answer, sizeof(answer), "HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n", status);
        if (write(fd, answer, (size_t)m) != m)
            return;
        n = 0;
    }
}

static bool read_all(struct server *s, int fd, unsigned char *to, size_t n)
{
    for (size_t have = 0; have < n;) {
        if (!wait_readable(s, fd))
            return false;
        const ssize_t k = read(fd, to + have, n - have);
        if (k <= 0)
            return false;
        have += (size_t)k;
    }
    return true;
}

static void serve_mqtt(struct server *s, int fd)
{
    for (unsigned char head, more, body[8192];;) {
        size_t n = 0;
        int shift = 0;
        if (!read_all(s, fd, &head, 1))
            return;
        do {
            if (!read_all(s, fd, &more, 1))
                return;
            n |= (size_t)(more & 0x7F) << shift, shift += 7;
        } while (more & 0x80);
        if (n >= sizeof(body) || !read_all(s, fd, body, n))
            return;
        body[n] = 0;
        if (head >> 4 == 1) { /* CONNECT */
            const unsigned char v3[] = { 0x20, 2, 0, (unsigned char)s->connack }, v5[] = { 0x20, 3, 0, (unsigned char)s->connack, 0 };
            s->version = body[6];
            if (write(fd, s->version == 5 ? v5 : v3, s->version == 5 ? 5 : 4) < 4)
                return;
        } else if (head >> 4 == 3) { /* PUBLISH */
            const int qos = head >> 1 & 3, topic = body[0] << 8 | body[1];
            size_t at = 2 + (size_t)topic;
            const unsigned char id[2] = { body[at], body[at + 1] };
            at += qos ? 2 : 0;
            at += s->version == 5 ? 1u + body[at] : 0;
            atomic_fetch_add(&s->n_again, head >> 3 & 1);
            pthread_mutex_lock(&s->lock);
            snprintf(s->got, sizeof(s->got), "%.*s %s", topic, body + 2, body + at);
            pthread_mutex_unlock(&s->lock);
            if (atomic_fetch_add(&s->n_asked, 1) == s->drop_after)
                return;
            const unsigned char ack[] = { 0x40, 2, id[0], id[1] };
            if (qos && write(fd, ack, 4) != 4)
                return;
        } else {
            return;
        }
    }
}

/* ---- events ---- */

static struct cascade *plan_with(const char *sinks)
{
    static char text[2048];
    struct err err = { 0 };
    snprintf(text, sizeof(text), "name: door\nstages:\n  - {name: objects, expert: eye}\nevent: {when: objects.ran}\nsinks:\n%s", sinks);
    struct cascade *c = cascade_parse("plan.yaml", text, strlen(text), test_tmp(""), &plan_world, &err);
    CHECK(c, "%s", err.text);
    return c;
}

static struct cascade_event event(uint64_t id)
{
    static uint8_t px[64 * 48 * 3];
    static const struct result_box box = { .label = "person", .score = 0.9f, .x = 5, .y = 5, .w = 20, .h = 30 };
    static const struct task_result seen = { .boxes = &box, .n_boxes = 1, .width_px = 64, .height_px = 48 };
    static const struct task_media media = { .form = MEDIA_RGB8, .bytes = px, .n_bytes = sizeof(px), .width_px = 64, .height_px = 48 };
    return (struct cascade_event){ .id = id, .start_s = 1, .end_s = 3.5, .start_unix_ms = 1700000000000 + (int64_t)id * 1000, .n_pieces = 25, .is_over = true, .labels = { "person" },
                                   .n_labels = 1, .count = 1, .best = &media, .best_s = 2, .n_stages = 1,
                                   .results = { { .seen = &seen, .text = "", .expert = "eye", .score = 0.9f, .ms = 12 } }, .text = "A \"person\".", .text_by = "words" };
}

static void put(struct sinks *s, uint64_t id)
{
    const struct cascade_event e = event(id);
    sinks_put(s, &e);
}

static void balance(struct sinks *s, struct sink_figures *f)
{
    const int n = sinks_get(s, f, 8);
    for (int i = 0; i < n; i++)
        CHECK(f[i].given == f[i].sent + f[i].dropped + f[i].failed, "%s: %llu = %llu + %llu + %llu", f[i].to, (unsigned long long)f[i].given, (unsigned long long)f[i].sent,
              (unsigned long long)f[i].dropped, (unsigned long long)f[i].failed);
}

static const char LINE[] = "{\"cascade\":\"door\",\"event\":1,\"time\":\"2023-11-14T22:13:21.000Z\",\"start\":1.000,\"end\":3.500,\"duration\":2.500,\"cut\":false,\"pieces\":25,"
                           "\"labels\":[\"person\"],\"names\":[],\"count\":1,\"text\":\"A \\\"person\\\".\",\"by\":\"words\",\"best\":2.000,";

TEST(lines_in_a_file_are_whole_and_in_order)
{
    struct err err = { 0 };
    struct sink_figures f[8];
    char line[8192];
    struct cascade *c = plan_with("  - {jsonl: events.jsonl}\n");
    struct sinks *s = c ? sinks_open(c, false, &err) : NULL;
    REQUIRE(s, "%s", err.text);
    for (uint64_t i = 1; i <= 200; i++)
        put(s, i);
    sinks_close(s, 60000);
    balance(s, f);
    CHECK(f[0].sent == 200);
    FILE *file = fopen(test_tmp("events.jsonl"), "r");
    REQUIRE(file);
    for (int i = 1; i <= 200 && fgets(line, sizeof(line), file); i++) {
        json_t *j = json_loads(line, 0, NULL);
        CHECK(j && json_integer_value(json_object_get(j, "event")) == i);
        json_decref(j);
        if (i == 1)
            CHECK(strncmp(line, LINE, sizeof(LINE) - 1) == 0, "%s", line);
    }
    fclose(file);
    sinks_free(s);
    cascade_free(c);
    plan_end();
}

TEST(a_web_server_gets_each_event_and_again_when_it_stumbles)
{
    struct server web = { .statuses = { 503, 200 } };
    struct err err = { 0 };
    struct sink_figures f[8];
    char sinks[300];
    server_start(&web, serve_http);
    FILE *token = fopen(test_tmp("token"), "w");
    fputs("geheim\n", token);
    fclose(token);
    snprintf(sinks, sizeof(sinks), "  - {webhook: 'http://127.0.0.1:%d/hook?x=1', token_file: token}\n", web.port);
    struct cascade *c = plan_with(sinks);
    struct sinks *s = c ? sinks_open(c, false, &err) : NULL;
    REQUIRE(s, "%s", err.text);
    put(s, 1);
    sinks_close(s, 60000);
    balance(s, f);
    CHECK(f[0].sent == 1 && f[0].retries == 1 && web.n_asked == 2, "%llu sent: %s", (unsigned long long)f[0].sent, f[0].why);
    CHECK(strncmp(web.got, LINE, sizeof(LINE) - 1) == 0, "%s", web.got);
    CHECK(strncmp(web.head, "POST /hook?x=1 HTTP/1.1\r\n", 25) == 0 && strstr(web.head, "authorization: Bearer geheim\r\n") && strstr(web.head, "content-type: application/json\r\n"), "%s", web.head);
    sinks_free(s);
    server_end(&web);
    cascade_free(c);
    plan_end();
}

TEST(what_a_web_server_refuses_is_failed_and_what_finds_the_queue_full_is_dropped)
{
    struct server web = { .statuses = { 404 } };
    struct err err = { 0 };
    struct sink_figures f[8];
    char sinks[300];
    server_start(&web, serve_http);
    snprintf(sinks, sizeof(sinks), "  - {webhook: 'http://127.0.0.1:%d/'}\n  - {webhook: 'http://127.0.0.1:1/', queue: 3, retries: 100}\n", web.port);
    struct cascade *c = plan_with(sinks);
    struct sinks *s = c ? sinks_open(c, false, &err) : NULL;
    REQUIRE(s, "%s", err.text);
    for (uint64_t i = 1; i <= 20; i++)
        put(s, i); /* never waits */
    sinks_close(s, 300);
    balance(s, f);
    CHECK(f[0].failed + f[0].dropped == 20 && f[0].retries == 0 && strstr(f[0].why, "404"), "%s", f[0].why);
    CHECK(f[1].sent == 0 && f[1].dropped == 20, "%llu", (unsigned long long)f[1].dropped);
    sinks_free(s);
    server_end(&web);
    cascade_free(c);
    plan_end();
}

TEST(a_broker_gets_each_event_in_both_versions_and_once_more_after_a_lost_connection)
{
    for (int version = 4; version <= 5; version++)
        for (int qos = 0; qos < 2; qos++) {
            struct server broker = { .drop_after = qos ? 1 : -1 };
            struct err err = { 0 };
            struct sink_figures f[8];
            char sinks[300];
            server_start(&broker, serve_mqtt);
            snprintf(sinks, sizeof(sinks), "  - {mqtt: 'mqtt://127.0.0.1:%d', topic: house/door, qos: %d, version: %s}\n", broker.port, qos, version == 5 ? "'5'" : "3.1.1");
            struct cascade *c = plan_with(sinks);
            struct sinks *s = c ? sinks_open(c, false, &err) : NULL;
            REQUIRE(s, "%s", err.text);
            for (uint64_t i = 1; i <= 3; i++)
                put(s, i);
            sinks_close(s, 60000);
            balance(s, f);
            server_end(&broker); /* after the sink closed: it has read all there was */
            CHECK(f[0].sent == 3 && broker.version == version, "%llu sent: %s", (unsigned long long)f[0].sent, f[0].why);
            if (qos)
                CHECK(broker.n_connects == 2 && broker.n_asked == 4 && broker.n_again == 1 && f[0].retries == 1);
            CHECK(!qos || (strncmp(broker.got, "house/door {\"cascade\":\"door\",\"event\":3,", 39) == 0 && broker.got[strlen(broker.got) - 1] == '}'), "%s", broker.got);
            sinks_free(s);
            cascade_free(c);
            plan_end();
        }
}

TEST(a_broker_that_refuses_is_not_asked_again)
{
    struct server broker = { .drop_after = -1, .connack = 5 };
    struct err err = { 0 };
    struct sink_figures f[8];
    char sinks[300];
    server_start(&broker, serve_mqtt);
    snprintf(sinks, sizeof(sinks), "  - {mqtt: 'mqtt://127.0.0.1:%d', qos: 1}\n", broker.port);
    struct cascade *c = plan_with(sinks);
    struct sinks *s = c ? sinks_open(c, false, &err) : NULL;
    REQUIRE(s, "%s", err.text);
    put(s, 1);
    sinks_close(s, 60000);
    balance(s, f);
    CHECK(f[0].failed == 1 && strcmp(f[0].why, "not authorized") == 0, "%s", f[0].why);
    sinks_free(s);
    server_end(&broker);
    cascade_free(c);
    plan_end();
}

static int count_files(const char *dir, const char *end)
{
    DIR *d = opendir(dir);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        n += strlen(e->d_name) > strlen(end) && strcmp(e->d_name + strlen(e->d_name) - strlen(end), end) == 0;
    if (d)
        closedir(d);
    return n;
}

TEST(pictures_show_what_was_seen_and_only_the_newest_are_kept)
{
    struct err err = { 0 };
    struct sink_figures f[8];
    struct buf b;
    uint8_t px[64 * 3] = { 0 };
    const struct image im = { .px = px, .w = 8, .h = 8, .n_channels = 3, .stride = 24 };
    buf_init(&b, 1 << 20);
    const bool has_jpeg = image_encode_jpeg(&im, 80, &b, &err);
    buf_fini(&b);
    if (!has_jpeg)
        SKIP("no JPEG library");
    struct cascade *c = plan_with("  - {pictures: seen, keep: 3}\n  - {jsonl: lines}\n");
    struct sinks *s = c ? sinks_open(c, false, &err) : NULL;
    REQUIRE(s, "%s", err.text);
    char other[1200], mine[1200];
    snprintf(other, sizeof(other), "%s/holiday.jpg", test_tmp("seen"));
    fclose(fopen(other, "w"));
    for (uint64_t i = 1; i <= 9; i++)
        put(s, i);
    sinks_close(s, 60000);
    balance(s, f);
    CHECK(f[0].sent == 9, "%s", f[0].why);
    CHECK(count_files(test_tmp("seen"), ".jpg") == 4 && access(other, F_OK) == 0, "%d files", count_files(test_tmp("seen"), ".jpg"));
    snprintf(mine, sizeof(mine), "%s/2023-11-14T22-13-29-000Z-9.jpg", test_tmp("seen"));
    FILE *file = fopen(mine, "r");
    char bytes[20000];
    const size_t n = file ? fread(bytes, 1, sizeof(bytes), file) : 0;
    struct image_info info;
    CHECK(file && image_peek(bytes, n, &info, &err) && info.w == 64 && info.h == 48, "%s", mine);
    if (file)
        fclose(file);
    file = fopen(test_tmp("lines"), "r");
    CHECK(file && fgets(bytes, sizeof(bytes), file) && strstr(bytes, "\"picture\":\"") && strstr(bytes, "2023-11-14T22-13-21-000Z-1.jpg\""));
    if (file)
        fclose(file);
    sinks_free(s);
    cascade_free(c);
    plan_end();
}

TEST(addresses_that_are_none_are_said_with_their_place)
{
    static const struct { const char *sinks, *why; } cases[] = {
        { "  - {mqtt: 'http://x'}\n", "plan.yaml:6:6: mqtt: 'http://x': mqtt://HOST:PORT" }, { "  - {mqtt: 'mqtt://x:99999'}\n", "no port" }, { "  - {mqtt: 'mqtt://u:p@x'}\n", "do not belong into an address" },
        { "  - {webhook: 'ftp://x'}\n", "http://... or https://... is wanted" }, { "  - {jsonl: no/such/folder}\n", "plan.yaml:6:6: " }, { "  - {mqtt: 'mqtt://x', password_file: nothing}\n", "nothing" },
        { "  - {pictures: no/such/folder}\n", "No such file" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = { 0 };
        struct cascade *c = plan_with(cases[i].sinks);
        struct sinks *s = c ? sinks_open(c, false, &err) : NULL;
        CHECK(c && !s && strstr(err.text, cases[i].why), "%s -> %s", cases[i].sinks, err.text);
        sinks_free(s);
        cascade_free(c);
        plan_end();
    }
}

TEST(packets_are_what_the_standard_says)
{
    struct buf b;
    struct mqtt_packet p;
    struct err err = { 0 };
    size_t n;
    buf_init(&b, 1 << 20);
    mqtt_put_connect(&b, &(struct mqtt_connect){ .version = MQTT_3, .client = "ab", .user = "u", .password = "pw" });
    CHECK(b.len == 23 && memcmp(b.data, "\x10\x15\0\x04MQTT\x04\xc2\0\0\0\x02" "ab\0\x01u\0\x02pw", 23) == 0);
    buf_clear(&b);
    mqtt_put_publish(&b, MQTT_3, "t", "xyz", 3, 1, 0x0102, true);
    CHECK(b.len == 10 && memcmp(b.data, "\x3a\x08\0\x01t\x01\x02xyz", 10) == 0);
    buf_clear(&b);
    char big[300] = { 0 };
    mqtt_put_publish(&b, MQTT_3, "t", big, 300, 0, 0, false);
    CHECK(b.len == 3 + 3 + 300 && (unsigned char)b.data[1] == 0xAF && b.data[2] == 2);
    CHECK(mqtt_get("\x20", 1, MQTT_3, &p, &n, &err) && n == 0);
    CHECK(mqtt_get("\x20\x02\0\x05\x40", 5, MQTT_3, &p, &n, &err) && n == 4 && p.kind == MQTT_CONNACK && p.reason == 5 && strcmp(mqtt_reason(MQTT_3, 5), "not authorized") == 0);
    CHECK(mqtt_get("\x40\x03\x01\x02\x10", 5, MQTT_5, &p, &n, &err) && n == 5 && p.kind == MQTT_PUBACK && p.id == 0x0102 && p.reason == 0);
    CHECK(!mqtt_get("\x20\xff\xff\xff\xff\x01", 6, MQTT_3, &p, &n, &err));
    CHECK(!mqtt_get("\x20\xff\xff\xff\x7f", 5, MQTT_3, &p, &n, &err));
    buf_fini(&b);
}
