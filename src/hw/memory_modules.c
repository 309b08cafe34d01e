/* hw/memory_modules.c - type, rate and channels of the memory, and the bandwidth that follows.
 *
 * For:     memory.c.
 * Touches: /sys/firmware/dmi/tables/DMI (root), /sys/devices/system/edac/mc.
 * Rule:    bandwidth is reckoned only from what this machine said (DMI); tables of chips are catalog/'s and
 *          are joined in advise/, marked as such.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/memory_internal.h"

enum { DMI_BYTES_MAX = 1 << 20 };

/* EDAC lists modules without root where its driver is loaded, but no rates: /sys/devices/system/edac/mc/mc0/dimm3. */
static void read_edac(const struct hw_root *r, struct hw_machine *m)
{
    static const struct {
        const char *word, *type;
    } types[] = { { "DDR5", "DDR5" }, { "DDR4", "DDR4" }, { "DDR3", "DDR3" }, { "LPDDR4", "LPDDR4" }, { "HBM2", "HBM2" }, { "HBM3", "HBM3" }, { "NVDIMM", "persistent" } };
    struct hw_memory *mem = &m->memory;
    struct hw_names mcs;
    hw_list(r, &mcs, "sys/devices/system/edac/mc");
    for (int i = 0; i < mcs.n; i++) {
        struct hw_names dimms;
        if (strncmp(mcs.name[i], "mc", 2) != 0)
            continue;
        hw_list(r, &dimms, "sys/devices/system/edac/mc/%s", mcs.name[i]);
        for (int k = 0; k < dimms.n; k++) {
            char type[64] = "", mode[64] = "";
            int64_t mib;
            if ((strncmp(dimms.name[k], "dimm", 4) != 0 && strncmp(dimms.name[k], "rank", 4) != 0) ||
                !hw_read_i64(r, &mib, "sys/devices/system/edac/mc/%s/%s/size", mcs.name[i], dimms.name[k]) || mib < 0 || mib > 1 << 24)
                continue;
            struct hw_module *d = HW_ADD(m, mem->modules, mem->n_modules);
            if (!d)
                break;
            *d = (struct hw_module){ .size_bytes = mib << 20 };
            hw_read(r, type, sizeof(type), "sys/devices/system/edac/mc/%s/%s/dimm_mem_type", mcs.name[i], dimms.name[k]);
            hw_read(r, mode, sizeof(mode), "sys/devices/system/edac/mc/%s/%s/dimm_edac_mode", mcs.name[i], dimms.name[k]);
            char label[64] = "";
            hw_read(r, label, sizeof(label), "sys/devices/system/edac/mc/%s/%s/dimm_label", mcs.name[i], dimms.name[k]);
            hw_copy(d->locator, sizeof(d->locator), label);
            for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
                if (!d->type[0] && strstr(type, types[t].word))
                    snprintf(d->type, sizeof(d->type), "%s", types[t].type);
            if (strstr(mode, "SECDED") || strstr(mode, "S4ECD4ED") || strstr(mode, "S8ECD8ED"))
                mem->ecc = HW_YES;
            mem->n_slots_filled += mib > 0;
        }
        hw_names_free(&dimms);
    }
    hw_names_free(&mcs);
}

/* What names a slot's channel, without the slot's number in it: "P0_Node1_Channel2_Dimm0", "DIMM_A1", "Controller0-ChannelA-DIMM0",
 * "ChannelB-DIMM1", "DIMM 0" with bank "P0 CHANNEL A".  false: the names say nothing of channels. */
