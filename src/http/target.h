/* SPDX-License-Identifier: MIT */
/* http/target.h - where a request goes: its target and its host. For request.c. */
#pragma once

#include "http/head.h"

/* "host", "host:port" or "[v6]:port": HTTP_OK, else HTTP_HOST. */
enum http_verdict http_authority_read(struct http_authority *ret, struct span text);

/* h->method and h->target -> form, path, query, and authority if the target has one. HTTP_TARGET,
 * HTTP_USERINFO, HTTP_HOST. */
enum http_verdict http_target_read(struct http_head *h);
