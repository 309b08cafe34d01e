/* route/trip_read.c - what a job asks for: the last turn, media, sizes, the conversation.  Nothing is copied but the first bytes of
 * pictures in base64, and turns of several parts up to what features.h reads.  Start reading at trip_read(). */
#include <math.h>
#include <string.h>
#include <time.h>

#include "route/predict.h"
#include "route/router_internal.h"
#include "wire/data_url.h"

struct reading {
    const char *text; /* the turn */
    size_t n_text, n_context, n_bytes;
    struct features_media media[TASK_MEDIA_MAX];
    int n_media, n_items;
    bool has_tools, needs_sight, needs_hearing;
    uint64_t session, system;
    float sound_s;
};

enum { HASHED_BYTES = 2048 /* of the system text, of the first turn */, TOOL_BYTES = 400 /* a tool's description, as text */ };

/* ---- chats ---- */

static const char *word_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static size_t text_bytes(const json_t *content)
{
    size_t n = json_string_length(content);
    for (size_t i = 0; i < json_array_size(content); i++)
        n += json_string_length(json_object_get(json_array_get(content, i), "text"));
    return n;
}

static uint64_t hash_content(uint64_t h, const json_t *content)
{
    const size_t n = json_string_length(content);
    if (n > 0)
        return affinity_hash(h, json_string_value(content), n < HASHED_BYTES ? n : HASHED_BYTES);
    for (size_t i = 0; i < json_array_size(content) && i < 4; i++) {
        const json_t *t = json_object_get(json_array_get(content, i), "text");
        const size_t n_part = json_string_length(t);
        h = affinity_hash(h, n_part ? json_string_value(t) : "", n_part < HASHED_BYTES ? n_part : HASHED_BYTES);
    }
    return h;
}

/* A picture inside a message: its first bytes say what it is. */
static void add_picture(struct router *r, struct reading *out, const json_t *part)
{
    const json_t *image = json_object_get(part, "image_url"), *url = json_is_object(image) ? json_object_get(image, "url") : image;
    const char *s = json_string_value(url);
    struct data_url u;
    struct err err;
    out->needs_sight = true;
    out->n_items++;
    out->n_bytes += json_string_length(url);
    if (!s || out->n_media == TASK_MEDIA_MAX)
        return;
    struct features_media *m = &out->media[out->n_media];
    size_t n = 0;
    if (data_url_is(s, json_string_length(url)) && data_url_read(&u, s, json_string_length(url), &err) && u.is_base64) {
        const size_t letters = u.n < SNIFF_BYTES / 3 * 4 ? u.n : SNIFF_BYTES / 3 * 4;
        if (base64_max_bytes(letters) > SNIFF_BYTES || !base64_decode(u.data, letters / 4 * 4, r->sniff[out->n_media], &n, &err))
            n = 0;
    }
    if (n == 0) { /* an address, or nothing that can be looked at: it says that it is a picture, and is treated so */
        static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        n = sizeof(png) - 1;
        memcpy(r->sniff[out->n_media], png, n);
    }
    *m = (struct features_media){ r->sniff[out->n_media], n };
    out->n_media++;
}

/* Seconds of sound, roughly: WAV says its bytes per second, others are taken for 32 kbit/s speech. */
static float sound_s_of(const struct task_media *m)
{
    const uint8_t *b = m->bytes;
    if (m->form == MEDIA_F32)
        return m->rate_hz > 0 ? (float)(m->n_bytes / 4) / (float)m->rate_hz : 0;
    double per_s = 4000;
    if (m->form == MEDIA_ENCODED && m->n_bytes > 44 && memcmp(b, "RIFF", 4) == 0) {
        const uint32_t rate = (uint32_t)b[28] | (uint32_t)b[29] << 8 | (uint32_t)b[30] << 16 | (uint32_t)b[31] << 24;
        if (rate >= 1000 && rate < 10000000)
            per_s = rate;
    }
    return (float)((double)m->n_bytes / per_s);
}

