/* tests/hw/test_root.c - files of a machine are read within bounds, inside its root, and never wait for ever. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/machine.h"
#include "test.h"

static struct hw_root *tree(const char *text)
{
    struct err err = { 0 };
    struct hw_root *r = hw_root_parse(text, strlen(text), &err);
    CHECK(r, "%s", err.text);
    return r;
}

static void put(const char *folder, const char *path, const char *content)
{
    char full[512], command[1024];
    snprintf(full, sizeof(full), "%s/%s", folder, path);
    snprintf(command, sizeof(command), "mkdir -p \"$(dirname '%s')\"", full);
    CHECK(system(command) == 0);
    FILE *f = fopen(full, "w");
    CHECK(f && fputs(content, f) >= 0 && fclose(f) == 0, "%s", full);
}

TEST(a_tree_text_gives_files_links_folders_and_ranges)
{
    struct hw_root *r = tree("# a comment\n"
                             "proc/version: Linux version 6.1\n"
                             "sys/raw:= a\\0b\\x41\\n\n"
                             "sys/class/net/eth0 -> ../../devices/pci/net/eth0\n"
                             "sys/devices/pci/net/eth0/speed: 1000\n"
                             "sys/cpu{0-11}/id: {/3*3}-{%3+48}\n"
                             "sys/empty/\n"
                             "sys/nothing:\n"
                             "proc/cpuinfo: <<END\n"
                             "processor\t: 0\n\nsys/not: a file\nEND\n"
                             "proc/version: Linux version 6.2\n");
    char text[128];
    int64_t v = 0;
    size_t n;
    struct hw_names names;
    CHECK(hw_read(r, text, sizeof(text), "proc/version") && strcmp(text, "Linux version 6.2") == 0, "%s", text);
    CHECK(!hw_read(r, text, sizeof(text), "sys/raw") && text[0] == '\0', "a '\\0' inside is no text");
    char *all = hw_read_all(r, 100, &n, "sys/raw");
    CHECK(all && n == 5 && memcmp(all, "a\0bA\n", 5) == 0);
    free(all);
    CHECK(hw_read_i64(r, &v, "sys/class/net/%s/speed", "eth0") && v == 1000);
    CHECK(hw_link_name(r, text, sizeof(text), "sys/class/net/eth0") && strcmp(text, "eth0") == 0);
    CHECK(hw_resolve(r, text, sizeof(text), "sys/class/net/eth0") && strcmp(text, "sys/devices/pci/net/eth0") == 0, "%s", text);
    CHECK(hw_read(r, text, sizeof(text), "sys/cpu7/id") && strcmp(text, "6-49") == 0, "%s", text);
    CHECK(hw_exists(r, "sys/empty") && !hw_exists(r, "sys/full") && !hw_exists(r, "sys/not"));
    CHECK(hw_list(r, &names, "sys") == 12 + 5, "%d", names.n);
    CHECK(names.n > 4 && strcmp(names.name[2], "cpu1") == 0 && strcmp(names.name[3], "cpu2") == 0, "sorted as numbers");
    hw_names_free(&names);
    CHECK(hw_list(r, &names, "sys/empty") == 0);
    CHECK(hw_read(r, text, 4, "proc/version") && strcmp(text, "Lin") == 0, "cut at what the caller has");
    hw_root_free(r);
}

TEST(a_bad_tree_text_is_refused_with_its_line)
{
    static const struct {
        const char *text, *want;
    } bad[] = {
        { "proc/x: 1\nnonsense\n", "line 2" }, { "proc/../../etc/passwd: 1\n", "leaves the folder" }, { "sys/a{0-99999}/b: 1\n", "range" },
        { "proc/x: <<END\nno end\n", "no end" }, { "a: b\n", "neither proc nor sys" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = { 0 };
        struct hw_root *r = hw_root_parse(bad[i].text, strlen(bad[i].text), &err);
        CHECK(!r && strstr(err.text, bad[i].want), "%zu: %s", i, err.text);
        hw_root_free(r);
    }
}

TEST(links_never_lead_out_of_a_recorded_machine)
{
    const char *dir = test_tmp("jail");
    char link[512], text[256], secret[512];
    struct err err = { 0 };
    put(dir, "machine/proc/version", "Linux version 1\n");
    put(dir, "machine/sys/inside", "inside\n");
    put(dir, "secret", "secret\n");
    snprintf(secret, sizeof(secret), "%s/secret", dir);
    static const struct {
        const char *name, *target;
    } links[] = { { "up", "../../secret" }, { "far", "../../../../../../../../../../etc/hostname" }, { "root", "/etc/passwd" }, { "loop", "loop" },
                  { "fine", "/sys/inside" }, { "folder", "../../" } };
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        snprintf(link, sizeof(link), "%s/machine/sys/%s", dir, links[i].name);
        CHECK(symlink(links[i].target, link) == 0);
    }
    snprintf(link, sizeof(link), "%s/machine", dir);
    struct hw_root *r = hw_root_open(link, &err);
    REQUIRE(r, "%s", err.text);
    for (int kept = 0; kept < 2; kept++) { /* by the kernel's openat2 and by our own walk */
        CHECK(!hw_read(r, text, sizeof(text), "sys/up") && !hw_read(r, text, sizeof(text), "sys/far") && !hw_read(r, text, sizeof(text), "sys/root"));
        CHECK(!hw_read(r, text, sizeof(text), "sys/loop") && !hw_read(r, text, sizeof(text), "../secret") && !hw_read(r, text, sizeof(text), "%s", secret));
        CHECK(!hw_read(r, text, sizeof(text), "sys/folder/secret") && !hw_read(r, text, sizeof(text), "sys/folder/../secret"));
        CHECK(hw_read(r, text, sizeof(text), "sys/folder/sys/inside") && strcmp(text, "inside") == 0, "the root's parent is the root");
        CHECK(hw_read(r, text, sizeof(text), "sys/fine") && strcmp(text, "inside") == 0, "an absolute link means the root");
        hw_root_keep(r);
    }
    hw_root_free(r);
}

