/* SPDX-License-Identifier: MIT */
/* varlink/scan.h - walks through the text of one JSON value and makes no tree of it, for documents
 * of which a reader wants a few numbers out of many. Copies nothing, allocates nothing, and does
 * not recurse. Brackets, commas, colons and quotes have to be right; what is inside of a string or
 * of a number is the caller's to judge. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct scan_text { /* a part of the text, borrowed; text NULL: none */
        const char *text;
        size_t n;
};

struct scan {
        const char *at, *end;
        bool first; /* nothing has come yet behind the bracket */
        bool bad;   /* not JSON: everything has said false since */
};

void scan_init(struct scan *s, struct scan_text text);

/* Into the object or array that begins here; false: something else does, still to be read. */
bool scan_enter(struct scan *s, char bracket);
/* To the value of the next member, or to the next element; false: there is no more, and the scan
 * stands behind the closing bracket. A value has to be read before the next one. */
bool scan_member(struct scan *s, struct scan_text *ret_key);
bool scan_element(struct scan *s);
/* The whole value that begins here; none if there is none. */
struct scan_text scan_value(struct scan *s);

bool scan_text_is(struct scan_text s, const char *text);
