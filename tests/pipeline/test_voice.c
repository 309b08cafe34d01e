/* tests/pipeline/test_voice.c - a conversation: sentences are spoken while the answer is written, speech stops it, what was said counts. */
#include "pipeline/voice.h"

#include "puppet.h"

#include "base/clock.h"
#include "base/file.h"
#include "media/sound.h"

static const char PLAN[] = "stages:\n  - {name: speech, expert: vad}\n  - {name: words, expert: ear, each: event}\nevent: {when: speech.score > 0.5, join: 0.5 s}\n";

/* ---- the stage ---- */

struct theatre {
    struct puppet *vad, *ear, *talker, *other, *mouth, *second;
    struct cascade_world world;
    struct cascade *c;
    struct voice_plan plan;
    struct voice *v;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct buf told; /* "you>answer>said;" */
    int n_told;
    struct voice_turn last;
};

static struct puppet *find(struct theatre *t, const char *name)
{
    struct puppet *all[] = { t->vad, t->ear, t->talker, t->other, t->mouth, t->second };
    for (int i = 0; i < 6; i++)
        if (strcmp(all[i]->id, name) == 0)
            return all[i];
    return NULL;
}

static bool look(void *ctx, const struct cascade *c, const struct cascade_ref *ref, unsigned *tasks, char *id, size_t max, struct err *err)
{
    const struct puppet *p = ref->text ? find(ctx, ref->text) : NULL;
    (void)c;
    if (!p)
        return err_set(err, ERR_NOT_FOUND, "there is no expert '%s'", ref->text ? ref->text : "");
    *tasks = p->tasks;
    snprintf(id, max, "%s", p->id);
    return true;
}

static struct expert *open_expert(void *ctx, const struct cascade *c, const struct cascade_ref *ref, struct err *err)
{
    return (void)c, (void)err, &find(ctx, ref->text)->base;
}
static void close_expert(void *ctx, struct expert *e) { (void)ctx, (void)e; }

static void on_turn(void *ctx, const struct voice_turn *turn)
{
    struct theatre *t = ctx;
    pthread_mutex_lock(&t->lock);
    buf_printf(&t->told, "%s>%s>%s;", turn->you, turn->answer, turn->said);
    t->last = *turn;
    t->n_told++;
    pthread_cond_broadcast(&t->news);
    pthread_mutex_unlock(&t->lock);
}

static void await_turns(struct theatre *t, int n)
{
    pthread_mutex_lock(&t->lock);
    while (t->n_told < n)
        pthread_cond_wait(&t->news, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

static bool theatre_plan(struct theatre *t, const char *voice, struct err *err)
{
    char text[1000];
    memset(t, 0, sizeof(*t));
    t->vad = puppet_new("vad", EXPERT_VAD);
    t->ear = puppet_new("ear", EXPERT_TRANSCRIBE);
    t->talker = puppet_new("talker", EXPERT_CHAT);
    t->other = puppet_new("other", EXPERT_CHAT);
    t->mouth = puppet_new("mouth", EXPERT_SPEAK);
    t->second = puppet_new("second", EXPERT_SPEAK);
    t->world = (struct cascade_world){ .ctx = t, .look = look, .open = open_expert, .close = close_expert };
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->news, NULL);
    buf_init(&t->told, 1 << 20);
    buf_puts(&t->told, "");
    snprintf(text, sizeof(text), "%s%s", PLAN, voice);
    t->c = cascade_parse("talk.yaml", text, strlen(text), ".", &t->world, err);
    return t->c && voice_plan_read(t->c, &t->world, &t->plan, err);
}

static void theatre_open(struct theatre *t, const char *voice, const char *out, bool is_live)
{
    struct err err = { 0 };
    const struct voice_hooks hooks = { .ctx = t, .on_turn = on_turn };
    const bool ok = theatre_plan(t, voice, &err) && (t->v = voice_new(t->c, &t->world, &t->plan, out, is_live, &hooks, &err));
    if (!ok) {
        CHECK(false, "%s", err.text);
        exit(1);
    }
}

static void theatre_close(struct theatre *t)
{
    struct err err = { 0 };
    CHECK(voice_free(t->v, &err), "%s", err.text);
    cascade_free(t->c);
    struct puppet *all[] = { t->vad, t->ear, t->talker, t->other, t->mouth, t->second };
    for (int i = 0; i < 6; i++)
        expert_free(&all[i]->base);
    buf_fini(&t->told);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->news);
}

