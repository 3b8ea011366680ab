/* SPDX-License-Identifier: MIT */
/* http/verdict.h - what reading a head or a body ends in: one table for enum, log, status, text. */
#pragma once

#include <stdbool.h>

/* clang-format off */
/* X(enum, word in the log, status of the answer to a request, what is wrong). Whatever is wrong
 * with a response is a 502 to the client, see http_verdict_status(). */
#define HTTP_VERDICTS(X)                                                                           \
        X(OK,                  "ok",                   0, "complete and sound")                    \
        X(MORE,                "more",                 0, "sound so far, but not complete")        \
        X(TLS,                 "tls",                400, "TLS to a plain HTTP port")              \
        X(LEADING_BLANK,       "leading_blank",      400, "a blank before the request line")       \
        X(EMPTY_LINES,         "empty_lines",        400, "more than one empty line before the request line") \
        X(BARE_LF,             "bare_lf",            400, "a LF without CR before it")             \
        X(BARE_CR,             "bare_cr",            400, "a CR without LF behind it")             \
        X(CONTROL_BYTE,        "control_byte",       400, "a NUL or another control byte")         \
        X(REQUEST_LINE,        "request_line",       400, "not METHOD TARGET HTTP/x.y")            \
        X(METHOD,              "method",             400, "the method is not a token")             \
        X(METHOD_LONG,         "method_long",        501, "the method is longer than 32 bytes")    \
        X(TARGET,              "target",             400, "the target has no valid form, or none for this method") \
        X(USERINFO,            "userinfo",           400, "the target names a user")               \
        X(LINE_LONG,           "line_long",          414, "the first line is too long")            \
        X(VERSION,             "version",            505, "a version other than HTTP/1")           \
        X(PREFACE,             "preface",            505, "the preface of HTTP/2")                 \
        X(STATUS_LINE,         "status_line",        400, "not HTTP/1.x and a status of 100 to 599") \
        X(OBS_FOLD,            "obs_fold",           400, "a header line that begins with a blank") \
        X(HEADER_NAME,         "header_name",        400, "a header without a name that is a token right before a colon") \
        X(HEADER_LONG,         "header_long",        431, "a header is too long")                  \
        X(HEADERS_LONG,        "headers_long",       431, "all headers together are too long")     \
        X(HEADERS_MANY,        "headers_many",       431, "too many headers")                      \
        X(HOST_MISSING,        "host_missing",       400, "HTTP/1.1 without a Host")               \
        X(HOST_TWICE,          "host_twice",         400, "more than one Host")                    \
        X(HOST,                "host",               400, "not a host with an optional port")      \
        X(CONNECTION,          "connection",         400, "a Connection that is no short list of tokens") \
        X(NOMINATED,           "nominated",          400, "Connection nominates a header that has to pass") \
        X(LENGTH,              "length",             400, "a Content-Length that is not one plain decimal number") \
        X(LENGTH_TWICE,        "length_twice",       400, "more than one Content-Length")          \
        X(LENGTH_AND_CODING,   "length_and_coding",  400, "Content-Length and Transfer-Encoding together") \
        X(CODING,              "coding",             400, "a Transfer-Encoding that is not chunked alone") \
        X(CODING_UNKNOWN,      "coding_unknown",     501, "a transfer coding that bal does not know") \
        X(CODING_1_0,          "coding_1_0",         400, "a Transfer-Encoding in HTTP/1.0")       \
        X(CONNECT_BODY,        "connect_body",       400, "CONNECT with a body")                   \
        X(EXPECTATION,         "expectation",        417, "an expectation other than 100-continue") \
        X(MAX_FORWARDS,        "max_forwards",       400, "a Max-Forwards that is not one plain decimal number") \
        X(UNASKED_SWITCH,      "unasked_switch",     400, "101 to a request without Upgrade")      \
        X(CHUNK_LINE,          "chunk_line",         400, "a chunk size that is not 1 to 16 hexadecimal digits") \
        X(CHUNK_LONG,          "chunk_long",         400, "the line of a chunk size is too long")  \
        X(CHUNK_END,           "chunk_end",          400, "the data of a chunk does not end in CRLF") \
        X(TRAILERS_LONG,       "trailers_long",      431, "the trailers are too long")             \
        X(CUT_SHORT,           "cut_short",          400, "the connection ended before the message did") \
        X(LATE,                "late",               408, "the head was not complete in time")     \
        X(BODY_LONG,           "body_long",          413, "the body is longer than max_body_bytes") \
        X(PATH_AMBIGUOUS,      "path_ambiguous",     400, "a path with .. behind //, which has two readings") \
        X(CONNECT_REFUSED,     "connect_refused",    405, "CONNECT, and allow_connect is off")

enum http_verdict {
#define X(id, word, status, text) HTTP_##id,
        HTTP_VERDICTS(X)
#undef X
        HTTP_VERDICTS_COUNT
};
/* clang-format on */

const char *http_verdict_word(enum http_verdict v);
const char *http_verdict_text(enum http_verdict v);
int http_verdict_status(enum http_verdict v, bool response); /* 0: HTTP_OK and HTTP_MORE */
