/* tests/task/test_speak_onnx.c - voices of a few nodes: what they are told comes out as sound, one stage and two. */
#include <math.h>

#include "onnx/library.h"
#include "onnx/write.h"
#include "try_task.h"

enum { EACH = 50 }; /* samples for each number, of one stage; two stages make EACH frames of 2 values, then a sample each */

static const char config[] = "{\"audio\":{\"sample_rate\":8000},\"phoneme_type\":\"text\",\"inference\":{\"noise_scale\":0.5,\"length_scale\":2,\"noise_w\":0.8},"
    "\"phoneme_id_map\":{\"_\":[0],\"^\":[1],\"$\":[2],\" \":[3],\"a\":[10],\"b\":[20]},\"num_speakers\":2,\"speaker_id_map\":{\"anna\":1}}";

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s", path);
}

/* [1,T] numbers -> value / 100 + length scale / 1000 + speaker / 10000 (all held EACH samples): [1,1,T * EACH]. */
static void write_voice(const char *path, bool has_speaker)
{
    struct onnx_writer w;
    float held[EACH];
    for (int i = 0; i < EACH; i++)
        held[i] = 1;
    writer_begin(&w);
    writer_input(&w, "input", 7, (int64_t[]) { 1, -1 }, 2);
    writer_input(&w, "input_lengths", 7, (int64_t[]) { 1 }, 1);
    writer_input(&w, "scales", 1, (int64_t[]) { 3 }, 1);
    if (has_speaker)
        writer_input(&w, "sid", 7, (int64_t[]) { 1 }, 1);
    writer_floats(&w, "weights", (int64_t[]) { 3 }, 1, (float[]) { 0, 0.001f, 0 });
    writer_floats(&w, "hundredth", (int64_t[]) { 1 }, 1, (float[]) { 0.01f });
    writer_floats(&w, "little", (int64_t[]) { 1 }, 1, (float[]) { 0.0001f });
    writer_floats(&w, "held", (int64_t[]) { 1, EACH }, 2, held);
    writer_ints(&w, "column", (int64_t[]) { 2 }, 1, (int64_t[]) { -1, 1 });
    writer_ints(&w, "flat", (int64_t[]) { 3 }, 1, (int64_t[]) { 1, 1, -1 });
    writer_node(&w, "Cast", "input", "ids");
    writer_attr_int(&w, "to", 1);
    writer_node(&w, "Mul", "ids hundredth", "values");
    writer_node(&w, "Mul", "scales weights", "weighted");
    writer_node(&w, "ReduceSum", "weighted", "length");
    writer_attr_int(&w, "keepdims", 0);
    writer_node(&w, "Add", "values length", "raised");
    if (has_speaker) {
        writer_node(&w, "Cast", "sid", "who");
        writer_attr_int(&w, "to", 1);
        writer_node(&w, "Mul", "who little", "voice");
        writer_node(&w, "Add", "raised voice", "told");
    } else {
        writer_node(&w, "Identity", "raised", "told");
    }
    writer_node(&w, "Cast", "input_lengths", "n"); /* an input that nothing reads would be dropped */
    writer_attr_int(&w, "to", 1);
    writer_floats(&w, "zero", (int64_t[]) { 1 }, 1, (float[]) { 0 });
    writer_node(&w, "Mul", "n zero", "nothing");
    writer_node(&w, "Add", "told nothing", "all");
    writer_node(&w, "Reshape", "all column", "rows");
    writer_node(&w, "MatMul", "rows held", "block");
    writer_node(&w, "Reshape", "block flat", "output");
    writer_output(&w, "output", 1, (int64_t[]) { 1, 1, -1 }, 3);
    writer_save(&w, path);
}

static const char *tmp_copy(const char *name, char out[600])
{
    snprintf(out, 600, "%s", test_tmp(name));
    return out;
}

/* What "ab" must sound like: ^ _ a _ b _ $ */
static const int wanted[] = { 1, 0, 10, 0, 20, 0, 2 };
enum { N_WANTED = sizeof(wanted) / sizeof(*wanted) };

static void check_sound(const struct try_task *t, double add)
{
    REQUIRE(t->n_samples == N_WANTED * EACH, "%d samples", t->n_samples);
    for (int i = 0; i < t->n_samples; i++) {
        const double want = wanted[i / EACH] / 100.0 + add;
        CHECK(fabs(t->samples[i] - want) < 1e-5, "sample %d: %g, want %g", i, t->samples[i], want);
    }
}

