/* plan/memory.h - what a model needs where it runs: weights, K/V, buffers, the runtime itself; and whether it fits.
 *
 * For:     advise/ (fit, recommend), expert cards.
 * Touches: nothing.
 * Rule:    bytes, never GiB or GB; a shape that is not known is estimated from the number of weights and is_exact says so.
 *          docs/plan.md has the formulas and their sources.
 */
#ifndef TUTTI_PLAN_MEMORY_H
#define TUTTI_PLAN_MEMORY_H
#include <stddef.h>

#include "plan/device.h"
#include "plan/model.h"

enum plan_engine { PLAN_ENGINE_TUTTI, PLAN_ENGINE_LLAMA_CPP, PLAN_ENGINE_VLLM, PLAN_ENGINE_MLX, PLAN_ENGINE_OTHER };
/* By a runtime's name: "llama.cpp CUDA", "ollama", "vLLM", ...; "" is llama.cpp. */
enum plan_engine plan_engine_of(const char *runtime);
/* Is it one that the catalog or the measurements name?  What people typed should be. */
bool plan_engine_is_known(const char *runtime);

struct plan_memory_options { /* zero means the default */
    enum plan_engine engine;
    enum plan_class cls;    /* where it runs: what the runtime itself takes */
    int n_ctx;              /* positions of one sequence; default 4096, or what the model was trained for if that is less */
    int n_seq;              /* sequences at a time; default 1 */
    int n_batch;            /* tokens of one pass; default 512 */
    int kv_bits;            /* 16 (default), 8 (q8_0: 8.5), 4 (q4_0: 4.5) */
    int n_threads;          /* of a CPU engine; default 8 */
    size_t thread_bytes;    /* tutti: matmul scratch of a thread; default 64 bytes for each input of the widest matrix */
};

struct plan_memory {
    uint64_t weights, kv, compute, runtime, total;
    bool is_exact; /* from the model's file and our own engine: within 3 % */
};

struct plan_memory plan_memory_of(const struct plan_model *m, const struct plan_memory_options *opt);
/* K/V bytes that one more position costs (full layers only; windows are full then), and of a whole sequence. */
uint64_t plan_kv_bytes_per_tok(const struct plan_model *m, int kv_bits);
uint64_t plan_kv_bytes(const struct plan_model *m, const struct plan_memory_options *opt);

/* What a device gives to a model: detected free memory when known, else the whole less what system and screen keep. */
uint64_t plan_usable_bytes(const struct plan_device *d);

enum plan_fits { PLAN_FITS, PLAN_TIGHT /* less than 5 % are left */, PLAN_SPLIT /* with layers in host memory */, PLAN_TOO_LARGE };
const char *plan_fits_name(enum plan_fits f); /* "fits", "tight", "split", "no" */

struct plan_placement {
    enum plan_fits fits;
    int n_layers_device;       /* of n_layers (with the output as one more) on the device or devices */
    int n_layers;
    uint64_t device_bytes, host_bytes; /* needed there */
    double share_device;       /* of the weights that a token reads */
};
/* On d (d->n_devices of them share the layers), with host_bytes of main memory behind it (0: none). */
struct plan_placement plan_place(const struct plan_model *m, const struct plan_memory *need, const struct plan_device *d, uint64_t host_bytes);
#endif
