/* wire/oip_pb.h - the messages of inference.GRPCInferenceService and grpc.health.v1.Health (proto/), in and out.
 *
 * For:     api/oip_grpc.c.
 * Callers: api/.
 * Touches: an arena.  Thread: any; nothing is kept.
 * Rule:    what protobuf-c makes of a message lies in the arena, whose limit bounds it whatever the message claims; names
 *          are checked for UTF-8 afterwards.  Answers are written field by field, without a tree: protobuf's encoding is
 *          simple (protobuf.dev/programming-guides/encoding).
 */
#ifndef TUTTI_WIRE_OIP_PB_H
#define TUTTI_WIRE_OIP_PB_H
#include "wire/oip.h"

/* ModelInferRequest.  *model (in the arena), *is_raw: its inputs came as raw_input_contents. */
bool oip_pb_read_infer(struct oip_request *r, const char **model, bool *is_raw, const void *bytes, size_t n, struct arena *a, struct err *err);
/* ModelReadyRequest, ModelMetadataRequest, HealthCheckRequest: their first field, a name. */
bool oip_pb_read_name(const char **name, const void *bytes, size_t n, struct arena *a, struct err *err);

void oip_pb_put_bool(struct buf *out, bool v); /* the three responses that are one flag */
void oip_pb_put_server(struct buf *out, const char *version);
void oip_pb_put_model(struct buf *out, const struct oip_model *m);
/* ModelInferResponse: begin, then the outputs; when is_raw, then the bytes of each in the same order. */
void oip_pb_put_reply(struct buf *out, const char *model, const char *id, const struct oip_param *params, int n_params); /* OIP_TEXT only */
bool oip_pb_put_output(struct buf *out, const struct tensor *t, bool is_raw, struct err *err);
void oip_pb_put_raw(struct buf *out, const struct tensor *t);

/* ---- one block of bytes as the only tensor, UINT8 [n]: what nodes of ours send each other ---- */

/* A ModelInferRequest; a ModelStreamInferResponse. */
void oip_pb_put_block_request(struct buf *out, const char *model, const char *input, const void *bytes, size_t n);
void oip_pb_put_block_reply(struct buf *out, const char *model, const char *output, const void *bytes, size_t n);
/* A ModelStreamInferResponse around a ModelInferResponse that was put with oip_pb_put_reply() and so on. */
void oip_pb_put_stream_reply(struct buf *out, struct buf *reply /* frees it */);
/* Of the latter: *output its first output's name, its bytes (aligned to 8).  false with err: no such message, or the error in it. */
bool oip_pb_read_block_reply(const char **output, const void **block, size_t *n_block, const void *bytes, size_t n, struct arena *a, struct err *err);

enum health { HEALTH_UNKNOWN, HEALTH_SERVING, HEALTH_NOT_SERVING, HEALTH_SERVICE_UNKNOWN };
void oip_pb_put_health(struct buf *out, enum health h);
#endif
