/* SPDX-License-Identifier: MIT */
/* bal-top is a program and a package of its own, so that bal needs no terminal library. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bal/exit.h"
#include "cli/verb.h"
#include "core/str.h"

#define PROGRAM "bal-top"

/* The one that was built with this bal lies beside it; before the installation in tui/. */
static void try_beside(char *const *argv) {
        static const char *const places[] = { PROGRAM, "../../tui/" PROGRAM };
        char self[4096];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        char *slash;

        if (n <= 0)
                return;
        self[n] = '\0';
        slash = strrchr(self, '/');
        for (size_t i = 0; slash && i < ELEMENTS(places); i++) {
                _cleanup_(str_freep) char *path =
                        str_printf("%.*s/%s", (int)(slash - self), self, places[i]);

                if (path)
                        execv(path, argv);
        }
}

static const char *colour_word(enum args_color color) {
        return color == COLOR_ALWAYS ? "always" : color == COLOR_NEVER ? "never" : "auto";
}

/* Its options stand behind "--"; those that both have are handed on. */
int top_run(struct cli *c) {
        const struct args *a = &c->args;
        const char **argv = calloc(a->n_operands + 8, sizeof(*argv));
        size_t n = 0;
        int r;

        if (!argv)
                return verb_fail(c, BAL_EXIT_FAILED, "out of memory");
        argv[n++] = PROGRAM;
        if (a->socket) {
                argv[n++] = "--socket";
                argv[n++] = a->socket;
        }
        if (args_has(a, OPTION_BIT(COLOR))) {
                argv[n++] = "--color";
                argv[n++] = colour_word(a->color);
        }
        if (args_has(a, OPTION_BIT(JSON)))
                argv[n++] = "--json";
        for (size_t i = 0; i < a->n_operands; i++)
                argv[n++] = a->operands[i];

        try_beside((char *const *)argv);
        execvp(PROGRAM, (char *const *)argv);
        r = errno;
        free(argv);
        if (r == ENOENT)
                return verb_fail(c, BAL_EXIT_FAILED,
                                 "bal-top is not installed: apt install bal-top");
        return verb_fail(c, BAL_EXIT_FAILED, "cannot run bal-top: %s", strerror(r));
}
