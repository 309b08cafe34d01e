/* cluster/wake.h - Wake-on-LAN: the packet that starts a machine whose network card listens while it sleeps.
 *
 * For:     peer.c, when a job wants a node that is down; only nodes whose address (MAC) somebody wrote down.
 * Callers: cluster/, serve/ (is it an address?).
 * Touches: one UDP datagram to port 9, to everybody on the network or to where it is told.  Thread: any.
 * Source:  AMD, "Magic Packet Technology" (1995): six bytes 255, then the MAC sixteen times.
 */
#ifndef TUTTI_CLUSTER_WAKE_H
#define TUTTI_CLUSTER_WAKE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { WAKE_MAC_BYTES = 6, WAKE_PACKET_BYTES = 102 };
/* "aa:bb:cc:dd:ee:ff", or with '-'. */
bool wake_parse_mac(const char *text, uint8_t mac[WAKE_MAC_BYTES]);
/* to: ADDR:PORT (IPv4); NULL: 255.255.255.255:9.  Does not block. */
bool wake_send(const uint8_t mac[WAKE_MAC_BYTES], const char *to, struct err *err);
#endif
