/* SPDX-License-Identifier: MIT */

#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

void table_done(struct table *t) {
        for (size_t i = 0; i < t->n; i++)
                free(t->cells[i].text);
        free(t->cells);
        t->cells = NULL;
        t->n = t->size = 0;
}

static bool table_grow(struct table *t) {
        size_t size = t->size ? 2 * t->size : 64;
        struct table_cell *cells;

        if (t->n < t->size)
                return true;
        cells = reallocarray(t->cells, size, sizeof(*cells));
        if (!cells)
                return false;
        t->cells = cells;
        t->size = size;
        return true;
}

static bool is_limited(const struct table *t) {
        return t->cells_max > 0 && (t->shrinks == 0 || t->shrinks & (1U << t->n % t->columns));
}

void table_add(struct table *t, enum colour colour, const char *fmt, ...) {
        _cleanup_(str_freep) char *text = NULL;
        char *clean = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n < 0)
                text = NULL;
        else
                clean = is_limited(t) ? str_squeeze(text, t->cells_max) : str_clean(text);
        if (!clean || !table_grow(t)) {
                free(clean);
                t->error = -ENOMEM;
                return;
        }
        t->cells[t->n++] = (struct table_cell){ .text = clean, .colour = colour };
}

static const struct table_cell *cell_at(const struct table *t, size_t row, size_t column) {
        return &t->cells[row * t->columns + column];
}

static size_t cells_of(const struct table_cell *cell) {
        return str_cells(cell->text, strlen(cell->text));
}

/* Bytes of the next line: what fits, up to behind a comma or a semicolon, else a blank. */
static size_t piece_size(const char *text, size_t room) {
        size_t n = strlen(text), fits = str_fit(text, n, room), blank = 0;

        if (fits == n)
                return n;
        for (size_t i = fits; i > 0; i--) { /* one that does not fit any more may be left out */
                if (text[i] != ' ')
                        continue;
                if (text[i - 1] == ',' || text[i - 1] == ';')
                        return i;
                blank = blank ? blank : i;
        }
        return blank ? blank : fits ? fits : n;
}

static void print_wrapped(struct out *o, const struct table_cell *cell, size_t start, size_t room) {
        for (const char *rest = cell->text; *rest;) {
                size_t n = piece_size(rest, room);
                _cleanup_(str_freep) char *piece = str_printf("%.*s", (int)n, rest);

                if (rest != cell->text) {
                        out_printf(o, "\n");
                        out_spaces(o, start);
                }
                out_paint(o, cell->colour, piece ? piece : "");
                rest += n;
                rest += *rest == ' ';
        }
}

/* Blanks are owed until something stands behind them, so that no row ends with any. */
static void table_row(struct out *o, const struct table *t, size_t row, const size_t *widths) {
        size_t owed = 0, start = strlen(t->indent);

        out_printf(o, "%s", t->indent);
        for (size_t c = 0; c < t->columns; c++) {
                const struct table_cell *cell = cell_at(t, row, c);
                size_t cells = cells_of(cell);
                bool right = t->right & (1U << c);
                _cleanup_(str_freep) char *shorter = NULL;

                if (widths[c] == 0)
                        continue;
                if (cells > widths[c]) {
                        shorter = str_squeeze(cell->text, widths[c]);
                        cells = shorter ? str_cells(shorter, strlen(shorter)) : widths[c];
                }
                if (right)
                        owed += widths[c] - cells;
                if (cells > 0) {
                        out_spaces(o, owed);
                        owed = 0;
                        if (t->wraps && c + 1 == t->columns && start + cells > o->columns &&
                            start + TABLE_WRAPPED_CELLS <= o->columns)
                                print_wrapped(o, cell, start, o->columns - start);
                        else
                                out_paint(o, cell->colour, shorter ? shorter : cell->text);
                }
                start += widths[c] + 2;
                owed += 2 + (right ? 0 : widths[c] - cells);
        }
        out_printf(o, "\n");
}

static bool says_nothing(const struct table *t, size_t column) {
        for (size_t row = 1; row < t->n / t->columns; row++) {
                const char *text = cell_at(t, row, column)->text;

                if (*text && strcmp(text, "-") != 0)
                        return false;
        }
        return true;
}

/* Of a row, as far as nothing can make it narrower. */
static size_t table_width(const struct table *t, const size_t *widths) {
        size_t all = strlen(t->indent);

        for (size_t c = 0; c < t->columns; c++)
                all += widths[c] > 0 ? widths[c] + 2 : 0;
        if (t->wraps && widths[t->columns - 1] > TABLE_NOTE_CELLS)
                all -= widths[t->columns - 1] - TABLE_NOTE_CELLS;
        return all > 2 ? all - 2 : 0;
}

/* As far as rows fit into so many columns, or nothing is left to take: the widest column first. */
static void table_shrink(const struct table *t, size_t *widths, size_t room) {
        for (size_t all = table_width(t, widths); all > room; all--) {
                size_t widest = t->columns;

                for (size_t c = 0; c < t->columns; c++) {
                        if (t->shrinks & (1U << c) && widths[c] > TABLE_SHRUNK_CELLS &&
                            (widest == t->columns || widths[c] > widths[widest]))
                                widest = c;
                }
                if (widest == t->columns)
                        return;
                widths[widest]--;
        }
}

static void table_leave_out(const struct table *t, size_t *widths, size_t room) {
        for (size_t c = 0; c < t->columns && table_width(t, widths) > room; c++) {
                if (t->spare & (1U << c))
                        widths[c] = 0;
        }
}

void table_print(struct out *o, const struct table *t) {
        size_t widths[TABLE_COLUMNS_MAX] = { 0 }, rows = t->n / t->columns;

        for (size_t c = 0; c < t->columns; c++) {
                if (t->optional & (1U << c) && says_nothing(t, c))
                        continue;
                for (size_t row = 0; row < rows; row++) {
                        size_t n = cells_of(cell_at(t, row, c));

                        widths[c] = widths[c] < n ? n : widths[c];
                }
        }
        if (o->columns > 0) {
                table_shrink(t, widths, o->columns);
                table_leave_out(t, widths, o->columns);
        }
        for (size_t row = 0; row < rows; row++)
                table_row(o, t, row, widths);
        if (t->error < 0 && o->error == 0)
                o->error = t->error;
}
