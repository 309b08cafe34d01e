/* serve/bundled.h - the models that came with the program, or that the user keeps where programs look.
 *
 * For:     `tutti serve` without a MODEL.  Touches: folders.
 */
#ifndef TUTTI_SERVE_BUNDLED_H
#define TUTTI_SERVE_BUNDLED_H
#include <stdbool.h>

#include "base/err.h"

enum { BUNDLED_MAX = 16 };
struct bundled {
    int n;
    char *path[BUNDLED_MAX]; /* owned, sorted */
};

/* The *.gguf of the first of these folders that has some: ../models and ../share/tutti/models beside the program,
 * $XDG_DATA_HOME/tutti/models (~/.local/share/tutti/models).  false with err when there is none. */
bool bundled_find(struct bundled *b, struct err *err);
/* The same for one folder; false when it has none. */
bool bundled_find_in(struct bundled *b, const char *folder);
void bundled_fini(struct bundled *b);
#endif
