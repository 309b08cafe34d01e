/* site/monitor.c - see monitor.h: the list of files, and how they come to a folder. */
#include "site/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "site/monitor_internal.h"

/* What makes a Prometheus without Kubernetes a source of Grafana's. */
static void put_source(const struct inventory *inv, const struct monitor_options *o, struct buf *out)
{
    (void)inv, (void)o;
    buf_puts(out, MONITOR_MADE_BY "apiVersion: 1\ndatasources:\n  - {name: Prometheus, uid: prometheus, type: prometheus, access: proxy, url: 'http://localhost:9090', isDefault: true, jsonData: {timeInterval: 15s}}\n");
}

static void put_provider(const struct inventory *inv, const struct monitor_options *o, struct buf *out)
{
    (void)inv, (void)o;
    buf_puts(out, MONITOR_MADE_BY "apiVersion: 1\nproviders:\n  - {name: tutti, folder: tutti, type: file, allowUiUpdates: false, options: {path: /etc/grafana/dashboards}}\n");
}

/* Rules and dashboards for a cluster: `kubectl apply -k DIR`. */
static void put_kustomization(const struct inventory *inv, const struct monitor_options *o, struct buf *out)
{
    (void)o;
    buf_puts(out, MONITOR_MADE_BY "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n");
    if (inv && inv->namespace_ && inv->namespace_[0])
        buf_printf(out, "namespace: %s\n", inv->namespace_);
    buf_puts(out, "resources: [prometheus-rule.yaml]\ngeneratorOptions: {disableNameSuffixHash: true, labels: {grafana_dashboard: \"1\"}}\nconfigMapGenerator:\n");
    for (int i = 0; i < monitor_n_dashboards; i++)
        buf_printf(out, "  - {name: %s, files: [grafana/dashboards/%s.json]}\n", monitor_dashboards[i].uid, monitor_dashboards[i].uid);
}

static const struct {
    const char *path;
    void (*put)(const struct inventory *inv, const struct monitor_options *o, struct buf *out);
    bool needs_nodes, needs_kubernetes;
} files[] = {
    { "rules.yaml", monitor_put_rules, false, false },
    { "prometheus-rule.yaml", monitor_put_prometheus_rule, false, true },
    { "kustomization.yaml", put_kustomization, false, true },
    { "prometheus.yml", monitor_put_prometheus, true, false },
    { "values.yaml", monitor_put_values, true, true },
    { "grafana/provisioning/datasources/tutti.yaml", put_source, false, false },
    { "grafana/provisioning/dashboards/tutti.yaml", put_provider, false, false },
};

enum { MARK_BYTES = 18 /* `# Made by `tutti c`, `{ "uid": "tutti-`: how every file of ours begins */ };

/* Is there a file that we did not make?  A link is nobody's we know. */
static bool is_others(const char *path, const struct buf *b)
{
    char head[MARK_BYTES];
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno != ENOENT && errno != ENOTDIR;
    struct stat st;
    const bool is_ours = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && b->len >= MARK_BYTES && read(fd, head, MARK_BYTES) == MARK_BYTES && memcmp(head, b->data, MARK_BYTES) == 0;
    close(fd);
    return !is_ours;
}

/* Looks first whether it may be written (is_trial), so that nothing is when one may not. */
static bool write_file(const char *dir, const char *name, const struct buf *b, bool is_trial, struct err *err)
{
    char path[4096];
    if (!buf_ok(b, name, err))
        return false;
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
        return err_set(err, ERR_INPUT, "%.60s...: the path is too long", dir);
    if (is_trial)
        return !is_others(path, b) || err_set(err, ERR_INPUT, "%s: this file is not ours and stays: choose another folder, or take it away", path);
    file_make_folders(path, 0755);
    return file_write(path, b->data, b->len, err);
}

static bool write_files(const struct inventory *inv, const struct monitor_options *o, const char *dir, bool is_trial, struct err *err)
{
    struct buf b;
    bool ok = true;
    buf_init(&b, MONITOR_FILE_MAX_BYTES);
    for (size_t i = 0; ok && i < sizeof(files) / sizeof(files[0]); i++) {
        if ((files[i].needs_nodes && !inv) || (files[i].needs_kubernetes && inv && inv->engine != INV_K3S))
            continue;
        buf_clear(&b);
        files[i].put(inv, o, &b);
        ok = write_file(dir, files[i].path, &b, is_trial, err);
    }
    for (int i = 0; ok && i < monitor_n_dashboards; i++) {
        char name[100];
        snprintf(name, sizeof(name), "grafana/dashboards/%s.json", monitor_dashboards[i].uid);
        buf_clear(&b);
        monitor_put_dashboard(&monitor_dashboards[i], &b);
        ok = write_file(dir, name, &b, is_trial, err);
    }
    buf_fini(&b);
    return ok;
}

bool monitor_write(const struct inventory *inv, const struct monitor_options *o, const char *dir, struct err *err)
{
    return write_files(inv, o, dir, true, err) && write_files(inv, o, dir, false, err);
}
