/* tests/serve/test_config.c - tutti.yaml: what is read, what is refused and where, what is shown. */
#define _XOPEN_SOURCE 700
#include "serve/config.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct config *parse(const char *text, struct err *err)
{
    err_clear(err);
    return config_parse("t.yaml", text, strlen(text), ".", err);
}

TEST(nothing_said_means_the_defaults)
{
    struct err err = { 0 };
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    unsetenv("TUTTI_MODELS");
    struct config *c = config_read(NULL, &err);
    REQUIRE(c, "%s", err.text);
    CHECK(!c->path && c->n_experts == 0 && c->n_listens == 1 && strcmp(c->listen[0], "127.0.0.1:8080") == 0);
    CHECK(config_number(c, CONFIG_BODY) == 32 << 20 && config_number(c, CONFIG_LOAD_WAIT) == 120000 && !config_text(c, CONFIG_KEYS));
    for (int i = 0; i < CONFIG_COUNT; i++)
        CHECK(c->value[i].from == CONFIG_DEFAULT, "%d", i);
    config_free(c);
    c = parse("", &err);
    REQUIRE(c, "%s", err.text);
    config_free(c);
}

TEST(every_setting_is_read_and_knows_where_it_stood)
{
    struct err err;
    setenv("HOME", "/home/x", 1);
    struct config *c = parse("models: ~/models\nkeys: keys.txt\ntls: {cert: a.pem, key: /b.pem}\nmemory: 2 GiB\npreset: none\nonnxruntime: /ort.so\ncache: c\ndata: d\n"
                             "allow_remote_images: true\nllm:\n  ctx: 512\n  threads: 2\n  parallel: 3\n  kv_q8: true\n  prefix_cache: ~/kv\n  prefix_bytes: 2 MiB\nlimits:\n  body: 64 MiB\n  image_pixels: 1000\n  audio: 1m\n"
                             "  connections: 10\n  queue: 20\n  load_wait: 5s\nlisten: [\"127.0.0.1:0\", localhost:81]\naliases: {whisper-1: ear}\n",
                             &err);
    REQUIRE(c, "%s", err.text);
    CHECK(strcmp(config_text(c, CONFIG_MODELS), "/home/x/models") == 0 && strcmp(config_text(c, CONFIG_TLS_KEY), "/b.pem") == 0, "%s", config_text(c, CONFIG_MODELS));
    CHECK(config_number(c, CONFIG_MEMORY) == 2ull << 30 && config_number(c, CONFIG_BODY) == 64 << 20 && config_number(c, CONFIG_LOAD_WAIT) == 5000);
    CHECK(config_number(c, CONFIG_REMOTE_IMAGES) == 1 && config_number(c, CONFIG_KV_Q8) == 1 && config_number(c, CONFIG_QUEUE) == 20);
    CHECK(c->n_listens == 2 && strcmp(c->listen[1], "localhost:81") == 0 && c->n_aliases == 1 && strcmp(c->aliases[0].expert, "ear") == 0);
    CHECK(c->value[CONFIG_CTX].from == CONFIG_FILE && c->value[CONFIG_CTX].line == 11 && c->value[CONFIG_CTX].column == 8, "%d:%d", c->value[CONFIG_CTX].line, c->value[CONFIG_CTX].column);
    config_set_number(c, CONFIG_CTX, 99);
    CHECK(config_number(c, CONFIG_CTX) == 99 && c->value[CONFIG_CTX].from == CONFIG_OPTION);
    config_free(c);
}