#define VOICE "voice: {chat: talker, speak: mouth}\n"

/* An event of the cascade that the ear made this of. */
static void hear_at(struct theatre *t, double start_s, double end_s, const char *text)
{
    struct cascade_event e = { .id = 1, .start_s = start_s, .end_s = end_s, .is_over = true, .n_stages = 2 };
    e.results[0].text = e.results[1].text = "";
    e.results[1] = (struct cascade_result){ .text = text, .expert = "ear", .ms = 100 };
    voice_on_event_start(t->v, &e);
    voice_on_event(t->v, &e);
}
static void hear(struct theatre *t, const char *text) { hear_at(t, 1, 2, text); }

static void begin_to_speak(struct theatre *t)
{
    const struct cascade_event e = { .id = 2, .n_stages = 2 };
    voice_on_event_start(t->v, &e);
}

/* The mouth's next job, which must say this: n samples of sound. */
static void speak(struct puppet *mouth, const char *want, int n)
{
    static float samples[100000];
    struct job *j = puppet_job(mouth, EXPERT_SPEAK);
    CHECK(j->request.n_texts == 1 && strcmp(j->request.texts[0].text, want) == 0, "'%s' instead of '%s'", j->request.texts[0].text, want);
    for (int i = 0; i < n; i++)
        samples[i] = 0.25f;
    j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_AUDIO, .samples = samples, .n_samples = n, .rate_hz = 16000 });
    puppet_end(mouth, j, ERR_NONE, NULL);
}

static const char *message(const struct job *j, size_t i)
{
    static char text[4][600];
    static int turn;
    const json_t *m = json_array_get(json_object_get(j->vars, "messages"), i);
    char *out = text[turn++ % 4];
    snprintf(out, sizeof(text[0]), "%s: %s", json_string_value(json_object_get(m, "role")), json_string_value(json_object_get(m, "content")));
    return out;
}
static size_t n_messages(const struct job *j) { return json_array_size(json_object_get(j->vars, "messages")); }

/* ---- the plan ---- */

