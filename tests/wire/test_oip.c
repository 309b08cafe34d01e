/* tests/wire/test_oip.c - Open Inference Protocol: JSON, binary data and protobuf become the same tensors, and back. */
#include "wire/oip.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "gen/oip.pb-c.h"
#include "wire/oip_pb.h"

static struct arena *arena;
static struct oip_request rq;
static struct err err;

static bool read_text(const char *text, size_t n, size_t n_json)
{
    static char *exact; /* what was borrowed lies here until the next one */
    free(exact);
    exact = malloc(n ? n : 1); /* exact: so that a sanitizer sees a byte too many */
    memcpy(exact, text, n);
    arena_free(arena);
    arena = arena_new(64 << 20, &err);
    err_clear(&err);
    return oip_read_infer(&rq, exact, n, n_json, arena, &err);
}
static bool read_json(const char *text) { return read_text(text, strlen(text), strlen(text)); }

#define IN(rest) "{\"inputs\":[{\"name\":\"x\"," rest "}]}"

TEST(numbers_of_every_type_arrive_in_place)
{
    REQUIRE(read_json("{\"id\":\"a\\u00e9\",\"inputs\":[{\"name\":\"f\",\"shape\":[2,2],\"datatype\":\"FP32\",\"data\":[[1,-2.5],[3e2,0.1]]},"
                      "{\"data\":[-128,127],\"name\":\"i\",\"shape\":[2],\"datatype\":\"INT8\"}, {\"name\":\"u\",\"datatype\":\"UINT64\",\"shape\":[1],\"data\":[18446744073709551615]},"
                      "{\"name\":\"b\",\"datatype\":\"BOOL\",\"shape\":[3],\"data\":[true,false,1]},"
                      "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[2],\"data\":[\"a\\n\\ud83d\\ude00\",\"\"]},"
                      "{\"name\":\"d\",\"datatype\":\"FP64\",\"shape\":[],\"data\":[1e-320]},{\"name\":\"n\",\"datatype\":\"FP32\",\"shape\":[0,5],\"data\":[]}],"
                      "\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":true}},{\"name\":\"z\"}],"
                      "\"parameters\":{\"sequence_id\":7,\"sequence_start\":true,\"timeout\":1000,\"other\":null}}"), "%s", err.text);
    CHECK(strcmp(rq.id, "a\xc3\xa9") == 0 && rq.n_inputs == 7 && rq.n_outputs == 2);
    const float *f = rq.inputs[0].data;
    CHECK(f[0] == 1 && f[1] == -2.5f && f[2] == 300 && f[3] == 0.1f);
    CHECK(((int8_t *)rq.inputs[1].data)[0] == -128 && ((int8_t *)rq.inputs[1].data)[1] == 127);
    CHECK(((uint64_t *)rq.inputs[2].data)[0] == UINT64_MAX);
    CHECK(memcmp(rq.inputs[3].data, "\1\0\1", 3) == 0);
    CHECK(rq.inputs[4].n_bytes == 14 && memcmp(rq.inputs[4].data, "\6\0\0\0a\n\xf0\x9f\x98\x80\0\0\0\0", 14) == 0, "%zu", rq.inputs[4].n_bytes);
    CHECK(rq.inputs[5].n_dims == 0 && ((double *)rq.inputs[5].data)[0] == 1e-320);
    CHECK(rq.inputs[6].n_bytes == 0);
    CHECK(rq.outputs[0].is_binary && !rq.outputs[1].is_binary);
    CHECK(rq.session == 7 && rq.session_start && !rq.session_end && rq.timeout_us == 1000);
    for (int i = 0; i < rq.n_inputs; i++)
        CHECK(tensor_check(&rq.inputs[i], &err), "%s", err.text);
}

