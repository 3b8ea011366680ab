/* SPDX-License-Identifier: MIT */
/*
 * control/history.h - the last ten minutes of a backend, or of all, for viewers that come later.
 *
 * Kept in the daemon, so that a viewer has a past at its first picture and two viewers agree. A
 * ring of cells of five seconds each: 1.4 KiB for a backend.
 */
#pragma once

#include "core/base.h"

#define HISTORY_CELLS  120
#define HISTORY_CELL_S 5

struct history_cell {
        uint32_t opened; /* sessions that began */
        uint32_t active; /* the most at a time, looked at each second */
        uint16_t failed; /* connects; no more than UINT16_MAX */
        uint16_t down_s; /* seconds it was down */
};

struct history {
        uint32_t seconds; /* added so far; the newest cell may not be full yet */
        struct history_cell cells[HISTORY_CELLS];
};

/* One second more. */
void history_add(struct history *h, uint64_t opened, uint64_t failed, uint64_t active, bool down);

/* How many cells there are, the newest one too; and one of them: 0 is the newest. */
size_t history_n(const struct history *h);
const struct history_cell *history_at(const struct history *h, size_t back);
