/* tests/cluster/test_peer.c - jobs to an expert of another node and back: a service with fake experts and its port for nodes, seen by a cluster here. */
#define _GNU_SOURCE
#include "../serve/service.h"

#include "cluster/cluster.h"
#include "cluster/node_service.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct house {
    struct service *v;
    struct serve_node node;
    struct cluster *c;
    char url[120], at[100];
};

/* at: where it listened before; "" anywhere. */
static void open_node(struct house *h, const char *at)
{
    struct err err = { 0 };
    struct fake *const fakes[] = { fake_new("talk", EXPERT_WARM), fake_new("see", EXPERT_WARM), fake_new("hear", EXPERT_WARM), fake_new("say", EXPERT_WARM), fake_new("infer", EXPERT_WARM) };
    fakes[0]->n_ctx = 4096;
    fakes[1]->tasks = EXPERT_DETECT | EXPERT_SEGMENT | EXPERT_CLASSIFY;
    fakes[2]->tasks = EXPERT_TRANSCRIBE;
    fakes[3]->tasks = EXPERT_SPEAK;
    fakes[4]->tasks = EXPERT_INFER;
    h->node = (struct serve_node){ .name = "there", .life = node_draw_life(), .listens = true, .machine_json = "{}" };
    CHECK(net_addr_parse(&h->node.listen, *at ? at : "127.0.0.1:0", &err), "%s", err.text);
    h->v = start_fakes((struct serve_config){ .node = &h->node }, fakes, 5);
    snprintf(h->at, sizeof(h->at), "%s", serve_node_addr(h->v->s)->text);
    snprintf(h->url, sizeof(h->url), "http://%s", h->at);
}

static void house_open(struct house *h)
{
    struct err err = { 0 };
    memset(h, 0, sizeof(*h));
    open_node(h, "");
    struct cluster_config k = { .self = "here", .n_seeds = 1 };
    k.seeds[0] = h->url;
    h->c = cluster_new(&k, &err);
    REQUIRE(h->c != NULL, "%s", err.text);
    cluster_wait(h->c, 60000);
}

static void house_close(struct house *h)
{
    cluster_free(h->c);
    end(h->v);
}

/* ---- what comes back ---- */

struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char order[200], text[4096];
    size_t n_text;
    int n_events, n_finals, n_late, n_samples;
    float first_sample, vector[2][4];
    char box[128], mask[8], word[32];
    int n_boxes;
    float tensor[4];
    char tensor_name[40];
    struct err err;
    struct expert_usage usage;
    bool is_done;
};

