/* SPDX-License-Identifier: MIT */

#include <string.h>

#include "config/value_report.h"

/* False: reported. */
static bool is_one_line(const struct context *ctx,
                        const struct scope *scope,
                        const struct node *n) {
        if (n->style != NODE_BLOCK && n->end_line == n->line)
                return true;
        value_report_lines(ctx, scope, n);
        return false;
}

static bool wants_plain(const struct field *f, const char *text) {
        return f->type == FIELD_INT || f->type == FIELD_BOOL ||
               (f->type == FIELD_WORKERS && strcmp(text, "auto") != 0);
}

int value_read(struct value *ret,
               const struct context *ctx,
               const struct scope *scope,
               const struct field *f,
               const struct node *key,
               struct node *n) {
        unsigned verdict;

        if (n->reported)
                return -EINVAL;
        n->reported = true; /* for everything that returns early */

        if (n->kind != NODE_SCALAR) {
                value_report_kind(ctx, scope, f, n);
        } else if (!is_one_line(ctx, scope, n)) {
                ;
        } else if (node_is_null(n)) {
                value_report_null(ctx, scope, f, key, n);
        } else if (strlen(n->text) != n->n || has_control(n->text)) {
                value_report_control(ctx, scope, n);
        } else {
                verdict = value_parse(ret, f, n->text);
                if (n->style == NODE_QUOTED && wants_plain(f, n->text))
                        verdict = f->type == FIELD_BOOL ? VERDICT_NOT_BOOL : VERDICT_NOT_NUMBER;
                if (verdict == VERDICT_OK) {
                        n->reported = false;
                        return 0;
                }
                value_report_verdict(ctx, scope, f, n, verdict);
        }
        return -EINVAL;
}
