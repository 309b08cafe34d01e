/* tests/route/test_journal.c - what was decided is read back bit by bit; bounds hold; a damaged, foreign, newer or unwritable file is
 * an error and nothing worse; a killed writer leaves whole rows. */
#include "route/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "route/bandit.h"
#include "route/predict.h"
#include "route/journal_world.h"

enum { NOW = 1800000000 };

static struct journal *open_or_skip(const char *path, const struct journal_options *opt)
{
    struct err err = { 0 };
    struct journal *j = journal_open(path, opt, &err);
    if (!j && err.code == ERR_UNSUPPORTED)
        SKIP("built without SQLite");
    CHECK(j != NULL, "%s", err.text);
    return j;
}

static void decide(struct journal *j, const struct world *w, int number, int64_t time_s)
{
    char id[JOURNAL_ID_MAX];
    snprintf(id, sizeof(id), "r-%06d", number);
    journal_decided(j, id, time_s, &w->request, &w->all, &w->decision);
}

static struct world *world_new(int n_nodes, int n)
{
    struct world *w = malloc(sizeof(*w));
    if (!w)
        abort();
    random_world(w, n_nodes, n);
    return w;
}

static bool count_one(void *ctx, const struct journal_entry *e)
{
    (void)e;
    return ++*(uint64_t *)ctx, true;
}

static uint64_t count(const char *path, const struct journal_query *q, uint64_t *n_unreadable)
{
    struct err err = { 0 };
    uint64_t n = 0, bad = 0;
    struct journal_reader *r = journal_reader_open(path, &err);
    CHECK(r != NULL, "%s", err.text);
    if (r)
        CHECK(journal_each(r, q, count_one, &n, &bad, &err), "%s", err.text);
    journal_reader_close(r);
    if (n_unreadable)
        *n_unreadable = bad;
    return n;
}

static bool write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    return f && fputs(text, f) >= 0 && fclose(f) == 0;
}

TEST(journal_reads_back_every_decision_bit_by_bit)
{
    const char *path = test_tmp("a/b/route.db");
    struct err err = { 0 };
    struct world *w[60];
    struct journal *j = open_or_skip(path, NULL);
    REQUIRE(j);
    for (int i = 0; i < 60; i++) {
        w[i] = world_new(i == 59 ? ROUTE_NODES_MAX : 0, i == 58 ? 0 : i == 59 ? ROUTE_CANDIDATES_MAX : 0);
        decide(j, w[i], i, NOW + i);
    }
    journal_close(j);
    struct journal_reader *r = journal_reader_open(path, &err);
    REQUIRE(r, "%s", err.text);
    for (int i = 59; i >= 0; i--) {
        char id[JOURNAL_ID_MAX];
        snprintf(id, sizeof(id), "r-%06d", i);
        const struct journal_entry *e = journal_find(r, id, &err);
        REQUIRE(e, "%s", err.text);
        const char *what = difference(w[i], e);
        CHECK(!what, "%s: %s", id, what);
        CHECK(strcmp(e->id, id) == 0 && e->time_s == NOW + i && e->n_outcomes == 0 && !journal_last(e));
        free(w[i]);
    }
    struct stat st;
    CHECK(stat(path, &st) == 0 && (st.st_mode & 077) == 0, "the file is ours alone: %o", (unsigned)st.st_mode);
    journal_reader_close(r);
}

