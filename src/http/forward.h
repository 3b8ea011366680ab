/* SPDX-License-Identifier: MIT */
/*
 * http/forward.h - the head that goes on, written from the one that came (RFC 9110 7.6).
 *
 * Whatever header.drop says is left out, and what is between two neighbours only is written anew.
 * The body is framed as http/body.h passes it on.
 */
#pragma once

#include "http/head.h"
#include "http/out.h"

struct http_forward {
        const struct http_head *head;
        const struct http_values *values;
        const struct http_rules *rules;
        struct span request_id;
        bool via;             /* add Via (RFC 9110 7.6.3) */
        bool drop_underscore; /* headers with '_' in the name do not pass */
        /* of a request */
        struct span peer_ip, scheme; /* of the connection; scheme "http" */
        bool trusted;                /* the peer's X-Forwarded-*, X-Real-IP and Forwarded stand */
        bool forwarded;              /* add Forwarded (RFC 7239) */
        /* of a response */
        int client_minor; /* HTTP/1.0 gets no chunks: see http_forward_unchunks() */
        bool close;       /* say Connection: close; else keep-alive to HTTP/1.0 */
};

/* The request as HTTP/1.1 to a backend, whose connection stays open. False: it does not fit. */
bool http_forward_request(struct http_out *o, const struct http_forward *f);

/* The response, interim ones as well, to the client. False: it does not fit. */
bool http_forward_response(struct http_out *o, const struct http_forward *f);

/* Does the body go on without its chunks, so that only the end of the connection ends it? */
bool http_forward_unchunks(const struct http_head *response, int client_minor);

/* The client behind trusted proxies: the last element of X-Forwarded-For that trusts() refuses, or
 * that is no address; the first one if all are trusted; empty: there is none. trusts() is asked for
 * the text of one address, without a port or brackets. */
struct span http_forwarded_client(const struct http_head *h,
                                  bool (*trusts)(struct span address, void *arg),
                                  void *arg);
