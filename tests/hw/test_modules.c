/* tests/hw/test_modules.c - memory slots as SMBIOS describes them: sizes, rates, channels by the slots' names. */
#include <string.h>

#include "hw/machine.h"
#include "test.h"

struct slot {
    const char *locator, *bank;
    int mib, width, mts;
};

static uint8_t table[8192];
static size_t n_table;

static void put16(uint8_t *s, int at, unsigned v) { s[at] = (uint8_t)v, s[at + 1] = (uint8_t)(v >> 8); }

/* DSP0134 7.18, 0x5c bytes and four strings */
static void put_slot(const struct slot *d, unsigned type)
{
    uint8_t s[0x5c] = { 17, 0x5c };
    const char *const strings[] = { d->locator, d->bank, "Maker", "PART-1" };
    put16(s, 8, d->mib ? (unsigned)d->width : 0), put16(s, 10, d->mib ? (unsigned)d->width : 0);
    put16(s, 12, d->mib < 0x7fff ? (unsigned)d->mib : 0x7fff);
    if (d->mib >= 0x7fff)
        put16(s, 0x1c, (unsigned)d->mib & 0xffff), put16(s, 0x1e, (unsigned)d->mib >> 16);
    int n_strings = 0; /* an empty text has the number 0 and no string */
    s[0x10] = (uint8_t)++n_strings, s[0x11] = (uint8_t)(d->bank[0] ? ++n_strings : 0), s[0x17] = (uint8_t)++n_strings, s[0x1a] = (uint8_t)++n_strings;
    s[0x12] = (uint8_t)type, s[0x1b] = 2;
    put16(s, 0x15, (unsigned)d->mts), put16(s, 0x20, (unsigned)d->mts);
    memcpy(table + n_table, s, sizeof(s));
    n_table += sizeof(s);
    for (int i = 0; i < 4; i++) {
        if (!strings[i][0])
            continue;
        memcpy(table + n_table, strings[i], strlen(strings[i]) + 1);
        n_table += strlen(strings[i]) + 1;
    }
    table[n_table++] = 0;
}

static struct hw_machine *detect(void)
{
    struct err err = { 0 };
    char text[32768];
    size_t n = (size_t)snprintf(text, sizeof(text), "sys/firmware/dmi/tables/DMI:= ");
    for (size_t i = 0; i < n_table; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "\\x%02x", table[i]);
    struct hw_root *r = hw_root_parse(text, n, &err);
    struct hw_machine *m = r ? hw_detect_root(r, &err) : NULL;
    CHECK(m, "%s", err.text);
    hw_root_free(r);
    return m;
}

static const struct {
    const char *what;
    struct slot slots[8];
    unsigned type;
    int channels, possible, filled;
    double gbps;
} cases[] = {
    { "a desktop, one slot of each channel", { { "DIMM_A1", "BANK 0", 0, 0, 0 }, { "DIMM_A2", "BANK 1", 16384, 64, 6000 }, { "DIMM_B1", "BANK 2", 0, 0, 0 }, { "DIMM_B2", "BANK 3", 16384, 64, 6000 } },
      0x22, 2, 2, 2, 96 },
    { "half of the channels", { { "ChannelA-DIMM0", "BANK 0", 16384, 64, 3200 }, { "ChannelB-DIMM0", "BANK 2", 0, 0, 0 } }, 0x1a, 1, 2, 1, 25.6 },
    { "AMD names channels in the bank", { { "DIMM 0", "P0 CHANNEL A", 8192, 64, 5600 }, { "DIMM 1", "P0 CHANNEL A", 8192, 64, 5600 }, { "DIMM 0", "P0 CHANNEL B", 8192, 64, 5600 } }, 0x22, 2, 2, 3, 89.6 },
    { "soldered LPDDR5: channels of 16 bits",
      { { "Controller0-ChannelA-DIMM0", "BANK 0", 4096, 16, 6400 }, { "Controller0-ChannelB-DIMM0", "BANK 1", 4096, 16, 6400 }, { "Controller1-ChannelA-DIMM0", "BANK 4", 4096, 16, 6400 },
        { "Controller1-ChannelB-DIMM0", "BANK 5", 4096, 16, 6400 } },
      0x23, 4, 4, 4, 51.2 },
    { "Supermicro", { { "P1-DIMMA1", "P0_Node0_Channel0_Dimm0", 65536, 64, 4800 }, { "P1-DIMMB1", "P0_Node0_Channel1_Dimm0", 65536, 64, 4800 } }, 0x22, 2, 2, 2, 76.8 },
    { "Dell counts slots of a socket: channels are not known", { { "A1", "", 32768, 64, 2933 }, { "A2", "", 32768, 64, 2933 }, { "A4", "", 0, 0, 0 } }, 0x1a, 0, 0, 2, 0 },
    { "HPE's names do not tell", { { "PROC 1 DIMM 8", "", 32768, 64, 2933 } }, 0x1a, 0, 0, 1, 0 },
    { "a guest's made-up module has no rate", { { "DIMM 0", "", 16384, 64, 0 } }, 0x07, 0, 0, 1, 0 },
    { "persistent modules are no DRAM channels", { { "DIMM_A1", "", 131072, 64, 2666 } }, 0x1f, 0, 0, 1, 0 },
};

TEST(channels_are_known_only_by_names_that_tell)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int n = 0;
        int64_t bytes = 0;
        n_table = 0;
        for (; n < 8 && cases[i].slots[n].locator; n++)
            put_slot(&cases[i].slots[n], cases[i].type);
        struct hw_machine *m = detect();
        REQUIRE(m);
        const struct hw_memory *y = &m->memory;
        CHECK(y->n_modules == n && y->n_slots_filled == cases[i].filled, "%s: %d of %d", cases[i].what, y->n_slots_filled, y->n_modules);
        CHECK(y->channels == cases[i].channels && y->channels_possible == cases[i].possible, "%s: %d of %d channels", cases[i].what, y->channels, y->channels_possible);
        CHECK(y->theoretical_bps / 1e9 < cases[i].gbps + 0.01 && y->theoretical_bps / 1e9 > cases[i].gbps - 0.01, "%s: %g GB/s", cases[i].what, y->theoretical_bps / 1e9);
        for (int k = 0; k < n; k++) {
            bytes = (int64_t)cases[i].slots[k].mib << 20;
            CHECK(y->modules[k].size_bytes == bytes && strcmp(y->modules[k].locator, cases[i].slots[k].locator) == 0, "%s: %lld", cases[i].what, (long long)y->modules[k].size_bytes);
        }
        hw_machine_free(m);
    }
}

TEST(a_table_that_is_cut_or_lies_about_lengths_is_survived)
{
    n_table = 0;
    put_slot(&cases[0].slots[1], 0x22);
    const size_t whole = n_table;
    for (n_table = 0; n_table < whole; n_table++)
        hw_machine_free(detect());
    for (int i = 0; i < 300; i++) {
        n_table = 0;
        put_slot(&cases[0].slots[1], 0x22);
        for (int k = 0; k < 4; k++)
            table[test_rand_u64() % n_table] = (uint8_t)test_rand_u64();
        hw_machine_free(detect());
    }
}
