/* onnx/session.c - a model opened: checked, placed on a provider, taken from the cache or put there, described.
 *
 * Start reading at onnx_session_open().  Inputs, runs and outputs are in bind.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "onnx/onnx_internal.h"

enum { OPTIMISE_NOTHING = 0, OPTIMISE_ALL = 99, IO_MAX = 4096 };

/* ---- providers ---- */

static bool use_cuda(const struct ort_api *a, struct ort_session_options *so, const char *cache_dir, struct err *err)
{
    struct ort_provider_options *p = NULL;
    (void)cache_dir;
    const bool good = ort_good(a, a->create_cuda_options(&p), ERR_UNSUPPORTED, err) && ort_good(a, a->append_cuda(so, p), ERR_UNSUPPORTED, err);
    if (p)
        a->release_cuda_options(p);
    return good;
}

static bool use_tensorrt(const struct ort_api *a, struct ort_session_options *so, const char *cache_dir, struct err *err)
{
    static const char *const keys[] = { "trt_engine_cache_enable", "trt_engine_cache_path", "trt_timing_cache_enable", "trt_fp16_enable" };
    const char *const values[] = { "1", cache_dir, "1", "1" };
    struct ort_provider_options *p = NULL;
    const bool good = ort_good(a, a->create_tensorrt_options(&p), ERR_UNSUPPORTED, err) &&
                      (!cache_dir || ort_good(a, a->update_tensorrt_options(p, keys, values, 4), ERR_UNSUPPORTED, err)) &&
                      ort_good(a, a->append_tensorrt(so, p), ERR_UNSUPPORTED, err);
    if (p)
        a->release_tensorrt_options(p);
    return good;
}

static bool use_openvino(const struct ort_api *a, struct ort_session_options *so, const char *cache_dir, struct err *err)
{
    const char *const keys[] = { "cache_dir" };
    const char *const values[] = { cache_dir };
    return ort_good(a, a->append_provider(so, "OpenVINO", keys, values, cache_dir ? 1 : 0), ERR_UNSUPPORTED, err);
}

static bool use_migraphx(const struct ort_api *a, struct ort_session_options *so, const char *cache_dir, struct err *err)
{
    (void)cache_dir;
    return ort_good(a, a->append_provider(so, "MIGraphX", NULL, NULL, 0), ERR_UNSUPPORTED, err);
}

static bool use_cpu(const struct ort_api *a, struct ort_session_options *so, const char *cache_dir, struct err *err)
{
    (void)a, (void)so, (void)cache_dir, (void)err;
    return true; /* always the last resort of every session */
}

static const struct provider {
    const char *word, *ort_name;
    bool (*use)(const struct ort_api *, struct ort_session_options *, const char *cache_dir, struct err *);
} providers[] = { /* alphabetical, cpu first */
    { "cpu", "CPUExecutionProvider", use_cpu },
    { "cuda", "CUDAExecutionProvider", use_cuda },
    { "migraphx", "MIGraphXExecutionProvider", use_migraphx },
    { "openvino", "OpenVINOExecutionProvider", use_openvino },
    { "tensorrt", "TensorrtExecutionProvider", use_tensorrt },
};

static const struct provider *find_provider(const char *word)
{
    for (size_t i = 0; i < sizeof(providers) / sizeof(*providers); i++)
        if (strcmp(providers[i].word, word) == 0)
            return &providers[i];
    return NULL;
}

/* ---- creation ---- */

static struct ort_session_options *make_options(struct onnx *o, int optimise, struct err *err)
{
    static const char *const config[][2] = {
        { "session.use_env_allocators", "1" },                    /* the bounded arena of runtime.c */
        { "session.use_device_allocator_for_initializers", "1" }, /* weights beside it: they are bounded by the file */
        { "session.intra_op.allow_spinning", "0" },
    };
    const struct ort_api *a = &o->api;
    struct ort_session_options *so = NULL;
    if (!ort_good(a, a->create_session_options(&so), ERR_NOMEM, err))
        return NULL;
    bool good = ort_good(a, a->disable_session_threads(so), ERR_NONE, err) && ort_good(a, a->set_execution_mode(so, 0), ERR_NONE, err) &&
                ort_good(a, a->set_optimization(so, optimise), ERR_NONE, err);
    for (size_t i = 0; good && i < sizeof(config) / sizeof(*config); i++)
        good = ort_good(a, a->add_session_config(so, config[i][0], config[i][1]), ERR_NONE, err);
    if (good)
        return so;
    a->release_session_options(so);
    return NULL;
}

/* A session of `path` on one provider; save_to: where the optimised model is written, or NULL. */
static bool create(struct onnx_session *s, const char *path, const struct provider *p, int optimise, const char *save_to, const char *cache_dir,
                   struct err *err)
{
    const struct ort_api *a = &s->o->api;
    struct ort_session_options *so = make_options(s->o, optimise, err);
    if (!so)
        return false;
    const bool good = p->use(a, so, cache_dir, err) && (!save_to || ort_good(a, a->set_optimized_path(so, save_to), ERR_NONE, err)) &&
                      ort_good(a, a->create_session(s->o->env, path, so, &s->session), ERR_NONE, err);
    a->release_session_options(so);
    return good;
}

