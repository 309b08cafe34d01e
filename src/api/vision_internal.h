/* api/vision_internal.h - what vision.c (one task, one answer) and describe.c (a cascade) share. */
#ifndef TUTTI_API_VISION_INTERNAL_H
#define TUTTI_API_VISION_INTERNAL_H
#include "api/exchange_internal.h"
#include "api/vision.h"
#include "wire/form.h"

struct looking {
    struct exchange x; /* first */
    struct form form;
    struct buf text;   /* of describing: pieces that came */
    struct buf json;   /* the result, as an object */

    /* describe.c */
    int stage;         /* of the cascade; 0: none is needed */
    struct buf labels, boxes, words; /* what the stages found, in words */
    struct buf said;                 /* who was asked: JSON objects joined by commas */
    int n_good;                      /* stages that answered */
};

/* The body becomes a job for the task: media and options.  As exchange_ops.read. */
bool vision_read(struct exchange *x, enum expert_task task, struct err *err);
void api_vision_on_event(struct exchange *x, const struct expert_event *ev, uint64_t ns);
void api_vision_on_done(struct exchange *x, const struct expert_usage *usage, uint64_t ns);
bool api_vision_begin(struct exchange *x, struct err *err);
void api_vision_fini(struct exchange *x);

void vision_post_describe(const struct api_call *call, const struct http_head *head); /* describe.c */
#endif
