/* tests/base/test_file.c - files: written as a whole or not at all. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "test.h"

static int n_files(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d)
        closedir(d);
    return n;
}

TEST(a_file_is_written_whole_or_stays_as_it_was)
{
    char dir[] = "/tmp/tutti-file-XXXXXX", path[100], link[100];
    struct err err = { 0 };
    struct stat st;
    size_t n;
    REQUIRE(mkdtemp(dir) != NULL, "no folder");
    snprintf(path, sizeof(path), "%s/a.txt", dir);
    snprintf(link, sizeof(link), "%s/link", dir);
    CHECK(file_write(path, "one", 3, &err) && file_write(path, "second", 6, &err), "%s", err.text);
    char *text = file_read(path, 100, &n, &err);
    CHECK(text && n == 6 && strcmp(text, "second") == 0, "%s", text ? text : err.text);
    free(text);
    CHECK(n_files(dir) == 1, "%d files", n_files(dir)); /* nothing is left beside it */
    CHECK(symlink(path, link) == 0 && file_write(link, "third", 5, &err) && lstat(link, &st) == 0 && S_ISREG(st.st_mode), "%s", err.text);
    CHECK(stat(path, &st) == 0 && st.st_size == 6, "the link was followed");
    CHECK(file_write("/dev/null", "x", 1, &err) && stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode), "%s", err.text);
    snprintf(link, sizeof(link), "%s/not/there", dir);
    CHECK(!file_write(link, "x", 1, &err) && err.code == ERR_IO && strstr(err.text, "not/there: No such file"), "%s", err.text);
    CHECK(!file_write(dir, "x", 1, &err) && err.code == ERR_IO, "%s", err.text); /* a folder */
    unlink(path);
    snprintf(link, sizeof(link), "%s/link", dir);
    unlink(link);
    rmdir(dir);
}
