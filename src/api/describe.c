/* api/describe.c - POST /v1/tutti/vision/describe: what a picture shows, in words.
 *
 * An expert of task `describe` (a vision-language model behind a server) says it.  Where there is none, a cascade asks the
 * experts that there are, one after the other (labels, things, text), and says honestly that this is all that it knows.
 */
#include <stdio.h>
#include <string.h>

#include "api/vision_internal.h"

enum { WORDS_MAX_BYTES = 64 << 10, LABELS_SAID_MAX = 3, THINGS_SAID_MAX = 12 };

static const enum expert_task stages[] = { EXPERT_CLASSIFY, EXPERT_DETECT, EXPERT_OCR };
enum { N_STAGES = sizeof(stages) / sizeof(stages[0]) };

static const float LABEL_SAID_LEAST = 0.1f; /* less sure than this is not worth a word */

static bool read_request(struct exchange *x, struct err *err)
{
    struct looking *l = (struct looking *)x;
    if (!vision_read(x, EXPERT_DESCRIBE, err))
        return false;
    if (!x->model_id && !api_can(x->call.env, EXPERT_DESCRIBE)) {
        /* The first stage that somebody here can do; whether there is one, api_pick_model() says. */
        while (l->stage < N_STAGES - 1 && !api_can(x->call.env, stages[l->stage]))
            l->stage++;
        x->task = stages[l->stage++];
    }
    return true;
}

static bool begin(struct exchange *x, struct err *err)
{
    struct looking *l = (struct looking *)x;
    buf_init(&l->labels, WORDS_MAX_BYTES);
    buf_init(&l->boxes, WORDS_MAX_BYTES);
    buf_init(&l->words, WORDS_MAX_BYTES);
    buf_init(&l->said, WORDS_MAX_BYTES);
    return api_vision_begin(x, err);
}

/* ---- what the stages found, in words ---- */

static void say_labels(struct buf *b, const struct task_result *r)
{
    for (int i = 0; i < r->n_labels && i < LABELS_SAID_MAX; i++)
        if (r->labels[i].label && r->labels[i].score >= LABEL_SAID_LEAST)
            buf_printf(b, "%s%.100s (%.0f %%)", b->len ? ", " : "", r->labels[i].label, 100.0 * (double)r->labels[i].score);
}

static void say_boxes(struct buf *b, const struct task_result *r)
{
    int n_said = 0;
    for (int i = 0; i < r->n_boxes && n_said < THINGS_SAID_MAX; i++) {
        const char *label = r->boxes[i].label ? r->boxes[i].label : "thing";
        int n = 0, is_first = 1;
        for (int k = 0; k < r->n_boxes; k++) {
            const bool same = strcmp(r->boxes[k].label ? r->boxes[k].label : "thing", label) == 0;
            is_first &= !(same && k < i);
            n += same;
        }
        if (is_first)
            buf_printf(b, "%s%d x %.100s", n_said++ ? ", " : "", n, label);
    }
}

static void on_event(struct exchange *x, const struct expert_event *ev, uint64_t ns)
{
    struct looking *l = (struct looking *)x;
    const struct task_result *r = ev->kind == EXPERT_RESULT ? ev->result : NULL;
    if (l->stage == 0) {
        api_vision_on_event(x, ev, ns);
        return;
    }
    if (!r)
        return;
    say_labels(&l->labels, r);
    say_boxes(&l->boxes, r);
    if (r->text)
        buf_puts(&l->words, r->text);
}

static void put_part(struct buf *b, const char *before, const struct buf *what, const char *after)
{
    if (what->len > 0)
        buf_printf(b, "%s%s%s", before, what->data, after);
}

static void answer(struct looking *l)
{
    struct exchange *x = &l->x;
    struct buf *t = &l->text;
    buf_puts(t, "No vision-language model is here; this is what labels and text can say.");
    put_part(t, " It may show: ", &l->labels, ".");
    put_part(t, " Things in it: ", &l->boxes, ".");
    put_part(t, " Text in it: \"", &l->words, "\".");
    if (l->labels.len + l->boxes.len + l->words.len == 0)
        buf_puts(t, " They found nothing.");
    buf_puts(&x->out, "{\"model\":null,\"models\":[");
    buf_append(&x->out, exchange_text(&l->said), l->said.len);
    buf_puts(&x->out, "],\"text\":");
    buf_put_json(&x->out, exchange_text(t), t->len);
    buf_puts(&x->out, ",\"note\":\"no expert of task describe: a cascade of labels, boxes and text\"}\n");
    x->out.failed = x->out.failed || t->failed || l->labels.failed || l->boxes.failed || l->words.failed || l->said.failed;
    exchange_reply(x, "application/json");
}

static bool on_error(struct exchange *x, const struct err *err);

/* To the next stage that somebody here can do; the answer behind the last. */
static void go_on(struct looking *l)
{
    struct exchange *x = &l->x;
    struct openai_error none = { 0 };
    struct err err = { 0 };
    while (l->stage < N_STAGES && !api_can(x->call.env, stages[l->stage]))
        l->stage++;
    if (l->stage == N_STAGES) {
        answer(l);
        return;
    }
    struct api_model *m = api_pick_model(x->call.env, NULL, stages[l->stage], &none);
    const enum expert_task task = stages[l->stage++];
    if (m && !exchange_ask(x, m, task, &err) && !on_error(x, &err))
        exchange_fail_with(x, &err);
}

static void say_who(struct looking *l, const char *why)
{
    buf_puts(&l->said, l->said.len > 0 ? ",{\"model\":" : "{\"model\":");
    buf_put_json_text(&l->said, l->x.model->id);
    buf_puts(&l->said, ",\"error\":");
    if (why)
        buf_put_json_text(&l->said, why);
    else
        buf_puts(&l->said, "null");
    buf_putc(&l->said, '}');
}

static void on_done(struct exchange *x, const struct expert_usage *usage, uint64_t ns)
{
    struct looking *l = (struct looking *)x;
    if (l->stage == 0) {
        api_vision_on_done(x, usage, ns);
        return;
    }
    x->model->stats.counter[API_IMAGES] += 1;
    say_who(l, NULL);
    l->n_good++;
    go_on(l);
}

/* One that fails leaves the word to the next; when none is left that said anything, its error is the answer. */
static bool on_error(struct exchange *x, const struct err *err)
{
    struct looking *l = (struct looking *)x;
    bool is_last = true;
    for (int i = l->stage; i < N_STAGES; i++)
        is_last = is_last && !api_can(x->call.env, stages[i]);
    if (l->stage == 0 || err->code == ERR_CANCELLED || (is_last && l->n_good == 0))
        return false;
    say_who(l, err->text);
    go_on(l);
    return true;
}

void vision_post_describe(const struct api_call *call, const struct http_head *head)
{
    static const struct exchange_ops ops = { "vision-", read_request, begin, on_event, on_done, on_error, api_vision_fini, NULL };
    exchange_begin(call, head, &ops, sizeof(struct looking));
}
