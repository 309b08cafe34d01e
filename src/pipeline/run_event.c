/* pipeline/run_event.c - pieces become events.  Start at run_events_on().
 *
 *   (none) --a piece for which `when` holds--> open --nothing for `join`, or longer than `max`--> through its stages --> told, free
 *                                                   --too short, never confirmed--> dropped, free
 * Rule:    pieces finish in any order, events are made in the order of the stream: a piece waits until all older ones are through.
 *          Of a camera only pieces that belong to an event are held; of sound all, because what lies between is wanted too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/run_internal.h"
#include "pipeline/words.h"

static const unsigned NOT_SEEN = EXPERT_MOTION | EXPERT_VAD; /* they say where, not what */

/* ---- pieces ---- */

static void keep_in_order(struct cascade_run *r, struct piece *p)
{
    struct piece **at = &r->hits;
    while (*at && (*at)->s.t_s <= p->s.t_s)
        at = &(*at)->next;
    p->next = *at;
    *at = p;
}

void run_piece_over(struct cascade_run *r, struct piece *p)
{
    const struct cascade_events *e = &r->c->events;
    if (e->when) {
        struct kept_world w;
        const struct kept *views[CASCADE_STAGES_MAX];
        run_world(r, &p->s, &w, views);
        const struct expr_world x = { .ctx = &w, .get = kept_get, .now_s = w.t_s };
        p->is_hit = expr_true(e->when, &x, &r->when_state);
        p->rank = p->is_hit && e->best ? expr_number(e->best, &x, NULL) : 0;
        if (isnan(p->rank))
            p->rank = -INFINITY;
        if (p->is_hit || r->c->is_sound) {
            keep_in_order(r, p);
            return;
        }
    }
    run_piece_unref(r, p);
}

/* ---- what was seen ---- */

static bool is_wanted(const struct cascade_events *e, const char *label)
{
    for (int i = 0; i < e->n_labels; i++)
        if (strcmp(e->labels[i], label) == 0)
            return true;
    return e->n_labels == 0;
}

static void tally(struct kept_tally *t, int *n, int max, const char *text, int now, float score)
{
    int i = 0;
    while (i < *n && strncmp(t[i].text, text, sizeof(t[i].text) - 1) != 0)
        i++;
    if (i == max)
        return;
    if (i == *n) {
        t[(*n)++] = (struct kept_tally){ .score = score };
        snprintf(t[i].text, sizeof(t[i].text), "%s", text);
    }
    t[i].n_pieces++;
    t[i].n_most = now > t[i].n_most ? now : t[i].n_most;
    t[i].score = score > t[i].score ? score : t[i].score;
    for (; i > 0 && t[i].n_pieces > t[i - 1].n_pieces; i--) { /* most often first */
        const struct kept_tally swap = t[i];
        t[i] = t[i - 1], t[i - 1] = swap;
    }
}

static const char *label_of(const struct kept *k, const struct result_box *b)
{
    return b->label && b->label[0] ? b->label : k->task == EXPERT_FACES ? "face" : k->task == EXPERT_OCR ? "text" : "";
}

static void tally_boxes(struct event *e, const struct cascade_events *plan, const struct kept *k)
{
    for (int i = 0; i < k->r.n_boxes; i++) {
        const struct result_box *b = &k->r.boxes[i];
        const char *label = label_of(k, b);
        int now = 0, first = i;
        float score = 0;
        for (int j = 0; j < k->r.n_boxes; j++)
            if (strcmp(label_of(k, &k->r.boxes[j]), label) == 0) {
                now++;
                first = j < first ? j : first;
                score = k->r.boxes[j].score > score ? k->r.boxes[j].score : score;
            }
        if (first == i && label[0] && is_wanted(plan, label))
            tally(e->labels, &e->n_labels, RUN_LABELS_MAX, label, now, score);
        if (b->name && b->name[0])
            tally(e->names, &e->n_names, RUN_NAMES_MAX, b->name, 1, b->name_score);
    }
}

static void look_at(struct cascade_run *r, struct event *e, const struct piece *p)
{
    for (int k = 0; k < r->c->n_stages; k++) {
        const struct kept *kept = &p->s.kept[k];
        if (!(p->s.got & 1u << k) || (kept->task & NOT_SEEN))
            continue;
        tally_boxes(e, &r->c->events, kept);
        if (kept->r.n_boxes == 0 && kept->label && kept->label[0] && is_wanted(&r->c->events, kept->label))
            tally(e->labels, &e->n_labels, RUN_LABELS_MAX, kept->label, 1, kept->score);
    }
}

