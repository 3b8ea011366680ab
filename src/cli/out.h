/* SPDX-License-Identifier: MIT */
/*
 * cli/out.h - text for a stream that may be a terminal.
 *
 * Whatever comes from a file or from the network goes through out_clean() or a table, so that no
 * control character of a stranger reaches the terminal. A failed write is remembered, not lost.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "cli/args.h"
#include "core/base.h"

enum colour { PLAIN, BOLD, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN };

struct out {
        FILE *file; /* borrowed; NULL: nothing is to be written */
        bool colour;
        bool lines;       /* of JSON: each document on a line of its own */
        unsigned columns; /* of the terminal; 0: it is none, rows may be as long as they are */
        int error;        /* the first -errno of a failed write; 0: none */
};

bool out_wants_colour(int fd, enum args_color color); /* reads the environment */
unsigned out_columns(int fd);                         /* 0: no terminal, or it does not say */

void out_printf(struct out *o, const char *fmt, ...) PRINTF(2, 3);
void out_write(struct out *o, const char *bytes, size_t n);  /* as they are */
void out_clean(struct out *o, const char *s);                /* control characters as '?' */
void out_paint(struct out *o, enum colour c, const char *s); /* cleaned and coloured */
void out_spaces(struct out *o, size_t n);

/* One of what_happened, why_likely, do_this_now: label, text; more lines stand below the first. */
void out_part(struct out *o, const char *indent, const char *label, const char *text);

void out_json(struct out *o, json_t *doc); /* takes doc; NULL: out of memory, an error */
json_t *out_document(const char *kind);    /* with format_version and kind; NULL: no memory */
json_t *out_text(const char *s);           /* a JSON string; null for NULL, '?' for bad bytes */
int out_finish(struct out *o);             /* flushes; 0 or the first error */
