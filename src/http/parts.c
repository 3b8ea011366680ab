/* SPDX-License-Identifier: MIT */

#include "http/parts.h"

#include <assert.h>
#include <string.h>

enum http_verdict http_head_read(struct http_head *ret,
                                 struct http_scan *s,
                                 struct span buf,
                                 const struct http_limits *l,
                                 const struct http_reading *how) {
        enum http_verdict v, first;
        size_t headers;

        assert(l->n_headers <= HTTP_HEADERS_MAX);
        memset(ret, 0, offsetof(struct http_head, headers)); /* which is large */
        v = http_scan_head(s, how->side, buf.p, buf.n, l);
        if (s->first_end == 0 || (v == HTTP_MORE && s->checked))
                return v;

        first = how->line(ret, (struct span){ buf.p + s->first, s->first_end - s->first });
        if (first != HTTP_OK)
                return first;
        s->checked = true;
        if (v != HTTP_OK)
                return v;

        headers = s->first_end + 2;
        v = how->headers(ret, (struct span){ buf.p + headers, s->line - headers }, how->asked);
        if (v == HTTP_OK)
                ret->size = s->line + 2;
        return v;
}

/* RFC 9112 2.3: exactly one digit each side of the dot, and case counts. A later minor version is
 * read as 1.1 (RFC 9110 2.5). */
enum http_verdict http_version_read(int *ret_minor, struct span text) {
        if (text.n != strlen("HTTP/1.1") || memcmp(text.p, "HTTP/", 5) != 0)
                return HTTP_REQUEST_LINE;
        if (!http_is_digit(text.p[5]) || text.p[6] != '.' || !http_is_digit(text.p[7]))
                return HTTP_REQUEST_LINE;
        if (text.p[5] != '1')
                return HTTP_VERSION;
        *ret_minor = text.p[7] == '0' ? 0 : 1;
        return HTTP_OK;
}

enum http_verdict http_headers_read(struct http_head *h, struct span text) {
        while (text.n > 0) {
                const char *end = memchr(text.p, '\r', text.n);
                enum http_verdict v;
                size_t n;

                assert(end && h->n_headers < HTTP_HEADERS_MAX); /* the scan saw to both */
                n = (size_t)(end - text.p);
                v = http_header_read(&h->headers[h->n_headers], (struct span){ text.p, n });
                if (v != HTTP_OK)
                        return v;
                h->present |= UINT64_C(1) << h->headers[h->n_headers].id;
                h->n_headers++;
                text.p += n + 2;
                text.n -= n + 2;
        }
        return HTTP_OK;
}

void http_headers_drop(struct http_head *h, enum http_field id) {
        HTTP_HEADERS_OF(h, id, i)
                h->headers[i].drop = true;
}

static void span_move(struct span *s, const char *from, const char *to) {
        if (s->p)
                s->p = to + (s->p - from);
}

void http_head_move(struct http_head *h, const char *from, const char *to) {
        struct span *const spans[] = { &h->method, &h->target,         &h->path,          &h->query,
                                       &h->reason, &h->authority.text, &h->authority.host };

        for (size_t i = 0; i < ELEMENTS(spans); i++)
                span_move(spans[i], from, to);
        for (size_t i = 0; i < h->n_headers; i++) {
                span_move(&h->headers[i].name, from, to);
                span_move(&h->headers[i].value, from, to);
        }
}
