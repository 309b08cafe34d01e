/* plan/device.c - names of classes and sources. */
#include "plan/device.h"

#include <string.h>

static const struct {
    const char *name, *people;
} classes[] = {
#define X(id, name, people) { name, people },
    PLAN_CLASSES(X)
#undef X
};

static const char *const sources[] = { "unknown", "catalog", "detected", "measured", "derived", "given" };
_Static_assert(sizeof(sources) / sizeof(sources[0]) == PLAN_SOURCE_COUNT, "ORDER PLAN_SOURCE");

const char *plan_class_name(enum plan_class c) { return classes[c].name; }
const char *plan_class_people(enum plan_class c) { return classes[c].people; }
const char *plan_source_name(enum plan_source s) { return sources[s]; }

bool plan_class_parse(const char *name, enum plan_class *out)
{
    for (int i = 0; i < PLAN_CLASS_COUNT; i++)
        if (strcmp(name, classes[i].name) == 0) {
            *out = (enum plan_class)i;
            return true;
        }
    return false;
}
