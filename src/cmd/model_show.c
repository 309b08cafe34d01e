/* cmd/model_show.c - `tutti model show FILE`: what is in a model file, for people and as JSON; start at run().
 *
 * Rule:    text from the file reaches the terminal without what could move its cursor.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "gguf/gguf.h"

enum {
    ARRAY_SHOWN_MAX = 16,        /* longer arrays are summarised ... */
    ARRAY_FIRST = 4,             /* ... by their length and first elements */
    STRING_SHOWN_MAX = 1 << 20,  /* bytes of a string in JSON; a chat template has 10 KB */
    COLUMNS = 80,
};

struct type_sum {
    uint64_t n_tensors, n_values, n_bytes;
};

/* What both outputs tell. */
struct summary {
    struct gguf_str arch, name, vocab_model, vocab_pre;
    uint64_t n_values, n_tensor_bytes, n_tokens;
    bool has_chat;
    struct type_sum types[DTYPE_ID_MAX + 1];
};

static bool get_arch_int(const struct gguf *g, const struct summary *s, const char *tail, int64_t *out)
{
    char key[160];
    const int n = snprintf(key, sizeof(key), "%.*s.%s", s->arch.len < 100 ? (int)s->arch.len : 100, s->arch.len ? s->arch.data : "", tail);
    return n > 0 && n < (int)sizeof(key) && gguf_get_i64(g, key, out);
}

static void summarise(const struct gguf *g, struct summary *s)
{
    struct gguf_str chat;
    *s = (struct summary){ 0 };
    gguf_get_str(g, "general.architecture", &s->arch);
    gguf_get_str(g, "general.name", &s->name);
    gguf_get_str(g, "tokenizer.ggml.model", &s->vocab_model);
    gguf_get_str(g, "tokenizer.ggml.pre", &s->vocab_pre);
    s->has_chat = gguf_get_str(g, "tokenizer.chat_template", &chat);
    const struct gguf_kv *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    s->n_tokens = tokens && tokens->type == GGUF_ARRAY ? tokens->n : 0;
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        const uint64_t n = t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3]; /* gguf.h: fits */
        struct type_sum *sum = &s->types[t->type];
        sum->n_tensors++, sum->n_values += n, sum->n_bytes += t->n_bytes;
        s->n_values += n, s->n_tensor_bytes += t->n_bytes;
    }
}

/* ---- for people ---- */

