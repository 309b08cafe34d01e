/* proc/memory.h - memory that processes hold, as the kernel counts it.
 *
 * For:     expert/keeper.c: what a child really uses, and whether it has given it back.
 * Touches: /proc.  Thread: any.
 */
#ifndef TUTTI_PROC_MEMORY_H
#define TUTTI_PROC_MEMORY_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct memory_use {
    uint64_t rss_bytes;  /* all that is resident; pages that several share are counted for each */
    uint64_t own_bytes;  /* anonymous and shared memory: what comes back when it ends.  Mapped files are not in it */
    int n_processes;
};

/* One process; false: there is none (ended, or a zombie, which holds nothing). */
bool memory_of(pid_t pid, struct memory_use *out);
/* With its children and theirs, in sum. */
bool memory_of_tree(pid_t pid, struct memory_use *out);

/* The state letter of /proc/PID/stat: 'R', 'S', 'D', 'T' stopped, 'Z'; 0: no such process. */
char process_state(pid_t pid);

/* What can be had without swapping: MemAvailable of the machine, or what the limits of our control groups leave, whichever
 * is less.  root: "" (the live machine) or a folder for tests.  0: not known. */
uint64_t memory_available_bytes(const char *root);
#endif
