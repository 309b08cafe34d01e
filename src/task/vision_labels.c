/* task/vision_labels.c - names of classes: one a line of a file, or a list in the card. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "task/vision.h"

enum { LABELS_BYTES_MAX = 8 << 20, LABELS_MAX = 1 << 20 };

static bool from_list(struct labels *l, const struct card *card, const struct yaml_node *list, struct err *err)
{
    size_t n_bytes = 0;
    const char *text;
    for (int i = 0; i < list->n_items; i++) {
        if (!yaml_node_text(card->yaml, &list->items[i], &text, err))
            return false;
        n_bytes += strlen(text) + 1;
    }
    l->text = malloc(n_bytes + 1);
    l->at = calloc((size_t)list->n_items + 1, sizeof *l->at);
    if (!l->text || !l->at)
        return err_set(err, ERR_NOMEM, "labels: out of memory");
    char *p = l->text;
    for (l->n = 0; l->n < list->n_items; l->n++) {
        const size_t n = list->items[l->n].n_text + 1;
        l->at[l->n] = memcpy(p, list->items[l->n].text, n);
        p += n;
    }
    return true;
}

static bool from_file(struct labels *l, const char *path, struct err *err)
{
    size_t n_bytes;
    int n = 1;
    l->text = file_read(path, LABELS_BYTES_MAX, &n_bytes, err);
    if (!l->text)
        return false;
    for (size_t i = 0; i < n_bytes; i++)
        n += l->text[i] == '\n';
    if (n > LABELS_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %d lines", path, LABELS_MAX);
    l->at = calloc((size_t)n + 1, sizeof *l->at);
    if (!l->at)
        return err_set(err, ERR_NOMEM, "%s: out of memory", path);
    for (char *p = l->text, *end = p + n_bytes; p < end;) {
        char *stop = memchr(p, '\n', (size_t)(end - p));
        char *next = stop ? stop + 1 : end;
        if (!stop)
            stop = end;
        while (stop > p && (stop[-1] == '\r' || stop[-1] == ' '))
            stop--;
        *stop = '\0'; /* file_read() puts one byte behind the end */
        l->at[l->n++] = p;
        p = next;
    }
    return true;
}

bool labels_read(struct labels *l, const struct card *card, struct err *err)
{
    const struct yaml_node *node = yaml_get(card->node, "labels");
    char path[1024];
    if (!node)
        return true;
    if (node->kind == YAML_LIST)
        return from_list(l, card, node, err);
    return card_resolve(card, node, path, sizeof path, err) && from_file(l, path, err);
}

void labels_fini(struct labels *l)
{
    free(l->text);
    free(l->at);
    *l = (struct labels){ 0 };
}

const char *labels_get(const struct labels *l, int i, struct arena *arena, struct err *err)
{
    if (i >= 0 && i < l->n && l->at[i][0])
        return l->at[i];
    char text[32];
    const int n = snprintf(text, sizeof text, "class %d", i);
    return arena_strndup(arena, text, (size_t)n, err);
}
