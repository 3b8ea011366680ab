/* SPDX-License-Identifier: MIT */

#include "config/report.h"

#include <stdlib.h>

#include "core/str.h"

static const char *level_text(enum diag_level level) {
        return level == DIAG_ERROR ? "error" : "warning";
}

char *report_brief(const struct diag *d) {
        _cleanup_(str_freep) char *file = str_clean(d->at.file ? d->at.file : "");
        const char *level = level_text(d->level), *code = diag_info(d->code)->name;

        if (!file)
                return NULL;
        if (d->at.line == 0)
                return str_printf("%s: %s[%s]: %s", file, level, code, d->brief);
        return str_printf("%s:%u:%u: %s[%s]: %s", file, d->at.line, d->at.column, level, code,
                          d->brief);
}

/* Takes value; false: out of memory, the list is as it was. */
static bool append(json_t *list, json_t *value) {
        return value && json_array_append_new(list, value) == 0;
}

static json_t *briefs(const struct diags *d, enum diag_level level) {
        json_t *list = json_array();

        if (!list)
                return NULL;

        list_for_each(l, &d->list) {
                const struct diag *p = container_of(l, struct diag, link);
                _cleanup_(str_freep) char *line = NULL;

                if (p->level != level)
                        continue;
                line = report_brief(p);
                if (!line || !append(list, json_string(line))) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

json_t *report_errors(const struct diags *d) {
        return briefs(d, DIAG_ERROR);
}

json_t *report_warnings(const struct diags *d) {
        return briefs(d, DIAG_WARNING);
}

static json_t *describe(const struct diag *p) {
        _cleanup_(str_freep) char *file = str_clean(p->at.file ? p->at.file : "");

        if (!file)
                return NULL;
        return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:s}", "severity",
                         level_text(p->level), "code", diag_info(p->code)->name, "file", file,
                         "line", (int)p->at.line, "column", (int)p->at.column, "end_column",
                         (int)p->at.end_column, "message", p->message, "hint", p->do_this_now,
                         "path", p->path);
}

json_t *report_diagnostics(const struct diags *d) {
        json_t *list = json_array();

        if (!list)
                return NULL;

        list_for_each(l, &d->list) {
                if (!append(list, describe(container_of(l, struct diag, link)))) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}
