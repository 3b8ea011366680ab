/* SPDX-License-Identifier: MIT */
/* tui/layout.h - how a terminal of any size is shared out. Pure: sizes go in, places come out. */
#pragma once

#include "core/base.h"

#define LAYOUT_COLUMNS_MAX 24
#define LAYOUT_LEAST_WIDTH 20 /* smaller than this: one line of text */
#define LAYOUT_LEAST_ROWS  5
#define LAYOUT_NARROW      50 /* below: the short form of everything */
#define LAYOUT_WIDE        100

/* Rows; a height of 0 is a part that is not there. */
struct layout {
        bool line;          /* too small: one line of text is all */
        bool narrow, wide;  /* neither: as on 80 columns */
        size_t head_rows;   /* from row 0 on: 5, 4, 2, 1 */
        size_t table_head;  /* its row */
        size_t first, rows; /* of the table */
        size_t separator, n_separator;
        size_t detail, n_detail;
        size_t event, n_event;
        size_t status, n_status;
        size_t bar;
};

struct layout layout_rows(size_t columns, size_t rows);

/* One column of a table. Those with a rank leave when the terminal is too narrow, 1 first. */
struct column {
        uint8_t id;
        const char *head;
        size_t width, least; /* least > 0: it shrinks to that before it leaves */
        size_t most;         /* > 0: it takes what room is left, up to that */
        uint8_t rank;        /* 0: it stays as long as it fits at all */
        bool right;
};

struct place {
        uint8_t id;
        size_t column, width;
        const char *head;
        bool right;
};

struct table_layout {
        struct place places[LAYOUT_COLUMNS_MAX];
        size_t n;
        size_t dropped;  /* so many columns have no room */
        size_t scrolled; /* of wanted, as far as it makes sense */
};

/* Which columns stand where, from column start on. scroll: so many of those that may leave are left
 * out on the left, so that dropped ones come in on the right. */
struct table_layout layout_columns(const struct column *columns,
                                   size_t n,
                                   size_t start,
                                   size_t width,
                                   size_t scroll);

/* The first row to show so that selected is visible, when it was top before. */
size_t layout_top(size_t top, size_t selected, size_t n, size_t rows);