TEST(what_is_wrong_is_said_with_its_place)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        { "", "an object is wanted" },
        { "{}", "at least one" },
        { "{\"inputs\":[]}", "at least one" },
        { "{\"inputs\":[{}]}", "name, shape and datatype" },
        { IN("\"shape\":[2],\"datatype\":\"FP32\",\"data\":[1]"), "column 64: 1 elements, the shape has 2" },
        { IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1,2]"), "more elements" },
        { IN("\"shape\":[1],\"datatype\":\"FP32\""), "either data" },
        { IN("\"shape\":[1],\"datatype\":\"FP31\",\"data\":[1]"), "'FP31' is not known" },
        { IN("\"shape\":[1],\"datatype\":\"FP16\",\"data\":[1]"), "binary" },
        { IN("\"shape\":[-1],\"datatype\":\"FP32\",\"data\":[1]"), "makes no sense" },
        { IN("\"shape\":[4611686018427387904,4],\"datatype\":\"FP32\",\"data\":[1]"), "makes no sense" },
        { IN("\"shape\":[4611686018427387904],\"datatype\":\"FP32\",\"data\":[1]"), "fewer elements" },
        { IN("\"shape\":[1,1,1,1,1,1,1,1,1],\"datatype\":\"FP32\",\"data\":[1]"), "more than 8 dimensions" },
        { IN("\"shape\":[1.5],\"datatype\":\"FP32\",\"data\":[1]"), "an integer" },
        { IN("\"shape\":[1],\"datatype\":\"INT8\",\"data\":[128]"), "128 does not fit into INT8" },
        { IN("\"shape\":[1],\"datatype\":\"UINT8\",\"data\":[-1]"), "does not fit" },
        { IN("\"shape\":[1],\"datatype\":\"INT32\",\"data\":[1.0]"), "does not fit" },
        { IN("\"shape\":[1],\"datatype\":\"INT64\",\"data\":[9223372036854775808]"), "does not fit" },
        { IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1e39]"), "does not fit" },
        { IN("\"shape\":[1],\"datatype\":\"FP64\",\"data\":[1e400]"), "too large" },
        { IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[01]"), "bad number" },
        { IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[.5]"), "a number is wanted" },
        { IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1.]"), "bad number" },
        { IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[NaN]"), "a number is wanted" },
        { IN("\"shape\":[1],\"datatype\":\"FP32\",\"data\":[\"1\"]"), "a number is wanted" },
        { IN("\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[1]"), "a string" },
        { IN("\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"\\ud800\"]"), "surrogate" },
        { IN("\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"\\u0000\"]"), "zero byte" },
        { IN("\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"\xff\"]"), "UTF-8" },
        { IN("\"shape\":[2,2],\"datatype\":\"INT8\",\"data\":[[1,2],[3]]"), "level 1" },
        { IN("\"shape\":[2,2],\"datatype\":\"INT8\",\"data\":[[1,2,3,4]]"), "level 1" },
        { IN("\"shape\":[2],\"datatype\":\"INT8\",\"data\":[[1],[2]]"), "more levels" },
        { IN("\"shape\":[2,2],\"datatype\":\"INT8\",\"data\":[1,[2,3],4]"), "nested" },
        { IN("\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1],\"shape\":[1]"), "twice" },
        { IN("\"shape\":[1],\"datatype\":\"INT8\",\"parameters\":{\"shared_memory_region\":\"x\"},\"data\":[1]"), "shared memory" },
        { IN("\"shape\":[1],\"datatype\":\"INT8\",\"parameters\":{\"binary_data_size\":1}"), "1 binary bytes, 0 are there" },
        { IN("\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]") "x", "behind the end" },
        { "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]}],\"parameters\":{\"sequence_start\":1}}", "sequence_start" },
        { "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]}],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":3}}]}", "classification" },
        { "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "levels" },
        { "{\n \"inputs\": [\n  {\"name\": 5}]}", "line 3, column 12" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(!read_json(cases[i].text), "case %zu was read", i);
        CHECK(strstr(err.text, cases[i].words), "case %zu: %s", i, err.text);
    }
}

