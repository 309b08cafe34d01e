/* api/oip.h - Open Inference Protocol v2: every expert raw, as tensors in and out, over REST and gRPC.
 *
 * For:     serve/front.c, which routes requests here by these tables.
 * Callers: serve/.
 * Touches: streams, experts.  Thread: the loop's.
 * Rule:    an expert that takes tensors (EXPERT_INFER) is asked as it is; one of text is a tensor model with the input
 *          `text_input` and the output `text_output` (BYTES), as Triton's vLLM backend does it.  The version of every model
 *          is "1".  Health is told without a key, all else asks for one as the other protocols do.
 */
#ifndef TUTTI_API_OIP_H
#define TUTTI_API_OIP_H
#include "api/api.h"

extern const struct api_route oip_routes[];
extern const int oip_n_routes;

bool oip_is_open(const char *path); /* health: no key is needed */

/* A gRPC call to a path that is none, or without a key: answered in gRPC's way.  status is HTTP's. */
void oip_grpc_refuse(const struct api_call *call, int status, const char *text);
void oip_grpc_unknown(const struct api_call *call, const struct http_head *head);
#endif
