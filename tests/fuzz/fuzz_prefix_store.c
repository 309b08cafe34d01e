/* tests/fuzz/fuzz_prefix_store.c - a file of prefixes from somebody: never a crash; a page that is found has the tokens that were asked for.
 * Input: the file; a first byte of 1 puts a good head in front, so that the slots are reached. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expert/prefix_store.h"
#include "fuzz/fuzz.h"

enum { PAGE = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char dir[64], path[128];
    struct err err = { 0 };
    int32_t ids[10 * 32] = { 0 };
    if (size < 1)
        return 0;
    snprintf(dir, sizeof(dir), "/tmp/fuzz_prefix_store.%ld", (long)getpid());
    snprintf(path, sizeof(path), "%s/%016x-%016x.kv", dir, 1, 2);
    struct prefix_store *s = data[0] == 1 ? prefix_store_open(dir, 1, 2, PAGE, 1 << 16, &err) : NULL;
    prefix_store_close(s);
    const int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd >= 0) {
        if (pwrite(fd, data + 1, size - 1, s ? 4096 : 0) < 0)
            abort();
        close(fd);
    }
    for (size_t i = 0; i < sizeof(ids) && i < size; i++)
        ((uint8_t *)ids)[i] = data[i];
    s = prefix_store_open(dir, 1, 2, PAGE, 1 << 16, &err);
    for (int i = 0; s && i < 10; i++)
        prefix_store_find(s, ids, i);
    const int32_t *want;
    int n;
    for (int i = 0; s && i < 3; i++)
        prefix_store_used(s, ids, sizeof(ids) / sizeof(ids[0]));
    while (s && prefix_store_next(s, &want, &n)) {
        memset(prefix_store_room(s), n, PAGE);
        prefix_store_put(s);
    }
    for (int i = 0; s && i < 10; i++) {
        const uint8_t *page = prefix_store_find(s, ids, i);
        if (!page || page[0] != (uint8_t)((i + 1) * 32))
            abort();
    }
    prefix_store_close(s);
    unlink(path);
    rmdir(dir);
    return 0;
}