TEST(what_is_wrong_is_said_with_its_place_and_what_was_meant)
{
    static const struct {
        const char *text, *want;
    } bad[] = {
        { "lissten: a\n", "t.yaml:1:1: 'lissten' is not known here; did you mean 'listen'?" },
        { "limits:\n  bodi: 5\n", "t.yaml:2:3: 'bodi' is not known here; did you mean 'body'?" },
        { "llm: {thread: 5}\n", "did you mean 'threads'?" },
        { "limits:\n  body: many\n", "t.yaml:2:9:" },
        { "limits:\n  body: 5\n", "t.yaml:2:9: body: from 1024" },
        { "limits: [1]\n", "t.yaml:1:" },
        { "llm:\n  ctx: -1\n", "t.yaml:2:8:" },
        { "limits:\n  load_wait: 0\n", "at least 1" },
        { "allow_remote_images: perhaps\n", "t.yaml:1:22:" },
        { "listen: nonsense\n", "t.yaml:1:9:" },
        { "listen: []\n", "ADDR:PORT" },
        { "listen: {a: b}\n", "ADDR:PORT" },
        { "tls: {cert: a}\n", "both cert and key" },
        { "models: \n", "a value is wanted" },
        { "experts: yolox\n", "a list is wanted" },
        { "experts:\n  - nothing.yaml\n", "t.yaml:2:5: nothing.yaml: no such file" },
        { "experts:\n  - [a]\n", "a file, a folder or a card" },
        { "experts:\n  - card: nothing.yaml\n    name: x\n", "t.yaml:2:11: nothing.yaml: no such file" },
        { "aliases: [a]\n", "a map" },
        { "aliases: {a: \"\"}\n", "empty" },
        { "- a\n", "a map is wanted" },
        { "models: a\nmodels: b\n", "t.yaml:2:1" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err;
        struct config *c = parse(bad[i].text, &err);
        CHECK(!c && strstr(err.text, bad[i].want), "%s -> '%s', '%s' is wanted", bad[i].text, c ? "accepted" : err.text, bad[i].want);
        config_free(c);
    }
}

TEST(what_is_shown_can_be_read_again)
{
    struct err err;
    struct buf one, two;
    buf_init(&one, 1 << 16);
    buf_init(&two, 1 << 16);
    struct config *c = parse("models: /m\nlimits: {queue: 7}\naliases: {a: b}\nexperts: [/dev/null, {name: x, task: y}]\n", &err), *again = NULL;
    REQUIRE(c, "%s", err.text);
    config_show(c, &one);
    CHECK(strstr(one.data, "queue: 7  # t.yaml:2:17\n") || strstr(one.data, "queue: 7  # t.yaml:2:"), "%s", one.data);
    CHECK(strstr(one.data, "body: 33554432  # default\n") && strstr(one.data, "# keys:  # default\n"), "%s", one.data);
    again = parse(one.data, &err);
    CHECK(again, "%s\n%s", err.text, one.data);
    if (again)
        for (int i = 0; i < CONFIG_COUNT; i++) {
            const char *a = config_text(c, (enum config_id)i), *b = config_text(again, (enum config_id)i);
            CHECK(config_number(c, (enum config_id)i) == config_number(again, (enum config_id)i) && (!a) == (!b) && (!a || strcmp(a, b) == 0), "%d", i);
        }
    config_free(c);
    config_free(again);
    buf_fini(&one);
    buf_fini(&two);
}

TEST(the_default_file_is_found_where_the_standard_says)
{
    char path[600], dir[512];
    struct err err = { 0 };
    snprintf(dir, sizeof(dir), "%s", test_tmp("config"));
    mkdir(dir, 0700);
    setenv("XDG_CONFIG_HOME", dir, 1);
    snprintf(path, sizeof(path), "%s/tutti", dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/tutti/tutti.yaml", dir);
    FILE *f = fopen(path, "w");
    REQUIRE(f, "%s", path);
    fputs("models: here\n", f);
    fclose(f);
    struct config *c = config_read(NULL, &err);
    REQUIRE(c, "%s", err.text);
    char want[600];
    snprintf(want, sizeof(want), "%s/tutti/here", dir);
    CHECK(strcmp(config_text(c, CONFIG_MODELS), want) == 0, "%s, %s is wanted", config_text(c, CONFIG_MODELS), want);
    config_free(c);
}
