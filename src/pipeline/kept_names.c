/* pipeline/kept_names.c - what may be named in a cascade's expressions, as tables: of a stage, of an event, of the moment. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "pipeline/kept.h"

enum { OF_STAGE = 32, OF_EVENT = 1000, OF_MOMENT = 1100 }; /* ids: stage * OF_STAGE + field; then those of events and of the moment */

/* ---- items of lists ---- */

static const struct kept_box *box_of(const void *item) { return item; }
static void box_label(const void *i, struct expr_value *v) { v->text = box_of(i)->box->label; }
static void box_name(const void *i, struct expr_value *v) { v->text = box_of(i)->box->name; }
static void box_score(const void *i, struct expr_value *v) { v->x = box_of(i)->box->score; }
static void box_name_score(const void *i, struct expr_value *v) { v->x = box_of(i)->box->name_score; }
static void box_x(const void *i, struct expr_value *v) { v->x = box_of(i)->x; }
static void box_y(const void *i, struct expr_value *v) { v->x = box_of(i)->y; }
static void box_w(const void *i, struct expr_value *v) { v->x = box_of(i)->w; }
static void box_h(const void *i, struct expr_value *v) { v->x = box_of(i)->h; }
static void box_area(const void *i, struct expr_value *v) { v->x = box_of(i)->area; }
static const struct expr_field boxes[] = {
    { "label", EXPR_TEXT, box_label }, { "name", EXPR_TEXT, box_name }, { "score", EXPR_NUMBER, box_score }, { "name_score", EXPR_NUMBER, box_name_score },
    { "x", EXPR_NUMBER, box_x }, { "y", EXPR_NUMBER, box_y }, { "w", EXPR_NUMBER, box_w }, { "h", EXPR_NUMBER, box_h }, { "area", EXPR_NUMBER, box_area }, { NULL, 0, NULL },
};

static void label_label(const void *i, struct expr_value *v) { v->text = ((const struct result_label *)i)->label; }
static void label_score(const void *i, struct expr_value *v) { v->x = ((const struct result_label *)i)->score; }
static const struct expr_field labels[] = { { "label", EXPR_TEXT, label_label }, { "score", EXPR_NUMBER, label_score }, { NULL, 0, NULL } };

static void word_text(const void *i, struct expr_value *v) { v->text = ((const struct result_word *)i)->text; }
static void word_score(const void *i, struct expr_value *v) { v->x = ((const struct result_word *)i)->score; }
static const struct expr_field words[] = { { "text", EXPR_TEXT, word_text }, { "score", EXPR_NUMBER, word_score }, { NULL, 0, NULL } };

static void segment_label(const void *i, struct expr_value *v) { v->text = ((const struct result_segment *)i)->label; }
static void segment_text(const void *i, struct expr_value *v) { v->text = ((const struct result_segment *)i)->text; }
static void segment_score(const void *i, struct expr_value *v) { v->x = ((const struct result_segment *)i)->score; }
static void segment_start(const void *i, struct expr_value *v) { v->x = ((const struct result_segment *)i)->start_s; }
static void segment_end(const void *i, struct expr_value *v) { v->x = ((const struct result_segment *)i)->end_s; }
static const struct expr_field segments[] = {
    { "label", EXPR_TEXT, segment_label }, { "text", EXPR_TEXT, segment_text }, { "score", EXPR_NUMBER, segment_score },
    { "start", EXPR_SECONDS, segment_start }, { "end", EXPR_SECONDS, segment_end }, { NULL, 0, NULL },
};

static void tally_label(const void *i, struct expr_value *v) { v->text = ((const struct kept_tally *)i)->text; }
static void tally_score(const void *i, struct expr_value *v) { v->x = ((const struct kept_tally *)i)->score; }
static void tally_pieces(const void *i, struct expr_value *v) { v->x = ((const struct kept_tally *)i)->n_pieces; }
static void tally_count(const void *i, struct expr_value *v) { v->x = ((const struct kept_tally *)i)->n_most; }
static const struct expr_field tallies[] = {
    { "label", EXPR_TEXT, tally_label }, { "score", EXPR_NUMBER, tally_score }, { "pieces", EXPR_NUMBER, tally_pieces }, { "count", EXPR_NUMBER, tally_count }, { NULL, 0, NULL },
};

/* ---- a stage ---- */

static void list(struct expr_value *v, const void *items, int n, size_t stride) { v->list = (struct expr_list){ items, n, stride }; }
static void stage_ran(const struct kept *k, struct expr_value *v) { v->b = k->has; }
static void stage_score(const struct kept *k, struct expr_value *v) { v->x = k->score; }
static void stage_label(const struct kept *k, struct expr_value *v) { v->text = k->label; }
static void stage_text(const struct kept *k, struct expr_value *v) { v->text = kept_text(k); }
static void stage_language(const struct kept *k, struct expr_value *v) { v->text = k->r.language; }
static void stage_boxes(const struct kept *k, struct expr_value *v) { list(v, k->boxes, k->r.n_boxes, sizeof(struct kept_box)); }
static void stage_labels(const struct kept *k, struct expr_value *v) { list(v, k->r.labels, k->r.n_labels, sizeof(struct result_label)); }
static void stage_words(const struct kept *k, struct expr_value *v) { list(v, k->r.words, k->r.n_words, sizeof(struct result_word)); }
static void stage_segments(const struct kept *k, struct expr_value *v) { list(v, k->r.segments, k->r.n_segments, sizeof(struct result_segment)); }
static void stage_took(const struct kept *k, struct expr_value *v) { v->x = k->ms / 1000; }

