/* cmd/model_logits.c - `tutti model logits`: ids in, logits out; for tests and side-by-side checks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/pool.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "gguf/gguf.h"
#include "hw/cpu.h"
#include "kernels/kernels.h"
#include "llm/llm.h"

enum { N_TOKENS_MAX = 1 << 20, BATCH_MAX = 512, CTX_STEP = 256 };

/* The ids of the file; free() them. */
static int32_t *read_ids(const char *path, int *n, struct err *err)
{
    size_t n_bytes = 0;
    char *bytes = file_read(path, (size_t)N_TOKENS_MAX * 4, &n_bytes, err);
    if (!bytes)
        return NULL;
    if (n_bytes == 0 || n_bytes % 4 != 0) {
        free(bytes);
        return err_null(err, ERR_INPUT, "%s: %zu bytes are no list of int32 ids", path, n_bytes);
    }
    *n = (int)(n_bytes / 4);
    unsigned char *b = (unsigned char *)bytes;
    int32_t *ids = malloc(n_bytes);
    for (int i = 0; ids && i < *n; i++, b += 4)
        ids[i] = (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24);
    free(bytes);
    return ids ? ids : err_null(err, ERR_NOMEM, "%s: no memory for %d ids", path, *n);
}

static bool put_floats(FILE *f, const char *path, const float *x, int n, struct err *err)
{
    if (fwrite(x, sizeof(*x), (size_t)n, f) != (size_t)n)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    return true;
}

/* One row of logits for each id, in batches of n_batch. */
static bool put_rows(struct llm_ctx *ctx, const int32_t *ids, int n, int n_batch, int n_vocab, FILE *f,
                     const char *path, struct err *err)
{
    struct llm_token tok[BATCH_MAX];
    const int seq = llm_seq_new(ctx);
    if (seq < 0)
        return err_set(err, ERR_INTERNAL, "no free sequence in a new context");
    for (int at = 0; at < n; at += n_batch) {
        const int n_now = n - at < n_batch ? n - at : n_batch;
        for (int i = 0; i < n_now; i++)
            tok[i] = (struct llm_token){ .seq = seq, .pos = at + i, .id = ids[at + i], .want_logits = true };
        if (!llm_forward(ctx, tok, n_now, err))
            return false;
        for (int i = 0; i < n_now; i++)
            if (!put_floats(f, path, llm_logits(ctx, i), n_vocab, err))
                return false;
    }
    return true;
}

static bool put_vector(struct llm_ctx *ctx, const int32_t *ids, int n, int n_embd, FILE *f, const char *path,
                       struct err *err)
{
    float *v = malloc((size_t)n_embd * sizeof(*v));
    if (!v)
        return err_set(err, ERR_NOMEM, "no memory for a vector of %d", n_embd);
    const bool ok = llm_embed(ctx, ids, n, v, err) && put_floats(f, path, v, n_embd, err);
    free(v);
    return ok;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static bool evaluate(const char *model_path, const int32_t *ids, int n, const char *out_path, bool step,
                     int n_threads, uint32_t cpu, struct err *err)
{
    struct gguf *g = NULL;
    struct pool *pool = NULL;
    struct llm_model *m = NULL;
    struct llm_ctx *ctx = NULL;
    struct kernels k;
    FILE *f = NULL;
    bool ok = false;

    kernels_choose(&k, cpu);
    g = gguf_open(model_path, err);
    if (!g || !(pool = pool_new(n_threads, err)))
        goto out;
    m = llm_model_open(g, &k, pool, err);
    if (!m)
        goto out;
    const struct llm_info *info = llm_model_info(m);
    const int n_batch = step ? 1 : n < BATCH_MAX ? n : BATCH_MAX;
    const struct llm_ctx_options opt = { .n_ctx = (n + CTX_STEP - 1) / CTX_STEP * CTX_STEP,
                                         .n_seq_max = 1,
                                         .n_batch_max = info->is_encoder ? n : n_batch,
                                         .n_logits_max = n_batch };
    ctx = llm_ctx_new(m, &opt, err);
    if (!ctx)
        goto out;
    if (is_same_file(model_path, out_path)) { /* it is mapped: emptying it takes the weights from under the engine */
        err_set(err, ERR_INPUT, "%s: the model would be overwritten", out_path);
        goto out;
    }
    f = fopen(out_path, "wb");
    if (!f) {
        err_set(err, ERR_IO, "%s: %s", out_path, strerror(errno));
        goto out;
    }
    ok = info->is_encoder ? put_vector(ctx, ids, n, info->n_embd, f, out_path, err)
                          : put_rows(ctx, ids, n, n_batch, info->n_vocab, f, out_path, err);
    if (fclose(f) != 0 && ok)
        ok = err_set(err, ERR_IO, "%s: %s", out_path, strerror(errno));
out:
    llm_ctx_free(ctx);
    llm_model_free(m);
    pool_free(pool);
    gguf_close(g);
    return ok;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    (void)argc;
    struct err err = { 0 };
    uint32_t cpu;
    const struct cpu_level *level;
    const char *tokens = cmd_opt_find(opts, "tokens")->s, *out = cmd_opt_find(opts, "out")->s;
    const struct cmd_opt *threads = cmd_opt_find(opts, "threads");
    if (!tokens || !out) {
        fprintf(stderr, "tutti: --tokens and --out are needed; see `tutti model logits --help`\n");
        return 2;
    }
    if (!cmd_cpu(&cpu, &level))
        return 1;
    int n = 0;
    int32_t *ids = read_ids(tokens, &n, &err);
    const bool ok = ids && evaluate(argv[0], ids, n, out, cmd_opt_find(opts, "step")->given,
                                    threads->given ? (int)threads->i : cpu_default_threads(), cpu, &err);
    free(ids);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "tokens", .kind = OPT_TEXT, .value = "FILE", .help = "token ids, int32 little-endian; - is stdin" },
    { .name = "out", .kind = OPT_TEXT, .value = "FILE", .help = "float32 logits [n][vocab] go here" },
    { .name = "step", .kind = OPT_FLAG, .help = "one token at a time instead of one batch" },
    { .name = "threads", .kind = OPT_INT, .value = "N", .min = 1, .max = 1024, .help = "default: one per core" },
    { 0 },
};
const struct cmd cmd_model_logits = {
    .name = "model logits",
    .args = "MODEL --tokens FILE --out FILE",
    .min_args = 1,
    .max_args = 1,
    .help = "evaluate token ids and write the logits",
    .more = "\nAn embedding model gives its one pooled vector instead, not normalised.\n",
    .opts = opts,
    .run = run,
};