static bool channel_of(const struct hw_module *d, char *to, size_t size)
{
    const char *const texts[] = { d->locator, d->bank };
    for (int i = 0; i < 2; i++) {
        const char *at = texts[i], *found = NULL;
        char upper[64];
        size_t n = strlen(at);
        if (n >= sizeof(upper))
            continue;
        for (size_t k = 0; k <= n; k++)
            upper[k] = (char)toupper((unsigned char)at[k]);
        found = strstr(upper, "CHANNEL");
        if (found) { /* up to and with the letter or number behind it */
            size_t end = (size_t)(found - upper) + 7;
            while (upper[end] == ' ' || upper[end] == '_' || upper[end] == '-')
                end++;
            if (upper[end] == '\0')
                continue;
            end += isdigit((unsigned char)upper[end]) ? strspn(upper + end, "0123456789") : 1;
            /* several controllers or sockets may share the channel's name: the other text tells them apart */
            snprintf(to, size, "%.*s|%s", (int)end, upper, i == 0 && strstr(d->bank, "Controller") ? d->bank : "");
            return true;
        }
    }
    /* boards of desktops and many servers: DIMM_A1, CPU1_DIMM_B2, P1-DIMMA1, A2: a letter and the slot on that channel, of which there are
     * 3 at most.  Dell's servers count all slots of a socket so (A1 to A16): their names do not tell. */
    const size_t n = strlen(d->locator);
    size_t digits = n;
    while (digits > 0 && isdigit((unsigned char)d->locator[digits - 1]))
        digits--;
    if (digits < n && digits > 0 && n - digits < 4 && strtol(d->locator + digits, NULL, 10) <= 3 && isupper((unsigned char)d->locator[digits - 1]) &&
        (digits == 1 || !isupper((unsigned char)d->locator[digits - 2]) || (digits >= 5 && strncmp(d->locator + digits - 5, "DIMM", 4) == 0))) {
        snprintf(to, size, "%.*s", (int)digits, d->locator);
        return true;
    }
    return false;
}

static int count_channels(const struct hw_memory *mem, bool filled_only)
{
    char seen[HW_MODULES_MAX][128];
    int n = 0;
    for (int i = 0; i < mem->n_modules; i++) {
        const struct hw_module *d = &mem->modules[i];
        char name[128];
        if (strcmp(d->type, "persistent") == 0)
            continue;
        if (!channel_of(d, name, sizeof(name))) /* of an empty slot, too: Dell's A12 shows that A is no channel */
            return 0;
        if (filled_only && d->size_bytes == 0)
            continue;
        bool is_new = true;
        for (int k = 0; k < n && is_new; k++)
            is_new = strcmp(seen[k], name) != 0;
        if (is_new)
            memcpy(seen[n++], name, sizeof(name));
    }
    return n;
}

/* Channels times width times rate of the slowest module. */
static void reckon(struct hw_memory *mem, const char *source)
{
    int mts = 0, width = 0;
    for (int i = 0; i < mem->n_modules; i++) {
        const struct hw_module *d = &mem->modules[i];
        if (d->size_bytes == 0 || strcmp(d->type, "persistent") == 0)
            continue;
        if (!mem->type[0] && d->type[0]) {
            snprintf(mem->type, sizeof(mem->type), "%s", d->type);
            snprintf(mem->type_source, sizeof(mem->type_source), "%s", source);
        }
        mts = d->mts > 0 && (mts == 0 || d->mts < mts) ? d->mts : mts;
        width = d->width_bits > width ? d->width_bits : width;
    }
    mem->mts = mts;
    mem->channel_bits = width;
    mem->channels = count_channels(mem, true);
    mem->channels_possible = count_channels(mem, false);
    if (mem->channels == 0 || mem->channels_possible < mem->channels)
        mem->channels_possible = 0;
    if (mem->channels > 0 && mts > 0 && width > 0) {
        mem->ram_bps = mem->theoretical_bps = (double)mem->channels * width / 8 * mts * 1e6;
        snprintf(mem->bandwidth_source, sizeof(mem->bandwidth_source), "%d x %d bit x %d MT/s (%s)", mem->channels, width, mts, source);
    }
}

void memory_read_modules(const struct hw_root *r, struct hw_machine *m)
{
    size_t n;
    uint8_t *table = (uint8_t *)hw_read_all(r, DMI_BYTES_MAX, &n, "sys/firmware/dmi/tables/DMI");
    const char *source = "dmi";
    if (table)
        memory_read_dmi(table, n, m);
    free(table);
    if (m->memory.n_modules == 0) {
        read_edac(r, m);
        source = "edac";
    }
    reckon(&m->memory, source);
    if (m->is_live && m->os.is_root == HW_NO && !table && hw_exists(r, "sys/firmware/dmi/tables/DMI"))
        hw_note(m, "memory modules (type, speed, channels) are readable as root only");
}
