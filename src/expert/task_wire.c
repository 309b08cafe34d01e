/* expert/task_wire.c - see task_wire.h. */
#include "expert/task_wire.h"

#include <string.h>

#include "expert/pack.h"

enum { LENGTHS = 16 };

/* Room for lengths and pack behind what is there; NULL: out is full or memory is. */
static uint8_t *make_room(struct buf *out, struct pack_size size)
{
    static const char zeros[4096];
    const uint64_t lengths[2] = { size.n_head, size.n_whole };
    buf_append(out, lengths, sizeof(lengths));
    const size_t at = out->len;
    if (size.n_head > PACK_HEAD_MAX || size.n_whole > out->max_bytes)
        out->failed = true;
    for (size_t left = size.n_whole; left > 0 && !out->failed; left -= left < sizeof(zeros) ? left : sizeof(zeros))
        buf_append(out, zeros, left < sizeof(zeros) ? left : sizeof(zeros));
    return out->failed ? NULL : (uint8_t *)out->data + at;
}

bool task_wire_put_request(struct buf *out, const struct task_request *rq, struct err *err)
{
    const struct pack_size size = pack_request_size(rq);
    uint8_t *to = make_room(out, size);
    if (!to)
        return err_set(err, ERR_LIMIT, "a request of %zu bytes: at most %zu can be sent to another node", size.n_whole, out->max_bytes);
    pack_request(to, size, rq);
    return true;
}

static bool event_of(const struct expert_event *ev, struct task_result *vector, struct task_event *out)
{
    *out = (struct task_event){ .input = ev->choice };
    switch (ev->kind) {
    case EXPERT_DELTA: out->kind = TASK_TEXT, out->text = ev->text, out->n_text = ev->n_text; return ev->n_text > 0;
    case EXPERT_RESULT: out->kind = TASK_RESULT, out->result = ev->result; return true;
    case EXPERT_AUDIO: out->kind = TASK_AUDIO, out->samples = ev->samples, out->n_samples = ev->n_samples, out->rate_hz = ev->rate_hz; return true;
    case EXPERT_TENSOR: out->kind = TASK_TENSOR, out->tensor = ev->tensor; return true;
    case EXPERT_VECTOR:
        *vector = (struct task_result){ .vector = ev->vector, .n_vector = ev->n_vector };
        out->kind = TASK_RESULT, out->result = vector;
        return true;
    default: return false;
    }
}

bool task_wire_put_event(struct buf *out, const struct expert_event *ev, struct err *err)
{
    struct task_result vector;
    struct task_event e;
    err_clear(err);
    if (!event_of(ev, &vector, &e))
        return false;
    const struct pack_size size = pack_event_size(&e);
    uint8_t *to = make_room(out, size);
    if (!to)
        return err_set(err, ERR_LIMIT, "an answer of %zu bytes: at most %zu can be sent to another node", size.n_whole, out->max_bytes);
    pack_event(to, size, &e);
    return true;
}

void task_wire_put_usage(struct buf *out, const struct expert_usage *u)
{
    const int64_t v[6] = { u->n_prompt_tok, u->n_cached_tok, u->n_gen_tok, (int64_t)u->queue_ns, (int64_t)u->prefill_ns, (int64_t)u->decode_ns };
    buf_append(out, v, sizeof(v));
}

bool task_wire_read_usage(const void *bytes, size_t n, struct expert_usage *out)
{
    int64_t v[6];
    if (n != sizeof(v))
        return false;
    memcpy(v, bytes, sizeof(v));
    for (int i = 0; i < 6; i++)
        if (v[i] < 0 || (i < 3 && v[i] > INT32_MAX))
            return false;
    out->n_prompt_tok = (int)v[0], out->n_cached_tok = (int)v[1], out->n_gen_tok = (int)v[2];
    out->queue_ns = (uint64_t)v[3], out->prefill_ns = (uint64_t)v[4], out->decode_ns = (uint64_t)v[5];
    return true;
}