TEST(what_is_missing_unreadable_huge_or_no_file_is_survived)
{
    const char *dir = test_tmp("odd");
    char path[512], text[64];
    struct err err = { 0 };
    int64_t v;
    size_t n;
    put(dir, "proc/cpuinfo", "processor : 0\nvendor_id : GenuineIntel\n");
    put(dir, "sys/locked", "1\n");
    put(dir, "sys/empty", "");
    put(dir, "sys/word", "word\n");
    put(dir, "sys/many", "99999999999999999999\n");
    snprintf(path, sizeof(path), "%s/sys/locked", dir);
    chmod(path, 0);
    snprintf(path, sizeof(path), "%s/sys/fifo", dir);
    CHECK(mkfifo(path, 0600) == 0);
    snprintf(path, sizeof(path), "%s/sys/huge", dir);
    const int fd = open(path, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && ftruncate(fd, 1ll << 40) == 0, "a sparse file of a TiB");
    close(fd);
    struct hw_root *r = hw_root_open(dir, &err);
    REQUIRE(r, "%s", err.text);
    CHECK(!hw_read(r, text, sizeof(text), "sys/fifo"), "a FIFO would wait for ever");
    CHECK(!hw_read(r, text, sizeof(text), "sys/absent") && !hw_read(r, text, sizeof(text), "sys/absent/more") && !hw_read(r, text, sizeof(text), "sys"));
    CHECK(hw_read(r, text, sizeof(text), "sys/empty") && text[0] == '\0');
    CHECK(!hw_read_i64(r, &v, "sys/empty") && !hw_read_i64(r, &v, "sys/word") && !hw_read_i64(r, &v, "sys/many"));
    char *all = hw_read_all(r, 1000, &n, "sys/huge");
    CHECK(all && n == 1000);
    free(all);
    if (geteuid() != 0)
        CHECK(!hw_read(r, text, sizeof(text), "sys/locked"));
    snprintf(path, sizeof(path), "%s/sys/word", dir);
    CHECK(hw_read(r, text, sizeof(text), "sys/word") && unlink(path) == 0 && !hw_read(r, text, sizeof(text), "sys/word"), "gone between two reads");
    hw_root_free(r);
    CHECK(!hw_root_open("/nonexistent", &err) && err.code == ERR_NOT_FOUND, "%s", err.text);
    CHECK(!hw_root_open("/dev/null", &err), "%s", err.text);
}

TEST(a_recording_may_lie_in_a_folder_of_its_own)
{
    const char *dir = test_tmp("outer");
    struct err err = { 0 };
    put(dir, "a-machine/proc/cpuinfo", "processor : 0\nvendor_id : AuthenticAMD\nflags : lm avx2\n");
    struct hw_machine *m = hw_detect(dir, &err);
    CHECK(m && strcmp(m->cpu.vendor, "AMD") == 0 && m->cpu.cores_logical == 1 && hw_machine_has_isa(m, "avx2"), "%s", err.text);
    hw_machine_free(m);
    put(dir, "another/proc/cpuinfo", "processor : 0\n");
    CHECK(!hw_detect(dir, &err) && strstr(err.text, "several machines"), "%s", err.text);
}

static ssize_t sick_reader(const char *path, char *bytes, size_t size)
{
    if (strstr(path, "hang"))
        for (;;)
            pause();
    if (strstr(path, "die"))
        _exit(7);
    if (strstr(path, "large"))
        return (ssize_t)(memset(bytes, 'x', size), size);
    return strstr(path, "fail") ? -EIO : (ssize_t)snprintf(bytes, size, "42\n");
}

