/* wire/node_pb.c - see node_pb.h. */
#include "wire/node_pb.h"

#include <string.h>

#include "base/label.h"
#include "base/utf8.h"
#include "gen/node.pb-c.h"
#include "wire/pb.h"

/* ---- names ---- */

/* One line of text that may be shown and logged. */
static bool is_clean(const char *s, size_t max)
{
    const size_t n = strlen(s);
    if (n >= max || !utf8_is_valid(s, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        if (c < ' ' || c == 127 || (c == 0xc2 && (unsigned char)s[i + 1] < 0xa0)) /* C0, DEL, C1 */
            return false;
    }
    return true;
}

bool node_pb_is_file_name(const char *s) { return s[0] && s[0] != '.' && !strpbrk(s, "/\\") && is_clean(s, NODE_PB_NAME_MAX); }

static bool is_name(const char *s) { return s[0] && is_clean(s, NODE_PB_NAME_MAX); }

/* ---- out ---- */

enum { INNER_MAX_BYTES = 256 << 10 };

void node_pb_put_describe(struct buf *out, bool is_brief) { pb_put_uint(out, 1, is_brief); }

static void put_expert(struct buf *out, const struct node_pb_expert *e)
{
    struct buf b;
    buf_init(&b, INNER_MAX_BYTES);
    pb_put_string(&b, 1, e->id);
    pb_put_string(&b, 2, e->kind ? e->kind : "");
    pb_put_uint(&b, 3, e->tasks);
    pb_put_uint(&b, 4, e->sees);
    pb_put_uint(&b, 5, e->hears);
    pb_put_uint(&b, 6, e->knows_tools);
    pb_put_uint(&b, 7, e->privacy);
    pb_put_float(&b, 8, e->quality);
    pb_put_uint(&b, 9, e->n_ctx);
    pb_put_uint(&b, 10, e->is_accelerated);
    pb_put_double(&b, 11, e->params);
    pb_put_float(&b, 12, e->bits);
    pb_put_uint(&b, 13, e->input_px);
    pb_put_float(&b, 14, e->fixed_s);
    pb_put_float(&b, 15, e->prefill_tok_s);
    pb_put_float(&b, 16, e->decode_tok_s);
    pb_put_float(&b, 17, e->item_s);
    pb_put_float(&b, 18, e->sound_s_s);
    pb_put_float(&b, 19, e->load_s);
    pb_put_float(&b, 20, e->busy_w);
    pb_put_float(&b, 21, e->usd_per_mtok_in);
    pb_put_float(&b, 22, e->usd_per_mtok_out);
    pb_put_float(&b, 23, e->usd_per_item);
    pb_put_uint(&b, 24, e->is_measured);
    pb_put_uint(&b, 25, e->n_parallel);
    pb_put_uint(&b, 26, e->memory_bytes);
    for (int i = 0; i < e->n_languages; i++)
        pb_put_bytes(&b, 27, e->languages[i], strlen(e->languages[i]));
    pb_put_string(&b, 28, e->runs_on ? e->runs_on : "");
    pb_put_inner(out, 5, &b);
}

static void put_model(struct buf *out, const struct node_pb_model *m)
{
    struct buf b;
    buf_init(&b, INNER_MAX_BYTES);
    pb_put_string(&b, 1, m->name);
    pb_put_uint(&b, 2, m->bytes);
    if (m->has_sha256)
        pb_put_bytes(&b, 3, m->sha256, sizeof(m->sha256));
    pb_put_inner(out, 6, &b);
}

void node_pb_put_description(struct buf *out, const struct node_pb_description *d)
{
    struct buf b;
    pb_put_string(out, 1, d->name);
    pb_put_string(out, 2, d->version ? d->version : "");
    pb_put_uint(out, 3, d->life);
    pb_put_string(out, 4, d->machine_json ? d->machine_json : "");
    for (int i = 0; i < d->n_experts; i++)
        put_expert(out, &d->experts[i]);
    for (int i = 0; i < d->n_models; i++)
        put_model(out, &d->models[i]);
    pb_put_uint(out, 7, d->revocations);
    if (d->device_name && *d->device_name) {
        buf_init(&b, INNER_MAX_BYTES);
        pb_put_string(&b, 1, d->device_name);
        pb_put_string(&b, 2, d->device_cls ? d->device_cls : "");
        pb_put_inner(out, 8, &b);
    }
    pb_put_uint(out, 9, d->state_hz);
    pb_put_uint(out, 10, d->edition);
}

/* Without a buffer of its own: it is written once a second.  Its length is known beforehand. */
static void put_expert_state(struct buf *out, const struct node_pb_expert_state *e)
{
    char bytes[64];
    struct buf b = { .data = bytes, .cap = sizeof(bytes), .max_bytes = sizeof(bytes) - 1 }; /* 3 varints of at most 6 bytes, 5 floats of 5: never grows */
    pb_put_uint(&b, 1, e->state);
    pb_put_uint(&b, 2, e->n_running);
    pb_put_uint(&b, 3, e->n_waiting);
    pb_put_float(&b, 4, e->wait_s);
    pb_put_float(&b, 5, e->prefill_tok_s);
    pb_put_float(&b, 6, e->decode_tok_s);
    pb_put_float(&b, 7, e->item_s);
    pb_put_float(&b, 8, e->sound_s_s);
    pb_put_bytes(out, 15, bytes, b.len);
}

void node_pb_put_state(struct buf *out, const struct node_pb_state *s)
{
    pb_put_uint(out, 1, s->unix_ms);
    pb_put_uint(out, 2, s->life);
    pb_put_uint(out, 3, s->is_draining);
    pb_put_uint(out, 4, s->revocations);
    pb_put_float(out, 5, s->temperature_c);
    pb_put_float(out, 6, s->headroom_c);
    pb_put_float(out, 7, s->power_w);
    pb_put_float(out, 8, s->battery_frac);
    pb_put_uint(out, 9, s->on_battery);
    pb_put_float(out, 10, s->memory_free_bytes);
    pb_put_float(out, 11, s->pressure_frac);
    pb_put_float(out, 12, s->busy_frac);
    pb_put_uint(out, 13, s->is_throttled);
    if (s->n_steps > 0)
        pb_put_bytes(out, 14, s->steps, (size_t)s->n_steps);
    for (int i = 0; i < s->n_experts; i++)
        put_expert_state(out, &s->experts[i]);
    pb_put_float(out, 16, s->idle_w);
    pb_put_double(out, 17, s->joules);
    pb_put_uint(out, 18, s->edition);
}

void node_pb_put_fetch(struct buf *out, const struct node_pb_fetch *f)
{
    pb_put_string(out, 1, f->name);
    pb_put_uint(out, 2, f->offset);
    if (f->has_sha256)
        pb_put_bytes(out, 3, f->sha256, sizeof(f->sha256));
}

void node_pb_put_piece(struct buf *out, const struct node_pb_piece *p)
{
    pb_put_uint(out, 1, p->total_bytes);
    if (p->has_sha256)
        pb_put_bytes(out, 2, p->sha256, sizeof(p->sha256));
    pb_put_uint(out, 3, p->offset);
    if (p->n > 0)
        pb_put_bytes(out, 4, p->data, p->n);
}

/* ---- in ---- */

static bool take_sha256(unsigned char out[NODE_PB_SHA256], bool *has, const ProtobufCBinaryData *b, struct err *err)
{
    if (b->len != 0 && b->len != NODE_PB_SHA256)
        return err_set(err, ERR_INPUT, "a SHA-256 of %zu bytes", b->len);
    *has = b->len > 0;
    if (*has)
        memcpy(out, b->data, NODE_PB_SHA256);
    return true;
}

bool node_pb_read_describe(bool *is_brief, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const Tutti__V1__DescribeRequest *m = tutti__v1__describe_request__unpack(&pieces, n, bytes);
    if (!m)
        return err_set(err, ERR_INPUT, "this is no DescribeRequest");
    *is_brief = m->is_brief;
    return true;
}

static bool read_expert(struct node_pb_expert *e, const Tutti__V1__Expert *m, struct err *err)
{
    if (!is_name(m->id) || !is_clean(m->kind, 24) || !is_clean(m->runs_on, 64))
        return err_set(err, ERR_INPUT, "an expert whose name is empty, too long or has control characters");
    if (m->n_languages > NODE_PB_LANGUAGES_MAX)
        return err_set(err, ERR_LIMIT, "expert %s: %zu languages", m->id, m->n_languages);
    for (size_t i = 0; i < m->n_languages; i++)
        if (!is_clean(m->languages[i], 32))
            return err_set(err, ERR_INPUT, "expert %s: a language whose name is none", m->id);
    *e = (struct node_pb_expert){
        .id = m->id, .kind = m->kind, .runs_on = m->runs_on, .languages = (const char *const *)m->languages, .n_languages = (int)m->n_languages, .tasks = m->tasks, .privacy = m->privacy,
        .n_ctx = m->n_ctx, .input_px = m->input_px, .n_parallel = m->n_parallel, .sees = m->sees, .hears = m->hears, .knows_tools = m->knows_tools,
        .is_accelerated = m->is_accelerated, .is_measured = m->is_measured, .quality = m->quality, .bits = m->bits, .fixed_s = m->fixed_s,
        .prefill_tok_s = m->prefill_tok_s, .decode_tok_s = m->decode_tok_s, .item_s = m->item_s, .sound_s_s = m->sound_s_s, .load_s = m->load_s,
        .busy_w = m->busy_w, .usd_per_mtok_in = m->usd_per_mtok_in, .usd_per_mtok_out = m->usd_per_mtok_out, .usd_per_item = m->usd_per_item,
        .params = m->params, .memory_bytes = m->memory_bytes,
    };
    return true;
}

bool node_pb_read_description(struct node_pb_description *d, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const Tutti__V1__Description *m = n <= NODE_PB_DESCRIPTION_MAX_BYTES ? tutti__v1__description__unpack(&pieces, n, bytes) : NULL;
    if (!m)
        return err_set(err, ERR_INPUT, "this is no Description, or too large a one");
    if (!label_is_valid(m->name))
        return err_set(err, ERR_INPUT, "a node whose name is none: 1 to 63 of a-z, 0-9 and '-' are wanted");
    if (!is_clean(m->version, 32))
        return err_set(err, ERR_INPUT, "a version that is none");
    if (m->n_experts > NODE_PB_EXPERTS_MAX || m->n_models > NODE_PB_MODELS_MAX)
        return err_set(err, ERR_LIMIT, "%zu experts and %zu models: %d and %d are possible", m->n_experts, m->n_models, NODE_PB_EXPERTS_MAX, NODE_PB_MODELS_MAX);
    if (!utf8_is_valid(m->machine_json, strlen(m->machine_json)))
        return err_set(err, ERR_INPUT, "machine_json is not UTF-8");
    *d = (struct node_pb_description){ .name = m->name, .version = m->version, .machine_json = m->machine_json, .device_name = "", .device_cls = "",
                                       .life = m->life, .revocations = m->revocations, .edition = m->edition, .state_hz = m->state_hz,
                                       .n_experts = (int)m->n_experts, .n_models = (int)m->n_models };
    if (m->device) {
        if (!is_clean(m->device->name, NODE_PB_NAME_MAX) || !is_clean(m->device->cls, 32))
            return err_set(err, ERR_INPUT, "a device whose name is none");
        d->device_name = m->device->name;
        d->device_cls = m->device->cls;
    }
    d->experts = arena_alloc(a, m->n_experts, sizeof(*d->experts), err);
    d->models = d->experts ? arena_alloc(a, m->n_models, sizeof(*d->models), err) : NULL;
    bool ok = d->models != NULL;
    for (int i = 0; ok && i < d->n_experts; i++) {
        ok = read_expert(&d->experts[i], m->experts[i], err);
        for (int k = 0; ok && k < i; k++)
            if (strcmp(d->experts[k].id, d->experts[i].id) == 0)
                ok = err_set(err, ERR_INPUT, "two experts are called %s", d->experts[i].id);
    }
    for (int i = 0; ok && i < d->n_models; i++) {
        struct node_pb_model *to = &d->models[i];
        *to = (struct node_pb_model){ .name = m->models[i]->name, .bytes = m->models[i]->bytes };
        ok = take_sha256(to->sha256, &to->has_sha256, &m->models[i]->sha256, err);
        if (ok && !node_pb_is_file_name(to->name))
            ok = err_set(err, ERR_INPUT, "a model file whose name is none");
    }
    return ok;
}

bool node_pb_read_state(struct node_pb_state *s, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const Tutti__V1__State *m = n <= NODE_PB_STATE_MAX_BYTES ? tutti__v1__state__unpack(&pieces, n, bytes) : NULL;
    if (!m)
        return err_set(err, ERR_INPUT, "this is no State, or too large a one");
    if (m->n_experts > NODE_PB_EXPERTS_MAX)
        return err_set(err, ERR_LIMIT, "a State of %zu experts", m->n_experts);
    *s = (struct node_pb_state){
        .unix_ms = m->unix_ms, .life = m->life, .revocations = m->revocations, .edition = m->edition, .is_draining = m->is_draining,
        .on_battery = m->on_battery, .is_throttled = m->is_throttled, .temperature_c = m->temperature_c, .headroom_c = m->headroom_c,
        .power_w = m->power_w, .battery_frac = m->battery_frac, .memory_free_bytes = m->memory_free_bytes, .pressure_frac = m->pressure_frac,
        .busy_frac = m->busy_frac, .idle_w = m->idle_w, .joules = m->joules, .steps = m->steps.data, .n_steps = m->steps.len < 64 ? (int)m->steps.len : 64,
        .n_experts = (int)m->n_experts,
    };
    if (!(s->experts = arena_alloc(a, m->n_experts, sizeof(*s->experts), err)))
        return false;
    for (int i = 0; i < s->n_experts; i++) {
        const Tutti__V1__ExpertState *e = m->experts[i];
        s->experts[i] = (struct node_pb_expert_state){ .state = e->state, .n_running = e->n_running, .n_waiting = e->n_waiting, .wait_s = e->wait_s,
                                                       .prefill_tok_s = e->prefill_tok_s, .decode_tok_s = e->decode_tok_s, .item_s = e->item_s, .sound_s_s = e->sound_s_s };
    }
    return true;
}

bool node_pb_read_fetch(struct node_pb_fetch *f, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const Tutti__V1__FetchRequest *m = tutti__v1__fetch_request__unpack(&pieces, n, bytes);
    if (!m)
        return err_set(err, ERR_INPUT, "this is no FetchRequest");
    if (!node_pb_is_file_name(m->name))
        return err_set(err, ERR_INPUT, "the name of a model file is wanted, not a path");
    *f = (struct node_pb_fetch){ .name = m->name, .offset = m->offset };
    return take_sha256(f->sha256, &f->has_sha256, &m->sha256, err);
}

bool node_pb_read_piece(struct node_pb_piece *p, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const Tutti__V1__FetchPiece *m = tutti__v1__fetch_piece__unpack(&pieces, n, bytes);
    if (!m)
        return err_set(err, ERR_INPUT, "this is no FetchPiece");
    if (m->data.len > NODE_PB_PIECE_MAX_BYTES)
        return err_set(err, ERR_LIMIT, "a piece of %zu bytes", m->data.len);
    *p = (struct node_pb_piece){ .total_bytes = m->total_bytes, .offset = m->offset, .data = m->data.data, .n = m->data.len };
    return take_sha256(p->sha256, &p->has_sha256, &m->sha256, err);
}
