/* wire/node_pb.h - the messages of tutti.v1.Node (proto/node.proto), in and out.
 *
 * For:     cluster/ (node_service.c, members.c, fetch.c).
 * Callers: cluster/, tests.
 * Touches: an arena.  Thread: any; nothing is kept.
 * Rule:    what comes in lies in the arena, whose limit bounds it whatever the message claims; names are checked here (no control
 *          characters, no paths, lengths), numbers are as they were sent: NAN, infinities and nonsense are dealt with by whoever takes them.
 */
#ifndef TUTTI_WIRE_NODE_PB_H
#define TUTTI_WIRE_NODE_PB_H
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    NODE_PB_EXPERTS_MAX = 64, NODE_PB_MODELS_MAX = 1024, NODE_PB_LANGUAGES_MAX = 256, NODE_PB_NAME_MAX = 128 /* with its end */, NODE_PB_SHA256 = 32,
    NODE_PB_DESCRIPTION_MAX_BYTES = 2 << 20, NODE_PB_STATE_MAX_BYTES = 64 << 10, NODE_PB_PIECE_MAX_BYTES = 256 << 10,
    NODE_PB_ARENA_BYTES = 8 << 20, /* is enough for every message that is within the limits */
};

struct node_pb_expert { /* fields: proto/node.proto */
    const char *id, *kind, *runs_on; /* "" not known */
    const char *const *languages;
    int n_languages;
    unsigned tasks, privacy, n_ctx, input_px, n_parallel;
    bool sees, hears, knows_tools, is_accelerated, is_measured;
    float quality, bits, fixed_s, prefill_tok_s, decode_tok_s, item_s, sound_s_s, load_s, busy_w, usd_per_mtok_in, usd_per_mtok_out, usd_per_item;
    double params;
    uint64_t memory_bytes;
};

struct node_pb_model {
    const char *name; /* of a file: no '/', does not begin with '.' */
    uint64_t bytes;
    bool has_sha256;
    unsigned char sha256[NODE_PB_SHA256];
};

struct node_pb_description {
    const char *name, *version, *machine_json, *device_name, *device_cls; /* "" not known */
    uint64_t life, revocations, edition;
    unsigned state_hz;
    struct node_pb_expert *experts;
    int n_experts;
    struct node_pb_model *models;
    int n_models;
};

struct node_pb_expert_state {
    unsigned state, n_running, n_waiting;
    float wait_s, prefill_tok_s, decode_tok_s, item_s, sound_s_s;
};

struct node_pb_state {
    uint64_t unix_ms, life, revocations, edition;
    bool is_draining, on_battery, is_throttled;
    float temperature_c, headroom_c, power_w, battery_frac, memory_free_bytes, pressure_frac, busy_frac, idle_w;
    double joules;
    const unsigned char *steps;
    int n_steps;
    struct node_pb_expert_state *experts;
    int n_experts;
};

struct node_pb_fetch {
    const char *name;
    uint64_t offset;
    bool has_sha256;
    unsigned char sha256[NODE_PB_SHA256];
};

struct node_pb_piece {
    uint64_t total_bytes, offset;
    bool has_sha256;
    unsigned char sha256[NODE_PB_SHA256];
    const void *data;
    size_t n;
};

void node_pb_put_describe(struct buf *out, bool is_brief);
void node_pb_put_description(struct buf *out, const struct node_pb_description *d);
void node_pb_put_state(struct buf *out, const struct node_pb_state *s);
void node_pb_put_fetch(struct buf *out, const struct node_pb_fetch *f);
void node_pb_put_piece(struct buf *out, const struct node_pb_piece *p);

/* false with err: broken, a name that is none, or more than the limits above. */
bool node_pb_read_describe(bool *is_brief, const void *bytes, size_t n, struct arena *a, struct err *err);
bool node_pb_read_description(struct node_pb_description *d, const void *bytes, size_t n, struct arena *a, struct err *err);
bool node_pb_read_state(struct node_pb_state *s, const void *bytes, size_t n, struct arena *a, struct err *err);
bool node_pb_read_fetch(struct node_pb_fetch *f, const void *bytes, size_t n, struct arena *a, struct err *err);
bool node_pb_read_piece(struct node_pb_piece *p, const void *bytes, size_t n, struct arena *a, struct err *err);

/* A model file's: 1 to 127 bytes of UTF-8 without control characters, '/' and '\', that do not begin with '.'. */
bool node_pb_is_file_name(const char *s);
#endif