/* What was learned when each decision was made goes on changing, so a replay stands on what the row says. */
TEST(journal_replays_to_the_same_choice_scores_and_terms)
{
    enum { N = 120 };
    const char *path = test_tmp("route.db");
    struct err err = { 0 };
    struct policy *policy = policy_new(&err);
    struct predictor *learned = predictor_new(&err), *recalled = predictor_new(&err);
    struct bandit *taught = bandit_new(7, .05f, &err), *told = bandit_new(1, 0, &err);
    struct world *w[N];
    struct bandit_context context;
    struct journal *j = open_or_skip(path, NULL);
    REQUIRE(j && policy && learned && recalled && taught && told);
    for (int i = 0; i < N; i++) {
        w[i] = world_new(0, 0);
        memset(&w[i]->decision, 0, sizeof(w[i]->decision));
        policy_decide(policy, i % 3 ? learned : NULL, i % 4 ? taught : NULL, &w[i]->request, &w[i]->all, (const uint64_t[4]){ i % 5 ? 0 : test_rand_u64() }, &w[i]->decision);
        decide(j, w[i], i, NOW + i);
        bandit_context_of(&w[i]->request, &context);
        for (int k = 0; k < 20; k++) {
            predictor_observe(learned, (int)any(40), any(PREDICT_KIND_COUNT), 1, upto(4) + .1f);
            bandit_observe(taught, (int)any(40), &context, upto(1), upto(1));
        }
    }
    journal_close(j);
    struct journal_reader *r = journal_reader_open(path, &err);
    REQUIRE(r, "%s", err.text);
    int n_able = 0;
    for (int i = 0; i < N; i++) {
        static struct route_decision again;
        char id[JOURNAL_ID_MAX];
        snprintf(id, sizeof(id), "r-%06d", i);
        const struct journal_entry *e = journal_find(r, id, &err);
        REQUIRE(e, "%s", err.text);
        const char *what = difference(w[i], e);
        REQUIRE(!what, "%s: %s", id, what);
        for (int c = 0; c < e->world.n; c++) {
            predictor_recall(recalled, e->world.list[c].slot, &e->decision.verdicts[c].guess);
            bandit_recall(told, e->world.list[c].slot, e->decision.verdicts[c].gain);
        }
        uint64_t tried[ROUTE_CANDIDATES_MAX / 64];
        journal_tried(e, tried);
        memset(&again, 0, sizeof(again));
        policy_decide(policy, recalled, told, &e->request, &e->world, tried, &again);
        struct world *replayed = malloc(sizeof(*replayed));
        REQUIRE(replayed);
        memcpy(replayed, w[i], sizeof(*replayed));
        memcpy(&replayed->decision, &again, sizeof(again));
        what = difference(replayed, e);
        CHECK(!what, "%s: another %s", id, what);
        n_able += again.n_able;
        free(replayed), free(w[i]);
    }
    CHECK(n_able > N / 4, "%d candidates were able", n_able);
    journal_reader_close(r);
    bandit_free(taught), bandit_free(told), predictor_free(learned), predictor_free(recalled), policy_free(policy);
}

TEST(journal_keeps_outcomes_and_finds_by_the_begin_of_an_id)
{
    const char *path = test_tmp("route.db");
    struct err err = { 0 };
    struct world *w = world_new(2, 5);
    struct journal *j = open_or_skip(path, NULL);
    REQUIRE(j);
    const struct journal_outcome first = { .end = JOURNAL_FAILED, .code = ERR_BUSY, .slot = 3, .n_asked = 1, .ttft_s = NAN, .total_s = 1.5f, .joules = NAN, .usd = NAN };
    const struct journal_outcome second = { .end = JOURNAL_DONE, .slot = 1, .n_asked = 2, .is_last = true, .ttft_s = .25f, .total_s = 2.5f, .n_prompt_tok = 30,
                                            .n_cached_tok = 10, .n_gen_tok = 50, .joules = 12.5f, .usd = 1e-5f, .is_measured = true };
    decide(j, w, 1, NOW), decide(j, w, 2, NOW + 1), decide(j, w, 345, NOW + 2);
    journal_ended(j, "r-000345", &first);
    journal_ended(j, "r-000345", &second);
    journal_ended(j, "r-nobody", &second);
    journal_close(j);
    struct journal_reader *r = journal_reader_open(path, &err);
    REQUIRE(r, "%s", err.text);
    const struct journal_entry *e = journal_find(r, "r-0003", &err);
    REQUIRE(e, "%s", err.text);
    REQUIRE(e->n_outcomes == 2, "%d", e->n_outcomes);
    CHECK(e->outcomes[0].end == JOURNAL_FAILED && e->outcomes[0].code == ERR_BUSY && isnan(e->outcomes[0].ttft_s) && journal_candidate_of(e, 3) == 3);
    const struct journal_outcome *last = journal_last(e);
    CHECK(last && last->slot == 1 && last->n_asked == 2 && last->n_gen_tok == 50 && last->joules == 12.5f && last->usd == 1e-5f && last->is_measured);
    CHECK(!journal_find(r, "r-00000", &err) && err.code == ERR_INPUT, "%s", err.text);
    CHECK(!journal_find(r, "r-7", &err) && err.code == ERR_NOT_FOUND, "%s", err.text);
    CHECK(!journal_find(r, "", &err) && !journal_find(r, "x0123456789012345678901234567890123456789", &err));
    CHECK(journal_candidate_of(e, 99) == -1);
    journal_reader_close(r);
    CHECK(count(path, &(struct journal_query){ .since_s = NOW + 1, .until_s = NOW + 2 }, NULL) == 1);
    CHECK(count(path, &(struct journal_query){ .n_last = 2 }, NULL) == 2);
    free(w);
}

