/* cluster/wake.c - see wake.h. */
#include "cluster/wake.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/addr.h"

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

bool wake_parse_mac(const char *text, uint8_t mac[WAKE_MAC_BYTES])
{
    for (int i = 0; i < WAKE_MAC_BYTES; i++, text += 3) {
        const int high = digit(text[0]), low = high >= 0 ? digit(text[1]) : -1;
        if (low < 0 || (i < WAKE_MAC_BYTES - 1 ? text[2] != ':' && text[2] != '-' : text[2] != '\0'))
            return false;
        mac[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool wake_send(const uint8_t mac[WAKE_MAC_BYTES], const char *to, struct err *err)
{
    uint8_t packet[WAKE_PACKET_BYTES];
    struct net_addr where;
    const int on = 1;
    if (!net_addr_parse(&where, to ? to : "255.255.255.255:9", err))
        return false;
    memset(packet, 0xff, 6);
    for (int i = 0; i < 16; i++)
        memcpy(packet + 6 + i * WAKE_MAC_BYTES, mac, WAKE_MAC_BYTES);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) == 0 &&
                    sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr *)&where.sa, sizeof(struct sockaddr_in)) == (ssize_t)sizeof(packet);
    if (!ok)
        err_set(err, ERR_IO, "wake-on-LAN to %s: %s", to ? to : "everybody", strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}
