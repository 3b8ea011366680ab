/* SPDX-License-Identifier: MIT */

#include "cli/changes.h"

#include <string.h>

#include "cli/doc.h"
#include "cli/rows.h"
#include "cli/table.h"

/* A mark for the eye, a word for whoever does not see marks or colours. */
static const struct {
        const char *action, *mark;
        enum colour colour;
} actions[] = {
        { "added", "+", GREEN },
        { "removed", "-", RED },
        { "changed", "~", YELLOW },
};

static void change_row(struct table *t, const json_t *change) {
        const char *action = doc_text(change, "action", "?"),
                   *pool = doc_text(change, "pool", NULL);
        const char *mark = "?";
        enum colour colour = PLAIN;

        for (size_t i = 0; i < ELEMENTS(actions); i++) {
                if (strcmp(actions[i].action, action) == 0) {
                        mark = actions[i].mark;
                        colour = actions[i].colour;
                }
        }
        table_add(t, colour, "%s", mark);
        table_add(t, colour, "%s", action);
        table_add(t, PLAIN, "%s", doc_text(change, "object", "?"));
        table_add(t, PLAIN, "%s%s%s", pool ? pool : "", pool ? "/" : "",
                  doc_text(change, "name", "?"));
        table_add(t, PLAIN, "%s", doc_text(change, "text", ""));
}

void changes_print(struct out *o, const json_t *answer, bool all) {
        _cleanup_(table_done) struct table t = {
                .columns = 5, .shrinks = 0x8, .wraps = true, .indent = "  "
        };
        const json_t *list = doc_array(answer, "changes");
        int64_t total = doc_int(answer, "changes_total"), shown = 0;
        size_t i;
        json_t *change;

        json_array_foreach(list, i, change) {
                if (all || shown < CHANGES_ROWS_MAX) {
                        change_row(&t, change);
                        shown++;
                }
        }
        table_print(o, &t);
        if (total <= shown)
                return;
        if (all) /* the daemon sends no more of them */
                out_printf(o, "  ... and %lld more\n", (long long)(total - shown));
        else
                out_printf(o, "  ... and %lld more (--verbose lists them)\n",
                           (long long)(total - shown));
}

void changes_connections(struct out *o, const json_t *answer) {
        long long kept = (long long)doc_int(answer, "connections_kept"),
                  draining = (long long)doc_int(answer, "connections_draining");

        out_printf(o, "  connections  %lld stay%s", kept, kept == 1 ? "s" : "");
        if (draining > 0)
                out_printf(o, ", %lld of them until they end: their backends are removed",
                           draining);
        out_printf(o, "\n");
}
