/* onnx/check.c - a walk through an ONNX file before ONNX Runtime sees it; start reading at onnx_check().
 *
 * The file is protobuf: a message is a row of (field number, wire type, value).  Only messages that can hold a tensor are
 * entered; field numbers are those of onnx.proto3 (github.com/onnx/onnx), names in comments.  Depth and every length are
 * checked, nothing is allocated.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "onnx/onnx_internal.h"

enum { DEPTH_MAX = 64 }; /* graphs inside graphs (If, Loop), functions */

struct walk {
    const uint8_t *start; /* for offsets in messages */
    bool has_external;
};

struct field {
    uint32_t number;
    int wire;            /* 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
    uint64_t value;      /* wire 0 */
    const uint8_t *data; /* wire 2 */
    size_t n;
};

struct cursor {
    const uint8_t *at, *end;
};

static bool take_varint(struct cursor *c, uint64_t *out)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && c->at < c->end; shift += 7) {
        const uint8_t b = *c->at++;
        v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128)) {
            *out = v;
            return true;
        }
    }
    return false;
}

/* The next field; false at the end (c->at == c->end) or where the bytes are no protobuf (err set). */
static bool take_field(struct walk *w, struct cursor *c, struct field *f, struct err *err)
{
    const uint8_t *from = c->at;
    uint64_t key, n;
    if (c->at == c->end)
        return false;
    if (!take_varint(c, &key) || key >> 3 == 0 || key >> 3 > 536870911)
        goto bad;
    *f = (struct field){ .number = (uint32_t)(key >> 3), .wire = (int)(key & 7) };
    switch (f->wire) {
    case 0:
        if (!take_varint(c, &f->value))
            goto bad;
        return true;
    case 1:
    case 5:
        n = f->wire == 1 ? 8 : 4;
        break;
    case 2:
        if (!take_varint(c, &n))
            goto bad;
        break;
    default:
        goto bad;
    }
    if (n > (uint64_t)(c->end - c->at))
        goto bad;
    f->data = c->at;
    f->n = (size_t)n;
    c->at += n;
    return true;
bad:
    return err_set(err, ERR_INPUT, "not an ONNX model: no protobuf at byte %zu", (size_t)(from - w->start));
}

/* ---- tensors ---- */

/* StringStringEntryProto of external_data: its "location" must stay in the model's folder. */
static bool check_location(struct walk *w, struct cursor c, struct err *err)
{
    struct field f, key = { 0 }, value = { 0 };
    err_clear(err);
    while (take_field(w, &c, &f, err))
        if (f.wire == 2 && f.number == 1)
            key = f;
        else if (f.wire == 2 && f.number == 2)
            value = f;
    if (err->code)
        return false;
    if (key.n != 8 || memcmp(key.data, "location", 8) != 0)
        return true;
    const char *p = (const char *)value.data;
    bool good = value.n > 0 && value.n < 1024 && p[0] != '/' && p[0] != '\\' && !memchr(p, '\0', value.n) && !memchr(p, ':', value.n);
    for (size_t i = 0; good && i < value.n; i++) { /* a part that is ".." */
        const bool starts = i == 0 || p[i - 1] == '/' || p[i - 1] == '\\';
        if (starts && value.n - i >= 2 && p[i] == '.' && p[i + 1] == '.' && (value.n - i == 2 || p[i + 2] == '/' || p[i + 2] == '\\'))
            good = false;
    }
    return good || err_set(err, ERR_INPUT, "its external data lies outside the model's folder: \"%.*s\"", value.n < 80 ? (int)value.n : 80, p ? p : "");
}

/* Multiplies *count by the dims in a field (one varint, or many of them packed); saturates. */
static bool take_dims(const struct field *f, uint64_t *count)
{
    struct cursor c = { f->data, f->data ? f->data + f->n : NULL }; /* NULL: a varint */
    uint64_t d = f->value;
    if (f->wire == 2 && f->n == 0)
        return true;
    do {
        if (f->wire == 2 && !take_varint(&c, &d))
            return false;
        if (d > INT64_MAX || __builtin_mul_overflow(*count, d, count))
            return false;
    } while (f->wire == 2 && c.at < c.end);
    return true;
}

