/* pipeline/words.h - an event in words, from its labels, names and times alone; the same event gives the same words.
 *
 * For:     cascades without an expert that describes.  Callers: run_event.c.  Touches: nothing (the time zone).
 */
#ifndef TUTTI_PIPELINE_WORDS_H
#define TUTTI_PIPELINE_WORDS_H
#include "pipeline/cascade_run.h"

/* "A person (Ann) from 14:03:05 on, for 12 s; at most 2 at a time." */
void words_event(const struct cascade_event *e, char *out, size_t max);
#endif
