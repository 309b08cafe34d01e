/* task/speak_espeak.c - kind espeak, task speak: a hundred languages by the espeak-ng program.
 *
 * For:     text to speech in languages that nothing else here speaks (docs/CARDS.md, "Voices").
 * Touches: one child process for each request.  espeak-ng is GPL-3+: it is run, never linked.  Thread: one.
 * Rule:    text goes in by its stdin, never by its command line; a voice's name is letters, digits, _ + - alone and speed is
 *          a number of ours.  Sound is passed on as it comes; a request that is cancelled kills its child.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proc/child.h"
#include "task/espeak.h"
#include "task/speak.h"

struct speak_espeak {
    char voice[48];
    double speed, pitch;
    struct speak_out out;
};

static bool open_espeak(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { "voice", "speed", "pitch", NULL };
    (void)env;
    const char *voice = "en";
    double speed = 1, pitch = 50;
    if (!card_check_keys(card, keys, err) || !yaml_text(card->yaml, card->node, "voice", &voice, err) ||
        !yaml_number(card->yaml, card->node, "speed", 0.25, 4, &speed, err) ||
        !yaml_number(card->yaml, card->node, "pitch", 0, 99, &pitch, err))
        return false;
    struct speak_espeak *e = calloc(1, sizeof(*e));
    if (!e)
        return err_set(err, ERR_NOMEM, "espeak: no memory");
    if (!speak_name_ok(voice, sizeof(e->voice) - 1)) {
        free(e);
        return card_fail(card, yaml_get(card->node, "voice"), err, "voice: letters, digits, _ + - are wanted, as in en-us or de+f3");
    }
    if (!espeak_find(err)) {
        free(e);
        return false;
    }
    snprintf(e->voice, sizeof(e->voice), "%s", voice);
    e->speed = speed;
    e->pitch = pitch;
    *self = e;
    return true;
}

static void free_espeak(void *self) { free(self); }

static void info_espeak(void *self, struct task_info *out)
{
    const struct speak_espeak *e = self;
    out->tasks = EXPERT_SPEAK;
    out->memory_bytes = 10 << 20; /* the child's RSS, measured */
    out->rate_hz = 22050;
    snprintf(out->runs_on, sizeof(out->runs_on), "espeak-ng (a child process), CPU, %.24s", e->voice);
}

/* The 44 bytes with which espeak-ng begins: RIFF, PCM, one channel, 16 bits; its lengths are not true.  0: something else. */
static int head_rate_hz(const uint8_t *head)
{
    if (memcmp(head, "RIFF", 4) != 0 || memcmp(head + 8, "WAVEfmt ", 8) != 0 || head[20] != 1 || head[22] != 1 || head[34] != 16)
        return 0;
    const uint32_t rate = (uint32_t)(head[24] | head[25] << 8 | head[26] << 16) | (uint32_t)head[27] << 24;
    return rate <= SPEAK_RATE_MAX_HZ ? (int)rate : 0;
}

static bool pass_on(struct speak_espeak *e, int fd, const struct task_out *out, struct err *err)
{
    enum { HEAD = 44 };
    uint8_t bytes[HEAD + 8192];
    size_t n = 0;
    bool has_head = false;
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const int ready = poll(&p, 1, 50);
        if (out->is_cancelled(out->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (ready <= 0)
            continue;
        const ssize_t got = read(fd, bytes + n, sizeof(bytes) - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, ERR_IO, "espeak-ng: %s", strerror(errno));
        if (got == 0)
            return !has_head || speak_end(&e->out, err);
        n += (size_t)got;
        size_t at = 0;
        if (!has_head) {
            if (n < HEAD)
                continue;
            const int rate = head_rate_hz(bytes);
            if (rate == 0)
                return err_set(err, ERR_INTERNAL, "espeak-ng: what it says is no 16-bit mono WAV");
            if (!speak_begin(&e->out, out, rate, err))
                return false;
            has_head = true;
            at = HEAD;
        }
        const size_t n_samples = (n - at) / 2;
        int16_t samples[sizeof(bytes) / 2];
        memcpy(samples, bytes + at, n_samples * 2);
        if (!speak_put_s16(&e->out, samples, n_samples, err))
            return false;
        at += n_samples * 2;
        n -= at;
        memmove(bytes, bytes + at, n); /* half a sample */
    }
}

static bool run_espeak(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct speak_espeak *e = self;
    double speed;
    /* a voice wins over a language; both name voices of espeak-ng ("de", "en-us", "en+f3") */
    const char *voice = rq->options.voice ? rq->options.voice : rq->options.language ? rq->options.language : e->voice;
    if (!speak_check_text(rq, err) || !speak_speed(rq, e->speed, &speed, err))
        return false;
    if (!speak_name_ok(voice, sizeof(e->voice) - 1))
        return err_set(err, ERR_INPUT, "voice: letters, digits, _ + - are wanted, as in en-us or de+f3");
    char wpm[16], pitch[16];
    const double words = 175 * speed; /* its normal speed, its limits */
    snprintf(wpm, sizeof(wpm), "%d", (int)(words < 80 ? 80 : words > 450 ? 450 : words));
    snprintf(pitch, sizeof(pitch), "%d", (int)e->pitch);
    const char *const argv[] = { "espeak-ng", "-v", voice, "-s", wpm, "-p", pitch, "-b", "1", "--stdin", "--stdout", NULL };
    struct espeak_child c;
    if (!espeak_start(&c, argv, rq->texts[0].text, rq->texts[0].n, err))
        return false;
    e->out.n_sent = 0;
    const bool good = pass_on(e, c.out_fd, out, err);
    return espeak_stop(&c, good, voice, err);
}

const struct task_kind task_speak_espeak = { "espeak", "speak", open_espeak, free_espeak, info_espeak, run_espeak, NULL };
