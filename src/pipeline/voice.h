/* pipeline/voice.h - talking with a language model: what a cascade heard is a turn, its answer is spoken while it is being written.
 *
 * For:     `tutti cascade run voice.yaml`: a cascade whose file has a map `voice`.
 * Callers: cmd/.
 * Touches: the experts that chat and speak, the player's output, a thread of its own.
 * Thread:  the hooks are called by the cascade's engine and never block; voice_wait() and voice_free() by the owner.
 * Rule:    one turn at a time, in order; at most VOICE_TURNS_MAX wait, older ones are dropped and counted.  Sentences go to the
 *          voice one by one, the next one when little waits to be heard, so what a long answer holds is bounded.  Whoever begins to
 *          speak while an answer is heard stops it (live sources): the sound at once, its jobs by cancel; what was spoken until
 *          then stays in the conversation, and what is said becomes the next turn.
 */
#ifndef TUTTI_PIPELINE_VOICE_H
#define TUTTI_PIPELINE_VOICE_H
#include "pipeline/cascade_run.h"
#include "pipeline/voice_player.h"

enum { VOICE_TURNS_MAX = 16, VOICE_WAKES_MAX = 8, VOICE_TEXT_MAX = 16 << 10 };

struct voice_plan { /* the map `voice`; texts are the cascade's */
    int hear;                 /* the stage whose text is a turn */
    struct cascade_ref chat[CASCADE_EXPERTS_MAX], speak[CASCADE_EXPERTS_MAX]; /* best first */
    int n_chat, n_speak;
    const char *wake[VOICE_WAKES_MAX]; /* words that it answers to; none: to everything */
    int n_wake;
    double awake_s;           /* without the word, after a turn or an answer; 0: never */
    const char *system;
    int max_tokens;
    double temperature;
    int history;              /* turns that it remembers */
    bool barge_in;
    struct task_options options; /* of SPEAK: voice, speed */
};
/* c->voice is there.  false with err FILE:LINE:COLUMN. */
bool voice_plan_read(const struct cascade *c, const struct cascade_world *world, struct voice_plan *out, struct err *err);

struct voice_turn { /* over; texts are borrowed for the call */
    int n;                    /* from 1 */
    double at_s;              /* of the stream: when it was said */
    const char *you, *answer; /* answer: as far as it was written */
    const char *said;         /* as far as it was begun to be spoken */
    const char *chat, *speak; /* ids of who wrote and spoke; "" */
    bool was_interrupted;
    float stop_ms;            /* from the speech that interrupted to silence and the end of all its jobs; NAN */
    /* from the end of speech to the first sound, one after the other; NAN: it did not come so far */
    float silence_ms, hear_ms, token_ms, sentence_ms, voice_ms, sound_ms, total_ms;
    float answer_s;           /* of sound that was heard */
    struct err err;           /* why there is no answer, or only half of one */
};
struct voice_hooks {
    void *ctx;
    void (*on_turn)(void *ctx, const struct voice_turn *t); /* on the voice's thread */
};

struct voice;
/* Opens nothing yet.  out: player_new().  is_live: the source's pieces come at the speed of life.  The cascade, world and plan outlive it. */
struct voice *voice_new(const struct cascade *c, const struct cascade_world *world, const struct voice_plan *plan, const char *out, bool is_live,
                        const struct voice_hooks *hooks, struct err *err);
/* For struct cascade_hooks. */
void voice_on_event_start(struct voice *v, const struct cascade_event *e);
void voice_on_event(struct voice *v, const struct cascade_event *e);
uint64_t voice_n_dropped(struct voice *v); /* turns that found no place */
void voice_stop(struct voice *v);          /* whatever it is doing; any thread */
void voice_wait(struct voice *v);          /* until all turns are answered and heard */
bool voice_free(struct voice *v, struct err *err); /* finishes the sound.  NULL is fine */
#endif
