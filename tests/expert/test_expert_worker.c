/* tests/expert/test_expert_worker.c - whatever happens in a worker process, its jobs are told and nobody else notices.
 *
 * TEST_KILLS=n sets how many kills and stalls the random test makes (default 40; the figure to reach is 1,000). */
#include "fake_worker.h"

#include <sys/wait.h>

#include "base/log.h"
#include "expert/keeper.h"
#include "proc/memory.h"
#include "proc/sandbox.h"

TEST(a_worker_starts_with_its_first_job_and_answers_many)
{
    struct expert *e = fake_expert("", NULL, NULL);
    struct answer a;
    struct task_info info;
    CHECK(expert_get_state(e) == EXPERT_COLD && expert_worker_pid(e) == 0 && !expert_get_info(e, &info));
    for (int i = 0; i < 50; i++) {
        CHECK(answer_of(&a, e, "say hello world") && strcmp(a.text, "hello world") == 0, "%s", a.err.text);
        CHECK(a.n_started == 1 && a.n_results == 1);
    }
    CHECK(fake_metrics(e).starts_total == 1 && fake_metrics(e).deaths_total == 0 && fake_metrics(e).done_total[EXPERT_END_STOP] == 50);
    CHECK(expert_get_info(e, &info) && strcmp(info.runs_on, "a fake") == 0);
    CHECK(!answer_of(&a, e, "what?") && a.err.code == ERR_INPUT && strstr(a.err.text, "does not know"), "%s", a.err.text);
    CHECK(answer_of(&a, e, "say still there"));
    expert_free(e);
}

TEST(a_crash_costs_its_own_job_only_and_is_tried_once_more)
{
    char cache[192];
    snprintf(cache, sizeof(cache), "%s", test_tmp("cache"));
    REQUIRE(mkdir(cache, 0700) == 0);
    struct expert *e = fake_expert("", NULL, cache);
    struct answer bad, good[20], a;
    CHECK(answer_ask(&bad, e, "crash"));
    for (int i = 0; i < 20; i++)
        CHECK(answer_ask(&good[i], e, "say fine"));
    answer_wait(&bad);
    CHECK(!bad.is_done && bad.err.code == ERR_INTERNAL && strstr(bad.err.text, "worker"), "%s", bad.err.text);
    answer_free(&bad);
    for (int i = 0; i < 20; i++) {
        answer_wait(&good[i]);
        CHECK(good[i].is_done && strcmp(good[i].text, "fine") == 0, "%s", good[i].err.text);
        answer_free(&good[i]);
    }
    CHECK(fake_metrics(e).deaths_total == 2, "%d", (int)fake_metrics(e).deaths_total);
    CHECK(answer_of(&a, e, "crash-once f") && strcmp(a.text, "survived") == 0, "%s", a.err.text);
    CHECK(fake_metrics(e).deaths_total == 3 && a.n_started == 1);
    CHECK(!answer_of(&a, e, "exit") && strstr(a.err.text, "status 7"), "%s", a.err.text);
    expert_free(e);
}

