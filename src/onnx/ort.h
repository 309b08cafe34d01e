/* onnx/ort.h - the part of ONNX Runtime's C API that we call, declared by us.
 *
 * For:     the .c files of this room; nobody else sees it.
 * Touches: nothing.
 * Rule:    the API is a table of function pointers that only ever grows at its end; version 17's part of it is in every
 *          library that we accept.  A slot's number is its index in words (../shared/DEPENDENCIES.md, section 6; those
 *          marked * were counted from the table and are exercised by tests/onnx).  Calls return NULL or a status.
 */
#ifndef TUTTI_ONNX_ORT_H
#define TUTTI_ONNX_ORT_H
#include <stddef.h>
#include <stdint.h>

enum { ORT_API_VERSION = 17 }; /* asked for; never probed upwards: unknown ones make the library write to stderr */

struct ort_status;
struct ort_env;
struct ort_threading;
struct ort_arena_cfg;
struct ort_allocator;
struct ort_memory_info;
struct ort_session_options;
struct ort_session;
struct ort_run_options;
struct ort_binding;
struct ort_value;
struct ort_type_info;
struct ort_tensor_info;
struct ort_provider_options;

typedef struct ort_status *ort_result; /* NULL: good */
typedef void ort_log_fn(void *ctx, int severity, const char *category, const char *id, const char *where, const char *message);

