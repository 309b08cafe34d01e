/* task/safetensors.h - tables of numbers in safetensors files, read in place.
 *
 * For:     embed_static.c.
 * Touches: the file, mapped.  Thread: any; constant once open.
 * Rule:    the file is not trusted: its head's length, every shape and every offset is checked against its size before a
 *          pointer is made.  See https://github.com/huggingface/safetensors (Format): 8 bytes length, JSON, data.
 */
#ifndef TUTTI_TASK_SAFETENSORS_H
#define TUTTI_TASK_SAFETENSORS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "base/tensor.h"

enum { SAFETENSORS_MAX = 4096, SAFETENSORS_HEAD_MAX = 16 << 20 };

struct safetensors {
    struct file_map map; /* of safetensors_open() */
    struct tensor *tensors; /* [n_tensors] owned, by name; data points into the file (which may be unaligned: see at()) */
    int n_tensors;
    char *names; /* owned */
};

/* false with err; a failed one needs no close. */
bool safetensors_open(struct safetensors *s, const char *path, struct err *err);
/* The same over bytes that live as long as s. */
bool safetensors_parse(struct safetensors *s, const uint8_t *data, size_t n_bytes, struct err *err);
void safetensors_close(struct safetensors *s); /* a zeroed one is fine */
const struct tensor *safetensors_find(const struct safetensors *s, const char *name); /* NULL: none */
/* Elements from..from + n of a F32, F16 or BF16 tensor as floats; the caller has checked the range and the type. */
void safetensors_row(const struct tensor *t, size_t from, size_t n, float *out);
#endif
