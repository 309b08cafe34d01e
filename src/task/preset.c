/* task/preset.c - which modality a task belongs to. */
#include "task/preset.h"

const char *preset_modality_name(enum preset_modality m)
{
    static const char *const names[] = { "llm", "vision", "stt", "tts" };
    return m < PRESET_MODALITY_COUNT ? names[m] : "?";
}

enum preset_modality preset_modality_of(enum expert_task t)
{
    if (t & (EXPERT_TRANSCRIBE | EXPERT_VAD | EXPERT_WAKE | EXPERT_KEYWORD))
        return PRESET_STT;
    if (t & EXPERT_SPEAK)
        return PRESET_TTS;
    return t & (EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED) ? PRESET_LLM : PRESET_VISION;
}
