/* kernels/matmul/matmul.h - weights times activations: y[t][r] = sum over k of W[r][k] * x[t][k].
 *
 * For:     llm/.  Both regimes: one token (decode, bound by bytes of W) and many (prefill, bound by
 *          multiply-adds).
 * Rule:    a weight is packed once (weight_pack) into the order in which all kernels read it, one layout per
 *          type for both regimes and all ISAs, or used as it lies in the file (WEIGHT_ROWS).
 *
 * The layout WEIGHT_R16 (pack.c makes it, ref.c reads it; matmul_internal.h says what lies where):
 * rows are taken in groups of 16 (the last group is padded with zero rows); a group is a chain of units along K, each
 * with codes and scales of a block of 32 or 256, in the order in which a kernel reads them: one stream, group
 * after group.  Codes lie "quad" by quad: a quad is 4 consecutive k of 16 rows = 64 codes, byte (row * 4 + i)
 * holding k = 4 * quad + i.  That is one zmm for vpdpbusd, two ymm, four q registers for sdot, and rows of the B tile
 * of AMX; zip of two quads is what smmla wants.
 */
#ifndef TUTTI_KERNELS_MATMUL_MATMUL_H
#define TUTTI_KERNELS_MATMUL_MATMUL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtype/dtype.h"

enum { MATMUL_GROUP = 16, MATMUL_BLOCK = 32 };

enum weight_layout {
    WEIGHT_ROWS, /* as in the file, row after row: F32, F16, BF16 and the rare types */
    WEIGHT_R16,  /* packed: Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K..Q6_K IQ4_NL IQ4_XS MXFP4 */
};

struct weight { /* one matrix; plain data, the bytes are borrowed */
    enum dtype type;
    enum weight_layout layout;
    int n_rows, n_cols;    /* outputs, inputs (K); K is a multiple of the type's block */
    const uint8_t *data;   /* 64-byte aligned when packed */
    size_t row_bytes;      /* WEIGHT_ROWS */
    size_t group_bytes;    /* WEIGHT_R16: of one group of 16 rows, a multiple of 64 */
};

/* The layout that matmul wants for this type. */
enum weight_layout weight_layout_of(enum dtype type);
/* Bytes of a packed matrix; 0 for a type that stays as it is, or when the size overflows. */
size_t weight_packed_bytes(enum dtype type, int n_rows, int n_cols);
/* Packs groups [group0, group1) of a matrix whose rows lie at src as in a GGUF file; dst is the start of
 * the whole packed matrix.  Threads may pack different groups at once. */
void weight_pack(uint8_t *dst, enum dtype type, int n_rows, int n_cols, const void *src, int group0, int group1);
/* Describes bytes at `data`: packed ones when the type's layout is WEIGHT_R16, file rows otherwise. */
struct weight weight_at(enum dtype type, int n_rows, int n_cols, const void *data);
static inline int weight_n_groups(const struct weight *w) { return (w->n_rows + MATMUL_GROUP - 1) / MATMUL_GROUP; }
/* The same matrix without the rows before group0 and from group1 on. */
static inline struct weight weight_groups(const struct weight *w, int group0, int group1)
{
    struct weight part = *w;
    const int row1 = group1 * MATMUL_GROUP < w->n_rows ? group1 * MATMUL_GROUP : w->n_rows;
    part.n_rows = row1 - group0 * MATMUL_GROUP;
    part.data += (size_t)group0 * (w->layout == WEIGHT_R16 ? w->group_bytes : w->row_bytes * MATMUL_GROUP);
    return part;
}

/* Activations, prepared once per layer input and used by all matrices that read it.
 * Quantized: blocks of 32 along K: x ~ d * q with q = round to nearest even (y), y = 127 x / max|x|, and d the factor
 * that fits these q best (least squares): d = max|x| / 127 * sum(y q) / sum(q q).  Against d = max|x| / 127 that
 * takes 1 to 12 % off the NMSE of the golden models.  sum(y q) is added in 16 lanes, then halves onto halves. */
enum acts_kind { ACTS_F32 = 1, ACTS_Q8 = 2 }; /* bits: a layer input may need both */
struct acts {
    int n_cols;       /* K, a multiple of 32 */
    const float *x;   /* [n_tok][n_cols] */
    int8_t *q;        /* [n_tok][n_cols] */
    float *d;         /* [n_tok][n_cols / 32] */
    int16_t *sum;     /* [n_tok][n_cols / 16]: sums of q over 16 values each, |sum| <= 2032 */
};
/* Which form a weight type multiplies with. */
enum acts_kind matmul_acts_kind(enum dtype type);
/* Bytes of q, d and sum for n_tok rows (each 64-byte aligned inside), and their places in `mem`. */
size_t acts_bytes(int n_tok, int n_cols);
void acts_place(struct acts *a, void *mem, int n_tok, int n_cols);

/* Quantizes rows [tok0, tok1) of a->x into a->q, d, sum. */
typedef void acts_quantize_fn(struct acts *a, int tok0, int tok1);

/* y[t * ldy + r] for r in the rows of groups [group0, group1) (only rows < n_rows are written) and
 * t in [0, n_tok).  scratch: matmul_scratch_bytes() of the widest matrix, one per thread, 64-byte aligned. */
typedef void matmul_fn(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a,
                       int n_tok, void *scratch);

struct matmul_ops { /* what one ISA brings; NULL: use the next best */
    const char *isa;
    uint32_t need; /* enum cpu_flag */
    acts_quantize_fn *quantize;
    size_t (*scratch_bytes)(int n_cols);
    matmul_fn *fn[DTYPE_ID_MAX + 1]; /* by weight type */
};
extern const struct matmul_ops *const matmul_variants[]; /* best first, ends with ref */
extern const int matmul_n_variants;

struct matmul_set { /* the choice */
    acts_quantize_fn *quantize;
    matmul_fn *fn[DTYPE_ID_MAX + 1];
    const char *isa[DTYPE_ID_MAX + 1]; /* whose function it is */
    size_t (*scratch_bytes[8])(int n_cols);
    int n_scratch;
};
void matmul_choose(struct matmul_set *set, uint32_t cpu);
size_t matmul_scratch_bytes(const struct matmul_set *set, int n_cols);
#endif
