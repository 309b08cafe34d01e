/* tests/fuzz/fuzz_multipart.c - forms: the first line is the content type, the rest the body; every part must lie in it. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wire/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct multipart m;
    char type[256];
    struct err err;
    const uint8_t *eol = memchr(data, '\n', size);
    const size_t n = eol ? (size_t)(eol - data) : 0;
    if (!eol || n >= sizeof(type))
        return 0;
    memcpy(type, data, n);
    type[n] = '\0';
    const char *body = (const char *)eol + 1, *end = (const char *)data + size;
    if (!multipart_parse(&m, type, body, (size_t)(end - body), &err))
        return 0;
    for (int i = 0; i < m.n_parts; i++)
        if (m.parts[i].data < body || m.parts[i].n > (size_t)(end - m.parts[i].data) || !m.parts[i].name[0])
            abort();
    return 0;
}
