/* pipeline/fanout_plan.c - who is asked what about a picture or a recording: a table.  A new branch is one line of it. */
#include <stdio.h>
#include <string.h>

#include "pipeline/fanout_internal.h"

static const struct fanout_branch branches[] = {
    { FANOUT_PICTURE, FANOUT_ALWAYS, EXPERT_DESCRIBE, "A description of it", true, fanout_say_text, "" },
    { FANOUT_PICTURE, FANOUT_USUALLY, EXPERT_OCR, "Text that was read in it", true, fanout_say_text,
      "read|text|say|sign|word|letter|number|written|writ|plate|title|caption|menu|receipt|invoice|bill|price|cost|address|date|translat|"
      "lies|lesen|steht|schild|wort|wörter|geschrieben|nummer|zahl|rechnung|preis|kostet|überschrift|"
      "dice|texto|letrero|cartel|leer|escrit|número|precio|cuesta|factura|"
      "lire|lis |écrit|panneau|texte|mot|numéro|prix|coûte|facture|leggi|scritt|cartello|testo|"
      "写|字|读|文字|标志|牌|价格|多少钱" },
    { FANOUT_PICTURE, FANOUT_USUALLY, EXPERT_DETECT, "Things that were seen in it", false, fanout_say_boxes,
      "how many|count|number of|where|object|thing|is there|are there|left|right|people|person|car|see|show|happen|describe|"
      "wie viele|wieviele|zähl|wo |gibt es|links|rechts|leute|person|auto|zeigt|siehst|sieht|passiert|beschreib|"
      "cuánt|cuant|dónde|donde|hay |personas|coche|muestra|ves |describ|"
      "combien|où|y a-t-il|gens|voiture|montre|vois|décri|"
      "多少|几个|哪里|有没有|人|车|看到|描述" },
    { FANOUT_PICTURE, FANOUT_ASKED, EXPERT_FACES, "Faces in it", false, fanout_say_faces,
      "who|whose face|face|recogni|wer |wen |gesicht|erkennst|quién|quien|cara|rostro|qui est|qui sont|visage|谁|脸" },
    { FANOUT_PICTURE, FANOUT_USUALLY, EXPERT_CLASSIFY, "What it may show", false, fanout_say_labels,
      "what kind|kind of|type of|breed|species|classif|categor|what is this|what is that|what's this|animal|plant|flower|describe|picture of|"
      "was für|welche art|rasse|was ist das|tier|pflanze|blume|beschreib|"
      "qué tipo|que tipo|raza|especie|qué es|que es|animal|planta|flor|"
      "quel type|quelle race|espèce|qu'est-ce|plante|fleur|什么|种类|品种" },
    { FANOUT_SOUND, FANOUT_ALWAYS, EXPERT_TRANSCRIBE, "What was said in it", true, fanout_say_text, "" },
};
enum { N_BRANCHES = sizeof(branches) / sizeof(branches[0]) };

const char *fanout_medium_name(enum fanout_medium m)
{
    static const char *const names[] = { "picture", "sound" };
    _Static_assert(sizeof(names) / sizeof(names[0]) == FANOUT_MEDIUM_COUNT, "one name each");
    return m < FANOUT_MEDIUM_COUNT ? names[m] : "?";
}

/* ---- which words are in a question ---- */

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80; }

/* Does s have the word w (n bytes) at a word's beginning?  Scripts without blanks between words: anywhere. */
static bool has_word(const char *s, size_t n_s, const char *w, size_t n)
{
    const bool anywhere = (unsigned char)w[0] >= 0xe3;
    for (size_t i = 0; i + n <= n_s; i++) {
        size_t k = 0;
        while (k < n && (s[i + k] >= 'A' && s[i + k] <= 'Z' ? s[i + k] + 32 : s[i + k]) == w[k])
            k++;
        if (k == n && (anywhere || i == 0 || !is_letter(s[i - 1])))
            return true;
    }
    return false;
}

/* The first of the words that is in the question; NULL. */
static const char *find_word(const char *words, const char *question, size_t n_question, size_t *n)
{
    enum { QUESTION_MAX = 4096 }; /* the last of it: questions stand behind what they are about */
    if (n_question > QUESTION_MAX) {
        question += n_question - QUESTION_MAX;
        n_question = QUESTION_MAX;
    }
    for (const char *w = words; *w; w += *n + (w[*n] == '|')) {
        *n = strcspn(w, "|");
        if (has_word(question, n_question, w, *n))
            return w;
    }
    return NULL;
}

/* ---- the plan ---- */

static void add_step(struct fanout_plan *p, const struct fanout_branch *b, int medium, const char *word, size_t n_word)
{
    if (p->n_steps == FANOUT_STEPS_MAX)
        return;
    struct fanout_step *s = &p->steps[p->n_steps++];
    *s = (struct fanout_step){ .branch = b, .task = b->task, .medium = medium };
    if (word)
        snprintf(s->why, sizeof(s->why), "asked: \"%.*s\"", (int)(n_word < 32 ? n_word : 32), word);
    else
        snprintf(s->why, sizeof(s->why), "%s", b->when == FANOUT_ALWAYS ? "always" : "nothing else was asked");
}