TEST(what_is_wrong_in_the_map_has_its_place)
{
    static const struct {
        const char *voice, *want;
    } cases[] = {
        { "voice: {speak: mouth}\n", "`chat` is missing" },
        { "voice: {chat: talker}\n", "`speak` is missing" },
        { "voice: {chat: mouth, speak: mouth}\n", "talk.yaml:5:15: chat: mouth does not chat" },
        { "voice: {chat: talker, speak: nobody}\n", "talk.yaml:5:30: there is no expert 'nobody'" },
        { "voice: {chat: talker, speak: mouth, hear: speech2}\n", "there is no stage 'speech2'" },
        { "voice: {chat: talker, speak: mouth, hear: speech}\n", "must say `each: event`" },
        { "voice: {chat: talker, speak: mouth, barge_im: true}\n", "did you mean 'barge_in'" },
        { "voice: {chat: talker, speak: mouth, wake: ['']}\n", "a word is wanted" },
        { "voice: {chat: [], speak: mouth}\n", "the list is empty" },
        { "voice: {chat: talker, speak: mouth, max_tokens: 0}\n", "max_tokens" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct theatre t;
        struct err err = { 0 };
        CHECK(!theatre_plan(&t, cases[i].voice, &err), "%s", cases[i].voice);
        CHECK(strstr(err.text, cases[i].want) && strncmp(err.text, "talk.yaml:", 10) == 0, "%s: %s", cases[i].want, err.text);
        theatre_close(&t);
    }
}

/* ---- the conversation ---- */

TEST(sentences_are_spoken_while_the_answer_is_written)
{
    struct theatre t;
    const char *path = test_tmp("answer.wav");
    struct err err = { 0 };
    theatre_open(&t, VOICE, path, false);
    hear(&t, "hello there");
    struct job *j = puppet_job(t.talker, EXPERT_CHAT);
    CHECK(n_messages(j) == 2 && strcmp(message(j, 1), "user: hello there") == 0 && strncmp(message(j, 0), "system: ", 8) == 0);
    puppet_say(t.talker, j, "**One** is first.");
    puppet_say(t.talker, j, " Two");
    speak(t.mouth, "One is first.", 1600); /* the model still writes */
    puppet_say(t.talker, j, " is last");
    puppet_end(t.talker, j, ERR_NONE, NULL);
    speak(t.mouth, "Two is last", 800);
    await_turns(&t, 1);
    CHECK(strcmp(t.told.data, "hello there>**One** is first. Two is last>**One** is first. Two is last;") == 0, "%s", t.told.data);
    const struct voice_turn *l = &t.last;
    CHECK(!l->was_interrupted && l->err.code == ERR_NONE && l->silence_ms == 500 && l->hear_ms == 100 && l->token_ms >= 0 && l->voice_ms >= 0 && l->sound_ms >= 0);
    CHECK(fabsf(l->total_ms - (l->silence_ms + l->hear_ms + l->token_ms + l->sentence_ms + l->voice_ms + l->sound_ms)) < 0.01f && fabsf(l->answer_s - 0.15f) < 1e-4f);
    voice_wait(t.v);
    theatre_close(&t);
    size_t n;
    struct sound s = { 0 };
    char *wav = file_read(path, 1 << 20, &n, &err);
    CHECK(wav && sound_decode(wav, n, 0, NULL, &s, &err), "%s", err.text);
    CHECK(s.n == 2400 && s.rate_hz == 16000 && fabsf(s.samples[2399] - 0.25f) < 1e-4f, "%zu", s.n);
    sound_fini(&s);
    free(wav);
}

TEST(speech_stops_the_answer_and_becomes_the_next_turn)
{
    struct theatre t;
    theatre_open(&t, VOICE, NULL, true);
    hear(&t, "tell me a story");
    struct job *chat = puppet_job(t.talker, EXPERT_CHAT);
    puppet_say(t.talker, chat, "Once upon a time. There was a dog. It");
    speak(t.mouth, "Once upon a time.", 33000); /* 2.06 s: the next sentence is asked for when 0.06 s of it were heard */
    struct job *mouth = puppet_job(t.mouth, EXPERT_SPEAK);
    begin_to_speak(&t);
    puppet_await_cancel(t.talker, chat);
    puppet_await_cancel(t.mouth, mouth);
    CHECK(t.n_told == 0); /* not before both have ended */
    puppet_end(t.mouth, mouth, ERR_CANCELLED, "cancelled");
    puppet_end(t.talker, chat, ERR_CANCELLED, "cancelled");
    await_turns(&t, 1);
    CHECK(t.last.was_interrupted && t.last.stop_ms >= 0 && t.last.err.code == ERR_NONE);
    CHECK(strcmp(t.told.data, "tell me a story>Once upon a time. There was a dog. It>Once upon a time. ;") == 0, "%s", t.told.data);
    voice_on_event(t.v, &(struct cascade_event){ .start_s = 3, .end_s = 4, .is_over = true, .results = { { .text = "" }, { .text = "about a cat" } } });
    chat = puppet_job(t.talker, EXPERT_CHAT);
    CHECK(n_messages(chat) == 4 && strcmp(message(chat, 2), "assistant: Once upon a time. ") == 0 && strcmp(message(chat, 3), "user: about a cat") == 0, "%s", message(chat, 2));
    puppet_end(t.talker, chat, ERR_NONE, NULL);
    await_turns(&t, 2);
    theatre_close(&t);
}

TEST(what_is_said_before_an_answer_was_heard_goes_on_in_the_next_turn)
{
    struct theatre t;
    theatre_open(&t, VOICE, NULL, true);
    hear(&t, "what is the capital");
    struct job *j = puppet_job(t.talker, EXPERT_CHAT);
    begin_to_speak(&t);
    puppet_await_cancel(t.talker, j);
    puppet_end(t.talker, j, ERR_CANCELLED, "cancelled");
    await_turns(&t, 1);
    voice_on_event(t.v, &(struct cascade_event){ .start_s = 3, .end_s = 4, .is_over = true, .results = { { .text = "" }, { .text = "of france" } } });
    j = puppet_job(t.talker, EXPERT_CHAT);
    CHECK(n_messages(j) == 2 && strcmp(message(j, 1), "user: what is the capital of france") == 0, "%s", message(j, 1));
    puppet_end(t.talker, j, ERR_NONE, NULL);
    await_turns(&t, 2);
    theatre_close(&t);
}

TEST(nobody_is_answered_while_still_speaking)
{
    struct theatre t;
    theatre_open(&t, VOICE, NULL, true);
    const struct cascade_event e = { .start_s = 1, .end_s = 2, .is_over = true, .results = { { .text = "" }, { .text = "one" } } };
    begin_to_speak(&t);
    begin_to_speak(&t); /* the second begins while the first is still being written down */
    voice_on_event(t.v, &e);
    hear(&t, "two");
    CHECK(t.talker->n_seen == 0);
    voice_on_event(t.v, &e);
    struct job *j = puppet_job(t.talker, EXPERT_CHAT);
    CHECK(strcmp(message(j, 1), "user: one two one") == 0, "%s", message(j, 1));
    puppet_end(t.talker, j, ERR_NONE, NULL);
    await_turns(&t, 1);
    theatre_close(&t);
}

TEST(a_file_is_answered_turn_by_turn_without_interruptions)
{
    struct theatre t;
    theatre_open(&t, VOICE, NULL, false);
    hear(&t, "first");
    struct job *j = puppet_job(t.talker, EXPERT_CHAT);
    hear(&t, "second");
    CHECK(!job_is_cancelled(j));
    puppet_end(t.talker, j, ERR_NONE, NULL);
    j = puppet_job(t.talker, EXPERT_CHAT);
    CHECK(strcmp(message(j, n_messages(j) - 1), "user: first second") == 0, "%s", message(j, n_messages(j) - 1)); /* no answer: the question stays */
    puppet_say(t.talker, j, "Yes.");
    puppet_end(t.talker, j, ERR_NONE, NULL);
    speak(t.mouth, "Yes.", 160);
    voice_wait(t.v);
    CHECK(t.n_told == 2);
    theatre_close(&t);
}

TEST(turns_that_find_no_place_are_counted_and_the_latest_stay)
{
    struct theatre t;
    char text[32];
    theatre_open(&t, VOICE, NULL, false);
    hear(&t, "x");
    struct job *j = puppet_job(t.talker, EXPERT_CHAT);
    for (int i = 0; i < VOICE_TURNS_MAX + 3; i++) {
        snprintf(text, sizeof(text), "turn%d", i);
        hear(&t, text);
    }
    CHECK(voice_n_dropped(t.v) == 3);
    puppet_say(t.talker, j, "Ok");
    puppet_end(t.talker, j, ERR_NONE, NULL);
    speak(t.mouth, "Ok", 10);
    j = puppet_job(t.talker, EXPERT_CHAT);
    CHECK(strcmp(message(j, n_messages(j) - 1), "user: turn3") == 0);
    voice_stop(t.v); /* in the middle of it */
    puppet_await_cancel(t.talker, j);
    puppet_end(t.talker, j, ERR_CANCELLED, "cancelled");
    theatre_close(&t);
}

TEST(only_what_is_meant_for_it_is_answered)
{
    static const struct {
        double at_s;
        const char *heard, *want; /* NULL: no turn */
    } cases[] = {
        { 0, "good morning", NULL },
        { 1, "Computer, what time is it", "what time is it" },
        { 5, "and tomorrow", "and tomorrow" },           /* within 10 s */
        { 30, "somebody else", NULL },
        { 40, "computers are fun", NULL },
        { 50, "hey computer", NULL },                    /* it listens now */
        { 55, "play music", "play music" },
        { 70, "... ", NULL },
        { 80, "tell me hey you a joke", "a joke" },
    };
    struct theatre t;
    int n = 0;
    theatre_open(&t, "voice: {chat: talker, speak: mouth, wake: [computer, hey you], awake: 10 s}\n", NULL, false);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        hear_at(&t, cases[i].at_s, cases[i].at_s + 1, cases[i].heard);
        if (!cases[i].want)
            continue;
        struct job *j = puppet_job(t.talker, EXPERT_CHAT);
        char want[100];
        snprintf(want, sizeof(want), "user: %s", cases[i].want);
        CHECK(strcmp(message(j, n_messages(j) - 1), want) == 0, "%s instead of %s", message(j, n_messages(j) - 1), want);
        puppet_say(t.talker, j, "Ok");
        puppet_end(t.talker, j, ERR_NONE, NULL);
        speak(t.mouth, "Ok", 10);
        await_turns(&t, ++n);
    }
    voice_wait(t.v);
    CHECK(t.n_told == n && t.talker->n_seen == n);
    theatre_close(&t);
}

