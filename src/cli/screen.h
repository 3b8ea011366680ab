/* SPDX-License-Identifier: MIT */
/*
 * cli/screen.h - a report drawn over the one before, on a terminal of any size, without flicker:
 * nothing is cleared that is written again, and all goes out in one write.
 */
#pragma once

#include "core/base.h"

struct screen_size {
        unsigned columns, rows; /* 0: unknown, and then nothing is cut */
};

/* New string: what to write so that text, lines with colours in them, stands alone on the screen.
 * Lines are cut at the right edge; of lines that do not fit below each other the last ones are
 * only counted. NULL: no memory. */
char *screen_frame(const char *text, struct screen_size size, bool first, size_t *ret_n);

/* Is there a terminal behind fd that can be drawn on? */
bool screen_possible(int fd);
struct screen_size screen_size(int fd);
