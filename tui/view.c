/* SPDX-License-Identifier: MIT */

#include "view.h"

#include <fcntl.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "keys.h"
#include "term_names.h"

#include <term.h> /* last: it takes names like columns and key_find away */
#undef columns

#define VIEW_ROWS_MAX 500 /* of a terminal; a batch may have more */

static struct {
        SCREEN *screen; /* owned */
        bool open, colour, all;
        struct termios before;
        int flags;         /* of stdout; below 0: unknown */
        char restore[256]; /* what switches back, for signal handlers */
        size_t n_restore;
} view;

/* ---- the way back ---- */

static void add_restore(const char *capability) {
        const char *s = tigetstr((NCURSES_CONST char *)capability);
        size_t n = s && s != (char *)-1 ? strlen(s) : 0;

        if (n > 0 && view.n_restore + n < sizeof(view.restore)) {
                memcpy(view.restore + view.n_restore, s, n);
                view.n_restore += n;
        }
}

/* Only what a signal handler may call; then the signal does what it always does. */
static void on_crash(int number) {
        ssize_t n;

        if (view.open) {
                n = write(STDOUT_FILENO, view.restore, view.n_restore);
                (void)n;
                tcsetattr(STDIN_FILENO, TCSANOW, &view.before);
        }
        raise(number); /* SA_RESETHAND */
}

/* Somebody else at this terminal may have left it non-blocking. Then one that takes no more, as
 * after Ctrl-S or behind a dead ssh, would have curses try again without a pause. */
static void set_blocking(void) {
        view.flags = fcntl(STDOUT_FILENO, F_GETFL);
        if (view.flags >= 0 && view.flags & O_NONBLOCK)
                fcntl(STDOUT_FILENO, F_SETFL, view.flags & ~O_NONBLOCK);
}

void view_give_up(void) {
        struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
        ssize_t n;

        if (!view.open)
                return;
        n = poll(&p, 1, 0) > 0 ? write(STDOUT_FILENO, view.restore, view.n_restore) : 0;
        (void)n;
        tcsetattr(STDIN_FILENO, TCSANOW, &view.before);
}

static void catch_crashes(void) {
        static const int numbers[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL };
        struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER };

        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                sigaction(numbers[i], &action, NULL);
}

/* ---- open and close ---- */

static void open_colours(void) {
        static const struct {
                enum style style;
                short colour;
        } pairs[] = {
                { STYLE_DOWN, COLOR_RED },     { STYLE_ALARM, COLOR_RED },
                { STYLE_COOL, COLOR_MAGENTA }, { STYLE_DRAIN, COLOR_YELLOW },
                { STYLE_MAINT, COLOR_CYAN },
        };

        if (!view.colour || !has_colors() || start_color() == ERR) {
                view.colour = false;
                return;
        }
        use_default_colors(); /* where that fails the terminal's own black and white will do */
        for (size_t i = 0; i < ELEMENTS(pairs); i++)
                init_pair((short)(pairs[i].style + 1), pairs[i].colour, -1);
}

static int open_screen(const char **ret_fallback) {
        const char *const *names = term_names(getenv("TERM"));

        for (size_t i = 0; names[i]; i++) {
                view.screen = newterm(names[i], stdout, stdin);
                if (view.screen) {
                        *ret_fallback = i > 0 ? names[i] : NULL;
                        return 0;
                }
        }
        return -ENOENT;
}

int view_open(bool colour, const char **ret_fallback) {
        int r;

        if (tcgetattr(STDIN_FILENO, &view.before) < 0)
                return -ENOTTY;
        view.colour = colour;
        r = open_screen(ret_fallback);
        if (r < 0)
                return r;
        set_term(view.screen);
        view.open = true;
        set_blocking();
        if (!getenv("ESCDELAY"))
                set_escdelay(25);
        open_colours();
        add_restore("sgr0");
        add_restore("cnorm");
        add_restore("rmkx");
        add_restore("rmcup");
        catch_crashes();
        raw(); /* Ctrl-C is a key like others: it must not meet half a screen */
        noecho();
        nonl();
        keypad(stdscr, TRUE);
        nodelay(stdscr, TRUE);
        leaveok(stdscr, FALSE);
        scrollok(stdscr, FALSE);
        mouseinterval(0);
        return 0;
}

