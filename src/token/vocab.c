/* token/vocab.c - reads the vocabulary that a GGUF file holds; start reading at vocab_open().
 *
 * What the keys leave unsaid is as llama.cpp b10573 has it (src/llama-vocab.cpp, load): default ids, which
 * spellings end a generation, which names imply BOS.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "token/token_internal.h"

/* ORDER VOCAB_ROLE: the key of each, and an older one. */
static const char *const role_keys[VOCAB_ROLE_COUNT][2] = {
    [VOCAB_BOS] = { "tokenizer.ggml.bos_token_id", NULL },
    [VOCAB_EOS] = { "tokenizer.ggml.eos_token_id", NULL },
    [VOCAB_EOT] = { "tokenizer.ggml.eot_token_id", NULL },
    [VOCAB_EOM] = { "tokenizer.ggml.eom_token_id", NULL },
    [VOCAB_UNK] = { "tokenizer.ggml.unknown_token_id", NULL },
    [VOCAB_SEP] = { "tokenizer.ggml.seperator_token_id", NULL }, /* spelled so in the specification */
    [VOCAB_PAD] = { "tokenizer.ggml.padding_token_id", NULL },
    [VOCAB_MASK] = { "tokenizer.ggml.mask_token_id", NULL },
    [VOCAB_NEWLINE] = { NULL, NULL },
    [VOCAB_FIM_PRE] = { "tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id" },
    [VOCAB_FIM_SUF] = { "tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id" },
    [VOCAB_FIM_MID] = { "tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id" },
    [VOCAB_FIM_PAD] = { "tokenizer.ggml.fim_pad_token_id", NULL },
    [VOCAB_FIM_REP] = { "tokenizer.ggml.fim_rep_token_id", NULL },
    [VOCAB_FIM_SEP] = { "tokenizer.ggml.fim_sep_token_id", NULL },
};

/* Spellings by which a role is known when the file does not say; the first that exists has it. */
static const struct spelling {
    enum vocab_role role;
    const char *text;
} spellings[] = {
    { VOCAB_EOT, "<|eot_id|>" },      { VOCAB_EOT, "<|im_end|>" },       { VOCAB_EOT, "<|end|>" },
    { VOCAB_EOT, "<end_of_turn>" },   { VOCAB_EOT, "<|endoftext|>" },    { VOCAB_EOT, "<|end_of_text|>" },
    { VOCAB_EOT, "<EOT>" },           { VOCAB_EOT, "_<EOT>" },           { VOCAB_EOT, "[EOT]" },
    { VOCAB_EOT, "<｜end▁of▁sentence｜>" }, { VOCAB_EOT, "<end_of_utterance>" }, { VOCAB_EOM, "<|eom_id|>" },
    { VOCAB_FIM_PRE, "<|fim_prefix|>" },    { VOCAB_FIM_PRE, "<fim-prefix>" },   { VOCAB_FIM_PRE, "<fim_prefix>" },
    { VOCAB_FIM_PRE, "<｜fim▁begin｜>" },   { VOCAB_FIM_PRE, "<PRE>" },          { VOCAB_FIM_PRE, "▁<PRE>" },
    { VOCAB_FIM_PRE, "<|code_prefix|>" },   { VOCAB_FIM_PRE, "<|prefix|>" },
    { VOCAB_FIM_SUF, "<|fim_suffix|>" },    { VOCAB_FIM_SUF, "<fim-suffix>" },   { VOCAB_FIM_SUF, "<fim_suffix>" },
    { VOCAB_FIM_SUF, "<｜fim▁hole｜>" },    { VOCAB_FIM_SUF, "<SUF>" },          { VOCAB_FIM_SUF, "▁<SUF>" },
    { VOCAB_FIM_SUF, "<|code_suffix|>" },   { VOCAB_FIM_SUF, "<|suffix|>" },
    { VOCAB_FIM_MID, "<|fim_middle|>" },    { VOCAB_FIM_MID, "<fim-middle>" },   { VOCAB_FIM_MID, "<fim_middle>" },
    { VOCAB_FIM_MID, "<｜fim▁end｜>" },     { VOCAB_FIM_MID, "<MID>" },          { VOCAB_FIM_MID, "▁<MID>" },
    { VOCAB_FIM_MID, "<|code_middle|>" },   { VOCAB_FIM_MID, "<|middle|>" },
    { VOCAB_FIM_PAD, "<|fim_pad|>" },       { VOCAB_FIM_PAD, "<fim-pad>" },      { VOCAB_FIM_PAD, "<fim_pad>" },
    { VOCAB_FIM_PAD, "<PAD>" },             { VOCAB_FIM_PAD, "[PAD]" },
    { VOCAB_FIM_REP, "<|fim_repo|>" },      { VOCAB_FIM_REP, "<|repo_name|>" },  { VOCAB_FIM_REP, "<fim-repo>" },
    { VOCAB_FIM_REP, "<REPO>" },            { VOCAB_FIM_REP, "<reponame>" },     { VOCAB_FIM_SEP, "<|file_sep|>" },
};

