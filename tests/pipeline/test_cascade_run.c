/* tests/pipeline/test_cascade_run.c - a running cascade over fake experts: exact accounting, policies, fallbacks, events, overload.
 * TEST_QUICK=1 runs fewer random plans. */
#include <math.h>

#include "pipeline/words.h"
#include "plan.h"

struct frame {
    unsigned char motion, persons, cars, bad;
};
struct reel { /* a source: frames made by a function of their number */
    struct frame (*at)(int i);
    int n, i;
    double fps;
    int every_us;        /* pause before each */
    unsigned char px[64];
    void (*before)(int i); /* called before frame i */
};

static bool reel_next(void *ctx, struct source_piece *p, struct err *err)
{
    struct reel *r = ctx;
    (void)err;
    if (r->i == r->n)
        return false;
    if (r->before)
        r->before(r->i);
    if (r->every_us)
        fake_nap(r->every_us);
    const struct frame f = r->at(r->i);
    r->px[0] = f.motion, r->px[1] = f.persons, r->px[2] = f.cars, r->px[3] = f.bad;
    p->media = (struct task_media){ .form = MEDIA_GREY8, .bytes = r->px, .n_bytes = sizeof(r->px), .width_px = 8, .height_px = 8 };
    p->t_s = r->i++ / r->fps;
    return true;
}

struct told { /* what hooks were told */
    int n_events, n_starts, n_results[CASCADE_STAGES_MAX];
    struct { double start, end, best; char text[200], by[64], labels[100], names[60]; int n, count; bool is_cut; } events[32];
    double last_t[CASCADE_STAGES_MAX];
    double at[CASCADE_STAGES_MAX][64];
    char answered[64][CASCADE_NAME_MAX];
    int n_answered;
    bool out_of_order;
};

static void on_result(void *ctx, int stage, double t_s, const struct cascade_result *r)
{
    struct told *t = ctx;
    if (t->n_results[stage] < 64)
        t->at[stage][t->n_results[stage]] = t_s;
    t->n_results[stage]++;
    if (stage == 1 && t->n_answered < 64)
        snprintf(t->answered[t->n_answered++], CASCADE_NAME_MAX, "%s", r->expert);
}
static void on_start(void *ctx, const struct cascade_event *e) { (void)e, ((struct told *)ctx)->n_starts++; }
static void on_over(void *ctx, const struct cascade_event *e)
{
    struct told *t = ctx;
    if (t->n_events == 32)
        return;
    const int k = t->n_events++;
    t->events[k].start = e->start_s, t->events[k].end = e->end_s, t->events[k].best = e->best_s, t->events[k].n = e->n_pieces, t->events[k].count = e->count;
    t->events[k].is_cut = e->is_cut;
    snprintf(t->events[k].text, sizeof(t->events[k].text), "%s", e->text);
    snprintf(t->events[k].by, sizeof(t->events[k].by), "%s", e->text_by);
    for (int i = 0; i < e->n_labels; i++)
        snprintf(t->events[k].labels + strlen(t->events[k].labels), 20, "%s,", e->labels[i]);
    for (int i = 0; i < e->n_names; i++)
        snprintf(t->events[k].names + strlen(t->events[k].names), 20, "%s,", e->names[i]);
}

static void balance(const struct cascade_figures *f)
{
    for (int k = 0; k < f->n_stages; k++) {
        const struct cascade_stage_figures *s = &f->stages[k];
        uint64_t out = s->results;
        for (int d = 0; d < CASCADE_DROP_COUNT; d++)
            out += s->dropped[d];
        CHECK(s->in == out && s->waiting == 0 && s->running == 0, "stage %d: in %llu, out %llu", k, (unsigned long long)s->in, (unsigned long long)out);
    }
}

