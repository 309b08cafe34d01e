/* tests/fuzz/fuzz_card.c - a YAML document and a card made of it: never a crash, never unbounded; what was read can be
 * written, and reads the same again. */
#include <string.h>

#include "fuzz.h"
#include "task/card.h"

/* libfyaml 0.7.12 forgets a token's text after some errors: bounded by the document, not ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfyaml\n"; }

static void walk(const struct yaml_node *n, struct buf *out)
{
    buf_printf(out, "%d", (int)n->kind);
    if (n->kind == YAML_TEXT)
        buf_put_json(out, n->text, n->n_text);
    for (int i = 0; i < n->n_items; i++) {
        if (n->kind == YAML_MAP)
            buf_put_json(out, n->keys[i].text, n->keys[i].n_text);
        walk(&n->items[i], out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = { 0 };
    struct card *c = card_parse("fuzz.yaml", (const char *)data, n, "/nonexistent", "/nonexistent", &err);
    if (!c)
        return 0;
    struct buf text;
    buf_init(&text, 16 << 20);
    if (card_put_text(c, &text, &err)) {
        struct card *again = card_parse(card_text_name(c), text.data, text.len, "/nonexistent", "/nonexistent", &err);
        if (!again || strcmp(again->id, c->id) != 0 || again->task != c->task || strcmp(again->kind, c->kind) != 0)
            __builtin_trap();
        for (int i = 0; i < c->node->n_items; i++) {
            const char *key = c->node->keys[i].text;
            const struct yaml_node *other = yaml_get(again->node, key);
            struct buf a, b;
            if (strcmp(key, "name") == 0)
                continue;
            buf_init(&a, 16 << 20);
            buf_init(&b, 16 << 20);
            if (!other)
                __builtin_trap();
            walk(&c->node->items[i], &a);
            walk(other, &b);
            if (!a.failed && !b.failed && (a.len != b.len || memcmp(a.data, b.data, a.len) != 0))
                __builtin_trap();
            buf_fini(&a);
            buf_fini(&b);
        }
        card_free(again);
    }
    buf_fini(&text);
    card_free(c);
    return 0;
}
