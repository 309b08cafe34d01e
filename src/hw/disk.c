/* hw/disk.c - disks: what they are, how they are attached, and which one holds a folder.
 *
 * Loading a model is bound by this: about 90 MB/s from an SD card, 450 from PCIe 2 x1, 550 from SATA, thousands from NVMe.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/machine.h"
#include "hw/pci.h"

static bool starts(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* Not a disk: memory, loops, optical drives, what is made of other disks. */
static bool is_other(const char *name)
{
    static const char *const others[] = { "loop", "ram", "zram", "sr", "fd", "dm-", "md", "mtd", "bcache" };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (starts(name, others[i]))
            return true;
    return strstr(name, "boot") && starts(name, "mmcblk"); /* boot areas of an eMMC */
}

static bool is_virtual(const char *name, const char *maker, const char *model)
{
    static const char *const makers[] = { "QEMU", "VBOX", "VMware", "Msft", "Google", "Amazon", "Xen" };
    if (starts(name, "vd") || starts(name, "xvd"))
        return true;
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
        if (starts(maker, makers[i]) || starts(model, makers[i]))
            return true;
    return false;
}

static void read_nvme_link(const struct hw_root *r, const char *name, struct hw_disk *d)
{
    char path[HW_PATH_BYTES_MAX], *at = path;
    int controller;
    if (sscanf(name, "nvme%4d", &controller) != 1 || !hw_resolve(r, path, sizeof(path), "sys/class/nvme/nvme%d/device", controller))
        if (!hw_resolve(r, path, sizeof(path), "sys/block/%s/device/device", name))
            return;
    at = strrchr(path, '/');
    const struct hw_pci_link link = hw_pci_link(r, at ? at + 1 : path);
    d->link_gen = link.gen, d->link_gen_max = link.gen_max, d->link_width = link.width;
    char speed[48];
    int64_t width;
    if (!d->link_gen && hw_read(r, speed, sizeof(speed), "%s/current_link_speed", path)) /* a recording without the bus */
        d->link_gen = hw_pci_gen(speed);
    if (!d->link_width && hw_read_i64(r, &width, "%s/current_link_width", path) && width > 0 && width <= 32)
        d->link_width = (int)width;
}

static void read_disk(const struct hw_root *r, const char *name, struct hw_disk *d)
{
    char path[HW_PATH_BYTES_MAX], text[HW_TEXT], maker[HW_TEXT] = "";
    int64_t value;
    memset(d, 0, sizeof(*d));
    hw_copy(d->name, sizeof(d->name), name);
    if (hw_read_i64(r, &value, "sys/block/%s/size", name) && value > 0 && value < INT64_MAX / 512)
        d->size_bytes = value * 512;
    if (hw_read_i64(r, &value, "sys/block/%s/queue/rotational", name))
        d->is_rotational = value ? HW_YES : HW_NO;
    if (hw_read(r, text, sizeof(text), "sys/block/%s/device/model", name) || hw_read(r, text, sizeof(text), "sys/block/%s/device/name", name))
        hw_copy(d->model, sizeof(d->model), text);
    hw_read(r, maker, sizeof(maker), "sys/block/%s/device/vendor", name);
    if (!hw_resolve(r, path, sizeof(path), "sys/block/%s", name))
        path[0] = '\0';
    const char *kind = d->is_rotational == HW_YES ? "hdd" : d->is_rotational == HW_NO ? "ssd" : "";
    if (is_virtual(name, maker, d->model))
        kind = "virtual";
    else if (starts(name, "nvme")) {
        kind = "nvme";
        read_nvme_link(r, name, d);
    } else if (starts(name, "mmcblk")) {
        kind = hw_read(r, text, sizeof(text), "sys/block/%s/device/type", name) && strcmp(text, "MMC") == 0 ? "emmc" : "sd";
    } else if (strstr(path, "/usb"))
        kind = "usb";
    else if (starts(name, "nbd") || starts(name, "rbd") || starts(name, "drbd"))
        kind = "network";
    hw_copy(d->kind, sizeof(d->kind), kind);
}

/* The disk below a block device: a partition's disk, the first disk of a mapping or an array. */
static bool find_disk(const struct hw_root *r, const char *device, char *disk, size_t size)
{
    char path[HW_PATH_BYTES_MAX], name[HW_NAME_BYTES_MAX];
    struct hw_names slaves;
    snprintf(name, sizeof(name), "%s", device);
    for (int depth = 0; depth < 8; depth++) {
        if (!hw_resolve(r, path, sizeof(path), "sys/class/block/%s", name) && !hw_resolve(r, path, sizeof(path), "sys/block/%s", name))
            return false;
        const int n = hw_list(r, &slaves, "%s/slaves", path);
        if (n > 0)
            snprintf(name, sizeof(name), "%s", slaves.name[0]);
        hw_names_free(&slaves);
        if (n > 0)
            continue;
        if (hw_exists(r, "%s/partition", path)) {
            *strrchr(path, '/') = '\0';
            snprintf(name, sizeof(name), "%s", strrchr(path, '/') ? strrchr(path, '/') + 1 : "");
        }
        snprintf(disk, size, "%s", name);
        return name[0] != '\0';
    }
    return false;
}

