/* tests/api/test_mailbox.c - events cross threads whole, in order, and the last one always. */
#define _DEFAULT_SOURCE /* usleep */
#include "api/mailbox.h"
#include "test.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { N_BOXES = 6, N_EVENTS = 3000 };

struct reader {
    struct mail_box box;
    pthread_t thread;
    int n_seen, *n_over;
    bool has_final;
    struct net_loop *loop;
};

/* Event i of a box, so that both sides can make it. */
static void make_event(int i, struct expert_event *ev, struct expert_token tokens[3], struct expert_token tops[3][2], float *vector, char text[64])
{
    snprintf(text, 64, "text %d%.*s", i, i % 17, "abcdefghijklmnopq");
    *ev = (struct expert_event){ .kind = EXPERT_DELTA, .choice = i, .text = text, .n_text = strlen(text), .tokens = tokens, .n_tokens = i % 4, .vector = vector, .n_vector = i % 5 };
    for (int k = 0; k < 3; k++) {
        for (int m = 0; m < 2; m++)
            tops[k][m] = (struct expert_token){ .id = m, .logprob = -(float)m, .text = text + m, .n_text = (i + m) % 5 };
        tokens[k] = (struct expert_token){ .id = i + k, .logprob = -(float)k, .text = text + k, .n_text = (i + k) % 4, .top = tops[k], .n_top = (i + k) % 3 };
    }
    for (int k = 0; k < 5; k++)
        vector[k] = (float)(i + k);
}

static bool is_same(const struct expert_token *a, const struct expert_token *b)
{
    bool ok = a->id == b->id && a->logprob == b->logprob && a->n_text == b->n_text && memcmp(a->text, b->text, (size_t)a->n_text) == 0 && a->n_top == b->n_top;
    for (int i = 0; ok && i < a->n_top; i++)
        ok = a->top[i].id == b->top[i].id && a->top[i].n_text == b->top[i].n_text && memcmp(a->top[i].text, b->top[i].text, (size_t)a->top[i].n_text) == 0;
    return ok;
}

static void on_mail(void *ctx, const struct expert_event *ev, uint64_t ns)
{
    struct reader *r = ctx;
    struct expert_event want;
    struct expert_token tokens[3], tops[3][2];
    float vector[5];
    char text[64];
    CHECK(ns > 0 && !r->has_final);
    if (ev->kind == EXPERT_DONE) {
        CHECK(ev->usage && ev->usage->n_gen_tok == 77 && r->n_seen == N_EVENTS, "%d seen", r->n_seen);
        r->has_final = true;
        if (++*r->n_over == N_BOXES)
            net_loop_stop(r->loop);
        return;
    }
    make_event(r->n_seen++, &want, tokens, tops, vector, text);
    CHECK(ev->choice == want.choice && ev->n_text == want.n_text && strcmp(ev->text, want.text) == 0 && ev->n_tokens == want.n_tokens && ev->n_vector == want.n_vector, "event %d", r->n_seen);
    CHECK(ev->n_vector == 0 || memcmp(ev->vector, want.vector, (size_t)ev->n_vector * sizeof(float)) == 0, "vector of event %d", r->n_seen);
    for (int i = 0; i < ev->n_tokens; i++)
        CHECK(is_same(&ev->tokens[i], &want.tokens[i]), "token %d of event %d", i, r->n_seen);
}

static void *speak(void *arg)
{
    struct reader *r = arg;
    for (int i = 0; i < N_EVENTS; i++) {
        struct expert_event ev;
        struct expert_token tokens[3], tops[3][2];
        float vector[5];
        char text[64];
        make_event(i, &ev, tokens, tops, vector, text);
        mail_post(&r->box, &ev);
        if (i % 500 == 0)
            usleep(1000);
    }
    const struct expert_usage u = { .n_gen_tok = 77 };
    mail_post(&r->box, &(struct expert_event){ .kind = EXPERT_DONE, .usage = &u });
    return NULL;
}

TEST(events_of_many_threads_arrive_whole_and_in_order)
{
    struct err err;
    struct net_loop *l = net_loop_new(&err);
    struct mailbox *m = mailbox_new(l, &err);
    struct reader r[N_BOXES] = { 0 };
    int n_over = 0;
    for (int i = 0; i < N_BOXES; i++) {
        mail_box_init(&r[i].box, m, on_mail, &r[i]);
        r[i].n_over = &n_over;
        r[i].loop = l;
    }
    for (int i = 0; i < N_BOXES; i++)
        pthread_create(&r[i].thread, NULL, speak, &r[i]);
    net_loop_run(l);
    for (int i = 0; i < N_BOXES; i++) {
        pthread_join(r[i].thread, NULL);
        CHECK(r[i].has_final);
        mail_box_fini(&r[i].box);
    }
    mailbox_free(m);
    net_loop_free(l);
}

static void on_lost(void *ctx, const struct expert_event *ev, uint64_t ns)
{
    (void)ns;
    if (ev->kind == EXPERT_ERROR) {
        CHECK(ev->err && ev->err->code == ERR_NOMEM);
        *(bool *)ctx = true;
    }
}

TEST(the_final_event_arrives_as_an_error_when_one_was_lost)
{
    struct err err;
    struct net_loop *l = net_loop_new(&err);
    struct mailbox *m = mailbox_new(l, &err);
    struct mail_box box;
    bool has_final = false;
    mail_box_init(&box, m, on_lost, &has_final);
    box.in.max_bytes = 500; /* as good as no memory */
    for (int i = 0; i < 10; i++)
        mail_post(&box, &(struct expert_event){ .kind = EXPERT_DELTA, .text = "abc", .n_text = 3 });
    const struct expert_usage u = { 0 };
    mail_post(&box, &(struct expert_event){ .kind = EXPERT_DONE, .usage = &u });
    mailbox_drain(m);
    CHECK(has_final);
    mail_box_fini(&box);
    mailbox_free(m);
    net_loop_free(l);
}

