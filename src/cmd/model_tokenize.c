/* cmd/model_tokenize.c - `tutti model tokenize`: text on stdin, ids on stdout; for tests and the curious. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "gguf/gguf.h"
#include "token/token.h"

enum { STDIN_MAX_BYTES = 256 << 20 };

#define SEPARATOR "\n__ggml_vocab_test__\n" /* as in the vectors of llama.cpp */

static bool print_ids(const struct vocab *v, const char *text, size_t n, unsigned flags, struct token_list *list, struct err *err)
{
    list->len = 0;
    if (!vocab_tokenize(v, text, n, flags, list, err))
        return false;
    for (size_t i = 0; i < list->len; i++)
        printf(i ? " %d" : "%d", list->ids[i]);
    putchar('\n');
    return true;
}

/* The first separator in the n bytes, which may hold zeros; NULL: none. */
static const char *find_separator(const char *text, size_t n)
{
    const size_t len = strlen(SEPARATOR);
    for (const char *end = text + n; (size_t)(end - text) >= len; text++) {
        text = memchr(text, SEPARATOR[0], (size_t)(end - text) - len + 1);
        if (!text || memcmp(text, SEPARATOR, len) == 0)
            return text;
    }
    return NULL;
}

static bool print_cases(const struct vocab *v, const char *text, size_t n, unsigned flags, struct token_list *list, struct err *err)
{
    const char *end = text + n;
    for (const char *found; (found = find_separator(text, (size_t)(end - text))) != NULL; text = found + strlen(SEPARATOR))
        if (!print_ids(v, text, (size_t)(found - text), flags, list, err))
            return false;
    return text == end || print_ids(v, text, (size_t)(end - text), flags, list, err);
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    (void)argc;
    struct err err = { 0 };
    struct token_list list;
    struct vocab *v = NULL;
    char *text = NULL;
    size_t n = 0;
    bool ok = false;
    const unsigned flags = cmd_opt_find(opts, "special")->given ? TOKEN_ADD_SPECIAL | TOKEN_PARSE_SPECIAL : 0;
    token_list_init(&list, TOKEN_TEXT_MAX_BYTES + 16);
    struct gguf *g = gguf_open(argv[0], &err);
    if (!g)
        return cmd_fail(&err);
    if (!(v = vocab_open(g, &err)))
        err_prefix(&err, "%.120s", argv[0]);
    else if ((text = file_read("-", STDIN_MAX_BYTES, &n, &err)) != NULL)
        ok = (cmd_opt_find(opts, "cases")->given ? print_cases : print_ids)(v, text, n, flags, &list, &err);
    free(text);
    token_list_fini(&list);
    vocab_free(v);
    gguf_close(g);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "special", .kind = OPT_FLAG,
      .help = "add BOS, EOS as the model asks; special tokens in the text count as such" },
    { .name = "cases", .kind = OPT_FLAG, .help = "cut the text at lines __ggml_vocab_test__, print a line for each case" },
    { 0 },
};

const struct cmd cmd_model_tokenize = {
    .name = "model tokenize",
    .args = "MODEL < TEXT",
    .min_args = 1,
    .max_args = 1,
    .help = "print the token ids of a text",
    .more = "\nThe text is taken from standard input byte for byte.  MODEL may be a file with a vocabulary only.\n",
    .opts = opts,
    .run = run,
};
