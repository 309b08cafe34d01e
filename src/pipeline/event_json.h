/* pipeline/event_json.h - an event as one line of JSON; docs/cascade.md is its schema.
 *
 * For:     sinks, `tutti cascade run --json`.  Touches: nothing.
 */
#ifndef TUTTI_PIPELINE_EVENT_JSON_H
#define TUTTI_PIPELINE_EVENT_JSON_H
#include "pipeline/cascade_run.h"

/* Appends an object without a line end.  picture: the file that shows it; NULL: none. */
void event_put_json(struct buf *out, const struct cascade *c, const struct cascade_event *e, const char *picture);
/* The summary: pieces, events, and for each stage its accounting. */
void figures_put_json(struct buf *out, const struct cascade *c, const struct cascade_figures *f);
/* "2026-11-21T19:33:00.125Z" */
enum { TIME_TEXT_BYTES = 32 };
void time_text(char out[TIME_TEXT_BYTES], int64_t unix_ms);
#endif
