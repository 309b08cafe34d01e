/* gguf/gguf.c - opens model files and answers what is in them; start reading at gguf_open(). */
#include "gguf/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gguf/gguf_internal.h"

enum {
    NAMES_BYTES_MAX = 64 << 20, /* keys and tensor names of all parts */
    PARTS_MAX = 99999,          /* five digits in the file name */
    SHOWN_PATH_MAX = 110,       /* of a path in an error line, so that the reason fits behind it */
};

static bool fail_in(struct err *err, const char *path)
{
    const size_t n = strlen(path);
    if (n > SHOWN_PATH_MAX)
        return err_prefix(err, "...%s", path + n - SHOWN_PATH_MAX);
    return err_prefix(err, "%s", path);
}

static struct gguf *new_gguf(const char *path, struct err *err)
{
    struct gguf *g = calloc(1, sizeof(*g));
    if (!g)
        return err_null(err, ERR_NOMEM, "out of memory");
    g->names = arena_new(NAMES_BYTES_MAX, err);
    g->path = malloc(strlen(path) + 1);
    if (!g->names || !g->path) {
        gguf_close(g);
        return err_null(err, ERR_NOMEM, "out of memory");
    }
    strcpy(g->path, path);
    /* Unknown to who wrote the file, which is all that it is for. */
    g->kv.index.seed = g->tensor_index.seed = clock_ns() * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)g << 17;
    return g;
}

static struct gguf_part *add_part(struct gguf *g, struct err *err)
{
    if (!list_reserve((void **)&g->parts, g->n_parts, &g->cap_parts, sizeof(g->parts[0])))
        return err_null(err, ERR_NOMEM, "out of memory");
    g->parts[g->n_parts] = (struct gguf_part){ 0 };
    return &g->parts[g->n_parts++];
}

/* The number of parts that the first one claims: 1 when it is not split. */
static bool read_split(const struct gguf *g, int64_t *n_parts, struct err *err)
{
    const struct gguf_kv *count = gguf_find(g, "split.count"), *no = gguf_find(g, "split.no");
    int64_t number = 0;
    *n_parts = 1;
    if (count && (!kv_get_i64(count, n_parts) || *n_parts < 0 || *n_parts > PARTS_MAX))
        return err_set(err, ERR_INPUT, "key 'split.count' is no number from 0 to %d", PARTS_MAX);
    if (*n_parts <= 1) {
        *n_parts = 1;
        return true;
    }
    if (no && !kv_get_i64(no, &number))
        return err_set(err, ERR_INPUT, "key 'split.no' is no number");
    if (number != 0)
        return err_set(err, ERR_INPUT, "part %" PRId64 " of %" PRId64 " of a split model: name the first part, -00001-of-%05" PRId64 ".gguf",
                       number + 1, *n_parts, *n_parts);
    return true;
}

/* "DIR/NAME-00001-of-00003.gguf" and 1 give "DIR/NAME-00002-of-00003.gguf"; path is as long as that. */
static bool name_part(char *path, int64_t part, int64_t n_parts, struct err *err)
{
    char tail[64]; /* 21 used: both numbers have five digits */
    const size_t n = strlen(path);
    const int n_tail = snprintf(tail, sizeof(tail), "-00001-of-%05" PRId64 ".gguf", n_parts);
    if (n < (size_t)n_tail || strcmp(path + n - n_tail, tail) != 0)
        return err_set(err, ERR_INPUT, "the first of %" PRId64 " parts, but its name does not end in %s", n_parts, tail);
    snprintf(tail, sizeof(tail), "-%05" PRId64 "-of-%05" PRId64 ".gguf", part + 1, n_parts);
    memcpy(path + n - n_tail, tail, (size_t)n_tail);
    return true;
}

static bool open_part(struct gguf *g, const char *path, int64_t part, int64_t n_parts, struct err *err)
{
    struct kv_list kv = { .index.seed = g->kv.index.seed };
    struct gguf_part *p = add_part(g, err);
    int64_t number = -1, count = -1;
    if (!p)
        return fail_in(err, path);
    if (!file_map_open(&p->map, path, err)) {
        if (err->code == ERR_NOT_FOUND) /* file_map_open() named it */
            return err_prefix(err, "part %" PRId64 " of %" PRId64 " is missing", part + 1, n_parts);
        return false;
    }
    bool ok = read_part(g, (size_t)part, &kv, err);
    if (ok) {
        const struct gguf_kv *no = kv_list_find(&kv, "split.no"), *of = kv_list_find(&kv, "split.count");
        if (!no || !kv_get_i64(no, &number) || number != part || (of && (!kv_get_i64(of, &count) || count != n_parts)))
            ok = err_set(err, ERR_INPUT, "not part %" PRId64 " of %" PRId64 " by its keys split.no and split.count", part + 1, n_parts);
    }
    kv_list_fini(&kv);
    return ok || fail_in(err, path);
}

