/* SPDX-License-Identifier: MIT */

#include "http/scan.h"

#include <string.h>

#define KIB        1024U
#define TLS_RECORD 0x16 /* RFC 8446 5.1: the first byte of a ClientHello's record, */
#define TLS_MAJOR  0x03 /* and the second one, in every version so far */

const struct http_limits http_request_limits = {
        .line_max = 8 * KIB,
        .header_max = 8 * KIB,
        .headers_max = 32 * KIB,
        .n_headers = 100,
};

/* 64 KiB in all; that a single header may take nearly all of it is how cookies are. */
const struct http_limits http_response_limits = {
        .line_max = 8 * KIB,
        .header_max = 56 * KIB,
        .headers_max = 56 * KIB,
        .n_headers = 100,
};

size_t http_head_room(const struct http_limits *l) {
        return 2 + (size_t)l->line_max + 2 + l->headers_max + 2; /* CRLFs: before, between, last */
}

enum http_verdict http_scan_line(const char *line, size_t n, size_t max, uint32_t *seen) {
        size_t i = *seen, stop = n < max ? n : max;

        i += span_text((struct span){ line + i, stop - i });
        *seen = (uint32_t)i;
        if (i == n)
                return HTTP_MORE;
        if (http_is_text_byte(line[i]))
                return HTTP_LINE_LONG;
        if (line[i] == '\n')
                return HTTP_BARE_LF;
        if (line[i] != '\r')
                return HTTP_CONTROL_BYTE;
        if (i + 1 == n)
                return HTTP_MORE; /* and look at the CR again */
        return line[i + 1] == '\n' ? HTTP_OK : HTTP_BARE_CR;
}

/* The first byte of a head can tell a stranger at once, who would never send a CRLF. */
static enum http_verdict scan_stranger(enum http_side side, const char *line, size_t n) {
        if (side == HTTP_RESPONSE)
                return line[0] == 'H' || !http_is_text_byte(line[0]) ? HTTP_OK : HTTP_STATUS_LINE;
        if (http_is_blank(line[0]))
                return HTTP_LEADING_BLANK;
        if (line[0] == TLS_RECORD && n == 1)
                return HTTP_MORE;
        if (line[0] == TLS_RECORD && line[1] == TLS_MAJOR)
                return HTTP_TLS;
        if (http_is_text_byte(line[0]) && !http_is_token_byte(line[0]))
                return HTTP_METHOD;
        return HTTP_OK; /* a token, or what http_scan_line() refuses */
}

static enum http_verdict scan_begin(const struct http_scan *s,
                                    enum http_side side,
                                    const char *line,
                                    size_t n,
                                    const struct http_limits *l) {
        if (s->first_end == 0)
                return scan_stranger(side, line, n);
        /* RFC 9112 5.2; the same blank right behind the first line is 2.2 */
        if (http_is_blank(line[0]))
                return HTTP_OBS_FOLD;
        if (s->n_headers == l->n_headers && http_is_text_byte(line[0]))
                return HTTP_HEADERS_MANY;
        return HTTP_OK;
}

/* The end of a header line, which both limits hold for: its own and that of all. */
static enum http_verdict scan_header(struct http_scan *s,
                                     const char *line,
                                     size_t n,
                                     const struct http_limits *l) {
        uint32_t used = s->line - (s->first_end + 2);
        uint32_t left = l->headers_max > used + 2 ? l->headers_max - used - 2 : 0;
        bool all = left < l->header_max;
        enum http_verdict v = http_scan_line(line, n, all ? left : l->header_max, &s->seen);

        if (v == HTTP_LINE_LONG)
                return all ? HTTP_HEADERS_LONG : HTTP_HEADER_LONG;
        return v;
}

/* RFC 9112 2.2: a server ignores at least one CRLF before a request. bal ignores just one. */
static enum http_verdict scan_empty_first(const struct http_scan *s, enum http_side side) {
        if (side == HTTP_RESPONSE)
                return HTTP_STATUS_LINE;
        return s->line > 0 ? HTTP_EMPTY_LINES : HTTP_OK;
}

enum http_verdict http_scan_head(struct http_scan *s,
                                 enum http_side side,
                                 const char *buf,
                                 size_t n,
                                 const struct http_limits *l) {
        while (s->line < n) {
                const char *line = buf + s->line;
                size_t left = n - s->line;
                bool first = s->first_end == 0;
                enum http_verdict v = HTTP_OK;

                if (s->seen == 0)
                        v = scan_begin(s, side, line, left, l);
                if (v == HTTP_OK)
                        v = first ? http_scan_line(line, left, l->line_max, &s->seen)
                                  : scan_header(s, line, left, l);
                if (v == HTTP_OK && first && s->seen == 0)
                        v = scan_empty_first(s, side);
                if (v != HTTP_OK)
                        return v;
                if (!first && s->seen == 0)
                        return HTTP_OK;

                if (!first) {
                        s->n_headers++;
                } else if (s->seen > 0) {
                        s->first = s->line;
                        s->first_end = s->line + s->seen;
                }
                s->line += s->seen + 2;
                s->seen = 0;
        }
        return HTTP_MORE;
}
