/* tests/expert/test_server_runtime.c - which runtime a machine has for a model: the table against what is there. */
#include "catalog/catalog.h"
#include "expert/server_internal.h"
#include "hw/machine.h"
#include "test.h"

#include <string.h>
#include <sys/stat.h>

static struct err err;

/* A PATH on which only these programs are. */
static void install(const char *programs)
{
    char dir[512], path[768], word[64];
    snprintf(dir, sizeof(dir), "%s", test_tmp("bin"));
    mkdir(dir, 0755);
    for (int n; sscanf(programs, "%63s%n", word, &n) == 1; programs += n) {
        snprintf(path, sizeof(path), "%s/%s", dir, word);
        FILE *f = fopen(path, "w");
        fputs("#!/bin/sh\n", f);
        fclose(f);
        chmod(path, 0755);
    }
    setenv("PATH", dir, 1);
}

TEST(the_best_runtime_that_is_installed_is_taken)
{
    static const struct {
        const char *gpu, *vendor, *installed, *task, *says, *line; /* says: in runs_on, or in the error when line is NULL */
        double gb;
    } table[] = {
        { "NVIDIA GeForce RTX 4090", "NVIDIA", "llama-server trtllm-serve", "chat", "TensorRT-LLM on NVIDIA", "trtllm-serve ", 24 },
        { "NVIDIA GeForce RTX 4090", "NVIDIA", "llama-server", "chat", "llama.cpp CUDA on NVIDIA", "-ngl 99", 24 },
        { "AMD Radeon RX 7900", "AMD", "llama-server", "chat", "llama.cpp ROCm", "-ngl 99", 20 },
        { "NVIDIA GeForce RTX 4090", "NVIDIA", "ovms", "chat", "OpenVINO on Test CPU", "--target_device CPU", 24 },
        { NULL, NULL, "llama-server", "chat", "llama.cpp CPU on Test CPU", "-ngl 0", 0 },
        { NULL, NULL, "whisper-server", "transcribe", "whisper.cpp", "whisper-server -m", 0 },
        { NULL, NULL, "sh", "chat", "ovms", NULL, 0 },
    };
    char old_path[4096];
    snprintf(old_path, sizeof(old_path), "%s", getenv("PATH") ? getenv("PATH") : "");
    struct catalog *cat = catalog_new(NULL, &err);
    struct hw_machine *m = calloc(1, sizeof(*m));
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct expert_server e = { 0 };
        struct buf line;
        char runs_on[64] = "", rm[600];
        memset(m, 0, sizeof(*m));
        m->memory.total_bytes = (int64_t)64 << 30;
        m->cpu.cores_usable = 8;
        snprintf(m->cpu.model, sizeof(m->cpu.model), "Test CPU");
        if (table[i].gpu) {
            m->n_gpus = 1;
            snprintf(m->gpus[0].name, sizeof(m->gpus[0].name), "%s", table[i].gpu);
            snprintf(m->gpus[0].vendor, sizeof(m->gpus[0].vendor), "%s", table[i].vendor);
            m->gpus[0].vram_bytes = (int64_t)(table[i].gb * 1e9);
        }
        setenv("PATH", old_path, 1);
        snprintf(rm, sizeof(rm), "rm -rf %s", test_tmp("bin"));
        CHECK(system(rm) == 0, "rm");
        install(table[i].installed);
        e.cfg.tasks = strcmp(table[i].task, "chat") == 0 ? EXPERT_CHAT : EXPERT_TRANSCRIBE;
        e.cfg.params_b = strcmp(table[i].task, "chat") == 0 ? 8 : 0;
        snprintf(e.cfg.model_path, sizeof(e.cfg.model_path), "/models/m.gguf");
        buf_init(&line, 8192);
        const bool ok = server_pick_runtime(&e, cat, m, 4711, &line, runs_on, sizeof(runs_on), &err);
        CHECK(ok == (table[i].line != NULL), "%zu: %s", i, err.text);
        if (ok)
            CHECK(strstr(runs_on, table[i].says) && strstr(line.data, table[i].line) && strstr(line.data, "4711") && strstr(line.data, "/models/m.gguf"),
                  "%zu: %s: %s", i, runs_on, line.data);
        else
            CHECK(strstr(err.text, table[i].says) && strstr(err.text, "install"), "%zu: %s", i, err.text);
        buf_fini(&line);
    }
    setenv("PATH", old_path, 1);
    free(m);
    catalog_free(cat);
}

TEST(a_line_is_cut_into_words_as_a_shell_would)
{
    static const struct {
        const char *line, *words; /* joined by '|'; NULL: refused */
    } table[] = { { "a b  c", "a|b|c" }, { "a 'b c' \"d e\"", "a|b c|d e" }, { "a\\ b \"q\\\"q\" 's\\'", "a b|q\"q|s\\" },
                  { "  ", "" }, { "x''y ''", "xy|" }, { "a 'b", NULL }, { "a \"b", NULL } };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct buf b;
        buf_init(&b, 1000);
        const bool ok = server_split(table[i].line, &b, &err);
        CHECK(ok == (table[i].words != NULL), "%s", table[i].line);
        for (size_t k = 0; ok && k + 1 < b.len; k++)
            if (!b.data[k])
                b.data[k] = '|';
        CHECK(!ok || strcmp(b.len ? b.data : "", table[i].words) == 0, "%s: %s", table[i].line, b.data);
        buf_fini(&b);
    }
}
