/* hw/root_internal.h - what the files behind hw/root.h share: the tree in memory and the child that reads. */
#ifndef TUTTI_HW_ROOT_INTERNAL_H
#define TUTTI_HW_ROOT_INTERNAL_H
#include "hw/root.h"

enum {
    TREE_ENTRIES_MAX = 1 << 16,
    TREE_BYTES_MAX = 64 << 20,
    KEPT_BYTES_MAX = 1 << 20,    /* of one file in a recording */
    GUARDED_BYTES_MAX = 1 << 16, /* a device attribute has a page at most, PCI config space 4 KiB */
};

enum tree_kind { TREE_SEEN, TREE_FOLDER, TREE_LINK, TREE_FILE }; /* a later kind says more than an earlier one */
struct tree_entry {
    char *path;          /* owned; no '/' at either end, no "." or ".." */
    enum tree_kind kind;
    char *bytes;         /* owned; content, or the link's text; '\0' behind */
    size_t n;
    uint32_t order;      /* of adding: later wins among equals */
};
struct tree { /* a machine in memory */
    struct tree_entry *entry;
    uint32_t n, cap;
    size_t n_bytes;
    bool is_sorted;
};
/* Adds an entry; bytes are copied.  A path that leaves the tree ("..", "") is refused with false and err set. */
bool tree_add(struct tree *t, enum tree_kind kind, const char *path, const char *bytes, size_t n, struct err *err);
/* Sorts by path, one entry for each.  To be called before tree_find and tree_list. */
void tree_sort(struct tree *t);
const struct tree_entry *tree_find(const struct tree *t, const char *path);
bool tree_has(const struct tree *t, const char *path); /* an entry, or a folder that entries lie in */
bool tree_names(const struct tree *t, const char *path, struct hw_names *names);
void tree_fini(struct tree *t);
/* The one top folder that holds proc or sys becomes the top. */
bool tree_strip_top(struct tree *t);
bool tree_parse(struct tree *t, const char *text, size_t n, struct err *err);
bool tree_untar(struct tree *t, const uint8_t *tar, size_t n, struct err *err);
/* Writes a sorted tree; scrub as in hw_root_tar(). */
bool tree_tar(const struct tree *t, hw_scrub_fn *scrub, void *ctx, struct buf *out, struct err *err);

/* The child that reads device attributes (root_child.c). */
struct reader;
struct reader *reader_new(hw_reader_fn *reader, int deadline_ms); /* no process before the first read; NULL: out of memory */
void reader_free(struct reader *c);
/* Bytes read, or -errno; -ETIMEDOUT when the deadline passed. */
ssize_t reader_read(struct reader *c, const char *path, char *bytes, size_t size);
int reader_n_hung(const struct reader *c, char *path, size_t size);

struct hw_root {
    enum { ROOT_LIVE, ROOT_FOLDER, ROOT_MEMORY } kind;
    int fd;              /* the folder; -1 in memory */
    struct tree tree;    /* ROOT_MEMORY */
    struct reader *reader; /* ROOT_LIVE */
    struct tree *kept;   /* NULL: nothing is recorded */
    char *whole;         /* [KEPT_BYTES_MAX] while recording: a file on its way into kept */
    struct near_folder {  /* ROOT_FOLDER: detectors read many files of one folder in a row */
        char path[HW_PATH_BYTES_MAX];
        int fd;          /* -1: no such folder */
    } *near;             /* NULL: none yet */
};

/* 1: a link, its text in `text`; 0: something else; -1: nothing there.  No component before the last may be a link. */
int root_link_at(const struct hw_root *r, const char *path, char *text, size_t size);
/* Follows links inside the root, component by component: "..", an absolute link and a loop end inside it or not at all.
 * false: nothing there.  is_last_followed: also when the last component is a link. */
bool root_resolve(const struct hw_root *r, const char *path, char out[static HW_PATH_BYTES_MAX], bool is_last_followed);
/* Bytes of a regular file, at most size, or -errno. */
ssize_t root_read_bytes(const struct hw_root *r, const char *path, char *bytes, size_t size);
ssize_t root_read_live(const char *path, char *bytes, size_t size); /* an hw_reader_fn */
bool root_is_folder(const struct hw_root *r, const char *resolved);
void root_keep(const struct hw_root *r, enum tree_kind kind, const char *path, const char *bytes, size_t n); /* when a recording is made */

bool names_add(struct hw_names *names, const char *name); /* false: full or no memory */
void names_sort(struct hw_names *names);
#endif