static const struct stage_name { const char *name; enum expr_type type; const struct expr_field *fields; void (*get)(const struct kept *k, struct expr_value *v); } of_stage[] = {
    { "ran", EXPR_BOOL, NULL, stage_ran }, { "score", EXPR_NUMBER, NULL, stage_score }, { "label", EXPR_TEXT, NULL, stage_label },
    { "text", EXPR_TEXT, NULL, stage_text }, { "language", EXPR_TEXT, NULL, stage_language }, { "boxes", EXPR_LIST, boxes, stage_boxes },
    { "labels", EXPR_LIST, labels, stage_labels }, { "words", EXPR_LIST, words, stage_words }, { "segments", EXPR_LIST, segments, stage_segments },
    { "took", EXPR_SECONDS, NULL, stage_took },
};
enum { STAGE_NAMES = sizeof(of_stage) / sizeof(of_stage[0]) };

/* ---- an event ---- */

static void event_id(const struct kept_event *e, struct expr_value *v) { v->x = (double)e->id; }
static void event_duration(const struct kept_event *e, struct expr_value *v) { v->x = e->duration_s; }
static void event_start(const struct kept_event *e, struct expr_value *v) { v->x = e->start_clock_s; }
static void event_pieces(const struct kept_event *e, struct expr_value *v) { v->x = e->n_pieces; }
static void event_count(const struct kept_event *e, struct expr_value *v) { v->x = e->count; }
static void event_labels(const struct kept_event *e, struct expr_value *v) { list(v, e->labels, e->n_labels, sizeof(struct kept_tally)); }
static void event_names(const struct kept_event *e, struct expr_value *v) { list(v, e->names, e->n_names, sizeof(struct kept_tally)); }
static void event_text(const struct kept_event *e, struct expr_value *v) { v->text = e->text; }

static const struct event_name { const char *name; enum expr_type type; const struct expr_field *fields; void (*get)(const struct kept_event *e, struct expr_value *v); } of_event[] = {
    { "id", EXPR_NUMBER, NULL, event_id }, { "duration", EXPR_SECONDS, NULL, event_duration }, { "start", EXPR_CLOCK, NULL, event_start },
    { "pieces", EXPR_NUMBER, NULL, event_pieces }, { "count", EXPR_NUMBER, NULL, event_count }, { "labels", EXPR_LIST, tallies, event_labels },
    { "names", EXPR_LIST, tallies, event_names }, { "text", EXPR_TEXT, NULL, event_text },
};
enum { EVENT_NAMES = sizeof(of_event) / sizeof(of_event[0]) };

/* ---- the moment ---- */

static struct tm moment(const struct kept_world *w)
{
    struct tm tm = { 0 };
    const time_t s = (time_t)(w->unix_ms / 1000);
    localtime_r(&s, &tm);
    return tm;
}
static void now_time(const struct kept_world *w, struct expr_value *v)
{
    const struct tm tm = moment(w);
    v->x = tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
}
static void now_hour(const struct kept_world *w, struct expr_value *v) { v->x = moment(w).tm_hour; }
static void now_weekday(const struct kept_world *w, struct expr_value *v) { v->x = (moment(w).tm_wday + 6) % 7 + 1; }
static void now_t(const struct kept_world *w, struct expr_value *v) { v->x = w->t_s; }

static const struct moment_name { const char *name; enum expr_type type; void (*get)(const struct kept_world *w, struct expr_value *v); } of_moment[] = {
    { "time", EXPR_CLOCK, now_time }, { "hour", EXPR_NUMBER, now_hour }, { "weekday", EXPR_NUMBER, now_weekday /* 1: Monday */ }, { "t", EXPR_SECONDS, now_t },
};
enum { MOMENT_NAMES = sizeof(of_moment) / sizeof(of_moment[0]) };

void kept_get(void *ctx, int id, struct expr_value *out)
{
    const struct kept_world *w = ctx;
    if (id >= OF_MOMENT)
        of_moment[id - OF_MOMENT].get(w, out);
    else if (id >= OF_EVENT && w->event)
        of_event[id - OF_EVENT].get(w->event, out);
    else if (id < OF_EVENT && id / OF_STAGE < w->n_stages && w->stages[id / OF_STAGE] && w->stages[id / OF_STAGE]->has)
        of_stage[id % OF_STAGE].get(w->stages[id / OF_STAGE], out);
    if (!out->text)
        out->text = "";
}

bool kept_names(const struct cascade *c, int n_stages, bool with_event, struct arena *a, struct expr_names *out, struct err *err)
{
    const int n = n_stages * STAGE_NAMES + (with_event ? EVENT_NAMES : 0) + MOMENT_NAMES;
    struct expr_name *names = arena_alloc(a, (size_t)n, sizeof(*names), err);
    int k = 0;
    if (!names)
        return false;
    for (int s = 0; s < n_stages; s++)
        for (int i = 0; i < STAGE_NAMES; i++)
            names[k++] = (struct expr_name){ c->stages[s].name, of_stage[i].name, of_stage[i].type, of_stage[i].fields, s * OF_STAGE + i };
    for (int i = 0; with_event && i < EVENT_NAMES; i++)
        names[k++] = (struct expr_name){ "event", of_event[i].name, of_event[i].type, of_event[i].fields, OF_EVENT + i };
    for (int i = 0; i < MOMENT_NAMES; i++)
        names[k++] = (struct expr_name){ NULL, of_moment[i].name, of_moment[i].type, NULL, OF_MOMENT + i };
    *out = (struct expr_names){ names, n, n_stages > 0 ? c->stages[n_stages - 1].name : NULL };
    return true;
}

unsigned kept_stages_of(const struct expr_name *name) { return name->id < OF_EVENT ? 1u << (name->id / OF_STAGE) : 0; }
