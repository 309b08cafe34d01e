/* task/speak_flite.c - kind flite, task speak: English by CMU Flite's library, a sentence at a time, heard while it is made.
 *
 * For:     text to speech on any Debian (docs/CARDS.md, "Voices").
 * Touches: libflite.so.1 and the library of one voice, loaded when a card opens.  Thread: one for the process: a voice and its
 *          features are the library's global state.
 * Rule:    declared here after flite.h, cst_voice.h, cst_audio.h, cst_wave.h of 2.2.  Its callback hands over some 20 ms at a
 *          time; only the analysis of a sentence comes before the first, so long ones are cut.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dl.h"
#include "task/sentences.h"
#include "task/speak.h"

struct cst_voice { /* its beginning */
    const char *name;
    void *features;
};
struct cst_wave {
    const char *type;
    int sample_rate, num_samples, num_channels;
    short *samples;
};
struct cst_stream {
    int min_buffsize;
    int (*call)(const struct cst_wave *w, int start, int size, int is_last, struct cst_stream *s);
    const void *utt, *item;
    void *userdata;
};
enum { CST_STOP = -1, CST_GO_ON = 0 };

static struct {
    int (*init)(void);
    struct cst_stream *(*new_stream)(void);
    void *(*stream_val)(struct cst_stream *);
    void (*set)(void *features, const char *name, const void *val);
    void (*set_float)(void *features, const char *name, float v);
    struct cst_wave *(*speak)(const char *text, struct cst_voice *v);
    void (*delete_wave)(struct cst_wave *);
} flite;
static const struct dl_symbol flite_symbols[] = {
    { "flite_init", &flite.init }, { "new_audio_streaming_info", &flite.new_stream }, { "audio_streaming_info_val", &flite.stream_val },
    { "flite_feat_set", &flite.set }, { "flite_feat_set_float", &flite.set_float }, { "flite_text_to_wave", &flite.speak },
    { "delete_wave", &flite.delete_wave }, { NULL, NULL },
};
static struct dl flite_library = DL_INIT("libflite.so.1", "speaking with flite", "apt-get install libflite1", flite_symbols);

