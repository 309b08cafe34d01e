/* hw/record.c - see record.h; start reading at hw_record_scrub(). */
#include "hw/record.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_hex(char c) { return isxdigit((unsigned char)c) != 0; }
static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* Files whose very purpose is to tell one machine from another. */
static bool is_secret_file(const char *name)
{
    static const char *const words[] = { "serial", "uuid", "address", "asset_tag", "unique_id", "wwid", "wwn", "unique", "hostname", "machine-id", "nguid", "eui", "vpd",
                                         "ifalias", "phys_port_id", "phys_switch_id", "node_guid", "sys_image_guid", "gids", "cid", "edid", "board_id", "bdaddr", "boot_id", "subsysnqn", "hostnqn" };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *at = strstr(name, words[i]);
        const size_t n = strlen(words[i]);
        if (at && (n > 4 || ((at == name || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[n])))) /* "cid", not "acid" */
            return true;
    }
    return false;
}

/* n hex digits between non-hex ones? */
static size_t hex_run(const char *s, size_t left)
{
    size_t n = 0;
    while (n < left && is_hex(s[n]))
        n++;
    return n;
}

/* Length of a MAC address, UUID, IPv4 or IPv6 address at s; 0: none.  They are searched at the starts of words. */
static size_t mac_length(const char *s, size_t left)
{
    for (size_t i = 0; i < 6; i++)
        if (left < i * 3 + 2 || !is_hex(s[i * 3]) || !is_hex(s[i * 3 + 1]) || (i < 5 && (left < i * 3 + 3 || (s[i * 3 + 2] != ':' && s[i * 3 + 2] != '-'))))
            return 0;
    return left > 17 && is_word(s[17]) ? 0 : 17;
}
static size_t uuid_length(const char *s, size_t left)
{
    static const size_t groups[] = { 8, 4, 4, 4, 12 };
    size_t at = 0;
    for (int i = 0; i < 5; i++) {
        if (hex_run(s + at, left - at) != groups[i])
            return 0;
        at += groups[i];
        if (i < 4 && (at >= left || s[at++] != '-'))
            return 0;
    }
    return at;
}
static size_t ipv4_length(const char *s, size_t left)
{
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        size_t n = 0;
        int v = 0;
        while (at + n < left && n < 4 && isdigit((unsigned char)s[at + n]))
            v = v * 10 + (s[at + n++] - '0');
        if (n == 0 || n > 3 || v > 255)
            return 0;
        at += n;
        if (i < 3 && (at >= left || s[at++] != '.'))
            return 0;
    }
    return at < left && (s[at] == '.' || is_word(s[at])) ? 0 : at;
}
static size_t ipv6_length(const char *s, size_t left)
{
    size_t at = 0;
    int colons = 0;
    bool is_double = false, has_digit = false;
    while (at < left && (is_hex(s[at]) || s[at] == ':')) {
        is_double |= s[at] == ':' && at + 1 < left && s[at + 1] == ':';
        colons += s[at] == ':';
        has_digit |= is_hex(s[at]);
        at++;
    }
    /* PCI addresses ("0000:01:00.0") have two single colons; times ("12:34:56") too */
    return has_digit && ((is_double && colons >= 2 && at >= 4) || colons == 7) ? at : 0;
}
/* "0x5000c500a1b2c3d4", "eui.0025385...", long hexadecimal numbers with letters and digits: names of disks and containers */
static size_t long_hex_length(const char *s, size_t left)
{
    const size_t n = hex_run(s, left);
    bool has_letter = false, has_digit = false;
    for (size_t i = 0; i < n; i++)
        has_letter |= !isdigit((unsigned char)s[i]), has_digit |= isdigit((unsigned char)s[i]) != 0;
    return n >= 32 && has_letter && has_digit && (n == left || !is_word(s[n])) ? n : 0;
}

static void hide_patterns(struct buf *b, size_t from)
{
    for (size_t i = from; i < b->len; i++) {
        char *s = b->data + i;
        const size_t left = b->len - i;
        if (i > 0 && (is_word(s[-1]) || s[-1] == ':' || s[-1] == '.'))
            continue;
        size_t n = mac_length(s, left);
        n = n ? n : uuid_length(s, left);
        n = n ? n : ipv4_length(s, left);
        n = n ? n : ipv6_length(s, left);
        n = n ? n : long_hex_length(s, left);
        for (size_t k = 0; k < n; k++)
            if (is_hex(s[k]))
                s[k] = '0';
        i += n ? n - 1 : 0;
    }
    /* network interfaces named by their address: enx001122334455, wlx... */
    for (size_t i = from; i + 15 <= b->len; i++)
        if ((memcmp(b->data + i, "enx", 3) == 0 || memcmp(b->data + i, "wlx", 3) == 0 || memcmp(b->data + i, "wwx", 3) == 0) && hex_run(b->data + i + 3, b->len - i - 3) == 12)
            memset(b->data + i + 3, '0', 12);
}

