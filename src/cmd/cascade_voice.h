/* cmd/cascade_voice.h - a cascade that talks: its turns for people and programs.
 *
 * For:     cascade.c.  Touches: stdout (stderr when the sound goes there), what voice.h touches.
 */
#ifndef TUTTI_CMD_CASCADE_VOICE_H
#define TUTTI_CMD_CASCADE_VOICE_H
#include "pipeline/voice.h"

struct cascade_voice {
    struct voice_plan plan;
    struct voice *voice;
    FILE *to;
    bool is_json;
    int n_turns, n_interrupted, n_timed;
    double sum_ms, worst_ms; /* from the end of speech to the first sound */
};
/* out: --out; NULL: the loudspeaker of a live source, else nowhere.  false with err; close it in both cases. */
bool cascade_voice_open(struct cascade_voice *t, const struct cascade *c, const struct cascade_world *world, const char *out, bool is_live, bool is_json,
                        struct err *err);
/* Answers what was said (stops: no more) and says how it went. */
bool cascade_voice_close(struct cascade_voice *t, bool stops, struct err *err);
#endif
