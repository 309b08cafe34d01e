/* tests/onnx/write.h - tiny ONNX models, written by hand: tests need no model from outside.
 *
 * A model is built front to back into one buffer:
 *     struct onnx_writer w;
 *     writer_begin(&w);
 *     writer_input(&w, "x", 1, (int64_t[]){ 1, -1 }, 2);           // ONNX type numbers: 1 f32, 7 i64, 8 string
 *     writer_floats(&w, "two", (int64_t[]){ 1 }, 1, (float[]){ 2 });
 *     writer_node(&w, "Mul", "x two", "y");                        // names separated by blanks; a "-" is an input left out
 *     writer_attr_int(&w, "axis", 1);                              // attributes belong to the node before them
 *     writer_output(&w, "y", 1, (int64_t[]){ 1, -1 }, 2);
 *     writer_save(&w, path);                                       // opset 13, IR version 7
 * Anything that does not fit ends the process: it is a test's own mistake.
 */
#ifndef TUTTI_TESTS_ONNX_WRITE_H
#define TUTTI_TESTS_ONNX_WRITE_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct onnx_bytes {
    uint8_t *data;
    size_t n, cap;
};

struct onnx_writer {
    struct onnx_bytes graph, node, metadata;
    int opset;
};

static inline void onnx_put(struct onnx_bytes *b, const void *data, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = (b->n + n) * 2 + 256;
        b->data = realloc(b->data, b->cap);
        if (!b->data)
            abort();
    }
    if (n)
        memcpy(b->data + b->n, data, n);
    b->n += n;
}

static inline void onnx_put_varint(struct onnx_bytes *b, uint64_t v)
{
    uint8_t byte;
    do {
        byte = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
        onnx_put(b, &byte, 1);
    } while (v >>= 7);
}

static inline void onnx_put_int(struct onnx_bytes *b, int field, int64_t v)
{
    onnx_put_varint(b, (uint64_t)field << 3);
    onnx_put_varint(b, (uint64_t)v);
}

static inline void onnx_put_bytes(struct onnx_bytes *b, int field, const void *data, size_t n)
{
    onnx_put_varint(b, (uint64_t)field << 3 | 2);
    onnx_put_varint(b, n);
    onnx_put(b, data, n);
}

static inline void onnx_put_text(struct onnx_bytes *b, int field, const char *s) { onnx_put_bytes(b, field, s, strlen(s)); }

/* Puts a message and forgets it. */
static inline void onnx_put_message(struct onnx_bytes *b, int field, struct onnx_bytes *m)
{
    onnx_put_bytes(b, field, m->data, m->n);
    free(m->data);
    *m = (struct onnx_bytes){ 0 };
}

static inline void writer_begin(struct onnx_writer *w)
{
    *w = (struct onnx_writer){ .opset = 13 };
    onnx_put_text(&w->graph, 2, "test");
}

static inline void writer_end_node(struct onnx_writer *w)
{
    if (w->node.n)
        onnx_put_message(&w->graph, 1, &w->node);
}

static inline void writer_io(struct onnx_writer *w, int field, const char *name, int type, const int64_t *dims, int n_dims)
{
    struct onnx_bytes shape = { 0 }, tensor = { 0 }, t = { 0 }, info = { 0 };
    writer_end_node(w);
    onnx_put_int(&tensor, 1, type);
    for (int i = 0; i < n_dims; i++) {
        struct onnx_bytes d = { 0 };
        char symbol[80]; /* each its own: ORT takes dimensions of one name for equal */
        snprintf(symbol, sizeof symbol, "%.60s.%d", name, i);
        if (dims[i] >= 0)
            onnx_put_int(&d, 1, dims[i]);
        else
            onnx_put_text(&d, 2, symbol);
        onnx_put_message(&shape, 1, &d);
    }
    onnx_put_message(&tensor, 2, &shape);
    onnx_put_message(&t, 1, &tensor);
    onnx_put_text(&info, 1, name);
    onnx_put_message(&info, 2, &t);
    onnx_put_message(&w->graph, field, &info);
}

static inline void writer_input(struct onnx_writer *w, const char *name, int type, const int64_t *dims, int n_dims) { writer_io(w, 11, name, type, dims, n_dims); }
static inline void writer_output(struct onnx_writer *w, const char *name, int type, const int64_t *dims, int n_dims) { writer_io(w, 12, name, type, dims, n_dims); }

static inline struct onnx_bytes onnx_tensor(const char *name, int type, const int64_t *dims, int n_dims, const void *data, size_t n_bytes)
{
    struct onnx_bytes t = { 0 };
    for (int i = 0; i < n_dims; i++)
        onnx_put_int(&t, 1, dims[i]);
    onnx_put_int(&t, 2, type);
    onnx_put_text(&t, 8, name);
    onnx_put_bytes(&t, 9, data, n_bytes);
    return t;
}

