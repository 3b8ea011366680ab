/* SPDX-License-Identifier: MIT */
/*
 * `bal status --watch` and `--follow`. A terminal is redrawn; into anything else, and with --follow
 * everywhere, report is appended to report, each with its time. With --json each is a line.
 *
 * A daemon that goes away is a report too ("NOT RUNNING"); whoever may not ask at all is told so
 * once, and that is the end. Ctrl-C ends the process as it does any other.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bal/exit.h"
#include "cli/report.h"
#include "cli/screen.h"
#include "cli/status.h"
#include "core/clock.h"

struct live {
        struct cli *c;
        bool redraws;
        bool first;
        sigset_t waiting; /* what is blocked while it waits */
};

static void on_resize(int number) {
        (void)number; /* it is there to wake ppoll() up */
}

/* Only while it waits may a new size come in: one that came just before would be slept over. */
static void watch_size(struct live *l) {
        struct sigaction action = { .sa_handler = on_resize };
        sigset_t resize;

        sigemptyset(&action.sa_mask);
        sigaction(SIGWINCH, &action, NULL);
        sigemptyset(&resize);
        sigaddset(&resize, SIGWINCH);
        sigprocmask(SIG_BLOCK, &resize, NULL);
        sigdelset(&l->waiting, SIGWINCH);
}

/* "bal status every 2s, Ctrl-C ends   12:04:31Z" */
static void print_title(struct cli *c) {
        char now[CLOCK_TEXT_MAX], every[REPORT_TEXT_MAX];

        clock_text(clock_real_us(), now);
        out_printf(&c->out, "every %s, Ctrl-C ends   %.8sZ\n",
                   report_duration((uint64_t)c->args.watch_ms, every),
                   now + sizeof("2026-11-20T") - 1);
}

static int live_redraw(struct live *l) {
        struct cli *c = l->c;
        FILE *terminal = c->out.file;
        char *text = NULL, *frame = NULL;
        size_t n = 0;
        int code = BAL_EXIT_FAILED;

        c->out.columns = out_columns(STDOUT_FILENO);
        c->out.file = open_memstream(&text, &n);
        if (c->out.file) {
                print_title(c);
                code = status_once(c);
                fclose(c->out.file);
        }
        c->out.file = terminal;
        if (text)
                frame = screen_frame(text, screen_size(STDOUT_FILENO), l->first, &n);
        if (frame)
                out_write(&c->out, frame, n);
        else if (c->out.error == 0)
                c->out.error = -ENOMEM;
        free(text);
        free(frame);
        return code;
}

static int live_append(struct live *l) {
        struct cli *c = l->c;
        char now[CLOCK_TEXT_MAX];

        if (!args_has(&c->args, OPTION_BIT(JSON)))
                out_printf(&c->out, args_has(&c->args, OPTION_BIT(BRIEF)) ? "%s " : "%s\n",
                           clock_text(clock_real_us(), now));
        return status_once(c);
}

/* False: nobody reads any more. */
static bool live_wait(struct live *l, uint64_t until_ms) {
        struct pollfd p = { .fd = STDOUT_FILENO };
        uint64_t now;
        int r;

        while ((now = clock_mono_ms()) < until_ms) {
                struct timespec left = { .tv_sec = (time_t)((until_ms - now) / 1000),
                                         .tv_nsec = (long)((until_ms - now) % 1000) * 1000000 };

                r = ppoll(&p, 1, &left, &l->waiting);
                if (r > 0)
                        return false;
                if (r < 0 && l->redraws) /* resized: as good a moment as any for a fresh one */
                        return true;
        }
        return true;
}

int status_live(struct cli *c) {
        struct live l = { .c = c, .first = true };
        uint64_t due = clock_mono_ms();
        int code;

        c->out.lines = true;
        sigprocmask(SIG_BLOCK, NULL, &l.waiting);
        l.redraws = !args_has(&c->args, OPTION_BIT(FOLLOW) | OPTION_BIT(JSON)) &&
                    screen_possible(STDOUT_FILENO);
        if (l.redraws)
                watch_size(&l);
        do {
                code = l.redraws ? live_redraw(&l) : live_append(&l);
                if (out_finish(&c->out) < 0)
                        return code; /* main() says why, unless the reader has just left */
                if (l.first && (code == BAL_EXIT_NO_RIGHT || code == BAL_EXIT_UNAVAILABLE ||
                                code == BAL_EXIT_UNKNOWN))
                        return code;
                l.first = false;
                due += (uint64_t)c->args.watch_ms;
                if (due < clock_mono_ms())
                        due = clock_mono_ms();
        } while (live_wait(&l, due));
        return BAL_EXIT_OK;
}