TEST(another_model_and_another_voice_go_on_when_one_fails)
{
    struct theatre t;
    theatre_open(&t, "voice: {chat: [talker, other], speak: [mouth, second]}\n", NULL, false);
    hear(&t, "hello");
    puppet_end(t.talker, puppet_job(t.talker, EXPERT_CHAT), ERR_IO, "it died");
    struct job *j = puppet_job(t.other, EXPERT_CHAT);
    puppet_say(t.other, j, "One. Two.");
    puppet_end(t.other, j, ERR_NONE, NULL);
    puppet_end(t.mouth, puppet_job(t.mouth, EXPERT_SPEAK), ERR_IO, "no sound");
    speak(t.second, "Two.", 100);
    await_turns(&t, 1);
    CHECK(t.last.err.code == ERR_NONE, "%s", t.last.err.text);

    t.talker->refuses = t.other->refuses = true;
    hear(&t, "are you there");
    await_turns(&t, 2);
    CHECK(t.last.err.code == ERR_BUSY && strstr(t.last.err.text, "is down"), "%s", t.last.err.text);

    t.other->refuses = false; /* and goes on */
    t.mouth->refuses = t.second->refuses = true;
    hear(&t, "now");
    j = puppet_job(t.other, EXPERT_CHAT);
    puppet_say(t.other, j, "Yes.");
    puppet_end(t.other, j, ERR_NONE, NULL);
    await_turns(&t, 3);
    CHECK(t.last.err.code == ERR_BUSY && strstr(t.told.data, "now>Yes.>;"), "%s %s", t.last.err.text, t.told.data);
    theatre_close(&t);
}