/* A sound inside a message, base64 or a data URL. */
static void add_sound(struct router *r, struct reading *out, const json_t *part)
{
    const json_t *data = json_object_get(json_object_get(part, "input_audio"), "data");
    if (!data)
        data = json_object_get(json_object_get(part, "audio_url"), "url");
    const char *s = json_string_value(data);
    struct data_url u = { .is_base64 = true, .data = s, .n = json_string_length(data) };
    struct err err;
    size_t n = 0;
    out->needs_hearing = true;
    out->n_bytes += u.n;
    if (!s || out->n_media == TASK_MEDIA_MAX || (data_url_is(s, u.n) && !data_url_read(&u, s, u.n, &err)))
        return;
    const size_t letters = u.n < SNIFF_BYTES / 3 * 4 ? u.n : SNIFF_BYTES / 3 * 4;
    if (u.is_base64 && base64_decode(u.data, letters / 4 * 4, r->sniff[out->n_media], &n, &err)) {
        const struct task_media m = { .form = MEDIA_ENCODED, .bytes = r->sniff[out->n_media], .n_bytes = n };
        out->sound_s += sound_s_of(&m) * (float)u.n * 3 / 4 / (float)(n ? n : 1);
        out->media[out->n_media] = (struct features_media){ r->sniff[out->n_media], n };
        out->n_media++;
    }
}

/* The turn's text: as it lies there, or its parts one after the other. */
static void read_turn(struct router *r, struct reading *out, const json_t *content)
{
    if (json_is_string(content)) {
        out->text = json_string_value(content);
        out->n_text = json_string_length(content);
        return;
    }
    size_t n_texts = 0, n = 0;
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *part = json_array_get(content, i), *text = json_object_get(part, "text");
        const char *type = word_of(part, "type");
        if (strncmp(type, "image", 5) == 0 || json_object_get(part, "image_url"))
            add_picture(r, out, part);
        else if (strcmp(type, "input_audio") == 0 || strcmp(type, "audio_url") == 0)
            add_sound(r, out, part);
        if (!json_is_string(text))
            continue;
        const size_t n_part = json_string_length(text);
        if (n_texts++ == 0) {
            out->text = json_string_value(text);
            out->n_text = n_part;
        } else if (n_texts == 2) {
            n = out->n_text < TURN_BYTES ? out->n_text : TURN_BYTES;
            memcpy(r->turn, out->text, n);
        }
        if (n_texts >= 2) {
            const size_t fits = n_part < TURN_BYTES - n ? n_part : TURN_BYTES - n;
            memcpy(r->turn + n, json_string_value(text), fits);
            n += fits;
            out->n_context += n_part - fits;
        }
    }
    if (n_texts >= 2) {
        out->text = r->turn;
        out->n_text = n;
    }
}

static void read_chat(struct router *r, struct reading *out, const struct job *j)
{
    const json_t *messages = json_object_get(j->vars, "messages"), *tools = json_object_get(j->vars, "tools");
    const size_t n = json_array_size(messages);
    size_t turn = n;
    uint64_t h = 1;
    bool has_user = false;
    for (size_t i = n; i > 0 && turn == n; i--)
        if (strcmp(word_of(json_array_get(messages, i - 1), "role"), "user") == 0)
            turn = i - 1;
    if (turn == n && n > 0) /* nobody said that he is the user: the last one counts */
        turn = n - 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_array_get(messages, i), *content = json_object_get(m, "content");
        if (i == turn)
            read_turn(r, out, content);
        else
            out->n_context += text_bytes(content);
        if (has_user)
            continue;
        has_user = strcmp(word_of(m, "role"), "user") == 0;
        if (has_user)
            out->system = i > 0 ? h : 0;
        h = hash_content(h, content);
    }
    out->session = n > 0 ? h : 0;
    out->has_tools = json_array_size(tools) > 0;
    out->n_context += json_array_size(tools) * TOOL_BYTES;
}

/* ---- the rest ---- */

static void read_inputs(struct reading *out, const struct job *j)
{
    for (int i = 0; i < j->n_inputs; i++) {
        const struct job_input *in = &j->inputs[i];
        const size_t n = in->text ? in->n_text : (size_t)in->n_ids * 4;
        if (i == 0 && in->text) {
            out->text = in->text;
            out->n_text = n;
        } else {
            out->n_context += n;
        }
    }
    out->n_items = j->task == EXPERT_EMBED ? j->n_inputs : 0;
    if (j->task == EXPERT_COMPLETE && j->n_inputs == 1 && out->text)
        out->session = affinity_hash(2, out->text, out->n_text < HASHED_BYTES ? out->n_text : HASHED_BYTES);
}

