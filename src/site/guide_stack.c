/* site/guide_stack.c - the seeds' comparison of stacks as dated rows, and rules that choose from them for an inventory.
 *
 * A rule counts what the inventory has (nodes, memory, architectures, sticks, cards, wants) and gives its reasons with these numbers; the figures
 * of the rows are the vendors' or were measured by whom the row names.  Between the nodes: measured by `make bench-protocols`, data/protocol.csv.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "site/guide.h"

const char *guide_group_heading(enum guide_group g)
{
    static const char *const headings[] = {
#define X(id, heading) heading,
        GUIDE_GROUPS(X)
#undef X
    };
    return g < GUIDE_GROUP_COUNT ? headings[g] : "";
}

#define GROUP(id) GUIDE_GROUP_##id

const struct guide_option guide_options[] = {
    { GROUP(ORCHESTRATOR), "K3s", "all of Kubernetes in one binary: restarts, roll-outs, resources for sticks and cards, amd64 and arm64", "server 1.6 GB with a workload, agent 270 MB (measured on a Pi 4); Linux only",
      "docs.k3s.io/reference/resource-profiling", "2026-11-21" },
    { GROUP(ORCHESTRATOR), "MicroK8s", "the same Kubernetes as a snap, with add-ons to switch on", "snapd on every node; Canonical recommends 4 GB and 20 GB of disk; updates itself", "github canonical/microk8s; documentation.ubuntu.com (Canonical Kubernetes)", "2026-11-21" },
    { GROUP(ORCHESTRATOR), "Docker Swarm", "one command more than Docker itself", "a service cannot be given a device: no Coral, no NCS2, no /dev/dri (both issues are still open)", "github moby/swarmkit issues 1244, 2682", "2026-11-21" },
    { GROUP(ORCHESTRATOR), "plain list", "systemd starts tutti on each node; nodes find each other by a list, DNS or mDNS; runs on anything", "nobody moves an expert to another node when one dies for good: replicas must be there before", "docs/cluster.md", "2026-11-21" },
    { GROUP(CONTAINERS), "containerd", "comes inside K3s, speaks CRI", "no tool to build images", "docs.k3s.io/advanced", "2026-11-21" },
    { GROUP(CONTAINERS), "Podman", "rootless, no daemon; quadlets are systemd units; builds images (buildah)", "no CRI: Kubernetes cannot use it, whatever the seeds say", "docs.k3s.io/advanced; podman-systemd.unit(5); seed-errors 000-07", "2026-11-21" },
    { GROUP(CONTAINERS), "Docker", "known to everybody", "a daemon with root's rights; K3s takes it only through cri-dockerd (--docker)", "docs.k3s.io/advanced", "2026-11-21" },
    { GROUP(CONTAINERS), "none", "a package and a systemd unit: the least memory, the easiest look inside", "libraries of the system: a runtime that wants old ones (OpenVINO 2022.3) still needs a container", "deploy/deb, deploy/systemd", "2026-11-21" },
    { GROUP(ENGINES), "tutti", "GGUF on CPUs (AVX2 to AMX, NEON to i8mm), batches, routing, cascades; one binary", "no GPU", "docs/SPEED.md", "2026-11-21" },
    { GROUP(ENGINES), "llama.cpp", "GGUF on CUDA, Vulkan, Metal, ROCm; as a server behind tutti", "a process and a port of its own for each model", "data/runtime.csv", "2026-11-21" },
    { GROUP(ENGINES), "ONNX Runtime", "ONNX on CPUs, from many exporters; tutti loads it by itself", "its GPU builds are large and bound to a CUDA version", "DEPENDENCIES.md (1.27.0 tried)", "2026-11-21" },
    { GROUP(ENGINES), "TensorRT", "the fastest for vision on NVIDIA cards and Jetsons", "an engine is built for one device and one version, for minutes", "data/runtime.csv", "2026-11-21" },
    { GROUP(ENGINES), "OpenVINO", "Intel CPUs, GPUs and NPUs, INT8", "the Neural Compute Stick 2 only up to 2022.3", "docs.openvino.ai release notes", "2026-11-21" },
    { GROUP(ENGINES), "TensorFlow Lite + libedgetpu", "the only way to a Coral", "8-bit graphs compiled for it, 8 MB on the chip; upstream archived", "github google-coral/libedgetpu (archived)", "2026-11-21" },
    { GROUP(ENGINES), "HailoRT", "the only way to a Hailo", "models are compiled ahead by Hailo's compiler", "raspberrypi.com documentation, AI", "2026-11-21" },
    { GROUP(PROTOCOL), "JSON over HTTP/1.1", "every language, curl, a browser", "numbers as text; one request at a time on a connection", "RFC 9112, RFC 8259", "2026-11-21" },
    { GROUP(PROTOCOL), "JSON and binary over HTTP/1.1", "a JSON head, then the tensors as they lie in memory (the binary data extension of Triton's protocol): curl can do it", "one request at a time on a connection", "github triton-inference-server/server, extension_binary_data", "2026-11-21" },
    { GROUP(PROTOCOL), "JSON over HTTP/2", "JSON, many requests at a time on one connection", "numbers as text", "RFC 9113", "2026-11-21" },
    { GROUP(PROTOCOL), "gRPC, raw contents", "Open Inference Protocol v2 with tensors as they lie in memory; streams, deadlines", "a client library", "proto/oip.proto; github kserve/open-inference-protocol", "2026-11-21" },
    { GROUP(PROTOCOL), "gRPC, typed contents", "the same with numbers as protobuf fields", "each number is packed and unpacked", "proto/oip.proto", "2026-11-21" },
    { GROUP(PROTOCOL), "gRPC with FlatBuffers", "fields without unpacking", "no inference standard speaks it; not measured: Debian has its compiler and C++ library (flatbuffers-compiler, libflatbuffers-dev), none for C, and raw tensors have nothing to unpack", "packages.debian.org; seed 000, table 3 (7000, 1800, 700 ns are not ours)", "2026-11-21" },
};
const int guide_n_options = sizeof(guide_options) / sizeof(guide_options[0]);

/* ---- what an inventory has ---- */