static void on_event(void *ctx, const struct expert_event *ev)
{
    static const char letters[EXPERT_EVENT_COUNT] = { [EXPERT_QUEUED] = 'Q', [EXPERT_STARTED] = 'S', [EXPERT_DELTA] = 'D', [EXPERT_CHOICE_END] = 'C', [EXPERT_VECTOR] = 'V',
                                                      [EXPERT_RESULT] = 'T', [EXPERT_AUDIO] = 'A', [EXPERT_TENSOR] = 'N', [EXPERT_DONE] = '.', [EXPERT_ERROR] = '!' };
    struct seen *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->n_late += s->n_finals;
    const size_t n = strlen(s->order);
    if (n + 1 < sizeof(s->order))
        s->order[n] = letters[ev->kind];
    s->n_events++;
    if (ev->kind == EXPERT_DELTA && s->n_text + ev->n_text < sizeof(s->text))
        memcpy(s->text + s->n_text, ev->text, ev->n_text), s->n_text += ev->n_text;
    if (ev->kind == EXPERT_VECTOR && ev->choice < 2 && ev->n_vector == 4)
        memcpy(s->vector[ev->choice], ev->vector, sizeof(s->vector[0]));
    if (ev->kind == EXPERT_AUDIO)
        s->first_sample = ev->samples[0], s->n_samples += ev->n_samples;
    if (ev->kind == EXPERT_TENSOR && strncmp(ev->tensor->name, "out_", 4) == 0 && ev->tensor->n_bytes <= sizeof(s->tensor)) {
        snprintf(s->tensor_name, sizeof(s->tensor_name), "%s", ev->tensor->name);
        memcpy(s->tensor, ev->tensor->data, ev->tensor->n_bytes);
    }
    if (ev->kind == EXPERT_RESULT) {
        const struct task_result *r = ev->result;
        s->n_boxes = r->n_boxes;
        if (r->n_boxes)
            snprintf(s->box, sizeof(s->box), "%s %g,%g,%g,%g %.2f", r->boxes[0].label, (double)r->boxes[0].x, (double)r->boxes[0].y, (double)r->boxes[0].w, (double)r->boxes[0].h, (double)r->boxes[0].score);
        if (r->n_masks)
            memcpy(s->mask, r->masks[0].pixels, 4);
        if (r->n_words)
            snprintf(s->word, sizeof(s->word), "%s", r->words[0].text);
    }
    if (ev->kind == EXPERT_DONE || ev->kind == EXPERT_ERROR) {
        s->n_finals++;
        s->usage = *ev->usage;
        s->is_done = ev->kind == EXPERT_DONE;
        if (ev->err)
            s->err = *ev->err;
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void seen_init(struct seen *s)
{
    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
}
static void seen_wait(struct seen *s, int n_events)
{
    pthread_mutex_lock(&s->lock);
    while (s->n_finals == 0 && s->n_events < n_events)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}
enum { TO_THE_END = 1 << 30 };

static struct job *new_job(struct seen *s, enum expert_task task, const char *prompt)
{
    struct err err;
    struct job *j = job_new(1 << 20, &err);
    seen_init(s);
    j->task = task;
    if (task == EXPERT_CHAT)
        j->vars = json_pack("{s:[{s:s,s:s}]}", "messages", "role", "user", "content", prompt);
    j->request.options.prompt = prompt;
    j->on_event = on_event;
    j->ctx = s;
    return j;
}

/* Submits, waits for the end; false: it was not taken. */
static bool ask(struct house *h, const char *id, struct job *j, struct seen *s)
{
    struct err err = { 0 };
    struct expert *e = cluster_expert(h->c, NULL, id, &err);
    const bool ok = e && expert_submit(e, j, &err);
    if (ok)
        seen_wait(s, TO_THE_END);
    else
        s->err = err;
    job_unref(j);
    return ok;
}

/* ---- tests ---- */

TEST(text_and_vectors_come_back_as_from_an_expert_here)
{
    struct house h;
    struct seen s;
    house_open(&h);
    CHECK(ask(&h, "talk", new_job(&s, EXPERT_CHAT, "words 5 0"), &s) && s.is_done, "%s", s.err.text);
    CHECK(strcmp(s.order, "SDDDDDC.") == 0 && strcmp(s.text, "w0 w1 w2 w3 w4 ") == 0 && s.n_late == 0, "%s '%s'", s.order, s.text);
    CHECK(s.usage.n_prompt_tok == 5 && s.usage.n_gen_tok == 5, "%d %d", s.usage.n_prompt_tok, s.usage.n_gen_tok);

    struct job *j = new_job(&s, EXPERT_EMBED, NULL);
    const struct job_input in[] = { { .text = "a", .n_text = 1 }, { .text = "b", .n_text = 1 } };
    j->inputs = in, j->n_inputs = 2;
    CHECK(ask(&h, "talk", j, &s) && s.is_done, "%s", s.err.text);
    CHECK(strcmp(s.order, "SVV.") == 0 && fabsf(s.vector[0][0] - .6f) < 1e-4f && fabsf(s.vector[1][1] / s.vector[1][0] - 4.f / 3) < 1e-4f, "%s %g", s.order, (double)s.vector[0][0]);

    CHECK(!ask(&h, "nobody", new_job(&s, EXPERT_CHAT, "words 1 0"), &s) && s.err.code == ERR_NOT_FOUND && strstr(s.err.text, "there"), "%s", s.err.text);
    CHECK(!ask(&h, "talk", new_job(&s, EXPERT_SPEAK, "words 1 0"), &s), "it was taken");
    j = new_job(&s, EXPERT_CHAT, "words 1 0"); /* what is private stays here */
    j->wish.security = WISH_LOCAL;
    CHECK(!ask(&h, "talk", j, &s) && s.err.code == ERR_UNSUPPORTED, "%s", s.err.text);
    struct member m;
    CHECK(cluster_get_members(h.c, &m, 1) == 1 && m.jobs_total == 2 && m.lost_total == 0 && m.bytes_out_total > 20 && m.bytes_in_total > 20, "jobs %d, lost %d, bytes %d, %d",
          (int)m.jobs_total, (int)m.lost_total, (int)m.bytes_out_total, (int)m.bytes_in_total);
    house_close(&h);
}

TEST(every_task_comes_back_whole)
{
    struct house h;
    struct seen s;
    static const uint8_t pixels[12] = { 1, 2, 3 };
    const struct task_media picture = { .form = MEDIA_RGB8, .bytes = pixels, .n_bytes = 12, .width_px = 2, .height_px = 2 };
    const struct task_media file = { .form = MEDIA_ENCODED, .bytes = "RIFF", .n_bytes = 4 };
    const struct task_text text = { "words 3 0", 9 };
    const float numbers[4] = { 1.5f, -2, INFINITY, 1e-30f };
    const struct tensor tensor = { .name = "x", .type = TENSOR_F32, .n_dims = 2, .dims = { 2, 2 }, .data = (void *)(uintptr_t)numbers, .n_bytes = sizeof(numbers) };
    house_open(&h);
    struct job *j = new_job(&s, EXPERT_DETECT, NULL);
    j->request.media = &picture, j->request.n_media = 1;
    CHECK(ask(&h, "see", j, &s) && s.is_done && strcmp(s.order, "ST.") == 0, "%s %s", s.order, s.err.text);
    CHECK(s.n_boxes == 3 && strcmp(s.box, "cat 1,2,3,4 0.50") == 0, "%d %s", s.n_boxes, s.box);
    CHECK(s.usage.n_prompt_tok == 5 && s.usage.queue_ns == 1000 && s.usage.decode_ns == 3000000, "%d", s.usage.n_prompt_tok);

    j = new_job(&s, EXPERT_SEGMENT, NULL);
    j->request.media = &picture, j->request.n_media = 1;
    j->request.options.threshold = .46f; /* options travel, too */
    j->request.options.wants_mask = true;
    CHECK(ask(&h, "see", j, &s) && s.is_done && s.n_boxes == 1 && memcmp(s.mask, "\0\1\2\3", 4) == 0, "%s %d", s.err.text, s.n_boxes);

    j = new_job(&s, EXPERT_TRANSCRIBE, "pieces 2 0");
    j->request.media = &file, j->request.n_media = 1;
    j->request.options.wants_words = true;
    CHECK(ask(&h, "hear", j, &s) && s.is_done && strcmp(s.order, "SDDTDDT.") == 0 && strcmp(s.text, "w0 <x>w1 <x>") == 0 && strcmp(s.word, "w1") == 0, "%s '%s' %s", s.order, s.text, s.err.text);

    j = new_job(&s, EXPERT_SPEAK, NULL);
    j->request.texts = &text, j->request.n_texts = 1;
    CHECK(ask(&h, "say", j, &s) && s.is_done && s.n_samples == 4800 && s.first_sample == -.5f, "%d %s", s.n_samples, s.err.text);

    j = new_job(&s, EXPERT_INFER, NULL);
    j->request.tensors = &tensor, j->request.n_tensors = 1;
    CHECK(ask(&h, "infer", j, &s) && s.is_done && strcmp(s.order, "SNN.") == 0, "%s %s", s.order, s.err.text);
    CHECK(memcmp(s.tensor, numbers, sizeof(numbers)) == 0, "%s", s.tensor_name);
    house_close(&h);
}

TEST(errors_are_those_of_the_other_node)
{
    struct house h;
    struct seen s;
    house_open(&h);
    CHECK(ask(&h, "talk", new_job(&s, EXPERT_CHAT, "refuse"), &s) && s.err.code == ERR_INPUT && strstr(s.err.text, "context"), "%d %s", s.err.code, s.err.text);
    CHECK(ask(&h, "talk", new_job(&s, EXPERT_CHAT, "break"), &s) && !s.is_done && s.n_finals == 1, "%s %s", s.order, s.err.text);
    struct job *j = new_job(&s, EXPERT_TRANSCRIBE, "break");
    const struct task_media file = { .form = MEDIA_ENCODED, .bytes = "RIFF", .n_bytes = 4 };
    j->request.media = &file, j->request.n_media = 1;
    CHECK(ask(&h, "hear", j, &s) && strcmp(s.order, "ST!") == 0 && strstr(s.err.text, "the model broke"), "%s %d %s", s.order, s.err.code, s.err.text);
    h.v->fake[1]->is_lost = true;
    j = new_job(&s, EXPERT_DETECT, NULL);
    j->request.media = &file, j->request.n_media = 1;
    CHECK(ask(&h, "see", j, &s) && s.err.code != ERR_NONE && strstr(s.err.text, "a library is not here"), "%d %s", s.err.code, s.err.text);
    j = new_job(&s, EXPERT_CHAT, "words 1 0");
    j->wish.hops = 5; /* a ring of services ends */
    CHECK(ask(&h, "talk", j, &s) && !s.is_done, "%s", s.err.text);
    house_close(&h);
}

TEST(a_cancel_frees_the_job_there)
{
    struct house h;
    struct seen text, task;
    struct err err;
    house_open(&h);
    const struct task_media file = { .form = MEDIA_ENCODED, .bytes = "RIFF", .n_bytes = 4 };
    struct job *a = new_job(&text, EXPERT_CHAT, "words 100000 1000"), *b = new_job(&task, EXPERT_TRANSCRIBE, "pieces 100000 1000");
    b->request.media = &file, b->request.n_media = 1;
    CHECK(expert_submit(cluster_expert(h.c, "there", "talk", &err), a, &err) && expert_submit(cluster_expert(h.c, "there", "hear", &err), b, &err), "%s", err.text);
    seen_wait(&text, 4);
    seen_wait(&task, 4);
    job_cancel(a);
    job_cancel(b);
    seen_wait(&text, TO_THE_END);
    seen_wait(&task, TO_THE_END);
    CHECK(text.err.code == ERR_CANCELLED && task.err.code == ERR_CANCELLED, "%s, %s", text.err.text, task.err.text);
    for (int i = 0; i < 6000 && (!h.v->fake[0]->n_cancelled || !h.v->fake[2]->n_cancelled); i++)
        usleep(10000);
    CHECK(h.v->fake[0]->n_cancelled == 1 && h.v->fake[2]->n_cancelled == 1 && h.v->fake[0]->n_running == 0, "it works on");
    job_unref(a), job_unref(b);
    house_close(&h);
}

TEST(a_deadline_holds_whatever_the_node_does)
{
    struct house h;
    struct seen s;
    house_open(&h);
    for (int task = 0; task < 2; task++) {
        struct job *j = new_job(&s, task ? EXPERT_TRANSCRIBE : EXPERT_CHAT, "mute 600000");
        const struct task_media file = { .form = MEDIA_ENCODED, .bytes = "RIFF", .n_bytes = 4 };
        j->request.media = &file, j->request.n_media = 1;
        const uint64_t begun = clock_ns();
        j->deadline_ns = begun + 200000000;
        CHECK(ask(&h, task ? "hear" : "talk", j, &s) && s.err.code == ERR_BUSY, "%d %s", s.err.code, s.err.text);
        CHECK(clock_ns() - begun >= 190000000 /* the other one counts whole milliseconds */ && clock_ns() - begun < 20000000000, "after %.1f s", (double)(clock_ns() - begun) / 1e9);
    }
    for (int i = 0; i < 6000 && h.v->fake[0]->n_running + h.v->fake[2]->n_running > 0; i++)
        usleep(10000);
    CHECK(h.v->fake[0]->n_running == 0 && h.v->fake[2]->n_running == 0, "it works on");
    house_close(&h);
}

/* Rounds of the loop until so many events came, or the end. */
static void step_until(struct net_loop *l, struct seen *s, int n_events)
{
    for (;;) {
        pthread_mutex_lock(&s->lock);
        const bool is_there = s->n_finals > 0 || s->n_events >= n_events;
        pthread_mutex_unlock(&s->lock);
        if (is_there)
            return;
        net_loop_step(l);
    }
}

static void *submit_elsewhere(void *ctx)
{
    struct job *j = ctx;
    struct err err;
    return expert_submit(j->free_ctx, j, &err) ? ctx : NULL;
}

TEST(on_a_loop_that_it_is_given_jobs_leave_from_its_thread_and_from_others)
{
    struct house h;
    struct seen s;
    struct err err = { 0 };
    struct member m;
    memset(&h, 0, sizeof(h));
    open_node(&h, "");
    struct net_loop *l = net_loop_new(&err);
    struct cluster_config k = { .self = "here", .n_seeds = 1, .loop = l };
    k.seeds[0] = h.url;
    h.c = cluster_new(&k, &err);
    REQUIRE(h.c != NULL, "%s", err.text);
    while (cluster_get_members(h.c, &m, 1) != 1 || m.state != MEMBER_UP)
        net_loop_step(l);
    struct expert *e = cluster_expert(h.c, "there", "talk", &err);
    REQUIRE(e != NULL, "%s", err.text);

    struct job *j = new_job(&s, EXPERT_CHAT, "words 5 0");
    CHECK(expert_submit(e, j, &err) && s.n_events == 0, "%s: %d events from within", err.text, s.n_events);
    step_until(l, &s, TO_THE_END);
    CHECK(s.is_done && strcmp(s.order, "SDDDDDC.") == 0, "%s %s", s.order, s.err.text);
    job_unref(j);

    pthread_t thread;
    void *ok;
    j = new_job(&s, EXPERT_CHAT, "words 5 0");
    j->free_ctx = e;
    pthread_create(&thread, NULL, submit_elsewhere, j);
    pthread_join(thread, &ok);
    CHECK(ok == j && s.n_events == 0, "not taken");
    step_until(l, &s, TO_THE_END);
    CHECK(s.is_done && strcmp(s.order, "SDDDDDC.") == 0, "%s %s", s.order, s.err.text);
    job_unref(j);

    j = new_job(&s, EXPERT_CHAT, "words 100000 1000"); /* its deadline is watched here, too */
    j->deadline_ns = clock_ns() + 200 * (uint64_t)1000000;
    CHECK(expert_submit(e, j, &err), "%s", err.text);
    step_until(l, &s, TO_THE_END);
    CHECK(!s.is_done && s.n_finals == 1, "%s", s.order);
    job_unref(j);

    static char large[(33 << 20) + 1]; /* a message that cannot be: refused at once, and nothing is left of it */
    memset(large, 'x', sizeof(large) - 1);
    struct expert *see = cluster_expert(h.c, "there", "hear", &err);
    REQUIRE(see != NULL, "%s", err.text);
    j = new_job(&s, EXPERT_TRANSCRIBE, large);
    CHECK(!expert_submit(see, j, &err) && s.n_events == 0, "taken: %s", s.order);
    job_unref(j);
    struct expert_metrics metrics;
    expert_get_metrics(see, &metrics);
    CHECK(metrics.n_running == 0, "%d", metrics.n_running);

    j = new_job(&s, EXPERT_CHAT, "words 100000 1000"); /* nobody else runs the loop: who stops it ends them */
    CHECK(expert_submit(e, j, &err), "%s", err.text);
    step_until(l, &s, 3);
    expert_stop(e, 0);
    CHECK(s.n_finals == 1 && !s.is_done && s.err.code == ERR_BUSY, "%s", s.order);
    job_unref(j);
    j = new_job(&s, EXPERT_CHAT, "words 1 0");
    CHECK(!expert_submit(e, j, &err) && strstr(err.text, "shutting down"), "%s", err.text);
    job_unref(j);
    cluster_free(h.c);
    net_loop_free(l);
    end(h.v);
}

TEST(many_streams_share_one_connection_and_a_slow_reader_holds_its_own)
{
    enum { STREAMS = 64 };
    static struct seen s[STREAMS + 1];
    struct job *jobs[STREAMS + 1];
    struct house h;
    struct err err = { 0 };
    house_open(&h);
    struct expert *e = cluster_expert(h.c, NULL, "talk", &err);
    REQUIRE(e != NULL, "%s", err.text);
    jobs[STREAMS] = new_job(&s[STREAMS], EXPERT_CHAT, "words 100000 100");
    job_hold(jobs[STREAMS], true);
    CHECK(expert_submit(e, jobs[STREAMS], &err), "%s", err.text);
    for (int i = 0; i < STREAMS; i++) {
        jobs[i] = new_job(&s[i], EXPERT_CHAT, "words 50 200");
        CHECK(expert_submit(e, jobs[i], &err), "%s", err.text);
    }
    for (int i = 0; i < STREAMS; i++) {
        seen_wait(&s[i], TO_THE_END);
        CHECK(s[i].is_done && s[i].usage.n_gen_tok == 50, "%d: %s %d", i, s[i].err.text, s[i].usage.n_gen_tok);
        job_unref(jobs[i]);
    }
    job_cancel(jobs[STREAMS]);
    seen_wait(&s[STREAMS], TO_THE_END);
    job_unref(jobs[STREAMS]);
    struct member m[4];
    CHECK(cluster_get_members(h.c, m, 4) == 1, "one");
    house_close(&h);
}

TEST(a_node_that_goes_fails_its_jobs_and_one_that_returns_is_used_again)
{
    struct house h;
    struct seen s;
    struct err err = { 0 };
    house_open(&h);
    struct expert *e = cluster_expert(h.c, NULL, "talk", &err);
    REQUIRE(e != NULL, "%s", err.text);
    struct job *j = new_job(&s, EXPERT_CHAT, "words 100000 1000");
    CHECK(expert_submit(e, j, &err), "%s", err.text);
    seen_wait(&s, 4);
    end(h.v);
    seen_wait(&s, TO_THE_END);
    CHECK(s.n_finals == 1 && !s.is_done, "%s", s.order);
    job_unref(j);
    struct expert_metrics metrics;
    for (int i = 0; i < 6000; i++) { /* its connection is gone: it is seen at once */
        expert_get_metrics(e, &metrics);
        if (metrics.state == EXPERT_DOWN)
            break;
        usleep(10000);
    }
    j = new_job(&s, EXPERT_CHAT, "words 1 0");
    CHECK(!expert_submit(e, j, &err) && err.code == ERR_BUSY && strstr(err.text, "gone"), "%s", err.text);
    job_unref(j);
    open_node(&h, h.at);
    for (int i = 0; i < 6000; i++) {
        expert_get_metrics(e, &metrics);
        if (metrics.state != EXPERT_DOWN)
            break;
        usleep(10000);
    }
    CHECK(ask(&h, "talk", new_job(&s, EXPERT_CHAT, "words 2 0"), &s) && s.is_done, "%s", s.err.text);
    house_close(&h);
}

TEST(a_job_wakes_its_node_and_waits_for_it_or_ends_cleanly)
{
    struct house h = { .v = NULL };
    struct err err = { 0 };
    struct seen s, late;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n_to = sizeof(to);
    char where[40];
    uint8_t packet[200];
    const int fd = socket(AF_INET, SOCK_DGRAM, 0); /* the sleeping machine's network card */
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&to, n_to) == 0 && getsockname(fd, (struct sockaddr *)&to, &n_to) == 0, "no UDP on loopback");
    snprintf(where, sizeof(where), "127.0.0.1:%d", ntohs(to.sin_port));
    open_node(&h, "");
    struct cluster_config k = { .self = "here", .n_seeds = 1, .n_wakes = 1, .wakes = { { "there", "02:00:5e:10:00:ff" } }, .wake_to = where, .wake_wait_ms = 60000 };
    k.seeds[0] = h.url;
    h.c = cluster_new(&k, &err);
    REQUIRE(h.c != NULL, "%s", err.text);
    cluster_wait(h.c, 60000);
    struct expert *e = cluster_expert(h.c, NULL, "see", &err);
    REQUIRE(e != NULL, "%s", err.text);
    end(h.v);
    while (expert_get_state(e) != EXPERT_COLD) /* not gone: asleep */
        usleep(1000);
    struct job *j = new_job(&s, EXPERT_CHAT, "count"), *hasty = new_job(&late, EXPERT_CHAT, "count");
    e = cluster_expert(h.c, "there", "talk", &err);
    CHECK(expert_submit(e, j, &err), "%s", err.text);
    const ssize_t n = recv(fd, packet, sizeof(packet), 0);
    CHECK(n == 102 && packet[0] == 0xff && packet[5] == 0xff && memcmp(packet + 6, "\x02\x00\x5e\x10\x00\xff", 6) == 0 && memcmp(packet + 96, packet + 6, 6) == 0, "%zd bytes", n);
    hasty->deadline_ns = clock_ns() + 50000000; /* another one that has no time */
    CHECK(expert_submit(e, hasty, &err), "%s", err.text);
    seen_wait(&late, TO_THE_END);
    CHECK(!late.is_done && late.err.code == ERR_BUSY && strstr(late.err.text, "deadline"), "%s", late.err.text);
    CHECK(recv(fd, packet, sizeof(packet), MSG_DONTWAIT) < 0 || clock_ns() > j->priv.submitted_ns + 5000000000u, "two packets at once");
    char at[100];
    snprintf(at, sizeof(at), "%s", h.at);
    open_node(&h, at);
    seen_wait(&s, TO_THE_END);
    CHECK(s.is_done && s.n_text > 0 && s.n_finals == 1, "%d %s", s.err.code, s.err.text);
    job_unref(j);
    job_unref(hasty);
    house_close(&h);
    close(fd);
}