/* A constant of any type, raw little-endian data. */
static inline void writer_constant(struct onnx_writer *w, const char *name, int type, const int64_t *dims, int n_dims, const void *data, size_t n_bytes)
{
    struct onnx_bytes t = onnx_tensor(name, type, dims, n_dims, data, n_bytes);
    writer_end_node(w);
    onnx_put_message(&w->graph, 5, &t);
}

static inline size_t onnx_count(const int64_t *dims, int n_dims)
{
    size_t n = 1;
    for (int i = 0; i < n_dims; i++)
        n *= (size_t)dims[i];
    return n;
}

static inline void writer_floats(struct onnx_writer *w, const char *name, const int64_t *dims, int n_dims, const float *data)
{
    writer_constant(w, name, 1, dims, n_dims, data, onnx_count(dims, n_dims) * sizeof *data);
}
static inline void writer_ints(struct onnx_writer *w, const char *name, const int64_t *dims, int n_dims, const int64_t *data)
{
    writer_constant(w, name, 7, dims, n_dims, data, onnx_count(dims, n_dims) * sizeof *data);
}

static inline void writer_node(struct onnx_writer *w, const char *op, const char *inputs, const char *outputs)
{
    const char *lists[2] = { inputs, outputs };
    char name[24];
    writer_end_node(w);
    for (int k = 0; k < 2; k++)
        for (const char *p = lists[k]; *p;) {
            const size_t n = strcspn(p, " ");
            onnx_put_bytes(&w->node, k + 1, p, n == 1 && *p == '-' ? 0 : n);
            p += n;
            p += strspn(p, " ");
        }
    snprintf(name, sizeof name, "n%zu", w->graph.n);
    onnx_put_text(&w->node, 3, name);
    onnx_put_text(&w->node, 4, op);
}

static inline void writer_attr_int(struct onnx_writer *w, const char *name, int64_t v)
{
    struct onnx_bytes a = { 0 };
    onnx_put_text(&a, 1, name);
    onnx_put_int(&a, 3, v);
    onnx_put_int(&a, 20, 2); /* INT */
    onnx_put_message(&w->node, 5, &a);
}
static inline void writer_attr_float(struct onnx_writer *w, const char *name, float v)
{
    struct onnx_bytes a = { 0 };
    onnx_put_text(&a, 1, name);
    onnx_put_varint(&a, 2 << 3 | 5);
    onnx_put(&a, &v, 4);
    onnx_put_int(&a, 20, 1); /* FLOAT */
    onnx_put_message(&w->node, 5, &a);
}
static inline void writer_attr_ints(struct onnx_writer *w, const char *name, const int64_t *v, int n)
{
    struct onnx_bytes a = { 0 };
    onnx_put_text(&a, 1, name);
    for (int i = 0; i < n; i++)
        onnx_put_int(&a, 8, v[i]);
    onnx_put_int(&a, 20, 7); /* INTS */
    onnx_put_message(&w->node, 5, &a);
}
static inline void writer_attr_text(struct onnx_writer *w, const char *name, const char *v)
{
    struct onnx_bytes a = { 0 };
    onnx_put_text(&a, 1, name);
    onnx_put_text(&a, 4, v);
    onnx_put_int(&a, 20, 3); /* STRING */
    onnx_put_message(&w->node, 5, &a);
}
static inline void writer_metadata(struct onnx_writer *w, const char *key, const char *text)
{
    struct onnx_bytes p = { 0 };
    onnx_put_text(&p, 1, key);
    onnx_put_text(&p, 2, text);
    onnx_put_message(&w->metadata, 14, &p);
}

/* The file's bytes; the caller frees data.  The writer is empty then. */
static inline struct onnx_bytes writer_finish(struct onnx_writer *w)
{
    struct onnx_bytes m = { 0 }, opset = { 0 };
    writer_end_node(w);
    onnx_put_int(&m, 1, 7); /* IR version */
    onnx_put_text(&m, 2, "tutti-test");
    onnx_put_message(&m, 7, &w->graph);
    onnx_put_int(&opset, 2, w->opset);
    onnx_put_message(&m, 8, &opset);
    onnx_put(&m, w->metadata.data, w->metadata.n);
    free(w->metadata.data);
    *w = (struct onnx_writer){ 0 };
    return m;
}

static inline void writer_save(struct onnx_writer *w, const char *path)
{
    struct onnx_bytes m = writer_finish(w);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(m.data, 1, m.n, f) != m.n || fclose(f) != 0)
        abort();
    free(m.data);
}
#endif