static bool open_sisters(struct gguf *g, struct err *err)
{
    int64_t n_parts, n_tensors;
    if (!read_split(g, &n_parts, err))
        return fail_in(err, g->path);
    if (n_parts > 1 && g->is_memory)
        return err_set(err, ERR_UNSUPPORTED, "%s: a split model, which is read from files only", g->path);
    char *path = malloc(strlen(g->path) + 1);
    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    bool ok = true;
    for (int64_t i = 1; ok && i < n_parts; i++) {
        strcpy(path, g->path);
        ok = name_part(path, i, n_parts, err) ? open_part(g, path, i, n_parts, err) : fail_in(err, g->path);
    }
    free(path);
    const struct gguf_kv *total = gguf_find(g, "split.tensors.count");
    if (ok && n_parts > 1 && total && (!kv_get_i64(total, &n_tensors) || n_tensors != (int64_t)g->n_tensors)) {
        err_set(err, ERR_INPUT, "the parts have %zu tensors, key 'split.tensors.count' says otherwise", g->n_tensors);
        ok = fail_in(err, g->path);
    }
    return ok;
}

struct gguf *gguf_open(const char *path, struct err *err)
{
    struct gguf *g = new_gguf(path, err);
    struct gguf_part *first = g ? add_part(g, err) : NULL;
    if (!first) {
        fail_in(err, path);
        goto fail;
    }
    if (!file_map_open(&first->map, path, err)) /* names the file itself */
        goto fail;
    if (!read_part(g, 0, &g->kv, err)) {
        fail_in(err, path);
        goto fail;
    }
    if (!open_sisters(g, err))
        goto fail;
    return g;
fail:
    gguf_close(g);
    return NULL;
}

struct gguf *gguf_open_memory(const void *bytes, size_t n_bytes, const char *name, struct err *err)
{
    struct gguf *g = new_gguf(name, err);
    struct gguf_part *only = g ? add_part(g, err) : NULL;
    if (only) {
        g->is_memory = true;
        only->map = (struct file_map){ bytes, n_bytes };
        if (read_part(g, 0, &g->kv, err)) {
            if (open_sisters(g, err))
                return g;
            goto fail;
        }
    }
    fail_in(err, name);
fail:
    gguf_close(g);
    return NULL;
}

void gguf_close(struct gguf *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_parts && !g->is_memory; i++)
        file_map_close(&g->parts[i].map);
    free(g->parts);
    kv_list_fini(&g->kv);
    index_fini(&g->tensor_index);
    free(g->tensors);
    arena_free(g->names);
    free(g->path);
    free(g);
}

uint32_t gguf_version(const struct gguf *g) { return g->version; }
int gguf_n_parts(const struct gguf *g) { return (int)g->n_parts; }
const char *gguf_path(const struct gguf *g) { return g->path; }
size_t gguf_n_kv(const struct gguf *g) { return g->kv.n; }
const struct gguf_kv *gguf_kv_at(const struct gguf *g, size_t i) { return &g->kv.at[i]; }
size_t gguf_n_tensors(const struct gguf *g) { return g->n_tensors; }
const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i) { return &g->tensors[i]; }
const struct gguf_kv *gguf_find(const struct gguf *g, const char *key) { return kv_list_find(&g->kv, key); }

uint64_t gguf_file_bytes(const struct gguf *g)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < g->n_parts; i++)
        sum += g->parts[i].map.size;
    return sum;
}

void gguf_forget(const struct gguf *g, const struct gguf_tensor *t, size_t from, size_t n_bytes)
{
    if (!g->is_memory && from <= t->n_bytes && n_bytes <= t->n_bytes - from)
        file_map_forget(&g->parts[t->part].map, t->data + from, n_bytes);
}

const char *gguf_type_name(enum gguf_type t)
{
    static const char *const names[GGUF_TYPE_COUNT] = { /* ORDER GGUF_TYPE */
        "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64",
    };
    return (unsigned)t < GGUF_TYPE_COUNT ? names[t] : "?";
}
