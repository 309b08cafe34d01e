/* expert/server_internal.h - what the parts of a server expert share:
 *
 *   expert_server.c   the door: opening, taking jobs in, saying how things stand, closing
 *   server_card.c     what its card says
 *   server_turn.c     the loop: which job is whose turn, times, retries, the end of a job
 *   server_ask.c      one job's request, as its server wants it
 *   server_talk.c     its call and the answer
 *   server_hello.c    is a server there, and what does its model take?
 *   server_child.c    the child: starting, readiness, death, stalls, stopping
 *   server_runtime.c  which runtime this machine has for a model
 *
 * A job's way: submit -> inbox (lock) -> waiting -> running (a call to the server) -> final event; back to waiting when the
 * server failed before it answered.  Everything but the inbox and what stands under the lock belongs to the loop's thread.
 *
 * The child:   NONE --somebody waits--> ASKING (the keeper) --> STARTING --healthy--> READY
 *              STARTING, READY --death, stall, port lost--> NONE (not again before `again_ms`)
 *              READY --idle, or the keeper wants its memory--> STOPPING --it ended--> NONE
 */
#ifndef TUTTI_EXPERT_SERVER_INTERNAL_H
#define TUTTI_EXPERT_SERVER_INTERNAL_H
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "expert/expert_server.h"
#include "expert/keeper.h"
#include "expert/pace.h"
#include "expert/text_talk.h"
#include "net/client.h"
#include "net/loop.h"
#include "proc/child.h"
#include "wire/events.h"
#include "wire/openai.h"

enum server_protocol { SERVER_OPENAI, SERVER_OLLAMA, SERVER_OIP, SERVER_PROTOCOL_COUNT };

struct server_config { /* what the card says, with defaults filled in; constant after opening */
    bool is_child;
    enum server_protocol protocol;
    struct http_target target; /* remote */
    char base[256];            /* path in front of the protocol's own: "/v1" */
    char model[512];           /* as requests name it */
    char ca_file[1024];        /* "" the system's */
    char key[512];             /* "" none; "Bearer ..." */
    char health[128];          /* path that answers 200 when it is ready */
    char voice[64], runs_on[64], note[160];
    unsigned tasks;
    bool sees, hears, is_binary; /* is_binary: tensors travel behind the JSON */
    int n_ctx, n_parallel, n_queue_max, n_retries, n_start_tries, n_starts_per_min;
    double params_b;           /* of the model, for the choice of a runtime; 0: not said */
    uint64_t first_ms, stall_ms, whole_ms, ready_ms, grace_ms, keep_ms, max_answer_bytes;
    uint64_t memory_bytes;     /* declared; 0: not known */
    /* child */
    struct buf command;        /* words, '\0' behind each; placeholders not yet filled in; empty: chosen by hardware */
    struct buf environ;        /* NAME=VALUE, likewise */
    char runtime[64];          /* "" or the name of a row of data/runtime.csv */
    char model_path[512];
};

struct expert_server;

enum reading { READ_EVENTS, READ_WHOLE, READ_AUDIO, READ_ERROR };

struct work { /* a job inside the expert */
    struct work *prev, *next;
    struct expert_server *server;
    struct job *job; /* one reference */
    uint64_t ticket; /* order of submission */
    int n_attempts;
    bool is_running, is_held; /* held: its call is paused */
    bool was_queued, was_started;
    bool has_output;         /* something of the answer went out: it cannot be asked again */
    uint64_t not_before_ms;  /* waiting: a pause after a failure */
    uint64_t lost_by_ms;     /* running without a call: until then its child's death may still explain it; 0: no */
    struct err lost;
    uint64_t started_ns, first_ns;
    uint64_t progress_ms;    /* when it last got further */
    uint64_t bound_ms;       /* how long it may take to get further again; 0: no bound */
    /* the talk */
    struct text_talk talk;   /* begun anew with each attempt */
    struct http_call *call;
    struct buf request, before, after; /* owned; what is sent */
    enum reading reading;
    int status;
    struct events events;
    struct buf whole;        /* an answer that is read as one; an error's text */
    int rate_hz;             /* SPEAK: 0 until the header said it */
    uint64_t n_audio;        /* bytes */
    size_t n_json, n_json_answer; /* INFER: bytes of JSON in front of binary tensors; 0: all is JSON */
};

struct work_line {
    struct work *first, *last;
    int n;
};

enum child_state { SERVER_NONE, SERVER_ASKING, SERVER_STARTING, SERVER_READY, SERVER_STOPPING };

enum { OUTPUT_RING = 8192, WHAT_BYTES = 64 };

