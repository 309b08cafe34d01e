/* hw/tap.h - one small file of a machine that is read again and again: opened once, no allocation for a reading.
 *
 * For:     hw/meter.c, route/telemetry.c.
 * Touches: the file, kept open; a machine held in memory is asked by path.
 * Thread:  one at a time per tap, and of a machine in memory per root.  A live attribute of a sick driver can make a reading hang: hw/root.h
 *          guards against that, this does not, so whoever taps does it on a thread that nobody waits for.
 * Rule:    what cannot be read is "not there", as in hw/root.h; a file that was deleted too.
 */
#ifndef TUTTI_HW_TAP_H
#define TUTTI_HW_TAP_H
#include "hw/root.h"

struct hw_tap {
    const struct hw_root *root; /* borrowed; a machine in memory, else NULL */
    int fd;                     /* -1: closed, or in memory */
    char path[200];             /* relative to the root */
};
/* false: no such regular file; the tap is closed then. */
bool hw_tap_open(struct hw_tap *t, const struct hw_root *r, const char *path_fmt, ...) ERR_PRINTF(3, 4);
void hw_tap_close(struct hw_tap *t); /* a closed one is fine */
/* At most size - 1 bytes of its beginning, white space at the end dropped; false and "": gone, empty, not readable. */
bool hw_tap_read(const struct hw_tap *t, char *text, size_t size);
bool hw_tap_read_i64(const struct hw_tap *t, int64_t *value); /* its first number: decimal or 0x... */
#endif