/* TensorProto.  A tensor that is stored here has at least one byte for two elements (4-bit types, raw). */
static bool check_tensor(struct walk *w, struct cursor c, bool is_dense, struct err *err)
{
    const size_t n_bytes = (size_t)(c.end - c.at), offset = (size_t)(c.at - w->start);
    uint64_t count = 1;
    bool is_external = false, good = true;
    struct field f;
    err_clear(err);
    while (good && take_field(w, &c, &f, err)) {
        if (f.number == 1 && !take_dims(&f, &count)) /* dims */
            return err_set(err, ERR_INPUT, "the tensor at byte %zu has impossible dimensions", offset);
        if (f.number == 13 && f.wire == 2) { /* external_data */
            w->has_external = is_external = true;
            good = check_location(w, (struct cursor){ f.data, f.data + f.n }, err);
        }
        if (f.number == 14 && f.value == 1) /* data_location: EXTERNAL */
            w->has_external = is_external = true;
    }
    if (err->code)
        return false;
    if (is_dense && !is_external && count / 2 > n_bytes)
        return err_set(err, ERR_INPUT, "the tensor at byte %zu claims %" PRIu64 " elements in %zu bytes", offset, count, n_bytes);
    return true;
}

/* ---- messages that hold tensors ---- */

enum message { MODEL, TRAINING, FUNCTION, GRAPH, NODE, ATTRIBUTE, SPARSE, TENSOR, TENSOR_OF_SPARSE };

static const struct {
    enum message in;
    uint32_t number;
    enum message what;
} children[] = {
    { MODEL, 7, GRAPH },        /* graph */
    { MODEL, 20, TRAINING },    /* training_info */
    { MODEL, 25, FUNCTION },    /* functions */
    { TRAINING, 1, GRAPH },     /* initialization */
    { TRAINING, 2, GRAPH },     /* algorithm */
    { FUNCTION, 7, NODE },      /* node */
    { FUNCTION, 11, ATTRIBUTE },/* attribute_proto */
    { GRAPH, 1, NODE },         /* node */
    { GRAPH, 5, TENSOR },       /* initializer */
    { GRAPH, 15, SPARSE },      /* sparse_initializer */
    { NODE, 5, ATTRIBUTE },     /* attribute */
    { ATTRIBUTE, 5, TENSOR },   /* t */
    { ATTRIBUTE, 6, GRAPH },    /* g */
    { ATTRIBUTE, 10, TENSOR },  /* tensors */
    { ATTRIBUTE, 11, GRAPH },   /* graphs */
    { ATTRIBUTE, 22, SPARSE },  /* sparse_tensor */
    { ATTRIBUTE, 23, SPARSE },  /* sparse_tensors */
    { SPARSE, 1, TENSOR_OF_SPARSE }, /* values */
    { SPARSE, 2, TENSOR_OF_SPARSE }, /* indices */
};

static bool walk_message(struct walk *w, enum message what, struct cursor c, int depth, struct err *err)
{
    enum { SPARSE_MAX = 1 << 28 }; /* elements that a sparse tensor may unfold to */
    const size_t offset = (size_t)(c.at - w->start);
    uint64_t sparse_count = 1;
    struct field f;
    if (what == TENSOR || what == TENSOR_OF_SPARSE)
        return check_tensor(w, c, true, err);
    if (depth > DEPTH_MAX)
        return err_set(err, ERR_INPUT, "graphs lie more than %d deep in each other", DEPTH_MAX);
    err_clear(err);
    while (take_field(w, &c, &f, err)) {
        if (what == SPARSE && f.number == 3 && (!take_dims(&f, &sparse_count) || sparse_count > SPARSE_MAX)) /* dims */
            return err_set(err, ERR_INPUT, "the sparse tensor at byte %zu has impossible dimensions", offset);
        for (size_t i = 0; f.wire == 2 && i < sizeof(children) / sizeof(*children); i++)
            if (children[i].in == what && children[i].number == f.number &&
                !walk_message(w, children[i].what, (struct cursor){ f.data, f.data + f.n }, depth + 1, err))
                return false;
        err_clear(err);
    }
    return !err->code;
}

