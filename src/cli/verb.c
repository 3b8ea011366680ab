/* SPDX-License-Identifier: MIT */

#include "cli/verb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bal/exit.h"
#include "control/journal.h"
#include "core/str.h"

#define NAMES_HELP "NAME is host:port or pool/host:port; several are done one after the other.\n"

#define LIST_HELP "All names: bal backend list"

#define ASKS_HELP                                                                                  \
        NAMES_HELP "When a pool would keep less than half of its backends it asks; without a\n"    \
                   "terminal that needs --yes. " LIST_HELP

#define TERMS_HELP                                                                                 \
        "A FILTER is backend:NAME, pool:NAME, frontend:NAME, client:ADDRESS, id:N, or\n"           \
        "idle:10m and age:1h, which mean at least so long; the name of a backend or a\n"           \
        "pool will do. All of them must fit."

/* clang-format off */
const struct verb verbs[] = {
        { .name = "start", .run = start_run,
          .options = OPTION_BIT(DETACH) | OPTION_BIT(LOG_LEVEL) | OPTION_BIT(NO_WATCH),
          .synopsis = "[-d] [--log-level L] [--no-watch]",
          .help = "run the daemon, in the foreground or with -d in the background",
          .more = "With -d it returns when the daemon is ready, or with its error. Without any\n"
                  "configuration it writes a minimal ~/.bal/config.yaml first. It reads its file\n"
                  "again when that changes, unless --no-watch or the file says otherwise." },
        { .name = "stop", .run = stop_run, .synopsis = "",
          .help = "let the connections end, then stop the daemon",
          .more = "Returns when the process is gone. Connections that have not ended within\n"
                  "drain_timeout are closed." },
        { .name = "graceful", .run = reload_run, .options = OPTION_BIT(WAIT) | OPTION_BIT(DRY_RUN),
          .synopsis = "[--dry-run] [--wait=10s]",
          .help = "read the configuration again; connections stay",
          .more = "All or nothing: after an error the old configuration goes on serving, and the\n"
                  "exit code is 78. Prints what changes, or with --dry-run what would; at most 20\n"
                  "changes, all of them with --verbose." },
        { .name = "reload", .run = reload_run, .options = OPTION_BIT(WAIT) | OPTION_BIT(DRY_RUN),
          .synopsis = "[--dry-run] [--wait=10s]",
          .help = "another word for graceful",
          .more = "All or nothing: after an error the old configuration goes on serving, and the\n"
                  "exit code is 78. Prints what changes, or with --dry-run what would; at most 20\n"
                  "changes, all of them with --verbose." },
        { .name = "check", .run = check_run, .options = OPTION_BIT(VALIDATE),
          .synopsis = "[--strict] [--json] [--brief] [--verbose]",
          .help = "read the configuration and tell every error in it",
          .more = "Touches no network. --brief prints file:line:column, which editors read;\n"
                  "--verbose adds the values in force and where each one comes from." },
        { .name = "status", .run = status_run,
          .options = OPTION_BIT(EXIT_CODE) | OPTION_BIT(WATCH) | OPTION_BIT(FOLLOW),
          .synopsis = "[--watch[=2]] [--follow] [--exit-code]",
          .help = "what the daemon does, and which backends are in trouble",
          .more = "Without a daemon it probes the configured backends itself, for at most a\n"
                  "second, and exits with 0; --exit-code makes that 3. --watch and --follow go on\n"
                  "until Ctrl-C: --watch redraws a terminal, and appends to anything else." },
        { .name = "doctor", .run = doctor_run,
          .options = OPTION_BIT(ONLY) | OPTION_BIT(SKIP) | OPTION_BIT(BACKEND) | OPTION_BIT(PLUGIN),
          .synopsis = "[--only ID] [--skip ID] [--backend NAME] [--plugin]",
          .help = "look for what is wrong, and say what to do about it",
          .more = "Changes nothing. IDs, several with commas: config pid bind backend daemon fds\n"
                  "conntrack dns protection waiting sockets backlog ports metrics log unit version.\n"
                  "Exits with 1 when something is critical; with --strict for a warning too." },
        { .name = "backend", .sub = "list", .run = backend_list_run,
          .operand = "[FILTER...]", .operands_max = SIZE_MAX, .synopsis = "[FILTER...]",
          .help = "state, weight and connections of every backend, worst first",
          .more = "A FILTER is a pool, a part of a name, or state:WORD (up, cool, down, drain,\n"
                  "maint); all of them must fit." },
        { .name = "backend", .sub = "drain", .run = backend_set_run,
          .operand = "NAME...", .needs = "a NAME", .operands_min = 1, .operands_max = SIZE_MAX,
          .options = OPTION_BIT(DEADLINE) | OPTION_BIT(YES),
          .synopsis = "NAME... [--deadline 10m] [--yes]",
          .help = "no new connections; those that exist stay", .more = ASKS_HELP },
        { .name = "backend", .sub = "maint", .run = backend_set_run,
          .operand = "NAME...", .needs = "a NAME", .operands_min = 1, .operands_max = SIZE_MAX,
          .options = OPTION_BIT(DEADLINE) | OPTION_BIT(YES),
          .synopsis = "NAME... [--deadline 10m] [--yes]",
          .help = "out of service: as drain, and not checked",
          .more = "What is left after drain_timeout, or the deadline, is closed.\n" ASKS_HELP },
        { .name = "backend", .sub = "enable", .run = backend_set_run,
          .operand = "NAME...", .needs = "a NAME", .operands_min = 1, .operands_max = SIZE_MAX,
          .options = OPTION_BIT(YES), .synopsis = "NAME...",
          .help = "back into service after drain or maint", .more = NAMES_HELP LIST_HELP },
        { .name = "backend", .sub = "weight", .run = backend_weight_run,
          .operand = "NAME... N", .needs = "a NAME and a weight", .operands_min = 2,
          .operands_max = SIZE_MAX, .options = OPTION_BIT(YES), .synopsis = "NAME... N [--yes]",
          .help = "its share of new connections, 0 to 256, until the file changes it",
          .more = ASKS_HELP },
        { .name = "sessions", .run = sessions_run, .operand = "[FILTER...]",
          .operands_max = SIZE_MAX, .options = OPTION_BIT(SORT) | OPTION_BIT(LIMIT),
          .synopsis = "[FILTER...] [--sort=KEY] [--limit=100]",
          .help = "who is connected to what, for how long, and how well it goes",
          .more = TERMS_HELP " Without --sort the oldest come first.\n"
                  "To close some: bal sessions close FILTER..." },
        { .name = "sessions", .sub = "close", .run = sessions_close_run, .operand = "FILTER...",
          .needs = "a FILTER", .operands_min = 1, .operands_max = SIZE_MAX,
          .options = OPTION_BIT(YES), .synopsis = "FILTER... [--yes]",
          .help = "close the connections that the filters fit",
          .more = TERMS_HELP "\n"
                  "It says how many that are, and asks; without a terminal that needs --yes." },
        { .name = "events", .run = events_run,
          .options = OPTION_BIT(FOLLOW) | OPTION_BIT(LEVEL) | OPTION_BIT(EVENT) | OPTION_BIT(LIMIT),
          .synopsis = "[--follow] [--level=warn] [--event=NAME] [--limit=50]",
          .help = "what has happened to the daemon of late",
          .more = "The newest records of the log, wherever it goes; the daemon keeps 512. With\n"
                  "--follow it goes on until Ctrl-C, also over a restart of the daemon. --json\n"
                  "prints a record a line." },
        { .name = "top", .run = top_run, .operand = "[-- OPTION...]", .operands_max = SIZE_MAX,
          .synopsis = "[-- OPTION...]",
          .help = "the live view of all backends: runs bal-top",
          .more = "Its own options come behind --, as in: bal top -- --admin" },
        { .name = "logs", .run = logs_run, .options = OPTION_BIT(REOPEN), .synopsis = "[--reopen]",
          .help = "where the log is, and the command that reads it",
          .more = "With --reopen the daemon opens its log file again, after a rotation; it returns\n"
                  "when that is done." },
        { .name = "metrics", .run = metrics_run, .synopsis = "",
          .help = "what Prometheus reads, as text",
          .more = "The same as over HTTP at metrics.address, also where that is off. For a textfile\n"
                  "collector: bal metrics >FILE.tmp && mv FILE.tmp FILE.prom" },
        { .name = "explain", .run = explain_run, .operand = "CODE", .needs = "a CODE",
          .operands_min = 1, .operands_max = 1, .synopsis = "CODE",
          .help = "what a code of check means, with a wrong and a right example",
          .more = "For instance: bal explain E014" },
        { .name = "config", .sub = "keys", .run = keys_run, .synopsis = "[--json]",
          .help = "every key a configuration may have",
          .more = "With type, allowed values and default, for both forms of the file." },
        { .name = "completion", .run = completion_run, .operand = "bash|zsh|fish",
          .needs = "a shell", .operands_min = 1, .operands_max = 1, .synopsis = "bash|zsh|fish",
          .help = "the file that makes a shell complete bal and bal-top",
          .more = "The packages install it. By hand, for this shell only:\n"
                  "  source <(bal completion bash)\n"
                  "  source <(bal completion zsh)\n"
                  "  bal completion fish | source" },
        { .name = "version", .run = version_run, .synopsis = "[--json]",
          .help = "the version of bal and of its libraries", .more = NULL },
        { .name = "help", .run = help_run, .operand = "COMMAND", .operands_max = 2,
          .synopsis = "[COMMAND]", .help = "a summary, or the help of one command", .more = NULL },
        { .name = "__complete", .run = complete_run, .operand = "WHAT", .operands_max = SIZE_MAX,
          .synopsis = "backend|pool|frontend|event|check|code", .hidden = true,
          .help = "names for the completion of shells, one a line; never fails" },
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
        size_t n = 0;

        for (size_t i = 0; i < n_verbs; i++) {
                if (!verbs[i].hidden)
                        words[n++] = verbs[i].name;
        }
        return str_closest(name, words);
}

