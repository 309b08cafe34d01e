/* task/onnx_rules.c - see onnx_rules.h. */
#include "task/onnx_rules.h"

#include <stdio.h>
#include <string.h>

#include "catalog/catalog.h"

/* A runtime of the table, by the beginning of its name, and the providers that stand on the same vendor's libraries. */
static const struct {
    const char *runtime, *providers;
} known[] = {
    { "MIGraphX", "migraphx" }, { "OpenVINO", "openvino" }, { "ONNX Runtime CPU", "cpu" }, { "TensorRT", "tensorrt,cuda" },
    { "whisper.cpp CUDA", "cuda" }, /* no TensorRT for speech (003-04) */
};

static void add(char *out, size_t max, const char *providers)
{
    const size_t n = strlen(out);
    if (!strstr(out, providers) && n + strlen(providers) + 2 < max)
        snprintf(out + n, max - n, "%s%s", n ? "," : "", providers);
}

void onnx_rules_providers(struct catalog *catalog, const struct runtime_host *host, enum preset_modality m, char *out, size_t max)
{
    enum { ROWS = 8 };
    const struct catalog_row *rows[ROWS];
    const struct runtime_wish wish = { .task = preset_modality_name(m) };
    struct err ignored = { 0 };
    const struct catalog_table *table = catalog && host ? catalog_table(catalog, "runtime", &ignored) : NULL;
    const int n = table ? runtime_choose(table, host, &wish, rows, ROWS) : 0;
    out[0] = '\0';
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof(known) / sizeof(*known); k++)
            if (strncmp(catalog_text(rows[i], "runtime"), known[k].runtime, strlen(known[k].runtime)) == 0)
                add(out, max, known[k].providers);
    add(out, max, "cpu");
}
