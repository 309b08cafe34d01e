/* gguf/write.h - writes GGUF v3 files: keys, then tensors, then their data, as a stream or in pieces by place.
 *
 * For:     quant/, tools/ (gen-model, train).
 * Callers: new; key and tensor calls in any number; begin; for each tensor in order data..., next (or put of all bytes, by any
 *          thread in any order); end; free.
 * Touches: PATH.tmp, renamed to PATH by gguf_writer_end(): a half-written model never has the model's name.
 * Rule:    the first error sticks and all later calls do nothing; begin, next and end report it.  put reports its own.
 */
#ifndef TUTTI_GGUF_WRITE_H
#define TUTTI_GGUF_WRITE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtype/dtype.h"
#include "gguf/gguf.h"

struct gguf_writer;

struct gguf_writer *gguf_writer_new(struct err *err);
/* Removes what was not ended; NULL is fine. */
void gguf_writer_free(struct gguf_writer *w);

void gguf_write_u32(struct gguf_writer *w, const char *key, uint32_t v);
void gguf_write_f32(struct gguf_writer *w, const char *key, float v);
void gguf_write_bool(struct gguf_writer *w, const char *key, bool v);
void gguf_write_str(struct gguf_writer *w, const char *key, const char *v);
void gguf_write_i32s(struct gguf_writer *w, const char *key, const int32_t *v, size_t n);
void gguf_write_f32s(struct gguf_writer *w, const char *key, const float *v, size_t n);
void gguf_write_strs(struct gguf_writer *w, const char *key, const struct gguf_str *v, size_t n);
/* A key of another file as it is, arrays of arrays too. */
void gguf_write_kv(struct gguf_writer *w, const struct gguf_kv *kv);
/* ne: n_dims sizes, fastest first; ne[0] a multiple of the type's block. */
void gguf_write_tensor(struct gguf_writer *w, const char *name, enum dtype type, int n_dims, const uint64_t *ne);

bool gguf_writer_begin(struct gguf_writer *w, const char *path, struct err *err);
/* Bytes of the tensor at hand, in as many pieces as the caller likes. */
void gguf_writer_data(struct gguf_writer *w, const void *bytes, size_t n_bytes);
/* The tensor at hand is complete; the next one follows. */
bool gguf_writer_next(struct gguf_writer *w, struct err *err);
/* Bytes of tensor number `tensor` from its byte `at`: thread-safe, each byte of the file once.  Not beside data and next. */
bool gguf_writer_put(struct gguf_writer *w, size_t tensor, uint64_t at, const void *bytes, size_t n_bytes, struct err *err);
/* All of it is on the disk before it has its name. */
bool gguf_writer_sync(struct gguf_writer *w, struct err *err);
bool gguf_writer_end(struct gguf_writer *w, struct err *err);
/* Of the whole file: known when all keys and tensors are. */
uint64_t gguf_writer_file_bytes(const struct gguf_writer *w);
uint64_t gguf_writer_data_bytes(const struct gguf_writer *w); /* of all tensors, for progress */
#endif
