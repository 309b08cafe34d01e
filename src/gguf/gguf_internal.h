/* gguf/gguf_internal.h - what the files of this room share: the opened model, its name index, its reader.
 *
 * For:     gguf.c (open, ask), read.c (one file's header, keys, tensors), index.c (names).
 */
#ifndef TUTTI_GGUF_GGUF_INTERNAL_H
#define TUTTI_GGUF_GGUF_INTERNAL_H
#include "base/arena.h"
#include "base/file.h"
#include "gguf/gguf.h"

/* Names to numbers, open addressing.  The names belong to whoever numbers them. */
struct name_index {
    struct name_slot {
        uint32_t hash, number; /* number is 1 + the caller's; 0: empty */
    } *slots;
    size_t n, cap; /* n <= cap / 2; cap is a power of two or 0 */
    uint64_t seed; /* set before the first name; keeps a hostile file from choosing what collides */
};
typedef const char *name_at_fn(const void *list, size_t number);

/* The number of `name`, or -1. */
long index_find(const struct name_index *x, const char *name, name_at_fn *at, const void *list);
/* Adds a name that is not there yet; false when memory is out or numbers pass 2^32. */
bool index_add(struct name_index *x, const char *name, size_t number);
void index_fini(struct name_index *x);

struct kv_list {
    struct gguf_kv *at; /* owned */
    size_t n, cap;
    struct name_index index;
};

struct gguf_part {
    struct file_map map; /* of gguf_open_memory(): borrowed, see gguf.is_memory */
};

struct gguf {
    char *path; /* owned */
    bool is_memory;
    uint32_t version;
    struct arena *names;
    struct gguf_part *parts; /* owned */
    size_t n_parts, cap_parts;
    struct kv_list kv; /* of the first part */
    struct gguf_tensor *tensors; /* owned */
    size_t n_tensors, cap_tensors;
    struct name_index tensor_index;
};

/* Reads keys (into kv) and tensors (behind those in g) of part number `part`, whose bytes are mapped.
 * false with err, which does not name the file yet. */
bool read_part(struct gguf *g, size_t part, struct kv_list *kv, struct err *err);
void kv_list_fini(struct kv_list *kv);
const struct gguf_kv *kv_list_find(const struct kv_list *kv, const char *key);
/* An integer of any width that fits. */
bool kv_get_i64(const struct gguf_kv *kv, int64_t *out);
/* Room for one more item; *items may move.  false when memory is out. */
bool list_reserve(void **items, size_t n, size_t *cap, size_t item_bytes);
#endif
