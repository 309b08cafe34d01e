/* api/oip_job.c - see oip_internal.h: from tensors to a job, and from its events to tensors. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/oip_internal.h"
#include "base/clock.h"

enum {
    KEPT_MAX_BYTES = 128 << 20,
    TEXT_MAX_BYTES = 8 << 20,
    WRITE_HERE = 4096, /* numbers that become text on the loop's thread: 0.2 us each */
};

static const char text_input[] = "text_input", text_output[] = "text_output";

static bool is_text_task(enum expert_task t) { return t == EXPERT_COMPLETE || t == EXPERT_CHAT; }

/* How this expert is asked: as it is if it takes tensors, else as one of text.  "auto" does what any expert here does: what the
 * request brings says which; of itself (NULL) it says that it reads text. */
static enum expert_task pick_task(const struct expert_card *card, const struct oip_request *r)
{
    const bool is_text = !r || (r->n_inputs == 1 && strcmp(r->inputs[0].name, text_input) == 0 && r->inputs[0].type == TENSOR_STRING);
    const bool is_auto_of_text = strcmp(card->kind, "router") == 0 && (card->tasks & (EXPERT_COMPLETE | EXPERT_CHAT)) && is_text;
    if ((card->tasks & EXPERT_INFER) && !is_auto_of_text)
        return EXPERT_INFER;
    if (card->tasks & EXPERT_COMPLETE)
        return EXPERT_COMPLETE;
    if (card->tasks & EXPERT_CHAT)
        return EXPERT_CHAT;
    return card->tasks == 0 && strcmp(card->kind, "llm") == 0 ? EXPERT_COMPLETE : EXPERT_INFER;
}

/* ---- in ---- */