/* Runs it and checks the sums.  stop_at: cascade_run_stop() by the source at that frame, -1: never. */
static struct cascade_run *stopped_run;
static bool go(const char *text, struct reel *reel, bool is_live, struct told *told, struct cascade_figures *f)
{
    struct err err = { 0 };
    const struct cascade_hooks hooks = { .ctx = told, .on_result = on_result, .on_event_start = on_start, .on_event = on_over };
    memset(told, 0, sizeof(*told));
    struct cascade *c = plan_parse(text, &err);
    struct cascade_run *r = c ? cascade_run_new(c, &plan_world, &hooks, &err) : NULL;
    struct source *s = r ? source_open_fn(reel_next, NULL, reel, is_live, c->is_sound, &err) : NULL;
    stopped_run = r;
    const bool good = s && cascade_run_go(r, s, &err);
    CHECK(good, "%s", err.text);
    if (r)
        cascade_run_get(r, f);
    source_close(s);
    cascade_run_free(r);
    cascade_free(c);
    if (good)
        balance(f);
    return good;
}

#define MOTION "stages:\n  - {name: motion, expert: motion}\n"

/* ---- files ---- */

static struct frame two_walks(int i) /* 10 fps: a person at 2..4 s and 10..11 s, a tree at 6 s */
{
    struct frame f = { 0, 0, 0, 0 };
    if (i >= 20 && i < 40)
        f.motion = 10, f.persons = i == 30 ? 2 : 1;
    if (i >= 60 && i < 63)
        f.motion = 4;
    if (i >= 100 && i < 110)
        f.motion = 8, f.persons = 1, f.cars = 1;
    return f;
}

TEST(only_what_the_gate_lets_through_is_looked_at_and_events_are_grouped)
{
    struct reel reel = { two_walks, 150, 0, 10, 0, { 0 }, NULL };
    struct told t;
    struct cascade_figures f;
    if (!go(MOTION "  - {name: objects, expert: eye, gate: motion.score > 0.02}\n"
                   "event: {when: 'any(objects.boxes, label == \"person\" and score > 0.5)', best: 'count(objects.boxes)', join: 1 s}\n", &reel, false, &t, &f))
        return;
    CHECK(f.pieces == 150 && f.stages[0].in == 150 && f.stages[0].results == 150);
    CHECK(f.stages[1].in == 150 && f.stages[1].results == 33 && f.stages[1].dropped[CASCADE_DROP_GATE] == 117);
    REQUIRE(t.n_events == 2 && t.n_starts == 2, "%d events", t.n_events);
    CHECK(fabs(t.events[0].start - 2) < 0.01 && fabs(t.events[0].end - 3.9) < 0.01 && t.events[0].n == 20 && fabs(t.events[0].best - 3) < 0.01 && t.events[0].count == 2);
    CHECK(strcmp(t.events[0].labels, "person,") == 0 && strcmp(t.events[1].labels, "person,car,") == 0, "%s %s", t.events[0].labels, t.events[1].labels);
    CHECK(strcmp(t.events[0].by, "words") == 0 && strncmp(t.events[0].text, "Up to 2: person at ", 18) == 0 && strstr(t.events[0].text, "for 2 s."), "%s", t.events[0].text);
    plan_end();
}

TEST(rates_and_backoff_go_by_the_time_of_the_stream)
{
    struct reel reel = { two_walks, 150, 0, 10, 0, { 0 }, NULL };
    struct told t;
    struct cascade_figures f;
    if (go(MOTION "  - {name: objects, expert: eye, gate: motion.score > 0.02, rate: 2}\n", &reel, false, &t, &f)) {
        CHECK(t.n_results[1] == 4 + 1 + 2 && f.stages[1].dropped[CASCADE_DROP_RATE] == 33 - 7, "%d", t.n_results[1]);
    }
    plan_end();
    reel.i = 0;
    if (go(MOTION "  - {name: objects, expert: eye, gate: motion.score > 0.02, rate: 4, backoff: 1 s, reset: 1 s}\n", &reel, false, &t, &f)) {
        /* 2.0, +0.25, +0.5, +1 = 3.8 (frames every 0.1 s); 6.0; 10.0, 10.3, 10.8 */
        CHECK(t.n_results[1] == 8 && fabs(t.at[1][0] - 2) < 0.01 && fabs(t.at[1][1] - 2.3) < 0.01 && fabs(t.at[1][2] - 2.8) < 0.01 && fabs(t.at[1][3] - 3.8) < 0.01 && fabs(t.at[1][4] - 6) < 0.01,
              "%d: %.2f %.2f %.2f %.2f", t.n_results[1], t.at[1][1], t.at[1][2], t.at[1][3], t.at[1][4]);
    }
    plan_end();
}

