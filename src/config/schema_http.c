/* SPDX-License-Identifier: MIT */
/* The keys of protocol http, which are the same in both dialects. */

#include "config/schema_rows.h"

#define KIB 1024ULL
#define TIB (KIB * KIB * KIB * KIB)

const char *const schema_redirects[] = { "301", "302", "303", "307", "308", NULL };
/* Those of http/answer.h without the redirects; a test compares them. */
const char *const schema_statuses[] = { "200", "400", "403", "404", "405", "408", "410",
                                        "413", "414", "417", "421", "429", "431", "500",
                                        "501", "502", "503", "504", "505", NULL };

static const char *const half_closes[] = { "abort", "serve", NULL };

/* clang-format off */
static const struct field http_rows[] = {
        ROW(raw_http, request_headers, MAP, "headers set in requests; -NAME removes, +NAME adds",
            BETWEEN(0, 64), FLAGS(FIELD_RULES)),
        ROW(raw_http, response_headers, MAP, "headers set in responses; -NAME removes, +NAME adds",
            BETWEEN(0, 64), FLAGS(FIELD_RULES)),
        ROW(raw_http, trusted_proxies, NETWORKS,
            "addresses, networks or unix: whose X-Forwarded headers are believed; none when not "
            "given", BETWEEN(0, 64)),
        ROW(raw_http, access_log, ACCESS, "which requests are logged; sample: N is one of N",
            IS("errors"), BETWEEN(1, MANY)),
        ROW(raw_http, max_body_bytes, SIZE, "largest body of a request; 0: no limit", IS("0"),
            BETWEEN(0, TIB)),
        ROW(raw_http, head_timeout, DURATION, "time in which the head of a request must be there",
            IS("10s"), BETWEEN(1, HOUR)),
        ROW(raw_http, keep_alive_timeout, DURATION,
            "a client that is silent for that long between two requests is closed", IS("60s"),
            BETWEEN(1, DAY)),
        ROW(raw_http, response_timeout, DURATION,
            "time in which a backend must begin its response", IS("60s"), BETWEEN(1, DAY)),
        ROW(raw_http, backend_keep_alive, DURATION,
            "an idle connection to a backend is kept for that long; 0s: not at all", IS("30s"),
            BETWEEN(0, HOUR)),
        ROW(raw_http, max_request_line, SIZE, "longest first line of a request", IS("8k"),
            BETWEEN(64, 40 * KIB)),
        ROW(raw_http, max_header, SIZE, "longest header of a request", IS("8k"),
            BETWEEN(64, 40 * KIB)),
        ROW(raw_http, max_headers_size, SIZE,
            "all headers of a request; with the first line at most 48k", IS("32k"),
            BETWEEN(64, 40 * KIB)),
        ROW(raw_http, max_header_count, INT, "most headers of a request", IS("100"),
            BETWEEN(1, HTTP_HEADERS_MAX), UNIT("headers")),
        ROW(raw_http, allow_connect, BOOL, "forward CONNECT, else it is answered with 405",
            IS("false")),
        ROW(raw_http, drop_underscore_headers, BOOL, "drop headers with '_' in their name",
            IS("false")),
        ROW(raw_http, via, BOOL, "add Via to requests and responses", IS("false")),
        ROW(raw_http, forwarded, BOOL, "add Forwarded to requests", IS("false")),
        ROW(raw_http, half_close, CHOICE,
            "a client that ends its sending side before its response: abort, or serve it",
            IS("abort"), ONE_OF(half_closes)),
        ROW(raw_http, error_pages, PAGES,
            "files for bal's own answers, by status; their paths start at this file's folder",
            BETWEEN(0, 20)),
};
const struct section schema_http = { .noun = "an http", .size = sizeof(struct raw_http),
                                     .fields = http_rows, .n_fields = ELEMENTS(http_rows) };

static const struct field redirect_rows[] = {
        ROW(raw_redirect, to, TARGET, "where to: a URI, with variables", BETWEEN(1, 2048),
            FLAGS(FIELD_REQUIRED)),
        ROW(raw_redirect, code, CHOICE, "status of the answer", IS("302"),
            ONE_OF(schema_redirects)),
};
SECTION(redirect_section, "a redirect", raw_redirect, redirect_rows);

static const struct field respond_rows[] = {
        ROW(raw_respond, status, CHOICE, "status of the answer", ONE_OF(schema_statuses),
            FLAGS(FIELD_REQUIRED)),
        ROW(raw_respond, body, STRING, "its text, a short one when not given", BETWEEN(0, 4096),
            FLAGS(FIELD_IMPLIED)),
        ROW(raw_respond, content_type, STRING, "type of the text",
            IS("text/plain; charset=utf-8"), BETWEEN(1, 128)),
};
SECTION(respond_section, "a respond", raw_respond, respond_rows);

static const struct field route_rows[] = {
        ROW(raw_route, host, HOSTS, "host asked for, *.example for all below it; any when not given",
            BETWEEN(1, 32)),
        ROW(raw_route, path, ROUTE_PATH, "path asked for, exactly", BETWEEN(1, 1024)),
        ROW(raw_route, path_prefix, ROUTE_PATH, "what the path starts with", BETWEEN(1, 1024)),
        ROW(raw_route, path_segments, ROUTE_PATH, "whole segments that the path starts with",
            BETWEEN(1, 1024)),
        ROW(raw_route, method, METHODS, "method of the request, or a list of them",
            BETWEEN(1, 16)),
        ROW(raw_route, headers, MAP, "headers that have just these values", BETWEEN(1, 16)),
        ROW(raw_route, backend, NAME, "name of the pool that gets the request", BETWEEN(1, 64)),
        ROW(raw_route, redirect, SECTION, "or: the client is sent elsewhere",
            OF(redirect_section), FLAGS(FIELD_OPTIONAL)),
        ROW(raw_route, respond, SECTION, "or: bal answers itself", OF(respond_section),
            FLAGS(FIELD_OPTIONAL)),
};
const struct section schema_route = { .noun = "a route", .size = sizeof(struct raw_route),
                                      .fields = route_rows, .n_fields = ELEMENTS(route_rows) };
/* clang-format on */
