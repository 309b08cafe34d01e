/* wire/join_pb.c - see join_pb.h. */
#include "wire/join_pb.h"

#include <string.h>

#include "gen/join.pb-c.h"
#include "wire/pb.h"

static const char *text_of(const ProtobufCBinaryData *b, size_t max, struct arena *a, struct err *err)
{
    if (b->len > max || (b->len > 0 && memchr(b->data, '\0', b->len)))
        return err_null(err, ERR_INPUT, "a certificate or list that is too long, or no text");
    char *s = arena_alloc(a, b->len + 1, 1, err);
    if (s && b->len > 0)
        memcpy(s, b->data, b->len);
    return s; /* zeroed memory: it ends */
}

bool join_pb_read_join(const char **token, const char **request, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const Tutti__V1__JoinRequest *m = tutti__v1__join_request__unpack(&pieces, n, bytes);
    if (!m)
        return err_set(err, ERR_INPUT, "this is no JoinRequest");
    if (strlen(m->token) >= JOIN_TOKEN_MAX)
        return err_set(err, ERR_INPUT, "the token is too long");
    *token = m->token;
    return (*request = text_of(&m->request, JOIN_PEM_MAX_BYTES, a, err)) != NULL;
}

bool join_pb_read_renew(const char **request, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const Tutti__V1__RenewRequest *m = tutti__v1__renew_request__unpack(&pieces, n, bytes);
    if (!m)
        return err_set(err, ERR_INPUT, "this is no RenewRequest");
    return (*request = text_of(&m->request, JOIN_PEM_MAX_BYTES, a, err)) != NULL;
}

bool join_pb_read_reply(struct join_reply *r, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const Tutti__V1__JoinReply *m = tutti__v1__join_reply__unpack(&pieces, n, bytes);
    if (!m)
        return err_set(err, ERR_INPUT, "this is no JoinReply");
    return (r->certificate = text_of(&m->certificate, JOIN_PEM_MAX_BYTES, a, err)) && (r->ca = text_of(&m->ca, JOIN_PEM_MAX_BYTES, a, err)) &&
           (r->revocations = text_of(&m->revocations, JOIN_LIST_MAX_BYTES, a, err));
}

bool join_pb_read_revocations(const char **list, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const Tutti__V1__RevocationsReply *m = tutti__v1__revocations_reply__unpack(&pieces, n, bytes);
    if (!m)
        return err_set(err, ERR_INPUT, "this is no RevocationsReply");
    return (*list = text_of(&m->revocations, JOIN_LIST_MAX_BYTES, a, err)) != NULL;
}

static void put_text(struct buf *out, unsigned field, const char *s)
{
    if (s[0])
        pb_put_bytes(out, field, s, strlen(s));
}

void join_pb_put_join(struct buf *out, const char *token, const char *request)
{
    pb_put_string(out, 1, token);
    put_text(out, 2, request);
}

void join_pb_put_renew(struct buf *out, const char *request) { put_text(out, 1, request); }

void join_pb_put_reply(struct buf *out, const struct join_reply *r)
{
    put_text(out, 1, r->certificate);
    put_text(out, 2, r->ca);
    put_text(out, 3, r->revocations);
}

void join_pb_put_revocations(struct buf *out, const char *list) { put_text(out, 1, list); }