TEST(journal_knows_conversations_apart_and_does_not_tell_which_they_are)
{
    const char *path = test_tmp("route.db");
    struct err err = { 0 };
    struct world *w = world_new(1, 2);
    uint64_t seen[2][3];
    for (int life = 0; life < 2; life++) {
        struct journal *j = open_or_skip(path, NULL);
        REQUIRE(j);
        for (int i = 0; i < 3; i++) {
            w->request.session = i < 2 ? 1234567 : 7654321;
            decide(j, w, life * 3 + i, NOW);
        }
        journal_close(j);
    }
    struct journal_reader *r = journal_reader_open(path, &err);
    REQUIRE(r, "%s", err.text);
    for (int i = 0; i < 6; i++) {
        char id[JOURNAL_ID_MAX];
        snprintf(id, sizeof(id), "r-%06d", i);
        const struct journal_entry *e = journal_find(r, id, &err);
        REQUIRE(e, "%s", err.text);
        seen[i / 3][i % 3] = e->request.session;
        CHECK(e->request.session != 1234567 && e->request.session != 7654321 && e->request.session != 0);
    }
    CHECK(seen[0][0] == seen[0][1] && seen[0][0] != seen[0][2] && seen[0][0] <= seen[1][0]);
    journal_reader_close(r);
    free(w);
}

TEST(journal_keeps_what_was_learned)
{
    const char *path = test_tmp("route.db");
    struct err err = { 0 };
    size_t n;
    struct journal *j = open_or_skip(path, NULL);
    REQUIRE(j);
    static char large[JOURNAL_STATE_BYTES_MAX];
    memset(large, 'x', sizeof(large));
    journal_keep(j, "predictor", "one", 3);
    journal_keep(j, "bandit", large, sizeof(large));
    journal_keep(j, "predictor", "another", 7);
    journal_close(j);
    struct journal_reader *r = journal_reader_open(path, &err);
    REQUIRE(r, "%s", err.text);
    char *kept = journal_kept(r, "predictor", &n, &err);
    CHECK(kept && n == 7 && strcmp(kept, "another") == 0, "%s", err.text);
    free(kept);
    kept = journal_kept(r, "bandit", &n, &err);
    CHECK(kept && n == sizeof(large), "%s", err.text);
    free(kept);
    CHECK(!journal_kept(r, "nothing", &n, &err) && err.code == ERR_NOT_FOUND);
    journal_reader_close(r);
}

struct telling {
    struct journal *j;
    _Atomic int n;
};
static void on_written(void *ctx)
{
    struct telling *t = ctx;
    t->n++;
    journal_keep(t->j, "predictor", "so far", 6);
}

TEST(journal_says_when_it_is_time_to_keep_and_writes_what_is_waited_for)
{
    const char *path = test_tmp("route.db");
    struct err err = { 0 };
    struct world *w = world_new(2, 3);
    size_t n = 0;
    struct telling t = { .j = open_or_skip(path, NULL) };
    REQUIRE(t.j);
    CHECK(journal_flush(t.j, 0), "nothing to wait for");
    journal_on_written(t.j, 0, on_written, &t);
    decide(t.j, w, 1, NOW);
    CHECK(journal_flush(t.j, 20000));
    CHECK(count(path, &(struct journal_query){ 0 }, NULL) == 1, "in the file while the journal is open");
    journal_on_written(t.j, 0, NULL, NULL);
    const int told = t.n;
    CHECK(told >= 1);
    decide(t.j, w, 2, NOW);
    CHECK(journal_flush(t.j, 20000) && t.n == told);
    journal_close(t.j);
    struct journal_reader *r = journal_reader_open(path, &err);
    REQUIRE(r, "%s", err.text);
    char *kept = journal_kept(r, "predictor", &n, &err);
    CHECK(kept && strcmp(kept, "so far") == 0, "%s", err.text);
    free(kept), free(w);
    journal_reader_close(r);
}