TEST(what_waits_runs_as_one_batch_and_a_death_in_it_hurts_the_guilty_only)
{
    struct expert *e = fake_expert("", NULL, NULL);
    struct answer first, many[8];
    CHECK(answer_ask(&first, e, "busy 200"));
    for (int i = 0; i < 8; i++)
        CHECK(answer_ask(&many[i], e, "batch"));
    int largest = 0;
    answer_wait(&first), answer_free(&first);
    for (int i = 0; i < 8; i++) {
        answer_wait(&many[i]), answer_free(&many[i]);
        largest = atoi(many[i].text) > largest ? atoi(many[i].text) : largest;
        CHECK(many[i].n_queued <= 1);
    }
    CHECK(largest > 1 && largest <= 8, "%d", largest);
    CHECK(answer_ask(&first, e, "busy 200"));
    for (int i = 0; i < 8; i++)
        CHECK(answer_ask(&many[i], e, i == 3 ? "crash" : "say ok"));
    answer_wait(&first), answer_free(&first);
    for (int i = 0; i < 8; i++) {
        answer_wait(&many[i]), answer_free(&many[i]);
        CHECK(many[i].is_done == (i != 3), "%d: %s", i, many[i].err.text);
    }
    expert_free(e);
    e = fake_expert("batch: 2\nbatch_delay: 50ms\n", NULL, NULL); /* two meet although nothing is running */
    struct err err;
    CHECK(expert_wait_ready(e, &err));
    CHECK(answer_ask(&many[0], e, "batch") && answer_ask(&many[1], e, "batch"));
    answer_wait(&many[0]), answer_wait(&many[1]);
    CHECK(strcmp(many[0].text, many[1].text) == 0, "%s %s", many[0].text, many[1].text);
    answer_free(&many[0]), answer_free(&many[1]);
    expert_free(e);
}

TEST(limits_make_batches_small_leave_pauses_and_reach_the_task)
{
    struct expert *e = fake_expert("", NULL, NULL);
    struct answer first, many[8];
    struct err err;
    CHECK(expert_wait_ready(e, &err));
    expert_limit(e, &(struct expert_limits){ .threads = 0.25f, .batch = 0.1f, .context = 1, .input = 0.5f });
    CHECK(answer_ask(&first, e, "input"));
    answer_wait(&first), answer_free(&first);
    CHECK(strcmp(first.text, "50") == 0, "%s", first.text);
    const uint64_t start = clock_ns();
    CHECK(answer_ask(&first, e, "busy 30"));
    for (int i = 0; i < 8; i++)
        CHECK(answer_ask(&many[i], e, i < 4 ? "batch" : "busy 30"));
    answer_wait(&first), answer_free(&first);
    for (int i = 0; i < 8; i++) {
        answer_wait(&many[i]), answer_free(&many[i]);
        CHECK(many[i].is_done && (i >= 4 || strcmp(many[i].text, "1") == 0), "%d: %s", i, many[i].text);
    }
    const double ms = (double)(clock_ns() - start) / 1e6;
    CHECK(ms > 5 * 30 + 4 * 80, "%.0f ms: it works a quarter of the time", ms); /* 90 ms of pause after each */
    expert_limit(e, &(struct expert_limits){ .threads = 1, .batch = 1, .context = 1, .input = 1 });
    int largest = 0;
    for (int turn = 0; turn < 10 && largest <= 1; turn++) { /* on a loaded machine they may come when the first one is long done */
        CHECK(answer_ask(&first, e, "busy 200"));
        for (int i = 0; i < 8; i++)
            CHECK(answer_ask(&many[i], e, "batch"));
        answer_wait(&first), answer_free(&first);
        for (int i = 0; i < 8; i++) {
            answer_wait(&many[i]), answer_free(&many[i]);
            largest = atoi(many[i].text) > largest ? atoi(many[i].text) : largest;
        }
    }
    CHECK(largest > 1, "%d", largest);
    expert_free(e);
}

TEST(a_hang_ends_at_the_cards_timeout_and_a_stop_is_seen_at_once)
{
    struct expert *e = fake_expert("timeout: 3s\n", NULL, NULL);
    struct answer a, b;
    CHECK(answer_ask(&a, e, "hang") && answer_ask(&b, e, "say next"));
    answer_wait(&a), answer_wait(&b);
    CHECK(!a.is_done && strstr(a.err.text, "no answer within 3 s") && b.is_done, "%s %s", a.err.text, b.err.text);
    answer_free(&a), answer_free(&b);
    expert_free(e);

    e = fake_expert("", NULL, NULL); /* a timeout of a minute */
    const uint64_t t0 = clock_ns();
    CHECK(!answer_of(&a, e, "stop") && strstr(a.err.text, "stopped"), "%s", a.err.text);
    CHECK(clock_ns() - t0 < 50000000000u /* before its minute is over */ && fake_metrics(e).hangs_total == 2);
    CHECK(answer_of(&a, e, "say on"));
    expert_free(e);
}

