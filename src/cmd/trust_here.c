/* cmd/trust_here.c - see trust_here.h. */
#include "cmd/trust_here.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/label.h"

static const struct cmd_opt *find(const struct cmd_opt *o, const char *name)
{
    while (o->name && strcmp(o->name, name) != 0)
        o++;
    return o->name ? o : NULL;
}

bool trust_here_dir(const struct cmd_opt *opts, char out[TRUST_PATH_MAX], struct err *err)
{
    const struct cmd_opt *o = find(opts, "dir");
    if (!o || !o->given)
        return trust_default_dir(out, TRUST_PATH_MAX) || err_set(err, ERR_INPUT, "where the certificates are is not known: there is no HOME; say it with --dir DIR");
    size_t n = strlen(o->s);
    while (n > 1 && o->s[n - 1] == '/')
        n--;
    char here[TRUST_PATH_MAX] = "";
    if (o->s[0] != '/' && !getcwd(here, sizeof(here)))
        return err_set(err, ERR_IO, "the current folder is not known; say --dir with a whole path");
    return snprintf(out, TRUST_PATH_MAX, "%s%s%.*s", here, here[0] ? "/" : "", (int)n, o->s) < TRUST_PATH_MAX || err_set(err, ERR_INPUT, "--dir: the path is too long");
}

bool trust_here_name(const struct cmd_opt *opts, char out[TRUST_NAME_MAX], struct err *err)
{
    const struct cmd_opt *o = find(opts, "name");
    char host[256] = "";
    if (!o->given)
        gethostname(host, sizeof(host) - 1);
    const char *name = o->given ? o->s : host;
    const size_t n = o->given ? strlen(name) : strcspn(name, ".");
    if (n == 0 || n >= TRUST_NAME_MAX)
        return err_set(err, ERR_INPUT, "a name for this node is wanted, at most %d letters: --name NAME", TRUST_NAME_MAX - 1);
    for (size_t i = 0; i <= n; i++)
        out[i] = i == n ? '\0' : !o->given && name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    return label_is_valid(out) || err_set(err, ERR_INPUT, "'%s' is no name for a node: small letters, digits and hyphens (--name NAME)", out);
}

bool trust_here_is_member(const char *dir, const char *name)
{
    struct err ignored;
    struct trust *t = trust_open(dir, &ignored);
    const bool is_member = t && strcmp(trust_name(t), name) == 0;
    trust_free(t);
    return is_member;
}

bool trust_here_seconds(const char *text, uint64_t *seconds, struct err *err)
{
    static const struct { char unit; uint64_t s; } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    char *end;
    const unsigned long n = strtoul(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (text[0] >= '1' && text[0] <= '9' && n <= 36500 * 24 && end[0] == units[i].unit && !end[1]) {
            *seconds = n * units[i].s;
            return *seconds <= UINT64_C(36500) * 86400 || err_set(err, ERR_INPUT, "'%.20s' is too long", text);
        }
    return err_set(err, ERR_INPUT, "'%.20s' is no length of time: 90s, 30m, 1h, 7d", text);
}

bool trust_here_finding(struct doctor_finding *out)
{
    enum { DUE_FOR_S = 86400 }; /* a service that runs needs minutes */
    char dir[TRUST_PATH_MAX], until[32];
    struct err err = { 0 };
    const uint64_t now = (uint64_t)time(NULL);
    struct trust *t = trust_default_dir(dir, sizeof(dir)) ? trust_open(dir, &err) : NULL;
    const uint64_t ends = t ? trust_expires_unix(t) : 0;
    const bool is_over = t && ends <= now, is_late = t && trust_is_due(t, now - DUE_FOR_S);
    trust_free(t);
    if (!is_over && !is_late)
        return false;
    trust_here_put_time(until, ends);
    *out = (struct doctor_finding){ .id = "node-certificate", .severity = is_over ? DOCTOR_BAD : DOCTOR_WARNING, .confidence = DOCTOR_CERTAIN,
                                    .why = "Other nodes talk to this one only while its certificate is valid; `tutti serve` renews it after two thirds of its life." };
    snprintf(out->what, sizeof(out->what), is_over ? "this node's certificate is over since %s" : "this node's certificate ends at %s and was not renewed", until);
    snprintf(out->fix, sizeof(out->fix), "%s", is_over ? "move the folder of certificates away (tutti cluster trust), then join anew: tutti node join"
                                                       : "start tutti serve and look at its log, or: tutti node renew");
    return true;
}

void trust_here_put_time(char out[32], uint64_t unix_s)
{
    const time_t t = (time_t)unix_s;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm) == 0)
        snprintf(out, 32, "?");
}
