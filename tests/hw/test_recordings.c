/* tests/hw/test_recordings.c - real machines of the shared data are read as their recordings' own projects expect. */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "hw/machine.h"
#include "test.h"

static const struct {
    const char *name;
    int performance, efficiency;
    const char *microarch;
    int64_t dram_kb; /* 0: all of MemTotal */
} machines[] = {
    { "dgx-spark-gb10", 10, 10, "Cortex-X925 + Cortex-A725", 0 },
    { "laptop-dell-e4310", 0, 0, "Westmere", 0 },
    { "laptop-intel-hybrid", 6, 8, "Raptor Lake", 0 },
    { "phone-snapdragon-8gen2", 5, 3, "Cortex-X3 + Cortex-A715 + Cortex-A710 + Cortex-A510", 0 },
    { "power9-v100", 0, 0, "POWER9", 358162944 - 6 * 15728640 }, /* six GPUs of 15 GiB are nodes, not RAM */
    { "server-2s-epyc-7451", 0, 0, "Zen 1", 0 },
    { "server-2s-xeon-pmem", 0, 0, "Cascade Lake", 4 * 100663296 }, /* 96 GiB of DRAM cache the rest on each node */
    { "server-4s-xeon-pci", 0, 0, "Westmere", 0 },
    { "vm-virtualbox", 0, 0, "Ivy Bridge", 0 },
    { "x86-linux6.2", 0, 0, "Tiger Lake", 0 },
};

static int number(const json_t *facts, const char *key)
{
    return (int)json_integer_value(json_object_get(facts, key));
}

/* "L2 2048K x 10" */
static bool has_cache(const struct hw_cpu *c, const char *want)
{
    for (int i = 0; i < c->n_caches; i++) {
        char text[64];
        const char kind[2] = { c->caches[i].kind == 'u' ? '\0' : c->caches[i].kind, '\0' };
        snprintf(text, sizeof(text), "L%d%s %lldK x %d", c->caches[i].level, kind, (long long)c->caches[i].size_bytes >> 10, c->caches[i].count);
        if (strcmp(text, want) == 0)
            return true;
    }
    return false;
}

static void check_facts(const char *name, const json_t *facts, const struct hw_machine *m)
{
    size_t i;
    const json_t *v;
    const char *key;
    CHECK(m->cpu.sockets == number(facts, "sockets"), "%s: %d sockets", name, m->cpu.sockets);
    CHECK(m->cpu.cores_physical == number(facts, "cores"), "%s: %d cores", name, m->cpu.cores_physical);
    CHECK(m->cpu.cores_logical == number(facts, "threads"), "%s: %d threads", name, m->cpu.cores_logical);
    if ((v = json_object_get(facts, "model_name")) && strcmp(m->cpu.vendor, "IBM") != 0)
        CHECK(strcmp(m->cpu.model, json_string_value(v)) == 0, "%s: '%s'", name, m->cpu.model);
    json_array_foreach(json_object_get(facts, "caches"), i, v)
        CHECK(has_cache(&m->cpu, json_string_value(v)), "%s: lacks %s", name, json_string_value(v));
    CHECK(m->cpu.n_caches == (int)json_array_size(json_object_get(facts, "caches")), "%s: %d kinds of cache", name, m->cpu.n_caches);
    int max_mhz = 0;
    json_object_foreach(json_object_get(facts, "max_freq_khz"), key, v)
        max_mhz = (atoi(key) + 500) / 1000 > max_mhz ? (atoi(key) + 500) / 1000 : max_mhz;
    CHECK(m->cpu.max_mhz == max_mhz, "%s: %d MHz", name, m->cpu.max_mhz);
    const int64_t total_kb = json_integer_value(json_object_get(facts, "mem_total_kb"));
    if (total_kb > 0) {
        CHECK(m->memory.total_bytes >> 10 == total_kb - (m->memory.gpu_node_bytes >> 10), "%s: %lld kB", name, (long long)m->memory.total_bytes >> 10);
        CHECK(m->memory.n_nodes == number(facts, "numa_nodes"), "%s: %d nodes", name, m->memory.n_nodes);
    }
    const json_t *dmi = json_object_get(facts, "dmi");
    if (dmi) {
        CHECK(strcmp(m->board.vendor, json_string_value(json_object_get(dmi, "sys_vendor"))) == 0, "%s: '%s'", name, m->board.vendor);
        CHECK(strcmp(m->board.product, json_string_value(json_object_get(dmi, "product_name"))) == 0, "%s: '%s'", name, m->board.product);
        CHECK(strcmp(m->board.board, json_string_value(json_object_get(dmi, "board_name"))) == 0, "%s: '%s'", name, m->board.board);
    }
}

TEST(the_recorded_machines_are_read_rightly)
{
    if (access(test_shared("reference/machines/README.md"), R_OK) != 0)
        SKIP("no shared data");
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        char command[2048], path[512], folder[512];
        const char *name = machines[i].name;
        struct err err = { 0 };
        json_error_t bad;
        snprintf(path, sizeof(path), "%s/%s.tar.xz", test_shared("reference/machines"), name);
        snprintf(folder, sizeof(folder), "%s", test_tmp(name));
        snprintf(command, sizeof(command), "mkdir -p '%s' && tar -xJf '%s' -C '%s' 2>/dev/null", folder, path, folder);
        if (system(command) != 0)
            SKIP("tar or xz is not here");
        snprintf(path, sizeof(path), "%s/expected/%s.facts.json", test_shared("reference/machines"), name);
        json_t *facts = json_load_file(path, 0, &bad);
        struct hw_machine *m = hw_detect(folder, &err);
        CHECK(m && facts, "%s: %s", name, err.text);
        if (m && facts) {
            check_facts(name, facts, m);
            CHECK(m->cpu.cores_performance == machines[i].performance && m->cpu.cores_efficiency == machines[i].efficiency, "%s: %d + %d", name,
                  m->cpu.cores_performance, m->cpu.cores_efficiency);
            CHECK(strcmp(m->cpu.microarch, machines[i].microarch) == 0, "%s: '%s'", name, m->cpu.microarch);
            CHECK(m->memory.dram_bytes == (machines[i].dram_kb ? machines[i].dram_kb << 10 : m->memory.total_bytes), "%s: %lld kB", name, (long long)m->memory.dram_bytes >> 10);
            CHECK(!m->is_live && !m->is_cut && m->n_hung == 0);
            CHECK((strcmp(m->board.hypervisor, "virtualbox") == 0) == (strcmp(name, "vm-virtualbox") == 0), "%s: '%s'", name, m->board.hypervisor);
        }
        hw_machine_free(m);
        json_decref(facts);
    }
}

