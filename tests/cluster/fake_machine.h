/* tests/cluster/fake_machine.h - a folder that looks like a machine with sticks, and changes while it is looked at. */
#ifndef TESTS_CLUSTER_FAKE_MACHINE_H
#define TESTS_CLUSTER_FAKE_MACHINE_H
#define _GNU_SOURCE /* strdup, symlink */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

struct machine {
    char root[512];
};

static void machine_init(struct machine *m, const char *name)
{
    snprintf(m->root, sizeof(m->root), "%s", test_tmp(name));
    mkdir(m->root, 0755);
    char p[600];
    snprintf(p, sizeof(p), "%s/sys", m->root), mkdir(p, 0755);
    snprintf(p, sizeof(p), "%s/dev", m->root), mkdir(p, 0755);
}

static inline void machine_path(const struct machine *m, char *out, size_t size, const char *path)
{
    snprintf(out, size, "%s/%s", m->root, path);
    for (char *s = out + strlen(m->root) + 1; (s = strchr(s, '/')) != NULL; s++) {
        *s = '\0';
        mkdir(out, 0755);
        *s = '/';
    }
}

static inline void machine_write(const struct machine *m, const char *text, const char *fmt, ...)
{
    char path[400], full[1000];
    va_list args;
    va_start(args, fmt);
    vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);
    machine_path(m, full, sizeof(full), path);
    FILE *f = fopen(full, "w");
    REQUIRE(f, "%s", full);
    fputs(text, f);
    fclose(f);
}

static inline void machine_link(const struct machine *m, const char *to, const char *path)
{
    char full[1000];
    machine_path(m, full, sizeof(full), path);
    unlink(full);
    REQUIRE(symlink(to, full) == 0, "%s", full);
}

static inline void machine_remove(const struct machine *m, const char *fmt, ...)
{
    char path[400], command[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);
    snprintf(command, sizeof(command), "rm -rf '%s/%s'", m->root, path);
    REQUIRE(system(command) == 0, "%s", command);
}

/* A stick at a port of controller 0000:00:14.0; the node comes last, as udev does it. */
static inline void machine_plug(const struct machine *m, const char *port, const char *vendor, const char *product, int bus, int number)
{
    char at[200], text[200];
    snprintf(at, sizeof(at), "sys/devices/pci0000:00/0000:00:14.0/usb%d/%s", bus, port);
    snprintf(text, sizeof(text), "%s\n", vendor), machine_write(m, text, "%s/idVendor", at);
    snprintf(text, sizeof(text), "%s\n", product), machine_write(m, text, "%s/idProduct", at);
    snprintf(text, sizeof(text), "%d\n", bus), machine_write(m, text, "%s/busnum", at);
    snprintf(text, sizeof(text), "%d\n", number), machine_write(m, text, "%s/devnum", at);
    machine_write(m, "5000\n", "%s/speed", at);
    machine_write(m, "1\n", "%s/authorized", at);
    snprintf(text, sizeof(text), "../../../devices/pci0000:00/0000:00:14.0/usb%d/%s", bus, port);
    snprintf(at, sizeof(at), "sys/bus/usb/devices/%s", port);
    machine_link(m, text, at);
    machine_write(m, "", "dev/bus/usb/%03d/%03d", bus, number);
}

static inline void machine_unplug(const struct machine *m, const char *port, int bus, int number)
{
    machine_remove(m, "sys/bus/usb/devices/%s", port);
    machine_remove(m, "sys/devices/pci0000:00/0000:00:14.0/usb%d/%s", bus, port);
    machine_remove(m, "dev/bus/usb/%03d/%03d", bus, number);
}
#endif
