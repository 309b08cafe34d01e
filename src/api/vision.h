/* api/vision.h - pictures: POST /v1/tutti/vision/{classify,detect,faces,segment,ocr,embed,describe}.
 *
 * For:     serve/ routes to it.  Start: vision.c; describe.c is the cascade where no model sees.
 */
#ifndef TUTTI_API_VISION_H
#define TUTTI_API_VISION_H
#include "api/api.h"

extern const struct api_route vision_routes[];
extern const int vision_n_routes;
#endif