TEST(a_driver_that_never_answers_costs_a_deadline_not_the_process)
{
    struct err err = { 0 };
    struct hw_root *r = hw_root_open_reader(sick_reader, 15000, &err); /* long: these do answer, however busy the machine is */
    char text[64], path[64];
    int64_t v;
    REQUIRE(r, "%s", err.text);
    CHECK(hw_read_i64(r, &v, "sys/class/hwmon/ok") && v == 42);
    CHECK(!hw_read(r, text, sizeof(text), "sys/class/hwmon/fail") && hw_read_i64(r, &v, "sys/class/hwmon/ok"));
    CHECK(!hw_read(r, text, sizeof(text), "sys/class/hwmon/die"), "the reader was killed");
    CHECK(hw_read_i64(r, &v, "sys/class/hwmon/ok") && v == 42, "and the next one lives");
    char *all = hw_read_all(r, 1 << 20, NULL, "sys/class/hwmon/large");
    CHECK(all && strlen(all) == 1 << 16);
    free(all);
    CHECK(hw_root_n_hung(r, path, sizeof(path)) == 0);
    hw_root_free(r);
    signal(SIGCHLD, SIG_IGN); /* a caller may have its children reaped by the kernel */
    r = hw_root_open_reader(sick_reader, 15000, &err);
    CHECK(r && hw_read_i64(r, &v, "sys/class/hwmon/ok") && v == 42);
    hw_root_free(r);
    r = hw_root_open_reader(sick_reader, 10, &err);
    REQUIRE(r, "%s", err.text);
    for (int i = 0; i < 20; i++)
        CHECK(!hw_read(r, text, sizeof(text), "sys/class/hwmon/hang%d", i));
    CHECK(hw_root_n_hung(r, path, sizeof(path)) == 8 && strcmp(path, "sys/class/hwmon/hang7") == 0, "after eight nobody is asked any more: %s", path);
    hw_root_free(r);
}

static bool keep_all(void *ctx, struct buf *path, bool is_link, struct buf *content)
{
    (void)ctx, (void)path, (void)is_link, (void)content;
    return true;
}

TEST(tar_goes_out_and_comes_back)
{
#define LONG "a-very-long-name-0123456789012345678901234567890123456789/0123456789012345678901234567890123456789/0123456789"
    struct hw_root *r = tree("proc/version: Linux version 6.1\nsys/class/net/eth0 -> ../../devices/net/eth0\nsys/devices/net/eth0/speed: 1000\n"
                             "sys/" LONG "/file: long\nsys/deep/link -> ../" LONG "/file\nsys/unread: secret\n");
    struct err err = { 0 };
    struct buf tar;
    char text[256];
    int64_t v;
    hw_root_keep(r);
    hw_read(r, text, sizeof(text), "proc/version");
    hw_read_i64(r, &v, "sys/class/net/eth0/speed");
    hw_read(r, text, sizeof(text), "sys/deep/link");
    buf_init(&tar, 1 << 20);
    REQUIRE(hw_root_tar(r, keep_all, NULL, &tar, &err), "%s", err.text);
    hw_root_free(r);
    r = hw_root_untar(tar.data, tar.len, &err);
    REQUIRE(r, "%s", err.text);
    CHECK(hw_read(r, text, sizeof(text), "proc/version") && strcmp(text, "Linux version 6.1") == 0);
    CHECK(hw_read_i64(r, &v, "sys/class/net/eth0/speed") && v == 1000);
    CHECK(hw_link(r, text, sizeof(text), "sys/class/net/eth0") && strcmp(text, "../../devices/net/eth0") == 0, "%s", text);
    CHECK(hw_read(r, text, sizeof(text), "sys/deep/link") && strcmp(text, "long") == 0, "long names and links");
    CHECK(!hw_exists(r, "sys/unread"), "only what was read is kept");
    hw_root_free(r);
    for (size_t n = 0; n < tar.len; n += 100) { /* cut anywhere: a part or a refusal */
        r = hw_root_untar(tar.data, n, &err);
        hw_root_free(r);
    }
    buf_fini(&tar);
}

TEST(the_live_machine_answers)
{
    struct err err = { 0 };
    struct hw_machine *m = hw_detect("", &err);
    REQUIRE(m, "%s", err.text);
    CHECK(m->is_live && m->cpu.cores_logical >= 1 && m->cpu.cores_physical >= 1 && m->cpu.cores_physical <= m->cpu.cores_logical && m->cpu.sockets >= 1);
    CHECK(m->cpu.cores_usable >= 1 && m->memory.total_bytes > 0 && m->cpu.arch[0] && m->os.kernel[0]);
    hw_machine_free(m);
}
