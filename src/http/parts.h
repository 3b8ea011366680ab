/* SPDX-License-Identifier: MIT */
/* http/parts.h - what reading a request and a response have in common. Not for other floors. */
#pragma once

#include "http/head.h"

/* What a request and a response do each in their own way. */
struct http_reading {
        enum http_side side;
        enum http_verdict (*line)(struct http_head *h, struct span line);
        /* text as for http_headers_read() */
        enum http_verdict (*headers)(struct http_head *h,
                                     struct span text,
                                     struct http_asked asked);
        struct http_asked asked;
};

/* As http_read_request(). The first line is judged as soon as it is whole, and before what is wrong
 * with the headers. */
enum http_verdict http_head_read(struct http_head *ret,
                                 struct http_scan *s,
                                 struct span buf,
                                 const struct http_limits *l,
                                 const struct http_reading *how);

/* "HTTP/1.minor": HTTP_OK; HTTP_VERSION: another major version; HTTP_REQUEST_LINE: no version. */
enum http_verdict http_version_read(int *ret_minor, struct span text);

/* The scanned header lines of text, which ends with the CRLF of the last one. HTTP_HEADER_NAME. */
enum http_verdict http_headers_read(struct http_head *h, struct span text);

/* Connection and Upgrade (RFC 9110 7.6.1, 7.8): keep_alive, upgrade, h2c, te_trailers, and drop of
 * what is nominated. HTTP_CONNECTION, HTTP_NOMINATED. */
enum http_verdict http_connection_read(struct http_head *h);

/* Content-Length and Transfer-Encoding (RFC 9112 6): framing NONE, LENGTH or CHUNKED, and length.
 * *ret_framed: one of the two was there. HTTP_LENGTH.., HTTP_CODING... */
enum http_verdict http_framing_read(struct http_head *h, bool *ret_framed);

/* Marks all headers of that name as not to be forwarded. */
void http_headers_drop(struct http_head *h, enum http_field id);
