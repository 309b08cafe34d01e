/* cluster/refusals.h - who was refused lately: one line of log for each, not a flood; and who must wait with the next token.
 *
 * For:     port.c, join_desk.c.
 * Callers: cluster/.
 * Touches: the log.  Thread: the loop's.
 * Rule:    bounded: of so many; what was quiet longest is forgotten.  One line a minute for the same name, reason and address, with how many
 *          there were in between, and LINES_MAX a minute in all.
 */
#ifndef TUTTI_CLUSTER_REFUSALS_H
#define TUTTI_CLUSTER_REFUSALS_H
#include <stdbool.h>
#include <stdint.h>

enum { REFUSALS_MAX = 256, REFUSALS_LINES_MAX = 30, REFUSALS_LINE_MS = 60000 };
struct refusal {
    char host[48];
    uint32_t what;             /* of name and reason; 0: wrong tokens */
    uint64_t seen_ms, line_ms; /* line_ms 0: never */
    uint64_t n_silent;
    uint64_t wrong_at_ms;      /* when all its wrong tokens are forgiven */
};
struct refusal_list { struct refusal list[REFUSALS_MAX]; int n; };
struct refusals {
    struct refusal_list lines, tokens;
    int n_lines;
    uint64_t lines_since_ms, total;
};
/* from: "address:port"; who "": it did not say. */
void refusals_note(struct refusals *r, uint64_t now_ms, const char *who, const char *from, const char *why);
/* May this address try a token now?  refusals_wrong() after one that was not right. */
bool refusals_may_try(const struct refusals *r, uint64_t now_ms, const char *from, int burst, uint64_t each_ms);
void refusals_wrong(struct refusals *r, uint64_t now_ms, const char *from, uint64_t each_ms);
#endif
