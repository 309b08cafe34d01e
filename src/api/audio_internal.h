/* api/audio_internal.h - the handlers of audio.h's table. */
#ifndef TUTTI_API_AUDIO_INTERNAL_H
#define TUTTI_API_AUDIO_INTERNAL_H
#include "api/audio.h"

void audio_post_transcription(const struct api_call *call, const struct http_head *head);
void audio_post_translation(const struct api_call *call, const struct http_head *head);
void audio_post_speech(const struct api_call *call, const struct http_head *head);
#endif
