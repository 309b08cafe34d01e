/* api/experts.h - who is here: GET /v1/tutti/experts, with cards, states and figures.
 *
 * For:     serve/ routes to it, and its page shows the same words.
 */
#ifndef TUTTI_API_EXPERTS_H
#define TUTTI_API_EXPERTS_H
#include "api/api.h"

extern const struct api_route experts_routes[];
extern const int experts_n_routes;

/* "detect, segment"; "" when it is not known yet. */
void experts_name_tasks(unsigned tasks, const char *between, char *out, size_t max);
#endif
