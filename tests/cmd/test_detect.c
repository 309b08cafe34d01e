/* tests/cmd/test_detect.c - machines of tests/hw/machines: what `tutti detect` says, keeps to itself, and survives.
 *
 * A machine is one NAME.tree (hw/root.h, hw_root_parse()); its lines "#= PATH VALUE" say what --json must hold: a
 * value, null, [] or absent.  Add a machine or a line: nothing here needs to change. */
#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/detect_internal.h"
#include "hw/record.h"
#include "test.h"

static const char *const names[] = { "board-rk3588",     "intel-hybrid",   "jetson-orin-nano",     "laptop-gpu-battery",
                                     "raspberry-pi-4", "raspberry-pi-5", "server-2s-epyc-9354", "vm-kvm" };
enum { N_NAMES = sizeof(names) / sizeof(names[0]) };

static struct catalog *catalog;

static char *tree_text(const char *name, size_t *n)
{
    char path[256];
    struct err err = { 0 };
    snprintf(path, sizeof(path), "tests/hw/machines/%s.tree", name);
    char *text = file_read(path, 1 << 20, n, &err);
    CHECK(text, "%s: run in the project's folder", err.text);
    if (!catalog)
        catalog = catalog_new(NULL, &err);
    return text;
}

static json_t *to_json(const struct hw_machine *m)
{
    struct advise_bandwidth bw;
    struct buf b;
    json_error_t bad;
    advise_bandwidth(catalog, m, &bw);
    buf_init(&b, 4 << 20);
    static struct fit_summary runs;
    detect_put_json(&b, m, &bw, fit_summary(&runs, catalog, m) ? &runs : NULL);
    json_t *j = json_loads(b.data ? b.data : "", 0, &bad);
    CHECK(j, "%s at %d: %.200s", bad.text, bad.position, b.data);
    buf_fini(&b);
    return j;
}

static const json_t *at_path(const json_t *j, const char *path)
{
    char part[64];
    while (j && *path) {
        const size_t n = strcspn(path, ".");
        snprintf(part, sizeof(part), "%.*s", (int)n, path);
        j = json_is_array(j) ? json_array_get(j, strtoul(part, NULL, 10)) : json_object_get(j, part);
        path += n + (path[n] == '.');
    }
    return j;
}

TEST(each_machine_is_what_its_file_says)
{
    for (int i = 0; i < N_NAMES; i++) {
        size_t n;
        struct err err = { 0 };
        char *text = tree_text(names[i], &n);
        REQUIRE(text);
        struct hw_root *r = hw_root_parse(text, n, &err);
        REQUIRE(r, "%s: %s", names[i], err.text);
        struct hw_machine *m = hw_detect_root(r, &err);
        REQUIRE(m, "%s", err.text);
        json_t *j = to_json(m);
        int n_lines = 0;
        for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
            char path[96], value[256];
            if (sscanf(line, "#= %95s %255[^\n]", path, value) != 2)
                continue;
            const json_t *have = at_path(j, path);
            char *text_of = have ? json_dumps(have, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("absent");
            json_error_t bad;
            json_t *want = strcmp(value, "absent") == 0 ? NULL : json_loads(value, JSON_DECODE_ANY, &bad);
            const bool is_same = !want ? !have : json_is_number(want) ? json_is_number(have) && json_number_value(want) == json_number_value(have) : json_equal(want, have);
            CHECK(is_same, "%s: %s is %s, not %s", names[i], path, text_of, value);
            free(text_of);
            json_decref(want);
            n_lines++;
        }
        CHECK(n_lines >= 10, "%s says %d things", names[i], n_lines);
        json_decref(j);
        hw_machine_free(m);
        hw_root_free(r);
        free(text);
    }
}

TEST(the_text_fits_80_columns_and_says_where_figures_are_from)
{
    for (int i = 0; i < N_NAMES; i++) {
        size_t n;
        struct err err = { 0 };
        char *text = tree_text(names[i], &n), line[512];
        struct hw_root *r = hw_root_parse(text, n, &err);
        struct hw_machine *m = r ? hw_detect_root(r, &err) : NULL;
        FILE *f = tmpfile();
        REQUIRE(m && f, "%s", err.text);
        struct advise_bandwidth bw;
        advise_bandwidth(catalog, m, &bw);
        static struct fit_summary runs;
        detect_print(f, m, &bw, fit_summary(&runs, catalog, m) ? &runs : NULL);
        rewind(f);
        bool says_cpu = false, says_source = bw.theoretical_bps == 0;
        while (fgets(line, sizeof(line), f)) {
            CHECK(strlen(line) <= 81, "%s: %s", names[i], line);
            says_cpu |= strncmp(line, "cpu", 3) == 0;
            says_source |= strstr(line, "[catalog:") || strstr(line, "[detected:");
        }
        CHECK(says_cpu && says_source, "%s", names[i]);
        fclose(f);
        hw_machine_free(m);
        hw_root_free(r);
        free(text);
    }
}

