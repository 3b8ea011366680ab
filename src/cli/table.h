/* SPDX-License-Identifier: MIT */
/* cli/table.h - rows of text whose columns line up in terminal cells, in whatever script. */
#pragma once

#include "cli/out.h"

#define TABLE_COLUMNS_MAX   13
#define TABLE_WRAPPED_CELLS 20 /* a last column that has no room for so many does not wrap */
#define TABLE_NOTE_CELLS    32 /* nothing shrinks for more of it than that */
#define TABLE_SHRUNK_CELLS  22 /* a column that shrinks keeps so many: any IPv4 address and port */

struct table_cell {
        char *text; /* clean; owned */
        enum colour colour;
};

struct table {
        size_t columns;    /* <= TABLE_COLUMNS_MAX */
        size_t cells_max;  /* wider cells lose their middle; if any column shrinks, there only */
        uint32_t right;    /* bit n: column n is aligned to the right */
        uint32_t shrinks;  /* bit n: column n loses its middle where the terminal is narrow */
        uint32_t optional; /* bit n: column n is left out when nothing stands below its head */
        uint32_t spare; /* bit n: column n is left out where nothing else helps; the first first */
        bool wraps;     /* the last column, under itself, where the terminal is narrow */
        const char *indent; /* in front of every row */
        struct table_cell *cells;
        size_t n, size;
        int error; /* -ENOMEM: rows are missing */
};

void table_done(struct table *t);
void table_add(struct table *t, enum colour colour, const char *fmt, ...)
        PRINTF(3, 4); /* next cell */
void table_print(struct out *o, const struct table *t);
