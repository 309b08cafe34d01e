/* plan/workload.c - what is run: the notation of benchmark tables, and LocalScore's nine tests. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "plan/localscore.h"
#include "plan/speed.h"

struct plan_workload plan_workload_one(int n_prompt, int n_gen, int depth)
{
    return (struct plan_workload){ .n_tests = 1, .test = { { n_prompt, n_gen, depth } } };
}

struct plan_workload plan_workload_localscore(void)
{
    struct plan_workload w = { .n_tests = LOCALSCORE_N };
    _Static_assert((int)LOCALSCORE_N <= (int)PLAN_TESTS_MAX, "the nine fit");
    for (int i = 0; i < LOCALSCORE_N; i++)
        w.test[i] = (struct plan_test){ localscore_cases[i].n_prompt, localscore_cases[i].n_gen, 0 };
    return w;
}

/* The number right behind `key` at the start of a word; -1: there is none. */
static int after(const char *text, const char *key)
{
    const size_t n = strlen(key);
    for (const char *p = text; (p = strstr(p, key)) != NULL; p += n)
        if ((p == text || !isalnum((unsigned char)p[-1])) && isdigit((unsigned char)p[n])) {
            const long v = strtol(p + n, NULL, 10);
            return v > 16 << 20 ? 16 << 20 : (int)v;
        }
    return -1;
}

struct plan_workload plan_workload_parse(const char *text)
{
    if (strncmp(text, "LS-9test", 8) == 0)
        return plan_workload_localscore();
    int pp = after(text, "pp"), tg = after(text, "tg"), depth = after(text, "d");
    const char *slash = strchr(text, '/');
    if (pp < 0 && tg < 0 && slash && isdigit((unsigned char)text[0])) /* vLLM's "1024/128" */
        pp = after(text, ""), tg = atoi(slash + 1);
    const int ctx = after(text, "ctx");
    if (pp < 0 && tg < 0 && ctx > 0)
        pp = ctx < 4096 ? ctx : 4096; /* a vendor's "ctx4096": the whole context is the prompt */
    /* llama-bench measures decode from an empty cache; the LocalScore tests ("pp1024+tg16") after their prompt */
    const bool is_after = strchr(text, '+') != NULL || (ctx >= 0 && pp > 0);
    struct plan_workload w = plan_workload_one(pp > 0 ? pp : 128, tg > 0 ? tg : 128, depth > 0 ? depth : 0);
    if (pp > 0 && tg > 0 && !is_after)
        w.test[0].depth = depth > 0 ? depth : 0;
    return w;
}

struct plan_workload plan_workload_within(int n_ctx)
{
    struct plan_workload w = plan_workload_localscore();
    for (int i = 0; i < w.n_tests; i++) {
        struct plan_test *t = &w.test[i];
        t->n_prompt = t->n_prompt < n_ctx - 16 ? t->n_prompt : n_ctx > 32 ? n_ctx - 16 : 16;
        t->n_gen = t->n_gen < n_ctx - t->n_prompt ? t->n_gen : n_ctx - t->n_prompt > 0 ? n_ctx - t->n_prompt : 1;
    }
    return w;
}