/* ---- sound ---- */

static bool room(float **at, int *cap, int n, int most)
{
    if (n > most)
        return false;
    if (n > *cap) {
        int more = *cap ? *cap : 16000;
        while (more < n)
            more = more > most / 2 ? most : more * 2;
        float *bigger = realloc(*at, (size_t)more * sizeof(float));
        if (!bigger)
            return false;
        *at = bigger, *cap = more;
    }
    return true;
}

static void hear(struct cascade_run *r, const struct piece *p)
{
    const struct cascade_events *plan = &r->c->events;
    const int n = (int)(p->media.n_bytes / sizeof(float)), rate = p->media.rate_hz;
    struct event *e = r->open;
    if (p->media.form != MEDIA_F32)
        return;
    if (e && (e->n_sound == 0 || e->rate_hz == rate)) {
        const int most = (int)((plan->max_s + plan->join_s + plan->before_s + 1) * rate);
        e->rate_hz = rate;
        if (room(&e->sound, &e->cap_sound, e->n_sound + n, most)) {
            memcpy(e->sound + e->n_sound, p->media.bytes, (size_t)n * sizeof(float));
            e->n_sound += n;
        }
    }
    const int keep = (int)((plan->before_s + plan->join_s) * rate);
    if (keep <= 0 || !room(&r->before, &r->cap_before, keep + n, keep + n))
        return;
    if (r->before_rate_hz != rate)
        r->n_before = 0, r->before_rate_hz = rate;
    memcpy(r->before + r->n_before, p->media.bytes, (size_t)n * sizeof(float));
    r->n_before += n;
    if (r->n_before > keep) {
        memmove(r->before, r->before + r->n_before - keep, (size_t)keep * sizeof(float));
        r->n_before = keep;
    }
}

static void hear_before(struct cascade_run *r, struct event *e)
{
    const int n = (int)(r->c->events.before_s * r->before_rate_hz), have = n < r->n_before ? n : r->n_before;
    e->n_sound = 0;
    if (have > 0 && room(&e->sound, &e->cap_sound, have, have)) {
        memcpy(e->sound, r->before + r->n_before - have, (size_t)have * sizeof(float));
        e->n_sound = have, e->rate_hz = r->before_rate_hz;
    }
}

/* ---- events ---- */

static int most_at_a_time(const struct event *e)
{
    int most = 0;
    for (int i = 0; i < e->n_labels; i++)
        most = e->labels[i].n_most > most ? e->labels[i].n_most : most;
    return most;
}

static void view(struct cascade_run *r, struct event *e)
{
    const double day = fmod((double)(e->start_unix_ms / 1000), 86400);
    (void)r;
    e->view = (struct kept_event){ .id = e->id, .duration_s = e->last_s - e->start_s, .start_clock_s = day, .n_pieces = e->n_pieces, .count = most_at_a_time(e),
                                   .labels = e->labels, .names = e->names, .n_labels = e->n_labels, .n_names = e->n_names, .text = "" };
}

static void fill(struct cascade_run *r, struct event *e, struct cascade_event *out)
{
    *out = (struct cascade_event){ .id = e->id, .start_s = e->start_s, .end_s = e->last_s, .start_unix_ms = e->start_unix_ms, .n_pieces = e->n_pieces,
                                   .is_over = e->state == EVENT_STAGES, .is_cut = e->is_cut, .n_labels = e->n_labels, .n_names = e->n_names, .count = most_at_a_time(e),
                                   .best_s = e->best ? e->best->s.t_s : e->start_s, .best = e->best ? &e->best->media : NULL,
                                   .sound = e->n_sound ? e->sound : NULL, .n_sound = e->n_sound, .rate_hz = e->rate_hz, .n_stages = r->c->n_stages, .text = "", .text_by = "" };
    for (int i = 0; i < e->n_labels; i++)
        out->labels[i] = e->labels[i].text;
    for (int i = 0; i < e->n_names; i++)
        out->names[i] = e->names[i].text;
    for (int k = 0; k < r->c->n_stages; k++) {
        const bool is_event = r->c->stages[k].each_event;
        const struct kept *kept = is_event ? (e->s.got & 1u << k ? &e->s.kept[k] : NULL) : e->best && e->best->s.got & 1u << k ? &e->best->s.kept[k] : NULL;
        kept_get_result(kept, &out->results[k]);
        if (is_event && out->results[k].text[0])
            out->text = out->results[k].text, out->text_by = out->results[k].expert;
    }
    if (!out->text[0]) {
        words_event(out, e->words, sizeof(e->words));
        out->text = e->words, out->text_by = "words";
    }
}

