/* SPDX-License-Identifier: MIT */
/* The program `bal`: reads the command line, runs one command, and tells the truth on exit. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bal/exit.h"
#include "cli/verb.h"
#include "core/str.h"

/* Without this a socket could become descriptor 1 and get the report. Reading is all that works on
 * the substitute, so that a report nobody can get still counts as failed. */
static void open_standard_streams(void) {
        int fd;

        do {
                fd = open("/dev/null", O_RDONLY); /* not CLOEXEC: it stands for a standard stream */
        } while (fd >= 0 && fd <= STDERR_FILENO);
        fd_close(fd);
}

static int usage(struct cli *c) {
        if (args_has(&c->args, OPTION_BIT(JSON)))
                return verb_fail(c, BAL_EXIT_USAGE, "no command given");
        verb_help_all(&c->err);
        return BAL_EXIT_USAGE;
}

static void help(struct cli *c) {
        if (!c->args.verb)
                verb_help_all(&c->out);
        else if (c->args.group)
                verb_help_group(&c->out, c->args.verb->name);
        else
                verb_help(&c->out, c->args.verb);
}

static int dispatch(struct cli *c, int argc, char **argv) {
        _cleanup_(str_freep) char *problem = NULL;
        int r;

        r = args_parse(&c->args, argc, argv, &problem);
        c->out.colour = out_wants_colour(STDOUT_FILENO, c->args.color);
        c->err.colour = out_wants_colour(STDERR_FILENO, c->args.color);
        c->out.columns = out_columns(STDOUT_FILENO);
        c->err.columns = out_columns(STDERR_FILENO);
        if (r == -ENOMEM)
                return verb_fail(c, BAL_EXIT_FAILED, "out of memory");
        if (r < 0)
                return verb_misused(c, "%s", problem);

        if (args_has(&c->args, OPTION_BIT(HELP))) {
                help(c);
                return BAL_EXIT_OK;
        }
        if (args_has(&c->args, OPTION_BIT(VERSION)))
                return version_run(c);
        if (!c->args.verb)
                return usage(c);
        if (args_has(&c->args, OPTION_BIT(QUIET)))
                c->out.file = c->err.file = NULL;
        return c->args.verb->run(c);
}

int main(int argc, char **argv) {
        struct cli c = { .out.file = stdout, .err.file = stderr };
        int code, r;

        open_standard_streams();
        signal(SIGPIPE, SIG_IGN); /* a reader that leaves is an error of write(), not our end */
        signal(SIGXFSZ, SIG_IGN); /* likewise a file that may not become larger */

        code = dispatch(&c, argc, argv);
        args_done(&c.args);
        r = out_finish(&c.out);
        if (r < 0 && r != -EPIPE) {
                fprintf(stderr, "bal: cannot write the report: %s\n", strerror(-r));
                return code == BAL_EXIT_OK ? BAL_EXIT_FAILED : code;
        }
        return code;
}