TEST(every_nth_and_budgets_leave_the_rest_out)
{
    struct reel reel = { two_walks, 150, 0, 10, 0, { 0 }, NULL };
    struct told t;
    struct cascade_figures f;
    fake_get("eye")->delay_us = 2000;
    if (go("stages:\n  - {name: a, expert: motion, every: 3}\n  - {name: b, expert: eye, after: source, budget: {ms: 10}}\n", &reel, false, &t, &f)) {
        CHECK(f.stages[0].results == 50 && f.stages[0].dropped[CASCADE_DROP_RATE] == 100);
        CHECK(f.stages[1].results > 0 && f.stages[1].results < 30 && f.stages[1].dropped[CASCADE_DROP_BUDGET] > 100, "%d", (int)f.stages[1].results);
        CHECK(isnan(f.stages[1].joules));
    }
    reel.i = 0;
    if (go("stages:\n  - {name: b, expert: eye, watts: 100, budget: {joules: 1}}\n", &reel, false, &t, &f))
        CHECK(f.stages[0].joules > 0.99 && f.stages[0].joules < 100 && f.stages[0].dropped[CASCADE_DROP_BUDGET] > 50, "%g", f.stages[0].joules);
    plan_end();
}

TEST(a_file_waits_for_its_stages_so_nothing_is_lost)
{
    struct reel reel = { two_walks, 150, 0, 10, 0, { 0 }, NULL };
    struct told t;
    struct cascade_figures f;
    fake_get("eye")->delay_us = 300;
    if (go("frames: 12\nstages:\n  - {name: a, expert: eye}\n  - {name: b, expert: motion, after: a}\n", &reel, false, &t, &f))
        CHECK(f.stages[0].results == 150 && f.stages[1].results == 150);
    plan_end();
}

static struct frame bad_ones(int i) { return (struct frame){ 10, 1, 0, i % 5 == 0 }; }
TEST(broken_frames_are_errors_and_no_reason_to_give_up_an_expert)
{
    struct reel reel = { bad_ones, 50, 0, 10, 0, { 0 }, NULL };
    struct told t;
    struct cascade_figures f;
    if (go("stages:\n  - {name: objects, expert: [eye1, eye2]}\n", &reel, false, &t, &f))
        CHECK(f.stages[0].results == 40 && f.stages[0].dropped[CASCADE_DROP_ERROR] == 10 && f.stages[0].fallbacks == 0 && fake_get("eye2")->n_done == 0);
    plan_end();
}

TEST(branches_look_at_the_same_frame_and_both_are_in_the_event)
{
    struct reel reel = { two_walks, 150, 0, 10, 0, { 0 }, NULL };
    struct told t;
    struct cascade_figures f;
    fake_get("eye")->delay_us = 100;
    if (!go(MOTION "  - {name: objects, expert: eye, gate: motion.score > 0.02, parallel: 4}\n  - {name: faces, expert: face, gate: motion.score > 0.05}\n"
                   "  - {name: told, expert: llm, each: event, sees: true, prompt: 'seen: {event.labels} ({event.names})'}\n"
                   "event: {when: 'count(objects.boxes) > 0 and faces.ran'}\n", &reel, false, &t, &f))
        return;
    REQUIRE(t.n_events == 2, "%d", t.n_events);
    CHECK(f.stages[2].results == 30 && f.stages[3].in == 2 && f.stages[3].results == 2);
    CHECK(strcmp(t.events[0].text, "somebody walks") == 0 && strcmp(t.events[0].by, "llm") == 0 && strcmp(t.events[0].names, "Ann,") == 0, "%s %s", t.events[0].text, t.events[0].names);
    CHECK(strcmp(fake_get("llm")->said, "seen: person, face, car (Ann) [picture]") == 0 || strcmp(fake_get("llm")->said, "seen: face, person, car (Ann) [picture]") == 0 ||
              strcmp(fake_get("llm")->said, "seen: person, car, face (Ann) [picture]") == 0, "%s", fake_get("llm")->said);
    plan_end();
}