/* What must not be in a recording of the machines above. */
static const char *const secrets[] = { "100000001234abcd", "DC:A6:32:12:34:56", "dc:a6:32:12:34:56", "0x12345678", "12345678-02", "serge@", "S64ENX0R123456A",
                                       "mobile-u64-5497", "B0123456789", "03000200-0400", "SECRETSERIAL01", "TAG1", "SN0001", "alice", "PF3ABCDE",
                                       "01234567-89ab-cdef", "GPU-01234567", "00:e0:4c:68:00:01", "00e04c680001", "a4:b1:c1:01:02:03", "1234567\n",
                                       "0123456789abcdef0123456789abcdef", "buildd@", "192.168.", "fd00:", "my-host", "PARTUUID" };

static bool holds(const char *bytes, size_t n, const char *word)
{
    const size_t len = strlen(word);
    for (size_t i = 0; i + len <= n; i++)
        if (memcmp(bytes + i, word, len) == 0)
            return true;
    return false;
}

TEST(a_recording_reads_back_the_same_and_tells_no_secrets)
{
    for (int i = 0; i < N_NAMES; i++) {
        size_t n;
        struct err err = { 0 };
        char *text = tree_text(names[i], &n);
        struct hw_root *r = hw_root_parse(text, n, &err);
        struct hw_machine *m = NULL, *again = NULL;
        struct buf tar;
        const struct hw_names_to_hide hide = { { "my-host", "alice" } };
        buf_init(&tar, 64 << 20);
        REQUIRE(r && hw_record(r, &hide, &tar, &m, &err), "%s", err.text);
        for (size_t k = 0; k < sizeof(secrets) / sizeof(secrets[0]); k++)
            CHECK(!holds(tar.data, tar.len, secrets[k]), "%s: %s", names[i], secrets[k]);
        struct hw_root *back = hw_root_untar(tar.data, tar.len, &err);
        REQUIRE(back, "%s: %s", names[i], err.text);
        again = hw_detect_root(back, &err);
        REQUIRE(again);
        m->detect_ms = again->detect_ms = 0;
        for (int k = 0; k < m->n_links; k++) /* a name that was an address */
            if (strncmp(m->links[k].name, "enx", 3) == 0)
                hw_copy(m->links[k].name, sizeof(m->links[k].name), "enx000000000000");
        for (int k = 0; k < m->memory.n_swaps; k++) /* a swap file's line is left out */
            if (strcmp(m->memory.swaps[k].kind, "file") == 0)
                m->memory.n_swaps = k;
        json_t *a = to_json(m), *b = to_json(again);
        const char *key;
        json_t *v;
        json_object_foreach(a, key, v) {
            if (strcmp(key, "cpu") == 0) { /* a quota by the path of a cgroup that the recording does not name */
                json_object_del(v, "cgroup_cpus"), json_object_del(v, "cores_usable");
                json_object_del(json_object_get(b, key), "cgroup_cpus"), json_object_del(json_object_get(b, key), "cores_usable");
            }
            if (strcmp(key, "runs") == 0)
                continue; /* follows from those */
            if (strcmp(key, "memory") == 0)
                json_object_del(v, "cgroup_limit_bytes"), json_object_del(json_object_get(b, key), "cgroup_limit_bytes");
            char *x = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT), *y = json_dumps(json_object_get(b, key), JSON_ENCODE_ANY | JSON_COMPACT);
            CHECK(json_equal(v, json_object_get(b, key)), "%s: %s\n# %s\n# %s", names[i], key, x, y);
            free(x), free(y);
        }
        json_decref(a), json_decref(b);
        hw_machine_free(m), hw_machine_free(again);
        hw_root_free(back), hw_root_free(r);
        buf_fini(&tar);
        free(text);
    }
}

