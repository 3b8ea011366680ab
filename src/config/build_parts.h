/* SPDX-License-Identifier: MIT */
/* config/build_parts.h - what build() is made of. */
#pragma once

#include "config/build.h"

/* Sets f->http where the protocol is http; the pools of c are built. -ENOMEM. */
int build_http(struct config_frontend *f,
               struct arena *a,
               const struct config *c,
               const struct plan_frontend *plan);

/* What a route compares; its values are sound. False: out of memory. */
bool build_match(struct http_route *ret, struct arena *a, const struct raw_route *raw);
