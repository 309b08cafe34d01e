/* tests/serve/test_fanout.c - a picture or a recording with a question, through the whole service: several experts, one answer. */
#define _GNU_SOURCE /* memmem */
#include "service.h"

#include "cluster/cluster.h"
#include "cluster/node_service.h"

#include "media/draw.h"
#include "media/sound.h"
#include "wire/put.h"

enum { URL_MAX = 1 << 20 };

/* A page with a word on it. */
static const char *drawn_picture(void)
{
    static char url[URL_MAX];
    struct image im = { 0 };
    struct err err = { 0 };
    struct buf png, b;
    buf_init(&png, 1 << 20);
    buf_init(&b, URL_MAX - 1);
    CHECK(draw_page("STOP", 24, 200, &im, &err) && image_encode_png(&im, &png, &err), "%s", err.text);
    buf_puts(&b, "data:image/png;base64,");
    put_base64(&b, png.data, png.len);
    snprintf(url, sizeof(url), "%s", b.data);
    image_fini(&im);
    buf_fini(&png);
    buf_fini(&b);
    return url;
}

static const char *short_sound(void)
{
    static char base64[URL_MAX];
    static const float silence[1600];
    struct err err = { 0 };
    struct buf wav, b;
    buf_init(&wav, 1 << 20);
    buf_init(&b, URL_MAX - 1);
    CHECK(sound_encode(SOUND_WAV, silence, 1600, 16000, &wav, &err), "%s", err.text);
    put_base64(&b, wav.data, wav.len);
    snprintf(base64, sizeof(base64), "%s", b.data);
    buf_fini(&wav);
    buf_fini(&b);
    return base64;
}

static struct fake *can(const char *id, unsigned tasks)
{
    struct fake *f = fake_new(id, EXPERT_WARM);
    f->tasks = tasks;
    f->n_ctx = 4096;
    return f;
}

static struct service *start_several(void)
{
    struct fake *const fakes[] = { can("talker", EXPERT_CHAT | EXPERT_COMPLETE), can("reader", EXPERT_OCR), can("finder", EXPERT_DETECT), can("ear", EXPERT_TRANSCRIBE) };
    return start_fakes((struct serve_config){ 0 }, fakes, 4);
}

static struct answer ask_about(const struct service *v, const char *model, const char *question, const char *part, const char *more)
{
    static char body[2 * URL_MAX];
    snprintf(body, sizeof(body), "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":[%s%s%s%s]}]%s}", model, *question ? "{\"type\":\"text\",\"text\":\"" : "",
             question, *question ? "\"}," : "", part, more);
    return post(v, "/v1/chat/completions", body);
}

static const char *picture_part(void)
{
    static char part[URL_MAX + 100];
    snprintf(part, sizeof(part), "{\"type\":\"image_url\",\"image_url\":{\"url\":\"%s\"}}", drawn_picture());
    return part;
}

TEST(a_picture_with_a_question_is_read_and_answered_as_one)
{
    struct service *v = start_several();
    struct answer a = ask_about(v, "auto", "What does the sign say?", picture_part(), "");
    json_t *t = json_of(&a);
    CHECK(a.status == 200 && strcmp(text_at(t, "choices.0.message.content"), "w0 w1 w2 ") == 0, "%d %s", a.status, a.body.data);
    CHECK(strcmp(text_at(t, "tutti.expert"), "fanout") == 0, "%s", a.body.data);
    CHECK(json_array_size(at(t, "tutti.parts")) == 2, "%s", a.body.data);
    CHECK(strcmp(text_at(t, "tutti.parts.0.task"), "ocr") == 0 && strcmp(text_at(t, "tutti.parts.0.expert"), "reader") == 0 &&
          strcmp(text_at(t, "tutti.parts.0.node"), "local") == 0 && strcmp(text_at(t, "tutti.parts.0.text"), "STOP") == 0, "%s", a.body.data);
    CHECK(json_is_number(at(t, "tutti.parts.0.ms")) && at(t, "tutti.parts.0.joules"), "%s", a.body.data);
    CHECK(strcmp(text_at(t, "tutti.parts.1.task"), "chat") == 0 && strcmp(text_at(t, "tutti.parts.1.expert"), "talker") == 0, "%s", a.body.data);
    CHECK(strstr(a.head.data, "tutti-expert: fanout"), "%s", a.head.data);
    CHECK(v->fake[2]->n_done == 0); /* nobody asked for things */
    json_decref(t);
    answer_fini_(&a);
    end(v);
}