TEST(what_tells_machines_apart_is_hidden_wherever_it_stands)
{
    static const struct {
        const char *path, *content, *want; /* want NULL: left out */
    } cases[] = {
        { "sys/x/y", "ether 00:1a:2B:3c:4d:5e up\n", "ether 00:00:00:00:00:00 up\n" },
        { "sys/x/y", "10.1.22.3/24 fe80::1a2b:3cff:fe4d:5e6f\n", "00.0.00.0/24 0000::0000:0000:0000:0000\n" },
        { "sys/x/y", "0000:01:00.0 535.129.03 12:34:56 1-2:1.0\n", "0000:01:00.0 535.129.03 12:34:56 1-2:1.0\n" },
        { "sys/x/y", "id 123e4567-e89b-12d3-a456-426614174000\n", "id 00000000-0000-0000-0000-000000000000\n" },
        { "sys/x/y", "host my-host, user alice, malice\n", "host xxxxxxx, user xxxxx, malice\n" },
        { "sys/x/y", "/home/bob/models and /media/usb0/x\n", "/home/xxx/xxxxxx and /media/xxxx/x\n" },
        { "sys/x/serial", "ABC\n", NULL },
        { "sys/x/device/wwid", "eui.0025385\n", NULL },
        { "sys/x/address", "00:11:22:33:44:55\n", NULL },
        { "sys/x/product_uuid", "x\n", NULL },
        { "proc/version", "Linux version 6.1.0-13-amd64 (me@home) (gcc 12)\n", "Linux version 6.1.0-13-amd64\n" },
        { "proc/self/cgroup", "0::/user.slice/user-1000.slice/x.scope\n", "0::/\n" },
        { "proc/cpuinfo", "processor : 0\nSerial : 1000\nModel : Pi\n", "processor : 0\nModel : Pi\n" },
    };
    const struct hw_names_to_hide hide = { { "my-host", "alice" } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf path, content;
        buf_init(&path, 4096), buf_init(&content, 4096);
        buf_puts(&path, cases[i].path), buf_puts(&content, cases[i].content);
        const bool is_kept = hw_record_scrub((void *)&hide, &path, false, &content);
        CHECK(is_kept == (cases[i].want != NULL), "%s", cases[i].path);
        if (is_kept && cases[i].want)
            CHECK(content.len == strlen(cases[i].want) && memcmp(content.data, cases[i].want, content.len) == 0, "%.*s", (int)content.len, content.data);
        buf_fini(&path), buf_fini(&content);
    }
}

/* A change that a kernel, a driver or a tar archive might make. */
static size_t mutate(char *text, size_t n)
{
    const size_t at = n ? test_rand_u64() % n : 0;
    char *line = text + at, *end = memchr(line, '\n', n - at);
    const size_t len = end ? (size_t)(end - line) : n - at;
    switch (test_rand_u64() % 6) {
    case 0: /* the rest of a line is gone */
        memmove(line, line + len, n - at - len);
        return n - len;
    case 1: /* a byte is another one */
        text[at] = (char)test_rand_u64();
        return n;
    case 2: /* a digit is another one */
        for (size_t i = at; i < n; i++)
            if (text[i] >= '0' && text[i] <= '9') {
                text[i] = (char)('0' + test_rand_u64() % 10);
                break;
            }
        return n;
    case 3: /* a sign in front of a number */
        for (size_t i = at; i + 1 < n; i++)
            if (text[i] == ' ' && text[i + 1] >= '0' && text[i + 1] <= '9') {
                text[i + 1] = '-';
                break;
            }
        return n;
    case 4: /* nines for the rest of the line */
        memset(line, '9', len < 24 ? len : 24);
        return n;
    default: /* the file ends here */
        return n > 64 ? n - test_rand_u64() % 64 : n;
    }
}

