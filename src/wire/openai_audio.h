/* wire/openai_audio.h - the audio half of the OpenAI API: what is asked for, and transcripts in five forms.
 *
 * For:     api/speech.c, api/transcribe.c.  Callers: api/.
 * Touches: memory.  Thread: any; nothing is kept.
 * Rule:    as wire/openai.h: a request is read in full or refused with one precise error; formats that we cannot make
 *          are refused with a line that names those that we can.  Times are seconds from the begin of the sound.
 * Start:   openai_audio.c.
 */
#ifndef TUTTI_WIRE_OPENAI_AUDIO_H
#define TUTTI_WIRE_OPENAI_AUDIO_H
#include "wire/form.h"
#include "wire/openai.h"

/* ---- hearing: POST /v1/audio/transcriptions, /v1/audio/translations ---- */

enum openai_transcript_format { OPENAI_JSON, OPENAI_TEXT, OPENAI_SRT, OPENAI_VTT, OPENAI_VERBOSE_JSON, OPENAI_TRANSCRIPT_FORMAT_COUNT };
const char *openai_transcript_type(enum openai_transcript_format f); /* the content type */

struct openai_transcription { /* texts live in the form's arena, and the file where the form has it */
    const char *model;    /* "" when it names none */
    const char *language; /* NULL: not said */
    const char *prompt;   /* NULL */
    enum openai_transcript_format format;
    double temperature;   /* 0: where models begin */
    bool stream;
    bool wants_segments, wants_words; /* of verbose_json; srt and vtt always have segments */
};
/* From a form that was read.  false with e. */
bool openai_read_transcription(struct openai_transcription *t, const struct form *f, struct openai_error *e);

struct openai_word {
    const char *text;
    double start_s, end_s;
};
struct openai_segment {
    const char *text;
    double start_s, end_s;
    float avg_logprob, no_speech_prob, compression_ratio, temperature; /* 0 when the expert has no such figure */
};
struct openai_transcript {
    const char *text;
    const char *language; /* NULL: not known */
    double duration_s;    /* 0: not known */
    const struct openai_segment *segments;
    int n_segments;
    const struct openai_word *words;
    int n_words;
    const char *more;     /* members behind all others, of json and verbose_json: ",\"tutti\":{...}"; NULL: none */
};
/* The whole answer. */
void openai_put_transcript(struct buf *out, enum openai_transcript_format f, const struct openai_transcription *t, bool is_translation,
                           const struct openai_transcript *r);
/* Events of a stream, each `data: {...}\n\n`. */
void openai_put_transcript_delta(struct buf *out, const char *text, size_t n);
void openai_put_transcript_done(struct buf *out, const char *text, size_t n, double duration_s, const char *more /* as above */);

/* ---- speaking: POST /v1/audio/speech ---- */

enum openai_speech_format { OPENAI_WAV, OPENAI_FLAC, OPENAI_OPUS, OPENAI_PCM, OPENAI_SPEECH_FORMAT_COUNT };
const char *openai_speech_type(enum openai_speech_format f); /* the content type */
enum { OPENAI_PCM_HZ = 24000 }; /* what the API says `pcm` is: 16 bits, little-endian, mono */

struct openai_speech { /* texts point into the tree */
    json_t *tree;      /* owned: openai_speech_fini() */
    const char *model; /* "" when it names none */
    const char *input;
    size_t n_input;
    const char *voice; /* NULL: the expert's own */
    double speed;      /* 0.25 .. 4; 1 */
    enum openai_speech_format format;
    bool is_sse;       /* stream_format "sse": pieces as events, base64 inside */
};
enum { OPENAI_SPEECH_INPUT_MAX = 4096 }; /* characters, as the API has it */
bool openai_read_speech(struct openai_speech *s, const char *body, size_t n, struct openai_error *e);
void openai_speech_fini(struct openai_speech *s); /* a zeroed one is fine */
void openai_put_speech_delta(struct buf *out, const void *bytes, size_t n);
void openai_put_speech_done(struct buf *out);
#endif
