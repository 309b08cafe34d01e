/* serve/govern.c - see govern.h. */
#include "serve/govern.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "route/policy_settings.h"

/* Quiet hours are the policy's (`route: quiet:`); those of other nodes are theirs. */
static bool is_quiet(void *ctx)
{
    const struct policy *p = ctx;
    const time_t now = time(NULL);
    struct tm local;
    if (p->n_quiet == 0 || !localtime_r(&now, &local))
        return false;
    for (int i = 0; i < p->n_quiet; i++)
        if ((!p->quiet[i].node[0] || strcmp(p->quiet[i].node, "local") == 0) && policy_is_within(&p->quiet[i], local.tm_hour * 60 + local.tm_min))
            return true;
    return false;
}

struct steward *serve_govern(const struct config *c, struct expert *const *experts, int n_experts, const struct ladders *ladders,
                             struct behind *behind, struct router_governor *hooks)
{
    struct err err = { 0 };
    if (!config_number(c, CONFIG_GOVERNOR) || !ladders)
        return NULL;
    const struct steward_config config = { .root = config_text(c, CONFIG_SENSORS), .experts = experts, .n_experts = n_experts, .ladders = ladders, .behind = behind,
                                           .power_cap_w = (float)config_number(c, CONFIG_POWER), .is_quiet = is_quiet, .ctx = c->policy };
    struct steward *s = steward_new(&config, &err);
    if (s && steward_start(s, &err)) {
        steward_hooks(s, hooks);
        return s;
    }
    log_warn("%s: nothing is stepped down when the machine is hot or full", err.text);
    steward_free(s);
    return NULL;
}