TEST(it_remembers_so_many_turns_and_no_more)
{
    struct theatre t;
    theatre_open(&t, "voice: {chat: talker, speak: mouth, history: 2, system: ''}\n", NULL, false);
    for (int i = 0; i < 4; i++) {
        char text[16];
        snprintf(text, sizeof(text), "q%d", i);
        hear(&t, text);
        struct job *j = puppet_job(t.talker, EXPERT_CHAT);
        CHECK(n_messages(j) == (size_t)(i < 2 ? 2 * i + 1 : 5), "%zu", n_messages(j));
        if (i == 3)
            CHECK(strcmp(message(j, 0), "user: q1") == 0 && strcmp(message(j, 1), "assistant: Ok") == 0);
        puppet_say(t.talker, j, "Ok");
        puppet_end(t.talker, j, ERR_NONE, NULL);
        speak(t.mouth, "Ok", 10);
        await_turns(&t, i + 1);
    }
    theatre_close(&t);
}

/* ---- with the cascade's engine, and synthetic sound ---- */

enum { PIECE = 1600 }; /* 0.1 s */
struct tape {
    struct theatre *t;
    struct actor *vad;
    const char *loud;    /* a letter for each piece: 'x' speech, '.' silence, '!' silence, after the answer has begun */
    int at;
    float samples[PIECE];
};

