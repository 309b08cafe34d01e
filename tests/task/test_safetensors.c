/* tests/task/test_safetensors.c - tables are found; heads that lie are refused. */
#include <string.h>

#include "task/safetensors.h"
#include "test.h"

static size_t file_of(uint8_t *out, const char *head, const void *data, size_t n_data)
{
    const size_t n = strlen(head);
    memset(out, 0, 8);
    out[0] = (uint8_t)n, out[1] = (uint8_t)(n >> 8);
    memcpy(out + 8, head, n);
    memcpy(out + 8 + n, data, n_data);
    return 8 + n + n_data;
}

TEST(tensors_are_found_by_name_with_type_and_shape)
{
    uint8_t file[512];
    const float values[6] = { 1, 2, 3, 4, 5, 6 };
    const size_t n = file_of(file, "{\"__metadata__\":{\"format\":\"pt\"},\"t\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}",
                             values, sizeof(values));
    struct safetensors s;
    struct err err = { 0 };
    REQUIRE(safetensors_parse(&s, file, n, &err), "%s", err.text);
    const struct tensor *t = safetensors_find(&s, "t");
    REQUIRE(t && t->type == TENSOR_F32 && t->n_dims == 2 && t->dims[0] == 2 && t->dims[1] == 3);
    float row[3];
    safetensors_row(t, 3, 3, row);
    CHECK(row[0] == 4 && row[2] == 6 && !safetensors_find(&s, "u"));
    safetensors_close(&s);
    const uint16_t halves[2] = { 0x3c00, 0xc000 };
    const size_t k = file_of(file, "{\"h\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[0,4]}}", halves, 4);
    REQUIRE(safetensors_parse(&s, file, k, &err), "%s", err.text);
    safetensors_row(safetensors_find(&s, "h"), 0, 2, row);
    CHECK(row[0] == 1 && row[1] == -2);
    safetensors_close(&s);
}

TEST(heads_that_lie_are_refused)
{
    static const char *const heads[] = {
        "[]", "{", "{\"t\":3}", "{\"t\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,25]}}",
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,28]}}", "{\"t\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,8]}}", "{\"t\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,4],\"data_offsets\":[0,8]}}",
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}",
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}}",
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"t\":1}",
    };
    for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
        uint8_t file[512];
        const uint8_t data[24] = { 0 };
        struct safetensors s;
        struct err err = { 0 };
        const size_t n = file_of(file, heads[i], data, sizeof(data));
        CHECK(!safetensors_parse(&s, file, n, &err) && err.code == ERR_INPUT, "%s", heads[i]);
    }
    uint8_t tiny[9] = { 255, 255, 255, 255, 255, 255, 255, 255, '{' };
    struct safetensors s;
    struct err err = { 0 };
    for (size_t n = 0; n <= sizeof(tiny); n++)
        CHECK(!safetensors_parse(&s, tiny, n, &err), "%zu", n);
}
