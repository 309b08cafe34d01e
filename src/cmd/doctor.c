/* cmd/doctor.c - `tutti doctor`: what is set up wrongly for inference, why it matters, how to mend it.  Changes nothing. */
#define _XOPEN_SOURCE 700 /* realpath */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "advise/doctor.h"
#include "cmd/catalog_open.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/out.h"
#include "cmd/trust_here.h"

enum { FINDINGS_MAX = 128 };

static void print_labelled(const char *label, const char *text)
{
    if (!text[0])
        return;
    printf("    %s%s:%s\n", out_style(stdout, OUT_DIM), label, out_style_end(stdout));
    out_wrap(stdout, 6, OUT_WIDTH, text);
}

/* A command that is longer than a line goes on after a backslash, so that it can be copied. */
static void print_fix(const char *text)
{
    static const char *const starts[] = { "sudo ", "echo ", "numactl ", "taskset " };
    bool is_command = false;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        is_command |= strncmp(text, starts[i], strlen(starts[i])) == 0;
    if (!is_command) {
        print_labelled("fix", text);
        return;
    }
    printf("    %sfix:%s\n", out_style(stdout, OUT_DIM), out_style_end(stdout));
    const int width = OUT_WIDTH - 6 - 2;
    while ((int)strlen(text) > width) {
        int n = width;
        while (n > 0 && text[n] != ' ')
            n--;
        if (n == 0)
            break; /* one long word */
        printf("      %.*s \\\n", n, text);
        text += n + 1;
    }
    printf("      %s\n", text);
}

static void print_findings(const struct doctor_finding *findings, int n)
{
    static const enum out_style styles[DOCTOR_SEVERITIES] = { OUT_BAD, OUT_WARN, OUT_PLAIN };
    int counts[DOCTOR_SEVERITIES] = { 0 };
    for (int i = 0; i < n; i++) {
        const struct doctor_finding *f = &findings[i];
        counts[f->severity]++;
        printf("%s%s%s  %s (%s)\n", out_style(stdout, styles[f->severity]), doctor_severity_name(f->severity), out_style_end(stdout), f->id, doctor_confidence_name(f->confidence));
        out_wrap(stdout, 4, OUT_WIDTH, f->what);
        print_labelled("why", f->why);
        print_fix(f->fix);
        printf("\n");
    }
    printf("%d of %d rules found something: %d bad, %d warnings, %d for information.\n", n, doctor_n_rules, counts[DOCTOR_BAD], counts[DOCTOR_WARNING], counts[DOCTOR_INFO]);
    printf("Costs are estimates unless a source stands beside them. Nothing was changed.\n");
}

static void print_edge(const struct doctor_edge *items)
{
    static const char *const marks[DOCTOR_TICKS] = { "[x]", "[ ]", "[?]", "[>]" };
    printf("\nHardening checklist for the edge\n");
    for (int i = 0; i < DOCTOR_EDGE_ITEMS; i++) {
        printf("%s %s: %s\n", marks[items[i].tick], items[i].id, items[i].want);
        out_wrap(stdout, 6, OUT_WIDTH, items[i].found);
        if (items[i].tick != DOCTOR_TICK_YES && items[i].how[0])
            out_wrap(stdout, 6, OUT_WIDTH, items[i].how);
    }
    printf("[x] is so, [ ] is not, [?] not known, [>] decided when the server is started\n");
}

static json_t *text_or_null(const char *text) { return text[0] ? json_string(text) : json_null(); }

static bool print_json(const struct doctor_finding *findings, int n, const struct doctor_edge *edge)
{
    json_t *root = json_object(), *list = json_array(), *ticks = edge ? json_array() : json_null();
    bool ok = true;
    for (int i = 0; i < n; i++) {
        const struct doctor_finding *f = &findings[i];
        ok &= json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:o, s:s}", "id", f->id, "severity", doctor_severity_name(f->severity), "what", f->what, "why", f->why, "fix",
                                                    text_or_null(f->fix), "confidence", doctor_confidence_name(f->confidence))) == 0;
    }
    for (int i = 0; edge && i < DOCTOR_EDGE_ITEMS; i++)
        ok &= json_array_append_new(ticks, json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", edge[i].id, "want", edge[i].want, "tick", doctor_tick_name(edge[i].tick), "found",
                                                     text_or_null(edge[i].found), "how", text_or_null(edge[i].how))) == 0;
    ok &= json_object_set_new(root, "rules", json_integer(doctor_n_rules)) == 0;
    ok &= json_object_set_new(root, "findings", list) == 0;
    ok &= json_object_set_new(root, "edge", ticks) == 0;
    char *text = ok ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (text)
        printf("%s\n", text);
    free(text);
    return text != NULL;
}

