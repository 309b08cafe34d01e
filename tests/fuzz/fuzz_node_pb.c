/* tests/fuzz/fuzz_node_pb.c - messages of tutti.v1.Node from another node.  First byte: which one; what is accepted holds its limits, and is
 * written and read again as the same. */
#include <stdlib.h>
#include <string.h>

#include "base/label.h"
#include "fuzz.h"
#include "wire/node_pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    struct node_pb_description d, d2;
    struct node_pb_state s;
    struct node_pb_fetch f;
    struct node_pb_piece p;
    struct buf out;
    bool ok = false, is_brief;
    if (size < 1)
        return 0;
    struct arena *a = arena_new(NODE_PB_ARENA_BYTES, &err);
    void *copy = malloc(size);
    if (!a || !copy)
        abort();
    memcpy(copy, data + 1, size - 1);
    buf_init(&out, 4 << 20);
    switch (data[0] % 5) {
    case 0: ok = node_pb_read_describe(&is_brief, copy, size - 1, a, &err); break;
    case 1:
        ok = node_pb_read_description(&d, copy, size - 1, a, &err);
        if (!ok)
            break;
        if (!label_is_valid(d.name) || d.n_experts > NODE_PB_EXPERTS_MAX || d.n_models > NODE_PB_MODELS_MAX)
            abort();
        node_pb_put_description(&out, &d);
        if (!out.failed && out.len <= NODE_PB_DESCRIPTION_MAX_BYTES && (!node_pb_read_description(&d2, out.data, out.len, a, &err) ? err.code != ERR_LIMIT && err.code != ERR_INPUT : d2.n_experts != d.n_experts))
            abort();
        break;
    case 2:
        ok = node_pb_read_state(&s, copy, size - 1, a, &err);
        if (ok && (s.n_experts > NODE_PB_EXPERTS_MAX || s.n_steps > 64))
            abort();
        if (ok)
            node_pb_put_state(&out, &s);
        break;
    case 3:
        ok = node_pb_read_fetch(&f, copy, size - 1, a, &err);
        if (ok && !node_pb_is_file_name(f.name))
            abort();
        break;
    case 4:
        ok = node_pb_read_piece(&p, copy, size - 1, a, &err);
        if (ok && p.n > NODE_PB_PIECE_MAX_BYTES)
            abort();
        break;
    }
    if (!ok && err.code == ERR_NONE)
        abort();
    buf_fini(&out);
    arena_free(a);
    free(copy);
    return 0;
}
