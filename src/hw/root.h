/* hw/root.h - bounded reads of small files, links and folders of a machine: the live one or a recorded one.
 *
 * For:     every detector of hw/, `tutti detect --root`, `--record`, tests, the fuzzer.
 * Callers: hw/, cmd/, advise/ (doctor).
 * Touches: files below the root and, on the live machine, one child process that reads device attributes.
 * Rule:    a path is relative to the root ("proc/cpuinfo").  Links of a recorded machine are followed
 *          inside the root only.  Nothing but regular files is ever opened, so a FIFO or a device cannot
 *          block; attributes of live devices, which a sick driver can make hang for ever, are read by a
 *          child that is left behind after a deadline.  Whatever goes wrong (missing, unreadable,
 *          vanishing, hanging, huge, binary) is "not there": detectors never fail, they know less.
 *
 * Thread:  one at a time per root.
 */
#ifndef TUTTI_HW_ROOT_H
#define TUTTI_HW_ROOT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct hw_root;

/* "" or "/": the live machine.  A folder: a recorded one (when it holds neither proc nor sys but one folder that
 * does, as an unpacked archive may, that folder).  A file: a recording as --record writes it (tar), or
 * a *.tree text.  Owned by the caller; NULL with err set. */
struct hw_root *hw_root_open(const char *path, struct err *err);
/* A machine held in memory, from a text of lines (tests, fuzzer):
 *     # comment
 *     sys/class/dmi/id/sys_vendor: Raspberry Pi Ltd      content, a newline is added
 *     proc/device-tree/compatible:= a\0b\0               content as it is; \n \t \\ \0 \xHH are understood
 *     sys/class/net/eth0 -> ../../devices/x/net/eth0     link
 *     sys/class/empty/                                   folder
 *     proc/cpuinfo: <<END                                lines up to END
 * Later lines win.  NULL with err set: line and reason. */
struct hw_root *hw_root_parse(const char *text, size_t n, struct err *err);
/* The same from an uncompressed tar archive (ustar, GNU long names, pax ignored). */
struct hw_root *hw_root_untar(const void *tar, size_t n, struct err *err);
void hw_root_free(struct hw_root *r); /* NULL is fine */
bool hw_root_is_live(const struct hw_root *r);

/* Reads at most size - 1 bytes into text, always ends it with '\0', drops white space at its end.  false when the
 * file is not there, not readable, hangs or has a '\0' inside; text is "" then. */
bool hw_read(const struct hw_root *r, char *text, size_t size, const char *path_fmt, ...) ERR_PRINTF(4, 5);
/* The first line's number: decimal, 0x..., or -1...; spaces around it and a unit behind it are fine.  false: none. */
bool hw_read_i64(const struct hw_root *r, int64_t *value, const char *path_fmt, ...) ERR_PRINTF(3, 4);
/* The whole file, at most max_bytes (more is cut), with a '\0' behind it; owned by the caller.  NULL: not there. */
char *hw_read_all(const struct hw_root *r, size_t max_bytes, size_t *n_bytes, const char *path_fmt, ...) ERR_PRINTF(4, 5);
/* The link's text; hw_link_name: only its last part ("../../bus/pci/drivers/nvidia" -> "nvidia"). */
bool hw_link(const struct hw_root *r, char *text, size_t size, const char *path_fmt, ...) ERR_PRINTF(4, 5);
bool hw_link_name(const struct hw_root *r, char *text, size_t size, const char *path_fmt, ...) ERR_PRINTF(4, 5);
/* Where a path ends when all its links are followed, relative to the root; false: nothing there. */
bool hw_resolve(const struct hw_root *r, char *text, size_t size, const char *path_fmt, ...) ERR_PRINTF(4, 5);
/* Is there anything (file, folder, device)? */
bool hw_exists(const struct hw_root *r, const char *path_fmt, ...) ERR_PRINTF(2, 3);

/* Names in a folder, sorted as numbers where they hold numbers ("cpu2" before "cpu10"), without . and .. */
enum { HW_NAMES_MAX = 8192, HW_NAME_BYTES_MAX = 256, HW_PATH_BYTES_MAX = 1024 };
struct hw_names {
    int n;
    char **name; /* owned: hw_names_free */
};
/* An absent folder gives n = 0.  Returns n. */
int hw_list(const struct hw_root *r, struct hw_names *names, const char *path_fmt, ...) ERR_PRINTF(3, 4);
void hw_names_free(struct hw_names *names);

/* Device attributes that did not answer in time since the root was opened, and the last one's path ("" none). */
int hw_root_n_hung(const struct hw_root *r, char *path, size_t size);

/* Recording: from now on what is read, linked and listed is kept; hw_root_tar() writes it as a tar archive, each
 * path, content and link's text through scrub() first (false: leave it out).  See hw/record.h. */
void hw_root_keep(struct hw_root *r);
typedef bool hw_scrub_fn(void *ctx, struct buf *path, bool is_link, struct buf *content);
bool hw_root_tar(const struct hw_root *r, hw_scrub_fn *scrub, void *ctx, struct buf *out, struct err *err);

/* How a live attribute is read: bytes, or -errno.  Runs in the child.  For tests: a reader that hangs, a short deadline. */
typedef ssize_t hw_reader_fn(const char *path, char *bytes, size_t size);
struct hw_root *hw_root_open_reader(hw_reader_fn *reader, int deadline_ms, struct err *err);
#endif
