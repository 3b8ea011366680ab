/* SPDX-License-Identifier: MIT */

#include "control/history.h"

static uint32_t add32(uint32_t a, uint64_t b) {
        return b < (uint64_t)UINT32_MAX - a ? a + (uint32_t)b : UINT32_MAX;
}

static uint16_t add16(uint16_t a, uint64_t b) {
        return b < (uint64_t)UINT16_MAX - a ? (uint16_t)(a + b) : UINT16_MAX;
}

void history_add(struct history *h, uint64_t opened, uint64_t failed, uint64_t active, bool down) {
        struct history_cell *c = &h->cells[h->seconds / HISTORY_CELL_S % HISTORY_CELLS];

        if (h->seconds % HISTORY_CELL_S == 0)
                *c = (struct history_cell){ 0 };
        c->opened = add32(c->opened, opened);
        c->failed = add16(c->failed, failed);
        c->down_s = add16(c->down_s, down);
        if (active > c->active)
                c->active = add32(0, active);
        /* after 136 years the ring begins anew, in step */
        if (++h->seconds ==
            UINT32_MAX / HISTORY_CELL_S / HISTORY_CELLS * HISTORY_CELL_S * HISTORY_CELLS)
                h->seconds = HISTORY_CELL_S * HISTORY_CELLS;
}

size_t history_n(const struct history *h) {
        uint32_t n = h->seconds / HISTORY_CELL_S + (h->seconds % HISTORY_CELL_S > 0);

        return n < HISTORY_CELLS ? n : HISTORY_CELLS;
}

const struct history_cell *history_at(const struct history *h, size_t back) {
        uint32_t newest = (h->seconds - 1) / HISTORY_CELL_S;

        return &h->cells[(newest + HISTORY_CELLS - back) % HISTORY_CELLS];
}
