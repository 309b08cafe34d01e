/* api/oip_internal.h - what REST and gRPC of the Open Inference Protocol share: the exchange, the job, what models are like.
 *
 * Thread: the loop's, except oip_fill_job(), which may run on another one, and what exchange_work() runs.
 */
#ifndef TUTTI_API_OIP_INTERNAL_H
#define TUTTI_API_OIP_INTERNAL_H
#include "api/exchange_internal.h"
#include "api/oip.h"
#include "wire/oip.h"

struct oip_kept { /* an output, until all are there */
    char name[TASK_NAME_MAX];
    struct tensor tensor; /* data: offset in `kept` or `binary` */
    bool is_binary;
};

struct oip_exchange {
    struct exchange x; /* first */
    struct oip_request *request;  /* in the job's arena */
    const char *model_name;       /* in the job's arena, or owned by REST's `path_model` */
    char *path_model;             /* REST; owned */
    int64_t n_json;               /* REST: Inference-Header-Content-Length; -1: none */
    bool is_raw;                  /* gRPC: raw contents both ways */
    bool is_task;                 /* gRPC: another node's task */
    int n_outputs;
    struct oip_kept outputs[OIP_TENSORS_MAX];
    struct buf kept, binary;      /* data of outputs: to be written as numbers; as it is */
    struct buf *texts;            /* experts of text: one for each input */
    int n_texts;
    struct err err;               /* of what another thread did */
};

/* From the request to the job: tensors, or texts when the expert is one of text.  Sets x.task, x.model_id. */
bool oip_fill_job(struct oip_exchange *o, struct err *err);
bool oip_begin(struct exchange *x, struct err *err);
void oip_on_event(struct exchange *x, const struct expert_event *ev, uint64_t ns);
/* All outputs are there (texts became a tensor); writes them on another thread if that takes long, then calls done. */
void oip_write_outputs(struct oip_exchange *o, net_fn *write, net_fn *done);
/* Who answered, when "auto" was asked: parameters tutti_route, tutti_expert, tutti_node; returns their number, else 0. */
enum { OIP_ROUTE_PARAMS = 3 };
int oip_route_params(const struct oip_exchange *o, struct oip_param out[OIP_ROUTE_PARAMS]);
struct tensor oip_output(const struct oip_exchange *o, int i); /* with its data */
void oip_fini(struct exchange *x);
void oip_set_deadline(struct exchange *x, uint64_t ns);

/* What clients may know of a model; arrays hold the descriptions.  false with e: 404. */
struct oip_facts {
    struct oip_model model;
    struct task_info info;
    struct tensor inputs[TASK_IO_MAX], outputs[TASK_IO_MAX];
    char platform[64];
};
bool oip_get_facts(struct api_env *env, const char *name, struct oip_facts *out, struct openai_error *e);
/* A model that was not loaded yet does not know its tensors: a job without any makes it find out.  NULL: there is nothing to
 * wait for, or err is set.  Then asked (by a timer) until it is over. */
struct oip_probe;
struct oip_probe *oip_probe_begin(struct api_env *env, const char *name, struct err *err);
bool oip_probe_is_over(const struct oip_probe *p);
void oip_probe_unref(struct oip_probe *p); /* NULL is fine; the job may go on */
/* Why the tensors are not known although the probe is over; false when they are. */
bool oip_probe_failed(const struct oip_probe *p, struct api_env *env, const char *name, struct openai_error *e);
enum { OIP_PROBE_MS = 20 };
bool oip_is_ready(const struct api_env *env); /* the server: at least one model is up, none is being loaded */

/* oip_grpc.c */
void oip_grpc_call(const struct api_call *call, const struct http_head *head);
#endif
