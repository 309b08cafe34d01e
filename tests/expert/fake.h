/* tests/expert/fake.h - experts over fake engines (tools/fake-engine), for tests of servers. */
#ifndef TUTTI_TEST_EXPERT_FAKE_H
#define TUTTI_TEST_EXPERT_FAKE_H
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "expert/expert_server.h"
#include "expert/open.h"
#include "test.h"

/* build/tests/<room>/test_x -> build/tools/fake-engine; ends the test as skipped when it is not built. */
static inline const char *fake_path(void)
{
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
    path[n > 0 ? n : 0] = '\0';
    for (int i = 0; i < 3; i++) {
        char *slash = strrchr(path, '/');
        if (slash)
            *slash = '\0';
    }
    strcat(path, "/tools/fake-engine");
    if (access(path, X_OK) != 0 || getenv("TEST_RUN"))
        SKIP("no fake engine here (make tools)");
    return path;
}

static inline struct expert *fake_open_env(const struct expert_env *env, struct err *err, const char *fmt, va_list ap)
{
    static char text[8192];
    vsnprintf(text, sizeof(text), fmt, ap);
    struct card *card = card_parse("fake.yaml", text, strlen(text), "/tmp", NULL, err);
    return card ? expert_open_card(card, env, err) : NULL;
}

/* The card's text; NULL with err. */
__attribute__((format(printf, 2, 3))) static inline struct expert *fake_open(struct err *err, const char *fmt, ...)
{
    const struct expert_env env = { 0 };
    va_list ap;
    va_start(ap, fmt);
    struct expert *e = fake_open_env(&env, err, fmt, ap);
    va_end(ap);
    return e;
}

/* Makes a job (collect_job(), job_new()) a chat of one message. */
static inline struct job *fake_chat(struct job *j, const char *text, int max_tokens)
{
    j->task = EXPERT_CHAT;
    j->vars = json_pack("{s:[{s:s,s:s}]}", "messages", "role", "user", "content", text);
    j->max_tokens = max_tokens;
    return j;
}
#endif