/* At most `columns` characters, controls replaced. */
static void print_text(struct gguf_str s, int columns)
{
    uint32_t cp;
    for (size_t i = 0, len; i < s.len && columns > 0; i += len, columns--) {
        len = utf8_decode(s.data + i, s.len - i, &cp);
        if (len == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
            putchar('?'), len = len ? len : 1;
        else
            fwrite(s.data + i, 1, len, stdout);
    }
}

static void format_bytes(char out[static 24], uint64_t n)
{
    static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
    double v = (double)n;
    int u = 0;
    for (; v >= 999.95 && u < 4; u++)
        v /= 1000.0;
    snprintf(out, 24, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

static void format_count(char out[static 24], uint64_t n)
{
    if (n < 10000)
        snprintf(out, 24, "%" PRIu64, n);
    else if (n < 1000000)
        snprintf(out, 24, "%.1f thousand", (double)n / 1e3);
    else if (n < 1000000000)
        snprintf(out, 24, "%.1f million", (double)n / 1e6);
    else
        snprintf(out, 24, "%.2f billion", (double)n / 1e9);
}

static void print_label(const char *label) { printf("%-14s", label); }

static void print_arch_ints(const struct gguf *g, const struct summary *s)
{
    int64_t v, kv;
    if (get_arch_int(g, s, "context_length", &v))
        print_label("context"), printf("%" PRId64 " tokens\n", v);
    if (get_arch_int(g, s, "block_count", &v)) {
        print_label("layers");
        printf("%" PRId64, v);
        if (get_arch_int(g, s, "embedding_length", &v))
            printf(", hidden size %" PRId64, v);
        if (get_arch_int(g, s, "feed_forward_length", &v))
            printf(", feed-forward %" PRId64, v);
        printf("\n");
    }
    if (get_arch_int(g, s, "attention.head_count", &v)) {
        print_label("heads");
        printf("%" PRId64, v);
        if (get_arch_int(g, s, "attention.head_count_kv", &kv) && kv != v)
            printf(", %" PRId64 " of keys and values", kv);
        printf("\n");
    }
    if (get_arch_int(g, s, "expert_count", &v) && v > 0) {
        print_label("experts");
        printf("%" PRId64, v);
        if (get_arch_int(g, s, "expert_used_count", &kv))
            printf(", %" PRId64 " used for each token", kv);
        printf("\n");
    }
}

static void print_types(const struct summary *s)
{
    const char *label = "weights";
    char bytes[24];
    /* The largest first; 35 types at most, so the simplest sort will do. */
    bool told[DTYPE_ID_MAX + 1] = { false };
    for (;;) {
        int best = -1;
        for (int i = 0; i <= DTYPE_ID_MAX; i++)
            if (!told[i] && s->types[i].n_tensors && (best < 0 || s->types[i].n_bytes > s->types[best].n_bytes))
                best = i;
        if (best < 0)
            return;
        told[best] = true;
        format_bytes(bytes, s->types[best].n_bytes);
        print_label(label);
        printf("%-8s %5" PRIu64 " tensors %12s %6.1f %%\n", dtype_info((uint32_t)best)->name, s->types[best].n_tensors, bytes,
               100.0 * (double)s->types[best].n_bytes / (double)s->n_tensor_bytes);
        label = "";
    }
}

static void print_tensors(const struct gguf *g)
{
    char bytes[24], shape[96];
    printf("\n%-38s %-8s %-20s %11s\n", "tensor", "type", "shape", "size");
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        int n = 0;
        for (int d = 0; d < t->n_dims; d++)
            n += snprintf(shape + n, sizeof(shape) - (size_t)n, d ? " x %" PRIu64 : "%" PRIu64, t->ne[d]); /* 4 x 22 fit */
        format_bytes(bytes, t->n_bytes);
        printf("%-38s %-8s %-20s %11s\n", t->name, dtype_info(t->type)->name, shape, bytes);
    }
}

static void show(const struct gguf *g, const struct summary *s, bool tensors)
{
    const struct gguf_str unknown = { "unknown", 7 };
    struct gguf_str license;
    char text[24];
    print_label("file"), printf("%s\n", gguf_path(g));
    format_bytes(text, gguf_file_bytes(g));
    print_label("size"), printf("%s", text);
    if (gguf_n_parts(g) > 1)
        printf(" in %d parts", gguf_n_parts(g));
    printf(", GGUF version %" PRIu32 "\n", gguf_version(g));
    print_label("architecture"), print_text(s->arch.len ? s->arch : unknown, COLUMNS - 14), printf("\n");
    if (s->name.len)
        print_label("name"), print_text(s->name, COLUMNS - 14), printf("\n");
    if (gguf_get_str(g, "general.license", &license))
        print_label("licence"), print_text(license, COLUMNS - 14), printf("\n");
    format_count(text, s->n_values);
    print_label("parameters");
    if (gguf_n_tensors(g) > 0)
        printf("%s in %zu tensors\n", text, gguf_n_tensors(g));
    else
        printf("none: the file holds no weights\n");
    print_types(s);
    print_arch_ints(g, s);
    if (s->n_tokens > 0) {
        print_label("vocabulary");
        printf("%" PRIu64 " tokens, ", s->n_tokens);
        print_text(s->vocab_model.len ? s->vocab_model : unknown, 24);
        if (s->vocab_pre.len)
            printf(" ("), print_text(s->vocab_pre, 24), printf(")");
        printf("\n");
    }
    print_label("chat template"), printf("%s\n", s->has_chat ? "yes" : "no");
    if (tensors)
        print_tensors(g);
}

/* ---- JSON ---- */

static void put_str(struct buf *b, struct gguf_str s)
{
    if (!s.data)
        buf_puts(b, "null");
    else if (s.len > STRING_SHOWN_MAX)
        buf_printf(b, "{\"type\":\"string\",\"length\":%zu}", s.len);
    else
        buf_put_json(b, s.data, s.len);
}

/* The shortest digits that give the same number back; JSON has no NaN and no infinity. */
static void put_float(struct buf *b, double v, bool is_f32)
{
    char text[40];
    if (!isfinite(v)) {
        buf_puts(b, "null");
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (is_f32 ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v)
            break;
    }
    buf_puts(b, text);
}

static void put_element(struct buf *b, const struct gguf_kv *kv, uint64_t i, size_t *cursor)
{
    switch (kv->elem_type) {
    case GGUF_STRING: put_str(b, gguf_kv_next_str(kv, cursor)); break;
    case GGUF_F32:
    case GGUF_F64: put_float(b, gguf_kv_float(kv, i), kv->elem_type == GGUF_F32); break;
    case GGUF_BOOL: buf_puts(b, gguf_kv_int(kv, i) ? "true" : "false"); break;
    case GGUF_U64: buf_printf(b, "%" PRIu64, gguf_kv_uint(kv, i)); break;
    default: buf_printf(b, "%" PRId64, gguf_kv_int(kv, i)); break;
    }
}

static void put_value(struct buf *b, const struct gguf_kv *kv)
{
    size_t cursor = 0;
    if (kv->type != GGUF_ARRAY) {
        put_element(b, kv, 0, &cursor);
        return;
    }
    const bool is_long = kv->n > ARRAY_SHOWN_MAX || kv->elem_type == GGUF_ARRAY;
    const uint64_t n = kv->elem_type == GGUF_ARRAY ? 0 : is_long ? (kv->n < ARRAY_FIRST ? kv->n : ARRAY_FIRST) : kv->n;
    if (is_long)
        buf_printf(b, "{\"type\":\"array\",\"elements\":\"%s\",\"length\":%" PRIu64 ",\"first\":", gguf_type_name(kv->elem_type), kv->n);
    buf_putc(b, '[');
    for (uint64_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(b, ',');
        put_element(b, kv, i, &cursor);
    }
    buf_puts(b, is_long ? "]}" : "]");
}

static void put_arch_int(struct buf *b, const struct gguf *g, const struct summary *s, const char *name, const char *tail)
{
    int64_t v;
    if (get_arch_int(g, s, tail, &v))
        buf_printf(b, ",\"%s\":%" PRId64, name, v);
    else
        buf_printf(b, ",\"%s\":null", name);
}

static void put_tensor(struct buf *b, const struct gguf_tensor *t)
{
    buf_puts(b, "{\"name\":");
    buf_put_json_text(b, t->name);
    buf_printf(b, ",\"type\":\"%s\",\"shape\":[", dtype_info(t->type)->name);
    for (int d = 0; d < t->n_dims; d++)
        buf_printf(b, d ? ",%" PRIu64 : "%" PRIu64, t->ne[d]);
    buf_printf(b, "],\"bytes\":%zu,\"part\":%d}", t->n_bytes, t->part + 1);
}

/* Prints what was built and forgets it: memory stays small however many tensors there are. */
static bool flush_json(struct buf *b, struct err *err)
{
    if (!buf_ok(b, "model show", err))
        return false;
    fwrite(b->data, 1, b->len, stdout);
    buf_clear(b);
    return true;
}

static bool show_json(const struct gguf *g, const struct summary *s, bool tensors, struct err *err)
{
    struct buf b;
    bool ok = true;
    buf_init(&b, (size_t)STRING_SHOWN_MAX * 6 * (ARRAY_SHOWN_MAX + 1)); /* \u00XX is six bytes for one */
    buf_printf(&b, "{\"version\":%" PRIu32 ",\"architecture\":", gguf_version(g));
    put_str(&b, s->arch);
    buf_puts(&b, ",\"name\":");
    put_str(&b, s->name);
    buf_printf(&b, ",\"file_bytes\":%" PRIu64 ",\"parts\":%d,\"parameters\":%" PRIu64 ",\"tensor_count\":%zu,\"tensor_bytes\":%" PRIu64,
               gguf_file_bytes(g), gguf_n_parts(g), s->n_values, gguf_n_tensors(g), s->n_tensor_bytes);
    buf_puts(&b, ",\"types\":{");
    for (int i = 0, n = 0; i <= DTYPE_ID_MAX; i++)
        if (s->types[i].n_tensors)
            buf_printf(&b, "%s\"%s\":{\"tensors\":%" PRIu64 ",\"parameters\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", n++ ? "," : "",
                       dtype_info((uint32_t)i)->name, s->types[i].n_tensors, s->types[i].n_values, s->types[i].n_bytes);
    buf_putc(&b, '}');
    put_arch_int(&b, g, s, "context_length", "context_length");
    put_arch_int(&b, g, s, "layers", "block_count");
    put_arch_int(&b, g, s, "embedding_length", "embedding_length");
    buf_puts(&b, ",\"vocabulary\":{\"model\":");
    put_str(&b, s->vocab_model);
    buf_puts(&b, ",\"pre\":");
    put_str(&b, s->vocab_pre);
    buf_printf(&b, ",\"tokens\":%" PRIu64 "},\"chat_template\":%s,\"metadata\":{", s->n_tokens, s->has_chat ? "true" : "false");
    for (size_t i = 0; ok && i < gguf_n_kv(g); i++) {
        const struct gguf_kv *kv = gguf_kv_at(g, i);
        buf_puts(&b, i ? ",\n" : "\n");
        buf_put_json_text(&b, kv->key);
        buf_putc(&b, ':');
        put_value(&b, kv);
        ok = flush_json(&b, err);
    }
    buf_putc(&b, '}');
    if (tensors)
        buf_puts(&b, ",\"tensors\":[");
    for (size_t i = 0; ok && tensors && i < gguf_n_tensors(g); i++) {
        buf_puts(&b, i ? ",\n" : "\n");
        put_tensor(&b, gguf_tensor_at(g, i));
        ok = flush_json(&b, err);
    }
    buf_puts(&b, tensors ? "]}\n" : "}\n");
    ok = ok && flush_json(&b, err);
    buf_fini(&b);
    return ok;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct err err = { 0 };
    struct summary s;
    (void)argc;
    struct gguf *g = gguf_open(argv[0], &err);
    if (!g)
        return cmd_fail(&err);
    summarise(g, &s);
    bool ok = true;
    if (cmd_opt_find(opts, "json")->given)
        ok = show_json(g, &s, cmd_opt_find(opts, "tensors")->given, &err);
    else
        show(g, &s, cmd_opt_find(opts, "tensors")->given);
    gguf_close(g);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "json", .kind = OPT_FLAG, .help = "print one JSON object" },
    { .name = "tensors", .kind = OPT_FLAG, .help = "list the tensors too" },
    { 0 },
};
const struct cmd cmd_model_show = {
    .name = "model show",
    .args = "FILE",
    .min_args = 1,
    .max_args = 1,
    .help = "print what is in a GGUF model file",
    .more = "\nFILE is a GGUF file of version 2 or 3; of a split model, the first part.\n"
            "\nThe JSON object (what is absent is null):\n"
            "  version           GGUF version\n"
            "  architecture      general.architecture\n"
            "  name              general.name\n"
            "  file_bytes, parts of all files together, and their number\n"
            "  parameters        values in all tensors\n"
            "  tensor_count, tensor_bytes\n"
            "  types             for each number format {tensors, parameters, bytes}\n"
            "  context_length, layers, embedding_length\n"
            "  vocabulary        {model, pre, tokens}\n"
            "  chat_template     true or false\n"
            "  metadata          all keys of the file; an array of more than 16 elements is\n"
            "                    {type: \"array\", elements, length, first: [4 of them]}, a\n"
            "                    string of more than 1 MiB {type: \"string\", length}, a\n"
            "                    number that is not finite null\n"
            "  tensors           with --tensors: [{name, type, shape, bytes, part}], shape\n"
            "                    fastest dimension first as in the file\n",
    .opts = opts,
    .run = run,
};
