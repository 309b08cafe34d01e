/* tests/fuzz/fuzz_hw.c - machines of any content into detection: a tree as text, a tar archive, or a table of SMBIOS structures.
 * First byte: 't' tar, 'd' SMBIOS, else the whole input is a text of hw_root_parse(). */
#include <stdio.h>
#include <stdlib.h>

#include "advise/doctor.h"
#include "cmd/detect_internal.h"
#include "fuzz.h"
#include "hw/memory_internal.h"
#include "hw/record.h"
#include "route/telemetry.h"

static void detect(struct hw_root *r)
{
    static FILE *nowhere;
    struct err err = { 0 };
    const struct hw_names_to_hide hide = { { "host" } };
    const struct advise_bandwidth none = { 0 };
    struct hw_machine *m = NULL;
    struct buf b;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    buf_init(&b, 8 << 20);
    if (hw_record(r, &hide, &b, &m, &err)) {
        buf_clear(&b);
        detect_put_json(&b, m, &none, NULL);
        detect_put_nfd(&b, m);
        detect_put_prometheus(&b, m, &none);
        if (nowhere)
            detect_print(nowhere, m, &none, NULL);
    }
    if (m) {
        static struct doctor_finding findings[128];
        struct doctor_edge edge[DOCTOR_EDGE_ITEMS];
        const struct doctor_facts facts = { .m = m, .precision = "f32", .today = 20261121 };
        hw_mark_model_disk(r, m, "/models");
        const int n = doctor_run(&facts, findings, 128);
        doctor_edge(&facts, edge);
        for (int i = 0; i < n; i++)
            if (!findings[i].what[0] || !findings[i].fix[0])
                abort();
    }
    hw_machine_free(m);
    buf_fini(&b);
}

/* Takes the root over. */
static void feel(struct hw_root *r)
{
    struct err err;
    struct telemetry t;
    struct telemetry_source *s = telemetry_open_root(r, &err);
    for (uint64_t i = 1; s && i <= 2; i++) {
        telemetry_read(s, i * 100000000000u, &t);
        if (t.busy_frac < 0 || t.busy_frac > 1 || t.battery_frac < 0 || t.battery_frac > 1 || t.temperature_c > 150)
            abort();
    }
    telemetry_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    if (size > 0 && data[0] == 'd') {
        struct hw_machine *m = calloc(1, sizeof(*m));
        if (m)
            memory_read_dmi(data + 1, size - 1, m);
        hw_machine_free(m);
        return 0;
    }
    struct hw_root *r = size > 0 && data[0] == 't' ? hw_root_untar(data + 1, size - 1, &err) : hw_root_parse((const char *)data, size, &err);
    if (r) {
        detect(r);
        feel(r);
    }
    return 0;
}
