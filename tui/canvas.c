/* SPDX-License-Identifier: MIT */

#include "canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

static const struct cell blank = { .glyph = " " };

int canvas_resize(struct canvas *c, size_t columns, size_t rows) {
        struct cell *cells;

        columns = columns > CANVAS_COLUMNS_MAX ? CANVAS_COLUMNS_MAX : columns > 0 ? columns : 1;
        rows = rows > CANVAS_ROWS_MAX ? CANVAS_ROWS_MAX : rows > 0 ? rows : 1;
        if (!c->cells || columns != c->columns || rows != c->rows) {
                cells = reallocarray(c->cells, columns * rows, sizeof(*cells));
                if (!cells)
                        return -ENOMEM;
                c->cells = cells;
                c->columns = columns;
                c->rows = rows;
        }
        canvas_clear(c);
        return 0;
}

void canvas_done(struct canvas *c) {
        free(c->cells);
        c->cells = NULL;
        c->columns = c->rows = 0;
}

void canvas_clear(struct canvas *c) {
        for (size_t i = 0; i < c->columns * c->rows; i++)
                c->cells[i] = blank;
        c->cursor_column = c->cursor_row = 0;
        c->dim = c->reverse = false;
}

/* Half of a wide letter is nothing: who paints over one half blanks the other. */
static void unpair(struct canvas *c, size_t row, size_t column) {
        struct cell *at = canvas_at(c, row, column);

        if (*at->glyph == '\0' && column > 0)
                strcpy(canvas_at(c, row, column - 1)->glyph, " ");
        if (column + 1 < c->columns && *at->glyph && *canvas_at(c, row, column + 1)->glyph == '\0')
                strcpy(canvas_at(c, row, column + 1)->glyph, " ");
}

static void paint(struct canvas *c,
                  size_t row,
                  size_t column,
                  enum style style,
                  const char *glyph) {
        struct cell *at = canvas_at(c, row, column);

        unpair(c, row, column);
        *at = (struct cell){ .style = (uint8_t)style, .dim = c->dim, .reverse = c->reverse };
        strcpy(at->glyph, glyph);
}

/* Bytes of the next letter with its accents, and how wide it is: 0 only where it is all accents. */
static size_t next_glyph(const char *text, size_t n, size_t *ret_cells) {
        size_t size = str_fit(text, n, 1);

        if (size == 0)
                size = str_fit(text, n, 2);
        *ret_cells = str_cells(text, size);
        return size > 0 ? size : n;
}

/* ASCII, with no accent behind it. */
static bool is_plain(const char *p) {
        return (unsigned char)p[0] < 0x80 && (unsigned char)p[1] < 0x80;
}

static void copy_glyph(char to[static GLYPH_BYTES], const char *from, size_t n) {
        while (n >= GLYPH_BYTES)
                for (n--; n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80;)
                        n--;
        memcpy(to, from, n);
        to[n] = '\0';
}

static void put_glyph(struct canvas *c,
                      size_t row,
                      size_t column,
                      enum style style,
                      const char glyph[static GLYPH_BYTES]) {
        size_t cells = str_cells(glyph, strlen(glyph));
        bool foreign = !c->utf8 && (unsigned char)*glyph >= 0x80;

        paint(c, row, column, style, foreign ? "?" : glyph);
        if (cells > 1)
                paint(c, row, column + 1, style, foreign ? "?" : " ");
        if (cells > 1 && !foreign)
                *canvas_at(c, row, column + 1)->glyph = '\0';
}

size_t canvas_put(struct canvas *c,
                  size_t row,
                  size_t column,
                  size_t room,
                  enum style style,
                  const char *text) {
        _cleanup_(str_freep) char *clean = str_clean(text);
        size_t end, n, cells;

        if (!clean || row >= c->rows || column >= c->columns)
                return column;
        end = room < c->columns - column ? column + room : c->columns;
        for (const char *p = clean; *p; p += n) {
                char glyph[GLYPH_BYTES] = { *p };

                if (is_plain(p)) { /* nearly all of them; the long way costs much more */
                        n = 1;
                        if (column == end)
                                break;
                        paint(c, row, column++, style, glyph);
                        continue;
                }
                n = next_glyph(p, strlen(p), &cells);
                if (column + cells > end)
                        break;
                if (cells == 0)
                        continue;
                copy_glyph(glyph, p, n);
                put_glyph(c, row, column, style, glyph);
                column += cells;
        }
        return column;
}

size_t canvas_printf(struct canvas *c,
                     size_t row,
                     size_t column,
                     enum style style,
                     const char *fmt,
                     ...) {
        _cleanup_(str_freep) char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return column;
        }
        return canvas_put(c, row, column, SIZE_MAX, style, text);
}

void canvas_fill(struct canvas *c, size_t row, size_t column, enum style style) {
        for (; row < c->rows && column < c->columns; column++)
                paint(c, row, column, style, " ");
}

char *canvas_text(const struct canvas *c, size_t row) {
        char *text = malloc(c->columns * GLYPH_BYTES + 1);
        size_t n = 0;

        if (!text)
                return NULL;
        for (size_t i = 0; row < c->rows && i < c->columns; i++) {
                const char *glyph = canvas_at(c, row, i)->glyph;

                memcpy(text + n, glyph, strlen(glyph));
                n += strlen(glyph);
        }
        while (n > 0 && text[n - 1] == ' ')
                n--;
        text[n] = '\0';
        return text;
}
