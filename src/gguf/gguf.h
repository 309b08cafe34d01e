/* gguf/gguf.h - model files: GGUF v2 and v3, mapped, every length validated.
 *
 * For:     token/ (vocabulary), llm/ (shapes, weights), cmd/ (model show), tools/.
 * Callers: rooms above.
 * Touches: the model's file (read-only mapping).  Thread: open and close on one, ask on any.
 * Rule:    after gguf_open() everything that can be asked lies inside the mapping: no caller checks
 *          offsets again.  Keys and tensor names are not '\0'-terminated in the file; here they are
 *          (copied into an arena).  Arrays and strings of values are borrowed from the mapping, which
 *          is little-endian and not aligned: read them with the functions below.
 */
#ifndef TUTTI_GGUF_GGUF_H
#define TUTTI_GGUF_GGUF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "dtype/dtype.h"

enum gguf_type { /* value types of the specification; ORDER GGUF_TYPE */
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_ARRAY,
    GGUF_U64, GGUF_I64, GGUF_F64, GGUF_TYPE_COUNT
};

struct gguf_str { /* bytes in the mapping, not terminated, any content */
    const char *data;
    size_t len;
};

struct gguf_kv {
    const char *key;          /* '\0'-terminated, printable UTF-8 */
    enum gguf_type type;      /* GGUF_ARRAY: see elem_type, n */
    enum gguf_type elem_type; /* of an array (GGUF_ARRAY: of arrays, checked but not read further); == type otherwise */
    uint64_t n;               /* elements; 1 for a scalar */
    const uint8_t *data;      /* first element in the mapping */
    size_t n_bytes;           /* of all elements */
};

struct gguf_tensor {
    const char *name;   /* '\0'-terminated, 1 to 64 bytes of printable UTF-8 */
    enum dtype type;
    int n_dims;         /* 1..4 */
    uint64_t ne[4];     /* fastest first, as in the file; unused ones are 1, none is 0; the product fits int64_t */
    const uint8_t *data; /* at least 8-byte aligned, as general.alignment demands */
    size_t n_bytes;
    int part;           /* which file of a split model */
};

struct gguf;

/* Opens a file, and its sisters when it is the first part of a split (-00001-of-0000N).
 * Owned by the caller; NULL with err: "FILE: tensor 'x' ends at byte A of B". */
struct gguf *gguf_open(const char *path, struct err *err);
/* The same from memory (tests, fuzzing): the bytes are borrowed until gguf_close(); aligned tensors need them
 * to start at a multiple of 32. */
struct gguf *gguf_open_memory(const void *bytes, size_t n_bytes, const char *name, struct err *err);
void gguf_close(struct gguf *g); /* NULL is fine */

uint32_t gguf_version(const struct gguf *g);
int gguf_n_parts(const struct gguf *g);
uint64_t gguf_file_bytes(const struct gguf *g); /* of all parts */
const char *gguf_path(const struct gguf *g);
size_t gguf_n_kv(const struct gguf *g);
const struct gguf_kv *gguf_kv_at(const struct gguf *g, size_t i);
size_t gguf_n_tensors(const struct gguf *g);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i);

/* By name, hashed; NULL when absent. */
const struct gguf_kv *gguf_find(const struct gguf *g, const char *key);
const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name);

/* The value when the key is there and has a type that converts without loss (any integer type that
 * fits; F32 or F64 or integer for a float); false with *out untouched when absent or of another kind. */
bool gguf_get_u32(const struct gguf *g, const char *key, uint32_t *out);
bool gguf_get_i64(const struct gguf *g, const char *key, int64_t *out);
bool gguf_get_f32(const struct gguf *g, const char *key, float *out);
bool gguf_get_bool(const struct gguf *g, const char *key, bool *out);
bool gguf_get_str(const struct gguf *g, const char *key, struct gguf_str *out);

/* Elements of arrays (i < kv->n); scalars count as arrays of one. */
int64_t gguf_kv_int(const struct gguf_kv *kv, uint64_t i);   /* integers and bools, at most INT64_MAX; 0 for others */
uint64_t gguf_kv_uint(const struct gguf_kv *kv, uint64_t i); /* the same, for what may pass INT64_MAX */
double gguf_kv_float(const struct gguf_kv *kv, uint64_t i);  /* floats and integers */
/* Strings have no fixed length: walk them.  *cursor starts at 0. */
struct gguf_str gguf_kv_next_str(const struct gguf_kv *kv, size_t *cursor);

/* These bytes of the tensor will not be read again soon (they were packed): they leave our resident memory. */
void gguf_forget(const struct gguf *g, const struct gguf_tensor *t, size_t from, size_t n_bytes);
const char *gguf_type_name(enum gguf_type t);
#endif
