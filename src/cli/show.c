/* SPDX-License-Identifier: MIT */
/*
 * Columns come as code points and go out as terminal cells: a Hangul syllable in front of the caret
 * moves it by two. A tab in front of it stays a tab in the line with the caret, so that both lines
 * are shifted alike whatever the terminal's tab stops are. Of a very long line only the part around
 * the caret is shown.
 */
#include "cli/show.h"

#include <stdio.h>
#include <string.h>

#include "config/report.h"
#include "core/str.h"

#define EXCERPT_BYTES  160 /* of one source line */
#define EXCERPT_BEFORE 60  /* of them in front of the caret, once a line is cut there */

struct excerpt {
        const char *line;
        size_t from, to; /* bytes of line */
        size_t n;        /* of the whole line */
};

static bool starts_character(const char *s) {
        return ((unsigned char)*s & 0xc0) != 0x80;
}

/* The byte at which a column begins; the end of the line for one beyond it. */
static size_t column_offset(const char *line, unsigned column) {
        size_t i = 0;

        while (column > 1 && line[i]) {
                i++;
                while (line[i] && !starts_character(line + i))
                        i++;
                column--;
        }
        return i;
}

static struct excerpt excerpt_of(const char *line, size_t caret) {
        struct excerpt e = { .line = line, .n = strlen(line) };

        e.to = e.n;
        if (e.n <= EXCERPT_BYTES)
                return e;
        if (caret > EXCERPT_BYTES - EXCERPT_BEFORE)
                e.from = caret - EXCERPT_BEFORE;
        while (e.from < e.n && !starts_character(line + e.from))
                e.from++;
        if (e.n - e.from > EXCERPT_BYTES)
                e.to = e.from + EXCERPT_BYTES;
        while (e.to > e.from && e.to < e.n && !starts_character(line + e.to))
                e.to--;
        return e;
}

/* Calls for every stretch without a tab, and for every tab as a stretch of its own. */
static size_t stretch(const char *s, size_t n) {
        const char *tab = memchr(s, '\t', n);

        return !tab ? n : tab == s ? 1 : (size_t)(tab - s);
}

static void print_excerpt(struct out *o, const struct excerpt *e) {
        if (e->from > 0)
                out_printf(o, "~");
        for (size_t i = e->from, n; i < e->to; i += n) {
                _cleanup_(str_freep) char *piece = NULL;

                n = stretch(e->line + i, e->to - i);
                if (e->line[i] == '\t') {
                        out_printf(o, "\t");
                        continue;
                }
                piece = str_printf("%.*s", (int)n, e->line + i);
                out_clean(o, piece);
        }
        out_printf(o, "%s\n", e->to < e->n ? "~" : "");
}

/* What stands below the line, up to the caret. */
static void print_padding(struct out *o, const struct excerpt *e, size_t caret) {
        if (e->from > 0)
                out_printf(o, " ");
        for (size_t i = e->from, n; i < caret; i += n) {
                n = stretch(e->line + i, caret - i);
                if (e->line[i] == '\t')
                        out_printf(o, "\t");
                else
                        out_spaces(o, str_cells(e->line + i, n));
        }
}

struct shown { /* one problem on its way to the stream */
        struct out *o;
        const struct diag *d;
        int gutter; /* columns of the line numbers */
};

static void print_bar(const struct shown *s, const char *end) {
        out_spaces(s->o, (size_t)s->gutter + 1);
        out_paint(s->o, BLUE, "|");
        out_printf(s->o, "%s", end);
}

static enum colour level_colour(enum diag_level level) {
        return level == DIAG_ERROR ? RED : YELLOW;
}

static void print_source(const struct shown *s, unsigned line, const struct excerpt *e) {
        char number[16];

        snprintf(number, sizeof(number), "%*u", s->gutter, line);
        out_paint(s->o, BLUE, number);
        out_printf(s->o, " ");
        out_paint(s->o, BLUE, "|");
        out_printf(s->o, "%s", e->to > e->from ? " " : "");
        print_excerpt(s->o, e);
}

static void print_marks(const struct shown *s,
                        const struct excerpt *e,
                        const struct place *at,
                        const char *label,
                        char mark) {
        size_t caret = column_offset(e->line, at->column),
               end = column_offset(e->line, at->end_column);
        enum colour colour = mark == '^' ? level_colour(s->d->level) : BLUE;
        char marks[4 * EXCERPT_BYTES];
        size_t n = 1;

        if (at->end_column > at->column) {
                if (end > e->to)
                        end = e->to;
                n = end > caret ? str_cells(e->line + caret, end - caret) : 1;
        }
        if (n == 0)
                n = 1;
        if (n >= sizeof(marks))
                n = sizeof(marks) - 1;
        memset(marks, mark, n);
        marks[n] = '\0';

        print_bar(s, " ");
        print_padding(s->o, e, caret);
        out_paint(s->o, colour, marks);
        if (label && *label) {
                out_printf(s->o, " ");
                out_paint(s->o, colour, label);
        }
        out_printf(s->o, "\n");
}

