/* tools/difficulty-bins/main.c - how often a weak and a strong model are right, by the router's difficulty: src/rehearse/simulate_difficulty.def.
 *
 *     difficulty-bins MODEL FILE.jsonl [MODEL FILE.jsonl]...
 *
 * Each file's questions are scored by the model before it, which must not have learned from them: corpus/difficulty/mmlu.jsonl
 * in five parts by a hash of the text, each model trained without its part (docs/simulate.md has the commands).
 */
#include <stdio.h>
#include <stdlib.h>

#include "route/features.h"
#include "route/intent.h"
#include "route/train.h"

enum { N_BINS = 20 };

int main(int argc, char **argv)
{
    size_t n[N_BINS][4] = { { 0 } }, n_all = 0;
    for (int k = 1; k + 1 < argc; k += 2) {
        struct err err = { 0 };
        struct train_set set = { 0 };
        struct intent_model *m = intent_model_open(argv[k], &err);
        if (!m || !train_set_add(&set, argv[k + 1], &err)) {
            fprintf(stderr, "difficulty-bins: %s\n", err.text);
            intent_model_free(m);
            train_set_fini(&set);
            return 1;
        }
        for (size_t i = 0; i < set.n; i++) {
            const struct train_line *l = &set.line[i];
            struct features f;
            struct intent_answer a;
            if (l->weak < 0 || l->strong < 0)
                continue;
            features_read(&(struct features_in){ .text = l->text, .n_bytes = l->n_bytes }, &f);
            intent_decide(m, &f, l->text, l->n_bytes, &a);
            const int bin = a.difficulty >= 1 ? N_BINS - 1 : a.difficulty <= 0 ? 0 : (int)(a.difficulty * N_BINS);
            n[bin][2 * l->strong + l->weak]++, n_all++;
        }
        train_set_fini(&set);
        intent_model_free(m);
    }
    printf("/* %zu questions by difficulty as the router reads it (%d equal bins of 0..1): neither is right, weak alone, strong alone, both.\n"
           " * Made by tools/difficulty-bins from models that had not seen the questions. */\n", n_all, N_BINS);
    for (int i = 0; i < N_BINS; i++)
        printf("BIN(%zu, %zu, %zu, %zu)\n", n[i][0], n[i][1], n[i][2], n[i][3]);
    return 0;
}
