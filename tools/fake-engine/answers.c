/* fake-engine/answers.c - a text answer, token by token, with the faults that the options ask for.
 *
 * The answer repeats the words of the last message, over and over until max_tokens, so that a test can see from an answer
 * which request it belongs to and whether anything is missing.
 */
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "fake.h"
#include "net/loop.h"
#include "wire/openai.h"

void journal(struct fake *f, const char *what, const char *tag)
{
    char line[128];
    if (f->journal_fd < 0)
        return;
    const int n = snprintf(line, sizeof(line), "%d %s %s\n", (int)getpid(), what, tag);
    if (write(f->journal_fd, line, (size_t)n) != n)
        _exit(3);
}

int count_words(const char *text)
{
    int n = 0;
    for (text += strspn(text, " \n\t"); *text; text += strspn(text, " \n\t")) {
        text += strcspn(text, " \n\t");
        n++;
    }
    return n;
}

/* Word i of the text, from the start again when it is at its end. */
static const char *word_at(const struct gen *g, int i, int *n)
{
    const char *s = g->text + strspn(g->text, " \n\t");
    for (i %= g->n_words; i > 0; i--) {
        s += strcspn(s, " \n\t");
        s += strspn(s, " \n\t");
    }
    *n = (int)strcspn(s, " \n\t");
    return s;
}

static void free_gen(struct gen *g)
{
    struct fake *f = g->fake;
    if (g->is_running)
        f->n_running--;
    else
        f->n_waiting--;
    LIST_UNLINK(f->gens, g);
    net_timer_free(g->timer);
    buf_fini(&g->out);
    buf_fini(&g->whole);
    free(g->text);
    free(g);
}

static void on_turn(void *ctx);

static void run_next(struct fake *f)
{
    struct gen *oldest = NULL;
    for (struct gen *g = f->gens; g; g = g->next)
        if (!g->is_running)
            oldest = g;
    if (!oldest || f->n_running >= f->opt.slots)
        return;
    f->n_waiting--;
    f->n_running++;
    oldest->is_running = true;
    oldest->began_ms = net_loop_now_ms(f->loop);
    const uint64_t prompt_ms = f->opt.prompt_tok_s ? (uint64_t)oldest->n_prompt_tok * 1000 / (uint64_t)f->opt.prompt_tok_s : 0;
    net_timer_start(oldest->timer, (uint64_t)f->opt.ttft_ms + prompt_ms, 0);
}

static void on_close(void *ctx, enum http_close why)
{
    struct gen *g = ctx;
    struct fake *f = g->fake;
    if (why == HTTP_CLOSE_DONE)
        journal(f, "done", g->tag);
    free_gen(g);
    if (!f->is_leaving)
        run_next(f);
}

static struct openai_head head_of(const struct gen *g)
{
    return (struct openai_head){ .id = "fake-1", .created_s = 1700000000, .model = g->fake->opt.model };
}

