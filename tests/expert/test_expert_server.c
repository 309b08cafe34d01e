/* tests/expert/test_expert_server.c - servers as experts: what a job gets, what a card may say, what goes wrong. */
#include "collect.h"
#include "fake.h"

#include "base/clock.h"
#include "base/log.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct err err;

#define CHILD "kind: server\ncommand: [%s, --port, '{port}'"

/* Results beyond text. */
struct more {
    char text[256], language[16];
    int n_tensors, first_i64;
    float last_f32;
    int n_results, n_segments, n_words, n_audio, rate_hz, n_done;
    double duration_s;
    struct err err;
    pthread_mutex_t lock;
    pthread_cond_t cond;
};

static void more_event(void *ctx, const struct expert_event *ev)
{
    struct more *m = ctx;
    pthread_mutex_lock(&m->lock);
    if (ev->kind == EXPERT_RESULT) {
        m->n_results++;
        snprintf(m->text, sizeof(m->text), "%s", ev->result->text ? ev->result->text : "");
        snprintf(m->language, sizeof(m->language), "%s", ev->result->language ? ev->result->language : "");
        m->n_segments += ev->result->n_segments, m->n_words += ev->result->n_words;
        m->duration_s = ev->result->duration_s;
    } else if (ev->kind == EXPERT_AUDIO) {
        m->n_audio += ev->n_samples, m->rate_hz = ev->rate_hz;
    } else if (ev->kind == EXPERT_TENSOR) {
        const struct tensor *t = ev->tensor;
        m->n_tensors++;
        if (t->type == TENSOR_I64)
            m->first_i64 = (int)((const int64_t *)t->data)[0];
        else if (t->type == TENSOR_F32)
            m->last_f32 = ((const float *)t->data)[t->n_bytes / 4 - 1];
    } else if (ev->kind == EXPERT_DONE || ev->kind == EXPERT_ERROR) {
        m->n_done++;
        if (ev->err)
            m->err = *ev->err;
        pthread_cond_signal(&m->cond);
    }
    pthread_mutex_unlock(&m->lock);
}

static bool more_run(struct expert *e, struct job *j, struct more *m)
{
    *m = (struct more){ .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };
    j->on_event = more_event;
    j->ctx = m;
    const bool ok = expert_submit(e, j, &err);
    job_unref(j);
    pthread_mutex_lock(&m->lock);
    while (ok && m->n_done == 0)
        pthread_cond_wait(&m->cond, &m->lock);
    pthread_mutex_unlock(&m->lock);
    return ok;
}


static void chat(struct collect *c, struct expert *e, const char *text, int n)
{
    fake_chat(collect_job(c, ""), text, n);
    if (collect_submit(c, e))
        collect_wait(c);
}

TEST(a_chat_comes_back_in_pieces_with_the_servers_count)
{
    struct expert *e = fake_open(&err, CHILD "]\nname: f\ntask: chat\n", fake_path());
    static struct collect c;
    struct expert_card card;
    struct expert_metrics m;
    REQUIRE(e, "%s", err.text);
    CHECK(expert_get_state(e) == EXPERT_COLD, "not cold at first");
    chat(&c, e, "the quick brown fox", 6);
    CHECK(c.is_done && strcmp(c.choice[0].text, "the quick brown fox the quick") == 0, "'%s' %s", c.choice[0].text, c.err.text);
    CHECK(c.usage.n_prompt_tok == 4 && c.usage.n_gen_tok == 6 && c.n_deltas >= 6 && c.choice[0].reason == EXPERT_LENGTH && c.choice[0].n_ends == 1,
          "%d %d %d", c.usage.n_prompt_tok, c.usage.n_gen_tok, c.n_deltas);
    CHECK(c.n_queued == 1 && c.n_started == 1, "%d queued, %d started", c.n_queued, c.n_started);
    collect_free(&c);
    expert_get_card(e, &card);
    expert_get_metrics(e, &m);
    CHECK(strcmp(card.kind, "server") == 0 && card.tasks == (EXPERT_CHAT | EXPERT_COMPLETE) && card.privacy == EXPERT_LOCAL, "card");
    CHECK(m.gen_tok_total == 6 && m.done_total[EXPERT_END_LENGTH] == 1 && m.done_total[EXPERT_END_STOP] == 0 && m.load_ns > 0, "%s", expert_state_name(m.state));

    collect_job(&c, "a b c")->max_tokens = 4; /* a completion, on the same server */
    collect_submit(&c, e), collect_wait(&c);
    CHECK(c.is_done && strcmp(c.choice[0].text, "a b c a") == 0, "'%s' %s", c.choice[0].text, c.err.text);
    collect_free(&c);
    expert_free(e);
}