TEST(journal_stays_within_rows_and_age)
{
    const char *path = test_tmp("route.db");
    struct world *w = world_new(2, 5);
    struct journal *j = open_or_skip(path, &(struct journal_options){ .keep_rows = 100, .keep_s = 3600 });
    REQUIRE(j);
    const int64_t now = (int64_t)time(NULL);
    for (int i = 0; i < 500; i++)
        decide(j, w, i, i < 450 ? now - 3600 - 500 + i : now - 50);
    journal_close(j);
    CHECK(count(path, &(struct journal_query){ 0 }, NULL) == 50);
    j = open_or_skip(path, &(struct journal_options){ .keep_rows = 20 });
    REQUIRE(j);
    decide(j, w, 1000, now);
    journal_close(j);
    CHECK(count(path, &(struct journal_query){ 0 }, NULL) == 20);
    CHECK(count(path, &(struct journal_query){ .since_s = now }, NULL) == 1, "the newest stays");
    free(w);
}

TEST(journal_stays_within_its_bytes_when_worlds_change_all_the_time)
{
    enum { KEEP = 256 << 10, N = 400 };
    const char *path = test_tmp("route.db");
    char wal[1100];
    struct stat st = { 0 };
    struct world *w = world_new(2, 40);
    struct journal *j = open_or_skip(path, &(struct journal_options){ .keep_bytes = KEEP, .queue_bytes = 16 << 20 });
    REQUIRE(j);
    for (int i = 0; i < N; i++) {
        w->list[i % 40].load_s += 1; /* another world for each decision */
        decide(j, w, i, (int64_t)time(NULL));
    }
    journal_close(j);
    CHECK(stat(path, &st) == 0 && st.st_size <= KEEP, "%lld bytes", (long long)st.st_size);
    snprintf(wal, sizeof(wal), "%s-wal", path);
    CHECK(stat(wal, &st) != 0, "the log is gone when the last one has closed it");
    uint64_t bad;
    const uint64_t n = count(path, &(struct journal_query){ 0 }, &bad);
    CHECK(n > 5 && n < N && bad == 0, "%llu rows, %llu unreadable", (unsigned long long)n, (unsigned long long)bad);
    free(w);
}

TEST(journal_drops_and_counts_what_its_queue_does_not_hold)
{
    const char *path = test_tmp("route.db");
    struct journal_figures f;
    struct world *w = world_new(4, 100);
    struct journal *j = open_or_skip(path, &(struct journal_options){ .queue_bytes = 1 });
    REQUIRE(j);
    for (int i = 0; i < 2000; i++)
        decide(j, w, i, NOW);
    journal_get_figures(j, &f);
    const uint64_t dropped = f.dropped_total;
    journal_close(j);
    CHECK(count(path, &(struct journal_query){ 0 }, NULL) == 2000 - dropped);
    free(w);
}

TEST(journal_leaves_files_alone_that_are_not_its_own)
{
    struct err err = { 0 };
    const char *path = test_tmp("foreign.db");
    REQUIRE(write_file(path, "This is somebody's diary, and it is long enough to be looked at: it does not begin as a database does.\n"));
    struct journal *j = journal_open(path, NULL, &err);
    if (!j && err.code == ERR_UNSUPPORTED)
        SKIP("built without SQLite");
    CHECK(!j && err.text[0], "%s", err.text);
    CHECK(!journal_reader_open(path, &err) && err.text[0]);
    FILE *f = fopen(path, "r");
    char line[16] = "";
    CHECK(f && fgets(line, sizeof(line), f) && strcmp(line, "This is somebod") == 0);
    if (f)
        fclose(f);
    err_clear(&err);
    CHECK(!journal_open(test_tmp(""), NULL, &err) && err.text[0], "a folder");
    CHECK(!journal_reader_open(test_tmp("none.db"), &err) && err.code == ERR_NOT_FOUND, "%s", err.text);
}

