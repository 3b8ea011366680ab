/* SPDX-License-Identifier: MIT */

#include "config/problem.h"

#include <stdlib.h>
#include <string.h>

#include "core/str.h"

static char *join(const struct scope *s, const char *up) {
        const char *dot = *up ? "." : "";

        if (s->key)
                return str_printf("%s%s%s", up, dot, s->key);
        if (s->name)
                return str_printf("%s%s%s", up, dot, s->name);
        return str_printf("%s[%u]", up, s->index);
}

char *scope_text(const struct scope *s) {
        _cleanup_(str_freep) char *up = NULL, *text = NULL;

        if (!s || (!s->up && !s->key))
                return strdup("");

        up = scope_text(s->up);
        if (up && !s->key && !s->name && s->index == SCOPE_KEY)
                return take_ptr(up);
        text = up ? join(s, up) : NULL;
        return text ? str_clean(text) : NULL;
}

struct diag problem_at(const struct context *ctx,
                       enum diag_code code,
                       unsigned line,
                       unsigned column) {
        struct diag p = {
                .level = diag_info(code)->name[0] == 'W' ? DIAG_WARNING : DIAG_ERROR,
                .code = code,
                .at = { .file = ctx->text->file, .line = line, .column = column },
        };

        p.source[2] = text_source(ctx->text, line, column);
        return p;
}

struct diag problem(const struct context *ctx,
                    enum diag_code code,
                    const struct scope *scope,
                    const struct node *at) {
        struct diag p = problem_at(ctx, code, at->line, at->column);

        if (at->end_line == at->line && at->end_column > at->column)
                p.at.end_column = at->end_column;
        p.path = scope_text(scope);
        return p;
}

void problem_other(const struct context *ctx,
                   struct diag *p,
                   const struct node *at,
                   const char *label) {
        p->other =
                (struct place){ .file = ctx->text->file, .line = at->line, .column = at->column };
        if (at->end_line == at->line && at->end_column > at->column)
                p->other.end_column = at->end_column;
        p->other_label = strdup(label);
        if (at->line != p->at.line)
                p->other_source = text_source(ctx->text, at->line, at->column);
}

void problem_before(const struct context *ctx, struct diag *p) {
        if (p->at.line > 1 && !p->source[1])
                p->source[1] = text_source(ctx->text, p->at.line - 1, 1);
        if (p->at.line > 2 && !p->source[0])
                p->source[0] = text_source(ctx->text, p->at.line - 2, 1);
}

void problem_add(const struct context *ctx, struct diag *p) {
        diags_add(ctx->diags, p);
        diag_free_texts(p);
        *p = (struct diag){ 0 };
}

bool problems_enough(const struct context *ctx) {
        return ctx->diags->n_errors + ctx->diags->n_warnings >= PROBLEMS_MAX;
}

char *quoted(const char *s) {
        _cleanup_(str_freep) char *short_s = NULL, *head = strndup(s, 512);

        if (!head)
                return NULL;
        short_s = str_squeeze(head, 48);
        return short_s ? str_printf("'%s'", short_s) : NULL;
}

char *words_joined(const char *before, const char *const *words) {
        char *text = strdup("");

        for (size_t i = 0; text && words[i]; i++) {
                char *longer = str_printf("%s%s%s%s", text, i > 0 ? " " : "", before, words[i]);

                free(text);
                text = longer;
        }
        return text;
}
