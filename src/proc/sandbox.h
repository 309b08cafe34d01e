/* proc/sandbox.h - what a process that handles untrusted bytes may still do: landlock for files, seccomp for the rest.
 *
 * For:     workers (expert/), ffmpeg (media/), children that fetch streams.
 * Touches: this process for ever: sandbox_enter() cannot be undone and is inherited.
 * Rule:    system calls beyond arithmetic, memory, threads and files answer EPERM instead of being done: sockets (but the
 *          ones that are open already), other processes (signals, ptrace), mounts, namespaces, kernel modules, bpf,
 *          io_uring, keys.  Files: those below the system's library folders may be read, those that the rules name too;
 *          written only where they say.  What the kernel cannot do is left out with one line in the log; sandbox_lacks()
 *          says it to /health.  A worker that was taken over can still compute and lie about its own requests.
 */
#ifndef TUTTI_PROC_SANDBOX_H
#define TUTTI_PROC_SANDBOX_H
#include <stdbool.h>

#include "base/err.h"

struct sandbox_rules {
    const char *const *read;  /* files and folders, ends with NULL; those that do not exist are skipped; NULL: none */
    const char *const *write; /* folders in which it may make, write and remove files; likewise */
    bool may_exec;            /* start processes, and programs of the system's folders (needed when entered before exec, child.h) */
    bool may_connect;         /* sockets, and what names and certificates need: /etc */
    bool may_use_devices;     /* GPUs, cameras, sound: read and write below /dev, read /sys */
};

struct sandbox;

/* The caller owns the result; NULL with err: no memory, too many rules. */
struct sandbox *sandbox_new(const struct sandbox_rules *rules, struct err *err);
void sandbox_free(struct sandbox *s); /* NULL is fine */
/* 0, or the errno of what failed though this kernel can do it: then go no further.  Async-signal-safe; for all threads that
 * this one starts from now on, so to be called before there are others. */
int sandbox_enter(const struct sandbox *s);
/* What this kernel lacks ("no landlock: files are not restricted"); "" when all is there. */
const char *sandbox_lacks(void);
#endif