TEST(events_are_cut_confirmed_and_cooled_down)
{
    struct reel reel = { two_walks, 150, 0, 10, 0, { 0 }, NULL };
    struct told t;
    struct cascade_figures f;
    if (go(MOTION "event: {when: motion.score > 0.02, max: 1 s, join: 500ms}\n", &reel, false, &t, &f))
        CHECK(t.n_events == 4 && t.events[0].is_cut && !t.events[1].is_cut && fabs(t.events[1].start - 3) < 0.01, "%d", t.n_events);
    reel.i = 0;
    if (go(MOTION "event: {when: motion.score > 0.02, confirm: motion.score > 0.09, join: 500ms}\n", &reel, false, &t, &f))
        CHECK(t.n_events == 1 && f.events_dropped == 2);
    reel.i = 0;
    if (go(MOTION "event: {when: motion.score > 0.02, min: 1 s, join: 500ms}\n", &reel, false, &t, &f))
        CHECK(t.n_events == 1 && f.events_dropped == 2);
    reel.i = 0;
    if (go(MOTION "event: {when: motion.score > 0.02, cooldown: 5 s, join: 500ms}\n", &reel, false, &t, &f))
        CHECK(t.n_events == 2 && fabs(t.events[1].start - 10) < 0.01, "%d", t.n_events);
    plan_end();
}

/* ---- experts that fail ---- */

static void break_eye1(int i)
{
    if (i == 40)
        atomic_store(&fake_get("eye1")->mode, FAKE_FAILS);
}
static struct frame always(int i) { return (void)i, (struct frame){ 10, 1, 0, 0 }; }

TEST(the_next_expert_answers_while_the_first_is_broken_and_no_frame_is_lost)
{
    struct reel reel = { always, 100, 0, 10, 0, { 0 }, break_eye1 };
    struct told t;
    struct cascade_figures f;
    if (go("stages:\n  - {name: objects, expert: [eye1, eye2]}\n", &reel, false, &t, &f))
        CHECK(f.stages[0].results == 100 && f.stages[0].fallbacks == 1 && f.stages[0].expert == 1 && fake_get("eye2")->n_done > 0 && fake_get("eye1")->n_done > 20);
    plan_end();
}

TEST(an_expert_that_cannot_be_asked_is_passed_over)
{
    struct reel reel = { always, 20, 0, 10, 0, { 0 }, NULL };
    struct told t;
    struct cascade_figures f;
    fake_get("eye1")->mode = FAKE_REFUSES;
    if (go("stages:\n  - {name: objects, expert: [eye1, eye2]}\n", &reel, false, &t, &f))
        CHECK(f.stages[0].results == 20 && fake_get("eye1")->n_done == 0);
    plan_end();
}

TEST(with_nobody_left_frames_are_errors_and_the_run_goes_on)
{
    struct reel reel = { always, 20, 0, 10, 0, { 0 }, NULL };
    struct told t;
    struct cascade_figures f;
    fake_get("eye1")->mode = FAKE_FAILS;
    if (go(MOTION "  - {name: objects, expert: eye1, gate: motion.score > 0}\n", &reel, false, &t, &f))
        CHECK(f.stages[1].results == 0 && f.stages[1].dropped[CASCADE_DROP_ERROR] == 20 && f.stages[0].results == 20);
    plan_end();
}

static void mend_eye1(int i)
{
    while (i == 2 && fake_get("eye1")->n_done == 0)
        fake_nap(500);
    if (i == 2)
        atomic_store(&fake_get("eye1")->mode, FAKE_GOOD);
    if (i > 2 && fake_get("eye1")->n_done < 2)
        fake_nap(50000); /* until its pause of a second is over */
}
TEST(an_expert_that_is_back_is_asked_again)
{
    struct reel reel = { always, 200, 0, 10, 0, { 0 }, mend_eye1 };
    struct told t;
    struct cascade_figures f;
    fake_get("eye1")->mode = FAKE_FAILS;
    if (go("stages:\n  - {name: objects, expert: [eye1, eye2]}\n", &reel, false, &t, &f))
        CHECK(f.stages[0].results == 200 && f.stages[0].fallbacks == 1 && f.stages[0].returns == 1 && f.stages[0].expert == 0, "%llu %llu", (unsigned long long)f.stages[0].fallbacks,
              (unsigned long long)f.stages[0].returns);
    plan_end();
}

