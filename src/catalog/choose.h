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

/* What it shall run on; the texts are borrowed. */
struct runtime_host {
    const char *name, *alias; /* as the catalog or the driver writes them */
    const char *cls;          /* "nvidia", "amd", "intel-gpu", "apple", "jetson", "soc", "cpu", "npu" */
    const char *os;           /* "linux", "windows", "macos", "android", "ios", "web" */
    double mem_gb;            /* for the model; NAN: not known */
    int n_cores;              /* physical cores of a CPU; 0: not known */
};
/* As a row of gpu, cpu, soc, phone or accelerator says, with the system that is usual there. */
void runtime_host_of(const struct catalog_row *hardware, struct runtime_host *out);

struct runtime_wish {
    const char *task;  /* "llm", "vision", "stt", "tts" */
    double params_b;   /* of the model, billions; 0: not said, rows for both sizes of LLM */
};
/* Rows of table `runtime`, best first; at most max.  Returns their number, 0 when nothing is known to do that task
 * there.  For an LLM of no given size the first row is the one to take. */
int runtime_choose(const struct catalog_table *runtimes, const struct runtime_host *host, const struct runtime_wish *wish,
                   const struct catalog_row **rows, int max);

/* What fills the placeholders of a row's `command`, `prepare` and `env`: {model} {port} {ctx} {batch} {parallel}
 * {threads} {repo} {cache}. */
struct runtime_values {
    const char *model; /* file or name; quoted for the shell where it must be */
    int port;          /* 0: 8080 */
    int threads;       /* 0: the row's own; "physical" there is the host's n_cores, or 4 */
};
/* Appends the text with its placeholders filled in.  false with err set: a placeholder that does not exist (a user's row). */
bool runtime_expand(const struct catalog_row *runtime, const struct runtime_host *host, const struct runtime_values *values, const char *text,
                    struct buf *out, struct err *err);
/* The whole line: environment, then command; "" when the runtime has none (it runs inside a program). */
bool runtime_launch_line(const struct catalog_row *runtime, const struct runtime_host *host, const struct runtime_values *values, struct buf *out,
                         struct err *err);
#endif
