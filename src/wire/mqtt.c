/* wire/mqtt.c - see mqtt.h. */
#include "wire/mqtt.h"

#include <string.h>

enum { CONNECT = 0x10, CONNACK = 0x20, PUBLISH = 0x30, PUBACK = 0x40, DISCONNECT = 0xE0, TEXT_MAX = 65535, REMAINING_MAX = 268435455 };
enum { CONTENT_TYPE = 0x03, FORMAT_UTF8 = 0x01 }; /* properties of MQTT 5 */
static const char json[] = "application/json";

static void put_u16(struct buf *b, size_t v)
{
    buf_putc(b, (char)(v >> 8 & 0xFF));
    buf_putc(b, (char)(v & 0xFF));
}

static size_t text_bytes(const char *s) { return 2 + strlen(s); }
static void put_text(struct buf *b, const char *s)
{
    const size_t n = strlen(s);
    if (n > TEXT_MAX)
        b->failed = true;
    put_u16(b, n);
    buf_append(b, s, n);
}

static void put_head(struct buf *b, int kind, size_t remaining)
{
    if (remaining > REMAINING_MAX)
        b->failed = true;
    buf_putc(b, (char)kind);
    do {
        buf_putc(b, (char)((remaining & 0x7F) | (remaining > 0x7F ? 0x80 : 0)));
        remaining >>= 7;
    } while (remaining > 0);
}

void mqtt_put_connect(struct buf *b, const struct mqtt_connect *c)
{
    const size_t n = 10 + (c->version == MQTT_5 ? 1 : 0) + text_bytes(c->client) + (c->user ? text_bytes(c->user) : 0) + (c->password ? text_bytes(c->password) : 0);
    put_head(b, CONNECT, n);
    put_text(b, "MQTT");
    buf_putc(b, (char)c->version);
    buf_putc(b, (char)(0x02 /* clean */ | (c->user ? 0x80 : 0) | (c->password ? 0x40 : 0)));
    put_u16(b, 0); /* no keep-alive: an idle cascade says nothing */
    if (c->version == MQTT_5)
        buf_putc(b, 0);
    put_text(b, c->client);
    if (c->user)
        put_text(b, c->user);
    if (c->password)
        put_text(b, c->password);
}

void mqtt_put_publish(struct buf *b, int version, const char *topic, const void *bytes, size_t n, int qos, uint16_t id, bool is_again)
{
    const size_t properties = 2 + 3 + sizeof(json) - 1;
    put_head(b, PUBLISH | qos << 1 | (is_again ? 0x08 : 0), text_bytes(topic) + (qos > 0 ? 2 : 0) + (version == MQTT_5 ? 1 + properties : 0) + n);
    put_text(b, topic);
    if (qos > 0)
        put_u16(b, id);
    if (version == MQTT_5) {
        buf_putc(b, (char)properties);
        buf_putc(b, FORMAT_UTF8);
        buf_putc(b, 1);
        buf_putc(b, CONTENT_TYPE);
        put_text(b, json);
    }
    buf_append(b, bytes, n);
}

void mqtt_put_disconnect(struct buf *b) { put_head(b, DISCONNECT, 0); }

bool mqtt_get(const void *bytes, size_t n, int version, struct mqtt_packet *out, size_t *length, struct err *err)
{
    const uint8_t *p = bytes;
    size_t remaining = 0, at = 1;
    *length = 0;
    *out = (struct mqtt_packet){ .kind = MQTT_OTHER };
    for (int shift = 0;; shift += 7, at++) {
        if (at >= n)
            return true;
        if (shift > 21)
            return err_set(err, ERR_IO, "MQTT: a length of more than four bytes");
        remaining |= (size_t)(p[at] & 0x7F) << shift;
        if (!(p[at] & 0x80))
            break;
    }
    at++;
    if (remaining > MQTT_PACKET_MAX)
        return err_set(err, ERR_IO, "MQTT: a packet of %zu bytes", remaining);
    if (n - at < remaining)
        return true;
    const uint8_t *body = p + at;
    if (p[0] == CONNACK) {
        if (remaining < 2)
            return err_set(err, ERR_IO, "MQTT: a CONNACK of %zu bytes", remaining);
        out->kind = MQTT_CONNACK, out->reason = body[1];
    } else if (p[0] == PUBACK) {
        if (remaining < 2)
            return err_set(err, ERR_IO, "MQTT: a PUBACK of %zu bytes", remaining);
        out->kind = MQTT_PUBACK, out->id = (uint16_t)(body[0] << 8 | body[1]);
        out->reason = version == MQTT_5 && remaining > 2 ? body[2] : 0;
        if (out->reason < 0x80)
            out->reason = 0; /* 0x10: nobody is listening, which is fine */
    }
    *length = at + remaining;
    return true;
}

const char *mqtt_reason(int version, uint8_t reason)
{
    static const struct { uint8_t v3, v5; const char *text; } reasons[] = {
        { 1, 0x84, "the broker does not speak this version" }, { 2, 0x85, "the broker does not like the client's id" }, { 3, 0x88, "the broker is not available" },
        { 4, 0x86, "wrong user or password" }, { 5, 0x87, "not authorized" }, { 0, 0x97, "quota exceeded" }, { 0, 0x90, "the broker does not take this topic" },
        { 0, 0x95, "too large for the broker" },
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reason && reason == (version == MQTT_5 ? reasons[i].v5 : reasons[i].v3))
            return reasons[i].text;
    return "refused";
}
