/* tests/task/test_faces.c - faces are cut out upright, told apart and remembered; on generated graphs, and the store alone. */
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <time.h>

#include "faces_graph.h"
#include "look.h"
#include "task/faces_store.h"

static const char *here(void)
{
    static char dir[512];
    snprintf(dir, sizeof dir, "%s", test_tmp("x"));
    *strrchr(dir, '/') = '\0';
    return dir;
}

TEST(a_face_is_known_again_whichever_way_up)
{
    static uint8_t px[SIDE * SIDE * 3];
    struct look l = { 0 };
    char data[600], store[700];
    struct err err = { 0 };
    finder_model(test_tmp("find.onnx"));
    embedding_model(test_tmp("embed.onnx"));
    snprintf(data, sizeof data, "%s/data", here());
    l.env.data_dir = data;
    REQUIRE(look_open_text(&l, FACES_CARD, here()), "%s", l.err.text);
    CHECK(task_get_info(l.task)->tasks & EXPERT_EMBED_IMAGE);

    draw(px, 0, red, blue);  /* upright: red above blue */
    draw(px, 1, red, blue);  /* upside down: the same face */
    REQUIRE(look_at_pixels(&l, EXPERT_FACES, px, SIDE, SIDE, (struct task_options){ 0 }), "%s", l.err.text);
    CHECK(l.seen.n_boxes == 2 && l.seen.boxes[0].name[0] == '\0' && strstr(l.seen.note, "tutti face add"), "%s", l.seen.note);

    REQUIRE(look_at_pixels(&l, EXPERT_EMBED_IMAGE, px, SIDE, SIDE, (struct task_options){ 0 }), "%s", l.err.text);
    REQUIRE(l.seen.n_vector == 6);
    const float *v = l.seen.vector;
    CHECK(v[0] > 0.6f && v[5] > 0.6f && v[1] < 0.2f && v[4] < 0.2f, "red above, blue below: %.2f %.2f | %.2f %.2f", (double)v[0], (double)v[1], (double)v[4], (double)v[5]);

    REQUIRE(faces_store_path(data, "who", store, sizeof store, &err) && faces_store_add(store, "Ann", v, 6, &err), "%s", err.text);
    REQUIRE(look_at_pixels(&l, EXPERT_FACES, px, SIDE, SIDE, (struct task_options){ 0 }), "%s", l.err.text);
    for (int i = 0; i < 2; i++)
        CHECK(strcmp(l.seen.boxes[i].name, "Ann") == 0 && l.seen.boxes[i].name_score > 0.97f, "face %d: '%s' %.3f", i, l.seen.boxes[i].name, (double)l.seen.boxes[i].name_score);

    draw(px, 1, green, blue); /* somebody else on the right */
    REQUIRE(look_at_pixels(&l, EXPERT_FACES, px, SIDE, SIDE, (struct task_options){ 0 }), "%s", l.err.text);
    int n_known = 0;
    for (int i = 0; i < 2; i++)
        if (l.seen.boxes[i].name[0]) {
            n_known++;
            CHECK(l.seen.boxes[i].x < 32, "Ann is on the left");
        }
    CHECK(n_known == 1, "%d", n_known);

    int n_removed;
    REQUIRE(faces_store_remove(store, "Ann", &n_removed, &err) && n_removed == 1, "%s", err.text);
    REQUIRE(look_at_pixels(&l, EXPERT_FACES, px, SIDE, SIDE, (struct task_options){ 0 }), "%s", l.err.text);
    CHECK(l.seen.boxes[0].name[0] == '\0' && l.seen.boxes[1].name[0] == '\0', "forgotten at once");
    look_close(&l);
}

