/* tests/serve/test_config_nomem.c - tutti.yaml is read, shown and its experts are checked while memory is short. */
#define _DEFAULT_SOURCE /* setenv */
#include "fail_alloc.h"
#include "serve/registry.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

static bool read_and_check(void *arg, struct err *err)
{
    static const char text[] = "listen: [127.0.0.1:0]\nlimits: {queue: 7}\naliases: {a: y}\nexperts:\n  - {name: x, task: speak, kind: espeak}\n"
                               "  - card: examples/cards/espeak.yaml\n    name: y\n  - examples/cards/flite.yaml\n";
    struct expert_env env = { .n_threads = 1 };
    struct buf out;
    struct config *c = config_parse("t.yaml", text, sizeof(text) - 1, ".", err);
    (void)arg;
    if (!c)
        return false;
    buf_init(&out, 1 << 16);
    config_show(c, &out);
    bool ok = buf_ok(&out, "show", err);
    registry_env(c, &env);
    ok = ok && registry_check(c, &env, &out, err) && buf_ok(&out, "check", err);
    buf_fini(&out);
    config_free(c);
    return ok;
}

TEST(a_config_survives_every_failing_allocation)
{
    struct err err = { 0 };
    REQUIRE(read_and_check(NULL, &err), "%s", err.text);
    const long n = fail_alloc_each(read_and_check, NULL, 300);
    CHECK(n > 20, "%ld", n);
}
