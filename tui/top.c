/* SPDX-License-Identifier: MIT */
/*
 * bal-top: the live view of bal. One thread, one poll(): the terminal, the sockets, and when the
 * next thing is due. Nothing is drawn but after data or a key, and while it is paused nothing wakes
 * it.
 */

#include <locale.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bal/exit.h"
#include "batch.h"
#include "cli/out.h"
#include "core/clock.h"
#include "core/str.h"
#include "keys.h"
#include "link.h"
#include "options.h"
#include "paint.h"
#include "view.h"

#define ESC_DIGIT_MS 1000 /* Esc and a digit are a function key */
#define END_S        1    /* for a terminal that takes no more of what is written to it */

static volatile sig_atomic_t ending, resized;

struct top {
        const struct options *options;
        struct model model;
        struct ui ui;
        struct canvas canvas;
        struct link_to link;
        uint64_t esc_ms;
        bool admin_wanted;
};

static void on_signal(int number) {
        if (number == SIGWINCH || number == SIGCONT) {
                resized = number;
                return;
        }
        ending = number;
        alarm(END_S);
}

/* curses goes on writing after a signal, and a stopped terminal may never take it. */
static void on_alarm(int number) {
        (void)number;
        view_give_up();
        _exit(BAL_EXIT_OK);
}

/* Blocked but in ppoll(), so that none is missed between a look and the wait, and where the
 * terminal may hold us up. */
static void catch_signals(sigset_t *ret_before) {
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT };
        struct sigaction action = { .sa_handler = on_signal }, late = { .sa_handler = on_alarm };
        sigset_t set;

        sigaction(SIGALRM, &late, NULL);
        sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTS(numbers); i++) {
                sigaction(numbers[i], &action, NULL);
                sigaddset(&set, numbers[i]);
        }
        sigprocmask(SIG_BLOCK, &set, ret_before);
        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                sigdelset(ret_before, numbers[i]);
}

/* ---- what a key leaves to do ---- */

static void copy_name(struct top *t) {
        const struct backend *b = ui_backend(&t->ui, &t->model);
        _cleanup_(str_freep) char *clean = b ? str_clean(b->name) : NULL;

        if (clean)
                view_copy(clean);
}

static unsigned do_rest(struct top *t, unsigned what, uint64_t now) {
        if (what & DO_REPAINT)
                view_repaint();
        if (what & DO_INTERVAL)
                link_interval(&t->link, now);
        if (what & DO_PAUSE)
                link_pause(&t->link, &t->ui, now);
        if (what & DO_SAMPLE)
                link_sample(&t->link, &t->ui, now);
        if (what & DO_MOUSE)
                view_mouse(t->ui.mouse);
        if (what & DO_COPY)
                copy_name(t);
        if (what & DO_ADMIN)
                link_admin(&t->link, &t->ui, now);
        if (what & DO_HISTORY)
                link_want(&t->link, QUESTION_DETAIL);
        if (what & DO_SESSIONS)
                link_want(&t->link, QUESTION_SESSIONS);
        while (what & DO_ORDERS)
                what = (what & ~DO_ORDERS) | link_orders(&t->link, &t->ui, now);
        return what;
}

/* Esc has done what it does at once; the digit behind it makes it a function key after all. */
static int join_escape(struct top *t, int key, uint64_t now) {
        bool soon = t->esc_ms > 0 && now - t->esc_ms < ESC_DIGIT_MS;

        t->esc_ms = key == KEY_ESC ? now : 0;
        if (!soon || key < '0' || key > '9' || t->ui.mode > MODE_SORT)
                return key;
        return KEY_F1 + (key == '0' ? 9 : key - '1');
}

