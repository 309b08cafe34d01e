/* cmd/lineedit.c - see lineedit.h; start reading at lineedit_feed() (keys) and lineedit_render() (screen). */
#define _DEFAULT_SOURCE /* TIOCGWINSZ */
#include "cmd/lineedit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <utf8proc.h>

#include "base/utf8.h"

enum { LINE_MAX_BYTES = 1 << 20, HISTORY_MAX = 500, SEQ_MAX = 16, ESC_WAIT_MS = 50 };
enum { CTRL_A = 1, CTRL_B, CTRL_C, CTRL_D, CTRL_E, CTRL_F, CTRL_H = 8, TAB, LF, CTRL_K, CTRL_L, CR, CTRL_N, CTRL_P = 16,
       CTRL_U = 21, CTRL_W = 23, CTRL_Y = 25, ESC = 27, DEL = 127 };

struct lineedit {
    struct buf text, killed, stash; /* stash: the new line while the history is looked at */
    size_t cursor;
    char **history; /* [n_history], oldest first */
    int n_history, at; /* at == n_history: the new line */
    /* an escape sequence so far */
    char seq[SEQ_MAX];
    int n_seq;
    bool in_seq, pasting, was_cr;
    /* the screen */
    int row; /* of the cursor, below the prompt's row */
    bool clear_screen;
};

struct lineedit *lineedit_new(struct err *err)
{
    struct lineedit *l = calloc(1, sizeof(*l));
    if (!l || !(l->history = calloc(HISTORY_MAX, sizeof(*l->history)))) {
        free(l);
        return err_null(err, ERR_NOMEM, "line editor: no memory");
    }
    buf_init(&l->text, LINE_MAX_BYTES);
    buf_init(&l->killed, LINE_MAX_BYTES);
    buf_init(&l->stash, LINE_MAX_BYTES);
    return l;
}

void lineedit_free(struct lineedit *l)
{
    if (!l)
        return;
    for (int i = 0; i < l->n_history; i++)
        free(l->history[i]);
    free(l->history);
    buf_fini(&l->text);
    buf_fini(&l->killed);
    buf_fini(&l->stash);
    free(l);
}

/* ---- the text ---- */

const char *lineedit_text(const struct lineedit *l) { return l->text.data ? l->text.data : ""; }
size_t lineedit_cursor(const struct lineedit *l) { return l->cursor; }

static void set_text(struct lineedit *l, const char *s)
{
    buf_clear(&l->text);
    buf_puts(&l->text, s);
    l->cursor = l->text.len;
}

static void insert(struct lineedit *l, const char *s, size_t n)
{
    const size_t tail = l->text.len - l->cursor;
    buf_append(&l->text, s, n); /* makes the room */
    if (l->text.failed) {
        l->text.failed = false; /* a line of a megabyte: the rest is not taken */
        return;
    }
    memmove(l->text.data + l->cursor + n, l->text.data + l->cursor, tail);
    memcpy(l->text.data + l->cursor, s, n);
    l->cursor += n;
}

/* Removes [from, to) and puts the cursor there. */
static void erase(struct lineedit *l, size_t from, size_t to, bool keep)
{
    if (from == to)
        return;
    if (keep) {
        buf_clear(&l->killed);
        buf_append(&l->killed, l->text.data + from, to - from);
    }
    memmove(l->text.data + from, l->text.data + to, l->text.len - to + 1);
    l->text.len -= to - from;
    l->cursor = from;
}

static bool is_inside(char c) { return ((unsigned char)c & 0xc0) == 0x80; } /* a character goes on */

/* A mark that stands on the character before it (an accent) moves with it. */
static bool is_mark(const char *s, size_t n)
{
    uint32_t cp = 0;
    return utf8_decode(s, n, &cp) && utf8proc_charwidth((utf8proc_int32_t)cp) == 0 && cp >= 0x300;
}

static size_t left_of(const struct lineedit *l, size_t at)
{
    const char *s = lineedit_text(l);
    do {
        while (at > 0 && is_inside(s[--at])) {
        }
    } while (at > 0 && is_mark(s + at, l->text.len - at));
    return at;
}

static size_t right_of(const struct lineedit *l, size_t at)
{
    const char *s = lineedit_text(l);
    if (at == l->text.len)
        return at;
    do {
        at++;
        while (at < l->text.len && is_inside(s[at]))
            at++;
    } while (at < l->text.len && is_mark(s + at, l->text.len - at));
    return at;
}

