/* link-relay/frames.c - a switch: Ethernet frames between interfaces (the far ends of veth pairs), each of which learns who is behind it.
 * Frames come as the kernel has them (large ones, checksums yet to be made: PACKET_VNET_HDR) and leave so. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay.h"

enum { FRAME_BYTES_MAX = 68 << 10, HEAD_BYTES = 10 /* struct virtio_net_hdr */, QUEUE_BYTES_MAX = 1 << 20, MACS_MAX = 64 };

struct frame {
    struct frame *next;
    uint64_t due_ns;
    size_t n;
    char bytes[];
};

struct queue {
    struct frame *first, **last;
    size_t n_bytes;
};

static int ports[NODES_MAX]; /* fd + 1; 0: none */
static struct queue queues[NODES_MAX][NODES_MAX];
static struct { unsigned char mac[6]; int node; } macs[MACS_MAX];
static int n_macs;
static int asked[NODES_MAX];

bool frames_add(struct relay *r, const char *spec)
{
    const char *eq = strchr(spec, '=');
    const int node = node_number(r, spec, (size_t)(eq - spec)), one = 1;
    errno = 0;
    const unsigned index = if_nametoindex(eq + 1);
    const int fd = node >= 0 && index ? socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)) : -1;
    const struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index };
    const struct packet_mreq all = { .mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC };
    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) != 0 || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) != 0 ||
        bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 || setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) != 0)
        return false;
    ports[node] = fd + 1;
    return true;
}

static void put(struct relay *r, int from, int to, const char *bytes, size_t n)
{
    struct way *w = &r->ways[from][to];
    struct queue *q = &queues[from][to];
    struct frame *f = w->is_held || q->n_bytes + n > QUEUE_BYTES_MAX ? NULL : malloc(sizeof(*f) + n);
    if (!f) {
        w->lost++;
        return;
    }
    *f = (struct frame){ .due_ns = way_due(w, n, now_ns()), .n = n };
    memcpy(f->bytes, bytes, n);
    if (!q->first)
        q->last = &q->first;
    *q->last = f;
    q->last = &f->next;
    q->n_bytes += n;
}

static int behind(const unsigned char *mac)
{
    for (int i = 0; i < n_macs; i++)
        if (memcmp(macs[i].mac, mac, 6) == 0)
            return macs[i].node;
    return -1;
}

static void take(struct relay *r, int from, const char *bytes, size_t n)
{
    const unsigned char *to = (const unsigned char *)bytes + HEAD_BYTES, *mac = to + 6;
    if (n < HEAD_BYTES + 14)
        return;
    if (behind(mac) < 0 && n_macs < MACS_MAX) {
        memcpy(macs[n_macs].mac, mac, 6);
        macs[n_macs++].node = from;
    }
    const int only = to[0] & 1 ? -1 : behind(to);
    for (int i = 0; i < r->n_nodes; i++)
        if (i != from && ports[i] && (only < 0 || only == i))
            put(r, from, i, bytes, n);
}

int frames_poll_fill(void *list, int max)
{
    struct pollfd *fds = list;
    int n = 0;
    for (int i = 0; i < NODES_MAX && n < max; i++)
        if (ports[i]) {
            asked[n] = i;
            fds[n++] = (struct pollfd){ .fd = ports[i] - 1, .events = POLLIN };
        }
    return n;
}

void frames_poll_done(struct relay *r, void *list, int n)
{
    static char bytes[FRAME_BYTES_MAX];
    const struct pollfd *fds = list;
    for (int i = 0; i < n; i++)
        for (int k = 0; fds[i].revents && k < 64; k++) {
            const ssize_t got = recv(fds[i].fd, bytes, sizeof(bytes), 0);
            if (got <= 0)
                break;
            take(r, asked[i], bytes, (size_t)got);
        }
}

uint64_t frames_pump(struct relay *r, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (int a = 0; a < r->n_nodes; a++)
        for (int b = 0; b < r->n_nodes; b++) {
            struct queue *q = &queues[a][b];
            while (q->first && q->first->due_ns <= now) {
                struct frame *f = q->first;
                if (!r->ways[a][b].is_held && send(ports[b] - 1, f->bytes, f->n, 0) < 0)
                    r->ways[a][b].lost++; /* a full port, or one that is down */
                q->first = f->next;
                q->n_bytes -= f->n;
                free(f);
            }
            if (q->first && q->first->due_ns < next)
                next = q->first->due_ns;
        }
    return next;
}
