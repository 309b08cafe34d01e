/* base/log.c - see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static enum log_level shown = LOG_WARN; /* written before threads start, only read afterwards */

void log_set_level(enum log_level level) { shown = level; }

void log_line(enum log_level level, const char *fmt, ...)
{
    if (level > shown)
        return;
    char line[1024];
    int n = snprintf(line, sizeof(line), "tutti: %s", level == LOG_WARN ? "warning: " : "");
    va_list ap;
    va_start(ap, fmt);
    const int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
    va_end(ap);
    n = m < 0 ? n : n + m;
    if (n > (int)sizeof(line) - 2)
        n = (int)sizeof(line) - 2;
    line[n++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
    (void)ignored;
}