const struct verb *verb_group(const char *name) {
        for (size_t i = 0; i < n_verbs; i++) {
                if (verbs[i].sub && strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        }
        return NULL;
}

const char *verb_closest_sub(const char *name, const char *sub) {
        const char *words[ELEMENTS(verbs) + 1] = { NULL };
        size_t n = 0;

        for (size_t i = 0; i < n_verbs; i++) {
                if (verbs[i].sub && strcmp(verbs[i].name, name) == 0)
                        words[n++] = verbs[i].sub;
        }
        return str_closest(sub, words);
}

const char *verb_subs(const char *name, char buf[static VERB_SUBS_MAX]) {
        size_t used = 0;

        buf[0] = '\0';
        for (size_t i = 0; i < n_verbs && used < VERB_SUBS_MAX; i++) {
                if (verbs[i].sub && strcmp(verbs[i].name, name) == 0)
                        used += (size_t)snprintf(buf + used, VERB_SUBS_MAX - used, "%s%s",
                                                 used ? "|" : "", verbs[i].sub);
        }
        return buf;
}

const char *verb_title(const struct verb *v, char buf[static ARGS_COMMAND_MAX]) {
        snprintf(buf, ARGS_COMMAND_MAX, "%s%s%s", v->name, v->sub ? " " : "", v->sub ? v->sub : "");
        return buf;
}

json_t *verb_error(int code, const char *text) {
        json_t *doc = out_document("bal.error");

        if (doc && json_object_set_new(doc, "code", json_integer(code)) == 0 &&
            json_object_set_new(doc, "errors", json_pack("[o]", out_text(text))) == 0)
                return doc;
        json_decref(doc);
        return NULL;
}

static int fail(struct cli *c, int code, const char *text) {
        if (args_has(&c->args, OPTION_BIT(JSON))) {
                out_json(&c->out, verb_error(code, text));
                return code;
        }
        if (journal_is_stream(STDERR_FILENO)) /* a command of a unit: with the priority of errors */
                out_printf(&c->err, "<3>");
        out_paint(&c->err, RED, "bal:");
        out_printf(&c->err, " ");
        out_clean(&c->err, text);
        out_printf(&c->err, "\n");
        return code;
}

int verb_fail(struct cli *c, int code, const char *fmt, ...) {
        _cleanup_(str_freep) char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n < 0)
                text = NULL;
        return fail(c, code, text ? text : "out of memory");
}

int verb_misused(struct cli *c, const char *fmt, ...) {
        _cleanup_(str_freep) char *text = NULL;
        const char *command = c->args.command;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n < 0)
                text = NULL;
        fail(c, BAL_EXIT_USAGE, text ? text : "out of memory");
        if (!args_has(&c->args, OPTION_BIT(JSON)))
                out_printf(&c->err, "Try 'bal %s%s--help'.\n", command, *command ? " " : "");
        return BAL_EXIT_USAGE;
}
