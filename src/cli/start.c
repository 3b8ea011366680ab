/* SPDX-License-Identifier: MIT */

#include "daemon/start.h"

#include <unistd.h>

#include "bal/exit.h"
#include "cli/show.h"
#include "cli/verb.h"
#include "config/report.h"
#include "control/journal.h"
#include "core/log.h"
#include "core/str.h"

/* daemon_start() has no word for whose run this is, and there is one run in a process. */
static struct cli *start_cli;

/* In the journal each line has its priority, so that `journalctl -p err` finds it. */
static void show_to_journal(struct out *o, const struct diags *d) {
        list_for_each(l, &d->list) {
                const struct diag *p = container_of(l, struct diag, link);
                _cleanup_(str_freep) char *line = report_brief(p);
                bool is_error = p->level == DIAG_ERROR;

                out_printf(o, "<%d>", log_priority(is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN));
                out_clean(o, line ? line : "out of memory");
                out_printf(o, "\n");
        }
        out_finish(o);
}

static void start_show(const struct diags *d, const char *path) {
        struct out *o = &start_cli->err;

        if (journal_is_stream(STDERR_FILENO)) {
                show_to_journal(o, d);
                return;
        }
        if (args_has(&start_cli->args, OPTION_BIT(BRIEF))) {
                show_diags_brief(o, d);
                out_finish(o);
                return;
        }
        show_diags(o, d);
        if (!link_idle(&d->list)) {
                out_printf(o, "\nbal start: ");
                show_counts(o, d);
                out_printf(o, " in ");
                out_clean(o, path);
                out_printf(o, "\n");
        }
        out_finish(o);
}

static int start_document(struct cli *c, int code) {
        json_t *doc;

        if (code != BAL_EXIT_OK)
                return verb_fail(c, code, "bal was not started; standard error says why");
        doc = out_document("bal.start");
        if (doc && json_object_set_new(doc, "started", json_true()) < 0) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&c->out, doc);
        return code;
}

int start_run(struct cli *c) {
        const struct start_options o = {
                .config = c->args.config,
                .log_level = c->args.log_level,
                .detach = args_has(&c->args, OPTION_BIT(DETACH)),
                .no_watch = args_has(&c->args, OPTION_BIT(NO_WATCH)),
                .show = start_show,
        };
        pid_t me = getpid();
        int code;

        start_cli = c;
        code = daemon_start(&o);
        start_cli = NULL;
        if (getpid() != me) /* of -d the daemon itself: the parent reports */
                return code;
        return args_has(&c->args, OPTION_BIT(JSON)) ? start_document(c, code) : code;
}
