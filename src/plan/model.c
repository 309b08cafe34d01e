/* plan/model.c - sizes from parameters and bits; bits from a quantization's name. */
#include "plan/model.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* Bits per weight over whole files.  llama.cpp mixes are between the row for small models (1 to 2 B, a large
 * embedding table kept in Q6_K or Q8_0) and the row for large ones; sizes of published files: ../shared/reference/localscore.md,
 * measured.tsv (column bpw), huggingface.co/bartowski, 2026-11-21. */
static const struct {
    const char *name;
    double small, large; /* at 1 B and at 70 B */
} quants[] = {
    { "F32", 32, 32 },          { "F16", 16, 16 },          { "BF16", 16, 16 },         { "FP16", 16, 16 },
    { "Q8_0", 8.51, 8.5 },      { "Q8_K_XL", 10.5, 8.9 },   { "Q6_K", 6.6, 6.56 },      { "Q6_K_L", 7.0, 6.6 },
    { "Q5_K_M", 5.9, 5.68 },    { "Q5_K_S", 5.7, 5.53 },    { "Q5_K_XL", 6.0, 5.7 },    { "Q5_0", 5.7, 5.53 },
    { "Q5_1", 6.1, 6.0 },       { "Q4_K_M", 5.23, 4.82 },   { "Q4_K_S", 5.02, 4.57 },   { "Q4_K_XL", 5.35, 4.85 },
    { "Q4_K_L", 5.6, 4.9 },     { "Q4_K", 5.23, 4.82 },     { "Q4_0", 4.98, 4.53 },     { "Q4_1", 5.3, 5.0 },
    { "IQ4_NL", 5.0, 4.55 },    { "IQ4_XS", 4.8, 4.28 },    { "Q3_K_L", 4.74, 4.21 },   { "Q3_K_M", 4.45, 3.89 },
    { "Q3_K_S", 4.15, 3.47 },   { "Q3_K", 4.45, 3.89 },     { "Q3_K_XL", 4.8, 3.95 },   { "IQ3_M", 4.25, 3.62 },
    { "IQ3_S", 4.1, 3.47 },     { "IQ3_XS", 4.0, 3.33 },    { "IQ3_XXS", 3.8, 3.11 },   { "Q2_K", 3.76, 2.99 },
    { "Q2_K_M", 3.76, 2.99 },   { "Q2_K_S", 3.6, 2.75 },    { "IQ2_M", 3.4, 2.75 },     { "IQ2_XS", 3.1, 2.4 },
    { "IQ2_XXS", 2.9, 2.17 },   { "IQ1_M", 2.6, 1.9 },      { "IQ1_S", 2.5, 1.72 },     { "TQ2_0", 2.8, 2.1 },
    { "TQ1_0", 2.5, 1.75 },     { "MXFP4", 4.7, 4.34 },     { "NVFP4", 5.0, 4.6 },      { "FP8", 8.2, 8.1 },
    { "W8A8", 8, 8 },           { "INT8", 8.2, 8.1 },       { "W4A16", 4.5, 4.5 },      { "W4A16_G128", 4.25, 4.25 },
    { "W4", 4.5, 4.5 },         { "INT4", 4.5, 4.5 },       { "AWQ", 4.9, 4.35 },       { "GPTQ", 4.9, 4.35 },
    { "Q4F16", 4.5, 4.5 },      { "8DA4W", 5.2, 4.4 },      { "4BIT", 4.5, 4.5 },       { "5BIT", 5.5, 5.5 },
    { "6BIT", 6.5, 6.5 },       { "8BIT", 8.5, 8.5 },       { "3BIT", 3.5, 3.5 },       { "2BIT", 2.5, 2.5 },
};

/* The whole name, or the name before a space, '+' or '-' ("MXFP4+F16", "8da4w g32", "4bit-g32"); any case; "UD-" and "all " in front mean nothing. */
static bool same_quant(const char *given, const char *name)
{
    if (strncmp(given, "UD-", 3) == 0)
        given += 3;
    if (strncmp(given, "all ", 4) == 0)
        given += 4;
    size_t i = 0;
    while (name[i] && toupper((unsigned char)given[i]) == name[i])
        i++;
    return !name[i] && (given[i] == '\0' || given[i] == ' ' || given[i] == '+' || given[i] == '-');
}

double plan_quant_bpw(const char *quant, double params)
{
    for (size_t i = 0; i < sizeof(quants) / sizeof(quants[0]); i++)
        if (same_quant(quant, quants[i].name)) {
            /* the surplus is the table's share: about 1 / params^(2/3) */
            const double billions = params > 1e9 ? params / 1e9 : 1.0;
            double share = 1.0;
            for (double b = billions; b > 1.0 && share > 1e-3; b /= 2)
                share *= b >= 2 ? 0.63 : 1.0 - 0.37 * (b - 1.0);
            return quants[i].large + (quants[i].small - quants[i].large) * share;
        }
    return 0;
}

void plan_model_size(struct plan_model *m)
{
    if (!(m->active_params > 0))
        m->active_params = m->params;
    const double total = m->params * m->bpw / 8.0, read = m->active_params * m->bpw / 8.0;
    if (total > 0 && total < 1e18)
        m->weight_bytes = (uint64_t)total;
    if (read > 0 && read < 1e18)
        m->bytes_per_tok = (uint64_t)read;
}
