/* template/json.c - values as JSON: what transformers' tojson filter prints, that is Python's
 * json.dumps() with its styles. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "template/run_internal.h"

static void put_string(struct render *r, const char *s, size_t n, bool ensure_ascii)
{
    char esc[16];
    size_t from = 0;
    tpl_puts(r, "\"");
    for (size_t i = 0, len; i < n; i += len) {
        const unsigned char c = (unsigned char)s[i];
        uint32_t cp = c;
        len = 1;
        if (c >= 0x80 || (c == 0x7f && ensure_ascii)) {
            if (!ensure_ascii)
                continue;
            len = tpl_decode(s + i, n - i, &cp);
            if (cp < 0x10000)
                snprintf(esc, sizeof(esc), "\\u%04" PRIx32, cp);
            else
                snprintf(esc, sizeof(esc), "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + ((cp - 0x10000) >> 10),
                         0xdc00 + ((cp - 0x10000) & 0x3ff));
        } else if (c == '"' || c == '\\')
            snprintf(esc, sizeof(esc), "\\%c", c);
        else if (c >= 0x20)
            continue;
        else {
            static const char names[] = "btn.fr"; /* 8 to 13 */
            if (c >= 8 && c <= 13 && c != 11)
                snprintf(esc, sizeof(esc), "\\%c", names[c - 8]);
            else
                snprintf(esc, sizeof(esc), "\\u%04x", c);
        }
        tpl_put(r, s + from, i - from);
        tpl_puts(r, esc);
        from = i + len;
    }
    tpl_put(r, s + from, n - from);
    tpl_puts(r, "\"");
}

static void put_number(struct render *r, const struct val *v)
{
    if (v->kind == VAL_FLOAT && isnan(v->f))
        tpl_puts(r, "NaN");
    else if (v->kind == VAL_FLOAT && isinf(v->f))
        tpl_puts(r, v->f > 0 ? "Infinity" : "-Infinity");
    else
        tpl_put_str(r, v);
}

static const char *word(const struct val *v) { return v->kind == VAL_NONE ? "null" : v->b ? "true" : "false"; }

static void put_newline(struct render *r, const struct json_style *style, int level)
{
    tpl_puts(r, "\n");
    for (int i = 0; i < level; i++)
        tpl_put(r, style->indent, style->indent_len);
}

static void put_item_sep(struct render *r, const struct json_style *style, int level)
{
    if (style->item_sep)
        tpl_put(r, style->item_sep->data, style->item_sep->len);
    else
        tpl_puts(r, style->indent ? "," : ", ");
    if (style->indent)
        put_newline(r, style, level);
}

static bool put_key(struct render *r, const struct val *key, const struct json_style *style)
{
    if (key->kind == VAL_STR) {
        put_string(r, key->s->data, key->s->len, style->ensure_ascii);
    } else if (key->kind == VAL_NONE || key->kind == VAL_BOOL || key->kind == VAL_INT || key->kind == VAL_FLOAT) {
        tpl_puts(r, "\"");
        if (key->kind == VAL_NONE || key->kind == VAL_BOOL)
            tpl_puts(r, word(key));
        else
            put_number(r, key);
        tpl_puts(r, "\"");
    } else
        return tpl_type_error(r, "keys must be str, int, float, bool or None, not %s", tpl_type_name(key));
    if (style->key_sep)
        tpl_put(r, style->key_sep->data, style->key_sep->len);
    else
        tpl_puts(r, ": ");
    return true;
}

static bool put(struct render *r, const struct val *v, const struct json_style *style, int level);

static bool put_dict(struct render *r, const struct dict *d, const struct json_style *style, int level)
{
    struct val *keys = NULL, *order = NULL; /* sort_keys: positions in the order of their keys */
    if (d->n == 0) {
        tpl_puts(r, "{}");
        return true;
    }
    if (style->sort_keys) {
        if (!(keys = tpl_alloc(r, d->n, sizeof(*keys))) || !(order = tpl_alloc(r, d->n, sizeof(*order))))
            return false;
        for (size_t i = 0; i < d->n; i++)
            keys[i] = d->entries[i].key, order[i] = val_int((int64_t)i);
        if (!tpl_sort(r, keys, order, d->n, false))
            return false;
    }
    tpl_puts(r, "{");
    if (style->indent)
        put_newline(r, style, level + 1);
    for (size_t i = 0; i < d->n; i++) {
        const struct dict_entry *e = &d->entries[order ? (size_t)order[i].i : i];
        if (i > 0)
            put_item_sep(r, style, level + 1);
        if (!put_key(r, &e->key, style) || !put(r, &e->value, style, level + 1))
            return false;
    }
    if (style->indent)
        put_newline(r, style, level);
    tpl_puts(r, "}");
    return true;
}

static bool put_list(struct render *r, const struct list *l, const struct json_style *style, int level)
{
    if (l->n == 0) {
        tpl_puts(r, "[]");
        return true;
    }
    tpl_puts(r, "[");
    if (style->indent)
        put_newline(r, style, level + 1);
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0)
            put_item_sep(r, style, level + 1);
        if (!put(r, &l->items[i], style, level + 1))
            return false;
    }
    if (style->indent)
        put_newline(r, style, level);
    tpl_puts(r, "]");
    return true;
}

static bool put(struct render *r, const struct val *v, const struct json_style *style, int level)
{
    bool ok;
    if (!tpl_spend(r, v->kind == VAL_STR ? v->s->len : 0) || !tpl_enter(r))
        return false;
    switch (v->kind) {
    case VAL_NONE: case VAL_BOOL: tpl_puts(r, word(v)); ok = true; break;
    case VAL_INT: case VAL_FLOAT: put_number(r, v); ok = true; break;
    case VAL_STR: put_string(r, v->s->data, v->s->len, style->ensure_ascii); ok = true; break;
    case VAL_LIST: case VAL_TUPLE: ok = put_list(r, v->l, style, level); break;
    case VAL_DICT: ok = put_dict(r, v->d, style, level); break;
    default: ok = tpl_type_error(r, "Object of type %s is not JSON serializable", tpl_type_name(v));
    }
    tpl_leave(r);
    return ok;
}

bool tpl_put_json(struct render *r, const struct val *v, const struct json_style *style) { return put(r, v, style, 0); }
