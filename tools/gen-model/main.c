/* gen-model/main.c - writes a GGUF file with random weights in a real model's shape.
 *
 * For:     measuring speed without downloading anything, and tests of loaders.  What it says is nonsense.
 * Use:     gen-model [--seed N] [--pure] SHAPE TYPE OUT      (without arguments: the lists)
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gen.h"
#include "quant/mix.h"

enum { CHUNK_BYTES = 1 << 20 };

static int usage(void)
{
    fprintf(stderr, "usage: gen-model [--seed N] [--pure] SHAPE TYPE OUT\n\n"
                    "Writes a GGUF model with random weights.  --pure: TYPE for every matrix, no mix.\n\nSHAPE:\n");
    for (int i = 0; i < n_shapes; i++)
        fprintf(stderr, "  %-20s %s\n", shapes[i].name, shapes[i].title);
    fprintf(stderr, "\nTYPE (tensors get what llama-quantize would choose):\n ");
    for (int i = 0; i < n_mixes; i++)
        fprintf(stderr, " %s%s", mixes[i].name, i == n_mixes / 2 ? "\n " : "");
    fprintf(stderr, "\n");
    return 2;
}

/* Norms near 1, biases small, the rope factors as they are. */
static void put_vector(const struct shape *s, const struct weight *t, struct rng *rng, struct gguf_writer *w)
{
    for (uint64_t i = 0; i < t->ne[0]; i++) {
        const float noise = (float)rng_f64(rng) * 2.0f - 1.0f;
        const float v = t->role == ROLE_ROPE_FREQS ? shape_rope_factor(s, (int)i) : t->role == ROLE_NORM ? 1.0f + 0.1f * noise : 0.1f * noise;
        gguf_writer_data(w, &v, sizeof(v)); /* little-endian machines only, as the rest of the program */
    }
}

static bool put_matrix(const struct weight *t, uint64_t seed, struct gguf_writer *w, uint8_t *chunk, struct err *err)
{
    struct block_maker b;
    /* 1 / sqrt(K) keeps the size of what passes through: logits of spread 1, at any depth. */
    if (!blocks_init(&b, t->type, 1.0f / sqrtf((float)t->ne[0]), seed))
        return err_set(err, ERR_UNSUPPORTED, "no random blocks of type %s", dtype_info(t->type)->name);
    uint64_t n_blocks = t->ne[0] / (uint64_t)b.block_len * t->ne[1] * t->ne[2];
    while (n_blocks > 0) {
        const uint64_t room = CHUNK_BYTES / (uint64_t)b.block_bytes, n = n_blocks < room ? n_blocks : room;
        blocks_make(&b, chunk, (size_t)n);
        gguf_writer_data(w, chunk, (size_t)n * (size_t)b.block_bytes);
        n_blocks -= n;
    }
    return true;
}

static bool put_weights(const struct shape *s, struct weight *t, int n, uint64_t seed, struct gguf_writer *w, struct err *err)
{
    uint8_t *chunk = malloc(CHUNK_BYTES);
    uint64_t told_ns = clock_ns(), done = 0;
    bool ok = chunk || err_set(err, ERR_NOMEM, "out of memory");
    for (int i = 0; ok && i < n; i++) {
        struct rng rng;
        rng_seed(&rng, seed * 1000003u + (uint64_t)i);
        const uint64_t tensor_seed = rng_u64(&rng);
        if (t[i].n_dims == 1)
            put_vector(s, &t[i], &rng, w);
        else
            ok = put_matrix(&t[i], tensor_seed, w, chunk, err);
        ok = ok && gguf_writer_next(w, err);
        done += dtype_row_bytes(t[i].type, t[i].ne[0]) * t[i].ne[1] * t[i].ne[2];
        if (clock_ns() - told_ns > 1000000000u) {
            told_ns = clock_ns();
            fprintf(stderr, "gen-model: %.0f of %.0f MB\n", (double)done / 1e6, (double)gguf_writer_data_bytes(w) / 1e6);
        }
    }
    free(chunk);
    return ok;
}

/* What llama-quantize would choose, and the weights come by layer, as mix_wish() wants them. */
static void choose_types(const struct shape *s, const struct mix *m, bool pure, struct weight *t, int n)
{
    const struct mix_model model = { .is_tied = s->tied, .n_layer = s->n_layer, .n_expert = s->n_expert, .gqa = s->n_head / s->n_head_kv,
                                     .n_attn_v = s->n_layer };
    struct mix_counts counts = { 0 };
    for (int i = 0; i < n; i++) {
        t[i].type = DTYPE_F32;
        if (!mix_may_change(t[i].name, t[i].n_dims))
            continue;
        enum dtype wish = mix_wish(m, &model, &counts, t[i].name, t[i].ne);
        if (pure || (m->type == DTYPE_MXFP4 && s->n_expert == 0 && t[i].layer >= 0)) /* the tool's user wants it in a dense model too */
            wish = m->type;
        t[i].type = mix_fit(wish, t[i].ne[0]);
    }
}

static bool generate(const struct shape *s, const struct mix *m, bool pure, uint64_t seed, const char *path, struct err *err)
{
    struct weight *t = calloc((size_t)shape_max_weights(s), sizeof(*t));
    struct gguf_writer *w = gguf_writer_new(err);
    bool ok = false;
    if (!t || !w) {
        err_set(err, ERR_NOMEM, "out of memory");
        goto out;
    }
    const int n = shape_weights(s, t);
    shape_write_keys(s, w, m->file_type);
    if (!vocab_write(s, w, err))
        goto out;
    choose_types(s, m, pure, t, n);
    for (int i = 0; i < n; i++)
        gguf_write_tensor(w, t[i].name, t[i].type, t[i].n_dims, t[i].ne);
    ok = gguf_writer_begin(w, path, err) && put_weights(s, t, n, seed, w, err) && gguf_writer_end(w, err);
out:
    gguf_writer_free(w);
    free(t);
    return ok;
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    const char *args[3];
    uint64_t seed = 1;
    bool pure = false;
    int n = 0;
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--pure") == 0) {
            pure = true;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            errno = 0;
            seed = strtoull(argv[++i], &end, 10);
            if (errno != 0 || *end || argv[i][0] < '0' || argv[i][0] > '9')
                return usage();
        } else if (argv[i][0] == '-' || n == 3) {
            return usage();
        } else {
            args[n++] = argv[i];
        }
    }
    if (n != 3)
        return usage();
    const struct shape *s = shape_find(args[0]);
    const struct mix *m = mix_find(args[1]);
    if (!s || !m) {
        fprintf(stderr, "gen-model: unknown %s '%s'; gen-model without arguments lists them\n", s ? "type" : "shape", args[s ? 1 : 0]);
        return 2;
    }
    if (!generate(s, m, pure, seed, args[2], &err)) {
        fprintf(stderr, "gen-model: %s\n", err.text);
        return 1;
    }
    return 0;
}
