/* SPDX-License-Identifier: MIT */
/*
 * tui/canvas.h - a picture of the screen in memory, cell by cell. Everything that bal-top shows is
 * painted here first, so that it can be tested without a terminal, and printed without one.
 *
 * Nothing can be painted outside of it. Text is UTF-8; where the terminal cannot show it, each cell
 * of a foreign letter is a '?'.
 */
#pragma once

#include "core/base.h"

#define CANVAS_COLUMNS_MAX 1000
#define CANVAS_ROWS_MAX    65535
#define GLYPH_BYTES        12 /* a letter and its accents; accents that do not fit are left out */

/* clang-format off */
/* X(enum): what a piece of text is; the view knows how it looks, in colour and without. */
#define STYLES(X)                                                                                  \
        X(PLAIN) X(TITLE) X(HEAD) X(STRONG) X(FAINT) X(ALARM)                                      \
        X(DOWN) X(COOL) X(DRAIN) X(MAINT) X(BAR) X(PROMPT)

enum style {
#define X(id) STYLE_##id,
        STYLES(X)
#undef X
        STYLES_COUNT
};
/* clang-format on */

struct cell {
        char glyph[GLYPH_BYTES]; /* ended by NUL; "": the right half of a wide one */
        uint8_t style;           /* enum style */
        bool reverse;            /* the selected row */
        bool dim;                /* data that may be out of date */
};

struct canvas {
        size_t columns, rows;
        bool utf8;          /* false: ASCII only */
        bool dim;           /* what is painted now is out of date */
        bool reverse;       /* what is painted now is selected */
        struct cell *cells; /* owned */
        size_t cursor_column, cursor_row;
};

int canvas_resize(struct canvas *c, size_t columns, size_t rows); /* and blank; -ENOMEM */
void canvas_done(struct canvas *c);
void canvas_clear(struct canvas *c);

/* Paints as much as fits into room cells and into the row; the column behind it. */
size_t canvas_put(struct canvas *c,
                  size_t row,
                  size_t column,
                  size_t room,
                  enum style style,
                  const char *text);
/* As canvas_put() up to the end of the row. */
size_t canvas_printf(struct canvas *c,
                     size_t row,
                     size_t column,
                     enum style style,
                     const char *fmt,
                     ...) PRINTF(5, 6);
/* The whole row, from column on, in a style and blank. */
void canvas_fill(struct canvas *c, size_t row, size_t column, enum style style);
/* One row as text without blanks at its end: new string, NULL: no memory. */
char *canvas_text(const struct canvas *c, size_t row);

static inline struct cell *canvas_at(const struct canvas *c, size_t row, size_t column) {
        return &c->cells[row * c->columns + column];
}
