/* fuzz_task_wire.c - what another node sends: a ModelStreamInferResponse with an event in it (0), a request to us (1), by the first byte. */
#include <stdlib.h>
#include <string.h>

#include "expert/task_wire.h"
#include "fuzz/fuzz.h"
#include "wire/oip_pb.h"

static volatile uint64_t sum; /* so that every byte is really read */

static void look(const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += ((const unsigned char *)bytes)[i];
}

static void read_reply(const uint8_t *data, size_t size, struct arena *a)
{
    static const enum expert_task tasks[] = { EXPERT_DETECT, EXPERT_SPEAK, EXPERT_INFER, EXPERT_TRANSCRIBE, EXPERT_EMBED };
    const char *output;
    const void *block;
    size_t n;
    struct err err = { 0 };
    struct expert_event ev;
    struct expert_usage u;
    if (!oip_pb_read_block_reply(&output, &block, &n, data, size, a, &err)) {
        if (err.code == ERR_NONE)
            abort();
        return;
    }
    look(output, strlen(output));
    if (task_wire_read_usage(block, n, &u) && (u.n_prompt_tok < 0 || u.n_gen_tok < 0))
        abort();
    for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
        const struct job j = { .task = tasks[i], .n_inputs = 2 };
        if (!task_wire_read_event(block, n, &j, a, &ev, &err))
            continue;
        if (ev.kind == EXPERT_DELTA)
            look(ev.text, ev.n_text);
        else if (ev.kind == EXPERT_AUDIO)
            look(ev.samples, (size_t)ev.n_samples * sizeof(float));
        else if (ev.kind == EXPERT_TENSOR)
            look(ev.tensor->data, ev.tensor->n_bytes);
        else if (ev.kind == EXPERT_VECTOR)
            look(ev.vector, (size_t)ev.n_vector * sizeof(float));
        else if (ev.kind != EXPERT_RESULT)
            abort();
    }
}

static void read_request(const uint8_t *data, size_t size, struct arena *a)
{
    struct task_request rq;
    struct err err = { 0 };
    void *aligned = arena_alloc(a, size + 1, 1, &err);
    if (!aligned)
        return;
    memcpy(aligned, data, size);
    if (!task_wire_read_request(aligned, size, a, &rq, &err))
        return;
    for (int i = 0; i < rq.n_media; i++)
        look(rq.media[i].bytes, rq.media[i].n_bytes);
    for (int i = 0; i < rq.n_texts; i++)
        look(rq.texts[i].text, rq.texts[i].n);
    if ((rq.task & (rq.task - 1)) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct arena *a = size > 0 ? arena_new(8 << 20, &err) : NULL;
    if (!a)
        return 0;
    (data[0] & 1 ? read_request : read_reply)(data + 1, size - 1, a);
    arena_free(a);
    return 0;
}
