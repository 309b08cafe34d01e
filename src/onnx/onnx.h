/* onnx/onnx.h - models in ONNX files, run by ONNX Runtime, which is loaded when the first of them is needed.
 *
 * For:     task/ (vision, hearing, reading, embeddings), `tutti expert warm`, tests.
 * Touches: one shared library (dlopen), model files (read), the cache folder (written when one is given), threads of
 *          the library's pool (none when n_threads is 1).  No socket, no telemetry, no other file.
 * Thread:  a session belongs to one thread at a time.  Sessions of one `struct onnx` share its threads and its arena.
 * Rule:    inputs are written once, into the buffer that the session reads; outputs are read where they were computed.
 *          Nothing is allocated or bound anew by a run unless a free dimension changed.
 *
 * The way of a model:
 *     struct onnx_session *s = onnx_session_open(o, "yolox.onnx", NULL, &err);
 *     const struct tensor *in = onnx_input(s, 0);         // name, type, dims, data: write here
 *     onnx_run(s, &err);
 *     const struct tensor *out = onnx_output(s, 0);       // dims and data as they came out
 */
#ifndef TUTTI_ONNX_ONNX_H
#define TUTTI_ONNX_ONNX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/tensor.h"

/* ---- the library ---- */

/* Where a library may lie; NULL or "" is skipped.  Tried in this order. */
struct onnx_places {
    const char *file;        /* from a configuration: this one or none */
    const char *env;         /* $TUTTI_ORT: this one or none */
    const char *program_dir; /* node_modules/onnxruntime-node here, */
    const char *cwd;         /* or here, */
    const char *data_home;   /* or in tutti/ here */
    bool system;             /* then libonnxruntime.so.1* where the dynamic linker looks */
};
enum { ONNX_PATH_MAX = 4096 };
/* As this process would look: reads $TUTTI_ORT, $XDG_DATA_HOME, $HOME, /proc/self/exe and the working directory into
 * `text`, in which the places then point.  The one function here that reads the environment. */
void onnx_places_here(struct onnx_places *p, char text[4 * ONNX_PATH_MAX]);
/* The file to load (a bare soname when it is the system's).  false with err set (ERR_NOT_FOUND): none, and the line says how to get one. */
bool onnx_find_library(const struct onnx_places *where, char path[ONNX_PATH_MAX], struct err *err);

struct onnx_options {
    int n_threads;          /* 0: physical cores that we may use; 1: no pool, runs on the caller's thread */
    size_t arena_max_bytes; /* what all sessions may hold for tensors; 0: 2 GiB */
};

struct onnx;
/* Loads the library and makes its environment; one at a time in a process is meant.  options NULL: defaults.  NULL with err set. */
struct onnx *onnx_open(const char *library, const struct onnx_options *options, struct err *err);
void onnx_close(struct onnx *o); /* after its sessions; NULL is fine.  The library itself stays loaded */
const char *onnx_version(const struct onnx *o); /* "1.27.0" */
int onnx_n_threads(const struct onnx *o);
/* Providers that this build names, e.g. "CPUExecutionProvider"; a name is no promise that its libraries are there. */
bool onnx_names_provider(const struct onnx *o, const char *name);

/* ---- a model ---- */

struct onnx_session_options {
    /* Execution providers to try, best first, as "cuda", "tensorrt", "openvino", "migraphx", "cpu"; ended by NULL.
     * The first that works is taken, the CPU when none does; one log line says which and why not the others.  NULL: CPU. */
    const char *const *providers;
    bool is_wish;            /* somebody asked for these: also what this library does not have is worth a warning */
    const char *cache_dir;   /* the optimised model is kept below it and loaded from it; NULL: no cache */
    size_t max_tensor_bytes; /* an input or output above this is refused; 0: 1 GiB */
};

struct onnx_session;
/* Checks the file (check.c), then loads it.  options NULL: defaults.  NULL with err set: ORT's words in one line. */
struct onnx_session *onnx_session_open(struct onnx *o, const char *path, const struct onnx_session_options *options, struct err *err);
void onnx_session_close(struct onnx_session *s); /* NULL is fine */
const char *onnx_provider(const struct onnx_session *s);  /* "cpu", ... */
bool onnx_from_cache(const struct onnx_session *s);

int onnx_n_inputs(const struct onnx_session *s);
int onnx_n_outputs(const struct onnx_session *s);
/* As the file says: name, type, dims (-1: free); data is NULL.  Borrowed, as long as the session lives. */
const struct tensor *onnx_input_info(const struct onnx_session *s, int i);
const struct tensor *onnx_output_info(const struct onnx_session *s, int i);
int onnx_find_input(const struct onnx_session *s, const char *name); /* -1: none */
int onnx_find_output(const struct onnx_session *s, const char *name);

/* ---- inputs ---- */

/* The buffer of an input, bound to the session: fixed dims need nothing before; an input with free dims has data NULL until
 * onnx_set_dims().  Zeroed when it is new; 64-byte aligned; what was written stays until it is overwritten. */
const struct tensor *onnx_input(struct onnx_session *s, int i);
/* All dims of input i (the fixed ones as they are).  Keeps the buffer when it is large enough; the same dims again cost nothing. */
bool onnx_set_dims(struct onnx_session *s, int i, const int64_t *dims, int n_dims, struct err *err);
/* The caller's own memory as input i (shared memory, part of a larger buffer), without a copy; it stays borrowed until another
 * call of onnx_bind_input() or onnx_set_dims() for i, or the close. */
bool onnx_bind_input(struct onnx_session *s, int i, void *data, const int64_t *dims, int n_dims, struct err *err);
/* Input i is what `src` computed last as output j, without a copy; followed at each run until unbound by onnx_set_dims() or
 * onnx_bind_input().  src must have run before, and must live as long as s does or until then. */
bool onnx_link(struct onnx_session *s, int i, struct onnx_session *src, int j, struct err *err);
/* Texts for an input of strings: a TENSOR_STRING tensor with data and shape; copied. */
bool onnx_set_texts(struct onnx_session *s, int i, const struct tensor *texts, struct err *err);

/* ---- run, outputs ---- */

/* false with err: ORT's words. */
bool onnx_run(struct onnx_session *s, struct err *err);
/* What the last run computed, in place; valid until the next run of s.  NULL before the first. */
const struct tensor *onnx_output(const struct onnx_session *s, int j);

/* ---- before a file from outside is trusted with memory ---- */

/* Walks the bytes: they are an ONNX model, external data stays below the model's folder, no stored tensor claims more elements than the file
 * has bytes for.  Opening a session does that first. */
bool onnx_check(const uint8_t *data, size_t n_bytes, struct err *err);
#endif
