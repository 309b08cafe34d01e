/* tests/task/test_whisper.c - Whisper-class models: tokens, rules, and whole answers of a random model against double. */
#include <math.h>

#include "task/hear.h"
#include "task/mel.h"
#include "task/tiny_whisper.h"
#include "task/whisper_rules.h"

static void parse(struct whisper_vocab *v)
{
    struct err err = { 0 };
    const char *t = tiny_tokenizer();
    CHECK(whisper_vocab_parse(v, t, strlen(t), NULL, 0, NULL, 0, &err), "%s", err.text);
}

/* ---- tokens ---- */

TEST(a_tokenizer_gives_bytes_special_tokens_and_languages)
{
    struct whisper_vocab v;
    struct buf b;
    parse(&v);
    CHECK(v.n == TW_VOCAB && v.eot == TW_EOT && v.sot == TW_SOT && v.sot_prev == TW_PREV && v.transcribe == TW_TRANSCRIBE && v.translate == TW_TRANSLATE &&
          v.no_speech == TW_NO_SPEECH && v.no_timestamps == TW_NO_TIMES && v.timestamp_0 == TW_T0);
    CHECK(v.is_multilingual && v.n_languages == 2 && whisper_vocab_language(&v, "de") == TW_DE && whisper_vocab_language(&v, "fr") == -1);
    CHECK(strcmp(whisper_vocab_code(&v, TW_EN), "en") == 0 && !whisper_vocab_code(&v, TW_SOT));
    buf_init(&b, 1000);
    static const int ids[] = { 27, 26, 2, 0, 5, 29, 30, 28, TW_EOT, TW_T0 + 3, 9999, -1 };
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        whisper_vocab_put(&v, ids[i], &b);
    CHECK(b.data && strcmp(b.data, " the caf\xc3\xa9.") == 0, "%s", b.data);
    int64_t back[32];
    CHECK(whisper_vocab_encode(&v, b.data, b.len, back, 32) == 8 && back[0] == 27 && back[1] == 26 && back[5] == 29);
    CHECK(whisper_vocab_encode(&v, "a!b", 3, back, 32) == 2 && whisper_vocab_encode(&v, "aaaa", 4, back, 2) == 2);
    CHECK((v.suppress[TW_SOT] & WHISPER_NEVER) && (v.suppress[TW_NO_SPEECH] & WHISPER_NEVER) && !(v.suppress[TW_EOT] & WHISPER_NEVER) &&
          (v.suppress[TW_EOT] & WHISPER_NOT_FIRST) && (v.suppress[26] & WHISPER_NOT_FIRST) && !v.suppress[0] && !v.suppress[TW_T0]);
    buf_fini(&b), whisper_vocab_fini(&v);
}

TEST(vocab_json_with_added_tokens_and_a_generation_config_say_the_same)
{
    static const char vocab[] = "{\"a\":0,\"\xc4\xa0\":1,\"(\":2,\"\xc4\x8a\":3,\"\xc5\x83\":4,\"z\":5}";
    static const char added[] = "{\"<|endoftext|>\":6,\"<|startoftranscript|>\":7,\"<|notimestamps|>\":8}";
    static const char config[] = "{\"suppress_tokens\":[5,99,-4,\"x\"],\"begin_suppress_tokens\":[0],\"is_multilingual\":false}";
    struct whisper_vocab v;
    struct err err = { 0 };
    REQUIRE(whisper_vocab_parse(&v, vocab, strlen(vocab), added, strlen(added), NULL, 0, &err), "%s", err.text);
    CHECK(v.n == 9 && v.timestamp_0 == 9 && !v.is_multilingual && (v.suppress[2] & WHISPER_NEVER) && !v.suppress[5], "%d", v.timestamp_0);
    CHECK(whisper_vocab_find(&v, "\n", 1) == 3 && whisper_vocab_find(&v, "\xad", 1) == 4);
    whisper_vocab_fini(&v);
    REQUIRE(whisper_vocab_parse(&v, vocab, strlen(vocab), added, strlen(added), config, strlen(config), &err), "%s", err.text);
    CHECK((v.suppress[5] & WHISPER_NEVER) && !(v.suppress[2] & WHISPER_NEVER) && (v.suppress[0] & WHISPER_NOT_FIRST));
    whisper_vocab_fini(&v);
}

