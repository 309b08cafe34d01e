/* hw/memory_dmi.c - memory slots from the SMBIOS structure table.
 *
 * For:     memory_modules.c, the fuzzer.
 * Touches: nothing: bytes in, modules out.
 * Rule:    every structure's length is checked against what is left; serial numbers and asset tags are not looked at.
 *
 * Format: DMTF DSP0134 3.7.0: 6.1.2 structure header, 7.17 Physical Memory Array (type 16), 7.18 Memory Device (type 17).
 */
#include <stdio.h>
#include <string.h>

#include "hw/memory_internal.h"

struct structure {
    const uint8_t *at;     /* formatted area, `length` bytes */
    uint8_t type, length;
    const uint8_t *strings, *end; /* "a\0b\0\0" */
};

static unsigned u8(const struct structure *s, unsigned offset) { return offset < s->length ? s->at[offset] : 0; }
static unsigned u16(const struct structure *s, unsigned offset) { return offset + 2u <= s->length ? s->at[offset] | (unsigned)s->at[offset + 1] << 8 : 0; }
static uint32_t u32(const struct structure *s, unsigned offset) { return offset + 4u <= s->length ? u16(s, offset) | (uint32_t)u16(s, offset + 2) << 16 : 0; }

/* String number `index`, 1 the first. */
static void string_of(const struct structure *s, unsigned index, char *to, size_t size)
{
    const uint8_t *at = s->strings;
    to[0] = '\0';
    for (unsigned i = 1; index > 0 && at < s->end && *at; i++) {
        const size_t n = strnlen((const char *)at, (size_t)(s->end - at));
        if (i == index) {
            char text[128];
            const size_t m = n < sizeof(text) ? n : sizeof(text) - 1;
            memcpy(text, at, m);
            text[m] = '\0';
            hw_copy(to, size, text);
            return;
        }
        at += n + (at + n < s->end);
    }
}

/* 7.18.2 Memory Device - Type */
static const char *type_name(unsigned type)
{
    switch (type) {
    case 0x12: return "DDR";
    case 0x13: case 0x14: return "DDR2";
    case 0x18: return "DDR3";
    case 0x1a: return "DDR4";
    case 0x1b: return "LPDDR";
    case 0x1c: return "LPDDR2";
    case 0x1d: return "LPDDR3";
    case 0x1e: return "LPDDR4";
    case 0x1f: return "persistent";
    case 0x20: return "HBM";
    case 0x21: return "HBM2";
    case 0x22: return "DDR5";
    case 0x23: return "LPDDR5";
    case 0x24: return "HBM3";
    default: return "";
    }
}

static void read_device(const struct structure *s, struct hw_machine *m)
{
    const unsigned size = u16(s, 0x0c);
    struct hw_module *d = HW_ADD(m, m->memory.modules, m->memory.n_modules);
    if (!d)
        return;
    *d = (struct hw_module){ 0 };
    string_of(s, u8(s, 0x10), d->locator, sizeof(d->locator));
    string_of(s, u8(s, 0x11), d->bank, sizeof(d->bank));
    if (size == 0 || size == 0xffff)
        return; /* an empty slot, or unknown */
    /* 7.18.5: 0x7fff: the extended size in MiB; bit 15: KiB instead of MiB */
    d->size_bytes = size == 0x7fff ? (int64_t)(u32(s, 0x1c) & 0x7fffffff) << 20 : size & 0x8000 ? (int64_t)(size & 0x7fff) << 10 : (int64_t)size << 20;
    snprintf(d->type, sizeof(d->type), "%s", type_name(u8(s, 0x12)));
    const unsigned rated = u16(s, 0x15), configured = u16(s, 0x20);
    d->mts_rated = rated == 0xffff ? (int)(u32(s, 0x54) & 0x7fffffff) : (int)rated;
    d->mts = configured == 0xffff ? (int)(u32(s, 0x58) & 0x7fffffff) : configured ? (int)configured : d->mts_rated;
    if (d->mts_rated > 100000 || d->mts > 100000)
        d->mts_rated = d->mts = 0; /* no memory runs at that */
    string_of(s, u8(s, 0x17), d->maker, sizeof(d->maker));
    string_of(s, u8(s, 0x1a), d->part, sizeof(d->part));
    d->rank = (int)(u8(s, 0x1b) & 15);
    const unsigned width = u16(s, 0x0a), total_width = u16(s, 0x08);
    d->width_bits = width && width <= 1024 ? (int)width : 0;
    if (total_width != 0xffff && width != 0xffff && total_width > width && width > 0)
        m->memory.ecc = HW_YES; /* more wires than data */
    m->memory.n_slots_filled += d->size_bytes > 0;
}

void memory_read_dmi(const uint8_t *table, size_t n, struct hw_machine *m)
{
    for (size_t at = 0; n - at >= 4 && at < n;) {
        struct structure s = { .at = table + at, .type = table[at], .length = table[at + 1] };
        if (s.length < 4 || s.length > n - at)
            return;
        size_t end = at + s.length;
        s.strings = table + end;
        while (end + 1 < n && (table[end] || table[end + 1]))
            end++;
        s.end = table + (end < n ? end : n);
        if (s.type == 17)
            read_device(&s, m);
        else if (s.type == 16 && u8(&s, 0x05) == 3) /* use: system memory */
            m->memory.ecc = u8(&s, 0x06) >= 5 && u8(&s, 0x06) <= 7 ? HW_YES : u8(&s, 0x06) == 3 ? HW_NO : m->memory.ecc;
        else if (s.type == 127)
            return;
        at = end + 2;
        if (at > n)
            return;
    }
}
