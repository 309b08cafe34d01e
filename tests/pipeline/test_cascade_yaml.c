/* tests/pipeline/test_cascade_yaml.c - what a cascade's file may say, and what is said when it is wrong. */
#include "plan.h"

static const char GOOD[] =
    "name: door\nsource: /dev/video0\nfps: 5\nsize: [640, 360]\nstages:\n"
    "  - name: motion\n    expert: motion\n"
    "  - name: objects\n    expert: [eye1, eye2]\n    gate: motion.score > 2 %\n    queue: 3\n    drop: keep-best\n    best: motion.score\n    rate: 2\n    backoff: 8 s\n    budget: {ms: 5000}\n"
    "  - name: faces\n    expert: face\n    gate: any(objects.boxes, label == \"person\")\n    after: [objects]\n"
    "  - name: told\n    expert: llm\n    each: event\n    prompt: \"{event.labels} for {event.duration}\"\n"
    "event:\n  when: any(objects.boxes, score > 0.5)\n  join: 2s\n  best: max(objects.boxes, score)\n"
    "sinks:\n  - jsonl: events.jsonl\n  - mqtt: mqtt://broker\n    topic: a/b\n    qos: 1\n    version: '5'\n  - pictures: seen\n    keep: 10\n  - webhook: http://x/y\n";

TEST(a_good_file_is_read_as_it_stands)
{
    struct err err = { 0 };
    struct cascade *c = plan_parse(GOOD, &err);
    REQUIRE(c, "%s", err.text);
    CHECK(strcmp(c->name, "door") == 0 && strcmp(c->source, "/dev/video0") == 0 && c->fps == 5 && c->max_w == 640 && c->max_h == 360 && !c->is_sound);
    REQUIRE(c->n_stages == 4 && c->n_sinks == 4);
    const struct cascade_stage *o = &c->stages[1];
    CHECK(o->n_experts == 2 && o->task == EXPERT_DETECT && o->after == 1 && o->queue == 3 && o->policy == CASCADE_KEEP_BEST && o->best && o->rate == 2 && o->backoff_s == 8 && o->budget_ms == 5000);
    CHECK(c->stages[2].after == 2 && c->stages[3].each_event && c->stages[3].after == 0 && c->stages[3].prompt);
    CHECK(c->events.when && c->events.best && c->events.join_s == 2 && c->events.max_s == 60);
    CHECK(c->sinks[1].qos == 1 && c->sinks[1].version == 5 && c->sinks[2].max_files == 10);
    cascade_free(c);
    plan_end();
}

TEST(mistakes_are_said_with_their_place)
{
    static const struct { const char *text, *why; } cases[] = {
        { "stagse: []\n", "plan.yaml:1:1: " },
        { "name: x\n", "`stages`: a list of stages is wanted" },
        { "stages:\n  - expert: motion\n", "a stage needs a `name`" },
        { "stages:\n  - {name: a b, expert: motion}\n", "plan.yaml:2:12: name: small letters" },
        { "stages:\n  - {name: event, expert: motion}\n", "'event' means something else" },
        { "stages:\n  - {name: a, expert: motion}\n  - {name: a, expert: motion}\n", "there are two stages 'a'" },
        { "stages:\n  - {name: a}\n", "the stage 'a' needs an `expert`" },
        { "stages:\n  - {name: a, expert: nobody}\n", "plan.yaml:2:23: expert: there is no 'nobody'" },
        { "stages:\n  - {name: a, expert: [eye, llm]}\n", "llm cannot stand in for eye" },
        { "stages:\n  - {name: a, expert: eye, gate: b.score > 1}\n", "plan.yaml:2:34: 'b': there is no earlier stage of that name" },
        { "stages:\n  - {name: m, expert: motion}\n  - {name: a, expert: eye, gate: \"m.scroe > 1\"}\n", "plan.yaml:3:35: 'm.scroe' is not known; did you mean 'score'?" },
        { "stages:\n  - {name: m, expert: motion}\n  - {name: a, expert: eye, gate: m.score}\n", "gate: a condition is wanted, this is a number" },
        { "stages:\n  - {name: a, expert: eye, drop: keep-best}\n", "keep-best needs `best`" },
        { "stages:\n  - {name: a, expert: eye, drop: oldest}\n", "drop" },
        { "stages:\n  - {name: a, expert: eye, backoff: 1s}\n", "backoff: it begins at `rate`" },
        { "stages:\n  - {name: a, expert: motion, parallel: 2}\n", "parallel: motion needs one piece after the other" },
        { "stages:\n  - {name: a, expert: eye, after: b}\n", "after: 'b' is no earlier stage" },
        { "stages:\n  - {name: a, expert: eye, each: event}\n", "there is no `event`" },
        { "stages:\n  - {name: a, expert: llm}\n", "the stage 'a' needs `prompt`" },
        { "stages:\n  - {name: a, expert: voice, say: x}\n", "works on whole events" },
        { "stages:\n  - {name: a, expert: motion}\n  - {name: b, expert: ear}\n", "stages that see and stages that hear" },
        { "stages:\n  - {name: a, expert: motion}\nevent: {join: 1s}\n", "event: `when` says" },
        { "stages:\n  - {name: a, expert: motion}\nevent: {when: a.score > 1, max: 9999d}\n", "max" },
        { "stages:\n  - {name: a, expert: motion}\nsinks: [{smoke: x}]\n", "a sink is one of" },
        { "stages:\n  - {name: a, expert: motion}\nsinks: [{mqtt: mqtt://x, topic: a/#}]\n", "topic: a name without" },
        { "stages:\n  - {name: a, expert: motion}\nsinks: [jsonl]\n", "a sink is a map" },
        { "- a\n", "a cascade is a map" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = { 0 };
        struct cascade *c = plan_parse(cases[i].text, &err);
        CHECK(!c && err.code == ERR_INPUT && strstr(err.text, cases[i].why) && strncmp(err.text, "plan.yaml:", 10) == 0, "%s\n-> '%s', not '%s'", cases[i].text, err.text, cases[i].why);
        cascade_free(c);
        plan_end();
    }
}

TEST(an_optional_stage_whose_expert_is_not_here_is_left_out)
{
    struct err err = { 0 };
    struct cascade *c = plan_parse("stages:\n  - {name: m, expert: motion}\n  - {name: a, expert: nobody, optional: true, task: faces, gate: m.score > 0}\n"
                                   "  - {name: b, expert: eye, gate: a.ran or m.score > 0.1}\n", &err);
    REQUIRE(c, "%s", err.text);
    CHECK(c->stages[1].n_experts == 0 && c->stages[1].task == EXPERT_FACES && c->stages[2].after == 1);
    cascade_free(c);
    plan_end();
}