static bool tape_next(void *ctx, struct source_piece *p, struct err *err)
{
    struct tape *k = ctx;
    (void)err;
    actor_await(k->vad, k->at); /* live: nothing shall find its place taken */
    if (!k->loud[k->at])
        return false;
    if (k->loud[k->at] == '!')
        puppet_job(k->t->talker, EXPERT_CHAT);
    for (int i = 0; i < PIECE; i++)
        k->samples[i] = k->loud[k->at] == 'x' ? (float)(i % 20 - 10) / 20 : 0;
    *p = (struct source_piece){ .media = { .form = MEDIA_F32, .bytes = k->samples, .n_bytes = sizeof(k->samples), .rate_hz = 16000 }, .t_s = 0.1 * k->at++ };
    return true;
}

static void hear_loudness(struct puppet *p, struct job *j, void *ctx)
{
    const float *samples = j->request.media[0].bytes;
    const float score = samples[0] != 0;
    (void)ctx;
    puppet_result(p, j, &(struct task_result){ .scores = &score, .n_scores = 1, .score_step_s = 0.1 });
    puppet_end(p, j, ERR_NONE, NULL);
}

static void write_down(struct puppet *p, struct job *j, void *ctx)
{
    char text[64];
    (void)ctx;
    snprintf(text, sizeof(text), "%.1f seconds", (double)j->request.media[0].n_bytes / sizeof(float) / 16000);
    puppet_say(p, j, text); /* in pieces and as a result, as PocketSphinx does */
    puppet_result(p, j, &(struct task_result){ .text = text });
    puppet_end(p, j, ERR_NONE, NULL);
}

static void agree(struct puppet *p, struct job *j, void *ctx)
{
    (void)ctx;
    puppet_say(p, j, "Yes. Indeed.");
    puppet_end(p, j, ERR_NONE, NULL);
}

static void make_sound(struct puppet *p, struct job *j, void *ctx)
{
    static const float samples[1600];
    (void)ctx;
    j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_AUDIO, .samples = samples, .n_samples = 1600, .rate_hz = 16000 });
    puppet_end(p, j, ERR_NONE, NULL);
}

static void on_start(void *ctx, const struct cascade_event *e) { voice_on_event_start(((struct theatre *)ctx)->v, e); }
static void on_over(void *ctx, const struct cascade_event *e) { voice_on_event(((struct theatre *)ctx)->v, e); }

static void run_tape(struct theatre *t, const char *loud, bool is_live, struct actor *vad)
{
    struct err err = { 0 };
    struct tape tape = { .t = t, .vad = vad, .loud = loud };
    const struct cascade_hooks hooks = { .ctx = t, .on_event_start = on_start, .on_event = on_over };
    struct cascade_run *r = cascade_run_new(t->c, &t->world, &hooks, &err);
    struct source *s = source_open_fn(tape_next, NULL, &tape, is_live, true, &err);
    CHECK(r && s && cascade_run_go(r, s, &err), "%s", err.text);
    source_close(s);
    cascade_run_free(r);
}

TEST(what_a_cascade_hears_is_answered_turn_by_turn)
{
    struct theatre t;
    struct actor vad, ear, talker, mouth;
    const char *path = test_tmp("answers.wav");
    theatre_open(&t, VOICE, path, false);
    actor_start(&vad, t.vad, hear_loudness, NULL);
    actor_start(&ear, t.ear, write_down, NULL);
    actor_start(&talker, t.talker, agree, NULL);
    actor_start(&mouth, t.mouth, make_sound, NULL);
    run_tape(&t, "...xxxxx........xxx", false, &vad);
    voice_wait(t.v);
    struct actor *const all[] = { &vad, &ear, &talker, &mouth };
    for (int i = 0; i < 4; i++)
        actor_stop(all[i]);
    CHECK(t.n_told == 2 && t.mouth->n_seen == 4, "%d %d", t.n_told, t.mouth->n_seen);
    CHECK(strstr(t.told.data, " seconds>Yes. Indeed.>Yes. Indeed.;"), "%s", t.told.data);
    CHECK(!strstr(t.told.data, "seconds 0") && !strstr(t.told.data, "seconds 1"), "said twice: %s", t.told.data);
    theatre_close(&t);
}

