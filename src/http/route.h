/* SPDX-License-Identifier: MIT */
/*
 * http/route.h - which requests a route means. First match wins.
 *
 * Paths are compared in a normalised copy: percent-encoded unreserved characters decoded, other
 * escapes in upper case, each run of slashes made one, then dot segments resolved (RFC 3986 6.2.2).
 * What is forwarded is the original.
 */
#pragma once

#include "http/head.h"

enum http_path_kind {
        HTTP_PATH_ANY,
        HTTP_PATH_EXACT,
        HTTP_PATH_PREFIX,   /* by bytes: /v1 means /v10, too */
        HTTP_PATH_SEGMENTS, /* by whole segments: /v1 means /v1 and /v1/x */
};

struct http_match {
        struct span name, value; /* the header is there and equals value; case counts in value */
};

struct http_route {
        struct span *hosts; /* lower case, without a port; "*.x.y": any name below x.y */
        size_t n_hosts;     /* 0: any */
        enum http_path_kind path_kind;
        struct span path; /* normalised */
        struct span *methods;
        size_t n_methods; /* 0: any */
        struct http_match *headers;
        size_t n_headers; /* all of them have to match */
};

/* Into buf, which has room for path.n bytes. The empty path of "http://host" is "/"; "*" and what
 * does not begin with '/' stay as they are. A '%' that begins no escape stays, too, and takes no
 * decoded digits: normalising twice is the same as once. */
struct span http_path_normalise(char *buf, struct span path);

/* Does a ".." come behind an empty segment, in any spelling? Of "/a//../b" one reader makes "/b",
 * who takes both slashes for one, and another "/a/b" (RFC 3986 5.2.4): no route can tell. */
bool http_path_ambiguous(struct span path);

/* path: that of h, normalised. */
bool http_route_matches(const struct http_route *r, const struct http_head *h, struct span path);

/* "a.example", "*.example", "[::1]", "10.0.0.1": a host to match? In any case of letters. */
bool http_route_host_ok(struct span host);