static void release(struct cascade_run *r, struct event *e)
{
    if (e->best)
        run_piece_unref(r, e->best);
    e->best = NULL;
    e->state = EVENT_FREE;
}

static void close_open(struct cascade_run *r, bool is_cut)
{
    struct event *e = r->open;
    r->open = NULL;
    if (!is_cut && r->c->events.cooldown_s > 0)
        r->quiet_until_s = e->last_s + r->c->events.cooldown_s;
    if (!e->is_confirmed || e->last_s - e->start_s < r->c->events.min_s) {
        r->n_events_dropped++;
        release(r, e);
        return;
    }
    e->is_cut = is_cut;
    e->state = EVENT_STAGES;
    e->s.done = e->s.got = 0;
    e->s.t_s = e->last_s, e->s.unix_ms = e->start_unix_ms;
    for (int k = 0; k < r->c->n_stages; k++)
        kept_clear(&e->s.kept[k]);
    view(r, e);
}

static struct event *open_new(struct cascade_run *r, const struct piece *p)
{
    for (int i = 0; i < r->n_events; i++) {
        struct event *e = &r->events[i];
        if (e->state != EVENT_FREE)
            continue;
        e->state = EVENT_OPEN, e->id = 0;
        e->start_s = e->last_s = p->s.t_s;
        e->start_unix_ms = p->s.unix_ms;
        e->n_pieces = e->n_labels = e->n_names = 0;
        e->is_confirmed = r->c->events.confirm == NULL, e->is_cut = e->is_told = false;
        e->best_rank = -INFINITY;
        hear_before(r, e);
        return e;
    }
    return NULL;
}

static void add(struct cascade_run *r, struct event *e, struct piece *p)
{
    const struct cascade_events *plan = &r->c->events;
    e->last_s = p->s.t_s;
    e->n_pieces++;
    look_at(r, e, p);
    if (!e->is_confirmed) {
        struct kept_world w;
        const struct kept *views[CASCADE_STAGES_MAX];
        run_world(r, &p->s, &w, views);
        const struct expr_world x = { .ctx = &w, .get = kept_get, .now_s = w.t_s };
        e->is_confirmed = expr_true(plan->confirm, &x, NULL);
    }
    if (!r->c->is_sound && (!e->best || p->rank > e->best_rank)) {
        if (e->best)
            run_piece_unref(r, e->best);
        p->refs++;
        e->best = p, e->best_rank = p->rank;
    }
    if (e->is_confirmed && !e->is_told && e->last_s - e->start_s >= plan->min_s) {
        e->is_told = true;
        e->id = ++r->n_ids;
        if (plan->interrupts)
            atomic_store(&r->cancels_events, true);
        view(r, e);
        if (r->hooks.on_event_start) {
            struct cascade_event out;
            fill(r, e, &out);
            r->hooks.on_event_start(r->hooks.ctx, &out);
        }
    }
}

/* The oldest piece that waits: false when there is no place for its event yet. */
static bool take(struct cascade_run *r, struct piece *p)
{
    const struct cascade_events *plan = &r->c->events;
    const double t = p->s.t_s;
    if (r->open && t - r->open->last_s > plan->join_s)
        close_open(r, false);
    if (p->is_hit && r->open && t - r->open->start_s >= plan->max_s)
        close_open(r, true);
    if (p->is_hit && !r->open && t >= r->quiet_until_s && !(r->open = open_new(r, p)))
        return false;
    if (r->c->is_sound)
        hear(r, p);
    if (p->is_hit && r->open)
        add(r, r->open, p);
    return true;
}

bool run_events_on(struct cascade_run *r, bool is_end)
{
    bool moved = false;
    const double low_s = is_end ? INFINITY : r->under_way ? r->under_way->s.t_s : r->now_s;
    while (r->hits && (r->under_way && !is_end ? r->hits->s.t_s < low_s : r->hits->s.t_s <= low_s)) {
        struct piece *p = r->hits;
        if (!take(r, p))
            return moved;
        r->hits = p->next;
        p->next = NULL;
        run_piece_unref(r, p);
        moved = true;
    }
    if (r->open && !r->hits && (is_end || low_s - r->open->last_s > r->c->events.join_s)) {
        close_open(r, false);
        moved = true;
    }
    return moved;
}

void run_event_over(struct cascade_run *r, struct event *e)
{
    struct cascade_event out;
    fill(r, e, &out);
    r->n_events_over++;
    if (r->hooks.on_event)
        r->hooks.on_event(r->hooks.ctx, &out);
    release(r, e);
}
