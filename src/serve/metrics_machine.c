/* serve/metrics_machine.c - see metrics_machine.h; start at look() and metrics_machine_put(). */
#include "serve/metrics_machine.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/behind.h"
#include "base/thread.h"
#include "cluster/devices.h"
#include "cluster/trust.h"
#include "hw/machine.h"
#include "net/tls_expiry.h"
#include "route/steward.h"
#include "serve/metrics_internal.h"

enum { KINDS_MAX = HW_CORE_KINDS_MAX, CPUS_MAX = 4096, STAT_MAX_BYTES = 1 << 20, STICKS_MAX = 64 };

/* ORDER MODE */
enum { MODE_BUSY, MODE_IDLE, MODE_WAIT, MODE_COUNT };
static const char *const modes[MODE_COUNT] = { "busy", "idle", "iowait" };

struct seen { /* by one look; NAN, 0: not known */
    double cpu_s[KINDS_MAX][MODE_COUNT];
    double disk_bytes, disk_free_bytes;
    int64_t cert_until_s;
    struct {
        char id[DEVICE_ID_MAX], name[64], resource[64];
        bool is_healthy;
    } sticks[STICKS_MAX];
    int n_sticks;
};

struct metrics_machine {
    struct metrics_machine_config config;
    struct hw_root *root;
    struct device_rules *rules;
    struct devices *devices;             /* the thread's */
    struct hw_machine *machine;          /* the thread's, until it took the facts */
    char info[640];                      /* labels of machine_info */
    struct {
        char label[64];
        int n_cpus;
    } kinds[KINDS_MAX];
    int n_kinds;
    uint8_t kind_of[CPUS_MAX];           /* logical CPU -> kind; n_kinds: none */
    double tick_s;

    pthread_mutex_t lock;                /* what follows */
    pthread_cond_t wake;
    bool quit, is_wanted, is_known;      /* is_known: the thread took the facts above and looked once */
    struct seen now;
    bool has_thread;
    pthread_t thread;
};

/* ---- facts: once ---- */

/* "0-3,8": the CPUs of a list belong to a kind. */
static void take_cpus(struct metrics_machine *m, const char *list, int kind)
{
    for (const char *at = list; *at;) {
        char *end;
        const unsigned long from = strtoul(at, &end, 10);
        unsigned long to = from;
        if (end == at)
            return;
        if (*end == '-')
            to = strtoul(end + 1, &end, 10);
        for (unsigned long i = from; i <= to && i < CPUS_MAX; i++) {
            m->kinds[kind].n_cpus += m->kind_of[i] != kind;
            m->kind_of[i] = (uint8_t)kind;
        }
        at = *end == ',' ? end + 1 : end;
    }
}

static const char *role_name(const struct hw_core_kind *k)
{
    return k->role == 'P' ? "performance" : k->role == 'E' ? "efficiency" : k->role == 'L' ? "low power" : "all";
}

static void take_kinds(struct metrics_machine *m, const struct hw_cpu *cpu)
{
    memset(m->kind_of, 255, sizeof(m->kind_of));
    for (int i = 0; i < cpu->n_kinds; i++) {
        char label[64];
        int k = 0;
        metrics_label(label, sizeof(label), "core", role_name(&cpu->kinds[i]));
        while (k < m->n_kinds && strcmp(m->kinds[k].label, label) != 0)
            k++; /* two kinds of one role count together */
        if (k == m->n_kinds)
            memcpy(m->kinds[m->n_kinds++].label, label, sizeof(label));
        take_cpus(m, cpu->kinds[i].cpus, k);
    }
    if (m->n_kinds == 0) {
        metrics_label(m->kinds[0].label, sizeof(m->kinds[0].label), "core", "all");
        m->n_kinds = 1;
    }
}

/* As Kubernetes calls them. */
static const char *arch_name(const char *arch)
{
    return strcmp(arch, "x86_64") == 0 ? "amd64" : strcmp(arch, "aarch64") == 0 ? "arm64" : arch[0] ? arch : "unknown";
}

