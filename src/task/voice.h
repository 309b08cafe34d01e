/* task/voice.h - the JSON file beside a voice model: rate, phonemizer, scales, which sound is which number, speakers.
 *
 * For:     speak_onnx.c.  The format is Piper's (MODEL.onnx.json).
 * Touches: the file.  Thread: any; constant once read.
 * Rule:    not trusted: numbers are checked, sounds without a number are left out of a sentence.
 */
#ifndef TUTTI_TASK_VOICE_H
#define TUTTI_TASK_VOICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "task/phonemes.h"

enum { VOICE_IDS_PER_SOUND = 4, VOICE_SOUNDS_MAX = 4096, VOICE_SPEAKERS_MAX = 20000, VOICE_IDS_MAX = 4 * PHONEMES_MAX };

struct voice_sound {
    int32_t cp;
    int n_ids;
    int64_t ids[VOICE_IDS_PER_SOUND];
};

struct voice {
    int rate_hz;
    bool by_letters;      /* phoneme_type "text" */
    char espeak_voice[48];
    double noise, length, noise_w; /* inference.noise_scale, length_scale, noise_w */
    struct voice_sound *sounds; /* [n_sounds], by cp; owned */
    int n_sounds;
    int n_speakers;       /* 0 or 1: the model takes none */
    char **speaker_names; /* [n_speaker_names], owned; with speaker_ids */
    int64_t *speaker_ids;
    int n_speaker_names;
};

bool voice_read(struct voice *v, const char *path, struct err *err);
bool voice_parse(struct voice *v, const char *json, size_t n, struct err *err);
void voice_fini(struct voice *v); /* a zeroed one is fine */
/* A name of the file, or a number below n_speakers; -1: neither. */
int64_t voice_find_speaker(const struct voice *v, const char *name);
/* ^ _ a _ b _ ... $: each sound followed by the pad; returns how many, at most VOICE_IDS_MAX; 0: no sound is known. */
int voice_ids(const struct voice *v, const struct phonemes *p, int64_t *ids);
#endif