TEST(a_worker_that_grows_is_ended_at_its_bound)
{
    struct expert *e = fake_expert("memory: 60MB\n", NULL, NULL);
    struct answer a;
    CHECK(!answer_of(&a, e, "grow") && (strstr(a.err.text, "MB of memory") || a.err.code == ERR_NOMEM), "%s", a.err.text);
    CHECK(answer_of(&a, e, "say small again"));
    expert_free(e);
}

TEST(cancelling_ends_the_job_at_once_and_a_deaf_worker_soon)
{
    struct expert *e = fake_expert("", NULL, NULL);
    struct answer a, b;
    CHECK(answer_ask(&a, e, "cancel"));
    answer_wait_started(&a);
    const int pid = expert_worker_pid(e);
    job_cancel(a.job);
    answer_wait(&a);
    CHECK(a.err.code == ERR_CANCELLED && answer_of(&b, e, "pid") && atoi(b.text) == pid); /* it listened: the same process */
    answer_free(&a);
    CHECK(answer_ask(&a, e, "hang") && answer_ask(&b, e, "say free"));
    answer_wait_started(&a);
    job_cancel(a.job);
    answer_wait(&a);
    CHECK(a.err.code == ERR_CANCELLED);
    answer_wait(&b);
    CHECK(b.is_done && expert_worker_pid(e) != pid && fake_metrics(e).deaths_total == 0, "%d %d %d %s", pid, expert_worker_pid(e),
          (int)fake_metrics(e).deaths_total, b.err.text);
    answer_free(&a), answer_free(&b);
    CHECK(answer_ask(&a, e, "busy 100") && answer_ask(&b, e, "say never")); /* while it waits */
    job_cancel(b.job);
    answer_wait(&b);
    CHECK(b.err.code == ERR_CANCELLED && b.n_started == 0);
    answer_wait(&a);
    answer_free(&a), answer_free(&b);
    answer_job(&a, "say too late");
    a.job->deadline_ns = clock_ns() - 1;
    struct err err;
    CHECK(expert_submit(e, a.job, &err));
    answer_wait(&a);
    CHECK(a.err.code == ERR_BUSY && strstr(a.err.text, "deadline"), "%s", a.err.text);
    answer_free(&a);
    expert_free(e);
}

TEST(what_cannot_be_opened_is_down_with_its_reason_and_tried_again_later)
{
    struct answer a;
    struct err err;
    struct expert *e = fake_expert("open: fail\n", NULL, NULL);
    CHECK(!answer_of(&a, e, "say x") && a.err.code == ERR_NOT_FOUND && strcmp(a.err.text, "the fake has no model") == 0, "%s", a.err.text);
    CHECK(expert_get_state(e) == EXPERT_DOWN && strstr(fake_metrics(e).why, "no model"));
    CHECK(!answer_ask(&a, e, "say x") && a.err.code == ERR_BUSY && strstr(a.err.text, "is down: the fake has no model"), "%s", a.err.text);
    answer_free(&a);
    CHECK(!expert_wait_ready(e, &err) && err.code == ERR_NOT_FOUND); /* asked by hand it tries at once */
    CHECK(fake_metrics(e).starts_total == 2);
    expert_free(e);
    e = fake_expert("open: crash\n", NULL, NULL);
    CHECK(!answer_of(&a, e, "say x") && strstr(a.err.text, "while loading"), "%s", a.err.text);
    CHECK(fake_metrics(e).starts_total == 5, "%d", (int)fake_metrics(e).starts_total);
    expert_free(e);
    e = fake_expert("nonsense: 1\n", NULL, NULL);
    CHECK(!answer_of(&a, e, "say x") && strstr(a.err.text, "nonsense"), "%s", a.err.text); /* the card is judged by its kind */
    expert_free(e);
}