TEST(the_stream_ends_with_who_said_what)
{
    struct service *v = start_several();
    struct answer a = ask_about(v, "auto", "How many cars?", picture_part(), ",\"stream\":true");
    const char *parts = strstr(a.body.data, "\"parts\":[");
    CHECK(a.status == 200 && parts && strstr(parts, "\"task\":\"detect\"") && strstr(parts, "\"expert\":\"finder\"") && strstr(parts, "[DONE]"), "%s", a.body.data);
    CHECK(strstr(a.body.data, "w0 ") < parts);
    answer_fini_(&a);
    end(v);
}

TEST(a_recording_is_written_down_and_answered_also_when_no_model_is_named)
{
    static char part[URL_MAX + 100];
    struct service *v = start_several();
    snprintf(part, sizeof(part), "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"%s\",\"format\":\"wav\"}}", short_sound());
    struct answer a = ask_about(v, "", "summarise this", part, "");
    json_t *t = json_of(&a);
    CHECK(a.status == 200 && strcmp(text_at(t, "tutti.parts.0.task"), "transcribe") == 0 && strcmp(text_at(t, "tutti.parts.0.text"), "w0 <x>") == 0, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    check_error(ask_about(v, "talker", "summarise this", part, ""), 400, "unsupported_value", "one that hears nothing");
    check_error(ask_about(v, "auto", "hm", "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"aGk=\",\"format\":\"wav\"}}", ""), 400, "invalid_value", "no sound");
    end(v);
}

TEST(text_alone_is_never_taken_apart)
{
    struct service *v = start_several();
    struct answer a = post(v, "/v1/chat/completions", "{\"model\":\"auto\",\"messages\":[{\"role\":\"user\",\"content\":\"words 2 0\"}]}");
    json_t *t = json_of(&a);
    CHECK(a.status == 200 && strcmp(text_at(t, "tutti.expert"), "talker") == 0 && !at(t, "tutti.parts"), "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    end(v);
}

TEST(a_branch_without_its_library_is_said_and_the_answer_comes)
{
    struct service *v = start_several();
    v->fake[1]->is_lost = true;
    struct answer a = ask_about(v, "auto", "read it and count the cars", picture_part(), "");
    json_t *t = json_of(&a);
    CHECK(a.status == 200 && json_array_size(at(t, "tutti.parts")) == 3, "%s", a.body.data);
    CHECK(strstr(a.body.data, "a library is not here") && strstr(a.body.data, "\"task\":\"detect\""), "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    end(v);
}

TEST(a_detector_at_another_node_is_a_branch_and_says_where_it_is)
{
    struct err err = { 0 };
    char url[120];
    struct member there;
    struct serve_node node = { .name = "there", .life = node_draw_life(), .listens = true, .machine_json = "{}" }, here = { .name = "here", .life = node_draw_life(), .machine_json = "{}" };
    REQUIRE(net_addr_parse(&node.listen, "127.0.0.1:0", &err), "%s", err.text);
    struct fake *const finders[] = { can("finder", EXPERT_DETECT) }, *const talkers[] = { can("talker", EXPERT_CHAT | EXPERT_COMPLETE) };
    struct service *other = start_fakes((struct serve_config){ .node = &node }, finders, 1);
    snprintf(url, sizeof(url), "http://%s", serve_node_addr(other->s)->text);
    struct cluster_config k = { .self = "here", .self_life = here.life, .n_seeds = 1, .seeds = { url } };
    struct cluster *c = here.cluster = cluster_new(&k, &err);
    REQUIRE(c != NULL, "%s", err.text);
    cluster_wait(c, 60000);
    struct service *v = start_fakes((struct serve_config){ .node = &here }, talkers, 1);
    bool is_there = false;
    for (int i = 0; i < 600 && !is_there; i++) { /* until the router knows */
        struct answer a = ask_about(v, "auto", "How many cars?", picture_part(), "");
        json_t *t = json_of(&a);
        is_there = a.status == 200 && strcmp(text_at(t, "tutti.parts.0.node"), "there") == 0;
        if (is_there || i == 599)
            CHECK(is_there && strcmp(text_at(t, "tutti.expert"), "fanout") == 0 && strcmp(text_at(t, "tutti.parts.0.expert"), "finder") == 0,
                  "%d %s", a.status, a.body.data);
        json_decref(t);
        answer_fini_(&a);
        if (!is_there)
            usleep(50000);
    }
    CHECK(is_there && finders[0]->n_done >= 1);
    CHECK(cluster_get_members(c, &there, 1) == 1 && there.jobs_total >= 1 && there.bytes_out_total > 100 && there.bytes_in_total > 100, "%llu jobs, %llu bytes", (unsigned long long)there.jobs_total,
          (unsigned long long)there.bytes_out_total);
    end(v);
    cluster_free(c);
    end(other);
}