TEST(a_body_that_is_cut_anywhere_is_an_error)
{
    static const char text[] = "{\"id\":\"a\",\"inputs\":[{\"name\":\"f\",\"shape\":[2,2],\"datatype\":\"FP32\",\"data\":[[1,-2.5],[3e2,0.1]],\"parameters\":{\"a\":true}}],\"outputs\":[{\"name\":\"\\u00e9\"}]}";
    CHECK(read_json(text), "%s", err.text);
    for (size_t n = 0; n < strlen(text); n++)
        CHECK(!read_text(text, n, n), "%zu bytes were enough", n);
}

TEST(numbers_are_read_as_strtod_reads_them)
{
    char text[400], number[64];
    for (int i = 0; i < 20000; i++) {
        const uint64_t r = test_rand_u64();
        double v;
        memcpy(&v, &r, sizeof(v));
        if (i % 4 == 0)
            snprintf(number, sizeof(number), "%.*g", (int)(r % 20) + 1, (double)test_rand_f32() * pow(10, (double)(r >> 8 & 63) - 30));
        else if (i % 4 == 1)
            snprintf(number, sizeof(number), "%llu.%03llu", (unsigned long long)(r >> 40), (unsigned long long)(r & 511));
        else if (i % 4 == 2)
            snprintf(number, sizeof(number), "%lld", (long long)r);
        else
            snprintf(number, sizeof(number), "%.17g", v);
        if (strchr(number, 'n') || strchr(number, 'i'))
            continue;
        snprintf(text, sizeof(text), IN("\"shape\":[1],\"datatype\":\"FP64\",\"data\":[%s]"), number);
        REQUIRE(read_json(text), "%s: %s", number, err.text);
        REQUIRE(*(double *)rq.inputs[0].data == strtod(number, NULL), "%s", number);
    }
}

TEST(binary_data_follows_the_json)
{
    char body[512];
    const char *json = "{\"inputs\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":8}},"
                       "{\"name\":\"s\",\"shape\":[1],\"datatype\":\"BYTES\",\"parameters\":{\"binary_data_size\":6}},"
                       "{\"name\":\"h\",\"shape\":[1],\"datatype\":\"FP16\",\"parameters\":{\"binary_data_size\":2}}],\"parameters\":{\"binary_data_output\":true}}";
    const float f[2] = { 1.5f, -2 };
    const size_t n = strlen(json);
    for (int pad = 0; pad < 5; pad++) { /* in place or not, depending on where it lies */
        memset(body, ' ', (size_t)pad);
        memcpy(body + pad, json, n);
        memcpy(body + pad + n, f, 8);
        memcpy(body + pad + n + 8, "\2\0\0\0hi\0\x3c", 8);
        REQUIRE(read_text(body, n + (size_t)pad + 16, n + (size_t)pad), "%s", err.text);
        CHECK(memcmp(rq.inputs[0].data, f, 8) == 0 && (uintptr_t)rq.inputs[0].data % 4 == 0 && rq.inputs[1].n_bytes == 6 && rq.is_binary);
        CHECK(!read_text(body, n + (size_t)pad + 17, n + (size_t)pad) && strstr(err.text, "1 binary bytes behind"), "%s", err.text);
        CHECK(!read_text(body, n + (size_t)pad + 15, n + (size_t)pad) && strstr(err.text, "h: 2 binary bytes, 1"), "%s", err.text);
        body[(size_t)pad + n + 8] = 3;
        CHECK(!read_text(body, n + (size_t)pad + 16, n + (size_t)pad) && strstr(err.text, "s: "), "%s", err.text);
    }
}

