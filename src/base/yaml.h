/* base/yaml.h - YAML documents as a plain tree that knows where everything stood.
 *
 * For:     cards (task/card.h), tutti.yaml (serve/config.h), pipelines, inventories.
 * Callers: task/, expert/, serve/, cmd/.
 * Touches: memory; yaml_read() a file.  libfyaml is seen by yaml.c alone.
 * Rule:    strict: one document, no anchors, aliases, tags or tabs in the indentation, no key twice, bounded depth and
 *          size.  All errors are FILE:LINE:COLUMN: WHY.  The tree is constant and lives until yaml_free().
 */
#ifndef TUTTI_BASE_YAML_H
#define TUTTI_BASE_YAML_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    int line, column; /* from 1; of a list or map: where its first item or key stands */
    const char *text; /* YAML_TEXT: '\0'-terminated UTF-8 without '\0' inside; NULL otherwise */
    size_t n_text;
    bool is_quoted;   /* "8080" is not the number 8080 */
    int n_items;      /* YAML_LIST, YAML_MAP */
    const struct yaml_node *items; /* [n_items] the values */
    const struct yaml_node *keys;  /* YAML_MAP: [n_items] texts */
};

struct yaml;
enum { YAML_MAX_BYTES = 4 << 20, YAML_MAX_DEPTH = 32 };

/* name: for errors.  The caller owns the result; NULL with err.  An empty document is an empty map. */
struct yaml *yaml_parse(const char *name, const char *text, size_t n, struct err *err);
struct yaml *yaml_read(const char *path, struct err *err);
void yaml_free(struct yaml *y); /* NULL is fine */
const struct yaml_node *yaml_root(const struct yaml *y);
const char *yaml_name(const struct yaml *y);
const char *yaml_source(const struct yaml *y, size_t *n); /* the text that was read */

/* "FILE:LINE:COLUMN: " and the text; returns false.  at NULL: the whole file. */
bool yaml_fail(const struct yaml *y, const struct yaml_node *at, struct err *err, const char *fmt, ...) ERR_PRINTF(4, 5);

/* The value; NULL when map is NULL, no map, or has no such key. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* Is every key one of the known (a NULL-terminated list)?  The error suggests the nearest.  more: a second list, or NULL. */
bool yaml_check_keys(const struct yaml *y, const struct yaml_node *map, const char *const *known, const char *const *more, struct err *err);

/* Reading one key of a map.  A key that is absent leaves *out as it is and is fine (map NULL too); false with err when the
 * value is of another kind or out of range. */
bool yaml_map(const struct yaml *y, const struct yaml_node *map, const char *key, const struct yaml_node **out, struct err *err);
bool yaml_list(const struct yaml *y, const struct yaml_node *map, const char *key, const struct yaml_node **out, struct err *err);
bool yaml_text(const struct yaml *y, const struct yaml_node *map, const char *key, const char **out, struct err *err);
bool yaml_int(const struct yaml *y, const struct yaml_node *map, const char *key, int64_t min, int64_t max, int64_t *out, struct err *err);
bool yaml_number(const struct yaml *y, const struct yaml_node *map, const char *key, double min, double max, double *out, struct err *err);
bool yaml_bool(const struct yaml *y, const struct yaml_node *map, const char *key, bool *out, struct err *err);
/* "512 MB" (10^6), "2 GiB", "64k", plain bytes */
bool yaml_bytes(const struct yaml *y, const struct yaml_node *map, const char *key, uint64_t *out, struct err *err);
/* "250ms", "10s", "5m", "1h"; a bare number is seconds.  In milliseconds. */
bool yaml_time(const struct yaml *y, const struct yaml_node *map, const char *key, uint64_t *out_ms, struct err *err);
/* One of a NULL-terminated list, as its index; the error names them. */
bool yaml_choice(const struct yaml *y, const struct yaml_node *map, const char *key, const char *const *names, int *out, struct err *err);
/* A list of exactly n numbers, or one number that stands for all. */
bool yaml_numbers(const struct yaml *y, const struct yaml_node *map, const char *key, int n, double *out, struct err *err);
/* The same for one node at hand (a list's item). */
bool yaml_node_text(const struct yaml *y, const struct yaml_node *node, const char **out, struct err *err);
bool yaml_node_number(const struct yaml *y, const struct yaml_node *node, double min, double max, double *out, struct err *err);

/* The known word that is nearest to a misspelt one; NULL when none is near.  names ends with NULL. */
const char *yaml_nearest(const char *word, const char *const *names);
#endif