/* These end a generation in whatever vocabulary they are. */
static const char *const endings[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
    "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
    "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
};

/* gpt-oss: part of every answer, so not to be hidden. */
static const char *const visible[] = { "<|channel|>", "<|message|>", "<|start|>", "<|constrain|>" };

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* ---- ask ---- */

enum vocab_kind vocab_kind(const struct vocab *v) { return v->kind; }
const char *vocab_kind_name(const struct vocab *v)
{
    static const char *const names[VOCAB_KIND_COUNT] = { "llama", "gpt2", "bert", "t5" };
    return names[v->kind];
}
const char *vocab_pre_name(const struct vocab *v) { return v->pre_name; }
int32_t vocab_size(const struct vocab *v) { return (int32_t)v->tokens.n; }
int32_t vocab_role(const struct vocab *v, enum vocab_role role) { return role < VOCAB_ROLE_COUNT ? v->role[role] : TOKEN_NONE; }
static bool is_token(const struct vocab *v, int32_t id) { return id >= 0 && id < vocab_size(v); }
bool vocab_is_eog(const struct vocab *v, int32_t id) { return is_token(v, id) && has_attr(v, id, ATTR_EOG); }
bool vocab_is_control(const struct vocab *v, int32_t id) { return is_token(v, id) && has_attr(v, id, ATTR_CONTROL | ATTR_UNKNOWN); }
bool vocab_adds_bos(const struct vocab *v) { return v->add_bos; }
bool vocab_adds_eos(const struct vocab *v) { return v->add_eos; }

struct gguf_str vocab_text(const struct vocab *v, int32_t id)
{
    return is_token(v, id) ? strings_at(&v->tokens, (uint32_t)id) : (struct gguf_str){ "", 0 };
}

int32_t vocab_find(const struct vocab *v, const char *text, size_t n)
{
    return strings_find(&v->tokens, hasher_hash(&v->hasher, text, n), text, n);
}

float vocab_score(const struct vocab *v, int32_t id)
{
    const float score = v->scores ? (float)gguf_kv_float(v->scores, (uint64_t)id) : 0.0f;
    return isnan(score) ? -HUGE_VALF : score;
}

/* ---- open ---- */

static int32_t find_text(const struct vocab *v, const char *text) { return vocab_find(v, text, strlen(text)); }

static bool str_is(struct gguf_str s, const char *text) { return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0; }

static bool open_kind(struct vocab *v, const struct gguf *g, struct err *err)
{
    struct gguf_str model;
    if (!gguf_get_str(g, "tokenizer.ggml.model", &model))
        return err_set(err, ERR_INPUT, "key 'tokenizer.ggml.model' is missing");
    if (str_is(model, "llama"))
        v->kind = VOCAB_SPM;
    else if (str_is(model, "gpt2") || str_is(model, "gemma4"))
        v->kind = VOCAB_BPE;
    else if (str_is(model, "bert"))
        v->kind = VOCAB_WPM;
    else if (str_is(model, "t5"))
        v->kind = VOCAB_UGM;
    else
        return err_set(err, ERR_UNSUPPORTED, "tokenizer '%.*s' is unknown", model.len < 40 ? (int)model.len : 40, model.data);
    if (v->kind != VOCAB_BPE)
        return true;
    struct gguf_str pre;
    if (str_is(model, "gemma4"))
        pre = (struct gguf_str){ "gemma4", 6 };
    else if (!gguf_get_str(g, "tokenizer.ggml.pre", &pre) || pre.len == 0) {
        log_warn("the file does not name its pre-tokenizer (tokenizer.ggml.pre): words may be cut wrongly");
        pre = (struct gguf_str){ "default", 7 };
    }
    v->pretok = pretok_new(pre.data, pre.len, err);
    if (v->pretok)
        memcpy(v->pre_name, pre.data, pre.len < sizeof(v->pre_name) ? pre.len : sizeof(v->pre_name) - 1);
    return v->pretok;
}