TEST(nonsense_from_a_worker_hurts_nobody)
{
    struct expert *e = fake_expert("", NULL, NULL);
    struct answer a;
    for (int i = 0; i < 10; i++) {
        char line[32];
        snprintf(line, sizeof(line), "bad %d", i);
        answer_of(&a, e, line);
        CHECK(a.n_final == 1, "%d", i);
        CHECK(i == 8 || !a.is_done, "%d", i); /* 8 answers before it talks nonsense */
        CHECK(answer_of(&a, e, "say fine"), "%d %s", i, a.err.text);
    }
    expert_free(e);
}

TEST(speech_streams_through_a_ring_that_is_smaller_and_a_slow_reader_holds_it)
{
    struct expert *e = fake_expert("", NULL, NULL);
    struct answer a;
    const int n = getenv("TEST_QUICK") ? 3000 : 30000; /* 288 MB through 256 */
    char line[32];
    snprintf(line, sizeof(line), "audio %d", n);
    answer_job(&a, line);
    struct err err;
    expert_unload(e); /* whatever comes first */
    CHECK(expert_wait_ready(e, &err), "%s", err.text);
    a.job->task = EXPERT_SPEAK;
    CHECK(!expert_submit(e, a.job, &err) && err.code == ERR_UNSUPPORTED, "%s", err.text); /* its card says classify */
    answer_free(&a);
    expert_free(e);

    const char *speaks = "task: speak\nkind: fake\ntimeout: 60s\n";
    struct card *c = card_parse("f.yaml", speaks, strlen(speaks), ".", NULL, &err);
    REQUIRE(c && (e = expert_worker_open(c, &(struct expert_env){ 0 }, &err)), "%s", err.text);
    CHECK(answer_ask(&a, e, line));
    answer_wait(&a);
    CHECK(a.is_done && a.n_audio == n && !a.out_of_order, "%d %s", a.n_audio, a.err.text);
    answer_free(&a);
    answer_job(&a, line);
    job_hold(a.job, true);
    CHECK(expert_submit(e, a.job, &err));
    answer_wait_started(&a);
    fake_pass(20);
    CHECK(a.n_final == 0);
    job_hold(a.job, false);
    answer_wait(&a);
    CHECK(a.is_done && a.n_audio == n && !a.out_of_order, "%d %s", a.n_audio, a.err.text);
    answer_free(&a);
    CHECK(answer_ask(&a, e, "audio 100000000")); /* in the middle of it: what was said stays said, and it is not said twice */
    answer_wait_started(&a);
    pthread_mutex_lock(&a.lock);
    while (a.n_audio < 10)
        pthread_cond_wait(&a.cond, &a.lock);
    pthread_mutex_unlock(&a.lock);
    kill(expert_worker_pid(e), SIGKILL);
    answer_wait(&a);
    CHECK(!a.is_done && !a.out_of_order && strstr(a.err.text, "signal 9"), "%s", a.err.text);
    answer_free(&a);
    expert_free(e);
}

TEST(large_things_go_through_shared_memory_and_too_large_ones_are_refused)
{
    struct expert *e = fake_expert("", NULL, NULL);
    struct answer a;
    struct err err;
    CHECK(answer_of(&a, e, "big 40") && a.n_vector == 40 << 18 && a.last_sample == 5.0f, "%s", a.err.text);
    CHECK(!answer_of(&a, e, "big 65") && a.err.code == ERR_LIMIT, "%s", a.err.text);
    answer_job(&a, "sniff");
    const size_t n = (size_t)20 << 20;
    char *bytes = malloc(n);
    memset(bytes, 'x', n);
    ((struct task_media *)(size_t)a.job->request.media)[1] = (struct task_media){ .bytes = bytes, .n_bytes = n };
    a.job->request.n_media = 2;
    CHECK(expert_submit(e, a.job, &err));
    answer_wait(&a);
    CHECK(strcmp(a.text, "xxxxx") == 0, "%s", a.err.text);
    answer_free(&a);
    answer_job(&a, "sniff");
    ((struct task_media *)(size_t)a.job->request.media)[1] = (struct task_media){ .bytes = bytes, .n_bytes = (size_t)1 << 40 };
    a.job->request.n_media = 2;
    CHECK(!expert_submit(e, a.job, &err) && err.code == ERR_LIMIT, "%s", err.text);
    answer_free(&a);
    free(bytes);
    expert_free(e);
}

