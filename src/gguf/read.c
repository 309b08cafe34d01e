/* gguf/read.c - reads one file: header, keys, tensors; start at read_part().
 *
 * For:     gguf.c.
 * Touches: the pages that hold the metadata, never those of the weights.
 * Rule:    all bytes come through take(), the one place that checks bounds; nothing is allocated for
 *          a count before its items were seen; work and memory are bounded by the limits below, however
 *          large a (perhaps sparse) file is.
 *
 * The format: github.com/ggml-org/ggml/blob/master/docs/gguf.md.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/utf8.h"
#include "gguf/gguf_internal.h"

enum {
    KEYS_MAX = 1 << 16,            /* real files have 20 to 60 */
    KEY_BYTES_MAX = 65535,         /* the specification's limit */
    TENSORS_MAX = 1 << 18,         /* unmerged experts of the largest models: 50000 */
    TENSOR_NAME_MAX = 64,          /* the specification's limit; llama.cpp stops at 63 */
    ARRAY_DEPTH_MAX = 4,           /* arrays of arrays: allowed by the specification, used by nobody we know */
    META_BYTES_MAX = 64 << 20,     /* keys and tensor list; a vocabulary of 262144 tokens takes 15 MB */
    ALIGNMENT_DEFAULT = 32,
    ALIGNMENT_MAX = 1 << 20,
    /* the least that an item takes in the file */
    KEY_BYTES_MIN = 8 + 1 + 4 + 1,
    TENSOR_BYTES_MIN = 8 + 1 + 4 + 8 + 4 + 8,
};

/* ORDER GGUF_TYPE; 0: no fixed size */
static const uint8_t type_bytes[GGUF_TYPE_COUNT] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

struct cursor {
    const uint8_t *data;
    uint64_t size, pos; /* pos <= size */
    struct err *err;
};

/* The next n bytes, or NULL with err set: the only way to the file's content. */
static const uint8_t *take(struct cursor *c, uint64_t n, const char *what)
{
    if (n > c->size - c->pos)
        return err_null(c->err, ERR_INPUT, "byte %" PRIu64 ": %s of %" PRIu64 " bytes passes the end of the file at %" PRIu64,
                        c->pos, what, n, c->size);
    const uint8_t *p = c->data + c->pos;
    c->pos += n;
    if (c->pos > META_BYTES_MAX)
        return err_null(c->err, ERR_LIMIT, "byte %" PRIu64 ": more than %d MiB of metadata", c->pos, META_BYTES_MAX >> 20);
    return p;
}

static bool take_u32(struct cursor *c, uint32_t *out, const char *what)
{
    const uint8_t *p = take(c, 4, what);
    if (p)
        *out = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return p != NULL;
}

static bool take_u64(struct cursor *c, uint64_t *out, const char *what)
{
    uint32_t low, high;
    if (!take_u32(c, &low, what) || !take_u32(c, &high, what))
        return false;
    *out = low | (uint64_t)high << 32;
    return true;
}

bool list_reserve(void **items, size_t n, size_t *cap, size_t item_bytes)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 32, bytes;
    void *p = checked_mul_size(more, item_bytes, &bytes) ? realloc(*items, bytes) : NULL;
    if (!p)
        return false;
    *items = p;
    *cap = more;
    return true;
}