static bool is_gap(char c) { return c == ' ' || c == '\t' || c == '\n'; }

static size_t word_left(const struct lineedit *l)
{
    const char *s = lineedit_text(l);
    size_t at = l->cursor;
    while (at > 0 && is_gap(s[at - 1]))
        at--;
    while (at > 0 && !is_gap(s[at - 1]))
        at--;
    return at;
}

static size_t word_right(const struct lineedit *l)
{
    const char *s = lineedit_text(l);
    size_t at = l->cursor;
    while (at < l->text.len && is_gap(s[at]))
        at++;
    while (at < l->text.len && !is_gap(s[at]))
        at++;
    return at;
}

/* ---- history ---- */

void lineedit_remember(struct lineedit *l, const char *line)
{
    if (!line[0] || (l->n_history && strcmp(l->history[l->n_history - 1], line) == 0))
        return;
    char *copy = strdup(line);
    if (!copy)
        return; /* a history with a hole is better than no chat */
    if (l->n_history == HISTORY_MAX) {
        free(l->history[0]);
        memmove(l->history, l->history + 1, (HISTORY_MAX - 1) * sizeof(*l->history));
        l->n_history--;
    }
    l->history[l->n_history++] = copy;
}

static void go_history(struct lineedit *l, int to)
{
    if (to < 0 || to > l->n_history || to == l->at)
        return;
    if (l->at == l->n_history) {
        buf_clear(&l->stash);
        buf_append(&l->stash, lineedit_text(l), l->text.len);
    }
    l->at = to;
    set_text(l, to == l->n_history ? l->stash.data : l->history[to]);
}

/* ---- keys ---- */

void lineedit_begin(struct lineedit *l)
{
    set_text(l, "");
    l->at = l->n_history;
    l->in_seq = l->pasting = l->was_cr = false;
    l->row = 0;
}

/* ECMA-48 5.4 (control sequences), and what xterm sends for its keys. */
static void do_sequence(struct lineedit *l, const char *s)
{
    static const struct { const char *seq; int key; } keys[] = {
        { "[A", CTRL_P }, { "[B", CTRL_N }, { "[C", CTRL_F }, { "[D", CTRL_B }, { "OA", CTRL_P }, { "OB", CTRL_N },
        { "OC", CTRL_F }, { "OD", CTRL_B }, { "[H", CTRL_A }, { "[F", CTRL_E }, { "OH", CTRL_A }, { "OF", CTRL_E },
        { "[1~", CTRL_A }, { "[4~", CTRL_E }, { "[7~", CTRL_A }, { "[8~", CTRL_E },
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(s, keys[i].seq) == 0) {
            lineedit_feed(l, (unsigned char)keys[i].key);
            return;
        }
    if (strcmp(s, "[3~") == 0)
        erase(l, l->cursor, right_of(l, l->cursor), false);
    else if (strcmp(s, "b") == 0 || strcmp(s, "[1;5D") == 0 || strcmp(s, "[1;3D") == 0)
        l->cursor = word_left(l);
    else if (strcmp(s, "f") == 0 || strcmp(s, "[1;5C") == 0 || strcmp(s, "[1;3C") == 0)
        l->cursor = word_right(l);
    else if (strcmp(s, "d") == 0)
        erase(l, l->cursor, word_right(l), true);
    else if (strcmp(s, "\177") == 0)
        erase(l, word_left(l), l->cursor, true);
    else if (strcmp(s, "[200~") == 0)
        l->pasting = true;
}

static void feed_sequence(struct lineedit *l, unsigned char byte)
{
    if (byte == ESC) { /* the one before was a key of its own */
        l->n_seq = 0;
        return;
    }
    l->seq[l->n_seq++] = (char)byte;
    const bool opens = l->n_seq == 1 && (byte == '[' || byte == 'O');
    const bool goes_on = l->n_seq > 1 && l->seq[0] == '[' && byte >= 0x20 && byte < 0x40; /* parameters */
    if ((opens || goes_on) && l->n_seq < SEQ_MAX - 1)
        return;
    l->seq[l->n_seq] = '\0';
    l->in_seq = false;
    if (l->pasting)
        l->pasting = strcmp(l->seq, "[201~") != 0;
    else
        do_sequence(l, l->seq);
}