TEST(a_journal_that_opens_later_keeps_what_came_before_and_says_when_it_cannot)
{
    const struct journal_options later = { .opens_later = true };
    struct journal_figures f;
    const char *path = test_tmp("later.db"), *foreign = test_tmp("foreign_later.db");
    struct world *w = world_new(2, 3);
    struct journal *j = open_or_skip(path, &later);
    for (int i = 0; j && i < 5; i++)
        decide(j, w, i, NOW + i);
    CHECK(j && journal_flush(j, 60000));
    if (j)
        journal_get_figures(j, &f);
    CHECK(j && f.written_total == 5 && f.rows == 5 && !f.why[0], "%s", f.why);
    journal_close(j);
    REQUIRE(write_file(foreign, "This is somebody's diary, and it is long enough to be looked at: it does not begin as a database does.\n"));
    j = open_or_skip(foreign, &later);
    decide(j, w, 1, NOW);
    CHECK(journal_flush(j, 60000));
    journal_get_figures(j, &f);
    CHECK(f.written_total == 0 && f.dropped_total == 1 && f.why[0], "%llu, %llu", (unsigned long long)f.written_total, (unsigned long long)f.dropped_total);
    journal_close(j);
    free(w);
}

/* The four bytes of a field in SQLite's header (sqlite.org/fileformat2.html, 1.3): user_version at 60, application_id at 68. */
static bool patch(const char *path, long at, uint32_t value)
{
    FILE *f = fopen(path, "r+");
    const unsigned char b[4] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16), (unsigned char)(value >> 8), (unsigned char)value };
    const bool ok = f && fseek(f, at, SEEK_SET) == 0 && fwrite(b, 1, 4, f) == 4;
    return f && fclose(f) == 0 && ok;
}

TEST(journal_of_a_newer_tutti_or_another_program_is_left_alone)
{
    struct err err = { 0 };
    const char *path = test_tmp("route.db");
    journal_close(open_or_skip(path, NULL));
    REQUIRE(patch(path, 60, 99));
    CHECK(!journal_open(path, NULL, &err) && err.code == ERR_UNSUPPORTED && strstr(err.text, "newer"), "%s", err.text);
    CHECK(!journal_reader_open(path, &err) && err.code == ERR_UNSUPPORTED, "%s", err.text);
    REQUIRE(patch(path, 60, 1) && patch(path, 68, 12345));
    CHECK(!journal_open(path, NULL, &err) && err.code == ERR_INPUT && strstr(err.text, "not a journal"), "%s", err.text);
    CHECK(!journal_reader_open(path, &err) && err.code == ERR_INPUT, "%s", err.text);
}

/* Random bytes are overwritten: every answer is fine but a crash or a row that is not what was written, if its world is. */
TEST(journal_survives_damage)
{
    const int rounds = getenv("TEST_QUICK") ? 20 : 150;
    const char *path = test_tmp("route.db"), *copy = test_tmp("copy.db");
    char command[2200];
    struct world *w = world_new(2, 8);
    struct journal *j = open_or_skip(path, NULL);
    REQUIRE(j);
    log_set_level(LOG_ERROR); /* one warning each is right, and no news */
    for (int i = 0; i < 30; i++)
        decide(j, w, i, (int64_t)time(NULL));
    journal_close(j);
    FILE *f = fopen(path, "r");
    REQUIRE(f);
    static unsigned char bytes[1 << 20];
    const size_t n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    snprintf(command, sizeof(command), "%s-wal", copy);
    for (int round = 0; round < rounds; round++) {
        struct err err = { 0 };
        uint64_t seen = 0, bad = 0;
        f = fopen(copy, "w");
        REQUIRE(f && fwrite(bytes, 1, n, f) == n);
        for (int k = 0; k < 1 + round % 40; k++) {
            fseek(f, (long)(test_rand_u64() % n), SEEK_SET);
            fputc((int)any(256), f);
        }
        REQUIRE(fclose(f) == 0);
        struct journal_reader *r = journal_reader_open(copy, &err);
        if (r)
            journal_each(r, &(struct journal_query){ 0 }, count_one, &seen, &bad, &err);
        journal_reader_close(r);
        struct journal *damaged = journal_open(copy, NULL, &err);
        if (damaged)
            decide(damaged, w, 1, (int64_t)time(NULL)), journal_close(damaged);
        unlink(copy), unlink(command);
    }
    free(w);
}