/* ---- energy ---- */

static atomic_int meter_reads;
static double meter(void *ctx) { return (void)ctx, 2.0 * atomic_fetch_add(&meter_reads, 1); } /* two joules from one look to the next */

TEST(what_a_meter_counts_is_shared_by_those_that_ran)
{
    struct reel reel = { always, 20, 0, 10, 0, { 0 }, NULL };
    struct err err = { 0 };
    struct cascade_world world = plan_world;
    struct cascade_figures f;
    world.joules = meter;
    struct cascade *c = plan_parse(MOTION "  - {name: objects, expert: eye, after: source}\n", &err);
    struct cascade_run *r = c ? cascade_run_new(c, &world, NULL, &err) : NULL;
    struct source *s = r ? source_open_fn(reel_next, NULL, &reel, false, false, &err) : NULL;
    REQUIRE(s && cascade_run_go(r, s, &err), "%s", err.text);
    cascade_run_get(r, &f);
    CHECK(f.stages[0].is_measured && f.stages[1].is_measured && f.stages[0].joules >= 20 && f.stages[1].joules >= 20);
    CHECK(f.stages[0].joules + f.stages[1].joules <= 2.0 * (meter_reads - 1) + 0.001, "%g of %d", f.stages[0].joules + f.stages[1].joules, meter_reads);
    source_close(s);
    cascade_run_free(r);
    cascade_free(c);
    plan_end();
}

/* ---- live ---- */

static void let_go(int i) /* the first expert holds the first job until the source is far ahead */
{
    if (i == 390)
        atomic_store(&fake_get("eye")->mode, FAKE_GOOD);
}
static struct frame numbered(int i) { return (struct frame){ (unsigned char)(i % 100), 1, 0, 0 }; }

TEST(at_ten_times_overload_memory_stays_and_every_frame_is_accounted_for)
{
    static const char *const policies[] = { "drop: drop-oldest", "drop: drop-newest" };
    for (int p = 0; p < 2; p++) {
        struct reel reel = { numbered, 400, 0, 10, 0, { 0 }, let_go };
        struct told t;
        struct cascade_figures f;
        char text[400];
        fake_get("eye")->mode = FAKE_HOLDS;
        snprintf(text, sizeof(text), "stages:\n  - {name: objects, expert: eye, queue: 4, %s}\n", policies[p]);
        if (go(text, &reel, true, &t, &f)) {
            CHECK(f.pieces == 400 && f.stages[0].in == 400 && f.stages[0].dropped[CASCADE_DROP_QUEUE] >= 300, "%llu dropped", (unsigned long long)f.stages[0].dropped[CASCADE_DROP_QUEUE]);
            CHECK(f.pool_bytes <= 64 * 30, "%llu bytes", (unsigned long long)f.pool_bytes);
            CHECK(fake_get("eye")->n_most <= 1 + 1);
            if (p == 1 && t.n_results[0] > 4) /* the four that came first after the one that is worked on */
                CHECK(t.at[0][1] < 3, "%.1f", t.at[0][1]);
        }
        plan_end();
    }
}

TEST(block_is_refused_for_a_live_source)
{
    struct reel reel = { always, 3, 0, 10, 0, { 0 }, NULL };
    struct err err = { 0 };
    struct cascade *c = plan_parse("stages:\n  - {name: a, expert: eye, drop: block}\n", &err);
    struct cascade_run *r = c ? cascade_run_new(c, &plan_world, NULL, &err) : NULL;
    struct source *s = source_open_fn(reel_next, NULL, &reel, true, false, &err);
    CHECK(r && s && !cascade_run_go(r, s, &err) && strstr(err.text, "plan.yaml:2:") && strstr(err.text, "block"), "%s", err.text);
    source_close(s);
    cascade_run_free(r);
    cascade_free(c);
    plan_end();
}

