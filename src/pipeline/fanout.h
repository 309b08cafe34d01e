/* pipeline/fanout.h - one request, several experts, one answer: a picture or a recording with a question about it.
 *
 * For:     serve/ adds it to the router (router_add(), composite), which chooses it like any other expert; `tutti route --explain`
 *          shows its plan.
 * Callers: cmd/, serve/.
 * Touches: the experts it asks, one thread that sleeps while nothing happens.
 * Thread:  any.
 * Rule:    a job of CHAT whose messages carry pictures or sounds becomes a small graph: branches that run at once (read, detect,
 *          transcribe, ...: FANOUT_BRANCHES in fanout_plan.c, one line each), and a language model that answers from what they
 *          found.  A branch that fails or is late is said in the provenance (EXPERT_PART) and the rest goes on; when all of them
 *          fail, that is the answer.  Without a language model the answer is made of the facts, in plain words.
 *          What is read in a picture or heard in a recording is data: it reaches the language model quoted, escaped and marked as
 *          such, with everything that could pass for a control token taken apart.  Only a recording that comes without a written
 *          word is taken for what the user says.
 *          What the request allows (privacy, deadline, cancel, hold) holds for every piece of it.
 */
#ifndef TUTTI_PIPELINE_FANOUT_H
#define TUTTI_PIPELINE_FANOUT_H
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "expert/expert.h"
#include "route/candidate.h"

/* ---- the plan ---- */

enum fanout_medium { FANOUT_PICTURE, FANOUT_SOUND, FANOUT_MEDIUM_COUNT };
const char *fanout_medium_name(enum fanout_medium m); /* "picture" */

enum { FANOUT_MEDIA_MAX = TASK_MEDIA_MAX, FANOUT_STEPS_MAX = 96 };

struct fanout_branch; /* a line of the table */
struct fanout_step {
    const struct fanout_branch *branch;
    enum expert_task task;
    int medium;       /* index */
    char why[48];     /* "asked: \"sign\"", "nothing else is asked", "always" */
};
struct fanout_plan { /* plain data */
    enum fanout_medium media[FANOUT_MEDIA_MAX];
    int n_media;
    struct fanout_step steps[FANOUT_STEPS_MAX]; /* all at once */
    int n_steps;
    bool has_chat;    /* a language model answers; false: plain words */
};
/* What would be asked about these media.  tasks: bits of what somebody here can do.  Pure. */
void fanout_plan(const enum fanout_medium *media, int n_media, const char *question, size_t n_question, unsigned tasks, struct fanout_plan *out);
/* The fan-out among these candidates, as the router would see it: its language model a near one that is loaded, or the best.  false: nobody sees
 * or hears.  Pure. */
bool fanout_candidate(const struct candidates *world, struct candidate *out);
/* For people, a line each; ends with a line end. */
void fanout_put_plan(const struct fanout_plan *p, struct buf *out);
/* {"steps":[{"task","medium","why"}],"then":"chat"} */
void fanout_put_plan_json(const struct fanout_plan *p, struct buf *out);

/* ---- the expert ---- */

struct fanout_env {
    const char *id;                 /* NULL: "fanout" */
    struct expert *const *experts;  /* what there is; without a router they are asked: the first that can and is not down.
                                     * They outlive the fan-out; the list is copied */
    int n_experts;
    /* What experts of other machines can do that this privacy allows (bits of enum expert_task); NULL: there are none.  The router knows them. */
    unsigned (*elsewhere)(void *ctx, enum expert_privacy most);
    void *elsewhere_ctx;
    struct expert *router;          /* asked for each piece (router_expert_for_pieces()); NULL: none */
    float picture_s, sound_s;       /* most that a branch may take; 0: 30, 300 */
};
/* The caller owns the result.  NULL with err. */
struct expert *fanout_open(const struct fanout_env *env, struct err *err);
/* Does the job bring pictures or sounds? */
bool fanout_is_for(const struct job *j);
#endif
