/* task/faces.h - whose faces are these: each one found is cut out upright, embedded by a second model, compared to the enrolled.
 *
 * For:     vision.c, when a card of task `faces` has the map `identify`.
 * Touches: the second model; the file of enrolled faces below env->data_dir, looked at again when it changed.
 * Not tried on a real embedding model: tests/task has a generated one.
 */
#ifndef TUTTI_TASK_FACES_H
#define TUTTI_TASK_FACES_H
#include "task/vision.h"

#define FACES_KEYS "identify"

struct faces;
/* *out is NULL when the card has no `identify`.  v is borrowed. */
bool faces_open(struct faces **out, struct vision *v, const struct task_env *env, struct err *err);
void faces_close(struct faces *f); /* NULL is fine */
/* FACES: boxes with names.  EMBED_IMAGE: the embedding of the largest face; ERR_INPUT when there is none. */
bool faces_look(struct faces *f, const struct image *picture, const struct task_request *rq, struct arena *arena, struct task_result *r, struct err *err);
/* The bytes of its model's file. */
uint64_t faces_file_bytes(const struct faces *f);
#endif