TEST(files_that_are_no_tokenizer_are_refused)
{
    static const char *const bad[] = { "", "[]", "{}", "{\"a\":0}", "{\"model\":{\"vocab\":[1]}}", "{\"a\":-1,\"b\":99999999}", "{\"a\":", "{\"model\":{\"vocab\":{\"a\":1.5}},\"added_tokens\":[{\"id\":\"x\"}]}" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct whisper_vocab v;
        struct err err = { 0 };
        CHECK(!whisper_vocab_parse(&v, bad[i], strlen(bad[i]), NULL, 0, NULL, 0, &err) && err.code == ERR_INPUT, "%zu: %s", i, err.text);
        whisper_vocab_fini(&v);
    }
}

/* ---- rules ---- */

/* What may come after these tokens: t text, e the end, or the range of timestamps. */
TEST(timestamps_come_in_pairs_and_do_not_go_back)
{
    enum { E = TW_EOT, T = TW_T0 };
    static const struct {
        const char *why;
        int64_t tokens[8];
        int n;
        bool text, end;
        int time_from, time_to; /* first and last step that may come; -1: none */
    } cases[] = {
        { "first comes a timestamp of the first second", { 0 }, 0, false, false, 0, 50 },
        { "behind the first one comes text", { T + 5 }, 1, true, true, -1, -1 },
        { "behind text: text, the end, or a later timestamp", { T + 5, 1 }, 2, true, true, 6, 100 },
        { "behind an end of a segment: its pair or the end, never text", { T + 5, 1, T + 9 }, 3, false, true, 9, 100 },
        { "behind a pair comes text", { T + 5, 1, T + 9, T + 9 }, 4, true, true, -1, -1 },
        { "and the next one is later", { T + 5, 1, T + 9, T + 9, 2 }, 5, true, true, 10, 100 },
        { "at the end of the window nothing is later", { T + 5, 1, T + 100, T + 100, 2 }, 5, true, true, -1, -1 },
    };
    struct whisper_vocab v;
    parse(&v);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        float logits[TW_VOCAB];
        for (int k = 0; k < TW_VOCAB; k++)
            logits[k] = k < T ? 10 : -10; /* text is far likelier: the last rule does not strike */
        whisper_bar(&v, logits, TW_VOCAB, cases[i].tokens, cases[i].n, true, 50);
        CHECK(isfinite(logits[0]) == cases[i].text, "%s", cases[i].why);
        CHECK(isfinite(logits[E]) == cases[i].end, "%s", cases[i].why);
        CHECK(!isfinite(logits[TW_SOT]) && !isfinite(logits[TW_NO_TIMES]) && !isfinite(logits[TW_PREV]), "%s", cases[i].why);
        for (int k = 0; k <= 100; k++)
            CHECK(isfinite(logits[T + k]) == (cases[i].time_from >= 0 && k >= cases[i].time_from && k <= cases[i].time_to), "%s: step %d", cases[i].why, k);
    }
    float logits[TW_VOCAB];
    for (int k = 0; k < TW_VOCAB; k++)
        logits[k] = k < T ? 1 : 0; /* each timestamp is less likely than a letter, all together are likelier */
    whisper_bar(&v, logits, TW_VOCAB, (int64_t[]){ T, 1 }, 2, true, 50);
    CHECK(!isfinite(logits[0]) && !isfinite(logits[TW_EOT]) && isfinite(logits[T + 1]));
    for (int k = 0; k < TW_VOCAB; k++)
        logits[k] = 0;
    whisper_bar(&v, logits, TW_VOCAB, NULL, 0, false, 50);
    CHECK(isfinite(logits[0]) && !isfinite(logits[26]) && !isfinite(logits[TW_EOT]) && !isfinite(logits[T]));
    whisper_vocab_fini(&v);
}

TEST(the_best_token_is_chosen_or_one_drawn_by_temperature)
{
    const float logits[5] = { 1, -INFINITY, 3, 2, NAN };
    struct rng r;
    float p;
    rng_seed(&r, 7);
    CHECK(whisper_choose(logits, 5, 0, &r, &p) == 2 && fabs(p - (3 - log(exp(1) + exp(3) + exp(2)))) < 1e-6, "%g", p);
    int count[5] = { 0 };
    for (int i = 0; i < 20000; i++)
        count[whisper_choose(logits, 5, 2.0f, &r, &p)]++;
    const double sum = exp(0.5) + exp(1.5) + exp(1);
    CHECK(count[1] == 0 && count[4] == 0 && fabs(count[2] / 20000.0 - exp(1.5) / sum) < 0.02 && fabs(count[0] / 20000.0 - exp(0.5) / sum) < 0.02, "%d %d %d",
          count[0], count[2], count[3]);
    const float none[2] = { -INFINITY, NAN };
    CHECK(whisper_choose(none, 2, 1, &r, &p) == -1);
}

