/* cmd/device_plugin.c - `tutti device-plugin`: accelerators as resources of Kubernetes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster/device_plugin.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"

enum { LIST_MAX_BYTES = 4 << 20 };

static int list(const struct device_rules *rules, const char *root, bool as_json)
{
    struct devices *d = calloc(1, sizeof(*d));
    struct hw_root *r = NULL;
    struct err err;
    struct buf out;
    buf_init(&out, LIST_MAX_BYTES);
    bool ok = d != NULL || err_set(&err, ERR_NOMEM, "out of memory");
    ok = ok && (r = hw_root_open(root, &err)) != NULL;
    if (ok) {
        d->rules = rules;
        devices_scan(d, r);
        (as_json ? devices_put_json : devices_put_text)(d, &out);
        ok = buf_ok(&out, "the list", &err);
    }
    if (ok)
        fwrite(out.data, 1, out.len, stdout);
    buf_fini(&out);
    hw_root_free(r);
    free(d);
    return ok ? 0 : cmd_fail(&err);
}

static void stop(void *loop) { net_loop_stop(loop); }

static int serve(const struct device_rules *rules, const struct device_plugin_options *opt)
{
    struct err err;
    struct device_plugin *p = NULL;
    struct net_loop *l = net_loop_new(&err);
    signal(SIGPIPE, SIG_IGN);
    const bool ok = l && net_loop_on_signal(l, SIGINT, stop, l, &err) && net_loop_on_signal(l, SIGTERM, stop, l, &err) &&
                    (p = device_plugin_new(l, rules, opt, &err)) != NULL;
    if (ok)
        net_loop_run(l);
    device_plugin_free(p);
    net_loop_free(l);
    return ok ? 0 : cmd_fail(&err);
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct device_rules *rules = malloc(sizeof(*rules));
    const struct cmd_opt *dir = cmd_opt_find(opts, "kubelet-dir"), *nodes = cmd_opt_find(opts, "nodes-dir"), *root = cmd_opt_find(opts, "root"),
                         *file = cmd_opt_find(opts, "rules");
    struct err err;
    int rc = 1;
    (void)argc, (void)argv;
    if (!rules) {
        err_set(&err, ERR_NOMEM, "out of memory");
        return cmd_fail(&err);
    }
    device_rules_init(rules);
    if (file->given && !device_rules_read(rules, file->s, &err))
        rc = cmd_fail(&err);
    else if (cmd_opt_find(opts, "list")->given)
        rc = list(rules, root->given ? root->s : "", cmd_opt_find(opts, "json")->given);
    else
        rc = serve(rules, &(struct device_plugin_options){ .root = root->given ? root->s : "", .kubelet_dir = dir->given ? dir->s : NULL,
                                                           .nodes_dir = nodes->given ? nodes->s : NULL });
    free(rules);
    return rc;
}

static struct cmd_opt opts[] = {
    { .name = "json", .kind = OPT_FLAG, .help = "with --list: one JSON array" },
    { .name = "kubelet-dir", .kind = OPT_TEXT, .value = "DIR", .help = "where kubelet.sock is; /var/lib/kubelet/device-plugins" },
    { .name = "list", .kind = OPT_FLAG, .help = "what would be offered, then end" },
    { .name = "nodes-dir", .kind = OPT_TEXT, .value = "DIR", .help = "where nodes for USB numbers to come are made; /run/tutti/devices" },
    { .name = "root", .kind = OPT_TEXT, .value = "DIR", .help = "look below DIR: a recorded machine, a mounted host" },
    { .name = "rules", .kind = OPT_TEXT, .value = "FILE", .help = "more rules: a YAML list of {name, path | usb | pci | kind, ...}" },
    { 0 },
};

const struct cmd cmd_device_plugin = {
    .name = "device-plugin",
    .args = "",
    .help = "offer this node's accelerators to Kubernetes",
    .more = "Speaks the kubelet's device plugin API v1beta1. Known by themselves: Coral (USB,\n"
            "PCIe), Neural Compute Stick 2, Hailo, NPUs (/dev/accel), render nodes, cameras.\n"
            "A device's id is the place where it is plugged in. docs/device-plugin.md\n",
    .opts = opts,
    .run = run,
};
