/* tests/expert/test_expert_pack.c - requests and results arrive as they were sent, and nothing malformed arrives at all.
 *
 * TEST_CORPUS=DIR writes seeds for tests/fuzz/fuzz_worker.c there. */
#include "expert/pack.h"

#include <math.h>
#include <string.h>

#include "test.h"

static struct arena *arena;
static void *kept[64];
static int n_kept;

static void *keep_until_end(void *p) { return kept[n_kept++] = p; }

static void begin(void)
{
    struct err err;
    arena = arena_new(8 << 20, &err);
}

static void end(void)
{
    while (n_kept > 0)
        free(kept[--n_kept]);
    arena_free(arena);
}

static uint8_t *pack(const struct task_event *ev, struct pack_size *size)
{
    *size = pack_event_size(ev);
    uint8_t *p = keep_until_end(aligned_alloc(64, (size->n_whole + 127) / 64 * 64));
    memset(p, 0xee, (size->n_whole + 127) / 64 * 64);
    pack_event(p, *size, ev);
    return p;
}

static void keep(const char *name, char which, const uint8_t *bytes, struct pack_size size)
{
    char path[512];
    const char *dir = getenv("TEST_CORPUS");
    if (!dir)
        return;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    const uint8_t head[9] = { (uint8_t)which, (uint8_t)size.n_head, (uint8_t)(size.n_head >> 8) };
    CHECK(f && fwrite(head, 1, 9, f) == 9 && fwrite(bytes, 1, size.n_whole, f) == size.n_whole && fclose(f) == 0);
}

