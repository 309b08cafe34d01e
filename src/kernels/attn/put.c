/* kernels/attn/put.c - floats become codes: keys and values for the cache, queries for a job.
 *
 * Rule:    sums of squares run in eight lanes, so every machine stores the same bits.
 */
#include "kernels/attn/attn_internal.h"

#include <math.h>
#include <string.h>

/* Registers that every machine's baseline has (SSE2, NEON). */
typedef float floats4 __attribute__((vector_size(16)));
typedef int32_t ints4 __attribute__((vector_size(16)));
typedef int16_t shorts8 __attribute__((vector_size(16)));

static inline floats4 more_of(floats4 a, floats4 b) /* b where one is NaN */
{
    const ints4 m = a > b;
    return (floats4)(((ints4)a & m) | ((ints4)b & ~m));
}
/* Eight values from x, n of which are there; the others are 0. */
static inline void load(floats4 v[2], const float *x, int n)
{
    if (n < 8) {
        float part[8] = { 0 };
        for (int i = 0; i < n; i++)
            part[i] = x[i];
        memcpy(v, part, sizeof(part));
    } else
        memcpy(&v[0], x, sizeof(v[0])), memcpy(&v[1], x + 4, sizeof(v[1]));
}

/* Largest |x| and the norm. */
static void measure(const float *x, int n, float *most, float *norm)
{
    floats4 top[2] = { { 0 } }, sum[2] = { { 0 } };
    for (int i = 0; i < n; i += 8) {
        floats4 v[2];
        load(v, x + i, n - i);
        for (int j = 0; j < 2; j++) {
            top[j] = more_of((floats4)((ints4)v[j] & 0x7fffffff), top[j]);
            sum[j] += v[j] * v[j];
        }
    }
    top[0] = more_of(top[0], top[1]);
    *most = top[0][0];
    for (int j = 1; j < 4; j++)
        *most = top[0][j] > *most ? top[0][j] : *most;
    sum[0] += sum[1];
    *norm = sqrtf((sum[0][0] + sum[0][2]) + (sum[0][1] + sum[0][3]));
}

/* Codes of n values, rounded to even: adding 1.5 * 2^23 leaves the integer in the low bits. */
static void encode(int16_t *restrict out, const float *restrict x, int n, float scale)
{
    const float inverse = scale > 0 ? 1.0f / scale : 0.0f;
    for (int i = 0; i < n; i += 8) {
        floats4 v[2];
        load(v, x + i, n - i);
        shorts8 low[2];
        for (int j = 0; j < 2; j++)
            low[j] = (shorts8)(v[j] * inverse + 12582912.0f);
        const shorts8 code = __builtin_shufflevector(low[0], low[1], 0, 2, 4, 6, 8, 10, 12, 14);
        if (n - i >= 8)
            memcpy(out + i, &code, sizeof(code));
        else
            for (int j = 0; i + j < n; j++)
                out[i + j] = code[j];
    }
}

/* Two vectors of norm 46000 cannot make a product of 2^31, whatever part of it is summed: their codes have nearly 15 bits. */
static float scale_by_norm(const float *x, int n)
{
    float most, norm;
    measure(x, n, &most, &norm);
    const float a = most / 32766.0f, b = norm / 46000.0f;
    return a > b ? a : b;
}

float attn_encode_query(int16_t *out, const float *q, int d)
{
    const float scale = scale_by_norm(q, d);
    encode(out, q, d, scale);
    return scale;
}

enum { PART = 64 }; /* values at a time */

static void put_k(enum attn_type type, uint8_t *page, int slot, const float *x, int d)
{
    float scale, norm;
    if (type == ATTN_I16)
        scale = scale_by_norm(x, d);
    else {
        measure(x, d, &scale, &norm);
        scale /= 127.0f;
    }
    memcpy(page + attn_scales_at(type, d) + (size_t)slot * 4, &scale, 4);
    for (int at = 0; at < d; at += PART) {
        int16_t code[PART + 1];
        const int n = d - at < PART ? d - at : PART;
        encode(code, x + at, n, scale);
        code[n] = 0;
        for (int i = 0; i < n; i += 2) {
            const size_t to = ((size_t)(at + i) / 2 * ATTN_PAGE + (size_t)slot) * 2;
            if (type == ATTN_I16)
                memcpy(page + to * 2, code + i, 4);
            else {
                page[to] = (uint8_t)code[i];
                page[to + 1] = (uint8_t)code[i + 1];
            }
        }
    }
}

static void put_v(enum attn_type type, uint8_t *page, uint8_t *scale_at, int slot, const float *x, int d)
{
    float scale, norm;
    measure(x, d, &scale, &norm);
    scale /= type == ATTN_I16 ? (float)ATTN_V_MAX : 127.0f;
    memcpy(scale_at, &scale, 4);
    for (int at = 0; at < d; at += PART) {
        int16_t code[PART];
        const int n = d - at < PART ? d - at : PART;
        const size_t to = ((size_t)(slot / 2) * (size_t)d + (size_t)at) * 2 + (size_t)(slot % 2);
        encode(code, x + at, n, scale);
        if (type == ATTN_I16)
            for (int i = 0; i < n; i++)
                memcpy(page + (to + (size_t)i * 2) * 2, &code[i], 2);
        else
            for (int i = 0; i < n; i++)
                page[to + (size_t)i * 2] = (uint8_t)code[i];
    }
}

void attn_put(enum attn_type type, uint8_t *k_page, uint8_t *v_page, int slot, const float *k, const float *v, int d_k, int d_v)
{
    if (type != ATTN_F32) {
        put_k(type, k_page, slot, k, d_k);
        put_v(type, v_page, k_page + attn_scales_at(type, d_k) + (size_t)(ATTN_PAGE + slot) * 4, slot, v, d_v);
        return;
    }
    for (int i = 0; i < d_k; i++)
        memcpy(k_page + ((size_t)i * ATTN_PAGE + (size_t)slot) * sizeof(float), &k[i], sizeof(float));
    memcpy(v_page + (size_t)slot * (size_t)d_v * sizeof(float), v, (size_t)d_v * sizeof(float));
}
