/* tests/task/test_motion_task.c - the motion expert: frames of a session, clips, regions, cards that are wrong. */
#include "media/image.h"
#include "task/task.h"
#include "try_task.h"

enum { W = 160, H = 120 };

static void draw(uint8_t *px, int n_channels, int x)
{
    for (int i = 0; i < W * H * n_channels; i++) {
        const int u = i / n_channels % W, v = i / n_channels / W;
        px[i] = (uint8_t)(60 + u / 4 + v / 4 + (x >= 0 && u >= x && u < x + 30 && v >= 40 && v < 90 ? 80 : 0));
    }
}

static bool put_frame(struct try_task *t, uint64_t session, int n_channels, int x, bool is_last)
{
    static uint8_t px[W * H * 3];
    draw(px, n_channels, x);
    const struct task_media m = { .form = n_channels == 1 ? MEDIA_GREY8 : MEDIA_RGB8, .bytes = px, .n_bytes = (size_t)(W * H * n_channels), .width_px = W, .height_px = H };
    const struct task_request rq = { .task = EXPERT_MOTION, .media = &m, .n_media = 1, .session = session, .session_end = is_last, .options.wants_scores = true };
    return try_run(t, &rq);
}

static const char card[] = "name: eye\ntask: motion\nkind: motion\nfps: 10\nregions:\n  left: [0, 0, 0.5, 1]\n  right: [0.5, 0, 0.5, 1]\n";

TEST(frames_of_a_camera_are_compared_with_its_own_past)
{
    struct try_task t;
    TRY_OPEN(&t, card, NULL);
    for (int k = 0; k < 30; k++) { /* two cameras in turn; something comes into the first one only */
        REQUIRE(put_frame(&t, 1, 1, k >= 20 ? 100 : -1, false), "%s", t.err.text);
        CHECK((strstr(t.json.data, "\"motion\"") != NULL) == (k >= 20), "frame %d: %s", k, t.json.data);
        CHECK((strstr(t.json.data, "learning") != NULL) == (k > 0 && k < 10), "frame %d: %s", k, t.json.data);
        REQUIRE(put_frame(&t, 2, 3, -1, k == 29), "%s", t.err.text);
        CHECK(!strstr(t.json.data, "\"motion\""), "frame %d: %s", k, t.json.data);
    }
    REQUIRE(put_frame(&t, 1, 1, 100, false), "%s", t.err.text);
    CHECK(strstr(t.json.data, "\"left\",\"score\":0}") && !strstr(t.json.data, "\"right\",\"score\":0}"), "%s", t.json.data);
    CHECK(strstr(t.json.data, "\"box\":[100,40,30,50]"), "%s", t.json.data);
    try_close(&t);
}

TEST(a_clip_has_segments)
{
    struct try_task t;
    TRY_OPEN(&t, card, NULL);
    static uint8_t px[8][W * H];
    struct task_media m[8];
    for (int k = 0; k < 8; k++) {
        draw(px[k], 1, k >= 3 && k < 6 ? 20 : -1);
        m[k] = (struct task_media){ .form = MEDIA_GREY8, .bytes = px[k], .n_bytes = W * H, .width_px = W, .height_px = H };
    }
    struct task_request rq = { .task = EXPERT_MOTION, .media = m, .n_media = 8 };
    REQUIRE(try_run(&t, &rq), "%s", t.err.text);
    CHECK(strstr(t.json.data, "\"start\":0.3,\"end\":0.6"), "%s", t.json.data);
    rq.n_media = 3;
    REQUIRE(try_run(&t, &rq), "%s", t.err.text);
    CHECK(!strstr(t.json.data, "\"start\""), "%s", t.json.data);
    const struct task_media bad[] = { { .form = MEDIA_ENCODED, .bytes = "\xFF\xD8\xFF\xE0 cut", .n_bytes = 8 }, { .form = MEDIA_ENCODED, .bytes = "no picture", .n_bytes = 10 },
                                      { .form = MEDIA_F32, .bytes = px, .n_bytes = 400, .rate_hz = 16000 } };
    for (int i = 0; i < 3; i++) {
        const struct task_request wrong = { .task = EXPERT_MOTION, .media = &bad[i], .n_media = 1 };
        CHECK(!try_run(&t, &wrong) && t.err.code == ERR_INPUT && t.err.text[0], "%d: %s", i, t.err.text);
    }
    try_close(&t);
}

TEST(a_wrong_card_is_said_where_it_is_wrong)
{
    static const struct { const char *yaml, *at; } wrong[] = {
        { "task: motion\nkind: motion\nthresold: 5\n", "test.yaml:3:1" },
        { "task: motion\nkind: motion\nregions:\n  door: [0.5, 0.5, 2, 1]\n", "test.yaml:4:" },
        { "task: motion\nkind: motion\nregions:\n  door: [0.5, 0.5]\n", "test.yaml:4:" },
        { "task: motion\nkind: motion\nfps: 0\n", "test.yaml:3:" },
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct try_task t;
        CHECK(!try_open(&t, wrong[i].yaml, NULL) && t.err.code == ERR_INPUT && strstr(t.err.text, wrong[i].at), "%zu: %s", i, t.err.text);
        try_close(&t);
    }
}

TEST(the_man_in_the_clip_is_one_segment)
{
    struct try_task t;
    TRY_OPEN(&t, "task: motion\nkind: motion\nfps: 2\n", NULL);
    const char *file = test_shared("models/media/video/person_walk_2fps.mjpeg");
    if (!try_file(&t, EXPERT_MOTION, file) && t.err.code == ERR_UNSUPPORTED)
        SKIP("%s", t.err.text);
    REQUIRE(!t.err.code, "%s", t.err.text);
    double from = 0, to = 0;
    const char *at = strstr(t.json.data, "\"segments\":[{\"start\":");
    REQUIRE(at && sscanf(at, "\"segments\":[{\"start\":%lf,\"end\":%lf", &from, &to) == 2, "%s", t.json.data);
    CHECK(from >= 4 && from <= 5 && to >= 15 && to <= 18 && !strstr(at + 15, "\"start\""), "%s", at);
    try_close(&t);
}