static void feed_paste(struct lineedit *l, unsigned char byte)
{
    const bool after_cr = l->was_cr;
    l->was_cr = byte == CR;
    if (byte == CR || (byte == LF && !after_cr))
        insert(l, "\n", 1);
    else if (byte == TAB || (byte >= 0x20 && byte != DEL))
        insert(l, &(char){ (char)byte }, 1);
}

enum lineedit_result lineedit_feed(struct lineedit *l, unsigned char byte)
{
    if (l->in_seq) {
        feed_sequence(l, byte);
        return LINEEDIT_MORE;
    }
    if (byte == ESC) {
        l->in_seq = true;
        l->n_seq = 0;
        return LINEEDIT_MORE;
    }
    if (l->pasting) {
        feed_paste(l, byte);
        return LINEEDIT_MORE;
    }
    switch (byte) {
    case CR:
    case LF: return LINEEDIT_LINE;
    case CTRL_C: return LINEEDIT_INTERRUPT;
    case CTRL_D:
        if (l->text.len == 0)
            return LINEEDIT_EOF;
        erase(l, l->cursor, right_of(l, l->cursor), false);
        break;
    case CTRL_A: l->cursor = 0; break;
    case CTRL_E: l->cursor = l->text.len; break;
    case CTRL_B: l->cursor = left_of(l, l->cursor); break;
    case CTRL_F: l->cursor = right_of(l, l->cursor); break;
    case CTRL_H:
    case DEL: erase(l, left_of(l, l->cursor), l->cursor, false); break;
    case CTRL_K: erase(l, l->cursor, l->text.len, true); break;
    case CTRL_U: erase(l, 0, l->cursor, true); break;
    case CTRL_W: erase(l, word_left(l), l->cursor, true); break;
    case CTRL_Y: insert(l, l->killed.data ? l->killed.data : "", l->killed.len); break;
    case CTRL_P: go_history(l, l->at - 1); break;
    case CTRL_N: go_history(l, l->at + 1); break;
    case CTRL_L: l->clear_screen = true; break;
    default:
        if (byte >= 0x20 || byte == TAB)
            insert(l, &(char){ (char)byte }, 1);
    }
    return LINEEDIT_MORE;
}

/* ---- the screen ---- */

struct pen {
    struct buf *out;
    int row, col, n_cols;
};

/* Puts a cell of `width` columns; the wrap is ours, so that all terminals agree on where the cursor is. */
static void put_cell(struct pen *p, const char *s, size_t n, int width)
{
    if (p->col + width > p->n_cols) {
        buf_puts(p->out, "\r\n");
        p->row++;
        p->col = 0;
    }
    buf_append(p->out, s, n);
    p->col += width;
}

/* The next character at s: what is shown for it.  Returns its length in the text. */
static size_t put_char(struct pen *p, const char *s, size_t n)
{
    uint32_t cp = 0;
    const size_t len = utf8_decode(s, n, &cp);
    if (!len)
        put_cell(p, "?", 1, 1); /* a byte that is no character, or one that is not complete yet */
    else if (cp == '\n')
        put_cell(p, "\xe2\x86\xb5", 3, 1); /* an arrow stands for a pasted line end */
    else if (cp == '\t')
        put_cell(p, " ", 1, 1);
    else
        put_cell(p, s, len, utf8proc_charwidth((utf8proc_int32_t)cp));
    return len ? len : 1;
}

void lineedit_render(struct lineedit *l, const char *prompt, int n_cols, struct buf *out)
{
    struct pen p = { .out = out, .n_cols = n_cols > 2 ? n_cols : 2 };
    const char *s = lineedit_text(l);
    const size_t n_prompt = strlen(prompt);
    int row = 0, col = 0;
    if (l->clear_screen)
        buf_puts(out, "\x1b[H\x1b[2J");
    else if (l->row > 0)
        buf_printf(out, "\x1b[%dA", l->row);
    l->clear_screen = false;
    buf_puts(out, "\r\x1b[J");
    for (size_t i = 0; i < n_prompt;)
        i += put_char(&p, prompt + i, n_prompt - i);
    for (size_t i = 0;;) {
        if (i == l->cursor)
            row = p.row, col = p.col;
        if (i >= l->text.len)
            break;
        i += put_char(&p, s + i, l->text.len - i);
    }
    if (col == p.n_cols) { /* the cursor's cell is the first of the next row */
        col = 0;
        if (row++ == p.row) {
            buf_puts(out, "\r\n");
            p.row++;
        }
    }
    if (p.row > row)
        buf_printf(out, "\x1b[%dA", p.row - row);
    buf_puts(out, "\r");
    if (col > 0)
        buf_printf(out, "\x1b[%dC", col);
    l->row = row;
}

