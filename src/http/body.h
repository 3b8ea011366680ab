/* SPDX-License-Identifier: MIT */
/*
 * http/body.h - where a body ends, and what of it goes on: pure functions over bytes.
 *
 * Most bytes of a body need no look. As long as left > 0 that many may go by unseen: a lane copies
 * or splices them and tells http_body_passed() afterwards. With a length that is the whole body,
 * with chunks the rest of a chunk; only what stands between chunks goes through http_body_next().
 *
 * Nothing is rewritten, things are left out: chunk extensions (RFC 9112 7.1.1), and trailers that
 * mean nothing good there. Who sends on to a peer that knows no chunks leaves out FRAME as well.
 */
#pragma once

#include "http/head.h"

#define HTTP_CHUNK_LINE_MAX 256  /* bytes of a chunk's first line, without CRLF */
#define HTTP_TRAILERS_MAX   8192 /* of all trailers, each with its CRLF; so also of one */

/* So much, at most, a caller has to hold until HTTP_BODY_MORE turns into something else. */
#define HTTP_BODY_HOLD (HTTP_TRAILERS_MAX + 2)

enum http_body_step {
        HTTP_BODY_MORE,  /* the line is not whole: hold these bytes, call again with more behind */
        HTTP_BODY_DATA,  /* bytes of the body */
        HTTP_BODY_FRAME, /* what makes chunks of it: sizes, line ends, trailers that may pass */
        HTTP_BODY_SKIP,  /* bytes that go no further */
        HTTP_BODY_DONE,  /* the body is complete; the next byte belongs to the next message */
        HTTP_BODY_BAD,   /* see body.verdict; final */
};

struct http_body {
        uint64_t left;             /* bytes of data that need no look; UINT64_MAX: all until EOF */
        enum http_framing framing; /* the rest is body.c's own */
        enum http_verdict verdict; /* why HTTP_BODY_BAD */
        uint8_t state;
        uint32_t seen;     /* bytes of the line under way that were looked at */
        uint32_t keep;     /* a judged line's pieces that are still to come: bytes of FRAME, */
        uint32_t skip;     /* of SKIP, */
        uint32_t keep_end; /* and of FRAME */
        uint32_t trailers; /* bytes of trailers so far */
        uint64_t chunk;    /* bytes of data behind this line */
        uint64_t chunks;   /* bytes of data in all chunks whose lines were judged */
};

/* length counts with HTTP_FRAMING_LENGTH only, and is at most INT64_MAX. */
void http_body_init(struct http_body *b, enum http_framing framing, uint64_t length);

/* What to do with the first *ret_n bytes of buf, which then are done with; 0 of them with MORE,
 * DONE and BAD. n may be 0. A tunnel is DATA until EOF. */
enum http_body_step http_body_next(struct http_body *b, const char *buf, size_t n, size_t *ret_n);

void http_body_passed(struct http_body *b, uint64_t n); /* n <= left bytes went by unseen */

bool http_body_complete(const struct http_body *b);

/* The sender has closed: HTTP_OK, and the body is complete; or HTTP_CUT_SHORT. */
enum http_verdict http_body_eof(struct http_body *b);
