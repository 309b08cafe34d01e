/* catalog/choose.h - the runtime for a piece of hardware and a task, and the line that starts it.
 *
 * For:     `tutti catalog runtime --for`, advise/ (which runtime a prediction is for), expert/ (what it starts).
 * Touches: nothing; the rows are those of the table `runtime`.
 * Rule:    a row made for the device wins over a row for its class; after that the order of the table.  What needs more
 *          memory than there is, is left out.
 */
#ifndef TUTTI_CATALOG_CHOOSE_H
#define TUTTI_CATALOG_CHOOSE_H
#include "base/buf.h"
#include "catalog/catalog.h"

struct runtime_wish {
    const char *task;  /* "llm", "vision", "stt", "tts" */
    const char *os;    /* "linux", "windows", "macos", ...; NULL: the usual one of the hardware */
    double params_b;   /* of the model, billions; 0: not said, rows for both sizes of LLM */
    double mem_gb;     /* that the hardware has; NAN: as its row says */
};
/* Rows of table `runtime` for a row of gpu, cpu, soc, phone or accelerator, best first; at most max.  Returns their
 * number, 0 when nothing is known to do that task there.  For an LLM of no given size the first row is the one to take. */
int runtime_choose(const struct catalog_table *runtimes, const struct catalog_row *hardware, const struct runtime_wish *wish,
                   const struct catalog_row **rows, int max);

/* What fills the placeholders of a row's `command`, `prepare` and `env`: {model} {port} {ctx} {batch} {parallel}
 * {threads} {repo} {cache}. */
struct runtime_values {
    const char *model; /* file or name; quoted for the shell where it must be */
    int port;          /* 0: 8080 */
    int threads;       /* 0: the row's own; "physical" there is the hardware's n_cores, or 4 */
};
/* Appends the text with its placeholders filled in.  false with err set: a placeholder that does not exist (a user's row). */
bool runtime_expand(const struct catalog_row *runtime, const struct catalog_row *hardware, const struct runtime_values *values, const char *text,
                    struct buf *out, struct err *err);
/* The whole line: environment, then command; "" when the runtime has none (it runs inside a program). */
bool runtime_launch_line(const struct catalog_row *runtime, const struct catalog_row *hardware, const struct runtime_values *values, struct buf *out,
                         struct err *err);
#endif
