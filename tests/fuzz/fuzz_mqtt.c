/* tests/fuzz/fuzz_mqtt.c - what a broker sends: never more is taken than is there. */
#include <stdlib.h>

#include "fuzz.h"
#include "wire/mqtt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int version = MQTT_3; version <= MQTT_5; version++)
        for (size_t at = 0, n = 0; at < size; at += n) {
            struct mqtt_packet p;
            struct err err = { 0 };
            if (!mqtt_get(data + at, size - at, version, &p, &n, &err) || n == 0)
                break;
            if (n > size - at)
                abort();
            mqtt_reason(version, p.reason);
        }
    return 0;
}