static void put_piece(struct gen *g, const char *text, size_t n, const char *reason)
{
    const struct openai_head h = head_of(g);
    const struct openai_choice c = { .text = text, .n_text = n, .finish_reason = reason };
    if (g->form == FORM_OLLAMA) {
        buf_puts(&g->out, "{\"model\":\"fake\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":");
        buf_put_json(&g->out, text, n);
        if (reason)
            buf_printf(&g->out, "},\"done\":true,\"done_reason\":\"%s\",\"prompt_eval_count\":%d,\"eval_count\":%d}\n", reason, g->n_prompt_tok, g->n_tok);
        else
            buf_puts(&g->out, "},\"done\":false}\n");
        return;
    }
    openai_put_chunk(&g->out, g->form == FORM_CHAT ? OPENAI_CHAT : OPENAI_COMPLETION, &h, &c, g->with_usage);
}

static void finish(struct gen *g)
{
    const struct openai_head h = head_of(g);
    const enum openai_task task = g->form == FORM_CHAT ? OPENAI_CHAT : OPENAI_COMPLETION;
    const struct openai_usage u = { .n_prompt_tok = g->n_prompt_tok, .n_gen_tok = g->n_tok };
    const uint64_t ms = net_loop_now_ms(g->fake->loop) - g->first_ms;
    if (ms > 0)
        g->fake->last_tok_s = g->n_tok * 1000.0 / (double)ms;
    if (g->streams) {
        put_piece(g, "", 0, "length");
        if (g->form != FORM_OLLAMA) {
            if (g->with_usage)
                openai_put_chunk_usage(&g->out, task, &h, &u);
            openai_put_chunk_end(&g->out);
        }
        http_stream_write(g->stream, g->out.data, g->out.len);
        http_stream_end(g->stream);
        return;
    }
    const struct openai_choice c = { .text = g->whole.data, .n_text = g->whole.len, .finish_reason = "length" };
    if (g->form == FORM_OLLAMA) {
        put_piece(g, g->whole.data, g->whole.len, "length");
    } else {
        openai_put_reply_begin(&g->out, task, &h);
        openai_put_reply_choice(&g->out, task, &c, true);
        openai_put_reply_end(&g->out, &h, &u);
    }
    http_stream_reply(g->stream, 200, &(struct http_field){ "content-type", "application/json" }, 1, g->out.data, g->out.len);
}

static bool is_faulty(const struct gen *g)
{
    const struct options *o = &g->fake->opt;
    return (o->fault_on <= 0 || g->number == o->fault_on) &&
           (g->n_tok == o->crash_at || g->n_tok == o->stall_at || g->n_tok == o->cut_at || g->n_tok == o->garbage_at);
}

/* The fault that is due at this token strikes; what came before it has left.  true: nothing more of this request. */
static bool strike(struct gen *g)
{
    const struct options *o = &g->fake->opt;
    if (!is_faulty(g))
        return false;
    if (g->n_tok == o->crash_at)
        _exit(o->crash_code);
    if (g->n_tok == o->stall_at)
        return true; /* and never comes back to it */
    if (g->n_tok == o->cut_at) {
        http_stream_reset(g->stream);
        return true;
    }
    if (g->n_tok == o->garbage_at) {
        const char bad[] = "data: {\"choices\":[{\"delta\":{\"content\":\n\n";
        if (!http_stream_is_started(g->stream))
            http_stream_start(g->stream, 200, &(struct http_field){ "content-type", "text/event-stream" }, 1, -1);
        http_stream_write(g->stream, bad, sizeof(bad) - 1);
        http_stream_end(g->stream);
        return true;
    }
    return false;
}

static void on_turn(void *ctx)
{
    struct gen *g = ctx;
    struct fake *f = g->fake;
    const uint64_t now = net_loop_now_ms(f->loop);
    if (g->n_tok == 0) {
        g->first_ms = now;
        f->prompt_tok_total += (uint64_t)g->n_prompt_tok;
        journal(f, "first", g->tag);
        if (g->streams && !http_stream_is_started(g->stream)) {
            const struct openai_head h = head_of(g);
            const char *type = g->form == FORM_OLLAMA ? "application/x-ndjson" : "text/event-stream";
            http_stream_start(g->stream, 200, &(struct http_field){ "content-type", type }, 1, -1);
            if (g->form == FORM_CHAT)
                openai_put_chunk_role(&g->out, &h, 0, g->with_usage);
        }
    }
    if (strike(g))
        return;
    const uint64_t due = 1 + (now - g->first_ms) * (uint64_t)f->opt.tok_s / 1000;
    while ((uint64_t)g->n_tok < due && g->n_tok < g->max_tok) {
        int n;
        const char *w = word_at(g, g->n_tok, &n);
        char text[256];
        const int n_text = snprintf(text, sizeof(text), "%s%.*s", g->n_tok ? " " : "", n, w);
        if (g->streams)
            put_piece(g, text, (size_t)n_text, NULL);
        else
            buf_append(&g->whole, text, (size_t)n_text);
        g->n_tok++;
        f->gen_tok_total++;
        if (is_faulty(g))
            break;
    }
    if (g->n_tok >= g->max_tok && !is_faulty(g)) {
        finish(g);
        return;
    }
    if (g->out.len > 0) {
        http_stream_write(g->stream, g->out.data, g->out.len);
        buf_clear(&g->out);
    }
    const uint64_t next_ms = (uint64_t)g->n_tok * 1000 / (uint64_t)f->opt.tok_s + g->first_ms;
    net_timer_start(g->timer, next_ms > now ? next_ms - now : 1, 0);
}

/* The text of the last message; its parts joined; pictures become a word that says how large they are. */
static void put_last_message(const json_t *body, struct buf *out)
{
    const json_t *messages = json_object_get(body, "messages");
    const json_t *last = json_array_get(messages, json_array_size(messages) - 1), *content = json_object_get(last, "content");
    if (json_is_string(content))
        buf_append(out, json_string_value(content), json_string_length(content));
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *part = json_array_get(content, i), *text = json_object_get(part, "text");
        const json_t *url = json_object_get(json_object_get(part, "image_url"), "url");
        if (text)
            buf_printf(out, " %s", json_string_value(text));
        if (url)
            buf_printf(out, " picture-of-%zu-characters", json_string_length(url));
    }
    for (size_t i = 0; i < json_array_size(json_object_get(last, "images")); i++)
        buf_puts(out, " picture");
}

