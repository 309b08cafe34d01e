/* tests/cmd/test_lineedit.c - keys as bytes, the screen as a small terminal of our own, and one real pty. */
#define _XOPEN_SOURCE 700
#include "cmd/lineedit.h"
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static enum lineedit_result feed(struct lineedit *l, const char *bytes)
{
    enum lineedit_result r = LINEEDIT_MORE;
    for (; *bytes && r == LINEEDIT_MORE; bytes++)
        r = lineedit_feed(l, (unsigned char)*bytes);
    return r;
}

TEST(keys_edit_the_line)
{
    const struct { const char *keys, *text; size_t cursor; const char *comment; } cases[] = {
        { "abc", "abc", 3, "typing" },
        { "abc\x01x", "xabc", 1, "ctrl-a" },
        { "abc\x01\x05x", "abcx", 4, "ctrl-e" },
        { "abc\x1b[D\x1b[Dx", "axbc", 2, "left" },
        { "abc\x1b[D\x1b[D\x1b[Cx", "abxc", 3, "right" },
        { "abc\x1bOHx\x1bOFy", "xabcy", 5, "home, end as some terminals send them" },
        { "abc\x1b[1~x\x1b[4~y", "xabcy", 5, "and others" },
        { "abc\x7f\x08", "a", 1, "backspace" },
        { "abc\x01\x1b[3~", "bc", 0, "delete" },
        { "abc\x01\x04", "bc", 0, "ctrl-d in a line deletes" },
        { "abc def\x17", "abc ", 4, "ctrl-w" },
        { "abc def  \x17", "abc ", 4, "ctrl-w over spaces" },
        { "abc def\x17\x19\x19", "abc defdef", 10, "ctrl-y" },
        { "abc def\x1b" "b\x0b", "abc ", 4, "alt-b, ctrl-k" },
        { "abc def\x1b[1;5D\x1b[1;5D\x1b[1;5C\x15", " def", 0, "ctrl-left, ctrl-right, ctrl-u" },
        { "abc def\x01\x1b" "d", " def", 0, "alt-d" },
        { "h\303\251\303\251\x7f", "h\303\251", 3, "a character of two bytes goes as one" },
        { "\303\251\xe2\x82\xac\x1b[D\x1b[Dx", "x\303\251\xe2\x82\xac", 1, "left over two and three bytes" },
        { "ae\xcc\x81o\x1b[D\x7f", "ao", 1, "an accent goes with its letter" },
        { "a\x1b[99;99~b", "ab", 2, "an unknown sequence is nothing" },
        { "a\x1b[12345678901234567890b", "a567890b", 8, "nor is one without end" },
        { "\x1b[200~one\rtwo\r\nthree\nfour\x03\x1b[201~!", "one\ntwo\nthree\nfour!", 19, "a paste keeps its lines" },
        { "\x1b[200~a\x1b[Db\x1b[201~", "ab", 2, "keys in a paste are no keys" },
        { "\x1b[D\x1b[C\x7f\x17\x15\x0b\x1b[A\x1b[B", "", 0, "nothing to do in an empty line" },
    };
    struct err err = { 0 };
    struct lineedit *l = lineedit_new(&err);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lineedit_begin(l);
        CHECK(feed(l, cases[i].keys) == LINEEDIT_MORE, "%s", cases[i].comment);
        CHECK(strcmp(lineedit_text(l), cases[i].text) == 0 && lineedit_cursor(l) == cases[i].cursor, "%s: '%s' at %zu",
              cases[i].comment, lineedit_text(l), lineedit_cursor(l));
    }
    lineedit_begin(l);
    CHECK(feed(l, "abc\r") == LINEEDIT_LINE);
    lineedit_begin(l);
    CHECK(feed(l, "abc\x03") == LINEEDIT_INTERRUPT);
    lineedit_begin(l);
    CHECK(feed(l, "\x04") == LINEEDIT_EOF);
    lineedit_free(l);
}

TEST(history_is_walked_and_the_new_line_comes_back)
{
    struct err err = { 0 };
    struct lineedit *l = lineedit_new(&err);
    for (int i = 0; i < 600; i++) {
        char line[20];
        snprintf(line, sizeof(line), "line %d", i);
        lineedit_remember(l, line);
        lineedit_remember(l, line);
        lineedit_remember(l, "");
    }
    lineedit_begin(l);
    feed(l, "new\x1b[A\x1b[A");
    CHECK(strcmp(lineedit_text(l), "line 598") == 0, "%s", lineedit_text(l));
    feed(l, " changed\x1b[B\x1b[B\x1b[B");
    CHECK(strcmp(lineedit_text(l), "new") == 0);
    for (int i = 0; i < 700; i++)
        feed(l, "\x10");
    CHECK(strcmp(lineedit_text(l), "line 100") == 0, "%s", lineedit_text(l));
    lineedit_free(l);
}

/* ---- a terminal ---- */

enum { ROWS = 40, COLS_MAX = 40 };
struct screen {
    char cell[ROWS][COLS_MAX + 1];
    int row, col, n_cols;
};