struct facts {
    int n_nodes, n_linux, n_amd64, n_arm64, n_sticks, n_cards, n_small; /* small: an agent would take 10 % of its memory or more */
    int n_media, n_text; /* wants */
    uint64_t head_bytes, least_bytes;
    const char *least;   /* node with the least memory */
};

static struct facts look(const struct guide *g)
{
    const struct inventory *inv = g->inv;
    struct facts f = { .n_nodes = inv->n_nodes };
    for (int i = 0; i < inv->n_nodes; i++) {
        const struct inv_node *n = &inv->nodes[i];
        const unsigned t = g->traits[i];
        f.n_linux += (t & GUIDE_LINUX) != 0;
        f.n_amd64 += strcmp(n->arch, "amd64") == 0;
        f.n_arm64 += strcmp(n->arch, "arm64") == 0;
        for (int d = 0; d < n->n_devices; d++)
            f.n_sticks += n->devices[d].resource[0] && strcmp(n->devices[d].resource, "nvidia.com/gpu") != 0, f.n_cards += strcmp(n->devices[d].resource, "nvidia.com/gpu") == 0;
        f.n_small += n->mem_bytes > 0 && n->mem_bytes < 2700ull << 20;
        f.head_bytes = n->is_head ? n->mem_bytes : f.head_bytes;
        if (n->mem_bytes > 0 && (!f.least || n->mem_bytes < f.least_bytes))
            f.least = n->name, f.least_bytes = n->mem_bytes;
    }
    for (int w = 0; w < inv->n_wants; w++)
        inv->wants[w].n_quants > 0 ? f.n_text++ : f.n_media++;
    return f;
}