TEST(pictures_in_messages_go_through_as_they_are)
{
    struct expert *e = fake_open(&err, CHILD "]\nname: f\ntask: chat\nsees: true\n", fake_path());
    static struct collect c;
    struct more m;
    REQUIRE(e, "%s", err.text);
    struct job *j = collect_job(&c, "");
    j->task = EXPERT_CHAT;
    j->max_tokens = 3;
    j->vars = json_pack("{s:[{s:s,s:[{s:s,s:s},{s:s,s:{s:s}}]}]}", "messages", "role", "user", "content", "type", "text", "text", "what is", "type",
                        "image_url", "image_url", "url", "data:image/png;base64,AAAA");
    collect_submit(&c, e), collect_wait(&c);
    CHECK(c.is_done && strcmp(c.choice[0].text, "what is picture-of-26-characters") == 0, "'%s' %s", c.choice[0].text, c.err.text);
    collect_free(&c);
    j = job_new(1 << 20, &err);
    j->task = EXPERT_DESCRIBE;
    j->request.media = &(struct task_media){ .form = MEDIA_ENCODED, .bytes = "\x89PNG1234", .n_bytes = 8 };
    j->request.n_media = 1;
    REQUIRE(more_run(e, j, &m), "%s", err.text);
    CHECK(m.n_results == 1 && strncmp(m.text, "Describe this picture. picture-of-", 34) == 0, "'%s' %s", m.text, m.err.text);
    expert_free(e);
}

TEST(embeddings_come_in_order)
{
    struct expert *e = fake_open(&err, CHILD ", --dims, '5']\nname: f\ntask: embed\n", fake_path());
    static struct collect c;
    REQUIRE(e, "%s", err.text);
    struct job *j = collect_job(&c, "x");
    struct job_input in[3] = { { .text = "one", .n_text = 3 }, { .text = "two", .n_text = 3 }, { .text = "one", .n_text = 3 } };
    j->task = EXPERT_EMBED;
    j->inputs = in;
    j->n_inputs = 3;
    collect_submit(&c, e), collect_wait(&c);
    CHECK(c.is_done && c.n_vectors == 3 && c.n_vector == 5 && c.usage.n_prompt_tok == 3, "%d vectors of %d: %s", c.n_vectors, c.n_vector, c.err.text);
    collect_free(&c);
    fake_chat(collect_job(&c, ""), "hi", 1);
    CHECK(!expert_submit(e, c.job, &err) && err.code == ERR_UNSUPPORTED, "%s", err.text);
    collect_free(&c);
    expert_free(e);
}

