/* tests/fuzz/fuzz_cascade.c - a cascade's file: what is read can be drawn and shown. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "pipeline/cascade_graph.h"

static bool look(void *ctx, const struct cascade *c, const struct cascade_ref *ref, unsigned *tasks, char *id, size_t max, struct err *err)
{
    (void)ctx, (void)c;
    enum expert_task t;
    if (!ref->text || !expert_task_find(ref->text, &t))
        return err_set(err, ERR_NOT_FOUND, "nobody");
    snprintf(id, max, "%s", ref->text);
    *tasks = t;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cascade_world world = { .look = look };
    struct err err = { 0 };
    struct buf b;
    struct cascade *c = cascade_parse("f.yaml", (const char *)data, size, ".", &world, &err);
    buf_init(&b, 16 << 20);
    if (c) {
        cascade_graph_svg(&b, c);
        cascade_graph_json(&b, c);
    }
    buf_fini(&b);
    cascade_free(c);
    return 0;
}