static const struct guide_option *option(const char *name)
{
    for (int i = 0; i < guide_n_options; i++)
        if (strcmp(guide_options[i].name, name) == 0)
            return &guide_options[i];
    return NULL;
}

static void take(struct guide_choice *c, const char *name, const char *role)
{
    for (int i = 0; i < c->n_chosen; i++)
        if (strcmp(c->chosen[i]->name, name) == 0)
            return;
    const struct guide_option *o = option(name);
    if (o && role && c->n_chosen < GUIDE_CHOSEN_MAX)
        c->chosen[c->n_chosen] = o, c->role[c->n_chosen++] = role;
}

#define WHY(c, ...) ((c)->n_reasons < GUIDE_REASONS_MAX ? (void)((c)->reasons[(c)->n_reasons++] = guide_printf(g, err, __VA_ARGS__)) : (void)0)
static double gb(uint64_t bytes) { return (double)bytes / 1e9; }

/* ---- rules ---- */

static void choose_orchestrator(struct guide *g, const struct facts *f, struct guide_choice *c, struct err *err)
{
    const bool is_k3s = g->inv->engine == INV_K3S;
    /* by the rules alone */
    const bool cannot = f->n_linux < f->n_nodes || (f->head_bytes > 0 && f->head_bytes < 2000000000ull), needless = f->n_nodes < 3 && f->n_sticks == 0 && f->n_cards == 0,
               is_better = !cannot && !needless && f->n_small * 2 < f->n_nodes;
    take(c, is_k3s ? "K3s" : "plain list", "all nodes");
    if (f->n_linux < f->n_nodes)
        WHY(c, "%d of %d nodes are no Linux machines: K3s leaves them out, a list does not.", f->n_nodes - f->n_linux, f->n_nodes);
    if (f->n_sticks + f->n_cards > 0)
        WHY(c, "%d stick%s and %d NVIDIA GPU%s are to be given to programs: K3s does it by resources (tutti device-plugin, NVIDIA's), Swarm cannot; in a list each node uses its own.", f->n_sticks,
            f->n_sticks == 1 ? "" : "s", f->n_cards, f->n_cards == 1 ? "" : "s");
    else
        WHY(c, "No stick and no NVIDIA GPU has to be shared out: the main thing that Kubernetes would bring is not needed.");
    if (f->n_amd64 > 0 && f->n_arm64 > 0)
        WHY(c, "%d amd64 and %d arm64 nodes: all four run on both.", f->n_amd64, f->n_arm64);
    if (f->least)
        WHY(c, "The smallest node is %s with %.1f GB: a K3s agent takes %.0f %% of it, MicroK8s' recommended 4 GB %s.", f->least, gb(f->least_bytes), 100 * 0.27 / gb(f->least_bytes),
            f->least_bytes < 4500000000ull ? "would be (nearly) all of it" : "could be spared, for nothing that K3s has not");
    if (f->head_bytes > 0)
        WHY(c, "The head has %.1f GB: K3s' server takes 1.6 of them%s.", gb(f->head_bytes), f->head_bytes < 2000000000ull ? ", and wants 2: too little" : "");
    if (is_k3s != is_better)
        WHY(c, is_k3s ? "These rules alone would take the plain list (%s); the inventory says k3s, and this guide follows it." : "These rules alone would take K3s (%s); the inventory says list, and this guide follows it.",
            cannot      ? "K3s cannot run on all of this"
            : needless  ? "one or two nodes without anything to share out"
            : is_better ? "something to share out over three nodes or more"
                        : "half of the nodes are too small for an agent");
}

