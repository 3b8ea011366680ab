/* SPDX-License-Identifier: MIT */

#include "config/syntax.h"

#include <stdlib.h>
#include <string.h>

#include "core/str.h"

/*
 * What libyaml complains about, and what people should be told instead. The first row whose words
 * are in libyaml's wins. `at` is where the cause lies: libyaml's "context" is where the broken
 * thing began, its "problem" where it noticed.
 */
enum cause_place { AT_PROBLEM, AT_CONTEXT };

static const struct cause {
        const char *context, *problem; /* NULL: any */
        enum diag_code code;
        enum cause_place at;
        const char *message, *label, *do_this_now;
} causes[] = {
        { "quoted scalar", "unexpected end of stream", DIAG_E008, AT_CONTEXT,
          "a quote is not closed", "opened here", "close the quote at the end of its value" },
        { "quoted scalar", "unexpected document indicator", DIAG_E008, AT_CONTEXT,
          "a quote is not closed", "opened here", "close the quote at the end of its value" },
        { "quoted scalar", NULL, DIAG_E006, AT_PROBLEM,
          "an escape that does not exist in a text in double quotes", "after '\\'",
          "use single quotes, in which '\\' is an ordinary character" },
        { NULL, "tab character", DIAG_E007, AT_PROBLEM, "a tab in the indentation", "a tab",
          "indent with spaces" },
        { "simple key", "expected ':'", DIAG_E006, AT_CONTEXT, "a key without ':'",
          "no ':' behind this", "write 'key: value', with a space after the colon" },
        { NULL, "mapping values are not allowed", DIAG_E006, AT_PROBLEM,
          "a ':' where none may stand", "unexpected ':'",
          "put keys of one section in one column; put a value that has ': ' inside in quotes" },
        { "block mapping", "expected key", DIAG_E006, AT_PROBLEM,
          "wrong indentation or a broken line", "not a key of the section above",
          "put keys of one section in one column, and check the line before for quotes" },
        { NULL, "expected '-' indicator", DIAG_E006, AT_PROBLEM, "an item of a list lacks its '- '",
          "no '- ' here", "start each item of the list with '- ', all in one column" },
        { "flow", NULL, DIAG_E009, AT_CONTEXT, "a bracket is not closed, or a comma is missing",
          "opened here", "close the bracket; part the entries inside by commas" },
        { NULL, "block sequence entries are not allowed", DIAG_E006, AT_PROBLEM,
          "an item of a list where none may stand", "unexpected '-'",
          "start the list on a line of its own, and put a value that starts with '- ' in quotes" },
        { "anchor", NULL, DIAG_E011, AT_CONTEXT, "a text that starts with '&' needs quotes",
          "an anchor in YAML", "put the value in quotes" },
        { "alias", NULL, DIAG_E011, AT_CONTEXT, "a text that starts with '*' needs quotes",
          "an alias in YAML", "put the value in quotes" },
        { NULL, "tag", DIAG_E018, AT_PROBLEM, "a text that starts with '!' needs quotes",
          "a tag in YAML", "put the value in quotes" },
        { "tag", NULL, DIAG_E018, AT_CONTEXT, "a text that starts with '!' needs quotes",
          "a tag in YAML", "put the value in quotes" },
        { "directive", NULL, DIAG_E006, AT_PROBLEM,
          "a line that starts with '%' is a YAML directive", "not understood", "remove the line" },
        { "block scalar", NULL, DIAG_E041, AT_PROBLEM, "a value over several lines",
          "bal's values stand in one line", "write the value behind its key, in quotes" },
        { NULL, "cannot start any token", DIAG_E006, AT_PROBLEM,
          "a character that cannot start a value", "cannot start a value",
          "put the value in quotes" },
        { NULL, "expected <document start>", DIAG_E006, AT_PROBLEM,
          "text behind the end of the configuration", "not expected here",
          "put keys of one section in one column" },
        { NULL, "expected node content", DIAG_E006, AT_PROBLEM, "a value is missing here",
          "a value is wanted", "write a value, or remove the bracket or comma" },
        { NULL, "incompatible YAML document", DIAG_E006, AT_PROBLEM,
          "another version of YAML than 1.1 or 1.2", "not understood", "remove the line" },
        { NULL, "%YAML directive", DIAG_E006, AT_PROBLEM, "the version of YAML is given twice",
          "given again", "remove the line" },
        { NULL, NULL, DIAG_E006, AT_PROBLEM, "this is not YAML", NULL,
          "check this line and the one before it for quotes, colons and indentation" },
};

static const struct cause *cause_find(const yaml_parser_t *y) {
        const char *context = y->context ? y->context : "", *problem = y->problem ? y->problem : "";
        const struct cause *c = causes;

        while ((c->context && !strstr(context, c->context)) ||
               (c->problem && !strstr(problem, c->problem)))
                c++;
        return c;
}

