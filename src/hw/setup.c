/* hw/setup.c - settings that decide how well a machine infers and that belong to no device: what doctor asks about.
 *
 * Touches: small files below the root; nothing is ever written.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hw/machine.h"

static bool has_word(const char *text, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        if ((at == text || strchr(" \t\n,", at[-1])) && strchr(" \t\n,", at[n])) /* '\0' is found too */
            return true;
    return false;
}

/* Can a container's memory be limited?  v2: the controller is listed; v1: the last column of /proc/cgroups. */
static enum hw_yesno read_cgroup_memory(const struct hw_root *r, bool is_pi, const char *cmdline)
{
    char text[2048];
    if (hw_read(r, text, sizeof(text), "sys/fs/cgroup/cgroup.controllers"))
        return has_word(text, "memory") ? HW_YES : HW_NO;
    if (!hw_read(r, text, sizeof(text), "proc/cgroups")) {
        /* the Raspberry Pi's device tree says cgroup_disable=memory unless the command line enables it (docs.k3s.io, Raspberry Pi) */
        if (!is_pi || !hw_exists(r, "proc/cmdline"))
            return HW_UNKNOWN;
        return strstr(cmdline, "cgroup_enable=memory") ? HW_YES : HW_NO;
    }
    const char *line = strstr(text, "\nmemory");
    int hierarchy, number, is_enabled;
    if (!line)
        return HW_NO;
    return sscanf(line, "\nmemory %d %d %d", &hierarchy, &number, &is_enabled) == 3 ? (is_enabled ? HW_YES : HW_NO) : HW_UNKNOWN;
}

/* Does a udev rule name one of these ids?  All of /etc's rules are read, and those of packages whose name gives them away. */
static enum hw_yesno read_udev(const struct hw_root *r, const char *const words[], const char *const ids[])
{
    static const char *const folders[] = { "etc/udev/rules.d", "lib/udev/rules.d", "usr/lib/udev/rules.d" };
    enum hw_yesno found = HW_UNKNOWN;
    for (size_t f = 0; f < sizeof(folders) / sizeof(folders[0]) && found != HW_YES; f++) {
        struct hw_names names;
        if (!hw_exists(r, "%s", folders[f]))
            continue;
        found = HW_NO;
        hw_list(r, &names, "%s", folders[f]);
        for (int i = 0; i < names.n && i < 1024 && found != HW_YES; i++) {
            bool is_near = f == 0;
            for (int w = 0; words[w]; w++)
                is_near |= strstr(names.name[i], words[w]) != NULL;
            char *text = is_near ? hw_read_all(r, 64 << 10, NULL, "%s/%s", folders[f], names.name[i]) : NULL;
            for (int k = 0; text && ids[k]; k++)
                if (strstr(text, ids[k]))
                    found = HW_YES;
            free(text);
        }
        hw_names_free(&names);
    }
    return found;
}

static void read_pi(const struct hw_root *r, struct hw_setup *s)
{
    static const char *const places[] = { "boot/firmware/config.txt", "boot/config.txt" };
    for (int i = 0; i < 2; i++) {
        char *text = hw_read_all(r, 64 << 10, NULL, "%s", places[i]);
        if (!text)
            continue;
        for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
            const char *at = strstr(line, "pciex1_gen="), *end = line + strcspn(line, "\n");
            if (strncmp(line, "dtparam=", 8) == 0 && at && at < end && at[11] >= '1' && at[11] <= '3')
                s->pi_pcie_gen = at[11] - '0';
        }
        free(text);
        break;
    }
    /* the boot loader's build time, big endian seconds since 1970 */
    size_t n = 0;
    unsigned char *stamp = (unsigned char *)hw_read_all(r, 16, &n, "proc/device-tree/chosen/bootloader/build-timestamp");
    if (!stamp)
        stamp = (unsigned char *)hw_read_all(r, 16, &n, "sys/firmware/devicetree/base/chosen/bootloader/build-timestamp");
    if (stamp && n == 4) {
        const time_t seconds = (time_t)((uint32_t)stamp[0] << 24 | (uint32_t)stamp[1] << 16 | (uint32_t)stamp[2] << 8 | stamp[3]);
        struct tm day;
        if (seconds > 1500000000 && gmtime_r(&seconds, &day))
            snprintf(s->eeprom_date, sizeof(s->eeprom_date), "%04d-%02d-%02d", (day.tm_year + 1900) % 10000, (day.tm_mon + 1) % 100, day.tm_mday % 100);
    }
    free(stamp);
}

static void read_watchdog(const struct hw_root *r, struct hw_setup *s)
{
    char text[32];
    s->has_watchdog = hw_exists(r, "sys/class/watchdog/watchdog0") || hw_exists(r, "dev/watchdog") ? HW_YES : HW_NO;
    if (hw_read(r, text, sizeof(text), "sys/class/watchdog/watchdog0/state"))
        s->watchdog_runs = strcmp(text, "active") == 0 ? HW_YES : HW_NO;
    else if (s->has_watchdog == HW_NO && hw_exists(r, "sys/class"))
        s->watchdog_runs = HW_NO;
}

bool hw_detect_setup(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_setup *s = &m->setup;
    int64_t value;
    char text[48];
    const bool is_pi = strcmp(m->board.family, "raspberry pi") == 0;
    s->cgroup_memory = read_cgroup_memory(r, is_pi, m->os.cmdline);
    s->has_k3s = hw_exists(r, "usr/local/bin/k3s") || hw_exists(r, "etc/rancher/k3s") || hw_exists(r, "var/lib/rancher/k3s") ? HW_YES : HW_NO;
    for (int i = 0; i < m->n_accelerators; i++) {
        const char *kind = m->accelerators[i].kind;
        if (strcmp(kind, "coral-usb") == 0)
            s->udev_coral = read_udev(r, (const char *[]){ "edgetpu", "coral", NULL }, (const char *[]){ "1a6e", "18d1", NULL });
        if (strncmp(kind, "ncs", 3) == 0)
            s->udev_ncs = read_udev(r, (const char *[]){ "myriad", "movidius", "ncs", "openvino", NULL }, (const char *[]){ "03e7", NULL });
    }
    if (is_pi)
        read_pi(r, s);
    read_watchdog(r, s);
    if (hw_read_i64(r, &value, "proc/sys/kernel/numa_balancing"))
        s->numa_balancing = value ? HW_YES : HW_NO;
    if (!m->power_mode[0] && hw_read(r, text, sizeof(text), "sys/firmware/acpi/platform_profile"))
        hw_copy(m->power_mode, sizeof(m->power_mode), text);
    return true;
}