static void take_facts(struct metrics_machine *m)
{
    struct hw_machine *h = m->machine;
    char host[65] = "", label[7][100];
    hw_detect_os(m->root, h);
    hw_detect_board(m->root, h);
    hw_detect_cpu(m->root, h);
    take_kinds(m, &h->cpu);
    gethostname(host, sizeof(host) - 1);
    const char *const facts[][2] = { { "arch", arch_name(h->cpu.arch) }, { "board", h->board.product }, { "cpu", h->cpu.model }, { "host", host }, { "kernel", h->os.kernel }, { "os", h->os.name }, { "version", TUTTI_VERSION } };
    size_t n = 0;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        metrics_label(label[i], sizeof(label[i]), facts[i][0], facts[i][1]);
        const size_t len = strlen(label[i]);
        if (n + len + 2 < sizeof(m->info)) {
            if (n)
                m->info[n++] = ',';
            memcpy(m->info + n, label[i], len + 1);
            n += len;
        }
    }
    free(h); /* large, and never asked again */
    m->machine = NULL;
}

/* ---- a look: the thread's ---- */

/* proc(5): "cpu0 user nice system idle iowait irq softirq steal ..." in ticks; guests are in user. */
static void look_at_cpus(const struct metrics_machine *m, struct seen *s)
{
    char *text = hw_read_all(m->root, STAT_MAX_BYTES, NULL, "proc/stat");
    for (char *line = text; line && strncmp(line, "cpu", 3) == 0; line = (line = strchr(line, '\n')) ? line + 1 : NULL) {
        char *at = line + 3;
        if (*at < '0' || *at > '9')
            continue; /* all of them */
        const unsigned long cpu = strtoul(at, &at, 10);
        const int kind = cpu < CPUS_MAX && m->kind_of[cpu] < m->n_kinds ? m->kind_of[cpu] : 0;
        for (int i = 0; i < 8; i++) {
            const double v = (double)strtoull(at, &at, 10) * m->tick_s;
            s->cpu_s[kind][i == 3 ? MODE_IDLE : i == 4 ? MODE_WAIT : MODE_BUSY] += v;
        }
    }
    free(text);
}

static bool computes(const struct device_rule *r) { return strcmp(r->resource, "tutti.local/video") != 0; }

static void look_at_sticks(struct metrics_machine *m, struct seen *s)
{
    devices_scan(m->devices, m->root);
    for (int i = 0; i < m->devices->n && s->n_sticks < STICKS_MAX; i++) {
        const struct device *d = &m->devices->list[i];
        if (!computes(d->rule))
            continue;
        memcpy(s->sticks[s->n_sticks].id, d->id, sizeof(d->id));
        hw_copy(s->sticks[s->n_sticks].name, sizeof(s->sticks[0].name), d->name);
        hw_copy(s->sticks[s->n_sticks].resource, sizeof(s->sticks[0].resource), d->rule->resource);
        s->sticks[s->n_sticks++].is_healthy = d->is_healthy;
    }
}

static void look(struct metrics_machine *m, struct seen *s)
{
    struct statvfs disk;
    struct err err;
    *s = (struct seen){ .disk_bytes = (double)NAN, .disk_free_bytes = (double)NAN };
    look_at_cpus(m, s);
    look_at_sticks(m, s);
    if (m->config.models_dir && statvfs(m->config.models_dir, &disk) == 0) {
        s->disk_bytes = (double)disk.f_blocks * (double)disk.f_frsize;
        s->disk_free_bytes = (double)disk.f_bavail * (double)disk.f_frsize;
    }
    if (m->config.tls_cert && !tls_expiry(m->config.tls_cert, &s->cert_until_s, &err))
        s->cert_until_s = 0;
    const int64_t node_until_s = m->config.trust ? (int64_t)trust_expires_unix(m->config.trust) : 0;
    if (node_until_s && (!s->cert_until_s || node_until_s < s->cert_until_s))
        s->cert_until_s = node_until_s;
}

