/* template/search.c - finding bytes in bytes without a worst case.
 *
 * memmem() is linear in glibc and musl (two-way search); a loop of memchr() and memcmp() is not, and a
 * conversation could be made to show it.
 */
#define _GNU_SOURCE /* memmem: POSIX has it since 2024 */
#include <string.h>

#include "template/value_internal.h"

const char *tpl_find_bytes(const char *in, size_t n, const char *what, size_t n_what)
{
    return n_what == 0 ? in : n_what > n ? NULL : memmem(in, n, what, n_what);
}
