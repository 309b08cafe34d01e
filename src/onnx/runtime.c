/* onnx/runtime.c - the library loaded, its table of calls, its environment: one pool of threads, one bounded arena.
 *
 * Start reading at onnx_open().  Why so: ../shared/DEPENDENCIES.md, section 6.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "hw/cpu.h"
#include "onnx/onnx_internal.h"

enum { ORT_WARNING = 2, ORT_ERROR = 3 };

/* ---- errors ---- */

/* ORT writes of several lines, with the places in its source: one line of printable text for us. */
static void one_line(char *out, size_t max, const char *text)
{
    size_t n = 0;
    bool gap = false;
    for (; *text && n + 2 < max; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c <= ' ' || c == 127) {
            gap = n > 0;
            continue;
        }
        if (gap)
            out[n++] = ' ';
        gap = false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
}

static enum err_code code_of(int ort)
{
    switch (ort) {
    case 2: /* bad argument */
    case 4: /* no model */
    case 7: /* bad protobuf */
    case 10: /* bad graph */
        return ERR_INPUT;
    case 3:
        return ERR_NOT_FOUND;
    case 9:
        return ERR_UNSUPPORTED;
    default:
        return ERR_INTERNAL;
    }
}

bool ort_good(const struct ort_api *api, ort_result status, enum err_code code, struct err *err)
{
    char text[sizeof err->text];
    if (!status)
        return true;
    one_line(text, sizeof text, api->get_error_message(status));
    err_set(err, code ? code : code_of(api->get_error_code(status)), "%s", text[0] ? text : "ONNX Runtime gives no reason");
    api->release_status(status);
    return false;
}

void ort_ignore(const struct ort_api *api, ort_result status)
{
    if (status)
        api->release_status(status);
}

static void on_log(void *ctx, int severity, const char *category, const char *id, const char *where, const char *message)
{
    char text[256];
    (void)ctx, (void)category, (void)id, (void)where;
    one_line(text, sizeof text, message ? message : "");
    log_line(severity > ORT_ERROR ? LOG_WARN : LOG_DEBUG, "onnxruntime: %s", text); /* errors come as statuses as well */
}

/* ---- the environment ---- */

static void fill_table(struct ort_api *api, const void *table)
{
    void *const *slots = table;
#define X(name, slot, result, args) memcpy(&api->name, &slots[slot], sizeof(void *));
    ORT_SLOTS(X)
#undef X
}

static bool load_library(struct onnx *o, const char *library, struct err *err)
{
    /* Versions from 1.29 on start an uploader otherwise; their own switch comes too late. */
    setenv("ORT_DISABLE_TELEMETRY", "1", 1);
    void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL); /* never closed: its threads and exit handlers would not survive that */
    if (!lib)
        return err_set(err, ERR_NOT_FOUND, "ONNX Runtime cannot be loaded: %.200s", dlerror());
    const struct ort_api_base *(*get_base)(void);
    void *symbol = dlsym(lib, "OrtGetApiBase");
    if (!symbol)
        return err_set(err, ERR_INPUT, "%.180s is not ONNX Runtime: it has no OrtGetApiBase", library);
    memcpy(&get_base, &symbol, sizeof symbol);
    const struct ort_api_base *base = get_base();
    const void *table = base ? base->get_api(ORT_API_VERSION) : NULL;
    if (!table)
        return err_set(err, ERR_UNSUPPORTED, "ONNX Runtime %.40s is too old: version 1.17 or later is needed",
                       base ? base->get_version() : "?");
    fill_table(&o->api, table);
    snprintf(o->version, sizeof o->version, "%s", base->get_version());
    snprintf(o->library, sizeof o->library, "%s", library);
    return true;
}

static bool make_env(struct onnx *o, struct err *err)
{
    const struct ort_api *a = &o->api;
    struct ort_threading *t = NULL;
    bool good = ort_good(a, a->create_threading(&t), ERR_NOMEM, err) && ort_good(a, a->set_intra_threads(t, o->n_threads), ERR_NONE, err) &&
                ort_good(a, a->set_inter_threads(t, 1), ERR_NONE, err) && ort_good(a, a->set_spin(t, 0), ERR_NONE, err) &&
                ort_good(a, a->create_env(on_log, NULL, ORT_WARNING, "tutti", t, &o->env), ERR_NONE, err) &&
                ort_good(a, a->disable_telemetry(o->env), ERR_NONE, err);
    if (t)
        a->release_threading(t);
    return good;
}

/* One arena for the tensors of all sessions; it grows by what is asked and not beyond the limit. */
static bool make_arena(struct onnx *o, size_t max_bytes, struct err *err)
{
    static const char *const keys[] = { "max_mem", "arena_extend_strategy", "initial_chunk_size_bytes" };
    const size_t values[] = { max_bytes, 1 /* as much as is asked for */, 1 << 18 };
    const struct ort_api *a = &o->api;
    struct ort_arena_cfg *cfg = NULL;
    const bool good = ort_good(a, a->default_allocator(&o->allocator), ERR_NONE, err) &&
                      ort_good(a, a->create_cpu_memory_info(1 /* arena */, 0, &o->cpu_memory), ERR_NONE, err) &&
                      ort_good(a, a->create_arena_cfg(keys, values, 3, &cfg), ERR_NONE, err) &&
                      ort_good(a, a->register_allocator(o->env, o->cpu_memory, cfg), ERR_NONE, err);
    if (cfg)
        a->release_arena_cfg(cfg);
    return good;
}

struct onnx *onnx_open(const char *library, const struct onnx_options *options, struct err *err)
{
    const struct onnx_options defaults = { 0 };
    struct onnx *o = calloc(1, sizeof *o);
    if (!o)
        return err_null(err, ERR_NOMEM, "ONNX Runtime: out of memory");
    if (!options)
        options = &defaults;
    o->n_threads = options->n_threads > 0 ? options->n_threads : cpu_default_threads();
    if (!load_library(o, library, err))
        goto out_free;
    if (!make_env(o, err) || !make_arena(o, options->arena_max_bytes ? options->arena_max_bytes : (size_t)2 << 30, err)) {
        err_prefix(err, "ONNX Runtime %s", o->version);
        goto out_free;
    }
    return o;
out_free:
    onnx_close(o);
    return NULL;
}

void onnx_close(struct onnx *o)
{
    if (!o)
        return;
    if (o->cpu_memory)
        o->api.release_memory_info(o->cpu_memory);
    if (o->env)
        o->api.release_env(o->env);
    free(o);
}

const char *onnx_version(const struct onnx *o) { return o->version; }
int onnx_n_threads(const struct onnx *o) { return o->n_threads; }

bool onnx_names_provider(const struct onnx *o, const char *name)
{
    char **names = NULL;
    int n = 0;
    bool found = false;
    ort_ignore(&o->api, o->api.get_providers(&names, &n));
    for (int i = 0; i < n; i++)
        found = found || strcmp(names[i], name) == 0;
    if (names)
        ort_ignore(&o->api, o->api.release_providers(names, n));
    return found;
}
