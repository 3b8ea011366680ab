/* SPDX-License-Identifier: MIT */
/* `bal graceful`: the daemon reads its file again, and says what came of it; or what would. */

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bal/exit.h"
#include "cli/ask.h"
#include "cli/changes.h"
#include "cli/doc.h"
#include "control/journal.h"
#include "core/clock.h"
#include "core/str.h"

static void print_list(struct out *o, const json_t *doc, const char *key, const char *indent) {
        json_t *line;
        size_t i;

        json_array_foreach(doc_array(doc, key), i, line) {
                const char *text = json_string_value(line);

                out_printf(o, "%s", indent);
                out_clean(o, text ? text : "?");
                out_printf(o, "\n");
        }
}

static int reload_document(struct cli *c, const json_t *parameters) {
        json_t *doc = out_document("bal.graceful");

        if (doc && json_object_update_missing(doc, (json_t *)parameters) < 0) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&c->out, doc);
        return BAL_EXIT_OK;
}

/* "3 changes", "no change": nothing is to be said of a daemon that does not count them. */
static void print_total(struct out *o, const json_t *p) {
        long long n = (long long)doc_int(p, "changes_total");

        if (n > 0)
                out_printf(o, "%lld change%s", n, n == 1 ? "" : "s");
        else
                out_printf(o, doc_bool(p, "changed") ? "no visible change" : "no change");
}

static void print_dry_head(struct out *o, const json_t *p) {
        out_printf(o, "bal: dry run of ");
        out_clean(o, doc_text(p, "config_path", "?"));
        out_printf(o, ": ");
        print_total(o, p);
        out_printf(o, "; configuration #%lld stays in force\n",
                   (long long)doc_int(p, "config_number"));
}

static void print_head(struct out *o, const json_t *p) {
        out_printf(o, "bal: configuration #%lld is in force (",
                   (long long)doc_int(p, "config_number"));
        out_clean(o, doc_text(p, "config_path", "?"));
        out_printf(o, "): ");
        out_clean(o, doc_text(p, "message", ""));
        out_printf(o, "\n");
}

static int reload_done(struct cli *c, const json_t *p) {
        bool dry = args_has(&c->args, OPTION_BIT(DRY_RUN));
        struct out *o = &c->out;

        if (dry && !doc_bool(p, "dry_run"))
                return verb_fail(c, BAL_EXIT_FAILED,
                                 "the daemon knows no dry run and has loaded the configuration "
                                 "(#%lld)",
                                 (long long)doc_int(p, "config_number"));
        if (args_has(&c->args, OPTION_BIT(JSON)))
                return reload_document(c, p);
        if (!dry && journal_is_stream(STDOUT_FILENO))
                return BAL_EXIT_OK; /* ExecReload= of a unit: the daemon has told the journal */
        if (dry)
                print_dry_head(o, p);
        else
                print_head(o, p);
        if (args_has(&c->args, OPTION_BIT(BRIEF)))
                return BAL_EXIT_OK;
        changes_print(o, p, args_has(&c->args, OPTION_BIT(VERBOSE)));
        if (dry || doc_int(p, "connections_draining") > 0)
                changes_connections(o, p);
        print_list(o, p, "warnings", "  ");
        print_list(o, p, "notes", "  note: ");
        if (dry && doc_bool(p, "changed"))
                out_printf(o, "  next: bal graceful\n");
        return BAL_EXIT_OK;
}

/* The document of an error, with the list that the daemon sent. */
static int reload_error(struct cli *c, const json_t *p) {
        static const char *const keys[] = { "config_path", "errors", "warnings", "diagnostics" };
        json_t *doc = out_document("bal.error");
        int r = doc ? json_object_set_new(doc, "code", json_integer(BAL_EXIT_CONFIG)) : -1;

        if (r == 0)
                r = json_object_set_new(doc, "errors", json_array());
        for (size_t i = 0; i < ELEMENTS(keys) && r == 0; i++) {
                json_t *value = json_object_get(p, keys[i]);

                if (value)
                        r = json_object_set(doc, keys[i], value);
        }
        if (r < 0) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&c->out, doc);
        return BAL_EXIT_CONFIG;
}

static int reload_invalid(struct cli *c, const json_t *p) {
        if (args_has(&c->args, OPTION_BIT(JSON)))
                return reload_error(c, p);
        print_list(&c->err, p, "errors", journal_is_stream(STDERR_FILENO) ? "<3>" : "");
        print_list(&c->err, p, "warnings", journal_is_stream(STDERR_FILENO) ? "<4>" : "");
        return verb_fail(c, BAL_EXIT_CONFIG,
                         "errors in %s: nothing was changed, the old configuration goes on serving",
                         doc_text(p, "config_path", "the configuration"));
}

static bool is_busy(const struct answer *a) {
        return a->result == ASK_REFUSED && a->reply.error_id == BAL_ERROR_BUSY &&
               strcmp(doc_text(a->reply.parameters, "what", ""), "reload") == 0;
}

/* Another reload may be under way, most likely that of the daemon itself, which has seen the same
 * edit of the file. Its verdict is not ours; so ask again when it is over. */
static void reload_ask(struct answer *a, struct cli *c) {
        const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
        uint64_t end_ms = clock_mono_ms() + (uint64_t)c->args.wait_ms, now_ms;
        bool dry = args_has(&c->args, OPTION_BIT(DRY_RUN));

        for (;;) {
                now_ms = clock_mono_ms();
                ask_with(a, c, BAL_SOCKET_ADMIN, BAL_METHOD_RELOAD,
                         dry ? json_pack("{s:b}", "dry_run", 1) : json_object(),
                         now_ms < end_ms ? (int)(end_ms - now_ms) : 0);
                if (!is_busy(a) || clock_mono_ms() + 20 >= end_ms)
                        return;
                answer_done(a);
                nanosleep(&pause, NULL);
        }
}

int reload_run(struct cli *c) {
        _cleanup_(answer_done) struct answer a = { .result = ASK_OK };

        reload_ask(&a, c);
        if (a.result == ASK_OK)
                return reload_done(c, a.reply.parameters);
        if (a.result == ASK_REFUSED && a.reply.error_id == BAL_ERROR_CONFIG_INVALID)
                return reload_invalid(c, a.reply.parameters);
        if (a.result == ASK_SILENT && a.error == -ETIMEDOUT)
                return verb_fail(
                        c, BAL_EXIT_FAILED,
                        "no verdict from %s within %d ms; which configuration is in force: "
                        "bal status",
                        a.socket, c->args.wait_ms);
        return answer_fail(c, &a);
}