void view_close(void) {
        if (!view.open)
                return;
        view_mouse(false);
        endwin();
        view.open = false;
        if (view.flags >= 0 && view.flags & O_NONBLOCK)
                fcntl(STDOUT_FILENO, F_SETFL, view.flags);
        delscreen(view.screen);
        view.screen = NULL;
}

void view_size(size_t *ret_columns, size_t *ret_rows) {
        struct winsize w;

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0 || w.ws_row == 0) {
                *ret_columns = COLS > 0 ? (size_t)COLS : 80;
                *ret_rows = LINES > 0 ? (size_t)LINES : 24;
                return;
        }
        *ret_columns = w.ws_col < CANVAS_COLUMNS_MAX ? w.ws_col : CANVAS_COLUMNS_MAX;
        *ret_rows = w.ws_row < VIEW_ROWS_MAX ? w.ws_row : VIEW_ROWS_MAX;
}

/* ---- out ---- */

static attr_t attributes(const struct cell *cell) {
        static const attr_t with_colour[STYLES_COUNT] = {
                [STYLE_TITLE] = A_REVERSE, [STYLE_HEAD] = A_REVERSE | A_BOLD,
                [STYLE_STRONG] = A_BOLD,   [STYLE_ALARM] = A_BOLD,
                [STYLE_DOWN] = A_BOLD,     [STYLE_PROMPT] = A_BOLD,
        };
        static const attr_t without[STYLES_COUNT] = {
                [STYLE_TITLE] = A_REVERSE, [STYLE_HEAD] = A_REVERSE | A_BOLD,
                [STYLE_STRONG] = A_BOLD,   [STYLE_ALARM] = A_BOLD,
                [STYLE_DOWN] = A_REVERSE,  [STYLE_PROMPT] = A_BOLD,
                [STYLE_COOL] = A_BOLD,     [STYLE_DRAIN] = A_UNDERLINE,
                [STYLE_MAINT] = A_DIM,
        };
        attr_t a = view.colour ? with_colour[cell->style] : without[cell->style];

        /* the selected row stays one bar, also where a state is told by reverse */
        if (cell->reverse)
                a |= A_REVERSE;
        if (cell->dim && cell->style != STYLE_TITLE)
                a |= A_DIM;
        return a;
}

static short pair_of(const struct cell *cell) {
        switch (cell->style) {
        case STYLE_DOWN:
        case STYLE_ALARM:
        case STYLE_COOL:
        case STYLE_DRAIN:
        case STYLE_MAINT:
                return view.colour ? (short)(cell->style + 1) : 0;
        default:
                return 0;
        }
}

static void draw_cell(const struct cell *cell, size_t row, size_t column) {
        wchar_t wide[CCHARW_MAX + 1] = { 0 };
        mbstate_t state = { 0 };
        const char *p = cell->glyph;
        cchar_t c;

        if (!*p)
                return; /* the right half of the one before */
        if ((unsigned char)*p < 0x80 && p[1] == '\0')
                *wide = (wchar_t)*p;
        else if (mbsnrtowcs(wide, &p, GLYPH_BYTES, CCHARW_MAX, &state) == (size_t)-1 || !*wide)
                wcscpy(wide, L"?");
        if (setcchar(&c, wide, attributes(cell), pair_of(cell), NULL) == ERR)
                return;
        mvadd_wch((int)row, (int)column, &c);
}