/* An array with a number for each token; false with err when it is there and wrong. */
static bool find_numbers(const struct vocab *v, const struct gguf *g, const char *key, const struct gguf_kv **kv, struct err *err)
{
    *kv = gguf_find(g, key);
    if (*kv && ((*kv)->type != GGUF_ARRAY || (*kv)->elem_type == GGUF_STRING || (*kv)->elem_type == GGUF_ARRAY))
        return err_set(err, ERR_INPUT, "key '%s' is no array of numbers", key);
    if (*kv && (*kv)->n < v->tokens.n)
        return err_set(err, ERR_INPUT, "key '%s' has %llu numbers for %u tokens", key, (unsigned long long)(*kv)->n, v->tokens.n);
    return true;
}

static bool open_tokens(struct vocab *v, const struct gguf *g, struct err *err)
{
    static const uint8_t attr_of_type[] = { 0, ATTR_NORMAL, ATTR_UNKNOWN, ATTR_CONTROL, ATTR_USER_DEFINED, ATTR_UNUSED, ATTR_BYTE };
    const struct gguf_kv *tokens = gguf_find(g, "tokenizer.ggml.tokens"), *merges = gguf_find(g, "tokenizer.ggml.merges"), *types;
    if (!tokens)
        return err_set(err, ERR_INPUT, "key 'tokenizer.ggml.tokens' is missing");
    if (!strings_open(&v->tokens, &v->hasher, tokens, STRINGS_KEEP_LAST, err))
        return false;
    if (v->kind == VOCAB_BPE && !merges)
        return err_set(err, ERR_INPUT, "key 'tokenizer.ggml.merges' is missing");
    if (v->kind == VOCAB_BPE && !strings_open(&v->merges, &v->hasher, merges, STRINGS_KEEP_FIRST, err))
        return false;
    if (!find_numbers(v, g, "tokenizer.ggml.scores", &v->scores, err) ||
        !find_numbers(v, g, "tokenizer.ggml.token_type", &types, err))
        return false;
    v->attr = malloc(v->tokens.n ? v->tokens.n : 1);
    if (!v->attr)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < v->tokens.n; i++) {
        const int64_t type = types ? gguf_kv_int(types, i) : 1;
        v->attr[i] = type >= 0 && type < (int64_t)N(attr_of_type) ? attr_of_type[type] : 0;
    }
    return true;
}

static void set_defaults(struct vocab *v)
{
    const unsigned flags = v->pretok ? pretok_flags(v->pretok) : 0;
    for (int i = 0; i < VOCAB_ROLE_COUNT; i++)
        v->role[i] = TOKEN_NONE;
    v->strips_left = TOKEN_NONE;
    switch (v->kind) {
    case VOCAB_SPM:
        v->role[VOCAB_BOS] = 1, v->role[VOCAB_EOS] = 2, v->role[VOCAB_UNK] = 0;
        v->add_bos = v->space_prefix = true;
        break;
    case VOCAB_BPE: v->add_bos = flags & PRETOK_ADD_BOS; break;
    case VOCAB_WPM:
        v->role[VOCAB_BOS] = 101, v->role[VOCAB_UNK] = 100, v->role[VOCAB_SEP] = 102;
        v->role[VOCAB_PAD] = 0, v->role[VOCAB_MASK] = 103;
        v->lowercase = true;
        break;
    case VOCAB_UGM:
        v->role[VOCAB_EOS] = 1, v->role[VOCAB_UNK] = 2, v->role[VOCAB_PAD] = 0;
        v->add_eos = true;
        break;
    case VOCAB_KIND_COUNT: break;
    }
}

