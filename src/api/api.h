/* api/api.h - what all protocols share: the models that are served, a request's context, how replies leave.
 *
 * For:     serve/ fills the environment in and routes requests; one file per protocol handles them.
 * Callers: api/, serve/.
 * Touches: streams, the loop.  Thread: the loop's.
 * Rule:    a handler takes its stream and answers it exactly once, or is told that it is gone.
 */
#ifndef TUTTI_API_API_H
#define TUTTI_API_API_H
#include <stdbool.h>
#include <stdint.h>

#include "api/mailbox.h"
#include "api/stats.h"
#include "base/rng.h"
#include "expert/expert.h"
#include "net/http.h"
#include "wire/openai.h"

struct api_model {
    const char *id;        /* borrowed */
    struct expert *expert; /* borrowed: outlives the environment */
    struct api_stats stats;
};

struct api_alias { /* another name for a model: what clients ask for that cannot be told another */
    const char *id;
    struct api_model *model;
};

struct exchange;
struct router;
struct steward;

struct api_env {
    struct net_loop *loop;
    struct mailbox *mailbox;
    struct api_model *models; /* borrowed */
    int n_models;
    const struct api_alias *aliases; /* borrowed */
    int n_aliases;
    struct router *router;    /* borrowed; NULL: there is no "auto" */
    struct steward *steward;  /* borrowed; NULL: there is no governor */
    struct api_model *autos;  /* "auto", "auto:fast", ...; borrowed */
    int n_autos;
    bool allows_remote_images;
    uint64_t max_image_px;    /* 0: what media/ allows */
    double max_audio_s;       /* longest sound that is listened to; 0: no limit of our own */
    int max_exchanges;        /* 0: no limit */
    bool is_draining;         /* new work is refused */
    struct rng rng;           /* for ids; no secrets */
    struct net_timer *tick;   /* runs while there are exchanges */
    struct exchange *exchanges;
    int n_exchanges;          /* requests that were not fully dealt with yet, hung up ones too */
    net_fn *on_idle;          /* after the last exchange went; may be NULL */
    void *on_idle_ctx;
    size_t body_max_bytes;    /* of a request; net/ refuses more */
    uint64_t bodies_max_bytes; /* of all requests together; 0: no limit */
    uint64_t bodies_bytes;    /* that are held now */
    uint32_t load_wait_ms;    /* how long a request waits for a model that is being loaded */
};

bool api_env_init(struct api_env *env, struct net_loop *l, struct api_model *models, int n_models, struct err *err);
/* All streams are closed and all experts stopped by now: waits for what is still in the air. */
void api_env_fini(struct api_env *env);

/* By id or alias ("auto" too), also with ".gguf" behind it; "" is the first one.  NULL when there is none. */
struct api_model *api_find_model(struct api_env *env, const char *id);
/* The one of this id, which must be able to do the task; "" or NULL: the first that can and is not
 * down, else the first that can, else "auto" when somebody elsewhere can.  A model that is being loaded may
 * not know yet what it can: it is trusted with text.  NULL with e: 404, or 400 with those that can. */
struct api_model *api_pick_model(struct api_env *env, const char *id, enum expert_task task, struct openai_error *e);

/* `auto`, when only other nodes have an expert of this id, who shall be asked (expert_wish.only); NULL: none of them has. */
struct api_model *api_find_elsewhere(struct api_env *env, const char *id);

/* false with e: 404; of "auto:..." it names the goals that there are. */
bool api_no_model(const struct api_env *env, const char *id, struct openai_error *e);

/* The one behind it that can do the task; NULL: there is none. */
struct api_model *api_next_model(struct api_env *env, const struct api_model *behind, enum expert_task task);
/* Is there one that can?  Any thread. */
bool api_can(const struct api_env *env, enum expert_task task);

/* ---- one request ---- */

enum { API_REQUEST_ID_MAX = 64, API_ORIGIN_MAX = 128 };

struct api_call { /* plain data: handlers copy it */
    struct api_env *env;
    struct http_stream *stream;
    char request_id[API_REQUEST_ID_MAX + 1];
    char origin[API_ORIGIN_MAX + 1]; /* of a browser that may read the answer; "" otherwise */
};

/* Fields that every response carries (request id, CORS), then those given; returns their number. */
enum { API_FIELDS_MAX = 24 };
int api_fields(const struct api_call *call, struct http_field out[API_FIELDS_MAX], const struct http_field *more, int n_more);
void api_reply(const struct api_call *call, int status, const char *type, const void *body, size_t n,
               const struct http_field *more, int n_more);
/* Who only replies, at once: takes the stream too. */
void api_take_and_reply(const struct api_call *call, int status, const char *type, const void *body, size_t n,
                        const struct http_field *more, int n_more);
/* The same with a body that was built; one that could not be built becomes a 503. */
void api_take_and_send(const struct api_call *call, int status, const char *type, const struct buf *body);
/* "prefix" and 24 hex digits that nobody had before. */
void api_make_id(struct api_env *env, const char *prefix, char *out, size_t max);

struct api_route {
    const char *path;  /* one that ends with '/' stands for all below it */
    unsigned verbs;    /* 1 << enum http_verb; HEAD comes with GET */
    void (*handle)(const struct api_call *call, const struct http_head *head);
};
#endif