TEST(journal_writes_for_several_processes_and_a_killed_one_leaves_whole_rows)
{
    enum { PROCESSES = 3, ROWS = 200 };
    const char *path = test_tmp("route.db");
    struct world *w = world_new(2, 8);
    pid_t children[PROCESSES];
    int ready[2];
    char c;
    struct journal *j = open_or_skip(path, NULL);
    journal_close(j);
    REQUIRE(pipe(ready) == 0);
    for (int p = 0; p < PROCESSES; p++)
        if ((children[p] = fork()) == 0) {
            struct err err = { 0 };
            struct journal_figures f = { 0 };
            struct journal *mine = journal_open(path, NULL, &err);
            for (int i = 0; mine && i < ROWS; i++)
                decide(mine, w, p * ROWS + i, NOW);
            if (p == 0) { /* goes on until it is killed */
                while (mine && f.written_total < 5)
                    journal_get_figures(mine, &f);
                (void)!write(ready[1], "x", 1);
                for (int i = 0;; i++)
                    decide(mine, w, 5000 + i, NOW);
            }
            journal_close(mine);
            _exit(mine ? 0 : 1);
        }
    REQUIRE(read(ready[0], &c, 1) == 1);
    kill(children[0], SIGKILL);
    for (int p = 0; p < PROCESSES; p++) {
        int status = 0;
        waitpid(children[p], &status, 0);
        CHECK(p == 0 ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    close(ready[0]), close(ready[1]);
    uint64_t bad = 1;
    const uint64_t n = count(path, &(struct journal_query){ 0 }, &bad);
    CHECK(n >= (PROCESSES - 1) * ROWS + 5 && bad == 0, "%llu rows, %llu unreadable", (unsigned long long)n, (unsigned long long)bad);
    journal_close(open_or_skip(path, NULL));
    free(w);
}

struct busy {
    struct journal *j;
    struct world *w;
    int first;
};
static void *decide_many(void *ctx)
{
    const struct busy *b = ctx;
    const struct journal_outcome o = { .end = JOURNAL_DONE, .is_last = true, .total_s = 1, .ttft_s = 1, .joules = NAN, .usd = NAN };
    for (int i = 0; i < 300; i++) {
        char id[JOURNAL_ID_MAX];
        snprintf(id, sizeof(id), "r-%06d", b->first + i);
        decide(b->j, b->w, b->first + i, NOW);
        journal_ended(b->j, id, &o);
    }
    return NULL;
}

TEST(journal_is_written_by_threads_while_it_is_read)
{
    enum { THREADS = 3 };
    const char *path = test_tmp("route.db");
    struct journal *j = open_or_skip(path, NULL);
    struct busy busy[THREADS];
    pthread_t threads[THREADS];
    struct journal_figures f = { 0 };
    REQUIRE(j);
    for (int t = 0; t < THREADS; t++) {
        busy[t] = (struct busy){ j, world_new(2, 4), t * 1000 };
        REQUIRE(pthread_create(&threads[t], NULL, decide_many, &busy[t]) == 0);
    }
    uint64_t last = 0;
    for (int i = 0; i < 20; i++) {
        uint64_t bad;
        const uint64_t n = count(path, &(struct journal_query){ 0 }, &bad);
        CHECK(n >= last && bad == 0);
        last = n;
        journal_get_figures(j, &f);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    journal_get_figures(j, &f);
    const uint64_t dropped = f.dropped_total;
    journal_close(j);
    CHECK(dropped > 0 || count(path, &(struct journal_query){ 0 }, NULL) == THREADS * 300);
    for (int t = 0; t < THREADS; t++)
        free(busy[t].w);
}

/* A full disk, as far as one can have one without root: files of this process may not grow any more. */
TEST(journal_goes_on_when_the_disk_is_full)
{
    const char *path = test_tmp("route.db");
    struct world *w = world_new(2, 100);
    struct journal_figures f = { 0 };
    struct rlimit old;
    struct journal *j = open_or_skip(path, NULL);
    REQUIRE(j && getrlimit(RLIMIT_FSIZE, &old) == 0);
    signal(SIGXFSZ, SIG_IGN);
    log_set_level(LOG_WARN);
    const char *said = test_tmp("said");
    const int stderr_fd = dup(2), file = open(said, O_RDWR | O_CREAT | O_TRUNC, 0600);
    REQUIRE(stderr_fd >= 0 && file >= 0);
    dup2(file, 2);
    for (uint64_t round = 1; round <= 3; round++) { /* now there is room, now there is none */
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 64 << 10, old.rlim_max });
        for (int i = 0; i < 50; i++)
            decide(j, w, (int)round * 100 + i, NOW);
        for (const uint64_t end = clock_ns() + 60000000000u; f.dropped_total < 50 * round && clock_ns() < end;) {
            struct timespec ms = { .tv_nsec = 1000000 };
            nanosleep(&ms, NULL);
            journal_get_figures(j, &f);
        }
        CHECK(f.why[0] && f.dropped_total >= 50 * round, "%llu dropped", (unsigned long long)f.dropped_total);
        setrlimit(RLIMIT_FSIZE, &old);
        decide(j, w, 1000 + (int)round, NOW);
        CHECK(journal_flush(j, 60000), "it is written");
    }
    dup2(stderr_fd, 2);
    close(stderr_fd);
    log_set_level(LOG_ERROR);
    journal_close(j);
    uint64_t bad;
    CHECK(count(path, &(struct journal_query){ 0 }, &bad) == 3 && bad == 0, "it writes again when there is room");
    static char text[20000];
    const ssize_t n = pread(file, text, sizeof(text) - 1, 0);
    const char *first = n > 0 ? strstr(text, "are not kept") : NULL;
    CHECK(first && !strstr(first + 1, "are not kept"), "one warning: %s", text);
    close(file);
    free(w);
}

TEST(journal_can_be_read_where_nothing_can_be_written)
{
    const char *path = test_tmp("ro/route.db"), *folder = test_tmp("ro");
    struct err err = { 0 };
    struct world *w = world_new(1, 2);
    struct journal *j = open_or_skip(path, NULL);
    REQUIRE(j);
    decide(j, w, 1, NOW);
    journal_close(j);
    chmod(path, 0400), chmod(folder, 0500);
    if (access(folder, W_OK) != 0)
        CHECK(!journal_open(path, NULL, &err) && err.text[0], "%s", err.text);
    CHECK(count(path, &(struct journal_query){ 0 }, NULL) == 1);
    chmod(folder, 0700);
    free(w);
}

TEST(journal_path_follows_the_environment)
{
    char path[64];
    CHECK(journal_path("/state", "/home/x", path, sizeof(path)) && strcmp(path, "/state/tutti/route.db") == 0);
    CHECK(journal_path(NULL, "/home/x", path, sizeof(path)) && strcmp(path, "/home/x/.local/state/tutti/route.db") == 0);
    CHECK(journal_path("relative", "/h", path, sizeof(path)) && strcmp(path, "/h/.local/state/tutti/route.db") == 0);
    CHECK(!journal_path(NULL, NULL, path, sizeof(path)) && !journal_path("/state", NULL, path, 5));
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* What a decision waits for: encoding and copying, no file. */
BENCH(journal_decided_takes_microseconds)
{
    const char *path = test_tmp("route.db");
    struct err err = { 0 };
    struct world *w = world_new(5, 50);
    struct policy *policy = policy_new(&err);
    struct journal *j = open_or_skip(path, &(struct journal_options){ .queue_bytes = 64 << 20 });
    enum { N = 5000 };
    REQUIRE(j && policy);
    w->request.task = EXPERT_CHAT;
    policy_decide(policy, NULL, NULL, &w->request, &w->all, NULL, &w->decision);
    static double us[N];
    for (int i = 0; i < N; i++) {
        const uint64_t begin = clock_ns();
        decide(j, w, i, NOW);
        us[i] = (double)(clock_ns() - begin) / 1e3;
        if (i < N / 2 && i % 20 == 0)
            journal_flush(j, 10000);
    }
    qsort(us, N / 2, sizeof(double), compare_doubles), qsort(us + N / 2, N / 2, sizeof(double), compare_doubles);
    printf("# %.2f us a decision over 50 candidates (99 of 100: %.2f); in a flood %.2f us\n", us[N / 4], us[N * 99 / 200], us[N * 3 / 4]);
    const uint64_t closing = clock_ns();
    journal_close(j);
    printf("# then %.0f ms until %d are in the file\n", (double)(clock_ns() - closing) / 1e6, N);
    const uint64_t reading = clock_ns();
    const uint64_t n = count(path, &(struct journal_query){ 0 }, NULL);
    printf("# %.0f read in a second\n", (double)n * 1e9 / (double)(clock_ns() - reading));
    struct stat st;
    if (stat(path, &st) == 0)
        printf("# %.0f bytes each, %d of 50 able\n", (double)st.st_size / (double)n, w->decision.n_able);
    policy_free(policy);
    free(w);
}
