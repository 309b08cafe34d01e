/* api/openai.h - the OpenAI protocol: POST /v1/chat/completions, /v1/completions, /v1/embeddings, GET /v1/models.
 *
 * For:     serve/ routes to it.  Start: openai.c.
 */
#ifndef TUTTI_API_OPENAI_H
#define TUTTI_API_OPENAI_H
#include "api/api.h"

extern const struct api_route openai_routes[];
extern const int openai_n_routes;

/* An error reply in the protocol's form, to a stream that was not taken yet. */
void openai_refuse(const struct api_call *call, const struct openai_error *e, const struct http_field *more, int n_more);
#endif