TEST(the_compression_ratio_is_near_zlibs_and_tells_repetition)
{
    static const struct {
        const char *text;
        int times;
        double zlib;
    } cases[] = { /* len(text) / len(zlib.compress(text)), Python 3.11 */
        { "hello", 1, 0.385 },
        { "And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country.", 1, 1.354 },
        { "Mr. Quilter is the apostle of the middle classes and we are glad to welcome his gospel.", 1, 1.087 },
        { "the the the the the the the the the the the the", 1, 3.133 },
        { "Thank you. ", 20, 10.0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024] = "";
        for (int k = 0; k < cases[i].times; k++)
            strcat(text, cases[i].text);
        const double got = whisper_compression_ratio(text, strlen(text));
        CHECK(fabs(got / cases[i].zlib - 1) < 0.15, "%s: %.3f, zlib %.3f", cases[i].text, got, cases[i].zlib);
    }
    CHECK(whisper_compression_ratio("", 0) == 0);
}

TEST(windows_are_cut_into_segments_at_pairs_of_timestamps)
{
    enum { T = TW_T0 };
    static const struct {
        const char *why;
        int64_t tokens[12];
        int n, n_segments;
        double times[4], seek_s;
    } cases[] = {
        { "one closed segment: the window is done", { T, 1, 2, T + 60 }, 4, 1, { 0, 1.2 }, 2 },
        { "the second is not closed: it is heard again", { T, 1, T + 40, T + 40, 2 }, 5, 1, { 0, 0.8 }, 0.8 },
        { "two closed ones", { T + 5, 1, T + 40, T + 45, 2, T + 90 }, 6, 2, { 0.1, 0.8, 0.9, 1.8 }, 2 },
        { "no timestamps at all", { 1, 2, 3 }, 3, 1, { 0, 2 }, 2 },
        { "only the first", { T + 10, 1, 2 }, 3, 1, { 0.2, 2 }, 2 },
        { "nothing", { 0 }, 0, 0, { 0 }, 2 },
        { "a pair at the end", { T, 1, T + 50, T + 50 }, 4, 1, { 0, 1.0 }, 1.0 },
    };
    struct whisper_vocab v;
    parse(&v);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct whisper_segment s[8];
        double seek_s;
        const int n = whisper_cut(&v, cases[i].tokens, cases[i].n, 2, s, 8, &seek_s);
        CHECK(n == cases[i].n_segments && fabs(seek_s - cases[i].seek_s) < 1e-9, "%s: %d, %g", cases[i].why, n, seek_s);
        for (int k = 0; k < n && k < cases[i].n_segments; k++)
            CHECK(fabs(s[k].start_s - cases[i].times[2 * k]) < 1e-9 && fabs(s[k].end_s - cases[i].times[2 * k + 1]) < 1e-9, "%s: %g-%g", cases[i].why, s[k].start_s, s[k].end_s);
    }
    whisper_vocab_fini(&v);
}

/* ---- whole answers ---- */

static struct tiny_whisper tiny;
enum { CONTEXT = 40 };

static struct hear *open_form(const char *form, int ids_type, const char *more)
{
    char enc[256], dec[256], past[256], tok[256], card[4096];
    snprintf(enc, sizeof enc, "%s", test_tmp("enc.onnx"));
    snprintf(dec, sizeof dec, "%s", test_tmp("dec.onnx"));
    snprintf(past, sizeof past, "%s", test_tmp("past.onnx"));
    snprintf(tok, sizeof tok, "%s", test_tmp("tokenizer.json"));
    FILE *f = fopen(tok, "w");
    fputs(tiny_tokenizer(), f);
    fclose(f);
    tiny_write_encoder(&tiny, enc);
    tiny_write_decoder(&tiny, strcmp(form, "plain") == 0 ? TINY_PLAIN : strcmp(form, "pair") == 0 ? TINY_FIRST : TINY_MERGED, ids_type, dec);
    size_t n = (size_t)snprintf(card, sizeof card, "task: transcribe\nkind: onnx\nfamily: whisper\nencoder: %s\ndecoder: %s\ntokenizer: %s\ncontext: %d\nvad: none\n%s", enc, dec, tok, CONTEXT, more);
    if (strcmp(form, "pair") == 0) {
        tiny_write_decoder(&tiny, TINY_PAST, ids_type, past);
        snprintf(card + n, sizeof card - n, "decoder_with_past: %s\n", past);
    }
    return hear_open_text("whisper.yaml", card, "/");
}