static bool is_network_fs(const char *type)
{
    static const char *const types[] = { "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "fuse.sshfs", "fuse.glusterfs", "9p", "virtiofs", "afs", "lustre", "beegfs" };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

/* Blanks in mount points are written \040. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++)
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else
            *to = *from++;
    *to = '\0';
}

/* Is `folder` at or below `mount`? */
static bool is_below(const char *folder, const char *mount)
{
    const size_t n = strlen(mount);
    return strcmp(mount, "/") == 0 || (strncmp(folder, mount, n) == 0 && (folder[n] == '/' || folder[n] == '\0'));
}

/* Index of the disk under `folder`; -1: cannot be told; -2: a network file system, its type in `type`. */
static int disk_under(const struct hw_root *r, const struct hw_machine *m, const char *folder, char *type, size_t type_size)
{
    char point[512], fs[48], source[256], best_source[256] = "";
    size_t best = 0;
    type[0] = '\0';
    char *text = hw_read_all(r, 256 << 10, NULL, "proc/self/mounts");
    text = text ? text : hw_read_all(r, 256 << 10, NULL, "proc/mounts");
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) { /* source, point, type; later ones cover earlier ones */
        if (sscanf(line, "%255s %511s %47s", source, point, fs) != 3)
            continue;
        unescape(point);
        if (is_below(folder, point) && strlen(point) >= best) {
            best = strlen(point);
            snprintf(type, type_size, "%s", fs);
            memcpy(best_source, source, sizeof(source));
        }
    }
    free(text);
    if (is_network_fs(type))
        return -2;
    const char *device = starts(best_source, "/dev/") ? best_source + 5 : NULL;
    char target[HW_NAME_BYTES_MAX], name[HW_NAME_BYTES_MAX];
    if (device && starts(device, "mapper/") && hw_link_name(r, target, sizeof(target), "dev/%s", device)) /* /dev/mapper/x -> ../dm-0 */
        device = target;
    else if (device && strcmp(device, "root") == 0) /* the kernel's name for what it booted from */
        device = hw_link_name(r, target, sizeof(target), "dev/root") ? target : NULL;
    if (!device || strchr(device, '/') || !find_disk(r, device, name, sizeof(name)))
        return -1;
    for (int i = 0; i < m->n_disks; i++)
        if (strcmp(m->disks[i].name, name) == 0)
            return i;
    return -1;
}

bool hw_mark_model_disk(const struct hw_root *r, struct hw_machine *m, const char *folder)
{
    char type[48];
    const int disk = disk_under(r, m, folder, type, sizeof(type));
    for (int i = 0; i < m->n_disks; i++)
        m->disks[i].holds_models = disk == -1 ? HW_UNKNOWN : HW_NO;
    if (disk >= 0)
        m->disks[disk].holds_models = HW_YES;
    struct hw_disk *d = NULL;
    for (int i = 0; disk == -2 && i < m->n_disks && !d; i++) /* asked before */
        if (strcmp(m->disks[i].kind, "network") == 0 && strcmp(m->disks[i].name, type) == 0)
            d = &m->disks[i];
    if (disk == -2 && !d)
        d = HW_ADD(m, m->disks, m->n_disks);
    if (d) {
        memset(d, 0, sizeof(*d));
        hw_copy(d->name, sizeof(d->name), type);
        hw_copy(d->kind, sizeof(d->kind), "network");
        d->holds_models = HW_YES;
    }
    return disk >= 0 || d;
}

bool hw_detect_disks(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_names names;
    hw_list(r, &names, "sys/block");
    for (int i = 0; i < names.n; i++) {
        if (is_other(names.name[i]) || strlen(names.name[i]) >= sizeof(m->disks[0].name))
            continue;
        struct hw_disk *d = HW_ADD(m, m->disks, m->n_disks);
        if (!d)
            break;
        read_disk(r, names.name[i], d);
        if (d->size_bytes == 0) /* an empty card reader */
            m->n_disks--;
    }
    hw_names_free(&names);
    char type[48];
    const int root = m->n_disks > 0 ? disk_under(r, m, "/", type, sizeof(type)) : -1;
    if (root >= 0)
        m->disks[root].holds_root = HW_YES;
    char here[HW_PATH_BYTES_MAX];
    if (hw_root_is_live(r) && getcwd(here, sizeof(here)))
        hw_mark_model_disk(r, m, here);
    return m->n_disks > 0;
}