static unsigned on_click(struct top *t, size_t column, size_t row, uint64_t now) {
        struct layout l = layout_rows(t->canvas.columns, t->canvas.rows);
        enum sort s;

        if (l.line || t->ui.mode != MODE_TABLE)
                return 0;
        if (row >= l.first && row < l.first + l.rows)
                return ui_select(&t->ui, &t->model, t->ui.top[t->ui.page] + row - l.first);
        if (row != l.table_head)
                return 0;
        s = paint_sort_at(&t->ui, &t->model, t->canvas.columns, column);
        if (s == SORTS_COUNT)
                return 0;
        t->ui.sort[t->ui.page] = s;
        ui_refresh(&t->ui, &t->model, now, true);
        return DO_DRAW | (t->ui.page == PAGE_SESSIONS ? DO_SESSIONS : 0);
}

static unsigned read_keys(struct top *t) {
        unsigned what = 0;
        size_t column, row;
        int key;

        while (!(what & DO_QUIT) && (key = view_key(&column, &row)) != 0) {
                uint64_t now = clock_mono_ms();

                if (key == -EIO)
                        return DO_QUIT;
                if (key == VIEW_CLICK)
                        what |= do_rest(t, on_click(t, column, row, now), now);
                else
                        what |= do_rest(t, ui_key(&t->ui, &t->model, join_escape(t, key, now), now),
                                        now);
        }
        return what;
}

/* ---- the loop ---- */

static int draw(struct top *t, const sigset_t *mask) {
        size_t columns, rows;
        sigset_t blocked;
        int r;

        view_size(&columns, &rows);
        r = canvas_resize(&t->canvas, columns, rows);
        if (r < 0)
                return r;
        paint(&t->canvas, &t->ui, &t->model);
        sigprocmask(SIG_SETMASK, mask, &blocked);
        view_draw(&t->canvas);
        sigprocmask(SIG_SETMASK, &blocked, NULL);
        return 0;
}

static int soonest(const struct top *t, uint64_t now) {
        int timeout = link_timeout(&t->link, &t->ui, now);

        if (*t->ui.message) {
                int message = t->ui.message_ms > now ? (int)(t->ui.message_ms - now) : 0;

                timeout = timeout < 0 || message < timeout ? message : timeout;
        }
        return timeout;
}

/* 0; -EIO: the terminal has gone. */
static int wait_for(struct top *t, const sigset_t *mask, unsigned *ret_what) {
        struct pollfd fds[1 + LINK_FDS] = { { .fd = STDIN_FILENO, .events = POLLIN } };
        size_t n = link_polls(&t->link, fds + 1) + 1;
        int timeout = soonest(t, clock_mono_ms());
        struct timespec ts = { .tv_sec = timeout / 1000, .tv_nsec = timeout % 1000 * 1000000L };
        int r;

        *ret_what = 0;
        r = ppoll(fds, n, timeout < 0 ? NULL : &ts, mask);
        if (r < 0 && errno != EINTR)
                return -errno;
        if (r > 0 && fds[0].revents & (POLLERR | POLLNVAL))
                return -EIO;
        if (r > 0 && fds[0].revents & (POLLIN | POLLHUP))
                *ret_what = read_keys(t);
        return r > 0 && fds[0].revents & POLLHUP ? -EIO : 0;
}

static unsigned step(struct top *t, unsigned what) {
        uint64_t now = clock_mono_ms();

        what |= do_rest(t, link_read(&t->link, &t->ui, &t->model, now), now);
        what |= do_rest(t, link_tick(&t->link, &t->ui, &t->model, now), now);
        if (ui_message_over(&t->ui, now))
                what |= DO_DRAW;
        if (t->admin_wanted && t->ui.link == LINK_LIVE) {
                t->admin_wanted = false;
                link_admin(&t->link, &t->ui, now);
                what |= DO_DRAW;
        }
        if (resized) {
                if (resized == SIGCONT)
                        view_repaint();
                resized = 0;
                what |= DO_DRAW;
        }
        if (what & DO_DRAW)
                ui_refresh(&t->ui, &t->model, now, false);
        return what;
}

