/* wire/ollama.h - Ollama's HTTP API from the client's side: /api/chat and /api/embed.
 *
 * For:     expert_server.c.  Callers: expert/.
 * Touches: memory.  Thread: any.
 * Rule:    as wire/openai_client.h.  Pictures inside messages (data URLs) become Ollama's `images`.
 */
#ifndef TUTTI_WIRE_OLLAMA_H
#define TUTTI_WIRE_OLLAMA_H
#include "wire/openai_client.h"

/* CHAT or EMBEDDING, from the same struct as OpenAI's.  false with err: what Ollama cannot do (n > 1, log-probabilities,
 * token ids, pictures that are no data URL). */
bool ollama_put_request(struct buf *out, const struct openai_request *r, struct err *err);

struct ollama_line { /* of /api/chat; texts are borrowed from the tree */
    json_t *tree; /* owned: ollama_line_fini() */
    const char *text, *thinking;
    size_t n_text, n_thinking;
    json_t *tool_calls; /* NULL */
    bool is_done;
    const char *done_reason; /* NULL */
    struct openai_usage usage; /* once done */
};
bool ollama_read_line(struct ollama_line *l, const char *json, size_t n, struct err *err);
void ollama_line_fini(struct ollama_line *l);

bool ollama_read_embeddings(const char *body, size_t n, int n_inputs, openai_vector_fn *fn, void *ctx, struct openai_usage *usage, struct err *err);
#endif
