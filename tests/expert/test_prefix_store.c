/* tests/expert/test_prefix_store.c - prefixes kept over restarts: what was used often comes back, what is damaged does not. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect.h"
#include "expert/prefix_store.h"

enum { PAGE = 512, N_TOK = 320, N_PAGES = N_TOK / 32 };
static const char model[] = "models/tutti-tiny.gguf";

static int32_t text[2][N_TOK + 1];

static void make_texts(void)
{
    for (int i = 0; i <= N_TOK; i++)
        text[0][i] = text[1][i] = i * 7 % 250;
    text[1][0]++; /* another from the first token on */
}

static const char *folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s", test_tmp(name));
    return path;
}

static const char *file_of(const char *dir)
{
    static char path[600];
    snprintf(path, sizeof(path), "%s/%016x-%016x.kv", dir, 1, 2);
    return path;
}

static struct prefix_store *open_store(const char *dir, uint64_t limit_bytes)
{
    struct err err = { 0 };
    struct prefix_store *s = prefix_store_open(dir, 1, 2, PAGE, limit_bytes, &err);
    CHECK(s, "%s", err.text);
    return s;
}

static void fill(void *to, const int32_t *ids, int page)
{
    for (int i = 0; i < PAGE; i++)
        ((uint8_t *)to)[i] = (uint8_t)(ids[0] + page * 31 + i);
}

/* Used by two, then all that is wanted is put.  Returns how many pages that was. */
static int keep(struct prefix_store *s, const int32_t *ids)
{
    const int32_t *want;
    int n = 0, n_ids;
    prefix_store_used(s, ids, N_TOK);
    prefix_store_used(s, ids, N_TOK);
    for (; prefix_store_next(s, &want, &n_ids); n++) {
        CHECK(memcmp(want, ids, (size_t)n_ids * sizeof(ids[0])) == 0);
        fill(prefix_store_room(s), ids, n_ids / 32 - 1);
        prefix_store_put(s);
    }
    return n;
}

static int count(struct prefix_store *s, const int32_t *ids)
{
    uint8_t want[PAGE];
    int n = 0;
    for (int i = 0; i < N_PAGES; i++) {
        const void *page = prefix_store_find(s, ids, i);
        fill(want, ids, i);
        n += page && memcmp(page, want, PAGE) == 0;
        CHECK(!page || memcmp(page, want, PAGE) == 0, "page %d", i);
    }
    return n;
}

TEST(what_two_prompts_found_is_there_after_a_restart)
{
    make_texts();
    const char *dir = folder("kv1");
    struct prefix_store *s = open_store(dir, 1 << 20);
    const int32_t *ids;
    int n;
    prefix_store_used(s, text[0], N_TOK);
    CHECK(!prefix_store_next(s, &ids, &n)); /* once is not often */
    prefix_store_used(s, text[1], 128);
    prefix_store_used(s, text[1], 128);
    CHECK(!prefix_store_next(s, &ids, &n)); /* short ones never */
    CHECK(keep(s, text[0]) == N_PAGES);
    CHECK(keep(s, text[0]) == 0); /* it is there */
    prefix_store_close(s);
    s = open_store(dir, 1 << 20);
    CHECK(count(s, text[0]) == N_PAGES && count(s, text[1]) == 0);
    prefix_store_close(s);
    struct stat st;
    CHECK(stat(file_of(dir), &st) == 0 && (st.st_mode & 0777) == 0600);
}

TEST(a_damaged_page_is_not_found_and_the_others_are)
{
    make_texts();
    const char *dir = folder("kv2");
    struct prefix_store *s = open_store(dir, 1 << 20);
    CHECK(keep(s, text[0]) == N_PAGES);
    prefix_store_close(s);
    struct stat st;
    CHECK(stat(file_of(dir), &st) == 0);
    const off_t slot = (st.st_size - 4096) / N_PAGES;
    const int fd = open(file_of(dir), O_RDWR);
    CHECK(pwrite(fd, "x", 1, 4096 + 3 * slot + slot - 5) == 1);     /* data of page 3 */
    CHECK(pwrite(fd, "x", 1, 4096 + 5 * slot + 30) == 1);           /* head of page 5 */
    CHECK(ftruncate(fd, st.st_size - 1) == 0);                      /* the last is torn */
    close(fd);
    s = open_store(dir, 1 << 20);
    CHECK(count(s, text[0]) == N_PAGES - 3, "%d", count(s, text[0]));
    prefix_store_close(s);
}

