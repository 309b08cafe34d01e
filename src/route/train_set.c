/* route/train_set.c - lines of text with their labels, from JSON lines or tab-separated files. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "route/train.h"

enum { FILE_BYTES_MAX = 1 << 29, ROUNDS_MAX = 64, GROUPS_MAX = 8, TABBED_BYTES_MAX = 1 << 14 };

static struct train_line *append(struct train_set *set, const char *text, size_t n_bytes, struct err *err)
{
    if (set->n == set->cap) {
        const size_t cap = set->cap ? set->cap * 2 : 1024;
        struct train_line *more = cap <= TRAIN_LINES_MAX * 2 ? realloc(set->line, cap * sizeof(*more)) : NULL;
        if (!more)
            return err_null(err, ERR_NOMEM, "training lines: out of memory at %zu", set->n);
        set->line = more, set->cap = cap;
    }
    if (n_bytes > TRAIN_TEXT_BYTES_MAX)
        return err_null(err, ERR_LIMIT, "a text of %zu bytes; at most %d", n_bytes, TRAIN_TEXT_BYTES_MAX);
    struct train_line *l = &set->line[set->n];
    *l = (struct train_line){ .text = malloc(n_bytes + 1), .n_bytes = (uint32_t)n_bytes, .intent = -1, .difficult = -1, .weak = -1, .strong = -1 };
    if (!l->text)
        return err_null(err, ERR_NOMEM, "training lines: out of memory");
    memcpy(l->text, text, n_bytes);
    l->text[n_bytes] = '\0';
    set->n++;
    return l;
}

int train_expand(const char *text, int round, char *out, size_t n_bytes)
{
    int n_groups = 0, most = 1, step = round;
    size_t used = 0;
    bool may_close = true;
    for (const char *s = text; *s;) {
        const char *end = may_close && n_groups < GROUPS_MAX && s[0] == '[' && s[1] == '[' ? strstr(s, "]]") : NULL;
        if (!end) {
            may_close = may_close && (s[0] != '[' || s[1] != '[');
            if (out && used + 1 < n_bytes)
                out[used++] = *s;
            s++;
            continue;
        }
        int n = 1;
        for (const char *p = s + 2; p < end; p++)
            n += *p == '|';
        most = n > most ? n : most;
        int pick = step % n;
        step += n_groups + step / n; /* later groups turn at another pace */
        n_groups++;
        for (const char *p = s + 2; p < end; p++) {
            if (*p == '|')
                pick--;
            else if (pick == 0 && out && used + 1 < n_bytes)
                out[used++] = *p;
        }
        s = end + 2;
    }
    if (out)
        out[used] = '\0';
    most *= n_groups > 1 ? 2 : 1;
    return most < ROUNDS_MAX ? most : ROUNDS_MAX;
}

static int8_t read_bool(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_boolean(v) ? (int8_t)json_is_true(v) : json_is_number(v) ? (int8_t)(json_number_value(v) >= .5) : -1;
}

static bool add_json(struct train_set *set, const char *line, size_t n, const char *source, struct err *err)
{
    json_error_t why;
    json_t *j = json_loadb(line, n, 0, &why);
    const json_t *text = j ? json_object_get(j, "text") : NULL;
    const char *intent = j ? json_string_value(json_object_get(j, "intent")) : NULL, *from = j ? json_string_value(json_object_get(j, "source")) : NULL;
    enum intent which = INTENT_CHAT;
    bool ok = false;
    if (!j)
        err_set(err, ERR_INPUT, "%s", why.text);
    else if (!json_is_string(text))
        err_set(err, ERR_INPUT, "no \"text\"");
    else if (intent && !intent_by_name(intent, &which))
        err_set(err, ERR_INPUT, "intent '%.40s' is not known", intent);
    else {
        struct train_line *l = append(set, json_string_value(text), json_string_length(text), err);
        ok = l != NULL;
        if (ok) {
            l->intent = intent ? (int8_t)which : -1;
            l->difficult = read_bool(j, "difficult"), l->weak = read_bool(j, "weak"), l->strong = read_bool(j, "strong");
            const char *subject = json_string_value(json_object_get(j, "subject"));
            if (subject && *subject)
                l->topic = hash_fnv32(subject, strlen(subject));
            snprintf(l->source, sizeof(l->source), "%s", from ? from : source);
        }
    }
    json_decref(j);
    return ok;
}

/* A line's end is written \\n. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *s = text; *s; s++) {
        const bool is_end = s[0] == '\\' && s[1] == 'n';
        *to++ = is_end ? '\n' : *s;
        s += is_end;
    }
    *to = '\0';
}

static bool add_tabbed(struct train_set *set, const char *line, const char *source, struct err *err)
{
    char text[TABBED_BYTES_MAX], name[16];
    enum intent which;
    const char *tab = strchr(line, '\t');
    if (!tab || tab - line >= (int)sizeof(name))
        return err_set(err, ERR_INPUT, "expected intent<TAB>text");
    memcpy(name, line, (size_t)(tab - line));
    name[tab - line] = '\0';
    if (!intent_by_name(name, &which))
        return err_set(err, ERR_INPUT, "intent '%s' is not known", name);
    if (strlen(tab + 1) >= sizeof(text))
        return err_set(err, ERR_LIMIT, "a text of %zu bytes; at most %d, longer ones as JSON", strlen(tab + 1), TABBED_BYTES_MAX - 1);
    const int n = train_expand(tab + 1, 0, NULL, 0);
    for (int i = 0; i < n; i++) {
        train_expand(tab + 1, i, text, sizeof(text));
        unescape(text);
        struct train_line *l = append(set, text, strlen(text), err);
        if (!l)
            return false;
        l->intent = (int8_t)which;
        snprintf(l->source, sizeof(l->source), "%s", source);
    }
    return true;
}

bool train_set_add_bytes(struct train_set *set, char *bytes, size_t n_bytes, const char *path, struct err *err)
{
    char source[TRAIN_SOURCE_BYTES];
    const char *slash = strrchr(path, '/');
    snprintf(source, sizeof(source), "%s", slash ? slash + 1 : path);
    if (strrchr(source, '.'))
        *strrchr(source, '.') = '\0';
    bool ok = true;
    long number = 1;
    for (char *s = bytes, *next; ok && s < bytes + n_bytes; s = next, number++) {
        char *end = memchr(s, '\n', (size_t)(bytes + n_bytes - s));
        end = end ? end : bytes + n_bytes;
        next = end + 1;
        while (end > s && end[-1] == '\r')
            end--;
        *end = '\0';
        if (end == s || *s == '#')
            continue;
        ok = *s == '{' ? add_json(set, s, (size_t)(end - s), source, err) : add_tabbed(set, s, source, err);
        if (!ok)
            err_prefix(err, "%s:%ld", path, number);
    }
    return ok;
}

bool train_set_add(struct train_set *set, const char *path, struct err *err)
{
    size_t n_bytes = 0;
    char *all = file_read(path, FILE_BYTES_MAX, &n_bytes, err);
    const bool ok = all && train_set_add_bytes(set, all, n_bytes, path, err);
    free(all);
    return ok;
}

void train_set_fini(struct train_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        free(set->line[i].text);
    free(set->line);
    *set = (struct train_set){ 0 };
}