TEST(a_node_that_does_not_wake_is_an_error_and_left_alone_for_a_while)
{
    struct err err = { 0 };
    struct seen s;
    struct cluster_config k = { .self = "here", .n_seeds = 1, .seeds = { "http://127.0.0.1:1" }, .n_wakes = 1, .wakes = { { "there", "02-00-5E-10-00-FF" } }, .wake_to = "127.0.0.1:9", .wake_wait_ms = 50 };
    struct cluster *c = cluster_new(&k, &err);
    REQUIRE(c != NULL, "%s", err.text);
    struct expert *e = cluster_expect(c, "there", "talk", &err);
    REQUIRE(e != NULL && expert_get_state(e) == EXPERT_COLD, "%s", err.text);
    struct job *j = new_job(&s, EXPERT_CHAT, "count");
    CHECK(expert_submit(e, j, &err), "%s", err.text);
    seen_wait(&s, TO_THE_END);
    CHECK(!s.is_done && s.err.code == ERR_BUSY && strstr(s.err.text, "did not come within"), "%d %s", s.err.code, s.err.text);
    CHECK(expert_get_state(e) == EXPERT_DOWN && !expert_submit(e, j, &err) && err.code == ERR_BUSY, "%s", err.text);
    job_unref(j);
    cluster_free(c);
}