TEST(sound_is_uploaded_and_heard_and_spoken)
{
    struct expert *e = fake_open(&err, CHILD "]\nname: f\ntask: transcribe\ntasks: [speak]\n", fake_path());
    struct more m;
    REQUIRE(e, "%s", err.text);
    static const float samples[1600];
    const struct task_media media[2] = { { .form = MEDIA_ENCODED, .bytes = "RIFF....WAVE", .n_bytes = 12 },
                                         { .form = MEDIA_F32, .bytes = samples, .n_bytes = sizeof(samples), .rate_hz = 16000 } };
    for (int i = 0; i < 2; i++) {
        struct job *j = job_new(1 << 20, &err);
        j->task = EXPERT_TRANSCRIBE;
        j->request.media = &media[i];
        j->request.n_media = 1;
        j->request.options.wants_words = true;
        REQUIRE(more_run(e, j, &m), "%s", err.text);
        CHECK(m.n_results == 1 && strncmp(m.text, "heard ", 6) == 0 && m.n_segments == 1 && m.n_words == 1 && strcmp(m.language, "english") == 0,
              "'%s' %s", m.text, m.err.text);
        CHECK(m.duration_s == 1.5 && atoi(m.text + 6) > (i ? 3200 : 12), "%s", m.text);
    }
    struct job *j = job_new(1 << 20, &err);
    j->task = EXPERT_SPEAK;
    j->request.texts = &(struct task_text){ "say these four words", 20 };
    j->request.n_texts = 1;
    REQUIRE(more_run(e, j, &m), "%s", err.text);
    CHECK(m.n_audio == 4 * 1200 && m.rate_hz == 24000 && m.err.code == ERR_NONE, "%d samples of %d Hz: %s", m.n_audio, m.rate_hz, m.err.text);
    expert_free(e);
}