TEST(a_voice_gets_numbers_scales_and_speaker_and_its_sound_comes_in_pieces)
{
    char model[600], json[620], yaml[2000];
    struct try_task t;
    try_ort_path = test_onnx_library();
    tmp_copy("voice.onnx", model);
    snprintf(json, sizeof(json), "%s.json", model);
    write_voice(model, true);
    put_file(json, config);
    snprintf(yaml, sizeof(yaml), "task: speak\nkind: onnx\nmodel: %s\nnormalise: false\npause: 0.1\n", model);
    REQUIRE(try_open(&t, yaml, NULL), "%s", t.err.text);
    REQUIRE(task_get_info(t.task)->rate_hz == 8000);
    REQUIRE(try_text(&t, EXPERT_SPEAK, "ab", (struct task_options) { 0 }), "%s", t.err.text);
    check_sound(&t, 0.002);
    REQUIRE(try_text(&t, EXPERT_SPEAK, "A\xc3\xa4 B", (struct task_options) { .voice = "anna", .speed = 2 }), "%s", t.err.text);
    CHECK(t.n_samples == (N_WANTED + 4) * EACH && fabs(t.samples[0] - (0.01 + 0.001 + 0.0001)) < 1e-5, "%d: %g", t.n_samples, t.samples[0]);
    REQUIRE(try_text(&t, EXPERT_SPEAK, "ab. ab! ...", (struct task_options) { 0 }), "%s", t.err.text); /* marks are not in this voice */
    CHECK(t.n_samples == 2 * N_WANTED * EACH + 800 && t.samples[N_WANTED * EACH + 10] == 0, "%d samples", t.n_samples);
    CHECK(t.longest_piece <= 640, "%d", t.longest_piece);
    t.stop_after = 1;
    CHECK(!try_text(&t, EXPERT_SPEAK, "ab. ab. ab.", (struct task_options) { 0 }) && t.err.code == ERR_CANCELLED);
    t.stop_after = 0;
    CHECK(!try_text(&t, EXPERT_SPEAK, "xyz", (struct task_options) { 0 }) && t.err.code == ERR_INPUT, "%s", t.err.text);
    CHECK(!try_text(&t, EXPERT_SPEAK, "ab", (struct task_options) { .voice = "bob" }) && t.err.code == ERR_INPUT, "%s", t.err.text);
    try_close(&t);
    snprintf(yaml, sizeof(yaml), "task: speak\nkind: onnx\nmodel: %s\nspeaker: anna\nlength: 1\n", model);
    REQUIRE(try_open(&t, yaml, NULL), "%s", t.err.text);
    REQUIRE(try_text(&t, EXPERT_SPEAK, "ab", (struct task_options) { 0 }), "%s", t.err.text);
    float most = 0;
    for (int i = 0; i < t.n_samples; i++)
        most = t.samples[i] > most ? t.samples[i] : most;
    CHECK(fabsf(most - 1) < 1e-6f, "loudest %g", most); /* normalised */
    try_close(&t);
    snprintf(yaml, sizeof(yaml), "task: speak\nkind: onnx\nmodel: %s\nspeaker: bob\n", model);
    CHECK(!try_open(&t, yaml, NULL) && strstr(t.err.text, "bob"), "%s", t.err.text);
    try_close(&t);
}

TEST(phonemes_come_from_espeak)
{
    char model[600], json[620], yaml[2000];
    struct try_task t;
    try_ort_path = test_onnx_library();
    tmp_copy("ipa.onnx", model);
    snprintf(json, sizeof(json), "%s.json", model);
    write_voice(model, false);
    put_file(json, "{\"audio\":{\"sample_rate\":8000},\"espeak\":{\"voice\":\"en-us\"},\"phoneme_id_map\":{\"_\":[0],\"^\":[1],\"$\":[2],\"h\":[10],"
                   "\"\xc9\x99\":[11],\"l\":[12],\"o\":[13],\"\xca\x8a\":[14],\"\xcb\x88\":[15],\".\":[16]}}");
    snprintf(yaml, sizeof(yaml), "task: speak\nkind: onnx\nmodel: %s\nnormalise: false\nlength: 0\n", model);
    TRY_OPEN(&t, yaml, NULL);
    REQUIRE(try_text(&t, EXPERT_SPEAK, "Hello.", (struct task_options) { 0 }), "%s", t.err.text);
    static const int ids[] = { 1, 0, 10, 0, 11, 0, 12, 0, 15, 0, 13, 0, 14, 0, 16, 0, 2 }; /* ^ h @ l ' o U . $ */
    REQUIRE(t.n_samples == (int)(sizeof(ids) / sizeof(*ids)) * EACH, "%d samples", t.n_samples);
    for (int i = 0; i < t.n_samples; i++)
        CHECK(fabs(t.samples[i] - ids[i / EACH] / 100.0) < 1e-5, "number %d: %g", i / EACH, t.samples[i]);
    try_close(&t);
}