/* Names that thousands of machines and users have tell nobody apart, and hardware is called by them too. */
static bool is_common(const char *word)
{
    static const char *const common[] = { "root", "localhost", "linux", "debian", "ubuntu", "fedora", "arch", "alpine", "raspberrypi", "raspberry", "nvidia", "intel", "amd", "jetson",
                                          "server", "desktop", "laptop", "user", "admin", "docker", "runner", "default", "system", "memory", "node", "cpu", "gpu", "power", "device",
                                          "sys", "proc", "class", "pci", "usb", "net", "eth0", "test", "host", "home" };
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
        if (strcmp(word, common[i]) == 0)
            return true;
    return false;
}

static void hide_word(struct buf *b, const char *word)
{
    const size_t n = is_common(word) ? 0 : strlen(word);
    for (size_t i = 0; n >= 3 && i + n <= b->len; i++)
        if (memcmp(b->data + i, word, n) == 0 && (i == 0 || !is_word(b->data[i - 1])) && (i + n == b->len || !is_word(b->data[i + n])))
            memset(b->data + i, 'x', n);
}

/* Keeps the lines for which keep() says so. */
static void keep_lines(struct buf *b, bool (*keep)(const char *line, size_t n))
{
    size_t to = 0;
    for (size_t at = 0; at < b->len;) {
        const char *nl = memchr(b->data + at, '\n', b->len - at);
        const size_t n = nl ? (size_t)(nl - b->data) - at + 1 : b->len - at;
        if (keep(b->data + at, n)) {
            memmove(b->data + to, b->data + at, n);
            to += n;
        }
        at += n;
    }
    b->len = to;
}
static bool begins(const char *line, size_t n, const char *word) { return n >= strlen(word) && memcmp(line, word, strlen(word)) == 0; }
static bool is_plain_cpuinfo(const char *line, size_t n) { return !begins(line, n, "Serial"); }
static bool is_plain_uevent(const char *line, size_t n)
{
    static const char *const known[] = { "DRIVER=", "PCI_CLASS=", "PCI_ID=", "PCI_SUBSYS_ID=", "PCI_SLOT_NAME=", "DEVTYPE=", "PRODUCT=", "TYPE=", "INTERFACE=", "OF_NAME=", "OF_COMPATIBLE",
                                         "MAJOR=", "MINOR=", "DEVNAME=", "POWER_SUPPLY_TYPE=", "POWER_SUPPLY_NAME=" };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (begins(line, n, known[i]))
            return true;
    return false;
}
static bool is_plain_os_release(const char *line, size_t n) { return begins(line, n, "PRETTY_NAME=") || begins(line, n, "ID=") || begins(line, n, "VERSION_ID="); }
static bool is_plain_gpu(const char *line, size_t n) { return !begins(line, n, "GPU UUID") && !begins(line, n, "Serial"); }
/* Swap files and network shares may lie under a person's name. */
static bool is_plain_swap(const char *line, size_t n) { return begins(line, n, "Filename") || begins(line, n, "/dev/"); }
static bool is_plain_mount(const char *line, size_t n) { return begins(line, n, "/dev/") || begins(line, n, "overlay ") || begins(line, n, "tmpfs /") || begins(line, n, "cgroup"); }

/* "/dev/nvme0n1p2 /home/alice ext4": the place is hidden below /home, /media, /mnt, /run. */
static void hide_places(struct buf *b)
{
    static const char *const places[] = { "/home/", "/media/", "/mnt/", "/run/user/", "/run/media/", "/Users/", "/var/lib/docker/", "/var/lib/containers/" };
    for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
        const size_t n = strlen(places[p]);
        for (size_t i = 0; i + n < b->len; i++)
            if (memcmp(b->data + i, places[p], n) == 0)
                for (size_t k = i + n; k < b->len && !isspace((unsigned char)b->data[k]) && b->data[k] != ',' && b->data[k] != '"'; k++)
                    b->data[k] = b->data[k] == '/' ? '/' : 'x';
    }
}

/* "Linux version 6.1.0 (builder@host) ...": the first three words. */
static void cut_version(struct buf *b)
{
    size_t spaces = 0, i = 0;
    while (i < b->len && (b->data[i] != ' ' || ++spaces < 3))
        i++;
    b->len = i;
    buf_putc(b, '\n');
}

