/* SPDX-License-Identifier: MIT */
/* http/date.h - dates as HTTP writes them. */
#pragma once

#include "core/base.h"

#define HTTP_DATE_SIZE 29

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), up to the year 9999; not NUL-terminated. */
void http_date(char ret[static HTTP_DATE_SIZE], uint64_t unix_s);