void view_draw(const struct canvas *c) {
        if (!view.open)
                return;
        if (COLS != (int)c->columns || LINES != (int)c->rows)
                resizeterm((int)c->rows, (int)c->columns);
        if (view.all)
                clearok(curscr, TRUE);
        view.all = false;
        erase();
        for (size_t row = 0; row < c->rows; row++) {
                for (size_t column = 0; column < c->columns; column++) {
                        const struct cell *cell = canvas_at(c, row, column);

                        if (strcmp(cell->glyph, " ") != 0 || attributes(cell) != A_NORMAL)
                                draw_cell(cell, row, column);
                }
        }
        move((int)c->cursor_row, (int)c->cursor_column);
        refresh();
}

void view_repaint(void) {
        view.all = true;
}

void view_mouse(bool on) {
        mousemask(on ? BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0,
                  NULL);
}

void view_copy(const char *text) {
        static const char letters[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        size_t n = strlen(text);

        fputs("\033]52;c;", stdout);
        for (size_t i = 0; i < n; i += 3) {
                unsigned v = (unsigned)(unsigned char)text[i] << 16;

                v |= i + 1 < n ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
                v |= i + 2 < n ? (unsigned)(unsigned char)text[i + 2] : 0;
                putchar(letters[v >> 18 & 63]);
                putchar(letters[v >> 12 & 63]);
                putchar(i + 1 < n ? letters[v >> 6 & 63] : '=');
                putchar(i + 2 < n ? letters[v & 63] : '=');
        }
        fputs("\007", stdout);
        fflush(stdout);
}

/* ---- in ---- */

static int click(size_t *ret_column, size_t *ret_row) {
        MEVENT e;

        if (getmouse(&e) != OK || e.x < 0 || e.y < 0)
                return KEY_CTRL_L; /* harmless */
        if (e.bstate & BUTTON4_PRESSED)
                return KEY_TO_UP;
        if (e.bstate & BUTTON5_PRESSED)
                return KEY_TO_DOWN;
        *ret_column = (size_t)e.x;
        *ret_row = (size_t)e.y;
        return VIEW_CLICK;
}

static int special(wint_t c) {
        static const struct {
                wint_t curses;
                int key;
        } known[] = {
                { KEY_UP, KEY_TO_UP },         { KEY_DOWN, KEY_TO_DOWN },
                { KEY_LEFT, KEY_TO_LEFT },     { KEY_RIGHT, KEY_TO_RIGHT },
                { KEY_HOME, KEY_TO_TOP },      { KEY_END, KEY_TO_END },
                { KEY_PPAGE, KEY_PAGE_UP },    { KEY_NPAGE, KEY_PAGE_DOWN },
                { KEY_BTAB, KEY_BACK_TAB },    { KEY_ENTER, KEY_RETURN },
                { KEY_BACKSPACE, KEY_RUBOUT }, { KEY_DC, KEY_RUBOUT },
        };

        for (size_t i = 0; i < ELEMENTS(known); i++) {
                if (known[i].curses == c)
                        return known[i].key;
        }
        if (c >= KEY_F(1) && c <= KEY_F(12))
                return KEY_F1 + (int)(c - KEY_F(1));
        return KEY_F12; /* of no meaning to us */
}

/* Nothing there although poll() said so: the other end has hung up. */
static bool is_gone(void) {
        struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
        int n = 0;

        if (poll(&p, 1, 0) <= 0)
                return false;
        if (p.revents & (POLLERR | POLLNVAL))
                return true;
        return ioctl(STDIN_FILENO, FIONREAD, &n) < 0 || n == 0;
}

int view_key(size_t *ret_column, size_t *ret_row) {
        wint_t c;
        int r = get_wch(&c);

        if (r == ERR)
                return is_gone() ? -EIO : 0;
        if (r == KEY_CODE_YES && c == KEY_MOUSE)
                return click(ret_column, ret_row);
        if (r == KEY_CODE_YES)
                return c == KEY_RESIZE ? KEY_F12 : special(c);
        if (c == '\n')
                return KEY_RETURN;
        return c == 0 ? KEY_F12 : (int)c;
}
