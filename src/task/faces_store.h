/* task/faces_store.h - the faces that somebody enrolled: names and embeddings in a text file below the data folder.
 *
 * For:     task/faces.c (whose face is this), cmd/face.c (add, list, remove).
 * Touches: DATA/faces/CARD.tsv: a line for each picture: name, tab, the embedding's numbers separated by blanks.
 * Rule:    embeddings of different models do not compare: each card has a file of its own.  The file is replaced in one go.
 */
#ifndef TUTTI_TASK_FACES_STORE_H
#define TUTTI_TASK_FACES_STORE_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { FACE_NAME_MAX = 64, FACES_MAX = 10000, FACE_VALUES_MAX = 4096 };

struct face {
    char name[FACE_NAME_MAX];
    const float *values; /* [n_values], length 1 */
};

struct faces_store {
    struct face *faces; /* owned, like the numbers that they point to */
    float *values;
    int n, n_values;
};

/* DATA/faces/CARD.tsv.  false with err: data_dir NULL (nothing can be kept), a card's name that is no file name. */
bool faces_store_path(const char *data_dir, const char *card_id, char *path, size_t max, struct err *err);
/* No such file: an empty one.  A damaged line is an error that names it. */
bool faces_store_load(struct faces_store *s, const char *path, struct err *err);
void faces_store_fini(struct faces_store *s); /* a zeroed one is fine */

/* Letters, digits, blanks and all that is no control character; at most FACE_NAME_MAX - 1 bytes of UTF-8. */
bool faces_store_check_name(const char *name, struct err *err);
/* Adds a picture's embedding, scaled to length 1, and makes the folder when it is not there. */
bool faces_store_add(const char *path, const char *name, const float *values, int n_values, struct err *err);
/* *n_removed: pictures of that name. */
bool faces_store_remove(const char *path, const char *name, int *n_removed, struct err *err);

/* The enrolled face with the largest cosine to a vector of n_values numbers; NULL when there is none. */
const struct face *faces_store_nearest(const struct faces_store *s, const float *values, int n_values, float *cosine);
#endif
