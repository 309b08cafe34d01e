/* tests/catalog/test_choose.c - the seeds' chooser: runtime, size, threads and the line that starts it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "catalog/choose.h"
#include "test.h"

static struct catalog *cat;
static struct runtime_host host;

/* The first choice as "runtime | precision | launch line"; "!" when there is none. */
static const char *choose(const char *on, const char *task, double params_b, double mem_gb, const char *os)
{
    static char out[1024];
    struct err err = { 0 };
    const struct catalog_row *rows[16];
    struct runtime_values values = { .model = "m.gguf" };
    struct buf b;
    catalog_free(cat);
    cat = catalog_new(NULL, &err);
    const struct catalog_table *t = cat ? catalog_table(cat, "runtime", &err) : NULL;
    const struct catalog_row *hardware = t ? catalog_find_in(cat, "gpu soc cpu phone accelerator", on, &err) : NULL;
    if (!hardware) {
        snprintf(out, sizeof(out), "!%s", err.text);
        return out;
    }
    const struct runtime_wish wish = { .task = task, .params_b = params_b };
    runtime_host_of(hardware, &host);
    host.os = os ? os : host.os;
    host.mem_gb = isnan(mem_gb) ? host.mem_gb : mem_gb;
    if (!runtime_choose(t, &host, &wish, rows, 16))
        return "!";
    buf_init(&b, 4096);
    if (!runtime_launch_line(rows[0], &host, &values, &b, &err))
        printf("# %s\n", err.text);
    snprintf(out, sizeof(out), "%s | %s | %s", catalog_text(rows[0], "runtime"), catalog_text(rows[0], "precision"), b.len ? b.data : "");
    buf_fini(&b);
    return out;
}
#define CHOOSES(on, task, params, part)                                                                                                              \
    do {                                                                                                                                             \
        const char *got = choose(on, task, params, NAN, NULL);                                                                                       \
        CHECK(strstr(got, part), "%s %s: %s", on, task, got);                                                                                        \
    } while (0)

TEST(an_llm_gets_the_runtime_of_its_hardware)
{
    CHOOSES("h100 sxm", "llm", 8, "TensorRT-LLM | FP16");
    CHOOSES("rtx 3060 12gb", "llm", 8, "llama.cpp CUDA | Q4_K_M"); /* seed error 003-02: 16 bits do not fit */
    CHOOSES("rtx 4070", "llm", 8, "llama.cpp CUDA | Q4_K_M");
    CHOOSES("rx 7900 xtx", "llm", 8, "llama.cpp ROCm | Q4_K_M");
    CHOOSES("m3 max 40", "llm", 8, "llama.cpp Metal | Q4_K_M");
    CHOOSES("m3 max 40", "llm", 1, "MLX");
    CHOOSES("epyc 9354", "llm", 8, "tutti | Q4_K_M | tutti serve m.gguf --ctx 8192 --parallel 4 --threads 32 ");
    CHOOSES("jetson agx orin 64gb", "llm", 8, "llama.cpp CUDA | Q4_K_M");
    CHOOSES("jetson orin nano super", "llm", 8, "llama.cpp CUDA | Q4_K_M"); /* 003-01 */
    CHOOSES("jetson nano", "llm", 1, "llama.cpp CUDA | Q3_K_M");
    CHOOSES("raspberry pi 5", "llm", 0, "tutti | Q4_K_M or Q3_K_M | tutti serve m.gguf --ctx 4096 --parallel 1 --threads 4 "); /* 003-13 */
    CHOOSES("raspberry pi 4b", "llm", 1, "--threads 3 ");
    CHOOSES("rk3588 npu", "llm", 1, "RKLLM");
    CHOOSES("coral usb", "llm", 1, "!"); /* 001-27 */
    CHOOSES("galaxy s24", "llm", 3, "QNN");
}

TEST(sixteen_bits_are_advised_only_where_they_fit)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    const struct catalog_table *t = c ? catalog_table(c, "runtime", &err) : NULL;
    REQUIRE(t, "%s", err.text);
    for (int i = 0; i < catalog_n_rows(t); i++) {
        const struct catalog_row *r = catalog_row(t, i);
        if (strcmp(catalog_text(r, "size"), "8b") == 0 && strncmp(catalog_text(r, "precision"), "FP16", 4) == 0)
            CHECK(catalog_number_or(r, "min_mem_gb", 0) >= 16.1, "%s", catalog_name(r));
    }
    catalog_free(c);
}

