/* tests/fuzz/fuzz_join.c - what strangers and neighbours send to join, renew, revoke; tokens, requests, lists, the authority's state: never a crash.
 * The first byte chooses: 'j' JoinRequest, 'n' RenewRequest, 'r' JoinReply, 'v' RevocationsReply (each goes on into what it carries), 't' a token,
 * 'q' a request in PEM, 'l' a list in PEM, 'c' a certificate in PEM, 's' a state. */
#include <stdlib.h>
#include <string.h>

#include "base/label.h"
#include "cluster/trust_ca.h"
#include "cluster/trust_state.h"
#include "fuzz.h"
#include "wire/join_pb.h"

static const char *house(void)
{
    static struct buf ca, key;
    struct err err = { 0 };
    if (!ca.data) {
        buf_init(&ca, 1 << 16), buf_init(&key, 1 << 16);
        if (!trust_cert_make_key(&key, &err) || !trust_cert_make_ca(&ca, key.data, &err))
            __builtin_trap();
        buf_fini(&key);
    }
    return ca.data;
}

static void read_state(const char *text)
{
    struct trust_state s = { .dir = "fuzz", .lock_fd = -1 };
    struct err err = { 0 };
    if (trust_state_parse(&s, text, &err) && (s.n_tokens > TRUST_TOKENS_MAX || s.n_nodes > TRUST_NODES_MAX))
        __builtin_trap();
    free(s.nodes);
}

static void read_text(char kind, const char *text)
{
    struct err err = { 0 };
    struct trust_token token;
    struct trust_cert said;
    char name[TRUST_NAME_MAX], key[TRUST_HASH_MAX];
    unsigned char hash[32];
    uint64_t number;
    if (kind == 't')
        trust_token_parse(&token, text, &err);
    else if (kind == 'q' && trust_cert_read_request(text, name, key, &err) && !label_is_valid(name))
        __builtin_trap();
    else if (kind == 'l' && trust_cert_read_list(&number, text, house(), &err))
        return;
    else if (kind == 'c' && trust_cert_read(&said, text, NULL, &err))
        trust_cert_hash(text, hash), trust_cert_is_of(text, text);
    else if (kind == 's')
        read_state(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = { 0 };
    struct join_reply r;
    const char *token, *text;
    struct arena *a = n > 0 && n < 1 << 16 ? arena_new(1 << 20, &err) : NULL;
    char *copy = a ? arena_alloc(a, n, 1, &err) : NULL;
    if (!copy) {
        arena_free(a);
        return 0;
    }
    memcpy(copy, data + 1, n - 1); /* ends: the memory is zeroed */
    switch (data[0]) {
    case 'j':
        if (join_pb_read_join(&token, &text, data + 1, n - 1, a, &err))
            read_text('t', token), read_text('q', text);
        break;
    case 'n':
        if (join_pb_read_renew(&text, data + 1, n - 1, a, &err))
            read_text('q', text);
        break;
    case 'r':
        if (join_pb_read_reply(&r, data + 1, n - 1, a, &err))
            read_text('c', r.certificate), read_text('c', r.ca), read_text('l', r.revocations);
        break;
    case 'v':
        if (join_pb_read_revocations(&text, data + 1, n - 1, a, &err))
            read_text('l', text);
        break;
    default: read_text((char)data[0], copy); break;
    }
    arena_free(a);
    return 0;
}