TEST(files_of_others_are_begun_anew_and_those_that_others_can_read_refused)
{
    make_texts();
    const char *dir = folder("kv3");
    struct err err = { 0 };
    struct prefix_store *s = open_store(dir, 1 << 20);
    prefix_store_close(s);
    int fd = open(file_of(dir), O_RDWR);
    CHECK(pwrite(fd, "GGUF", 4, 0) == 4);
    close(fd);
    s = open_store(dir, 1 << 20);
    CHECK(prefix_store_figures(s).n_pages == 0 && keep(s, text[0]) == N_PAGES);
    prefix_store_close(s);
    CHECK(chmod(file_of(dir), 0644) == 0);
    CHECK(!prefix_store_open(dir, 1, 2, PAGE, 1 << 20, &err) && strstr(err.text, "0600"), "%s", err.text);
    CHECK(unlink(file_of(dir)) == 0 && symlink("/dev/null", file_of(dir)) == 0);
    CHECK(!prefix_store_open(dir, 1, 2, PAGE, 1 << 20, &err));
    CHECK(!prefix_store_open(dir, 7, 2, PAGE, 4096 + PAGE, &err) && strstr(err.text, "limit"), "%s", err.text);
}

TEST(the_file_stays_within_its_bound_and_what_was_used_last_stays)
{
    make_texts();
    const char *dir = folder("kv4");
    const uint64_t limit = 4096 + (N_PAGES + 3) * (PAGE + 256);
    struct prefix_store *s = open_store(dir, limit);
    CHECK(keep(s, text[0]) == N_PAGES && keep(s, text[1]) == N_PAGES);
    CHECK(count(s, text[1]) == N_PAGES);
    const int n = count(s, text[0]);
    CHECK(n > 0 && n < N_PAGES && prefix_store_find(s, text[0], 0), "%d", n); /* its end went first */
    prefix_store_close(s);
    struct stat st;
    CHECK(stat(file_of(dir), &st) == 0 && (uint64_t)st.st_size <= limit);
}

TEST(one_process_writes_and_another_reads)
{
    make_texts();
    const char *dir = folder("kv5");
    struct prefix_store *a = open_store(dir, 1 << 20);
    CHECK(keep(a, text[0]) == N_PAGES);
    struct prefix_store *b = open_store(dir, 1 << 20);
    CHECK(prefix_store_figures(a).is_writer && !prefix_store_figures(b).is_writer);
    CHECK(count(b, text[0]) == N_PAGES && keep(b, text[1]) == 0);
    prefix_store_close(b);
    prefix_store_close(a);
}

static struct expert *open_expert(const char *dir)
{
    struct err err = { 0 };
    struct expert *e = expert_llm_open(model, &(struct expert_llm_options){ .n_threads = 1, .n_seq_max = 2, .n_ctx = 512, .prefix_dir = dir, .prefix_bytes = 64 << 20 }, &err);
    CHECK(e, "%s", err.text);
    return e;
}

/* The folder's file is as long as all pages of the text; the size of one is in its head. */
static bool is_whole(const char *dir)
{
    DIR *d = opendir(dir);
    struct stat st;
    uint64_t page_bytes = 0;
    bool ok = false;
    for (const struct dirent *f; d && (f = readdir(d));) {
        const int fd = f->d_name[0] != '.' ? openat(dirfd(d), f->d_name, O_RDONLY) : -1;
        if (fd >= 0 && pread(fd, &page_bytes, 8, 24) == 8 && fstat(fd, &st) == 0)
            ok = (uint64_t)st.st_size >= 4096 + N_PAGES * (160 + page_bytes);
        if (fd >= 0)
            close(fd);
    }
    if (d)
        closedir(d);
    return ok;
}

/* The answer to the long text and one more token; how much of it was not evaluated. */
static int ask(struct expert *e, int32_t last, int32_t *out)
{
    static struct collect c;
    static int32_t ids[N_TOK + 1];
    struct job_input in = { .ids = ids, .n_ids = N_TOK + 1 };
    struct job *j = collect_job(&c, "");
    memcpy(ids, text[0], sizeof(ids));
    ids[N_TOK] = last;
    j->inputs = &in;
    j->max_tokens = 8;
    j->ignore_eos = true;
    j->n_logprobs = 0;
    j->sampling.temperature = 0;
    if (collect_submit(&c, e))
        collect_wait(&c);
    const int n = c.usage.n_cached_tok;
    CHECK(c.choice[0].n_ids == 8, "%s", c.err.text);
    memcpy(out, c.choice[0].ids, 8 * sizeof(out[0]));
    collect_free(&c);
    return n;
}

TEST(a_long_prefix_that_was_asked_often_is_not_evaluated_after_a_restart)
{
    int32_t want[8], got[8];
    make_texts();
    const char *dir = folder("kv6");
    struct expert *e = open_expert(dir);
    CHECK(ask(e, 5, want) == 0);
    CHECK(ask(e, 6, got) == N_TOK && ask(e, 7, got) == N_TOK && ask(e, 8, got) == N_TOK);
    /* It is written when there is time: until the last page is under way (closing waits for that). */
    for (int i = 0; i < 3000 && !is_whole(dir); i++)
        nanosleep(&(struct timespec){ 0, 10 * 1000 * 1000 }, NULL);
    expert_free(e);
    e = open_expert(dir);
    CHECK(ask(e, 5, got) == N_TOK);
    CHECK(memcmp(want, got, sizeof(want)) == 0); /* and it is the same to the bit */
    expert_free(e);
    e = open_expert(NULL);
    CHECK(ask(e, 5, got) == 0);
    expert_free(e);
}