static int int_of(const json_t *o, const char *a, const char *b, int usual)
{
    const json_t *v = json_object_get(o, a);
    if (!json_is_integer(v))
        v = json_object_get(o, b);
    return json_is_integer(v) && json_integer_value(v) > 0 && json_integer_value(v) < 1 << 20 ? (int)json_integer_value(v) : usual;
}

static void on_close_refused(void *ctx, enum http_close why) { (void)ctx, (void)why; }

void answer_begin(struct fake *f, struct http_stream *s, enum form form, const char *bytes, size_t n)
{
    static const struct http_stream_fns fns = { NULL, NULL, NULL, on_close }, refused = { NULL, NULL, NULL, on_close_refused };
    struct err err = { 0 };
    json_t *body = json_loadb(bytes, n, 0, NULL);
    struct gen *g = calloc(1, sizeof(*g));
    struct buf text;
    buf_init(&text, 64 << 20);
    if (!body || !g) {
        http_stream_take(s, &refused, NULL);
        reply_json(s, 400, "{\"error\":{\"message\":\"that is no JSON\",\"type\":\"invalid_request_error\"}}");
        json_decref(body);
        free(g);
        return;
    }
    if (form == FORM_COMPLETION)
        buf_puts(&text, json_is_string(json_object_get(body, "prompt")) ? json_string_value(json_object_get(body, "prompt")) : "");
    else
        put_last_message(body, &text);
    if (text.len == 0)
        buf_puts(&text, "ok");
    g->fake = f;
    g->stream = s;
    g->form = form;
    g->text = text.data;
    g->n_words = count_words(g->text);
    if (g->n_words == 0)
        g->text[0] = '-', g->text[1] = '\0', g->n_words = 1;
    g->n_prompt_tok = g->n_words;
    const json_t *options = form == FORM_OLLAMA ? json_object_get(body, "options") : body;
    g->max_tok = int_of(options, form == FORM_OLLAMA ? "num_predict" : "max_tokens", "max_completion_tokens", f->opt.n_tokens);
    g->streams = form == FORM_OLLAMA ? !json_is_false(json_object_get(body, "stream")) : json_is_true(json_object_get(body, "stream"));
    g->with_usage = json_is_true(json_object_get(json_object_get(body, "stream_options"), "include_usage"));
    snprintf(g->tag, sizeof(g->tag), "%.*s", (int)strcspn(g->text + strspn(g->text, " \n\t"), " \n\t"), g->text + strspn(g->text, " \n\t"));
    json_decref(body);
    g->timer = net_timer_new(f->loop, on_turn, g, &err);
    buf_init(&g->out, 64 << 20);
    buf_init(&g->whole, 64 << 20);
    g->number = ++f->n_requests;
    f->n_waiting++;
    LIST_LINK(f->gens, g);
    http_stream_take(s, &fns, g);
    journal(f, "start", g->tag);
    if (f->n_requests == f->opt.close_port_at) {
        close_port(f);
        return;
    }
    run_next(f);
}
