/* pipeline/sink.h - where events go: lines in a file, a web server, an MQTT broker, a folder of pictures.
 *
 * For:     cmd/cascade.c, serve/.  Callers: rooms above.
 * Touches: files, the network; a thread for each sink.
 * Thread:  sinks_put() on the engine's.
 * Rule:    sinks_put() never waits for a network: each sink has a bounded queue, and an event that finds it full is dropped by that
 *          sink and counted.  Lines in a file are the exception: they wait, so that a file of events is whole.
 *          Secrets are read from files, never from the cascade's text.
 */
#ifndef TUTTI_PIPELINE_SINK_H
#define TUTTI_PIPELINE_SINK_H
#include "pipeline/cascade_run.h"

struct sink_figures { /* given == sent + dropped + failed, once closed */
    enum cascade_sink_kind kind;
    const char *to;
    uint64_t given, sent, dropped /* the queue was full, or it was closed */, failed /* after all retries */, retries;
    char why[256]; /* of the last failure; "" */
};

struct sinks;
/* Those of the plan; with_stdout: one more that writes lines to stdout.  NULL with err: a file that cannot be opened, an address that is
 * none.  A server that is not there is no error here. */
struct sinks *sinks_open(const struct cascade *c, bool with_stdout, struct err *err);
/* What sinks_open() would say, without a thread, a file or a folder made. */
bool sinks_check(const struct cascade *c, struct err *err);
/* The event is copied. */
void sinks_put(struct sinks *s, const struct cascade_event *e);
/* Waits up to drain_ms for what is queued, drops the rest, ends the threads. */
void sinks_close(struct sinks *s, int drain_ms);
int sinks_get(struct sinks *s, struct sink_figures *out, int max); /* any time before sinks_free() */
void sinks_free(struct sinks *s);                                   /* NULL is fine; closes what is open */
const char *sink_kind_name(enum cascade_sink_kind kind);            /* "webhook" */
#endif
