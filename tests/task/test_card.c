/* tests/task/test_card.c - the common keys, where files are found, and that a card survives the way into another process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/card.h"
#include "test.h"

static struct card *parse(const char *text, const char *dir, const char *models, struct err *err)
{
    err_clear(err);
    return card_parse("cards/cat.yaml", text, strlen(text), dir, models, err);
}

TEST(common_keys_have_defaults_and_ranges)
{
    struct err err;
    struct card *c = parse("task: detect\nkind: onnx\nmodel: m.onnx\nkeep: 5m\nmemory: 20 MB\nthreads: 2\n", "cards", NULL, &err);
    REQUIRE(c, "%s", err.text);
    CHECK(strcmp(c->id, "cat") == 0 && c->task == EXPERT_DETECT && strcmp(c->kind, "onnx") == 0);
    CHECK(c->keep_ms == 300000 && c->memory_bytes == 20000000 && c->threads == 2 && c->privacy == EXPERT_LOCAL);
    CHECK(strcmp(c->model, "m.onnx") == 0);
    CHECK(c->price.per_mtok_in == 0 && c->price.per_item == 0);
    card_free(c);
    c = parse("task: chat\nkind: remote\nprice: {prompt: 0.15, answer: 0.6, item: 0.002}\n", "cards", NULL, &err);
    REQUIRE(c, "%s", err.text);
    CHECK(c->price.per_mtok_in == .15f && c->price.per_mtok_out == .6f && c->price.per_item == .002f);
    card_free(c);
}

TEST(what_is_wrong_is_told_with_its_place)
{
    static const struct {
        const char *text, *want;
    } t[] = {
        { "kind: onnx\n", "task" },
        { "task: detect\n", "kind" },
        { "task: detekt\nkind: onnx\n", "cards/cat.yaml:1:7: task: 'detekt' is not known; did you mean 'detect'?" },
        { "task: detect\nkind: onnx\nthreads: 0\n", "cards/cat.yaml:3:10: threads: 1 to 1024" },
        { "task: detect\nkind: onnx\nname: a b\n", "name" },
        { "task: chat\nkind: remote\nprice: {promt: 1}\n", "prompt" },
        { "task: chat\nkind: remote\nprice: {prompt: -1}\n", "cards/cat.yaml:3:17: -1" },
        { "task: chat\nkind: remote\nprice: 3\n", "price" },
        { "[1]\n", "a card is a map" },
        { "", "a card is a map" },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct err err;
        struct card *c = parse(t[i].text, ".", NULL, &err);
        CHECK(!c && strstr(err.text, t[i].want), "%zu: %s", i, c ? "was read" : err.text);
        card_free(c);
    }
}

TEST(files_are_found_below_the_models_folder_then_beside_the_card)
{
    struct err err;
    char path[512], dir[256];
    snprintf(dir, sizeof(dir), "%s", test_tmp("x"));
    *strrchr(dir, '/') = '\0';
    FILE *f = fopen(test_tmp("labels.txt"), "w");
    REQUIRE(f);
    fclose(f);
    struct card *c = parse("task: detect\nkind: onnx\nlabels: labels.txt\nother: no.txt\n", dir, "/nonexistent", &err);
    REQUIRE(c, "%s", err.text);
    CHECK(card_file(c, "labels", true, path, sizeof(path), &err) && strcmp(path, test_tmp("labels.txt")) == 0, "%s", path);
    CHECK(!card_file(c, "other", true, path, sizeof(path), &err) && err.code == ERR_NOT_FOUND && strstr(err.text, "/nonexistent"), "%s", err.text);
    CHECK(card_file(c, "third", false, path, sizeof(path), &err) && !*path);
    CHECK(!card_file(c, "third", true, path, sizeof(path), &err));
    card_free(c);
}

static void judge(struct card *c)
{
    struct err err;
    struct buf b;
    buf_init(&b, 1 << 16);
    REQUIRE(card_put_text(c, &b, &err), "%s", err.text);
    struct card *d = card_parse(card_text_name(c), b.data, b.len, ".", NULL, &err);
    REQUIRE(d, "%s in %s", err.text, b.data);
    CHECK(strcmp(d->id, "cat") == 0 && strcmp(d->model, "a b.onnx") == 0);
    const struct yaml_node *in = yaml_get(d->node, "input");
    double v[3];
    CHECK(yaml_numbers(d->yaml, in, "mean", 3, v, &err) && v[0] == -1.5 && v[2] == .5, "%s", err.text);
    CHECK(strcmp(yaml_get(in, "note")->text, "it's: \"x\"") == 0 && strcmp(yaml_get(in, "empty")->text, "") == 0);
    buf_fini(&b);
    card_free(d);
}

#define CARD "task: detect\n%skind: onnx\n%smodel: \"a b.onnx\"\n%sinput: {mean: [-1.5, 0, .5], note: 'it''s: \"x\"', empty: ''}\n"

TEST(a_card_survives_the_way_into_another_process)
{
    struct err err;
    char text[400];
    snprintf(text, sizeof(text), CARD, "", "", "");
    struct card *c = parse(text, ".", NULL, &err);
    REQUIRE(c, "%s", err.text);
    CHECK(strcmp(card_text_name(c), "cards/cat.yaml") == 0);
    judge(c);
    card_free(c);
}

TEST(a_card_inside_another_document_survives_it_too)
{
    struct err err;
    char text[400];
    snprintf(text, sizeof(text), "experts:\n- name: cat\n  " CARD, "  ", "  ", "  ");
    struct yaml *y = yaml_parse("tutti.yaml", text, strlen(text), &err);
    REQUIRE(y, "%s", err.text);
    struct card *c = card_from_node(y, &yaml_get(yaml_root(y), "experts")->items[0], ".", NULL, &err);
    REQUIRE(c, "%s", err.text);
    CHECK(strcmp(card_text_name(c), "cat") == 0);
    judge(c);
    card_free(c);
    yaml_free(y);
}