/* Names go to terminals and into error lines: what moves a cursor or ends a line has no place in them. */
static bool is_printable(const char *s, size_t n)
{
    uint32_t cp;
    for (size_t i = 0, len; i < n; i += len) {
        len = utf8_decode(s + i, n - i, &cp);
        if (len == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
            return false;
    }
    return true;
}

/* A key or a tensor's name, copied with a '\0' behind it. */
static const char *take_name(struct cursor *c, struct arena *names, const char *what, size_t number, uint64_t max)
{
    const uint64_t at = c->pos;
    uint64_t n;
    if (!take_u64(c, &n, what))
        return NULL;
    if (n == 0 || n > max)
        return err_null(c->err, ERR_INPUT, "byte %" PRIu64 ": %s %zu has %" PRIu64 " bytes, 1 to %" PRIu64 " are valid",
                        at, what, number, n, max);
    const char *s = (const char *)take(c, n, what);
    if (!s)
        return NULL;
    if (!is_printable(s, (size_t)n))
        return err_null(c->err, ERR_INPUT, "byte %" PRIu64 ": %s %zu is not printable UTF-8", at, what, number);
    return arena_strndup(names, s, (size_t)n, c->err);
}

/* Walks n elements of a type and checks them. */
static bool skip_values(struct cursor *c, enum gguf_type type, uint64_t n, int depth)
{
    const uint64_t at = c->pos, left = c->size - c->pos;
    if (type_bytes[type]) {
        uint64_t bytes;
        if (!checked_mul_u64(n, type_bytes[type], &bytes) || bytes > left)
            return err_set(c->err, ERR_INPUT, "byte %" PRIu64 ": %" PRIu64 " values of type %s pass the end of the file at %" PRIu64,
                           at, n, gguf_type_name(type), c->size);
        const uint8_t *p = take(c, bytes, "value");
        for (uint64_t i = 0; p && type == GGUF_BOOL && i < n; i++)
            if (p[i] > 1)
                return err_set(c->err, ERR_INPUT, "byte %" PRIu64 ": %d is no truth value", at + i, p[i]);
        return p != NULL;
    }
    /* Each string has a length of 8 bytes, each array a type and a count. */
    if (n > left / (type == GGUF_STRING ? 8 : 12))
        return err_set(c->err, ERR_INPUT, "byte %" PRIu64 ": %" PRIu64 " values of type %s pass the end of the file at %" PRIu64,
                       at, n, gguf_type_name(type), c->size);
    if (type == GGUF_ARRAY && depth >= ARRAY_DEPTH_MAX)
        return err_set(c->err, ERR_UNSUPPORTED, "byte %" PRIu64 ": arrays nested deeper than %d", at, ARRAY_DEPTH_MAX);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t len;
        uint32_t elem;
        if (type == GGUF_STRING) {
            if (!take_u64(c, &len, "string") || !take(c, len, "string"))
                return false;
            continue;
        }
        if (!take_u32(c, &elem, "array") || !take_u64(c, &len, "array"))
            return false;
        if (elem >= GGUF_TYPE_COUNT)
            return err_set(c->err, ERR_INPUT, "byte %" PRIu64 ": value type %" PRIu32 " does not exist", c->pos - 12, elem);
        if (!skip_values(c, (enum gguf_type)elem, len, depth + 1))
            return false;
    }
    return true;
}

static const char *key_name_at(const void *list, size_t i) { return ((const struct kv_list *)list)->at[i].key; }
static const char *tensor_name_at(const void *list, size_t i) { return ((const struct gguf *)list)->tensors[i].name; }

const struct gguf_kv *kv_list_find(const struct kv_list *kv, const char *key)
{
    const long i = index_find(&kv->index, key, key_name_at, kv);
    return i < 0 ? NULL : &kv->at[i];
}

void kv_list_fini(struct kv_list *kv)
{
    free(kv->at);
    index_fini(&kv->index);
    *kv = (struct kv_list){ 0 };
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name)
{
    const long i = index_find(&g->tensor_index, name, tensor_name_at, g);
    return i < 0 ? NULL : &g->tensors[i];
}

static bool read_value(struct cursor *c, struct gguf_kv *kv)
{
    uint32_t type, elem;
    kv->n = 1;
    if (!take_u32(c, &type, "value type"))
        return false;
    elem = type;
    if (type == GGUF_ARRAY && (!take_u32(c, &elem, "element type") || !take_u64(c, &kv->n, "array length")))
        return false;
    if (type >= GGUF_TYPE_COUNT || elem >= GGUF_TYPE_COUNT)
        return err_set(c->err, ERR_INPUT, "byte %" PRIu64 ": value type %" PRIu32 " does not exist",
                       c->pos - (type == GGUF_ARRAY ? 12 : 4), type == GGUF_ARRAY ? elem : type);
    kv->type = (enum gguf_type)type;
    kv->elem_type = (enum gguf_type)elem;
    kv->data = c->data + c->pos;
    const uint64_t start = c->pos;
    if (!skip_values(c, kv->elem_type, kv->n, 1))
        return false;
    kv->n_bytes = (size_t)(c->pos - start);
    return true;
}

static bool read_keys(struct cursor *c, struct arena *names, uint64_t n_keys, struct kv_list *list)
{
    for (size_t i = 0; i < n_keys; i++) {
        const uint64_t at = c->pos;
        const char *key = take_name(c, names, "key", i, KEY_BYTES_MAX);
        if (!key)
            return false;
        if (kv_list_find(list, key))
            return err_set(c->err, ERR_INPUT, "byte %" PRIu64 ": key '%.80s' appears twice", at, key);
        if (!list_reserve((void **)&list->at, i, &list->cap, sizeof(list->at[0])))
            return err_set(c->err, ERR_NOMEM, "out of memory for %zu keys", i + 1);
        struct gguf_kv *kv = &list->at[i];
        *kv = (struct gguf_kv){ .key = key };
        if (!read_value(c, kv))
            return err_prefix(c->err, "key '%.80s'", key);
        list->n = i + 1;
        if (!index_add(&list->index, key, i))
            return err_set(c->err, ERR_NOMEM, "out of memory for %zu keys", i + 1);
    }
    return true;
}

