/* SPDX-License-Identifier: MIT */
/*
 * http/head.h - HTTP/1.1 message heads (RFC 9112): bytes in, verdict out; no allocation, no copy.
 *
 * Strict: what two readers could read in two ways is refused, never repaired. The verdict is the
 * same however the bytes are split, and what has been looked at is not looked at again.
 */
#pragma once

#include "http/fields.h"
#include "http/scan.h"

#define HTTP_HEADERS_MAX 100
#define HTTP_METHOD_MAX  32
#define HTTP_HOPS_MAX    999999999
#define HTTP_INTERIM_MAX 16 /* 1xx that a backend may send before its final response */

/* RFC 9112 3.2 */
enum http_form { HTTP_FORM_ORIGIN, HTTP_FORM_ABSOLUTE, HTTP_FORM_AUTHORITY, HTTP_FORM_ASTERISK };

/* Of the body that follows, see http/body.h. */
enum http_framing {
        HTTP_FRAMING_NONE,
        HTTP_FRAMING_LENGTH,
        HTTP_FRAMING_CHUNKED,
        HTTP_FRAMING_UNTIL_CLOSE, /* responses only */
        HTTP_FRAMING_TUNNEL       /* responses only: 101, and 2xx to CONNECT */
};

struct http_authority {
        struct span text; /* as it came, with the port */
        struct span host; /* its name alone, [..] around IPv6 */
        uint16_t port;    /* 0: none was given */
};

/* What of a request decides how its response is read. */
struct http_asked {
        bool head, connect, upgrade;
};

/* All spans point into the buffer of the last call. */
struct http_head {
        struct span method, target; /* request; as they came, the target is what is forwarded */
        enum http_form form;        /* request */
        struct span path,
                query; /* without the "?"; of asterisk form "*", of authority form empty */
        /* The host in force: the target's, else that of Host; empty: HTTP/1.0 without. */
        struct http_authority authority;
        int status;                /* response; 0 in a request */
        struct span reason;        /* response */
        int minor;                 /* HTTP/1.minor: 0, or 1 for all that is later */
        bool keep_alive;           /* this side lets another message follow */
        bool upgrade;              /* an upgrade is asked for, or (101) agreed to */
        bool h2c;                  /* an upgrade to h2c was asked for, and so dropped */
        bool expect_continue;      /* request */
        bool te_trailers;          /* request: TE has trailers */
        bool counts_hops;          /* request: TRACE or OPTIONS with Max-Forwards, and then */
        uint32_t hops;             /* how often it may be forwarded; at most HTTP_HOPS_MAX */
        bool interim;              /* response: 1xx but not 101, another head follows */
        enum http_framing framing; /* of what follows the head */
        uint64_t length;           /* bytes, when HTTP_FRAMING_LENGTH; at most INT64_MAX */
        size_t size;               /* bytes of the head, with a CRLF before it */
        uint64_t present;          /* a bit for each enum http_field that is among the headers */
        size_t n_headers;
        struct http_header headers[HTTP_HEADERS_MAX];
};

_Static_assert(HTTP_FIELDS_COUNT <= 64, "present has a bit for each");

/*
 * HTTP_OK: *ret is the head; HTTP_MORE: call again with more bytes of the same buffer and the same
 * *s, all zero in the first call; anything else refuses. A refused head has its first line in *ret,
 * as far as that was understood, for the log, and size 0.
 *
 * Not forwarded as they came (header.drop): what is between two neighbours only (RFC 9110 7.6.1),
 * what Connection nominates, framing that a message without body must not have, Expect in HTTP/1.0,
 * and Host where an absolute target overrules it. The caller writes anew: Host from authority where
 * none is left, Transfer-Encoding from framing, Max-Forwards where hops are counted, one less,
 * "Connection: upgrade" with upgrade (the Upgrade header itself then passes), "TE: trailers" from
 * te_trailers.
 */
enum http_verdict http_read_request(struct http_head *ret,
                                    struct http_scan *s,
                                    const char *buf,
                                    size_t n,
                                    const struct http_limits *l);
enum http_verdict http_read_response(struct http_head *ret,
                                     struct http_scan *s,
                                     const char *buf,
                                     size_t n,
                                     const struct http_limits *l,
                                     struct http_asked asked);

static inline bool http_head_has(const struct http_head *h, enum http_field id) {
        return h->present >> id & 1;
}

/* The first of these headers at from or behind it; n_headers: there is none. */
static inline size_t http_head_find(const struct http_head *h, enum http_field id, size_t from) {
        if (!http_head_has(h, id)) /* mostly */
                return h->n_headers;
        while (from < h->n_headers && h->headers[from].id != id)
                from++;
        return from;
}

/* i: the index of each header of that name, in their order. */
#define HTTP_HEADERS_OF(h, field, i)                                                               \
        for (size_t i = http_head_find(h, field, 0); i < (h)->n_headers;                           \
             i = http_head_find(h, field, i + 1))

/* The bytes of a head lie somewhere else now: its spans follow. */
void http_head_move(struct http_head *h, const char *from, const char *to);

struct http_asked http_asked_by(const struct http_head *request);
