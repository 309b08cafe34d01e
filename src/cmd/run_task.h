/* cmd/run_task.h - `tutti run CARD ...` for experts beyond text: pictures, sounds and texts in, results out.
 *
 * For:     run.c.  Touches: the files that are named, stdout.
 */
#ifndef TUTTI_CMD_RUN_TASK_H
#define TUTTI_CMD_RUN_TASK_H
#include <stdbool.h>

#include "expert/expert.h"

struct run_task {
    struct expert *expert;   /* warm */
    struct expert_card card; /* its card */
    enum expert_task task;
    struct task_options options;
    bool is_json, with_stats;
    double fps;              /* of videos and cameras; 0: the default */
    const char *out;         /* --out: a picture with boxes, a sound; NULL */
    int signal_fd;           /* a byte comes when ctrl-c was pressed */
    int end_fd;              /* its other end */
};

/* Each argument is a file ("-": stdin), a stream (run_stream.h), or for speak and embed a text.  Returns the exit status. */
int run_task(struct run_task *r, int n_args, char **args);
#endif