/* Acoustic: [1,T] -> mel [1,2,T * EACH], both rows the value / 200.  Vocoder: the sum of the rows: [1,T * EACH]. */
TEST(two_stages_hand_over_in_place)
{
    char acoustic[600], vocoder[600], json[600], yaml[3000];
    struct try_task t;
    struct onnx_writer w;
    float held[EACH];
    try_ort_path = test_onnx_library();
    for (int i = 0; i < EACH; i++)
        held[i] = 0.005f;
    tmp_copy("acoustic.onnx", acoustic);
    tmp_copy("vocoder.onnx", vocoder);
    tmp_copy("two.json", json);
    put_file(json, config);
    writer_begin(&w);
    writer_input(&w, "phones", 7, (int64_t[]) { 1, -1 }, 2);
    writer_floats(&w, "held", (int64_t[]) { 1, EACH }, 2, held);
    writer_ints(&w, "column", (int64_t[]) { 2 }, 1, (int64_t[]) { -1, 1 });
    writer_ints(&w, "row", (int64_t[]) { 3 }, 1, (int64_t[]) { 1, 1, -1 });
    writer_node(&w, "Cast", "phones", "ids");
    writer_attr_int(&w, "to", 1);
    writer_node(&w, "Reshape", "ids column", "rows");
    writer_node(&w, "MatMul", "rows held", "block");
    writer_node(&w, "Reshape", "block row", "one");
    writer_node(&w, "Concat", "one one", "mel");
    writer_attr_int(&w, "axis", 1);
    writer_output(&w, "mel", 1, (int64_t[]) { 1, 2, -1 }, 3);
    writer_save(&w, acoustic);
    writer_begin(&w);
    writer_input(&w, "mel", 1, (int64_t[]) { 1, 2, -1 }, 3);
    writer_ints(&w, "bands", (int64_t[]) { 1 }, 1, (int64_t[]) { 1 });
    writer_node(&w, "ReduceSum", "mel bands", "wave");
    writer_attr_int(&w, "keepdims", 0);
    writer_output(&w, "wave", 1, (int64_t[]) { 1, -1 }, 2);
    writer_save(&w, vocoder);
    snprintf(yaml, sizeof(yaml), "task: speak\nkind: onnx\nmodels: {acoustic: %s, vocoder: %s}\nconfig: %s\ninputs: {ids: phones}\nnormalise: false\n", acoustic, vocoder, json);
    REQUIRE(try_open(&t, yaml, NULL), "%s", t.err.text);
    for (int round = 0; round < 3; round++) {
        REQUIRE(try_text(&t, EXPERT_SPEAK, "a b a", (struct task_options) { 0 }), "%s", t.err.text); /* another length between */
        REQUIRE(try_text(&t, EXPERT_SPEAK, "ab", (struct task_options) { 0 }), "%s", t.err.text);
        check_sound(&t, 0);
    }
    try_close(&t);
    snprintf(yaml, sizeof(yaml), "task: speak\nkind: onnx\nmodels: {acoustic: %s}\nconfig: %s\ninputs: {ids: phones}\n", acoustic, json);
    CHECK(!try_open(&t, yaml, NULL) && strstr(t.err.text, "vocoder is missing"), "%s", t.err.text);
    try_close(&t);
    snprintf(yaml, sizeof(yaml), "task: speak\nkind: onnx\nmodel: %s\nconfig: %s\n", acoustic, json);
    CHECK(!try_open(&t, yaml, NULL) && t.err.code == ERR_INPUT && strstr(t.err.text, "name them"), "%s", t.err.text);
    try_close(&t);
}