TEST(answers_say_what_the_tensors_hold)
{
    struct buf b;
    float f[3] = { 0.1f, -1e30f, 3 };
    const struct tensor t[] = {
        { .name = "f\"", .type = TENSOR_F32, .n_dims = 2, .dims = { 1, 3 }, .data = f, .n_bytes = 12 },
        { .name = "s", .type = TENSOR_STRING, .n_dims = 1, .dims = { 2 }, .data = "\1\0\0\0\"\2\0\0\0\xc3\xa9", .n_bytes = 11 },
        { .name = "b", .type = TENSOR_BOOL, .n_dims = 1, .dims = { 2 }, .data = "\1\0", .n_bytes = 2 },
    };
    const struct tensor h = { .name = "h", .type = TENSOR_F16, .n_dims = 1, .dims = { 1 }, .data = "ab", .n_bytes = 2 };
    buf_init(&b, 1 << 20);
    oip_put_reply_begin(&b, "m", "7", NULL, 0);
    for (int i = 0; i < 3; i++) {
        if (i)
            buf_putc(&b, ',');
        CHECK(oip_put_output(&b, &t[i], false, &err), "%s", err.text);
    }
    buf_putc(&b, ',');
    CHECK(oip_put_output(&b, &h, true, &err), "%s", err.text);
    oip_put_reply_end(&b);
    CHECK(strcmp(b.data, "{\"model_name\":\"m\",\"model_version\":\"1\",\"id\":\"7\",\"outputs\":["
                         "{\"name\":\"f\\\"\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":[0.1,-1e+30,3]},"
                         "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[2],\"data\":[\"\\\"\",\"\xc3\xa9\"]},"
                         "{\"name\":\"b\",\"datatype\":\"BOOL\",\"shape\":[2],\"data\":[true,false]},"
                         "{\"name\":\"h\",\"datatype\":\"FP16\",\"shape\":[1],\"parameters\":{\"binary_data_size\":2}}]}") == 0, "%s", b.data);
    CHECK(!oip_put_output(&b, &h, false, &err) && strstr(err.text, "binary"), "%s", err.text);
    buf_fini(&b);
}

/* ---- protobuf ---- */

typedef Inference__ModelInferRequest__InferInputTensor pb_input;

static bool read_pb(const Inference__ModelInferRequest *m, const char **model, bool *is_raw)
{
    const size_t n = inference__model_infer_request__get_packed_size(m);
    uint8_t *bytes = malloc(n + 1);
    inference__model_infer_request__pack(m, bytes);
    arena_free(arena);
    arena = arena_new(64 << 20, &err);
    err_clear(&err);
    const bool ok = oip_pb_read_infer(&rq, model, is_raw, bytes, n, arena, &err);
    free(bytes);
    return ok;
}

