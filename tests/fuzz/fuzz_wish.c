/* tests/fuzz/fuzz_wish.c - any bytes as a request's wishes and as an answer to be looked at: bounds hold, privacy never grows weaker. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/wish.h"
#include "fuzz.h"
#include "route/answer_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    struct openai_error e = { 0 };
    struct expert_wish w = { .security = WISH_LAN };
    const size_t n = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
    memcpy(text, data, n);
    text[n] = '\0';
    const bool ok = wish_read_text(&w, text, &e);
    if (ok == (e.status != 0) || w.security == WISH_SECURITY_NONE || !(w.deadline_s >= 0 && w.deadline_s <= 86400) || !(w.quality >= 0 && w.quality <= 10) || !isfinite(w.budget_usd))
        abort();
    (void)answer_has_json((const char *)data, size);
    (void)answer_loops((const char *)data, size);
    return 0;
}
