/* task/espeak.h - the espeak-ng program as a child: text in by stdin, what it answers out by a pipe.
 *
 * For:     speak_espeak.c (sound), phonemes.c (IPA).
 * Touches: processes.  Thread: one child at a time for each struct; it dies with the thread that started it.
 * Rule:    espeak-ng reads all of its stdin before it answers, so text is handed over first, then the answer is read.
 */
#ifndef TUTTI_TASK_ESPEAK_H
#define TUTTI_TASK_ESPEAK_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "proc/child.h"

struct espeak_child {
    struct child child;
    int out_fd; /* its stdout */
};

/* Is the program there?  ERR_NOT_FOUND says how to get it. */
bool espeak_find(struct err *err);
bool espeak_start(struct espeak_child *c, const char *const *argv, const char *text, size_t n, struct err *err);
/* Reaps it.  good: all was read, so its status counts too: a failure says that it does not know the voice.  Not good: it is
 * killed, and err stays.  Returns good and status 0. */
bool espeak_stop(struct espeak_child *c, bool good, const char *voice, struct err *err);
#endif
