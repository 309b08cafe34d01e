/* tests/onnx/test_cache.c - optimised models are kept, taken, and made anew when anything they depend on changed. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "library.h"
#include "write.h"

enum { N = 8 };

/* y = relu(x w + k): something for the optimiser to fuse */
static void write_model(const char *path, float k)
{
    struct onnx_writer w;
    float weights[N * N], bias[N];
    for (int i = 0; i < N * N; i++)
        weights[i] = (float)(i % 7) - 3;
    for (int i = 0; i < N; i++)
        bias[i] = k;
    writer_begin(&w);
    writer_input(&w, "x", 1, (int64_t[]){ 1, N }, 2);
    writer_floats(&w, "w", (int64_t[]){ N, N }, 2, weights);
    writer_floats(&w, "k", (int64_t[]){ N }, 1, bias);
    writer_node(&w, "Gemm", "x w k", "y");
    writer_node(&w, "Relu", "y", "z");
    writer_output(&w, "z", 1, (int64_t[]){ 1, N }, 2);
    writer_save(&w, path);
}

static int count_files(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d)))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

/* Opens, runs with x = 1 and tells whether the cache was used; the outputs in out. */
static bool run_once(struct onnx *o, const char *path, const char *cache, bool *from_cache, float out[N], struct err *err)
{
    struct onnx_session *s = onnx_session_open(o, path, &(struct onnx_session_options){ .cache_dir = cache }, err);
    if (!s)
        return false;
    for (int i = 0; i < N; i++)
        ((float *)onnx_input(s, 0)->data)[i] = 1;
    const bool good = onnx_run(s, err);
    if (good)
        memcpy(out, onnx_output(s, 0)->data, N * sizeof(float));
    *from_cache = onnx_from_cache(s);
    onnx_session_close(s);
    return good;
}

static void set_time(const char *path, long seconds_from_now)
{
    const struct timespec t[2] = { { time(NULL) + seconds_from_now, 0 }, { time(NULL) + seconds_from_now, 0 } };
    utimensat(AT_FDCWD, path, t, 0);
}

TEST(an_optimised_model_is_kept_and_used_until_something_changes)
{
    struct err err = { 0 };
    char model[512], cache[512], dir[560];
    bool hit;
    float plain[N], out[N];
    struct onnx *o = test_onnx(1);
    snprintf(model, sizeof model, "%s", test_tmp("m.onnx"));
    snprintf(cache, sizeof cache, "%s", test_tmp("cache"));
    snprintf(dir, sizeof dir, "%s/onnx", cache);
    write_model(model, 1);
    set_time(model, -1000);
    REQUIRE(run_once(o, model, NULL, &hit, plain, &err), "%s", err.text);
    CHECK(!hit);
    REQUIRE(run_once(o, model, cache, &hit, out, &err), "%s", err.text);
    CHECK(!hit && count_files(dir) == 1, "%d files", count_files(dir));
    REQUIRE(run_once(o, model, cache, &hit, out, &err), "%s", err.text);
    CHECK(hit && memcmp(plain, out, sizeof out) == 0);

    set_time(model, 1000); /* the model is newer than what was made of it */
    REQUIRE(run_once(o, model, cache, &hit, out, &err), "%s", err.text);
    CHECK(!hit);
    set_time(model, -1000);

    write_model(model, 5); /* another content under the same name: the old one goes */
    set_time(model, -1000);
    REQUIRE(run_once(o, model, cache, &hit, out, &err), "%s", err.text);
    CHECK(!hit && memcmp(plain, out, sizeof out) != 0 && count_files(dir) == 1, "%d files", count_files(dir));
    REQUIRE(run_once(o, model, cache, &hit, out, &err), "%s", err.text);
    CHECK(hit);
    onnx_close(o);
}

TEST(a_damaged_or_impossible_cache_does_no_harm)
{
    struct err err = { 0 };
    char model[512], cache[512], dir[560], file[1100] = "";
    bool hit;
    float out[N], again[N];
    struct onnx *o = test_onnx(1);
    snprintf(model, sizeof model, "%s", test_tmp("m.onnx"));
    snprintf(cache, sizeof cache, "%s", test_tmp("cache"));
    snprintf(dir, sizeof dir, "%s/onnx", cache);
    write_model(model, 1);
    set_time(model, -1000);
    REQUIRE(run_once(o, model, cache, &hit, out, &err), "%s", err.text);
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.')
            snprintf(file, sizeof file, "%s/%s", dir, e->d_name);
    closedir(d);
    FILE *f = fopen(file, "wb");
    REQUIRE(f);
    fputs("garbage", f);
    fclose(f);
    REQUIRE(run_once(o, model, cache, &hit, again, &err), "%s", err.text);
    CHECK(!hit && memcmp(out, again, sizeof out) == 0);
    REQUIRE(run_once(o, model, cache, &hit, again, &err), "%s", err.text);
    CHECK(hit, "it was made anew");
    /* a folder that cannot be made: its parent is a file */
    snprintf(dir, sizeof dir, "%s/below", model);
    REQUIRE(run_once(o, model, dir, &hit, again, &err), "%s", err.text);
    CHECK(!hit && memcmp(out, again, sizeof out) == 0);
    onnx_close(o);
}