/* A fake engine of our own that a remote card finds. */
static pid_t start_remote(char *url, size_t max, const char *const *more)
{
    int fds[2];
    const char *argv[24] = { fake_path() };
    for (int i = 0; more && more[i]; i++)
        argv[i + 1] = more[i];
    char line[128] = "";
    if (pipe(fds) != 0)
        return -1;
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(fds[1]);
    FILE *f = fdopen(fds[0], "r");
    if (!f || !fgets(line, sizeof(line), f))
        line[0] = '\0';
    char *at = strstr(line, "http://");
    snprintf(url, max, "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
    if (f)
        fclose(f);
    return pid;
}

TEST(a_remote_server_is_an_expert_in_two_protocols)
{
    char url[80];
    const pid_t pid = start_remote(url, sizeof(url), NULL);
    static struct collect c;
    struct expert *e = fake_open(&err, "kind: remote\nname: r\ntask: chat\nmodel: m\nurl: %s/v1\n", url);
    REQUIRE(e, "%s", err.text);
    CHECK(expert_wait_ready(e, &err), "%s", err.text);
    chat(&c, e, "over there", 3);
    CHECK(c.is_done && strcmp(c.choice[0].text, "over there over") == 0, "'%s' %s", c.choice[0].text, c.err.text);
    collect_free(&c);
    expert_free(e);

    e = fake_open(&err, "kind: remote\nname: o\ntask: chat\nmodel: m\nprotocol: ollama\nurl: %s\n", url);
    REQUIRE(e, "%s", err.text);
    chat(&c, e, "in lines", 3);
    CHECK(c.is_done && strcmp(c.choice[0].text, "in lines in") == 0 && c.usage.n_gen_tok == 3 && c.usage.n_prompt_tok == 2, "'%s' %s",
          c.choice[0].text, c.err.text);
    collect_free(&c);
    CHECK(expert_wait_ready(e, &err), "%s", err.text);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CHECK(!expert_wait_ready(e, &err) && strstr(err.text, "127.0.0.1"), "%s", err.text);
    chat(&c, e, "nobody", 3);
    CHECK(!c.is_done && c.err.code == ERR_IO && strstr(c.err.text, "127.0.0.1"), "%s", c.err.text);
    collect_free(&c);
    expert_free(e);
}

TEST(tensors_go_and_come_in_json_and_in_binary)
{
    for (int is_binary = 0; is_binary < 2; is_binary++) {
        struct expert *e = fake_open(&err, CHILD "]\nname: t\ntask: infer\nmodel: fake\nprotocol: oip\nbinary: %s\n", fake_path(), is_binary ? "true" : "false");
        struct more m;
        float x[6] = { 1, 2, 3, 4, 5, 0.1f };
        int64_t n[2] = { -7, 8 };
        const struct tensor in[12] = { { "x", TENSOR_F32, 2, { 2, 3 }, x, sizeof(x) }, { "n", TENSOR_I64, 1, { 2 }, n, sizeof(n) },
                                       { "a", TENSOR_I64, 1, { 2 }, n, sizeof(n) }, { "b", TENSOR_I64, 1, { 2 }, n, sizeof(n) },
                                       { "c", TENSOR_I64, 1, { 2 }, n, sizeof(n) }, { "d", TENSOR_I64, 1, { 2 }, n, sizeof(n) },
                                       { "e", TENSOR_I64, 1, { 2 }, n, sizeof(n) }, { "f", TENSOR_I64, 1, { 2 }, n, sizeof(n) },
                                       { "g", TENSOR_I64, 1, { 2 }, n, sizeof(n) }, { "h", TENSOR_I64, 1, { 2 }, n, sizeof(n) } };
        REQUIRE(e, "%s", err.text);
        for (int n_in = 2; n_in <= 10; n_in += 8) { /* in pieces, and more of them than a request has */
            struct job *j = job_new(1 << 20, &err);
            j->task = EXPERT_INFER;
            j->request.tensors = in;
            j->request.n_tensors = n_in;
            REQUIRE(more_run(e, j, &m), "%s", err.text);
            CHECK(m.n_tensors == n_in && m.first_i64 == -7 && m.last_f32 == 0.1f, "%d: %d tensors, %d, %g: %s", n_in, m.n_tensors, m.first_i64,
                  (double)m.last_f32, m.err.text);
        }
        struct task_info info;
        while (!expert_get_info(e, &info)) /* asked of the server once it has answered */
            nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
        CHECK(info.n_inputs == 1 && info.n_outputs == 1 && strcmp(info.inputs[0].shape.name, "x") == 0 && info.inputs[0].shape.dims[0] == -1, "%d inputs",
              info.n_inputs);
        expert_free(e);
    }
}

TEST(an_answer_that_breaks_off_is_an_error_and_one_that_never_began_is_asked_again)
{
    static const struct {
        const char *fault, *at;
        bool is_done;
        const char *says;
    } table[] = {
        { "--crash-at", "0", true, "" },             { "--crash-at", "3", false, "ended with status 3" },
        { "--cut-at", "0", true, "" },               { "--cut-at", "3", false, "" },
        { "--garbage-at", "0", true, "" },           { "--garbage-at", "2", false, "not a JSON object" },
        { "--stall-at", "0", true, "" },             { "--stall-at", "2", false, "no progress" },
    };
    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        /* The first request of a process is struck; a restarted one would be struck again, so the journal is a flag. */
        char cmd[1024];
        static struct collect c;
        snprintf(cmd, sizeof(cmd), "[sh, -c, 'if mkdir %s/once-%zu; then exec %s --port $0 %s %s; else exec %s --port $0; fi', '{port}']",
                 test_tmp(""), i, fake_path(), table[i].fault, table[i].at, fake_path());
        const char *bound = strcmp(table[i].fault, "--stall-at") == 0 ? "3s" : "60s"; /* what a loaded machine does not pass by itself */
        struct expert *e = fake_open(&err, "kind: server\ncommand: %s\nname: f\ntask: chat\nfirst_token: %s\nstall: %s\nretries: 9\n", cmd, bound, bound);
        REQUIRE(e, "%s", err.text);
        const bool same = strcmp(table[i].fault, "--cut-at") == 0 || strcmp(table[i].fault, "--garbage-at") == 0; /* lives on and strikes again */
        chat(&c, e, "one two three four", 8);
        if (same)
            CHECK(!c.is_done && c.err.code == ERR_IO, "%s %s: %s", table[i].fault, table[i].at, c.err.text);
        else
            CHECK(c.is_done == table[i].is_done && (c.is_done || strstr(c.err.text, table[i].says)), "%s %s: '%s' %s", table[i].fault, table[i].at,
                  c.choice[0].text, c.err.text);
        if (c.is_done)
            CHECK(strcmp(c.choice[0].text, "one two three four one two three four") == 0, "'%s'", c.choice[0].text);
        collect_free(&c);
        expert_free(e);
    }
}

