/* route/language.h - which natural language a text is written in, by script and character trigrams.
 *
 * For:     features.c.
 * Callers: route/, cmd/.
 * Touches: nothing; no allocation.  Thread: any.
 * Rule:    reads at most LANGUAGE_BYTES of the text.  Too short or none of the known languages: "und", confidence 0.
 *          The table is made by tools/gen-language.awk from data/route/language.tsv.
 */
#ifndef TUTTI_ROUTE_LANGUAGE_H
#define TUTTI_ROUTE_LANGUAGE_H
#include <stddef.h>

enum { LANGUAGE_BYTES = 128 };

struct language_guess {
    char code[4];     /* ISO 639-1, or "und"; ends with '\0' */
    float confidence; /* 0..1: how far it leads over the next */
};
void language_guess(const char *text, size_t n_bytes, struct language_guess *out);
#endif
