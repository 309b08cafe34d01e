/* task/preset.h - how experts of one modality are best run on this machine: a row of data/runtime.csv, boiled down.
 *
 * For:     expert/ (threads, batch), onnx tasks (precision).  advise/preset.c fills it in.
 * Rule:    a card's own words win over a preset; a preset wins over the built-in defaults.
 */
#ifndef TUTTI_TASK_PRESET_H
#define TUTTI_TASK_PRESET_H
#include "task/card.h"

enum preset_modality { PRESET_LLM, PRESET_VISION, PRESET_STT, PRESET_TTS, PRESET_MODALITY_COUNT };
const char *preset_modality_name(enum preset_modality m); /* as the table's `task`: "llm", "vision", "stt", "tts" */
enum preset_modality preset_modality_of(enum expert_task t);

struct task_preset {
    char name[96];      /* the row; "" when there is none: the generic default */
    char scope[12];     /* "device": a row for this very device; "class": for its kind; "generic" */
    char runtime[48], precision[64];
    int n_threads;      /* 0: by policy */
    int n_batch;        /* requests in one run; 1: none */
};
struct task_presets {
    struct task_preset of[PRESET_MODALITY_COUNT];
};
#endif
