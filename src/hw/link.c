/* hw/link.c - network links with a device behind them, and their speed.  Addresses are never read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/machine.h"

static const char *kind_of(const struct hw_root *r, const char *name, const char *driver)
{
    int64_t type;
    if (hw_exists(r, "sys/class/net/%s/wireless", name) || hw_exists(r, "sys/class/net/%s/phy80211", name))
        return "wifi";
    if (hw_read_i64(r, &type, "sys/class/net/%s/type", name) && type == 32) /* ARPHRD_INFINIBAND */
        return "infiniband";
    if (strstr(driver, "thunderbolt"))
        return "thunderbolt";
    if (strcmp(driver, "virtio_net") == 0 || strcmp(driver, "vmxnet3") == 0 || strcmp(driver, "hv_netvsc") == 0 || strcmp(driver, "xen-netfront") == 0 || strcmp(driver, "vif") == 0)
        return "virtual";
    char path[HW_PATH_BYTES_MAX];
    if (hw_resolve(r, path, sizeof(path), "sys/class/net/%s/device", name) && strstr(path, "/usb"))
        return "usb";
    return "ethernet";
}

/* "40 Gb/sec (4X QDR)" of the adapter's first port. */
static int64_t infiniband_bitps(const struct hw_root *r, const char *name)
{
    struct hw_names adapters;
    int64_t bitps = 0;
    hw_list(r, &adapters, "sys/class/net/%s/device/infiniband", name);
    char text[64];
    if (adapters.n > 0 && hw_read(r, text, sizeof(text), "sys/class/net/%s/device/infiniband/%s/ports/1/rate", name, adapters.name[0])) {
        const double gb = strtod(text, NULL);
        bitps = gb > 0 && gb < 10000 && strstr(text, "Gb/sec") ? (int64_t)(gb * 1e9) : 0;
    }
    hw_names_free(&adapters);
    return bitps;
}

bool hw_detect_links(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_names names;
    hw_list(r, &names, "sys/class/net");
    for (int i = 0; i < names.n; i++) {
        const char *name = names.name[i];
        if (!hw_exists(r, "sys/class/net/%s/device", name)) /* bridges, tunnels, containers' ends */
            continue;
        struct hw_link *l = HW_ADD(m, m->links, m->n_links);
        if (!l)
            break;
        char text[32], driver[32] = "";
        int64_t value;
        memset(l, 0, sizeof(*l));
        hw_copy(l->name, sizeof(l->name), name);
        hw_link_name(r, driver, sizeof(driver), "sys/class/net/%s/device/driver", name);
        hw_copy(l->driver, sizeof(l->driver), driver);
        hw_copy(l->kind, sizeof(l->kind), kind_of(r, name, driver));
        if (hw_read(r, text, sizeof(text), "sys/class/net/%s/operstate", name))
            l->is_up = strcmp(text, "up") == 0 ? HW_YES : strcmp(text, "down") == 0 ? HW_NO : HW_UNKNOWN;
        if (hw_read_i64(r, &value, "sys/class/net/%s/speed", name) && value > 0 && value < 10000000) /* Mbit/s; -1 or EINVAL while down */
            l->speed_bitps = value * 1000000;
        else if (strcmp(l->kind, "infiniband") == 0)
            l->speed_bitps = infiniband_bitps(r, name);
        if (hw_read_i64(r, &value, "sys/class/net/%s/mtu", name) && value > 0 && value < 1 << 20)
            l->mtu = (int)value;
    }
    hw_names_free(&names);
    return m->n_links > 0;
}
