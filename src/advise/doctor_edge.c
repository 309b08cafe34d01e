/* advise/doctor_edge.c - the hardening checklist for machines at the edge (seed 003), ticked for this machine.
 *
 * Where the seed has three rules for the number of threads (device preset, "2-4 typical", "at most 3"), the device's preset
 * wins, and both are worth a measurement (seed-errors 003-13).
 */
#include <stdio.h>
#include <string.h>

#include "advise/doctor.h"

static struct doctor_edge *item(struct doctor_edge *items, int *n, const char *id, const char *want)
{
    struct doctor_edge *e = &items[(*n)++];
    memset(e, 0, sizeof(*e));
    e->id = id, e->want = want, e->tick = DOCTOR_TICK_UNKNOWN;
    return e;
}

#define FOUND(e, ...) snprintf((e)->found, sizeof((e)->found), __VA_ARGS__)
#define HOW(e, ...) snprintf((e)->how, sizeof((e)->how), __VA_ARGS__)

static void tick_int8(const struct hw_machine *m, struct doctor_edge *e)
{
    static const struct { const char *isa, *name; } units[] = {
        { "amx_int8", "AMX" }, { "avx512_vnni", "AVX-512 VNNI" }, { "avx_vnni", "AVX-VNNI" }, { "i8mm", "i8mm" }, { "dotprod", "dot product" }, { "avx2", "AVX2" },
    };
    HOW(e, "models in Q8_0 or Q4_K_M: tutti multiplies quantized weights as integers; which fit: tutti fit");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (hw_machine_has_isa(m, units[i].isa)) {
            e->tick = DOCTOR_TICK_YES;
            FOUND(e, "this processor multiplies 8-bit integers: %s", units[i].name);
            return;
        }
    if (m->cpu.n_isa == 0) {
        FOUND(e, "the instruction sets are not known");
        return;
    }
    e->tick = DOCTOR_TICK_NO;
    FOUND(e, "no 8-bit dot product on this processor: INT8 saves memory, hardly time");
}

static int big_cores(const struct hw_cpu *c) { return c->cores_performance > 0 ? c->cores_performance : c->cores_physical; }

static void tick_big_cores(const struct hw_machine *m, struct doctor_edge *e)
{
    const struct hw_cpu *c = &m->cpu;
    const char *cpus = c->n_kinds > 0 ? c->kinds[0].cpus : "";
    if (c->cores_physical <= 0) {
        FOUND(e, "the cores are not known");
        return;
    }
    if (c->cores_performance <= 0 || c->cores_performance == c->cores_physical) {
        e->tick = DOCTOR_TICK_YES;
        FOUND(e, "all %d cores are alike", c->cores_physical);
        return;
    }
    FOUND(e, "%d big cores of %d (CPUs %s)", c->cores_performance, c->cores_physical, cpus[0] ? cpus : "not known");
    e->tick = DOCTOR_TICK_START;
    if (c->cpus_allowed > 0 && c->n_kinds > 0 && c->cpus_allowed <= c->kinds[0].threads) {
        e->tick = DOCTOR_TICK_YES;
        FOUND(e, "this process is held to %d CPUs of %d", c->cpus_allowed, c->cores_logical);
    } else if (cpus[0])
        HOW(e, "taskset -c %s tutti serve ...", cpus);
}

static void tick_threads(const struct hw_machine *m, struct doctor_edge *e)
{
    const int big = big_cores(&m->cpu), few = big > 3 ? 3 : big;
    if (big <= 0) {
        FOUND(e, "the cores are not known");
        return;
    }
    e->tick = DOCTOR_TICK_START;
    if (big > 3 && big <= 4) {
        FOUND(e, "%d big cores: the device's preset says %d threads, the list at most 3; one memory bus feeds them all, so measure both", big, big);
        HOW(e, "tutti serve --threads %d ...; compare: tutti bench --threads 3, --threads %d", big, big);
    } else {
        FOUND(e, "%d big cores: %d threads leave room for the system", big, few);
        HOW(e, "tutti serve --threads %d ...", few);
    }
}

static void tick_warm_start(const struct hw_machine *m, struct doctor_edge *e)
{
    const struct hw_disk *d = doctor_model_disk(m);
    HOW(e, "tutti serve loads its models at start and keeps them; caches of TensorRT and OpenVINO belong on the same disk, not in /tmp");
    if (!d) {
        FOUND(e, "the disk of the models is not known: say --models DIR");
        return;
    }
    const bool is_fast = strcmp(d->kind, "nvme") == 0 || strcmp(d->kind, "ssd") == 0 || strcmp(d->kind, "virtual") == 0;
    e->tick = is_fast ? DOCTOR_TICK_YES : DOCTOR_TICK_NO;
    FOUND(e, "models and caches lie on %s (%s)", d->name, d->kind);
}

static void tick_watchdog(const struct hw_machine *m, struct doctor_edge *e)
{
    const struct hw_setup *s = &m->setup;
    HOW(e, "RuntimeWatchdogSec=15 in /etc/systemd/system.conf; Restart=on-failure and MemoryMax= in the service");
    if (s->watchdog_runs == HW_UNKNOWN) {
        FOUND(e, s->has_watchdog == HW_YES ? "there is a watchdog; whether it runs is not known" : "not known");
        return;
    }
    e->tick = s->watchdog_runs == HW_YES ? DOCTOR_TICK_YES : DOCTOR_TICK_NO;
    FOUND(e, "%s", s->watchdog_runs == HW_YES ? "the hardware watchdog runs" : s->has_watchdog == HW_YES ? "there is a watchdog that nobody started" : "no watchdog");
}

static void tick_offline(const struct hw_machine *m, struct doctor_edge *e)
{
    const struct hw_disk *d = doctor_model_disk(m);
    HOW(e, "models on a disk of this machine; tutti asks nothing of the network unless told to");
    if (!d) {
        FOUND(e, "the disk of the models is not known: say --models DIR");
        return;
    }
    e->tick = strcmp(d->kind, "network") == 0 ? DOCTOR_TICK_NO : DOCTOR_TICK_YES;
    FOUND(e, e->tick == DOCTOR_TICK_YES ? "the models are on this machine" : "the models come over the network");
}

void doctor_edge(const struct doctor_facts *f, struct doctor_edge items[DOCTOR_EDGE_ITEMS])
{
    int n = 0;
    tick_int8(f->m, item(items, &n, "int8", "INT8 by default, INT4 where the model bears it"));
    tick_big_cores(f->m, item(items, &n, "big-cores", "pinned to the big cores"));
    tick_threads(f->m, item(items, &n, "threads", "at most 3 threads, no oversubscription"));
    tick_warm_start(f->m, item(items, &n, "warm-start", "models warm, engine caches kept"));
    struct doctor_edge *batches = item(items, &n, "steady-batches", "steady small batches, no spikes");
    batches->tick = DOCTOR_TICK_START;
    FOUND(batches, "tutti computes one token of every answer and a piece of a waiting prompt per step");
    HOW(batches, "tutti serve --parallel 2 ... bounds the answers at a time");
    tick_watchdog(f->m, item(items, &n, "watchdog", "a watchdog for hangs, memory and heat"));
    tick_offline(f->m, item(items, &n, "offline", "works without a network"));
}
