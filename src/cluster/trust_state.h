/* cluster/trust_state.h - what the authority knows: tokens, certificates, the number of its list; in memory and as one file.
 *
 * For:     trust_ca.c.
 * Callers: cluster/.
 * Touches: DIR/ca/state, DIR/ca/lock.  Thread: any; from state_open() to state_close() nobody else, in no process.
 * Format:  lines of words: "tutti-authority 1", "list N", "token ID SALT HASH EXPIRES USES", "node SERIAL NAME KEY BEGINS EXPIRES TOKEN REVOKED".
 */
#ifndef TUTTI_CLUSTER_TRUST_STATE_H
#define TUTTI_CLUSTER_TRUST_STATE_H
#include "cluster/trust_ca.h"

struct state_token {
    char id[9], salt[33], hash[65];
    uint64_t expires_unix;
    int uses;
};
struct state_node {
    struct trust_cert cert;
    char token[9]; /* by which it came; "-": otherwise */
    uint64_t revoked_unix;
};
struct trust_state {
    char dir[TRUST_PATH_MAX]; /* DIR/ca */
    int lock_fd;
    uint64_t number;
    struct state_token tokens[TRUST_TOKENS_MAX];
    int n_tokens;
    struct state_node *nodes;
    int n_nodes, cap_nodes;
};

/* Waits for the lock, reads.  NULL with err: there is no authority in dir, or its state makes no sense. */
struct trust_state *trust_state_open(const char *dir, struct err *err);
void trust_state_close(struct trust_state *s); /* NULL is fine */
/* What is long over is left out. */
bool trust_state_write(struct trust_state *s, uint64_t now_unix, struct err *err);
bool trust_state_parse(struct trust_state *s, const char *text, struct err *err);
bool trust_state_add(struct trust_state *s, const struct state_node *n, struct err *err);
#endif
