/* SPDX-License-Identifier: MIT */
/* tui/paint.h - the model, as the user wants to see it, on a canvas. Pure. */
#pragma once

#include "canvas.h"
#include "layout.h"
#include "ui.h"

/* The whole screen. What only the layout knows goes back into ui: rows shown, columns scrolled. */
void paint(struct canvas *c, struct ui *ui, const struct model *m);

/* All rows of the page below the header, and nothing else: for a file or a pipe. */
int paint_batch(struct canvas *c, struct ui *ui, const struct model *m, size_t columns);

/* Its parts. */
void paint_head(struct canvas *c, const struct ui *ui, const struct model *m, size_t rows);
void paint_line(struct canvas *c, const struct ui *ui, const struct model *m);
void paint_table(struct canvas *c, struct ui *ui, const struct model *m, const struct layout *l);
void paint_few(struct canvas *c, const struct ui *ui, const struct model *m, size_t row, size_t n);
void paint_detail(struct canvas *c, const struct ui *ui, const struct model *m);
/* A strip of history, the newest cell at its right end. */
void paint_strip(struct canvas *c,
                 size_t row,
                 size_t column,
                 size_t width,
                 const struct strip *strip,
                 int64_t most,
                 enum chars chars);

/* Where the table's head was clicked: what to sort by; SORTS_COUNT: nothing. */
enum sort paint_sort_at(const struct ui *ui, const struct model *m, size_t columns, size_t column);

/* What is wrong with a backend, why that is likely, and what to do. */
#define ADVICE_MAX 320
struct advice {
        char what[ADVICE_MAX], why[ADVICE_MAX], now[ADVICE_MAX];
        char brief[ADVICE_MAX]; /* all in one line, for 80 columns */
};
void advise(struct advice *a, const struct backend *b);

enum style style_of(enum state s);
