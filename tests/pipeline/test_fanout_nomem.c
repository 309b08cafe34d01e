/* tests/pipeline/test_fanout_nomem.c - a fan-out whose memory is out still ends every request once, and leaves nothing behind. */
#include "pipeline/fanout.h"

#include "../fail_alloc.h"
#include "puppet.h"

struct asked {
    pthread_mutex_t lock;
    pthread_cond_t news;
    int n_finals;
    struct err err;
    struct expert *list[2];
    json_t *vars;
    struct actor actors[2];
};

/* Who answered drops its reference behind the final event. */
static void settle(struct actor *a)
{
    pthread_mutex_lock(&a->p->lock);
    while (a->n_answered < a->p->n_seen)
        pthread_cond_wait(&a->p->news, &a->p->lock);
    pthread_mutex_unlock(&a->p->lock);
}

static void on_event(void *ctx, const struct expert_event *ev)
{
    struct asked *a = ctx;
    if (ev->kind != EXPERT_DONE && ev->kind != EXPERT_ERROR)
        return;
    pthread_mutex_lock(&a->lock);
    a->n_finals++;
    a->err = ev->err ? *ev->err : (struct err){ 0 };
    pthread_cond_broadcast(&a->news);
    pthread_mutex_unlock(&a->lock);
}

static bool answer_once(void *arg, struct err *err)
{
    struct asked *a = arg;
    struct expert *f = fanout_open(&(struct fanout_env){ .experts = a->list, .n_experts = 2 }, err);
    struct job *j = f ? job_new(1 << 16, err) : NULL;
    bool ok = j != NULL;
    a->n_finals = 0;
    if (ok) {
        j->task = EXPERT_CHAT;
        j->vars = json_incref(a->vars);
        j->on_event = on_event;
        j->ctx = a;
        ok = expert_submit(f, j, err);
    }
    if (ok) {
        pthread_mutex_lock(&a->lock);
        while (a->n_finals == 0)
            pthread_cond_wait(&a->news, &a->lock);
        pthread_mutex_unlock(&a->lock);
        *err = a->err;
        ok = a->err.code == ERR_NONE;
    }
    job_unref(j);
    expert_free(f);
    settle(&a->actors[0]);
    settle(&a->actors[1]);
    CHECK(a->n_finals <= 1);
    return ok;
}

static void read_stop(struct puppet *p, struct job *j, void *ctx)
{
    (void)ctx;
    puppet_result(p, j, &(struct task_result){ .text = "STOP" });
    puppet_end(p, j, ERR_NONE, NULL);
}

static void say_yes(struct puppet *p, struct job *j, void *ctx)
{
    (void)ctx;
    puppet_say(p, j, "yes");
    puppet_end(p, j, ERR_NONE, NULL);
}

TEST(an_answer_survives_every_failing_allocation)
{
    struct asked a = { .n_finals = 0 };
    pthread_mutex_init(&a.lock, NULL);
    pthread_cond_init(&a.news, NULL);
    a.vars = json_loads("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"read it\"},"
                        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,aGk=\"}}]}]}", 0, NULL);
    struct puppet *eye = puppet_new("eye", EXPERT_OCR), *mouth = puppet_new("mouth", EXPERT_CHAT);
    a.list[0] = &eye->base, a.list[1] = &mouth->base;
    actor_start(&a.actors[0], eye, read_stop, NULL);
    actor_start(&a.actors[1], mouth, say_yes, NULL);
    fail_alloc_each(answer_once, &a, 300);
    actor_stop(&a.actors[0]);
    actor_stop(&a.actors[1]);
    expert_free(&eye->base);
    expert_free(&mouth->base);
    json_decref(a.vars);
}