struct server_child {
    enum child_state state;
    struct child child;
    struct net_watch *end_watch, *output_watch;
    int output_fd; /* -1: none */
    struct http_call *probe;
    bool is_healthy;         /* the probe at hand was answered so */
    uint64_t began_ms, began_ns, probe_ms, probe_every_ms, kill_by_ms;
    uint64_t idle_since_ms;
    uint64_t again_ms;       /* not started before that */
    int n_failed;            /* starts in a row without an answer: back-off */
    int n_unready;           /* starts in a row that never became ready */
    double n_starts_left;    /* of this minute: a bucket that refills */
    uint64_t refilled_ms;
    bool holds_seat, has_begun; /* keeper: allowed to load or loaded; work is announced */
    uint64_t ask_again_ms;
    char output[OUTPUT_RING]; /* ring of what it printed */
    size_t n_output;          /* in all */
    char what[WHAT_BYTES];    /* the program's name */
};

struct expert_server {
    struct expert base; /* first */
    struct server_config cfg;
    char id[128];
    char history_path[1024]; /* "" none */
    struct keeper_seat *seat; /* NULL: no keeper */
    struct keeper_client keeper_client;

    /* the loop's thread */
    struct net_loop *loop;
    uint64_t due_ms;         /* when `timer` should run; 0: it does not */
    struct net_wake *wake;
    struct net_timer *timer;
    struct http_client *client;
    struct work_line waiting, running;
    struct server_child child;
    struct pace pace;
    struct http_call *hello; /* is it there, and (oip) what does it take? */
    struct buf hello_body;

    /* any thread */
    atomic_int pid; /* of the child; for the keeper's observe() and figures */
    atomic_bool must_give_back;

    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* state, n_jobs */
    struct work_line inbox;
    int n_open, n_jobs; /* as in llm_internal.h */
    uint64_t n_tickets;
    bool stopping, quit;
    int n_ready_waiters;     /* expert_wait_ready() */
    uint64_t n_hellos_asked, n_hellos; /* wanted; ended */
    bool has_asked_info;
    struct task_info *info;  /* oip: what the server says of its model; owned, NULL: nothing yet */
    struct err hello_err;    /* of the last one; ERR_NONE: it is there */
    uint64_t drain_until_ns;
    struct err down;
    bool is_down;
    bool is_quiet; /* what fails is not logged: whoever waits for it says so */
    struct expert_metrics m;
    struct expert_server_figures f;
    struct expert_card card;
    bool has_thread;
    pthread_t thread;
};

/* server_card.c */
bool server_read_card(struct expert_server *e, const struct card *card, struct err *err);
void server_config_fini(struct server_config *c);
/* A line of words as a shell would cut it, without any expansion: 'a b' "c d" e\ f.  Words go to out with a '\0' behind each. */
bool server_split(const char *line, struct buf *out, struct err *err);

/* server_turn.c */
void *server_main(void *arg);
void server_turn(void *ctx); /* of net_fn */
void server_soon(struct expert_server *e); /* a turn in the loop's next round */
uint64_t server_now_ms(const struct expert_server *e);
/* The final event; err NULL: done. */
void work_end(struct work *w, const struct err *err);
/* Its server failed before it answered: waits again, or ends with err when it was tried often enough. */
void work_again(struct work *w, uint64_t pause_ms, const struct err *err);
void work_emit(struct work *w, struct expert_event *ev);
/* Something of the answer came. */
void work_progress(struct work *w, bool is_output);

/* server_ask.c */
enum { REQUEST_BYTES_MAX = 256 << 20 };
struct ask_parts {
    const char *what, *type; /* end of the path; content type */
    struct http_piece body[HTTP_PIECES_MAX]; /* in the work's buffers and in the job */
    int n_body;
};
bool ask_put(struct work *w, struct ask_parts *p, struct err *err);

/* server_talk.c */
bool talk_begin(struct work *w, struct err *err);
void talk_stop(struct work *w); /* cancels the call and forgets what came; the work can begin again */

/* server_hello.c */
/* Asks a server whether it is there, and what its model takes, when somebody wants to know. */
void talk_hello(struct expert_server *e);

/* server_child.c */
void child_open(struct expert_server *e); /* a zeroed child becomes none */
bool child_join(struct expert_server *e, struct keeper *k, struct err *err); /* before its first job */
/* Brings the child nearer to what is wanted; from server_turn(). */
void child_turn(struct expert_server *e, bool is_wanted);
bool child_takes(const struct expert_server *e); /* may a job begin there? */
/* It does not answer any more: killed, started again when wanted. */
void child_fail(struct expert_server *e, const char *why);
void child_answered(struct expert_server *e); /* a request was answered: back-off begins anew */
uint64_t child_next_ms(const struct expert_server *e); /* when child_turn() is due; 0: nothing is */
void child_close(struct expert_server *e); /* the end: nothing of it is left */
bool child_is_gone(struct expert_server *e); /* looks now: has it ended? */

/* server_runtime.c */
struct catalog;
struct hw_machine;
/* The same for a machine at hand. */
bool server_pick_runtime(const struct expert_server *e, struct catalog *cat, const struct hw_machine *m, int port, struct buf *line, char *runs_on,
                         size_t max, struct err *err);
/* The line that starts a server for this model on this machine; what it runs on.  false with err: none is installed. */
bool server_choose_runtime(struct expert_server *e, int port, struct buf *line, char *runs_on, size_t max, struct err *err);
#endif