static void read_settings(struct vocab *v, const struct gguf *g)
{
    for (int i = 0; i < VOCAB_ROLE_COUNT; i++) {
        if (!is_token(v, v->role[i]))
            v->role[i] = TOKEN_NONE;
        for (int k = 1; k >= 0; k--) { /* the older key first, so that the newer wins */
            uint32_t id;
            if (role_keys[i][k] && gguf_get_u32(g, role_keys[i][k], &id) && id < v->tokens.n)
                v->role[i] = (int32_t)id;
        }
    }
    gguf_get_bool(g, "tokenizer.ggml.add_bos_token", &v->add_bos);
    gguf_get_bool(g, "tokenizer.ggml.add_eos_token", &v->add_eos);
    if (v->kind == VOCAB_WPM) /* CLS and SEP are not a matter of choice */
        v->add_bos = v->add_eos = true;
    if (v->pretok && pretok_flags(v->pretok) & PRETOK_WHOLE_LINE_FEEDS)
        v->add_bos = true; /* some gemma4 files say otherwise by mistake */
    if (v->kind == VOCAB_SPM || v->kind == VOCAB_UGM)
        gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", &v->space_prefix);
    gguf_get_bool(g, "tokenizer.ggml.remove_extra_whitespaces", &v->merge_spaces);
    gguf_get_bool(g, "tokenizer.ggml.normalizer.lowercase", &v->lowercase);
    v->strip_accents = v->lowercase;
    gguf_get_bool(g, "tokenizer.ggml.normalizer.strip_accents", &v->strip_accents);
}

/* "<0x0A>" or the byte itself; for GPT-2's alphabet the character that stands for it. */
static void find_bytes(struct vocab *v)
{
    const bool alphabet = v->kind == VOCAB_BPE && !(pretok_flags(v->pretok) & PRETOK_RAW);
    for (unsigned b = 0; b < 256; b++) {
        char text[8];
        if (alphabet) {
            v->byte_token[b] = vocab_find(v, text, alphabet_put((unsigned char)b, text));
            continue;
        }
        static const char hex[] = "0123456789ABCDEF";
        memcpy(text, (char[]){ '<', '0', 'x', hex[b >> 4], hex[b & 15], '>' }, 6);
        v->byte_token[b] = vocab_find(v, text, 6);
        if (v->byte_token[b] == TOKEN_NONE && v->kind == VOCAB_SPM)
            v->byte_token[b] = vocab_find(v, &(char){ (char)b }, 1);
    }
    v->role[VOCAB_NEWLINE] = v->byte_token['\n'] != TOKEN_NONE ? v->byte_token['\n'] : v->role[VOCAB_PAD];
}

static void set_attr(struct vocab *v, int32_t id, unsigned on, unsigned off)
{
    if (is_token(v, id))
        v->attr[id] = (uint8_t)((v->attr[id] & ~off) | on);
}

static bool is_ending(const struct vocab *v, const char *text) { return vocab_is_eog(v, find_text(v, text)); }

static void find_roles(struct vocab *v)
{
    static const enum vocab_role ending_roles[] = { VOCAB_EOS, VOCAB_EOT, VOCAB_EOM, VOCAB_FIM_PAD, VOCAB_FIM_REP, VOCAB_FIM_SEP };
    for (size_t i = 0; i < N(spellings); i++) {
        if (v->role[spellings[i].role] != TOKEN_NONE)
            continue;
        v->role[spellings[i].role] = find_text(v, spellings[i].text);
        set_attr(v, v->role[spellings[i].role], ATTR_CONTROL, 0);
    }
    for (size_t i = 0; i < N(endings); i++)
        set_attr(v, find_text(v, endings[i]), ATTR_CONTROL | ATTR_EOG, 0);
    for (size_t i = 0; i < N(visible); i++)
        set_attr(v, find_text(v, visible[i]), ATTR_USER_DEFINED, 0xff & ~ATTR_EOG);
    for (size_t i = 0; i < N(ending_roles); i++)
        set_attr(v, v->role[ending_roles[i]], ATTR_EOG, 0);
    /* Where <|return|> and <|call|> end an answer (gpt-oss, solar-open), <|end|> only ends a part of it. */
    if (is_ending(v, "<|end|>") && (is_ending(v, "<|call|>") || is_ending(v, "<|calls|>")) &&
        (is_ending(v, "<|return|>") || is_ending(v, "<|flush|>")))
        set_attr(v, find_text(v, "<|end|>"), ATTR_USER_DEFINED, 0xff);
    if (is_ending(v, "<|tool_response>") && is_ending(v, "</s>")) /* gemma4: </s> is a tag of HTML */
        set_attr(v, find_text(v, "</s>"), ATTR_NORMAL, 0xff);
}

