/* SPDX-License-Identifier: MIT */
/* `bal help` and --help: the tables of verbs and options as people read them. */

#include <stdio.h>
#include <string.h>

#include "bal/exit.h"
#include "cli/verb.h"

#define NAME_MAX_OF_HELP 96

/* "backend list|drain", "sessions [close]": once for all rows of a name; "" for the others
 * and for what is hidden. */
static const char *name_of(size_t i, char buf[static NAME_MAX_OF_HELP]) {
        char subs[VERB_SUBS_MAX];

        buf[0] = '\0';
        if (verbs[i].hidden)
                return buf;
        if (!verbs[i].sub)
                snprintf(buf, NAME_MAX_OF_HELP, verb_group(verbs[i].name) ? "%s [%s]" : "%s",
                         verbs[i].name, verb_subs(verbs[i].name, subs));
        else if (!verb_find(verbs[i].name, NULL) && verb_group(verbs[i].name) == &verbs[i])
                snprintf(buf, NAME_MAX_OF_HELP, "%s %s", verbs[i].name,
                         verb_subs(verbs[i].name, subs));
        return buf;
}

static void verb_names(struct out *o) {
        static const char title[] = "Commands: ";
        size_t column = sizeof(title) - 1;

        out_printf(o, "%s", title);
        for (size_t i = 0; i < n_verbs; i++) {
                char name[NAME_MAX_OF_HELP];
                size_t n = strlen(name_of(i, name)) + 2;
                bool wrap = column + n > 80;

                if (!*name)
                        continue;
                if (i > 0)
                        out_printf(o, ",%s%*s", wrap ? "\n" : "", wrap ? (int)sizeof(title) - 1 : 1,
                                   "");
                column = (wrap ? sizeof(title) - 1 : column) + n;
                out_printf(o, "%s", name);
        }
        out_printf(o, "\n");
}

void verb_help_all(struct out *o) {
        out_paint(o, BOLD, "bal " BAL_VERSION " - balances connections over backends");
        out_printf(o, "\nUsage: bal COMMAND [OPTION]...   (one command: bal COMMAND --help)\n");
        verb_names(o);
        out_printf(o, "Options: -c/--config FILE, --socket PATH, --json, --brief, -v/--verbose,\n"
                      "         -q/--quiet, --strict, --color=WHEN, -h/--help, -V/--version\n");
        out_printf(o,
                   "Examples:\n"
                   "  bal check -c /etc/bal/config.yaml   every error of the file and its place\n"
                   "  bal start -d                        in the background; back when ready\n"
                   "  bal status --json                   the daemon's state for a script\n"
                   "The manual: man 8 bal\n");
}

static void help_option(struct out *o, const struct option_info *info) {
        char name[64];
        bool optional = info->value && info->value[0] == '[';

        snprintf(name, sizeof(name), "%c%c%s --%s%s%s", info->letter ? '-' : ' ',
                 info->letter ? info->letter : ' ', info->letter ? "," : " ", info->name,
                 optional      ? "[="
                 : info->value ? "="
                               : "",
                 info->value ? info->value + optional : "");
        out_printf(o, "  %-20s  %s\n", name, info->help);
}

void verb_help(struct out *o, const struct verb *v) {
        char title[ARGS_COMMAND_MAX];
        size_t n = sizeof("Usage: bal   [OPTION]...") - 1;

        n += strlen(verb_title(v, title)) + strlen(v->synopsis);
        out_printf(o, "Usage: bal %s%s%s%s[OPTION]...\n", title, *v->synopsis ? " " : "",
                   v->synopsis, n > 80 ? "\n           " : " ");
        out_printf(o, "%c%s.\n", v->help[0] - 'a' + 'A', v->help + 1);
        if (v->more)
                out_printf(o, "%s\n", v->more);
        out_printf(o, "Options:\n");
        for (size_t i = 0; i < OPTIONS_COUNT; i++) {
                if (v->options & (1U << i))
                        help_option(o, &options[i]);
        }
        for (size_t i = 0; i < OPTIONS_COUNT; i++) {
                if (options[i].common)
                        help_option(o, &options[i]);
        }
}

void verb_help_group(struct out *o, const char *name) {
        char subs[VERB_SUBS_MAX];

        out_printf(o, "Usage: bal %s %s ...\n", name, verb_subs(name, subs));
        for (size_t i = 0; i < n_verbs; i++) {
                if (verbs[i].sub && strcmp(verbs[i].name, name) == 0)
                        out_printf(o, "  bal %s %s %s\n      %s\n", name, verbs[i].sub,
                                   verbs[i].synopsis, verbs[i].help);
        }
        out_printf(o, "The options of one: bal %s %s --help\n", name, verb_group(name)->sub);
}

/* "help backend drain", "help backend", "help status" */
int help_run(struct cli *c) {
        const char *name = c->args.operand,
                   *sub = c->args.n_operands > 1 ? c->args.operands[1] : NULL, *meant;
        const struct verb *v, *group;

        if (!name) {
                verb_help_all(&c->out);
                return BAL_EXIT_OK;
        }
        v = verb_find(name, sub);
        group = verb_group(name);
        if (!v && group && !sub) {
                verb_help_group(&c->out, name);
                return BAL_EXIT_OK;
        }
        if (v) {
                verb_help(&c->out, v);
                return BAL_EXIT_OK;
        }
        meant = group ? verb_closest_sub(name, sub) : verb_closest(name);
        if (meant)
                return verb_fail(
                        c, BAL_EXIT_USAGE, "unknown command '%s%s%s'; did you mean '%s%s%s'?", name,
                        sub ? " " : "", sub ? sub : "", group ? name : "", group ? " " : "", meant);
        return verb_fail(c, BAL_EXIT_USAGE, "unknown command '%s%s%s'", name, sub ? " " : "",
                         sub ? sub : "");
}
