/* advise/model.h - models as plan/ wants them: from a GGUF file, exactly, or from the catalog and a quantization's name.
 *
 * For:     `tutti fit`, recommend, expert cards.
 * Touches: the file of gguf_open(); the catalog.
 * Rule:    what a source does not say stays 0.
 */
#ifndef TUTTI_ADVISE_MODEL_H
#define TUTTI_ADVISE_MODEL_H
#include "catalog/catalog.h"
#include "gguf/gguf.h"
#include "plan/model.h"

/* Exact: shape from the keys, weights as our engine packs them.  false with err: a key that a language model needs is missing. */
bool advise_model_of_gguf(struct plan_model *m, const struct gguf *g, struct err *err);
/* A row of the catalog's `model` table in a quantization ("Q4_K_M"); false: it is no language model or has no size. */
bool advise_model_of_row(struct plan_model *m, const struct catalog_row *row, const char *quant, struct err *err);
/* What people write: a path to a GGUF file ("./x.gguf"), a model of the catalog ("llama 3.1 8b"), one with its
 * quantization ("llama 3.1 8b:Q6_K"), or a size ("8b", "30b-a3b"), then also with one.  quant: used when the text names none. */
bool advise_model_find(struct plan_model *m, struct catalog *c, const char *text, const char *quant, struct err *err);
#endif
