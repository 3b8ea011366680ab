/* SPDX-License-Identifier: MIT */
/* http/fields.h - one header or trailer line, and the names that mean something to bal. */
#pragma once

#include "http/span.h"
#include "http/verdict.h"

enum {
        FIELD_HOP = 1 << 0,        /* between two neighbours only (RFC 9110 7.6.1), not forwarded */
        FIELD_PASSES = 1 << 1,     /* Connection may not nominate it */
        FIELD_NO_TRAILER = 1 << 2, /* means nothing good in a trailer (RFC 9110 6.5.1), dropped */
};

/* clang-format off */
/* X(enum, name, what holds for it). Prefixes end in '-', and stand for all that begin so. */
#define HTTP_FIELDS(X)                                                                             \
        X(HOST,                "Host",                FIELD_PASSES | FIELD_NO_TRAILER)             \
        X(CONTENT_LENGTH,      "Content-Length",      FIELD_PASSES | FIELD_NO_TRAILER)             \
        X(TRANSFER_ENCODING,   "Transfer-Encoding",   FIELD_PASSES | FIELD_NO_TRAILER | FIELD_HOP) \
        X(CONNECTION,          "Connection",          FIELD_NO_TRAILER | FIELD_HOP)                \
        X(KEEP_ALIVE,          "Keep-Alive",          FIELD_NO_TRAILER | FIELD_HOP)                \
        X(PROXY_CONNECTION,    "Proxy-Connection",    FIELD_NO_TRAILER | FIELD_HOP)                \
        X(TE,                  "TE",                  FIELD_NO_TRAILER | FIELD_HOP)                \
        X(UPGRADE,             "Upgrade",             FIELD_NO_TRAILER | FIELD_HOP)                \
        X(HTTP2_SETTINGS,      "HTTP2-Settings",      FIELD_NO_TRAILER | FIELD_HOP)                \
        X(TRAILER,             "Trailer",             FIELD_NO_TRAILER)                            \
        X(EXPECT,              "Expect",              FIELD_PASSES | FIELD_NO_TRAILER)             \
        X(X_FORWARDED,         "X-Forwarded-",        FIELD_PASSES | FIELD_NO_TRAILER)             \
        X(FORWARDED,           "Forwarded",           FIELD_PASSES | FIELD_NO_TRAILER)             \
        X(X_REAL_IP,           "X-Real-IP",           FIELD_PASSES | FIELD_NO_TRAILER)             \
        X(X_REQUEST_ID,        "X-Request-ID",        FIELD_NO_TRAILER)                            \
        X(AUTHORIZATION,       "Authorization",       FIELD_NO_TRAILER)                            \
        X(PROXY_AUTHORIZATION, "Proxy-Authorization", FIELD_NO_TRAILER)                            \
        X(PROXY_AUTHENTICATE,  "Proxy-Authenticate",  FIELD_NO_TRAILER)                            \
        X(WWW_AUTHENTICATE,    "WWW-Authenticate",    FIELD_NO_TRAILER)                            \
        X(COOKIE,              "Cookie",              FIELD_NO_TRAILER)                            \
        X(SET_COOKIE,          "Set-Cookie",          FIELD_NO_TRAILER)                            \
        X(LOCATION,            "Location",            FIELD_NO_TRAILER)                            \
        X(RANGE,               "Range",               FIELD_NO_TRAILER)                            \
        X(MAX_FORWARDS,        "Max-Forwards",        FIELD_NO_TRAILER)                            \
        X(CACHE_CONTROL,       "Cache-Control",       FIELD_NO_TRAILER)                            \
        X(CONTENT_TYPE,        "Content-Type",        FIELD_NO_TRAILER)                            \
        X(CONTENT_ENCODING,    "Content-Encoding",    FIELD_NO_TRAILER)                            \
        X(CONTENT_RANGE,       "Content-Range",       FIELD_NO_TRAILER)                            \
        X(DATE,                "Date",                0)                                           \
        X(VIA,                 "Via",                 0)

enum http_field {
        HTTP_FIELD_OTHER,
#define X(id, name, flags) HTTP_FIELD_##id,
        HTTP_FIELDS(X)
#undef X
        HTTP_FIELDS_COUNT
};
/* clang-format on */

struct http_header {
        struct span name, value; /* value without the blanks around it */
        enum http_field id;
        bool drop; /* not forwarded as it came, see http_read_request() */
};

enum http_field http_field_find(struct span name);
unsigned http_field_flags(enum http_field id); /* FIELD_x; 0 for HTTP_FIELD_OTHER */

/* Would it be a header that bal answers for, were each '_' in it a '-'? CGI and what came after it
 * (WSGI, Rack, PHP) make the same variable of both, so a client would speak with bal's voice. */
bool http_field_resembles(struct span name);

/* One line without its CRLF, scanned before: HTTP_OK or HTTP_HEADER_NAME. */
enum http_verdict http_header_read(struct http_header *ret, struct span line);