/* On the CPU, through the cache when there is one. */
static bool create_on_cpu(struct onnx_session *s, const char *path, const char *cached, struct err *err)
{
    char temporary[ONNX_PATH_MAX];
    struct err ignored = { 0 };
    if (!cached[0])
        return create(s, path, &providers[0], OPTIMISE_ALL, NULL, NULL, err);
    if (onnx_cache_is_fresh(cached, path)) {
        if (create(s, cached, &providers[0], OPTIMISE_NOTHING, NULL, NULL, &ignored))
            return s->from_cache = true;
        log_debug("onnx: the cached %s is made anew: %s", s->label, ignored.text);
    }
    snprintf(temporary, sizeof temporary, "%.*s.%ld", ONNX_PATH_MAX - 16, cached, (long)getpid());
    if (!create(s, path, &providers[0], OPTIMISE_ALL, temporary, NULL, &ignored)) {
        unlink(temporary); /* some graphs cannot be written: then without */
        return create(s, path, &providers[0], OPTIMISE_ALL, NULL, NULL, err);
    }
    if (!onnx_cache_keep(temporary, cached, &ignored)) {
        unlink(temporary);
        log_debug("onnx: %s is not cached: %s", s->label, ignored.text);
    }
    return true;
}

static bool create_on_best(struct onnx_session *s, const char *path, const char *cached, const struct onnx_session_options *options, struct err *err)
{
    static const char *const only_cpu[] = { "cpu", NULL };
    char why[320] = "";
    bool is_loud = options->is_wish;
    for (const char *const *word = options->providers ? options->providers : only_cpu; *word; word++) {
        struct err one = { 0 };
        const struct provider *p = find_provider(*word);
        if (p == &providers[0])
            break;
        if (!p)
            err_set(&one, ERR_UNSUPPORTED, "unknown");
        else if (!onnx_names_provider(s->o, p->ort_name))
            err_set(&one, ERR_UNSUPPORTED, "not in this library");
        else if (create(s, path, p, OPTIMISE_ALL, NULL, options->cache_dir, &one)) {
            snprintf(s->provider, sizeof s->provider, "%s", p->word);
            log_line(why[0] && is_loud ? LOG_WARN : LOG_INFO, "onnx: %s runs on %s%s", s->label, p->word, why);
            return true;
        } else
            is_loud = true; /* it should have been there */
        const size_t n = strlen(why);
        const char *colon = strncmp(one.text, "OrtSessionOptions", 17) == 0 ? strstr(one.text, ": ") : NULL; /* the name of its function */
        snprintf(why + n, sizeof why - n, "%s%s: %.60s", n ? "; " : ", not on ", *word, colon ? colon + 2 : one.text);
    }
    snprintf(s->provider, sizeof s->provider, "cpu");
    if (!create_on_cpu(s, path, cached, err))
        return false;
    log_line(!why[0] ? LOG_DEBUG : is_loud ? LOG_WARN : LOG_INFO, "onnx: %s runs on cpu%s", s->label, why);
    return true;
}

/* ---- description ---- */

static bool describe_tensor(struct onnx_session *s, const struct ort_tensor_info *info, struct tensor *t, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    int type = 0;
    size_t rank = 0;
    if (!ort_good(a, a->element_type(info, &type), ERR_NONE, err) || !ort_good(a, a->rank(info, &rank), ERR_NONE, err))
        return false;
    if (!tensor_type_find_onnx(type, &t->type))
        return err_set(err, ERR_UNSUPPORTED, "%s has element type %d, which we do not read", t->name, type);
    if (rank > TENSOR_DIMS_MAX)
        return err_set(err, ERR_UNSUPPORTED, "%s has %zu dimensions, at most %d are read", t->name, rank, TENSOR_DIMS_MAX);
    t->n_dims = (int)rank;
    if (rank && !ort_good(a, a->dims(info, t->dims, rank), ERR_NONE, err))
        return false;
    return true;
}

static bool describe_one(struct onnx_session *s, struct onnx_io *io, size_t i, bool is_input, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    struct ort_type_info *type = NULL;
    const struct ort_tensor_info *info = NULL;
    char *name = NULL;
    if (!ort_good(a, is_input ? a->input_name(s->session, i, s->o->allocator, &name) : a->output_name(s->session, i, s->o->allocator, &name),
                  ERR_NONE, err))
        return false;
    io->info.name = strdup(name);
    ort_ignore(a, a->allocator_free(s->o->allocator, name));
    if (!io->info.name)
        return err_set(err, ERR_NOMEM, "out of memory");
    bool good = ort_good(a, is_input ? a->input_type(s->session, i, &type) : a->output_type(s->session, i, &type), ERR_NONE, err) &&
                ort_good(a, a->as_tensor_info(type, &info), ERR_NONE, err);
    if (good && !info)
        good = err_set(err, ERR_UNSUPPORTED, "%s is no tensor (a sequence or map), which we do not read", io->info.name);
    good = good && describe_tensor(s, info, &io->info, err);
    if (type)
        a->release_type_info(type);
    for (int d = 0; d < io->info.n_dims; d++)
        io->is_free = io->is_free || io->info.dims[d] < 0;
    io->now = io->info;
    return good;
}

