/* gguf/write.c - see write.h. */
#include "gguf/write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/checked.h"

enum { ALIGNMENT = 32, META_BYTES_MAX = 256 << 20, NAME_MAX_BYTES = 63, HEAD_BYTES = 24 };

struct gguf_writer {
    struct buf keys, tensors, sizes; /* sizes: start in the data and length, two uint64_t for each tensor */
    uint64_t n_keys, n_tensors, data_bytes;
    atomic_ullong put_bytes; /* what gguf_writer_put() has written */
    struct err first; /* the error that sticks */
    FILE *file;
    char *path, *tmp; /* owned */
    uint64_t now, left; /* the tensor at hand and what it still lacks */
};

static void put_le(struct buf *b, uint64_t v, int n_bytes)
{
    uint8_t p[8];
    for (int i = 0; i < n_bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
    buf_append(b, p, (size_t)n_bytes);
}

static void put_str(struct buf *b, const char *s, size_t n)
{
    put_le(b, n, 8);
    buf_append(b, s, n);
}

static void put_f32(struct buf *b, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    put_le(b, bits, 4);
}

struct gguf_writer *gguf_writer_new(struct err *err)
{
    struct gguf_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return err_null(err, ERR_NOMEM, "gguf writer: out of memory");
    buf_init(&w->keys, META_BYTES_MAX);
    buf_init(&w->tensors, META_BYTES_MAX);
    buf_init(&w->sizes, META_BYTES_MAX);
    return w;
}

void gguf_writer_free(struct gguf_writer *w)
{
    if (!w)
        return;
    if (w->file) {
        fclose(w->file);
        unlink(w->tmp);
    }
    buf_fini(&w->keys);
    buf_fini(&w->tensors);
    buf_fini(&w->sizes);
    free(w->path);
    free(w->tmp);
    free(w);
}

static void put_key(struct gguf_writer *w, const char *key, enum gguf_type type)
{
    put_str(&w->keys, key, strlen(key));
    put_le(&w->keys, type, 4);
    w->n_keys++;
}

static void put_array(struct gguf_writer *w, const char *key, enum gguf_type elem, size_t n)
{
    put_key(w, key, GGUF_ARRAY);
    put_le(&w->keys, elem, 4);
    put_le(&w->keys, n, 8);
}

void gguf_write_u32(struct gguf_writer *w, const char *key, uint32_t v)
{
    put_key(w, key, GGUF_U32);
    put_le(&w->keys, v, 4);
}

void gguf_write_f32(struct gguf_writer *w, const char *key, float v)
{
    put_key(w, key, GGUF_F32);
    put_f32(&w->keys, v);
}

void gguf_write_bool(struct gguf_writer *w, const char *key, bool v)
{
    put_key(w, key, GGUF_BOOL);
    put_le(&w->keys, v, 1);
}

void gguf_write_str(struct gguf_writer *w, const char *key, const char *v)
{
    put_key(w, key, GGUF_STRING);
    put_str(&w->keys, v, strlen(v));
}

void gguf_write_i32s(struct gguf_writer *w, const char *key, const int32_t *v, size_t n)
{
    put_array(w, key, GGUF_I32, n);
    for (size_t i = 0; i < n; i++)
        put_le(&w->keys, (uint32_t)v[i], 4);
}

void gguf_write_f32s(struct gguf_writer *w, const char *key, const float *v, size_t n)
{
    put_array(w, key, GGUF_F32, n);
    for (size_t i = 0; i < n; i++)
        put_f32(&w->keys, v[i]);
}

void gguf_write_strs(struct gguf_writer *w, const char *key, const struct gguf_str *v, size_t n)
{
    put_array(w, key, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        put_str(&w->keys, v[i].data, v[i].len);
}

void gguf_write_kv(struct gguf_writer *w, const struct gguf_kv *kv)
{
    if (kv->type == GGUF_ARRAY)
        put_array(w, kv->key, kv->elem_type, kv->n);
    else
        put_key(w, kv->key, kv->type);
    buf_append(&w->keys, kv->data, kv->n_bytes);
}

void gguf_write_tensor(struct gguf_writer *w, const char *name, enum dtype type, int n_dims, const uint64_t *ne)
{
    uint64_t n_bytes = dtype_row_bytes(type, ne[0]);
    for (int d = 1; d < n_dims; d++)
        if (!checked_mul_u64(n_bytes, ne[d], &n_bytes) || n_bytes > INT64_MAX - ALIGNMENT)
            n_bytes = 0;
    if (w->first.code == ERR_NONE && (n_bytes == 0 || n_bytes > INT64_MAX - HEAD_BYTES - 3 * (uint64_t)META_BYTES_MAX - w->data_bytes || n_dims < 1 || n_dims > 4 || strlen(name) > NAME_MAX_BYTES))
        err_set(&w->first, ERR_INPUT, "tensor '%s': a shape or name that no file can hold", name);
    put_str(&w->tensors, name, strlen(name));
    put_le(&w->tensors, (uint64_t)n_dims, 4);
    for (int d = 0; d < n_dims; d++)
        put_le(&w->tensors, ne[d], 8);
    put_le(&w->tensors, type, 4);
    put_le(&w->tensors, w->data_bytes, 8);
    buf_append(&w->sizes, &w->data_bytes, sizeof(w->data_bytes));
    buf_append(&w->sizes, &n_bytes, sizeof(n_bytes));
    w->data_bytes += (n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    w->n_tensors++;
}

uint64_t gguf_writer_data_bytes(const struct gguf_writer *w) { return w->data_bytes; }

static uint64_t data_start(const struct gguf_writer *w)
{
    return (HEAD_BYTES + w->keys.len + w->tensors.len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}
uint64_t gguf_writer_file_bytes(const struct gguf_writer *w) { return data_start(w) + w->data_bytes; }

static void put_file(struct gguf_writer *w, const void *bytes, size_t n)
{
    if (w->first.code == ERR_NONE && n > 0 && fwrite(bytes, 1, n, w->file) != n)
        err_set(&w->first, ERR_IO, "%s: %s", w->tmp, strerror(errno));
}

static void pad_file(struct gguf_writer *w, uint64_t n_bytes_before)
{
    static const uint8_t zeros[ALIGNMENT];
    put_file(w, zeros, (size_t)(ALIGNMENT - n_bytes_before % ALIGNMENT) % ALIGNMENT);
}

/* Where a tensor begins in the data, and its length; zeros behind the last one. */
static void place_of(const struct gguf_writer *w, uint64_t tensor, uint64_t place[2])
{
    place[0] = place[1] = 0;
    if (tensor < w->n_tensors)
        memcpy(place, w->sizes.data + tensor * 2 * sizeof(uint64_t), 2 * sizeof(uint64_t));
}
static uint64_t size_of(const struct gguf_writer *w, uint64_t tensor)
{
    uint64_t place[2];
    place_of(w, tensor, place);
    return place[1];
}

static bool report(const struct gguf_writer *w, struct err *err)
{
    if (w->first.code != ERR_NONE)
        *err = w->first;
    return w->first.code == ERR_NONE;
}

bool gguf_writer_begin(struct gguf_writer *w, const char *path, struct err *err)
{
    struct buf head;
    const size_t n = strlen(path);
    if (!report(w, err) || !buf_ok(&w->keys, path, err) || !buf_ok(&w->tensors, path, err) || !buf_ok(&w->sizes, path, err))
        return false;
    w->path = malloc(n + 1);
    w->tmp = malloc(n + sizeof(".tmp"));
    if (!w->path || !w->tmp)
        return err_set(err, ERR_NOMEM, "%s: out of memory", path);
    memcpy(w->path, path, n + 1);
    memcpy(w->tmp, path, n);
    memcpy(w->tmp + n, ".tmp", sizeof(".tmp"));
    w->file = fopen(w->tmp, "wb");
    if (!w->file)
        return err_set(err, ERR_IO, "%s: %s", w->tmp, strerror(errno));
    buf_init(&head, HEAD_BYTES);
    buf_append(&head, "GGUF", 4);
    put_le(&head, 3, 4);
    put_le(&head, w->n_tensors, 8);
    put_le(&head, w->n_keys, 8);
    if (!buf_ok(&head, path, &w->first)) {
        buf_fini(&head);
        return report(w, err);
    }
    put_file(w, head.data, head.len);
    put_file(w, w->keys.data, w->keys.len);
    put_file(w, w->tensors.data, w->tensors.len);
    pad_file(w, head.len + w->keys.len + w->tensors.len);
    buf_fini(&head);
    w->left = size_of(w, 0);
    if (w->first.code == ERR_NONE && fflush(w->file) != 0) /* pieces may follow by place */
        err_set(&w->first, ERR_IO, "%s: %s", w->tmp, strerror(errno));
    return report(w, err);
}

void gguf_writer_data(struct gguf_writer *w, const void *bytes, size_t n_bytes)
{
    if (n_bytes > w->left && w->first.code == ERR_NONE)
        err_set(&w->first, ERR_INTERNAL, "%s: tensor %" PRIu64 " was given too many bytes", w->path, w->now);
    put_file(w, bytes, n_bytes);
    w->left -= n_bytes <= w->left ? n_bytes : w->left;
}

bool gguf_writer_next(struct gguf_writer *w, struct err *err)
{
    if (w->left > 0 && w->first.code == ERR_NONE)
        err_set(&w->first, ERR_INTERNAL, "%s: tensor %" PRIu64 " lacks %" PRIu64 " bytes", w->path, w->now, w->left);
    pad_file(w, size_of(w, w->now));
    w->left = size_of(w, ++w->now);
    return report(w, err);
}

bool gguf_writer_put(struct gguf_writer *w, size_t tensor, uint64_t at, const void *bytes, size_t n_bytes, struct err *err)
{
    const char *from = bytes;
    uint64_t place[2];
    place_of(w, tensor, place);
    if (at > place[1] || n_bytes > place[1] - at)
        return err_set(err, ERR_INTERNAL, "%s: tensor %zu was given too many bytes", w->path, tensor);
    uint64_t to = data_start(w) + place[0] + at;
    for (size_t left = n_bytes; left > 0;) {
        const ssize_t n = pwrite(fileno(w->file), from, left, (off_t)to); /* in range: gguf_write_tensor() added it up */
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(err, ERR_IO, "%s: %s", w->tmp, n < 0 ? strerror(errno) : "nothing more can be written");
        from += n, to += (uint64_t)n, left -= (size_t)n;
    }
    atomic_fetch_add(&w->put_bytes, n_bytes);
    return true;
}

bool gguf_writer_sync(struct gguf_writer *w, struct err *err)
{
    if (report(w, err) && fflush(w->file) == 0 && fsync(fileno(w->file)) == 0)
        return true;
    return report(w, err) && err_set(err, ERR_IO, "%s: %s", w->tmp, strerror(errno));
}

/* Pieces by place: all are there; the padding behind the last one is not yet. */
static void end_pieces(struct gguf_writer *w)
{
    uint64_t n_bytes = 0;
    for (uint64_t i = 0; i < w->n_tensors; i++)
        n_bytes += size_of(w, i);
    if (atomic_load(&w->put_bytes) != n_bytes)
        err_set(&w->first, ERR_INTERNAL, "%s: %llu of %" PRIu64 " bytes written", w->path, (unsigned long long)atomic_load(&w->put_bytes), n_bytes);
    else if (ftruncate(fileno(w->file), (off_t)gguf_writer_file_bytes(w)) != 0)
        err_set(&w->first, ERR_IO, "%s: %s", w->tmp, strerror(errno));
    w->now = w->n_tensors;
}

bool gguf_writer_end(struct gguf_writer *w, struct err *err)
{
    if (w->first.code == ERR_NONE && atomic_load(&w->put_bytes) > 0)
        end_pieces(w);
    if (w->now != w->n_tensors && w->first.code == ERR_NONE)
        err_set(&w->first, ERR_INTERNAL, "%s: %" PRIu64 " of %" PRIu64 " tensors written", w->path, w->now, w->n_tensors);
    if (!report(w, err))
        return false;
    const int rc = fclose(w->file); /* a full disk may show here first */
    w->file = NULL;
    if (rc != 0 || rename(w->tmp, w->path) != 0) {
        err_set(err, ERR_IO, "%s: %s", w->path, strerror(errno));
        unlink(w->tmp);
        return false;
    }
    return true;
}
