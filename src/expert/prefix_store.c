/* expert/prefix_store.c - see prefix_store.h; start reading at prefix_store_find() and prefix_store_put(). */
#define _DEFAULT_SOURCE /* flock */
#include "expert/prefix_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

enum {
    OLD_S = 30 * 24 * 3600,
    HEAD_BYTES = 4096,
    SLOTS_MAX = 1 << 20,
    USES_MIN = 2,        /* prompts that found it evaluated, beside the one that did it */
    TOKENS_MIN = 256,    /* shorter prefixes are evaluated sooner than a file is worth */
    COUNTS = 1 << 12,    /* pages of which we know how often they were used: the table starts anew when it is full */
};
static const char magic[8] = "TUTTIKV1";

struct file_head {
    char magic[8];
    uint64_t model, kind, page_bytes;
    uint64_t seed;   /* of the chain's hash: who writes prompts does not know it */
    uint64_t check;  /* of the fields before */
};
struct slot_head {
    uint64_t chain;  /* hash of all tokens to the end of this page; 0: the slot is empty */
    uint64_t before; /* ... to its start */
    uint64_t data;   /* hash of the page's bytes */
    int32_t ids[PREFIX_PAGE_TOK];
    uint64_t check;  /* of the fields before */
};

struct slot { /* what we know of one; the file says the rest when it is read */
    uint64_t chain, used;
    int next; /* of the same hash */
};
struct count {
    uint64_t chain;
    int n;
};

struct prefix_store {
    int fd;
    bool is_writer, has_failed;
    struct file_head head;
    size_t page_bytes, slot_bytes;
    struct slot *slot; /* [n_max] */
    int n, n_max;
    int *hash;         /* [mask + 1] */
    int mask;
    uint64_t clock;
    struct count *count; /* [COUNTS] */
    int n_counts;
    int32_t *wanted;   /* owned: the text that is being kept; NULL: none */
    int n_wanted, at;  /* pages; the next */
    uint8_t *page;     /* [page_bytes] */
};

/* ---- hashes: eight bytes at a time; checksums against damage, and chains with a secret start ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9fb21c651e98df25u;
    return h ^ h >> 29;
}

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
    uint64_t lane[4] = { h, h ^ 1, h ^ 2, h ^ 3 }, v;
    const uint8_t *p = bytes;
    for (; n >= 32; n -= 32, p += 32)
        for (int i = 0; i < 4; i++) {
            memcpy(&v, p + i * 8, 8);
            lane[i] = mix(lane[i], v);
        }
    for (; n > 0; n--, p++)
        lane[0] = mix(lane[0], *p);
    return mix(mix(mix(lane[0], lane[1]), lane[2]), lane[3]);
}

static uint64_t chain_start(const struct prefix_store *s) { return s->head.seed; }
static uint64_t chain_on(const struct prefix_store *s, uint64_t before, const int32_t *ids)
{
    const uint64_t h = hash_bytes(before ^ s->head.seed << 1, ids, PREFIX_PAGE_TOK * sizeof(ids[0]));
    return h ? h : 1;
}
static uint64_t chain_to(const struct prefix_store *s, const int32_t *ids, int n_pages)
{
    uint64_t h = chain_start(s);
    for (int i = 0; i < n_pages; i++)
        h = chain_on(s, h, ids + i * PREFIX_PAGE_TOK);
    return h;
}

static uint64_t check_head(const struct file_head *h) { return hash_bytes(1, h, offsetof(struct file_head, check)); }
static uint64_t check_slot(const struct slot_head *h) { return hash_bytes(2, h, offsetof(struct slot_head, check)); }

/* ---- the table of slots ---- */

static int find_slot(const struct prefix_store *s, uint64_t chain)
{
    int i = s->hash[chain & (uint64_t)s->mask];
    while (i >= 0 && s->slot[i].chain != chain)
        i = s->slot[i].next;
    return i;
}

