/* advise/doctor.c - see doctor.h; the rules are in doctor_rules.c. */
#include "advise/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *doctor_severity_name(enum doctor_severity s) /* ORDER DOCTOR_SEVERITY */
{
    static const char *const names[DOCTOR_SEVERITIES] = { "bad", "warning", "info" };
    return names[s];
}

const char *doctor_confidence_name(enum doctor_confidence c) /* ORDER DOCTOR_CONFIDENCE */
{
    static const char *const names[DOCTOR_CONFIDENCES] = { "certain", "likely", "possible" };
    return names[c];
}

const char *doctor_tick_name(enum doctor_tick t)
{
    static const char *const names[DOCTOR_TICKS] = { "yes", "no", "unknown", "at start" };
    return names[t];
}

bool doctor_say(struct doctor_finding *out, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->what, sizeof(out->what), fmt, ap);
    va_end(ap);
    return true;
}

bool doctor_fix(struct doctor_finding *out, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->fix, sizeof(out->fix), fmt, ap);
    va_end(ap);
    return true;
}

const struct hw_disk *doctor_model_disk(const struct hw_machine *m)
{
    for (int i = 0; i < m->n_disks; i++)
        if (m->disks[i].holds_models == HW_YES)
            return &m->disks[i];
    return NULL;
}

int doctor_run(const struct doctor_facts *f, struct doctor_finding *findings, int max)
{
    int n = 0;
    for (int i = 0; i < doctor_n_rules && n < max; i++) {
        const struct doctor_rule *rule = &doctor_rules[i];
        struct doctor_finding found = { .id = rule->id, .severity = rule->severity, .confidence = rule->confidence, .why = rule->why };
        snprintf(found.fix, sizeof(found.fix), "%s", rule->fix);
        if (!rule->holds(f, &found))
            continue;
        int at = n++; /* insertion keeps the table's order among equals */
        for (; at > 0 && findings[at - 1].severity > found.severity; at--)
            findings[at] = findings[at - 1];
        findings[at] = found;
    }
    return n;
}