/* This process is stopped, as by a debugger or a laptop's lid; its server is not. */
TEST(time_in_which_we_stood_still_is_not_the_servers_stall)
{
    static struct collect c;
    struct expert_server_figures f;
    int status;
    log_set_level(LOG_ERROR);
    struct expert *e = fake_open(&err, CHILD ", --tok-s, '20']\nname: f\ntask: chat\nfirst_token: 60s\nstall: 3s\n", fake_path());
    REQUIRE(e, "%s", err.text);
    collect_job(&c, "one two three four");
    c.job->max_tokens = 30;
    collect_submit(&c, e);
    collect_wait_deltas(&c, 3);
    const pid_t self = getpid(), helper = fork();
    if (helper == 0) {
        kill(self, SIGSTOP);
        nanosleep(&(struct timespec){ 4, 0 }, NULL);
        kill(self, SIGCONT);
        _exit(0);
    }
    waitpid(helper, &status, 0);
    collect_wait(&c);
    expert_server_get_figures(e, &f);
    CHECK(c.is_done && f.stalls_total == 0 && f.deaths_total == 0, "%s, %d stalls", c.err.text, (int)f.stalls_total);
    collect_free(&c);
    expert_free(e);
}

TEST(a_server_that_cannot_start_is_down_and_says_its_last_words)
{
    static struct collect c;
    struct expert_metrics m;
    log_set_level(LOG_ERROR);
    struct expert *e = fake_open(&err, CHILD ", --crash-at-start, '1']\nname: f\ntask: chat\nmodel: big\n", fake_path());
    REQUIRE(e, "%s", err.text);
    chat(&c, e, "hello", 2);
    CHECK(!c.is_done && strstr(c.err.text, "status 3") && strstr(c.err.text, "cannot load"), "%s", c.err.text);
    collect_free(&c);
    expert_get_metrics(e, &m);
    CHECK(m.state == EXPERT_DOWN && strstr(m.why, "cannot load"), "%s: %s", expert_state_name(m.state), m.why);
    collect_job(&c, "x");
    CHECK(!expert_submit(e, c.job, &err) && err.code == ERR_BUSY, "%s", err.text);
    collect_free(&c);
    expert_free(e);

    e = fake_open(&err, "kind: server\ncommand: [/no/such/program, --port, '{port}']\nname: f\ntask: chat\n");
    REQUIRE(e, "%s", err.text);
    CHECK(!expert_wait_ready(e, &err) && strstr(err.text, "/no/such/program"), "%s", err.text);
    expert_free(e);
}

TEST(cancelling_closes_the_connection_and_the_others_go_on)
{
    static struct collect c[3];
    char journal[256], line[256];
    int n_done = 0, n_first = 0;
    snprintf(journal, sizeof(journal), "%s", test_tmp("journal"));
    struct expert *e = fake_open(&err, CHILD ", --tok-s, '50', --journal, %s]\nname: f\ntask: chat\n", fake_path(), journal);
    REQUIRE(e, "%s", err.text);
    for (int i = 0; i < 3; i++)
        fake_chat(collect_job(&c[i], ""), i ? "other" : "victim", i ? 10 : 100000), collect_submit(&c[i], e);
    collect_wait_deltas(&c[0], 2);
    job_cancel(c[0].job);
    for (int i = 0; i < 3; i++)
        collect_wait(&c[i]), collect_free(&c[i]);
    CHECK(c[0].err.code == ERR_CANCELLED && c[1].is_done && c[2].is_done, "%s", c[0].err.text);
    expert_free(e);
    FILE *f = fopen(journal, "r");
    while (f && fgets(line, sizeof(line), f))
        n_done += strstr(line, " done ") != NULL, n_first += strstr(line, " first ") != NULL;
    if (f)
        fclose(f);
    CHECK(n_first == 3 && n_done == 2, "%d began, %d ended", n_first, n_done);
}

