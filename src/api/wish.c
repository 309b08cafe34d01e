/* api/wish.c - see wish.h; start reading at the table. */
#include "api/wish.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NUMBER, SECURITY, FLAG_NOT };

/* Name in the body (headers: "tutti-" and dashes), its field, kind, scale to the field's unit, most. */
static const struct wish {
    const char *name;
    size_t at;
    enum kind kind;
    double scale, most;
} wishes[] = {
#define AT(field) offsetof(struct expert_wish, field)
    { "security_level", AT(security), SECURITY, 0, 0 },
    { "deadline_ms", AT(deadline_s), NUMBER, 1e-3, 86400e3 },
    { "ttft_ms", AT(ttft_s), NUMBER, 1e-3, 86400e3 },
    { "budget_usd", AT(budget_usd), NUMBER, 1, 1e6 },
    { "budget_joules", AT(budget_joules), NUMBER, 1, 1e9 },
    { "quality", AT(quality), NUMBER, 1, 10 },
    { "degrade", AT(no_degrade), FLAG_NOT, 0, 0 },
#undef AT
};
enum { N_WISHES = sizeof(wishes) / sizeof(wishes[0]) };

/* Word, what it means.  The seeds' "airgap" is this machine: nothing leaves it. */
static const struct {
    const char *word;
    enum wish_security level;
} levels[] = { { "public", WISH_SECURITY_NONE }, { "none", WISH_SECURITY_NONE },  { "internal", WISH_LAN }, { "lan", WISH_LAN },
               { "private", WISH_LOCAL },        { "local", WISH_LOCAL },         { "airgap", WISH_LOCAL } };

static bool bad(struct openai_error *e, const char *param, const char *wanted)
{
    return openai_fail(e, 400, "invalid_value", param, "%s: %s is wanted", param, wanted);
}

/* The stricter one stays: less of the world. */
static void set_security(struct expert_wish *w, enum wish_security level)
{
    if (w->security != WISH_LOCAL && level != WISH_SECURITY_NONE)
        w->security = level;
}

static bool set_level(struct expert_wish *w, const char *param, const char *word, struct openai_error *e)
{
    for (size_t i = 0; word && i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(levels[i].word, word) == 0) {
            set_security(w, levels[i].level);
            return true;
        }
    return bad(e, param, "one of public, internal (machines of the house), private (this machine, also: airgap)");
}

static bool set_number(struct expert_wish *w, const struct wish *at, const char *param, double v, struct openai_error *e)
{
    char wanted[80];
    if (!(v > 0) || v > at->most || !isfinite(v)) {
        snprintf(wanted, sizeof(wanted), "a number above 0, at most %.10g,", at->most);
        return bad(e, param, wanted);
    }
    *(float *)(void *)((char *)w + at->at) = (float)(v * at->scale);
    return true;
}

static void set_not(struct expert_wish *w, const struct wish *at, bool v) { *(bool *)(void *)((char *)w + at->at) = !v; }

/* One of our services asks another one: how many has the request gone through? */
static bool read_hops(struct expert_wish *w, const struct http_head *head, struct openai_error *e)
{
    enum { HOPS_MAX = 4 };
    const char *v = http_head_get(head, "tutti-hops");
    if (!v)
        return true;
    if (strlen(v) < 1 || strlen(v) > 3 || strspn(v, "0123456789") != strlen(v))
        return bad(e, "tutti-hops", "a small number");
    w->hops = atoi(v);
    return w->hops < HOPS_MAX || openai_fail(e, 508, "loop_detected", NULL, "the request has gone through %d services: an expert of one points back at another", w->hops);
}

/* "00-", 32 hex digits of the trace, "-", 16 of the caller's span, "-", 2 of flags; later versions may have more behind. */
void wish_read_trace(struct expert_wish *w, const struct http_head *head, uint64_t span)
{
    enum { TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53, LENGTH = 55 };
    static const char hex[] = "0123456789abcdef";
    const char *v = http_head_get(head, "traceparent");
    w->trace[0] = '\0';
    if (!v || strlen(v) < LENGTH || v[2] != '-' || v[35] != '-' || v[52] != '-' || strspn(v, hex) != 2 || strncmp(v, "ff", 2) == 0)
        return;
    if (strspn(v + TRACE_AT, hex) != 32 || strspn(v + SPAN_AT, hex) != 16 || strspn(v + FLAGS_AT, hex) != 2 || (strncmp(v, "00", 2) == 0 ? v[LENGTH] != '\0' : v[LENGTH] && v[LENGTH] != '-') ||
        strspn(v + TRACE_AT, "0") >= 32 || strspn(v + SPAN_AT, "0") >= 16)
        return;
    snprintf(w->trace, sizeof(w->trace), "00-%.32s-%016llx-%.2s", v + TRACE_AT, (unsigned long long)(span ? span : 1), v + FLAGS_AT);
}

bool wish_read_head(struct expert_wish *w, const struct http_head *head, struct openai_error *e)
{
    if (!read_hops(w, head, e))
        return false;
    for (int i = 0; i < N_WISHES; i++) {
        const struct wish *at = &wishes[i];
        char name[48];
        snprintf(name, sizeof(name), "tutti-%s", at->name);
        for (char *c = name; *c; c++)
            *c = *c == '_' ? '-' : *c;
        const char *v = http_head_get(head, name);
        if (!v)
            continue;
        char *end = NULL;
        switch (at->kind) {
        case SECURITY:
            if (!set_level(w, name, v, e))
                return false;
            break;
        case NUMBER: {
            const double n = strtod(v, &end);
            if (!set_number(w, at, name, end == v || *end ? (double)NAN : n, e))
                return false;
            break;
        }
        case FLAG_NOT:
            if (strcmp(v, "true") != 0 && strcmp(v, "false") != 0)
                return bad(e, name, "true or false");
            set_not(w, at, v[0] == 't');
            break;
        }
    }
    return true;
}

bool wish_read_json(struct expert_wish *w, const json_t *tutti, struct openai_error *e)
{
    const char *key;
    json_t *v;
    if (!tutti || json_is_null(tutti))
        return true;
    if (!json_is_object(tutti))
        return bad(e, "tutti", "an object");
    json_object_foreach((json_t *)(uintptr_t)tutti, key, v)
    {
        char param[80];
        int i = 0;
        snprintf(param, sizeof(param), "tutti.%.60s", key);
        while (i < N_WISHES && strcmp(wishes[i].name, key) != 0)
            i++;
        if (i == N_WISHES)
            return openai_fail(e, 400, "unknown_parameter", param, "%s: there is no such wish; those that are known: security_level, deadline_ms, ttft_ms, budget_usd, "
                               "budget_joules, quality, degrade", param);
        if (json_is_null(v))
            continue;
        if (wishes[i].kind == SECURITY) {
            if (!set_level(w, param, json_string_value(v), e))
                return false;
        } else if (wishes[i].kind == NUMBER) {
            if (!set_number(w, &wishes[i], param, json_is_number(v) ? json_number_value(v) : (double)NAN, e))
                return false;
        } else if (json_is_boolean(v)) {
            set_not(w, &wishes[i], json_is_true(v));
        } else {
            return bad(e, param, "true or false");
        }
    }
    return true;
}

bool wish_read_text(struct expert_wish *w, const char *json, struct openai_error *e)
{
    if (!json || !*json)
        return true;
    json_t *t = json_loads(json, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (!t)
        return bad(e, "tutti", "a JSON object");
    const bool ok = wish_read_json(w, t, e);
    json_decref(t);
    return ok;
}
