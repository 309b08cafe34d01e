/* hw/root_tar.c - a recorded machine as a tar archive, in and out.
 *
 * For:     `tutti detect --root FILE.tar`, `--record`.
 * Touches: memory.
 * Rule:    ustar (POSIX.1-1988) with GNU's long names ('L', 'K'); pax headers, devices and FIFOs are passed over.
 *          Every length is checked against what is left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/root_internal.h"

enum { BLOCK = 512 };

struct header { /* ustar, POSIX.1-1988 */
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[8];
    char user[32], group[32], dev_major[8], dev_minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

static bool octal(const char *text, size_t n, uint64_t *value)
{
    uint64_t v = 0;
    size_t i = 0, digits = 0;
    while (i < n && text[i] == ' ')
        i++;
    for (; i < n && text[i] >= '0' && text[i] <= '7'; i++, digits++)
        v = v << 3 | (uint64_t)(text[i] - '0');
    *value = v;
    return digits > 0 && digits <= 20;
}

static void put_field(char *to, size_t size, const char *from, size_t max)
{
    const size_t n = strnlen(from, max);
    const size_t m = n < size ? n : size - 1;
    memcpy(to, from, m);
    to[m] = '\0';
}

bool tree_untar(struct tree *t, const uint8_t *tar, size_t n, struct err *err)
{
    char name[HW_PATH_BYTES_MAX] = "", link[HW_PATH_BYTES_MAX] = "";
    bool is_long_name = false, is_long_link = false;
    for (size_t at = 0; n - at >= BLOCK;) {
        struct header h;
        memcpy(&h, tar + at, sizeof(h));
        if (h.name[0] == '\0') /* two empty blocks end it */
            return true;
        uint64_t size;
        if (memcmp(h.magic, "ustar", 5) != 0 || !octal(h.size, sizeof(h.size), &size) || size > n - at - BLOCK)
            return err_set(err, ERR_INPUT, "byte %zu: not a header of a tar archive, or its file passes the end", at);
        const char *content = (const char *)tar + at + BLOCK;
        const size_t len = (size_t)size, padded = (len + BLOCK - 1) / BLOCK * BLOCK;
        if (h.type == 'L') {
            put_field(name, sizeof(name), content, len), is_long_name = true;
        } else if (h.type == 'K') {
            put_field(link, sizeof(link), content, len), is_long_link = true;
        } else {
            if (!is_long_name) {
                char prefix[156], own[101];
                put_field(prefix, sizeof(prefix), h.prefix, h.magic[5] == '\0' ? sizeof(h.prefix) : 0); /* GNU's has other things there */
                put_field(own, sizeof(own), h.name, sizeof(h.name));
                snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] ? "/" : "", own);
            }
            if (!is_long_link)
                put_field(link, sizeof(link), h.link, sizeof(h.link));
            for (size_t k = strlen(name); k > 0 && name[k - 1] == '/';)
                name[--k] = '\0';
            const bool is_top = name[0] == '\0' || strcmp(name, ".") == 0;
            const enum tree_kind kind = h.type == '5' ? TREE_FOLDER : h.type == '2' ? TREE_LINK : TREE_FILE;
            if ((h.type == '0' || h.type == '\0' || h.type == '2' || h.type == '5') && !is_top &&
                !tree_add(t, kind, name, kind == TREE_LINK ? link : content, kind == TREE_LINK ? strlen(link) : kind == TREE_FILE ? len : 0, err))
                return err_prefix(err, "byte %zu", at);
            is_long_name = is_long_link = false;
        }
        if (padded > n - at - BLOCK)
            return true; /* the last file's padding may be missing */
        at += BLOCK + padded;
    }
    return true;
}

static void put_header(struct buf *out, const char *name, char type, const char *link, size_t size)
{
    struct header h = { 0 };
    memcpy(h.name, name, strnlen(name, sizeof(h.name)));
    memcpy(h.link, link, strnlen(link, sizeof(h.link)));
    snprintf(h.mode, sizeof(h.mode), "%07o", type == '5' ? 0755u : 0644u);
    snprintf(h.uid, sizeof(h.uid), "%07o", 0u);
    snprintf(h.gid, sizeof(h.gid), "%07o", 0u);
    snprintf(h.size, sizeof(h.size), "%011llo", (unsigned long long)size & 077777777777ull);
    snprintf(h.mtime, sizeof(h.mtime), "%011o", 0u); /* when it was made is nobody's business */
    h.type = type;
    memcpy(h.magic, "ustar\0" "00", 8);
    memset(h.checksum, ' ', sizeof(h.checksum));
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(h); i++)
        sum += ((const unsigned char *)&h)[i];
    snprintf(h.checksum, sizeof(h.checksum), "%06o", sum & 0777777);
    buf_append(out, &h, sizeof(h));
}

static void put_content(struct buf *out, const char *bytes, size_t n)
{
    static const char zero[BLOCK];
    buf_append(out, bytes, n);
    buf_append(out, zero, (BLOCK - n % BLOCK) % BLOCK);
}

static void put_entry(struct buf *out, const char *name, char type, const char *bytes, size_t n)
{
    const bool is_link = type == '2';
    if (strlen(name) >= 100) {
        put_header(out, "././@LongLink", 'L', "", strlen(name) + 1);
        put_content(out, name, strlen(name) + 1);
    }
    if (is_link && n >= 100) {
        put_header(out, "././@LongLink", 'K', "", n + 1);
        put_content(out, bytes, n + 1);
    }
    put_header(out, name, type, is_link ? bytes : "", is_link || type == '5' ? 0 : n);
    if (type == '0')
        put_content(out, bytes, n);
}

bool tree_tar(const struct tree *t, hw_scrub_fn *scrub, void *ctx, struct buf *out, struct err *err)
{
    static const char zero[2 * BLOCK];
    struct buf path, content;
    buf_init(&path, 4 * HW_PATH_BYTES_MAX);
    buf_init(&content, TREE_BYTES_MAX);
    bool ok = true;
    for (uint32_t i = 0; ok && i < t->n; i++) {
        const struct tree_entry *e = &t->entry[i];
        buf_clear(&path), buf_clear(&content);
        buf_puts(&path, e->path);
        buf_append(&content, e->bytes, e->n);
        buf_append(&content, "", 0);
        /* A folder that was only seen has entries behind it or is empty; a file that was only seen stays empty. */
        ok = !path.failed && !content.failed;
        if (!ok || !scrub(ctx, &path, e->kind == TREE_LINK, &content))
            continue;
        ok = !path.failed && !content.failed;
        if (ok)
            put_entry(out, path.data, e->kind == TREE_LINK ? '2' : e->kind == TREE_FOLDER ? '5' : '0', content.data ? content.data : "", content.len);
    }
    buf_append(out, zero, sizeof(zero));
    buf_fini(&path);
    buf_fini(&content);
    return ok ? buf_ok(out, "recording", err) : err_set(err, ERR_NOMEM, "recording: out of memory");
}
