/* expert/text_talk.h - a job of text as an OpenAI request, and its streamed answer as the job's events.
 *
 * For:     server_talk.c (servers elsewhere and children, over HTTP/1.1), cluster/peer_text.c (experts of other nodes, over HTTP/2).
 * Callers: expert/, cluster/.
 * Touches: memory; calls back.  Thread: its owner's.
 * Rule:    an answer is believed as far as its form goes: choices that were not asked for are an error, pieces behind the end of a choice are
 *          passed over.  Reasoning stands between <think> tags and calls of tools in Hermes' form, as models write them.
 */
#ifndef TUTTI_EXPERT_TEXT_TALK_H
#define TUTTI_EXPERT_TEXT_TALK_H
#include "base/buf.h"
#include "expert/job.h"
#include "wire/openai.h"

/* The body of CHAT, COMPLETE or EMBED: openai_put_request(), ollama_put_request().  false with err. */
typedef bool text_put_fn(struct buf *out, const struct openai_request *r, struct err *err);
bool text_talk_ask(struct buf *out, const struct job *j, const char *model, text_put_fn *put, struct err *err);

struct text_talk_fns {
    void (*emit)(void *ctx, struct expert_event *ev);   /* DELTA, CHOICE_END; of DESCRIBE the end alone */
    void (*progress)(void *ctx, bool is_output);        /* something came; is_output: of the answer */
};
struct text_choice {
    bool is_ended, is_thinking;
    struct buf tool_calls; /* owned; JSON pieces that came, in Hermes' form when it ends */
};
struct text_talk {
    const struct job *job;
    struct buf *said;      /* DESCRIBE: the text; borrowed */
    const struct text_talk_fns *fns;
    void *ctx;
    struct text_choice *choices; /* [n_choices] */
    int n_choices, n_ended;
    bool is_done;          /* the answer said that it is complete */
    bool has_failed;
    struct err fail;
    struct expert_usage usage; /* tokens; times are the owner's */
    bool has_usage;
    int n_pieces;          /* of text that came, for servers that count nothing */
};

/* Before the answer; w is zeroed, or was used for an attempt that failed (its counts go on).  false with err: no memory. */
bool text_talk_begin(struct text_talk *w, const struct job *job, struct buf *said, const struct text_talk_fns *fns, void *ctx, struct err *err);
void text_talk_fini(struct text_talk *w); /* a zeroed one is fine; usage stays */
/* One event of the stream, or the whole answer, of CHAT, COMPLETE, DESCRIBE.  false: w->fail says why. */
bool text_talk_take(struct text_talk *w, const char *json, size_t n);
/* All has come: is it whole?  Ends the choices that have no end. */
bool text_talk_end(struct text_talk *w, struct err *err);

/* For other dialects of the same thing. */
void text_talk_fail(struct text_talk *w, const struct err *err);
void text_talk_piece(struct text_talk *w, int choice, const char *thought, size_t n_thought, const char *text, size_t n_text);
void text_talk_tool_calls(struct text_talk *w, int choice, const json_t *calls);
void text_talk_end_choice(struct text_talk *w, int choice, const char *reason); /* "length", "stop", NULL */
void text_talk_usage(struct text_talk *w, const struct openai_usage *u);
#endif