static bool ask_session(struct answer *a, struct expert *e, uint64_t id, bool start)
{
    struct err err;
    answer_job(a, "count");
    a->job->request.session = id;
    a->job->request.session_start = start;
    const bool ok = expert_submit(e, a->job, &err);
    answer_wait(a);
    answer_free(a);
    return ok && a->is_done;
}

TEST(sessions_stay_in_order_and_end_with_their_worker)
{
    struct expert *e = fake_expert("", NULL, NULL);
    struct answer a, many[30];
    struct err err;
    CHECK(ask_session(&a, e, 5, true) && strcmp(a.text, "1") == 0);
    for (int i = 0; i < 30; i++) {
        answer_job(&many[i], "count");
        many[i].job->request.session = (uint64_t)(i % 2 ? 5 : 6);
        many[i].job->request.session_start = i == 0;
        CHECK(expert_submit(e, many[i].job, &err));
    }
    for (int i = 0; i < 30; i++) {
        answer_wait(&many[i]);
        CHECK(atoi(many[i].text) == i / 2 + 1 + i % 2, "%d: %s", i, many[i].text);
        answer_free(&many[i]);
    }
    kill(expert_worker_pid(e), SIGKILL);
    CHECK(!ask_session(&a, e, 5, false), "%s", a.text);
    CHECK(strstr(a.err.text, "begin again") || strstr(a.err.text, "signal 9"), "%s", a.err.text);
    CHECK(ask_session(&a, e, 5, true) && strcmp(a.text, "1") == 0, "%s", a.err.text);
    expert_free(e);
}

