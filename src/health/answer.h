/* SPDX-License-Identifier: MIT */
/* health/answer.h - the status of an HTTP/1 response, from bytes that come in any pieces. Pure. */
#pragma once

#include "core/base.h"

#define ANSWER_MAX (64 * 1024) /* bytes up to the end of the status line, interim responses too */

struct answer { /* zeroed: nothing has come yet */
        uint32_t n;
        uint32_t column; /* in the line */
        uint16_t status; /* of the line, as far as it has come */
        bool in_header;  /* of an interim response (1xx), up to its empty line */
};

/* The status, once its line has ended; 0: more is needed; FAILURE_NOT_HTTP. Bytes behind the line
 * are not looked at. Interim responses are skipped. */
int answer_feed(struct answer *a, const char *bytes, size_t n);
