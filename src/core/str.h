/* SPDX-License-Identifier: MIT */
/* core/str.h - text for people: widths in terminal cells, names without hidden characters, the
 * closest word. UTF-8 in and out; an invalid byte or hidden character counts and shows as '?'. */
#pragma once

#include "core/base.h"

/* The code point at s, and the length of its UTF-8; 0: the n bytes, n > 0, do not begin with any
 * (overlong, surrogate, cut, beyond U+10FFFF). */
size_t str_decode(uint32_t *ret, const char *s, size_t n);
/* Control, direction, line and invisible characters: the one table of what bal shows to nobody.
 * It is escaped in JSON of the log, and '?' in all other text. */
bool str_is_hidden(uint32_t c);

size_t str_cells(const char *s, size_t n); /* columns of the first n bytes; East Asian wide = 2 */
size_t str_fit(const char *s, size_t n, size_t cells); /* bytes of the longest start that fits */
char *str_clean(const char *s); /* new string fit for a terminal; NULL: out of memory */
/* As str_clean(); what is wider than that loses its middle: "[2001:~5]:80". */
char *str_squeeze(const char *s, size_t cells);

/* The edit distance, a swap of neighbours counting one; SIZE_MAX when above max. */
size_t str_distance(const char *a, const char *b, size_t max);
/* The word of the NULL-ended list closest to s: distance 2, or 1 below five letters; or NULL. */
const char *str_closest(const char *s, const char *const *words);

char *str_printf(const char *fmt, ...) PRINTF(1, 2); /* new string; NULL: out of memory */
void str_freep(char **s);                            /* for _cleanup_(str_freep) char *s = NULL; */