static bool read_lengths(const void *bytes, size_t n, struct pack_size *size, struct err *err)
{
    uint64_t lengths[2];
    if (n < LENGTHS || ((uintptr_t)bytes & 7) != 0)
        return err_set(err, ERR_INPUT, "a task of another node: too short");
    memcpy(lengths, bytes, sizeof(lengths));
    if (lengths[1] != n - LENGTHS || lengths[0] > lengths[1] || lengths[0] > PACK_HEAD_MAX)
        return err_set(err, ERR_INPUT, "a task of another node: its lengths are not those of its bytes");
    *size = (struct pack_size){ (size_t)lengths[0], (size_t)lengths[1] };
    return true;
}

/* What pack.h leaves to whoever knows what a block is. */
static bool check_media(const struct task_media *m, struct err *err)
{
    const uint64_t px = (uint64_t)m->width_px * (uint64_t)m->height_px; /* both below 2^31 */
    const bool ok = m->form == MEDIA_ENCODED ? m->n_bytes > 0
                    : m->form == MEDIA_F32   ? m->n_bytes % 4 == 0 && m->rate_hz > 0
                                             : px > 0 && px <= UINT32_MAX && m->n_bytes == px * (m->form == MEDIA_RGB8 ? 3 : 1);
    return ok || err_set(err, ERR_INPUT, "a task of another node: a picture or a sound of another size than it says");
}

bool task_wire_read_request(const void *bytes, size_t n, struct arena *a, struct task_request *out, struct err *err)
{
    struct pack_size size;
    const uint8_t *pack = (const uint8_t *)bytes + LENGTHS;
    if (!read_lengths(bytes, n, &size, err))
        return false;
    if (!unpack_request(pack, pack, size, a, out, err)) {
        err->code = err->code == ERR_INTERNAL ? ERR_INPUT : err->code;
        return err_prefix(err, "a task of another node");
    }
    for (int i = 0; i < out->n_media; i++)
        if (!check_media(&out->media[i], err))
            return false;
    const unsigned task = (unsigned)out->task, known = (1u << EXPERT_TASK_COUNT) - 1;
    return ((task & known) == task && task && (task & (task - 1)) == 0) || err_set(err, ERR_INPUT, "a task of another node: there is no such task");
}

bool task_wire_read_event(const void *bytes, size_t n, const struct job *j, struct arena *a, struct expert_event *out, struct err *err)
{
    struct pack_size size;
    struct task_event *ev = arena_alloc(a, 1, sizeof(*ev), err);
    const uint8_t *pack = (const uint8_t *)bytes + LENGTHS;
    if (!ev || !read_lengths(bytes, n, &size, err) || !unpack_event(pack, pack, size, a, ev, err))
        return false;
    const enum expert_task t = j->task;
    *out = (struct expert_event){ .choice = ev->input };
    bool fits = false;
    switch (ev->kind) {
    case TASK_TEXT:
        out->kind = EXPERT_DELTA, out->text = ev->text, out->n_text = ev->n_text;
        fits = ev->input == 0 && (t & (EXPERT_TRANSCRIBE | EXPERT_OCR | EXPERT_DESCRIBE));
        break;
    case TASK_AUDIO:
        out->kind = EXPERT_AUDIO, out->samples = ev->samples, out->n_samples = ev->n_samples, out->rate_hz = ev->rate_hz;
        fits = t == EXPERT_SPEAK;
        break;
    case TASK_TENSOR:
        out->kind = EXPERT_TENSOR, out->tensor = ev->tensor;
        fits = t == EXPERT_INFER;
        break;
    case TASK_RESULT:
        out->kind = t == EXPERT_EMBED ? EXPERT_VECTOR : EXPERT_RESULT;
        out->result = ev->result, out->vector = ev->result->vector, out->n_vector = ev->result->n_vector;
        fits = t == EXPERT_EMBED ? ev->input < j->n_inputs && ev->result->n_vector > 0 : t != EXPERT_INFER;
        break;
    case TASK_EVENT_COUNT: break;
    }
    return fits || err_set(err, ERR_INPUT, "an event that does not belong to the task '%s'", expert_task_name(t));
}
