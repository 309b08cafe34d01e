/* advise/doctor.h - what is set up wrongly for inference on a machine, why it matters, and the command that mends it.
 *
 * For:     `tutti doctor`.
 * Callers: cmd/, tests.
 * Touches: nothing: a pure function of what hw/ found.  It never changes the machine.
 * Rule:    a rule fires only on what was read, never on what is missing; what cannot be known is not a finding.
 *          A cost is an estimate unless the text names where it was measured.  One table of rules: doctor_rules.c.
 */
#ifndef TUTTI_ADVISE_DOCTOR_H
#define TUTTI_ADVISE_DOCTOR_H
#include <stdbool.h>

#include "advise/bandwidth.h"
#include "hw/machine.h"

/* name in --json.  ORDER DOCTOR_SEVERITY */
enum doctor_severity {
    DOCTOR_BAD,     /* does not work, or costs about half of the speed or more */
    DOCTOR_WARNING, /* costs speed, stability or time that can be had back */
    DOCTOR_INFO,    /* good to know; may be right as it is */
    DOCTOR_SEVERITIES
};
/* ORDER DOCTOR_CONFIDENCE */
enum doctor_confidence {
    DOCTOR_CERTAIN,  /* read from the machine, and the effect is documented */
    DOCTOR_LIKELY,   /* the effect depends on load or model */
    DOCTOR_POSSIBLE, /* worth a measurement before and after */
    DOCTOR_CONFIDENCES
};
const char *doctor_severity_name(enum doctor_severity s);     /* "bad", "warning", "info" */
const char *doctor_confidence_name(enum doctor_confidence c); /* "certain", "likely", "possible" */

struct doctor_facts {
    const struct hw_machine *m;
    const struct advise_bandwidth *bandwidth; /* of the memory, with the catalog's knowledge; NULL not asked */
    int catalog_channels;  /* memory channels of this processor or board by the catalog, all sockets; 0 not known */
    const char *precision; /* what the user computes in: "f32", "f16", "q4_k_m", ...; NULL not said */
    int today;             /* 20261121; 0: not known, rules about age keep silent */
};

struct doctor_finding {
    const char *id; /* of the rule, borrowed for ever */
    enum doctor_severity severity;
    enum doctor_confidence confidence;
    char what[200];
    const char *why;
    char fix[320];  /* a command, or what to do */
};

/* One rule.  `holds` looks at the facts; true: it is a finding.  It fills what[], and fix[] where the rule's own text is
 * not enough, with doctor_say(), and may lower the severity. */
struct doctor_rule {
    const char *id;
    enum doctor_severity severity;
    enum doctor_confidence confidence;
    bool (*holds)(const struct doctor_facts *f, struct doctor_finding *out);
    const char *why; /* with the expected cost */
    const char *fix;
};
extern const struct doctor_rule doctor_rules[];
extern const int doctor_n_rules;

/* Findings in the order of severity, then of the table; at most max.  Returns how many. */
int doctor_run(const struct doctor_facts *f, struct doctor_finding *findings, int max);
/* Formats into what[] (or fix[]); returns true, so that a condition can end with it. */
bool doctor_say(struct doctor_finding *out, const char *fmt, ...) ERR_PRINTF(2, 3);
bool doctor_fix(struct doctor_finding *out, const char *fmt, ...) ERR_PRINTF(2, 3);

/* For rules and list: the disk that holds the models, NULL when that is not known. */
const struct hw_disk *doctor_model_disk(const struct hw_machine *m);

/* The seeds' list for machines at the edge. */
enum doctor_tick {
    DOCTOR_TICK_YES, DOCTOR_TICK_NO,
    DOCTOR_TICK_UNKNOWN, /* the machine does not tell */
    DOCTOR_TICK_START,   /* depends on how the server is started: `how` is the command */
    DOCTOR_TICKS
};
const char *doctor_tick_name(enum doctor_tick t); /* "yes", "no", "unknown", "at start" */
struct doctor_edge {
    const char *id, *want; /* the item, borrowed for ever */
    enum doctor_tick tick;
    char found[200], how[320];
};
enum { DOCTOR_EDGE_ITEMS = 7 };
/* Fills all items. */
void doctor_edge(const struct doctor_facts *f, struct doctor_edge items[DOCTOR_EDGE_ITEMS]);
#endif
