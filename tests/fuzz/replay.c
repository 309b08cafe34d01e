/* tests/fuzz/replay.c - feeds files and folders of them to a fuzz target; no fuzzer needed.
 * Each input is copied into memory of its exact size, so that a sanitizer sees the first byte beyond it. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "fuzz/fuzz.h"

enum { INPUT_BYTES_MAX = 64 << 20, INPUT_SECONDS_MAX = 20 };

static bool feed(const char *path)
{
    struct err err = { 0 };
    size_t n = 0;
    char *text = file_read(path, INPUT_BYTES_MAX, &n, &err);
    uint8_t *exact = text ? malloc(n ? n : 1) : NULL;
    if (!exact) {
        fprintf(stderr, "%s\n", text ? "out of memory" : err.text);
        free(text);
        return false;
    }
    memcpy(exact, text, n);
    free(text);
    alarm(INPUT_SECONDS_MAX);
    LLVMFuzzerTestOneInput(exact, n);
    alarm(0);
    free(exact);
    return true;
}

static long feed_folder(const char *path)
{
    char file[1024];
    long n = 0;
    DIR *d = opendir(path);
    for (const struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        fprintf(stderr, "%s\n", file); /* the last line names the input that ended us */
        if (!feed(file)) {
            n = -1;
            break;
        }
        n++;
    }
    if (d)
        closedir(d);
    return d ? n : -1;
}

int main(int argc, char **argv)
{
    long n = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        const bool is_folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
        const long more = is_folder ? feed_folder(argv[i]) : feed(argv[i]) ? 1 : -1;
        if (more < 0)
            return 1;
        n += more;
    }
    printf("%ld inputs\n", n);
    return n > 0 ? 0 : 1;
}
