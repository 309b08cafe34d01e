/* tests/cmd/test_face.c - `tutti face`: somebody is added, recognised by `tutti run`, listed, and forgotten; what `expert warm` keeps; on
 * generated graphs. */
#include <dirent.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "onnx/library.h"
#include "task/faces_graph.h"

static char dir[512], tutti[1024];

/* Scratch files, and the program under test. */
static void prepare(void)
{
    char self[700];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    for (int i = 0; i < 3 && strrchr(self, '/'); i++) /* build/tests/cmd/test_face */
        *strrchr(self, '/') = '\0';
    snprintf(tutti, sizeof tutti, "%s/tutti", self);
    snprintf(dir, sizeof dir, "%s", test_tmp("x"));
    *strrchr(dir, '/') = '\0';
    char library[2 * ONNX_PATH_MAX] = "", cwd[ONNX_PATH_MAX]; /* the program runs elsewhere */
    const char *found = test_onnx_library();
    if (strchr(found, '/') && found[0] != '/' && getcwd(cwd, sizeof cwd))
        snprintf(library, sizeof library, "%s/%s", cwd, found);
    setenv("TUTTI_ORT", library[0] ? library : found, 1);
    setenv("XDG_DATA_HOME", dir, 1);
    unsetenv("TUTTI_MODELS");
}

/* Runs it; what it printed (both streams) in out, its status. */
static int run(const char *args, char out[4096])
{
    char line[2048];
    snprintf(line, sizeof line, "cd '%s' && '%s' %s 2>&1", dir, tutti, args);
    FILE *p = popen(line, "r");
    const size_t n = p ? fread(out, 1, 4095, p) : 0;
    out[n] = '\0';
    const int status = p ? pclose(p) : -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void save_bmp(const char *path, const uint8_t *rgb)
{
    uint8_t head[54] = { 'B', 'M', [10] = 54, [14] = 40, [18] = SIDE, [22] = SIDE, [26] = 1, [28] = 24 };
    const uint32_t n = 54 + SIDE * SIDE * 3;
    memcpy(head + 2, &n, 4);
    FILE *f = fopen(path, "wb");
    fwrite(head, 1, 54, f);
    for (int y = SIDE - 1; y >= 0; y--)
        for (int x = 0; x < SIDE; x++)
            for (int c = 2; c >= 0; c--)
                fputc(rgb[(y * SIDE + x) * 3 + c], f);
    fclose(f);
}

TEST(somebody_is_added_recognised_listed_and_forgotten)
{
    static uint8_t px[SIDE * SIDE * 3];
    char out[4096];
    prepare();
    if (access(tutti, X_OK) != 0)
        SKIP("no %s", tutti);
    finder_model(test_tmp("find.onnx"));
    embedding_model(test_tmp("embed.onnx"));
    FILE *f = fopen(test_tmp("who.yaml"), "w");
    REQUIRE(f);
    fputs(FACES_CARD, f);
    fclose(f);
    draw(px, 0, red, blue);
    draw(px, 1, green, blue);
    save_bmp(test_tmp("two.bmp"), px);
    draw(px, 1, red, blue); /* both are Ann */
    save_bmp(test_tmp("ann.bmp"), px);

    CHECK(run("face add Ann ann.bmp", out) == 1 && strstr(out, "--expert CARD"), "%s", out);
    CHECK(run("face list who.yaml", out) == 0 && out[0] == '\0', "%s", out);
    REQUIRE(run("face add --expert who.yaml 'Ann Lee' ann.bmp", out) == 0, "%s", out);
    CHECK(run("face list who.yaml", out) == 0 && strcmp(out, "Ann Lee (1 picture)\n") == 0, "%s", out);
    CHECK(run("run who.yaml two.bmp --json", out) == 0 && strstr(out, "\"Ann Lee\"") && !strstr(strstr(out, "\"Ann Lee\"") + 1, "\"Ann Lee\""), "one of the two: %s", out);
    CHECK(run("face remove --expert who.yaml 'Ann Lee'", out) == 0, "%s", out);
    CHECK(run("face remove --expert who.yaml 'Ann Lee'", out) == 1 && strstr(out, "nobody of that name"), "%s", out);
    CHECK(run("run who.yaml two.bmp --json", out) == 0 && !strstr(out, "Ann"), "%s", out);
    CHECK(run("face add --expert who.yaml Bob who.yaml", out) == 1 && strstr(out, "who.yaml"), "no picture: %s", out);
    CHECK(run("face add --expert find.onnx Bob two.bmp", out) == 1, "%s", out);
}

static int count_files(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    const struct dirent *e;
    while (d && (e = readdir(d)))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

TEST(expert_warm_keeps_the_optimised_models_below_the_cache_folder)
{
    char out[4096], cache[600], made[700];
    prepare();
    if (access(tutti, X_OK) != 0)
        SKIP("no %s", tutti);
    finder_model(test_tmp("find.onnx"));
    embedding_model(test_tmp("embed.onnx"));
    FILE *f = fopen(test_tmp("who.yaml"), "w");
    REQUIRE(f);
    fputs(FACES_CARD, f);
    fclose(f);
    snprintf(cache, sizeof cache, "%s/not/yet/there", dir);
    snprintf(made, sizeof made, "%s/tutti/onnx", cache);
    setenv("XDG_CACHE_HOME", cache, 1);
    REQUIRE(run("expert warm who.yaml", out) == 0 && strstr(out, "warm"), "%s", out);
    CHECK(count_files(made) == 2, "%d files in %s", count_files(made), made);
    REQUIRE(run("expert warm who.yaml", out) == 0, "%s", out);
    CHECK(count_files(made) == 2);
}
