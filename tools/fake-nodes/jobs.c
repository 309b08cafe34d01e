/* fake-nodes/jobs.c - what a fake node answers: chats, completions and embeddings of the OpenAI API, tasks and tensors of the Open Inference
 * Protocol over gRPC; start at begin().
 *
 * Of text each answer is "w0 w1 w2 ...", as many words as were asked for, at --tok-s (0: all at once).  Tasks: a box, a word, the inputs again.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/list.h"
#include "expert/task_wire.h"
#include "nodes.h"
#include "wire/oip_pb.h"
#include "wire/openai.h"

enum path { PATH_CHAT, PATH_COMPLETE, PATH_EMBED, PATH_TASK /* ModelStreamInfer */, PATH_INFER, PATH_COUNT };
static const char *const paths[PATH_COUNT] = { "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/inference.GRPCInferenceService/ModelStreamInfer",
                                               "/inference.GRPCInferenceService/ModelInfer" };
enum { BODY_BYTES_MAX = 64 << 20, DIMS = 8, TOKENS_MAX = 1 << 20 };

static bool is_grpc(const struct fake_job *j) { return j->path >= PATH_TASK; }

static struct openai_head head_of(const struct fake_job *j) { return (struct openai_head){ .id = "fake-1", .created_s = 1700000000, .model = j->node->all->o.model }; }

static void refuse(struct fake_job *j, int status, enum grpc_status code, const char *why)
{
    j->node->n_refused++;
    if (is_grpc(j)) {
        grpc_end(j->stream, code, why);
        return;
    }
    buf_clear(&j->out);
    buf_puts(&j->out, "{\"error\":{\"type\":\"server_error\",\"message\":");
    buf_put_json(&j->out, why, strlen(why));
    buf_puts(&j->out, "}}");
    http_stream_reply(j->stream, status, &(struct http_field){ "content-type", "application/json" }, 1, j->out.data, j->out.len);
}

static void send_out(struct fake_job *j)
{
    if (j->out.len > 0)
        http_stream_write(j->stream, j->out.data, j->out.len);
    buf_clear(&j->out);
}

/* ---- text ---- */

static int word(int i, char out[24]) { return snprintf(out, 24, "%sw%d", i ? " " : "", i); }

static void end_text(struct fake_job *j)
{
    const struct openai_head h = head_of(j);
    const enum openai_task task = j->path == PATH_CHAT ? OPENAI_CHAT : OPENAI_COMPLETION;
    const struct openai_usage u = { .n_prompt_tok = j->n_prompt_tok, .n_gen_tok = j->n_tok };
    if (j->is_stream) {
        openai_put_chunk(&j->out, task, &h, &(struct openai_choice){ .text = "", .finish_reason = "length" }, j->with_usage);
        if (j->with_usage)
            openai_put_chunk_usage(&j->out, task, &h, &u);
        openai_put_chunk_end(&j->out);
        send_out(j);
        http_stream_end(j->stream);
        return;
    }
    struct buf text;
    char w[24];
    buf_init(&text, 16 << 20);
    for (int i = 0; i < j->n_tok; i++)
        buf_append(&text, w, (size_t)word(i, w));
    openai_put_reply_begin(&j->out, task, &h);
    openai_put_reply_choice(&j->out, task, &(struct openai_choice){ .text = text.data ? text.data : "", .n_text = text.len, .finish_reason = "length" }, true);
    openai_put_reply_end(&j->out, &h, &u);
    http_stream_reply(j->stream, 200, &(struct http_field){ "content-type", "application/json" }, 1, j->out.data, j->out.len);
    buf_fini(&text);
}

