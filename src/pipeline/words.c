/* pipeline/words.c - see words.h. */
#include "pipeline/words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"

static bool is_vowel(char c) { return c && strchr("aeiouAEIOU", c) != NULL; }

/* "a person", "an apple and a dog", "2 cars" */
static void put_labels(struct buf *b, const struct cascade_event *e)
{
    const int n = e->n_labels < 4 ? e->n_labels : 4;
    for (int i = 0; i < n; i++) {
        buf_puts(b, i == 0 ? "" : i + 1 == n ? " and " : ", ");
        if (i == 0 && e->count > 1 && n == 1)
            buf_printf(b, "up to %d: %s", e->count, e->labels[i]);
        else
            buf_printf(b, "%s %s", is_vowel(e->labels[i][0]) ? "an" : "a", e->labels[i]);
    }
}

void words_event(const struct cascade_event *e, char *out, size_t max)
{
    struct buf b;
    struct tm tm = { 0 };
    char at[32];
    const time_t s = (time_t)(e->start_unix_ms / 1000);
    const double duration_s = e->end_s - e->start_s;
    buf_init(&b, max - 1);
    localtime_r(&s, &tm);
    strftime(at, sizeof(at), "%H:%M:%S", &tm);
    if (e->n_labels > 0)
        put_labels(&b, e);
    else
        buf_puts(&b, e->sound ? "a sound" : "something moved");
    for (int i = 0; i < e->n_names; i++)
        buf_printf(&b, "%s%s%s", i == 0 ? " (" : ", ", e->names[i], i + 1 == e->n_names ? ")" : "");
    buf_printf(&b, " at %s", at);
    if (duration_s >= 1)
        buf_printf(&b, ", for %.0f s", duration_s);
    if (e->n_labels > 1 && e->count > 1)
        buf_printf(&b, "; at most %d at a time", e->count);
    const char *text = b.data ? b.data : "";
    for (int k = 0; k < e->n_stages; k++) /* what was read in the picture */
        if (e->results[k].text[0] && strlen(e->results[k].text) < 80 && !strchr(e->results[k].text, '\n'))
            buf_printf(&b, "; it reads \"%s\"", e->results[k].text), text = b.data;
    buf_puts(&b, ".");
    snprintf(out, max, "%s", text);
    out[0] = (char)toupper((unsigned char)out[0]);
    const size_t n = strlen(out);
    out[n - utf8_incomplete_tail(out, n)] = '\0';
    buf_fini(&b);
}