struct want {
    struct heard_segment_copy segments[64];
    int n;
};

/* What should be heard in a chunk: all that computes is in double, and one token after another from the start. */
static void reference(const float *x, size_t n, int language, const int64_t *before, int n_before, bool timestamps, struct want *want)
{
    enum { N = TW_FRAMES * 160 };
    static float power[TW_FRAMES * TW_MEL], mel[TW_FRAMES * TW_MEL];
    struct err err = { 0 };
    struct whisper_vocab v;
    struct rng r;
    struct buf text;
    struct mel *m = mel_new(&(struct mel_opts){ MEL_SLANEY, 16000, 400, 400, 160, TW_MEL, 0, 8000 }, &err);
    parse(&v);
    rng_seed(&r, 1);
    buf_init(&text, 4096);
    want->n = 0;
    for (size_t at = 0; at + 1600 <= n;) {
        const size_t k = n - at < N ? n - at : N;
        const double window_s = (double)k / 16000;
        int64_t ids[CONTEXT + 1];
        int n_ids = 0, lang = language;
        double logits[TW_VOCAB], sum = 0, no_speech = 0;
        float f[TW_VOCAB];
        mel_power(m, x + at, k, N, 0, TW_FRAMES, power);
        mel_to_whisper(power, TW_FRAMES, TW_MEL, mel);
        tiny_encode(&tiny, mel);
        if (lang < 0) { /* in the first window it is heard; later ones keep it */
            tiny_logits(&tiny, (int64_t[]){ TW_SOT }, 1, logits);
            lang = language = logits[TW_EN] >= logits[TW_DE] ? TW_EN : TW_DE;
        }
        if (n_before) {
            ids[n_ids++] = TW_PREV;
            for (int i = 0; i < n_before; i++)
                ids[n_ids++] = before[i];
        }
        const int sot = n_ids;
        ids[n_ids++] = TW_SOT, ids[n_ids++] = lang, ids[n_ids++] = TW_TRANSCRIBE;
        if (!timestamps)
            ids[n_ids++] = TW_NO_TIMES;
        const int n_prompt = n_ids;
        tiny_logits(&tiny, ids, sot + 1, logits);
        double total = 0;
        for (int i = 0; i < TW_VOCAB; i++)
            total += exp(logits[i] - logits[TW_NO_SPEECH]);
        no_speech = 1 / total;
        int n_said = 0;
        while (n_said < CONTEXT / 2 && n_prompt + n_said < CONTEXT) {
            tiny_logits(&tiny, ids, n_prompt + n_said, logits);
            for (int i = 0; i < TW_VOCAB; i++)
                f[i] = (float)logits[i];
            whisper_bar(&v, f, TW_VOCAB, ids + n_prompt, n_said, timestamps, 50);
            int best = -1;
            double all = 0;
            for (int i = 0; i < TW_VOCAB; i++)
                if (isfinite(f[i]) && (best < 0 || logits[i] > logits[best]))
                    best = i;
            for (int i = 0; i < TW_VOCAB; i++)
                all += isfinite(f[i]) ? exp(logits[i] - logits[best]) : 0;
            sum += -log(all);
            if (best == TW_EOT)
                break;
            ids[n_prompt + n_said++] = best;
        }
        struct whisper_segment s[64];
        double seek_s;
        const int n_seg = whisper_cut(&v, ids + n_prompt, n_said, window_s, s, 64, &seek_s);
        for (int i = 0; i < n_seg && want->n < 64; i++) {
            struct heard_segment_copy *to = &want->segments[want->n];
            buf_clear(&text);
            for (int j = 0; j < s[i].n; j++)
                whisper_vocab_put(&v, (int)ids[n_prompt + s[i].first + j], &text);
            char *from = text.len ? text.data : "";
            while (*from == ' ')
                from++;
            *to = (struct heard_segment_copy){ .start_s = (double)at / 16000 + s[i].start_s, .avg_logprob = (float)(sum / (n_said + 1)), .no_speech_prob = (float)no_speech };
            const double end_s = s[i].end_s < window_s ? s[i].end_s : window_s;
            to->end_s = (double)at / 16000 + end_s;
            snprintf(to->text, sizeof to->text, "%s", from);
            for (size_t l = strlen(to->text); l > 0 && to->text[l - 1] == ' '; l--)
                to->text[l - 1] = '\0';
            want->n += to->text[0] && end_s > s[i].start_s;
        }
        const size_t step = (size_t)(seek_s * 16000 + 0.5);
        at += step > 3200 ? step : 3200;
    }
    buf_fini(&text), whisper_vocab_fini(&v), mel_free(m);
}