/* ORDER VOICE.  slt (a woman) and rms (a man) sound best; kal is small, quick and robotic, at 8 kHz. */
#define VOICES(X) X(slt) X(rms) X(awb) X(kal16) X(kal)
#define X(name)                                                                                    \
    static struct cst_voice *(*make_##name)(const char *);                                         \
    static const struct dl_symbol name##_symbols[] = { { "register_cmu_us_" #name, &make_##name }, { NULL, NULL } };
VOICES(X)
#undef X
static struct dl voice_libraries[] = {
#define X(name) DL_INIT("libflite_cmu_us_" #name ".so.1", "this voice of flite", "apt-get install libflite1", name##_symbols),
    VOICES(X)
#undef X
};
static struct cst_voice *(**const voice_makers[])(const char *) = {
#define X(name) &make_##name,
    VOICES(X)
#undef X
};
static const char *const voice_names[] = {
#define X(name) #name,
    VOICES(X)
#undef X
    NULL
};
enum { N_VOICES = sizeof(voice_libraries) / sizeof(voice_libraries[0]) };

/* The voices are the library's, one set for the process, and keep pointers to this: it is made once and stays. */
static struct cst_stream *stream;

struct speak_flite {
    struct cst_voice *voices[N_VOICES]; /* the library's; NULL: not asked for yet */
    int voice;
    double speed;
    /* of the run at hand */
    struct speak_out out;
    struct err err;
    bool has_begun, has_failed;
};

static int on_samples(const struct cst_wave *w, int start, int size, int is_last, struct cst_stream *s)
{
    struct speak_flite *f = s->userdata;
    (void)is_last;
    if (f->has_failed || f->out.out->is_cancelled(f->out.out->ctx)) {
        if (!f->has_failed)
            err_set(&f->err, ERR_CANCELLED, "cancelled");
        f->has_failed = true;
        return CST_STOP;
    }
    if (!f->has_begun && !speak_begin(&f->out, f->out.out, w->sample_rate, &f->err))
        f->has_failed = true;
    f->has_begun = true;
    if (start < 0 || size < 0 || w->num_channels != 1)
        f->has_failed = !err_set(&f->err, ERR_INTERNAL, "flite: its voice gave %d channels", w->num_channels);
    else if (!f->has_failed && !speak_put_s16(&f->out, w->samples + start, (size_t)size, &f->err))
        f->has_failed = true;
    return f->has_failed ? CST_STOP : CST_GO_ON;
}

static int find_voice(const char *name)
{
    for (int i = 0; i < N_VOICES; i++)
        if (strcmp(name, voice_names[i]) == 0)
            return i;
    return -1;
}

static bool want_voice(struct speak_flite *f, int i, struct err *err)
{
    if (f->voices[i])
        return true;
    if (!dl_load(&voice_libraries[i], err))
        return false;
    f->voices[i] = (*voice_makers[i])(NULL);
    if (!f->voices[i])
        return err_set(err, ERR_NOMEM, "flite: the voice %s does not open", voice_names[i]);
    flite.set(f->voices[i]->features, "streaming_info", flite.stream_val(stream));
    return true;
}

static bool open_flite(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { "voice", "speed", NULL };
    (void)env;
    int voice = 0;
    double speed = 1;
    if (!card_check_keys(card, keys, err) || !yaml_choice(card->yaml, card->node, "voice", voice_names, &voice, err) ||
        !yaml_number(card->yaml, card->node, "speed", 0.25, 4, &speed, err) || !dl_load(&flite_library, err))
        return false;
    struct speak_flite *f = calloc(1, sizeof(*f));
    if (!f)
        return err_set(err, ERR_NOMEM, "flite: no memory");
    flite.init();
    f->voice = voice;
    f->speed = speed;
    if (!stream && !(stream = flite.new_stream())) {
        free(f);
        return err_set(err, ERR_NOMEM, "flite: no memory");
    }
    stream->call = on_samples;
    if (!want_voice(f, voice, err)) {
        free(f);
        return false;
    }
    *self = f;
    return true;
}

static void free_flite(void *self) { free(self); } /* voices are the library's, once for the process */

static void info_flite(void *self, struct task_info *out)
{
    const struct speak_flite *f = self;
    out->tasks = EXPERT_SPEAK;
    out->memory_bytes = 12 << 20; /* RSS with slt, measured */
    out->rate_hz = strcmp(voice_names[f->voice], "kal") == 0 ? 8000 : 16000;
    snprintf(out->runs_on, sizeof(out->runs_on), "flite, CPU, voice %s", voice_names[f->voice]);
}

static bool run_flite(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct speak_flite *f = self;
    double speed;
    int voice = f->voice;
    if (!speak_check_text(rq, err) || !speak_speed(rq, f->speed, &speed, err))
        return false;
    if (rq->options.language && strncmp(rq->options.language, "en", 2) != 0)
        return err_set(err, ERR_UNSUPPORTED, "flite: speaks English only, not '%.16s'", rq->options.language);
    if (rq->options.voice && (voice = find_voice(rq->options.voice)) < 0)
        return err_set(err, ERR_INPUT, "voice: '%.32s' is none of slt, rms, awb, kal16, kal", rq->options.voice);
    if (!want_voice(f, voice, err))
        return false;
    stream->userdata = f;
    flite.set_float(f->voices[voice]->features, "duration_stretch", (float)(1 / speed));
    f->out.out = out;
    f->has_begun = f->has_failed = false;
    const char *text = rq->texts[0].text;
    for (size_t n = rq->texts[0].n; n > 0 && !f->has_failed;) {
        char sentence[SPEAK_SENTENCE_BYTES + 1];
        const size_t k = sentence_next(text, n, SPEAK_SENTENCE_BYTES);
        memcpy(sentence, text, k);
        sentence[k] = '\0';
        text += k;
        n -= k;
        struct cst_wave *w = flite.speak(sentence, f->voices[voice]);
        if (w)
            flite.delete_wave(w);
        if (out->is_cancelled(out->ctx) && !f->has_failed)
            f->has_failed = !err_set(&f->err, ERR_CANCELLED, "cancelled");
    }
    if (f->has_failed) {
        *err = f->err;
        return false;
    }
    return !f->has_begun || speak_end(&f->out, err);
}

const struct task_kind task_speak_flite = { "flite", "speak", open_flite, free_flite, info_flite, run_flite, NULL };
