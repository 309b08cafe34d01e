/* pipeline/source_internal.h - what the kinds of sources share. */
#ifndef TUTTI_PIPELINE_SOURCE_INTERNAL_H
#define TUTTI_PIPELINE_SOURCE_INTERNAL_H
#include <stdatomic.h>
#include <stdint.h>

#include "pipeline/source.h"

struct source_ops {
    bool (*next)(void *self, const atomic_bool *stop, struct source_piece *p, struct err *err); /* as source_next() */
    void (*close)(void *self);
};
struct source {
    const struct source_ops *ops;
    void *self;
    bool is_live, is_sound, is_paced;
    uint64_t begin_ns;
    atomic_bool stop;
};
struct source *source_wrap(const struct source_ops *ops, void *self, bool is_live, bool is_sound, struct err *err); /* closes self when it fails */
/* source_pipe.c: whatever comes through a descriptor, which stays the caller's. */
struct source *source_open_pipe(int fd, const struct source_options *o, struct err *err);
#endif