/* Sizes of one tensor; its data's place is checked later, when the data section's start is known. */
static bool read_tensor(struct cursor *c, struct gguf_tensor *t, uint64_t *offset)
{
    uint32_t n_dims, type;
    uint64_t n_values = 1, n_rows = 1, n_bytes;
    const uint64_t at = c->pos;
    if (!take_u32(c, &n_dims, "tensor"))
        return false;
    if (n_dims < 1 || n_dims > 4)
        return err_set(c->err, ERR_INPUT, "byte %" PRIu64 ": %" PRIu32 " dimensions, 1 to 4 are valid", at, n_dims);
    t->n_dims = (int)n_dims;
    for (int d = 0; d < 4; d++) {
        t->ne[d] = 1;
        if (d < t->n_dims && !take_u64(c, &t->ne[d], "tensor"))
            return false;
        if (t->ne[d] == 0)
            return err_set(c->err, ERR_INPUT, "byte %" PRIu64 ": dimension %d is 0", at, d);
        /* INT64_MAX: callers may count values in signed numbers. */
        if (!checked_mul_u64(n_values, t->ne[d], &n_values) || n_values > INT64_MAX)
            return err_set(c->err, ERR_INPUT, "byte %" PRIu64 ": the product of its dimensions overflows", at);
        n_rows *= d > 0 ? t->ne[d] : 1; /* <= n_values */
    }
    if (!take_u32(c, &type, "tensor") || !take_u64(c, offset, "tensor"))
        return false;
    const struct dtype_info *info = dtype_info(type);
    if (!info || !info->name)
        return err_set(c->err, ERR_UNSUPPORTED, "byte %" PRIu64 ": tensor type %" PRIu32 " is unknown", c->pos - 12, type);
    t->type = (enum dtype)type;
    if (t->ne[0] % (uint64_t)info->block_len != 0)
        return err_set(c->err, ERR_INPUT, "rows of %" PRIu64 " values are no multiple of the %d in a block of %s", t->ne[0],
                       info->block_len, info->name);
    const uint64_t row_bytes = dtype_row_bytes(t->type, t->ne[0]);
    if (row_bytes == 0 || !checked_mul_u64(row_bytes, n_rows, &n_bytes) || n_bytes > SIZE_MAX)
        return err_set(c->err, ERR_INPUT, "its size in bytes overflows");
    t->n_bytes = (size_t)n_bytes;
    return true;
}

static bool read_alignment(const struct kv_list *list, uint64_t *alignment, struct err *err)
{
    int64_t v = ALIGNMENT_DEFAULT;
    const struct gguf_kv *kv = kv_list_find(list, "general.alignment");
    if (kv && (kv->type != GGUF_U32 || !kv_get_i64(kv, &v)))
        return err_set(err, ERR_INPUT, "key 'general.alignment' is of type %s, u32 is valid", gguf_type_name(kv->type));
    if (v < 8 || v > ALIGNMENT_MAX || (v & (v - 1)) != 0)
        return err_set(err, ERR_INPUT, "key 'general.alignment' is %" PRId64 ", a power of two from 8 to %d is valid", v, ALIGNMENT_MAX);
    *alignment = (uint64_t)v;
    return true;
}

/* tensor->data holds the offset's number until here; now it becomes the place in the mapping. */
static bool place_tensor(const struct cursor *c, struct gguf_tensor *t, uint64_t offset, uint64_t data_start, uint64_t alignment)
{
    uint64_t start, end;
    if (offset % alignment != 0)
        return err_set(c->err, ERR_INPUT, "tensor '%s' starts at offset %" PRIu64 ", no multiple of the alignment %" PRIu64, t->name,
                       offset, alignment);
    if (!checked_add_u64(data_start, offset, &start) || !checked_add_u64(start, t->n_bytes, &end))
        return err_set(c->err, ERR_INPUT, "tensor '%s' starts at offset %" PRIu64 ", which overflows", t->name, offset);
    if (end > c->size)
        return err_set(c->err, ERR_INPUT, "tensor '%s' ends at byte %" PRIu64 " of %" PRIu64, t->name, end, c->size);
    t->data = c->data + start;
    return true;
}