/* Bytes that are no UTF-8 look different in the answer: then only the number of bytes that are is compared. */
static void compare(const char *what, const struct hear *h, const struct want *want)
{
    CHECK(h->n_segments == want->n, "%s: %d segments, want %d", what, h->n_segments, want->n);
    for (int i = 0; i < want->n && i < h->n_segments; i++) {
        const struct heard_segment_copy *g = &h->segments[i], *w = &want->segments[i];
        CHECK(fabs(g->start_s - w->start_s) < 1e-6 && fabs(g->end_s - w->end_s) < 1e-6, "%s: %g-%g, want %g-%g", what, g->start_s, g->end_s, w->start_s, w->end_s);
        CHECK(strstr(g->text, "\xef\xbf\xbd") || strcmp(g->text, w->text) == 0, "%s: '%s', want '%s'", what, g->text, w->text);
        CHECK(fabsf(g->avg_logprob - w->avg_logprob) < 1e-4f && fabsf(g->no_speech_prob - w->no_speech_prob) < 1e-5f, "%s: %g %g, want %g %g", what,
              g->avg_logprob, g->no_speech_prob, w->avg_logprob, w->no_speech_prob);
    }
}

static const char once[] = "temperatures: [0]\nmax_no_speech: 1\n"; /* the first attempt stands */
enum { N_SOUND = 16000 * 5 };
static float sound[N_SOUND];

/* Random models that have something to say about the sound (nine of ten do). */
static void make_model_and_sound(void)
{
    static struct want want;
    for (int tries = 0; tries < 50; tries++) {
        tiny_init(&tiny);
        for (int i = 0; i < N_SOUND; i++)
            sound[i] = 0.3f * (float)sin(i * (0.02 + 1e-7 * i)) + 0.1f * test_rand_f32();
        reference(sound, 20000, -1, NULL, 0, true, &want);
        if (want.n > 0)
            return;
    }
}

TEST(each_form_of_decoder_says_what_the_model_says_in_double)
{
    static const char *const forms[] = { "plain", "pair", "merged" };
    static const size_t lengths[] = { TW_FRAMES * 160, 20000, 1700 };
    static struct want want;
    int n_segments = 0;
    for (int round = 0; round < (getenv("TEST_QUICK") ? 1 : 4); round++) {
        make_model_and_sound();
        for (int f = 0; f < 3; f++) {
            struct hear *h = open_form(forms[f], round % 2 ? 6 : 7, once);
            REQUIRE(h->task, "%s: %s", forms[f], h->err.text);
            for (int s = 0; s < 3; s++) {
                char what[64];
                snprintf(what, sizeof what, "model %d, %s, %zu samples", round, forms[f], lengths[s]);
                reference(sound, lengths[s], -1, NULL, 0, true, &want);
                REQUIRE(hear_samples(h, sound, lengths[s], 16000, (struct task_options){ 0 }), "%s: %s", what, h->err.text);
                compare(what, h, &want);
                CHECK(strcmp(h->language, "en") == 0 || strcmp(h->language, "de") == 0, "%s", h->language);
                n_segments += want.n;
            }
            hear_close(h);
        }
    }
    CHECK(n_segments > 0, "nothing was said at all");
}

