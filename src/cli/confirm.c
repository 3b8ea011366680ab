/* SPDX-License-Identifier: MIT */

#include "cli/confirm.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

bool confirm_possible(const struct cli *c) {
        return c->err.file && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

bool confirm(struct cli *c, const char *question) {
        char line[64] = "";
        bool ended;

        out_finish(&c->out); /* what was done so far stands above the question */
        out_clean(&c->err, question);
        out_printf(&c->err, " [y/N] ");
        out_finish(&c->err);

        ended = !fgets(line, sizeof(line), stdin);
        if (ended)
                out_printf(&c->err, "\n"); /* nobody has typed one */
        line[strcspn(line, "\r\n")] = '\0';
        return !ended && (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0);
}
