/* SPDX-License-Identifier: MIT */
/* The report about a daemon that does not run. */

#include "cli/report.h"

#include "cli/doc.h"
#include "cli/report_parts.h"
#include "cli/rows.h"
#include "cli/table.h"

static void stopped_backends(struct out *o, const struct report *r) {
        _cleanup_(table_done) struct table t = { .columns = 4,
                                                 .cells_max = ROWS_NAME_CELLS,
                                                 .indent = "  " };
        size_t i, n = 0;
        json_t *b;

        json_array_foreach(doc_array(r->doc, "backends"), i, b) {
                bool reachable = doc_bool(b, "reachable");

                if ((reachable || n >= REPORT_ROWS_MAX) && r->level != REPORT_VERBOSE) {
                        n += !reachable;
                        continue;
                }
                n += !reachable;
                table_add(&t, reachable ? GREEN : RED, "%s",
                          reachable ? "REACHABLE" : "UNREACHABLE");
                table_add(&t, PLAIN, "%s", row_name(b));
                table_add(&t, PLAIN, "%s", doc_text(b, "pool", ""));
                table_add(&t, PLAIN, "%s", doc_text(b, "reason", ""));
        }
        table_print(o, &t);
        if (n > REPORT_ROWS_MAX && r->level != REPORT_VERBOSE)
                out_printf(o, "  ... and %zu more\n", n - REPORT_ROWS_MAX);
}

static void brief_stopped(struct out *o, const json_t *doc) {
        out_paint(o, YELLOW, "NOT RUNNING");
        if (json_is_integer(json_object_get(doc, "backend_total")))
                out_printf(o, " reachable=%lld/%lld", (long long)doc_int(doc, "backend_reachable"),
                           (long long)doc_int(doc, "backend_total"));
        out_printf(o, "  ");
        out_clean(o, doc_text(doc, "what_happened", ""));
        out_printf(o, "\n");
}

void report_stopped(struct out *o, const struct report *r) {
        const json_t *doc = r->doc;
        bool usable = json_is_integer(json_object_get(doc, "backend_total"));

        if (r->level == REPORT_BRIEF) {
                brief_stopped(o, doc);
                return;
        }
        out_printf(o, "bal status: ");
        out_paint(o, YELLOW, "NOT RUNNING");
        out_printf(o, "  ");
        report_name(o, doc_text(doc, "hostname", "?"));
        out_printf(o, "\n");
        out_part(o, "  ", "what_happened", doc_text(doc, "what_happened", NULL));
        out_part(o, "  ", "why_likely", doc_text(doc, "why_likely", NULL));
        out_part(o, "  ", "do_this_now", doc_text(doc, "do_this_now", NULL));
        out_printf(o, "  config       ");
        out_clean(o, doc_text(doc, "config_path", "?"));
        if (!usable) {
                out_printf(o, "   (");
                out_clean(o, doc_text(doc, "config_problem", "not usable"));
                out_printf(o, ")\n");
                return;
        }
        out_printf(o, "   listen ");
        report_listen(o, doc);
        out_printf(o, "   method ");
        out_clean(o, doc_text(doc, "method", "?"));
        out_printf(o, "\n  backends     %lld/%lld reachable from here (probed in %.2f s)\n",
                   (long long)doc_int(doc, "backend_reachable"),
                   (long long)doc_int(doc, "backend_total"),
                   (double)doc_int(doc, "probe_ms") / 1000);
        stopped_backends(o, r);
}