static void go_on_text(struct fake_job *j)
{
    const struct options *o = &j->node->all->o;
    const uint64_t now = net_loop_now_ms(j->node->all->loop), slow = (uint64_t)j->node->slow, tok_s = (uint64_t)o->tok_s;
    const struct openai_head h = head_of(j);
    const uint64_t first_ms = j->began_ms + slow * ((uint64_t)o->ttft_ms + (o->prompt_tok_s ? 1000ull * (uint64_t)j->n_prompt_tok / (uint64_t)o->prompt_tok_s : 0));
    if (j->is_stream && j->n_tok == 0) {
        http_stream_start(j->stream, 200, &(struct http_field){ "content-type", "text/event-stream" }, 1, -1);
        if (j->path == PATH_CHAT)
            openai_put_chunk_role(&j->out, &h, 0, j->with_usage);
    }
    const uint64_t due = tok_s ? 1 + (now - first_ms) * tok_s / (1000 * slow) : UINT64_MAX;
    for (char w[24]; (uint64_t)j->n_tok < due && j->n_tok < j->max_tok; j->n_tok++)
        if (j->is_stream)
            openai_put_chunk(&j->out, j->path == PATH_CHAT ? OPENAI_CHAT : OPENAI_COMPLETION, &h, &(struct openai_choice){ .text = w, .n_text = (size_t)word(j->n_tok, w) }, j->with_usage);
    if (j->node->fault == FAULT_CUT) {
        http_stream_reset(j->stream);
        return;
    }
    if (j->n_tok >= j->max_tok) {
        end_text(j);
        return;
    }
    send_out(j);
    const uint64_t next_ms = first_ms + (uint64_t)j->n_tok * 1000 * slow / tok_s;
    net_timer_start(j->timer, next_ms > now ? next_ms - now : 1, 0);
}

static bool read_text(struct fake_job *j)
{
    const struct options *o = &j->node->all->o;
    json_t *body = json_loadb(j->body.data ? j->body.data : "", j->body.len, 0, NULL);
    if (!body)
        return false;
    const json_t *max = json_object_get(body, "max_tokens");
    if (!json_is_integer(max))
        max = json_object_get(body, "max_completion_tokens");
    j->max_tok = json_is_integer(max) && json_integer_value(max) > 0 && json_integer_value(max) < TOKENS_MAX ? (int)json_integer_value(max) : o->tokens;
    j->is_stream = json_is_true(json_object_get(body, "stream"));
    j->with_usage = json_is_true(json_object_get(json_object_get(body, "stream_options"), "include_usage"));
    j->n_prompt_tok = 1 + (int)(j->body.len / 4);
    json_decref(body);
    return true;
}

static void end_embeddings(struct fake_job *j)
{
    const float v[DIMS] = { 1 };
    const struct openai_head h = head_of(j);
    json_t *body = json_loadb(j->body.data ? j->body.data : "", j->body.len, 0, NULL);
    const json_t *in = json_object_get(body, "input");
    const char *format = json_string_value(json_object_get(body, "encoding_format"));
    const size_t n = json_is_array(in) ? json_array_size(in) : 1;
    openai_put_embeddings_begin(&j->out);
    for (size_t i = 0; i < n; i++)
        openai_put_embedding(&j->out, (int)i, v, DIMS, format && strcmp(format, "base64") == 0, i == 0);
    openai_put_embeddings_end(&j->out, &h, j->n_prompt_tok);
    http_stream_reply(j->stream, 200, &(struct http_field){ "content-type", "application/json" }, 1, j->out.data, j->out.len);
    json_decref(body);
}

/* ---- tasks and tensors ---- */

static void start_grpc(struct fake_job *j)
{
    if (!http_stream_is_started(j->stream))
        http_stream_start(j->stream, 200, &(struct http_field){ "content-type", "application/grpc+proto" }, 1, -1);
}

static void send_message(struct fake_job *j, const struct buf *message)
{
    char prefix[GRPC_PREFIX_BYTES];
    start_grpc(j);
    grpc_put_prefix(prefix, message->len);
    http_stream_write(j->stream, prefix, sizeof(prefix));
    http_stream_write(j->stream, message->data, message->len);
}

static void send_block(struct fake_job *j, const char *output, const struct buf *block)
{
    struct buf *m = &j->node->all->message;
    buf_clear(m);
    oip_pb_put_block_reply(m, "", output, block->data ? block->data : "", block->len);
    send_message(j, m);
}

