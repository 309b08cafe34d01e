/* tests/hw/test_gpu_nvml.c - NVML and nvidia-smi: what they say, what they leave out, and when they hang or crash.
 *
 * This program is its own libnvidia-ml: it exports the functions (linked with -rdynamic) and "" names the program itself. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "hw/gpu_internal.h"
#include "test.h"

/* The machine of which the fake speaks; set before nvml_ask() forks. */
static struct { int n, init; bool hangs, crashes, is_unified; unsigned long long why_slow; } fake;

int nvmlInit_v2(void);
int nvmlDeviceGetCount_v2(unsigned *n);
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d);
int nvmlSystemGetDriverVersion(char *text, unsigned size);
int nvmlSystemGetCudaDriverVersion_v2(int *version);
int nvmlDeviceGetName(void *d, char *text, unsigned size);
int nvmlDeviceGetPciInfo_v3(void *d, void *info);
int nvmlDeviceGetMemoryInfo(void *d, unsigned long long *memory);
int nvmlDeviceGetCudaComputeCapability(void *d, int *major, int *minor);
int nvmlDeviceGetPowerManagementLimit(void *d, unsigned *mw);
int nvmlDeviceGetPersistenceMode(void *d, unsigned *on);
int nvmlDeviceGetCurrPcieLinkGeneration(void *d, unsigned *gen);
int nvmlDeviceGetMaxPcieLinkWidth(void *d, unsigned *width);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *why);