static bool read_tensors(struct cursor *c, struct gguf *g, size_t part, uint64_t n_tensors, uint64_t alignment)
{
    const size_t first = g->n_tensors;
    uint64_t *offsets = NULL, total = 0;
    size_t cap_offsets = 0;
    bool ok = false;
    for (size_t i = 0; i < n_tensors; i++) {
        const uint64_t at = c->pos;
        const char *name = take_name(c, g->names, "tensor", i, TENSOR_NAME_MAX);
        if (!name)
            goto out;
        if (gguf_find_tensor(g, name)) {
            err_set(c->err, ERR_INPUT, "byte %" PRIu64 ": tensor '%s' appears twice", at, name);
            goto out;
        }
        if (!list_reserve((void **)&g->tensors, first + i, &g->cap_tensors, sizeof(g->tensors[0])) ||
            !list_reserve((void **)&offsets, i, &cap_offsets, sizeof(offsets[0])))
            goto out_of_memory;
        struct gguf_tensor *t = &g->tensors[first + i];
        *t = (struct gguf_tensor){ .name = name, .part = (int)part };
        if (!read_tensor(c, t, &offsets[i])) {
            err_prefix(c->err, "tensor '%s'", name);
            goto out;
        }
        g->n_tensors = first + i + 1;
        if (!index_add(&g->tensor_index, name, first + i))
            goto out_of_memory;
    }
    const uint64_t data_start = (c->pos + alignment - 1) / alignment * alignment; /* pos <= META_BYTES_MAX */
    for (size_t i = 0; i < n_tensors; i++) {
        struct gguf_tensor *t = &g->tensors[first + i];
        if (!place_tensor(c, t, offsets[i], data_start, alignment))
            goto out;
        total += t->n_bytes; /* TENSORS_MAX times what the file holds: far below 2^64 */
    }
    /* Overlapping tensors would let a small file ask for much memory where weights are repacked. */
    if (n_tensors > 0 && total > c->size - data_start) {
        err_set(c->err, ERR_INPUT, "its %" PRIu64 " tensors overlap: %" PRIu64 " bytes in a data section of %" PRIu64, n_tensors, total,
                c->size - data_start);
        goto out;
    }
    ok = true;
    goto out;
out_of_memory:
    err_set(c->err, ERR_NOMEM, "out of memory for its %" PRIu64 " tensors", n_tensors);
out:
    free(offsets);
    return ok;
}

static bool read_header(struct cursor *c, uint32_t *version, uint64_t *n_tensors, uint64_t *n_keys)
{
    static const char lfs[] = "version https://git-lfs";
    if (c->size == 0)
        return err_set(c->err, ERR_INPUT, "the file is empty");
    if (c->size >= sizeof(lfs) - 1 && memcmp(c->data, lfs, sizeof(lfs) - 1) == 0)
        return err_set(c->err, ERR_INPUT, "a Git LFS pointer instead of the model: fetch it with `git lfs pull`");
    if (c->size < 4 || memcmp(c->data, "GGUF", 4) != 0)
        return err_set(c->err, ERR_INPUT, "not a GGUF file: it does not start with 'GGUF'");
    c->pos = 4;
    if (!take_u32(c, version, "header"))
        return false;
    if (*version == 0x02000000 || *version == 0x03000000)
        return err_set(c->err, ERR_UNSUPPORTED, "a big-endian GGUF file; only little-endian ones can be read");
    if (*version != 2 && *version != 3)
        return err_set(c->err, ERR_UNSUPPORTED, "GGUF version %" PRIu32 "; versions 2 and 3 can be read", *version);
    if (!take_u64(c, n_tensors, "header") || !take_u64(c, n_keys, "header"))
        return false;
    const uint64_t left = c->size - c->pos;
    if (*n_keys > left / KEY_BYTES_MIN)
        return err_set(c->err, ERR_INPUT, "byte 16: %" PRIu64 " keys do not fit into %" PRIu64 " bytes", *n_keys, c->size);
    if (*n_tensors > left / TENSOR_BYTES_MIN)
        return err_set(c->err, ERR_INPUT, "byte 8: %" PRIu64 " tensors do not fit into %" PRIu64 " bytes", *n_tensors, c->size);
    if (*n_keys > KEYS_MAX)
        return err_set(c->err, ERR_LIMIT, "byte 16: %" PRIu64 " keys, at most %d are accepted", *n_keys, KEYS_MAX);
    if (*n_tensors > TENSORS_MAX)
        return err_set(c->err, ERR_LIMIT, "byte 8: %" PRIu64 " tensors, at most %d are accepted", *n_tensors, TENSORS_MAX);
    return true;
}

bool read_part(struct gguf *g, size_t part, struct kv_list *kv, struct err *err)
{
    struct cursor c = { g->parts[part].map.data, g->parts[part].map.size, 0, err };
    uint64_t n_tensors = 0, n_keys = 0, alignment = ALIGNMENT_DEFAULT;
    uint32_t version = 0;
    if (!read_header(&c, &version, &n_tensors, &n_keys) || !read_keys(&c, g->names, n_keys, kv) ||
        !read_alignment(kv, &alignment, err) || !read_tensors(&c, g, part, n_tensors, alignment))
        return false;
    if (part == 0)
        g->version = version;
    return true;
}
