/* expert/pace.h - is an expert as fast as it used to be?  Tokens per second against its own history.
 *
 * For:     expert_server.c: a server that lost its GPU answers all the same, only several times slower.
 * Callers: expert/.
 * Touches: one small text file when asked to.  Thread: its owner's.
 * Rule:    compared is the median of the last PACE_RECENT answers with the median of those before, at a similar load
 *          (1, 2-3, 4-7, 8 and more answers at a time); slow is below 70 %, normal again above 80 %.  While it is slow the
 *          history does not learn, so that it cannot become the new normal by itself.
 */
#ifndef TUTTI_EXPERT_PACE_H
#define TUTTI_EXPERT_PACE_H
#include <stdbool.h>

#include "base/err.h"

enum { PACE_LOADS = 4, PACE_KEPT = 64, PACE_RECENT = 5, PACE_LEAST = 8 /* before there is a history */ };

struct pace {
    struct pace_load {
        double past[PACE_KEPT], recent[PACE_RECENT]; /* tokens per second; rings */
        int n_past, at_past, n_recent, at_recent;
    } loads[PACE_LOADS];
    bool is_slow, is_changed; /* changed: since it was read or written */
    double now, usual;        /* the medians of the last comparison; 0: none yet */
};

enum pace_verdict { PACE_SAME, PACE_SLOW, PACE_NORMAL }; /* the last two: it has just become so */

/* An answer at tok_s tokens per second, with n_running answers at a time. */
enum pace_verdict pace_add(struct pace *p, int n_running, double tok_s);

/* A missing file is an empty history; a broken one too, and err says so (false). */
bool pace_read(struct pace *p, const char *path, struct err *err);
bool pace_write(struct pace *p, const char *path, struct err *err);
#endif
