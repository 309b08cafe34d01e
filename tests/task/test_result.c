/* tests/task/test_result.c - what applies appears, what does not stays away, odd numbers do no harm. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "task/result.h"
#include "test.h"

static json_t *as_json(const struct task_result *r)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    task_result_put_json(&b, r);
    json_t *j = b.data ? json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    buf_fini(&b);
    return j;
}

TEST(boxes_and_labels_have_the_documented_shape)
{
    const struct result_label labels[] = { { "tabby \"cat\"", 0.75f } };
    const struct result_box boxes[] = { { .label = "cat", .score = 0.5f, .x = 1, .y = 2.25f, .w = 30, .h = 40, .n_points = 1, .points = { { 5, 6 } } } };
    json_t *j = as_json(&(struct task_result){ .labels = labels, .n_labels = 1, .boxes = boxes, .n_boxes = 1, .width_px = 640, .height_px = 480 });
    REQUIRE(j);
    json_t *box = json_array_get(json_object_get(j, "boxes"), 0), *rect = json_object_get(box, "box");
    CHECK(strcmp(json_string_value(json_object_get(json_array_get(json_object_get(j, "labels"), 0), "label")), "tabby \"cat\"") == 0);
    CHECK(json_array_size(rect) == 4 && json_number_value(json_array_get(rect, 2)) == 30);
    CHECK(json_array_size(json_object_get(box, "points")) == 1 && !json_object_get(box, "name"));
    CHECK(!json_object_get(j, "text") && !json_object_get(j, "segments") && json_number_value(json_object_get(j, "width")) == 640);
    json_decref(j);
}

TEST(nothing_found_is_an_empty_list_not_an_absent_one)
{
    const struct result_box none = { 0 };
    json_t *j = as_json(&(struct task_result){ .boxes = &none, .n_boxes = 0 });
    CHECK(json_is_array(json_object_get(j, "boxes")) && json_array_size(json_object_get(j, "boxes")) == 0);
    json_decref(j);
}

TEST(heard_words_have_times_and_read_words_have_boxes)
{
    const struct result_word words[] = { { .text = "a", .score = 1, .start_s = 0.5, .end_s = 1 }, { .text = "b", .x = 1, .y = 2, .w = 3, .h = 4, .line = 2 } };
    const struct result_segment segments[] = { { .start_s = 0, .end_s = 2.5, .text = "a b" } };
    json_t *j = as_json(&(struct task_result){ .text = "a b", .words = words, .n_words = 2, .segments = segments, .n_segments = 1 });
    json_t *heard = json_array_get(json_object_get(j, "words"), 0), *read = json_array_get(json_object_get(j, "words"), 1);
    CHECK(json_number_value(json_object_get(heard, "end")) == 1 && !json_object_get(heard, "box"));
    CHECK(json_integer_value(json_object_get(read, "line")) == 2 && !json_object_get(read, "start"));
    CHECK(json_number_value(json_object_get(json_array_get(json_object_get(j, "segments"), 0), "end")) == 2.5);
    json_decref(j);
}

TEST(numbers_that_are_none_become_null)
{
    const float v[] = { 1, NAN, -INFINITY };
    json_t *j = as_json(&(struct task_result){ .vector = v, .n_vector = 3 });
    CHECK(json_is_null(json_array_get(json_object_get(j, "embedding"), 1)) && json_is_null(json_array_get(json_object_get(j, "embedding"), 2)));
    json_decref(j);
}

TEST(people_get_lines)
{
    struct buf b;
    buf_init(&b, 1 << 12);
    task_result_put_text(&b, &(struct task_result){ 0 });
    CHECK(strcmp(b.data, "nothing found\n") == 0);
    buf_clear(&b);
    task_result_put_text(&b, &(struct task_result){ .text = "EXIT 24 Main Street" });
    CHECK(strcmp(b.data, "EXIT 24 Main Street\n") == 0);
    buf_fini(&b);
}

TEST(a_page_is_printed_by_its_lines)
{
    const struct result_word words[] = { { .text = "Bread", .w = 9, .line = 0 }, { .text = "2.40", .w = 9, .line = 0 }, { .text = "TOTAL", .w = 9, .line = 1 } };
    const struct result_box boxes[] = { { .label = "Bread 2.40", .w = 20 }, { .label = "TOTAL", .w = 9 } };
    struct buf b;
    buf_init(&b, 1000);
    task_result_put_text(&b, &(struct task_result){ .text = "Bread 2.40 TOTAL", .words = words, .n_words = 3, .boxes = boxes, .n_boxes = 2 });
    CHECK(strcmp(b.data, "Bread 2.40\nTOTAL\n") == 0, "%s", b.data);
    buf_fini(&b);
}