TEST(embeddings_of_another_model_are_refused_by_name)
{
    static uint8_t px[SIDE * SIDE * 3];
    struct look l = { 0 };
    char data[600], store[700];
    struct err err = { 0 };
    finder_model(test_tmp("find.onnx"));
    embedding_model(test_tmp("embed.onnx"));
    snprintf(data, sizeof data, "%s/data2", here());
    l.env.data_dir = data;
    REQUIRE(faces_store_path(data, "who", store, sizeof store, &err) && faces_store_add(store, "Ann", (float[]){ 1, 2 }, 2, &err), "%s", err.text);
    REQUIRE(look_open_text(&l, FACES_CARD, here()), "%s", l.err.text);
    CHECK(!look_at_pixels(&l, EXPERT_FACES, px, SIDE, SIDE, (struct task_options){ 0 }) && strstr(l.err.text, "another model"), "%s", l.err.text);
    CHECK(!faces_store_add(store, "Bob", (float[]){ 1, 2, 3 }, 3, &err) && strstr(err.text, "another model"), "%s", err.text);
    look_close(&l);
}

/* ---- the store ---- */

TEST(faces_are_kept_listed_and_removed)
{
    char path[700];
    struct err err = { 0 };
    struct faces_store s;
    float cosine;
    int n;
    snprintf(path, sizeof path, "%s/a/b/faces.tsv", here());
    REQUIRE(faces_store_load(&s, path, &err) && s.n == 0, "%s", err.text);
    CHECK(!faces_store_nearest(&s, (float[]){ 1 }, 1, &cosine));
    REQUIRE(faces_store_add(path, "Ann Lee", (float[]){ 3, 4, 0 }, 3, &err), "%s", err.text);
    REQUIRE(faces_store_add(path, "Bob", (float[]){ 0, 0, 7 }, 3, &err), "%s", err.text);
    REQUIRE(faces_store_add(path, "Ann Lee", (float[]){ 1, 0, 0 }, 3, &err), "%s", err.text);
    REQUIRE(faces_store_load(&s, path, &err), "%s", err.text);
    CHECK(s.n == 3 && s.n_values == 3 && fabsf(s.faces[0].values[1] - 0.8f) < 1e-6f);
    const struct face *f = faces_store_nearest(&s, (float[]){ 6, 8, 0 }, 3, &cosine);
    CHECK(f && strcmp(f->name, "Ann Lee") == 0 && fabsf(cosine - 1) < 1e-5f);
    f = faces_store_nearest(&s, (float[]){ 0, 1, 9 }, 3, &cosine);
    CHECK(f && strcmp(f->name, "Bob") == 0);
    CHECK(!faces_store_nearest(&s, (float[]){ 1, 1 }, 2, &cosine));
    faces_store_fini(&s);
    REQUIRE(faces_store_remove(path, "Ann Lee", &n, &err) && n == 2, "%s", err.text);
    REQUIRE(faces_store_remove(path, "Nobody", &n, &err) && n == 0, "%s", err.text);
    REQUIRE(faces_store_load(&s, path, &err) && s.n == 1);
    faces_store_fini(&s);
    struct stat st;
    CHECK(stat(path, &st) == 0);
}

TEST(names_and_files_that_make_no_sense_are_refused)
{
    static const char *const files[] = { "Ann\n", "Ann\t\n", "Ann\t1 x\n", "Ann\t1 2\nBob\t1\n", "Ann\t1\nBob\t1 2\n", "\t1 2\n", "Ann\tnan\n", "Ann\t1e999\n" };
    static const char *const names[] = { "", "a\tb", "a\nb", "\xff", "0123456789012345678901234567890123456789012345678901234567890123" };
    struct err err = { 0 };
    struct faces_store s;
    char path[600], out[100];
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(path, sizeof path, "%s", test_tmp("bad.tsv"));
        FILE *f = fopen(path, "w");
        REQUIRE(f);
        fputs(files[i], f);
        fclose(f);
        CHECK(!faces_store_load(&s, path, &err) && strstr(err.text, "bad.tsv:"), "%d: %s", (int)i, err.text);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        CHECK(!faces_store_check_name(names[i], &err), "%d", (int)i);
    CHECK(faces_store_check_name("J\xc3\xbcrgen O'Neil", &err), "%s", err.text);
    CHECK(!faces_store_add(test_tmp("z.tsv"), "Ann", (float[]){ 0, 0 }, 2, &err));
    CHECK(!faces_store_path(NULL, "who", out, sizeof out, &err) && !faces_store_path("/d", "../x", out, sizeof out, &err));
}