/* A ModelProto has a graph and says with which operators. */
static bool is_model(struct walk *w, struct cursor c, struct err *err)
{
    bool has_graph = false, has_version = false;
    struct field f;
    err_clear(err);
    while (take_field(w, &c, &f, err)) {
        has_graph = has_graph || (f.number == 7 && f.wire == 2);
        has_version = has_version || (f.number == 1 && f.wire == 0) || (f.number == 8 && f.wire == 2);
    }
    if (err->code)
        return false;
    return (has_graph && has_version) || err_set(err, ERR_INPUT, "not an ONNX model: %s", has_graph ? "it names no version" : "it has no graph");
}

static bool check_bytes(struct walk *w, const uint8_t *data, size_t n_bytes, struct err *err)
{
    const struct cursor c = { data, data + n_bytes };
    w->start = data;
    if (n_bytes == 0)
        return err_set(err, ERR_INPUT, "not an ONNX model: it is empty");
    if (n_bytes >= 8 && memcmp(data + 4, "ORTM", 4) == 0)
        return err_set(err, ERR_UNSUPPORTED, "this is ONNX Runtime's own format (.ort); take the .onnx file that it was made from");
    return is_model(w, c, err) && walk_message(w, MODEL, c, 0, err);
}

bool onnx_check(const uint8_t *data, size_t n_bytes, struct err *err)
{
    struct walk w = { 0 };
    return check_bytes(&w, data, n_bytes, err);
}

/* ---- a file ---- */

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    const unsigned __int128 p = (unsigned __int128)a * b; /* the folded product of wyhash (Wang Yi) */
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Two lanes of folded products over 16 bytes a step: tells files apart, and is no protection against someone who wants two alike. */
static void hash_bytes(const uint8_t *data, size_t n, char hash[33])
{
    const uint64_t k0 = 0xa0761d6478bd642fu, k1 = 0xe7037ed1a0b428dbu, k2 = 0x8ebc6af09c88c6e3u, k3 = 0x589965cc75374cc3u;
    uint64_t a = k0 ^ n, b = k1;
    for (size_t i = 0; i < n; i += 16) {
        uint64_t x[2] = { 0, 0 };
        memcpy(x, data + i, n - i < 16 ? n - i : 16);
        a = mix(a ^ x[0] ^ k2, k0 ^ x[1]) + x[0];
        b = mix(b ^ x[1] ^ k3, k1 ^ x[0]) + x[1];
    }
    snprintf(hash, 33, "%016" PRIx64 "%016" PRIx64, mix(a ^ k0, b ^ k3), mix(b ^ k1, a ^ k2));
}

bool onnx_check_facts(const char *path, size_t max_bytes, struct onnx_facts *facts, struct err *err)
{
    struct walk w = { 0 };
    struct file_map m;
    if (!max_bytes)
        max_bytes = (size_t)4 << 30;
    if (!file_map_open(&m, path, err))
        return false;
    bool good;
    if (m.size > max_bytes)
        good = err_set(err, ERR_LIMIT, "%s: %zu bytes, at most %zu are taken", path, m.size, max_bytes);
    else if (!(good = check_bytes(&w, m.data, m.size, err)))
        err_prefix(err, "%s", path);
    if (good)
        hash_bytes(m.data, m.size, facts->hash);
    facts->has_external_data = w.has_external;
    file_map_close(&m);
    return good;
}
