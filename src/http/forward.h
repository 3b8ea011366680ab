/* SPDX-License-Identifier: MIT */
/*
 * http/forward.h - the head that goes on, written from the one that came (RFC 9110 7.6).
 *
 * Whatever header.drop says is left out, and what is between two neighbours only is written anew.
 * The body is framed as http/body.h passes it on. What rules set or remove stands above what bal
 * writes on its own, but for Host, which has to be a valid one.
 *
 * Headers of a request that only look like those bal answers for, X_Forwarded_For, never pass: see
 * http_field_resembles().
 */
#pragma once

#include "http/head.h"
#include "http/out.h"

struct http_forward {
        const struct http_head *head;
        const struct http_values *values;
        const struct http_rules *rules; /* NULL: none */
        struct span request_id;         /* X-Request-ID instead of what came; n 0: what came */
        bool via;                       /* add Via (RFC 9110 7.6.3) */
        bool drop_underscore;           /* headers with '_' in the name do not pass */
        /* of a request */
        struct span peer_ip, scheme; /* of the connection; no peer_ip of AF_UNIX; scheme "http" */
        bool trusted;                /* the peer's X-Forwarded-*, X-Real-IP and Forwarded stand */
        bool forwarded;              /* add Forwarded (RFC 7239) */
        /* of a response */
        int client_minor; /* HTTP/1.0 gets no chunks: see http_forward_unchunks() */
        bool close;       /* say Connection: close; else keep-alive to HTTP/1.0 */
        uint64_t now_s;   /* for a Date when there is none (RFC 9110 6.6.1); 0: leave it so */
};

/* The request as HTTP/1.1 to a backend, whose connection stays open. An HTTP/1.0 client need not
 * name a host; the backend is then asked for its own name. False: it does not fit. */
bool http_forward_request(struct http_out *o, const struct http_forward *f);

/* The response to the client. Of an interim one rules take headers away, but nothing is added; and
 * HTTP/1.0 knows none (RFC 9110 15.2): the caller keeps it back. False: it does not fit. */
bool http_forward_response(struct http_out *o, const struct http_forward *f);

/* Does the body go on without its chunks, so that only the end of the connection ends it? */
bool http_forward_unchunks(const struct http_head *response, int client_minor);

/* The client behind trusted proxies: the last element of X-Forwarded-For that trusts() refuses; the
 * first one if all are trusted; empty: there is none. Without a port or brackets, both for trusts()
 * and in the answer, but otherwise as it came: it may be anything, so trusts() refuses what is no
 * address, and the caller looks again. */
struct span http_forwarded_client(const struct http_head *h,
                                  bool (*trusts)(struct span address, void *arg),
                                  void *arg);