static int loop(struct top *t, const sigset_t *mask) {
        unsigned what = DO_DRAW;
        int r;

        while (!ending && !(what & DO_QUIT)) {
                what = step(t, what);
                if (what & DO_QUIT)
                        break;
                if (what & DO_DRAW && (r = draw(t, mask)) < 0)
                        return r;
                r = wait_for(t, mask, &what);
                if (r < 0)
                        return r == -EIO ? 0 : r;
        }
        return 0;
}

/* ---- start and end ---- */

static void set_up(struct top *t, const struct options *o) {
        const struct passwd *pw = getpwuid(geteuid());

        ui_init(&t->ui);
        t->options = o;
        t->admin_wanted = o->admin;
        t->ui.mouse = o->mouse;
        t->ui.chars = text_chars(o->chars, text_locale(), getenv("TERM"));
        t->canvas.utf8 = text_locale_utf8(text_locale());
        snprintf(t->ui.user, sizeof(t->ui.user), "%s", pw ? pw->pw_name : "you");
        if (o->filter)
                snprintf(t->ui.filter, sizeof(t->ui.filter), "%s", o->filter);
        for (size_t i = 0; i < n_intervals; i++) {
                if (intervals_ms[i] <= o->interval_ms)
                        t->ui.interval = i;
        }
        link_init(&t->link, o->socket, clock_mono_ms());
}

static int run_screen(const struct options *o) {
        struct top t = { 0 };
        const char *fallback = NULL;
        sigset_t mask;
        int r;

        catch_signals(&mask);
        set_up(&t, o);
        r = view_open(out_wants_colour(STDOUT_FILENO, o->color), &fallback);
        if (r < 0) {
                fprintf(stderr, "bal-top: this terminal cannot be used (TERM=%s); try --once\n",
                        getenv("TERM") ? getenv("TERM") : "");
                ui_done(&t.ui);
                return BAL_EXIT_FAILED;
        }
        view_mouse(o->mouse);
        if (fallback)
                ui_say(&t.ui, clock_mono_ms(), "TERM=%s is not known here, %s is used",
                       getenv("TERM"), fallback);
        r = loop(&t, &mask);
        sigprocmask(SIG_SETMASK, &mask, NULL);
        view_close();
        alarm(0);
        link_done(&t.link);
        canvas_done(&t.canvas);
        model_done(&t.model);
        ui_done(&t.ui);
        if (r < 0)
                fprintf(stderr, "bal-top: %s\n", strerror(-r));
        return r < 0 ? BAL_EXIT_SOFTWARE : BAL_EXIT_OK;
}

/* What the environment asks for may not be installed; letters of UTF-8 are the same everywhere. */
static void open_locale(void) {
        const char *name = text_locale();

        if (text_locale_utf8(name) && !setlocale(LC_CTYPE, ""))
                setlocale(LC_CTYPE, "C.UTF-8");
        else if (!text_locale_utf8(name))
                setlocale(LC_CTYPE, "C");
}

static bool is_dumb(void) {
        const char *term = getenv("TERM");

        return !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) || !term || !*term ||
               strcmp(term, "dumb") == 0;
}

int main(int argc, char **argv) {
        _cleanup_(str_freep) char *problem = NULL;
        struct options o;

        signal(SIGPIPE, SIG_IGN);
        if (options_parse(&o, argc, argv, &problem) < 0) {
                fprintf(stderr, "bal-top: %s\nTry 'bal-top --help'.\n",
                        problem ? problem : "out of memory");
                return BAL_EXIT_USAGE;
        }
        if (o.help) {
                options_help(stdout);
                return BAL_EXIT_OK;
        }
        if (o.version) {
                printf("bal-top %s\n", BAL_VERSION);
                return BAL_EXIT_OK;
        }
        open_locale();
        if (o.output == OUTPUT_SCREEN && is_dumb()) {
                fprintf(stderr, "bal-top: no terminal that can be drawn on, so this is --once\n");
                o.output = OUTPUT_ONCE;
        }
        return o.output == OUTPUT_SCREEN ? run_screen(&o) : batch_run(&o);
}
