/* onnx/library.c - where ONNX Runtime's library may lie; start reading at onnx_find_library(). */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx/onnx.h"

#if defined(__aarch64__)
#define NPM_CPU "arm64"
#else
#define NPM_CPU "x64"
#endif
#define NPM_FILE "node_modules/onnxruntime-node/bin/napi-v%d/linux/" NPM_CPU "/libonnxruntime.so.1"
#define HOW_TO_GET "get it with: npm i --ignore-scripts onnxruntime-node@1.27.0 (beside the program, in the working directory or in ~/.local/share/tutti), or set TUTTI_ORT to a libonnxruntime.so"

static void copy_env(const char *name, char out[ONNX_PATH_MAX])
{
    const char *text = getenv(name);
    out[0] = '\0';
    if (text && strlen(text) < ONNX_PATH_MAX)
        memcpy(out, text, strlen(text) + 1);
}

void onnx_places_here(struct onnx_places *p, char text[4 * ONNX_PATH_MAX])
{
    char *env = text, *program = text + ONNX_PATH_MAX, *cwd = program + ONNX_PATH_MAX, *home = cwd + ONNX_PATH_MAX;
    char *slash;
    copy_env("TUTTI_ORT", env);
    const ssize_t n = readlink("/proc/self/exe", program, ONNX_PATH_MAX - 1);
    program[n > 0 ? n : 0] = '\0';
    if ((slash = strrchr(program, '/')))
        *slash = '\0';
    if (!getcwd(cwd, ONNX_PATH_MAX))
        cwd[0] = '\0';
    copy_env("XDG_DATA_HOME", home);
    if (home[0] != '/') { /* the XDG specification: relative paths are not valid */
        const char *user = getenv("HOME");
        const int w = user && user[0] ? snprintf(home, ONNX_PATH_MAX, "%s/.local/share", user) : 0;
        if (w <= 0 || w >= ONNX_PATH_MAX)
            home[0] = '\0';
    }
    *p = (struct onnx_places){ .env = env, .program_dir = program, .cwd = cwd, .data_home = home, .system = true };
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0;
}

/* npm's package below dir/sub; newest layout first. */
static bool in_npm(const char *dir, const char *sub, char path[ONNX_PATH_MAX])
{
    for (int v = 6; dir && dir[0] && v >= 3; v--) {
        const int n = snprintf(path, ONNX_PATH_MAX, "%s/%s" NPM_FILE, dir, sub, v);
        if (n > 0 && n < ONNX_PATH_MAX && is_file(path))
            return true;
    }
    return false;
}

static bool named(const char *file, const char *who, char path[ONNX_PATH_MAX], struct err *err)
{
    const int n = snprintf(path, ONNX_PATH_MAX, "%s", file);
    if (n < ONNX_PATH_MAX && !strchr(file, '/'))
        return true; /* a soname: the dynamic linker says */
    if (n >= ONNX_PATH_MAX || !is_file(path))
        return err_set(err, ERR_NOT_FOUND, "ONNX Runtime: %s says %.120s, which is no readable file", who, file);
    return true;
}

bool onnx_find_library(const struct onnx_places *where, char path[ONNX_PATH_MAX], struct err *err)
{
    static const char *const sonames[] = { "libonnxruntime.so.1", "libonnxruntime.so.1.27.0", "libonnxruntime.so" };
    if (where->file && where->file[0])
        return named(where->file, "the configuration (or TUTTI_ORT)", path, err);
    if (where->env && where->env[0])
        return named(where->env, "TUTTI_ORT", path, err);
    if (in_npm(where->program_dir, "", path) || in_npm(where->program_dir, "../lib/", path) || in_npm(where->cwd, "", path) ||
        in_npm(where->data_home, "tutti/", path))
        return true;
    for (size_t i = 0; where->system && i < sizeof(sonames) / sizeof(*sonames); i++) {
        /* Loading is the only way to learn whether the linker knows it.  It is wanted in a moment anyway. */
        setenv("ORT_DISABLE_TELEMETRY", "1", 1);
        if (dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL)) {
            snprintf(path, ONNX_PATH_MAX, "%s", sonames[i]);
            return true;
        }
    }
    path[0] = '\0';
    return err_set(err, ERR_NOT_FOUND, "ONNX Runtime is not here: " HOW_TO_GET);
}
