/* base/log.h - lines for the person who runs the program, on stderr.
 *
 * For:     whoever ends an error's story, and life events of the server.  One line each.
 * Touches: stderr.  Thread: any; a line is written in one piece.
 * Rule:    never logs prompts or answers.
 */
#ifndef TUTTI_BASE_LOG_H
#define TUTTI_BASE_LOG_H
#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };

/* Default LOG_WARN.  Set once at start, before threads. */
void log_set_level(enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) ERR_PRINTF(2, 3);
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#endif
