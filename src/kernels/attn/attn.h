/* kernels/attn/attn.h - attention of some query rows over one K/V head, whose cache lies in pages.
 *
 * For:     llm/.
 * Rule:    softmax(scale * q . k, capped, masked, with a sink) times V.  Positions are walked in chunks of ATTN_CHUNK, counted from
 *          position 0; each gives a state of its own (flash: maximum, sum, weighted sum of V), and the states are joined in
 *          order.  So a row's result does not depend on the other rows.
 * Start:   run.c (the story), ref.c (what a chunk is), avx512_codes.c.
 *
 * A page holds ATTN_PAGE consecutive positions of one layer and one K/V head, as codes and a float scale per position:
 *   I16, I8: K [(d_k + 1) / 2][32][2] codes: pairs of dimensions, position by position; then K's scales [32], then V's [32], so
 *            that attention reads a page from its start to its end
 *            V [16][d_v][2] codes: pairs of positions, dimension by dimension
 *   F32:     K [d_k][32], V [32][d_v] float (for encoders and tests)
 * Pairs are what vpdpwssd and vpmaddwd multiply: twice the rate of a float multiply-add, and as exact as f16 (docs/decisions/0021).
 */
#ifndef TUTTI_KERNELS_ATTN_ATTN_H
#define TUTTI_KERNELS_ATTN_ATTN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum attn_type { ATTN_F32, ATTN_I16, ATTN_I8, ATTN_TYPE_COUNT };
enum {
    ATTN_PAGE = 32,
    ATTN_CHUNK = 512, /* positions of one state */
    ATTN_ROWS = 64,   /* rows of one job at most */
};

/* Bytes of the K and V parts of a page for one head (multiples of 64), and where the scales lie in K's. */
size_t attn_k_bytes(enum attn_type type, int d_k);
size_t attn_v_bytes(enum attn_type type, int d_v);
static inline size_t attn_scales_at(enum attn_type type, int d_k) { return (size_t)(d_k + 1) / 2 * 2 * ATTN_PAGE * (type == ATTN_I16 ? 2 : 1); }

struct attn_row {
    const float *q;   /* [d_k] */
    float *out;       /* [d_v] */
    int first, last;  /* visible positions, both included; first > last: out becomes zero (or sink only) */
    float sink;       /* one more score without a value; -INFINITY: none */
};

struct attn_job {
    enum attn_type type;      /* of the cache */
    int d_k, d_v;
    float scale;              /* usually 1 / sqrt(d_k); not negative */
    float softcap;            /* 0: none; else s = softcap * tanh(s / softcap), before the mask */
    const uint8_t *const *k;  /* [n_pages] start of this head's K in each page; page p holds positions 32p .. 32p+31 */
    const uint8_t *const *v;
    const struct attn_row *row;
    int n_rows;               /* 1 .. ATTN_ROWS */
};

/* What a row has seen: [0] the largest score in units of ln 2 (-INFINITY: nothing), [1] the sum of exp2(score - largest), then
 * from ATTN_HEAD the sums of that times V [d_v]. */
enum { ATTN_HEAD = 16 };
static inline size_t attn_state_floats(int d_v) { return ATTN_HEAD + (size_t)(d_v + 15) / 16 * 16; }

/* Queries as codes: q = code * scale with |q code| . |k code| < 2^31 (vector norms); made once for a job. */
struct attn_queries {
    int16_t *code;  /* [n_rows][ld] */
    float *factor;  /* [n_rows] code . code times this is the score in units of ln 2 (with a softcap: score / softcap) */
    size_t ld;      /* d_k in whole pairs */
};

struct attn_ops {
    const char *isa;
    uint32_t need;
    /* The states [n_rows][attn_state_floats(d_v)] of the chunk [pos0, pos0 + ATTN_CHUNK).
     * scratch: attn_part_bytes(d_k, d_v), one per thread, 64-byte aligned; so is state.  q: not read for F32. */
    void (*part)(const struct attn_job *job, const struct attn_queries *q, int pos0, float *state, void *scratch);
};

size_t attn_scratch_bytes(int d_k, int d_v);
/* All of a job: every chunk, joined, results in row[].out. */
void attn_run(const struct attn_ops *o, const struct attn_job *job, void *scratch);

/* Stores one position's key [d_k] and value [d_v] into slot 0..31 of a page.  Threads may fill slots of one page side by side. */
void attn_put(enum attn_type type, uint8_t *k_page, uint8_t *v_page, int slot, const float *k, const float *v, int d_k, int d_v);

extern const struct attn_ops *const attn_variants[]; /* best first, ends with ref */
extern const int attn_n_variants;
const struct attn_ops *attn_choose(uint32_t cpu);
#endif
