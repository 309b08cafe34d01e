/* quant/quantize.h - a model file in other number formats: what becomes what, how large it will be, and the writing of it.
 *
 * For:     cmd/model_quantize.c, tests.
 * Callers: quant_new (with the opened model), quant_item...; quant_write; quant_free.
 * Touches: the model's mapping (reads), OUT.tmp and OUT through gguf/write.h, the pool's threads.
 * Rule:    memory does not grow with the model: each thread holds one piece of PIECE values.  The file's bytes do not depend on
 *          threads or machine.  Keys are kept, but for general.file_type, general.quantization_version, general.alignment (32 is
 *          what we write) and those of a split, which becomes one file.
 */
#ifndef TUTTI_QUANT_QUANTIZE_H
#define TUTTI_QUANT_QUANTIZE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "gguf/gguf.h"
#include "quant/mix.h"

/* "blk.*.ffn_down.weight" becomes type; the first one that matches a tensor counts. */
struct quant_rule {
    const char *glob; /* fnmatch(3), over the whole name */
    enum dtype type;
};

struct quant_options {
    const struct mix *mix;
    bool pure;        /* mix->type for all that may change; rules still count */
    bool requantize;  /* tensors that are quantized already may be quantized again */
    const struct quant_rule *rules; /* borrowed for quant_new() */
    int n_rules;
};

struct quant_item {
    const struct gguf_tensor *tensor; /* of the model */
    enum dtype wish, type;            /* differ when the wish's blocks do not divide the rows */
    bool is_copied;                   /* the same type: bytes as they are */
    uint64_t n_values, n_bytes;       /* n_bytes: written */
    double error, power;              /* after quant_write(): sum (x - y)^2 and sum x^2 over what was not copied; 0 for copied ones */
};

struct quant;

/* Borrows the model until quant_free().  NULL with err: a rule that matches nothing, a tensor whose numbers have no meaning,
 * or (ERR_INPUT, unless options->requantize) one that is quantized already. */
struct quant *quant_new(const struct gguf *model, const struct quant_options *options, struct err *err);
void quant_free(struct quant *q); /* NULL is fine */

size_t quant_n_items(const struct quant *q); /* the model's tensors in their order */
const struct quant_item *quant_item_at(const struct quant *q, size_t i);
uint64_t quant_file_bytes(const struct quant *q); /* of the file to be, exactly */

struct quant_watch {
    void (*on_progress)(void *ctx, uint64_t done, uint64_t all); /* bytes read; by the calling thread, between pieces; NULL: nobody asks */
    bool (*is_stopped)(void *ctx);                                /* true: no further piece, nothing is left behind; any thread; NULL: never */
    void *ctx;
};
/* Once.  false with err ("tensor 'x': value 12 is not a number") and no file; ERR_CANCELLED when watch stopped it. */
bool quant_write(struct quant *q, const char *path, struct pool *pool, uint32_t cpu, const struct quant_watch *watch, struct err *err);
#endif
