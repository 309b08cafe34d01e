/* tools/train/export.h - the trained model as a GGUF file that any llama engine reads.
 *
 * For:     main.c.
 * Touches: the file that it writes (beside it first, then renamed).
 */
#ifndef TUTTI_TOOLS_TRAIN_EXPORT_H
#define TUTTI_TOOLS_TRAIN_EXPORT_H
#include <stdbool.h>

#include "base/err.h"
#include "bpe.h"
#include "dtype/dtype.h"
#include "model.h"

/* Matrices in `type` (DTYPE_Q8_0, DTYPE_F32, ...), gains in F32. */
bool export_gguf(const char *path, struct model *m, const struct bpe *b, enum dtype type, const char *name, struct err *err);
extern const char export_chat_template[];
#endif