TEST(protobuf_requests_become_the_same_tensors)
{
    const char *model;
    bool is_raw;
    int64_t two = 2, one = 1;
    float f[2] = { 1.5f, -2 };
    int32_t i8[2] = { -128, 127 };
    ProtobufCBinaryData text = { 2, (uint8_t *)"hi" }, raw[2] = { { 8, (uint8_t *)f }, { 6, (uint8_t *)"\2\0\0\0hi" } };
    Inference__InferTensorContents c[3];
    pb_input in[3], *inputs[3];
    static const char *const names[] = { "f", "i", "s" }, *const types[] = { "FP32", "INT8", "BYTES" };
    for (int i = 0; i < 3; i++) {
        inference__infer_tensor_contents__init(&c[i]);
        inference__model_infer_request__infer_input_tensor__init(&in[i]);
        in[i].name = (char *)(uintptr_t)names[i];
        in[i].datatype = (char *)(uintptr_t)types[i];
        in[i].n_shape = 1;
        in[i].shape = i < 2 ? &two : &one;
        in[i].contents = &c[i];
        inputs[i] = &in[i];
    }
    c[0].n_fp32_contents = 2, c[0].fp32_contents = f;
    c[1].n_int_contents = 2, c[1].int_contents = i8;
    c[2].n_bytes_contents = 1, c[2].bytes_contents = &text;
    Inference__ModelInferRequest m = INFERENCE__MODEL_INFER_REQUEST__INIT;
    m.model_name = "m";
    m.id = "7";
    m.n_inputs = 3;
    m.inputs = inputs;
    REQUIRE(read_pb(&m, &model, &is_raw), "%s", err.text);
    CHECK(strcmp(model, "m") == 0 && strcmp(rq.id, "7") == 0 && !is_raw && rq.n_inputs == 3);
    CHECK(memcmp(rq.inputs[0].data, f, 8) == 0 && memcmp(rq.inputs[1].data, "\x80\x7f", 2) == 0 && memcmp(rq.inputs[2].data, "\2\0\0\0hi", 6) == 0);

    i8[1] = 128;
    CHECK(!read_pb(&m, &model, &is_raw) && strstr(err.text, "INT8"), "%s", err.text);
    i8[1] = 127;
    in[1].datatype = "INT16";
    CHECK(read_pb(&m, &model, &is_raw) && rq.inputs[1].n_bytes == 4, "%s", err.text);
    in[1].datatype = "INT64"; /* the contents are in another field: none */
    CHECK(!read_pb(&m, &model, &is_raw) && strstr(err.text, "i: 0 bytes"), "%s", err.text);
    in[1].datatype = "FP16";
    CHECK(!read_pb(&m, &model, &is_raw) && strstr(err.text, "raw_input_contents"), "%s", err.text);
    in[0].name = "\xff";
    CHECK(!read_pb(&m, &model, &is_raw) && strstr(err.text, "UTF-8"), "%s", err.text);
    in[0].name = "f";

    m.n_inputs = 2;
    inputs[1] = &in[2];
    m.n_raw_input_contents = 2;
    m.raw_input_contents = raw;
    CHECK(!read_pb(&m, &model, &is_raw) && strstr(err.text, "both"), "%s", err.text);
    in[0].contents = in[2].contents = NULL;
    CHECK(read_pb(&m, &model, &is_raw) && is_raw && memcmp(rq.inputs[0].data, f, 8) == 0 && (uintptr_t)rq.inputs[0].data % 8 == 0, "%s", err.text);
    raw[0].len = 7;
    CHECK(!read_pb(&m, &model, &is_raw) && strstr(err.text, "7 bytes of data"), "%s", err.text);
    m.n_raw_input_contents = 1;
    CHECK(!read_pb(&m, &model, &is_raw) && strstr(err.text, "1 raw_input_contents for 2"), "%s", err.text);
    m.n_inputs = 0;
    CHECK(!read_pb(&m, &model, &is_raw), "no inputs");
}

TEST(protobuf_noise_is_refused_and_a_bomb_of_empty_messages_meets_the_limit)
{
    const char *model;
    bool is_raw;
    static uint8_t bytes[4 << 20];
    for (int i = 0; i < 3000; i++) {
        const size_t n = test_rand_u64() % 200;
        for (size_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)test_rand_u64();
        struct arena *a = arena_new(1 << 20, &err);
        oip_pb_read_infer(&rq, &model, &is_raw, bytes, n, a, &err);
        arena_free(a);
    }
    for (size_t i = 0; i + 1 < sizeof(bytes); i += 2)
        bytes[i] = 5 << 3 | 2, bytes[i + 1] = 0; /* inputs: one that is empty */
    struct arena *a = arena_new(16 << 20, &err);
    CHECK(!oip_pb_read_infer(&rq, &model, &is_raw, bytes, sizeof(bytes), a, &err) && strstr(err.text, "too large"), "%s", err.text);
    arena_free(a);
}

