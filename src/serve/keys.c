/* serve/keys.c - see keys.h. */
#include "serve/keys.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"

enum { KEYS_MAX_BYTES = 1 << 20, KEY_MIN_BYTES = 8 };

struct keys {
    char *text;  /* owned; lines ended by '\0' */
    int n;
    struct {
        const char *s;
        size_t n;
    } key[];
};

struct keys *keys_read(const char *path, struct err *err)
{
    size_t n_bytes;
    struct stat st;
    char *text = file_read(path, KEYS_MAX_BYTES, &n_bytes, err);
    if (!text) {
        err_prefix(err, "key file");
        return NULL;
    }
    if (stat(path, &st) == 0 && (st.st_mode & (S_IRGRP | S_IROTH)))
        log_warn("key file %s: others can read it; chmod 600 would keep the keys secret", path);
    int n_lines = 1, line = 0;
    for (size_t i = 0; i < n_bytes; i++)
        n_lines += text[i] == '\n';
    struct keys *k = calloc(1, sizeof(*k) + (size_t)n_lines * sizeof(k->key[0]));
    if (!k) {
        free(text);
        return err_null(err, ERR_NOMEM, "key file: out of memory");
    }
    k->text = text;
    for (char *at = text, *next; at; at = next) {
        next = strchr(at, '\n');
        line++;
        if (next)
            *next++ = '\0';
        at += strspn(at, " \t\r");
        size_t n = strcspn(at, "\r");
        while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
            n--;
        if (n == 0 || at[0] == '#')
            continue;
        if (n < KEY_MIN_BYTES) {
            err_set(err, ERR_INPUT, "key file %s: line %d: a key of at least %d characters is wanted", path, line, KEY_MIN_BYTES);
            keys_free(k);
            return NULL;
        }
        k->key[k->n].s = at;
        k->key[k->n++].n = n;
    }
    if (k->n > 0)
        return k;
    keys_free(k);
    return err_null(err, ERR_INPUT, "key file %s: there is no key in it (one per line)", path);
}

void keys_free(struct keys *k)
{
    if (!k)
        return;
    free(k->text);
    free(k);
}

/* Every key is compared to its end: the time tells nothing but lengths. */
static bool is_known(const struct keys *k, const char *s, size_t n)
{
    unsigned any = 0;
    for (int i = 0; i < k->n; i++) {
        unsigned differs = k->key[i].n != n;
        for (size_t c = 0; c < k->key[i].n; c++)
            differs |= (unsigned)((unsigned char)k->key[i].s[c] ^ (unsigned char)(c < n ? s[c] : 0));
        any |= differs == 0;
    }
    return any != 0;
}

bool keys_allow(const struct keys *k, const struct http_head *head)
{
    static const char bearer[] = "bearer ";
    const char *a = http_head_get(head, "authorization"), *x = http_head_get(head, "x-api-key");
    if (a && strncasecmp(a, bearer, strlen(bearer)) == 0) {
        a += strlen(bearer);
        a += strspn(a, " ");
        if (is_known(k, a, strlen(a)))
            return true;
    }
    return x && is_known(k, x, strlen(x));
}
