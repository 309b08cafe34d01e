/* onnx/onnx_internal.h - what the files of this room share. */
#ifndef TUTTI_ONNX_INTERNAL_H
#define TUTTI_ONNX_INTERNAL_H

#include "onnx/onnx.h"
#include "onnx/ort.h"

struct onnx {
    struct ort_api api;
    struct ort_env *env;
    struct ort_allocator *allocator;   /* borrowed: the library's default one */
    struct ort_memory_info *cpu_memory;
    char version[32];
    char library[ONNX_PATH_MAX];
    int n_threads;
};

struct onnx_io { /* an input or output of a session */
    struct tensor info;       /* as the file says; its name is owned */
    struct tensor now;        /* input: what is bound; output: what the last run gave */
    struct ort_value *value;  /* owned; NULL: nothing bound or computed yet */
    void *own;                /* input: our buffer; string output: its bytes */
    size_t own_bytes;
    bool is_free;             /* a dimension of info is -1, or the file's word on an output proved wrong */
    struct onnx_session *link_src; /* input: where it comes from; NULL: our buffer or the caller's */
    int link_index;
    uint64_t link_seen;       /* the source's n_values when it was bound */
    uint64_t n_values;        /* output: how often `value` was another one */
};

struct onnx_session {
    struct onnx *o;
    struct ort_session *session;
    struct ort_binding *binding;
    struct ort_run_options *run_options;
    char label[64]; /* the file's name, for messages */
    char provider[24];
    bool from_cache, has_run;
    size_t max_tensor_bytes;
    struct onnx_io *inputs, *outputs;
    int n_inputs, n_outputs;
};

/* true when status is NULL.  Otherwise err gets `code` (ERR_NONE: by ORT's own code) and ORT's words on one line; frees the status. */
bool ort_good(const struct ort_api *api, ort_result status, enum err_code code, struct err *err);
/* For what can only fail when memory is out and must not stop a clean-up. */
void ort_ignore(const struct ort_api *api, ort_result status);

/* cache.c: the cached file of the model at `path` whose content is `hash`; "" when there cannot be one (no folder, not writable). */
void onnx_cache_path(const struct onnx *o, const char *path, const char *hash, const char *cache_dir, char out[ONNX_PATH_MAX]);
/* Is there one, newer than the model? */
bool onnx_cache_is_fresh(const char *cached, const char *path);
/* Moves the finished file to its place and drops what older contents of the same model left. */
bool onnx_cache_keep(const char *finished, const char *cached, struct err *err);

/* check.c */
struct onnx_facts {
    char hash[33];
    bool has_external_data;
};
bool onnx_check_facts(const char *path, size_t max_bytes, struct onnx_facts *facts, struct err *err);
#endif
