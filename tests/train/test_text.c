/* tests/train/test_text.c - the trainer's vocabulary, its rows of documents, its GGUF file, its copy check. */
#include "../../tools/train/bpe.c"
#include "../../tools/train/export.c"
#include "../../tools/train/overlap.c"
#define is_letter data_is_letter /* a static of the same name */
#include "../../tools/train/data.c"
#undef is_letter
#include "../../tools/train/gemm.c"
#include "../../tools/train/model.c"

#include "test.h"
#include "token/token.h"

static const char story[] = "One day, a fox was in the woods. He found a needle. \"It's a needle,\" said the fox named Rex. He didn't "
                            "need the needle, so he gave it to a little girl named Lily.\nLily was happy. The end.\n";

TEST(words_are_cut_as_gpt2_cuts_them)
{
    static const struct { const char *text; size_t first; const char *why; } cases[] = {
        { "Hello world", 5, "letters" },       { " world", 6, "a blank belongs to the word behind it" },
        { "  world", 1, "the last blank of two goes with the word" },
        { "\nThe", 1, "a newline stands alone" }, { "\n\nThe", 1, "of two newlines the last stands alone" },
        { "   ", 3, "blanks at the end" },     { "'s house", 2, "a contraction" },
        { "'ll go", 3, "a longer one" },       { "'x", 1, "a quote that is none" },
        { "12 cats", 2, "digits" },            { " 12a", 3, "digits end at letters" },
        { "!?\"a", 3, "signs" },               { " \"a", 2, "a sign behind a blank" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK(bpe_word(cases[i].text, strlen(cases[i].text)) == cases[i].first, "%s: %zu", cases[i].why,
              bpe_word(cases[i].text, strlen(cases[i].text)));
}

static struct bpe *learn(int n_vocab)
{
    struct err err;
    struct bpe_counter *c = bpe_counter_new(&err);
    if (!c || !bpe_counter_add(c, story, sizeof(story) - 1, 2, &err))
        abort();
    struct bpe *b = bpe_learn(c, n_vocab, &err);
    bpe_counter_free(c);
    if (!b)
        abort();
    return b;
}

TEST(tokens_give_the_text_back)
{
    struct bpe *b = learn(320);
    CHECK(bpe_n_vocab(b) == 320, "%d", bpe_n_vocab(b));
    uint16_t id[512];
    const char text[] = "A needle!  \xc3\xa9 needle needles\n";
    const size_t n = bpe_encode(b, text, sizeof(text) - 1, id, 512);
    char back[512];
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k;
        const char *s = bpe_bytes(b, id[i], &k);
        memcpy(back + len, s, k);
        len += k;
    }
    CHECK(n < sizeof(text) - 1, "%zu tokens: nothing was merged", n);
    CHECK(len == sizeof(text) - 1 && !memcmp(back, text, len), "%.*s", (int)len, back);
    CHECK(bpe_encode(b, text, sizeof(text) - 1, id, 512) == n, "the cache tells something else");
    bpe_free(b);
}

TEST(a_saved_vocabulary_is_the_same_and_a_broken_one_is_refused)
{
    struct err err;
    struct bpe *b = learn(300);
    const char *path = test_tmp("tokenizer.txt");
    REQUIRE(bpe_save(b, path, &err), "%s", err.text);
    struct bpe *c = bpe_load(path, &err);
    REQUIRE(c, "%s", err.text);
    uint16_t x[512], y[512];
    const size_t n = bpe_encode(b, story, sizeof(story) - 1, x, 512);
    CHECK(bpe_encode(c, story, sizeof(story) - 1, y, 512) == n && !memcmp(x, y, n * sizeof(*x)));
    bpe_free(b);
    bpe_free(c);
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    fputs("tutti bpe 1\n70 9999\n", f);
    fclose(f);
    CHECK(!bpe_load(path, &err));
}

TEST(topics_are_things_that_come_again_and_names)
{
    struct doc d;
    memset(&d, 0, sizeof(d));
    find_topics(story, sizeof(story) - 1, &d);
    bool needle = false, girl = false, fox = false;
    for (int i = 0; i < TOPICS; i++) {
        needle |= !strcmp(d.topic[i], "a needle");
        fox |= !strcmp(d.topic[i], "a fox");
        girl |= !strcmp(d.topic[i], "a little girl named Lily");
    }
    CHECK(needle && girl && fox, "%s, %s, %s, %s", d.topic[0], d.topic[1], d.topic[2], d.topic[3]);
}

TEST(the_users_words_are_context_and_the_answers_are_learned)
{
    struct bpe *b = learn(300);
    uint16_t token[256];
    uint8_t learn_it[256];
    struct out o = { token, learn_it, 0, 256 };
    const char chat[] = "User: Hi\nBot: Hello!\nHow are you?\nUser: Fine";
    put_turns(&o, b, chat, sizeof(chat) - 1, "User:", "Bot:");
    CHECK(token[0] == TOK_DOC && token[1] == TOK_USER && !learn_it[2]);
    size_t bot = 0, end = 0, n_newlines = 0;
    for (size_t i = 0; i < o.n; i++) {
        if (token[i] == TOK_BOT)
            bot = i;
        if (bot && !end && token[i] == TOK_END)
            end = i;
        n_newlines += token[i] == TOK_BYTE0 + '\n';
    }
    REQUIRE(bot && end > bot);
    for (size_t i = bot + 1; i <= end; i++)
        CHECK(learn_it[i], "token %zu", i);
    CHECK(token[end + 1] == TOK_USER && !learn_it[end + 1] && token[o.n - 1] == TOK_END && !learn_it[o.n - 1]);
    CHECK(n_newlines == 1, "the newline inside an answer stays: %zu", n_newlines);
    bpe_free(b);
}

/* A corpus of the plan's names, small. */
static const char *make_corpus(void)
{
    static char dir[512];
    snprintf(dir, sizeof(dir), "%s", test_tmp("corpus"));
    char command[700];
    snprintf(command, sizeof(command), "mkdir -p '%s'", dir);
    if (system(command))
        abort();
    for (int k = 0; k < n_source_plans; k++) {
        snprintf(command, sizeof(command), "%s/%s-x.txt", dir, source_plans[k].prefix);
        FILE *f = fopen(command, "w");
        if (!f)
            abort();
        for (int i = 0; i < 200; i++)
            switch (source_plans[k].kind) {
            case SOURCE_CHAT: fprintf(f, "User: what is %d?\nBot: It is %d of them.\n<|doc|>\n", i, i); break;
            case SOURCE_DIALOGUE: fprintf(f, "A: do you know %d?\nB: No, only %d.\n<|doc|>\n", i, i + 1); break;
            default: fprintf(f, "%sNumber %d.\n<|doc|>\n", story, i);
            }
        fclose(f);
    }
    return dir;
}

TEST(rows_follow_from_the_seed_and_keep_documents_apart)
{
    enum { CTX = 128, N = 300 };
    struct err err;
    struct corpus *c = corpus_open(make_corpus(), &err);
    REQUIRE(c, "%s", err.text);
    struct bpe *b = corpus_learn_vocab(c, 300, &err);
    REQUIRE(b && corpus_tokenize(c, b, &err), "%s", err.text);
    struct feed *f[2] = { feed_new(c, CTX, 5, &err), feed_new(c, CTX, 5, &err) };
    REQUIRE(f[0] && f[1]);
    size_t n_targets = 0;
    for (int i = 0; i < N; i++) {
        uint16_t token[2][CTX], start[2][CTX];
        int32_t target[2][CTX];
        for (int k = 0; k < 2; k++)
            REQUIRE(feed_row(f[k], (double)i / N, (struct row_buf){ token[k], start[k], target[k] }, &err));
        CHECK(!memcmp(token[0], token[1], sizeof(token[0])) && !memcmp(target[0], target[1], sizeof(target[0])));
        for (int t = 0; t < CTX; t++) {
            CHECK(start[0][t] <= t && (t == 0 || start[0][t] >= start[0][t - 1]));
            if (target[0][t] < 0)
                continue;
            n_targets++;
            if (t + 1 < CTX && start[0][t + 1] == start[0][t])
                CHECK(target[0][t] == token[0][t + 1], "row %d, token %d", i, t);
            CHECK(target[0][t] != TOK_DOC && target[0][t] != TOK_USER && target[0][t] != TOK_BOT);
        }
    }
    CHECK(n_targets > N * CTX / 2, "%zu", n_targets);
    double all = 0.0, share = 0.0, plan = 0.0, plans = 0.0;
    for (int k = 0; k < n_source_plans; k++) {
        double p = 0.0;
        for (int i = 0; i < N; i++)
            p += source_share(&source_plans[k], (double)i / N) / N;
        all += (double)feed_served(f[0], k), plans += p;
        if (source_plans[k].kind == SOURCE_CHAT)
            share = (double)feed_served(f[0], k), plan = p;
    }
    CHECK(fabs(share / all - plan / plans) < 0.02, "chat had %.3f of the tokens, planned %.3f", share / all, plan / plans);
    const uint64_t before = feed_served(f[0], 0);
    uint16_t again_token[CTX], again_start[CTX];
    int32_t again_target[CTX];
    for (int i = 0; i < N; i++)
        REQUIRE(feed_row(f[0], 2.0, (struct row_buf){ again_token, again_start, again_target }, &err));
    double agains = 0.0;
    for (int k = 0; k < n_source_plans; k++)
        agains += source_plans[k].share_again;
    share = (double)(feed_served(f[0], 0) - before) / (N * CTX);
    CHECK(fabs(share - source_plans[0].share_again / agains) < 0.03, "second cycle: stories had %.3f", share);
    uint64_t n, docs, held;
    corpus_count(c, 0, &n, &docs, &held);
    CHECK(docs + held == 200 && held > 0 && held < 20, "%d held out", (int)held);
    uint16_t token[CTX], start[CTX];
    int32_t target[CTX];
    CHECK(corpus_held_row(c, 0, CTX, 0, (struct row_buf){ token, start, target }) && token[0] == TOK_DOC);
    CHECK(!corpus_held_row(c, 0, CTX, (int)held, (struct row_buf){ token, start, target }));
    feed_free(f[0]);
    feed_free(f[1]);
    bpe_free(b);
    corpus_close(c);
}

TEST(a_missing_corpus_file_is_named)
{
    struct err err;
    CHECK(!corpus_open("/nowhere", &err) && strstr(err.text, "/nowhere"), "%s", err.text);
    CHECK(!corpus_open(test_tmp("."), &err) && strstr(err.text, "01-"), "%s", err.text);
}

TEST(the_exported_file_opens_and_holds_what_was_trained)
{
    struct err err;
    const struct shape s = { 320, 64, 2, 4, 2, 16, 64, 16, 10000.0f, 1e-5f };
    struct pool *pool = pool_new(1, &err);
    struct model *m = model_new(&s, pool, 0, 1, &err);
    struct bpe *b = learn(320);
    REQUIRE(m, "%s", err.text);
    model_init_weights(m, 3);
    const char *path = test_tmp("m.gguf");
    REQUIRE(export_gguf(path, m, b, DTYPE_Q8_0, "test", &err), "%s", err.text);
    struct gguf *g = gguf_open(path, &err);
    REQUIRE(g, "%s", err.text);
    uint32_t u = 0;
    CHECK(gguf_get_u32(g, "llama.block_count", &u) && u == 2);
    CHECK(gguf_get_u32(g, "tokenizer.ggml.eos_token_id", &u) && u == TOK_END);
    const struct gguf_kv *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    REQUIRE(tokens && tokens->n == 320);
    size_t cursor = 0;
    struct gguf_str t = { NULL, 0 };
    for (int i = 0; i <= TOK_BYTE0 + ' '; i++)
        t = gguf_kv_next_str(tokens, &cursor);
    CHECK(t.len == 2 && !memcmp(t.data, "\xc4\xa0", 2), "a blank is written as U+0120: %.*s", (int)t.len, t.data);
    struct vocab *vocab = vocab_open(g, &err); /* tutti reads text as the trainer does */
    REQUIRE(vocab, "%s", err.text);
    struct token_list ids;
    token_list_init(&ids, 4096);
    REQUIRE(vocab_tokenize(vocab, story, sizeof(story) - 1, 0, &ids, &err), "%s", err.text);
    uint16_t ours[512];
    CHECK(bpe_encode(b, story, sizeof(story) - 1, ours, 512) == ids.len, "%zu tokens", ids.len);
    for (size_t i = 0; i < ids.len; i++)
        CHECK(ours[i] == ids.ids[i], "token %zu: %d for %d", i, ours[i], (int)ids.ids[i]);
    CHECK(vocab_is_eog(vocab, TOK_END) && vocab_is_control(vocab, TOK_BOT) && vocab_adds_bos(vocab));
    token_list_fini(&ids);
    vocab_free(vocab);
    const struct gguf_tensor *v = gguf_find_tensor(g, "blk.1.attn_v.weight");
    REQUIRE(v && v->type == DTYPE_Q8_0 && v->ne[0] == 64 && v->ne[1] == 32);
    float w[64];
    REQUIRE(dtype_to_f32(w, v->type, v->data, 64));
    const float *want = model_params(m) + model_layout(m)->layer[1].wqkv + (64 + 32) * 64; /* behind q and k */
    for (int i = 0; i < 64; i++)
        CHECK(fabsf(w[i] - want[i]) < 0.01f, "%d: %g for %g", i, w[i], want[i]);
    gguf_close(g);
    bpe_free(b);
    model_free(m);
    pool_free(pool);
}

TEST(the_longest_copied_run_is_found)
{
    struct err err;
    const char sample[] = "Once the old owl\nflew over a very high hill and slept.";
    struct overlap *o = overlap_new(sample, sizeof(sample) - 1, &err);
    REQUIRE(o);
    static const char a[] = "He flew over the hill. The owl flew  over a very small hill.", c[] = "a high hill and slept well";
    overlap_walk(o, a, sizeof(a) - 1);
    overlap_walk(o, c, sizeof(c) - 1);
    size_t n, words;
    const char *run = overlap_longest(o, &n, &words);
    CHECK(words == 5 && n == 20 && !memcmp(run, "owl flew over a very", n), "%zu words: %.*s", words, (int)n, run);
    overlap_free(o);
}