TEST(speech_in_a_live_cascade_stops_the_answer)
{
    struct theatre t;
    struct actor vad, ear;
    theatre_open(&t, VOICE, NULL, true);
    actor_start(&vad, t.vad, hear_loudness, NULL);
    actor_start(&ear, t.ear, write_down, NULL);
    run_tape(&t, "..xxxxx.......!.xxxxx........", true, &vad);
    struct job *j = puppet_job(t.talker, EXPERT_CHAT); /* that of the first turn: it was cancelled */
    puppet_await_cancel(t.talker, j);
    puppet_end(t.talker, j, ERR_CANCELLED, "cancelled");
    await_turns(&t, 1);
    CHECK(t.last.was_interrupted && t.last.err.code == ERR_NONE);
    j = puppet_job(t.talker, EXPERT_CHAT); /* both together: nothing was heard of the first answer */
    CHECK(n_messages(j) == 2 && strstr(message(j, 1), "seconds ") && !job_is_cancelled(j), "%s", message(j, 1));
    puppet_end(t.talker, j, ERR_NONE, NULL);
    voice_wait(t.v);
    actor_stop(&vad);
    actor_stop(&ear);
    CHECK(t.n_told == 2);
    theatre_close(&t);
}

/* ---- the player ---- */

TEST(the_player_accounts_for_every_sample)
{
    static float samples[16000];
    struct err err = { 0 };
    struct player_state s;
    struct player *p = player_new(NULL, true, NULL, NULL, &err);
    CHECK(p, "%s", err.text);
    CHECK(player_put(p, samples, 16000, 8000, &err) && player_put(p, samples, 16000, 8000, &err));
    player_drop(p); /* of 4 s little was heard */
    player_get(p, &s);
    CHECK(s.n_put == 32000 && s.n_heard + s.n_dropped == 32000 && s.n_dropped > 0 && s.rate_hz == 8000);
    int n = 0;
    while (n < 1000 && player_put(p, samples, 16000, 8000, &err))
        n++;
    CHECK(n >= 30 && n < 1000 && err.code == ERR_LIMIT, "%d", n); /* 60 s of it */
    CHECK(!player_put(p, samples, 10, 100, &err));
    player_drop(p);
    CHECK(player_close(p, &err));
    p = player_new("/nowhere/at/all.wav", false, NULL, NULL, &err);
    CHECK(!p && err.code == ERR_IO);
}

TEST(a_file_at_the_speed_of_life_begins_with_the_source)
{
    static float samples[1600];
    struct err err = { 0 };
    const char *path = test_tmp("live.wav");
    struct player *p = player_new(path, true, NULL, NULL, &err);
    const uint64_t begin = clock_ns();
    while (clock_ns() - begin < 30000000) /* silence until somebody speaks */
        ;
    for (int i = 0; i < 1600; i++)
        samples[i] = 0.5f;
    CHECK(player_put(p, samples, 1600, 16000, &err));
    CHECK(player_close(p, &err), "%s", err.text);
    size_t n;
    struct sound s = { 0 };
    char *wav = file_read(path, 1 << 24, &n, &err);
    CHECK(wav && sound_decode(wav, n, 0, NULL, &s, &err), "%s", err.text);
    size_t first = 0;
    while (first < s.n && s.samples[first] == 0)
        first++;
    CHECK(first >= 480 && s.n >= first + 1600, "%zu of %zu", first, s.n);
    sound_fini(&s);
    free(wav);
}