int nvmlInit_v2(void)
{
    if (fake.crashes)
        abort();
    while (fake.hangs)
        pause();
    return fake.init;
}
int nvmlDeviceGetCount_v2(unsigned *n) { return *n = (unsigned)fake.n, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { return *d = (char *)&fake + i, 0; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { return snprintf(text, size, "550.54.15"), 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { return *version = 12040, 0; }
int nvmlDeviceGetName(void *d, char *text, unsigned size)
{
    return snprintf(text, size, "%s", fake.is_unified ? "NVIDIA GB10" : d == (void *)&fake ? "NVIDIA GeForce RTX 4090" : "NVIDIA GeForce RTX 3090"), 0;
}
int nvmlDeviceGetPciInfo_v3(void *d, void *info)
{
    const unsigned ids[5] = { 0, 0, 0, 0x268410de, 0 };
    memcpy((char *)info + 16, ids, sizeof(ids));
    sprintf((char *)info + 36, "00000000:0%X:00.0", (unsigned)(1 + ((char *)d - (char *)&fake)));
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *d, unsigned long long *memory)
{
    (void)d;
    if (fake.is_unified)
        return 3; /* NVML_ERROR_NOT_SUPPORTED */
    memory[0] = 24564ull << 20, memory[1] = 24000ull << 20, memory[2] = 564ull << 20;
    return 0;
}
int nvmlDeviceGetCudaComputeCapability(void *d, int *major, int *minor) { (void)d; return *major = 8, *minor = 9, 0; }
int nvmlDeviceGetPowerManagementLimit(void *d, unsigned *mw) { (void)d; return *mw = 450000, 0; }
int nvmlDeviceGetPersistenceMode(void *d, unsigned *on) { (void)d; return *on = 0, 0; }
int nvmlDeviceGetCurrPcieLinkGeneration(void *d, unsigned *gen) { (void)d; return *gen = 4, 0; }
int nvmlDeviceGetMaxPcieLinkWidth(void *d, unsigned *width) { (void)d; return *width = 16, 0; }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *why) { (void)d; return *why = fake.why_slow, 0; }

enum { PATIENT_MS = 20000 };
static struct nvidia_answer a;

TEST(nvml_tells_all_that_the_library_has)
{
    fake.n = 2, fake.why_slow = 0x20;
    REQUIRE(nvml_ask("", PATIENT_MS, &a), "%s", a.why_not);
    REQUIRE(a.n == 2);
    const struct hw_gpu *g = &a.gpus[0];
    CHECK(strcmp(g->name, "NVIDIA GeForce RTX 4090") == 0 && strcmp(g->name_source, "nvml") == 0, "%s", g->name);
    CHECK(strcmp(g->pci_address, "0000:01:00.0") == 0 && g->pci_vendor == 0x10de && g->pci_device == 0x2684, "%s", g->pci_address);
    CHECK(g->vram_bytes == 24564ll << 20 && g->vram_used_bytes == 564ll << 20);
    CHECK(g->compute_major == 8 && g->compute_minor == 9 && strcmp(g->driver_version, "550.54.15") == 0 && strcmp(g->cuda_version, "12.4") == 0);
    CHECK(g->power_limit_w == 450 && g->power_default_w == 0 && g->link_gen == 4 && g->link_width_max == 16 && g->link_width == 0);
    CHECK(g->persistence == HW_NO && g->ecc == HW_UNKNOWN && g->throttled == HW_YES && strcmp(g->throttle_reason, "heat") == 0);
    CHECK(strcmp(a.gpus[1].pci_address, "0000:02:00.0") == 0 && strcmp(a.gpus[1].name, "NVIDIA GeForce RTX 3090") == 0);
}

TEST(memory_that_is_not_supported_means_unified)
{
    fake.n = 1, fake.is_unified = true;
    REQUIRE(nvml_ask("", PATIENT_MS, &a) && a.n == 1);
    CHECK(a.gpus[0].is_unified == HW_YES && a.gpus[0].vram_bytes == 0 && a.gpus[0].kind == HW_GPU_INTEGRATED);
}

TEST(a_missing_failing_crashing_or_hanging_library_is_an_answer_too)
{
    CHECK(!nvml_ask("/nonexistent/libnvidia-ml.so.1", PATIENT_MS, &a) && strstr(a.why_not, "no NVML") && a.n == 0 && !a.is_late, "%s", a.why_not);
    fake.init = 9; /* NVML_ERROR_DRIVER_NOT_LOADED */
    CHECK(!nvml_ask("", PATIENT_MS, &a) && strstr(a.why_not, "error 9") && a.n == 0, "%s", a.why_not);
    fake.crashes = true;
    CHECK(!nvml_ask("", PATIENT_MS, &a) && strstr(a.why_not, "crashed") && !a.is_late, "%s", a.why_not);
    fake.crashes = false, fake.hangs = true;
    CHECK(!nvml_ask("", 100, &a) && a.is_late && a.n == 0, "%s", a.why_not);
}

static const char *script(const char *name, const char *body)
{
    const char *path = test_tmp(name);
    FILE *f = fopen(path, "w");
    fprintf(f, "#!/bin/sh\n%s\n", body);
    fclose(f);
    chmod(path, 0755);
    return path;
}

TEST(nvidia_smi_answers_where_there_is_no_library)
{
    const char *smi = script("smi", "case $1 in --query*) echo '00000000:01:00.0, NVIDIA GeForce RTX 3060, 12288, 300, 535.129.03, 94.06.14.00.0A, 170.00, 170.00, 212.00, 15.21, 41, 1, 4, 16, 16, 210, 2100, Disabled, [N/A], 8.6';;\n"
                                    "*) echo '| NVIDIA-SMI 535.129.03   Driver Version: 535.129.03   CUDA Version: 12.2     |';; esac");
    REQUIRE(smi_ask(smi, PATIENT_MS, &a), "%s", a.why_not);
    const struct hw_gpu *g = &a.gpus[0];
    CHECK(a.n == 1 && strcmp(g->name, "NVIDIA GeForce RTX 3060") == 0 && g->vram_bytes == 12288ll << 20 && strcmp(g->pci_address, "0000:01:00.0") == 0);
    CHECK(g->compute_major == 8 && g->compute_minor == 6 && g->power_max_w == 212 && g->link_gen == 1 && g->link_gen_max == 4 && g->clock_max_mhz == 2100);
    CHECK(g->persistence == HW_NO && g->ecc == HW_UNKNOWN && strcmp(g->cuda_version, "12.2") == 0 && strcmp(g->driver_version, "535.129.03") == 0);
}

TEST(an_old_nvidia_smi_is_asked_without_compute_cap)
{
    const char *smi = script("smi", "case $1 in *compute_cap*) echo 'Field \"compute_cap\" is not a valid field to query.'; exit 2;;\n"
                                    "--query*) echo '00000000:05:00.0, Tesla K80, 11441, 0, 470.82.01, 80.21.1F.00.01, 149.00, 149.00, 175.00, 26.01, 35, 3, 3, 16, 16, 324, 875, Enabled, Enabled';; esac");
    REQUIRE(smi_ask(smi, PATIENT_MS, &a), "%s", a.why_not);
    CHECK(a.n == 1 && strcmp(a.gpus[0].name, "Tesla K80") == 0 && a.gpus[0].compute_major == 0 && a.gpus[0].persistence == HW_YES && a.gpus[0].ecc == HW_YES);
}

TEST(an_nvidia_smi_that_hangs_fails_or_is_absent_is_left)
{
    CHECK(!smi_ask(script("smi", "sleep 600"), 200, &a) && a.is_late && a.n == 0);
    CHECK(!smi_ask(script("smi", "echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9"), PATIENT_MS, &a) && a.n == 0 && !a.is_late);
    CHECK(!smi_ask("/nonexistent/nvidia-smi", PATIENT_MS, &a) && a.n == 0 && a.why_not[0]);
}

TEST(what_nvidia_smi_does_not_know_stays_unknown)
{
    static const struct { const char *text; int n; long long vram_mib; enum hw_yesno unified; const char *comment; } cases[] = {
        { "0000000F:01:00.0, NVIDIA GB10, [N/A], [N/A], 580.95.05, 9A.0B, [N/A], [N/A], [N/A], 4.1, 38, 1, 5, 1, 16, 208, 3003, Disabled, [N/A], 12.1", 1, 0, HW_YES, "DGX Spark" },
        { "N/A, Orin (nvgpu), [N/A], [N/A], 540.4.0, [N/A], [N/A], [N/A], [N/A], [N/A], [N/A], [N/A], [N/A], [N/A], [N/A], [N/A], [N/A], [N/A], [N/A], [N/A]", 0, 0, 0, "Jetson: no PCI address; hw/jetson.c knows it" },
        { "00000000:01:00.0, X, [Not Supported], [Not Supported], 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, Enabled, Enabled, 3.0", 1, 0, HW_YES, "older word" },
        { "00000000:01:00.0, X, 1e99, -5, 1, 2, nan, inf, 5, 6, 7, 8, 9, 10, 11, 12, 13, Enabled, Enabled, 99.9", 1, 0, HW_UNKNOWN, "numbers out of range" },
        { "", 0, 0, 0, "nothing" },
        { "00000000:01:00.0", 0, 0, 0, "cut" },
        { "WARNING: infoROM is corrupted\n00000000:01:00.0, X, 100, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, Enabled, Enabled, 7.0\n\n", 1, 100, HW_UNKNOWN, "a warning before" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hw_gpu g[2];
        const int n = smi_parse(cases[i].text, g, 2);
        CHECK(n == cases[i].n, "%s: %d", cases[i].comment, n);
        if (n == 1)
            CHECK(g[0].vram_bytes == cases[i].vram_mib << 20 && g[0].is_unified == cases[i].unified, "%s: %lld", cases[i].comment, (long long)g[0].vram_bytes);
    }
    char version[16] = "";
    CHECK(smi_parse_cuda("CUDA Version        : 12.8\n", version, sizeof(version)) && strcmp(version, "12.8") == 0);
    CHECK(!smi_parse_cuda("| CUDA Version: ERR! |", version, sizeof(version)) && !smi_parse_cuda("", version, sizeof(version)));
}
