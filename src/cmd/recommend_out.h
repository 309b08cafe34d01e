/* cmd/recommend_out.h - the answer of `tutti recommend` as text, JSON and a page; reasons and warnings in words. */
#ifndef TUTTI_CMD_RECOMMEND_OUT_H
#define TUTTI_CMD_RECOMMEND_OUT_H
#include "advise/recommend.h"
#include "base/buf.h"

struct recommend_asked { /* what the words need beside the answer */
    const struct recommend_ask *ask;
    int shown; /* at most so many choices */
};

/* Appends the lines, each a sentence, '\n' behind it. */
void recommend_put_reasons(struct buf *b, const struct recommend *r, const struct recommend_ask *ask, int i);
void recommend_put_warnings(struct buf *b, const struct recommend *r, const struct recommend_ask *ask, int i);
void recommend_put_refusals(struct buf *b, const struct recommend *r, int i); /* why it is not chosen */
void recommend_put_changes(struct buf *b, const struct recommend *r);         /* what would change the answer */
void recommend_put_upgrades(struct buf *b, const struct recommend *r);
const char *recommend_warn_name(enum rec_warn w); /* "headroom", ... for --json */
const char *recommend_why_name(enum rec_why w);   /* "budget", ... */

bool recommend_print(const struct recommend *r, const struct recommend_asked *a, struct err *err);
int recommend_print_json(const struct recommend *r, const struct recommend_asked *a);
/* Speed against price with the choice marked, TCO bars, the checklist; path "-" is stdout. */
bool recommend_write_page(const struct recommend *r, const struct recommend_asked *a, const char *path, struct err *err);

/* The seeds' validation checklist (seed 001, section 19), ticked where the answer shows it. */
enum { CHECKLIST_MAX = 32 };
struct checklist_line {
    const char *section, *what;
    char state;     /* 'x' shown here, '!' shown here to fail, ' ' yours to do */
    char note[160]; /* the figure, or the command that does it */
};
int recommend_checklist(const struct recommend *r, const struct recommend_ask *ask, struct checklist_line lines[CHECKLIST_MAX]);
bool recommend_print_checklist(const struct recommend *r, const struct recommend_ask *ask);
#endif
