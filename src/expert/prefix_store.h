/* expert/prefix_store.h - evaluated prefixes that outlive the process: pages of K/V in one file for each model.
 *
 * For:     schedule.c: what many prompts begin with (system prompts) is read from a file after a restart, not evaluated again.
 * Callers: the engine thread of an LLM expert alone.
 * Touches: one file below the folder that was configured, mode 0600.  It holds token ids and K/V of prompts: who can read it
 *          can read those prompts.  So there is none unless it was asked for.
 * Rule:    the file is a guess, never believed: a page counts only when its checksum, its tokens and all before it are right, so a
 *          torn, foreign or damaged file costs an evaluation and nothing else.  Bounded in bytes; the pages used least recently give
 *          way; a file that was not opened for 30 days is removed.  One process writes (flock), others read.
 *
 * The file: a head of 4096 bytes (struct file_head), then slots of one size: struct slot_head, then the page's bytes.
 */
#ifndef TUTTI_EXPERT_PREFIX_STORE_H
#define TUTTI_EXPERT_PREFIX_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { PREFIX_PAGE_TOK = 32 };

struct prefix_store;

/* model and kind: whatever the pages depend on; a file for each pair.  Makes the folder.  NULL with err: it cannot be written, or
 * not even one page fits into limit_bytes. */
struct prefix_store *prefix_store_open(const char *dir, uint64_t model, uint64_t kind, size_t page_bytes, uint64_t limit_bytes, struct err *err);
void prefix_store_close(struct prefix_store *s); /* NULL is fine */

/* The page of ids[page * 32 .. page * 32 + 31] behind all tokens before them; its bytes until the next call.  NULL: not there. */
const void *prefix_store_find(struct prefix_store *s, const int32_t *ids, int page);

/* A new prompt found n tokens (whole pages) evaluated already.  When that happened often enough to the same ones, they are
 * wanted: prefix_store_next() gives them out, page by page, when there is time for it. */
void prefix_store_used(struct prefix_store *s, const int32_t *ids, int n);
/* A page that should be kept: *ids [*n_ids] is the text up to its end, borrowed until prefix_store_put() or _skip().  false: none. */
bool prefix_store_next(struct prefix_store *s, const int32_t **ids, int *n_ids);
void *prefix_store_room(struct prefix_store *s); /* [page_bytes]: its bytes go here, */
void prefix_store_put(struct prefix_store *s);   /* and are kept; the next one may be asked for */
void prefix_store_skip(struct prefix_store *s);                   /* it is not there any more: nothing of that text is wanted */

struct prefix_store_figures {
    int n_pages, n_pages_max;
    bool is_writer;
};
struct prefix_store_figures prefix_store_figures(const struct prefix_store *s);
#endif
