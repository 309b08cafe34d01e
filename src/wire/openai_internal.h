/* wire/openai_internal.h - what the readers of OpenAI requests share. */
#ifndef TUTTI_WIRE_OPENAI_INTERNAL_H
#define TUTTI_WIRE_OPENAI_INTERNAL_H
#include "wire/openai.h"

const char *openai_type_name(const json_t *v); /* "an object" */
/* A field that is there and not null. */
json_t *openai_field(const json_t *o, const char *name);
/* A body that must be a JSON object; owned.  NULL with e. */
json_t *openai_load(const char *body, size_t n, struct openai_error *e);
struct openai_event;
/* openai_event.c: false when it is not the usual event of a chat; e is then as good as empty. */
bool openai_read_event(struct openai_event *e, const char *json, size_t n);
#endif
