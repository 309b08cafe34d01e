/* hw/machine.c - see machine.h; hw_detect_root() calls all detectors.
 *
 * For:     cmd/, advise/, serve/.
 * Touches: what the detectors touch.
 */
#include "hw/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

/* In this order: each may read what earlier ones filled in. */
static bool (*const detectors[])(const struct hw_root *, struct hw_machine *) = {
    hw_detect_os,
    hw_detect_board,
    hw_detect_cpu,
    hw_detect_memory,
    hw_detect_gpus,
    hw_detect_jetson,
    hw_detect_accelerators,
    hw_detect_disks,
    hw_detect_links,
    hw_detect_thermal,
    hw_detect_throttle,
    hw_detect_power,
    hw_detect_supplies,
    hw_detect_setup,
    hw_detect_setup_cluster,
};

struct hw_machine *hw_detect_root(const struct hw_root *r, struct err *err)
{
    struct hw_machine *m = calloc(1, sizeof(*m));
    if (!m)
        return err_null(err, ERR_NOMEM, "detect: out of memory");
    const uint64_t began = clock_ns();
    m->is_live = hw_root_is_live(r);
    m->cpu.family = m->cpu.model_number = m->cpu.stepping = -1;
    m->memory.swappiness = -1;
    for (size_t i = 0; i < sizeof(detectors) / sizeof(detectors[0]); i++)
        detectors[i](r, m);
    char path[120];
    m->n_hung = hw_root_n_hung(r, path, sizeof(path));
    if (m->n_hung > 0)
        hw_note(m, "%d device attributes did not answer in time, the last was /%s", m->n_hung, path);
    m->detect_ms = (double)(clock_ns() - began) * 1e-6;
    return m;
}

struct hw_machine *hw_detect(const char *root, struct err *err)
{
    struct hw_root *r = hw_root_open(root, err);
    struct hw_machine *m = r ? hw_detect_root(r, err) : NULL;
    if (m && root)
        hw_copy(m->root, sizeof(m->root), root);
    hw_root_free(r);
    return m;
}

void hw_machine_free(struct hw_machine *m) { free(m); }

void hw_note(struct hw_machine *m, const char *fmt, ...)
{
    struct hw_note note = { "" };
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(note.text, sizeof(note.text), fmt, ap);
    va_end(ap);
    for (int i = 0; i < m->n_notes; i++)
        if (strcmp(m->notes[i].text, note.text) == 0)
            return;
    struct hw_note *place = HW_ADD(m, m->notes, m->n_notes);
    if (place)
        *place = note;
}

void hw_copy(char *to, size_t size, const char *from)
{
    size_t n = 0;
    while (*from == ' ' || (*from >= '\t' && *from <= '\r'))
        from++;
    for (size_t left = strlen(from), step; left > 0; from += step, left -= step) {
        uint32_t cp;
        step = utf8_decode(from, left, &cp);
        const bool is_bad = step == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029;
        if (step == 0)
            step = 1;
        if (n + (is_bad ? 1 : step) >= size)
            break;
        if (is_bad)
            to[n++] = cp == '\t' && step == 1 ? ' ' : '?';
        else
            memcpy(to + n, from, step), n += step;
    }
    while (n > 0 && to[n - 1] == ' ')
        n--;
    if (size > 0)
        to[n] = '\0';
}

bool hw_machine_has_isa(const struct hw_machine *m, const char *name)
{
    for (int i = 0; i < m->cpu.n_isa; i++)
        if (strcmp(m->cpu.isa[i], name) == 0)
            return true;
    return false;
}
