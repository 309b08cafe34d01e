/* base/file.h - files: mapped for models, read whole for small things.
 *
 * For:     gguf/, token/, cmd/, and who keeps files of its own.  Touches: files.
 */
#ifndef TUTTI_BASE_FILE_H
#define TUTTI_BASE_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct file_map {
    const uint8_t *data; /* owned mapping, read-only; NULL when size is 0 */
    size_t size;
};

/* Maps a regular file read-only; directories, fifos and devices are ERR_INPUT.  false with err set. */
bool file_map_open(struct file_map *m, const char *path, struct err *err);
void file_map_close(struct file_map *m); /* a zeroed one is fine */
/* Tells the kernel that these bytes will not be read again soon: they leave our resident memory. */
void file_map_forget(const struct file_map *m, const void *from, size_t n_bytes);

/* The whole file with a '\0' behind it; owned by the caller (free).  "-" reads stdin.
 * More than max_bytes is ERR_LIMIT. */
char *file_read(const char *path, size_t max_bytes, size_t *n_bytes, struct err *err);

/* The file as a whole or not at all: under a hidden name first, which then becomes its own (a link is replaced, not followed); a device or a
 * pipe is written to as it is.  "-" writes stdout.  Its mode is 0666 less the umask. */
bool file_write(const char *path, const void *bytes, size_t n, struct err *err);
/* All of them, however often write() takes less; false with errno. */
bool file_write_fd(int fd, const void *bytes, size_t n);

/* mkdir -p of the folders that the path names before its last slash, with this mode (0700: for us alone).  What fails here shows
 * when something is opened in them. */
void file_make_folders(const char *path, unsigned mode);
#endif
