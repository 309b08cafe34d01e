/* tests/advise/test_preset.c - the row of the very device wins over that of its class, and a name or "none" over the machine. */
#include <stdio.h>
#include <string.h>

#include "advise/preset.h"
#include "test.h"

static struct hw_machine *detect(const char *tree, struct err *err)
{
    const char *path = test_tmp("m.tree");
    FILE *f = fopen(path, "w");
    if (!f)
        return NULL;
    fputs(tree, f);
    fclose(f);
    return hw_detect(path, err);
}

static const char pi5[] = "proc/device-tree/model:= Raspberry Pi 5 Model B Rev 1.0\\0\nproc/device-tree/compatible:= raspberrypi,5-model-b\\0brcm,bcm2712\\0\n"
                          "sys/devices/system/cpu/online: 0-3\nproc/meminfo: <<E\nMemTotal: 8000000 kB\nE\n";
static const char odd_cpu[] = "proc/cpuinfo: <<E\nprocessor: 0\nvendor_id: Nobody\nmodel name: Odd CPU 9\nflags: fpu lm\n\nE\nsys/devices/system/cpu/online: 0\n";

TEST(a_device_has_its_own_row)
{
    struct err err = { 0 };
    struct catalog *cat = catalog_new(NULL, &err);
    struct hw_machine *m = detect(pi5, &err);
    struct task_presets p;
    REQUIRE(cat && m, "%s", err.text);
    REQUIRE(advise_presets(cat, m, NULL, &p, &err), "%s", err.text);
    CHECK(strcmp(p.of[PRESET_VISION].scope, "device") == 0 && strstr(p.of[PRESET_VISION].name, "Raspberry Pi 5"), "%s", p.of[PRESET_VISION].name);
    CHECK(p.of[PRESET_VISION].n_threads == 4 && p.of[PRESET_VISION].n_batch == 8);
    REQUIRE(advise_presets(cat, m, "none", &p, &err));
    CHECK(strcmp(p.of[PRESET_VISION].scope, "generic") == 0 && !p.of[PRESET_VISION].name[0] && p.of[PRESET_VISION].n_threads == 0);
    CHECK(!advise_presets(cat, m, "no such board at all", &p, &err) && strstr(err.text, "preset"), "%s", err.text);
    hw_machine_free(m);
    catalog_free(cat);
}

TEST(an_unknown_cpu_has_the_row_of_its_class_and_a_name_wins)
{
    struct err err = { 0 };
    struct catalog *cat = catalog_new(NULL, &err);
    struct hw_machine *m = detect(odd_cpu, &err);
    struct task_presets p;
    struct buf b;
    REQUIRE(cat && m, "%s", err.text);
    REQUIRE(advise_presets(cat, m, "auto", &p, &err), "%s", err.text);
    CHECK(strcmp(p.of[PRESET_STT].scope, "class") == 0 && strncmp(p.of[PRESET_STT].name, "CPU: STT", 8) == 0, "%s", p.of[PRESET_STT].name);
    REQUIRE(advise_presets(cat, m, "Raspberry Pi 5 8GB", &p, &err) || advise_presets(cat, m, "Raspberry Pi 5", &p, &err), "%s", err.text);
    CHECK(strstr(p.of[PRESET_VISION].name, "Raspberry Pi 5") != NULL, "%s", p.of[PRESET_VISION].name);
    buf_init(&b, 1 << 12);
    advise_put_presets(&b, &p);
    CHECK(b.data && strstr(b.data, "preset vision: Raspberry Pi 5: vision, ONNX Runtime CPU (device), INT8, 4 threads, batches of up to 8\n"), "%s", b.data);
    buf_fini(&b);
    hw_machine_free(m);
    catalog_free(cat);
}

TEST(tasks_belong_to_modalities)
{
    CHECK(preset_modality_of(EXPERT_DETECT) == PRESET_VISION && preset_modality_of(EXPERT_VAD) == PRESET_STT);
    CHECK(preset_modality_of(EXPERT_SPEAK) == PRESET_TTS && preset_modality_of(EXPERT_CHAT) == PRESET_LLM);
}