static void send_event(struct fake_job *j, const struct expert_event *ev)
{
    struct err err = { 0 };
    buf_clear(&j->out);
    if (task_wire_put_event(&j->out, ev, &err))
        send_block(j, TASK_WIRE_EVENT, &j->out);
}

static void answer_task(struct fake_job *j, const struct task_request *rq)
{
    const struct result_box boxes[] = { { .label = "thing", .score = .9f, .x = 1, .y = 2, .w = 3, .h = 4 } };
    const struct result_label labels[] = { { .label = "thing", .score = .9f } };
    if (rq->task == EXPERT_TRANSCRIBE)
        send_event(j, &(struct expert_event){ .kind = EXPERT_DELTA, .text = " heard", .n_text = 6 });
    for (int i = 0; rq->task == EXPERT_INFER && i < rq->n_tensors; i++)
        send_event(j, &(struct expert_event){ .kind = EXPERT_TENSOR, .tensor = &rq->tensors[i] });
    if (rq->task != EXPERT_INFER && rq->task != EXPERT_TRANSCRIBE)
        send_event(j, &(struct expert_event){ .kind = EXPERT_RESULT, .result = &(struct task_result){ .boxes = boxes, .n_boxes = rq->task != EXPERT_CLASSIFY, .labels = labels,
                                                                                                     .n_labels = rq->task == EXPERT_CLASSIFY, .width_px = 640, .height_px = 480 } });
    buf_clear(&j->out);
    task_wire_put_usage(&j->out, &(struct expert_usage){ .prefill_ns = 1000000u * (uint64_t)j->node->all->o.item_ms });
    send_block(j, TASK_WIRE_USAGE, &j->out);
    grpc_end(j->stream, GRPC_OK, NULL);
}

/* The inputs as outputs. */
static bool answer_tensors(struct fake_job *j, const struct oip_request *r, bool is_raw, struct err *err)
{
    struct buf reply, *m = &j->node->all->message;
    bool ok = true;
    buf_init(&reply, BODY_BYTES_MAX);
    oip_pb_put_reply(&reply, j->node->all->o.model, r->id, NULL, 0);
    for (int i = 0; i < r->n_inputs && ok; i++)
        ok = oip_pb_put_output(&reply, &r->inputs[i], is_raw, err);
    for (int i = 0; i < r->n_inputs && ok && is_raw; i++)
        oip_pb_put_raw(&reply, &r->inputs[i]);
    buf_clear(m);
    if (ok && j->path == PATH_TASK)
        oip_pb_put_stream_reply(m, &reply);
    else if (ok)
        buf_append(m, reply.data, reply.len);
    if (j->path == PATH_INFER || !ok)
        buf_fini(&reply);
    if (ok) {
        send_message(j, m);
        grpc_end(j->stream, GRPC_OK, NULL);
    }
    return ok;
}

static void end_grpc(struct fake_job *j)
{
    struct nodes *all = j->node->all;
    struct err err = { 0 };
    const char *model, *at = j->body.data ? j->body.data : "";
    const void *m;
    size_t n = j->body.len, n_m;
    bool is_raw = false;
    struct grpc_reader reader;
    struct task_request rq;
    arena_reset(all->arena);
    grpc_reader_init(&reader, GRPC_MESSAGE_MAX_BYTES);
    const enum grpc_piece p = grpc_read(&reader, &at, &n, &m, &n_m);
    struct oip_request *r = arena_alloc(all->arena, 1, sizeof(*r), &err);
    bool ok = p == GRPC_MESSAGE && r && oip_pb_read_infer(r, &model, &is_raw, m, n_m, all->arena, &err);
    if (ok && r->n_inputs == 1 && strcmp(r->inputs[0].name, TASK_WIRE_REQUEST) == 0) {
        ok = task_wire_read_request(r->inputs[0].data, r->inputs[0].n_bytes, all->arena, &rq, &err);
        if (ok)
            answer_task(j, &rq);
    } else if (ok) {
        ok = answer_tensors(j, r, is_raw, &err);
    }
    grpc_reader_fini(&reader);
    if (!ok)
        refuse(j, 400, GRPC_INVALID_ARGUMENT, err.text[0] ? err.text : "one message is wanted");
}

