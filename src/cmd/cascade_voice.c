/* cmd/cascade_voice.c - see cascade_voice.h. */
#include "cmd/cascade_voice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/out.h"

enum { TURN_BYTES_MAX = 256 << 10 };

static void put_ms(struct buf *b, const char *name, float ms)
{
    buf_printf(b, isfinite(ms) ? ",\"%s\":%.1f" : ",\"%s\":null", name, (double)ms);
}

static void put_string(struct buf *b, const char *name, const char *s)
{
    buf_printf(b, ",\"%s\":", name);
    buf_put_json_text(b, s);
}

static void put_json(struct buf *b, const struct voice_turn *t)
{
    buf_printf(b, "{\"turn\":%d,\"at\":%.3f", t->n, t->at_s);
    put_string(b, "you", t->you);
    put_string(b, "answer", t->answer);
    put_string(b, "said", t->said);
    put_string(b, "chat", t->chat);
    put_string(b, "speak", t->speak);
    buf_printf(b, ",\"interrupted\":%s", t->was_interrupted ? "true" : "false");
    put_ms(b, "stop_ms", t->stop_ms), put_ms(b, "silence_ms", t->silence_ms), put_ms(b, "hear_ms", t->hear_ms), put_ms(b, "token_ms", t->token_ms);
    put_ms(b, "sentence_ms", t->sentence_ms), put_ms(b, "voice_ms", t->voice_ms), put_ms(b, "sound_ms", t->sound_ms), put_ms(b, "total_ms", t->total_ms);
    buf_printf(b, ",\"seconds\":%.2f,\"error\":", (double)t->answer_s);
    if (t->err.code)
        buf_put_json_text(b, t->err.text);
    else
        buf_puts(b, "null");
    buf_puts(b, "}\n");
}

static void put_text(struct buf *b, const struct voice_turn *t)
{
    buf_printf(b, "%8.2f s  you:   %s\n            tutti: %s%s\n", t->at_s, t->you, t->was_interrupted ? t->said : t->answer, t->was_interrupted ? " ... (interrupted)" : "");
    if (t->err.code)
        buf_printf(b, "            (%s)\n", t->err.text);
    if (isfinite(t->total_ms))
        buf_printf(b, "            [first sound %.0f ms after the end of speech: silence %.0f, heard %.0f, first token %.0f, sentence %.0f, voice %.0f, out %.0f]\n", (double)t->total_ms,
                   (double)t->silence_ms, (double)t->hear_ms, (double)t->token_ms, (double)t->sentence_ms, (double)t->voice_ms, (double)t->sound_ms);
    if (isfinite(t->stop_ms))
        buf_printf(b, "            [silent and stopped %.0f ms after the interruption was heard]\n", (double)t->stop_ms);
}

static void on_turn(void *ctx, const struct voice_turn *t)
{
    struct cascade_voice *c = ctx;
    struct buf b;
    buf_init(&b, TURN_BYTES_MAX);
    (c->is_json ? put_json : put_text)(&b, t);
    if (!b.failed)
        fwrite(b.data, 1, b.len, c->to);
    fflush(c->to);
    buf_fini(&b);
    c->n_turns++;
    c->n_interrupted += t->was_interrupted;
    if (isfinite(t->total_ms)) {
        c->n_timed++;
        c->sum_ms += (double)t->total_ms;
        c->worst_ms = fmax(c->worst_ms, (double)t->total_ms);
    }
}

bool cascade_voice_open(struct cascade_voice *t, const struct cascade *c, const struct cascade_world *world, const char *out, bool is_live, bool is_json,
                        struct err *err)
{
    const struct voice_hooks hooks = { .ctx = t, .on_turn = on_turn };
    *t = (struct cascade_voice){ .to = out && strcmp(out, "-") == 0 ? stderr : stdout, .is_json = is_json };
    return voice_plan_read(c, world, &t->plan, err) &&
           (t->voice = voice_new(c, world, &t->plan, out ? out : is_live ? "speaker" : NULL, is_live, &hooks, err)) != NULL;
}

bool cascade_voice_close(struct cascade_voice *t, bool stops, struct err *err)
{
    if (!t->voice)
        return true;
    if (stops)
        voice_stop(t->voice);
    voice_wait(t->voice);
    const unsigned long long n_dropped = voice_n_dropped(t->voice);
    const bool ok = voice_free(t->voice, err);
    t->voice = NULL;
    if (t->is_json)
        return ok;
    fprintf(t->to, "\n%d turn%s, %d interrupted", t->n_turns, t->n_turns == 1 ? "" : "s", t->n_interrupted);
    if (n_dropped)
        fprintf(t->to, ", %llu found no place", n_dropped);
    if (t->n_timed)
        fprintf(t->to, "; first sound %.0f ms after the end of speech on average, %.0f at worst", t->sum_ms / t->n_timed, t->worst_ms);
    fprintf(t->to, "\n");
    return ok;
}
