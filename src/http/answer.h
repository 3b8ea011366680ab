/* SPDX-License-Identifier: MIT */
/* http/answer.h - answers that bal gives itself: errors, redirects, fixed ones. */
#pragma once

#include "http/out.h"

/* X(status, reason). Also what error_pages may name, from 400 on. */
#define HTTP_STATUSES(X)                                                                           \
        X(200, "OK")                                                                               \
        X(301, "Moved Permanently")                                                                \
        X(302, "Found")                                                                            \
        X(303, "See Other")                                                                        \
        X(307, "Temporary Redirect")                                                               \
        X(308, "Permanent Redirect")                                                               \
        X(400, "Bad Request")                                                                      \
        X(403, "Forbidden")                                                                        \
        X(404, "Not Found")                                                                        \
        X(405, "Method Not Allowed")                                                               \
        X(408, "Request Timeout")                                                                  \
        X(410, "Gone")                                                                             \
        X(413, "Content Too Large")                                                                \
        X(414, "URI Too Long")                                                                     \
        X(417, "Expectation Failed")                                                               \
        X(421, "Misdirected Request")                                                              \
        X(429, "Too Many Requests")                                                                \
        X(431, "Request Header Fields Too Large")                                                  \
        X(500, "Internal Server Error")                                                            \
        X(501, "Not Implemented")                                                                  \
        X(502, "Bad Gateway")                                                                      \
        X(503, "Service Unavailable")                                                              \
        X(504, "Gateway Timeout")                                                                  \
        X(505, "HTTP Version Not Supported")

const char *http_status_reason(int status); /* "" when there is none here */

struct http_answer {
        int status;
        struct span body; /* with content_type; p NULL: a short text made from the status */
        const char *content_type;
        struct span location;   /* n 0: none */
        unsigned retry_after_s; /* 0: no Retry-After */
        const char *allow;      /* NULL: no Allow */
        struct span request_id; /* n 0: none */
        const struct http_rules *rules;
        const struct http_values *values;
        uint64_t now_s; /* for Date (RFC 9110 6.6.1); CLOCK_REALTIME */
        bool head;      /* asked by HEAD: no body */
        bool close;
        int client_minor;
};

/* Head and body. False: it does not fit. */
bool http_answer_write(struct http_out *o, const struct http_answer *a);
