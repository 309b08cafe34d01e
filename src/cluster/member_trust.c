/* cluster/member_trust.c - the cluster's trust at a member: TLS of its connection as of now; revocation lists go from node to
 * node, who has the newer one gives it to the other. */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "cluster/cluster_internal.h"
#include "cluster/join.h"
#include "cluster/trust.h"
#include "wire/join_pb.h"

enum { LIST_AGAIN_MS = 5000, LIST_NS_S = 5 };

bool member_take_trust(struct member_node *n, struct h2_client_config *config, struct err *err)
{
    const struct trust *t = n->cluster->config.trust;
    if (!t || (!config && n->trust_generation == trust_generation(t)))
        return true;
    n->trust_generation = trust_generation(t);
    struct tls_context *tls = trust_client_tls(t, err);
    if (tls && config)
        config->tls = tls;
    else if (tls)
        h2_client_set_tls(n->h2, tls);
    return tls != NULL;
}

static void on_list(void *ctx, const void *message, size_t n_bytes)
{
    struct member_node *n = ctx;
    struct trust *t = n->cluster->config.trust;
    struct err err = { 0 };
    if (join_take_revocations(t, message, n_bytes, &err))
        log_info("cluster: revocation list %" PRIu64 " from %s", trust_revocations(t), member_where(n));
    else if (err.code != ERR_NONE)
        log_warn("cluster: %s: %s", member_where(n), err.text);
}

static void on_list_end(void *ctx, enum grpc_status status, const char *text)
{
    struct member_node *n = ctx;
    n->listing = NULL;
    if (status != GRPC_OK)
        log_info("cluster: %s: revocations: %s %s", member_where(n), grpc_status_name(status), text);
}

void member_compare_lists(struct member_node *n)
{
    static const struct grpc_client_fns fns = { .on_message = on_list, .on_end = on_list_end };
    struct cluster *c = n->cluster;
    struct trust *t = c->config.trust;
    const uint64_t now_ms = net_loop_now_ms(c->loop);
    struct buf list, message;
    struct err err = { 0 };
    if (!t || n->listing || n->revocations == trust_revocations(t) || (n->listed_ms && now_ms - n->listed_ms < LIST_AGAIN_MS))
        return;
    n->listed_ms = now_ms ? now_ms : 1;
    buf_init(&list, JOIN_LIST_MAX_BYTES);
    buf_init(&message, JOIN_LIST_MAX_BYTES + 64);
    if (n->revocations < trust_revocations(t))
        trust_put_revocations(t, &list);
    join_pb_put_revocations(&message, list.data ? list.data : "");
    if (!list.failed && !message.failed)
        n->listing = grpc_client_call(c->loop, n->h2, JOIN_PATH "Revocations", NULL, 0, LIST_NS_S * UINT64_C(1000000000), JOIN_LIST_MAX_BYTES + (64 << 10), &fns, n, &err);
    if (n->listing) {
        grpc_client_send(n->listing, message.data ? message.data : "", message.len);
        grpc_client_half_close(n->listing);
    }
    buf_fini(&list);
    buf_fini(&message);
}
