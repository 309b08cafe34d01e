/* tests/fuzz/fuzz_answer.c - what a model server may send: streams of OpenAI and Ollama, whole answers, embeddings, transcripts,
 * errors, tensors.  First byte: which; its upper half: how the bytes are cut. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wire/events.h"
#include "wire/oip.h"
#include "wire/ollama.h"
#include "wire/openai_client.h"

static size_t n_seen;

static bool on_openai(void *ctx, const char *data, size_t n)
{
    struct openai_answer a;
    struct openai_piece p;
    struct err err = { 0 };
    bool ok = openai_read_answer(&a, *(enum openai_task *)ctx, data, n, &err);
    for (int i = 0; ok && i < a.n_choices; i++) {
        ok = openai_answer_piece(&a, i, &p, &err);
        if (ok)
            n_seen += strlen(p.text) + strlen(p.reasoning);
    }
    if (!ok && err.code == ERR_NONE)
        abort();
    openai_answer_fini(&a);
    return true;
}

static bool on_ollama(void *ctx, const char *data, size_t n)
{
    struct ollama_line l;
    struct err err = { 0 };
    (void)ctx;
    if (ollama_read_line(&l, data, n, &err))
        n_seen += strlen(l.text) + strlen(l.thinking);
    else if (err.code == ERR_NONE)
        abort();
    ollama_line_fini(&l);
    return true;
}

static void on_vector(void *ctx, int index, const float *v, int n)
{
    (void)ctx;
    n_seen += (size_t)(index + n) + (v[n - 1] > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    struct openai_usage u = { 0 };
    if (size < 1)
        return 0;
    const char *s = (const char *)data + 1;
    const size_t n = size - 1, piece = 1 + (data[0] >> 4);
    enum openai_task task = data[0] & 8 ? OPENAI_COMPLETION : OPENAI_CHAT;
    switch (data[0] & 7) {
    case 0:
    case 1: {
        struct events e;
        events_init(&e, data[0] & 1 ? EVENTS_LINES : EVENTS_SSE, 4096);
        for (size_t at = 0; at < n; at += piece)
            if (!events_put(&e, s + at, n - at < piece ? n - at : piece, data[0] & 1 ? on_ollama : on_openai, &task))
                break;
        events_end(&e, data[0] & 1 ? on_ollama : on_openai, &task);
        events_fini(&e);
        break;
    }
    case 2: on_openai(&task, s, n); break;
    case 3: openai_read_embeddings(s, n, 1 + (data[0] >> 6), on_vector, NULL, &u, &err); break;
    case 4: ollama_read_embeddings(s, n, 1 + (data[0] >> 6), on_vector, NULL, &u, &err); break;
    case 5: {
        struct arena *a = arena_new(1 << 20, &err);
        struct openai_transcript t;
        if (a && openai_read_transcript(&t, s, n, a, &err))
            for (int i = 0; i < t.n_words; i++)
                n_seen += strlen(t.words[i].text);
        arena_free(a);
        break;
    }
    case 6: openai_read_error(400 + (data[0] >> 4), s, n, &err); break;
    default: {
        static struct tensor in[OIP_TENSORS_MAX], out[OIP_TENSORS_MAX];
        int n_in = 0, n_out = 0;
        struct arena *a = arena_new(1 << 20, &err);
        struct oip_request *r = a ? arena_alloc(a, 1, sizeof(*r), &err) : NULL;
        if (r && oip_read_model(s, n, in, &n_in, out, &n_out, a, &err) && n_in > 0)
            n_seen += strlen(in[n_in - 1].name);
        if (r && oip_read_reply(r, s, n, data[0] & 8 ? n / 2 : n, a, &err))
            n_seen += (size_t)r->n_inputs;
        arena_free(a);
        break;
    }
    }
    return 0;
}
