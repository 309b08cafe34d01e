/* task/speak.c - see speak.h. */
#include "task/speak.h"

#include <string.h>

#include "base/utf8.h"

bool speak_begin(struct speak_out *s, const struct task_out *out, int rate_hz, struct err *err)
{
    if (rate_hz < 1000 || rate_hz > SPEAK_RATE_MAX_HZ)
        return err_set(err, ERR_UNSUPPORTED, "voice: a rate of %d Hz is not between 1,000 and %d", rate_hz, SPEAK_RATE_MAX_HZ);
    s->out = out;
    s->rate_hz = rate_hz;
    s->n_sent = s->n_held = 0;
    s->n_max = (int)((int64_t)rate_hz * SPEAK_FIRST_MS / 1000);
    return true;
}

static bool send_held(struct speak_out *s, struct err *err)
{
    const int n = s->n_held;
    s->n_held = 0;
    s->n_max = (int)((int64_t)s->rate_hz * SPEAK_PIECE_MS / 1000);
    if (n == 0)
        return true;
    s->n_sent++;
    return task_emit_audio(s->out, s->held, n, s->rate_hz, err);
}

bool speak_put(struct speak_out *s, const float *samples, size_t n, struct err *err)
{
    while (n > 0) {
        const size_t room = (size_t)(s->n_max - s->n_held), k = n < room ? n : room;
        memcpy(s->held + s->n_held, samples, k * sizeof(float));
        s->n_held += (int)k;
        samples += k;
        n -= k;
        if (s->n_held == s->n_max && !send_held(s, err))
            return false;
    }
    return true;
}

bool speak_put_s16(struct speak_out *s, const int16_t *samples, size_t n, struct err *err)
{
    while (n > 0) {
        float some[512];
        const size_t k = n < 512 ? n : 512;
        for (size_t i = 0; i < k; i++)
            some[i] = (float)samples[i] / 32768;
        if (!speak_put(s, some, k, err))
            return false;
        samples += k;
        n -= k;
    }
    return true;
}

bool speak_end(struct speak_out *s, struct err *err) { return send_held(s, err); }

bool speak_name_ok(const char *name, size_t max)
{
    const size_t n = name ? strlen(name) : 0;
    return n > 0 && n <= max && *name != '-' && *name != '+' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-") == n;
}

bool speak_check_text(const struct task_request *rq, struct err *err)
{
    const struct task_text *t = &rq->texts[0];
    if (t->n > SPEAK_TEXT_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "text to speak: %zu bytes are more than %d", t->n, SPEAK_TEXT_BYTES_MAX);
    if (!utf8_is_valid(t->text, t->n) || memchr(t->text, '\0', t->n))
        return err_set(err, ERR_INPUT, "text to speak: not valid UTF-8");
    for (size_t i = 0; i < t->n; i++)
        if (!strchr(" \t\r\n", t->text[i]))
            return true;
    return err_set(err, ERR_INPUT, "text to speak: nothing in it");
}

bool speak_speed(const struct task_request *rq, double normal, double *out, struct err *err)
{
    *out = rq->options.speed != 0 ? (double)rq->options.speed : normal;
    if (!(*out >= 0.25 && *out <= 4))
        return err_set(err, ERR_INPUT, "speed: between 0.25 and 4 is wanted");
    return true;
}
