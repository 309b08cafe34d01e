/* expert/stops.h - stop strings in a text that comes in pieces.
 *
 * For:     answer.c.
 * Touches: nothing.
 * Rule:    what is found does not depend on how the text was cut into pieces: the stop that is complete
 *          first (at the smallest byte) ends the text; of those the longest, that is, the first begun.
 *          No byte that could still become part of a stop is given out.
 */
#ifndef TUTTI_EXPERT_STOPS_H
#define TUTTI_EXPERT_STOPS_H
#include <stdbool.h>
#include <stddef.h>

#include "expert/job.h"

/* The stop that ends the text, as index, and where it begins; -1 when there is none.  n_old bytes were searched
 * before without success. */
int stops_find(const struct job_text *stops, int n_stops, const char *text, size_t n, size_t n_old, size_t *begin);
/* How many bytes at the end of the text are the start of a stop. */
size_t stops_held(const struct job_text *stops, int n_stops, const char *text, size_t n);
#endif
