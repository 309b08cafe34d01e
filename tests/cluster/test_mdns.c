/* tests/cluster/test_mdns.c - nodes find each other over multicast DNS, on loopback; where that has no multicast: skipped. */
#define _DEFAULT_SOURCE
#include "nodes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

/* Does a packet to the group come back? */
static bool has_multicast(void)
{
    const struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(5353) }, to = { .sin_family = AF_INET, .sin_port = htons(5353), .sin_addr.s_addr = htonl(0xe00000fb) };
    const struct in_addr lo = { htonl(INADDR_LOOPBACK) };
    const struct ip_mreq group = { .imr_multiaddr.s_addr = htonl(0xe00000fb), .imr_interface = lo };
    const int on = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct pollfd p = { .fd = fd, .events = POLLIN };
    const bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 &&
                    bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 && setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) == 0 &&
                    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)) == 0 && sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to)) == 1 && poll(&p, 1, 2000) == 1;
    if (fd >= 0)
        close(fd);
    return ok;
}

TEST(two_nodes_of_a_network_find_each_other_with_nothing_said)
{
    struct test_node a, b;
    struct cluster *c[2];
    struct err err = { 0 };
    if (!has_multicast())
        SKIP("no multicast on loopback here");
    char name_a[32], name_b[32]; /* other runs on this machine are heard, too */
    snprintf(name_a, sizeof(name_a), "mdns-a-%d", (int)getpid());
    snprintf(name_b, sizeof(name_b), "mdns-b-%d", (int)getpid());
    node_init(&a, name_a), node_init(&b, name_b);
    node_start(&a), node_start(&b);
    struct test_node *nodes[] = { &a, &b };
    for (int i = 0; i < 2; i++) {
        const struct cluster_config k = { .self = nodes[i]->name, .self_life = nodes[i]->life, .uses_mdns = true };
        c[i] = cluster_new(&k, &err);
        REQUIRE(c[i], "%s", err.text);
        cluster_announce(c[i], nodes[i]->at.port);
    }
    CHECK(wait_state(c[0], name_b, MEMBER_UP) >= 0);
    CHECK(wait_state(c[1], name_a, MEMBER_UP) >= 0);
    cluster_free(c[0]), cluster_free(c[1]);
    node_end(&a), node_end(&b);
}