static bool write_all(int fd, const struct buf *b)
{
    for (size_t at = 0; at < b->len;) {
        const ssize_t n = write(fd, b->data + at, b->len - at);
        if (n < 0 && errno != EINTR)
            return false;
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool show(struct lineedit *l, int fd, const char *prompt)
{
    struct winsize w = { 0 };
    struct buf out;
    const int n_cols = ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
    buf_init(&out, 8 * LINE_MAX_BYTES);
    lineedit_render(l, prompt, n_cols, &out);
    const bool ok = write_all(fd, &out);
    buf_fini(&out);
    return ok;
}

static bool is_pending(int fd, int wait_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, wait_ms) == 1;
}

/* Keys until the line is done; the terminal is raw. */
static enum lineedit_result read_keys(struct lineedit *l, int fd_in, int fd_out, const char *prompt)
{
    enum lineedit_result r = LINEEDIT_MORE;
    while (r == LINEEDIT_MORE) {
        unsigned char byte;
        if (l->in_seq && !is_pending(fd_in, ESC_WAIT_MS))
            l->in_seq = false; /* the escape key itself */
        if (!is_pending(fd_in, 0) && !show(l, fd_out, prompt)) /* not for every byte of a paste */
            return LINEEDIT_EOF;
        const ssize_t n = read(fd_in, &byte, 1);
        if (n < 0 && errno == EINTR)
            return LINEEDIT_SIGNAL;
        if (n != 1)
            return LINEEDIT_EOF;
        r = lineedit_feed(l, byte);
    }
    return r;
}

/* The terminal as it was, for a program that is told to end in the middle of a line; a handler can reach nothing else. */
static struct termios cooked;
static int cooked_fd = -1;
static const int ending[] = { SIGTERM, SIGHUP, SIGQUIT };
enum { N_ENDING = sizeof(ending) / sizeof(ending[0]) };

static void on_ending(int sig)
{
    tcsetattr(cooked_fd, TCSANOW, &cooked);
    signal(sig, SIG_DFL);
    raise(sig); /* held back until we return, then it ends the program */
}

enum lineedit_result lineedit_read(struct lineedit *l, int fd_in, int fd_out, const char *prompt, const char **line)
{
    static const char paste_on[] = "\x1b[?2004h", paste_off[] = "\x1b[?2004l\r\n";
    struct termios old, raw;
    struct buf out;
    if (tcgetattr(fd_in, &old) != 0)
        return LINEEDIT_EOF;
    raw = old;
    raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
    raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    struct sigaction was[N_ENDING];
    const struct sigaction act = { .sa_handler = on_ending };
    cooked = old;
    cooked_fd = fd_in;
    for (int i = 0; i < N_ENDING; i++) {
        sigaction(ending[i], &act, &was[i]);
        if (was[i].sa_handler == SIG_IGN) /* nohup */
            sigaction(ending[i], &was[i], NULL);
    }
    if (tcsetattr(fd_in, TCSADRAIN, &raw) != 0) {
        for (int i = 0; i < N_ENDING; i++)
            sigaction(ending[i], &was[i], NULL);
        return LINEEDIT_EOF;
    }
    buf_init(&out, 64);
    buf_puts(&out, paste_on);
    write_all(fd_out, &out);

    lineedit_begin(l);
    const enum lineedit_result r = read_keys(l, fd_in, fd_out, prompt);
    l->cursor = l->text.len;
    show(l, fd_out, prompt); /* the cursor below the last row, whatever comes next */

    buf_clear(&out);
    buf_puts(&out, paste_off);
    write_all(fd_out, &out);
    buf_fini(&out);
    tcsetattr(fd_in, TCSADRAIN, &old);
    for (int i = 0; i < N_ENDING; i++)
        sigaction(ending[i], &was[i], NULL);
    *line = lineedit_text(l);
    return r;
}
