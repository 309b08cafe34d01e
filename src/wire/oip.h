/* wire/oip.h - Open Inference Protocol v2 over REST: requests with tensors out of JSON (and the binary data extension),
 * answers into it.  Also the plain form that oip_pb.h fills from protobuf.
 *
 * For:     api/oip.c; a client for servers that speak it can use it from the other side.
 * Callers: api/.
 * Touches: an arena.  Thread: any; nothing is kept.
 * Rule:    names are UTF-8, shapes and data agree (base/tensor.h), numbers fit their type; what we cannot do
 *          (shared memory, classification) is refused and never ignored.  Tensors borrow the body where they can.
 * Facts:   github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; the binary data extension
 *          as Triton's server describes it (docs/protocol/extension_binary_data.md), seen 2026-11.
 */
#ifndef TUTTI_WIRE_OIP_H
#define TUTTI_WIRE_OIP_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/tensor.h"

enum { OIP_TENSORS_MAX = 64, OIP_PARAMS_MAX = 32 };

enum oip_kind { OIP_BOOL, OIP_INT, OIP_DOUBLE, OIP_TEXT };
struct oip_param {
    const char *name;
    enum oip_kind kind;
    int64_t i;        /* OIP_BOOL too */
    double d;         /* OIP_INT too */
    const char *text;
};

struct oip_output {
    const char *name;
    bool is_binary;
};

struct oip_request {
    const char *id; /* "" */
    int n_inputs, n_outputs, n_params;
    struct tensor inputs[OIP_TENSORS_MAX];
    struct oip_output outputs[OIP_TENSORS_MAX]; /* those wanted; n 0: all */
    struct oip_param params[OIP_PARAMS_MAX];
    bool is_binary; /* outputs that say nothing else */
    /* of the parameters sequence_id (a number, or a text that becomes one), sequence_start, sequence_end */
    uint64_t session;
    bool session_start, session_end;
    uint64_t timeout_us; /* 0: none */
    const char *tutti;   /* JSON text of a member `tutti`; NULL: none */
};

/* n_json: bytes of JSON at the beginning (Inference-Header-Content-Length); what follows are binary tensors, in order. */
bool oip_read_infer(struct oip_request *r, const char *body, size_t n, size_t n_json, struct arena *a, struct err *err);
/* An answer, by the same rules: its outputs are r->inputs. */
bool oip_read_reply(struct oip_request *r, const char *body, size_t n, size_t n_json, struct arena *a, struct err *err);
/* The parameters that are about the request itself; done by both readers. */
bool oip_read_params(struct oip_request *r, struct err *err);
const struct oip_param *oip_param(const struct oip_request *r, const char *name); /* NULL: not there */
bool oip_wants(const struct oip_request *r, const char *output, bool *is_binary);

/* The JSON of a request: inputs with their data, or, when is_binary, without: their bytes follow, in order; outputs: names of
 * those wanted, n 0: all. */
bool oip_put_request(struct buf *out, const struct tensor *inputs, int n_inputs, const char *const *outputs, int n_outputs, bool is_binary,
                     uint64_t session, bool session_start, bool session_end, struct err *err);

/* What another server says of its model; inputs, outputs: [OIP_TENSORS_MAX], names in the arena, no data. */
bool oip_read_model(const char *body, size_t n, struct tensor *inputs, int *n_inputs, struct tensor *outputs, int *n_outputs, struct arena *a,
                    struct err *err);

/* ---- answers ---- */

struct oip_model {
    const char *name, *platform;
    bool is_ready;
    const struct tensor *inputs, *outputs; /* descriptions: name, type, dims */
    int n_inputs, n_outputs;
};
void oip_put_error(struct buf *out, const char *text);
void oip_put_server(struct buf *out, const char *version);
void oip_put_model(struct buf *out, const struct oip_model *m);
/* {"model_name":..,"outputs":[ then outputs with a comma between, then oip_put_reply_end().  params: OIP_TEXT only. */
void oip_put_reply_begin(struct buf *out, const char *model, const char *id, const struct oip_param *params, int n_params);
/* One output; when is_binary, only what it is: its bytes follow the JSON, in the same order.  false with err: it has no form
 * in JSON. */
bool oip_put_output(struct buf *out, const struct tensor *t, bool is_binary, struct err *err);
void oip_put_reply_end(struct buf *out);
#endif