TEST(a_slow_reader_holds_its_own_answer_only)
{
    static struct collect c[2];
    struct expert *e = fake_open(&err, CHILD ", --tok-s, '100000']\nname: f\ntask: chat\nstall: 60s\n", fake_path());
    REQUIRE(e, "%s", err.text);
    fake_chat(collect_job(&c[0], ""), "held", 100000);
    c[0].gate_at = 3;
    collect_submit(&c[0], e);
    collect_wait_deltas(&c[0], 3);
    job_hold(c[0].job, true); /* from here the expert gives no more, whatever the server sends */
    collect_open_gate(&c[0]);
    fake_chat(collect_job(&c[1], ""), "other", 20);
    collect_submit(&c[1], e);
    collect_wait(&c[1]);
    CHECK(c[1].is_done, "%s", c[1].err.text);
    pthread_mutex_lock(&c[0].lock);
    const int n_held = c[0].n_deltas;
    pthread_mutex_unlock(&c[0].lock);
    CHECK(n_held < 100000, "all came while it was held");
    job_hold(c[0].job, false);
    collect_wait(&c[0]);
    CHECK(c[0].is_done && c[0].n_deltas == 100000, "%d pieces: %s", c[0].n_deltas, c[0].err.text);
    collect_free(&c[0]), collect_free(&c[1]);
    expert_free(e);
}

TEST(more_than_its_places_wait_here_and_the_queue_is_bounded)
{
    enum { N = 12 };
    static struct collect c[N];
    struct expert *e = fake_open(&err, CHILD ", --tok-s, '100']\nname: f\ntask: chat\nparallel: 2\nqueue: 11\n", fake_path());
    REQUIRE(e, "%s", err.text);
    for (int i = 0; i < N; i++) {
        fake_chat(collect_job(&c[i], ""), "word", i < 2 ? 1000000 : 3); /* the first two take both places and keep them */
        const bool ok = expert_submit(e, c[i].job, &c[i].err);
        CHECK(ok == (i < 11), "%d: %s", i, c[i].err.text);
    }
    job_cancel(c[0].job), job_cancel(c[1].job);
    for (int i = 0; i < 11; i++) {
        collect_wait(&c[i]);
        CHECK(c[i].is_done == (i >= 2), "%d: %s", i, c[i].err.text);
    }
    for (int i = 0; i < N; i++)
        collect_free(&c[i]);
    expert_free(e);
}

TEST(an_idle_server_is_stopped_and_comes_back)
{
    static struct collect c;
    struct expert_server_figures f;
    log_set_level(LOG_ERROR);
    struct expert *e = fake_open(&err, CHILD "]\nname: f\ntask: chat\nkeep: 50ms\n", fake_path());
    REQUIRE(e, "%s", err.text);
    for (int round = 1; round <= 2; round++) {
        chat(&c, e, "hello", 2);
        CHECK(c.is_done, "%s", c.err.text);
        collect_free(&c);
        while (expert_get_state(e) != EXPERT_COLD)
            nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
        expert_server_get_figures(e, &f);
        CHECK(f.starts_total == (uint64_t)round && f.deaths_total == 0, "%d starts, %d deaths", (int)f.starts_total, (int)f.deaths_total);
    }
    expert_free(e);
}

