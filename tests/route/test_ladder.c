/* tests/route/test_ladder.c - who stands on which rung; tables that make no sense are refused. */
#include "route/ladder.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "test.h"

static struct ladders *read_ladders(const char *dir, struct err *err)
{
    struct catalog *c = catalog_new(dir, err);
    struct ladders *l = c ? ladders_new(c, err) : NULL;
    catalog_free(c);
    return l;
}

/* The seeds' ladders (seed 003, "Edge degradation ladders"). */
static const struct {
    const char *what;
    unsigned tasks;
    double params;
    float bits;
    int px;
    const char *kind;
    bool is_accelerated;
    enum expert_privacy privacy;
    int step;
} cases[] = {
    { "8B Q4", EXPERT_CHAT, 8.03e9, 4.85f, 0, "llm", false, EXPERT_LOCAL, 0 },
    { "70B", EXPERT_CHAT, 70.6e9, 4.85f, 0, "server", true, EXPERT_LOCAL, 0 },
    { "small Q4", EXPERT_CHAT, 1.5e9, 4.85f, 0, "llm", false, EXPERT_LOCAL, 1 },
    { "small Q8", EXPERT_COMPLETE, 0.5e9, 8.5f, 0, "llm", false, EXPERT_LOCAL, 1 },
    { "small Q3", EXPERT_CHAT, 1.5e9, 3.91f, 0, "llm", false, EXPERT_LOCAL, 2 },
    { "small IQ2", EXPERT_CHAT, 1.5e9, 2.5f, 0, "llm", false, EXPERT_LOCAL, 2 },
    { "an 8B in 3 bits is still large", EXPERT_CHAT, 8.03e9, 3.91f, 0, "llm", false, EXPERT_LOCAL, 0 },
    { "remote", EXPERT_CHAT, 0, 0, 0, "remote", false, EXPERT_CLOUD, 3 },
    { "remote 8B", EXPERT_CHAT, 8e9, 16, 0, "remote", false, EXPERT_LAN, 3 },
    { "nothing known", EXPERT_CHAT, 0, 0, 0, "", false, EXPERT_LOCAL, 0 },
    { "640 on a stick", EXPERT_DETECT, 0, 8, 640, "edgetpu", true, EXPERT_LOCAL, 0 },
    { "512 on a stick", EXPERT_DETECT, 0, 8, 512, "edgetpu", true, EXPERT_LOCAL, 1 },
    { "320 on a stick", EXPERT_DETECT, 0, 8, 320, "edgetpu", true, EXPERT_LOCAL, 2 },
    { "CPU int8", EXPERT_DETECT, 0, 8, 320, "onnx", false, EXPERT_LOCAL, 3 },
    { "CPU fp32 of 320", EXPERT_DETECT, 0, 32, 320, "onnx", false, EXPERT_LOCAL, 2 },
    { "CPU int8 of 640", EXPERT_DETECT, 0, 8, 640, "onnx", false, EXPERT_LOCAL, 0 },
    { "pictures elsewhere", EXPERT_DETECT, 0, 0, 640, "remote", false, EXPERT_LAN, 4 },
    { "whisper base", EXPERT_TRANSCRIBE, 74e6, 8, 0, "onnx", false, EXPERT_LOCAL, 0 },
    { "whisper tiny", EXPERT_TRANSCRIBE, 39e6, 8, 0, "onnx", false, EXPERT_LOCAL, 1 },
    { "tiny, int8 and fp16", EXPERT_TRANSCRIBE, 39e6, 12, 0, "onnx", false, EXPERT_LOCAL, 2 },
    { "a classical recogniser", EXPERT_TRANSCRIBE, 0, 0, 0, "pocketsphinx", false, EXPERT_LOCAL, 2 },
    { "a server that hears", EXPERT_TRANSCRIBE, 1.5e9, 16, 0, "remote", false, EXPERT_LAN, 3 },
    { "neural voice", EXPERT_SPEAK, 20e6, 32, 0, "onnx", false, EXPERT_LOCAL, 0 },
    { "neural voice, int8", EXPERT_SPEAK, 20e6, 8, 0, "onnx", false, EXPERT_LOCAL, 1 },
    { "espeak", EXPERT_SPEAK, 0, 0, 0, "espeak", false, EXPERT_LOCAL, 2 },
    { "flite", EXPERT_SPEAK, 0, 0, 0, "flite", false, EXPERT_LOCAL, 2 },
    { "a server that speaks", EXPERT_SPEAK, 0, 0, 0, "remote", false, EXPERT_CLOUD, 3 },
    { "bge base", EXPERT_EMBED, 110e6, 32, 0, "onnx", false, EXPERT_LOCAL, 0 },
    { "MiniLM", EXPERT_EMBED, 22e6, 32, 0, "onnx", false, EXPERT_LOCAL, 1 },
    { "static table", EXPERT_EMBED, 0, 0, 0, "static", false, EXPERT_LOCAL, 2 },
};

TEST(experts_stand_where_the_seeds_ladders_have_them)
{
    struct err err = { 0 };
    struct ladders *l = read_ladders(NULL, &err);
    REQUIRE(l, "%s", err.text);
    const struct route_node here = { .name = "local", .distance = EXPERT_LOCAL };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct candidate c = { .tasks = cases[i].tasks, .cls = route_class_of(cases[i].tasks), .params = cases[i].params, .bits = cases[i].bits,
                               .input_px = cases[i].px, .is_accelerated = cases[i].is_accelerated, .privacy = cases[i].privacy };
        snprintf(c.kind, sizeof(c.kind), "%s", cases[i].kind);
        ladder_place(l, &here, &c);
        CHECK(c.step == cases[i].step, "%s: step %d, not %d", cases[i].what, c.step, cases[i].step);
    }
    ladders_free(l);
}