/* ---- a job's life ---- */

static void on_turn(void *ctx)
{
    struct fake_job *j = ctx;
    if (j->node->fault == FAULT_HANG)
        return; /* and it never comes back to it */
    if (j->path <= PATH_COMPLETE)
        go_on_text(j);
    else if (j->path == PATH_EMBED)
        end_embeddings(j);
    else
        end_grpc(j);
}

static void begin(struct fake_job *j)
{
    struct node *n = j->node;
    const struct options *o = &n->all->o;
    j->is_running = true;
    n->n_running++;
    n->has_news = true;
    j->began_ms = net_loop_now_ms(n->all->loop);
    const int prompt_ms = j->path <= PATH_COMPLETE && o->prompt_tok_s ? (int)(1000ll * j->n_prompt_tok / o->prompt_tok_s) : 0;
    const int ms = n->slow * (j->path <= PATH_COMPLETE ? o->ttft_ms + prompt_ms : o->item_ms);
    if (ms > 0)
        net_timer_start(j->timer, (uint64_t)ms, 0);
    else
        on_turn(j);
}

static void run_next(struct node *n)
{
    struct fake_job *oldest = NULL;
    for (struct fake_job *j = n->jobs; j && n->n_waiting > 0; j = j->next)
        if (j->is_ready && !j->is_running)
            oldest = j;
    if (!oldest || n->n_running >= n->all->o.slots)
        return;
    n->n_waiting--;
    begin(oldest);
}

static void on_data(void *ctx, const char *bytes, size_t n)
{
    struct fake_job *j = ctx;
    buf_append(&j->body, bytes, n);
}

static void on_end(void *ctx)
{
    struct fake_job *j = ctx;
    struct node *n = j->node;
    if (n->fault == FAULT_REFUSE) {
        refuse(j, 503, GRPC_UNAVAILABLE, "told to refuse");
        return;
    }
    if (!is_grpc(j) && !read_text(j)) {
        refuse(j, 400, GRPC_INVALID_ARGUMENT, "that is no JSON");
        return;
    }
    j->is_ready = true;
    n->n_waiting++;
    run_next(n);
}

static void on_close(void *ctx, enum http_close why)
{
    struct fake_job *j = ctx;
    struct node *n = j->node;
    n->n_done += why == HTTP_CLOSE_DONE;
    n->n_running -= j->is_running;
    n->n_waiting -= j->is_ready && !j->is_running;
    n->has_news = true;
    LIST_UNLINK(n->jobs, j);
    net_timer_free(j->timer);
    buf_fini(&j->body);
    buf_fini(&j->out);
    free(j);
    if (!n->all->is_leaving)
        run_next(n);
}

static void on_refused(void *ctx, enum http_close why) { (void)ctx, (void)why; }

void job_take(struct node *n, struct http_stream *s, const struct http_head *head)
{
    static const struct http_stream_fns fns = { on_data, on_end, NULL, on_close }, refused = { .on_close = on_refused };
    struct err err = { 0 };
    int p = 0;
    while (p < PATH_COUNT && strcmp(head->path, paths[p]) != 0)
        p++;
    struct fake_job *j = p < PATH_COUNT ? calloc(1, sizeof(*j)) : NULL;
    if (!j || !(j->timer = net_timer_new(n->all->loop, on_turn, j, &err))) {
        free(j);
        if (grpc_is_call(head)) {
            grpc_refuse(s, GRPC_UNIMPLEMENTED, "a fake node has ModelInfer and ModelStreamInfer");
            return;
        }
        http_stream_take(s, &refused, NULL);
        http_stream_reply(s, 404, &(struct http_field){ "content-type", "text/plain" }, 1, "no such path\n", 13);
        return;
    }
    j->node = n;
    j->stream = s;
    j->path = p;
    buf_init(&j->body, BODY_BYTES_MAX);
    buf_init(&j->out, BODY_BYTES_MAX);
    LIST_LINK(n->jobs, j);
    n->n_jobs++;
    http_stream_take(s, &fns, j);
}