static bool is_same(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* Packs, unpacks from a copied head, and then judges every damage of the head: an error or a valid result, never more. */
static struct task_event round_trip(const char *name, const struct task_event *ev)
{
    struct err err = { 0 };
    struct task_event back;
    struct pack_size size;
    uint8_t *p = pack(ev, &size), *head = keep_until_end(malloc(size.n_head + 8));
    keep(name, 0, p, size);
    for (size_t i = 0; i < size.n_head; i += 1 + size.n_head / 600)
        for (int bit = 0; bit < 8; bit += 3) {
            memcpy(head, p, size.n_head);
            head[i] ^= (uint8_t)(1 << bit);
            arena_reset(arena);
            CHECK(unpack_event(head, p, size, arena, &back, &err) || err.code != ERR_NONE);
        }
    for (size_t n = 0; n < size.n_head; n += 8) { /* cut off */
        arena_reset(arena);
        CHECK(!unpack_event(p, p, (struct pack_size){ n, size.n_whole }, arena, &back, &err), "%zu", n);
    }
    if (size.n_whole > size.n_head) {
        arena_reset(arena);
        CHECK(!unpack_event(p, p, (struct pack_size){ size.n_head, size.n_whole - PACK_ALIGN - 1 }, arena, &back, &err));
    }
    memcpy(head, p, size.n_head);
    arena_reset(arena);
    CHECK(unpack_event(head, p, size, arena, &back, &err), "%s: %s", name, err.text);
    return back;
}

TEST(results_arrive_as_they_were_sent)
{
    begin();
    const struct result_label labels[] = { { "cat", 0.5f }, { "d\xc3\xb6g", 0.25f } };
    const struct result_box boxes[] = { { .label = "person", .name = "Ada", .score = 0.9f, .x = 1, .y = 2, .w = 3, .h = 4, .n_points = 2, .points = { { 5, 6 }, { 7, 8 } } }, { 0 } };
    const struct result_word words[] = { { .text = "hello", .score = 1, .x = 1, .w = 2, .line = 3 }, { .text = "", .end_s = 0.5 } };
    const struct result_segment segments[] = { { .start_s = 1.25, .end_s = 2, .text = "hi", .label = "speech", .avg_logprob = -0.5f } };
    const float vector[] = { 1, 2, NAN }, scores[] = { 0.5f };
    const uint8_t pixels[6] = { 1, 2, 3, 4, 5, 6 };
    const struct result_mask masks[] = { { 3, 2, pixels, 1 }, { 2, 3, pixels, -1 } };
    const struct task_result r = { labels, 2, boxes, 2, "hello world", words, 2, segments, 1, vector, 3, scores, 1, 0.032, masks, 2, "en", 1.5, 640, 480, NULL };
    const struct task_event ev = { .kind = TASK_RESULT, .result = &r };
    const struct task_event back = round_trip("result", &ev);
    const struct task_result *b = back.result;
    REQUIRE(b);
    CHECK(b->n_labels == 2 && is_same(b->labels[1].label, "d\xc3\xb6g") && b->labels[0].score == 0.5f);
    CHECK(b->n_boxes == 2 && is_same(b->boxes[0].name, "Ada") && b->boxes[0].points[1].y == 8 && !b->boxes[1].label);
    CHECK(b->n_words == 2 && b->words[0].line == 3 && b->words[1].text[0] == '\0' && b->words[1].end_s == 0.5);
    CHECK(b->n_segments == 1 && b->segments[0].start_s == 1.25 && b->segments[0].avg_logprob == -0.5f);
    CHECK(b->n_vector == 3 && b->vector[1] == 2 && isnan(b->vector[2]) && b->n_scores == 1 && b->score_step_s == 0.032);
    CHECK(b->n_masks == 2 && memcmp(b->masks[0].pixels, pixels, 6) == 0 && b->masks[1].box == -1 && b->masks[0].box == 1);
    CHECK(is_same(b->text, "hello world") && is_same(b->language, "en") && !b->note && b->width_px == 640 && b->duration_s == 1.5);
    const struct task_result none = { 0 };
    CHECK(round_trip("empty", &(struct task_event){ .kind = TASK_RESULT, .result = &none, .input = 7 }).input == 7);
    end();
}

TEST(texts_sounds_and_tensors_arrive_too)
{
    struct err err;
    begin();
    const float samples[] = { -1, 0, 1 };
    int64_t numbers[] = { 5, -6 };
    const struct tensor t = { .name = "out", .type = TENSOR_I64, .n_dims = 2, .dims = { 1, 2 }, .data = numbers, .n_bytes = 16 };
    char texts[] = "\3\0\0\0abc\0\0\0\0";
    const struct tensor s = { .name = "s", .type = TENSOR_STRING, .n_dims = 1, .dims = { 2 }, .data = texts, .n_bytes = 11 };
    struct task_event b = round_trip("text", &(struct task_event){ .kind = TASK_TEXT, .text = "ab\xe2\x82\xac", .n_text = 5 });
    CHECK(b.n_text == 5 && is_same(b.text, "ab\xe2\x82\xac"));
    b = round_trip("audio", &(struct task_event){ .kind = TASK_AUDIO, .samples = samples, .n_samples = 3, .rate_hz = 22050 });
    CHECK(b.n_samples == 3 && b.rate_hz == 22050 && b.samples[0] == -1);
    b = round_trip("tensor", &(struct task_event){ .kind = TASK_TENSOR, .tensor = &t });
    CHECK(b.tensor && is_same(b.tensor->name, "out") && b.tensor->dims[1] == 2 && ((const int64_t *)b.tensor->data)[1] == -6);
    b = round_trip("strings", &(struct task_event){ .kind = TASK_TENSOR, .tensor = &s });
    CHECK(b.tensor && b.tensor->n_bytes == 11 && memcmp(b.tensor->data, texts, 11) == 0);
    struct pack_size size;
    struct task_event out;
    uint8_t *p = pack(&(struct task_event){ .kind = TASK_TEXT, .text = "\xff", .n_text = 1 }, &size);
    CHECK(!unpack_event(p, p, size, arena, &out, &err)); /* not UTF-8 */
    const struct result_label bad = { "x", NAN };
    p = pack(&(struct task_event){ .kind = TASK_RESULT, .result = &(struct task_result){ .labels = &bad, .n_labels = 1 } }, &size);
    CHECK(!unpack_event(p, p, size, arena, &out, &err) && strstr(err.text, "not finite"), "%s", err.text);
    end();
}

TEST(requests_arrive_as_they_were_sent)
{
    struct err err;
    begin();
    const struct task_media media[] = { { .form = MEDIA_ENCODED, .bytes = "RIFFxxxx", .n_bytes = 8 }, { .form = MEDIA_GREY8, .bytes = "1234", .n_bytes = 4, .width_px = 2, .height_px = 2 } };
    const struct task_text texts[] = { { "one", 3 }, { "", 0 } };
    const char *const outputs[] = { "y" };
    float x = 2;
    const struct tensor t = { .name = "x", .type = TENSOR_F32, .data = &x, .n_bytes = 4 };
    const struct task_request rq = { .task = EXPERT_OCR, .media = media, .n_media = 2, .texts = texts, .n_texts = 2, .tensors = &t, .n_tensors = 1, .outputs = outputs, .n_outputs = 1,
                                     .options = { .threshold = 0.25f, .n_top = 3, .language = "en", .speed = 1.5f, .prompt = "words", .wants_words = true },
                                     .session = 9, .session_end = true };
    const struct pack_size size = pack_request_size(&rq);
    uint8_t *p = keep_until_end(aligned_alloc(64, (size.n_whole + 127) / 64 * 64));
    pack_request(p, size, &rq);
    keep("request", 1, p, size);
    struct task_request b;
    REQUIRE(unpack_request(p, p, size, arena, &b, &err), "%s", err.text);
    CHECK(b.task == EXPERT_OCR && b.n_media == 2 && memcmp(b.media[0].bytes, "RIFFxxxx", 8) == 0 && b.media[1].width_px == 2 && (size_t)b.media[1].bytes % 64 == 0);
    CHECK(b.n_texts == 2 && is_same(b.texts[0].text, "one") && b.texts[1].n == 0);
    CHECK(b.n_tensors == 1 && *(const float *)b.tensors[0].data == 2 && b.n_outputs == 1 && is_same(b.outputs[0], "y"));
    CHECK(b.options.threshold == 0.25f && b.options.n_top == 3 && is_same(b.options.language, "en") && !b.options.voice && b.options.speed == 1.5f && b.options.wants_words);
    CHECK(b.session == 9 && b.session_end && !b.session_start);
    end();
}