static void choose_containers(struct guide *g, const struct facts *f, struct guide_choice *c, struct err *err)
{
    bool has_ncs2 = false;
    for (int i = 0; i < f->n_nodes; i++)
        has_ncs2 |= (g->traits[i] & GUIDE_NCS2) != 0;
    if (g->inv->engine == INV_K3S) {
        take(c, "containerd", "all nodes of K3s");
        take(c, "Podman", "building images, at your desk");
        WHY(c, "K3s brings containerd; a second runtime on %d nodes would cost memory and bring nothing.", f->n_linux);
        WHY(c, "Podman cannot be K3s' runtime: it has no CRI. It builds the image for %s as one manifest list.", f->n_amd64 && f->n_arm64 ? "amd64 and arm64" : f->n_arm64 ? "arm64" : "amd64");
    } else {
        take(c, "none", "all nodes");
        WHY(c, "A list needs no containers: tutti is one package, and systemd restricts it (DynamicUser, no new privileges).");
        if (has_ncs2)
            take(c, "Podman", "OpenVINO 2022.3 for the Neural Compute Stick 2"), WHY(c, "OpenVINO 2022.3 has no packages for today's systems: a rootless quadlet of Podman holds it.");
    }
}

static const char *names_of(struct guide *g, unsigned trait, struct err *err)
{
    const char *text = "";
    int n = 0;
    for (int i = 0; i < g->inv->n_nodes && text; i++)
        if (g->traits[i] & trait) {
            if (n == 4)
                return guide_printf(g, err, "%s, ...", text);
            text = guide_printf(g, err, "%s%s%s", text, n++ ? ", " : "", g->inv->nodes[i].name);
        }
    return text;
}

static void choose_engines(struct guide *g, const struct facts *f, struct guide_choice *c, struct err *err)
{
    static const struct { unsigned trait; const char *name, *why; bool for_media, for_text; } rules[] = {
        { GUIDE_JETSON | GUIDE_NVIDIA, "llama.cpp", "Language models on %s: tutti computes on CPUs; llama.cpp with CUDA is the server behind it there.", false, true },
        { GUIDE_AMD, "llama.cpp", "Language models on the GPU of %s: llama.cpp with Vulkan.", false, true },
        { GUIDE_MAC, "llama.cpp", "Language models on %s: llama.cpp with Metal.", false, true },
        { GUIDE_JETSON | GUIDE_NVIDIA, "TensorRT", "Vision on %s: TensorRT (trtexec builds the engine there, for that device).", true, false },
        { GUIDE_INTEL | GUIDE_NCS2, "OpenVINO", "Vision on Intel's GPU or NPU, or the Neural Compute Stick 2 (%s): OpenVINO, for the stick 2022.3.", true, false },
        { GUIDE_CORAL_USB | GUIDE_CORAL_PCIE, "TensorFlow Lite + libedgetpu", "The Coral on %s takes nothing else.", true, false },
        { GUIDE_HAILO, "HailoRT", "The Hailo on %s takes nothing else.", true, true },
    };
    if (f->n_text)
        take(c, "tutti", "language models on CPUs"), WHY(c, "%d expert%s of this inventory %s language models: GGUF on the CPUs of %d nodes needs nothing but tutti.", f->n_text, f->n_text == 1 ? "" : "s", f->n_text == 1 ? "is a" : "are", f->n_nodes);
    if (f->n_media)
        take(c, "ONNX Runtime", "vision, sound and the like on CPUs"), WHY(c, "%d expert%s see, hear or read: ONNX on any CPU, the same file everywhere.", f->n_media, f->n_media == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const char *where = names_of(g, rules[i].trait, err);
        if (!where || !where[0] || !((rules[i].for_media && f->n_media) || (rules[i].for_text && f->n_text)))
            continue;
        take(c, rules[i].name, where);
        const char *percent = strstr(rules[i].why, "%s");
        WHY(c, "%.*s%s%s", (int)(percent - rules[i].why), rules[i].why, where, percent + 2);
    }
    if (!f->n_text && !f->n_media)
        take(c, "tutti", "all nodes"), WHY(c, "The inventory wants no experts yet.");
}

