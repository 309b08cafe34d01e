/* fake-engine/fake.h - what the parts of the fake engine share: main.c (options, life), answers.c (requests that are
 * generated token by token), http.c (which path does what). */
#ifndef FAKE_H
#define FAKE_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "net/http.h"

struct options { /* -1 of a fault: never */
    const char *listen, *model, *api, *journal;
    int load_ms, alloc_mb, release_ms, late_port, ignore_term;
    int tok_s, prompt_tok_s, ttft_ms, n_tokens, slots, dims;
    int stall_at, crash_at, cut_at, garbage_at, crash_code, fault_on, crash_at_start, close_port_at;
};

enum form { FORM_CHAT, FORM_COMPLETION, FORM_OLLAMA };

struct gen { /* a request that is being answered */
    struct fake *fake;
    struct gen *prev, *next;
    struct http_stream *stream;
    struct net_timer *timer;
    char *text;             /* what it says, word by word; owned */
    char tag[64];           /* first word, for the journal */
    enum form form;
    int n_words, n_prompt_tok, n_tok, max_tok, number;
    bool streams, with_usage, is_running;
    uint64_t began_ms, first_ms;
    struct buf out, whole;
};

struct fake {
    struct options opt;
    struct net_loop *loop;
    struct http_server *server;
    struct net_timer *life;
    struct gen *gens; /* newest first */
    int n_running, n_waiting, n_requests;
    uint64_t prompt_tok_total, gen_tok_total;
    double last_tok_s;
    bool is_loaded, is_leaving;
    char *memory;
    int journal_fd;
};

/* answers.c */
/* Words to say, what the request's body asks for; takes the stream.  Replies 400 itself. */
void answer_begin(struct fake *f, struct http_stream *s, enum form form, const char *body, size_t n);
/* A line into the journal: "start TAG", "first TAG", "done TAG". */
void journal(struct fake *f, const char *what, const char *tag);
int count_words(const char *text);

/* http.c */
void on_request(void *ctx, struct http_stream *s, const struct http_head *head);
void reply_json(struct http_stream *s, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* main.c */
void close_port(struct fake *f); /* every connection too; the process lives on */
#endif
