/* expert/stops.c - see stops.h; texts are short (a held tail and one token), so searching is plain. */
#include "expert/stops.h"

#include <string.h>

int stops_find(const struct job_text *stops, int n_stops, const char *text, size_t n, size_t n_old, size_t *begin)
{
    for (size_t end = n_old + 1; end <= n; end++) {
        int found = -1;
        for (int i = 0; i < n_stops; i++)
            if (stops[i].n <= end && (found < 0 || stops[i].n > stops[found].n) &&
                memcmp(text + end - stops[i].n, stops[i].text, stops[i].n) == 0)
                found = i;
        if (found >= 0) {
            *begin = end - stops[found].n;
            return found;
        }
    }
    return -1;
}

size_t stops_held(const struct job_text *stops, int n_stops, const char *text, size_t n)
{
    size_t held = 0;
    for (int i = 0; i < n_stops; i++)
        for (size_t k = stops[i].n - 1 < n ? stops[i].n - 1 : n; k > held; k--)
            if (memcmp(text + n - k, stops[i].text, k) == 0)
                held = k;
    return held;
}
