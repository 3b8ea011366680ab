/* SPDX-License-Identifier: MIT */
/* http/request_id.h - X-Request-ID: who may keep his own, and what others get. */
#pragma once

#include "http/span.h"

#define HTTP_REQUEST_ID_MAX 128
#define HTTP_UUID_SIZE      36

bool http_request_id_ok(struct span id); /* 1 to HTTP_REQUEST_ID_MAX visible characters */

/* UUIDv7 (RFC 9562 5.7) of a time and 74 bits of random; not NUL-terminated. */
void http_uuid7(char ret[static HTTP_UUID_SIZE], uint64_t unix_ms, const uint64_t random[static 2]);