static void *watch_main(void *arg)
{
    struct metrics_machine *m = arg;
    struct seen *s = malloc(sizeof(*s));
    behind_wait(m->config.behind);
    device_rules_init(m->rules);
    take_facts(m);
    look(m, &m->now);
    pthread_mutex_lock(&m->lock);
    m->is_known = true;
    pthread_cond_broadcast(&m->wake);
    while (s && !m->quit) {
        if (!m->is_wanted) {
            pthread_cond_wait(&m->wake, &m->lock);
            continue;
        }
        m->is_wanted = false;
        pthread_mutex_unlock(&m->lock);
        look(m, s);
        pthread_mutex_lock(&m->lock);
        m->now = *s;
    }
    pthread_mutex_unlock(&m->lock);
    free(s);
    return NULL;
}

/* ---- beginning and end ---- */

struct metrics_machine *metrics_machine_new(const struct metrics_machine_config *config, struct err *err)
{
    struct metrics_machine *m = calloc(1, sizeof(*m));
    if (!m)
        return err_null(err, ERR_NOMEM, "metrics: out of memory");
    m->config = *config;
    m->tick_s = 1.0 / (double)(sysconf(_SC_CLK_TCK) > 0 ? sysconf(_SC_CLK_TCK) : 100);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->wake, NULL);
    if (!(m->rules = calloc(1, sizeof(*m->rules))) || !(m->devices = calloc(1, sizeof(*m->devices))) ||
        !(m->machine = calloc(1, sizeof(*m->machine)))) {
        err_set(err, ERR_NOMEM, "metrics: out of memory");
        goto failed;
    }
    m->devices->rules = m->rules;
    if (!(m->root = hw_root_open(config->root ? config->root : "", err)))
        goto failed;
    if ((m->has_thread = thread_start(&m->thread, watch_main, m, "metrics", err)))
        return m;
failed:
    metrics_machine_free(m);
    return NULL;
}