TEST(protobuf_answers_are_what_protobuf_c_reads)
{
    float f[2] = { 1.5f, -2 };
    int32_t i32[2] = { -1, 300 };
    const struct tensor t[] = {
        { .name = "f", .type = TENSOR_F32, .n_dims = 2, .dims = { 1, 2 }, .data = f, .n_bytes = 8 },
        { .name = "i", .type = TENSOR_I32, .n_dims = 1, .dims = { 2 }, .data = i32, .n_bytes = 8 },
        { .name = "s", .type = TENSOR_STRING, .n_dims = 1, .dims = { 2 }, .data = "\1\0\0\0a\0\0\0\0", .n_bytes = 9 },
        { .name = "b", .type = TENSOR_BOOL, .n_dims = 1, .dims = { 2 }, .data = "\1\0", .n_bytes = 2 },
        { .name = "n", .type = TENSOR_I8, .n_dims = 1, .dims = { 1 }, .data = "\xff", .n_bytes = 1 },
    };
    const struct oip_param p = { .name = "tutti_node", .kind = OIP_TEXT, .text = "local" };
    for (int is_raw = 0; is_raw < 2; is_raw++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        oip_pb_put_reply(&b, "m", "7", &p, 1);
        for (int i = 0; i < 5; i++)
            CHECK(oip_pb_put_output(&b, &t[i], is_raw, &err), "%s", err.text);
        for (int i = 0; i < 5 && is_raw; i++)
            oip_pb_put_raw(&b, &t[i]);
        Inference__ModelInferResponse *m = inference__model_infer_response__unpack(NULL, b.len, (uint8_t *)b.data);
        REQUIRE(m && m->n_outputs == 5 && strcmp(m->model_name, "m") == 0 && strcmp(m->id, "7") == 0);
        CHECK(m->n_parameters == 1 && strcmp(m->parameters[0]->key, "tutti_node") == 0 && strcmp(m->parameters[0]->value->string_param, "local") == 0);
        CHECK(m->outputs[0]->n_shape == 2 && m->outputs[0]->shape[1] == 2 && strcmp(m->outputs[0]->datatype, "FP32") == 0);
        if (is_raw) {
            REQUIRE(m->n_raw_output_contents == 5 && !m->outputs[0]->contents);
            for (int i = 0; i < 5; i++)
                CHECK(m->raw_output_contents[i].len == t[i].n_bytes && memcmp(m->raw_output_contents[i].data, t[i].data, t[i].n_bytes) == 0);
        } else {
            CHECK(m->outputs[0]->contents->n_fp32_contents == 2 && m->outputs[0]->contents->fp32_contents[1] == -2);
            CHECK(m->outputs[1]->contents->n_int_contents == 2 && m->outputs[1]->contents->int_contents[0] == -1 && m->outputs[1]->contents->int_contents[1] == 300);
            CHECK(m->outputs[2]->contents->n_bytes_contents == 2 && m->outputs[2]->contents->bytes_contents[0].len == 1);
            CHECK(m->outputs[3]->contents->n_bool_contents == 2 && m->outputs[3]->contents->bool_contents[0]);
            CHECK(m->outputs[4]->contents->int_contents[0] == -1);
        }
        inference__model_infer_response__free_unpacked(m, NULL);
        buf_fini(&b);
    }
}

BENCH(four_megabytes_of_numbers)
{
    struct buf b;
    buf_init(&b, 8 << 20);
    buf_puts(&b, "{\"inputs\":[{\"name\":\"x\",\"shape\":[400000],\"datatype\":\"FP32\",\"data\":[");
    for (int i = 0; i < 400000; i++)
        buf_printf(&b, i ? ",%.7g" : "%.7g", (double)test_rand_f32());
    buf_puts(&b, "]}]}");
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 9; i++) {
        struct arena *a = arena_new(64 << 20, &err);
        const uint64_t t0 = clock_ns();
        CHECK(oip_read_infer(&rq, b.data, b.len, b.len, a, &err), "%s", err.text);
        const uint64_t t = clock_ns() - t0;
        best = t < best ? t : best;
        arena_free(a);
    }
    printf("# %zu bytes: %.1f ms, %.0f MB/s\n", b.len, (double)best / 1e6, (double)b.len * 1e3 / (double)best);
    buf_fini(&b);
}
