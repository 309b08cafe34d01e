/* site/place_words.h - why each replica lies where it does, what could not be placed and what would help. */
#ifndef TUTTI_SITE_PLACE_WORDS_H
#define TUTTI_SITE_PLACE_WORDS_H
#include "site/place.h"

struct state;
/* Fills why of p->list, and p->misses (room for all of them is there).  c NULL: nothing is proposed. */
void place_explain(struct cluster_plan *p, const struct state *s, struct catalog *c);
#endif