void metrics_machine_free(struct metrics_machine *m)
{
    if (!m)
        return;
    if (m->has_thread) {
        pthread_mutex_lock(&m->lock);
        m->quit = true;
        pthread_cond_broadcast(&m->wake);
        pthread_mutex_unlock(&m->lock);
        pthread_join(m->thread, NULL); /* hw/root.h leaves what hangs behind, so this ends */
    }
    hw_root_free(m->root);
    free(m->machine);
    free(m->devices);
    free(m->rules);
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* ---- out ---- */

static void put_number(struct buf *out, const char *prefix, const char *name, const char *type, const char *help, double v)
{
    if (isnan(v))
        return;
    metrics_head(out, prefix, name, type, help);
    buf_printf(out, "%s%s %.17g\n", prefix, name, v);
}

static void put_cpus(struct buf *out, const char *prefix, const struct metrics_machine *m)
{
    metrics_head(out, prefix, "cpus", "gauge", "Logical CPUs of a kind of core.");
    for (int k = 0; k < m->n_kinds; k++)
        buf_printf(out, "%scpus{%s} %d\n", prefix, m->kinds[k].label, m->kinds[k].n_cpus);
    metrics_head(out, prefix, "cpu_seconds_total", "counter", "Time of all CPUs of a kind of core, by what they did.");
    for (int k = 0; k < m->n_kinds; k++)
        for (int i = 0; i < MODE_COUNT; i++)
            buf_printf(out, "%scpu_seconds_total{%s,mode=\"%s\"} %.9g\n", prefix, m->kinds[k].label, modes[i], m->now.cpu_s[k][i]);
}

/* ORDER GPU_FIGURE */
static const char *const figures[][2] = {
    { "accelerator_temperature_celsius", "Of an accelerator." },
    { "accelerator_power_watts", "Drawn by an accelerator." },
    { "accelerator_power_limit_watts", "Most that it may draw." },
    { "accelerator_utilization_ratio", "Share of the time in which it works, 0 to 1." },
    { "accelerator_memory_bytes", "Memory of its own." },
    { "accelerator_memory_used_bytes", "Of that: in use." },
};
enum { FIGURES = sizeof(figures) / sizeof(figures[0]) };

static void put_figure(struct buf *out, const char *prefix, const struct telemetry_parts *p, int k)
{
    metrics_head(out, prefix, figures[k][0], "gauge", figures[k][1]);
    for (int i = 0; i < p->n_gpus; i++) {
        const float v[FIGURES] = { p->gpus[i].temperature_c, p->gpus[i].power_w, p->gpus[i].power_limit_w, p->gpus[i].busy_frac, p->gpus[i].memory_bytes, p->gpus[i].memory_used_bytes };
        if (!isnan(v[k]))
            buf_printf(out, "%s%s{accelerator=\"%s\"} %.9g\n", prefix, figures[k][0], p->gpus[i].name, (double)v[k]);
    }
    for (int i = 0, n = 0; k == 0 && i < p->n_sensors; i++) /* a Coral on PCIe has a thermometer, which says no address */
        if (p->sensors[i].is_accelerator && strncmp(p->sensors[i].name, "apex", 4) == 0 && !isnan(p->sensors[i].temperature_c))
            buf_printf(out, "%s%s{accelerator=\"apex%d\"} %.9g\n", prefix, figures[0][0], n++, (double)p->sensors[i].temperature_c);
}

static void put_accelerators(struct buf *out, const char *prefix, const struct seen *s, const struct telemetry_parts *p)
{
    char id[160], resource[160], name[160];
    metrics_head(out, prefix, "accelerator_up", "gauge", "1 while an accelerator that was seen once is there and well.");
    for (int i = 0; i < s->n_sticks; i++) {
        metrics_label(id, sizeof(id), "accelerator", s->sticks[i].id);
        metrics_label(resource, sizeof(resource), "resource", s->sticks[i].resource);
        buf_printf(out, "%saccelerator_up{%s,%s} %d\n", prefix, id, resource, s->sticks[i].is_healthy);
    }
    for (int i = 0; p && i < p->n_gpus; i++)
        buf_printf(out, "%saccelerator_up{accelerator=\"%s\",resource=\"gpu\"} %d\n", prefix, p->gpus[i].name, !p->gpus[i].is_lost);
    metrics_head(out, prefix, "accelerator_info", "gauge", "1 for what an accelerator is called.");
    for (int i = 0; i < s->n_sticks; i++) {
        metrics_label(id, sizeof(id), "accelerator", s->sticks[i].id);
        metrics_label(name, sizeof(name), "name", s->sticks[i].name);
        buf_printf(out, "%saccelerator_info{%s,%s} 1\n", prefix, id, name);
    }
    for (int k = 0; p && k < FIGURES; k++)
        put_figure(out, prefix, p, k);
}

void metrics_machine_put(struct metrics_machine *m, struct steward *steward, const char *prefix, struct buf *out)
{
    struct steward_state st;
    if (steward)
        steward_get_state(steward, &st);
    behind_over(m->config.behind); /* somebody wants to know */
    pthread_mutex_lock(&m->lock);
    while (!m->is_known) /* some ms after the start */
        pthread_cond_wait(&m->wake, &m->lock);
    metrics_head(out, prefix, "machine_info", "gauge", "1 for what this machine is.");
    buf_printf(out, "%smachine_info{%s} 1\n", prefix, m->info);
    put_cpus(out, prefix, m);
    put_number(out, prefix, "models_disk_bytes", "gauge", "Size of the disk that the models' folder lies on.", m->now.disk_bytes);
    put_number(out, prefix, "models_disk_available_bytes", "gauge", "Of that: left for us.", m->now.disk_free_bytes);
    put_number(out, prefix, "certificate_expiry_timestamp_seconds", "gauge", "When the certificate of the port ends, or of the port for nodes: the earlier one.", m->now.cert_until_s ? (double)m->now.cert_until_s : (double)NAN);
    put_accelerators(out, prefix, &m->now, steward ? &st.parts : NULL);
    m->is_wanted = true;
    pthread_cond_broadcast(&m->wake);
    pthread_mutex_unlock(&m->lock);
}
