/* net/addr.c - see addr.h. */
#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool wrong(const char *text, const char *why, struct err *err)
{
    return err_set(err, ERR_INPUT, "listen '%s': %s; write ADDR:PORT, for example 127.0.0.1:8080 or [::1]:8080", text, why);
}

bool net_addr_from(struct net_addr *a, const struct sockaddr *sa, struct err *err)
{
    char host[INET6_ADDRSTRLEN] = "";
    memset(a, 0, sizeof(*a));
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        memcpy(&a->sa, in, sizeof(*in));
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        a->port = ntohs(in->sin_port);
        a->is_loopback = (ntohl(in->sin_addr.s_addr) >> 24) == 127;
        snprintf(a->text, sizeof(a->text), "%s:%d", host, a->port);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)sa;
        memcpy(&a->sa, in, sizeof(*in));
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
        a->port = ntohs(in->sin6_port);
        a->is_loopback = IN6_IS_ADDR_LOOPBACK(&in->sin6_addr) ||
                         (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr) && in->sin6_addr.s6_addr[12] == 127);
        snprintf(a->text, sizeof(a->text), "[%s]:%d", host, a->port);
        return true;
    }
    if (sa->sa_family == AF_UNIX) { /* handed over by systemd: who may reach it is a matter of its file */
        a->sa.ss_family = AF_UNIX;
        a->is_loopback = true;
        snprintf(a->text, sizeof(a->text), "unix-socket");
        return true;
    }
    return err_set(err, ERR_UNSUPPORTED, "socket: address family %d is neither IPv4, IPv6 nor unix", (int)sa->sa_family);
}

bool net_addr_parse(struct net_addr *a, const char *text, struct err *err)
{
    char host[INET6_ADDRSTRLEN] = "";
    const char *colon = strrchr(text, ':');
    if (!colon)
        return wrong(text, "there is no port", err);
    char *end;
    const long port = strtol(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end || port > 65535)
        return wrong(text, "the port is a number from 0 to 65535", err);
    size_t n = (size_t)(colon - text);
    const bool is_v6 = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    if (is_v6)
        text++, n -= 2;
    if (n == 0 || n >= sizeof(host))
        return wrong(is_v6 ? text - 1 : text, "that is no address", err);
    memcpy(host, text, n);
    if (is_v6) {
        struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
        if (inet_pton(AF_INET6, host, &in.sin6_addr) != 1)
            return wrong(text - 1, "that is no IPv6 address", err);
        return net_addr_from(a, (const struct sockaddr *)&in, err);
    }
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &in.sin_addr) != 1)
        return wrong(text, "that is no address (names are not looked up)", err);
    return net_addr_from(a, (const struct sockaddr *)&in, err);
}