/* "0::/user.slice/user-1000.slice/...": only what tells the kind of container. */
static void cut_cgroup(struct buf *b)
{
    static const char *const words[] = { "kubepods", "docker", "libpod", "lxc", "containerd" };
    const char *found = NULL;
    buf_putc(b, '\0');
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !found && !b->failed; i++)
        if (strstr(b->data, words[i]))
            found = words[i];
    b->len = 0;
    buf_printf(b, "0::/%s\n", found ? found : "");
}

/* SMBIOS: of the memory structures (16, 17) everything but serial numbers and asset tags, of the others nothing. */
static void scrub_dmi(struct buf *b)
{
    const uint8_t *t = (const uint8_t *)b->data;
    size_t to = 0;
    for (size_t at = 0; b->len - at >= 4 && at < b->len;) {
        const size_t length = t[at + 1];
        if (length < 4 || length > b->len - at)
            break;
        size_t end = at + length;
        while (end + 1 < b->len && (t[end] || t[end + 1]))
            end++;
        if (end + 2 > b->len)
            break;
        const size_t n = end + 2 - at;
        if (t[at] == 16 || t[at] == 17) {
            memmove(b->data + to, b->data + at, n);
            uint8_t *s = (uint8_t *)b->data + to;
            if (s[0] == 17)
                for (int k = 0; k < 2; k++) { /* DSP0134 7.18: offset 18h serial number, 19h asset tag */
                    const size_t offset = k ? 0x19 : 0x18;
                    unsigned index = offset < length ? s[offset] : 0;
                    for (size_t i = length; index > 0 && i < n && s[i]; index--) {
                        const size_t len = strlen((const char *)s + i);
                        if (index == 1)
                            memset(s + i, '0', len);
                        i += len + 1;
                    }
                }
            to += n;
        }
        at = end + 2;
    }
    b->len = to;
}

bool hw_record_scrub(void *ctx, struct buf *path, bool is_link, struct buf *content)
{
    const struct hw_names_to_hide *hide = ctx;
    const char *slash = strrchr(path->data, '/'), *name = slash ? slash + 1 : path->data, *p = path->data;
    if (is_secret_file(name) && !is_link)
        return false;
    if (strcmp(p, "sys/firmware/dmi/tables/DMI") == 0) {
        scrub_dmi(content);
        return true;
    }
    if (strcmp(p, "proc/cpuinfo") == 0)
        keep_lines(content, is_plain_cpuinfo);
    else if (strcmp(p, "proc/version") == 0)
        cut_version(content);
    else if (strcmp(p, "proc/self/cgroup") == 0)
        cut_cgroup(content);
    else if (strcmp(p, "proc/swaps") == 0)
        keep_lines(content, is_plain_swap);
    else if (strcmp(p, "proc/mounts") == 0 || strcmp(p, "proc/self/mounts") == 0 || strcmp(p, "proc/self/mountinfo") == 0)
        keep_lines(content, is_plain_mount);
    else if (strcmp(name, "uevent") == 0)
        keep_lines(content, is_plain_uevent);
    else if (strcmp(name, "os-release") == 0)
        keep_lines(content, is_plain_os_release);
    else if (strncmp(p, "proc/driver/nvidia/", 19) == 0)
        keep_lines(content, is_plain_gpu);
    else if (strncmp(p, "etc/udev/", 9) == 0 || strncmp(p, "lib/udev/", 9) == 0 || strncmp(p, "usr/lib/udev/", 13) == 0)
        return false; /* written by people; doctor alone asks for them */
    hide_places(content);
    hide_patterns(content, 0);
    hide_patterns(path, 0);
    for (int i = 0; i < 8; i++)
        if (hide && hide->word[i]) {
            hide_word(content, hide->word[i]);
            hide_word(path, hide->word[i]);
        }
    return true;
}

/* The kernel's command line is written anew from the words that detection keeps. */
struct scrub {
    const struct hw_names_to_hide *hide;
    const struct hw_machine *m;
};
static bool scrub(void *ctx, struct buf *path, bool is_link, struct buf *content)
{
    const struct scrub *s = ctx;
    if (strcmp(path->data, "proc/cmdline") == 0) {
        buf_clear(content);
        buf_printf(content, "%s\n", s->m->os.cmdline);
    }
    return hw_record_scrub((void *)s->hide, path, is_link, content);
}

bool hw_record(struct hw_root *r, const struct hw_names_to_hide *hide, struct buf *tar, struct hw_machine **out, struct err *err)
{
    hw_root_keep(r);
    *out = hw_detect_root(r, err);
    struct scrub s = { hide, *out };
    if (*out && hw_root_tar(r, scrub, &s, tar, err))
        return true;
    hw_machine_free(*out);
    *out = NULL;
    return false;
}