static const struct guide_speed *speed(const struct guide *g, const char *payload, const char *protocol)
{
    for (int i = 0; i < g->n_speeds; i++)
        if (strcmp(g->speeds[i].payload, payload) == 0 && strcmp(g->speeds[i].protocol, protocol) == 0)
            return &g->speeds[i];
    return NULL;
}

static void choose_protocol(struct guide *g, const struct facts *f, struct guide_choice *c, struct err *err)
{
    static const char raw[] = "gRPC, raw contents", h1[] = "JSON over HTTP/1.1", h2[] = "JSON over HTTP/2", typed[] = "gRPC, typed contents", binary[] = "JSON and binary over HTTP/1.1";
    const struct guide_speed *t_raw = speed(g, "tensor", raw), *t_h1 = speed(g, "tensor", h1), *t_typed = speed(g, "tensor", typed), *t_bin = speed(g, "tensor", binary), *x_h2 = speed(g, "text", h2),
                             *x_raw = speed(g, "text", raw), *s_h1 = speed(g, "tiny", h1), *s_raw = speed(g, "tiny", raw);
    const bool has_tensors = f->n_media > 0 || f->n_text == 0;
    if (has_tensors) {
        take(c, raw, "tensors, frames and recordings between nodes");
        take(c, binary, "clients without gRPC");
    }
    if (f->n_text || !has_tensors)
        take(c, h2, "text (OpenAI's form), for clients and between nodes");
    if (has_tensors && t_raw && t_h1)
        WHY(c, "A tensor of 600 kB: raw contents %.1f ms, JSON %.0f ms, %.0f times as long and %.1f times as many bytes: numbers as text are what costs.", t_raw->p50_us / 1e3, t_h1->p50_us / 1e3, t_h1->p50_us / t_raw->p50_us,
            t_h1->request_bytes / t_raw->request_bytes);
    if (has_tensors && t_raw && t_bin)
        WHY(c, "Not HTTP/1.1: with binary tensors behind a JSON head it took %.1f ms, raw gRPC %.1f. gRPC is taken between nodes for what it adds: streams, deadlines and cancellation that travel along, all calls on one connection.",
            t_bin->p50_us / 1e3, t_raw->p50_us / 1e3);
    if (has_tensors && t_raw && t_typed)
        WHY(c, "Typed contents of the same tensor take %.1f times as long as raw ones: each number is packed and unpacked.", t_typed->p50_us / t_raw->p50_us);
    if (x_h2 && x_raw && f->n_text)
        WHY(c, "A text of 20 kB: JSON over HTTP/2 %.0f us, raw gRPC %.0f us: next to a language model's answer of seconds that is nothing, so text stays in the form that all clients speak.", x_h2->p50_us, x_raw->p50_us);
    if (s_h1 && s_raw)
        WHY(c, "A tiny request: JSON over HTTP/1.1 %.0f us, gRPC %.0f us, a ratio of %.1f. The seeds' \"7 to 10 times faster\" is not seen there.", s_h1->p50_us, s_raw->p50_us, s_h1->p50_us / s_raw->p50_us);
    if (!g->n_speeds)
        WHY(c, "Nothing is measured in this catalog (table protocol).");
}

bool guide_choose(struct guide *g, struct err *err)
{
    const struct facts f = look(g);
    choose_orchestrator(g, &f, &g->choices[GUIDE_GROUP_ORCHESTRATOR], err);
    choose_containers(g, &f, &g->choices[GUIDE_GROUP_CONTAINERS], err);
    choose_engines(g, &f, &g->choices[GUIDE_GROUP_ENGINES], err);
    choose_protocol(g, &f, &g->choices[GUIDE_GROUP_PROTOCOL], err);
    for (int i = 0; i < GUIDE_GROUP_COUNT; i++)
        for (int k = 0; k < g->choices[i].n_reasons; k++)
            if (!g->choices[i].reasons[k])
                return false;
    return true;
}