void fanout_plan(const enum fanout_medium *media, int n_media, const char *question, size_t n_question, unsigned tasks, struct fanout_plan *out)
{
    const char *word[N_BRANCHES] = { NULL };
    size_t n_word[N_BRANCHES] = { 0 };
    bool is_asked[FANOUT_MEDIUM_COUNT] = { false };
    memset(out, 0, sizeof(*out));
    out->has_chat = tasks & EXPERT_CHAT;
    out->n_media = n_media < FANOUT_MEDIA_MAX ? n_media : FANOUT_MEDIA_MAX;
    for (int b = 0; b < N_BRANCHES; b++) {
        if (tasks & branches[b].task)
            word[b] = find_word(branches[b].words, question, n_question, &n_word[b]);
        is_asked[branches[b].medium] |= word[b] != NULL;
    }
    for (int m = 0; m < out->n_media; m++) {
        out->media[m] = media[m];
        for (int b = 0; b < N_BRANCHES; b++) {
            const struct fanout_branch *it = &branches[b];
            if (it->medium != media[m] || !(tasks & it->task))
                continue;
            if (it->when == FANOUT_ALWAYS || word[b] || (it->when == FANOUT_USUALLY && !is_asked[it->medium]))
                add_step(out, it, m, word[b], n_word[b]);
        }
    }
}

/* Whose words it would be likelier: nearer, then loaded, then better. */
static bool is_better(const struct candidates *w, const struct candidate *a, const struct candidate *b)
{
    const bool near_a = w->nodes[a->node].distance != EXPERT_CLOUD, near_b = w->nodes[b->node].distance != EXPERT_CLOUD;
    return near_a != near_b ? near_a : a->is_warm != b->is_warm ? a->is_warm : a->quality > b->quality;
}

bool fanout_candidate(const struct candidates *world, struct candidate *out)
{
    const struct candidate *chat = NULL;
    float item_s[N_BRANCHES], sound_s_s = 0, slowest_s = 0;
    unsigned tasks = 0;
    for (int b = 0; b < N_BRANCHES; b++)
        item_s[b] = 0;
    for (int i = 0; i < world->n; i++) {
        const struct candidate *c = &world->list[i];
        if (!c->is_up)
            continue;
        tasks |= c->tasks;
        if ((c->tasks & EXPERT_CHAT) && (!chat || is_better(world, c, chat)))
            chat = c;
        if ((c->tasks & EXPERT_TRANSCRIBE) && c->sound_s_s > 0 && (sound_s_s <= 0 || c->sound_s_s < sound_s_s))
            sound_s_s = c->sound_s_s;
        for (int b = 0; b < N_BRANCHES; b++)
            if ((c->tasks & branches[b].task) && c->item_s > 0 && (item_s[b] <= 0 || c->item_s < item_s[b]))
                item_s[b] = c->item_s;
    }
    if (!chat)
        return false;
    *out = *chat;
    snprintf(out->expert, sizeof(out->expert), "fanout");
    snprintf(out->kind, sizeof(out->kind), "fanout");
    out->tasks = EXPERT_CHAT;
    out->privacy = EXPERT_LOCAL; /* every piece of it heeds the wish itself */
    out->is_measured = false;
    out->sees = out->hears = false;
    for (int b = 0; b < N_BRANCHES; b++) {
        if (!(tasks & branches[b].task))
            continue;
        *(branches[b].medium == FANOUT_PICTURE ? &out->sees : &out->hears) = true;
        if (branches[b].medium == FANOUT_PICTURE && item_s[b] > slowest_s)
            slowest_s = item_s[b]; /* they run at once */
    }
    out->item_s = slowest_s;
    out->sound_s_s = sound_s_s;
    return out->sees || out->hears;
}

void fanout_put_plan(const struct fanout_plan *p, struct buf *out)
{
    for (int i = 0; i < p->n_steps; i++) {
        const struct fanout_step *s = &p->steps[i];
        buf_printf(out, "  %s %d: %s (%s)\n", fanout_medium_name(p->media[s->medium]), s->medium + 1, expert_task_name(s->task), s->why);
    }
    if (p->n_steps == 0)
        buf_puts(out, "  nobody here can look at it or listen to it\n");
    else
        buf_puts(out, p->has_chat ? "  then: chat, from what they find\n" : "  then: what they find, in plain words (no language model is here)\n");
}

void fanout_put_plan_json(const struct fanout_plan *p, struct buf *out)
{
    buf_puts(out, "{\"steps\":[");
    for (int i = 0; i < p->n_steps; i++) {
        const struct fanout_step *s = &p->steps[i];
        buf_printf(out, "%s{\"task\":\"%s\",\"medium\":\"%s\",\"number\":%d,\"why\":", i ? "," : "", expert_task_name(s->task),
                   fanout_medium_name(p->media[s->medium]), s->medium + 1);
        buf_put_json_text(out, s->why);
        buf_putc(out, '}');
    }
    buf_printf(out, "],\"then\":%s}", p->n_steps == 0 ? "null" : p->has_chat ? "\"chat\"" : "\"words\"");
}
