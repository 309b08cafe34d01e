/* gen-model/gen.h - what the files of this tool share.
 *
 * shape.c: the shapes, their keys and tensors.  vocab.c: a made-up vocabulary of the real size.  blocks.c: random weights.  main.c: puts it together.
 */
#ifndef GEN_MODEL_GEN_H
#define GEN_MODEL_GEN_H
#include "base/rng.h"
#include "dtype/dtype.h"
#include "gguf/write.h"

/* The facts of a model that exists, or of a small one for tests. */
struct shape {
    const char *name, *title, *arch;
    int n_layer, n_embd, n_ff, n_head, n_head_kv, head_dim, n_vocab, n_ctx;
    float rope_base, rms_eps;
    bool tied;       /* the output is the token embedding */
    bool qkv_bias;
    bool llama3_rope; /* rope_freqs.weight */
    int n_expert, n_expert_used;
    const char *pre; /* the pre-tokenizer's name */
    int special_at;  /* id of the first special token */
    const char *const *special; /* their texts; bos, eos: indices into it */
    int n_special, bos, eos;
    bool add_bos;
};

/* One weight tensor, before its number format is chosen. */
enum role { ROLE_MATRIX, ROLE_NORM, ROLE_BIAS, ROLE_ROPE_FREQS };
struct weight {
    char name[64];
    enum role role;
    int layer;
    int n_dims;
    uint64_t ne[4];
    enum dtype type;
};

extern const struct shape shapes[];
extern const int n_shapes;
const struct shape *shape_find(const char *name);
void shape_write_keys(const struct shape *s, struct gguf_writer *w, uint32_t file_type);
/* Room for shape_max_weights(s); returns their number. */
int shape_max_weights(const struct shape *s);
int shape_weights(const struct shape *s, struct weight *out);
float shape_rope_factor(const struct shape *s, int i); /* element i of rope_freqs.weight */

bool vocab_write(const struct shape *s, struct gguf_writer *w, struct err *err);

/* Random blocks of a format whose values have mean 0 and about this standard deviation. */
struct block_maker {
    enum dtype type;
    int block_len, block_bytes;
    struct rng rng;
    float std;
    uint16_t scale[16], min[16]; /* f16, jittered by some percent; min follows its scale */
    uint8_t exponent;            /* MXFP4 */
};
bool blocks_init(struct block_maker *b, enum dtype type, float std, uint64_t seed);
void blocks_make(struct block_maker *b, void *out, size_t n_blocks);
#endif
