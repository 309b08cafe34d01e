/* api/audio.h - sound in and out, as OpenAI has it: POST /v1/audio/transcriptions, /v1/audio/translations, /v1/audio/speech.
 *
 * For:     serve/ routes to it.  Start: transcribe.c (hearing), speech.c (speaking).
 */
#ifndef TUTTI_API_AUDIO_H
#define TUTTI_API_AUDIO_H
#include "api/api.h"

extern const struct api_route audio_routes[];
extern const int audio_n_routes;
#endif
