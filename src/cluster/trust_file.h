/* cluster/trust_file.h - the files of trust/: read whole, written so that a crash leaves the old one or the new one.
 *
 * For:     trust*.c, join*.c.
 * Callers: cluster/.
 * Touches: files.  Thread: any.
 */
#ifndef TUTTI_CLUSTER_TRUST_FILE_H
#define TUTTI_CLUSTER_TRUST_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* "DIR/NAME"; false with err when that is too long for `max`. */
bool trust_file_path(char *out, size_t max, const char *dir, const char *name, struct err *err);
/* The text of DIR/NAME with a '\0' behind it, the caller's; NULL with err. */
char *trust_file_read(const char *dir, const char *name, struct err *err);
/* Written beside (NAME.tmp), synced, renamed, the folder synced.  mode 0600 or 0644, whatever the umask. */
bool trust_file_write(const char *dir, const char *name, const char *text, size_t n, mode_t mode, struct err *err);
/* Makes a folder for us alone; one that is there already must be ours and is made so.  Those above come to be as usual. */
bool trust_file_folder(const char *dir, struct err *err);
bool trust_file_exists(const char *dir, const char *name);
bool trust_file_sync_folder(const char *dir);
/* Changes whenever the file is another one; 0: it is not there. */
uint64_t trust_file_mark(const char *dir, const char *name);
#endif
