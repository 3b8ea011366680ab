/* SPDX-License-Identifier: MIT */
/*
 * `bal completion` prints the file of a shell, and `bal __complete` the names that such a file asks
 * for while somebody waits for a TAB: whatever goes wrong, it is over in 50 ms and says nothing.
 */

#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "bal/exit.h"
#include "cli/ask.h"
#include "cli/doc.h"
#include "cli/doctor/exam.h"
#include "core/diag.h"
#include "core/log.h"
#include "core/str.h"

#define LIMIT_MS 50

static const char *const shells[] = { "bash", "zsh", "fish", NULL };

extern const char *const completion_files[ELEMENTS(shells) - 1]; /* made by embed.py */

static json_t *completion_document(const char *shell, const char *text) {
        json_t *doc = out_document("bal.completion");

        if (doc && json_object_set_new(doc, "shell", out_text(shell)) == 0 &&
            json_object_set_new(doc, "text", out_text(text)) == 0)
                return doc;
        json_decref(doc);
        return NULL;
}

int completion_run(struct cli *c) {
        const char *shell = c->args.operand, *meant;

        for (size_t i = 0; shells[i]; i++) {
                if (strcmp(shells[i], shell) != 0)
                        continue;
                if (args_has(&c->args, OPTION_BIT(JSON)))
                        out_json(&c->out, completion_document(shell, completion_files[i]));
                else
                        out_printf(&c->out, "%s", completion_files[i]);
                return BAL_EXIT_OK;
        }
        meant = str_closest(shell, shells);
        if (meant)
                return verb_fail(c, BAL_EXIT_USAGE, "unknown shell '%s'; did you mean '%s'?", shell,
                                 meant);
        return verb_fail(c, BAL_EXIT_USAGE, "unknown shell '%s'; use bash, zsh or fish", shell);
}

/* Only what means the same to every shell as it stands: a name is a stranger's word, and TAB puts
 * it where a command is typed. */
static bool is_plain(const char *name) {
        for (const char *p = name; *p; p++) {
                if ((unsigned char)*p < 0x80 && !isalnum((unsigned char)*p) &&
                    !strchr("._-:/[]@+,%", *p))
                        return false;
        }
        return *name && *name != '-';
}

/* Of one kind in the document: its names, and with their pool those of backends. */
static void print_names(struct out *o, const json_t *doc, const char *list, bool pools) {
        json_t *row;
        size_t i;

        json_array_foreach(doc_array(doc, list), i, row) {
                const char *pool = doc_text(row, "pool", "");
                const char *name = doc_text(row, "name", doc_text(row, "address", ""));

                if (!is_plain(name) || (pools && !is_plain(pool)))
                        continue;
                out_printf(o, "%s%s%s\n", pools ? pool : "", pools ? "/" : "", name);
        }
}

static void too_late(int number) {
        (void)number;
        _exit(BAL_EXIT_OK);
}

/* Over all of the asking: a daemon that does not accept, and three places to look for one, have
 * time limits of their own, which are for people who wait for an answer. */
static void set_clock(unsigned ms) {
        struct sigaction action = { .sa_handler = too_late };
        struct itimerval limit = { .it_value.tv_usec = ms * 1000 };

        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &limit, NULL);
}

static void complete_names(struct cli *c, const char *list, bool pools) {
        _cleanup_(answer_done) struct answer a = { .result = ASK_OK };

        set_clock(LIMIT_MS);
        ask(&a, c, BAL_SOCKET_STATUS, BAL_METHOD_GET, LIMIT_MS);
        set_clock(0); /* a list is printed to its end */
        if (a.result == ASK_OK)
                print_names(&c->out, a.reply.parameters, list, pools);
}

static void complete_events(struct cli *c) {
        for (int i = 0; i < LOG_EVENTS_COUNT; i++)
                out_printf(&c->out, "%s\n", log_event_word((enum log_event)i));
}

static void complete_checks(struct cli *c) {
        for (size_t i = 0; i < n_checks; i++)
                out_printf(&c->out, "%s\n", checks[i].id);
}

static void complete_codes(struct cli *c) {
        for (int i = 0; i < DIAG_CODES; i++)
                out_printf(&c->out, "%s\n", diag_info((enum diag_code)i)->name);
}

int complete_run(struct cli *c) {
        const char *what = c->args.operand ? c->args.operand : "";

        if (strcmp(what, "backend") == 0)
                complete_names(c, "backends", true);
        else if (strcmp(what, "pool") == 0)
                complete_names(c, "pools", false);
        else if (strcmp(what, "frontend") == 0)
                complete_names(c, "frontends", false);
        else if (strcmp(what, "event") == 0)
                complete_events(c);
        else if (strcmp(what, "check") == 0)
                complete_checks(c);
        else if (strcmp(what, "code") == 0)
                complete_codes(c);
        return BAL_EXIT_OK;
}
