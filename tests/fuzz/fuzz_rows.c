/* tests/fuzz/fuzz_rows.c - tables of questions: any bytes, every row predicted. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advise/rows.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rows r;
    struct rows_columns c;
    struct err err = { 0 };
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    if (rows_parse(&r, text, size, &err)) {
        if (rows_columns(&r, &c, &err))
            for (int i = 0; i < r.n && i < 200; i++) {
                struct plan_speed_query q;
                if (!rows_query(&r, &c, i, &q))
                    continue;
                const struct plan_speed s = plan_speed_predict(&q);
                if (plan_is_known(s.tg_tps) && !(s.tg_tps.low <= s.tg_tps.mid && s.tg_tps.mid <= s.tg_tps.high))
                    abort();
            }
    }
    rows_free(&r);
    free(text);
    return 0;
}