static struct onnx_io *describe_all(struct onnx_session *s, bool is_input, int *n_out, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    size_t n = 0;
    if (!ort_good(a, is_input ? a->input_count(s->session, &n) : a->output_count(s->session, &n), ERR_NONE, err))
        return NULL;
    if (n > IO_MAX)
        return err_null(err, ERR_UNSUPPORTED, "%zu %s, at most %d are read", n, is_input ? "inputs" : "outputs", IO_MAX);
    struct onnx_io *io = calloc(n ? n : 1, sizeof *io);
    if (!io)
        return err_null(err, ERR_NOMEM, "out of memory");
    *n_out = (int)n;
    return io;
}

static bool describe(struct onnx_session *s, struct err *err)
{
    if (!(s->inputs = describe_all(s, true, &s->n_inputs, err)) || !(s->outputs = describe_all(s, false, &s->n_outputs, err)))
        return false;
    for (int i = 0; i < s->n_inputs; i++)
        if (!describe_one(s, &s->inputs[i], (size_t)i, true, err))
            return false;
    for (int i = 0; i < s->n_outputs; i++)
        if (!describe_one(s, &s->outputs[i], (size_t)i, false, err))
            return false;
    return true;
}

/* All fixed inputs get their buffers, all outputs are left to the library: the session can run. */
static bool bind_all(struct onnx_session *s, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    if (!ort_good(a, a->create_binding(s->session, &s->binding), ERR_NONE, err) ||
        !ort_good(a, a->create_run_options(&s->run_options), ERR_NONE, err))
        return false;
    for (int i = 0; i < s->n_outputs; i++)
        if (!ort_good(a, a->bind_output_to_device(s->binding, s->outputs[i].info.name, s->o->cpu_memory), ERR_NONE, err))
            return false;
    for (int i = 0; i < s->n_inputs; i++) {
        const struct tensor *t = &s->inputs[i].info;
        if (!s->inputs[i].is_free && t->type != TENSOR_STRING && !onnx_set_dims(s, i, t->dims, t->n_dims, err))
            return false;
    }
    return true;
}

struct onnx_session *onnx_session_open(struct onnx *o, const char *path, const struct onnx_session_options *options, struct err *err)
{
    static const struct onnx_session_options defaults = { 0 };
    struct onnx_facts facts;
    char cached[ONNX_PATH_MAX] = "";
    if (!options)
        options = &defaults;
    if (!onnx_check_facts(path, 0, &facts, err))
        return NULL;
    struct onnx_session *s = calloc(1, sizeof *s);
    if (!s)
        return err_null(err, ERR_NOMEM, "%s: out of memory", path);
    const char *slash = strrchr(path, '/');
    snprintf(s->label, sizeof s->label, "%.63s", slash ? slash + 1 : path);
    s->o = o;
    s->max_tensor_bytes = options->max_tensor_bytes ? options->max_tensor_bytes : (size_t)1 << 30;
    if (!facts.has_external_data) /* the optimised file would hold all of it once more, or point nowhere */
        onnx_cache_path(o, path, facts.hash, options->cache_dir, cached);
    if (!create_on_best(s, path, cached, options, err) || !describe(s, err) || !bind_all(s, err)) {
        err_prefix(err, "%s", s->label);
        onnx_session_close(s);
        return NULL;
    }
    return s;
}

static void close_io(struct onnx_session *s, struct onnx_io *io, int n)
{
    for (int i = 0; io && i < n; i++) {
        free((char *)io[i].info.name);
        free(io[i].own);
        if (io[i].value)
            s->o->api.release_value(io[i].value);
    }
    free(io);
}

void onnx_session_close(struct onnx_session *s)
{
    if (!s)
        return;
    const struct ort_api *a = &s->o->api;
    if (s->binding)
        a->release_binding(s->binding);
    close_io(s, s->inputs, s->n_inputs);
    close_io(s, s->outputs, s->n_outputs);
    if (s->run_options)
        a->release_run_options(s->run_options);
    if (s->session)
        a->release_session(s->session);
    free(s);
}

const char *onnx_provider(const struct onnx_session *s) { return s->provider; }
bool onnx_from_cache(const struct onnx_session *s) { return s->from_cache; }
int onnx_n_inputs(const struct onnx_session *s) { return s->n_inputs; }
int onnx_n_outputs(const struct onnx_session *s) { return s->n_outputs; }
const struct tensor *onnx_input_info(const struct onnx_session *s, int i) { return &s->inputs[i].info; }
const struct tensor *onnx_output_info(const struct onnx_session *s, int i) { return &s->outputs[i].info; }

static int find_io(const struct onnx_io *io, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(io[i].info.name, name) == 0)
            return i;
    return -1;
}

int onnx_find_input(const struct onnx_session *s, const char *name) { return find_io(s->inputs, s->n_inputs, name); }
int onnx_find_output(const struct onnx_session *s, const char *name) { return find_io(s->outputs, s->n_outputs, name); }
