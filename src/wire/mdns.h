/* wire/mdns.h - as much of multicast DNS as finding nodes needs: one question and its answer, for DNS-SD's _tutti._tcp.
 *
 * For:     cluster/discover_mdns.c.
 * Callers: cluster/, tests.
 * Touches: nothing.  Thread: any.
 * Rule:    packets come from anybody: names are decompressed within bounds, counts and lengths are checked, what is not about us is passed over.
 *          Formats: RFC 1035 (messages), RFC 6762 (multicast), RFC 6763 (services).
 */
#ifndef TUTTI_WIRE_MDNS_H
#define TUTTI_WIRE_MDNS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { MDNS_PORT = 5353, MDNS_PACKET_MAX_BYTES = 9000, MDNS_FOUND_MAX = 8, MDNS_TTL_S = 120 };

struct mdns_node {
    char name[64];   /* a DNS label of a-z, 0-9, '-' */
    int port;        /* for nodes */
    bool is_tls;
};
struct mdns_packet {
    bool asks_for_us; /* somebody looks for _tutti._tcp */
    struct mdns_node found[MDNS_FOUND_MAX];
    int n_found;
};

void mdns_put_question(struct buf *out);
/* PTR, SRV, TXT, and A with that address (four bytes as on the wire). */
void mdns_put_answer(struct buf *out, const struct mdns_node *n, const unsigned char address[4]);
/* false with err: no DNS message.  One that says nothing of us is fine. */
bool mdns_read(struct mdns_packet *p, const void *bytes, size_t n, struct err *err);
#endif