TEST(a_worker_that_was_taken_over_reaches_nothing)
{
    struct answer a;
    char cache[192], line[256];
    setenv("TUTTI_TEST_SECRET", "key", 1);
    snprintf(cache, sizeof(cache), "%s", test_tmp("cache"));
    REQUIRE(mkdir(cache, 0700) == 0);
    struct expert *e = fake_expert("", NULL, cache);
    const bool files = !strstr(sandbox_lacks(), "landlock"), calls = !strstr(sandbox_lacks(), "seccomp");
    snprintf(line, sizeof(line), "write %s", test_tmp("elsewhere"));
    const struct { const char *line, *expect; bool can; } cases[] = {
        { "socket", "refused", calls }, { "fork", "refused", calls }, { "exec", "refused", calls }, { "read /etc/passwd", "refused", files },
        { line, "refused", files },     { "read /usr/bin/env", "done", true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (cases[i].can)
            CHECK(answer_of(&a, e, cases[i].line) && strcmp(a.text, cases[i].expect) == 0, "%s: %s %s", cases[i].line, a.text, a.err.text);
    CHECK(answer_of(&a, e, "env TUTTI_TEST_SECRET") && strcmp(a.text, "not there") == 0);
    CHECK(answer_of(&a, e, "env PATH") && strcmp(a.text, "there") == 0);
    snprintf(line, sizeof(line), "write %s/x", cache);
    CHECK(answer_of(&a, e, line) && strcmp(a.text, "done") == 0);
    expert_free(e);
}

TEST(idle_workers_are_unloaded_and_stopping_ends_everything)
{
    struct answer a, b;
    struct err err;
    struct expert *e = fake_expert("keep: 50ms\n", NULL, NULL);
    CHECK(answer_of(&a, e, "say hi"));
    while (expert_get_state(e) != EXPERT_COLD)
        fake_pass(5);
    CHECK(expert_worker_pid(e) == 0 && waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    CHECK(answer_of(&a, e, "say again") && fake_metrics(e).starts_total == 2);
    expert_free(e);
    e = fake_expert("keep: always\n", NULL, NULL);
    CHECK(answer_of(&a, e, "say hi"));
    expert_unload(e);
    while (expert_get_state(e) != EXPERT_COLD)
        fake_pass(5);
    CHECK(answer_ask(&a, e, "hang") && answer_ask(&b, e, "say never"));
    expert_stop(e, 0);
    CHECK(a.err.code == ERR_BUSY && strstr(a.err.text, "shutting down") && b.err.code == ERR_BUSY);
    answer_free(&a), answer_free(&b);
    CHECK(!answer_ask(&a, e, "say never") && a.err.code == ERR_BUSY && !expert_wait_ready(e, &err));
    answer_free(&a);
    expert_free(e);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

TEST(what_makes_no_sense_is_refused_at_the_door)
{
    struct answer a;
    struct err err;
    struct expert *e = fake_expert("", NULL, NULL);
    answer_job(&a, "say x");
    a.job->request.options.language = "\xff";
    CHECK(!expert_submit(e, a.job, &err) && err.code == ERR_INPUT, "%s", err.text);
    a.job->request.options.language = NULL;
    a.job->request.n_media = 17;
    CHECK(!expert_submit(e, a.job, &err) && err.code == ERR_INPUT);
    a.job->request.n_media = 1;
    a.job->task = EXPERT_OCR;
    CHECK(!expert_submit(e, a.job, &err) && err.code == ERR_UNSUPPORTED);
    answer_free(&a);
    expert_free(e);
}

/* ---- kills and stalls at random ---- */

static void run_kills(int n_hurts)
{
    enum { JOBS = 24 };
    static struct answer jobs[JOBS];
    struct expert *e = fake_expert("open: slow\n", NULL, NULL);
    struct expert_metrics m;
    uint64_t seen_max_ns = 0;
    int n_asked = 0, n_done = 0, n_errors = 0, n_stops = 0;
    for (int hurt = 0; hurt < n_hurts;) {
        const int n = 1 + (int)(test_rand_u64() % JOBS);
        for (int i = 0; i < n; i++) {
            char line[32];
            snprintf(line, sizeof(line), test_rand_u64() % 2 ? "busy %d" : "say %d", (int)(test_rand_u64() % 4));
            n_asked += answer_ask(&jobs[i], e, line);
        }
        const bool stop = test_rand_u64() % 3 == 0;
        fake_pass((long)(test_rand_u64() % 12));
        const int pid = expert_worker_pid(e);
        if (pid > 0 && kill(pid, stop ? SIGSTOP : SIGKILL) == 0) {
            hurt++;
            n_stops += stop;
        }
        for (int i = 0; i < n; i++) {
            if (!jobs[i].job)
                continue;
            answer_wait(&jobs[i]);
            n_done += jobs[i].is_done;
            n_errors += !jobs[i].is_done;
            if (!jobs[i].is_done && strstr(jobs[i].err.text, "is down"))
                printf("# %s\n", jobs[i].err.text);
            answer_free(&jobs[i]);
        }
        if (!stop && pid > 0) { /* seen at once: all answers came, so it was; how long did a kill of an idle one take to see? */
            const int now = expert_worker_pid(e);
            const uint64_t t0 = clock_ns();
            if (now > 0 && kill(now, SIGKILL) == 0) {
                while (expert_worker_pid(e) == now)
                    sched_yield();
                const uint64_t took = clock_ns() - t0;
                seen_max_ns = took > seen_max_ns ? took : seen_max_ns;
                hurt++;
            }
        }
    }
    expert_get_metrics(e, &m);
    CHECK(n_asked == n_done + n_errors);
    CHECK(n_errors <= n_asked / 50, "%d of %d", n_errors, n_asked); /* only who was in two deaths */
    CHECK(seen_max_ns < 60000000000u, "%.1f ms", (double)seen_max_ns / 1e6);
    printf("# %d kills and %d stops: %d jobs, %d done, %d with an error; a death is seen within %.1f ms; %d starts\n", n_hurts - n_stops, n_stops,
           n_asked, n_done, n_errors, (double)seen_max_ns / 1e6, (int)m.starts_total);
    expert_free(e);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

TEST(random_kills_and_stalls_lose_no_job_and_answer_none_twice)
{
    const char *n = getenv("TEST_KILLS");
    run_kills(n ? atoi(n) : getenv("TEST_QUICK") ? 20 : 40);
}

/* ---- real processes under a cap ---- */

static void run_swaps(int n_jobs)
{
    enum { EXPERTS = 4, WINDOW = 12 };
    struct err err;
    struct expert *e[EXPERTS];
    struct keeper *k = keeper_new(&(struct keeper_options){ .cap_bytes = 130u << 20, .patience_ms = 20 }, &err);
    static struct answer a[WINDOW];
    int n_bad = 0;
    for (int i = 0; i < EXPERTS; i++)
        e[i] = fake_expert("memory: 60MB\n", k, NULL); /* two at a time */
    for (int done = 0; done < n_jobs; done += WINDOW) {
        for (int i = 0; i < WINDOW; i++)
            CHECK(answer_ask(&a[i], e[test_rand_u64() % EXPERTS], test_rand_u64() % 2 ? "busy 1" : "say x"), "%s", a[i].err.text);
        for (int i = 0; i < WINDOW; i++) {
            answer_wait(&a[i]);
            n_bad += !a[i].is_done;
            CHECK(a[i].is_done, "%s", a[i].err.text);
            answer_free(&a[i]);
        }
        struct keeper_figures f;
        keeper_get_figures(k, &f);
        CHECK(f.used_bytes <= 130u << 20);
    }
    uint64_t n_starts = 0;
    for (int i = 0; i < EXPERTS; i++) {
        n_starts += fake_metrics(e[i]).starts_total;
        expert_free(e[i]);
    }
    printf("# %d jobs over %d experts of which 2 fit: %d loads, %d failed\n", n_jobs, EXPERTS, (int)n_starts, n_bad);
    keeper_free(k);
}

TEST(real_workers_swap_under_a_cap_without_a_failed_job)
{
    const char *n = getenv("TEST_SWAPS");
    run_swaps(n ? atoi(n) : 120);
}

/* ---- how long ---- */

BENCH(round_trip)
{
    struct expert *e = fake_expert("", NULL, NULL);
    struct answer a;
    answer_of(&a, e, "say x");
    enum { N = 3000 };
    static uint64_t ns[N];
    for (int i = 0; i < N; i++) {
        answer_job(&a, "say x");
        struct err err;
        const uint64_t t0 = clock_ns();
        expert_submit(e, a.job, &err);
        answer_wait(&a);
        ns[i] = clock_ns() - t0;
        answer_free(&a);
    }
    for (int i = 1; i < N; i++) /* small enough */
        for (int k = i; k > 0 && ns[k] < ns[k - 1]; k--) {
            const uint64_t t = ns[k];
            ns[k] = ns[k - 1];
            ns[k - 1] = t;
        }
    printf("# round trip: least %.1f us, median %.1f us, p99 %.1f us\n", (double)ns[0] / 1e3, (double)ns[N / 2] / 1e3, (double)ns[N * 99 / 100] / 1e3);
    const uint64_t t0 = clock_ns();
    for (int i = 0; i < 20; i++) {
        struct err err;
        expert_unload(e);
        while (expert_get_state(e) != EXPERT_COLD)
            sched_yield();
        expert_wait_ready(e, &err);
    }
    printf("# start of a worker: %.1f ms\n", (double)(clock_ns() - t0) / 20e6);
    expert_free(e);
}