static struct frame sharper(int i) { return (struct frame){ (unsigned char)(i % 10 == 7 ? 50 : 10), 1, 0, 0 }; }
static void keep_pace(int i) /* neither stage may lag behind by an interval, however slow its thread is */
{
    while (i > 2 && (fake_get("motion")->n_done < i - 2 || fake_get("eye")->n_running > 0))
        fake_nap(50);
}
TEST(keep_best_takes_the_best_of_each_interval)
{
    struct reel reel = { sharper, 100, 0, 10, 0, { 0 }, keep_pace };
    struct told t;
    struct cascade_figures f;
    if (!go(MOTION "  - {name: objects, expert: eye, after: motion, drop: keep-best, best: motion.score, queue: 3, rate: 1}\n", &reel, false, &t, &f))
        return;
    CHECK(t.n_results[1] >= 9 && t.n_results[1] <= 12, "%d of %d: gate %d queue %d rate %d error %d; %.1f %.1f", t.n_results[1], (int)f.stages[1].in, (int)f.stages[1].dropped[0], (int)f.stages[1].dropped[1], (int)f.stages[1].dropped[2], (int)f.stages[1].dropped[4], t.at[1][0], t.at[1][1]);
    int sharp = 0;
    for (int i = 1; i + 1 < t.n_results[1]; i++)
        sharp += fabs(fmod(t.at[1][i], 1) - 0.7) < 0.01;
    CHECK(sharp >= t.n_results[1] - 3, "%d of %d", sharp, t.n_results[1]);
    plan_end();
}

static void stop_here(int i)
{
    if (i == 50)
        cascade_run_stop(stopped_run);
}
TEST(a_stopped_run_works_off_what_runs_and_counts_the_rest_as_cancelled)
{
    struct reel reel = { always, 100000, 0, 10, 0, { 0 }, stop_here };
    struct told t;
    struct cascade_figures f;
    fake_get("eye")->delay_us = 500;
    if (go("stages:\n  - {name: a, expert: eye}\n  - {name: b, expert: motion, after: a}\nevent: {when: b.score > 0}\n", &reel, false, &t, &f))
        CHECK(f.pieces >= 50 && f.pieces < 100 && f.stages[0].results > 0 && t.n_events == 1, "%llu", (unsigned long long)f.pieces);
    plan_end();
}

/* ---- sound ---- */

struct sound_reel {
    int n, i;
    float samples[160];
};
static bool sound_next(void *ctx, struct source_piece *p, struct err *err)
{
    struct sound_reel *r = ctx;
    (void)err;
    if (r->i == r->n)
        return false;
    const bool speaks = (r->i >= 100 && r->i < 150) || (r->i >= 300 && r->i < 400);
    r->samples[0] = speaks ? 0.9f : 0.01f;
    p->media = (struct task_media){ .form = MEDIA_F32, .bytes = r->samples, .n_bytes = sizeof(r->samples), .rate_hz = 16000 };
    p->t_s = r->i++ * 0.01;
    return true;
}
static int n_spoken;
static void on_audio(void *ctx, uint64_t event, int stage, const float *samples, int n, int rate_hz)
{
    (void)ctx, (void)event, (void)stage, (void)samples, (void)rate_hz;
    n_spoken += n;
}

TEST(an_utterance_is_an_event_with_its_sound_from_a_little_before_to_its_end)
{
    struct err err = { 0 };
    struct told t = { 0 };
    struct sound_reel reel = { .n = 500 };
    const struct cascade_hooks hooks = { .ctx = &t, .on_event = on_over, .on_audio = on_audio };
    struct cascade *c = plan_parse("stages:\n  - {name: voice, expert: ear}\n  - {name: words, expert: stt, each: event}\n"
                                   "  - {name: answer, expert: llm, each: event, prompt: 'he said {words.text}'}\n  - {name: speech, expert: voice, each: event, say: '{answer.text}!'}\n"
                                   "event: {when: voice.score > 0.5, join: 200ms, before: 300ms}\n", &err);
    struct cascade_run *r = c ? cascade_run_new(c, &plan_world, &hooks, &err) : NULL;
    struct source *s = r ? source_open_fn(sound_next, NULL, &reel, false, true, &err) : NULL;
    struct cascade_figures f;
    REQUIRE(s && cascade_run_go(r, s, &err), "%s", err.text);
    cascade_run_get(r, &f);
    balance(&f);
    CHECK(t.n_events == 2 && fabs(t.events[0].start - 1) < 0.005 && fabs(t.events[1].end - 3.99) < 0.005);
    CHECK(strcmp(fake_get("llm")->said, "he said 1.5 s") == 0, "%s", fake_get("llm")->said); /* 0.3 before + 1 + 0.2 of silence */
    CHECK(strcmp(fake_get("voice")->said, "somebody walks!") == 0 && n_spoken == 320);
    source_close(s);
    cascade_run_free(r);
    cascade_free(c);
    plan_end();
}

