/* SPDX-License-Identifier: MIT */
/*
 * http/scan.h - where lines and heads end, while the bytes still come in.
 *
 * Only what a single byte decides is judged here, in the order of the bytes, so the verdict cannot
 * depend on how they were split. What takes a whole line or head to judge is judged by others when
 * it is whole. Each byte is looked at once: a sender of single bytes costs no more than any other.
 */
#pragma once

#include "http/span.h"
#include "http/verdict.h"

struct http_limits {
        uint32_t line_max;    /* bytes of the first line, without CRLF */
        uint32_t header_max;  /* bytes of one header line, without CRLF */
        uint32_t headers_max; /* bytes of all of them, each with its CRLF */
        uint32_t n_headers;   /* at most HTTP_HEADERS_MAX */
};

extern const struct http_limits http_request_limits;  /* 8 KiB, 8 KiB, 32 KiB, 100 */
extern const struct http_limits http_response_limits; /* 8 KiB, 56 KiB, 56 KiB, 100 */

size_t http_head_room(const struct http_limits *l); /* a buffer of so many bytes holds any head */

enum http_side { HTTP_REQUEST, HTTP_RESPONSE };

/* How far a head was looked at. Offsets, not pointers: the buffer may move between two calls. All
 * zero is the start of a head. */
struct http_scan {
        uint32_t line;      /* where the line under way begins */
        uint32_t seen;      /* bytes of it that were looked at */
        uint32_t first;     /* where the first line begins */
        uint32_t first_end; /* and ends, without CRLF; 0: it is not whole yet */
        uint32_t n_headers;
        bool checked; /* the first line was judged, and is sound; for the callers */
};

/* The end of a line of at most max bytes without CRLF. HTTP_OK: its text is line[0, *seen), and
 * CRLF follows; HTTP_MORE: call again with *seen as it is and more bytes from the same start on;
 * HTTP_LINE_LONG, HTTP_BARE_LF, HTTP_BARE_CR, HTTP_CONTROL_BYTE. */
enum http_verdict http_scan_line(const char *line, size_t n, size_t max, uint32_t *seen);

/* HTTP_OK: the head is whole, its empty last line is [s->line, s->line + 2); HTTP_MORE: call again
 * with more bytes from the same start on; anything else is final. */
enum http_verdict http_scan_head(struct http_scan *s,
                                 enum http_side side,
                                 const char *buf,
                                 size_t n,
                                 const struct http_limits *l);
