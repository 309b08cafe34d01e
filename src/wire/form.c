/* wire/form.c - see form.h; start reading at form_read(). */
#include "wire/form.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "wire/data_url.h"
#include "wire/openai_internal.h"

enum { VALUE_MAX_BYTES = 64 << 10 };

static bool no_memory(struct openai_error *e, const struct err *err)
{
    return err->code == ERR_LIMIT ? openai_fail(e, 413, "limit_exceeded", NULL, "%s", err->text) : openai_fail(e, 503, NULL, NULL, "out of memory");
}

static bool bad(struct openai_error *e, const char *param, const char *text) { return openai_fail(e, 400, "invalid_value", param, "%s", text); }

static bool is_file_name(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static bool add_field(struct form *f, const char *name, const char *value, size_t n, struct arena *a, struct openai_error *e)
{
    struct err err;
    if (f->n_fields == FORM_FIELDS_MAX)
        return openai_fail(e, 413, "limit_exceeded", NULL, "more than %d fields", FORM_FIELDS_MAX);
    if (n > VALUE_MAX_BYTES)
        return openai_fail(e, 413, "limit_exceeded", name, "%.60s: %zu bytes, %d are the limit of a field", name, n, VALUE_MAX_BYTES);
    if (!utf8_is_valid(value, n) || memchr(value, '\0', n))
        return openai_fail(e, 400, "invalid_value", name, "%.60s: it is not UTF-8 text", name);
    const char *name_copy = arena_strndup(a, name, strlen(name), &err), *copy = name_copy ? arena_strndup(a, value, n, &err) : NULL;
    if (!copy)
        return no_memory(e, &err);
    f->fields[f->n_fields++] = (struct form_field){ name_copy, copy, n };
    return true;
}

/* ---- the three ways ---- */

static bool read_multipart(struct form *f, const char *type, const char *const *names, const char *body, size_t n, struct arena *a,
                           struct openai_error *e)
{
    struct err err;
    struct multipart *m = arena_alloc(a, 1, sizeof(*m), &err);
    if (!m)
        return no_memory(e, &err);
    if (!multipart_parse(m, type, body, n, &err))
        return openai_fail(e, err.code == ERR_LIMIT ? 413 : 400, err.code == ERR_LIMIT ? "limit_exceeded" : "invalid_form", NULL, "%s", err.text);
    for (int i = 0; i < m->n_parts; i++) {
        const struct multipart_part *p = &m->parts[i];
        if (!is_file_name(names, p->name)) {
            if (!add_field(f, p->name, p->data, p->n, a, e))
                return false;
            continue;
        }
        if (f->file)
            return openai_fail(e, 400, "invalid_value", p->name, "%s: one file is wanted, here is another", p->name);
        f->file = p->data;
        f->n_file = p->n;
        snprintf(f->type, sizeof(f->type), "%s", p->type);
    }
    return true;
}

static bool decode_file(struct form *f, const char *name, const char *s, size_t n, struct arena *a, struct openai_error *e)
{
    struct data_url u = { .is_base64 = true, .data = s, .n = n }; /* bare base64 is fine, too */
    struct err err;
    if (data_url_is(s, n) && !data_url_read(&u, s, n, &err))
        return openai_fail(e, 400, "invalid_value", name, "%s: %s", name, err.text);
    if (strncasecmp(s, "http://", 7) == 0 || strncasecmp(s, "https://", 8) == 0)
        return openai_fail(e, 400, "unsupported_value", name, "%s: addresses are not fetched; send the bytes (data:...;base64,...)", name);
    void *bytes = arena_alloc(a, data_url_max_bytes(&u), 1, &err);
    if (!bytes)
        return no_memory(e, &err);
    if (!data_url_decode(&u, bytes, &f->n_file, &err))
        return openai_fail(e, 400, "invalid_value", name, "%s: %s", name, err.text);
    f->file = bytes;
    snprintf(f->type, sizeof(f->type), "%s", u.type);
    return true;
}

/* {"url": "data:..."} as in chat messages, or the text itself. */
static bool read_json_file(struct form *f, const char *name, const json_t *v, struct arena *a, struct openai_error *e)
{
    if (json_is_object(v))
        v = json_object_get(v, "url");
    if (!json_is_string(v))
        return openai_fail(e, 400, "invalid_value", name, "%s: a data URL is wanted (data:...;base64,...)", name);
    if (f->file)
        return openai_fail(e, 400, "invalid_value", name, "%s: one file is wanted, here is another", name);
    return decode_file(f, name, json_string_value(v), json_string_length(v), a, e);
}

static bool read_json_value(struct form *f, const char *name, const json_t *v, struct arena *a, struct openai_error *e)
{
    char text[40];
    switch (json_typeof(v)) {
    case JSON_NULL: return true;
    case JSON_STRING: return add_field(f, name, json_string_value(v), json_string_length(v), a, e);
    case JSON_INTEGER:
    case JSON_REAL: snprintf(text, sizeof(text), "%.17g", json_number_value(v)); break;
    case JSON_TRUE:
    case JSON_FALSE: snprintf(text, sizeof(text), "%s", json_is_true(v) ? "true" : "false"); break;
    case JSON_ARRAY:
    case JSON_OBJECT: return openai_fail(e, 400, "invalid_value", name, "%.60s: a text, number or boolean is wanted, this is %s", name, openai_type_name(v));
    }
    return add_field(f, name, text, strlen(text), a, e);
}

static bool read_json(struct form *f, const char *const *names, const char *body, size_t n, struct arena *a, struct openai_error *e)
{
    const char *key;
    json_t *v, *t = openai_load(body, n, e);
    bool ok = t != NULL;
    json_object_foreach(t, key, v)
    {
        if (strlen(key) >= MULTIPART_NAME_MAX)
            ok = bad(e, NULL, "a field's name is too long");
        else if (!json_is_array(v))
            ok = is_file_name(names, key) && !json_is_null(v) ? read_json_file(f, key, v, a, e) : read_json_value(f, key, v, a, e);
        for (size_t i = 0; ok && json_is_array(v) && i < json_array_size(v); i++)
            ok = read_json_value(f, key, json_array_get(v, i), a, e);
        if (!ok)
            break;
    }
    json_decref(t);
    return ok;
}

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* %xx and '+', in place; false for a '%' without its digits. */
static bool undo_percent(char *s, size_t *n)
{
    size_t to = 0;
    for (size_t i = 0; i < *n; i++) {
        if (s[i] == '%') {
            const int hi = *n - i > 2 ? hex(s[i + 1]) : -1, lo = *n - i > 2 ? hex(s[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return false;
            s[to++] = (char)(hi << 4 | lo);
            i += 2;
        } else {
            s[to++] = s[i];
            if (s[i] == '+')
                s[to - 1] = ' ';
        }
    }
    s[to] = '\0';
    *n = to;
    return true;
}

static bool read_query(struct form *f, const char *query, struct arena *a, struct openai_error *e)
{
    struct err err;
    while (*query) {
        const size_t n_pair = strcspn(query, "&"), n_name = strcspn(query, "=&");
        size_t n = n_name, n_value = n_pair > n_name ? n_pair - n_name - 1 : 0;
        char *name = arena_strndup(a, query, n, &err), *value = name ? arena_strndup(a, query + n_pair - n_value, n_value, &err) : NULL;
        if (!value)
            return no_memory(e, &err);
        if (!undo_percent(name, &n) || !undo_percent(value, &n_value) || strlen(name) != n || n >= MULTIPART_NAME_MAX || !utf8_is_valid(name, n))
            return bad(e, NULL, "the query of the address has a field that is not percent-encoded text");
        if (n > 0 && !add_field(f, name, value, n_value, a, e))
            return false;
        query += n_pair + (query[n_pair] == '&');
    }
    return true;
}

bool form_read(struct form *f, const char *content_type, const char *query, const char *const *names, const char *body, size_t n,
               struct arena *a, struct openai_error *e)
{
    *f = (struct form){ 0 };
    *e = (struct openai_error){ 0 };
    if (query && !read_query(f, query, a, e))
        return false;
    if (multipart_is(content_type)) {
        if (!read_multipart(f, content_type, names, body, n, a, e))
            return false;
    } else if (content_type && strncasecmp(content_type, "application/json", 16) == 0) {
        if (!read_json(f, names, body, n, a, e))
            return false;
    } else if (n > 0) {
        f->file = body;
        f->n_file = n;
        snprintf(f->type, sizeof(f->type), "%.*s", content_type ? (int)strcspn(content_type, "; ") : 0, content_type ? content_type : "");
    }
    if (!f->file || f->n_file == 0)
        return openai_fail(e, 400, "missing_required_parameter", names[0],
                           "%s: missing; send the file as the body, as a field of multipart/form-data, or as a data URL in JSON", names[0]);
    return true;
}

/* ---- fields ---- */

const char *form_get(const struct form *f, const char *name, int *from)
{
    for (int i = from ? *from : 0; i < f->n_fields; i++)
        if (strcmp(f->fields[i].name, name) == 0 && f->fields[i].n > 0) {
            if (from)
                *from = i + 1;
            return f->fields[i].value;
        }
    return NULL;
}

bool form_number(const struct form *f, const char *name, double min, double max, double *out, struct openai_error *e)
{
    const char *s = form_get(f, name, NULL);
    char *end;
    if (!s)
        return true;
    const double v = strtod(s, &end);
    if (end == s || *end || !(v >= min && v <= max))
        return openai_fail(e, 400, "invalid_value", name, "%s: a number from %g to %g is wanted, this is '%.40s'", name, min, max, s);
    *out = v;
    return true;
}

bool form_flag(const struct form *f, const char *name, bool *out, struct openai_error *e)
{
    static const char *const words[] = { "true", "false", "1", "0", "on", "off", "yes", "no" };
    const char *s = form_get(f, name, NULL);
    for (size_t i = 0; s && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(s, words[i]) == 0) {
            *out = i % 2 == 0;
            return true;
        }
    return !s || openai_fail(e, 400, "invalid_value", name, "%s: true or false is wanted, this is '%.40s'", name, s);
}