TEST(cards_say_where_they_are_wrong)
{
    static const struct {
        const char *card, *says;
    } table[] = {
        { "kind: remote\ntask: chat\n", "url:" },
        { "kind: remote\ntask: chat\nurl: ftp://x\n", "http" },
        { "kind: remote\ntask: chat\nurl: http://x\nurll: y\n", "urll" },
        { "kind: remote\ntask: chat\nurl: http://x\nkey_env: TUTTI_NO_SUCH_KEY\n", "TUTTI_NO_SUCH_KEY" },
        { "kind: remote\ntask: chat\nurl: http://x\nprotocol: grpc\n", "protocol" },
        { "kind: remote\ntask: detect\nurl: http://x\n", "detect" },
        { "kind: remote\ntask: transcribe\nurl: http://x\nprotocol: ollama\nmodel: m\n", "transcribe" },
        { "kind: server\ntask: chat\ncommand: [a, 'b\n", "" },
        { "kind: server\ntask: chat\ncommand: \"a 'b\"\n", "quote" },
        { "kind: server\ntask: chat\ncommand: []\n", "program" },
        { "kind: server\ntask: chat\ncommand: x\nhealth: ready\n", "health" },
        { "kind: server\ntask: chat\ncommand: x\nparallel: 0\n", "parallel" },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        err_clear(&err);
        struct expert *e = fake_open(&err, "name: x\n%s", table[i].card);
        CHECK(!e && strstr(err.text, table[i].says) && strstr(err.text, "fake.yaml"), "%zu: %s", i, e ? "accepted" : err.text);
        expert_free(e);
    }
}

TEST(a_server_that_became_slow_is_told_by_its_history)
{
    static struct collect c;
    struct expert_metrics m;
    struct expert_server_figures f;
    char dir[400], path[512];
    snprintf(dir, sizeof(dir), "%s", test_tmp("state"));
    mkdir(dir, 0755);
    snprintf(path, sizeof(path), "%s/speed-f.txt", dir);
    FILE *h = fopen(path, "w");
    for (int i = 0; i < 20; i++)
        fprintf(h, "0 100000\n"); /* what it was with a GPU */
    fclose(h);
    log_set_level(LOG_ERROR);
    char text[1024];
    snprintf(text, sizeof(text), CHILD ", --tok-s, '100']\nname: f\ntask: chat\n", fake_path());
    const struct expert_env env = { .state_dir = dir };
    struct card *card = card_parse("fake.yaml", text, strlen(text), "/tmp", NULL, &err);
    struct expert *e = card ? expert_open_card(card, &env, &err) : NULL;
    REQUIRE(e, "%s", err.text);
    for (int i = 0; i < 6; i++) {
        chat(&c, e, "a b c", 30);
        CHECK(c.is_done, "%s", c.err.text);
        collect_free(&c);
        expert_get_metrics(e, &m);
        CHECK(m.is_degraded == (i >= 4), "after %d answers", i + 1);
    }
    expert_server_get_figures(e, &f);
    CHECK(f.is_slow && f.usual_tok_s == 100000 && f.tok_s < 70000, "%g of %g", f.tok_s, f.usual_tok_s);
    expert_free(e);
}

TEST(the_cards_of_examples_open)
{
    static const char *const names[] = { "llama-server", "whisper-server", "remote-openai", "ollama", "oip" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        const struct expert_env env = { 0 };
        snprintf(path, sizeof(path), "examples/cards/%s.yaml", names[i]);
        if (access(path, R_OK) != 0)
            SKIP("no examples/cards here");
        struct expert *e = expert_open(path, &env, &err);
        CHECK(e, "%s", err.text);
        expert_free(e);
    }
}

TEST(privacy_is_where_the_server_is)
{
    static const struct {
        const char *url;
        enum expert_privacy privacy;
    } table[] = { { "http://localhost:1", EXPERT_LOCAL },    { "http://127.0.0.1:1/v1", EXPERT_LOCAL }, { "unix:/run/x", EXPERT_LOCAL },
                  { "http://192.168.1.2", EXPERT_LAN },      { "http://nas", EXPERT_LAN },              { "http://box.local:80", EXPERT_LAN },
                  { "http://172.31.0.1", EXPERT_LAN },       { "http://172.32.0.1", EXPERT_CLOUD },     { "http://api.example.com/v1", EXPERT_CLOUD } };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct expert_card card;
        struct expert *e = fake_open(&err, "kind: remote\nname: x\ntask: chat\nurl: %s\n", table[i].url);
        REQUIRE(e, "%s", err.text);
        expert_get_card(e, &card);
        CHECK(card.privacy == table[i].privacy, "%s: %d", table[i].url, (int)card.privacy);
        expert_free(e);
    }
}
