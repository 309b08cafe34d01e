/* expert/open.h - from a card (or a GGUF file) to an expert: the table of what kinds there are.
 *
 * For:     serve/, cmd/.
 * Callers: rooms above.
 * Touches: what the kind touches when it opens: heads of files, no weights, no processes.
 * Rule:    opening is quick and loads nothing: experts are cold until their first job (or expert_warm()).  A new kind is
 *          one line in open.c (what runs in a process of its own: one line in task/kinds.c).
 */
#ifndef TUTTI_EXPERT_OPEN_H
#define TUTTI_EXPERT_OPEN_H
#include "expert/expert.h"
#include "expert/expert_llm.h"
#include "catalog/choose.h"
#include "task/card.h"
#include "task/preset.h"

struct keeper;

struct expert_env { /* what all experts of a process share; borrowed until the last of them is freed */
    const char *models_dir; /* NULL: $TUTTI_MODELS */
    const char *cache_dir;  /* compiled models; NULL: nothing is kept */
    const char *data_dir;   /* the user's: enrolled faces; NULL: none */
    const char *state_dir;  /* histories of speed; NULL: none */
    const char *ort_path;   /* ONNX Runtime; NULL: searched */
    int n_threads;          /* for each expert, at most; 0: one for each core */
    bool is_quiet;          /* a failed load is not logged: whoever waits for it says so */
    struct expert_llm_options llm; /* for models of our own engine */
    struct catalog *catalog;            /* the runtime table, for experts that are programs of others; NULL: none can be chosen */
    const struct runtime_host *host;    /* what those run on (advise/preset.h); NULL: not known */
    const struct task_presets *presets; /* NULL: built-in defaults */
    struct keeper *keeper;  /* NULL: everybody takes what he needs */
};

/* Takes the card over, also when it fails.  NULL with err. */
struct expert *expert_open_card(struct card *card, const struct expert_env *env, struct err *err);
/* FILE.gguf, or a card FILE.yaml. */
struct expert *expert_open(const char *path, const struct expert_env *env, struct err *err);
#endif