static bool contains(struct gguf_str s, const char *part)
{
    const size_t n = strlen(part);
    for (size_t i = 0; i + n <= s.len && i < 4096; i++) {
        size_t k = 0;
        while (k < n && tolower((unsigned char)s.data[i + k]) == part[k])
            k++;
        if (k == n)
            return true;
    }
    return false;
}

/* What some models do to the white space around special tokens; the file tells it by its name only. */
static void find_strips(struct vocab *v, const struct gguf *g)
{
    struct gguf_str name = { "", 0 }, pre = { "", 0 }, arch = { "", 0 };
    gguf_get_str(g, "general.name", &name);
    gguf_get_str(g, "tokenizer.ggml.pre", &pre);
    gguf_get_str(g, "general.architecture", &arch);
    if (contains(pre, "jina-v2-de") || contains(pre, "jina-v2-es") || contains(pre, "jina-v2-code") ||
        contains(arch, "nomic-bert-moe") || contains(arch, "jina-bert-v3"))
        v->strips_left = find_text(v, "<mask>");
    else if (contains(name, "phi-3") || contains(name, "phi3")) {
        static const char *const but_not[] = { "<unk>", "<s>", "<|endoftext|>" };
        for (int32_t id = 0; id < vocab_size(v); id++)
            if (has_attr(v, id, ATTR_SPECIAL))
                set_attr(v, id, ATTR_STRIPS_RIGHT, 0);
        set_attr(v, find_text(v, "</s>"), ATTR_STRIPS_RIGHT, 0);
        for (size_t i = 0; i < N(but_not); i++)
            set_attr(v, find_text(v, but_not[i]), 0, ATTR_STRIPS_RIGHT);
    } else if (contains(name, "modern-bert"))
        v->strips_left = find_text(v, "[MASK]");
}

/* May words be merged one by one?  Yes, when no token has U+2581 behind something else. */
static bool has_closed_words(const struct vocab *v)
{
    for (uint32_t i = 0; i < v->tokens.n; i++) {
        const struct gguf_str s = strings_at(&v->tokens, i);
        size_t k = 0;
        while (k + 3 <= s.len && memcmp(s.data + k, "\xe2\x96\x81", 3) == 0)
            k += 3;
        for (k++; k + 3 <= s.len; k++)
            if (memcmp(s.data + k, "\xe2\x96\x81", 3) == 0)
                return false;
    }
    return true;
}

struct vocab *vocab_open(const struct gguf *g, struct err *err)
{
    struct vocab *v = calloc(1, sizeof(*v));
    if (!v)
        return err_null(err, ERR_NOMEM, "vocabulary: out of memory");
    hasher_init(&v->hasher, clock_ns() ^ (uint64_t)(uintptr_t)v << 20);
    bool ok = open_kind(v, g, err) && open_tokens(v, g, err);
    if (ok) {
        set_defaults(v);
        read_settings(v, g);
        find_bytes(v);
        find_roles(v);
        find_strips(v, g);
        v->chunks = v->kind == VOCAB_SPM && has_closed_words(v);
    }
    ok = ok && (v->kind != VOCAB_UGM || ugm_open(v, g, err)) &&
         special_open(&v->special, v, ATTR_SPECIAL, 0, err) &&
         special_open(&v->user_defined, v, ATTR_USER_DEFINED, ATTR_CONTROL | ATTR_UNKNOWN, err);
    if (ok)
        return v;
    vocab_free(v);
    err_prefix(err, "vocabulary");
    return NULL;
}

void vocab_free(struct vocab *v)
{
    if (!v)
        return;
    special_close(&v->special), special_close(&v->user_defined);
    strings_close(&v->tokens), strings_close(&v->merges);
    pretok_free(v->pretok);
    free(v->attr), free(v->prefix), free(v);
}