TEST(vision_and_speech)
{
    CHOOSES("rtx 4090", "vision", 0, "TensorRT | FP16 or INT8 | tritonserver");
    CHOOSES("rtx 4090", "stt", 0, "whisper.cpp CUDA"); /* 003-04: no TensorRT-Audio */
    CHOOSES("coral usb", "vision", 0, "libedgetpu");
    CHOOSES("ncs2", "vision", 0, "OpenVINO 2022.3"); /* 003-08 */
    CHOOSES("m2 ultra 60", "vision", 0, "Core ML");
    CHOOSES("core ultra 7 155h", "vision", 0, "OpenVINO | INT8");
    CHOOSES("rx 7800 xt", "vision", 0, "MIGraphX");
    CHECK(strstr(choose("rx 7800 xt", "vision", 0, NAN, "windows"), "DirectML"), "003-10: no MIGraphX there");
    CHECK(choose("rx 7800 xt", "vision", 0, NAN, "plan9")[0] == '!');
    CHECK(strstr(choose("rx 7800 xt", "llm", 1, NAN, "web"), "WebGPU"));
    CHOOSES("galaxy s24", "vision", 0, "LiteRT"); /* 003-09 */
}

TEST(every_task_has_an_answer_on_every_gpu_and_cpu)
{
    static const char *const tasks[] = { "llm", "vision", "stt", "tts" };
    static const char *const tables[] = { "gpu", "cpu", "soc" };
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    REQUIRE(c);
    const struct catalog_table *runtimes = catalog_table(c, "runtime", &err);
    for (size_t t = 0; t < 3; t++) {
        const struct catalog_table *table = catalog_table(c, tables[t], &err);
        REQUIRE(table && runtimes, "%s", err.text);
        for (int i = 0; i < catalog_n_rows(table); i++)
            for (size_t k = 0; k < 4; k++) {
                const struct catalog_row *rows[16];
                const struct runtime_wish wish = { .task = tasks[k] };
                struct runtime_host h;
                struct buf b;
                runtime_host_of(catalog_row(table, i), &h);
                const int n = runtime_choose(runtimes, &h, &wish, rows, 16);
                CHECK(n > 0 || h.mem_gb < 4, "%s %s", h.name, tasks[k]);
                for (int r = 0; r < n; r++) { /* all placeholders are known ones */
                    buf_init(&b, 4096);
                    CHECK(runtime_launch_line(rows[r], &h, &(struct runtime_values){ .model = "m" }, &b, &err) &&
                              runtime_expand(rows[r], &h, &(struct runtime_values){ .model = "m" }, catalog_text(rows[r], "prepare"), &b, &err),
                          "%s", err.text);
                    CHECK(!b.len || !strchr(b.data, '{'), "%s", b.data);
                    buf_fini(&b);
                }
            }
    }
    catalog_free(c);
}

TEST(a_name_is_quoted_for_the_shell)
{
    struct err err = { 0 };
    struct buf b;
    CHECK(choose("rtx 4090", "llm", 8, NAN, NULL)[0] != '!');
    const struct catalog_table *t = catalog_table(cat, "runtime", &err);
    static const char *const names[][2] = { { "a b.gguf", "'a b.gguf'" }, { "x;rm -rf y", "'x;rm -rf y'" }, { "it's", "'it'\\''s'" }, { "-x", "./'-x'" }, { "", "''" } };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        buf_init(&b, 4096);
        CHECK(runtime_expand(catalog_row(t, 0), &host, &(struct runtime_values){ .model = names[i][0] }, "{model}", &b, &err));
        CHECK(b.data && strcmp(b.data, names[i][1]) == 0, "%s", b.data ? b.data : "");
        buf_fini(&b);
    }
    buf_init(&b, 4096);
    CHECK(!runtime_expand(catalog_row(t, 0), &host, &(struct runtime_values){ .model = "m" }, "x {nonsense}", &b, &err) && strstr(err.text, "no placeholder {nonsense}"));
    buf_fini(&b);
    buf_init(&b, 4096);
    CHECK(runtime_expand(catalog_row(t, 0), &host, &(struct runtime_values){ .model = "m" }, "{} { {X} {open", &b, &err) && strcmp(b.data, "{} { {X} {open") == 0);
    buf_fini(&b);
}