/* name, slot, result, arguments */
#define ORT_SLOTS(X)                                                                                                              \
    X(get_error_code, 1, int, (const struct ort_status *))                                                                        \
    X(get_error_message, 2, const char *, (const struct ort_status *))                                                            \
    X(release_status, 93, void, (struct ort_status *))                                                                            \
    X(disable_telemetry, 6, ort_result, (const struct ort_env *))                                                                 \
    X(create_env, 151, ort_result, (ort_log_fn *, void *, int, const char *, const struct ort_threading *, struct ort_env **)) /* * */ \
    X(release_env, 92, void, (struct ort_env *))                                                                                  \
    X(create_threading, 121, ort_result, (struct ort_threading **))                                                               \
    X(release_threading, 122, void, (struct ort_threading *))                                                                     \
    X(set_intra_threads, 147, ort_result, (struct ort_threading *, int))                                                          \
    X(set_inter_threads, 148, ort_result, (struct ort_threading *, int))                                                          \
    X(set_spin, 149, ort_result, (struct ort_threading *, int))                                                                   \
    X(create_arena_cfg, 164, ort_result, (const char *const *, const size_t *, size_t, struct ort_arena_cfg **)) /* * */          \
    X(release_arena_cfg, 157, void, (struct ort_arena_cfg *)) /* * */                                                             \
    X(register_allocator, 144, ort_result, (struct ort_env *, const struct ort_memory_info *, const struct ort_arena_cfg *)) /* * */ \
    X(default_allocator, 78, ort_result, (struct ort_allocator **))                                                               \
    X(allocator_free, 76, ort_result, (struct ort_allocator *, void *))                                                           \
    X(create_cpu_memory_info, 69, ort_result, (int, int, struct ort_memory_info **))                                              \
    X(release_memory_info, 94, void, (struct ort_memory_info *))                                                                  \
    X(get_providers, 125, ort_result, (char ***, int *))                                                                          \
    X(release_providers, 126, ort_result, (char **, int))                                                                         \
    X(create_session_options, 10, ort_result, (struct ort_session_options **))                                                    \
    X(release_session_options, 100, void, (struct ort_session_options *))                                                         \
    X(set_optimized_path, 11, ort_result, (struct ort_session_options *, const char *)) /* * */                                   \
    X(set_execution_mode, 13, ort_result, (struct ort_session_options *, int))                                                    \
    X(set_optimization, 23, ort_result, (struct ort_session_options *, int))                                                      \
    X(disable_session_threads, 120, ort_result, (struct ort_session_options *))                                                   \
    X(add_session_config, 130, ort_result, (struct ort_session_options *, const char *, const char *))                            \
    X(create_cuda_options, 205, ort_result, (struct ort_provider_options **)) /* * */                                             \
    X(append_cuda, 204, ort_result, (struct ort_session_options *, const struct ort_provider_options *)) /* * */                  \
    X(release_cuda_options, 208, void, (struct ort_provider_options *)) /* * */                                                   \
    X(create_tensorrt_options, 171, ort_result, (struct ort_provider_options **)) /* * */                                         \
    X(update_tensorrt_options, 172, ort_result, (struct ort_provider_options *, const char *const *, const char *const *, size_t)) /* * */ \
    X(append_tensorrt, 170, ort_result, (struct ort_session_options *, const struct ort_provider_options *)) /* * */              \
    X(release_tensorrt_options, 174, void, (struct ort_provider_options *)) /* * */                                               \
    X(append_provider, 216, ort_result, (struct ort_session_options *, const char *, const char *const *, const char *const *, size_t)) /* * */ \
    X(create_session, 7, ort_result, (const struct ort_env *, const char *, const struct ort_session_options *, struct ort_session **)) \
    X(release_session, 95, void, (struct ort_session *))                                                                          \
    X(input_count, 30, ort_result, (const struct ort_session *, size_t *))                                                        \
    X(output_count, 31, ort_result, (const struct ort_session *, size_t *))                                                       \
    X(input_type, 33, ort_result, (const struct ort_session *, size_t, struct ort_type_info **))                                  \
    X(output_type, 34, ort_result, (const struct ort_session *, size_t, struct ort_type_info **))                                 \
    X(input_name, 36, ort_result, (const struct ort_session *, size_t, struct ort_allocator *, char **))                          \
    X(output_name, 37, ort_result, (const struct ort_session *, size_t, struct ort_allocator *, char **))                         \
    X(release_type_info, 98, void, (struct ort_type_info *))                                                                      \
    X(as_tensor_info, 55, ort_result, (const struct ort_type_info *, const struct ort_tensor_info **))                            \
    X(tensor_type_and_shape, 65, ort_result, (const struct ort_value *, struct ort_tensor_info **))                               \
    X(release_tensor_info, 99, void, (struct ort_tensor_info *))                                                                  \
    X(element_type, 60, ort_result, (const struct ort_tensor_info *, int *))                                                      \
    X(rank, 61, ort_result, (const struct ort_tensor_info *, size_t *))                                                           \
    X(dims, 62, ort_result, (const struct ort_tensor_info *, int64_t *, size_t))                                                  \
    X(is_tensor, 50, ort_result, (const struct ort_value *, int *))                                                               \
    X(create_tensor, 48, ort_result, (struct ort_allocator *, const int64_t *, size_t, int, struct ort_value **))                 \
    X(create_tensor_with_data, 49, ort_result, (const struct ort_memory_info *, void *, size_t, const int64_t *, size_t, int, struct ort_value **)) \
    X(mutable_data, 51, ort_result, (struct ort_value *, void **))                                                                \
    X(fill_strings, 52, ort_result, (struct ort_value *, const char *const *, size_t))                                            \
    X(strings_length, 53, ort_result, (const struct ort_value *, size_t *))                                                       \
    X(strings_content, 54, ort_result, (const struct ort_value *, void *, size_t, size_t *, size_t))                              \
    X(release_value, 96, void, (struct ort_value *))                                                                              \
    X(create_run_options, 39, ort_result, (struct ort_run_options **))                                                            \
    X(release_run_options, 97, void, (struct ort_run_options *))                                                                  \
    X(create_binding, 134, ort_result, (struct ort_session *, struct ort_binding **))                                             \
    X(release_binding, 135, void, (struct ort_binding *))                                                                         \
    X(bind_input, 136, ort_result, (struct ort_binding *, const char *, const struct ort_value *))                                \
    X(bind_output_to_device, 138, ort_result, (struct ort_binding *, const char *, const struct ort_memory_info *))               \
    X(run_with_binding, 133, ort_result, (struct ort_session *, const struct ort_run_options *, const struct ort_binding *))      \
    X(bound_values, 140, ort_result, (const struct ort_binding *, struct ort_allocator *, struct ort_value ***, size_t *))

struct ort_api {
#define X(name, slot, result, args) result(*name) args;
    ORT_SLOTS(X)
#undef X
};

struct ort_api_base { /* what OrtGetApiBase() points to */
    const void *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
};
#endif
