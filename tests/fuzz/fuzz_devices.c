/* tests/fuzz/fuzz_devices.c - rules for devices, and messages of a kubelet: never a crash, nothing unbounded.
 * The first byte chooses: 'r' rules, 'a' AllocateRequest, 'p' PreferredAllocationRequest. */
#include "cluster/devices.h"
#include "fuzz.h"
#include "wire/kubelet_pb.h"

/* libfyaml 0.7.12 forgets a token's text after some errors: bounded by the document, not ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfyaml\n"; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct device_rules rules;
    struct kubelet_container *list;
    struct err err = { 0 };
    int n_list = 0;
    if (n == 0)
        return 0;
    if (data[0] == 'r') {
        rules.n = 0;
        if (device_rules_parse(&rules, "fuzz.yaml", (const char *)data + 1, n - 1, &err) && (rules.n < 0 || rules.n > DEVICE_RULES_MAX))
            __builtin_trap();
        return 0;
    }
    struct arena *a = arena_new(1 << 20, &err);
    if (a && (data[0] == 'a' ? kubelet_pb_read_allocate : kubelet_pb_read_preferred)(&list, &n_list, data + 1, n - 1, a, &err))
        for (int i = 0; i < n_list; i++)
            for (int k = 0; k < list[i].n_ids; k++)
                if (list[i].ids[k][0] == 1) /* reads each */
                    n_list += 0;
    arena_free(a);
    return 0;
}
