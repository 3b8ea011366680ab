/* SPDX-License-Identifier: MIT */
/* tui/text.h - numbers and times in as few cells as a column has. Pure. */
#pragma once

#include "core/base.h"

#define TEXT_MAX 32

const char *text_age(int64_t seconds, char buf[static TEXT_MAX]);  /* "3s", "9m", "2h", "3d" */
const char *text_up(int64_t seconds, char buf[static TEXT_MAX]);   /* "3d04h", "2h05m", "9m12s" */
const char *text_took(int64_t seconds, char buf[static TEXT_MAX]); /* "00:42", "1:02:03" */
/* At most five cells: "402", "18k", "1.9M"; below ten with one decimal if it has any. */
const char *text_rate(double n, char buf[static TEXT_MAX]);
const char *text_bytes(double n, char buf[static TEXT_MAX]);  /* "412M", of 1000; -1: "-" */
const char *text_count(int64_t n, char buf[static TEXT_MAX]); /* up to 99999 as it is */
/* Time of day where the user is: "12:04:31". */
const char *text_clock(uint64_t real_s, char buf[static TEXT_MAX]);

/* clang-format off */
/* X(enum, word): which letters a strip of history is made of */
#define CHARS(X) X(AUTO, "auto") X(ASCII, "ascii") X(BLOCK, "block") X(BRAILLE, "braille")
enum chars {
#define X(id, word) CHARS_##id,
        CHARS(X)
#undef X
        CHARS_COUNT
};
/* clang-format on */

/* The locale's name and whether it is of UTF-8, as LC_ALL, LC_CTYPE and LANG say it. */
const char *text_locale(void);
bool text_locale_utf8(const char *locale);
enum chars text_chars(enum chars wanted, const char *locale, const char *term);
/* The letter for n of most: the lowest for 0. */
const char *text_level(enum chars chars, int64_t n, int64_t most);
