/* advise/recommend_internal.h - what the files of recommend share. */
#ifndef TUTTI_ADVISE_RECOMMEND_INTERNAL_H
#define TUTTI_ADVISE_RECOMMEND_INTERNAL_H
#include "advise/recommend.h"

/* How much work it is to set up, 1 to 5, from the table ecosystem; 0: not known. */
int recommend_effort(struct catalog *c, const struct hardware *hw, const char *os);

/* Appends every candidate that the catalog offers; false with err set. */
bool recommend_fill(struct recommend *r, struct catalog *c, const struct price_book *book, const struct recommend_ask *ask, struct err *err);
/* The parts around n cards, their price and the supply that they need, into item and candidate. */
bool recommend_system(struct recommend_item *item, struct rec_candidate *k, struct catalog *c, const struct recommend_ask *ask, struct err *err);
#endif