static void link_slot(struct prefix_store *s, int i, uint64_t chain)
{
    int *head = &s->hash[chain & (uint64_t)s->mask];
    s->slot[i] = (struct slot){ chain, s->clock, *head };
    *head = i;
}

static void unlink_slot(struct prefix_store *s, int i)
{
    int *link = &s->hash[s->slot[i].chain & (uint64_t)s->mask];
    if (s->slot[i].chain == 0)
        return;
    while (*link != i)
        link = &s->slot[*link].next;
    *link = s->slot[i].next;
    s->slot[i] = (struct slot){ 0 };
}

/* ---- reading and writing ---- */

static bool read_at(int fd, void *to, size_t n, uint64_t at)
{
    for (uint8_t *p = to; n > 0;) {
        const ssize_t k = pread(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k, at += (uint64_t)k, n -= (size_t)k;
    }
    return true;
}

static bool write_at(int fd, const void *from, size_t n, uint64_t at)
{
    for (const uint8_t *p = from; n > 0;) {
        const ssize_t k = pwrite(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k, at += (uint64_t)k, n -= (size_t)k;
    }
    return true;
}

static uint64_t slot_at(const struct prefix_store *s, int i) { return HEAD_BYTES + (uint64_t)i * s->slot_bytes; }

/* Heads only: a page is read when it is wanted.  What is not whole is an empty slot. */
static void read_slots(struct prefix_store *s, uint64_t file_bytes)
{
    const uint64_t n = file_bytes > HEAD_BYTES ? (file_bytes - HEAD_BYTES) / s->slot_bytes : 0;
    s->n = n < (uint64_t)s->n_max ? (int)n : s->n_max;
    for (int i = 0; i < s->n; i++) {
        struct slot_head h;
        if (read_at(s->fd, &h, sizeof(h), slot_at(s, i)) && h.chain != 0 && h.check == check_slot(&h) && h.chain == chain_on(s, h.before, h.ids) &&
            find_slot(s, h.chain) < 0)
            link_slot(s, i, h.chain);
    }
}

static bool begin_file(struct prefix_store *s, uint64_t model, uint64_t kind)
{
    s->head = (struct file_head){ .model = model, .kind = kind, .page_bytes = s->page_bytes };
    memcpy(s->head.magic, magic, sizeof(magic));
    if (getrandom(&s->head.seed, sizeof(s->head.seed), 0) != sizeof(s->head.seed))
        return false;
    s->head.check = check_head(&s->head);
    return ftruncate(s->fd, 0) == 0 && write_at(s->fd, &s->head, sizeof(s->head), 0);
}

static bool is_ours(const struct prefix_store *s, uint64_t model, uint64_t kind)
{
    const struct file_head *h = &s->head;
    return memcmp(h->magic, magic, sizeof(magic)) == 0 && h->check == check_head(h) && h->model == model && h->kind == kind &&
           h->page_bytes == s->page_bytes;
}

static bool open_file(struct prefix_store *s, const char *path, uint64_t model, uint64_t kind, struct err *err)
{
    struct stat st;
    file_make_folders(path, 0700);
    s->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return err_set(err, ERR_INPUT, "%s: not a file that only we can read (mode 0600)", path);
    s->is_writer = flock(s->fd, LOCK_EX | LOCK_NB) == 0;
    if (read_at(s->fd, &s->head, sizeof(s->head), 0) && is_ours(s, model, kind)) {
        read_slots(s, (uint64_t)st.st_size);
        return true;
    }
    if (!s->is_writer)
        return err_set(err, ERR_BUSY, "%s: another process is making it", path);
    return begin_file(s, model, kind) || err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
}

/* Files of models that nobody opened for a month. */
static void remove_old(const char *dir)
{
    DIR *d = opendir(dir);
    struct stat st;
    const time_t now = time(NULL);
    for (const struct dirent *f; d && (f = readdir(d));) {
        const size_t n = strlen(f->d_name);
        if (n == 36 && f->d_name[16] == '-' && strcmp(f->d_name + 33, ".kv") == 0 && fstatat(dirfd(d), f->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_uid == geteuid() && now - st.st_mtime > OLD_S)
            unlinkat(dirfd(d), f->d_name, 0);
    }
    if (d)
        closedir(d);
}

struct prefix_store *prefix_store_open(const char *dir, uint64_t model, uint64_t kind, size_t page_bytes, uint64_t limit_bytes, struct err *err)
{
    char path[PATH_MAX];
    struct prefix_store *s = calloc(1, sizeof(*s));
    if (!s)
        return err_null(err, ERR_NOMEM, "prefix cache: no memory");
    s->fd = -1;
    s->page_bytes = page_bytes;
    s->slot_bytes = sizeof(struct slot_head) + page_bytes;
    const uint64_t n = limit_bytes > HEAD_BYTES ? (limit_bytes - HEAD_BYTES) / s->slot_bytes : 0;
    s->n_max = n < SLOTS_MAX ? (int)n : SLOTS_MAX;
    int n_hash = 64;
    while (n_hash < s->n_max)
        n_hash *= 2;
    s->mask = n_hash - 1;
    s->slot = calloc((size_t)s->n_max + 1, sizeof(s->slot[0]));
    s->hash = malloc((size_t)n_hash * sizeof(s->hash[0]));
    s->count = calloc(COUNTS, sizeof(s->count[0]));
    s->page = malloc(page_bytes ? page_bytes : 1);
    if (!s->slot || !s->hash || !s->count || !s->page) {
        err_set(err, ERR_NOMEM, "prefix cache: no memory");
        goto fail;
    }
    memset(s->hash, 0xff, (size_t)n_hash * sizeof(s->hash[0])); /* -1 */
    if (s->n_max < 1) {
        err_set(err, ERR_INPUT, "prefix cache: a page has %zu bytes, and the limit is %llu", page_bytes, (unsigned long long)limit_bytes);
        goto fail;
    }
    if (snprintf(path, sizeof(path), "%s/%016llx-%016llx.kv", dir, (unsigned long long)model, (unsigned long long)kind) >= (int)sizeof(path)) {
        err_set(err, ERR_INPUT, "prefix cache: %.60s...: the path is too long", dir);
        goto fail;
    }
    if (!open_file(s, path, model, kind, err)) {
        err_prefix(err, "prefix cache");
        goto fail;
    }
    futimens(s->fd, NULL);
    remove_old(dir);
    return s;
fail:
    prefix_store_close(s);
    return NULL;
}

void prefix_store_close(struct prefix_store *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->slot);
    free(s->hash);
    free(s->count);
    free(s->wanted);
    free(s->page);
    free(s);
}

const void *prefix_store_find(struct prefix_store *s, const int32_t *ids, int page)
{
    struct slot_head h;
    const uint64_t before = chain_to(s, ids, page), chain = chain_on(s, before, ids + page * PREFIX_PAGE_TOK);
    const int i = find_slot(s, chain);
    if (i < 0)
        return NULL;
    /* Another process may have put something else there since. */
    if (read_at(s->fd, &h, sizeof(h), slot_at(s, i)) && h.check == check_slot(&h) && h.chain == chain && h.before == before &&
        memcmp(h.ids, ids + page * PREFIX_PAGE_TOK, sizeof(h.ids)) == 0 && read_at(s->fd, s->page, s->page_bytes, slot_at(s, i) + sizeof(h)) &&
        hash_bytes(chain, s->page, s->page_bytes) == h.data)
        return s->page;
    unlink_slot(s, i);
    return NULL;
}

/* How often the page that ends this chain was used, with this time. */
static int count_use(struct prefix_store *s, uint64_t chain)
{
    if (s->n_counts > COUNTS / 2) {
        memset(s->count, 0, COUNTS * sizeof(s->count[0]));
        s->n_counts = 0;
    }
    struct count *c = &s->count[chain % COUNTS];
    while (c->n > 0 && c->chain != chain)
        c = c == &s->count[COUNTS - 1] ? s->count : c + 1;
    s->n_counts += c->n == 0;
    c->chain = chain;
    return c->n < INT_MAX ? ++c->n : c->n;
}

void prefix_store_used(struct prefix_store *s, const int32_t *ids, int n)
{
    uint64_t chain = chain_start(s);
    int n_often = 0, n_kept = 0;
    if (n < TOKENS_MIN)
        return;
    s->clock++; /* one for all of them: what leads to a page is not older than the page */
    for (int i = 0; i < n / PREFIX_PAGE_TOK; i++) {
        chain = chain_on(s, chain, ids + i * PREFIX_PAGE_TOK);
        const int slot = find_slot(s, chain);
        if (slot >= 0)
            s->slot[slot].used = s->clock;
        n_kept += slot >= 0;
        n_often += count_use(s, chain) >= USES_MIN && n_often == i;
    }
    n_often = n_often < s->n_max ? n_often : s->n_max;
    if (n_often * PREFIX_PAGE_TOK < TOKENS_MIN || n_kept >= n_often || s->wanted || !s->is_writer || s->has_failed)
        return;
    s->wanted = malloc((size_t)n_often * PREFIX_PAGE_TOK * sizeof(s->wanted[0]));
    if (!s->wanted)
        return; /* another time */
    memcpy(s->wanted, ids, (size_t)n_often * PREFIX_PAGE_TOK * sizeof(s->wanted[0]));
    s->n_wanted = n_often;
    s->at = 0;
}

void prefix_store_skip(struct prefix_store *s)
{
    free(s->wanted);
    s->wanted = NULL;
}

bool prefix_store_next(struct prefix_store *s, const int32_t **ids, int *n_ids)
{
    while (s->wanted && s->at < s->n_wanted && find_slot(s, chain_to(s, s->wanted, s->at + 1)) >= 0)
        s->at++;
    if (s->wanted && s->at == s->n_wanted)
        prefix_store_skip(s);
    if (!s->wanted)
        return false;
    *ids = s->wanted;
    *n_ids = (s->at + 1) * PREFIX_PAGE_TOK;
    return true;
}

/* An empty slot, or that of the page used least recently; of equals the last, to which the others lead. */
static int take_slot(struct prefix_store *s)
{
    int best = 0;
    if (s->n < s->n_max)
        return s->n++;
    for (int i = 0; i < s->n && s->slot[best].chain != 0; i++)
        if (s->slot[i].chain == 0 || s->slot[i].used <= s->slot[best].used)
            best = i;
    return best;
}

void *prefix_store_room(struct prefix_store *s) { return s->page; }

void prefix_store_put(struct prefix_store *s)
{
    const void *bytes = s->page;
    const int32_t *ids = s->wanted + s->at * PREFIX_PAGE_TOK;
    struct slot_head h = { .before = chain_to(s, s->wanted, s->at) };
    h.chain = chain_on(s, h.before, ids);
    h.data = hash_bytes(h.chain, bytes, s->page_bytes);
    memcpy(h.ids, ids, sizeof(h.ids));
    h.check = check_slot(&h);
    const int i = take_slot(s);
    unlink_slot(s, i);
    /* The head last: a slot that was not written to its end does not look like one. */
    const struct slot_head none = { 0 };
    if (!write_at(s->fd, &none, sizeof(none), slot_at(s, i)) || !write_at(s->fd, bytes, s->page_bytes, slot_at(s, i) + sizeof(h)) ||
        !write_at(s->fd, &h, sizeof(h), slot_at(s, i))) {
        log_warn("prefix cache: %s; nothing more is kept", strerror(errno));
        s->has_failed = true;
        prefix_store_skip(s);
        return;
    }
    link_slot(s, i, h.chain);
    s->at++;
}

struct prefix_store_figures prefix_store_figures(const struct prefix_store *s)
{
    struct prefix_store_figures f = { .n_pages_max = s->n_max, .is_writer = s->is_writer };
    for (int i = 0; i < s->n; i++)
        f.n_pages += s->slot[i].chain != 0;
    return f;
}
