/* proc/child.h - child processes: started with exactly what they are meant to have, seen to end at once, never left over.
 *
 * For:     expert/ (workers, servers), media/ (ffmpeg), ask.c.
 * Touches: processes, pipes.
 * Thread:  any, one at a time for each child.  A child is killed when the *thread* that started it ends (the kernel's
 *          PR_SET_PDEATHSIG means threads): start those that shall live on from a thread that does.
 * Rule:    a child has the descriptors that it was given and no other, default signal handlers, no core file, a process
 *          group of its own; what is left of the group dies with it.  Starting does not copy our page tables (vfork), so
 *          it costs the same with gigabytes of weights in memory.
 */
#ifndef TUTTI_PROC_CHILD_H
#define TUTTI_PROC_CHILD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct sandbox;

#define CHILD_SELF "/proc/self/exe" /* as program: the program that runs now, also after its file was replaced */

enum { CHILD_FILES_MAX = 16, CHILD_PATH_BYTES = 4096, CHILD_END_BYTES = 96 };

struct child_limits { /* 0: as ours */
    uint64_t memory_bytes; /* RLIMIT_AS: address space, so mapped files count */
    int cpu_s;             /* RLIMIT_CPU */
    int files;             /* RLIMIT_NOFILE */
    int niceness;          /* added to ours */
};

struct child_spec {
    const char *program;      /* a path, a name that is looked up on PATH, or CHILD_SELF; NULL: argv[0] */
    const char *const *argv;  /* ends with NULL */
    const char *const *env;   /* ends with NULL; NULL: ours */
    const char *folder;       /* to work in; NULL: ours */
    const int *fds;           /* fds[i] becomes its descriptor i; -1: /dev/null.  Borrowed: close yours afterwards */
    int n_fds;                /* fewer than 3: the rest up to 2 is /dev/null */
    struct child_limits limits;
    const struct sandbox *sandbox; /* sandbox.h; entered just before the program begins; NULL: none */
};

struct child {
    pid_t pid;      /* 0: none, or reaped already */
    int fd;         /* to poll: readable once it has ended.  -1: none */
    bool is_pidfd;  /* else a pipe whose other end dies with the child (kernels before 5.3) */
};

struct child_end { /* how it ended */
    bool by_signal;
    bool is_left_behind;  /* not even SIGKILL works: stuck in the kernel */
    int code;             /* exit status, or the signal */
    uint64_t peak_rss_bytes, cpu_ns;
};

/* The path of a program: as given when it has a slash, else looked up on PATH.  false: there is no such program. */
bool child_find(const char *name, char path[static CHILD_PATH_BYTES]);

/* false with err and no process: ERR_NOT_FOUND (no such program), ERR_IO, ERR_NOMEM. */
bool child_start(struct child *c, const struct child_spec *spec, struct err *err);
/* To its whole group; a child that was reaped gets nothing. */
void child_signal(const struct child *c, int sig);
/* Waits up to ms (-1: for ever, 0: only looks).  true: it ended and is reaped; end (may be NULL) says how. */
bool child_wait(struct child *c, int ms, struct child_end *end);
/* Asks it to go (SIGTERM), after grace_ms (0: at once) kills it, and reaps it.  Fine for one that was reaped. */
void child_stop(struct child *c, int grace_ms, struct child_end *end);
/* "ended with status 3", "was killed by signal 11 (Segmentation fault)". */
const char *child_end_text(const struct child_end *end, char text[static CHILD_END_BYTES]);

/* In a child: closes every descriptor from `first` on but `keep` (-1: none).  Async-signal-safe. */
void child_keep_files(int first, int keep);
#endif
