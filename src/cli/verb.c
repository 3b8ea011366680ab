/* SPDX-License-Identifier: MIT */

#include "cli/verb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bal/exit.h"
#include "core/str.h"

/* clang-format off */
const struct verb verbs[] = {
        { .name = "start", .run = start_run,
          .options = OPTION_BIT(DETACH) | OPTION_BIT(LOG_LEVEL) | OPTION_BIT(NO_WATCH),
          .synopsis = "[-d] [--log-level L] [--no-watch]",
          .help = "run the daemon, in the foreground or with -d in the background",
          .more = "With -d it returns when the daemon is ready, or with its error. Without any\n"
                  "configuration it writes a minimal ~/.bal/config.yaml first." },
        { .name = "stop", .run = stop_run, .synopsis = "",
          .help = "let the connections end, then stop the daemon",
          .more = "Returns when the process is gone. Connections that have not ended within\n"
                  "drain_timeout are closed." },
        { .name = "graceful", .run = reload_run, .options = OPTION_BIT(WAIT),
          .synopsis = "[--wait=10s]",
          .help = "read the configuration again; connections stay",
          .more = "All or nothing: after an error the old configuration goes on serving, and the\n"
                  "exit code is 78." },
        { .name = "reload", .run = reload_run, .options = OPTION_BIT(WAIT),
          .synopsis = "[--wait=10s]",
          .help = "another word for graceful",
          .more = "All or nothing: after an error the old configuration goes on serving, and the\n"
                  "exit code is 78." },
        { .name = "check", .run = check_run, .options = OPTION_BIT(VALIDATE),
          .synopsis = "[--strict] [--json] [--brief] [--verbose]",
          .help = "read the configuration and tell every error in it",
          .more = "Touches no network. --brief prints file:line:column, which editors read;\n"
                  "--verbose adds the values in force and where each one comes from." },
        { .name = "status", .run = status_run, .options = OPTION_BIT(EXIT_CODE),
          .synopsis = "[--json] [--brief] [--verbose] [--exit-code]",
          .help = "what the daemon does, and which backends are in trouble",
          .more = "Without a daemon it probes the configured backends itself, for at most a\n"
                  "second, and exits with 0; --exit-code makes that 3." },
        { .name = "explain", .run = explain_run, .operand = "CODE", .synopsis = "CODE",
          .help = "what a code of check means, with a wrong and a right example",
          .more = "For instance: bal explain E014" },
        { .name = "config", .sub = "keys", .run = keys_run, .synopsis = "[--json]",
          .help = "every key a configuration may have",
          .more = "With type, allowed values and default, for both forms of the file." },
        { .name = "version", .run = version_run, .synopsis = "[--json]",
          .help = "the version of bal and of its libraries", .more = NULL },
        { .name = "help", .run = help_run, .operand = "COMMAND", .operand_optional = true,
          .synopsis = "[COMMAND]", .help = "a summary, or the help of one command", .more = NULL },
};
/* clang-format on */

const size_t n_verbs = ELEMENTS(verbs);

const struct verb *verb_find(const char *name, const char *sub) {
        for (size_t i = 0; i < n_verbs; i++) {
                if (strcmp(verbs[i].name, name) != 0)
                        continue;
                if (!sub && !verbs[i].sub)
                        return &verbs[i];
                if (sub && verbs[i].sub && strcmp(verbs[i].sub, sub) == 0)
                        return &verbs[i];
        }
        return NULL;
}

const char *verb_closest(const char *name) {
        const char *words[ELEMENTS(verbs) + 1] = { NULL };

        for (size_t i = 0; i < n_verbs; i++)
                words[i] = verbs[i].name;
        return str_closest(name, words);
}

static void verb_names(struct out *o) {
        static const char title[] = "Commands: ";
        size_t column = sizeof(title) - 1;

        out_printf(o, "%s", title);
        for (size_t i = 0; i < n_verbs; i++) {
                const char *sub = verbs[i].sub ? verbs[i].sub : "";
                size_t n = strlen(verbs[i].name) + strlen(sub) + (*sub ? 1 : 0) + 2;
                bool wrap = column + n > 80;

                if (i > 0)
                        out_printf(o, ",%s%*s", wrap ? "\n" : "", wrap ? (int)sizeof(title) - 1 : 1,
                                   "");
                column = (wrap ? sizeof(title) - 1 : column) + n;
                out_printf(o, "%s%s%s", verbs[i].name, *sub ? " " : "", sub);
        }
        out_printf(o, "\n");
}

void verb_help_all(struct out *o) {
        out_paint(o, BOLD, "bal " BAL_VERSION " - balances connections over backends");
        out_printf(o, "\nUsage: bal COMMAND [OPTION]...   (one command: bal COMMAND --help)\n");
        verb_names(o);
        out_printf(o, "Options: -c/--config FILE, --socket PATH, --json, --brief, -v/--verbose,\n"
                      "         -q/--quiet, --strict, --color=auto|always|never, -h/--help,\n"
                      "         -V/--version\n");
        out_printf(o,
                   "Examples:\n"
                   "  bal check -c /etc/bal/config.yaml   every error of the file and its place\n"
                   "  bal start -d                        in the background; back when ready\n"
                   "  bal status --json                   the daemon's state for a script\n"
                   "The manual: man 8 bal\n");
}

static void help_option(struct out *o, const struct option_info *info) {
        char name[64];

        snprintf(name, sizeof(name), "%c%c%s --%s%s%s", info->letter ? '-' : ' ',
                 info->letter ? info->letter : ' ', info->letter ? "," : " ", info->name,
                 info->value ? "=" : "", info->value ? info->value : "");
        out_printf(o, "  %-20s  %s\n", name, info->help);
}

void verb_help(struct out *o, const struct verb *v) {
        out_printf(o, "Usage: bal %s%s%s%s%s [OPTION]...\n", v->name, v->sub ? " " : "",
                   v->sub ? v->sub : "", *v->synopsis ? " " : "", v->synopsis);
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

int verb_fail(struct cli *c, int code, const char *fmt, ...) {
        _cleanup_(str_freep) char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return code;
        }
        if (args_has(&c->args, OPTION_BIT(JSON))) {
                json_t *doc = out_document("bal.error");

                if (doc &&
                    (json_object_set_new(doc, "code", json_integer(code)) < 0 ||
                     json_object_set_new(doc, "errors", json_pack("[o]", out_text(text))) < 0)) {
                        json_decref(doc);
                        doc = NULL;
                }
                out_json(&c->out, doc);
                return code;
        }
        out_paint(&c->err, RED, "bal:");
        out_printf(&c->err, " ");
        out_clean(&c->err, text);
        out_printf(&c->err, "\n");
        return code;
}

int help_run(struct cli *c) {
        const struct verb *v = NULL;
        const char *meant;

        if (!c->args.operand) {
                verb_help_all(&c->out);
                return BAL_EXIT_OK;
        }
        for (size_t i = 0; i < n_verbs && !v; i++)
                v = strcmp(verbs[i].name, c->args.operand) == 0 ? &verbs[i] : NULL;
        if (v) {
                verb_help(&c->out, v);
                return BAL_EXIT_OK;
        }
        meant = verb_closest(c->args.operand);
        if (meant)
                return verb_fail(c, BAL_EXIT_USAGE, "unknown command '%s'; did you mean '%s'?",
                                 c->args.operand, meant);
        return verb_fail(c, BAL_EXIT_USAGE, "unknown command '%s'", c->args.operand);
}