TEST(what_runs_on_its_own_node_is_not_elsewhere)
{
    struct err err = { 0 };
    struct ladders *l = read_ladders(NULL, &err);
    REQUIRE(l, "%s", err.text);
    const struct route_node jetson = { .name = "jetson", .distance = EXPERT_LAN }; /* it has a governor of its own */
    struct candidate c = { .cls = ROUTE_CLASS_LLM, .tasks = EXPERT_CHAT, .params = 1.5e9, .bits = 4.85f, .privacy = EXPERT_LAN };
    ladder_place(l, &jetson, &c);
    CHECK(c.step == 1, "%d", c.step);
    ladders_free(l);
}

TEST(every_class_has_a_ladder_and_every_cause_a_rule)
{
    struct err err = { 0 };
    struct ladders *l = read_ladders(NULL, &err);
    REQUIRE(l, "%s", err.text);
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++) {
        CHECK(l->n_steps[c] >= 3, "%s", route_class_name((enum route_class)c));
        for (int s = 0; s < l->n_steps[c]; s++)
            CHECK(ladder_step_what(l, (enum route_class)c, s)[0]);
    }
    for (int k = 0; k < GOVERNOR_CAUSE_COUNT; k++)
        CHECK(l->rules[k].is_there, "%s", governor_cause_name((enum governor_cause)k));
    /* what the seeds say of the order */
    const struct governor_rule *memory = &l->rules[GOVERNOR_MEMORY], *heat = &l->rules[GOVERNOR_HEAT], *battery = &l->rules[GOVERNOR_BATTERY];
    CHECK(memory->path[0] == ROUTE_KNOB_CONTEXT && memory->path[1] == ROUTE_KNOB_INPUT, "RAM low: context and resolution before the model");
    CHECK(heat->path[0] == ROUTE_KNOB_BATCH && heat->path[1] == ROUTE_KNOB_THREADS, "heat: batch and threads before the model");
    CHECK(battery->path[0] == ROUTE_KNOB_TIER && fabsf(battery->down - 0.2f) < 1e-6f, "battery under 20 %%: small models");
    ladders_free(l);
}

TEST(a_user_changes_a_threshold_and_adds_a_rung)
{
    struct err err = { 0 };
    char path[400];
    const char *dir = test_tmp("catalog");
    mkdir(dir, 0755);
    snprintf(path, sizeof(path), "%s/governor.csv", dir);
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    fputs("name,down,source,date\nbattery,0.25,mine,2026-11-21\n", f);
    fclose(f);
    snprintf(path, sizeof(path), "%s/ladder.csv", dir);
    f = fopen(path, "w");
    REQUIRE(f);
    fputs("name,class,n_step,what,kinds,where,source,date\ntts robot,tts,4,a robot,robot,local,mine,2026-11-21\n", f);
    fclose(f);
    struct ladders *l = read_ladders(dir, &err);
    REQUIRE(l, "%s", err.text);
    CHECK(fabsf(l->rules[GOVERNOR_BATTERY].down - 0.25f) < 1e-6f && l->rules[GOVERNOR_BATTERY].n_path > 0);
    CHECK(l->n_steps[ROUTE_CLASS_TTS] == 5 && strcmp(ladder_step_what(l, ROUTE_CLASS_TTS, 4), "a robot") == 0);
    ladders_free(l);
}

TEST(rows_that_make_no_sense_are_refused_by_name)
{
    static const struct {
        const char *table, *head, *row, *why;
    } bad[] = {
        { "governor", "name,path,source,date", "heat,threads sideways,x,2026", "path is words" },
        { "governor", "name,path,source,date", "heat,threads threads threads threads,x,2026", "no such depth" },
        { "governor", "name,up,source,date", "heat,1,x,2026", "urgent <= down <= up" },
        { "governor", "name,path,source,date", "threads,0.5 1,x,2026", "fall from 1" },
        { "governor", "name,what,source,date", "hunger,cause,x,2026", "no such cause" },
        { "ladder", "name,class,n_step,where,source,date", "x,llm,6,local,x,2026", "no step 4" },
        { "ladder", "name,class,n_step,where,source,date", "x,songs,0,local,x,2026", "no such class" },
        { "ladder", "name,class,n_step,where,source,date", "x,llm,1,moon,x,2026", "where is" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = { 0 };
        char dir[300], path[400], name[20];
        snprintf(name, sizeof(name), "bad%zu", i);
        snprintf(dir, sizeof(dir), "%s", test_tmp(name));
        mkdir(dir, 0755);
        snprintf(path, sizeof(path), "%s/%s.csv", dir, bad[i].table);
        FILE *f = fopen(path, "w");
        REQUIRE(f);
        fprintf(f, "%s\n%s\n", bad[i].head, bad[i].row);
        fclose(f);
        struct ladders *l = read_ladders(dir, &err);
        CHECK(!l && strstr(err.text, bad[i].why), "%s: %s", bad[i].row, l ? "taken" : err.text);
        ladders_free(l);
    }
}