static uint32_t length_at(const unsigned char *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

static const struct tensor *find_texts(const struct oip_request *r, int *n, struct err *err)
{
    const struct tensor *t = &r->inputs[0];
    if (r->n_inputs != 1 || strcmp(t->name, text_input) != 0 || t->type != TENSOR_STRING) {
        err_set(err, ERR_INPUT, "an expert of text reads one input, %s (BYTES); max_tokens, temperature, top_p, top_k, seed and stop are parameters",
                text_input);
        return NULL;
    }
    const int64_t n_all = tensor_count(t->dims, t->n_dims);
    if (n_all < 1 || n_all > JOB_CHOICES_MAX) {
        err_set(err, ERR_INPUT, "%s: %lld texts, 1 to %d are possible", text_input, (long long)n_all, JOB_CHOICES_MAX);
        return NULL;
    }
    *n = (int)n_all;
    return t;
}

static bool read_number(const struct oip_request *r, const char *name, double min, double max, double *out, struct err *err)
{
    const struct oip_param *p = oip_param(r, name);
    if (!p)
        return true;
    *out = p->d;
    if ((p->kind != OIP_INT && p->kind != OIP_DOUBLE) || !(p->d >= min && p->d <= max))
        return err_set(err, ERR_INPUT, "parameters.%s: a number from %g to %g is wanted", name, min, max);
    return true;
}

static bool fill_sampling(struct job *j, const struct oip_request *r, struct err *err)
{
    struct sampler_params *p = &j->sampling;
    double max_tokens = 0, temperature = (double)p->temperature, top_p = (double)p->top_p, top_k = p->top_k, seed = -1;
    const struct oip_param *stop = oip_param(r, "stop");
    if (!read_number(r, "max_tokens", 1, 1 << 24, &max_tokens, err) || !read_number(r, "temperature", 0, 100, &temperature, err) ||
        !read_number(r, "top_p", 0, 1, &top_p, err) || !read_number(r, "top_k", 0, 1 << 24, &top_k, err) ||
        !read_number(r, "seed", 0, 9007199254740992.0, &seed, err))
        return false;
    if (stop && stop->kind != OIP_TEXT)
        return err_set(err, ERR_INPUT, "parameters.stop: a text is wanted");
    j->max_tokens = (int)max_tokens;
    p->temperature = (float)temperature;
    p->top_p = (float)top_p;
    p->top_k = (int)top_k;
    p->seed = seed >= 0 ? (uint64_t)seed : clock_ns();
    if (!stop || !*stop->text)
        return true;
    struct job_text *s = arena_alloc(j->arena, 1, sizeof(*s), err);
    if (!s)
        return false;
    *s = (struct job_text){ stop->text, strlen(stop->text) };
    j->stops = s;
    j->n_stops = 1;
    return true;
}

/* One text after the other out of BYTES; each gets a '\0' behind it. */
static bool fill_texts(struct oip_exchange *o, struct err *err)
{
    struct job *j = o->x.job;
    int n;
    const struct tensor *t = find_texts(o->request, &n, err);
    struct job_input *in = t ? arena_alloc(j->arena, (size_t)n, sizeof(*in), err) : NULL;
    if (!in || !fill_sampling(j, o->request, err))
        return false;
    const unsigned char *p = t->data;
    for (int i = 0; i < n; i++) { /* tensor_check() has walked along here */
        const size_t len = length_at(p);
        in[i].text = arena_strndup(j->arena, (const char *)p + 4, len, err);
        in[i].n_text = len;
        if (!in[i].text)
            return false;
        p += 4 + len;
    }
    o->texts = calloc((size_t)n, sizeof(*o->texts));
    if (!o->texts)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (o->n_texts = 0; o->n_texts < n; o->n_texts++)
        buf_init(&o->texts[o->n_texts], TEXT_MAX_BYTES);
    if (o->x.task == EXPERT_COMPLETE) {
        j->inputs = in;
        j->n_inputs = n;
        return true;
    }
    if (n != 1)
        return err_set(err, ERR_INPUT, "%s: this expert takes one text at a time", text_input);
    j->vars = json_pack("{s:[{s:s, s:s%}]}", "messages", "role", "user", "content", in[0].text, in[0].n_text);
    return j->vars != NULL || err_set(err, ERR_INPUT, "%s: it is not UTF-8", text_input);
}

bool oip_fill_job(struct oip_exchange *o, struct err *err)
{
    struct exchange *x = &o->x;
    struct job *j = x->job;
    const struct oip_request *r = o->request;
    const struct api_model *m = api_find_model(x->call.env, o->model_name);
    struct expert_card card = { .tasks = EXPERT_INFER };
    x->model_id = o->model_name;
    if (!*o->model_name)
        return err_set(err, ERR_INPUT, "a model's name is wanted");
    if (!wish_read_text(&x->wish, r->tutti, &x->error))
        return false;
    if (m)
        expert_get_card(m->expert, &card);
    x->task = pick_task(&card, r);
    if (is_text_task(x->task))
        return fill_texts(o, err);
    const char **outputs = arena_alloc(j->arena, (size_t)r->n_outputs, sizeof(*outputs), err);
    if (!outputs)
        return false;
    for (int i = 0; i < r->n_outputs; i++)
        outputs[i] = r->outputs[i].name;
    j->request.tensors = r->inputs;
    j->request.n_tensors = r->n_inputs;
    j->request.outputs = outputs;
    j->request.n_outputs = r->n_outputs;
    j->request.session = r->session;
    j->request.session_start = r->session_start;
    j->request.session_end = r->session_end;
    return true;
}

void oip_set_deadline(struct exchange *x, uint64_t ns)
{
    const uint64_t at_ms = net_loop_now_ms(x->call.env->loop) + ns / 1000000 + 1;
    if (!x->deadline_ms || at_ms < x->deadline_ms)
        x->deadline_ms = at_ms;
}

bool oip_begin(struct exchange *x, struct err *err)
{
    struct oip_exchange *o = (struct oip_exchange *)x;
    const uint64_t now_ms = net_loop_now_ms(x->call.env->loop);
    (void)err;
    if (o->request->timeout_us)
        oip_set_deadline(x, o->request->timeout_us > INT64_MAX / 1000 ? INT64_MAX : o->request->timeout_us * 1000);
    if (x->deadline_ms) /* the expert may know how to hurry; past it this exchange gives up by itself */
        x->job->deadline_ns = clock_ns() + (x->deadline_ms > now_ms ? (x->deadline_ms - now_ms) * 1000000 : 1);
    return true;
}

/* ---- out ---- */

static bool keep(struct oip_exchange *o, const struct tensor *t, struct err *err)
{
    bool is_binary;
    if (!oip_wants(o->request, t->name, &is_binary))
        return true;
    if (o->n_outputs == OIP_TENSORS_MAX || strlen(t->name) >= TASK_NAME_MAX)
        return err_set(err, ERR_INTERNAL, "%.80s: more outputs than can be sent", t->name);
    struct oip_kept *k = &o->outputs[o->n_outputs++];
    k->is_binary = is_binary || o->is_raw;
    struct buf *to = k->is_binary ? &o->binary : &o->kept;
    snprintf(k->name, sizeof(k->name), "%s", t->name);
    k->tensor = *t;
    k->tensor.data = (void *)(uintptr_t)to->len;
    buf_append(to, t->data, t->n_bytes);
    while (to == &o->kept && !to->failed && to->len % 8 != 0)
        buf_putc(to, 0);
    return buf_ok(to, "the answer", err);
}

struct tensor oip_output(const struct oip_exchange *o, int i)
{
    const struct oip_kept *k = &o->outputs[i];
    const struct buf *from = k->is_binary ? &o->binary : &o->kept;
    struct tensor t = k->tensor;
    t.name = k->name;
    t.data = from->data + (uintptr_t)t.data;
    return t;
}

void oip_on_event(struct exchange *x, const struct expert_event *ev, uint64_t ns)
{
    struct oip_exchange *o = (struct oip_exchange *)x;
    struct err err;
    (void)ns;
    if (ev->kind == EXPERT_DELTA && ev->choice >= 0 && ev->choice < o->n_texts)
        buf_append(&o->texts[ev->choice], ev->text, ev->n_text);
    else if (ev->kind == EXPERT_TENSOR && !keep(o, ev->tensor, &err))
        exchange_fail_with(x, &err);
}

int oip_route_params(const struct oip_exchange *o, struct oip_param out[OIP_ROUTE_PARAMS])
{
    const struct expert_route *t = &o->x.routed.route;
    if (!o->x.routed.is_there)
        return 0;
    out[0] = (struct oip_param){ .name = "tutti_route", .kind = OIP_TEXT, .text = t->id };
    out[1] = (struct oip_param){ .name = "tutti_expert", .kind = OIP_TEXT, .text = t->expert };
    out[2] = (struct oip_param){ .name = "tutti_node", .kind = OIP_TEXT, .text = t->node };
    return OIP_ROUTE_PARAMS;
}

/* The texts as one tensor of the input's shape. */
static bool keep_texts(struct oip_exchange *o, struct err *err)
{
    const struct tensor *in = &o->request->inputs[0];
    struct buf all;
    buf_init(&all, KEPT_MAX_BYTES);
    for (int i = 0; i < o->n_texts; i++) {
        const struct buf *t = &o->texts[i];
        const unsigned char head[4] = { (unsigned char)t->len, (unsigned char)(t->len >> 8), (unsigned char)(t->len >> 16), (unsigned char)(t->len >> 24) };
        if (t->failed)
            all.failed = true;
        buf_append(&all, head, 4);
        if (t->len > 0)
            buf_append(&all, t->data, t->len);
    }
    struct tensor t = *in;
    t.name = text_output;
    t.data = all.data;
    t.n_bytes = all.len;
    const bool ok = buf_ok(&all, "the answer", err) && keep(o, &t, err);
    buf_fini(&all);
    return ok;
}

void oip_write_outputs(struct oip_exchange *o, net_fn *write, net_fn *done)
{
    struct exchange *x = &o->x;
    struct err err = { 0 };
    if (is_text_task(x->task) && !keep_texts(o, &err)) {
        exchange_fail_with(x, &err);
        return;
    }
    if (o->kept.len / 4 > WRITE_HERE && exchange_work(x, write, done, &err))
        return;
    write(x);
    done(x);
}

void oip_fini(struct exchange *x)
{
    struct oip_exchange *o = (struct oip_exchange *)x;
    for (int i = 0; i < o->n_texts; i++)
        buf_fini(&o->texts[i]);
    free(o->texts);
    free(o->path_model);
    buf_fini(&o->kept);
    buf_fini(&o->binary);
}

/* ---- facts ---- */

static void describe_text(struct oip_facts *f)
{
    f->inputs[0] = (struct tensor){ .name = text_input, .type = TENSOR_STRING, .n_dims = 1, .dims = { -1 } };
    f->outputs[0] = (struct tensor){ .name = text_output, .type = TENSOR_STRING, .n_dims = 1, .dims = { -1 } };
    f->model.n_inputs = f->model.n_outputs = 1;
}

static int describe(struct tensor *to, const struct task_io *from, int n)
{
    for (int i = 0; i < n; i++) {
        to[i] = from[i].shape;
        to[i].name = from[i].name; /* the copy's own */
    }
    return n;
}

bool oip_get_facts(struct api_env *env, const char *name, struct oip_facts *f, struct openai_error *e)
{
    const struct api_model *m = *name ? api_find_model(env, name) : NULL;
    struct expert_card card;
    memset(f, 0, sizeof(*f));
    if (!m)
        return api_no_model(env, name, e);
    expert_get_card(m->expert, &card);
    const enum expert_state st = expert_get_state(m->expert);
    f->model = (struct oip_model){ .name = m->id, .platform = f->platform, .is_ready = st != EXPERT_DOWN && st != EXPERT_LOADING && !env->is_draining,
                                   .inputs = f->inputs, .outputs = f->outputs };
    if (strcmp(card.kind, "onnx") == 0)
        snprintf(f->platform, sizeof(f->platform), "onnxruntime_onnx");
    else
        snprintf(f->platform, sizeof(f->platform), "tutti_%s", card.kind[0] ? card.kind : "llm");
    if (pick_task(&card, NULL) != EXPERT_INFER) {
        describe_text(f);
    } else if (expert_get_info(m->expert, &f->info)) {
        f->model.n_inputs = describe(f->inputs, f->info.inputs, f->info.n_inputs);
        f->model.n_outputs = describe(f->outputs, f->info.outputs, f->info.n_outputs);
    }
    return true;
}

bool oip_is_ready(const struct api_env *env)
{
    int n_up = 0;
    for (int i = 0; i < env->n_models; i++) {
        const enum expert_state st = expert_get_state(env->models[i].expert);
        if (st == EXPERT_LOADING)
            return false;
        n_up += st != EXPERT_DOWN;
    }
    return n_up > 0 && !env->is_draining;
}

/* ---- models that are not loaded yet ---- */

struct oip_probe {
    atomic_int refs; /* the asker's, the job's */
    atomic_bool is_over;
    struct err err;  /* written before is_over */
};

void oip_probe_unref(struct oip_probe *p)
{
    if (p && atomic_fetch_sub(&p->refs, 1) == 1)
        free(p);
}

bool oip_probe_is_over(const struct oip_probe *p) { return atomic_load(&p->is_over); }

static void on_probe_event(void *ctx, const struct expert_event *ev)
{
    struct oip_probe *p = ctx;
    if (ev->kind != EXPERT_DONE && ev->kind != EXPERT_ERROR)
        return;
    if (ev->err)
        p->err = *ev->err;
    atomic_store(&p->is_over, true);
    oip_probe_unref(p);
}

struct oip_probe *oip_probe_begin(struct api_env *env, const char *name, struct err *err)
{
    const struct api_model *m = *name ? api_find_model(env, name) : NULL;
    struct expert_card card;
    struct task_info info;
    err_clear(err);
    if (!m || !m->expert->ops->info || env->is_draining || expert_get_info(m->expert, &info))
        return NULL;
    expert_get_card(m->expert, &card);
    if (pick_task(&card, NULL) != EXPERT_INFER)
        return NULL;
    struct oip_probe *p = calloc(1, sizeof(*p));
    struct job *j = p ? job_new(1 << 16, err) : NULL;
    if (!j) {
        free(p);
        return err_null(err, ERR_NOMEM, "out of memory");
    }
    atomic_store(&p->refs, 2);
    j->task = EXPERT_INFER;
    j->on_event = on_probe_event;
    j->ctx = p;
    const bool ok = expert_submit(m->expert, j, err);
    job_unref(j);
    if (ok)
        return p;
    free(p);
    return NULL;
}

bool oip_probe_failed(const struct oip_probe *p, struct api_env *env, const char *name, struct openai_error *e)
{
    const struct api_model *m = api_find_model(env, name);
    struct task_info info;
    if (!m || expert_get_info(m->expert, &info) || p->err.code == ERR_NONE)
        return false;
    openai_error_from(e, NULL, &p->err);
    return true;
}