static int today(void)
{
    const time_t now = time(NULL);
    struct tm day;
    return now > 0 && gmtime_r(&now, &day) ? (day.tm_year + 1900) * 10000 + (day.tm_mon + 1) * 100 + day.tm_mday : 0;
}

/* What the catalog knows about this machine. */
static void learn(struct catalog *c, struct doctor_facts *facts, struct advise_bandwidth *bandwidth)
{
    const struct catalog_row *row = advise_machine_row(c, facts->m);
    const double channels = row ? catalog_number_or(row, "n_channels", 0) : 0;
    const int sockets = facts->m->cpu.sockets > 0 ? facts->m->cpu.sockets : 1;
    facts->catalog_channels = channels > 0 && channels < 64 && sockets < 64 ? (int)channels * sockets : 0;
    advise_bandwidth(c, facts->m, bandwidth);
    facts->bandwidth = bandwidth;
}

/* This node's certificate, when it is in a cluster by the default folder; where it belongs among those that were found. */
static int add_certificate(struct doctor_finding *findings, int n)
{
    struct doctor_finding f;
    int at = n;
    if (!trust_here_finding(&f))
        return n;
    for (; at > 0 && findings[at - 1].severity > f.severity; at--)
        findings[at] = findings[at - 1];
    findings[at] = f;
    return n + 1;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    (void)argc, (void)argv;
    struct err err = { 0 };
    const struct cmd_opt *models = cmd_opt_find(opts, "models");
    struct hw_root *r = hw_root_open(cmd_opt_find(opts, "root")->s, &err);
    struct hw_machine *m = r ? hw_detect_root(r, &err) : NULL;
    struct catalog *c = NULL;
    struct doctor_finding *findings = calloc(FINDINGS_MAX, sizeof(*findings));
    int status = 1;
    if (!m || !findings) {
        if (!err.code)
            err_set(&err, ERR_NOMEM, "doctor: out of memory");
        cmd_fail(&err);
        goto out_free;
    }
    if (hw_root_is_live(r)) { /* where a link leads does matter here */
        char *folder = realpath(models->s, NULL);
        if (!folder) {
            err_set(&err, ERR_NOT_FOUND, "%s: no such folder", models->s);
            cmd_fail(&err);
            goto out_free;
        }
        hw_mark_model_disk(r, m, folder);
        free(folder);
    } else if (models->given)
        hw_mark_model_disk(r, m, models->s);
    struct doctor_facts facts = { .m = m, .precision = cmd_opt_find(opts, "precision")->s, .today = today() };
    struct advise_bandwidth bandwidth;
    c = cmd_catalog_open(opts, &err);
    if (!c) {
        cmd_fail(&err);
        goto out_free;
    }
    learn(c, &facts, &bandwidth);
    struct doctor_edge edge[DOCTOR_EDGE_ITEMS];
    const bool has_edge = cmd_opt_find(opts, "edge")->given;
    int n = doctor_run(&facts, findings, FINDINGS_MAX - 1);
    if (hw_root_is_live(r))
        n = add_certificate(findings, n);
    if (has_edge)
        doctor_edge(&facts, edge);
    if (cmd_opt_find(opts, "json")->given) {
        if (!print_json(findings, n, has_edge ? edge : NULL)) {
            err_set(&err, ERR_NOMEM, "doctor: out of memory");
            cmd_fail(&err);
            goto out_free;
        }
    } else {
        print_findings(findings, n);
        if (has_edge)
            print_edge(edge);
    }
    status = n > 0 && findings[0].severity == DOCTOR_BAD ? 1 : 0;
out_free:
    catalog_free(c);
    free(findings);
    hw_machine_free(m);
    hw_root_free(r);
    return status;
}

static struct cmd_opt options[] = {
    { "catalog", OPT_TEXT, "DIR", 0, 0, "folder of your own catalog rows", .s = NULL },
    { "edge", OPT_FLAG, NULL, 0, 0, "tick the hardening checklist for the edge too", .i = 0 },
    { "json", OPT_FLAG, NULL, 0, 0, "for programs (docs/json.md)", .i = 0 },
    { "models", OPT_TEXT, "DIR", 0, 0, "where the models lie (default: here)", .s = "." },
    { "precision", OPT_TEXT, "NAME", 0, 0, "what you compute in: f32, f16, q4_k_m, ...", .s = NULL },
    { "root", OPT_TEXT, "DIR", 0, 0, "a recorded machine instead of this one (tutti detect --record)", .s = "" },
    { 0 },
};
const struct cmd cmd_doctor = {
    .name = "doctor",
    .args = "",
    .help = "say what is set up wrongly for inference, and how to mend it",
    .more = "Never changes anything and needs no root. Status 1: a finding is \"bad\" (it does\n"
            "not work, or costs about half of the speed); else 0.\n",
    .opts = options,
    .run = run,
};
