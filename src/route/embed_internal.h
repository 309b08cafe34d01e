/* route/embed_internal.h - files of data/route/ and examples/ that lie in the program (.incbin in intent.c, language.c, fleet.c).  For: route/ alone. */
#ifndef TUTTI_ROUTE_EMBED_INTERNAL_H
#define TUTTI_ROUTE_EMBED_INTERNAL_H
struct intent_model;
extern const struct intent_model intent_shipped_model;               /* intent.bin */
extern const char language_samples[], language_samples_end[];       /* language.tsv */
extern const char fleet_fifty[], fleet_fifty_end[];                 /* examples/fleets/fifty.yaml */
#endif
