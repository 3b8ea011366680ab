/* SPDX-License-Identifier: MIT */
/* config/text.h - the text of a file: its lines for messages, its characters checked. */
#pragma once

#include "config/arena.h"

struct text {
        const char *file;  /* its name in messages; borrowed */
        const char *bytes; /* borrowed; without a byte order mark at the start */
        size_t n;
        const uint32_t *lines; /* offset of each line's first byte; in the arena */
        unsigned n_lines;
};

/* What text_init() found that may not be in a file. */
enum text_fault { TEXT_FINE, TEXT_NOT_UTF8, TEXT_CONTROL };
struct text_trouble {
        enum text_fault fault;
        unsigned line, column; /* from 1, in characters */
        uint32_t code;         /* the character, or the byte that is not UTF-8 */
};

/* Lines end as libyaml ends them, so that its numbers fit: LF, CR, CRLF. -ENOMEM. */
int text_init(struct text *ret,
              struct text_trouble *trouble,
              struct arena *a,
              const char *file,
              const char *bytes,
              size_t n);

/* The bytes of a line without its end; "" for a line that is not there. */
const char *text_line(const struct text *t, unsigned line, size_t *ret_n);
/* A line for people: cleaned, its end cut off when it is long. New string; NULL: there is no such
 * line, it is too long to show column, or out of memory. */
char *text_source(const struct text *t, unsigned line, unsigned column);
/* The byte offset of a column inside the n bytes of a line; n when beyond. */
size_t text_offset(const char *line, size_t n, unsigned column);