TEST(language_prompt_and_timestamps_are_told_to_the_model)
{
    static struct want want;
    make_model_and_sound();
    struct hear *h = open_form("pair", 7, once);
    REQUIRE(h->task, "%s", h->err.text);
    reference(sound, 20000, TW_DE, NULL, 0, true, &want);
    REQUIRE(hear_samples(h, sound, 20000, 16000, (struct task_options){ .language = "de" }), "%s", h->err.text);
    compare("de", h, &want);
    CHECK(strcmp(h->language, "de") == 0);
    const int64_t before[] = { 27, 26, 0, 1 }; /* " the ab" */
    reference(sound, 20000, TW_EN, before, 4, true, &want);
    REQUIRE(hear_samples(h, sound, 20000, 16000, (struct task_options){ .language = "en", .prompt = "the ab" }), "%s", h->err.text);
    compare("prompt", h, &want);
    CHECK(!hear_samples(h, sound, 20000, 16000, (struct task_options){ .language = "xx" }) && strstr(h->err.text, "xx"), "%s", h->err.text);
    hear_close(h);
    char more[128];
    snprintf(more, sizeof more, "%stimestamps: false\nlanguage: en\n", once);
    h = open_form("merged", 7, more);
    REQUIRE(h->task, "%s", h->err.text);
    reference(sound, 20000, TW_EN, NULL, 0, false, &want);
    REQUIRE(hear_samples(h, sound, 20000, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    compare("no timestamps", h, &want);
    hear_close(h);
}

TEST(a_bad_attempt_is_made_again_warmer_and_the_same_sound_says_the_same)
{
    make_model_and_sound();
    char text[512];
    struct hear *h = open_form("pair", 7, "temperatures: [0, 0.4, 0.8]\nmin_logprob: 0\nmax_no_speech: 1\n"); /* nothing is good enough */
    REQUIRE(h->task, "%s", h->err.text);
    REQUIRE(hear_samples(h, sound, 20000, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    const int n_segments = h->n_segments; /* what is drawn at 0.8 may be nothing */
    for (int i = 0; i < n_segments; i++)
        CHECK(h->segments[i].temperature == 0.8f && h->segments[i].compression_ratio > 0, "%g", h->segments[i].temperature);
    memcpy(text, h->text, sizeof text);
    REQUIRE(hear_samples(h, sound, 20000, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(h->n_segments == n_segments && strncmp(text, h->text, sizeof text) == 0);
    hear_close(h);
    h = open_form("pair", 7, "temperatures: [0, 0.4]\nmin_logprob: 0\nmax_no_speech: 0\n"); /* unsure, and nobody seems to speak */
    REQUIRE(h->task, "%s", h->err.text);
    REQUIRE(hear_samples(h, sound, 20000, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(h->n_results == 1 && h->n_segments == 0 && h->text[0] == '\0', "%s", h->text);
    hear_close(h);
}

TEST(long_sound_is_heard_in_windows_with_times_in_the_whole_and_cancelled_between_tokens)
{
    make_model_and_sound();
    struct hear *h = open_form("merged", 7, once);
    REQUIRE(h->task, "%s", h->err.text);
    REQUIRE(hear_samples(h, sound, N_SOUND, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(h->n_results == 1 && fabs(h->duration_s - 5) < 1e-6);
    double last = 0;
    for (int i = 0; i < h->n_segments; i++) {
        CHECK(h->segments[i].end_s > h->segments[i].start_s && h->segments[i].start_s >= last - 2 && h->segments[i].end_s <= 5.001, "%g-%g", h->segments[i].start_s, h->segments[i].end_s);
        last = h->segments[i].end_s;
    }
    CHECK(strcmp(h->pieces, h->text) == 0, "'%s' '%s'", h->pieces, h->text);
    h->cancel = true;
    CHECK(!hear_samples(h, sound, N_SOUND, 16000, (struct task_options){ 0 }) && h->err.code == ERR_CANCELLED);
    hear_close(h);
}

TEST(models_that_do_not_fit_are_refused_when_they_are_opened)
{
    make_model_and_sound();
    static const struct {
        const char *form, *more, *want;
    } cases[] = {
        { "plain", "language: xx\n", "xx" },
        { "plain", "temperatures: []\n", "temperatures" },
        { "plain", "bands: 80\n", "" },
        { "plain", "langage: en\n", "language" },
        { "plain", "added_tokens: nowhere.json\n", "nowhere" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hear *h = open_form(cases[i].form, 7, cases[i].more);
        CHECK(!h->task && strstr(h->err.text, cases[i].want), "%zu: %s", i, h->err.text);
        hear_close(h);
    }
    char card[2048], enc[256], dec[256];
    snprintf(enc, sizeof enc, "%s", test_tmp("enc.onnx"));
    snprintf(dec, sizeof dec, "%s", test_tmp("dec.onnx"));
    snprintf(card, sizeof card, "task: transcribe\nkind: onnx\nfamily: whisper\nencoder: %s\ndecoder: %s\ntokenizer: %s\n", dec, enc, test_tmp("tokenizer.json"));
    struct hear *h = hear_open_text("swapped.yaml", card, "/");
    CHECK(!h->task && strstr(h->err.text, "encoder"), "%s", h->err.text);
    hear_close(h);
}
