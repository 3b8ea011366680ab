/* SPDX-License-Identifier: MIT */
/*
 * tui/filter.h - which rows to show. Pure. Words with blanks between all have to fit; '|' between
 * words: either; '!' before one: not. "state:down" and "pool:web" are about those alone, any other
 * word about all of the row's texts. Small letters fit large ones too, a large one only itself.
 */
#pragma once

#include "core/base.h"

struct filter_row {
        const char *name, *pool, *state; /* any may be NULL */
        const char *text;                /* whatever else it says */
};

bool filter_fits(const char *filter, const struct filter_row *row);
