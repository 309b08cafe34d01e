/* tests/task/test_onnx_rules.c - rows of data/runtime.csv become execution providers. */
#include <string.h>

#include "catalog/catalog.h"
#include "task/onnx_rules.h"
#include "test.h"

TEST(a_machine_gets_the_providers_of_its_rows_and_the_cpu_last)
{
    static const struct {
        const char *cls, *name, *os;
        double mem_gb;
        enum preset_modality m;
        const char *providers;
    } cases[] = {
        { "nvidia", "GeForce RTX 4090", "linux", 24, PRESET_VISION, "tensorrt,cuda,cpu" },
        { "nvidia", "GeForce RTX 3060", "linux", 12, PRESET_VISION, "tensorrt,cuda,cpu" },
        { "nvidia", "GeForce RTX 4090", "linux", 24, PRESET_STT, "cuda,cpu" },
        { "jetson", "Jetson Orin Nano", "linux", 8, PRESET_VISION, "tensorrt,cuda,cpu" },
        { "amd", "Radeon 780M", "linux", 16, PRESET_VISION, "migraphx,cpu" },
        { "intel-gpu", "Arc A770", "linux", 16, PRESET_VISION, "openvino,cpu" },
        { "soc", "Raspberry Pi 5", "linux", 8, PRESET_VISION, "cpu" },
        { "apple", "M2", "macos", 16, PRESET_VISION, "cpu" },
        { "no such thing", "?", "linux", 1, PRESET_VISION, "cpu" },
    };
    struct err err = { 0 };
    char out[64];
    struct catalog *c = catalog_new(NULL, &err);
    REQUIRE(c, "%s", err.text);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct runtime_host host = { .name = cases[i].name, .alias = "", .cls = cases[i].cls, .os = cases[i].os, .mem_gb = cases[i].mem_gb };
        onnx_rules_providers(c, &host, cases[i].m, out, sizeof out);
        CHECK(strcmp(out, cases[i].providers) == 0, "%s %s: %s, not %s", cases[i].cls, cases[i].name, out, cases[i].providers);
    }
    onnx_rules_providers(NULL, NULL, PRESET_VISION, out, sizeof out);
    CHECK(strcmp(out, "cpu") == 0);
    catalog_free(c);
}
