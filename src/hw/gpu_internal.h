/* hw/gpu_internal.h - the sources from which hw/gpu.c puts the list of GPUs together.
 *
 * Rule:    each says less rather than something wrong; a later source fills in or corrects the entry with the same PCI address.
 */
#ifndef TUTTI_HW_GPU_INTERNAL_H
#define TUTTI_HW_GPU_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>

#include "hw/machine.h"

/* What NVIDIA's library or program answers.  Entries have pci_address, name, driver_version, ...; what was not supported stays 0. */
struct nvidia_answer {
    int n;
    char why_not[96]; /* the source did not answer: "no libnvidia-ml.so.1"; "" it did */
    bool is_late;     /* the driver did not answer in time: asking its other program would hang too */
    struct hw_gpu gpus[HW_GPUS_MAX];
};

/* gpu_nvml.c: through NVML, loaded by `library` (dlopen rules) in a child.  false: see why_not. */
bool nvml_ask(const char *library, int deadline_ms, struct nvidia_answer *a);
/* gpu_smi.c: through `nvidia-smi` (searched on PATH). */
bool smi_ask(const char *program, int deadline_ms, struct nvidia_answer *a);
/* The lines of nvidia-smi --query-gpu=SMI_FIELDS --format=csv,noheader,nounits; returns the number of GPUs. */
int smi_parse(const char *text, struct hw_gpu *gpus, int max);
/* "CUDA Version : 12.4" in the text of nvidia-smi or nvidia-smi --version. */
bool smi_parse_cuda(const char *text, char *version, size_t size);

/* gpu_proc.c: /proc/driver/nvidia: names, driver version, VBIOS, memory that is a NUMA node. */
void nvidia_proc(const struct hw_root *r, struct hw_machine *m);
/* gpu_drm.c: what amdgpu, i915 and xe say in the device's folder. */
void amd_sysfs(const struct hw_root *r, struct hw_gpu *g);
void intel_sysfs(const struct hw_root *r, struct hw_gpu *g);

/* gpu.c: the machine's GPU with that PCI address, added if need be; NULL when there is no room. */
struct hw_gpu *gpu_at(struct hw_machine *m, const char *pci_address);
#endif