static void show(struct screen *s, const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        int count = 0;
        if (p[i] == '\r') {
            s->col = 0, i++;
        } else if (p[i] == '\n') {
            s->row++, i++;
        } else if (p[i] == 27) {
            for (i += 2; p[i] >= '0' && p[i] <= '9'; i++)
                count = count * 10 + p[i] - '0';
            if (p[i] == 'A')
                s->row -= count;
            if (p[i] == 'C')
                s->col += count;
            for (int r = s->row; p[i] == 'J' && r < ROWS; r++)
                memset(s->cell[r] + (r == s->row ? s->col : 0), ' ', (size_t)(COLS_MAX - (r == s->row ? s->col : 0)));
            i++;
        } else { /* never past the edge: the editor breaks lines itself */
            CHECK(s->row >= 0 && s->row < ROWS && s->col < s->n_cols, "at %d, %d", s->row, s->col);
            if (s->row < 0 || s->row >= ROWS || s->col >= s->n_cols)
                return;
            s->cell[s->row][s->col++] = p[i++];
        }
    }
}

TEST(the_screen_shows_the_line_wherever_it_breaks)
{
    struct err err = { 0 };
    for (int n_cols = 3; n_cols <= 12; n_cols++) {
        struct lineedit *l = lineedit_new(&err);
        struct screen s = { .n_cols = n_cols };
        struct buf out;
        memset(s.cell, ' ', sizeof(s.cell));
        buf_init(&out, 1 << 16);
        lineedit_begin(l);
        for (int k = 0; k < 300; k++) {
            static const char *const keys[] = { "a", "b", "cd", "\x1b[D", "\x1b[D", "\x1b[C", "\x7f", "\x01", "\x05", "xyz ", "\x17" };
            feed(l, strlen(lineedit_text(l)) > 80 ? "\x15" : keys[test_rand_u64() % (sizeof(keys) / sizeof(keys[0]))]);
            buf_clear(&out);
            lineedit_render(l, "> ", n_cols, &out);
            show(&s, out.data, out.len);
            char want[200];
            snprintf(want, sizeof(want), "> %s", lineedit_text(l));
            const size_t n = strlen(want);
            for (size_t i = 0; i < n + 5; i++) {
                const char got = s.cell[i / (size_t)n_cols][i % (size_t)n_cols];
                CHECK(got == (i < n ? want[i] : ' '), "%d columns, '%s': cell %zu is '%c'", n_cols, want, i, got);
            }
            const int at = (int)lineedit_cursor(l) + 2;
            CHECK(s.row == at / n_cols && s.col == at % n_cols, "%d columns, '%s': cursor %d at %d, %d", n_cols, want, at,
                  s.row, s.col);
        }
        buf_fini(&out);
        lineedit_free(l);
    }
}

static void *drain(void *arg)
{
    char bytes[256];
    while (read(*(int *)arg, bytes, sizeof(bytes)) > 0) {
    }
    return NULL;
}

static bool type(int fd, const char *keys) { return write(fd, keys, strlen(keys)) == (ssize_t)strlen(keys); }

TEST(a_real_terminal_is_raw_for_the_line_only)
{
    struct err err = { 0 };
    struct termios before, after;
    const char *line = NULL;
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        SKIP("no pseudo terminals here");
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    REQUIRE(slave >= 0);
    tcgetattr(slave, &before);
    before.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG | IEXTEN); /* keys are typed before somebody reads them */
    tcsetattr(slave, TCSANOW, &before);
    pthread_t reader;
    int fd = master;
    pthread_create(&reader, NULL, drain, &fd);
    struct lineedit *l = lineedit_new(&err);
    CHECK(type(master, "hullo\x1b[D\x1b[D\x1b[D\x1b[D\x1b[3~e\r"));
    CHECK(lineedit_read(l, slave, slave, "> ", &line) == LINEEDIT_LINE && strcmp(line, "hello") == 0, "'%s'", line);
    tcgetattr(slave, &after);
    CHECK(before.c_lflag == after.c_lflag && before.c_iflag == after.c_iflag);
    CHECK(type(master, "\x1b[200~a\rb\x1b[201~\r"));
    CHECK(lineedit_read(l, slave, slave, "> ", &line) == LINEEDIT_LINE && strcmp(line, "a\nb") == 0, "'%s'", line);
    CHECK(type(master, "x\x03"));
    CHECK(lineedit_read(l, slave, slave, "> ", &line) == LINEEDIT_INTERRUPT);
    CHECK(type(master, "\x04"));
    CHECK(lineedit_read(l, slave, slave, "> ", &line) == LINEEDIT_EOF);
    lineedit_free(l);
    close(slave); /* the last one: the reader sees the end */
    pthread_join(reader, NULL);
    close(master);
}

TEST(a_program_told_to_end_leaves_the_terminal_as_it_was)
{
    struct err err = { 0 };
    struct termios before, after;
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        SKIP("no pseudo terminals here");
    const int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    REQUIRE(slave >= 0);
    tcgetattr(slave, &before);
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        const char *line;
        struct lineedit *l = lineedit_new(&err);
        if (l)
            lineedit_read(l, slave, slave, "> ", &line);
        _exit(3);
    }
    char bytes[64]; /* the prompt comes when the terminal is raw */
    CHECK(read(master, bytes, sizeof(bytes)) > 0);
    tcgetattr(slave, &after);
    CHECK(!(after.c_lflag & ICANON), "raw by now");
    kill(pid, SIGTERM);
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "%x", (unsigned)status);
    tcgetattr(slave, &after);
    CHECK(before.c_lflag == after.c_lflag && before.c_iflag == after.c_iflag);
    close(slave);
    close(master);
}
