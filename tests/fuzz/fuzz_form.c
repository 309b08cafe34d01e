/* tests/fuzz/fuzz_form.c - uploads in all three packings, then what is asked of sound.  First line: the content type,
 * second: the query, the rest is the body. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wire/openai_audio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "file", "image", NULL };
    static struct form f;
    struct openai_transcription t;
    struct openai_error e;
    struct err err;
    char head[1024];
    size_t n = 0;
    int lines = 0;
    while (n < size && n < sizeof(head) - 1 && lines < 2) {
        head[n] = (char)data[n];
        if (head[n] == '\n')
            head[n] = '\0', lines++;
        n++;
    }
    struct arena *a = lines == 2 ? arena_new(1 << 20, &err) : NULL;
    if (a && form_read(&f, head, head + strlen(head) + 1, names, (const char *)data + n, size - n, a, &e)) {
        volatile unsigned char sum = 0; /* all of the file can be read */
        for (size_t i = 0; i < f.n_file; i++)
            sum = (unsigned char)(sum + ((const unsigned char *)f.file)[i]);
        openai_read_transcription(&t, &f, &e);
    }
    arena_free(a);
    return 0;
}