static const struct {
    const char *name, *arch, *vendor, *model;
    int cores, performance, efficiency;
    const char *board;
} texts[] = {
    { "apple-m1", "aarch64", "Apple", "Firestorm (M1) + Icestorm (M1)", 8, 4, 4, "" },
    { "google-tensor-g3", "aarch64", "Arm", "Cortex-X3 + Cortex-A715 + Cortex-A510", 9, 5, 4, "" },
    { "nvidia-gb10", "aarch64", "Arm", "Cortex-X925 + Cortex-A725", 20, 10, 10, "" },
    { "pytorch-galaxy-s9-us", "aarch64", "Qualcomm", "Kryo 3xx Gold + Kryo 3xx Silver", 8, 4, 4, "" },
    { "pytorch-huawei-mate-20", "aarch64", "HiSilicon", "Cortex-A76 (HiSilicon) + Cortex-A55", 8, 4, 4, "" },
    { "pytorch-jetson-tx1", "aarch64", "Arm", "Cortex-A57", 4, 0, 0, "" },
    { "pytorch-pixel-2-xl", "aarch64", "Qualcomm", "Kryo 2xx Gold + Kryo 2xx Silver", 8, 4, 4, "" },
    { "pytorch-raspberrypi2", "armv7l", "Arm", "Cortex-A7", 4, 0, 0, "" },
    { "pytorch-raspberrypi3", "armv7l", "Arm", "Cortex-A53", 4, 0, 0, "" },
    { "qcs6490", "aarch64", "Arm", "Cortex-A78 + Cortex-A55", 8, 4, 4, "" },
    { "raspberry-pi3b", "aarch64", "Arm", "Cortex-A53", 4, 0, 0, "Raspberry Pi 3 Model B Rev 1.2" },
    { "raspberry-pi4", "aarch64", "Arm", "Cortex-A72", 4, 0, 0, "" },
    { "raspberry-pi5", "aarch64", "Arm", "Cortex-A76", 4, 0, 0, "Raspberry Pi 5 Model B Rev 1.0" },
    { "rk3588", "aarch64", "Arm", "Cortex-A76 + Cortex-A55", 8, 4, 4, "" },
    { "rockchip-3576", "aarch64", "Arm", "Cortex-A72 + Cortex-A53", 8, 4, 4, "" },
    { "snapdragon-8-elite", "aarch64", "Qualcomm", "Oryon", 8, 0, 0, "" },
    { "snapdragon-8-gen3", "aarch64", "Arm", "Cortex-X4 + Cortex-A720 + Cortex-A520", 8, 6, 2, "" },
    { "snapdragon-x-elite", "aarch64", "Qualcomm", "Oryon", 12, 0, 0, "" },
    { "tegra-x1-nano", "aarch64", "Arm", "Cortex-A57", 4, 0, 0, "" },
    { "tegra-xavier-agx", "aarch64", "NVIDIA", "Carmel", 8, 0, 0, "" },
};

TEST(a_bare_cpuinfo_text_is_enough_for_names_and_counts)
{
    if (access(test_shared("reference/machines/README.md"), R_OK) != 0)
        SKIP("no shared data");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char command[2048];
        const char *name = texts[i].name, *folder = test_tmp(name);
        struct err err = { 0 };
        snprintf(command, sizeof(command), "mkdir -p '%s/proc' && cp '%s/%s.txt' '%s/proc/cpuinfo'", folder, test_shared("reference/machines/cpuinfo"), name, folder);
        REQUIRE(system(command) == 0, "%s", command);
        struct hw_machine *m = hw_detect(folder, &err);
        REQUIRE(m, "%s", err.text);
        const struct hw_cpu *c = &m->cpu;
        CHECK(strcmp(c->arch, texts[i].arch) == 0 && strcmp(c->vendor, texts[i].vendor) == 0, "%s: '%s' '%s'", name, c->arch, c->vendor);
        CHECK(strcmp(c->model, texts[i].model) == 0, "%s: '%s'", name, c->model);
        CHECK(c->cores_physical == texts[i].cores && c->cores_logical == texts[i].cores && c->sockets == 1, "%s: %d cores", name, c->cores_physical);
        CHECK(c->cores_performance == texts[i].performance && c->cores_efficiency == texts[i].efficiency, "%s: %d + %d", name, c->cores_performance, c->cores_efficiency);
        CHECK(strcmp(m->board.product, texts[i].board) == 0, "%s: '%s'", name, m->board.product);
        if (strcmp(name, "raspberry-pi5") == 0) {
            CHECK(m->board.ram_bytes_by_code == 8ll << 30 && strcmp(m->board.soc, "BCM2712") == 0);
            CHECK(hw_machine_has_isa(m, "dotprod") && !hw_machine_has_isa(m, "i8mm"));
        }
        hw_machine_free(m);
    }
}
