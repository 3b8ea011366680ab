/* SPDX-License-Identifier: MIT */
/* rows.h - what the verdict tables of requests and responses have in common. They stand in headers
 * of their own so that other readers can be held to them as well. */
#pragma once

#include <stddef.h>

#include "http/verdict.h"

#define S(text) (text), sizeof(text) - 1
#define TE      "Transfer-Encoding: "
#define CL      "Content-Length: "

struct verdict_row {
        const char *text;
        size_t n;
        enum http_verdict verdict;
        const char *why;
};
