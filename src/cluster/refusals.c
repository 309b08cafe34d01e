/* cluster/refusals.c - see refusals.h. */
#include "cluster/refusals.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"

/* The address without its port: an IPv6 one counts by its first 64 bits, which belong to one house. */
static void host_of(char out[48], const char *from)
{
    size_t n = strlen(from);
    int colons = 0;
    while (n > 0 && from[n - 1] != ':')
        n--;
    n = n > 0 ? n - 1 : strlen(from);
    if (from[0] == '[') {
        size_t at = 0;
        while (at < n && !(from[at] == ':' && (++colons == 4 || from[at + 1] == ':')))
            at++;
        n = at;
    }
    snprintf(out, 48, "%.*s", (int)(n > 47 ? 47 : n), from);
}

static struct refusal *find(const struct refusal_list *r, const char *host, uint32_t what)
{
    for (int i = 0; i < r->n; i++)
        if (r->list[i].what == what && strcmp(r->list[i].host, host) == 0)
            return (struct refusal *)(uintptr_t)&r->list[i];
    return NULL;
}

static struct refusal *find_or_add(struct refusal_list *r, uint64_t now_ms, const char *from, uint32_t what)
{
    char host[48];
    host_of(host, from);
    struct refusal *x = find(r, host, what);
    if (!x) {
        x = &r->list[0]; /* full: what was quiet longest */
        for (int i = 1; i < r->n; i++)
            if (r->list[i].seen_ms < x->seen_ms)
                x = &r->list[i];
        if (r->n < REFUSALS_MAX)
            x = &r->list[r->n++];
        *x = (struct refusal){ .what = what };
        memcpy(x->host, host, sizeof(host));
    }
    x->seen_ms = now_ms;
    return x;
}

void refusals_note(struct refusals *r, uint64_t now_ms, const char *who, const char *from, const char *why)
{
    const uint32_t what = (hash_fnv32(who, strlen(who)) ^ 2654435761u * hash_fnv32(why, strlen(why))) | 1;
    struct refusal *x = find_or_add(&r->lines, now_ms, from, what);
    char more[64] = "";
    r->total++;
    if (r->n_lines == 0 || now_ms - r->lines_since_ms >= REFUSALS_LINE_MS)
        r->n_lines = 0, r->lines_since_ms = now_ms;
    if ((x->line_ms && now_ms - x->line_ms < REFUSALS_LINE_MS) || r->n_lines >= REFUSALS_LINES_MAX) {
        x->n_silent++;
        return;
    }
    if (x->n_silent)
        snprintf(more, sizeof(more), " (and %" PRIu64 " more before)", x->n_silent);
    x->n_silent = 0;
    x->line_ms = now_ms ? now_ms : 1;
    r->n_lines++;
    log_warn("nodes: refused %s at %s: %s%s", who[0] ? who : "somebody", from[0] ? from : "?", why, more);
}

/* A bucket: each wrong token moves the time of forgiveness on; when it is a whole burst away, nothing is looked at. */
bool refusals_may_try(const struct refusals *r, uint64_t now_ms, const char *from, int burst, uint64_t each_ms)
{
    char host[48];
    host_of(host, from);
    const struct refusal *x = find(&r->tokens, host, 0);
    return !x || x->wrong_at_ms <= now_ms || x->wrong_at_ms - now_ms + each_ms <= (uint64_t)burst * each_ms;
}

void refusals_wrong(struct refusals *r, uint64_t now_ms, const char *from, uint64_t each_ms)
{
    struct refusal *x = find_or_add(&r->tokens, now_ms, from, 0);
    x->wrong_at_ms = (x->wrong_at_ms > now_ms ? x->wrong_at_ms : now_ms) + each_ms;
}
