/* tests/gguf/test_gguf_nomem.c - opening with each allocation failing in turn. */
#include "fail_alloc.h"
#include "gguf/build.h"
#include "test.h"

static bool load_memory(void *arg, struct err *err)
{
    const struct image *m = arg;
    struct gguf *g = gguf_open_memory(m->at, m->n, "small", err);
    gguf_close(g);
    return g != NULL;
}

static bool load_file(void *arg, struct err *err)
{
    struct gguf *g = gguf_open(arg, err);
    gguf_close(g);
    return g != NULL;
}

TEST(opening_from_memory_survives_every_failing_allocation)
{
    static struct image m;
    put_small_model(&m, 3);
    const long n = fail_alloc_each(load_memory, &m, 1000);
    CHECK(n >= 6 && n < 50, "%ld allocations", n);
}

TEST(opening_a_split_model_survives_every_failing_allocation)
{
    static struct image m;
    char first[256] = "";
    for (uint64_t part = 0; part < 3; part++) {
        char name[64], tensor[64];
        put_head(&m, 3, 40, 3);
        put_key_int(&m, "split.count", GGUF_U16, 3);
        put_key_int(&m, "split.no", GGUF_U16, part);
        put_key_int(&m, "split.tensors.count", GGUF_I32, 120);
        for (uint64_t i = 0; i < 40; i++) {
            snprintf(tensor, sizeof(tensor), "blk.%d.part.%d", (int)i, (int)part);
            put_tensor(&m, tensor, 1, (uint64_t[]){ 8 }, DTYPE_F32, i * 32);
        }
        put_data(&m, 40 * 32);
        snprintf(name, sizeof(name), "m-%05d-of-00003.gguf", (int)part + 1);
        const char *path = test_tmp(name);
        FILE *f = fopen(path, "wb");
        REQUIRE(f && fwrite(m.at, 1, m.n, f) == m.n);
        fclose(f);
        if (part == 0)
            snprintf(first, sizeof(first), "%s", path);
    }
    const long n = fail_alloc_each(load_file, first, 1000);
    CHECK(n >= 10 && n < 100, "%ld allocations", n);
}