TEST(pictures_for_ears_are_refused)
{
    struct reel reel = { always, 3, 0, 10, 0, { 0 }, NULL };
    struct err err = { 0 };
    struct cascade *c = plan_parse("stages: [{name: a, expert: ear}]\n", &err);
    struct cascade_run *r = c ? cascade_run_new(c, &plan_world, NULL, &err) : NULL;
    struct source *s = source_open_fn(reel_next, NULL, &reel, false, false, &err);
    CHECK(r && s && !cascade_run_go(r, s, &err) && strstr(err.text, "the source gives pictures, the stages want sound"), "%s", err.text);
    source_close(s);
    cascade_run_free(r);
    cascade_free(c);
    plan_end();
}

/* ---- anything ---- */

static struct frame random_frame(int i)
{
    const unsigned h = (unsigned)i * 2654435761u;
    return (struct frame){ (unsigned char)(h >> 8 & 31), (unsigned char)(h >> 16 & 3), (unsigned char)(h >> 20 & 1), (unsigned char)((h >> 24 & 15) == 0) };
}
static unsigned dice(unsigned n) { return (unsigned)(test_rand_u64() % n); }

TEST(for_any_plan_in_is_results_and_drops)
{
    static const char *const policies[] = { "", "drop: drop-oldest, ", "drop: drop-newest, ", "drop: keep-best, best: motion.score, " };
    static const char *const gates[] = { "motion.score > 0.05", "motion.score > 0.2 or t > 3 s", "since(motion.score > 0.25) < 2 s", "count(motion.boxes) > 0" };
    const int rounds = getenv("TEST_QUICK") ? 8 : 40;
    for (int round = 0; round < rounds; round++) {
        struct reel reel = { random_frame, 200, 0, 10, dice(3) == 0 ? 50 : 0, { 0 }, NULL };
        struct told t;
        struct cascade_figures f;
        char text[1500];
        const bool is_live = dice(2);
        atomic_store(&fake_get("eye1")->mode, dice(3) == 0 ? FAKE_ODD : FAKE_GOOD);
        atomic_store(&fake_get("eye2")->mode, dice(4) == 0 ? FAKE_FAILS : FAKE_GOOD);
        fake_get("eye1")->delay_us = (int)dice(200);
        fake_get("face")->delay_us = (int)dice(200);
        snprintf(text, sizeof(text),
                 "frames: %u\nstages:\n  - {name: motion, expert: motion, queue: %u}\n"
                 "  - {name: objects, expert: [eye1, eye2], %sgate: '%s', queue: %u, parallel: %u, rate: %u}\n"
                 "  - {name: faces, expert: face, gate: 'any(objects.boxes, label == \"person\")', queue: %u, every: %u}\n"
                 "  - {name: told, expert: llm, each: event, prompt: x, queue: %u}\n"
                 "event: {when: 'count(objects.boxes) > 1', join: %u00ms, max: %u s, cooldown: %u s}\n",
                 1 + dice(2) * 40, 1 + dice(4), policies[dice(4)], gates[dice(4)], 1 + dice(4), 1 + dice(3), 1 + dice(20), 1 + dice(3), 1 + dice(3), 1 + dice(2), 1 + dice(9), 1 + dice(5), dice(3));
        if (!go(text, &reel, is_live, &t, &f))
            CHECK(false, "%s", text);
        CHECK(f.pieces == 200 && f.stages[0].in == 200, "%llu", (unsigned long long)f.pieces);
        CHECK((uint64_t)t.n_events == (f.events < 32 ? f.events : 32) && f.stages[3].in == f.events, "%d events, %llu", t.n_events, (unsigned long long)f.events);
        plan_end();
    }
}
