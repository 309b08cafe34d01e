/* tests/task/faces_graph.h - generated graphs that find two faces where they were drawn, and embed a face as the colours of its halves. */
#ifndef TUTTI_TESTS_TASK_FACES_GRAPH_H
#define TUTTI_TESTS_TASK_FACES_GRAPH_H
#include <math.h>
#include <string.h>

#include "onnx/write.h"

#define DIMS(...) (int64_t[]){ __VA_ARGS__ }, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))
enum { F32 = 1, SIDE = 64 };

/* ---- a YuNet that always finds the same two faces in 64 x 64: one upright on the left, one upside down on the right ---- */

/* In cells of stride 8, of which there are 8 x 8: centres (2, 4) and (6, 4), 24 pixels wide. */
static const struct {
    int col, row;
    float points[5][2]; /* pixels */
} drawn[2] = {
    { 2, 4, { { 10, 28 }, { 22, 28 }, { 16, 32 }, { 11, 38 }, { 21, 38 } } },
    { 6, 4, { { 54, 36 }, { 42, 36 }, { 48, 32 }, { 53, 26 }, { 43, 26 } } }, /* turned by 180 degrees around (48, 32) */
};

static inline void constant_output(struct onnx_writer *w, const char *name, int stride, int n_values, const float *data)
{
    const int cells = (SIDE / stride) * (SIDE / stride);
    char outer[24], inner[24];
    snprintf(outer, sizeof outer, "%s_%d", name, stride);
    snprintf(inner, sizeof inner, "c_%s_%d", name, stride);
    writer_floats(w, inner, DIMS(1, cells, n_values), data);
    writer_node(w, "Identity", inner, outer);
    writer_output(w, outer, F32, DIMS(1, cells, n_values));
}

static inline void finder_model(const char *path)
{
    static float cls[64], bbox[64 * 4], kps[64 * 10], nothing[64];
    struct onnx_writer w;
    for (int f = 0; f < 2; f++) {
        const int cell = drawn[f].row * 8 + drawn[f].col;
        cls[cell] = 0.81f; /* score sqrt(0.81 * 1) */
        bbox[cell * 4 + 2] = bbox[cell * 4 + 3] = logf(3); /* 24 pixels */
        for (int j = 0; j < 5; j++) {
            kps[cell * 10 + 2 * j] = drawn[f].points[j][0] / 8 - (float)drawn[f].col;
            kps[cell * 10 + 2 * j + 1] = drawn[f].points[j][1] / 8 - (float)drawn[f].row;
        }
    }
    static float ones[64];
    for (int i = 0; i < 64; i++)
        ones[i] = 1;
    writer_begin(&w);
    writer_input(&w, "input", F32, DIMS(1, 3, SIDE, SIDE));
    for (int stride = 8; stride <= 32; stride *= 2) {
        constant_output(&w, "cls", stride, 1, stride == 8 ? cls : nothing);
        constant_output(&w, "obj", stride, 1, ones);
        constant_output(&w, "bbox", stride, 4, stride == 8 ? bbox : (float[64]){ 0 });
        constant_output(&w, "kps", stride, 10, stride == 8 ? kps : (float[160]){ 0 });
    }
    writer_save(&w, path);
}

/* The embedding: mean colours of the upper and of the lower half of the face. */
static inline void embedding_model(const char *path)
{
    struct onnx_writer w;
    writer_begin(&w);
    writer_input(&w, "face", F32, DIMS(1, 3, 112, 112));
    writer_node(&w, "AveragePool", "face", "halves");
    writer_attr_ints(&w, "kernel_shape", (int64_t[]){ 56, 112 }, 2);
    writer_attr_ints(&w, "strides", (int64_t[]){ 56, 112 }, 2);
    writer_node(&w, "Flatten", "halves", "v");
    writer_output(&w, "v", F32, DIMS(1, 6));
    writer_save(&w, path);
}

/* Around each face: forehead side `top`, chin side `bottom` (RGB). */
static inline void draw(uint8_t *px, int face, const uint8_t top[3], const uint8_t bottom[3])
{
    for (int y = 0; y < SIDE; y++)
        for (int x = face * 32; x < face * 32 + 32; x++)
            memcpy(px + (y * SIDE + x) * 3, (y < 32) == (face == 0) ? top : bottom, 3);
}

/* A card for both, which lie in find.onnx and embed.onnx beside it. */
#define FACES_CARD                                                                                 \
    "name: who\ntask: faces\nkind: onnx\nmodel: find.onnx\ninput: {fit: letterbox, colour: bgr}\nhead: yunet\n"                     \
    "identify: {model: embed.onnx, input: {scale: 1/255}, threshold: 0.95}\n"

static const uint8_t red[3] = { 255, 0, 0 }, green[3] = { 0, 255, 0 }, blue[3] = { 0, 0, 255 };
#endif
