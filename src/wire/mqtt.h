/* wire/mqtt.h - MQTT 3.1.1 and 5 as a publisher needs them: packets to bytes, answers to structs; no sockets.
 *
 * For:     pipeline/sink_mqtt.c.  Touches: nothing.
 * Formula: OASIS MQTT 3.1.1 (2014) and 5.0 (2019): fixed head, remaining length in 7-bit groups, CONNECT, CONNACK, PUBLISH,
 *          PUBACK, DISCONNECT.  Wills, subscriptions and QoS 2 are not here.
 */
#ifndef TUTTI_WIRE_MQTT_H
#define TUTTI_WIRE_MQTT_H
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { MQTT_3 = 4, MQTT_5 = 5, MQTT_PACKET_MAX = 1 << 20 /* of what a broker sends us */ };

struct mqtt_connect {
    int version;          /* MQTT_3, MQTT_5 */
    const char *client;   /* id */
    const char *user, *password; /* NULL: none */
};
/* All append; a text of more than 65535 bytes sets out->failed. */
void mqtt_put_connect(struct buf *out, const struct mqtt_connect *c);
/* qos 0 or 1; id: of QoS 1, not 0. */
void mqtt_put_publish(struct buf *out, int version, const char *topic, const void *bytes, size_t n, int qos, uint16_t id, bool is_again);
void mqtt_put_disconnect(struct buf *out);

enum mqtt_kind { MQTT_OTHER, MQTT_CONNACK, MQTT_PUBACK };
struct mqtt_packet {
    enum mqtt_kind kind;
    uint16_t id;     /* PUBACK */
    uint8_t reason;  /* 0: good */
};
/* The packet at the start of the n bytes.  *length 0: more bytes are wanted; else what it took.  false with err: not MQTT. */
bool mqtt_get(const void *bytes, size_t n, int version, struct mqtt_packet *out, size_t *length, struct err *err);
const char *mqtt_reason(int version, uint8_t reason); /* of a CONNACK or PUBACK: "not authorized" */
#endif
