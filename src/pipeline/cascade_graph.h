/* pipeline/cascade_graph.h - a cascade's plan as a picture and as JSON.
 *
 * For:     `tutti cascade check --svg, --json`.  Touches: nothing.
 */
#ifndef TUTTI_PIPELINE_CASCADE_GRAPH_H
#define TUTTI_PIPELINE_CASCADE_GRAPH_H
#include "pipeline/cascade.h"

/* A file.svg of its own: stages as boxes, their gates on the arrows that lead to them.  Appends. */
void cascade_graph_svg(struct buf *out, const struct cascade *c);
/* {"cascade", "source", "stages": [{"stage", "task", "each", "experts", "after", "gate", "queue", "drop", "rate"}], "event", "sinks"} */
void cascade_graph_json(struct buf *out, const struct cascade *c);
#endif
