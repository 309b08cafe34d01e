/* task/vision.h - pictures through an ONNX model: how a picture becomes its input, how heads read its outputs.
 *
 * For:     vision.c (the kinds `onnx` + classify, detect, faces, segment, embed-image), vision_input.c, head_*.c, faces.c.
 * Callers: task/ only.
 * Touches: the model, a labels file.  Thread: the task's.
 * Rule:    a head is one file and one line of VISION_HEADS: it checks the model's outputs once when it is opened, and reads
 *          them in place after each run.  A model whose outputs do not fit is an error at open, or at the run when only the
 *          run shows it; never a read beyond a tensor.
 */
#ifndef TUTTI_TASK_VISION_H
#define TUTTI_TASK_VISION_H
#include "media/image.h"
#include "media/resize.h"
#include "task/nms.h"
#include "task/onnx_open.h"
#include "task/task.h"
#include "task/vision_net.h"

/* ---- labels ---- */

struct labels {
    char *text;   /* owned; each ends with '\0' */
    char **at;    /* [n], owned */
    int n;
};
/* Of the card's `labels`: a file of lines or a list.  Absent: none. */
bool labels_read(struct labels *l, const struct card *card, struct err *err);
void labels_fini(struct labels *l);
/* Its name, or "class 17" in the arena when the list is too short.  NULL with err: out of memory. */
const char *labels_get(const struct labels *l, int i, struct arena *arena, struct err *err);

/* ---- input ---- */

struct vision_input {
    int index;           /* of the model's inputs */
    struct pixel_spec spec; /* w, h: 0 when the picture decides */
    int multiple;        /* then: sides are multiples of this, */
    int max_side_px;     /* and at most this, */
    float share;         /* or this share of it: of the request at hand */
    bool is_f16;
    bool batch_is_free;
    int n_batch;         /* pictures in a run: the fixed number, or at most this many */
    struct resizer resizer;
    struct image decoded;
    float *scratch;      /* is_f16: the picture as floats */
    size_t scratch_bytes;
};
#define VISION_INPUT_KEY "input"
/* Reads the card's map `input` (NULL: defaults) against what the model's input is. */
bool vision_input_open(struct vision_input *in, const struct vision_net *net, const struct card *card, const struct yaml_node *map, struct err *err);
void vision_input_fini(struct vision_input *in);

struct vision_frame { /* one picture of a run */
    struct pixel_map map; /* picture -> input */
    int in_w, in_h;       /* of the input, px */
    int w_px, h_px;       /* of the picture */
};
/* The request's picture: decoded, or a view of its pixels.  Valid until the next call. */
bool vision_picture(struct vision_input *in, const struct task_request *rq, struct image *out, struct err *err);
/* Shapes the model's input for n pictures (`first` decides the size when it is free). */
bool vision_input_shape(struct vision_input *in, const struct vision_net *net, const struct image *first, int n, struct err *err);
/* Writes a picture as number `slot`. */
bool vision_input_put(struct vision_input *in, const struct vision_net *net, const struct image *picture, int slot, struct vision_frame *f, struct err *err);
/* From the input's pixels to the picture's. */
static inline float vision_x(const struct vision_frame *f, float x) { return (x - f->map.off_x) / f->map.scale_x; }
static inline float vision_y(const struct vision_frame *f, float y) { return (y - f->map.off_y) / f->map.scale_y; }

/* ---- heads ---- */

struct vision_output { /* one output, of one picture of the batch */
    const float *x;
    const int64_t *dims; /* without the batch */
    int n_dims;
    size_t n;
};

struct vision;
struct vision_head {
    const char *name;
    unsigned tasks;          /* that it can serve */
    const char *const *keys; /* of the card's map `head`, ended by NULL; HEAD_COMMON_KEYS are known anyway */
    size_t state_bytes;
    bool (*open)(struct vision *v, void *state, const struct yaml_node *map, struct err *err);
    bool (*read)(struct vision *v, const void *state, int slot, const struct vision_frame *f, const struct task_request *rq, struct arena *arena,
                 struct task_result *r, struct err *err);
    bool is_single; /* its outputs know no batch: one picture a run */
};

#define VISION_HEADS(X) /* alphabetical */                                                          \
    X(classify) X(embed) X(fastestdet) X(nms_inside) X(segment) X(ssd) X(ultraface) X(yolov5) X(yolov8) X(yolox) X(yunet)
#define X(name) extern const struct vision_head vision_head_##name;
VISION_HEADS(X)
#undef X

struct vision {
    const struct card *card;
    struct vision_net net;
    struct onnx *o;         /* NULL, as s, when something else computes */
    bool owns_o;
    struct onnx_session *s;
    struct vision_input in;
    struct labels labels;
    const struct vision_head *head;
    void *state;
    float threshold, max_iou; /* of the card; the head's defaults before */
    int n_top;
    uint64_t file_bytes;
    struct arena *scratch;    /* converted outputs of a whole batch; reset for each run */
};

/* o NULL: opens its own library. */
bool vision_open(struct vision *v, const struct card *card, const struct task_env *env, struct onnx *o, struct err *err);
/* The same on a model that is open already; keys: of the card, beside those that every picture task knows. */
bool vision_open_net(struct vision *v, const struct card *card, const struct vision_net *net, const char *const *keys, struct err *err);
void vision_fini(struct vision *v);
/* Detects on a picture at hand, outside of a request (faces.c).  Results live in the arena. */
bool vision_look(struct vision *v, const struct image *picture, const struct task_request *rq, struct arena *arena, struct task_result *r, struct err *err);

/* For heads: output j of picture `slot`.  Its n floats are there. */
bool vision_get(struct vision *v, int j, int slot, struct vision_output *out, struct err *err);
/* The output of that name in the head's map under `key`, else the first one, else (first < 0) an error. */
bool vision_find_output(struct vision *v, const struct yaml_node *map, const char *key, int first, int *j, struct err *err);
/* What the request says, else the card. */
float vision_threshold(const struct vision *v, const struct task_request *rq);
int vision_n_top(const struct vision *v, const struct task_request *rq, int otherwise);
/* Suppresses, maps boxes of input pixels to the picture, clips, names.  r->boxes[i] is made of s->boxes[i]. */
bool vision_emit_boxes(struct vision *v, struct nms *s, const struct vision_frame *f, const struct task_request *rq, bool has_labels, struct arena *arena,
                       struct task_result *r, struct err *err);
#endif