/* A mark may lie behind the last line: then the end of the last line with text is meant. */
static struct place mark_place(const struct context *ctx, yaml_mark_t mark) {
        struct place p = { .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1 };
        size_t n;

        text_line(ctx->text, p.line, &n);
        while (n == 0 && p.line > 1) {
                const char *line = text_line(ctx->text, --p.line, &n);

                p.column = 1;
                for (size_t i = 0; i < n; i++)
                        p.column += ((unsigned char)line[i] & 0xc0) != 0x80;
        }
        return p;
}

static bool is_tab_at(const struct context *ctx, struct place p) {
        size_t n, i;
        const char *line = text_line(ctx->text, p.line, &n);

        i = text_offset(line, n, p.column);
        return i < n && line[i] == '\t';
}

static void report_cause(const struct context *ctx,
                         const struct cause *c,
                         struct place at,
                         struct place other) {
        struct diag p = problem_at(ctx, c->code, at.line, at.column);

        p.message = strdup(c->message);
        p.label = c->label ? strdup(c->label) : NULL;
        p.do_this_now = strdup(c->do_this_now);
        if (other.line > 0) {
                struct node n = { .line = other.line, .column = other.column };

                problem_other(ctx, &p, &n, c->at == AT_CONTEXT ? "noticed here" : "it starts here");
        }
        if (c->at == AT_PROBLEM)
                problem_before(ctx, &p);
        problem_add(ctx, &p);
}

static void report_run_on(const struct context *ctx, struct node *n) {
        struct diag p = problem_at(ctx, DIAG_E008, n->line, n->column);
        struct node end = { .line = n->end_line,
                            .column = n->end_column > 1 ? n->end_column - 1 : 1 };

        p.message = str_printf("a quote is not closed: the text runs on to line %u", n->end_line);
        p.brief = strdup("a quote is not closed");
        p.label = strdup("opened here");
        p.do_this_now = str_printf("close the quote in line %u", n->line);
        problem_other(ctx, &p, &end, "closed here");
        problem_add(ctx, &p);
        n->reported = true;
}

/*
 * libyaml joins a line without a key to the next one and then stumbles over the colon of that. The
 * line to blame is the one before: it has no ':', or no space behind it. Returns which, or NULL.
 */
static const struct cause *cause_before(const struct context *ctx, struct place *at) {
        static const struct cause no_colon = { NULL,
                                               NULL,
                                               DIAG_E006,
                                               AT_PROBLEM,
                                               "a key without ':'",
                                               "no ':' behind this",
                                               "write 'key: value', with a space after the colon" };
        static const struct cause no_space = { NULL,
                                               NULL,
                                               DIAG_E006,
                                               AT_PROBLEM,
                                               "a ':' without a space behind it",
                                               "no space after ':'",
                                               "write 'key: value', with a space after the colon" };
        const char *line;
        size_t n = 0, start = 0;

        if (at->line < 2)
                return NULL;
        line = text_line(ctx->text, at->line - 1, &n);
        while (start < n && (line[start] == ' ' || line[start] == '-'))
                start++;
        if (start == n || line[start] == '#' || line[n - 1] == ':' || memmem(line, n, ": ", 2) ||
            memmem(line, n, ":\t", 2))
                return NULL;

        at->line--;
        at->column = (unsigned)start + 1; /* only ASCII stands before it */
        return memchr(line, ':', n) ? &no_space : &no_colon;
}

static const struct cause *cause_refine(const struct context *ctx,
                                        const struct cause *c,
                                        struct place *at) {
        static const struct cause tab = { NULL,
                                          NULL,
                                          DIAG_E007,
                                          AT_PROBLEM,
                                          "a tab in the indentation",
                                          "a tab",
                                          "indent with spaces" };
        const struct cause *before = NULL;

        if (c->at == AT_PROBLEM && is_tab_at(ctx, *at))
                return &tab;
        if (c->problem && strncmp(c->problem, "mapping values", strlen("mapping values")) == 0)
                before = cause_before(ctx, at);
        return before ? before : c;
}

void syntax_report(const struct context *ctx,
                   const yaml_parser_t *parser,
                   struct node *last,
                   struct node *run_on) {
        const struct cause *c = cause_find(parser), *refined;
        struct place at = mark_place(ctx, parser->problem_mark), start = { 0 };

        /* From a quote that was left open everything behind it is inside out. */
        if (run_on) {
                report_run_on(ctx, run_on);
                return;
        }

        /* What was read just before is torn off most likely; say nothing about its value. */
        if (last && last->end_line == at.line)
                last->reported = true;

        refined = cause_refine(ctx, c, &at);
        if (parser->context && refined == c)
                start = mark_place(ctx, parser->context_mark);
        if (refined->at == AT_PROBLEM)
                report_cause(ctx, refined, at, start.line < at.line ? start : (struct place){ 0 });
        else
                report_cause(ctx, c, start, start.line < at.line ? at : (struct place){ 0 });
}