static void read_media(struct reading *out, const struct job *j)
{
    const struct task_request *q = &j->request;
    const bool is_sound = j->task & (EXPERT_TRANSCRIBE | EXPERT_VAD | EXPERT_WAKE | EXPERT_KEYWORD);
    for (int i = 0; i < q->n_media; i++) {
        out->n_bytes += q->media[i].n_bytes;
        if (q->media[i].form == MEDIA_ENCODED && out->n_media < TASK_MEDIA_MAX)
            out->media[out->n_media++] = (struct features_media){ q->media[i].bytes, q->media[i].n_bytes };
        if (is_sound)
            out->sound_s += sound_s_of(&q->media[i]);
    }
    for (int i = 0; i < q->n_tensors; i++)
        out->n_bytes += q->tensors[i].n_bytes;
    out->n_items = is_sound ? 0 : q->n_media + (j->task == EXPERT_INFER);
    if (q->n_texts > 0) {
        out->text = q->texts[0].text;
        out->n_text = q->texts[0].n;
        for (int i = 1; i < q->n_texts; i++)
            out->n_context += q->texts[i].n;
    }
    if (j->task == EXPERT_SPEAK)
        out->sound_s = (float)out->n_text / 15; /* characters of a second of speech, about */
    out->session = q->session;
}

static int minute_of_day(struct router *r)
{
    const time_t now = time(NULL);
    struct tm tm;
    if ((int64_t)now < r->minute_until_s && (int64_t)now >= r->minute_until_s - 60)
        return r->minute_of_day;
    if (!localtime_r(&now, &tm))
        return 0;
    r->minute_until_s = (int64_t)now + 60 - tm.tm_sec;
    return r->minute_of_day = tm.tm_hour * 60 + tm.tm_min;
}

/* What a request and its answer are told by when it is asked again: all its words and settings.  Only where luck plays no part. */
static void make_recall_key(struct trip *t)
{
    const struct job *j = t->outer;
    struct recall_key *k = &t->recall;
    if (!t->r->recall || j->wish.only[0] || !t->has_intent || t->features.is_private || j->n_choices != 1 || j->sampling.temperature > RECALL_TEMPERATURE || j->n_logprobs >= 0 ||
        t->features.media || t->features.has_tools)
        return;
    const int settings[] = { (int)j->task, j->max_tokens, j->n_stops };
    recall_add_raw(k, settings, sizeof(settings));
    for (int i = 0; i < j->n_stops; i++)
        recall_add_raw(k, j->stops[i].text, j->stops[i].n);
    for (int i = 0; i < j->n_inputs; i++)
        if (j->inputs[i].text)
            recall_add_text(k, j->inputs[i].text, j->inputs[i].n_text);
        else
            recall_add_raw(k, j->inputs[i].ids, (size_t)j->inputs[i].n_ids * sizeof(*j->inputs[i].ids));
    const json_t *messages = json_object_get(j->vars, "messages");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *m = json_array_get(messages, i), *content = json_object_get(m, "content");
        const char *role = word_of(m, "role");
        recall_add_raw(k, role, strlen(role));
        if (json_is_string(content))
            recall_add_text(k, json_string_value(content), json_string_length(content));
        for (size_t p = 0; p < json_array_size(content); p++) {
            const char *text = word_of(json_array_get(content, p), "text");
            recall_add_text(k, text, strlen(text));
        }
    }
}

void trip_read(struct trip *t)
{
    struct router *r = t->r;
    const struct job *j = t->outer;
    const bool is_text = j->task & (EXPERT_CHAT | EXPERT_COMPLETE);
    struct reading a = { .text = "" };
    if (j->task == EXPERT_CHAT)
        read_chat(r, &a, j);
    else if (j->inputs)
        read_inputs(&a, j);
    else
        read_media(&a, j);
    if (!a.text)
        a.text = "", a.n_text = 0;
    const struct features_in in = { .text = a.text, .n_bytes = a.n_text, .n_context_bytes = a.n_context, .media = a.media, .n_media = a.n_media, .has_tools = a.has_tools };
    features_read(&in, &t->features);
    t->has_intent = is_text;
    if (is_text)
        intent_decide(r->env.intent, &t->features, a.text, a.n_text, &t->intent);
    struct route_request *q = &t->request;
    route_request_of(q, j->task, t->goal, &t->wish, &t->features, is_text ? &t->intent : NULL, (uint64_t)(j->max_tokens > 0 ? j->max_tokens : 0));
    if (is_text && j->n_choices > 1)
        q->gen_tok *= (uint64_t)j->n_choices;
    q->n_items = a.n_items;
    q->sound_s = a.sound_s;
    q->n_bytes = a.n_bytes + a.n_text + a.n_context;
    q->needs_sight = j->task == EXPERT_CHAT && a.needs_sight;
    q->needs_hearing = j->task == EXPERT_CHAT && a.needs_hearing;
    q->needs_tools = j->task == EXPERT_CHAT && a.has_tools;
    q->session = a.session;
    q->minute_of_day = minute_of_day(r);
    make_recall_key(t);
    t->session_key = a.session;
    t->system_key = a.system;
}
