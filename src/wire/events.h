/* wire/events.h - a stream cut into its events: `data:` of server-sent events, or lines of JSON.
 *
 * For:     expert/ (answers of servers), tools/load-gen.
 * Callers: rooms above.
 * Touches: memory.  Thread: its owner's.
 * Rule:    an event is bounded by max_bytes.  How the bytes are cut into pieces never changes what comes out.
 *          Server-sent events as the HTML standard has them (9.2.6): lines end in CR, LF or CR LF, data lines of
 *          one event are joined by LF, comments and other fields are skipped; an event that no empty line ends is
 *          no event.
 */
#ifndef TUTTI_WIRE_EVENTS_H
#define TUTTI_WIRE_EVENTS_H
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum events_kind { EVENTS_SSE, EVENTS_LINES /* each line that is not empty */ };

/* One event, borrowed for the call; '\0' behind it.  false: no more of them are wanted. */
typedef bool events_fn(void *ctx, const char *data, size_t n);

struct events {
    enum events_kind kind;
    struct buf line, data; /* owned */
    bool had_cr, has_data, is_first;
};

void events_init(struct events *e, enum events_kind kind, size_t max_bytes);
void events_fini(struct events *e);
/* false: fn said so, or an event was too long (e->line.failed or e->data.failed). */
bool events_put(struct events *e, const char *bytes, size_t n, events_fn *fn, void *ctx);
/* The stream has ended: the last line may lack its end (EVENTS_LINES). */
bool events_end(struct events *e, events_fn *fn, void *ctx);
#endif
