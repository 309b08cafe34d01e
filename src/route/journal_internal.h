/* route/journal_internal.h - between the journal's files: the bytes of a row, and the file they go to. */
#ifndef TUTTI_ROUTE_JOURNAL_INTERNAL_H
#define TUTTI_ROUTE_JOURNAL_INTERNAL_H
#include "route/journal.h"

/* ---- rows (journal_row.c) ---- */

/* A place in a row's bytes; the same functions write and read, so both keep the same order. */
struct row {
    unsigned char *at, *end;
    const struct row_words *words; /* reading: what numbers of the writer's lists mean here; NULL: the same lists */
    bool is_reading, failed;       /* failed: the end was passed, or what was read is no row */
};
void row_begin_writing(struct row *r, void *bytes, size_t n_bytes);
void row_begin_reading(struct row *r, const void *bytes, size_t n_bytes, const struct row_words *words);

/* The part of a world that stays as it is for long: names, kinds, speeds.  Reading fills nodes and list of *w, which have
 * ROUTE_NODES_MAX and ROUTE_CANDIDATES_MAX places. */
void row_world(struct row *r, struct candidates *w);
/* The rest: request, what changes in the world, decision.  Writing changes nothing of them (wish, features and intent are those
 * of the request); reading fills them in, `world` as row_world() left it. */
struct row_parts {
    struct route_request *request;
    struct expert_wish *wish;
    struct features *features;
    struct intent_answer *intent;
    struct candidates *world;
    struct route_decision *decision;
};
void row_decision(struct row *r, const struct row_parts *p);
uint64_t row_hash(const void *bytes, size_t n_bytes);
/* Two worlds of the same glance have the same static part; quicker than writing it down. */
uint64_t row_glance(const struct candidates *w);

/* Rows hold numbers of words in lists of the code (rules, terms, tasks, ...).  The lists of whoever wrote a file are kept beside
 * its rows, so a list that has grown or was put in another order since is no trouble. */
enum row_list { ROW_TASKS, ROW_CLASSES, ROW_GOALS, ROW_INTENTS, ROW_RULES, ROW_TERMS, ROW_LIST_COUNT };
enum { ROW_WORDS_MAX = 64, ROW_WORDS_BYTES_MAX = 4096 };
struct row_words {
    int n[ROW_LIST_COUNT];
    int8_t here[ROW_LIST_COUNT][ROW_WORDS_MAX]; /* the word's number in our own list; -1: we have no such word */
};
/* Our own lists: "tasks chat complete\nclasses llm ...\n". */
void row_put_words(char out[static ROW_WORDS_BYTES_MAX]);
bool row_read_words(const char *text, struct row_words *out);

/* ---- the file (journal_db.c) ---- */

enum { JOURNAL_SCHEMA = 1, JOURNAL_APPLICATION = 0x74757472 /* "tutr" */ };

/* Entries in the queue, as the writer's thread gets them: a head, then n_bytes. */
enum journal_kind { JOURNAL_ENTRY_GAP /* nothing up to the buffer's end */, JOURNAL_ENTRY_WORLD, JOURNAL_ENTRY_DECIDED, JOURNAL_ENTRY_ENDED, JOURNAL_ENTRY_STATE };
struct journal_head {
    uint32_t n_bytes; /* after the head, padded to 8 */
    uint32_t n_body;
    enum journal_kind kind;
    char id[JOURNAL_ID_MAX]; /* STATE: its name */
    int64_t time_s;
    uint64_t world; /* hash */
};

struct journal_db;
struct journal_db *journal_db_open(const char *path, const struct journal_options *opt, struct err *err);
void journal_db_close(struct journal_db *db); /* NULL is fine */
bool journal_db_begin(struct journal_db *db, struct err *err);
bool journal_db_add(struct journal_db *db, const struct journal_head *h, const void *body, struct err *err);
bool journal_db_commit(struct journal_db *db, struct err *err);
void journal_db_rollback(struct journal_db *db);
/* Takes away what is too old or too much, a little at a time; *more: call again. */
bool journal_db_prune(struct journal_db *db, int64_t now_s, bool *more, struct err *err);
void journal_db_size(struct journal_db *db, uint64_t *rows, uint64_t *bytes);
#endif
