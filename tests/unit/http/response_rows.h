/* SPDX-License-Identifier: MIT */
/* response_rows.h - the verdict table of responses. */
#pragma once

#include "rows.h"

#define OK(headers)  S("HTTP/1.1 200 OK\r\n" headers "\r\n")
#define STATUS(line) S(line "\r\n\r\n")

static const struct verdict_row response_rows[] = {
        /* clang-format off */
        { OK(""),                                  HTTP_OK, "the least there can be" },
        { STATUS("HTTP/1.1 200 "),                   HTTP_OK, "an empty reason" },
        { STATUS("HTTP/1.1 200"),                    HTTP_OK, "not even the blank before it" },
        { STATUS("HTTP/1.0 599 a\tb \xc3\xa4"),      HTTP_OK, "any text" },
        { STATUS("HTTP/1.7 200 OK"),                 HTTP_OK, "a later minor version" },
        { STATUS("HTTP/1.1 100 Continue"),           HTTP_OK, "interim" },
        { S("HTTP/1.1 200 OK\r\n"),                HTTP_MORE, "not whole" },

        { STATUS("HTTP/2.0 200 OK"),                 HTTP_STATUS_LINE, "another major version" },
        { STATUS("HTTP/1.1 099 x"),                  HTTP_STATUS_LINE, "below 100" },
        { STATUS("HTTP/1.1 600 x"),                  HTTP_STATUS_LINE, "above 599" },
        { STATUS("HTTP/1.1 2000 x"),                 HTTP_STATUS_LINE, "four digits" },
        { STATUS("HTTP/1.1 20 x"),                   HTTP_STATUS_LINE, "two digits" },
        { STATUS("HTTP/1.1 2x0 x"),                  HTTP_STATUS_LINE, "no number" },
        { STATUS("HTTP/1.1 +20 x"),                  HTTP_STATUS_LINE, "a sign" },
        { STATUS("HTTP/1.1  200 x"),                 HTTP_STATUS_LINE, "two blanks" },
        { STATUS("HTTP/1.1\t200 x"),                 HTTP_STATUS_LINE, "a tab" },
        { STATUS("HTTP/1.1 200\tx"),                 HTTP_STATUS_LINE, "a tab" },
        { STATUS("HTTP/1.1"),                        HTTP_STATUS_LINE, "no status" },
        { STATUS("HTTP/1 200 OK"),                   HTTP_STATUS_LINE, "no minor version" },
        { STATUS("http/1.1 200 OK"),                 HTTP_STATUS_LINE, "case counts" },
        { STATUS(" HTTP/1.1 200 OK"),                HTTP_STATUS_LINE, "a blank before" },
        { S("\r\nHTTP/1.1 200 OK\r\n\r\n"),        HTTP_STATUS_LINE, "an empty line before" },
        { S("ICY 200 OK\r\n"),                     HTTP_STATUS_LINE, "another protocol, at once" },
        { S("GET / HTTP/1.1\r\n"),                 HTTP_STATUS_LINE, "a request" },
        { S("\xff"),                               HTTP_STATUS_LINE, "garbage, at once" },
        { S("\x15\x03\x01"),                       HTTP_CONTROL_BYTE, "a TLS alert, at once" },
        { S("HTTP/1.1 200 OK\n\n"),                HTTP_BARE_LF, "bare LF" },
        { S("HTTP/1.1 200 O\rK\r\n\r\n"),          HTTP_BARE_CR, "bare CR" },
        { S("HTTP/1.1 200 O\0K\r\n\r\n"),          HTTP_CONTROL_BYTE, "NUL" },

        { OK("A: b\r\n c\r\n"),                    HTTP_OBS_FOLD, "obs-fold" },
        { OK("A: b\nc\r\n"),                       HTTP_BARE_LF, "bare LF" },
        { OK("A: b\rc\r\n"),                       HTTP_BARE_CR, "bare CR" },
        { OK("A: b\x01\r\n"),                      HTTP_CONTROL_BYTE, "a control byte" },
        { OK("A : b\r\n"),                         HTTP_HEADER_NAME, "a blank before the colon" },
        { OK(": b\r\n"),                           HTTP_HEADER_NAME, "no name" },
        { OK(CL "5\r\n" TE "chunked\r\n"),         HTTP_LENGTH_AND_CODING, "both" },
        { OK(CL "5\r\n" CL "5\r\n"),               HTTP_LENGTH_TWICE, "two" },
        { OK(CL "5, 5\r\n"),                       HTTP_LENGTH, "a list" },
        { OK(CL "-1\r\n"),                         HTTP_LENGTH, "negative" },
        { OK(CL "18446744073709551616\r\n"),       HTTP_LENGTH, "it would wrap" },
        { OK(TE "gzip\r\n"),                       HTTP_CODING_UNKNOWN, "unknown" },
        { OK(TE "gzip, chunked\r\n"),              HTTP_CODING, "a list" },
        { OK(TE "identity\r\n"),                   HTTP_CODING, "withdrawn" },
        { S("HTTP/1.0 200 OK\r\n" TE "chunked\r\n\r\n"), HTTP_CODING_1_0, "1.0 has no chunks" },
        { S("HTTP/1.1 204 x\r\n" CL "5\r\n" TE "chunked\r\n\r\n"), HTTP_LENGTH_AND_CODING,
                                                   "bad framing, though there is no body" },
        { OK("Connection: content-length\r\n"),    HTTP_NOMINATED, "it has to pass" },
        { OK("Connection: a b\r\n"),               HTTP_CONNECTION, "no token" },
        { S("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), HTTP_UNASKED_SWITCH,
                                                   "nobody asked for it" },
        /* clang-format on */
};