/* The other place, when its line is not among those shown anyway. */
static void print_other(const struct shown *s) {
        const struct diag *d = s->d;
        struct excerpt e =
                excerpt_of(d->other_source, column_offset(d->other_source, d->other.column));

        print_source(s, d->other.line, &e);
        print_marks(s, &e, &d->other, d->other_label, '-');
}

static void print_lines(const struct shown *s) {
        const struct diag *d = s->d;
        const size_t last = ELEMENTS(d->source) - 1;

        for (size_t i = 0; i <= last; i++) {
                unsigned line = d->at.line - (unsigned)(last - i);
                bool here = i == last, there = d->other.line == line && !d->other_source;
                struct excerpt e;

                if (!d->source[i])
                        continue;
                e = excerpt_of(d->source[i], here    ? column_offset(d->source[i], d->at.column)
                                             : there ? column_offset(d->source[i], d->other.column)
                                                     : 0);
                print_source(s, line, &e);
                if (there && column_offset(e.line, d->other.column) >= e.from)
                        print_marks(s, &e, &d->other, d->other_label, '-');
                if (here)
                        print_marks(s, &e, &d->at, d->label, '^');
        }
}

static void print_place(const struct shown *s) {
        const struct diag *d = s->d;
        bool apart = d->other_source && d->other.line > 0, before = d->other.line < d->at.line;

        out_spaces(s->o, (size_t)s->gutter);
        out_paint(s->o, BLUE, "-->");
        out_printf(s->o, " ");
        out_clean(s->o, d->at.file);
        if (d->at.line == 0) {
                out_printf(s->o, "\n");
                return;
        }
        out_printf(s->o, ":%u:%u\n", d->at.line, d->at.column ? d->at.column : 1);
        if (!d->source[ELEMENTS(d->source) - 1])
                return;

        print_bar(s, "\n");
        if (apart && before) {
                print_other(s);
                out_printf(s->o, "...\n");
        }
        print_lines(s);
        if (apart && !before) {
                out_printf(s->o, "...\n");
                print_other(s);
        }
        print_bar(s, "\n");
}

static void show_diag(const struct shown *s) {
        const struct diag *d = s->d;
        char indent[32], head[32];

        snprintf(head, sizeof(head), "%s[%s]", d->level == DIAG_ERROR ? "error" : "warning",
                 diag_info(d->code)->name);
        out_paint(s->o, level_colour(d->level), head);
        out_printf(s->o, ": ");
        out_paint(s->o, BOLD, d->message);
        out_printf(s->o, "\n");
        print_place(s);

        snprintf(indent, sizeof(indent), "%*s= ", s->gutter + 1, "");
        out_part(s->o, indent, "what_happened", d->what_happened);
        out_part(s->o, indent, "why_likely", d->why_likely);
        out_part(s->o, indent, "do_this_now", *d->do_this_now ? d->do_this_now : NULL);
}

static int gutter_of(const struct diags *d) {
        unsigned line = 10; /* two columns at least, so that short reports look alike */

        list_for_each(l, &d->list) {
                const struct diag *p = container_of(l, struct diag, link);

                line = p->at.line > line ? p->at.line : line;
                line = p->other.line > line ? p->other.line : line;
        }
        return snprintf(NULL, 0, "%u", line);
}

static unsigned show_level(struct out *o,
                           const struct diags *d,
                           enum diag_level level,
                           bool brief) {
        struct shown s = { .o = o, .gutter = gutter_of(d) };
        unsigned n = 0;

        list_for_each(l, &d->list) {
                _cleanup_(str_freep) char *line = NULL;

                s.d = container_of(l, struct diag, link);
                if (s.d->level != level)
                        continue;
                n++;
                if (!brief) {
                        show_diag(&s);
                        continue;
                }
                line = report_brief(s.d);
                if (!line && o->error == 0)
                        o->error = -ENOMEM;
                out_clean(o, line);
                out_printf(o, "\n");
        }
        return n;
}

static void show_all(struct out *o, const struct diags *d, bool brief) {
        unsigned errors = show_level(o, d, DIAG_ERROR, brief), warnings;

        if (d->n_errors > errors)
                out_printf(o, "... and %u more errors\n", d->n_errors - errors);
        warnings = show_level(o, d, DIAG_WARNING, brief);
        if (d->n_warnings > warnings)
                out_printf(o, "... and %u more warnings\n", d->n_warnings - warnings);
}

void show_diags(struct out *o, const struct diags *d) {
        show_all(o, d, false);
}

void show_diags_brief(struct out *o, const struct diags *d) {
        show_all(o, d, true);
}

void show_counts(struct out *o, const struct diags *d) {
        if (d->n_errors > 0)
                out_printf(o, "%u error%s, ", d->n_errors, d->n_errors == 1 ? "" : "s");
        out_printf(o, "%u warning%s", d->n_warnings, d->n_warnings == 1 ? "" : "s");
}

const struct diag *show_first(const struct diags *d) {
        const struct diag *first = NULL;

        list_for_each(l, &d->list) {
                const struct diag *p = container_of(l, struct diag, link);

                if (p->level == DIAG_ERROR)
                        return p;
                first = first ? first : p;
        }
        return first;
}