TEST(no_mutation_of_a_machine_is_too_odd)
{
    const int rounds = getenv("TEST_QUICK") ? 6 : 60;
    int n_read = 0;
    for (int i = 0; i < N_NAMES; i++) {
        size_t n;
        char *text = tree_text(names[i], &n), *odd = malloc(n + 1);
        REQUIRE(text && odd);
        for (int k = 0; k < rounds; k++) {
            struct err err = { 0 };
            size_t m_len = n;
            memcpy(odd, text, n);
            for (int c = (int)(test_rand_u64() % 8); c >= 0; c--)
                m_len = mutate(odd, m_len);
            struct hw_root *r = hw_root_parse(odd, m_len, &err);
            struct hw_machine *m = r ? hw_detect_root(r, &err) : NULL;
            if (m) {
                json_t *j = to_json(m);
                CHECK(json_is_object(j));
                CHECK(m->cpu.cores_physical <= m->cpu.cores_logical && m->memory.total_bytes >= 0 && m->memory.dram_bytes >= 0);
                json_decref(j);
                n_read++;
            }
            hw_machine_free(m);
            hw_root_free(r);
        }
        free(odd);
        free(text);
    }
    CHECK(n_read > rounds, "%d were read", n_read); /* most are refused as texts only when a line lost its colon */
}

/* Every key that --json prints stands in docs/json.md, in `code`, below "## tutti detect". */
static void check_keys(const json_t *j, const char *section, const char *end, const char *path)
{
    const char *key;
    json_t *v;
    size_t i;
    json_array_foreach(json_is_array(j) ? j : NULL, i, v)
        check_keys(v, section, end, path);
    json_object_foreach(json_is_object(j) ? (json_t *)j : NULL, key, v) {
        char code[80], below[80];
        snprintf(code, sizeof(code), "`%s`", key);
        snprintf(below, sizeof(below), ".%s`", key); /* `cpu.isa` has a row of its own */
        const char *found = strstr(section, code), *row = strstr(section, below);
        CHECK((found && found < end) || (row && row < end), "docs/json.md lacks %s of %s", code, path);
        check_keys(v, section, end, key);
    }
}

TEST(the_json_is_documented)
{
    struct err err = { 0 };
    size_t n;
    char *docs = file_read("docs/json.md", 1 << 20, &n, &err);
    REQUIRE(docs, "%s", err.text);
    const char *section = strstr(docs, "## tutti detect");
    REQUIRE(section);
    const char *end = strstr(section + 1, "\n## ");
    for (int i = 0; i < N_NAMES; i++) {
        char *text = tree_text(names[i], &n);
        struct hw_root *r = hw_root_parse(text, n, &err);
        struct hw_machine *m = r ? hw_detect_root(r, &err) : NULL;
        REQUIRE(m, "%s", err.text);
        json_t *j = to_json(m);
        check_keys(j, section, end ? end : docs + strlen(docs), names[i]);
        json_decref(j);
        hw_machine_free(m);
        hw_root_free(r);
        free(text);
    }
    free(docs);
}

TEST(labels_and_metrics_follow_their_formats)
{
    for (int i = 0; i < N_NAMES; i++) {
        size_t n;
        struct err err = { 0 };
        char *text = tree_text(names[i], &n), line[1024];
        struct hw_root *r = hw_root_parse(text, n, &err);
        struct hw_machine *m = r ? hw_detect_root(r, &err) : NULL;
        REQUIRE(m, "%s", err.text);
        struct buf b;
        struct advise_bandwidth bw;
        advise_bandwidth(catalog, m, &bw);
        buf_init(&b, 1 << 20);
        detect_put_nfd(&b, m);
        for (const char *at = b.data; at && *at; at = strchr(at, '\n') + 1) {
            snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
            const char *value = strchr(line, '=');
            REQUIRE(value, "%s", line);
            CHECK(strncmp(line, "tutti-", 6) == 0 && strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == (size_t)(value - line) && value - line <= 63, "%s", line);
            CHECK(strlen(value + 1) >= 1 && strlen(value + 1) <= 63 && strspn(value + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(value + 1), "%s", line);
        }
        buf_clear(&b);
        detect_put_prometheus(&b, m, &bw);
        char typed[64] = "";
        for (const char *at = b.data; at && *at; at = strchr(at, '\n') + 1) {
            snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
            if (sscanf(line, "# TYPE %63s gauge", typed) == 1 || line[0] == '#')
                continue;
            CHECK(strncmp(line, typed, strlen(typed)) == 0 && (line[strlen(typed)] == '{' || line[strlen(typed)] == ' '), "samples stand below their type: %s", line);
            char *end;
            strtod(strrchr(line, ' ') + 1, &end);
            CHECK(*end == '\0', "%s", line);
        }
        buf_fini(&b);
        hw_machine_free(m);
        hw_root_free(r);
        free(text);
    }
}