/* ---- what is beyond text ---- */

struct kept {
    struct buf json;
    int n_results, n_samples, n_tensors, n_parts;
};

static const struct result_label labels[] = { { "tabby \"cat\"", 0.75f }, { "tiger", 0.25f } };
static const struct result_box boxes[] = { { .label = "cat", .score = 0.5f, .x = 1, .y = 2, .w = 3, .h = 4, .n_points = 1, .points = { { 5, 6 } } }, { .name = "Ada" } };
static const struct result_word words[] = { { .text = "read", .w = 5, .h = 6 }, { .text = "heard", .start_s = 0.5, .end_s = 1 } };
static const struct result_segment segments[] = { { .start_s = 0, .end_s = 2, .text = "a" }, { .start_s = 2, .end_s = 3, .label = "speech" } };
static const uint8_t pixels[6] = { 0, 1, 2, 3, 4, 5 };
static const struct result_mask masks[] = { { 3, 2, pixels, -1 } };
static const float numbers[5] = { 1, 2, 3, 4, 5 };
static const struct task_result results[] = {
    { .labels = labels, .n_labels = 2, .text = "", .note = "a note" },
    { .boxes = boxes, .n_boxes = 2, .masks = masks, .n_masks = 1, .width_px = 640, .height_px = 480 },
    { .text = "read heard", .words = words, .n_words = 2, .segments = segments, .n_segments = 2, .language = "en", .duration_s = 3 },
    { .vector = numbers, .n_vector = 5, .scores = numbers, .n_scores = 3, .score_step_s = 0.032 },
    { .boxes = boxes, .n_boxes = 0 }, /* looked, and found nothing */
    { .text = NULL },
};
enum { N_RESULTS = sizeof(results) / sizeof(results[0]) };

static void keep(void *ctx, const struct expert_event *ev, uint64_t ns)
{
    struct kept *k = ctx;
    (void)ns;
    if (ev->result) {
        task_result_put_json(&k->json, ev->result);
        CHECK(ev->result->n_masks == 0 || memcmp(ev->result->masks[0].pixels, pixels, 6) == 0);
        k->n_results++;
    }
    if (ev->samples) {
        CHECK(ev->n_samples == 5 && memcmp(ev->samples, numbers, sizeof(numbers)) == 0 && ev->rate_hz == 16000);
        k->n_samples++;
    }
    if (ev->tensor) {
        CHECK(strcmp(ev->tensor->name, "out") == 0 && ev->tensor->n_bytes == sizeof(numbers) && memcmp(ev->tensor->data, numbers, sizeof(numbers)) == 0);
        k->n_tensors++;
    }
    if (ev->part) {
        CHECK(strcmp(ev->part->expert, "reader") == 0 && strcmp(ev->part->node, "local") == 0 && strcmp(ev->part->text, "STOP") == 0 && !ev->part->error);
        CHECK(ev->part->task == EXPERT_OCR && ev->part->ms == 2.5f);
        k->n_parts++;
    }
}

static void post_all(struct mail_box *box)
{
    float data[5];
    memcpy(data, numbers, sizeof(data));
    const struct tensor t = { .name = "out", .type = TENSOR_F32, .n_dims = 1, .dims = { 5 }, .data = data, .n_bytes = sizeof(data) };
    for (int i = 0; i < N_RESULTS; i++)
        mail_post(box, &(struct expert_event){ .kind = EXPERT_RESULT, .result = &results[i], .text = i % 2 ? "x" : NULL, .n_text = i % 2 });
    mail_post(box, &(struct expert_event){ .kind = EXPERT_AUDIO, .samples = numbers, .n_samples = 5, .rate_hz = 16000 });
    mail_post(box, &(struct expert_event){ .kind = EXPERT_TENSOR, .tensor = &t });
    const struct expert_part part = { .task = EXPERT_OCR, .expert = "reader", .node = "local", .ms = 2.5f, .text = "STOP" };
    mail_post(box, &(struct expert_event){ .kind = EXPERT_PART, .part = &part });
}

TEST(results_samples_tensors_and_parts_cross_whole)
{
    struct err err;
    struct net_loop *l = net_loop_new(&err);
    struct mailbox *m = mailbox_new(l, &err);
    struct mail_box box;
    struct kept k = { .n_results = 0 };
    struct buf want;
    buf_init(&k.json, 1 << 16);
    buf_init(&want, 1 << 16);
    mail_box_init(&box, m, keep, &k);
    for (int round = 0; round < 3; round++)
        post_all(&box);
    mailbox_drain(m);
    for (int i = 0; i < 3 * N_RESULTS; i++)
        task_result_put_json(&want, &results[i % N_RESULTS]);
    CHECK(k.n_results == 3 * N_RESULTS && k.n_samples == 3 && k.n_tensors == 3 && k.n_parts == 3);
    CHECK(k.json.len == want.len && memcmp(k.json.data, want.data, want.len) == 0, "%s\n%s", k.json.data, want.data);
    for (size_t max = 1; max < 4000; max += 37) { /* memory that ends anywhere loses events, never halves of them */
        box.in.max_bytes = box.out.max_bytes = max;
        buf_clear(&k.json);
        post_all(&box);
        mailbox_drain(m);
    }
    mail_box_fini(&box);
    mailbox_free(m);
    net_loop_free(l);
    buf_fini(&k.json);
    buf_fini(&want);
}
